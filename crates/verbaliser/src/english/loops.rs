//! What a loop goes through.

use code_syntax::Language;

use super::{English, Infix, Of, is_named_or_spread, length_of};
use crate::ir::{Collection, Expr, Op};
use crate::phrase::join;

impl English {
    /// `x in xs`, or an idiom of looping.
    pub(super) fn each(&mut self, target: &Expr, iterable: &Expr) -> String {
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

    pub(super) fn each_call(
        &mut self,
        target: &Expr,
        callee: &Expr,
        arguments: &[Expr],
    ) -> Option<String> {
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
                Some(self.counted(target, from, to, false, step))
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

    /// `i from 0 to n minus 1`, or `index i of xs`.
    pub(super) fn counted(
        &mut self,
        target: &Expr,
        from: &Expr,
        to: &Expr,
        inclusive: bool,
        step: &Expr,
    ) -> String {
        let target = self.tight(target, Of);
        if from.integer() == Some(0)
            && step.integer() == Some(1)
            && !inclusive
            && let Some(sequence) = length_of(self.language, to)
        {
            return format!("index {target} of {}", self.tight(sequence, Of));
        }
        format!("{target} {}", self.range(from, to, inclusive, step))
    }

    /// `from 0 to n minus 1`: both ends included.
    pub(super) fn range(&mut self, from: &Expr, to: &Expr, inclusive: bool, step: &Expr) -> String {
        let size = step.integer();
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
    pub(super) fn shifted(&mut self, value: &Expr, by: i64) -> String {
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
}
