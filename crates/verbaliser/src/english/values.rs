//! Expressions as phrases.

use code_syntax::Language;

use super::known::Kind;
use super::{
    BELOW, Clause, DEEPEST_PHRASE, English, Grip, Infix, MOST_ITEMS, Of, Phrase, With, Word,
    collection, is_named_or_spread, length_of, names_in,
};
use crate::idioms::{self, Idiom};
use crate::ir::{Clause as Part, Collection, Expr, Op};
use crate::phrase::{article, infix, is_class, join, ordinal, quoted};

impl English {
    /// The phrase of a value with nothing around it.
    pub(super) fn top(&mut self, value: &Expr) -> String {
        self.phrase(value).0
    }

    /// As [`top`](Self::top), where several values may stand side by side: `return a and b`.
    pub(super) fn values(&mut self, value: &Expr) -> String {
        match value {
            Expr::Items(Collection::Tuple, items) if items.len() > 1 => self.list(items, "and"),
            value => self.top(value),
        }
    }

    /// The phrase of a value, in parentheses where it is looser than `grip`.
    pub(super) fn tight(&mut self, value: &Expr, grip: Grip) -> String {
        let (text, own) = self.phrase(value);
        if own > grip { format!("({text})") } else { text }
    }

    /// The phrases of some values as a list: the only one may be loose, several may not.
    pub(super) fn list(&mut self, values: &[Expr], last: &str) -> String {
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
    pub(super) fn fill(&mut self, template: &str, parts: &[Expr], grip: Grip) -> String {
        self.fill_after(template, parts, grip, Clause)
    }

    /// As [`fill`](Self::fill); a slot that opens the template is held at least as `opening`.
    pub(super) fn fill_after(
        &mut self,
        template: &str,
        parts: &[Expr],
        grip: Grip,
        opening: Grip,
    ) -> String {
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            text += before;
            let Some((slot, after)) = after.split_once('}') else { break };
            rest = after;
            let mut limit = if text.is_empty() { opening } else { Clause };
            // What follows a list or a condition would seem to be part of it.
            let followed = !matches!(after.chars().next(), None | Some(':' | ','));
            if followed {
                limit = limit.min(Infix);
            }
            let part = |digits: &str| digits.parse().ok().and_then(|index: usize| parts.get(index));
            text += &match slot.split_at_checked(1) {
                Some(("*", "")) if followed && parts.len() == 1 => self.tight(&parts[0], limit),
                Some(("*", "")) => self.list(parts, "and"),
                Some(("|", "")) => self.list(parts, "or"),
                Some((from, "*")) => {
                    let from = from.parse().unwrap_or(0).min(parts.len());
                    match &parts[from..] {
                        [only] if followed => self.tight(only, limit),
                        several => self.list(several, "and"),
                    }
                }
                Some(("|", index)) => match part(index) {
                    Some(Expr::Items(Collection::Tuple, items)) => self.list(items, "or"),
                    Some(part) => self.tight(part, Of),
                    None => String::new(),
                },
                Some(("c", index)) => match part(index) {
                    Some(part) => {
                        let condition = self.condition(part, true);
                        let open = matches!(part, Expr::And(_) | Expr::Or(_))
                            || [" for some ", " for every ", " for no "]
                                .iter()
                                .any(|words| condition.contains(words));
                        if followed && open { format!("({condition})") } else { condition }
                    }
                    None => String::new(),
                },
                Some(("o", index)) => {
                    part(index).map(|part| self.tight(part, Of.min(limit))).unwrap_or_default()
                }
                _ => part(slot).map(|part| self.tight(part, grip.min(limit))).unwrap_or_default(),
            };
        }
        text + rest
    }

    pub(super) fn phrase(&mut self, value: &Expr) -> Phrase {
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

    pub(super) fn alternatives(&mut self, items: &[Expr], link: &str) -> String {
        let mut words: Vec<String> =
            items.iter().take(MOST_ITEMS).map(|item| self.side(item)).collect();
        if items.len() > MOST_ITEMS {
            self.shortened += 1;
            words.push(format!("{} more", items.len() - MOST_ITEMS));
        }
        words.join(link)
    }

    pub(super) fn made_of(&mut self, names: &[String]) -> Phrase {
        match names {
            [] => ("a computed value".into(), Of),
            names => (format!("a value computed from {}", join(names, "and")), With),
        }
    }

    pub(super) fn phrase_within(&mut self, value: &Expr) -> Phrase {
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
                (self.alternatives(items, " or else "), Clause)
            }
            Expr::And(items) if !self.is_condition(value) => {
                (self.alternatives(items, " and then "), Clause)
            }
            Expr::Compare(..) | Expr::And(_) | Expr::Or(_) | Expr::Not(_) | Expr::Test { .. } => {
                (format!("whether {}", self.condition(value, true)), Clause)
            }
            Expr::Choice { condition, then, otherwise } => {
                let then = self.tight(then, With);
                let condition = self.condition(condition, true);
                let chain = matches!(**otherwise, Expr::Choice { .. });
                let grip = if chain { Clause } else { With };
                let otherwise = self.tight(otherwise, grip);
                (format!("{then} if {condition}, otherwise {otherwise}"), Clause)
            }
            Expr::Items(kind, items) => self.items(*kind, items),
            Expr::Entry(key, value) => {
                (format!("{} set to {}", self.tight(key, Of), self.tight(value, Infix)), Infix)
            }
            Expr::Comprehension { kind, element, clauses } => {
                self.comprehension(*kind, element, clauses)
            }
            Expr::Lambda { parameters, value } => {
                let name = self.closure_name(parameters, self.closure_noun());
                (format!("{name} that returns {}", self.top(value)), Clause)
            }
            Expr::Closure { parameters, .. } => {
                (self.closure_name(parameters, self.closure_noun()), With)
            }
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
                let loose = !template.ends_with(['}', ')']) || template.contains('*');
                let grip = match template {
                    template if template.ends_with("{c2}") => Clause,
                    _ if loose => With,
                    _ => Of,
                };
                (self.fill(template, parts, Of), grip)
            }
            Expr::Unknown(parts) => match parts.as_slice() {
                [] => ("an unnamed value".into(), Of),
                parts => (format!("a combination of {}", self.list(parts, "and")), With),
            },
            Expr::TooDeep(names) => self.made_of(names),
        }
    }

    pub(super) fn index(&mut self, base: &Expr, at: &Expr) -> Phrase {
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
        // xs[xs.length - 1]
        if let Expr::Chain(length, back) = at
            && let [(Op::Sub, one)] = back.as_slice()
            && one.integer() == Some(1)
            && length_of(self.language, length) == Some(base)
        {
            return (format!("the last element of {}", self.tight(base, Of)), Of);
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
    pub(super) fn bounds(
        &mut self,
        from: Option<&Expr>,
        to: Option<&Expr>,
        step: Option<&Expr>,
    ) -> Phrase {
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

    pub(super) fn slice(
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

    pub(super) fn call(&mut self, callee: &Expr, arguments: &[Expr]) -> Phrase {
        match self.idiom(callee, arguments, false) {
            Some(phrase) => phrase,
            None => self.plain_call(callee, arguments),
        }
    }

    /// A call in the words that fit every call.
    pub(super) fn plain_call(&mut self, callee: &Expr, arguments: &[Expr]) -> Phrase {
        if self.language == Language::Python && callee.path().is_some_and(|path| is_class(&path)) {
            return self.new_object(&callee.path().unwrap_or_default(), arguments, false);
        }
        // What Ruby is asked without arguments reads as an attribute.
        if self.language == Language::Ruby && arguments.is_empty() {
            return self.phrase(callee);
        }
        let name = match (callee.path(), callee) {
            (Some(path), _) => path,
            // f(a).g(b): one result after the other.
            (None, Expr::Attribute(base, method)) => {
                let (base, own) = self.phrase(base);
                if let Some(call) = base.strip_prefix("the result of ") {
                    let text = format!("the result of {call}, then {method}");
                    return match arguments {
                        [] => (text, With),
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
    pub(super) fn arguments(&mut self, arguments: &[Expr]) -> String {
        match arguments {
            // Several arguments of an inner call would seem to be those of the outer one.
            [only] => match self.phrase(only) {
                (text, With) if text.contains(" and ") && matches!(only, Expr::Call(..)) => {
                    format!("({text})")
                }
                (text, Clause) => format!("({text})"),
                (text, _) => text,
            },
            several => self.list(several, "and"),
        }
    }

    /// The words of a well-known call, as a step or as a value.
    pub(super) fn idiom(
        &mut self,
        callee: &Expr,
        arguments: &[Expr],
        step: bool,
    ) -> Option<Phrase> {
        if let Some(phrase) = self.special(callee, arguments) {
            return (!step).then_some(phrase);
        }
        if let Some(phrase) = self.start_of_text(callee, arguments) {
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
                    template if template.contains(", or ") => Clause,
                    template if !template.contains('{') => Of,
                    template if !template.ends_with('}') => Infix,
                    template
                        if [" with ", " by ", " named ", "*"]
                            .iter()
                            .any(|w| template.contains(w)) =>
                    {
                        With
                    }
                    // "text split at x"
                    template if template.starts_with('{') => Infix,
                    _ => Of,
                };
                // Words that follow a phrase would seem to belong to its end.
                let mut text = self.fill_after(template, &parts, Of, Word);
                // Nothing in the place of something, or between things, has words of its own.
                for (said, better) in [
                    (" replaced by an empty string", " removed"),
                    (" joined with an empty string", " joined together"),
                    (" split at an empty string", " split into characters"),
                ] {
                    if let Some(before) = text.strip_suffix(said) {
                        text = format!("{before}{better}");
                    }
                }
                (text, grip)
            }
            Idiom::Test(holds, _) => (format!("whether {}", self.fill(holds, &parts, Of)), Clause),
        })
    }

    /// The first characters of a text, in the languages that say them by a call.
    fn start_of_text(&mut self, callee: &Expr, arguments: &[Expr]) -> Option<Phrase> {
        let (text, from, count) = match (self.language, callee, arguments) {
            (
                Language::Java | Language::JavaScript,
                Expr::Attribute(text, method),
                [from, count],
            ) if matches!(method.as_str(), "substring" | "substr") => (&**text, from, count),
            (Language::Php, Expr::Name(name), [text, from, count])
                if matches!(name.as_str(), "substr" | "mb_substr") =>
            {
                (text, from, count)
            }
            _ => return None,
        };
        if from.integer() != Some(0) || matches!(count, Expr::Negative(_)) {
            return None;
        }
        // text.substring(0, text.length() - n)
        if let Expr::Chain(length, back) = count
            && let [(Op::Sub, left_out)] = back.as_slice()
            && length_of(self.language, length) == Some(text)
        {
            let whole = self.tight(text, Of);
            let words = match left_out.integer() {
                Some(1) => format!("all but the last character of {whole}"),
                _ => {
                    format!("all but the last {} characters of {whole}", self.tight(left_out, Of))
                }
            };
            return Some((words, Of));
        }
        let text = self.tight(text, Of);
        Some((
            match count.integer() {
                Some(1) => format!("the first character of {text}"),
                _ => format!("the first {} characters of {text}", self.tight(count, Of)),
            },
            Of,
        ))
    }

    /// Calls that take more than a template.
    pub(super) fn special(&mut self, callee: &Expr, arguments: &[Expr]) -> Option<Phrase> {
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
            ) if self.language == Language::Python && (name == "any" || name == "all") => {
                Some((format!("whether {}", self.quantified(name, element, clauses, true)), Clause))
            }
            // dict(a=1, b=2)
            (Expr::Name(name), entries)
                if self.language == Language::Python
                    && name == "dict"
                    && !entries.is_empty()
                    && entries.iter().all(|entry| matches!(entry, Expr::Named(..))) =>
            {
                Some(self.items(Collection::Dictionary, entries))
            }
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
    pub(super) fn quantified(
        &mut self,
        name: &str,
        element: &Expr,
        clauses: &[Part],
        positive: bool,
    ) -> String {
        let condition = self.condition(element, true);
        let clauses = self.clauses(clauses);
        match (name, positive) {
            ("any", true) => format!("{condition} for some {clauses}"),
            ("any", false) => format!("{condition} for no {clauses}"),
            (_, true) => format!("{condition} for every {clauses}"),
            (_, false) => format!("it is not so that {condition} for every {clauses}"),
        }
    }

    pub(super) fn new_object(&mut self, class: &str, arguments: &[Expr], members: bool) -> Phrase {
        let below = if members { BELOW } else { "" };
        match arguments {
            [] => (format!("a new {class}{below}"), Of),
            arguments => (format!("a new {class}{below} with {}", self.arguments(arguments)), With),
        }
    }

    pub(super) fn chain(&mut self, first: &Expr, rest: &[(Op, Expr)]) -> Phrase {
        let concatenated = rest.iter().all(|(op, _)| *op == Op::Concat);
        let pluses = self.language != Language::Php && rest.iter().all(|(op, _)| *op == Op::Add);
        let is_text = |item: &Expr| self.textual(item) || self.kind_of(item) == Kind::Text;
        if concatenated || pluses && (is_text(first) || rest.iter().any(|(_, item)| is_text(item)))
        {
            let items: Vec<Expr> =
                std::iter::once(first).chain(rest.iter().map(|(_, item)| item)).cloned().collect();
            return (format!("the concatenation of {}", self.list(&items, "and")), With);
        }
        if let ([(Op::Mod, values)], Language::Python | Language::Ruby) = (rest, self.language)
            && (is_template(first)
                || self.language == Language::Ruby
                    && matches!(values, Expr::Items(Collection::Array, _)))
        {
            let values = match values {
                Expr::Items(Collection::Tuple | Collection::Array, values) => values.clone(),
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
        // [0] * n
        if let ([(Op::Mul, times)], Expr::Items(Collection::List | Collection::Array, items)) =
            (rest, first)
            && !items.is_empty()
        {
            let list = self.top(first);
            return (format!("{list} repeated {} times", self.tight(times, Infix)), With);
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

    pub(super) fn items(&mut self, kind: Collection, items: &[Expr]) -> Phrase {
        let name = collection(self.language, kind);
        if items.is_empty() {
            return (format!("{} empty {name}", article("empty")), Of);
        }
        let words = self.list(items, "and");
        match kind {
            Collection::Tuple if items.len() == 2 => (format!("the pair of {words}"), With),
            Collection::Tuple if items.len() > 2 => (format!("the tuple of {words}"), With),
            Collection::Tuple => (format!("the tuple of {words} alone"), With),
            Collection::Dictionary => (format!("the {name} with {words}"), With),
            Collection::List | Collection::Set | Collection::Values | Collection::Array => {
                (format!("the {name} of {words}"), With)
            }
        }
    }

    pub(super) fn comprehension(
        &mut self,
        kind: Collection,
        element: &Expr,
        clauses: &[Part],
    ) -> Phrase {
        // [0 for _ in range(n)]: the variable is of no use.
        if let ([Part::For { target, iterable: Expr::Call(range, times) }], Collection::List) =
            (clauses, kind)
            && let (Some(variable), [times]) = (target.path(), times.as_slice())
            && self.language == Language::Python
            && range.path().as_deref() == Some("range")
            && !mentions(element, &variable)
        {
            let element = self.tight(element, Infix);
            let times = self.tight(times, Infix);
            return (format!("the list of {element} repeated {times} times"), With);
        }
        let name = match kind {
            Collection::List => "the list of ",
            Collection::Array => "the array of ",
            Collection::Set => "the set of ",
            Collection::Dictionary => "the dictionary of ",
            _ => "",
        };
        let text = match (element, clauses) {
            // [x for x in xs if …]
            (element, [Part::For { target, .. }, ..]) if element == target => {
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
        (text, Clause)
    }

    pub(super) fn clauses(&mut self, clauses: &[Part]) -> String {
        let mut text = String::new();
        let mut conditions = 0;
        for (index, clause) in clauses.iter().enumerate() {
            match clause {
                Part::For { target, iterable } => {
                    if index > 0 {
                        text += " and each ";
                    }
                    text += &self.each(target, iterable);
                    conditions = 0;
                }
                Part::If(condition) => {
                    text += if conditions == 0 { " where " } else { " and " };
                    text += &self.condition(condition, true);
                    conditions += 1;
                }
            }
        }
        text
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

/// Whether a name occurs in an expression.
fn mentions(value: &Expr, name: &str) -> bool {
    let mut pending = vec![value];
    while let Some(expr) = pending.pop() {
        match expr {
            Expr::Name(own) if own == name => return true,
            Expr::TooDeep(_) | Expr::Closure { .. } | Expr::Below { .. } => return true,
            _ => {}
        }
        pending.extend(expr.children());
    }
    false
}

fn strip_the(text: &str) -> &str {
    text.strip_prefix("the ").unwrap_or(text)
}
