//! One line of code on its own: a statement, or what opens one.

use code_syntax::Language;
use distill_core::{Pseudocode, Step};

use crate::english::English;
use crate::ir::Stmt;
use crate::narrate::{Narrator, Part};
use crate::{Coverage, VerbaliseError, Verbalised, read};

/// How a line is worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manner {
    /// As in a plan: what the line means. `set y to the result of f with x`
    #[default]
    Plan,
    /// In the order in which it runs, with the kinds of constants: as the annotators of the Django
    /// corpus write. `call the function f with an argument x, substitute the result for y.`
    Narrated,
}

/// What a line is completed to, and what of that the line is.
enum Completed {
    /// The words in both manners: `else:` says nothing of its own.
    Said(&'static str, &'static str),
    /// Statements; the line is the one at this place.
    Code(String, usize, Part),
    /// An expression that decorates what follows.
    Decorator(String),
}

/// Puts one line into words: a statement, or what opens a block without its body, such as
/// `else:`, `def f(a):`, `except E as e:` or a decorator.
///
/// Only Python's lines are completed; of other languages a line must be a whole statement.
///
/// ```
/// use code_syntax::Language;
/// use verbaliser::{Manner, verbalise_line};
///
/// let say = |line, manner| {
///     verbalise_line(Language::Python, line, manner).map(|said| said.pseudocode.to_string())
/// };
/// assert_eq!(say("for x in xs:", Manner::Plan)?, "1. for each x in xs:");
/// assert_eq!(say("y = f(x)", Manner::Plan)?, "1. set y to the result of f with x");
/// assert_eq!(
///     say("y = f(x)", Manner::Narrated)?,
///     "1. call the function f with an argument x, substitute the result for y."
/// );
/// # Ok::<(), verbaliser::VerbaliseError>(())
/// ```
///
/// # Errors
/// Those of [`verbalise`](crate::verbalise).
pub fn verbalise_line(
    language: Language,
    line: &str,
    manner: Manner,
) -> Result<Verbalised, VerbaliseError> {
    let line = line.trim();
    // Places of errors are those of the line: the one that it is completed to may have more above.
    let read = |code: &str| {
        read(language, code).map_err(|error| match error {
            VerbaliseError::Syntax { language, column, .. } => {
                VerbaliseError::Syntax { language, line: 1, column }
            }
            other => other,
        })
    };
    let (code, place, part) = match completed(language, line) {
        Completed::Said(plan, narrated) => {
            let words = if manner == Manner::Plan { plan } else { narrated };
            return Ok(said(words, Coverage::default()));
        }
        Completed::Decorator(code) => {
            let (statements, report) = read(&code)?;
            let Some(Stmt::Expr(value)) = statements.into_iter().next() else {
                return Err(VerbaliseError::Empty { language });
            };
            let words = match manner {
                Manner::Plan => {
                    let step = Stmt::Say("decorate what follows with {0}", vec![value]);
                    return Ok(plan(language, &[step], Part::Whole, report));
                }
                Manner::Narrated => Narrator::default().decorator(&value),
            };
            return Ok(said(&words, report));
        }
        Completed::Code(code, place, part) => (code, place, part),
    };
    let (statements, report) = read(&code)?;
    let Some(own) = statements.get(place..).filter(|own| !own.is_empty()) else {
        return Err(VerbaliseError::Empty { language });
    };
    match manner {
        Manner::Plan => Ok(plan(language, own, part, report)),
        Manner::Narrated => {
            let mut narrator = Narrator::default();
            let lines: Vec<String> =
                own.iter().map(|statement| narrator.line(statement, part)).collect();
            let shortened = report.shortened + narrator.shortened;
            Ok(said(&lines.join(" "), Coverage { shortened, ..report }))
        }
    }
}

fn said(words: &str, report: Coverage) -> Verbalised {
    Verbalised { pseudocode: Pseudocode::new([Step::new(0, words)]), report }
}

/// The plan of a line: without the body that completed it.
fn plan(language: Language, statements: &[Stmt], part: Part, mut report: Coverage) -> Verbalised {
    let mut english = English::new(language);
    let steps = english.plan(statements);
    report.shortened += english.shortened;
    let nothing = |step: &Step| step.text == "do nothing";
    let mut steps: Vec<Step> = steps.steps().to_vec();
    if steps.len() > 1 && steps.last().is_some_and(nothing) {
        steps.pop();
    }
    if let (Part::Elif, Some(first)) = (part, steps.first_mut()) {
        first.text = format!("otherwise, {}", first.text);
    }
    Verbalised { pseudocode: Pseudocode::new(steps), report }
}

/// Whether `code` is one line that opens a block or decorates what follows.
pub(crate) fn opens_a_block(language: Language, code: &str) -> bool {
    let line = code.trim();
    language == Language::Python
        && !line.contains('\n')
        && (line.ends_with(':') || line.starts_with('@'))
}

fn completed(language: Language, line: &str) -> Completed {
    let whole = || Completed::Code(line.to_owned(), 0, Part::Whole);
    if language != Language::Python {
        return whole();
    }
    if let Some(decorator) = line.strip_prefix('@') {
        return Completed::Decorator(decorator.trim().to_owned());
    }
    let Some(opening) = line.strip_suffix(':') else { return whole() };
    let opening = opening.trim_end();
    let word = opening.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    match word {
        "else" if opening == word => Completed::Said("otherwise:", "if not,"),
        "try" if opening == word => Completed::Said("try:", "try,"),
        "finally" if opening == word => {
            Completed::Said("in any case, finally:", "finally perform,")
        }
        "except" => {
            let code = format!("try:\n    pass\n{opening}:\n    pass\n");
            Completed::Code(code, 1, Part::Whole)
        }
        "elif" => {
            let code = format!("{}: pass\n", opening.trim_start_matches("el"));
            Completed::Code(code, 0, Part::Elif)
        }
        _ => Completed::Code(format!("{opening}: pass\n"), 0, Part::Whole),
    }
}
