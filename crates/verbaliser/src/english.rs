//! From the common tree to English steps.
//!
//! Expressions become phrases. A phrase has a [`Grip`]: how tightly its words hold together, so
//! that a looser phrase inside a tighter one gets parentheses and none other does.
//!
//! Templates are texts with slots: `{0}` is the phrase of a part, `{c0}` its reading as a
//! condition, `{o0}` the phrase held tightly, `{*}` all parts as a list, `{|}` all parts as
//! alternatives, `{1*}` all parts from the second on, `{|0}` the items of a tuple as alternatives.

use code_syntax::Language;
use distill_core::{Pseudocode, Step};

use crate::idioms::{self, Idiom};
use crate::ir::{
    Branch, Case, Class, Clause, Cmp, Collection, Expr, Function, Op, Parameter, Stmt, Takes,
};
use crate::phrase::{article, comparison, infix, is_class, join, ordinal, quoted};

/// Most items of a list that are said; the rest is counted.
const MOST_ITEMS: usize = 12;
/// Longest step, in bytes, before the parts of a call or literal get sub-steps of their own.
const LONGEST_STEP: usize = 200;
/// Most sub-steps made of the parts of one call or literal.
const MOST_PARTS: usize = 40;
/// Deepest nesting of phrases inside one step; what lies deeper is said by the names in it.
const DEEPEST_PHRASE: usize = 9;
/// Most names that stand for what is not said in full.
const MOST_NAMES: usize = 4;

/// How tightly the words of a phrase hold together, tightest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Grip {
    /// One word or a quoted text.
    Word,
    /// `the length of xs`.
    Of,
    /// `a plus b`.
    Infix,
    /// `the result of f with a and b`.
    With,
    /// `a if c, otherwise b`; `whether a is less than b`.
    Clause,
}
use Grip::{Infix, Of, With, Word};

type Phrase = (String, Grip);

/// Writes the steps of one text.
pub(crate) struct English {
    language: Language,
    steps: Vec<Step>,
    depth: usize,
    nesting: usize,
    /// How often something was not said in full.
    pub(crate) shortened: usize,
}

impl English {
    pub(crate) fn new(language: Language) -> English {
        English { language, steps: Vec::new(), depth: 0, nesting: 0, shortened: 0 }
    }

    /// The steps of a whole text. The one definition that ends it (imports and the like may come
    /// before) needs no level of its own: its body follows its first step at the same depth.
    pub(crate) fn plan(&mut self, statements: &[Stmt]) -> Pseudocode {
        let mut rest = statements;
        while let [before @ .., last] = rest {
            if !before.iter().all(|statement| matches!(statement, Stmt::Say(..))) {
                break;
            }
            let (heading, body) = match last {
                Stmt::Function(function) => (self.function_heading(function), &function.body),
                Stmt::Class(class) => (self.class_heading(class), &class.body),
                _ => break,
            };
            self.block(before);
            self.step(heading);
            rest = body;
        }
        self.block(rest);
        Pseudocode::new(std::mem::take(&mut self.steps))
    }

    fn textual(&self, value: &Expr) -> bool {
        textual(self.language, value)
    }

    // ---------------------------------------------------------------- steps

    fn step(&mut self, text: impl AsRef<str>) {
        self.steps.push(Step::new(self.depth, text.as_ref()));
    }

    fn block(&mut self, statements: &[Stmt]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    /// A heading and the steps below it; a block without steps says so.
    fn under(&mut self, heading: impl AsRef<str>, body: &[Stmt]) {
        self.step(heading);
        self.depth += 1;
        let before = self.steps.len();
        self.block(body);
        if self.steps.len() == before {
            self.step("do nothing");
        }
        self.depth -= 1;
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Function(function) => {
                let heading = self.function_heading(function);
                if function.body.is_empty() {
                    self.step(heading);
                } else {
                    self.under(heading + ":", &function.body);
                }
            }
            Stmt::Class(class) => self.class(class),
            Stmt::Assign { targets, value } => {
                let text = self.assign(targets, value);
                match targets.as_slice() {
                    [target @ (Expr::Name(_) | Expr::Attribute(..) | Expr::Index(..))]
                        if text.len() > LONGEST_STEP =>
                    {
                        let lead = format!("set {} to ", self.tight(target, With));
                        self.long(lead, text, value);
                    }
                    _ => self.step_with(text, value),
                }
            }
            Stmt::Augment { target, op, value } => {
                let text = self.augment(target, *op, value);
                self.step_with(text, value);
            }
            Stmt::Expr(value) => {
                let text = self.expression_step(value);
                match value {
                    Expr::Call(..) if text.starts_with("call ") => {
                        self.long("call ".into(), text, value)
                    }
                    _ => self.step_with(text, value),
                }
            }
            Stmt::Return(value) => {
                match value {
                    None => self.step("return"),
                    Some(value) => {
                        let text = format!("return {}", self.values(value));
                        self.long("return ".into(), text, value);
                    }
                };
            }
            Stmt::Yield(value) => {
                match value {
                    None => self.step("yield"),
                    Some(value) => {
                        let text = format!("yield {}", self.values(value));
                        self.long("yield ".into(), text, value);
                    }
                };
            }
            Stmt::Raise { error, cause } => self.raise(error.as_ref(), cause.as_ref()),
            Stmt::If { branches, otherwise } => self.choose(branches, otherwise.as_deref()),
            Stmt::ForEach {
                target: Expr::Name(name),
                iterable: Expr::Call(callee, times),
                body,
            } if name == "_"
                && times.len() == 1
                && self.language == Language::Python
                && matches!(&**callee, Expr::Name(range) if range == "range") =>
            {
                let heading = format!("repeat {} times:", self.tight(&times[0], Infix));
                self.under(heading, body);
            }
            Stmt::ForEach { target, iterable, body } => {
                let heading = format!("for each {}:", self.each(target, iterable));
                self.under(heading, body);
            }
            Stmt::Count { variable, from, to, inclusive, step, body } => {
                let range = self.range(from, to, *inclusive, step);
                let heading = format!("for each {} {range}:", self.tight(variable, Of));
                self.under(heading, body);
            }
            Stmt::Loop { condition, after, body } => {
                let mut heading = match condition {
                    Some(condition) => format!("while {}", self.condition(condition, true)),
                    None => "repeat forever".to_owned(),
                };
                if !after.is_empty() {
                    heading += &format!(", and {} after each iteration", self.inline(after));
                }
                self.under(heading + ":", body);
            }
            Stmt::With { resources, body } => {
                let opened: Vec<String> = resources
                    .iter()
                    .map(|(value, name)| self.resource(value, name.as_ref()))
                    .collect();
                self.under(join(&opened, "and") + ":", body);
            }
            Stmt::Switch { heading, subject, cases } => self.switch(heading, subject, cases),
            Stmt::Say(template, parts) => {
                let text = self.fill(template, parts, Grip::Clause);
                match parts.as_slice() {
                    [] => self.step(text),
                    [one] => self.step_with(text, one),
                    several => self.step_with(text, &Expr::Unknown(several.to_vec())),
                }
            }
            Stmt::Under(template, parts, body) => {
                let heading = self.fill(template, parts, Grip::Clause);
                self.under(heading, body);
            }
            Stmt::Later(when, call) => {
                let text = format!("{when}, {}", self.expression_step(call));
                self.step_with(text, call);
            }
            Stmt::Block(body) => self.block(body),
        }
    }

    /// Statements in one line.
    fn inline(&mut self, statements: &[Stmt]) -> String {
        let steps = std::mem::take(&mut self.steps);
        self.block(statements);
        let texts: Vec<String> =
            std::mem::replace(&mut self.steps, steps).into_iter().map(|step| step.text).collect();
        join(&texts, "and")
    }

    fn function_heading(&mut self, function: &Function) -> String {
        let mut text = format!("define the {} {}", function.kind, function.name);
        if !function.parameters.is_empty() {
            text += " with ";
            text += &self.parameters(&function.parameters);
        }
        if !function.decorators.is_empty() {
            text += ", decorated with ";
            text += &self.list(&function.decorators, "and");
        }
        text
    }

    fn parameters(&mut self, parameters: &[Parameter]) -> String {
        let plain = parameters.iter().filter(|one| one.takes == Takes::One).count();
        let mut words: Vec<String> = Vec::new();
        for (index, parameter) in parameters.iter().enumerate() {
            let mut text = match parameter.takes {
                Takes::One if index == 0 && plain == 1 => format!("argument {}", parameter.name),
                Takes::One if index == 0 => format!("arguments {}", parameter.name),
                Takes::One => parameter.name.clone(),
                Takes::Rest => format!("any further arguments {}", parameter.name),
                Takes::RestByName => format!("any keyword arguments {}", parameter.name),
            };
            if let Some(default) = &parameter.default {
                text += &format!(" (default {})", self.top(default));
            }
            words.push(text);
        }
        join(&words, "and")
    }

    fn class_heading(&mut self, class: &Class) -> String {
        let mut heading = format!("define the {} {}", class.kind, class.name);
        if !class.parents.is_empty() {
            heading += " derived from ";
            heading += &self.list(&class.parents, "and");
        }
        if !class.decorators.is_empty() {
            heading += ", decorated with ";
            heading += &self.list(&class.decorators, "and");
        }
        heading
    }

    fn class(&mut self, class: &Class) {
        let heading = self.class_heading(class);
        if class.body.is_empty() {
            self.step(heading);
        } else {
            self.under(heading + ":", &class.body);
        }
    }

    fn assign(&mut self, targets: &[Expr], value: &Expr) -> String {
        if let ([Expr::Items(Collection::Tuple, left)], Expr::Items(Collection::Tuple, right)) =
            (targets, value)
        {
            if let ([a, b], [c, d]) = (left.as_slice(), right.as_slice())
                && (a, b) == (d, c)
            {
                return format!("swap {} and {}", self.tight(a, With), self.tight(b, With));
            }
            if left.len() == right.len()
                && left.len() <= MOST_ITEMS
                && !left.iter().any(is_spread)
                && !right.iter().any(is_spread)
            {
                // At once, not one after the other: the words must not suggest an order.
                let pairs: Vec<String> = left
                    .iter()
                    .zip(right)
                    .map(|(to, from)| {
                        format!("{} to {}", self.tight(to, Of), self.tight(from, Infix))
                    })
                    .collect();
                let at_once = if depends(left, right) { "at once " } else { "" };
                return format!("{at_once}set {}", join(&pairs, "and"));
            }
        }
        if let ([target], Expr::Say("{0} with {1*} appended", parts)) = (targets, value)
            && let Some((base, items)) = parts.split_first()
            && base == target
        {
            return format!("append {} to {}", self.list(items, "and"), self.tight(target, With));
        }
        match targets {
            [Expr::Items(_, names)] if only_named(names).is_some() => {
                let index = only_named(names).unwrap_or_default();
                let name = self.tight(&names[index], With);
                let place = match index {
                    0 => "first",
                    index if index + 1 == names.len() => "last",
                    index => ordinal(index as i64 + 1).unwrap_or("further"),
                };
                let value = self.top(value);
                match value.strip_prefix("the result of ") {
                    Some(call) => format!("set {name} to the {place} result of {call}"),
                    None => format!("set {name} to the {place} item of {value}"),
                }
            }
            [Expr::Items(_, names)] => {
                let names: Vec<String> = names
                    .iter()
                    .map(|name| match name {
                        Expr::Spread(rest) => format!("the rest as {}", self.tight(rest, Of)),
                        name => self.tight(name, With),
                    })
                    .collect();
                let names = join(&names, "and");
                match value {
                    Expr::Call(..) | Expr::Await(_) => {
                        let value = self.top(value);
                        match value.strip_prefix("the result of ") {
                            Some(call) => format!("set {names} to the results of {call}"),
                            None => format!("unpack {value} into {names}"),
                        }
                    }
                    value => format!("unpack {} into {names}", self.top(value)),
                }
            }
            [target] => {
                let target = self.tight(target, With);
                format!("set {target} to {}", self.top(value))
            }
            targets => {
                let both = if targets.len() == 2 { "both " } else { "all of " };
                let names = self.list(targets, "and");
                format!("set {both}{names} to {}", self.top(value))
            }
        }
    }

    fn augment(&mut self, target: &Expr, op: Op, value: &Expr) -> String {
        let to = self.tight(target, With);
        let by = self.top(value);
        match op {
            Op::Add if self.textual(value) => format!("append {by} to {to}"),
            Op::Add if matches!(value, Expr::Items(..) | Expr::Comprehension { .. }) => {
                format!("extend {to} with {by}")
            }
            Op::Add => format!("increase {to} by {by}"),
            Op::Sub => format!("decrease {to} by {by}"),
            Op::Mul => format!("multiply {to} by {by}"),
            Op::Div => format!("divide {to} by {by}"),
            Op::FloorDiv => format!("divide {to} by {by}, rounding down"),
            op => {
                let by = self.tight(value, Of);
                format!("set {to} to {to} {} {by}", infix(op))
            }
        }
    }

    /// What to do where an expression stands alone.
    fn expression_step(&mut self, value: &Expr) -> String {
        match value {
            Expr::Call(callee, arguments) => {
                if let Some(text) = self.idiom(callee, arguments, true) {
                    return text.0;
                }
                if let [template @ Expr::Text { .. }, values @ ..] = arguments.as_slice()
                    && idioms::is_printer(self.language, callee)
                {
                    let template = Box::new(template.clone());
                    let text = Expr::Format { template, values: values.to_vec() };
                    return format!("print {}", self.top(&text));
                }
                // A value that is not used: the call is made for what it does.
                let value = self.plain_call(callee, arguments).0;
                match value.strip_prefix("the result of ") {
                    Some(call) => format!("call {}{call}", self.callee_kind(callee)),
                    None => format!("create {value}"),
                }
            }
            Expr::New { .. } => format!("create {}", self.top(value)),
            Expr::Await(inner) => match self.expression_step(inner) {
                call if call.starts_with("call ") => format!("{call} and wait for it"),
                _ => format!("wait for {}", self.top(inner)),
            },
            Expr::Choice { condition, then, otherwise } => {
                let condition = self.condition(condition, true);
                let then = self.expression_step(then);
                format!("{then} if {condition}, otherwise {}", self.expression_step(otherwise))
            }
            value => format!("evaluate {}", self.top(value)),
        }
    }

    /// What a call calls, where the form of the code tells.
    fn callee_kind(&self, callee: &Expr) -> &'static str {
        match (self.language, callee) {
            (Language::Java, Expr::Name(_) | Expr::Attribute(..)) => "the method ",
            (_, Expr::Name(_)) => "the function ",
            (Language::Python, Expr::Attribute(receiver, _)) => {
                if idioms::is_module(receiver) {
                    "the function "
                } else {
                    "the method "
                }
            }
            // In Go a package and a value look the same.
            _ => "",
        }
    }

    fn raise(&mut self, error: Option<&Expr>, cause: Option<&Expr>) {
        let verb = if self.language == Language::Java { "throw" } else { "raise" };
        let Some(error) = error else {
            self.step(format!("{verb} the caught exception again"));
            return;
        };
        let mut text = match error {
            Expr::New { class, arguments, members: None } => {
                self.error_words(verb, class, arguments)
            }
            Expr::Call(callee, arguments) if callee.path().is_some_and(|path| is_class(&path)) => {
                self.error_words(verb, &callee.path().unwrap_or_default(), arguments)
            }
            error => format!("{verb} {}", self.top(error)),
        };
        match cause {
            Some(Expr::Name(none)) if none == "None" => text += ", hiding its cause",
            Some(cause) => text += &format!(", caused by {}", self.tight(cause, With)),
            None => {}
        }
        self.step(text);
    }

    fn error_words(&mut self, verb: &str, class: &str, arguments: &[Expr]) -> String {
        match arguments {
            [] => format!("{verb} {class}"),
            [message] if self.textual(message) => {
                format!("{verb} {class} with message {}", self.top(message))
            }
            arguments => format!("{verb} {class} with {}", self.list(arguments, "and")),
        }
    }

    fn choose(&mut self, branches: &[Branch], otherwise: Option<&[Stmt]>) {
        if let ([Branch { before, condition, body }], None) = (branches, otherwise)
            && let Some(text) = self.error_check(condition, body)
        {
            self.block(before);
            self.step(text);
            return;
        }
        let mut inside = 0;
        for (index, branch) in branches.iter().enumerate() {
            if index > 0 && !branch.before.is_empty() {
                // What runs before a later condition runs only if the earlier ones failed.
                self.step("otherwise:");
                self.depth += 1;
                inside += 1;
            }
            self.block(&branch.before);
            let condition = self.condition(&branch.condition, true);
            let otherwise = if index > 0 && branch.before.is_empty() { "otherwise, " } else { "" };
            self.under(format!("{otherwise}if {condition}:"), &branch.body);
        }
        if let Some(body) = otherwise {
            self.under("otherwise:", body);
        }
        self.depth -= inside;
    }

    /// Go's `if err != nil { return err }` in one step.
    fn error_check(&mut self, condition: &Expr, body: &[Stmt]) -> Option<String> {
        if self.language != Language::Go {
            return None;
        }
        let (Expr::Compare(left, rest), [Stmt::Return(Some(value))]) = (condition, body) else {
            return None;
        };
        let (Expr::Name(error), [(Cmp::Ne, Expr::Name(nil))]) = (&**left, rest.as_slice()) else {
            return None;
        };
        let named = |value: &Expr| matches!(value, Expr::Name(name) if name == error);
        if nil != "nil" || !error.to_ascii_lowercase().ends_with("err") {
            return None;
        }
        match value {
            value if named(value) => Some(format!("if there is an error {error}, return it")),
            Expr::Items(Collection::Tuple, values)
                if values.last().is_some_and(named) && values.len() <= MOST_ITEMS =>
            {
                Some(format!("if there is an error {error}, return {}", self.list(values, "and")))
            }
            _ => None,
        }
    }

    fn switch(&mut self, heading: &'static str, subject: &[Expr], cases: &[Case]) {
        let heading = self.fill(heading, subject, Grip::Clause);
        self.step(heading);
        self.depth += 1;
        for case in cases {
            let mut text = if case.values.is_empty() {
                "in any other case".to_owned()
            } else if subject.is_empty() {
                let conditions: Vec<String> =
                    case.values.iter().map(|value| self.condition(value, true)).collect();
                format!("in case {}", join(&conditions, "or"))
            } else {
                format!("in case of {}", self.list(&case.values, "or"))
            };
            if let Some(guard) = &case.guard {
                text += &format!(" if {}", self.condition(guard, true));
            }
            self.under(text + ":", &case.body);
        }
        self.depth -= 1;
    }

    fn resource(&mut self, value: &Expr, name: Option<&Expr>) -> String {
        let mut text = match value {
            Expr::Call(callee, arguments)
                if callee.path().as_deref() == Some("open") && !arguments.is_empty() =>
            {
                self.opening(arguments)
            }
            value => format!("using {}", self.tight(value, With)),
        };
        if let Some(name) = name {
            text += &format!(" as {}", self.tight(name, Of));
        }
        text
    }

    /// `open path for writing`, from the arguments of Python's `open`.
    fn opening(&mut self, arguments: &[Expr]) -> String {
        let mut path = None;
        let mut purpose = "";
        let mut others = Vec::new();
        for (index, argument) in arguments.iter().enumerate() {
            let mode = match argument {
                Expr::Named(name, value) if name == "mode" => Some(&**value),
                Expr::Named(..) => None,
                value if index == 1 => Some(value),
                _ => None,
            };
            let known = match mode {
                Some(Expr::Text { content, .. }) => file_mode(content),
                _ => None,
            };
            match known {
                Some(words) => purpose = words,
                None if index == 0 => path = Some(argument),
                None => others.push(argument.clone()),
            }
        }
        let mut text = format!(
            "open {}{purpose}",
            path.map(|path| self.tight(path, Infix)).unwrap_or_default()
        );
        if !others.is_empty() {
            text += &format!(" with {}", self.list(&others, "and"));
        }
        text
    }

    /// A step, and below it the steps of the functions without a name that occur in `value`. The
    /// only one, if the step ends with it, is told right there.
    fn step_with(&mut self, text: String, value: &Expr) {
        let below = steps_below(value);
        if let [Expr::Closure { parameters, body }] = below.as_slice()
            && text.ends_with(&self.closure_name(parameters, "a function"))
        {
            self.under(text + ":", body);
            return;
        }
        if let [Expr::New { arguments, members: Some(members), .. }] = below.as_slice()
            && arguments.is_empty()
            && let Some(text) = text.strip_suffix(BELOW)
        {
            self.under(format!("{text}:"), members);
            return;
        }
        self.step(text);
        self.depth += 1;
        for part in below {
            match part {
                Expr::Closure { parameters, body } => {
                    let heading = self.closure_name(parameters, "the function");
                    self.under(heading + ":", body);
                }
                Expr::New { class, members: Some(members), .. } => {
                    self.under(format!("the new {class}:"), members);
                }
                Expr::Below { body, .. } => self.block(body),
                _ => {}
            }
        }
        self.depth -= 1;
    }

    /// A step `text`, which is `lead` and the phrase of `value`. Where it is too long, the parts of
    /// the call or literal that `value` is become sub-steps.
    fn long(&mut self, lead: String, text: String, value: &Expr) {
        if text.len() <= LONGEST_STEP || self.nesting >= DEEPEST_PHRASE {
            self.step_with(text, value);
            return;
        }
        let (heading, parts): (String, Vec<&Expr>) = match value {
            Expr::New { class, arguments, members: None } => {
                (format!("{lead}a new {class} with:"), arguments.iter().collect())
            }
            Expr::Named(name, inner) => return self.longer(format!("{lead}{name} set to "), inner),
            Expr::Entry(key, inner) => {
                let key = self.tight(key, Of);
                return self.longer(format!("{lead}{key} set to "), inner);
            }
            Expr::Say("a pointer to {0}", inner) if inner.len() == 1 => {
                return self.longer(format!("{lead}a pointer to "), &inner[0]);
            }
            Expr::Say(
                template @ ("a {0} holding {1*}" | "an {0} holding {1*}" | "a {0} with {1*}"),
                parts,
            ) => {
                let opening = self.fill(template.trim_end_matches("{1*}"), parts, Of);
                (format!("{lead}{}:", opening.trim_end()), parts.iter().skip(1).collect())
            }
            Expr::Items(kind, items) => {
                let noun = collection(*kind);
                let link = if *kind == Collection::Dictionary { "with" } else { "of" };
                (format!("{lead}the {noun} {link}:"), items.iter().collect())
            }
            Expr::Format { template, values } => {
                let template = self.tight(template, Of);
                (format!("{lead}{template} filled with:"), values.iter().collect())
            }
            Expr::Chain(first, rest)
                if text.starts_with(&format!("{lead}the concatenation of ")) =>
            {
                let parts = std::iter::once(&**first).chain(rest.iter().map(|(_, item)| item));
                (format!("{lead}the concatenation of:"), parts.collect())
            }
            Expr::Call(_, arguments) if !arguments.is_empty() => {
                // Idioms and chains of calls have words of their own and stay in one piece.
                let said = self.arguments(arguments);
                let Some(opening) = text.strip_suffix(&format!(" with {said}")) else {
                    self.step_with(text, value);
                    return;
                };
                (format!("{opening} with:"), arguments.iter().collect())
            }
            _ => {
                self.step_with(text, value);
                return;
            }
        };
        self.step(heading);
        self.depth += 1;
        self.nesting += 1;
        for part in parts.iter().take(MOST_PARTS) {
            self.longer(String::new(), part);
        }
        if parts.len() > MOST_PARTS {
            self.shortened += 1;
            self.step(format!("{} more", parts.len() - MOST_PARTS));
        }
        self.nesting -= 1;
        self.depth -= 1;
    }

    fn longer(&mut self, lead: String, value: &Expr) {
        let text = format!("{lead}{}", self.top(value));
        self.long(lead, text, value);
    }

    fn closure_name(&mut self, parameters: &[Parameter], function: &str) -> String {
        let names: Vec<String> = parameters.iter().map(|one| one.name.clone()).collect();
        match names.as_slice() {
            [] => format!("{function} without parameters"),
            names => format!("{function} of {}", join(names, "and")),
        }
    }

    // ---------------------------------------------------------------- loops

    /// `x in xs`, or an idiom of looping.
    fn each(&mut self, target: &Expr, iterable: &Expr) -> String {
        if let Expr::Call(callee, arguments) = iterable
            && let Some(text) = self.each_call(target, callee, arguments)
        {
            return text;
        }
        let target = match target {
            Expr::Items(_, names) => self.list(names, "and"),
            target => self.tight(target, Of),
        };
        format!("{target} in {}", self.top(iterable))
    }

    fn each_call(&mut self, target: &Expr, callee: &Expr, arguments: &[Expr]) -> Option<String> {
        if self.language != Language::Python || arguments.iter().any(is_named_or_spread) {
            return None;
        }
        let pair = match target {
            Expr::Items(Collection::Tuple, names) => match names.as_slice() {
                [a, b] => Some((a, b)),
                _ => None,
            },
            _ => None,
        };
        if let Expr::Attribute(base, method) = callee
            && arguments.is_empty()
        {
            let words = match (method.as_str(), pair) {
                ("items", Some((key, value))) => {
                    format!("key {} and value {}", self.tight(key, Of), self.tight(value, Of))
                }
                ("keys", None) => format!("key {}", self.tight(target, Of)),
                ("values", _) => format!("value {}", self.tight(target, Of)),
                _ => return None,
            };
            return Some(format!("{words} of {}", self.tight(base, Of)));
        }
        let Expr::Name(name) = callee else { return None };
        match (name.as_str(), arguments, pair) {
            ("range", bounds @ ([_] | [_, _] | [_, _, _]), None) => {
                let zero = Expr::Number("0".into());
                let one = Expr::Number("1".into());
                let (from, to, step) = match bounds {
                    [to] => (&zero, to, &one),
                    [from, to] => (from, to, &one),
                    [from, to, step, ..] => (from, to, step),
                    [] => return None,
                };
                let range = self.range(from, to, false, step);
                Some(format!("{} {range}", self.tight(target, Of)))
            }
            ("enumerate", [items], Some((index, item))) => Some(format!(
                "index {} and element {} of {}",
                self.tight(index, Of),
                self.tight(item, Of),
                self.tight(items, Of)
            )),
            ("enumerate", [items, start], Some((index, item))) => Some(format!(
                "index {} (counted from {}) and element {} of {}",
                self.tight(index, Of),
                self.tight(start, Of),
                self.tight(item, Of),
                self.tight(items, Of)
            )),
            ("zip", sequences, _) => {
                let Expr::Items(Collection::Tuple, names) = target else { return None };
                if names.len() != sequences.len() || names.len() < 2 {
                    return None;
                }
                let pairs: Vec<String> = names
                    .iter()
                    .zip(sequences)
                    .map(|(name, of)| format!("{} of {}", self.tight(name, Of), self.tight(of, Of)))
                    .collect();
                Some(format!("{} side by side", join(&pairs, "and")))
            }
            _ => None,
        }
    }

    /// `from 0 to n minus 1`: both ends included.
    fn range(&mut self, from: &Expr, to: &Expr, inclusive: bool, step: &Expr) -> String {
        let size = step.integer();
        if from.integer() == Some(0)
            && size == Some(1)
            && !inclusive
            && let Expr::Call(callee, arguments) = to
            && let [items] = arguments.as_slice()
            && callee.path().as_deref() == Some("len")
        {
            return format!("among the indices of {}", self.tight(items, Of));
        }
        let down = size.is_some_and(|size| size < 0);
        let known = size.is_some_and(|size| size.abs() == 1);
        let start = self.tight(from, Infix);
        let end = match (inclusive, known) {
            (true, _) => self.tight(to, Infix),
            (false, true) => self.shifted(to, if down { 1 } else { -1 }),
            (false, false) => format!("{} (exclusive)", self.tight(to, Of)),
        };
        let direction = if down { "down to" } else { "to" };
        let mut text = format!("from {start} {direction} {end}");
        match size {
            Some(1 | -1) => {}
            Some(size) => text += &format!(" in steps of {}", size.abs()),
            None => text += &format!(" in steps of {}", self.tight(step, Infix)),
        }
        text
    }

    /// The phrase of an integer expression plus `by`, worked out where numbers allow.
    fn shifted(&mut self, value: &Expr, by: i64) -> String {
        if let Some(number) = value.integer().and_then(|number| number.checked_add(by)) {
            return number.to_string();
        }
        if let Expr::Chain(first, rest) = value
            && let Some(((op @ (Op::Add | Op::Sub), last), before)) = rest.split_last()
            && let Some(number) = last.integer()
        {
            let signed = if *op == Op::Add { number } else { -number };
            if let Some(sum) = signed.checked_add(by) {
                let base = if before.is_empty() {
                    (**first).clone()
                } else {
                    Expr::Chain(first.clone(), before.to_vec())
                };
                let base = self.tight(&base, Infix);
                return match sum {
                    0 => base,
                    sum if sum > 0 => format!("{base} plus {sum}"),
                    sum => format!("{base} minus {}", sum.unsigned_abs()),
                };
            }
        }
        // "a plus b minus 1" reads from the left; products bind tighter still.
        let base = self.tight(value, Infix);
        if by < 0 {
            format!("{base} minus {}", by.unsigned_abs())
        } else {
            format!("{base} plus {by}")
        }
    }

    // ---------------------------------------------------------------- phrases

    /// The phrase of a value with nothing around it.
    fn top(&mut self, value: &Expr) -> String {
        self.phrase(value).0
    }

    /// As [`top`](Self::top), where several values may stand side by side: `return a and b`.
    fn values(&mut self, value: &Expr) -> String {
        match value {
            Expr::Items(Collection::Tuple, items) if items.len() > 1 => self.list(items, "and"),
            value => self.top(value),
        }
    }

    /// The phrase of a value, in parentheses where it is looser than `grip`.
    fn tight(&mut self, value: &Expr, grip: Grip) -> String {
        let (text, own) = self.phrase(value);
        if own > grip { format!("({text})") } else { text }
    }

    /// The phrases of some values as a list: the only one may be loose, several may not.
    fn list(&mut self, values: &[Expr], last: &str) -> String {
        if let [only] = values {
            return self.top(only);
        }
        let more = values.len().saturating_sub(MOST_ITEMS);
        let mut words: Vec<String> =
            values.iter().take(MOST_ITEMS).map(|value| self.tight(value, Infix)).collect();
        if more > 0 {
            self.shortened += 1;
            words.push(format!("{more} more"));
        }
        join(&words, last)
    }

    /// Fills a template; parts in plain slots are held at least as tightly as `grip`.
    fn fill(&mut self, template: &str, parts: &[Expr], grip: Grip) -> String {
        self.fill_after(template, parts, grip, Grip::Clause)
    }

    /// As [`fill`](Self::fill); a slot that opens the template is held at least as `opening`.
    fn fill_after(&mut self, template: &str, parts: &[Expr], grip: Grip, opening: Grip) -> String {
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            text += before;
            let Some((slot, after)) = after.split_once('}') else { break };
            rest = after;
            let limit = if text.is_empty() { opening } else { Grip::Clause };
            let part = |digits: &str| digits.parse().ok().and_then(|index: usize| parts.get(index));
            text += &match slot.split_at_checked(1) {
                Some(("*", "")) => self.list(parts, "and"),
                Some(("|", "")) => self.list(parts, "or"),
                Some((from, "*")) => {
                    let from = from.parse().unwrap_or(0).min(parts.len());
                    self.list(&parts[from..], "and")
                }
                Some(("|", index)) => match part(index) {
                    Some(Expr::Items(Collection::Tuple, items)) => self.list(items, "or"),
                    Some(part) => self.tight(part, Of),
                    None => String::new(),
                },
                Some(("c", index)) => {
                    part(index).map(|part| self.condition(part, true)).unwrap_or_default()
                }
                Some(("o", index)) => {
                    part(index).map(|part| self.tight(part, Of.min(limit))).unwrap_or_default()
                }
                _ => part(slot).map(|part| self.tight(part, grip.min(limit))).unwrap_or_default(),
            };
        }
        text + rest
    }

    fn phrase(&mut self, value: &Expr) -> Phrase {
        if self.nesting >= DEEPEST_PHRASE && !value.children().is_empty() && value.path().is_none()
        {
            self.shortened += 1;
            let names = names_in(value);
            return self.made_of(&names);
        }
        self.nesting += 1;
        let phrase = self.phrase_within(value);
        self.nesting -= 1;
        phrase
    }

    fn alternatives(&mut self, items: &[Expr], link: &str) -> String {
        let mut words: Vec<String> =
            items.iter().take(MOST_ITEMS).map(|item| self.tight(item, With)).collect();
        if items.len() > MOST_ITEMS {
            self.shortened += 1;
            words.push(format!("{} more", items.len() - MOST_ITEMS));
        }
        words.join(link)
    }

    fn made_of(&mut self, names: &[String]) -> Phrase {
        match names {
            [] => ("a computed value".into(), Of),
            names => (format!("a value computed from {}", join(names, "and")), With),
        }
    }

    fn phrase_within(&mut self, value: &Expr) -> Phrase {
        match value {
            Expr::Name(name) | Expr::Number(name) => (name.clone(), Word),
            Expr::Text { content, .. } if content.is_empty() => ("an empty string".into(), Of),
            Expr::Text { prefix, quote, content } => {
                let (text, cut) = quoted(prefix, *quote, content);
                self.shortened += usize::from(cut);
                (text, Word)
            }
            Expr::Format { template, values } => {
                let template = self.tight(template, Of);
                match values.as_slice() {
                    [] => (template, Word),
                    values => {
                        (format!("{template} filled with {}", self.list(values, "and")), With)
                    }
                }
            }
            Expr::Attribute(base, name) => match value.path() {
                Some(path) => (path, Word),
                None => (format!("the {name} of {}", self.tight(base, Of)), Of),
            },
            Expr::Index(base, at) => self.index(base, at),
            Expr::Slice { of, from, to, step } => {
                self.slice(of.as_deref(), from.as_deref(), to.as_deref(), step.as_deref())
            }
            Expr::Call(callee, arguments) => self.call(callee, arguments),
            Expr::New { class, arguments, members } => {
                self.new_object(class, arguments, members.is_some())
            }
            Expr::Named(name, value) => {
                (format!("{name} set to {}", self.tight(value, Infix)), Infix)
            }
            Expr::Spread(inner) => (format!("the elements of {}", self.tight(inner, Of)), Of),
            Expr::SpreadEntries(inner) => (format!("the entries of {}", self.tight(inner, Of)), Of),
            Expr::Chain(first, rest) => self.chain(first, rest),
            Expr::Negative(inner) => match &**inner {
                Expr::Number(digits) => (format!("-{digits}"), Word),
                inner => (format!("minus {}", self.tight(inner, Of)), Infix),
            },
            Expr::BitNot(inner) => {
                (format!("the bitwise complement of {}", self.tight(inner, Of)), Of)
            }
            Expr::Or(items) if !self.is_condition(value) => {
                (self.alternatives(items, " or else "), Grip::Clause)
            }
            Expr::And(items) if !self.is_condition(value) => {
                (self.alternatives(items, " and then "), Grip::Clause)
            }
            Expr::Compare(..) | Expr::And(_) | Expr::Or(_) | Expr::Not(_) | Expr::Test { .. } => {
                (format!("whether {}", self.condition(value, true)), Grip::Clause)
            }
            Expr::Choice { condition, then, otherwise } => {
                let then = self.tight(then, With);
                let condition = self.condition(condition, true);
                let chain = matches!(**otherwise, Expr::Choice { .. });
                let grip = if chain { Grip::Clause } else { With };
                let otherwise = self.tight(otherwise, grip);
                (format!("{then} if {condition}, otherwise {otherwise}"), Grip::Clause)
            }
            Expr::Items(kind, items) => self.items(*kind, items),
            Expr::Entry(key, value) => {
                (format!("{} set to {}", self.tight(key, Of), self.tight(value, Infix)), Infix)
            }
            Expr::Comprehension { kind, element, clauses } => {
                self.comprehension(*kind, element, clauses)
            }
            Expr::Lambda { parameters, value } => {
                let name = self.closure_name(parameters, "a function");
                (format!("{name} that returns {}", self.top(value)), Grip::Clause)
            }
            Expr::Closure { parameters, .. } => (self.closure_name(parameters, "a function"), With),
            Expr::Bind(name, value) => {
                let name = self.tight(name, Of);
                (format!("{name} (set to {})", self.top(value)), Of)
            }
            Expr::Below { template, parts, .. } => (self.fill(template, parts, Of), Of),
            Expr::Await(inner) => {
                (format!("the awaited {}", strip_the(&self.tight(inner, With))), With)
            }
            Expr::Convert(inner, kind) => {
                let verb = if self.language == Language::Java { "cast" } else { "converted" };
                (format!("{} {verb} to {kind}", self.tight(inner, Of)), Infix)
            }
            Expr::Say(template, parts) => {
                let loose = !template.ends_with('}') || template.contains('*');
                (self.fill(template, parts, Of), if loose { With } else { Of })
            }
            Expr::Unknown(parts) => match parts.as_slice() {
                [] => ("an unnamed value".into(), Of),
                parts => (format!("a combination of {}", self.list(parts, "and")), With),
            },
            Expr::TooDeep(names) => self.made_of(names),
        }
    }

    fn index(&mut self, base: &Expr, at: &Expr) -> Phrase {
        if let Expr::Text { content, .. } = at
            && !content.is_empty()
        {
            let key = self.tight(at, Of);
            return (format!("the {key} entry of {}", self.tight(base, Of)), Of);
        }
        if let Some(number) = at.integer() {
            let place = match number {
                -1 => Some("last".to_owned()),
                -2 => Some("second to last".to_owned()),
                number if number >= 0 => ordinal(number.saturating_add(1)).map(str::to_owned),
                _ => None,
            };
            if let Some(place) = place {
                return (format!("the {place} element of {}", self.tight(base, Of)), Of);
            }
        }
        if self.language == Language::Python
            && let Some(class) = base.path().filter(|path| is_class(path))
        {
            // Optional[int]: a type of types.
            let arguments = match at {
                Expr::Items(Collection::Tuple, parts) => self.list(parts, "and"),
                one => self.top(one),
            };
            return (format!("{class} of {arguments}"), With);
        }
        // a[i][j] in one breath.
        let mut places = vec![at];
        let mut inner = base;
        while let Expr::Index(base, at) = inner {
            let said_otherwise = at.integer().is_some() || matches!(**at, Expr::Text { .. });
            if places.len() == MOST_ITEMS || said_otherwise {
                break;
            }
            places.push(at);
            inner = base;
        }
        places.reverse();
        let places: Vec<String> = places
            .into_iter()
            .map(|place| match place {
                Expr::Items(Collection::Tuple, parts) if parts.len() > 1 => self.list(parts, "and"),
                place => self.tight(place, Of),
            })
            .collect();
        (format!("the element of {} at {}", self.tight(inner, Of), places.join(", ")), Of)
    }

    /// One dimension of several.
    fn bounds(&mut self, from: Option<&Expr>, to: Option<&Expr>, step: Option<&Expr>) -> Phrase {
        let mut words = match (from, to) {
            (None, None) => "everything".to_owned(),
            (Some(from), None) => format!("index {} on", self.tight(from, Of)),
            (None, Some(to)) => format!("the start to {} (exclusive)", self.tight(to, Of)),
            (Some(from), Some(to)) => {
                format!("index {} to {} (exclusive)", self.tight(from, Of), self.tight(to, Of))
            }
        };
        if let Some(step) = step {
            words += &format!(" in steps of {}", self.tight(step, Of));
        }
        (words, Of)
    }

    fn slice(
        &mut self,
        of: Option<&Expr>,
        from: Option<&Expr>,
        to: Option<&Expr>,
        step: Option<&Expr>,
    ) -> Phrase {
        let Some(of) = of else { return self.bounds(from, to, step) };
        let base = self.tight(of, Of);
        let number = |side: Option<&Expr>| side.and_then(Expr::integer);
        let mut text = match (from, to) {
            (None, None) => match number(step) {
                None if step.is_none() => return (format!("a copy of {base}"), Of),
                Some(-1) => return (format!("the reverse of {base}"), Of),
                _ => format!("the elements of {base}"),
            },
            (None, Some(_)) if number(to) == Some(-1) => {
                format!("all but the last element of {base}")
            }
            (None, Some(_)) if number(to) == Some(1) => format!("the first 1 element of {base}"),
            (None, Some(Expr::Negative(count))) => {
                format!("all but the last {} elements of {base}", self.tight(count, Of))
            }
            (None, Some(to)) => format!("the first {} elements of {base}", self.tight(to, Of)),
            (Some(_), None) if number(from) == Some(1) => {
                format!("all but the first element of {base}")
            }
            (Some(_), None) if number(from) == Some(-1) => format!("the last 1 element of {base}"),
            (Some(Expr::Negative(count)), None) => {
                format!("the last {} elements of {base}", self.tight(count, Of))
            }
            (Some(from), None) => {
                format!("the elements of {base} from index {} on", self.tight(from, Infix))
            }
            (Some(from), Some(to)) => format!(
                "the elements of {base} from index {} to {} (exclusive)",
                self.tight(from, Infix),
                self.tight(to, Infix)
            ),
        };
        match number(step) {
            None if step.is_none() => return (text, Of),
            Some(1) => return (text, Of),
            Some(2) => text += ", every second one",
            Some(-1) => text += ", backwards",
            _ => {
                if let Some(step) = step {
                    text += &format!(", in steps of {}", self.tight(step, Of));
                }
            }
        }
        (text, With)
    }

    fn call(&mut self, callee: &Expr, arguments: &[Expr]) -> Phrase {
        match self.idiom(callee, arguments, false) {
            Some(phrase) => phrase,
            None => self.plain_call(callee, arguments),
        }
    }

    /// A call in the words that fit every call.
    fn plain_call(&mut self, callee: &Expr, arguments: &[Expr]) -> Phrase {
        if self.language == Language::Python && callee.path().is_some_and(|path| is_class(&path)) {
            return self.new_object(&callee.path().unwrap_or_default(), arguments, false);
        }
        let name = match (callee.path(), callee) {
            (Some(path), _) => path,
            // f(a).g(b): one result after the other.
            (None, Expr::Attribute(base, method)) => {
                let (base, own) = self.phrase(base);
                if let Some(call) = base.strip_prefix("the result of ") {
                    let text = format!("the result of {call}, then {method}");
                    return match arguments {
                        [] => (text, Grip::With),
                        _ => (format!("{text} with {}", self.arguments(arguments)), With),
                    };
                }
                if own > Of {
                    format!("{method} on ({base})")
                } else {
                    format!("{method} on {base}")
                }
            }
            (None, callee) => self.tight(callee, Of),
        };
        match arguments {
            [] => (format!("the result of {name}"), Of),
            _ => (format!("the result of {name} with {}", self.arguments(arguments)), With),
        }
    }

    /// Arguments as a list; a clause is set apart, for more may follow.
    fn arguments(&mut self, arguments: &[Expr]) -> String {
        match arguments {
            [only] => self.tight(only, With),
            several => self.list(several, "and"),
        }
    }

    /// The words of a well-known call, as a step or as a value.
    fn idiom(&mut self, callee: &Expr, arguments: &[Expr], step: bool) -> Option<Phrase> {
        if let Some(phrase) = self.special(callee, arguments) {
            return (!step).then_some(phrase);
        }
        if arguments.iter().any(is_named_or_spread) {
            return None;
        }
        let (receiver, idiom) = idioms::find(self.language, callee, arguments.len(), step)?;
        let parts: Vec<Expr> = receiver.into_iter().chain(arguments).cloned().collect();
        Some(match idiom {
            Idiom::Step(template) => (self.fill(template, &parts, With), With),
            Idiom::Value(template) => {
                let grip = match template {
                    // "x in lower case" and the like: words follow the last part.
                    template if template.contains(", or ") => Grip::Clause,
                    template if !template.contains('{') => Of,
                    template if !template.ends_with('}') => Infix,
                    template
                        if [" with ", " by ", " named ", "*"]
                            .iter()
                            .any(|w| template.contains(w)) =>
                    {
                        With
                    }
                    _ => Of,
                };
                // Words that follow a phrase would seem to belong to its end.
                (self.fill_after(template, &parts, Of, Word), grip)
            }
            Idiom::Test(holds, _) => {
                (format!("whether {}", self.fill(holds, &parts, Of)), Grip::Clause)
            }
        })
    }

    /// Calls that take more than a template.
    fn special(&mut self, callee: &Expr, arguments: &[Expr]) -> Option<Phrase> {
        match (callee, arguments) {
            // '...{}...'.format(a, b)
            (Expr::Attribute(base, method), values)
                if method == "format"
                    && self.language == Language::Python
                    && matches!(**base, Expr::Text { .. }) =>
            {
                let template = Expr::Format { template: base.clone(), values: values.to_vec() };
                Some(self.phrase(&template))
            }
            (
                Expr::Name(name),
                [Expr::Comprehension { kind: Collection::Values, element, clauses }],
            ) if self.language == Language::Python && (name == "any" || name == "all") => Some((
                format!("whether {}", self.quantified(name, element, clauses, true)),
                Grip::Clause,
            )),
            (callee, [template, values @ ..])
                if matches!(template, Expr::Text { .. })
                    && idioms::is_formatter(self.language, callee) =>
            {
                let format =
                    Expr::Format { template: Box::new(template.clone()), values: values.to_vec() };
                Some(self.phrase(&format))
            }
            _ => None,
        }
    }

    /// `some x in xs is positive`; negated: `no x in xs is positive`.
    fn quantified(
        &mut self,
        name: &str,
        element: &Expr,
        clauses: &[Clause],
        positive: bool,
    ) -> String {
        let condition = self.condition(element, true);
        let clauses = self.clauses(clauses);
        match (name, positive) {
            ("any", true) => format!("{condition} for some {clauses}"),
            ("any", false) => format!("{condition} for no {clauses}"),
            (_, true) => format!("{condition} for every {clauses}"),
            (_, false) => format!("{condition} not for every {clauses}"),
        }
    }

    fn new_object(&mut self, class: &str, arguments: &[Expr], members: bool) -> Phrase {
        let below = if members { BELOW } else { "" };
        match arguments {
            [] => (format!("a new {class}{below}"), Of),
            arguments => (format!("a new {class}{below} with {}", self.arguments(arguments)), With),
        }
    }

    fn chain(&mut self, first: &Expr, rest: &[(Op, Expr)]) -> Phrase {
        let pluses = rest.iter().all(|(op, _)| *op == Op::Add);
        if pluses && (self.textual(first) || rest.iter().any(|(_, item)| self.textual(item))) {
            let items: Vec<Expr> =
                std::iter::once(first).chain(rest.iter().map(|(_, item)| item)).cloned().collect();
            return (format!("the concatenation of {}", self.list(&items, "and")), With);
        }
        if let ([(Op::Mod, values)], Language::Python) = (rest, self.language)
            && is_template(first)
        {
            let values = match values {
                Expr::Items(Collection::Tuple, values) => values.clone(),
                value => vec![value.clone()],
            };
            return self.phrase(&Expr::Format { template: Box::new(first.clone()), values });
        }
        if let [(Op::Pow, power)] = rest {
            match power.integer() {
                Some(2) => return (format!("{} squared", self.tight(first, Of)), Infix),
                Some(3) => return (format!("{} cubed", self.tight(first, Of)), Infix),
                _ => {}
            }
        }
        let class = rest.first().map_or(0, |(op, _)| op.class());
        // School arithmetic needs no parentheses: a product inside a sum.
        let operand = |english: &mut English, item: &Expr| match item {
            Expr::Chain(_, inner)
                if class == 4
                    && inner.first().is_some_and(|(op, _)| op.class() >= 5)
                    && !inner.iter().any(|(op, _)| *op == Op::MatMul) =>
            {
                english.tight(item, Infix)
            }
            item => english.tight(item, Of),
        };
        let mut text = operand(self, first);
        for (op, item) in rest.iter().take(MOST_ITEMS) {
            text += " ";
            text += infix(*op);
            text += " ";
            text += &operand(self, item);
        }
        if rest.len() > MOST_ITEMS {
            self.shortened += 1;
            text += &format!(" and so on with {} more", rest.len() - MOST_ITEMS);
        }
        (text, Infix)
    }

    fn items(&mut self, kind: Collection, items: &[Expr]) -> Phrase {
        let name = collection(kind);
        if items.is_empty() {
            return (format!("{} empty {name}", article("empty")), Of);
        }
        let words = self.list(items, "and");
        match kind {
            Collection::Tuple if items.len() == 2 => (format!("the pair of {words}"), With),
            Collection::Tuple if items.len() > 2 => (format!("the tuple of {words}"), With),
            Collection::Tuple => (format!("the tuple of {words} alone"), With),
            Collection::Dictionary => (format!("the dictionary with {words}"), With),
            Collection::List | Collection::Set | Collection::Values | Collection::Array => {
                (format!("the {name} of {words}"), With)
            }
        }
    }

    fn comprehension(&mut self, kind: Collection, element: &Expr, clauses: &[Clause]) -> Phrase {
        let name = match kind {
            Collection::List => "the list of ",
            Collection::Set => "the set of ",
            Collection::Dictionary => "the dictionary of ",
            _ => "",
        };
        let text = match (element, clauses) {
            // [x for x in xs if …]
            (element, [Clause::For { target, .. }, ..]) if element == target => {
                format!("{name}each {}", self.clauses(clauses))
            }
            (Expr::Entry(key, value), clauses) => {
                let key = self.tight(key, Infix);
                let value = self.tight(value, Infix);
                format!("{name}{key} to {value} for each {}", self.clauses(clauses))
            }
            (element, clauses) => {
                format!("{name}{} for each {}", self.tight(element, With), self.clauses(clauses))
            }
        };
        (text, Grip::Clause)
    }

    fn clauses(&mut self, clauses: &[Clause]) -> String {
        let mut text = String::new();
        let mut conditions = 0;
        for (index, clause) in clauses.iter().enumerate() {
            match clause {
                Clause::For { target, iterable } => {
                    if index > 0 {
                        text += " and each ";
                    }
                    text += &self.each(target, iterable);
                    conditions = 0;
                }
                Clause::If(condition) => {
                    text += if conditions == 0 { " where " } else { " and " };
                    text += &self.condition(condition, true);
                    conditions += 1;
                }
            }
        }
        text
    }

    // ---------------------------------------------------------------- conditions

    /// Whether an expression gives a truth value by its form.
    fn is_condition(&self, value: &Expr) -> bool {
        match value {
            Expr::Compare(..) | Expr::Not(_) | Expr::Test { .. } => true,
            Expr::And(items) | Expr::Or(items) => {
                // Only in Python do other values than truth values have an "and" and "or".
                self.language != Language::Python
                    || items.iter().all(|item| self.is_condition(item))
            }
            Expr::Call(callee, arguments) => {
                matches!(
                    idioms::find(self.language, callee, arguments.len(), false),
                    Some((_, Idiom::Test(..)))
                )
            }
            _ => false,
        }
    }

    /// The reading of a value as a condition, or as its opposite.
    fn condition(&mut self, value: &Expr, positive: bool) -> String {
        if self.nesting >= DEEPEST_PHRASE {
            self.shortened += 1;
            let names = names_in(value);
            let opposite = if positive { "holds" } else { "does not hold" };
            return match names.as_slice() {
                [] => format!("a further condition {opposite}"),
                names => format!("a condition on {} {opposite}", join(names, "and")),
            };
        }
        self.nesting += 1;
        let text = self.condition_within(value, positive);
        self.nesting -= 1;
        text
    }

    fn condition_within(&mut self, value: &Expr, positive: bool) -> String {
        match value {
            Expr::Not(inner) => self.condition(inner, !positive),
            Expr::And(items) => self.joined(items, positive, positive),
            // Not (a or b) is (not a) and (not b).
            Expr::Or(items) => self.joined(items, !positive, positive),
            Expr::Compare(first, rest) => self.compared(first, rest, positive),
            Expr::Test { holds, fails, parts } => {
                self.fill(if positive { holds } else { fails }, parts, Of)
            }
            Expr::Call(callee, arguments) => {
                if let (
                    Expr::Name(name),
                    [Expr::Comprehension { kind: Collection::Values, element, clauses }],
                ) = (&**callee, arguments.as_slice())
                    && (name == "any" || name == "all")
                    && self.language == Language::Python
                {
                    return self.quantified(name, element, clauses, positive);
                }
                if !arguments.iter().any(is_named_or_spread)
                    && let Some((receiver, Idiom::Test(holds, fails))) =
                        idioms::find(self.language, callee, arguments.len(), false)
                {
                    let parts: Vec<Expr> = receiver.into_iter().chain(arguments).cloned().collect();
                    return self.fill(if positive { holds } else { fails }, &parts, Of);
                }
                self.truth(value, positive)
            }
            value => self.truth(value, positive),
        }
    }

    fn truth(&mut self, value: &Expr, positive: bool) -> String {
        let text = self.side(value);
        format!("{text} is {}", if positive { "true" } else { "false" })
    }

    /// A side of a comparison: a call with several arguments is set apart.
    fn side(&mut self, value: &Expr) -> String {
        match self.phrase(value) {
            (text, With) if text.contains(" and ") => format!("({text})"),
            (text, own) if own > With => format!("({text})"),
            (text, _) => text,
        }
    }

    fn joined(&mut self, items: &[Expr], all: bool, positive: bool) -> String {
        let mut words: Vec<String> = Vec::new();
        for item in items.iter().take(MOST_ITEMS) {
            let text = self.condition(item, positive);
            // "a and b or c": the inner row is set apart.
            let row = match item {
                Expr::Not(inner) => inner,
                item => item,
            };
            let mixed = matches!(row, Expr::And(_) | Expr::Or(_));
            words.push(if mixed { format!("({text})") } else { text });
        }
        if items.len() > MOST_ITEMS {
            self.shortened += 1;
            words.push(format!("{} more conditions hold", items.len() - MOST_ITEMS));
        }
        words.join(if all { " and " } else { " or " })
    }

    fn compared(&mut self, first: &Expr, rest: &[(Cmp, Expr)], positive: bool) -> String {
        if let [(cmp, second)] = rest {
            let cmp = if positive { *cmp } else { cmp.negated() };
            return self.comparison(first, cmp, second);
        }
        if rest.len() > MOST_ITEMS {
            self.shortened += 1;
        }
        let rest = &rest[..rest.len().min(MOST_ITEMS)];
        let text = match rest {
            // a <= x < b: x is between.
            [(low, middle), (high, last)]
                if matches!(low, Cmp::Lt | Cmp::Le) && matches!(high, Cmp::Lt | Cmp::Le) =>
            {
                let from = low.mirrored().unwrap_or(*low);
                format!(
                    "{} {} {} and {} {}",
                    self.tight(middle, With),
                    comparison(from),
                    self.tight(first, Infix),
                    comparison(*high).trim_start_matches("is "),
                    self.tight(last, Infix)
                )
            }
            rest => {
                let mut left = first;
                let mut words = Vec::new();
                for (cmp, right) in rest {
                    words.push(self.comparison(left, *cmp, right));
                    left = right;
                }
                words.join(" and ")
            }
        };
        if positive { text } else { format!("it is not so that {text}") }
    }

    fn comparison(&mut self, left: &Expr, cmp: Cmp, right: &Expr) -> String {
        let equal = match cmp {
            Cmp::Eq => Some(true),
            Cmp::Ne => Some(false),
            _ => None,
        };
        // Constants stand on the right, as people say it.
        if matches!(left, Expr::Number(_) | Expr::Text { .. })
            && !matches!(right, Expr::Number(_) | Expr::Text { .. })
            && let Some(mirrored) = cmp.mirrored()
        {
            return self.comparison(right, mirrored, left);
        }
        if let (Expr::Chain(base, ops), Some(number)) = (left, right.integer())
            && let [(Op::Mod, divisor)] = ops.as_slice()
            && !matches!(**base, Expr::Text { .. })
            && let Some(equal) = equal
        {
            let even = divisor.integer() == Some(2);
            let not = if equal { "" } else { "not " };
            match number {
                0 if even => {
                    let word = if equal { "even" } else { "odd" };
                    return format!("{} is {word}", self.tight(base, Infix));
                }
                // A negative odd number gives -1 in Java and Go: only equality with 1 in Python
                // is the same as being odd.
                1 if even && self.language == Language::Python => {
                    let word = if equal { "odd" } else { "even" };
                    return format!("{} is {word}", self.tight(base, Infix));
                }
                0 => {
                    let base = self.tight(base, Infix);
                    return format!("{base} is {not}divisible by {}", self.tight(divisor, Of));
                }
                _ => {}
            }
        }
        if let Some(equal) = equal {
            let not = if equal { "" } else { "not " };
            match right {
                Expr::Text { content, .. } if content.is_empty() => {
                    return format!("{} is {not}an empty string", self.side(left));
                }
                Expr::Items(_, items) if items.is_empty() => {
                    return format!("{} is {not}{}", self.side(left), self.top(right));
                }
                Expr::Name(none) if matches!(none.as_str(), "null" | "nil") => {
                    return format!("{} is {not}{none}", self.side(left));
                }
                _ => {}
            }
        }
        format!("{} {} {}", self.side(left), comparison(cmp), self.side(right))
    }
}

/// What follows the class of an object whose members are told below.
const BELOW: &str = " (defined below)";

fn collection(kind: Collection) -> &'static str {
    match kind {
        Collection::List => "list",
        Collection::Tuple => "tuple",
        Collection::Set => "set",
        Collection::Dictionary => "dictionary",
        Collection::Values => "sequence",
        Collection::Array => "array",
    }
}

/// The parts of a value that have steps of their own, in order.
fn steps_below(value: &Expr) -> Vec<&Expr> {
    let mut found = Vec::new();
    let mut pending = vec![value];
    while let Some(expr) = pending.pop() {
        if matches!(
            expr,
            Expr::Closure { .. } | Expr::New { members: Some(_), .. } | Expr::Below { .. }
        ) {
            found.push(expr);
        }
        pending.extend(expr.children().into_iter().rev());
    }
    found
}

/// Whether a value is a text by its form.
fn textual(language: Language, value: &Expr) -> bool {
    let textual = |value: &Expr| textual(language, value);
    match value {
        // A character in single quotes is a number in Java and Go.
        Expr::Text { quote, .. } => *quote != '\'' || language == Language::Python,
        Expr::Format { .. } => true,
        Expr::Chain(first, rest) => {
            textual(first) || rest.iter().any(|(op, item)| *op == Op::Add && textual(item))
        }
        Expr::Call(callee, _) if idioms::is_formatter(language, callee) => true,
        Expr::Call(callee, _) => {
            matches!(&**callee, Expr::Attribute(base, method) if method == "format" && textual(base))
        }
        _ => false,
    }
}

/// Whether `first % values` fills in a text: a literal, or one that a call such as `_('…')` gives.
fn is_template(first: &Expr) -> bool {
    match first {
        Expr::Text { .. } => true,
        Expr::Call(_, arguments) => matches!(arguments.as_slice(), [Expr::Text { .. }]),
        _ => false,
    }
}

/// The place of the only name among targets that are `_` otherwise.
fn only_named(names: &[Expr]) -> Option<usize> {
    let blank = |name: &Expr| matches!(name, Expr::Name(name) if name == "_");
    let mut named = names.iter().enumerate().filter(|(_, name)| !blank(name));
    match (named.next(), named.next()) {
        (Some((index, name)), None) if names.len() > 1 && !is_spread(name) => Some(index),
        _ => None,
    }
}

fn is_spread(value: &Expr) -> bool {
    matches!(value, Expr::Spread(_))
}

fn is_named_or_spread(value: &Expr) -> bool {
    matches!(value, Expr::Named(..) | Expr::Spread(_) | Expr::SpreadEntries(_))
}

/// Whether a target of a simultaneous assignment occurs among the values after its own.
fn depends(targets: &[Expr], values: &[Expr]) -> bool {
    let written: Vec<String> = targets.iter().filter_map(Expr::path).collect();
    values.iter().skip(1).any(|value| {
        let mut pending = vec![value];
        while let Some(expr) = pending.pop() {
            if expr.path().is_some_and(|path| written.contains(&path)) {
                return true;
            }
            pending.extend(expr.children());
        }
        false
    })
}

fn strip_the(text: &str) -> &str {
    text.strip_prefix("the ").unwrap_or(text)
}

fn file_mode(mode: &str) -> Option<&'static str> {
    Some(match mode {
        "r" | "rt" => " for reading",
        "rb" => " for reading bytes",
        "w" | "wt" => " for writing",
        "wb" => " for writing bytes",
        "a" | "at" => " for appending",
        "ab" => " for appending bytes",
        "x" => " as a new file for writing",
        "r+" => " for reading and writing",
        "r+b" | "rb+" => " for reading and writing bytes",
        _ => return None,
    })
}

/// The first few different names in an expression.
fn names_in(value: &Expr) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut pending = vec![value];
    while let Some(expr) = pending.pop() {
        if names.len() == MOST_NAMES {
            break;
        }
        if let Some(path) = expr.path() {
            if !names.contains(&path) {
                names.push(path);
            }
            continue;
        }
        if let Expr::TooDeep(inner) = expr {
            for name in inner {
                if names.len() < MOST_NAMES && !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        pending.extend(expr.children().into_iter().rev());
    }
    names
}
