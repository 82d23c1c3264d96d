//! Expressions as something that holds or does not.

use code_syntax::Language;

use super::known::Kind;
use super::{DEEPEST_PHRASE, English, Infix, MOST_ITEMS, Of, With, is_named_or_spread, names_in};
use crate::idioms::{self, Idiom};
use crate::ir::{Cmp, Collection, Expr, Op};
use crate::phrase::{comparison, join};

impl English {
    /// Whether an expression gives a truth value by its form.
    pub(super) fn is_condition(&self, value: &Expr) -> bool {
        match value {
            Expr::Compare(..) | Expr::Not(_) | Expr::Test { .. } => true,
            Expr::And(items) | Expr::Or(items) => {
                // In some languages other values than truth values have an "and" and "or".
                !matches!(self.language, Language::Python | Language::JavaScript | Language::Ruby)
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
    pub(super) fn condition(&mut self, value: &Expr, positive: bool) -> String {
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

    pub(super) fn condition_within(&mut self, value: &Expr, positive: bool) -> String {
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

    pub(super) fn truth(&mut self, value: &Expr, positive: bool) -> String {
        if self.language == Language::Python && self.kind_of(value) != Kind::Unknown {
            let not = if positive { "not " } else { "" };
            return format!("{} is {not}empty", self.top(value));
        }
        if let Expr::Call(callee, arguments) = value
            && self.language == Language::Ruby
            && let Expr::Name(name) | Expr::Attribute(_, name) = &**callee
            && name.ends_with('?')
        {
            // A question that Ruby asks: the answer holds or does not.
            let call = self.plain_call(callee, arguments).0;
            let call = call.strip_prefix("the result of ").unwrap_or(&call);
            let call = call.strip_prefix("the ").unwrap_or(call);
            return format!("{call} {}", if positive { "holds" } else { "does not hold" });
        }
        if let Expr::Name(name) = value
            && self.language == Language::Ruby
            && name.ends_with('?')
        {
            return format!("{name} {}", if positive { "holds" } else { "does not hold" });
        }
        let text = self.side(value);
        format!("{text} is {}", if positive { "true" } else { "false" })
    }

    /// A side of a comparison: a call with several arguments is set apart.
    pub(super) fn side(&mut self, value: &Expr) -> String {
        match self.phrase(value) {
            (text, With) if text.contains(" and ") => format!("({text})"),
            (text, own) if own > With => format!("({text})"),
            (text, _) => text,
        }
    }

    pub(super) fn joined(&mut self, items: &[Expr], all: bool, positive: bool) -> String {
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

    pub(super) fn compared(
        &mut self,
        first: &Expr,
        rest: &[(Cmp, Expr)],
        positive: bool,
    ) -> String {
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

    /// `text.indexOf(part) == -1` asks whether the text contains the part.
    fn contains(&mut self, left: &Expr, cmp: Cmp, right: &Expr) -> Option<String> {
        let Expr::Call(callee, arguments) = left else { return None };
        let (whole, part) = match (self.language, &**callee, arguments.as_slice()) {
            (Language::Java | Language::JavaScript, Expr::Attribute(whole, method), [part])
                if matches!(method.as_str(), "indexOf" | "search" | "lastIndexOf") =>
            {
                (&**whole, part)
            }
            (Language::Python, Expr::Attribute(whole, method), [part]) if method == "find" => {
                (&**whole, part)
            }
            (Language::Go, Expr::Attribute(_, _), [whole, part])
                if callee.path().as_deref() == Some("strings.Index") =>
            {
                (whole, part)
            }
            (Language::Php, Expr::Name(name), [whole, part])
                if matches!(name.as_str(), "strpos" | "mb_strpos") =>
            {
                (whole, part)
            }
            _ => return None,
        };
        let found = match (cmp, right) {
            (Cmp::Eq, Expr::Name(name)) if name.eq_ignore_ascii_case("false") => false,
            (Cmp::Ne, Expr::Name(name)) if name.eq_ignore_ascii_case("false") => true,
            _ if self.language == Language::Php => return None,
            (Cmp::Eq, place) if place.integer() == Some(-1) => false,
            (Cmp::Ne | Cmp::Gt, place) if place.integer() == Some(-1) => true,
            (Cmp::Ge, place) if place.integer() == Some(0) => true,
            (Cmp::Lt, place) if place.integer() == Some(0) => false,
            _ => return None,
        };
        let verb = if found { "contains" } else { "does not contain" };
        Some(format!("{} {verb} {}", self.side(whole), self.tight(part, Of)))
    }

    pub(super) fn comparison(&mut self, left: &Expr, cmp: Cmp, right: &Expr) -> String {
        // false == (a > b)
        if let Cmp::Eq | Cmp::Ne = cmp {
            let truth = |side: &Expr| match side {
                Expr::Name(name) if name.eq_ignore_ascii_case("true") => Some(true),
                Expr::Name(name) if name.eq_ignore_ascii_case("false") => Some(false),
                _ => None,
            };
            let asked = match (truth(left), truth(right)) {
                (Some(truth), None) if self.is_condition(right) => Some((right, truth)),
                (None, Some(truth)) if self.is_condition(left) => Some((left, truth)),
                _ => None,
            };
            if let Some((question, truth)) = asked {
                return self.condition(question, truth == (cmp == Cmp::Eq));
            }
        }
        if let Some(text) = self.contains(left, cmp, right) {
            return text;
        }
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
                // A negative odd number gives -1 in most languages: only in Python and Ruby is
                // equality with 1 the same as being odd.
                1 if even && matches!(self.language, Language::Python | Language::Ruby) => {
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
                Expr::Name(none)
                    if matches!(none.as_str(), "null" | "nil" | "undefined" | "NULL") =>
                {
                    return format!("{} is {not}{none}", self.side(left));
                }
                _ => {}
            }
        }
        format!("{} {} {}", self.side(left), comparison(cmp), self.side(right))
    }
}
