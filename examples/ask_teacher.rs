//! Asks a scripted teacher and parses its reply: `cargo run --example ask_teacher`.
//!
//! Put `teacher_prompt::Chat` in the place of `Scripted` to ask a real server; nothing else changes.

use distill_core::{Language, Problem};
use teacher_prompt::{Event, PromptBuilder, Scripted, Taught, Teaching};

const GOOD: &str = "\
**Pseudocode:**
1. Start with an empty result.
2. For each word, from the last to the first:
   - add it to the result
3. Return the words joined by blanks.

**Code:**
```python
def reverse_words(text):
    return ' '.join(reversed(text.split()))
```
";

const BROKEN: &str = "Pseudocode:\n1. Count.\n\nCode:\n```python\ndef count(:\n```\n";

fn main() -> anyhow::Result<()> {
    let problems = [
        Problem::new("reverse", Language::Python, "Reverse the order of the words of a text."),
        Problem::new("count", Language::Python, "Count the vowels of a text."),
    ];
    let teacher = Scripted::texts("scripted", [GOOD, BROKEN]);
    let prompts = PromptBuilder::new("scripted");
    println!("The question to the teacher:\n");
    for message in prompts.request(&problems[0])?.messages {
        println!("{}\n", message.content);
    }
    let summary = Teaching::new(prompts).run_blocking(problems, &teacher, &mut |event| {
        match event {
            Event::Taught(Taught::Lesson(lesson)) => {
                println!("Lesson {}:\n{}\n", lesson.id, lesson.solution.pseudocode);
            }
            Event::Taught(Taught::Rejected(rejected)) => println!("Rejected: {rejected:?}"),
            _ => {}
        }
        Ok(())
    })?;
    println!("{} lessons", summary.progress.lessons);
    Ok(())
}
