//! Calls with blocks: what goes through a sequence is a loop or a comprehension, any other block a
//! function without a name.

use code_syntax::Language;
use tree_sitter::Node;

use super::{arguments, callee, give, is_effect, parameters};
use crate::idioms;
use crate::ir::{Collection, Expr, Op, Parameter, Stmt, Takes};
use crate::lower::{Lowering, boxed, one};
use crate::phrase::join;
use crate::sequence::{self, Each};

/// The steps of a block, with what its `next` with a value returns.
pub(super) fn block_body(cx: &mut Lowering, block: Node) -> Vec<Stmt> {
    let body = block.child_by_field_name("body");
    cx.inside(false, |cx| body.map(|body| cx.body(body)).unwrap_or_default())
}

/// The parameters and steps of the block of a call.
pub(super) fn block_of(cx: &mut Lowering, call: Node) -> Option<(Vec<Parameter>, Vec<Stmt>, bool)> {
    let block = call.child_by_field_name("block")?;
    let parameters = block
        .child_by_field_name("parameters")
        .map(|list| parameters(cx, list))
        .unwrap_or_default();
    Some((parameters, block_body(cx, block), block.kind() == "block"))
}

/// A function that gives the last value of its steps.
pub(super) fn returning(parameters: Vec<Parameter>, mut body: Vec<Stmt>) -> Expr {
    match body.as_mut_slice() {
        [Stmt::Expr(value)] if !is_effect(value) => {
            let value = std::mem::replace(value, Expr::Unknown(Vec::new()));
            return Expr::Lambda { parameters, value: boxed(value) };
        }
        [Stmt::Return(value @ Some(_))] => {
            if let Some(value) = value.take() {
                return Expr::Lambda { parameters, value: boxed(value) };
            }
        }
        _ => give(&mut body, &|value| Stmt::Return(Some(value))),
    }
    Expr::Closure { parameters, body }
}

pub(super) fn each(method: &str) -> Option<Each> {
    Some(match method {
        "map" | "collect" | "map!" | "collect!" | "filter_map" => Each::Map,
        "flat_map" | "collect_concat" => Each::FlatMap,
        "select" | "filter" | "find_all" | "select!" | "keep_if" => Each::Filter,
        "reject" | "reject!" | "delete_if" => Each::Reject,
        "any?" => Each::Any,
        "all?" => Each::All,
        "none?" => Each::None,
        "find" | "detect" => Each::Find,
        "find_index" | "index" => Each::FindIndex,
        "count" => Each::Count,
        "sum" => Each::Sum,
        "sort_by" | "sort_by!" => Each::SortBy,
        "group_by" => Each::GroupBy,
        "index_by" => Each::Index,
        "min_by" => Each::MinBy,
        "max_by" => Each::MaxBy,
        "partition" => Each::Partition,
        "take_while" => Each::TakeWhile,
        "drop_while" => Each::DropWhile,
        _ => return None,
    })
}

/// The sequence that is gone through, and the element where its index comes along.
fn with_index(over: Expr, names: &[Parameter]) -> (Expr, Option<Expr>) {
    match over {
        Expr::Call(callee, arguments) => match (*callee, names) {
            (Expr::Attribute(base, method), [element, index])
                if matches!(&*method, "each_with_index" | "with_index") =>
            {
                let base = match *base {
                    Expr::Attribute(base, map) if matches!(&*map, "map" | "each" | "select") => {
                        *base
                    }
                    other => other,
                };
                let parts = vec![Expr::name(&*element.name), Expr::name(&*index.name)];
                (base, Some(Expr::Say("{0} (with index {1})", parts)))
            }
            (callee, _) => (Expr::Call(boxed(callee), arguments), None),
        },
        Expr::Attribute(base, method) if method == "each_with_index" && names.len() == 2 => {
            let parts = vec![Expr::name(&*names[0].name), Expr::name(&*names[1].name)];
            (*base, Some(Expr::Say("{0} (with index {1})", parts)))
        }
        over => (over, None),
    }
}

pub(super) fn plain_or_block(cx: &mut Lowering, node: Node) -> Expr {
    let method = cx.field_text(node, "method");
    let mut arguments = arguments(cx, node);
    if let Some((names, mut body, braces)) = block_of(cx, node) {
        if matches!(method, "lambda" | "proc") && node.child_by_field_name("receiver").is_none() {
            return returning(names, body);
        }
        if let Some(receiver) = node.child_by_field_name("receiver")
            && (each(method).is_some()
                || matches!(
                    method,
                    "with_index" | "inject" | "reduce" | "sort" | "each_with_object"
                ))
        {
            let over = cx.expr(receiver);
            if let Some(value) = over_elements(&over, method, &names, &mut body, &arguments) {
                return value;
            }
        }
        let callee = callee(cx, node);
        if let Some(Stmt::Expr(value)) = body.last()
            && body.len() > 1
            && is_plain_value(value)
            && let Some(Stmt::Expr(value)) = body.pop()
        {
            body.push(Stmt::Say("the value is {0}", vec![value]));
        }
        arguments.push(if braces {
            match body.as_mut_slice() {
                [Stmt::Expr(value)] if !is_effect(value) => {
                    let value = std::mem::replace(value, Expr::Unknown(Vec::new()));
                    Expr::Lambda { parameters: names, value: boxed(value) }
                }
                _ => Expr::Closure { parameters: names, body },
            }
        } else {
            match body.as_mut_slice() {
                [Stmt::Expr(value)] if is_plain_value(value) && !is_effect(value) => {
                    let value = std::mem::replace(value, Expr::Unknown(Vec::new()));
                    Expr::Lambda { parameters: names, value: boxed(value) }
                }
                _ => Expr::Closure { parameters: names, body },
            }
        });
        if let (Expr::Attribute(class, _), "new") = (&callee, method)
            && let Some(class) = class.path()
        {
            return Expr::New { class, arguments, members: None };
        }
        return Expr::Call(boxed(callee), arguments);
    }
    let callee = callee(cx, node);
    // xs.map(&:name)
    if let (Expr::Attribute(over, _), Some(each)) = (&callee, each(method))
        && let [Expr::Say("the block {0}", function)] = arguments.as_slice()
        && let [function] = function.as_slice()
    {
        let element = Expr::name(sequence::element_name(over));
        let value = match function {
            Expr::Name(name) if name.starts_with(':') => {
                sent(Expr::Attribute(boxed(element.clone()), name[1..].to_owned()))
            }
            function => Expr::Call(boxed(function.clone()), vec![element.clone()]),
        };
        let function =
            Expr::Lambda { parameters: vec![one(&path_of(&element))], value: boxed(value) };
        return sequence::value(each, (**over).clone(), None, function);
    }
    // xs.inject(:+), xs.reduce(0, &:+)
    if let (Expr::Attribute(over, _), "inject" | "reduce" | "sum", Some(last)) =
        (&callee, method, arguments.last())
    {
        let symbol = match last {
            Expr::Say("the block {0}", inner) => inner.first(),
            last => Some(last),
        };
        let template = match symbol {
            Some(Expr::Name(name)) if name == ":+" => Some("the sum of {0}"),
            Some(Expr::Name(name)) if name == ":*" => Some("the product of {0}"),
            _ => None,
        };
        if let Some(template) = template {
            return Expr::Say(template, vec![(**over).clone()]);
        }
    }
    match (&callee, arguments.is_empty()) {
        (Expr::Attribute(class, method), _) if method == "new" => {
            if let Some(class) = class.path() {
                return match (class.as_str(), arguments.len()) {
                    ("Hash", 0) => Expr::Items(Collection::Dictionary, Vec::new()),
                    ("Hash", 1) => Expr::Say("an empty hash with the default {0}", arguments),
                    ("Array", 0) => Expr::Items(Collection::Array, Vec::new()),
                    ("Array", 1) => Expr::Say("a new array of length {0}", arguments),
                    ("Array", 2) => Expr::Say("a new array of {o0} times {1}", arguments),
                    ("Set", 0) => Expr::Items(Collection::Set, Vec::new()),
                    _ => Expr::New { class, arguments, members: None },
                };
            }
            Expr::Call(boxed(callee), arguments)
        }
        // What has no arguments reads as an attribute.
        (_, true) => sent(callee),
        _ => Expr::Call(boxed(callee), arguments),
    }
}

fn path_of(name: &Expr) -> String {
    name.path().unwrap_or_default()
}

/// A call without arguments: an idiom, or an attribute.
fn sent(callee: Expr) -> Expr {
    let idiom = [false, true]
        .into_iter()
        .any(|step| idioms::find(Language::Ruby, &callee, 0, step).is_some());
    let question = matches!(&callee, Expr::Attribute(_, name) if name.ends_with('?'));
    if idiom || question { Expr::Call(boxed(callee), Vec::new()) } else { callee }
}

/// What a method with a block makes of the elements of `over`.
fn over_elements(
    over: &Expr,
    method: &str,
    names: &[Parameter],
    body: &mut Vec<Stmt>,
    arguments: &[Expr],
) -> Option<Expr> {
    let single = match body.as_slice() {
        [Stmt::Expr(value)] => Some(value.clone()),
        _ => None,
    };
    match (method, names, arguments) {
        ("sort", [a, b], []) => {
            let Some(Expr::Say("the order of {0} and {1}", sides)) = &single else { return None };
            let [first, second] = sides.as_slice() else { return None };
            let (a, b) = (Expr::name(&*a.name), Expr::name(&*b.name));
            if (first, second) == (&a, &b) {
                return Some(Expr::Say("{0} sorted in ascending order", vec![over.clone()]));
            }
            if (first, second) == (&b, &a) {
                return Some(Expr::Say("{0} sorted in descending order", vec![over.clone()]));
            }
            None
        }
        ("inject" | "reduce", [sum, element], start) if start.len() < 2 => {
            let names = (Expr::name(&*sum.name), Expr::name(&*element.name));
            let mut parts = vec![over.clone(), names.0, names.1];
            match single {
                Some(Expr::Chain(first, rest))
                    if *first == parts[1]
                        && matches!(rest.as_slice(), [(Op::Add | Op::Mul, last)] if *last == parts[2])
                        && start.iter().all(|start| {
                            start.integer() == Some(if rest[0].0 == Op::Add { 0 } else { 1 })
                        }) =>
                {
                    let add = rest[0].0 == Op::Add;
                    let template = if add { "the sum of {0}" } else { "the product of {0}" };
                    Some(Expr::Say(template, vec![over.clone()]))
                }
                Some(value) if !is_effect(&value) => {
                    parts.push(value);
                    parts.extend(start.iter().cloned());
                    Some(Expr::Say(
                        if start.is_empty() {
                            "the {1} that becomes {o3} for each {2} of {o0}"
                        } else {
                            "the {1} that starts as {o4} and becomes {o3} for each {2} of {o0}"
                        },
                        parts,
                    ))
                }
                _ => {
                    parts.extend(start.iter().cloned());
                    let mut body = std::mem::take(body);
                    give(&mut body, &|value| Stmt::Return(Some(value)));
                    Some(Expr::Below {
                        template: if start.is_empty() {
                            "the {1} that becomes what the steps below return for each {2} of {o0}"
                        } else {
                            "the {1} that starts as {o3} and becomes what the steps below return for each {2} of {o0}"
                        },
                        parts,
                        body,
                    })
                }
            }
        }
        ("each_with_object", [element, memo], [start]) => Some(Expr::Below {
            template: "the {1} that starts as {o3} and goes through the steps below for each {2} of {o0}",
            parts: vec![
                over.clone(),
                Expr::name(&*memo.name),
                Expr::name(&*element.name),
                start.clone(),
            ],
            body: std::mem::take(body),
        }),
        ("with_index", [_, _], _) => {
            // xs.map.with_index { |x, i| … }
            let Expr::Attribute(base, inner) = over else { return None };
            let each = each(inner)?;
            let parts = vec![Expr::name(&*names[0].name), Expr::name(&*names[1].name)];
            let target = Some(Expr::Say("{0} (with index {1})", parts));
            let function = returning(names.to_vec(), std::mem::take(body));
            Some(sequence::value(each, (**base).clone(), target, function))
        }
        (method, _, []) => {
            let each = each(method)?;
            let (over, target) = with_index(over.clone(), names);
            let function = returning(names.to_vec(), std::mem::take(body));
            Some(sequence::value(each, over, target, function))
        }
        _ => None,
    }
}

/// Methods with a block that are loops.
pub(super) fn looping(
    cx: &mut Lowering,
    node: Node,
    receiver: Node,
    name: &str,
    out: &mut Vec<Stmt>,
) -> bool {
    if !matches!(
        name,
        "each"
            | "each_with_index"
            | "each_pair"
            | "each_key"
            | "each_value"
            | "each_index"
            | "times"
            | "upto"
            | "downto"
            | "step"
            | "each_slice"
            | "each_cons"
            | "reverse_each"
            | "each_char"
            | "each_line"
            | "each_byte"
            | "with_index"
            | "each_entry"
    ) {
        return false;
    }
    let Some((names, body, _)) = block_of(cx, node) else { return false };
    let arguments = arguments(cx, node);
    let mut names: Vec<Expr> = names
        .into_iter()
        .map(|one| match one.takes {
            Takes::One => Expr::name(one.name),
            _ => Expr::Spread(boxed(Expr::name(one.name))),
        })
        .collect();
    let count = |cx: &mut Lowering, variable: Expr, step: i64, body: Vec<Stmt>| {
        let from = cx.expr(receiver);
        let to = arguments.first().cloned().unwrap_or_else(|| Expr::name("no end"));
        let step = Expr::Number(step.to_string());
        Stmt::Count { variable, from, to, inclusive: true, step, body }
    };
    let statement = match (name, names.len(), arguments.len()) {
        ("each", 0, 0) => {
            let over = cx.expr(receiver);
            Stmt::Under("for each element of {o0}:", vec![over], body)
        }
        ("each", 1, 0) => for_each(cx, names.remove(0), receiver, body),
        ("each", 2, 0) => match cx.expr(receiver) {
            Expr::Attribute(base, method) if method == "each_with_index" => {
                let parts = vec![names.remove(1), names.remove(0), *base];
                Stmt::Under("for each index {o0} and element {o1} of {o2}:", parts, body)
            }
            over => Stmt::ForEach {
                target: Expr::Items(Collection::Tuple, names),
                iterable: over,
                body,
            },
        },
        ("each_pair", 2, 0) => {
            names.push(cx.expr(receiver));
            Stmt::Under("for each key {o0} and value {o1} of {o2}:", names, body)
        }
        ("each", _, 0) => {
            let over = cx.expr(receiver);
            let target = Expr::Items(Collection::Tuple, names);
            Stmt::ForEach { target, iterable: over, body }
        }
        ("each_with_index", 2, 0) => {
            let over = cx.expr(receiver);
            let parts = vec![names.remove(1), names.remove(0), over];
            Stmt::Under("for each index {o0} and element {o1} of {o2}:", parts, body)
        }
        ("with_index", 2, given @ (0 | 1)) => {
            let Expr::Attribute(base, method) = cx.expr(receiver) else { return false };
            if method != "each" {
                return false;
            }
            let mut parts = vec![names.remove(1), names.remove(0), *base];
            parts.extend(arguments);
            Stmt::Under(
                if given == 0 {
                    "for each index {o0} and element {o1} of {o2}:"
                } else {
                    "for each index {o0} (counted from {o3}) and element {o1} of {o2}:"
                },
                parts,
                body,
            )
        }
        ("each_key", 1, 0) => {
            names.push(cx.expr(receiver));
            Stmt::Under("for each key {o0} of {o1}:", names, body)
        }
        ("each_value", 1, 0) => {
            names.push(cx.expr(receiver));
            Stmt::Under("for each value {o0} of {o1}:", names, body)
        }
        ("each_index", 1, 0) => {
            names.push(cx.expr(receiver));
            Stmt::Under("for each index {o0} of {o1}:", names, body)
        }
        ("each_char", 1, 0) => {
            names.push(cx.expr(receiver));
            Stmt::Under("for each character {o0} of {o1}:", names, body)
        }
        ("each_line", 1, 0) => {
            names.push(cx.expr(receiver));
            Stmt::Under("for each line {o0} of {o1}:", names, body)
        }
        ("each_byte", 1, 0) => {
            names.push(cx.expr(receiver));
            Stmt::Under("for each byte {o0} of {o1}:", names, body)
        }
        ("reverse_each", 1, 0) => {
            names.push(cx.expr(receiver));
            Stmt::Under("for each {o0} of {o1} from the last to the first:", names, body)
        }
        ("times", 0, 0) => {
            let over = cx.expr(receiver);
            Stmt::Under("repeat {0} times:", vec![over], body)
        }
        ("times", 1, 0) => {
            let to = cx.expr(receiver);
            let (from, step) = (Expr::Number("0".into()), Expr::Number("1".into()));
            Stmt::Count { variable: names.remove(0), from, to, inclusive: false, step, body }
        }
        ("upto", 1, 1) => count(cx, names.remove(0), 1, body),
        ("downto", 1, 1) => count(cx, names.remove(0), -1, body),
        ("step", 1, 2) => {
            let Some(step) = arguments[1].integer().filter(|step| *step != 0) else {
                return false;
            };
            count(cx, names.remove(0), step, body)
        }
        ("each_slice" | "each_cons", 1.., 1) => {
            let over = cx.expr(receiver);
            let target = match names.len() {
                1 => names.remove(0),
                _ => {
                    let names: Vec<String> = names.iter().filter_map(Expr::path).collect();
                    Expr::name(join(&names, "and"))
                }
            };
            let parts = vec![target, over, arguments[0].clone()];
            let template = if name == "each_slice" {
                "for each {o0} among the groups of {o2} elements of {o1}:"
            } else {
                "for each {o0} among the runs of {o2} neighbouring elements of {o1}:"
            };
            Stmt::Under(template, parts, body)
        }
        _ => return false,
    };
    out.push(statement);
    true
}

/// A loop over a range of numbers, or over anything else.
pub(super) fn for_each(cx: &mut Lowering, target: Expr, over: Node, body: Vec<Stmt>) -> Stmt {
    let mut range = over;
    while range.kind() == "parenthesized_statements" {
        match cx.parts(range).as_slice() {
            [inner] => range = *inner,
            _ => break,
        }
    }
    if range.kind() == "range"
        && let (Some(from), Some(to)) =
            (range.child_by_field_name("begin"), range.child_by_field_name("end"))
        && target.path().is_some()
    {
        let (from, to) = (cx.expr(from), cx.expr(to));
        let text = |value: &Expr| matches!(value, Expr::Text { .. });
        if !text(&from) && !text(&to) {
            let inclusive = cx.field_text(range, "operator") == "..";
            let step = Expr::Number("1".into());
            return Stmt::Count { variable: target, from, to, inclusive, step, body };
        }
    }
    let iterable = cx.expr(over);
    Stmt::ForEach { target, iterable, body }
}

/// Whether an expression only gives a value: it is no call.
fn is_plain_value(value: &Expr) -> bool {
    !matches!(
        value,
        Expr::Call(..)
            | Expr::Name(_)
            | Expr::Attribute(..)
            | Expr::Below { .. }
            | Expr::New { .. }
    )
}
