//! From a syntax tree to the common tree: what the rules of every language share.

use std::collections::BTreeMap;

use code_syntax::Language;
use tree_sitter::Node;

use crate::ir::{Cmp, Expr, Op, Parameter, Stmt, Takes};

/// Deepest nesting of statements and expressions together that is followed; what lies deeper is
/// said by the names in it. Ordinary code stays far below; the bound is what makes recursion safe.
const DEEPEST: usize = 60;

/// Names looked for in what is too deep, and leaves looked at for them.
const NAMES: usize = 4;
const LEAVES: usize = 64;

/// The rules of a language: one function for expressions, one for statements. `None` and `false`
/// mean that there is no rule for this kind of node.
pub(crate) struct Rules {
    pub(crate) expression: fn(&mut Lowering<'_>, Node<'_>) -> Option<Expr>,
    pub(crate) statement: fn(&mut Lowering<'_>, Node<'_>, &mut Vec<Stmt>) -> bool,
}

/// A walk through one text.
pub(crate) struct Lowering<'a> {
    text: &'a str,
    language: Language,
    rules: &'static Rules,
    depth: usize,
    /// Whether a plain `break` here ends a case and not a loop.
    in_case: bool,
    /// Kinds without a rule, with how often they occurred.
    pub(crate) missing: BTreeMap<String, usize>,
    /// How many places were too deep.
    pub(crate) too_deep: usize,
}

impl<'a> Lowering<'a> {
    pub(crate) fn new(text: &'a str, language: Language, rules: &'static Rules) -> Lowering<'a> {
        Lowering {
            text,
            language,
            rules,
            depth: 0,
            in_case: false,
            missing: BTreeMap::new(),
            too_deep: 0,
        }
    }

    /// The text of a node.
    pub(crate) fn text(&self, node: Node) -> &'a str {
        &self.text[node.byte_range()]
    }

    /// The text of a field, or nothing.
    pub(crate) fn field_text(&self, node: Node, field: &str) -> &'a str {
        node.child_by_field_name(field).map_or("", |child| self.text(child))
    }

    /// The named children without comments.
    pub(crate) fn parts<'t>(&self, node: Node<'t>) -> Vec<Node<'t>> {
        let mut cursor = node.walk();
        node.named_children(&mut cursor)
            .filter(|child| says_something(self.language, *child))
            .collect()
    }

    /// The children of a field, unnamed ones and comments left out.
    pub(crate) fn fields<'t>(&self, node: Node<'t>, field: &str) -> Vec<Node<'t>> {
        let mut cursor = node.walk();
        node.children_by_field_name(field, &mut cursor)
            .filter(|child| child.is_named() && says_something(self.language, *child))
            .collect()
    }

    /// Whether a direct child is the token `token`.
    pub(crate) fn has_token(&self, node: Node, token: &str) -> bool {
        let mut cursor = node.walk();
        node.children(&mut cursor).any(|child| child.kind() == token)
    }

    fn miss(&mut self, node: Node) {
        *self.missing.entry(node.kind().to_owned()).or_default() += 1;
    }

    /// An expression.
    pub(crate) fn expr(&mut self, node: Node) -> Expr {
        if self.depth >= DEEPEST {
            self.too_deep += 1;
            return Expr::TooDeep(self.names(node));
        }
        self.depth += 1;
        let expr = match (self.rules.expression)(self, node) {
            Some(expr) => expr,
            None => {
                self.miss(node);
                let parts = self.parts(node);
                if parts.is_empty() {
                    Expr::name(self.text(node))
                } else {
                    Expr::Unknown(parts.into_iter().map(|part| self.expr(part)).collect())
                }
            }
        };
        self.depth -= 1;
        expr
    }

    /// The expression of a field; `None` where the field is empty.
    pub(crate) fn field(&mut self, node: Node, field: &str) -> Option<Expr> {
        node.child_by_field_name(field).map(|child| self.expr(child))
    }

    /// As [`field`](Self::field) for a field that the grammar always fills.
    pub(crate) fn need(&mut self, node: Node, field: &str) -> Expr {
        self.field(node, field).unwrap_or_else(|| Expr::Unknown(Vec::new()))
    }

    /// All parts of a node as expressions.
    pub(crate) fn exprs(&mut self, node: Node) -> Vec<Expr> {
        self.parts(node).into_iter().map(|part| self.expr(part)).collect()
    }

    /// The first part of a node as an expression.
    pub(crate) fn first(&mut self, node: Node) -> Option<Expr> {
        self.parts(node).first().map(|part| self.expr(*part))
    }

    /// A statement, added to `out`.
    pub(crate) fn stmt(&mut self, node: Node, out: &mut Vec<Stmt>) {
        if !says_something(self.language, node) {
            return;
        }
        if self.depth >= DEEPEST {
            self.too_deep += 1;
            let names = Expr::TooDeep(self.names(node));
            out.push(Stmt::Say("go on with deeper steps on {0}", vec![names]));
            return;
        }
        self.depth += 1;
        if !(self.rules.statement)(self, node, out) {
            // A bare expression stands for itself: a snippet need not be a whole statement.
            match (self.rules.expression)(self, node) {
                Some(expr) => out.push(Stmt::Expr(expr)),
                None => {
                    self.miss(node);
                    let parts = self.exprs(node);
                    out.push(Stmt::Expr(Expr::Unknown(parts)));
                }
            }
        }
        self.depth -= 1;
    }

    /// The statements below a node.
    pub(crate) fn block(&mut self, node: Node) -> Vec<Stmt> {
        let mut out = Vec::new();
        for part in self.parts(node) {
            self.stmt(part, &mut out);
        }
        out
    }

    /// The statements of a block, or the one statement that stands in its place.
    pub(crate) fn body(&mut self, node: Node) -> Vec<Stmt> {
        let mut out = Vec::new();
        self.stmt(node, &mut out);
        match out.as_mut_slice() {
            [Stmt::Block(inner)] => std::mem::take(inner),
            _ => out,
        }
    }

    /// What `rules` make of the body of a loop, or of a case: a `break` in there ends just that.
    pub(crate) fn inside<T>(&mut self, case: bool, rules: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.in_case, case);
        let result = rules(self);
        self.in_case = outer;
        result
    }

    /// The body of a loop in the field `body`.
    pub(crate) fn loop_body(&mut self, node: Node) -> Vec<Stmt> {
        self.inside(false, |cx| cx.body_field(node, "body"))
    }

    /// The words for a `break` without a label.
    pub(crate) fn leave(&self) -> &'static str {
        if self.in_case { "skip the rest of this case" } else { "leave the loop" }
    }

    /// The body in a field.
    pub(crate) fn body_field(&mut self, node: Node, field: &str) -> Vec<Stmt> {
        node.child_by_field_name(field).map(|child| self.body(child)).unwrap_or_default()
    }

    /// A row of operators of one class, or of `&&` or `||`, in the nodes of kind `kind` with fields
    /// `left`, `operator` and `right`. The left side is followed in a loop: rows are long.
    pub(crate) fn row(&mut self, node: Node, kind: &str) -> Option<Expr> {
        let sign = self.field_text(node, "operator");
        let logic = matches!(sign, "&&" | "||" | "and" | "or");
        let class = Op::from_sign(sign).map(Op::class);
        if !logic && class.is_none() {
            return None;
        }
        let mut items = Vec::new();
        let mut at = node;
        while at.kind() == kind {
            let inner = self.field_text(at, "operator");
            let same =
                if logic { inner == sign } else { Op::from_sign(inner).map(Op::class) == class };
            // ** reads from the right and makes no row.
            if !same || sign == "**" && !items.is_empty() {
                break;
            }
            items.push((inner, at.child_by_field_name("right")?));
            at = at.child_by_field_name("left")?;
        }
        let first = self.expr(at);
        let rest = items.into_iter().rev();
        if !logic {
            let rest =
                rest.filter_map(|(sign, item)| Some((Op::from_sign(sign)?, self.expr(item))));
            return Some(Expr::Chain(boxed(first), rest.collect()));
        }
        let items = std::iter::once(first).chain(rest.map(|(_, item)| self.expr(item))).collect();
        Some(if matches!(sign, "&&" | "and") { Expr::And(items) } else { Expr::Or(items) })
    }

    /// Whether a node of the kinds `kinds` below `node` changes one of `names`: one of them is its
    /// first part. Linear in the size of the tree below; does not recurse.
    pub(crate) fn assigns(&self, node: Node, names: &[String], kinds: &[&str]) -> bool {
        let mut cursor = node.walk();
        loop {
            let at = cursor.node();
            if kinds.contains(&at.kind()) {
                let mut inner = at.walk();
                let target = at.named_children(&mut inner).next();
                if target.is_some_and(|target| {
                    let text = self.text(target);
                    // A list of targets (Go) is searched by its parts.
                    names.iter().any(|name| text.split(',').any(|part| part.trim() == name))
                }) {
                    return true;
                }
            }
            if !cursor.goto_first_child() {
                while !cursor.goto_next_sibling() {
                    if !cursor.goto_parent() {
                        return false;
                    }
                }
            }
        }
    }

    /// The counting loop that starts `name` at `from` while the comparison `condition` holds.
    /// `None` where the condition is not on `name` or goes the other way than `step`.
    pub(crate) fn count_loop(
        &mut self,
        name: &str,
        from: Node,
        condition: Node,
        step: Expr,
    ) -> Option<CountLoop> {
        if self.field_text(condition, "left") != name {
            return None;
        }
        let up = step.integer()? > 0;
        let inclusive = match Cmp::from_sign(self.field_text(condition, "operator"))? {
            Cmp::Lt if up => false,
            Cmp::Le if up => true,
            Cmp::Gt if !up => false,
            Cmp::Ge if !up => true,
            _ => return None,
        };
        let to = self.need(condition, "right");
        let from = self.expr(from);
        if [&from, &to].into_iter().any(|end| matches!(end, Expr::Number(n) if n.contains('.'))) {
            return None;
        }
        let mut names = vec![name.to_owned()];
        names.extend(to.path());
        Some(CountLoop { names, variable: Expr::name(name), from, to, inclusive, step })
    }

    /// The first few different names below a node.
    fn names(&self, node: Node) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let mut cursor = node.walk();
        let mut leaves = 0;
        'walk: while leaves < LEAVES && names.len() < NAMES {
            if !cursor.goto_first_child() {
                leaves += 1;
                let leaf = cursor.node();
                let text = self.text(leaf);
                if leaf.kind().contains("identifier") && !names.iter().any(|name| name == text) {
                    names.push(text.to_owned());
                }
                while !cursor.goto_next_sibling() {
                    if !cursor.goto_parent() {
                        break 'walk;
                    }
                }
            }
        }
        names
    }
}

/// A counting loop without its body.
pub(crate) struct CountLoop {
    /// What the body must not change for the words to be true.
    pub(crate) names: Vec<String>,
    variable: Expr,
    from: Expr,
    to: Expr,
    inclusive: bool,
    step: Expr,
}

impl CountLoop {
    pub(crate) fn with(self, body: Vec<Stmt>) -> Stmt {
        let CountLoop { variable, from, to, inclusive, step, .. } = self;
        Stmt::Count { variable, from, to, inclusive, step, body }
    }
}

/// Shorthand of the rules.
pub(crate) fn boxed(expr: Expr) -> Box<Expr> {
    Box::new(expr)
}

/// A parameter that takes one argument and has no default.
pub(crate) fn one(name: &str) -> Parameter {
    Parameter { name: name.to_owned(), takes: Takes::One, default: None }
}

/// Whether a node is more than a comment or a broken line.
pub(crate) fn says_something(language: Language, node: Node) -> bool {
    node.kind() != "line_continuation" && !language.is_comment_kind(node.kind())
}
