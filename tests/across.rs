//! What holds across crates: what one stage writes, the next one reads, in three languages.

use std::fs;

use code_corpus::{Corpus, Filters, Options, Source, Split};
use codebleu::{Scorer, Variant};
use distill_core::{Language, Lesson, Problem};
use teacher_prompt::{
    Direction, Event, ParseOptions, PromptBuilder, Scripted, Taught, Teaching, Verbaliser,
    parse_reply,
};

/// A documented function in each language that the verbaliser speaks.
const SOURCES: [(&str, &str); 3] = [
    (
        "shop.py",
        "def total(prices, limit):\n    \"\"\"Add up the prices below a limit.\"\"\"\n    # start\n    \
         result = 0\n    for price in prices:\n        if price < limit:\n            result += price\n    \
         return result\n",
    ),
    (
        "Shop.java",
        "class Shop {\n    /** Adds up the prices below a limit. */\n    int total(int[] prices, int \
         limit) {\n        int result = 0;\n        for (int price : prices) {\n            if (price < \
         limit) {\n                result += price;\n            }\n        }\n        return result;\n    \
         }\n}\n",
    ),
    (
        "shop.go",
        "package shop\n\n// Total adds up the prices below a limit.\nfunc Total(prices []int, limit \
         int) int {\n\tresult := 0\n\tfor _, price := range prices {\n\t\tif price < limit \
         {\n\t\t\tresult += price\n\t\t}\n\t}\n\treturn result\n}\n",
    ),
];

/// The problems mined from [`SOURCES`].
fn mined() -> Vec<Problem> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in SOURCES {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let source = Source::Tree {
        root: folder.path().to_owned(),
        languages: vec![Language::Python, Language::Java, Language::Go],
    };
    let options = Options {
        filters: Filters::default(),
        split: Split::Shares { valid: 0.0, test: 0.0, seed: 0 },
        ..Options::default()
    };
    Corpus::build(&source, &options, &|_| {}).unwrap().train
}

/// The verbaliser's lessons on them.
fn taught(problems: Vec<Problem>) -> Vec<Lesson> {
    let prompts = PromptBuilder::new(Verbaliser::NAME).direction(Direction::Backward);
    let mut lessons = Vec::new();
    let summary = Teaching::new(prompts)
        .run_blocking(problems, &Verbaliser, &mut |event| {
            match event {
                Event::Taught(Taught::Lesson(lesson)) => lessons.push(*lesson),
                Event::Taught(Taught::Rejected(rejected)) => panic!("{rejected:?}"),
                _ => {}
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(summary.stopped, None);
    lessons
}

#[test]
fn mined_functions_become_lessons_in_the_order_of_the_problems() {
    let problems = mined();
    assert_eq!(problems.len(), SOURCES.len());
    let lessons = taught(problems.clone());
    for (problem, lesson) in problems.iter().zip(&lessons) {
        assert_eq!(lesson.id, problem.id);
        assert_eq!(Some(&lesson.solution.code), problem.reference.as_ref());
        assert!(!lesson.solution.code.contains("start"), "comments are out of the code");
        let plan = lesson.solution.pseudocode.to_string();
        // A loop over the prices with a condition in it, and a return: the same plan in each language.
        assert!(plan.contains("price") && plan.contains("limit"), "{plan}");
        assert!(lesson.solution.pseudocode.steps().iter().any(|step| step.depth > 0), "{plan}");
        assert!(plan.contains("return result"), "{plan}");
    }
}

#[test]
fn a_lesson_told_as_a_reply_is_parsed_back() {
    for lesson in taught(mined()) {
        let reply = format!(
            "Pseudocode:\n{}\n\nCode:\n```{}\n{}\n```\n",
            lesson.solution.pseudocode,
            lesson.language.name(),
            lesson.solution.code,
        );
        let options = ParseOptions { language: Some(lesson.language), ..ParseOptions::default() };
        let parsed = parse_reply(&reply, &options);
        assert_eq!(parsed.pseudocode.as_ref(), Some(&lesson.solution.pseudocode), "{reply}");
        assert_eq!(parsed.code.unwrap().trim_end(), lesson.solution.code.trim_end());
    }
}

/// What CodeBLEU a forward teacher that writes `code` gets for `problem`.
fn scored(problem: &Problem, code: &str) -> f64 {
    let reply = format!("Pseudocode:\n1. do it\nCode:\n```\n{code}\n```");
    let teacher = Scripted::texts("scripted", [reply]);
    let mut teaching = Teaching::new(PromptBuilder::new("scripted"));
    teaching.filter.require_entry_point = false;
    let mut codebleu = None;
    let summary = teaching.run_blocking([problem.clone()], &teacher, &mut |event| {
        if let Event::Taught(Taught::Lesson(lesson)) = event {
            let scorer = Scorer::new(lesson.language, Variant::Paper).unwrap();
            let reference = problem.reference.as_deref().unwrap();
            let score = scorer.score(&[reference], &lesson.solution.code).unwrap();
            codebleu = Some(score.scores.codebleu);
        }
        Ok(())
    });
    codebleu.unwrap_or_else(|| panic!("no lesson: {summary:?}"))
}

#[test]
fn a_teacher_is_scored_against_the_reference_as_a_student_is() {
    for problem in mined() {
        let wrong = match problem.language {
            Language::Python => "def f():\n    pass\n",
            Language::Java => "int f() { return 1; }",
            _ => "func f() int { return 1 }",
        };
        assert_eq!(scored(&problem, problem.reference.as_deref().unwrap()), 1.0);
        assert!(scored(&problem, wrong) < 0.5);
    }
}

#[cfg(feature = "torch")]
mod student {
    use distill_core::{Mode, Student, Task};
    use student_t5::{Preset, T5Config, T5Student, Tokenizer};
    use tch::Device;

    use super::*;

    #[test]
    fn lessons_are_read_back_from_the_students_tokens() {
        let lessons = taught(mined());
        let texts = lessons.iter().flat_map(|lesson| {
            [lesson.solution.pseudocode.to_string(), lesson.solution.code.clone()]
        });
        let tokenizer = Tokenizer::train(texts.collect::<Vec<_>>(), 500).unwrap();
        let shape = T5Config::preset(Preset::Nano, tokenizer.size() as i64);
        let mut student = T5Student::new(shape, tokenizer, 1, Device::Cpu).unwrap();
        student.generation.max_new_tokens = Some(400);
        for lesson in &lessons {
            let (item, _) = student.encode_lesson(lesson).unwrap();
            let plan = student.tokenizer.decode(&item.of(Task::Pseudocode)[0].target).unwrap();
            assert_eq!(plan, lesson.solution.pseudocode.to_string());
            let [direct, chained] = item.of(Task::Code) else { panic!("{item:?}") };
            assert_eq!(student.tokenizer.decode(&direct.target).unwrap(), lesson.solution.code);
            let source = student.tokenizer.decode(&chained.source).unwrap();
            assert!(source.contains(&lesson.query) && source.ends_with(&plan), "{source}");
        }
    }

    #[test]
    fn an_untrained_student_answers_in_both_modes_and_can_be_scored() {
        let problems = mined();
        let texts = problems.iter().map(|problem| problem.query.clone());
        let tokenizer = Tokenizer::train(texts.collect::<Vec<_>>(), 300).unwrap();
        let shape = T5Config::preset(Preset::Nano, tokenizer.size() as i64);
        let mut student = T5Student::new(shape, tokenizer, 1, Device::Cpu).unwrap();
        student.generation.max_new_tokens = Some(12);
        for mode in [Mode::Direct, Mode::Chained] {
            let answers = student.answer(&problems, mode, 3).unwrap();
            assert_eq!(answers.len(), problems.len());
            for (problem, ranked) in problems.iter().zip(answers) {
                assert_eq!(ranked.len(), 3);
                assert!(ranked.windows(2).all(|w| w[0].log_probability >= w[1].log_probability));
                let scorer = Scorer::new(problem.language, Variant::Paper).unwrap();
                let reference = problem.reference.as_deref().unwrap();
                let score = scorer.score(&[reference], &ranked[0].solution.code).unwrap();
                assert!((0.0..1.0).contains(&score.scores.codebleu), "{score:?}");
            }
        }
    }
}
