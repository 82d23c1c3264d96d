//! From a syntax tree to the common tree: what the rules of every language share.

use std::collections::{BTreeMap, HashMap};

use code_syntax::Language;
use tree_sitter::Node;

use crate::ir::{Branch, Case, Cmp, Expr, Op, Parameter, Stmt, Takes};

/// Deepest nesting of statements and expressions together that is followed; what lies deeper is
/// said by the names in it. Ordinary code stays far below; the bound is what makes recursion safe.
const DEEPEST: usize = 60;

/// Names looked for in what is too deep, and leaves looked at for them.
const NAMES: usize = 4;
const LEAVES: usize = 64;

/// Longest name, in bytes, that is said again for what must be there.
const LONGEST_HOLDER: usize = 40;

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
    /// By the id of a node, the part of it that the grammar puts elsewhere: bodies of heredocs.
    elsewhere: HashMap<usize, Node<'a>>,
    depth: usize,
    /// Whether a plain `break` here ends a case and not a loop.
    in_case: bool,
    /// Kinds without a rule, with how often they occurred.
    pub(crate) missing: BTreeMap<String, usize>,
    /// How many places were too deep.
    pub(crate) too_deep: usize,
}

impl<'a> Lowering<'a> {
    pub(crate) fn new(
        text: &'a str,
        language: Language,
        rules: &'static Rules,
        elsewhere: HashMap<usize, Node<'a>>,
    ) -> Lowering<'a> {
        Lowering {
            text,
            language,
            rules,
            elsewhere,
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

    /// The part of a node that the grammar puts elsewhere.
    pub(crate) fn elsewhere(&self, node: Node) -> Option<Node<'a>> {
        self.elsewhere.get(&node.id()).copied()
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
        if to.path().is_some() {
            names.push(self.field_text(condition, "right").to_owned());
        }
        let variable = Expr::name(name.trim_start_matches('$'));
        Some(CountLoop { names, variable, from, to, inclusive, step })
    }

    /// How far `update` moves the variable `name`: `i++`, `i -= 2`, `i = i + 2`.
    pub(crate) fn counting_step(&mut self, name: &str, update: Node) -> Option<Expr> {
        let step = match update.kind() {
            "update_expression"
                if self.parts(update).iter().any(|part| self.text(*part) == name) =>
            {
                if self.has_token(update, "++") { 1 } else { -1 }
            }
            "assignment_expression" | "augmented_assignment_expression"
                if self.field_text(update, "left") == name =>
            {
                let value = self.need(update, "right");
                let positive = |value: &Expr| value.integer().filter(|size| *size > 0);
                match self.field_text(update, "operator") {
                    "+=" => positive(&value)?,
                    "-=" => -positive(&value)?,
                    "=" | "" => {
                        let Expr::Chain(base, rest) = value else { return None };
                        let [(op @ (Op::Add | Op::Sub), size)] = rest.as_slice() else {
                            return None;
                        };
                        if base.path().as_deref() != Some(name.trim_start_matches('$')) {
                            return None;
                        }
                        if *op == Op::Add { positive(size)? } else { -positive(size)? }
                    }
                    _ => return None,
                }
            }
            _ => return None,
        };
        Some(Expr::Number(step.to_string()))
    }

    /// A loop while the condition in a field holds; forever where that is a constant truth.
    pub(crate) fn while_loop(&mut self, node: Node) -> Stmt {
        let condition = self.need(node, "condition");
        let body = self.loop_body(node);
        let endless = match &condition {
            Expr::Name(name) => name.eq_ignore_ascii_case("true"),
            condition => condition.integer() == Some(1),
        };
        if endless {
            Stmt::Under("repeat forever:", Vec::new(), body)
        } else {
            Stmt::Under("while {c0}:", vec![condition], body)
        }
    }

    /// `do { … } while (…)`
    pub(crate) fn do_loop(&mut self, node: Node) -> Stmt {
        let body = self.loop_body(node);
        let condition = self.need(node, "condition");
        Stmt::Under("do once, and again while {c0}:", vec![condition], body)
    }

    /// `break` or `continue`, with or without a label.
    pub(crate) fn jump(&mut self, node: Node, leave: bool) -> Stmt {
        match (self.first(node), leave) {
            (Some(label), true) => Stmt::Say("leave the loop labelled {0}", vec![label]),
            (None, true) => Stmt::Say(self.leave(), Vec::new()),
            (Some(label), false) => {
                Stmt::Say("go on with the next iteration of the loop labelled {0}", vec![label])
            }
            (None, false) => Stmt::Say("go on with the next iteration", Vec::new()),
        }
    }

    /// A `for` with its three parts: the counting loop `found` if its body leaves the counter
    /// alone, else a loop with steps before and after. Nodes of the kinds `changes` change names.
    pub(crate) fn for_loop(
        &mut self,
        heads: ForHeads,
        bodies: &[Node],
        found: Option<CountLoop>,
        changes: &[&str],
        out: &mut Vec<Stmt>,
    ) {
        let found = found
            .filter(|found| !bodies.iter().any(|body| self.assigns(*body, &found.names, changes)));
        let mut after = Vec::new();
        let mut condition = None;
        if found.is_none() {
            for init in heads.inits {
                self.stmt(init, out);
            }
            condition = heads.condition.map(|condition| self.expr(condition));
            for update in heads.updates {
                self.stmt(update, &mut after);
            }
        }
        let mut body = Vec::new();
        for part in bodies {
            body.append(&mut self.inside(false, |cx| cx.body(*part)));
        }
        out.push(match found {
            Some(found) => found.with(body),
            None => Stmt::Loop { condition, after, body },
        });
    }

    /// `a && b` and `a || b` where `b` is done rather than asked for.
    pub(crate) fn guarded(&mut self, node: Node) -> Stmt {
        let condition = self.need(node, "left");
        let condition = match self.field_text(node, "operator") {
            "&&" | "and" => condition,
            _ => Expr::Not(boxed(condition)),
        };
        let body = self.body_field(node, "right");
        let branches = vec![Branch { before: Vec::new(), condition, body }];
        Stmt::If { branches, otherwise: None }
    }

    /// `a += b` and its like as a value.
    pub(crate) fn changed(&mut self, node: Node) -> Expr {
        let target = self.need(node, "left");
        let value = self.need(node, "right");
        let sign = self.field_text(node, "operator");
        let changed = match (Op::from_sign(sign), sign) {
            (Some(op), _) => Expr::Chain(boxed(target.clone()), vec![(op, value)]),
            (None, "&&=") => Expr::And(vec![target.clone(), value]),
            (None, "??=") => {
                Expr::Say("{o0}, or {o1} if that is missing", vec![target.clone(), value])
            }
            _ => Expr::Or(vec![target.clone(), value]),
        };
        Expr::Bind(boxed(target), boxed(changed))
    }

    /// What `a?.b` asks to be there: its name, or "that" for what has none. Looks at the text
    /// alone, for the node is lowered as part of the whole.
    pub(crate) fn holder(&self, node: Option<Node>) -> Expr {
        let text = node.map_or("", |node| self.text(node));
        let name = text.replace("->", ".").replace(['$', '?', '&'], "");
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '@');
        if name.is_empty() || name.len() > LONGEST_HOLDER || !name.chars().all(plain) {
            return Expr::name("that");
        }
        Expr::name(name)
    }

    /// `x++` and its like as a value.
    pub(crate) fn update(&mut self, node: Node) -> Option<Expr> {
        let up = self.has_token(node, "++");
        let before = node.child(0).is_some_and(|first| !first.is_named());
        let target = self.first(node)?;
        Some(Expr::Say(
            match (up, before) {
                (true, true) => "{0} (increased by 1 first)",
                (true, false) => "{0} (increased by 1 afterwards)",
                (false, true) => "{0} (decreased by 1 first)",
                (false, false) => "{0} (decreased by 1 afterwards)",
            },
            vec![target],
        ))
    }

    /// A `switch` in which the steps of a case go on into the next unless they leave it.
    pub(crate) fn switch(&mut self, subject: Expr, labels: Vec<Label>) -> Stmt {
        let mut cases: Vec<Case> = Vec::new();
        let count = labels.len();
        // Labels without steps of their own belong to the next ones.
        let mut values: Vec<Expr> = Vec::new();
        for (index, label) in labels.into_iter().enumerate() {
            let default = label.values.is_empty();
            for value in label.values {
                values.push(self.expr(value));
            }
            // case 1: { … }
            let body = match label.body.as_slice() {
                [block]
                    if block.kind() == "statement_block"
                        || block.kind() == "compound_statement" =>
                {
                    self.parts(*block)
                }
                _ => label.body,
            };
            let last = index + 1 == count;
            if body.is_empty() && !default && !last {
                continue;
            }
            if default && !values.is_empty() {
                values.push(Expr::name("anything else"));
            }
            let mut case =
                Case { values: std::mem::take(&mut values), guard: None, body: Vec::new() };
            let mut ends = last;
            for part in body {
                let parts = self.parts(part);
                let thrown = parts.first().is_some_and(|inner| inner.kind() == "throw_expression");
                ends = last
                    || thrown
                    || matches!(
                        part.kind(),
                        "break_statement"
                            | "return_statement"
                            | "throw_statement"
                            | "continue_statement"
                            | "exit_statement"
                    );
                if part.kind() == "break_statement" && parts.is_empty() {
                    continue; // only closes the case
                }
                case.body.append(&mut self.inside(true, |cx| cx.body(part)));
            }
            if !ends {
                case.body.push(Stmt::Say("go on into the next case", Vec::new()));
            }
            cases.push(case);
        }
        match subject {
            // switch (true): the cases are conditions.
            Expr::Name(name) if name.eq_ignore_ascii_case("true") => Stmt::Switch {
                heading: "take the first case that holds:",
                subject: Vec::new(),
                cases,
            },
            subject => Stmt::Switch { heading: "depending on {0}:", subject: vec![subject], cases },
        }
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

/// What stands in the head of a `for`.
pub(crate) struct ForHeads<'t> {
    pub(crate) inits: Vec<Node<'t>>,
    pub(crate) condition: Option<Node<'t>>,
    pub(crate) updates: Vec<Node<'t>>,
}

/// One label of a `switch`, with the statements up to the next; the default has no values.
pub(crate) struct Label<'t> {
    pub(crate) values: Vec<Node<'t>>,
    pub(crate) body: Vec<Node<'t>>,
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

/// Whether a node is more than a comment, a broken line or an empty statement. Bodies of heredocs
/// are part of the texts that they belong to.
pub(crate) fn says_something(language: Language, node: Node) -> bool {
    let silent = match language {
        Language::Ruby => {
            matches!(node.kind(), "heredoc_body" | "empty_statement" | "uninterpreted")
        }
        _ => node.kind() == "line_continuation",
    };
    !silent && !language.is_comment_kind(node.kind())
}
