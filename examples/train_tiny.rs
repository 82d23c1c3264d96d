//! Trains a tiny T5 on ten lessons, both tasks in every step: `cargo run --example train_tiny`.

use distill_core::{Language, Lesson, Mode, Problem, Pseudocode, Solution, Student};
use student_core::{Dataset, Item, TrainConfig, Trainer};
use student_t5::{Preset, T5Config, T5Student, Tokenizer};
use tch::Device;

/// Ten lessons of one kind: what a teacher would have written.
fn lessons() -> anyhow::Result<Vec<Lesson>> {
    let words = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"];
    let lesson = |(at, word): (usize, &str)| {
        let number = at + 2;
        let plan =
            format!("1. define function times_{word} with argument x\n2. return x times {number}");
        let solution = Solution {
            pseudocode: Pseudocode::from_text(&plan)?,
            code: format!("def times_{word}(x):\n    return x * {number}\n"),
        };
        Ok(Lesson {
            id: word.into(),
            language: Language::Python,
            query: format!("Multiply a number by {word}."),
            solution,
            teacher: "by hand".into(),
            reply: String::new(),
            extra: Default::default(),
        })
    };
    words.into_iter().enumerate().map(lesson).collect()
}

fn main() -> anyhow::Result<()> {
    let lessons = lessons()?;
    let texts = lessons.iter().flat_map(|lesson| {
        [lesson.query.clone(), lesson.solution.pseudocode.to_string(), lesson.solution.code.clone()]
    });
    let tokenizer = Tokenizer::train(texts.collect::<Vec<_>>(), 400)?;
    let shape = T5Config::preset(Preset::Nano, tokenizer.size() as i64);
    let mut student = T5Student::new(shape, tokenizer, 1, Device::Cpu)?;
    student.generation.max_new_tokens = Some(64);

    let items = lessons.iter().map(|lesson| Ok(student.encode_lesson(lesson)?.0));
    let items = Dataset::new(items.collect::<anyhow::Result<Vec<Item>>>()?)?;
    // Here the lessons are their own validation: the example shows that they can be learned.
    let config = TrainConfig { max_steps: Some(80), batch: 5, ..TrainConfig::demo() };
    let folder = std::env::temp_dir().join(format!("train-tiny-{}", std::process::id()));
    let outcome =
        Trainer::new(config, &folder)?.train(&student.model, &items, &items, &mut |_| {})?;
    let loss = |evaluation: &Option<student_core::Evaluation>| evaluation.as_ref().map(|e| e.total);
    println!("loss before {:.3?}, after {:.3?}", loss(&outcome.baseline), loss(&outcome.best));

    let problem = Problem::new("ask", Language::Python, "Multiply a number by seven.");
    for answer in student.answer(&[problem], Mode::Chained, 1)?.concat() {
        println!("{}\n\n{}", answer.solution.pseudocode, answer.solution.code);
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
