//! What is done with every element of a sequence by a function without a name: `xs.map(x => …)`,
//! `array_filter($xs, fn …)`, `xs.any? { |x| … }`. Said as people say a comprehension.

use crate::ir::{Clause, Collection, Expr, Parameter, Stmt, Takes};
use crate::lower::boxed;

/// What becomes of the elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Each {
    Map,
    FlatMap,
    Filter,
    Reject,
    Any,
    All,
    None,
    Find,
    FindIndex,
    Count,
    Sum,
    SortBy,
    GroupBy,
    MinBy,
    MaxBy,
    Partition,
    TakeWhile,
    DropWhile,
    Index,
}

/// The value of `each` over the elements of `over`, where `target` names an element. `function` is
/// a function without a name; any other value is called with the element.
pub(crate) fn value(each: Each, over: Expr, target: Option<Expr>, function: Expr) -> Expr {
    let (target, result) = match function {
        Expr::Lambda { parameters, value } => (target_of(target, &parameters, &over), Ok(*value)),
        Expr::Closure { parameters, body } => (target_of(target, &parameters, &over), Err(body)),
        function => {
            let element = Expr::name(element_name(&over));
            (element.clone(), Ok(Expr::Call(boxed(function), vec![element])))
        }
    };
    match result {
        Ok(value) => short(each, over, target, value),
        Err(body) => {
            let template = match each {
                Each::Map => "an array of what the steps below return for each {o0} of {o1}",
                Each::FlatMap => {
                    "one array of all that the steps below return for each {o0} of {o1}"
                }
                Each::Filter => "the elements {o0} of {o1} for which the steps below return true",
                Each::Reject => "the elements {o0} of {o1} for which the steps below return false",
                Each::Any => "whether the steps below return true for some {o0} of {o1}",
                Each::All => "whether the steps below return true for every {o0} of {o1}",
                Each::None => "whether the steps below return true for no {o0} of {o1}",
                Each::Find => "the first {o0} of {o1} for which the steps below return true",
                Each::FindIndex => {
                    "the index of the first {o0} of {o1} for which the steps below return true"
                }
                Each::Count => "the number of {o0} of {o1} for which the steps below return true",
                Each::Sum => "the sum of what the steps below return for each {o0} of {o1}",
                Each::SortBy => "{o1} sorted by what the steps below return for each {o0}",
                Each::GroupBy => "{o1} grouped by what the steps below return for each {o0}",
                Each::MinBy => "the {o0} of {o1} for which the steps below return the least",
                Each::MaxBy => "the {o0} of {o1} for which the steps below return the most",
                Each::Partition => {
                    "{o1} split into those {o0} for which the steps below return true and the rest"
                }
                Each::TakeWhile => {
                    "the elements {o0} at the start of {o1} while the steps below return true"
                }
                Each::DropWhile => {
                    "{o1} without the elements {o0} at its start while the steps below return true"
                }
                Each::Index => "{o1} by what the steps below return for each {o0}",
            };
            Expr::Below { template, parts: vec![target, over], body }
        }
    }
}

fn short(each: Each, over: Expr, target: Expr, value: Expr) -> Expr {
    let list = |element: Expr, over: Expr, condition: Option<Expr>| {
        let mut clauses = vec![Clause::For { target: target.clone(), iterable: over }];
        clauses.extend(condition.map(Clause::If));
        Expr::Comprehension { kind: Collection::Array, element: boxed(element), clauses }
    };
    let say = |template, value| Expr::Say(template, vec![target.clone(), over.clone(), value]);
    let test = |holds, fails, value| Expr::Test {
        holds,
        fails,
        parts: vec![target.clone(), over.clone(), value],
    };
    match each {
        Each::Map => list(value, over, None),
        Each::Filter => list(target.clone(), over, Some(value)),
        Each::Reject => list(target.clone(), over, Some(Expr::Not(boxed(value)))),
        Each::FlatMap => say("one array of all in {o2} for each {o0} of {o1}", value),
        Each::Any => test("{c2} for some {o0} in {o1}", "{c2} for no {o0} in {o1}", value),
        Each::All => test(
            "{c2} for every {o0} in {o1}",
            "it is not so that {c2} for every {o0} in {o1}",
            value,
        ),
        Each::None => test("{c2} for no {o0} in {o1}", "{c2} for some {o0} in {o1}", value),
        Each::Find => say("the first {o0} in {o1} where {c2}", value),
        Each::FindIndex => say("the index of the first {o0} in {o1} where {c2}", value),
        Each::Count => say("the number of {o0} in {o1} where {c2}", value),
        Each::Sum => say("the sum of {o2} for each {o0} in {o1}", value),
        Each::SortBy => say("{o1} sorted by {o2} for each {o0}", value),
        Each::GroupBy => say("{o1} grouped by {o2} for each {o0}", value),
        Each::MinBy => say("the {o0} in {o1} with the least {o2}", value),
        Each::MaxBy => say("the {o0} in {o1} with the greatest {o2}", value),
        Each::Partition => say("{o1} split into those {o0} where {c2} and the rest", value),
        Each::TakeWhile => say("the elements {o0} at the start of {o1} while {c2}", value),
        Each::DropWhile => say("{o1} without the elements {o0} at its start while {c2}", value),
        Each::Index => say("{o1} by {o2} for each {o0}", value),
    }
}

/// The name of an element: the parameter of the function, or what the language says it is.
fn target_of(target: Option<Expr>, parameters: &[Parameter], over: &Expr) -> Expr {
    if let Some(target) = target {
        return target;
    }
    let mut names: Vec<Expr> = parameters.iter().map(parameter).collect();
    match names.len() {
        0 => Expr::name(element_name(over)),
        1 => names.remove(0),
        _ => Expr::Items(Collection::Tuple, names),
    }
}

fn parameter(one: &Parameter) -> Expr {
    let name = Expr::name(one.name.as_str());
    if one.takes == Takes::Rest { Expr::Spread(boxed(name)) } else { name }
}

/// A name for an element of `over`: the singular where `over` has a plural name.
pub(crate) fn element_name(over: &Expr) -> String {
    let path = over.path().unwrap_or_default();
    let name = path.rsplit(['.', ':']).next().unwrap_or_default();
    let name = name.trim_start_matches(['@', '_']).trim_end_matches(['?', '!']);
    let singular = match name {
        name if name.len() > 4 && name.ends_with("ies") => {
            format!("{}y", &name[..name.len() - 3])
        }
        name if ["sses", "xes", "ches", "shes"].iter().any(|end| name.ends_with(end)) => {
            name[..name.len() - 2].to_owned()
        }
        name if name.len() > 1
            && name.ends_with('s')
            && !name.ends_with("ss")
            && !name.ends_with("us")
            && !name.ends_with("is") =>
        {
            name[..name.len() - 1].to_owned()
        }
        _ => "item".to_owned(),
    };
    if singular.is_empty() { "item".into() } else { singular }
}

/// The body of a function that is called for every element, as the body of a loop: what returns
/// from it goes on with the next element.
pub(crate) fn as_loop(mut body: Vec<Stmt>) -> Vec<Stmt> {
    if let Some(Stmt::Return(None)) = body.last() {
        body.pop();
    }
    let mut pending: Vec<&mut Vec<Stmt>> = vec![&mut body];
    while let Some(block) = pending.pop() {
        for statement in block.iter_mut() {
            if let Stmt::Return(value) = statement {
                *statement = match value.take() {
                    None => Stmt::Say("go on with the next iteration", Vec::new()),
                    Some(value @ Expr::Call(..)) => Stmt::Expr(value),
                    Some(_) => Stmt::Say("go on with the next iteration", Vec::new()),
                };
            }
            match statement {
                Stmt::If { branches, otherwise } => {
                    pending.extend(branches.iter_mut().map(|branch| &mut branch.body));
                    pending.extend(otherwise.iter_mut());
                }
                Stmt::Switch { cases, .. } => {
                    pending.extend(cases.iter_mut().map(|case| &mut case.body));
                }
                Stmt::Under(_, _, inner) | Stmt::Block(inner) => pending.push(inner),
                _ => {}
            }
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_the_singular_of_the_sequence() {
        for (sequence, element) in [
            ("words", "word"),
            ("entries", "entry"),
            ("boxes", "box"),
            ("classes", "class"),
            ("status", "item"),
            ("list", "item"),
            ("s", "item"),
            ("@users", "user"),
            ("größen", "item"),
        ] {
            assert_eq!(element_name(&Expr::name(sequence)), element, "{sequence}");
        }
        assert_eq!(element_name(&Expr::Unknown(Vec::new())), "item");
    }

    #[test]
    fn what_returns_from_the_function_goes_on_in_the_loop() {
        let body = vec![Stmt::Return(None)];
        let choice = Stmt::If {
            branches: vec![crate::ir::Branch {
                before: Vec::new(),
                condition: Expr::name("a"),
                body: body.clone(),
            }],
            otherwise: None,
        };
        let said = as_loop(vec![choice, Stmt::Return(None)]);
        let [Stmt::If { branches, .. }] = said.as_slice() else { panic!("{said:?}") };
        let next = Stmt::Say("go on with the next iteration", Vec::new());
        assert_eq!(branches[0].body, [next]);
    }
}
