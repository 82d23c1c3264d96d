//! What the names of a text hold, as far as its own assignments tell.
//!
//! `s += c` appends where `s` is a text, and `if not xs` asks for emptiness where `xs` is a list. A
//! name counts as known only if every binding of it in the whole text gives the same kind.

use std::collections::HashMap;

use code_syntax::Language;

use super::textual;
use crate::ir::{Collection, Expr, Function, Op, Stmt};

/// What a name holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    List,
    /// A set, tuple or dictionary.
    OtherCollection,
    Unknown,
}

/// The kinds of all names that the statements bind.
pub(super) fn kinds(language: Language, statements: &[Stmt]) -> HashMap<String, Kind> {
    let mut found = Found { language, kinds: HashMap::new() };
    found.block(statements);
    found.kinds.retain(|_, kind| *kind != Kind::Unknown);
    found.kinds
}

struct Found {
    language: Language,
    kinds: HashMap<String, Kind>,
}

impl Found {
    fn bind(&mut self, target: &Expr, kind: Kind) {
        match target {
            Expr::Items(_, names) => names.iter().for_each(|name| self.bind(name, Kind::Unknown)),
            Expr::Spread(name) => self.bind(name, Kind::Unknown),
            target => {
                // Attributes may be changed from elsewhere: only names are known.
                if let Expr::Name(name) = target {
                    let known = self.kinds.entry(name.clone()).or_insert(kind);
                    if *known != kind {
                        *known = Kind::Unknown;
                    }
                }
            }
        }
    }

    fn kind(&self, value: &Expr) -> Kind {
        match value {
            value if textual(self.language, value) => Kind::Text,
            Expr::Items(Collection::List | Collection::Array, _)
            | Expr::Comprehension { kind: Collection::List | Collection::Array, .. } => Kind::List,
            Expr::Items(Collection::Set | Collection::Dictionary | Collection::Tuple, _)
            | Expr::Comprehension { kind: Collection::Set | Collection::Dictionary, .. } => {
                Kind::OtherCollection
            }
            // Part of a text is a text, and so is a text with something added.
            Expr::Slice { of: Some(whole), .. } => self.known(whole),
            Expr::Chain(first, rest) if rest.iter().all(|(op, _)| *op == Op::Add) => {
                self.known(first)
            }
            _ => Kind::Unknown,
        }
    }

    /// What a name holds by the bindings so far.
    fn known(&self, value: &Expr) -> Kind {
        match value {
            Expr::Name(name) => self.kinds.get(name).copied().unwrap_or(Kind::Unknown),
            _ => Kind::Unknown,
        }
    }

    fn function(&mut self, function: &Function) {
        for parameter in &function.parameters {
            self.bind(&Expr::name(parameter.name.as_str()), Kind::Unknown);
        }
        self.block(&function.body);
    }

    fn block(&mut self, statements: &[Stmt]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Function(function) => self.function(function),
            Stmt::Class(class) => self.block(&class.body),
            Stmt::Assign { targets, value } => {
                self.inside(value);
                match (targets.as_slice(), value) {
                    ([Expr::Items(_, names)], Expr::Items(Collection::Tuple, values))
                        if names.len() == values.len() =>
                    {
                        for (name, value) in names.iter().zip(values) {
                            self.bind(name, self.kind(value));
                        }
                    }
                    _ => {
                        let kind = self.kind(value);
                        targets.iter().for_each(|target| self.bind(target, kind));
                    }
                }
            }
            // x += y and the like leave a text a text and a list a list.
            Stmt::Augment { value, .. } => self.inside(value),
            Stmt::Expr(value) => self.inside(value),
            Stmt::Later(_, value) => self.inside(value),
            Stmt::Return(value) | Stmt::Yield(value) => {
                value.iter().for_each(|value| self.inside(value));
            }
            Stmt::Raise { .. } => {}
            Stmt::If { branches, otherwise } => {
                for branch in branches {
                    self.block(&branch.before);
                    self.inside(&branch.condition);
                    self.block(&branch.body);
                }
                self.block(otherwise.as_deref().unwrap_or_default());
            }
            Stmt::ForEach { target, body, .. } => {
                self.bind(target, Kind::Unknown);
                self.block(body);
            }
            Stmt::Count { variable, body, .. } => {
                self.bind(variable, Kind::Unknown);
                self.block(body);
            }
            Stmt::Loop { condition, after, body } => {
                condition.iter().for_each(|condition| self.inside(condition));
                self.block(after);
                self.block(body);
            }
            Stmt::With { resources, body } => {
                for name in resources.iter().filter_map(|(_, name)| name.as_ref()) {
                    self.bind(name, Kind::Unknown);
                }
                self.block(body);
            }
            Stmt::Switch { cases, .. } => {
                for case in cases {
                    // Names in patterns are bound.
                    let mut pending: Vec<&Expr> = case.values.iter().collect();
                    while let Some(pattern) = pending.pop() {
                        self.bind(pattern, Kind::Unknown);
                        pending.extend(pattern.children());
                    }
                    self.block(&case.body);
                }
            }
            Stmt::Say(template, parts) => {
                self.named(template, parts);
                parts.iter().for_each(|part| self.inside(part));
            }
            Stmt::Under(template, parts, body) => {
                self.named(template, parts);
                parts.iter().for_each(|part| self.inside(part));
                self.block(body);
            }
            Stmt::Block(body) => self.block(body),
        }
    }

    /// Templates that bind names: all but those of conditions and lists of values.
    fn named(&mut self, template: &str, parts: &[Expr]) {
        // A declaration names the type.
        let declared = match (template, parts) {
            ("declare {1*} as {0}", [Expr::Name(kind), names @ ..]) if kind == "string" => names,
            ("declare {0} as {1}", [_, Expr::Name(kind)]) if kind == "String" => &parts[..1],
            _ => &[],
        };
        if !declared.is_empty() {
            declared.iter().for_each(|name| self.bind(name, Kind::Text));
            return;
        }
        let binds = ["set ", "for ", "if {0} is caught", "if {1}", "use ", "declare ", "delete "];
        if binds.iter().any(|opening| template.starts_with(opening)) {
            parts.iter().for_each(|part| self.bind(part, Kind::Unknown));
        }
    }

    /// Bindings inside an expression.
    fn inside(&mut self, value: &Expr) {
        match value {
            Expr::Bind(name, _) => self.bind(name, Kind::Unknown),
            Expr::Closure { body, .. } | Expr::Below { body, .. } => self.block(body),
            Expr::New { members: Some(members), .. } => self.block(members),
            _ => {}
        }
        for part in value.children() {
            self.inside(part);
        }
    }
}
