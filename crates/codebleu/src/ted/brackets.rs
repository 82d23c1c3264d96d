//! Trees in bracket notation: `{a{b}{c}}` is a node `a` with the children `b` and `c`.
//!
//! A label is everything between a brace and the next brace, white space included; `{`, `}` and `\`
//! in it are escaped by `\`. An empty label is a label. White space around a tree is passed over,
//! and a line of white space alone is the empty tree.

use rustc_hash::FxHashMap;

use super::{TedError, Tree};

/// Label texts as numbers, the same number for the same text: trees to be compared need one
/// between them.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    ids: FxHashMap<Box<str>, u32>,
    texts: Vec<Box<str>>,
}

impl Labels {
    /// No labels yet.
    pub fn new() -> Labels {
        Labels::default()
    }

    /// The number of this text, a new one where it is not known.
    pub fn id(&mut self, text: &str) -> u32 {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let id = self.texts.len() as u32;
        self.ids.insert(text.into(), id);
        self.texts.push(text.into());
        id
    }

    /// The text of a number given by [`id`](Self::id).
    pub fn text(&self, id: u32) -> Option<&str> {
        self.texts.get(id as usize).map(|text| &**text)
    }

    /// Number of different labels.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether no label is known.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}

/// Reads one tree; its labels are numbered by `labels`.
///
/// Nesting may be of any depth.
///
/// ```
/// use codebleu::ted::{brackets, distance};
///
/// let mut labels = brackets::Labels::new();
/// let a = brackets::parse("{a{b}{c}}", &mut labels)?;
/// let b = brackets::parse("{a{c}}", &mut labels)?;
/// assert_eq!(distance(&a, &b)?, 1);
/// # Ok::<(), codebleu::ted::TedError>(())
/// ```
///
/// # Errors
/// [`TedError::Brackets`] with the column (in characters, from 1) of what cannot be read.
pub fn parse(line: &str, labels: &mut Labels) -> Result<Tree, TedError> {
    let line = line.trim();
    let error = |at: usize, reason: &'static str| TedError::Brackets {
        column: line[..at].chars().count() + 1,
        reason,
    };
    let bytes = line.as_bytes();
    let mut nodes: Vec<(usize, u32)> = Vec::new();
    let mut depth = 0;
    let mut unescaped = String::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'{' => {
                if depth == 0 && !nodes.is_empty() {
                    return Err(error(at, "a second root"));
                }
                at += 1;
                let start = at;
                while at < bytes.len() && !matches!(bytes[at], b'{' | b'}' | b'\\') {
                    at += 1;
                }
                // Most labels have no escape and are taken from the line as they stand.
                let mut label = &line[start..at];
                if bytes.get(at) == Some(&b'\\') {
                    unescaped.clear();
                    unescaped.push_str(label);
                    let mut from = at;
                    while at < bytes.len() && !matches!(bytes[at], b'{' | b'}') {
                        if bytes[at] == b'\\' {
                            unescaped.push_str(&line[from..at]);
                            if !matches!(bytes.get(at + 1), Some(b'{' | b'}' | b'\\')) {
                                return Err(error(at, "a `\\` that escapes no `{`, `}` or `\\`"));
                            }
                            from = at + 1;
                            at += 1;
                        }
                        at += 1;
                    }
                    unescaped.push_str(&line[from..at]);
                    label = &unescaped;
                }
                nodes.push((depth, labels.id(label)));
                depth += 1;
            }
            b'}' => {
                if depth == 0 {
                    return Err(error(at, "a `}` that closes nothing"));
                }
                depth -= 1;
                at += 1;
            }
            byte if byte.is_ascii_whitespace() => at += 1,
            _ => return Err(error(at, "text outside a node: expected `{` or `}`")),
        }
    }
    if depth > 0 {
        return Err(error(line.len(), "the line ends inside a node: expected `}`"));
    }
    Tree::from_preorder(nodes)
}

/// The bracket notation of a tree, its labels written by `text`.
///
/// ```
/// use codebleu::ted::brackets;
///
/// let mut labels = brackets::Labels::new();
/// let tree = brackets::parse(r"{a {\{}}", &mut labels)?;
/// assert_eq!(brackets::write(&tree, |id| labels.text(id).unwrap_or("?")), r"{a {\{}}");
/// # Ok::<(), codebleu::ted::TedError>(())
/// ```
pub fn write<'a>(tree: &Tree, text: impl Fn(u32) -> &'a str) -> String {
    let mut depths = vec![0usize; tree.len()];
    for (&node, &depth) in tree.preorder.iter().zip(&tree.depths) {
        depths[node as usize] = depth as usize;
    }
    let mut out = String::with_capacity(8 * tree.len());
    let mut open = 0;
    for (&depth, &label) in depths.iter().zip(&tree.preorder_labels) {
        out.extend(std::iter::repeat_n('}', open - depth));
        open = depth + 1;
        out.push('{');
        for character in text(label).chars() {
            if matches!(character, '{' | '}' | '\\') {
                out.push('\\');
            }
            out.push(character);
        }
    }
    out.extend(std::iter::repeat_n('}', open));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(line: &str) -> String {
        let mut labels = Labels::new();
        let tree = parse(line, &mut labels).unwrap();
        write(&tree, |id| labels.text(id).unwrap())
    }

    fn column(line: &str) -> usize {
        match parse(line, &mut Labels::new()) {
            Err(TedError::Brackets { column, .. }) => column,
            other => panic!("{line:?}: {other:?}"),
        }
    }

    #[test]
    fn reads_what_it_writes() {
        for line in ["", "{}", "{a}", "{a{b}{c{d}}}", r"{\{x\}{\\}{ü \\\{}}", "{{}{{}}}", "{a\0b}"]
        {
            assert_eq!(round_trip(line), line);
        }
        assert_eq!(round_trip(" {a {b} {c}}\r\n"), "{a {b}{c}}");
    }

    #[test]
    fn deep_nesting_is_read() {
        let line = "{a".repeat(100_000) + &"}".repeat(100_000);
        assert_eq!(round_trip(&line), line);
    }

    #[test]
    fn errors_name_the_column() {
        assert_eq!(column("{a"), 3);
        assert_eq!(column("{a}}"), 4);
        assert_eq!(column("{ü}{b}"), 4);
        assert_eq!(column("x"), 1);
        assert_eq!(column("{a{b}c}"), 6);
        assert_eq!(column(r"{a\n}"), 3);
        assert_eq!(column(r"{a\"), 3);
    }
}
