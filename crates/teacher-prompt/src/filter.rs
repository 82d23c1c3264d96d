//! Which replies make lessons.

use distill_core::{Language, Pseudocode};
use serde::{Deserialize, Serialize};

use crate::Verdict;
use crate::parse::{Defined, ParseOptions, Parsed, Parts, cut_short, same_family, snippet};

/// What a lesson must be like. The checks run in the order of the fields of [`Verdict`]; the first
/// that fails is the reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Fewest steps, sub-steps included.
    pub min_steps: usize,
    /// Most steps, sub-steps included.
    pub max_steps: usize,
    /// Longest step, in characters.
    pub max_step_chars: usize,
    /// Largest share of the steps' letters, from 0 to 1, that may be of another script than Latin;
    /// 1 lets every language pass.
    pub max_foreign_letters: f64,
    /// Shortest code, in characters.
    pub min_code_chars: usize,
    /// Longest code, in characters.
    pub max_code_chars: usize,
    /// Whether the code must parse without a syntax error.
    pub require_parse: bool,
    /// Whether the code must define the problem's function, where it names one.
    pub require_entry_point: bool,
    /// Whether that function must take as many parameters as in the problem's own code, where it has
    /// any.
    pub require_signature: bool,
    /// Whether a reply that the server cut short is rejected.
    pub require_whole: bool,
}

impl Default for Filter {
    /// 1 to 80 steps of at most 500 characters in any script; 8 to 20,000 characters of code that parses and
    /// defines what was asked for, with whatever parameters; whole replies only.
    fn default() -> Filter {
        Filter {
            min_steps: 1,
            max_steps: 80,
            max_step_chars: 500,
            max_foreign_letters: 1.0,
            min_code_chars: 8,
            max_code_chars: 20_000,
            require_parse: true,
            require_entry_point: true,
            require_signature: false,
            require_whole: true,
        }
    }
}

impl Filter {
    /// The verdict on a parsed reply, with the reason where it is not `ok`.
    ///
    /// A reply cut short is told so even if parts are missing, for that is why they are.
    pub fn check(
        &self,
        parsed: &Parsed,
        finish_reason: Option<&str>,
        options: &ParseOptions,
    ) -> (Verdict, String) {
        if let Some(reason) = cut_short(finish_reason).filter(|_| self.require_whole) {
            return (Verdict::CutShort, reason);
        }
        if parsed.verdict != Verdict::Ok {
            return (parsed.verdict, parsed.reason.clone());
        }
        // What was not asked for is not judged either.
        let (asks_steps, asks_code) =
            (options.parts != Parts::Code, options.parts != Parts::Pseudocode);
        let code = parsed.code.as_deref().filter(|_| asks_code);
        let steps = parsed.pseudocode.as_ref().filter(|_| asks_steps);
        code.and_then(|code| self.check_code(code, parsed, options))
            .or_else(|| steps.and_then(|steps| self.check_steps(steps)))
            .unwrap_or_default()
    }

    /// What is wrong with these steps, if anything.
    pub fn check_steps(&self, steps: &Pseudocode) -> Option<(Verdict, String)> {
        if steps.len() < self.min_steps {
            let reason = format!("{} steps, at least {} wanted", steps.len(), self.min_steps);
            return Some((Verdict::TooFewSteps, reason));
        }
        if steps.len() > self.max_steps {
            let reason = format!("{} steps, at most {} wanted", steps.len(), self.max_steps);
            return Some((Verdict::TooManySteps, reason));
        }
        let letters = steps.steps().iter().flat_map(|step| step.text.chars());
        let (mut all, mut foreign) = (0u32, 0u32);
        for letter in letters.filter(|c| c.is_alphabetic()) {
            all += 1;
            foreign += u32::from(letter > LAST_LATIN);
        }
        if f64::from(foreign) > self.max_foreign_letters * f64::from(all) {
            let share = 100.0 * f64::from(foreign) / f64::from(all);
            let reason = format!("{share:.0} % of the steps' letters are not Latin");
            return Some((Verdict::OtherProse, reason));
        }
        let lengths = steps.steps().iter().map(|step| step.text.chars().count());
        let (at, length) = lengths.enumerate().find(|(_, length)| *length > self.max_step_chars)?;
        let reason = format!(
            "the step in line {} has {length} characters, at most {} wanted",
            at + 1,
            self.max_step_chars
        );
        Some((Verdict::StepTooLong, reason))
    }

    fn check_code(
        &self,
        code: &str,
        parsed: &Parsed,
        options: &ParseOptions,
    ) -> Option<(Verdict, String)> {
        let language = options.language?;
        if let Some(other) = parsed.labelled.filter(|other| !same_family(*other, language)) {
            let reason = format!("{} code, {} wanted", other.title(), language.title());
            return Some((Verdict::WrongLanguage, reason));
        }
        let parameters = options.parameters.filter(|_| self.require_signature);
        self.check_function(code, language, options.entry_point.as_deref(), parameters)
    }

    /// What is wrong with this code, if anything.
    pub fn check_program(
        &self,
        code: &str,
        language: Language,
        entry_point: Option<&str>,
    ) -> Option<(Verdict, String)> {
        self.check_function(code, language, entry_point, None)
    }

    fn check_function(
        &self,
        code: &str,
        language: Language,
        entry_point: Option<&str>,
        parameters: Option<usize>,
    ) -> Option<(Verdict, String)> {
        let length = code.chars().count();
        if length < self.min_code_chars {
            let reason = format!("{length} characters, at least {} wanted", self.min_code_chars);
            return Some((Verdict::CodeTooShort, reason));
        }
        if length > self.max_code_chars {
            let reason = format!("{length} characters, at most {} wanted", self.max_code_chars);
            return Some((Verdict::CodeTooLong, reason));
        }
        // Without the grammar nothing can be said about the syntax.
        let snippet = snippet(language, code)?;
        if self.require_parse && !snippet.is_clean() {
            let row = first_error(&snippet.tree, snippet.offset, &snippet.text);
            let reason = format!("{} syntax error near line {row}", language.title());
            return Some((Verdict::SyntaxError, reason));
        }
        let wanted = entry_point.filter(|name| !name.trim().is_empty());
        let name = wanted.filter(|_| self.require_entry_point)?;
        let found = Defined::find(language, &snippet, name);
        if !found.wanted {
            return Some((Verdict::NoEntryPoint, format!("defines no function `{name}`")));
        }
        let (wanted, found) = (parameters?, found.parameters?);
        (found != wanted).then(|| {
            let reason = format!("`{name}` takes {found} parameters, {wanted} wanted");
            (Verdict::WrongSignature, reason)
        })
    }
}

/// The last letter of the blocks Latin, Latin-1 and Latin Extended A and B.
const LAST_LATIN: char = '\u{24f}';

/// The line of the snippet, from 1, in which the first ERROR or MISSING node starts.
fn first_error(tree: &tree_sitter::Tree, offset: usize, text: &str) -> usize {
    let node = code_syntax::preorder(tree).find(|node| node.is_error() || node.is_missing());
    let at =
        node.map_or(offset, |node| node.start_byte()).clamp(offset.min(text.len()), text.len());
    text.as_bytes()[offset.min(at)..at].iter().filter(|&&byte| byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_reply;

    const GOOD: &str =
        "Pseudocode:\n1. add\n2. return\nCode:\n```python\ndef f(a):\n    return a\n```";

    fn verdict(filter: &Filter, reply: &str, entry_point: &str, finish: &str) -> (Verdict, String) {
        let options = ParseOptions {
            language: Some(Language::Python),
            entry_point: Some(entry_point.into()),
            ..ParseOptions::default()
        };
        filter.check(&parse_reply(reply, &options), Some(finish), &options)
    }

    #[test]
    fn every_reason_is_told() {
        let filter = Filter::default();
        let check = |filter: &Filter, reply: &str, expected: Verdict, reason: &str| {
            let found = verdict(filter, reply, "f", "stop");
            assert_eq!(found, (expected, reason.to_owned()), "{reply}");
        };
        check(&filter, GOOD, Verdict::Ok, "");
        let few = Filter { min_steps: 3, ..filter.clone() };
        check(&few, GOOD, Verdict::TooFewSteps, "2 steps, at least 3 wanted");
        let many = Filter { max_steps: 1, ..filter.clone() };
        check(&many, GOOD, Verdict::TooManySteps, "2 steps, at most 1 wanted");
        let latin = Filter { max_foreign_letters: 0.5, ..filter.clone() };
        check(&latin, GOOD, Verdict::Ok, "");
        let russian = GOOD.replace("1. add", "1. сложить числа");
        let reason = "67 % of the steps' letters are not Latin";
        check(&latin, &russian, Verdict::OtherProse, reason);
        let short = Filter { max_step_chars: 3, ..filter.clone() };
        let reason = "the step in line 2 has 6 characters, at most 3 wanted";
        check(&short, GOOD, Verdict::StepTooLong, reason);
        let code = Filter { max_code_chars: 9, ..filter.clone() };
        check(&code, GOOD, Verdict::CodeTooLong, "22 characters, at most 9 wanted");
        let code = Filter { min_code_chars: 99, ..filter.clone() };
        check(&code, GOOD, Verdict::CodeTooShort, "22 characters, at least 99 wanted");
        let broken = GOOD.replace("return a\n", "return (a\n");
        check(&filter, &broken, Verdict::SyntaxError, "Python syntax error near line 2");
        let java = GOOD.replace("```python", "```java");
        check(&filter, &java, Verdict::WrongLanguage, "Java code, Python wanted");
        let (found, reason) = verdict(&filter, GOOD, "g", "stop");
        assert_eq!((found, &*reason), (Verdict::NoEntryPoint, "defines no function `g`"));
        let signature = Filter { require_signature: true, ..filter.clone() };
        let options = ParseOptions {
            language: Some(Language::Python),
            entry_point: Some("f".into()),
            parameters: crate::parameters_of(Language::Python, "def f(x, y): pass", "f"),
            ..ParseOptions::default()
        };
        let found = signature.check(&parse_reply(GOOD, &options), None, &options);
        let reason = "`f` takes 1 parameters, 2 wanted";
        assert_eq!(found, (Verdict::WrongSignature, reason.to_owned()));
        let found = filter.check(&parse_reply(GOOD, &options), None, &options);
        assert_eq!(found.0, Verdict::Ok);
        let (found, reason) = verdict(&filter, GOOD, "f", "length");
        assert_eq!((found, &*reason), (Verdict::CutShort, "the reply stops at the token limit"));
    }
}
