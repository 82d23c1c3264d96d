//! Statements as steps.

use code_syntax::Language;
use distill_core::Step;

use super::known::Kind;
use super::{
    BELOW, Clause, DEEPEST_PHRASE, English, Infix, LONGEST_STEP, MOST_ITEMS, MOST_PARTS, Of, With,
    collection,
};
use crate::idioms;
use crate::ir::{Branch, Case, Class, Cmp, Collection, Expr, Function, Op, Parameter, Stmt, Takes};
use crate::ir::{FOLLOWED, IF_ALL_SET, IF_SET};
use crate::phrase::{infix, is_class, join, ordinal};

/// Fewest calls in a chain that is told a call a step where it is long.
const LONGEST_CHAIN: usize = 3;

impl English {
    pub(super) fn step(&mut self, text: impl AsRef<str>) {
        self.steps.push(Step::new(self.depth, text.as_ref()));
    }

    pub(super) fn block(&mut self, statements: &[Stmt]) {
        self.block_after(0, statements);
    }

    /// The steps of a block that has `before` steps above it on the same level. Steps are grouped
    /// where too many would stand side by side.
    pub(super) fn block_after(&mut self, before: usize, statements: &[Stmt]) {
        let start = self.steps.len();
        let mut flat = Vec::new();
        let mut pending: Vec<std::slice::Iter<Stmt>> = vec![statements.iter()];
        while let Some(level) = pending.last_mut() {
            match level.next() {
                Some(Stmt::Block(inner)) => pending.push(inner.iter()),
                Some(statement) => flat.push(statement),
                None => {
                    pending.pop();
                }
            }
        }
        let mut ends = Vec::with_capacity(flat.len());
        for statement in &flat {
            self.statement(statement);
            ends.push(self.steps.len());
        }
        self.group(start, before, &flat, &ends);
    }

    /// A heading and the steps below it; a block without steps says so.
    pub(super) fn under(&mut self, heading: impl AsRef<str>, body: &[Stmt]) {
        // A key that is called key needs no second word.
        let mut heading = heading.as_ref().to_owned();
        for word in ["key", "value", "index", "element", "character", "line"] {
            heading = heading.replacen(&format!(" {word} {word} "), &format!(" {word} "), 1);
        }
        self.step(heading);
        self.depth += 1;
        let before = self.steps.len();
        self.block(body);
        if self.steps.len() == before {
            self.step("do nothing");
        }
        self.depth -= 1;
    }

    pub(super) fn statement(&mut self, statement: &Stmt) {
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
            // A value that does nothing.
            Stmt::Expr(Expr::Name(name))
                if self.language == Language::Ruby
                    && matches!(name.as_str(), "nil" | "true" | "false" | "self") => {}
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
                let heading =
                    format!("for each {}:", self.counted(variable, from, to, *inclusive, step));
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
                let text = self.fill(template, parts, Clause);
                match parts.as_slice() {
                    [] => self.step(text),
                    [one] => self.step_with(text, one),
                    several => self.step_with(text, &Expr::Unknown(several.to_vec())),
                }
            }
            Stmt::Under(template, parts, body) => {
                let heading = self.fill(template, parts, Clause);
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
    pub(super) fn inline(&mut self, statements: &[Stmt]) -> String {
        let steps = std::mem::take(&mut self.steps);
        self.block(statements);
        let texts: Vec<String> =
            std::mem::replace(&mut self.steps, steps).into_iter().map(|step| step.text).collect();
        join(&texts, "and")
    }

    pub(super) fn function_heading(&mut self, function: &Function) -> String {
        let mut text = format!("define the {} {}", function.kind, function.name);
        text.truncate(text.trim_end().len());
        if !function.parameters.is_empty() {
            text += " with ";
            text += &self.parameters(&function.parameters);
        }
        text += &self.decorated(&function.decorators);
        text
    }

    pub(super) fn parameters(&mut self, parameters: &[Parameter]) -> String {
        let plain = parameters.iter().filter(|one| one.takes == Takes::One).count();
        let mut words: Vec<String> = Vec::new();
        for (index, parameter) in parameters.iter().enumerate() {
            let mut text = match parameter.takes {
                Takes::One if index == 0 && plain == 1 => format!("argument {}", parameter.name),
                Takes::One if index == 0 => format!("arguments {}", parameter.name),
                Takes::One => parameter.name.clone(),
                Takes::Block => format!("the block {}", parameter.name),
                Takes::Rest => format!("any further arguments {}", parameter.name),
                Takes::RestByName => format!("any keyword arguments {}", parameter.name),
            };
            if let Some(default) = &parameter.default {
                text += &format!(" (default {})", self.top(default));
            }
            words.push(text.trim_end().to_owned());
        }
        join(&words, "and")
    }

    pub(super) fn class_heading(&mut self, class: &Class) -> String {
        let mut heading = format!("define the {} {}", class.kind, class.name);
        if !class.parents.is_empty() {
            heading += " derived from ";
            heading += &self.list(&class.parents, "and");
        }
        heading += &self.decorated(&class.decorators);
        heading
    }

    fn decorated(&mut self, decorators: &[Expr]) -> String {
        let words: Vec<String> = decorators
            .iter()
            .map(|one| {
                let text = self.top(one);
                let call = text.strip_prefix("the result of ");
                match call {
                    Some(call) if call.contains(" and ") => format!("({call})"),
                    Some(call) => call.to_owned(),
                    None => text,
                }
            })
            .collect();
        match words.as_slice() {
            [] => String::new(),
            words => format!(", decorated with {}", join(words, "and")),
        }
    }

    pub(super) fn class(&mut self, class: &Class) {
        let heading = self.class_heading(class);
        if class.body.is_empty() {
            self.step(heading);
        } else {
            self.under(heading + ":", &class.body);
        }
    }

    pub(super) fn assign(&mut self, targets: &[Expr], value: &Expr) -> String {
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
        // x = x + 1
        if let ([target], Expr::Chain(first, rest)) = (targets, value)
            && **first == *target
            && let [(op @ (Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Concat), by)] =
                rest.as_slice()
        {
            return self.augment(target, *op, by);
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
                    value => format!("unpack {} into {names}", self.tight(value, Infix)),
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

    pub(super) fn augment(&mut self, target: &Expr, op: Op, value: &Expr) -> String {
        let to = self.tight(target, With);
        let by = self.top(value);
        match op {
            Op::Concat => format!("append {by} to {to}"),
            Op::Add
                if self.language != Language::Php
                    && (self.textual(value) || self.kind_of(target) == Kind::Text) =>
            {
                format!("append {by} to {to}")
            }
            Op::Add
                if self.kind_of(target) == Kind::List
                    || matches!(value, Expr::Items(..) | Expr::Comprehension { .. }) =>
            {
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
    pub(super) fn expression_step(&mut self, value: &Expr) -> String {
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
                if self.language == Language::Ruby && arguments.is_empty() {
                    return match self.idiom(callee, arguments, false) {
                        Some((value, _)) => format!("evaluate {value}"),
                        None => self.expression_step(callee),
                    };
                }
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
            Expr::Say(IF_SET, parts) if parts.len() == 2 => {
                let holder = self.top(&parts[1]);
                format!("if {holder} is set, {}", self.expression_step(&parts[0]))
            }
            Expr::Say(IF_ALL_SET, parts) if parts.len() > 1 => {
                let holders = self.list(&parts[1..], "and");
                format!("if {holders} are set, {}", self.expression_step(&parts[0]))
            }
            Expr::Below { template: FOLLOWED, parts, .. } if parts.len() == 1 => {
                format!("{}, followed by the steps below", self.expression_step(&parts[0]))
            }
            // Ruby calls without parentheses.
            Expr::Name(name) | Expr::Attribute(_, name) if self.language == Language::Ruby => {
                match (value.path(), value) {
                    (Some(path), _) => format!("call the method {path}"),
                    (None, Expr::Attribute(base, _)) => {
                        format!("call the method {name} on {}", self.tight(base, Of))
                    }
                    _ => format!("call the method {name}"),
                }
            }
            value => format!("evaluate {}", self.top(value)),
        }
    }

    /// What a call calls, where the form of the code tells.
    pub(super) fn callee_kind(&self, callee: &Expr) -> &'static str {
        match (self.language, callee) {
            (Language::Java | Language::Ruby, Expr::Name(_) | Expr::Attribute(..)) => "the method ",
            (_, Expr::Name(_)) => "the function ",
            (Language::Php, Expr::Attribute(..)) => "the method ",
            (Language::JavaScript, Expr::Attribute(receiver, _)) => match receiver.path() {
                Some(path) if is_class(&path) => "the function ",
                _ => "the method ",
            },
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

    pub(super) fn raise(&mut self, error: Option<&Expr>, cause: Option<&Expr>) {
        let verb = match self.language {
            Language::Java | Language::JavaScript | Language::Php => "throw",
            _ => "raise",
        };
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

    pub(super) fn error_words(&mut self, verb: &str, class: &str, arguments: &[Expr]) -> String {
        match arguments {
            [] => format!("{verb} {class}"),
            [message] if self.textual(message) => {
                format!("{verb} {class} with message {}", self.top(message))
            }
            arguments => format!("{verb} {class} with {}", self.list(arguments, "and")),
        }
    }

    pub(super) fn choose(&mut self, branches: &[Branch], otherwise: Option<&[Stmt]>) {
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
    pub(super) fn error_check(&mut self, condition: &Expr, body: &[Stmt]) -> Option<String> {
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

    pub(super) fn switch(&mut self, heading: &'static str, subject: &[Expr], cases: &[Case]) {
        let heading = self.fill(heading, subject, Clause);
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

    pub(super) fn resource(&mut self, value: &Expr, name: Option<&Expr>) -> String {
        let mut text = match value {
            Expr::Call(callee, arguments)
                if matches!(callee.path().as_deref(), Some("open" | "File.open"))
                    && !arguments.is_empty() =>
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
    pub(super) fn opening(&mut self, arguments: &[Expr]) -> String {
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
    pub(super) fn step_with(&mut self, text: String, value: &Expr) {
        let below = steps_below(value);
        if let [Expr::Closure { parameters, body }] = below.as_slice() {
            let name = self.closure_name(parameters, self.closure_noun());
            let before =
                text.strip_suffix(&format!("({name})")).or_else(|| text.strip_suffix(&name));
            if let Some(before) = before {
                self.under(format!("{before}{name}:"), body);
                return;
            }
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
                    let noun =
                        if self.language == Language::Ruby { "the block" } else { "the function" };
                    let heading = self.closure_name(parameters, noun);
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
    pub(super) fn long(&mut self, lead: String, text: String, value: &Expr) {
        if text.len() <= LONGEST_STEP || self.nesting >= DEEPEST_PHRASE {
            self.step_with(text, value);
            return;
        }
        let links = call_chain(value);
        if links.len() >= LONGEST_CHAIN && steps_below(value).is_empty() {
            let opening = match lead.as_str() {
                "call " => "make these calls".to_owned(),
                lead => format!("{lead}the result of these calls"),
            };
            self.step(format!("{opening}, each on what the one before gave:"));
            self.depth += 1;
            self.nesting += 1;
            for (name, arguments) in links {
                let name = match name {
                    Link::First(callee) => self.tight(callee, Of),
                    Link::Next(method) => method.to_owned(),
                };
                let text = match arguments {
                    [] => name,
                    arguments => format!("{name} with {}", self.arguments(arguments)),
                };
                self.step(text);
            }
            self.nesting -= 1;
            self.depth -= 1;
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
                let noun = collection(self.language, *kind);
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
            Expr::Call(callee, arguments)
                if !arguments.is_empty()
                    && steps_below(callee).is_empty()
                    && self.idiom(callee, arguments, false).is_none() =>
            {
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

    pub(super) fn longer(&mut self, lead: String, value: &Expr) {
        let text = format!("{lead}{}", self.top(value));
        self.long(lead, text, value);
    }

    pub(super) fn closure_noun(&self) -> &'static str {
        if self.language == Language::Ruby { "a block" } else { "a function" }
    }

    pub(super) fn closure_name(&mut self, parameters: &[Parameter], function: &str) -> String {
        let names: Vec<String> = parameters.iter().map(|one| one.name.clone()).collect();
        match names.as_slice() {
            [] if self.language == Language::Ruby => function.to_owned(),
            [] => format!("{function} without parameters"),
            names => format!("{function} of {}", join(names, "and")),
        }
    }
}

/// What a call in a chain calls.
enum Link<'a> {
    First(&'a Expr),
    Next(&'a str),
}

/// The calls of `a.b(c).d(e).f()`, in order; none for what is no call.
fn call_chain(value: &Expr) -> Vec<(Link<'_>, &[Expr])> {
    let mut links = Vec::new();
    let mut at = value;
    while let Expr::Call(callee, arguments) = at {
        match &**callee {
            Expr::Attribute(base, method)
                if matches!(**base, Expr::Call(..) | Expr::New { .. }) =>
            {
                links.push((Link::Next(method), arguments.as_slice()));
                at = base;
            }
            callee => {
                links.push((Link::First(callee), arguments.as_slice()));
                break;
            }
        }
    }
    if let (Expr::New { .. }, false) = (at, links.is_empty()) {
        links.push((Link::First(at), &[]));
    }
    links.reverse();
    links
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
