//! The tokens of a text as the dataflow sees them.

use crate::ast::Ast;
use crate::dataflow::Reading;
use crate::text::Interner;

/// The tokens of a tree from left to right: leaves, and literals as wholes.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// The text of each token that is not fixed, as a number.
    pub(crate) words: Vec<u32>,
    /// Whether the text of each token is the kind of its node: operators, keywords.
    fixed: Vec<bool>,
    /// The token that stands for this one: tokens of the same place, which have no width, are all
    /// taken for the last of them.
    stands_for: Vec<u32>,
    /// Tokens before each node, and before the end of the tree.
    before: Vec<u32>,
    /// The range of bytes of each token.
    ranges: Vec<(u32, u32)>,
}

impl Tokens {
    pub(crate) fn of<'a>(
        ast: &Ast,
        texts: &'a Texts<'_>,
        places: Places,
        interner: &mut Interner<'a>,
    ) -> Tokens {
        let Places { before, ranges, nodes } = places;
        let mut stands_for: Vec<u32> = (0..ranges.len() as u32).collect();
        for token in (1..ranges.len()).rev() {
            if ranges[token - 1] == ranges[token] {
                stands_for[token - 1] = stands_for[token];
            }
        }
        let mut words = Vec::with_capacity(ranges.len());
        let mut fixed = Vec::with_capacity(ranges.len());
        for (text, &node) in texts.iter(&ranges).zip(&nodes) {
            let is_fixed = ast.kind(node).name == text;
            fixed.push(is_fixed);
            words.push(if is_fixed { u32::MAX } else { interner.id(text) });
        }
        Tokens { words, fixed, stands_for, before, ranges }
    }

    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    /// The token of a leaf or whole literal; none for a part of a literal.
    pub(crate) fn at(&self, ast: &Ast, node: u32) -> Option<u32> {
        let place = (ast.nodes[node as usize].start, ast.nodes[node as usize].end);
        let token = self.before[node as usize];
        let found = match self.ranges.get(token as usize) {
            Some(range) if *range == place => token,
            // Inside a literal, which may be all that its only part is.
            _ => token.checked_sub(1).filter(|&last| self.ranges[last as usize] == place)?,
        };
        Some(self.stands_for[found as usize])
    }

    pub(crate) fn is_fixed(&self, token: u32) -> bool {
        self.fixed[token as usize]
    }

    /// The tokens below a node that are not fixed, in order; none where a part of a literal is no
    /// token.
    pub(crate) fn variables(&self, ast: &Ast, node: u32) -> Option<Vec<u32>> {
        let below = ast.subtree(node);
        let tokens = self.before[below.start as usize]..self.before[below.end as usize];
        if tokens.is_empty() {
            // A comment, or a part of a literal.
            let leaves = below.filter(|&node| ast.is_leaf(node) && !ast.kind(node).is_comment);
            let tokens: Option<Vec<u32>> = leaves.map(|leaf| self.at(ast, leaf)).collect();
            return Some(tokens?.into_iter().filter(|&token| !self.is_fixed(token)).collect());
        }
        let stands_for = tokens.map(|token| self.stands_for[token as usize]);
        Some(stands_for.filter(|&token| !self.is_fixed(token)).collect())
    }
}

/// Where the tokens of a tree are.
#[derive(Debug)]
pub(crate) struct Places {
    before: Vec<u32>,
    ranges: Vec<(u32, u32)>,
    nodes: Vec<u32>,
}

impl Places {
    pub(crate) fn of(ast: &Ast, reading: Reading) -> Places {
        let mut places = Places {
            before: Vec::with_capacity(ast.nodes.len() + 1),
            ranges: Vec::with_capacity(ast.nodes.len() / 2 + 1),
            nodes: Vec::with_capacity(ast.nodes.len() / 2 + 1),
        };
        let mut inside_until = 0;
        for (index, node) in ast.nodes.iter().enumerate() {
            places.before.push(places.ranges.len() as u32);
            if (index as u32) < inside_until {
                continue;
            }
            let kind = ast.grammar.kind(node.kind);
            if reading.skips(kind) {
                if reading.skips_comments {
                    inside_until = node.after;
                }
            } else if kind.is_whole || node.after == index as u32 + 1 {
                places.ranges.push((node.start, node.end));
                places.nodes.push(index as u32);
                inside_until = node.after;
            }
        }
        places.before.push(places.ranges.len() as u32);
        places
    }

    /// How many tokens there are.
    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The text of each token.
    pub(crate) fn texts<'t>(&self, text: &'t str, reading: Reading) -> Texts<'t> {
        let mut own = Vec::new();
        if !reading.node_text {
            let lines = (!text.is_ascii()).then(|| Lines::new(text));
            // The first line break at or after a token's start; starts hardly ever fall.
            let mut at = 0;
            let mut line_break = text.find('\n');
            for (token, &(start, end)) in self.ranges.iter().enumerate() {
                let (from, to) = (start as usize, end as usize);
                if let Some(lines) = &lines {
                    own.push((token as u32, lines.slice(start, end)));
                    continue;
                }
                if from < at || line_break.is_some_and(|line_break| line_break < from) {
                    line_break = text[from..].find('\n').map(|offset| from + offset);
                }
                at = from;
                if line_break.is_some_and(|line_break| line_break < to) {
                    own.push((token as u32, text[from..to].replace('\n', "")));
                }
            }
        }
        Texts { text, own }
    }
}

/// The texts of tokens: slices of the whole, but for some.
#[derive(Debug)]
pub(crate) struct Texts<'t> {
    text: &'t str,
    /// Tokens, in order, that have a text of their own.
    own: Vec<(u32, String)>,
}

impl Texts<'_> {
    fn iter(&self, ranges: &[(u32, u32)]) -> impl Iterator<Item = &str> {
        let mut own = self.own.iter().peekable();
        ranges.iter().enumerate().map(move |(token, &(start, end))| {
            match own.next_if(|own| own.0 as usize == token) {
                Some((_, text)) => text,
                None => &self.text[start as usize..end as usize],
            }
        })
    }
}

/// A text cut by line and *character* where the parser counts bytes: the reference programs do, so
/// that tokens after a character outside ASCII are displaced.
struct Lines<'t> {
    text: &'t str,
    /// Byte at which each line starts, and one past the end.
    line_starts: Vec<usize>,
    /// Number of the character at each line start.
    line_chars: Vec<usize>,
    /// Byte at which each character starts, and the end.
    chars: Vec<u32>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Lines<'t> {
        let mut chars = Vec::with_capacity(text.len() + 1);
        let (mut line_starts, mut line_chars) = (vec![0], vec![0]);
        for (byte, c) in text.char_indices() {
            chars.push(byte as u32);
            if c == '\n' {
                line_starts.push(byte + 1);
                line_chars.push(chars.len());
            }
        }
        chars.push(text.len() as u32);
        // As if the text ended with a line break.
        line_starts.push(text.len() + 1);
        line_chars.push(chars.len());
        Lines { text, line_starts, line_chars, chars }
    }

    /// Line and column of a byte.
    fn point(&self, byte: u32) -> (usize, usize) {
        let line = self.line_starts.partition_point(|&start| start <= byte as usize) - 1;
        (line, byte as usize - self.line_starts[line])
    }

    /// Characters `from..to` of a line, as far as it has them.
    fn of_line(&self, line: usize, from: usize, to: usize) -> &'t str {
        let (first, after) = (self.line_chars[line], self.line_chars[line + 1] - 1);
        let byte = |column: usize| self.chars[first.saturating_add(column).min(after)] as usize;
        self.text.get(byte(from)..byte(to)).unwrap_or("")
    }

    fn slice(&self, start: u32, end: u32) -> String {
        let ((line, from), (last, to)) = (self.point(start), self.point(end));
        if line == last {
            return self.of_line(line, from, to).to_owned();
        }
        let mut text = self.of_line(line, from, usize::MAX).to_owned();
        for line in line + 1..last {
            text.push_str(self.of_line(line, 0, usize::MAX));
        }
        text.push_str(self.of_line(last, 0, to));
        text
    }
}
