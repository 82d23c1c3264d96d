//! A statement told in the order in which it runs.
//!
//! Where `english.rs` says what a statement means in one phrase (`set y to the result of f with
//! x`), this tells what is done first and what then: `call the function f with an argument x,
//! substitute the result for y`. It is the manner in which the annotators of the Django corpus
//! (Oda et al., ASE 2015) wrote, for one line at a time: steps that open a block end with a comma,
//! others with a full stop, and the kinds of constants are named.

use crate::ir::{Case, Clause, Cmp, Collection, Expr, Function, Op, Parameter, Stmt, Takes};
use crate::phrase::{article, infix, join, ordinal, quoted};

/// Deepest nesting of phrases inside one line; what lies deeper is said by its kind.
const DEEPEST: usize = 8;
/// Most items of a list that are said.
const MOST: usize = 12;

/// Which part of a statement a line is: it may open a block whose body is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// A statement of its own.
    Whole,
    /// `elif …:`
    Elif,
}

#[derive(Default)]
pub(crate) struct Narrator {
    depth: usize,
    /// How often something was not said in full.
    pub(crate) shortened: usize,
}

/// A value: what is done to get it, and what it is called then.
struct Told {
    before: Vec<String>,
    name: String,
}

fn plain(name: impl Into<String>) -> Told {
    Told { before: Vec::new(), name: name.into() }
}

impl Narrator {
    /// The line that a statement is, or that opens it.
    pub(crate) fn line(&mut self, statement: &Stmt, part: Part) -> String {
        match statement {
            Stmt::If { branches, .. } => {
                let condition = branches.first().map(|one| self.condition(&one.condition, true));
                let opening = if part == Part::Elif { "otherwise if" } else { "if" };
                format!("{opening} {},", condition.unwrap_or_default())
            }
            Stmt::Function(function) => self.function(function),
            Stmt::Class(class) => match self.list(&class.parents).as_str() {
                "" => format!("define the class {}.", class.name),
                parents => {
                    let base = if class.parents.len() > 1 { "base classes" } else { "base class" };
                    format!("derive the class {} from the {parents} {base}.", class.name)
                }
            },
            Stmt::ForEach { target, iterable, .. } => self.each(target, iterable) + ",",
            Stmt::With { resources, .. } => {
                let told: Vec<String> = resources
                    .iter()
                    .map(|(value, name)| {
                        let told = self.told(value);
                        let mut parts = told.before;
                        parts.push(match name {
                            Some(name) => {
                                format!("with {} renamed to {}", told.name, self.noun(name))
                            }
                            None => format!("with {}", told.name),
                        });
                        parts.join(", ")
                    })
                    .collect();
                format!("{}, perform,", told.join(", "))
            }
            Stmt::Under(heading, parts, _) => self.under(heading, parts),
            Stmt::Switch { subject, cases, .. } => {
                let subject = self.list(subject);
                let first = cases.first().map(|Case { values, .. }| self.list(values));
                format!("depending on {subject}, in case of {},", first.unwrap_or_default())
            }
            Stmt::Assign { targets, value } => self.assign(targets, value) + ".",
            Stmt::Augment { target, op, value } => self.augment(target, *op, value) + ".",
            Stmt::Expr(value) => self.action(value) + ".",
            Stmt::Return(None) => "return nothing.".into(),
            Stmt::Return(Some(value)) => self.give("return", value) + ".",
            Stmt::Yield(None) => "yield nothing.".into(),
            Stmt::Yield(Some(value)) => self.give("yield", value) + ".",
            Stmt::Raise { error, .. } => self.raise(error.as_ref()) + ".",
            Stmt::Say(template, parts) => self.say(template, parts) + ".",
            Stmt::Later(when, call) => format!("{when}, {}.", self.action(call)),
            Stmt::Block(body) => {
                let lines: Vec<String> =
                    body.iter().map(|inner| self.line(inner, Part::Whole)).collect();
                lines.join(" ")
            }
            Stmt::Count { variable, from, to, .. } => {
                let names = [variable, from, to].map(|part| self.noun(part));
                format!("for every {} from {} to {},", names[0], names[1], names[2])
            }
            Stmt::Loop { condition, .. } => match condition {
                Some(condition) => format!("while {},", self.condition(condition, true)),
                None => "endless loop,".into(),
            },
        }
    }

    /// The line of a decorator.
    pub(crate) fn decorator(&mut self, value: &Expr) -> String {
        match value {
            Expr::Call(callee, arguments) => {
                let given: Vec<String> = arguments.iter().map(|one| self.noun(one)).collect();
                format!("decorator function {}{}.", self.noun(callee), with(&given))
            }
            value => format!("{} decorator,", self.noun(value)),
        }
    }

    fn function(&mut self, function: &Function) -> String {
        let kind = match function.parameters.first() {
            Some(first) if matches!(first.name.as_str(), "self" | "cls") => "method",
            _ => "function",
        };
        let given: Vec<String> =
            function.parameters.iter().map(|one| self.parameter(one)).collect();
        format!("define the {kind} {}{}.", function.name, with(&given))
    }

    fn parameter(&mut self, parameter: &Parameter) -> String {
        let name = &parameter.name;
        match (parameter.takes, &parameter.default) {
            (Takes::Rest, _) => format!("unpacked list {name}"),
            (Takes::RestByName, _) => format!("unpacked dictionary {name}"),
            (_, Some(default)) => format!("{name} set to {}", self.noun(default)),
            _ => name.clone(),
        }
    }

    /// Headings of the common tree that carry a template.
    fn under(&mut self, heading: &str, parts: &[Expr]) -> String {
        match (heading, parts) {
            ("try:", _) => "try,".into(),
            ("repeat forever:", _) => "endless loop,".into(),
            ("while {c0}:", [condition]) => format!("while {},", self.condition(condition, true)),
            ("in any case, finally:", _) => "finally perform,".into(),
            ("if nothing was raised:", _) => "if not,".into(),
            ("if anything is caught:", _) => "if an exception is caught,".into(),
            ("if {0} is caught:", [kinds]) => {
                let (kinds, several) = self.kinds(kinds);
                match several {
                    true => format!("if {kinds} exceptions are caught,"),
                    false => format!("if {kinds} exception is caught,"),
                }
            }
            ("if {0} is caught as {1}:", [kinds, name]) => {
                let (kinds, several) = self.kinds(kinds);
                let name = self.noun(name);
                match several {
                    true => format!("if {kinds}, renamed to {name}, exceptions are caught,"),
                    false => format!("if {kinds}, renamed to {name}, exception is caught,"),
                }
            }
            (heading, parts) => self.fill(heading.trim_end_matches(':'), parts) + ",",
        }
    }

    fn kinds(&mut self, kinds: &Expr) -> (String, bool) {
        match kinds {
            Expr::Say("{|}", several) => {
                let words: Vec<String> = several.iter().map(|kind| self.noun(kind)).collect();
                (join(&words, "or"), several.len() > 1)
            }
            other => (self.noun(other), false),
        }
    }

    /// Other statements that carry a template.
    fn say(&mut self, template: &str, parts: &[Expr]) -> String {
        match (template, parts) {
            ("import {*}", [module]) => match module {
                Expr::Say("{0} as {1}", names) => {
                    format!("import module {} as {}", self.noun(&names[0]), self.noun(&names[1]))
                }
                module => format!("import module {}", self.noun(module)),
            },
            ("import {1*} from {0}", [module, names @ ..]) => {
                let names: Vec<String> = names.iter().map(|name| self.noun(name)).collect();
                let names = join(&names, "and");
                format!("from {} import {names} into default name space", self.noun(module))
            }
            ("import everything from {0}", [module]) => {
                format!("from {} import everything into default name space", self.noun(module))
            }
            ("leave the loop", _) => "break from the loop execution".into(),
            ("go on with the next iteration", _) => "skip this loop iteration".into(),
            ("assert that {c0}", [condition]) => {
                format!("if {}, raise an error", self.condition(condition, false))
            }
            ("assert that {c0}, with message {1}", [condition, message]) => format!(
                "if {}, raise an error with an argument {}",
                self.condition(condition, false),
                self.noun(message)
            ),
            ("use the global {*}", names) => {
                let kind = if names.len() > 1 { "variables" } else { "variable" };
                format!("use global {kind} {}", self.list(names))
            }
            ("yield each of {0}", [values]) => {
                format!("yield every element of {}", self.noun(values))
            }
            (template, parts) => self.fill(template, parts),
        }
    }

    /// A template of the common tree, its slots filled with what values are called.
    fn fill(&mut self, template: &str, parts: &[Expr]) -> String {
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((slot, after)) = after.split_once('}') else { break };
            text += before;
            rest = after;
            let index = slot.trim_matches(|c: char| !c.is_ascii_digit()).parse::<usize>();
            text += &match (slot, index) {
                ("*" | "|", _) => self.list(parts),
                (slot, Ok(index)) if slot.ends_with('*') => {
                    self.list(&parts[index.min(parts.len())..])
                }
                (slot, Ok(index)) => match parts.get(index) {
                    Some(part) if slot.starts_with('c') => self.condition(part, true),
                    Some(part) => self.noun(part),
                    None => String::new(),
                },
                _ => String::new(),
            };
        }
        text + rest
    }

    /// `for every x in xs`, after what is done to get `xs`.
    fn each(&mut self, target: &Expr, iterable: &Expr) -> String {
        let target = match target {
            Expr::Items(_, names) => self.list(names),
            target => self.noun(target),
        };
        if let Expr::Call(callee, arguments) = iterable {
            let range = match (callee.path().as_deref(), arguments.as_slice()) {
                (Some("range" | "xrange"), [to]) => Some(("0".to_owned(), self.noun(to))),
                (Some("range" | "xrange"), [from, to, ..]) => {
                    Some((bare(self.noun(from)), self.noun(to)))
                }
                _ => None,
            };
            if let Some((from, to)) = range {
                return format!(
                    "for every {target} in range from integer {from} to {to}, not included"
                );
            }
            if let (Some("enumerate"), [sequence]) =
                (callee.path().as_deref(), arguments.as_slice())
            {
                let sequence = self.noun(sequence);
                return format!("for every {target} in enumerated iterable {sequence}");
            }
        }
        let name = self.noun(iterable);
        format!("for every {target} in {name}")
    }

    fn assign(&mut self, targets: &[Expr], value: &Expr) -> String {
        let many = matches!(targets, [Expr::Items(..)]);
        let names: Vec<String> = match targets {
            [Expr::Items(_, names)] => names.iter().map(|name| self.noun(name)).collect(),
            targets => targets.iter().map(|target| self.noun(target)).collect(),
        };
        let name = join(&names, "and");
        let respectively = if many && names.len() > 1 { ", respectively" } else { "" };
        // a, b = c, d
        if let ([Expr::Items(_, left)], Expr::Items(Collection::Tuple, right)) = (targets, value)
            && left.len() == right.len()
            && left.len() <= MOST
        {
            let pairs: Vec<String> = left
                .iter()
                .zip(right)
                .map(|(to, from)| self.assign(std::slice::from_ref(to), from))
                .collect();
            return pairs.join(", ");
        }
        match value {
            Expr::Choice { condition, then, otherwise } => {
                let condition = self.condition(condition, true);
                let then = self.assign(targets, then);
                let otherwise = self.assign(targets, otherwise);
                return format!("if {condition}, {then}, otherwise {otherwise}");
            }
            Expr::Or(items) if items.len() == 2 && !is_condition(&items[0]) => {
                let first = self.told(&items[0]);
                let mut parts = first.before;
                parts.push(format!("if {} is true, substitute it for {name}", first.name));
                parts.push(format!("otherwise {}", self.assign(targets, &items[1])));
                return parts.join(", ");
            }
            // d.get(k, x), d.pop(k, x)
            Expr::Call(callee, arguments) => {
                if let (Expr::Attribute(base, method), [key, default]) =
                    (&**callee, arguments.as_slice())
                    && matches!(method.as_str(), "get" | "pop")
                    && !many
                {
                    let verb = if method == "get" { "get" } else { "remove" };
                    let (base, key) = (self.noun(base), self.key(key));
                    let default = self.assign(targets, default);
                    return format!(
                        "{verb} the value under the {key} key of the {base} dictionary, if it \
                         exists substitute it for {name}, if not, {default}"
                    );
                }
            }
            _ => {}
        }
        if is_condition(value) {
            return format!(
                "if {}, {name} is boolean True, otherwise it is boolean False",
                self.condition(value, true)
            );
        }
        match value {
            Expr::Number(_) | Expr::Text { .. } => format!("{name} is {}", self.described(value)),
            Expr::Name(word) if matches!(word.as_str(), "None" | "True" | "False") => {
                format!("{name} is {}", self.noun(value))
            }
            Expr::Negative(inner) if matches!(**inner, Expr::Number(_)) => {
                format!("{name} is {}", self.described(value))
            }
            Expr::Items(..) | Expr::Lambda { .. } | Expr::Comprehension { .. } => {
                format!("{name} is {}", self.described(value))
            }
            value => {
                let told = self.told(value);
                let mut parts = told.before;
                parts.push(format!("substitute {} for {name}{respectively}", told.name));
                parts.join(", ")
            }
        }
    }

    fn augment(&mut self, target: &Expr, op: Op, value: &Expr) -> String {
        let to = self.noun(target);
        let told = self.told(value);
        let mut parts = told.before;
        let by = told.name;
        parts.push(match op {
            Op::Add if matches!(value, Expr::Number(_)) => format!("increment {to} by {by}"),
            Op::Add if matches!(value, Expr::Text { .. } | Expr::Items(..)) => {
                format!("append {by} to {to}")
            }
            Op::Add => format!("add {by} to {to}"),
            Op::Sub => format!("decrement {to} by {by}"),
            Op::Mul => format!("multiply {to} by {by}"),
            Op::Div | Op::FloorDiv => format!("divide {to} by {by}"),
            op => format!("substitute {to} {} {by} for {to}", infix(op)),
        });
        parts.join(", ")
    }

    /// `return x`, or what is done to get the value and `return the result`.
    fn give(&mut self, verb: &str, value: &Expr) -> String {
        match value {
            Expr::Choice { condition, then, otherwise } => {
                let condition = self.condition(condition, true);
                let then = self.give(verb, then);
                return format!("if {condition}, {then}, otherwise {}", self.give(verb, otherwise));
            }
            Expr::Or(items) if items.len() == 2 && !is_condition(&items[0]) => {
                let first = self.told(&items[0]);
                let mut parts = first.before;
                parts.push(format!("if {} is true, {verb} it", first.name));
                parts.push(format!("otherwise {}", self.give(verb, &items[1])));
                return parts.join(", ");
            }
            value if is_condition(value) => {
                return format!(
                    "if {}, {verb} boolean True, otherwise {verb} boolean False",
                    self.condition(value, true)
                );
            }
            Expr::Number(_) | Expr::Text { .. } => return format!("{verb} {}", self.noun(value)),
            Expr::Items(..) | Expr::Comprehension { .. } => {
                return format!("{verb} {}", self.described(value));
            }
            _ => {}
        }
        let told = self.told(value);
        let mut parts = told.before;
        parts.push(format!("{verb} {}", told.name));
        parts.join(", ")
    }

    fn raise(&mut self, error: Option<&Expr>) -> String {
        match error {
            None => "raise an exception".into(),
            Some(Expr::Call(callee, arguments)) => {
                let given: Vec<String> = arguments.iter().map(|one| self.noun(one)).collect();
                let name = self.noun(callee);
                format!("raise {} {name} exception{}", an(&name), with(&given))
            }
            Some(error) => {
                let name = self.noun(error);
                format!("raise {} {name} exception", an(&name))
            }
        }
    }

    /// What an expression that stands alone does.
    fn action(&mut self, value: &Expr) -> String {
        let told = self.told(value);
        match told.before.is_empty() {
            true => told.name,
            false => told.before.join(", "),
        }
    }

    /// What is done to get a value, and what to call it then.
    fn told(&mut self, value: &Expr) -> Told {
        if self.depth >= DEEPEST {
            self.shortened += 1;
            return plain("a computed value");
        }
        self.depth += 1;
        let told = self.told_within(value);
        self.depth -= 1;
        told
    }

    fn told_within(&mut self, value: &Expr) -> Told {
        match value {
            Expr::Await(inner) => {
                let mut told = self.told(inner);
                told.before.push("wait for it".into());
                told
            }
            Expr::Call(callee, arguments) => self.call(callee, arguments),
            Expr::Chain(first, rest) => self.chain(first, rest),
            Expr::Format { template, values } => {
                let text = self.noun(template);
                let values: Vec<String> = values.iter().map(|value| self.noun(value)).collect();
                plain(match values.as_slice() {
                    [] => text,
                    values => format!("{text} formatted with {}", join(values, "and")),
                })
            }
            Expr::Attribute(base, name) if value.path().is_none() => {
                let told = self.told(base);
                if told.before.is_empty() {
                    return plain(format!("{name} field of {}", told.name));
                }
                Told { before: told.before, name: format!("{name} field of {}", told.name) }
            }
            value => plain(self.noun(value)),
        }
    }

    fn call(&mut self, callee: &Expr, arguments: &[Expr]) -> Told {
        if let Some(told) = self.known_call(callee, arguments) {
            return told;
        }
        let mut before = Vec::new();
        // f(a).g(b): the first call, then the method on its result.
        let target = match (callee.path(), callee) {
            (Some(path), Expr::Attribute(..)) => format!("call the method {path}"),
            (Some(path), _) => format!("call the function {path}"),
            (None, Expr::Attribute(base, method)) => {
                let told = self.told(base);
                before = told.before;
                format!("call the method {method} on {}", told.name)
            }
            (None, callee) => {
                let told = self.told(callee);
                before = told.before;
                format!("call {}", told.name)
            }
        };
        // f(g(x)): the inner call first.
        if let ([only @ Expr::Call(..)], true) = (arguments, before.is_empty()) {
            let inner = self.told(only);
            if !inner.before.is_empty() {
                let target = target.trim_start_matches("call ");
                let mut before = inner.before;
                before.push(format!("use {} as an argument for the call to {target}", inner.name));
                return Told { before, name: "the result".into() };
            }
        }
        let given: Vec<String> =
            arguments.iter().take(MOST).map(|argument| self.noun(argument)).collect();
        before.push(format!("{target}{}", with(&given)));
        Told { before, name: "the result".into() }
    }

    /// Calls with words of their own.
    fn known_call(&mut self, callee: &Expr, arguments: &[Expr]) -> Option<Told> {
        let done = |text: String| Told { before: vec![text], name: "the result".into() };
        if let Expr::Name(name) = callee {
            return Some(match (name.as_str(), arguments) {
                ("len", [one]) => plain(format!("length of {}", self.noun(one))),
                ("str" | "unicode", [one]) => {
                    plain(format!("{} converted into a string", self.noun(one)))
                }
                ("int", [one]) => plain(format!("{} converted into an integer", self.noun(one))),
                ("float", [one]) => plain(format!("{} converted into a float", self.noun(one))),
                ("bool", [one]) => plain(format!("{} converted into a boolean", self.noun(one))),
                ("list", [one]) => done(format!("convert {} into a list", self.noun(one))),
                ("tuple", [one]) => done(format!("convert {} into a tuple", self.noun(one))),
                ("set", [one]) => done(format!("convert {} into a set", self.noun(one))),
                ("dict", [one]) => done(format!("convert {} into a dictionary", self.noun(one))),
                ("list", []) => plain("an empty list"),
                ("dict", []) => plain("an empty dictionary"),
                ("set", []) => plain("an empty set"),
                ("type", [one]) => plain(format!("type of {}", self.noun(one))),
                ("sorted", [one]) => done(format!("sort elements of {}", self.noun(one))),
                ("reversed", [one]) => {
                    done(format!("reverse the order of elements of {}", self.noun(one)))
                }
                ("max", [one]) => plain(format!("maximal element of {}", self.noun(one))),
                ("min", [one]) => plain(format!("minimal element of {}", self.noun(one))),
                ("sum", [one]) => plain(format!("sum of elements of {}", self.noun(one))),
                ("print", values) => done(format!("print {}", self.list(values))),
                ("getattr", [object, name]) => done(format!(
                    "get the {} attribute of the {} object",
                    self.key(name),
                    self.noun(object)
                )),
                ("getattr", [object, name, default]) => done(format!(
                    "get the {} attribute of the {} object, or {} if it does not exist",
                    self.key(name),
                    self.noun(object),
                    self.noun(default)
                )),
                ("setattr", [object, name, value]) => done(format!(
                    "set the {} attribute of the {} object to {}",
                    self.key(name),
                    self.noun(object),
                    self.noun(value)
                )),
                ("delattr", [object, name]) => done(format!(
                    "delete the {} attribute of the {} object",
                    self.key(name),
                    self.noun(object)
                )),
                _ => return None,
            });
        }
        let Expr::Attribute(base, method) = callee else { return None };
        // super(C, self).m(x)
        if let Expr::Call(parent, of) = &**base
            && parent.path().as_deref() == Some("super")
        {
            let given: Vec<String> = arguments.iter().map(|one| self.noun(one)).collect();
            let of = match of.first() {
                Some(class) => format!("the base class of the class {}", self.noun(class)),
                None => "the base class".to_owned(),
            };
            return Some(done(format!("call the method {method} from {of}{}", with(&given))));
        }
        Some(match (method.as_str(), arguments) {
            ("append", [one]) => {
                let told = self.told(one);
                let mut before = told.before;
                before.push(format!("append {} to {}", told.name, self.noun(base)));
                Told { before, name: "the result".into() }
            }
            ("extend", [one]) => {
                done(format!("extend {} with {}", self.noun(base), self.noun(one)))
            }
            ("remove", [one]) => {
                done(format!("remove {} from {}", self.noun(one), self.noun(base)))
            }
            ("sort", []) => done(format!("sort elements of {}", self.noun(base))),
            ("join", [one]) => {
                let told = self.told(one);
                let mut before = told.before;
                before.push(match &**base {
                    Expr::Text { content, .. } if content.is_empty() => {
                        format!("join elements of {} into a string", told.name)
                    }
                    base => format!(
                        "join elements of {} into a string, separated with {}",
                        told.name,
                        unkind(self.noun(base))
                    ),
                });
                Told { before, name: "the result".into() }
            }
            ("replace", [old, new]) => {
                let told = self.told(base);
                let mut before = told.before;
                before.push(format!(
                    "replace every occurrence of {} in {} with {}",
                    self.noun(old),
                    told.name,
                    self.noun(new)
                ));
                Told { before, name: "the result".into() }
            }
            ("format", values) if matches!(**base, Expr::Text { .. }) => {
                let values: Vec<String> = values.iter().map(|one| self.noun(one)).collect();
                plain(format!("{} formatted with {}", self.noun(base), join(&values, "and")))
            }
            ("get", [key]) => plain(format!(
                "value under the {} key of the {} dictionary",
                self.key(key),
                self.noun(base)
            )),
            ("pop", [key]) => done(format!(
                "remove the {} key from the {} dictionary",
                self.key(key),
                self.noun(base)
            )),
            ("split", []) => done(format!("split {} into words", self.noun(base))),
            ("lower", []) => done(format!("convert {} to lowercase", self.noun(base))),
            ("upper", []) => done(format!("convert {} to uppercase", self.noun(base))),
            _ => return None,
        })
    }

    fn chain(&mut self, first: &Expr, rest: &[(Op, Expr)]) -> Told {
        // 'text' % values
        if let ([(Op::Mod, values)], true) =
            (rest, matches!(first, Expr::Text { .. } | Expr::Call(..)))
        {
            let values: Vec<String> = match values {
                Expr::Items(Collection::Tuple, values) => {
                    values.iter().map(|value| self.noun(value)).collect()
                }
                value => vec![self.noun(value)],
            };
            let text = self.noun(first);
            return plain(format!("{text} formatted with {}", join(&values, "and")));
        }
        let told = self.told(first);
        let (mut before, mut left) = (told.before, told.name);
        let text = matches!(first, Expr::Text { .. })
            || rest.iter().any(|(_, item)| matches!(item, Expr::Text { .. }));
        if rest.iter().all(|(op, _)| *op == Op::Add) && rest.len() > 1 || text && rest.len() == 1 {
            let mut items = vec![left];
            items.extend(rest.iter().take(MOST).map(|(_, item)| self.noun(item)));
            let verb = if text { "concatenate" } else { "sum" };
            before.push(format!("{verb} {}", join(&items, "and")));
            return Told { before, name: "the result".into() };
        }
        for (op, item) in rest.iter().take(MOST) {
            let right = self.noun(item);
            before.push(match op {
                Op::Add if matches!(item, Expr::Number(_)) => {
                    format!("increment {left} by {right}")
                }
                Op::Add => format!("sum {left} and {right}"),
                Op::Sub if matches!(item, Expr::Number(_)) => {
                    format!("decrement {left} by {right}")
                }
                Op::Sub => format!("subtract {right} from {left}"),
                Op::Mul => format!("multiply {left} by {right}"),
                Op::Div | Op::FloorDiv => format!("divide {left} by {right}"),
                Op::Mod => {
                    format!("get the remainder of the division of {left} by {right}")
                }
                op => format!("compute {left} {} {right}", infix(*op)),
            });
            left = "the result".into();
        }
        Told { before, name: left }
    }

    fn list(&mut self, values: &[Expr]) -> String {
        let more = values.len().saturating_sub(MOST);
        let mut words: Vec<String> =
            values.iter().take(MOST).map(|value| self.noun(value)).collect();
        if more > 0 {
            self.shortened += 1;
            words.push(format!("{more} more"));
        }
        join(&words, "and")
    }

    /// A key or name: texts without their kind.
    fn key(&mut self, key: &Expr) -> String {
        unkind(self.noun(key))
    }

    /// What a value is called.
    fn noun(&mut self, value: &Expr) -> String {
        if self.depth >= DEEPEST {
            self.shortened += 1;
            return "a computed value".into();
        }
        self.depth += 1;
        let noun = self.noun_within(value);
        self.depth -= 1;
        noun
    }

    fn noun_within(&mut self, value: &Expr) -> String {
        match value {
            Expr::Name(name) if matches!(name.as_str(), "True" | "False") => {
                format!("boolean {name}")
            }
            Expr::Name(name) => name.clone(),
            Expr::Number(digits) if digits.contains('.') => format!("float {digits}"),
            Expr::Number(digits) => format!("integer {digits}"),
            Expr::Negative(inner) => match &**inner {
                Expr::Number(digits) => format!("integer -{digits}"),
                inner => format!("negative {}", self.noun(inner)),
            },
            Expr::Text { content, .. } if content.is_empty() => "an empty string".into(),
            Expr::Text { prefix, quote, content } => {
                let (text, cut) = quoted("", *quote, content);
                self.shortened += usize::from(cut);
                let kind = match *prefix {
                    "b" | "rb" => "bytes string",
                    "r" => "raw string",
                    _ => "string",
                };
                format!("{kind} {text}")
            }
            Expr::Attribute(base, name) => match value.path() {
                Some(path) => path,
                None => format!("{name} field of {}", self.noun(base)),
            },
            Expr::Index(base, at) => self.element(base, at),
            Expr::Slice { of, from, to, .. } => {
                self.slice(of.as_deref(), from.as_deref(), to.as_deref())
            }
            Expr::Call(callee, arguments) => match self.known_call(callee, arguments) {
                Some(told) if told.before.is_empty() => told.name,
                _ => {
                    let (kind, name) = match (callee.path(), &**callee) {
                        (Some(path), Expr::Attribute(..)) => ("method", path),
                        (Some(path), _) => ("function", path),
                        (None, Expr::Attribute(base, method)) => {
                            ("method", format!("{method} on {}", self.noun(base)))
                        }
                        (None, callee) => ("function", self.noun(callee)),
                    };
                    let given: Vec<String> =
                        arguments.iter().take(MOST).map(|one| self.noun(one)).collect();
                    let called = if given.is_empty() { "" } else { " called" };
                    format!("result of the {kind} {name}{called}{}", with(&given))
                }
            },
            Expr::Named(name, value) => format!("{name} set to {}", self.noun(value)),
            Expr::Spread(inner) => format!("unpacked list {}", self.noun(inner)),
            Expr::SpreadEntries(inner) => format!("unpacked dictionary {}", self.noun(inner)),
            Expr::Items(..) | Expr::Comprehension { .. } | Expr::Lambda { .. } => {
                self.described(value)
            }
            Expr::Entry(key, value) => format!("{} for {}", self.noun(value), self.key(key)),
            Expr::Chain(first, rest) => {
                if let [(Op::Mod, _)] = rest.as_slice()
                    && matches!(**first, Expr::Text { .. } | Expr::Call(..))
                {
                    return self.chain(first, rest).name;
                }
                let mut text = self.noun(first);
                for (op, item) in rest.iter().take(MOST) {
                    text += &format!(" {} {}", infix(*op), self.noun(item));
                }
                text
            }
            Expr::Format { .. } => self.told(value).name,
            Expr::Choice { condition, then, otherwise } => format!(
                "{} if {}, otherwise {}",
                self.noun(then),
                self.condition(condition, true),
                self.noun(otherwise)
            ),
            Expr::Or(items) if !items.iter().any(is_condition) => {
                let words: Vec<String> = items.iter().map(|item| self.noun(item)).collect();
                words.join(" or ")
            }
            Expr::Await(inner) => self.noun(inner),
            Expr::Bind(name, value) => {
                format!("{} set to {}", self.noun(name), self.noun(value))
            }
            Expr::BitNot(inner) => format!("bitwise complement of {}", self.noun(inner)),
            Expr::Say(template, parts) => self.fill(template, parts),
            Expr::New { class, arguments, .. } => {
                let given: Vec<String> = arguments.iter().map(|one| self.noun(one)).collect();
                format!("instance of {class} class{}", with(&given))
            }
            Expr::Convert(inner, kind) => format!("{} converted into {kind}", self.noun(inner)),
            Expr::Closure { .. } => "a function".into(),
            Expr::Below { template, parts, .. } => self.fill(template, parts),
            Expr::Unknown(parts) => self.list(parts),
            Expr::TooDeep(_) => "a computed value".into(),
            value => format!("whether {}", self.condition(value, true)),
        }
    }

    fn element(&mut self, base: &Expr, at: &Expr) -> String {
        let of = self.noun(base);
        if let Some(number) = at.integer() {
            let place = match number {
                -1 => Some("last"),
                -2 => Some("second last"),
                number => ordinal(number.saturating_add(1)),
            };
            if let Some(place) = place {
                return format!("{place} element of {of}");
            }
        }
        let of = match base {
            // d[a][b]
            Expr::Index(..) => of.strip_prefix("value ").unwrap_or(&of).to_owned(),
            _ => return format!("value under the {} key of the {of} dictionary", self.key(at)),
        };
        format!("value under the {} key of the dictionary {of}", self.key(at))
    }

    fn slice(&mut self, of: Option<&Expr>, from: Option<&Expr>, to: Option<&Expr>) -> String {
        let of = of.map(|of| self.noun(of)).unwrap_or_default();
        match (from, to) {
            (None, None) => format!("elements of {of}"),
            (None, Some(Expr::Negative(count))) if count.integer() == Some(1) => {
                format!("all elements of {of} except the last one")
            }
            (None, Some(to)) => format!("first {} elements of {of}", bare(self.noun(to))),
            (Some(from), None) if from.integer() == Some(1) => {
                format!("all elements of {of} except the first one")
            }
            (Some(from), None) => {
                format!("elements of {of} from the {} index to the end", bare(self.noun(from)))
            }
            (Some(from), Some(to)) => format!(
                "elements of {of} from the {} index to the {} index",
                bare(self.noun(from)),
                bare(self.noun(to))
            ),
        }
    }

    /// A constant, collection or function without a name with its article.
    fn described(&mut self, value: &Expr) -> String {
        match value {
            Expr::Text { content, .. } if content.is_empty() => "an empty string".into(),
            Expr::Number(_) | Expr::Text { .. } | Expr::Negative(_) => {
                let noun = self.noun(value);
                format!("{} {noun}", an(&noun))
            }
            Expr::Items(kind, items) => {
                let name = match kind {
                    Collection::Tuple => "tuple",
                    Collection::Set => "set",
                    Collection::Dictionary => "dictionary",
                    Collection::Array => "array",
                    _ => "list",
                };
                match (items.len(), kind) {
                    (0, _) => format!("an empty {name}"),
                    (1, Collection::Dictionary) => {
                        format!("a dictionary with an initial entry: {}", self.list(items))
                    }
                    (count, Collection::Dictionary) => {
                        format!("a dictionary with {count} initial entries: {}", self.list(items))
                    }
                    (1, _) => format!("a {name} with an element {}", self.list(items)),
                    (count, _) => {
                        format!("a {name} with {count} elements: {}", self.list(items))
                    }
                }
            }
            Expr::Comprehension { kind, element, clauses } => {
                let name = match kind {
                    Collection::Set => "a set",
                    Collection::Dictionary => "a dictionary",
                    Collection::Values => "a sequence",
                    _ => "a list",
                };
                let mut text = format!("{name} containing {}", self.noun(element));
                for clause in clauses.iter().take(MOST) {
                    match clause {
                        Clause::For { target, iterable } => {
                            text += &format!(" {}", self.each(target, iterable));
                        }
                        Clause::If(condition) => {
                            text += &format!(", only if {}", self.condition(condition, true));
                        }
                    }
                }
                text
            }
            Expr::Lambda { parameters, value } => {
                let given: Vec<String> = parameters.iter().map(|one| self.parameter(one)).collect();
                format!("a lambda function{}, returning {}", with(&given), self.noun(value))
            }
            value => self.noun(value),
        }
    }

    /// The reading of a value as a condition, or as its opposite.
    fn condition(&mut self, value: &Expr, positive: bool) -> String {
        if self.depth >= DEEPEST {
            self.shortened += 1;
            return "a condition holds".into();
        }
        self.depth += 1;
        let text = self.condition_within(value, positive);
        self.depth -= 1;
        text
    }

    fn condition_within(&mut self, value: &Expr, positive: bool) -> String {
        match value {
            Expr::Not(inner) => self.condition(inner, !positive),
            Expr::And(items) | Expr::Or(items) => {
                let and = matches!(value, Expr::And(_)) == positive;
                let words: Vec<String> =
                    items.iter().take(MOST).map(|item| self.condition(item, positive)).collect();
                words.join(if and { " and " } else { " or " })
            }
            Expr::Compare(first, rest) => {
                let mut left = self.noun(first);
                let mut words = Vec::new();
                for (cmp, right) in rest.iter().take(MOST) {
                    let cmp = if positive { *cmp } else { cmp.negated() };
                    let name = self.noun(right);
                    words.push(format!("{left} {} {name}", comparison(cmp)));
                    left = name;
                }
                words.join(" and ")
            }
            Expr::Call(callee, arguments) => self.asked(callee, arguments, positive),
            Expr::Test { holds, fails, parts } => {
                self.fill(if positive { holds } else { fails }, parts)
            }
            value => {
                let name = self.noun(value);
                format!("{name} is {}", if positive { "true" } else { "false" })
            }
        }
    }

    /// A call as a question.
    fn asked(&mut self, callee: &Expr, arguments: &[Expr], positive: bool) -> String {
        let not = if positive { "" } else { "not " };
        match (callee, arguments) {
            (Expr::Name(name), [object, kind]) if name == "isinstance" => {
                let (kinds, noun) = match kind {
                    Expr::Items(_, kinds) => {
                        let words: Vec<String> = kinds.iter().map(|kind| self.noun(kind)).collect();
                        (join(&words, "or"), "classes")
                    }
                    kind => (self.noun(kind), "class"),
                };
                return format!("{} is {not}an instance of {kinds} {noun}", self.noun(object));
            }
            (Expr::Name(name), [class, base]) if name == "issubclass" => {
                return format!(
                    "{} is {not}a subclass of {} class",
                    self.noun(class),
                    self.noun(base)
                );
            }
            (Expr::Name(name), [object, attribute]) if name == "hasattr" => {
                let verb = if positive { "has" } else { "does not have" };
                return format!(
                    "{} {verb} an attribute {}",
                    self.noun(object),
                    self.key(attribute)
                );
            }
            (Expr::Name(name), [object]) if name == "callable" => {
                return format!("{} is {not}callable", self.noun(object));
            }
            (Expr::Attribute(base, method), [text])
                if matches!(method.as_str(), "startswith" | "endswith") =>
            {
                let verb = match (method.as_str(), positive) {
                    ("startswith", true) => "starts with",
                    ("startswith", false) => "does not start with",
                    (_, true) => "ends with",
                    _ => "does not end with",
                };
                return format!("{} {verb} {}", self.noun(base), self.noun(text));
            }
            _ => {}
        }
        let call = Expr::Call(Box::new(callee.clone()), arguments.to_vec());
        let name = self.noun(&call);
        format!("{name} evaluates to {}", if positive { "true" } else { "false" })
    }
}

fn comparison(cmp: Cmp) -> &'static str {
    match cmp {
        Cmp::Eq => "equals",
        Cmp::Ne => "is not equal to",
        Cmp::Lt => "is less than",
        Cmp::Le => "is less than or equal to",
        Cmp::Gt => "is greater than",
        Cmp::Ge => "is greater than or equal to",
        Cmp::In => "is contained in",
        Cmp::NotIn => "is not contained in",
        Cmp::Is => "is",
        Cmp::IsNot => "is not",
    }
}

fn is_condition(value: &Expr) -> bool {
    match value {
        Expr::Compare(..) | Expr::Not(_) | Expr::Test { .. } => true,
        Expr::And(items) | Expr::Or(items) => items.iter().any(is_condition),
        Expr::Call(callee, _) => match &**callee {
            Expr::Name(name) => {
                matches!(name.as_str(), "isinstance" | "issubclass" | "hasattr" | "callable")
            }
            Expr::Attribute(_, method) => matches!(method.as_str(), "startswith" | "endswith"),
            _ => false,
        },
        _ => false,
    }
}

/// ` with an argument a`, ` with 2 arguments: a and b`.
fn with(given: &[String]) -> String {
    match given {
        [] => String::new(),
        [one] => format!(" with an argument {one}"),
        several => format!(" with {} arguments: {}", several.len(), join(several, "and")),
    }
}

fn an(word: &str) -> &'static str {
    article(word)
}

/// A number without its kind.
fn bare(noun: String) -> String {
    noun.strip_prefix("integer ").map(str::to_owned).unwrap_or(noun)
}

/// A text without its kind.
fn unkind(noun: String) -> String {
    noun.strip_prefix("string ").map(str::to_owned).unwrap_or_else(|| bare(noun))
}
