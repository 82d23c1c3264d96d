//! Numbered, nested steps in plain language.
//!
//! In records pseudocode is a list of strings, a step each, two leading spaces for every level of
//! nesting. In prompts and for students it is numbered text, a step a line:
//!
//! ```text
//! 1. set total to 0
//! 2. for each x in xs:
//!    2.1. add x to total
//! 3. return total
//! ```

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Step {
    /// How deep it is nested: 0 for a step of its own, 1 for a sub-step, …
    pub depth: usize,
    /// What is to be done: one line, without its number.
    pub text: String,
}

impl Step {
    /// A step at the given depth; line breaks and runs of blanks in `text` become single blanks.
    pub fn new(depth: usize, text: &str) -> Step {
        Step { depth, text: text.split_whitespace().collect::<Vec<_>>().join(" ") }
    }
}

/// A plan: steps in order.
///
/// The depths are well-formed: the first step has depth 0 and a step is at most one level deeper
/// than the one before it; what is built with more is pulled up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Pseudocode {
    steps: Vec<Step>,
}

/// A text in which no line starts with a step number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no numbered step in {0:?}")]
pub struct NotNumbered(
    /// The start of the text.
    pub String,
);

impl Pseudocode {
    /// The plan of these steps; steps without text are left out.
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Pseudocode {
        let mut plan = Pseudocode::default();
        for step in steps {
            plan.push(step);
        }
        plan
    }

    /// Adds a step at the end, unless it has no text.
    pub fn push(&mut self, mut step: Step) {
        if step.text.is_empty() {
            return;
        }
        step.depth = step.depth.min(self.steps.last().map_or(0, |last| last.depth + 1));
        self.steps.push(step);
    }

    /// The steps in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Number of steps, sub-steps included.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Reads the numbered form that [`fmt::Display`] writes.
    ///
    /// Depth is the count of numbers (`2.1.` is one level deep). Lines before the first number are
    /// dropped; a later line without a number continues its step. Replies of language models come
    /// in many more forms: those are read by the crate `teacher-prompt`.
    ///
    /// # Errors
    /// [`NotNumbered`] when no line starts with a number.
    pub fn from_text(text: &str) -> Result<Pseudocode, NotNumbered> {
        let mut steps: Vec<Step> = Vec::new();
        for line in text.lines() {
            match (split_number(line.trim()), steps.last_mut()) {
                (Some((depth, rest)), _) => steps.push(Step::new(depth, rest)),
                (None, Some(last)) if !line.trim().is_empty() => {
                    *last = Step::new(last.depth, &format!("{} {line}", last.text));
                }
                _ => {}
            }
        }
        match Pseudocode::new(steps) {
            plan if plan.is_empty() => Err(NotNumbered(text.chars().take(80).collect())),
            plan => Ok(plan),
        }
    }
}

/// Splits `2.1. add x` into depth 1 and `add x`. Every number must be followed by a dot, and the
/// last dot by a blank or the end.
fn split_number(line: &str) -> Option<(usize, &str)> {
    let mut rest = line;
    let mut numbers = 0;
    loop {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        match rest[digits..].strip_prefix('.') {
            Some(after) if digits > 0 => {
                numbers += 1;
                rest = after;
            }
            _ => break,
        }
    }
    let complete = rest.is_empty() || rest.starts_with(char::is_whitespace);
    (numbers > 0 && complete).then(|| (numbers - 1, rest.trim()))
}

impl fmt::Display for Pseudocode {
    /// Numbered text, a step a line, three blanks a level, without a line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counters: Vec<usize> = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            counters.truncate(step.depth + 1);
            match counters.get_mut(step.depth) {
                Some(counter) => *counter += 1,
                None => counters.push(1),
            }
            write!(f, "{:1$}", "", 3 * step.depth)?;
            for counter in &counters {
                write!(f, "{counter}.")?;
            }
            write!(f, " {}", step.text)?;
        }
        Ok(())
    }
}

impl Serialize for Pseudocode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            self.steps.iter().map(|step| format!("{:1$}{2}", "", 2 * step.depth, step.text)),
        )
    }
}

impl<'de> Deserialize<'de> for Pseudocode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pseudocode, D::Error> {
        let lines = Vec::<String>::deserialize(deserializer)?;
        Ok(Pseudocode::new(lines.iter().map(|line| {
            let indent = line.len() - line.trim_start_matches(' ').len();
            Step::new(indent / 2, line)
        })))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SUM: &str = "1. set total to 0\n2. for each x in xs:\n   2.1. add x to total\n   2.2. if x is 0:\n      2.2.1. stop\n3. return total";

    #[test]
    fn numbered_text_round_trips() {
        let plan = Pseudocode::from_text(SUM).unwrap();
        assert_eq!(plan.steps().iter().map(|s| s.depth).collect::<Vec<_>>(), [0, 0, 1, 1, 2, 0]);
        assert_eq!(plan.to_string(), SUM);
    }

    #[test]
    fn lines_without_a_number_continue_a_step_and_prose_before_is_dropped() {
        let plan = Pseudocode::from_text("Sure:\n1. add\n   both numbers\n2. stop 3.5 s").unwrap();
        assert_eq!(plan.to_string(), "1. add both numbers\n2. stop 3.5 s");
        assert!(Pseudocode::from_text("no plan, 3.14 is pi").is_err());
    }

    #[test]
    fn depths_are_pulled_up() {
        let plan = Pseudocode::new([Step::new(3, "a"), Step::new(9, "b"), Step::new(0, " ")]);
        assert_eq!(plan.to_string(), "1. a\n   1.1. b");
    }

    proptest! {
        #[test]
        fn every_plan_round_trips_through_text_and_json(
            steps in prop::collection::vec((0usize..4, "[a-z(]([a-z ]{0,12}[a-z.)])?"), 1..12),
        ) {
            let plan = Pseudocode::new(steps.iter().map(|(depth, text)| Step::new(*depth, text)));
            prop_assert_eq!(&Pseudocode::from_text(&plan.to_string()).unwrap(), &plan);
            let json = serde_json::to_string(&plan).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Pseudocode>(&json).unwrap(), &plan);
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,200}") {
            let _ = Pseudocode::from_text(&text);
        }
    }
}
