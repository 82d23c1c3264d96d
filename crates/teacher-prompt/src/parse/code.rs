//! Which of the blocks of a reply is the code asked for.

use code_syntax::snippet::{Snippet, parse_snippet};
use code_syntax::{Language, preorder};
use tree_sitter::Node;

use super::heading::Section;
use super::outline::{Outline, fences_of, line_of};
use super::plan::Place;
use super::unfenced::{bare_body, dedented, unannounced, unfenced};
use super::{ParseOptions, Parts};

/// Longest text that is given to the syntax checks, in bytes: far more than a function, and little
/// enough for a hostile one to cost no time.
pub(crate) const LONGEST: usize = 128 << 10;

/// Most blocks of one reply that are looked at.
const MOST: usize = 48;

/// A block that may be the code.
#[derive(Debug)]
pub(super) struct Candidate {
    pub text: String,
    /// The language that its fence names.
    pub language: Option<Language>,
    /// Whether its fence names something else.
    pub foreign: bool,
    /// Whether it stands under a heading for code.
    pub in_code: bool,
}

/// The best block, or the text of a Code section without a fence.
pub(super) fn find_code(
    outline: &Outline<'_>,
    options: &ParseOptions,
    used: Option<Place>,
) -> Option<Candidate> {
    let mut candidates = Vec::new();
    for (at, part) in outline.parts.iter().enumerate() {
        let in_code = part.section == Section::Code;
        for (item, fence) in fences_of(part) {
            if used == Some((at, item)) || fence.is_pseudocode() {
                continue;
            }
            let language = fence.language();
            let foreign = language.is_none()
                && !matches!(fence.info.as_str(), "" | "text" | "txt" | "plaintext" | "code");
            if candidates.len() == MOST {
                break;
            }
            let text = dedented(&fence.lines);
            candidates.push(Candidate { text, language, foreign, in_code });
        }
        let room = candidates.len() < MOST;
        if room && in_code && fences_of(part).next().is_none() {
            let lines: Vec<&str> = part.items.iter().filter_map(line_of).collect();
            let text = unfenced(&lines, options.language);
            candidates.push(Candidate { text, language: None, foreign: false, in_code });
        }
    }
    if candidates.is_empty()
        && options.parts != Parts::Pseudocode
        && let Some(language) = options.language
    {
        candidates.extend(bare_body(outline, language).or_else(|| unannounced(outline, language)));
    }
    choose(candidates, options.language, options.entry_point.as_deref())
}

/// The best candidate: the one that parses and defines the function asked for; failing that in the
/// right language, defining any function, under the right heading, parsing. The first of equals.
fn choose(
    mut candidates: Vec<Candidate>,
    language: Option<Language>,
    entry_point: Option<&str>,
) -> Option<Candidate> {
    candidates.retain(|candidate| !candidate.text.trim().is_empty());
    if candidates.len() <= 1 {
        return candidates.pop();
    }
    let rank = |candidate: &Candidate| {
        let snippet = language.and_then(|language| snippet(language, &candidate.text));
        let clean = snippet.as_ref().is_some_and(Snippet::is_clean);
        let names = match (language, &snippet) {
            (Some(language), Some(snippet)) => {
                Defined::find(language, snippet, entry_point.unwrap_or_default())
            }
            _ => Defined::default(),
        };
        let fits = match (candidate.language, language) {
            _ if candidate.foreign => 0,
            (Some(own), Some(asked)) => 2 * u8::from(same_family(own, asked)),
            (Some(_), None) => 2,
            (None, _) => 1,
        };
        (names.wanted && clean, fits, names.any && clean, candidate.in_code, clean, names.wanted)
    };
    let ranks: Vec<_> = candidates.iter().map(rank).collect();
    let best = ranks.iter().max()?;
    let at = ranks.iter().position(|rank| rank == best)?;
    Some(candidates.swap_remove(at))
}

/// Whether code labelled `own` may stand for code in `asked`.
pub(crate) fn same_family(own: Language, asked: Language) -> bool {
    use Language::{C, Cpp, JavaScript, TypeScript};
    own == asked
        || matches!((own, asked), (JavaScript, TypeScript) | (TypeScript, JavaScript))
        || matches!((own, asked), (C, Cpp))
}

/// `code` parsed, where it is not too long and the grammar is at hand.
pub(crate) fn snippet(language: Language, code: &str) -> Option<Snippet<'_>> {
    (code.len() <= LONGEST).then(|| parse_snippet(language, code).ok()).flatten()
}

/// The functions that a snippet defines.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Defined {
    /// Any at all.
    pub any: bool,
    /// The one asked for.
    pub wanted: bool,
    /// How many parameters that one takes, the first of several.
    pub parameters: Option<usize>,
}

impl Defined {
    /// Looks for `name`; of a dotted name (`Class.method`) the last part counts.
    pub(crate) fn find(language: Language, snippet: &Snippet<'_>, name: &str) -> Defined {
        let name = name.rsplit(['.', ':', '#']).next().unwrap_or(name).trim();
        let mut defined = Defined::default();
        for node in preorder(&snippet.tree) {
            let Some(found) = defined_by(language, node) else { continue };
            let Some(text) = snippet.text.get(found.byte_range()) else { continue };
            defined.any = true;
            let wanted = match language {
                Language::Php => text.eq_ignore_ascii_case(name), // as PHP's own functions
                _ => text == name,
            };
            if wanted && !defined.wanted {
                defined.parameters = Some(parameters(node, &snippet.text));
            }
            defined.wanted |= wanted;
        }
        defined
    }
}

/// How many parameters the function that `node` defines takes, its receiver aside.
fn parameters(node: Node<'_>, text: &str) -> usize {
    let list = ["value", "right", "declarator"]
        .into_iter()
        .filter_map(|field| node.child_by_field_name(field))
        .chain([node])
        .find_map(|owner| {
            let alone = owner.child_by_field_name("parameter").map(|_| None);
            owner.child_by_field_name("parameters").map(Some).or(alone)
        });
    let list = match list {
        None => return 0,
        Some(None) => return 1, // x => …
        Some(Some(list)) => list,
    };
    let (mut cursor, mut count) = (list.walk(), 0);
    for (at, parameter) in list.named_children(&mut cursor).enumerate() {
        count += match parameter.kind() {
            "keyword_separator" | "positional_separator" | "receiver_parameter" => 0,
            kind if kind.ends_with("comment") => 0,
            "identifier" if at == 0 => {
                let name = text.get(parameter.byte_range()).unwrap_or_default();
                usize::from(!matches!(name, "self" | "cls"))
            }
            // Go: several names of one type.
            "parameter_declaration" => {
                parameter.children_by_field_name("name", &mut parameter.walk()).count().max(1)
            }
            _ => 1,
        };
    }
    count
}

/// The node that names the function which `node` defines.
fn defined_by(language: Language, node: Node<'_>) -> Option<Node<'_>> {
    if language.row().function_kinds.contains(&node.kind()) {
        if let Some(name) = node.child_by_field_name("name") {
            return Some(name);
        }
        // C and C++: the name is inside nested declarators.
        let mut declarator = node.child_by_field_name("declarator")?;
        while let Some(inner) = declarator.child_by_field_name("declarator") {
            declarator = inner;
        }
        return Some(declarator);
    }
    // A function without a name of its own that is given one.
    let (name, value) = match node.kind() {
        "variable_declarator" | "pair" => ("name", "value"),
        "assignment" | "assignment_expression" => ("left", "right"),
        "public_field_definition" | "field_definition" => ("property", "value"),
        _ => return None,
    };
    let value = node.child_by_field_name(value)?;
    let name = node.child_by_field_name(name).or_else(|| node.child_by_field_name("key"))?;
    let function = matches!(
        value.kind(),
        "lambda"
            | "arrow_function"
            | "function_expression"
            | "generator_function"
            | "lambda_expression"
            | "anonymous_function"
            | "anonymous_function_creation_expression"
    );
    // exports.f = …: the property names it.
    function.then(|| name.child_by_field_name("property").unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn defines(language: Language, code: &str, name: &str) -> bool {
        Defined::find(language, &snippet(language, code).unwrap(), name).wanted
    }

    #[test]
    fn functions_are_found_however_they_are_defined() {
        use Language::*;
        for (language, code) in [
            (Python, "def f(): pass"),
            (Python, "class A:\n    async def f(self): pass"),
            (Python, "f = lambda x: x"),
            (Java, "class A { static int f() { return 1; } }"),
            (Java, "public int f() { return 1; }"),
            (Go, "package p\nfunc f() {}"),
            (Go, "func (t *T) f() {}"),
            (JavaScript, "function f() {}"),
            (JavaScript, "const f = (a) => a;"),
            (JavaScript, "exports.f = function () {};"),
            (JavaScript, "async f(a) { return a; }"),
            (Php, "<?php function F() {}"),
            (Ruby, "def self.f\nend"),
        ] {
            assert!(defines(language, code, "f"), "{language}: {code}");
            assert!(defines(language, code, "A.f"), "{language}: {code}");
            assert!(!defines(language, code, "g"), "{language}: {code}");
        }
        assert!(!defines(Python, "f(1)\nx = f", "f"));
    }

    #[test]
    fn parameters_are_counted_in_every_language() {
        use Language::*;
        for (language, code) in [
            (Python, "def f(a, *, b=1, **c): pass"),
            (Python, "class A:\n    def f(self, a, b: int, c: int = 1): pass"),
            (Python, "f = lambda a, b, c: a"),
            (Java, "class A { static int f(int a, int[] b, String... c) { return 1; } }"),
            (Go, "func f(a, b int, c ...string) {}"),
            (JavaScript, "function f(a, {b}, c = 1) {}"),
            (JavaScript, "const f = (a, b, ...c) => a;"),
            (Php, "<?php function f($a, array $b, ...$c) {}"),
            (Ruby, "def f(a, b = 1, *c)\nend"),
        ] {
            let found = Defined::find(language, &snippet(language, code).unwrap(), "f");
            assert_eq!(found.parameters, Some(3), "{language}: {code}");
        }
        let one = "const f = a => a;";
        let found = Defined::find(JavaScript, &snippet(JavaScript, one).unwrap(), "f");
        assert_eq!(found.parameters, Some(1));
        let none = Defined::find(Ruby, &snippet(Ruby, "def f\nend").unwrap(), "f");
        assert_eq!(none.parameters, Some(0));
    }
}
