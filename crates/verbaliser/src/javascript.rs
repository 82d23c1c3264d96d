//! The rules of JavaScript: which node of the grammar says what.

use tree_sitter::Node;

use crate::ir::{
    Branch, Class, Cmp, Collection, Expr, FOLLOWED, Function, IF_ALL_SET, IF_SET, Op, Parameter,
    Stmt, Takes, if_set, template_of,
};
use crate::lower::{CountLoop, ForHeads, Label, Lowering, Rules, boxed, one};
use crate::phrase::join;
use crate::sequence::{self, Each};

pub(crate) static RULES: Rules = Rules { expression, statement };

fn expression(cx: &mut Lowering, node: Node) -> Option<Expr> {
    Some(match node.kind() {
        "identifier"
        | "property_identifier"
        | "private_property_identifier"
        | "statement_identifier"
        | "shorthand_property_identifier"
        | "shorthand_property_identifier_pattern"
        | "this"
        | "super"
        | "true"
        | "false"
        | "null"
        | "undefined"
        | "import"
        | "meta_property"
        | "jsx_namespace_name" => Expr::name(cx.text(node)),
        "number" => Expr::Number(cx.text(node).to_owned()),
        "string" => {
            let text = cx.text(node);
            let quote = text.chars().next().unwrap_or('\'');
            Expr::Text { prefix: "", quote, content: text.trim_matches(quote).to_owned() }
        }
        "template_string" => template(cx, node),
        "regex" => regex(cx, node),
        "parenthesized_expression" | "computed_property_name" | "jsx_expression" => {
            cx.first(node)?
        }
        "template_substitution" => cx.first(node)?,
        "sequence_expression" => {
            let mut parts = cx.exprs(node);
            parts.rotate_right(1);
            Expr::Say("{0} (after {1*})", parts)
        }
        "array" => Expr::Items(Collection::Array, cx.exprs(node)),
        "object" => Expr::Items(Collection::Dictionary, cx.exprs(node)),
        "pair" => Expr::Entry(boxed(key(cx, node, "key")), boxed(cx.need(node, "value"))),
        "method_definition" => {
            let method = function(cx, node, "method");
            let closure = Expr::Closure { parameters: method.parameters, body: method.body };
            Expr::Entry(boxed(Expr::name(method.name)), boxed(closure))
        }
        "spread_element" => match node.parent().map(|parent| parent.kind()) {
            Some("object") => Expr::SpreadEntries(boxed(cx.first(node)?)),
            _ => Expr::Spread(boxed(cx.first(node)?)),
        },
        "array_pattern" => Expr::Items(Collection::Tuple, cx.exprs(node)),
        "object_pattern" => Expr::Items(Collection::Dictionary, cx.exprs(node)),
        "pair_pattern" => {
            Expr::Say("{0} as {1}", vec![key(cx, node, "key"), cx.need(node, "value")])
        }
        "assignment_pattern" | "object_assignment_pattern" => {
            Expr::Say("{0} (default {1})", vec![cx.need(node, "left"), cx.need(node, "right")])
        }
        "rest_pattern" => Expr::Spread(boxed(cx.first(node)?)),
        "member_expression" => member(cx, node),
        "subscript_expression" => {
            let element =
                Expr::Index(boxed(cx.need(node, "object")), boxed(cx.need(node, "index")));
            match node.child_by_field_name("optional_chain") {
                Some(_) => if_set(element, cx.holder(node.child_by_field_name("object"))),
                None => element,
            }
        }
        "call_expression" => call(cx, node),
        "new_expression" => {
            let arguments = arguments(cx, node);
            let class = cx.field_text(node, "constructor");
            match (class, arguments.len()) {
                ("Array", 0) => Expr::Items(Collection::Array, Vec::new()),
                ("Array", 1) => Expr::Say("a new array of length {0}", arguments),
                ("Object", 0) => Expr::Items(Collection::Dictionary, Vec::new()),
                ("Set", 1) => Expr::Say("a set of the elements of {0}", arguments),
                ("Set", 0) => Expr::Items(Collection::Set, Vec::new()),
                ("Map", 0) => Expr::Say("an empty map", arguments),
                ("Date", 0) => Expr::Say("the current date and time", arguments),
                ("Promise", 1) => {
                    let mut arguments = arguments;
                    match arguments.pop() {
                        Some(Expr::Closure { parameters, body }) => {
                            let names =
                                parameters.into_iter().map(|one| Expr::name(one.name)).collect();
                            Expr::Below {
                                template: "a new promise, settled by {|} in the steps below",
                                parts: names,
                                body,
                            }
                        }
                        other => Expr::New {
                            class: class.into(),
                            arguments: other.into_iter().collect(),
                            members: None,
                        },
                    }
                }
                _ => Expr::New { class: class.into(), arguments, members: None },
            }
        }
        "assignment_expression" => {
            Expr::Bind(boxed(cx.need(node, "left")), boxed(cx.need(node, "right")))
        }
        "augmented_assignment_expression" => cx.changed(node),
        "update_expression" => cx.update(node)?,
        "unary_expression" => {
            let operand = cx.need(node, "argument");
            match cx.field_text(node, "operator") {
                "!" => match operand {
                    // !!x is x as a truth value.
                    Expr::Not(inner) if !is_test(&inner) => {
                        Expr::Say("{0} as a truth value", vec![*inner])
                    }
                    operand => Expr::Not(boxed(operand)),
                },
                "-" => Expr::Negative(boxed(operand)),
                "~" => match operand {
                    // ~~x cuts off the fraction.
                    Expr::BitNot(inner) => Expr::Say("{0} without its fraction", vec![*inner]),
                    operand => Expr::BitNot(boxed(operand)),
                },
                "+" => Expr::Say("{0} as a number", vec![operand]),
                "typeof" => Expr::Say("the type of {0}", vec![operand]),
                "void" => Expr::name("undefined"),
                _ => Expr::Say("whether {0} could be deleted", vec![operand]),
            }
        }
        "binary_expression" => binary(cx, node)?,
        "ternary_expression" => Expr::Choice {
            condition: boxed(cx.need(node, "condition")),
            then: boxed(cx.need(node, "consequence")),
            otherwise: boxed(cx.need(node, "alternative")),
        },
        "await_expression" => Expr::Await(boxed(cx.first(node)?)),
        "yield_expression" => match (cx.first(node), cx.has_token(node, "*")) {
            (None, _) => Expr::Say("what is sent in at this yield", Vec::new()),
            (Some(value), true) => Expr::Say("the result of yielding each of {0}", vec![value]),
            (Some(value), false) => Expr::Say("what is sent in after yielding {0}", vec![value]),
        },
        "arrow_function" | "function_expression" | "generator_function" => closure(cx, node),
        "class" => {
            let class = class(cx, node);
            Expr::Below { template: "a class", parts: Vec::new(), body: class.body }
        }
        "jsx_element" => jsx(cx, node, node.child_by_field_name("open_tag")?),
        "jsx_self_closing_element" => jsx(cx, node, node),
        "jsx_text" => Expr::Text {
            prefix: "",
            quote: '"',
            content: cx.text(node).split_whitespace().collect::<Vec<_>>().join(" "),
        },
        "html_character_reference" => {
            Expr::Text { prefix: "", quote: '"', content: cx.text(node).to_owned() }
        }
        "jsx_attribute" => {
            let mut parts = cx.exprs(node).into_iter();
            let name = parts.next()?.path()?;
            let value = parts.next().unwrap_or_else(|| Expr::name("true"));
            Expr::Named(name, boxed(value))
        }
        "arguments" => Expr::Items(Collection::Tuple, cx.exprs(node)),
        "decorator" => cx.first(node)?,
        _ => return None,
    })
}

fn is_test(value: &Expr) -> bool {
    matches!(value, Expr::Compare(..) | Expr::Test { .. } | Expr::And(_) | Expr::Or(_))
}

/// A key of an object: a name, number or text as it stands, or a computed value.
fn key(cx: &mut Lowering, node: Node, field: &str) -> Expr {
    cx.need(node, field)
}

fn template(cx: &mut Lowering, node: Node) -> Expr {
    let mut content = String::new();
    let mut values = Vec::new();
    for part in cx.parts(node) {
        if part.kind() == "template_substitution" {
            content += "{}";
            values.extend(cx.first(part));
        } else {
            content += cx.text(part);
        }
    }
    template_of("", '`', content, values)
}

fn regex(cx: &Lowering, node: Node) -> Expr {
    let content = cx.field_text(node, "pattern").to_owned();
    let flags = cx.field_text(node, "flags");
    let template = match (flags.contains('g'), flags.contains('i')) {
        (true, true) => "the global pattern {0} ignoring case",
        (true, false) => "the global pattern {0}",
        (false, true) => "the pattern {0} ignoring case",
        (false, false) => "the pattern {0}",
    };
    Expr::Say(template, vec![Expr::Text { prefix: "", quote: '/', content }])
}

fn member(cx: &mut Lowering, node: Node) -> Expr {
    let member =
        Expr::Attribute(boxed(cx.need(node, "object")), cx.field_text(node, "property").to_owned());
    match node.child_by_field_name("optional_chain") {
        Some(_) => if_set(member, cx.holder(node.child_by_field_name("object"))),
        None => member,
    }
}

fn arguments(cx: &mut Lowering, node: Node) -> Vec<Expr> {
    match node.child_by_field_name("arguments") {
        Some(list) if list.kind() == "template_string" => vec![cx.expr(list)],
        Some(list) => cx.exprs(list),
        None => Vec::new(),
    }
}

fn each(method: &str) -> Option<Each> {
    Some(match method {
        "map" => Each::Map,
        "flatMap" => Each::FlatMap,
        "filter" => Each::Filter,
        "some" => Each::Any,
        "every" => Each::All,
        "find" => Each::Find,
        "findIndex" => Each::FindIndex,
        _ => return None,
    })
}

fn is_function(value: &Expr) -> bool {
    matches!(value, Expr::Lambda { .. } | Expr::Closure { .. })
}

fn call(cx: &mut Lowering, node: Node) -> Expr {
    let mut arguments = arguments(cx, node);
    let callee = cx.need(node, "function");
    let (base, method) = match callee {
        Expr::Attribute(base, method) => (*base, method),
        // a?.b(): the call is made where a is set.
        Expr::Say(IF_SET | IF_ALL_SET, mut parts) if !parts.is_empty() => {
            let callee = parts.remove(0);
            let mut call = Expr::Call(boxed(callee), arguments);
            for holder in parts {
                call = if_set(call, holder);
            }
            return call;
        }
        Expr::Name(name) if name == "Array" && arguments.len() == 1 => {
            return Expr::Say("a new array of length {0}", arguments);
        }
        // An error may be made without `new`.
        Expr::Name(name) if name.ends_with("Error") && name.starts_with(char::is_uppercase) => {
            return Expr::New { class: name, arguments, members: None };
        }
        callee => {
            let called = Expr::Call(boxed(callee), arguments);
            return match node.child_by_field_name("optional_chain") {
                Some(_) => if_set(called, cx.holder(node.child_by_field_name("function"))),
                None => called,
            };
        }
    };
    if let [function] = arguments.as_slice()
        && let Some(each) = each(&method)
        && (is_function(function) || each == Each::Map && function.path().is_some())
    {
        let target = indexed(function);
        return sequence::value(each, base, target, arguments.remove(0));
    }
    if let Some(value) = part_of(&base, &method, &mut arguments) {
        return value;
    }
    if let Some(value) = chained(&base, &method, &mut arguments) {
        return value;
    }
    Expr::Call(boxed(Expr::Attribute(boxed(base), method)), arguments)
}

/// Parts of sequences, and texts with something replaced.
fn part_of(base: &Expr, method: &str, arguments: &mut Vec<Expr>) -> Option<Expr> {
    match (method, arguments.as_mut_slice()) {
        ("slice", [from]) if from.integer() != Some(0) => Some(Expr::Slice {
            of: Some(boxed(base.clone())),
            from: Some(boxed(from.clone())),
            to: None,
            step: None,
        }),
        ("slice", [from, to]) => Some(Expr::Slice {
            of: Some(boxed(base.clone())),
            from: Some(from.clone()).filter(|from| from.integer() != Some(0)).map(boxed),
            to: Some(boxed(to.clone())),
            step: None,
        }),
        ("replace" | "replaceAll", [pattern, by]) if !is_function(by) => {
            let global = match pattern {
                Expr::Say(words, _) if words.starts_with("the global pattern") => {
                    *words = if words.ends_with("case") {
                        "the pattern {0} ignoring case"
                    } else {
                        "the pattern {0}"
                    };
                    true
                }
                Expr::Say(..) => false,
                Expr::Text { .. } => method == "replaceAll",
                _ => return None,
            };
            let empty = matches!(by, Expr::Text { content, .. } if content.is_empty());
            Some(Expr::Say(
                match (global, empty) {
                    (true, true) => "{o0} with all matches of {o1} removed",
                    (true, false) => "{o0} with all matches of {o1} replaced by {o2}",
                    (false, true) => "{o0} with the first match of {o1} removed",
                    (false, false) => "{o0} with the first match of {o1} replaced by {o2}",
                },
                vec![base.clone(), pattern.clone(), by.clone()],
            ))
        }
        _ => None,
    }
}

/// The element that a function of an element and its index is given.
fn indexed(function: &Expr) -> Option<Expr> {
    let (Expr::Lambda { parameters, .. } | Expr::Closure { parameters, .. }) = function else {
        return None;
    };
    match parameters.as_slice() {
        [element, index, ..] if element.takes == Takes::One && element.name == "_" => {
            Some(Expr::Say("index {0}", vec![Expr::name(index.name.as_str())]))
        }
        [element, index, ..] if element.takes == Takes::One => {
            let names = vec![Expr::name(element.name.as_str()), Expr::name(index.name.as_str())];
            Some(Expr::Say("{0} (with index {1})", names))
        }
        _ => None,
    }
}

/// Calls with a function that have words of their own: sorting, reducing, promises.
fn chained(base: &Expr, method: &str, arguments: &mut Vec<Expr>) -> Option<Expr> {
    match (method, arguments.as_slice()) {
        ("sort", [Expr::Lambda { parameters, value }]) => {
            let template = order(parameters, value)?;
            Some(Expr::Say(template, vec![base.clone()]))
        }
        ("reduce", [Expr::Lambda { parameters, value }, start @ ..]) if start.len() < 2 => {
            let [sum, element, ..] = parameters.as_slice() else { return None };
            let names = (Expr::name(sum.name.as_str()), Expr::name(element.name.as_str()));
            // (a, b) => a + b is a sum.
            if let Expr::Chain(first, rest) = &**value
                && let [(op @ (Op::Add | Op::Mul), last)] = rest.as_slice()
                && (&**first, last) == (&names.0, &names.1)
                && start
                    .iter()
                    .all(|start| start.integer() == Some(if *op == Op::Add { 0 } else { 1 }))
            {
                let template = if *op == Op::Add { "the sum of {0}" } else { "the product of {0}" };
                return Some(Expr::Say(template, vec![base.clone()]));
            }
            let mut parts = vec![base.clone(), names.0, names.1, (**value).clone()];
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
        ("reduce", [Expr::Closure { parameters, body }, start]) => {
            let [sum, element, ..] = parameters.as_slice() else { return None };
            Some(Expr::Below {
                template: "the {1} that starts as {o3} and becomes what the steps below return for each {2} of {o0}",
                parts: vec![
                    base.clone(),
                    Expr::name(sum.name.as_str()),
                    Expr::name(element.name.as_str()),
                    start.clone(),
                ],
                body: body.clone(),
            })
        }
        ("then" | "catch" | "finally", [function]) => {
            let (parameters, body) = match function {
                Expr::Lambda { parameters, value } => {
                    (parameters, vec![Stmt::Return(Some((**value).clone()))])
                }
                Expr::Closure { parameters, body } => (parameters, body.clone()),
                _ => return None,
            };
            let name: Vec<Expr> = match parameters.first() {
                Some(one) if method != "finally" => vec![Expr::name(one.name.as_str())],
                _ => Vec::new(),
            };
            let heading = match (method, name.is_empty()) {
                ("then", true) => "then:",
                ("then", false) => "then, with the result {0}:",
                ("catch", true) => "if that fails:",
                ("catch", false) => "if that fails with {0}:",
                _ => "in the end, in any case:",
            };
            let step = Stmt::Under(heading, name, body);
            // What follows one promise is one list.
            let (parts, mut steps) = match base {
                Expr::Below { template: FOLLOWED, parts, body } => (parts.clone(), body.clone()),
                base => (vec![base.clone()], Vec::new()),
            };
            steps.push(step);
            Some(Expr::Below { template: FOLLOWED, parts, body: steps })
        }
        _ => None,
    }
}

/// The words for a sort by `(a, b) => a - b` or `b - a`.
fn order(parameters: &[Parameter], value: &Expr) -> Option<&'static str> {
    let ([a, b], Expr::Chain(first, rest)) = (parameters, value) else { return None };
    let (Expr::Name(first), [(Op::Sub, Expr::Name(second))]) = (&**first, rest.as_slice()) else {
        return None;
    };
    if (first, second) == (&a.name, &b.name) {
        Some("{0} sorted in ascending order")
    } else if (first, second) == (&b.name, &a.name) {
        Some("{0} sorted in descending order")
    } else {
        None
    }
}

/// Rows of operators of one class, followed down the left side in a loop.
fn binary(cx: &mut Lowering, node: Node) -> Option<Expr> {
    let sign = cx.field_text(node, "operator");
    if let Some(cmp) = Cmp::from_sign(sign).filter(|_| sign != "in") {
        let first = boxed(cx.need(node, "left"));
        return Some(Expr::Compare(first, vec![(cmp, cx.need(node, "right"))]));
    }
    let (holds, fails) = match sign {
        "in" => ("{1} has the key {o0}", "{1} does not have the key {o0}"),
        "instanceof" => ("{0} is an instance of {1}", "{0} is not an instance of {1}"),
        "??" => {
            let parts = vec![cx.need(node, "left"), cx.need(node, "right")];
            return Some(Expr::Say("{o0}, or {o1} if that is missing", parts));
        }
        _ => return cx.row(node, "binary_expression"),
    };
    let parts = vec![cx.need(node, "left"), cx.need(node, "right")];
    Some(Expr::Test { holds, fails, parts })
}

fn closure(cx: &mut Lowering, node: Node) -> Expr {
    let parameters = parameters(cx, node);
    match node.child_by_field_name("body") {
        Some(body) if body.kind() == "statement_block" => {
            let mut body = cx.inside(false, |cx| cx.body(body));
            match body.as_mut_slice() {
                // (x) => { return x + 1; }
                [Stmt::Return(value @ Some(_))] => match value.take() {
                    Some(value) => Expr::Lambda { parameters, value: boxed(value) },
                    None => Expr::Closure { parameters, body },
                },
                _ => Expr::Closure { parameters, body },
            }
        }
        Some(body) => Expr::Lambda { parameters, value: boxed(cx.expr(body)) },
        None => Expr::Closure { parameters, body: Vec::new() },
    }
}

fn parameters(cx: &mut Lowering, node: Node) -> Vec<Parameter> {
    if let Some(only) = node.child_by_field_name("parameter") {
        return vec![one(cx.text(only))];
    }
    let Some(list) = node.child_by_field_name("parameters") else { return Vec::new() };
    let mut found = Vec::new();
    for part in cx.parts(list) {
        found.push(match part.kind() {
            "assignment_pattern" => {
                let default = cx.field(part, "right");
                let target = part.child_by_field_name("left").unwrap_or(part);
                Parameter { default, ..one(&parameter_name(cx, target)) }
            }
            "rest_pattern" => {
                let target = cx.parts(part).first().copied().unwrap_or(part);
                Parameter { takes: Takes::Rest, ..one(&parameter_name(cx, target)) }
            }
            _ => one(&parameter_name(cx, part)),
        });
    }
    found
}

/// The name of a parameter, or the names that it is taken apart into.
fn parameter_name(cx: &mut Lowering, node: Node) -> String {
    match node.kind() {
        "object_pattern" | "array_pattern" => {
            let names: Vec<String> =
                cx.parts(node).into_iter().map(|part| pattern_name(cx, part)).collect();
            let kind =
                if node.kind() == "object_pattern" { "an object with" } else { "the elements" };
            format!("({kind} {})", join(&names, "and"))
        }
        _ => cx.text(node).to_owned(),
    }
}

fn pattern_name(cx: &Lowering, node: Node) -> String {
    let field = match node.kind() {
        "object_assignment_pattern" | "assignment_pattern" => "left",
        "pair_pattern" => "key",
        _ => return cx.text(node).trim_start_matches("...").to_owned(),
    };
    cx.field_text(node, field).to_owned()
}

/// An element of JSX: its name, attributes and children.
fn jsx(cx: &mut Lowering, node: Node, tag: Node) -> Expr {
    let name = cx.field_text(tag, "name");
    let name = if name.is_empty() { "fragment" } else { name };
    let mut parts = vec![Expr::name(name)];
    let attributes: Vec<Expr> =
        cx.fields(tag, "attribute").into_iter().map(|part| cx.expr(part)).collect();
    let plain = attributes.is_empty();
    parts.extend(attributes);
    let mut children = Vec::new();
    if node.kind() == "jsx_element" {
        for child in cx.parts(node) {
            let bare = matches!(child.kind(), "jsx_opening_element" | "jsx_closing_element")
                || child.kind() == "jsx_text" && cx.text(child).trim().is_empty()
                || child.kind() == "jsx_expression" && cx.parts(child).is_empty();
            if !bare {
                children.push(cx.expr(child));
            }
        }
    }
    let element = Expr::Say(if plain { "a {0} element" } else { "a {0} element with {1*}" }, parts);
    if children.is_empty() {
        return element;
    }
    children.insert(0, element);
    Expr::Say("{o0} containing {1*}", children)
}

fn statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) -> bool {
    match node.kind() {
        "program" | "statement_block" => {
            let body = cx.block(node);
            out.push(Stmt::Block(body));
        }
        "class_body" => {
            let body = cx.block(node);
            out.push(Stmt::Block(body));
        }
        "hash_bang_line" | "empty_statement" => {}
        "debugger_statement" => out.push(Stmt::Say("stop in the debugger", Vec::new())),
        "expression_statement" => match cx.parts(node).first() {
            // 'use strict'
            Some(only) if only.kind() == "string" => {}
            Some(only) => cx.stmt(*only, out),
            None => {}
        },
        "parenthesized_expression" | "sequence_expression" => {
            for part in cx.parts(node) {
                cx.stmt(part, out);
            }
        }
        "lexical_declaration" | "variable_declaration" | "using_declaration" => {
            declaration(cx, node, out);
        }
        "assignment_expression" => assignment(cx, node, out),
        "augmented_assignment_expression" => {
            let (target, value) = (cx.need(node, "left"), cx.need(node, "right"));
            let sign = cx.field_text(node, "operator");
            out.push(match (Op::from_sign(sign), sign) {
                (Some(op), _) => Stmt::Augment { target, op, value },
                (None, "&&=") => Stmt::Say("if {0} is true, set it to {1}", vec![target, value]),
                (None, "||=") => Stmt::Say("set {0} to {1} unless it is true", vec![target, value]),
                _ => Stmt::Say("set {0} to {1} if it is missing", vec![target, value]),
            });
        }
        "update_expression" => {
            let op = if cx.has_token(node, "++") { Op::Add } else { Op::Sub };
            let Some(target) = cx.first(node) else { return false };
            out.push(Stmt::Augment { target, op, value: Expr::Number("1".into()) });
        }
        "unary_expression" if cx.field_text(node, "operator") == "delete" => {
            let target = cx.need(node, "argument");
            out.push(Stmt::Say("delete {0}", vec![target]));
        }
        "unary_expression" if matches!(cx.field_text(node, "operator"), "!" | "void") => {
            // !function () { … }()
            match node.child_by_field_name("argument") {
                Some(inner) => cx.stmt(inner, out),
                None => return false,
            }
        }
        "binary_expression" if matches!(cx.field_text(node, "operator"), "&&" | "||") => {
            let guarded = cx.guarded(node);
            out.push(guarded);
        }
        "ternary_expression" => {
            let condition = cx.need(node, "condition");
            let body = cx.body_field(node, "consequence");
            let otherwise = Some(cx.body_field(node, "alternative"));
            out.push(Stmt::If {
                branches: vec![Branch { before: Vec::new(), condition, body }],
                otherwise,
            });
        }
        "yield_expression" => {
            let value = cx.first(node);
            out.push(match value {
                Some(value) if cx.has_token(node, "*") => {
                    Stmt::Say("yield each of {0}", vec![value])
                }
                value => Stmt::Yield(value),
            });
        }
        "call_expression" => call_statement(cx, node, out),
        "return_statement" => {
            let value = cx.first(node);
            out.push(Stmt::Return(value));
        }
        "throw_statement" => {
            let error = cx.first(node);
            out.push(Stmt::Raise { error, cause: None });
        }
        "if_statement" => if_statement(cx, node, out),
        "for_statement" => for_statement(cx, node, out),
        "for_in_statement" => for_in(cx, node, out),
        "while_statement" => {
            let repeated = cx.while_loop(node);
            out.push(repeated);
        }
        "do_statement" => {
            let repeated = cx.do_loop(node);
            out.push(repeated);
        }
        "switch_statement" => {
            let subject = cx.need(node, "value");
            let mut labels = Vec::new();
            for part in node.child_by_field_name("body").map(|b| cx.parts(b)).unwrap_or_default() {
                labels.push(Label {
                    values: cx.fields(part, "value"),
                    body: cx.fields(part, "body"),
                });
            }
            let switch = cx.switch(subject, labels);
            out.push(switch);
        }
        "break_statement" => {
            let jump = cx.jump(node, true);
            out.push(jump);
        }
        "continue_statement" => {
            let jump = cx.jump(node, false);
            out.push(jump);
        }
        "labeled_statement" => {
            let label = cx.need(node, "label");
            out.push(Stmt::Say("label what follows {0}", vec![label]));
            let mut body = cx.body_field(node, "body");
            out.append(&mut body);
        }
        "try_statement" => try_statement(cx, node, out),
        "with_statement" => {
            let object = cx.need(node, "object");
            let body = cx.body_field(node, "body");
            out.push(Stmt::Under("with the members of {0} as names:", vec![object], body));
        }
        "import_statement" => import(cx, node, out),
        "export_statement" => export(cx, node, out),
        "function_declaration"
        | "generator_function_declaration"
        | "function_expression"
        | "generator_function"
        | "arrow_function" => {
            let function = function(cx, node, "function");
            out.push(Stmt::Function(function));
        }
        "method_definition" => {
            let function = function(cx, node, "method");
            out.push(Stmt::Function(function));
        }
        "class_declaration" => {
            let class = class(cx, node);
            out.push(Stmt::Class(class));
        }
        "field_definition" => {
            let name = cx.need(node, "property");
            let mut parts = vec![name];
            parts.extend(cx.field(node, "value"));
            let fixed = cx.has_token(node, "static");
            out.push(Stmt::Say(
                match (fixed, parts.len()) {
                    (false, 1) => "declare field {0}",
                    (false, _) => "declare field {0}, set to {1}",
                    (true, 1) => "declare static field {0}",
                    (true, _) => "declare static field {0}, set to {1}",
                },
                parts,
            ));
        }
        "class_static_block" => {
            let body = cx.body_field(node, "body");
            out.push(Stmt::Under("when the class is defined:", Vec::new(), body));
        }
        _ => return false,
    }
    true
}

/// A definition where a function or class is given a name; other values are assigned.
fn named(cx: &mut Lowering, name: &str, value: Node) -> Option<Stmt> {
    match value.kind() {
        "arrow_function" | "function_expression" | "generator_function" => {
            let mut function = function(cx, value, "function");
            function.name = name.to_owned();
            Some(Stmt::Function(function))
        }
        "class" => {
            let mut class = class(cx, value);
            class.name = name.to_owned();
            Some(Stmt::Class(class))
        }
        _ => None,
    }
}

fn declaration(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut bare = Vec::new();
    for declarator in cx.parts(node) {
        let Some(target) = declarator.child_by_field_name("name") else { continue };
        let Some(value) = declarator.child_by_field_name("value") else {
            bare.push(cx.expr(target));
            continue;
        };
        if !bare.is_empty() {
            out.push(Stmt::Say("declare {*}", std::mem::take(&mut bare)));
        }
        if target.kind() == "identifier"
            && let Some(definition) = named(cx, cx.text(target), value)
        {
            out.push(definition);
            continue;
        }
        let targets = vec![cx.expr(target)];
        set(cx, targets, value, out);
    }
    if !bare.is_empty() {
        out.push(Stmt::Say("declare {*}", bare));
    }
}

fn assignment(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut targets = vec![cx.need(node, "left")];
    let Some(mut right) = node.child_by_field_name("right") else { return };
    // a = b = 0: the right side is an assignment again.
    while right.kind() == "assignment_expression" {
        targets.push(cx.need(right, "left"));
        match right.child_by_field_name("right") {
            Some(inner) => right = inner,
            None => break,
        }
    }
    if let [target] = targets.as_slice()
        && let Some(name) = target.path()
        && let Some(definition) = named(cx, &name, right)
    {
        out.push(definition);
        return;
    }
    set(cx, targets, right, out);
}

/// `targets = value`, where the targets may be patterns.
fn set(cx: &mut Lowering, targets: Vec<Expr>, value: Node, out: &mut Vec<Stmt>) {
    match targets.as_slice() {
        [Expr::Items(Collection::Dictionary, names)] => {
            let mut parts = vec![cx.expr(value)];
            parts.extend(names.iter().map(|name| match name {
                Expr::Spread(rest) => Expr::Say("the rest as {0}", vec![(**rest).clone()]),
                name => name.clone(),
            }));
            out.push(Stmt::Say("take {1*} from {o0}", parts));
        }
        // [a, b] = [b, a]: at once, as a tuple.
        [Expr::Items(Collection::Tuple, _)] if value.kind() == "array" => {
            let value = Expr::Items(Collection::Tuple, cx.exprs(value));
            out.push(Stmt::Assign { targets, value });
        }
        _ => {
            let value = cx.expr(value);
            out.push(Stmt::Assign { targets, value });
        }
    }
}

fn call_statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let callee = node.child_by_field_name("function");
    if cx.field_text(node, "function") == "super" {
        let parts = arguments(cx, node);
        out.push(if parts.is_empty() {
            Stmt::Say("call the parent constructor", parts)
        } else {
            Stmt::Say("call the parent constructor with {*}", parts)
        });
        return;
    }
    if let Some(callee) = callee
        && callee.kind() == "member_expression"
        && cx.field_text(callee, "property") == "forEach"
        && let [function] = cx.fields(node, "arguments").as_slice()
        && let [function] = cx.parts(*function).as_slice()
        && matches!(function.kind(), "arrow_function" | "function_expression")
    {
        let over = cx.need(callee, "object");
        let names = parameters(cx, *function);
        let inner = function.child_by_field_name("body");
        let body = inner.map(|body| cx.inside(false, |cx| cx.body(body))).unwrap_or_default();
        let body = sequence::as_loop(body);
        let mut names: Vec<Expr> = names.into_iter().map(|one| Expr::name(one.name)).collect();
        out.push(match names.len() {
            0 => Stmt::Under("for each element of {o0}:", vec![over], body),
            1 => Stmt::ForEach { target: names.remove(0), iterable: over, body },
            _ => {
                names.push(over);
                names.swap(0, 1);
                let last = names.pop().unwrap_or_else(|| Expr::name("_"));
                names.truncate(2);
                names.push(last);
                Stmt::Under("for each index {o0} and element {o1} of {o2}:", names, body)
            }
        });
        return;
    }
    match cx.expr(node) {
        Expr::Call(callee, arguments) => match (*callee, arguments.len()) {
            // (function () { … })()
            (Expr::Closure { parameters, body }, _) => {
                let given: Vec<Expr> = parameters
                    .into_iter()
                    .zip(arguments)
                    .map(|(parameter, value)| Expr::Named(parameter.name, boxed(value)))
                    .collect();
                out.push(if given.is_empty() {
                    Stmt::Under("at once, in a scope of its own:", given, body)
                } else {
                    Stmt::Under("at once, in a scope of its own with {*}:", given, body)
                });
            }
            (callee, _) => {
                let splice = match (&callee, arguments.as_slice()) {
                    (Expr::Attribute(of, method), [at, count, new @ ..])
                        if method == "splice" && new.len() < 2 =>
                    {
                        let parts = vec![(**of).clone(), at.clone()];
                        match (count.integer(), new) {
                            (Some(0), [new]) => {
                                let parts = parts.into_iter().chain([new.clone()]).collect();
                                Some(Stmt::Say("insert {o2} into {o0} at index {1}", parts))
                            }
                            (Some(1), []) => {
                                Some(Stmt::Say("remove the element of {o0} at index {1}", parts))
                            }
                            _ => None,
                        }
                    }
                    _ => None,
                };
                out.push(
                    splice.unwrap_or_else(|| Stmt::Expr(Expr::Call(boxed(callee), arguments))),
                );
            }
        },
        // xs.sort(…) sorts xs.
        Expr::Say("{0} sorted in ascending order", parts) => {
            out.push(Stmt::Say("sort {0} in ascending order", parts));
        }
        Expr::Say("{0} sorted in descending order", parts) => {
            out.push(Stmt::Say("sort {0} in descending order", parts));
        }
        value => out.push(Stmt::Expr(value)),
    }
}

/// `else if` nests in the grammar; here it is a loop, whatever the length of the row.
fn if_statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut branches = Vec::new();
    let mut otherwise = None;
    let mut at = node;
    loop {
        branches.push(Branch {
            before: Vec::new(),
            condition: cx.need(at, "condition"),
            body: cx.body_field(at, "consequence"),
        });
        let Some(last) = at
            .child_by_field_name("alternative")
            .and_then(|clause| cx.parts(clause).first().copied())
        else {
            break;
        };
        if last.kind() == "if_statement" {
            at = last;
        } else {
            otherwise = Some(cx.body(last));
            break;
        }
    }
    out.push(Stmt::If { branches, otherwise });
}

fn for_statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    // An empty part is a token or an empty statement.
    let head = |field: &str| {
        node.child_by_field_name(field)
            .filter(|part| part.is_named() && part.kind() != "empty_statement")
    };
    let (init, condition) = (head("initializer"), head("condition"));
    let update = head("increment");
    let found = match (init, condition, update) {
        (Some(init), Some(condition), Some(update)) => counting(cx, init, condition, update),
        _ => None,
    };
    let heads = ForHeads {
        inits: init.into_iter().collect(),
        condition,
        updates: update.into_iter().collect(),
    };
    let bodies = cx.fields(node, "body");
    cx.for_loop(heads, &bodies, found, CHANGES, out);
}

const CHANGES: &[&str] =
    &["assignment_expression", "augmented_assignment_expression", "update_expression"];

fn counting(cx: &mut Lowering, init: Node, condition: Node, update: Node) -> Option<CountLoop> {
    if condition.kind() != "binary_expression" {
        return None;
    }
    let (name, from) = match init.kind() {
        "lexical_declaration" | "variable_declaration" => {
            let declarators = cx.parts(init);
            let [declarator] = declarators.as_slice() else { return None };
            (declarator.child_by_field_name("name")?, declarator.child_by_field_name("value")?)
        }
        "assignment_expression" => {
            (init.child_by_field_name("left")?, init.child_by_field_name("right")?)
        }
        _ => return None,
    };
    let name = cx.text(name);
    let step = cx.counting_step(name, update)?;
    cx.count_loop(name, from, condition, step)
}

fn for_in(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let target = cx.need(node, "left");
    let iterable = cx.need(node, "right");
    let body = cx.loop_body(node);
    if cx.field_text(node, "operator") == "in" {
        out.push(Stmt::Under("for each key {o0} of {o1}:", vec![target, iterable], body));
        return;
    }
    if cx.has_token(node, "await") {
        let parts = vec![target, iterable];
        out.push(Stmt::Under("for each {o0} in {o1}, awaiting each:", parts, body));
        return;
    }
    // for (const [i, x] of xs.entries())
    if let (Expr::Items(Collection::Tuple, names), Expr::Call(callee, arguments)) =
        (&target, &iterable)
        && let ([first, second], [], Expr::Attribute(base, method)) =
            (names.as_slice(), arguments.as_slice(), &**callee)
        && method == "entries"
    {
        let key =
            matches!(first, Expr::Name(name) if matches!(&**name, "i" | "j" | "idx" | "index"));
        let template = if key {
            "for each index {o0} and element {o1} of {o2}:"
        } else {
            "for each key {o0} and value {o1} of {o2}:"
        };
        let parts = vec![first.clone(), second.clone(), (**base).clone()];
        out.push(Stmt::Under(template, parts, body));
        return;
    }
    if let (Expr::Items(Collection::Tuple, names), Expr::Call(callee, arguments)) =
        (&target, &iterable)
        && let ([first, second], [object]) = (names.as_slice(), arguments.as_slice())
        && callee.path().as_deref() == Some("Object.entries")
    {
        let parts = vec![first.clone(), second.clone(), object.clone()];
        out.push(Stmt::Under("for each key {o0} and value {o1} of {o2}:", parts, body));
        return;
    }
    out.push(Stmt::ForEach { target, iterable, body });
}

fn try_statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let body = cx.body_field(node, "body");
    out.push(Stmt::Under("try:", Vec::new(), body));
    if let Some(clause) = node.child_by_field_name("handler") {
        let name = cx.field(clause, "parameter");
        let body = cx.body_field(clause, "body");
        out.push(match name {
            Some(name) => Stmt::Under("if an error is caught as {0}:", vec![name], body),
            None => Stmt::Under("if an error is caught:", Vec::new(), body),
        });
    }
    if let Some(clause) = node.child_by_field_name("finalizer") {
        let body = cx.body_field(clause, "body");
        out.push(Stmt::Under("in any case, finally:", Vec::new(), body));
    }
}

fn import(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut parts = vec![cx.need(node, "source")];
    for clause in cx.parts(node) {
        if clause.kind() != "import_clause" {
            continue;
        }
        for part in cx.parts(clause) {
            match part.kind() {
                "named_imports" => {
                    for specifier in cx.parts(part) {
                        parts.push(alias(cx, specifier));
                    }
                }
                "namespace_import" => {
                    let name = cx.exprs(part);
                    parts.push(Expr::Say("everything as {0}", name));
                }
                _ => parts.push(cx.expr(part)),
            }
        }
    }
    out.push(if parts.len() > 1 {
        Stmt::Say("import {1*} from {0}", parts)
    } else {
        Stmt::Say("import {0}", parts)
    });
}

/// `name` or `name as alias`.
fn alias(cx: &mut Lowering, node: Node) -> Expr {
    let name = match node.child_by_field_name("name") {
        Some(name) if name.kind() == "string" => cx.expr(name),
        Some(name) => Expr::name(cx.text(name)),
        None => Expr::name(cx.text(node)),
    };
    match node.child_by_field_name("alias") {
        Some(alias) => Expr::Say("{0} as {1}", vec![name, Expr::name(cx.text(alias))]),
        None => name,
    }
}

fn export(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let default = cx.has_token(node, "default");
    if let Some(declaration) = node.child_by_field_name("declaration") {
        let mut inner = Vec::new();
        cx.stmt(declaration, &mut inner);
        let mut names = Vec::new();
        for statement in &mut inner {
            match statement {
                Stmt::Function(function) => function.kind = format!("exported {}", function.kind),
                Stmt::Class(class) => class.kind = "exported class",
                Stmt::Assign { targets, .. } => names.extend(targets.iter().cloned()),
                Stmt::Say("declare {*}", targets) => names.extend(targets.iter().cloned()),
                _ => {}
            }
        }
        out.append(&mut inner);
        if !names.is_empty() {
            out.push(Stmt::Say("export {*}", names));
        }
        return;
    }
    if let Some(value) = node.child_by_field_name("value") {
        let value = cx.expr(value);
        out.push(Stmt::Say(
            if default { "export {0} by default" } else { "export {0}" },
            vec![value],
        ));
        return;
    }
    let source = cx.field(node, "source");
    let mut names = Vec::new();
    for part in cx.parts(node) {
        match part.kind() {
            "export_clause" => {
                for specifier in cx.parts(part) {
                    names.push(alias(cx, specifier));
                }
            }
            "namespace_export" => {
                let name = cx.exprs(part);
                names.push(Expr::Say("everything as {0}", name));
            }
            _ => {}
        }
    }
    if names.is_empty() {
        names.push(Expr::name("everything"));
    }
    out.push(match source {
        Some(source) => {
            names.insert(0, source);
            Stmt::Say("export {1*} from {0}", names)
        }
        None => Stmt::Say("export {*}", names),
    });
}

fn function(cx: &mut Lowering, node: Node, noun: &str) -> Function {
    let mut name = match node.child_by_field_name("name") {
        Some(name) if name.kind() == "computed_property_name" => {
            cx.text(name).trim_matches(['[', ']']).to_owned()
        }
        Some(name) => cx.text(name).to_owned(),
        None => String::new(),
    };
    let mut kind = noun.to_owned();
    if noun == "method" && name == "constructor" {
        (kind, name) = ("constructor".into(), String::new());
    }
    if cx.has_token(node, "get") {
        kind = "getter".into();
    }
    if cx.has_token(node, "set") {
        kind = "setter".into();
    }
    if cx.has_token(node, "*") {
        kind = format!("generator {kind}");
    }
    if cx.has_token(node, "async") {
        kind = format!("asynchronous {kind}");
    }
    if cx.has_token(node, "static") {
        kind = format!("static {kind}");
    }
    let decorators = cx.fields(node, "decorator").into_iter().map(|part| cx.expr(part)).collect();
    let parameters = parameters(cx, node);
    let body = match node.child_by_field_name("body") {
        Some(body) if body.kind() == "statement_block" => cx.inside(false, |cx| cx.body(body)),
        Some(value) => vec![Stmt::Return(Some(cx.expr(value)))],
        None => Vec::new(),
    };
    Function { kind, name, parameters, decorators, body }
}

fn class(cx: &mut Lowering, node: Node) -> Class {
    let parents = cx
        .parts(node)
        .into_iter()
        .filter(|part| part.kind() == "class_heritage")
        .filter_map(|part| cx.first(part))
        .collect();
    Class {
        kind: "class",
        name: cx.field_text(node, "name").into(),
        parents,
        decorators: cx.fields(node, "decorator").into_iter().map(|part| cx.expr(part)).collect(),
        body: cx.body_field(node, "body"),
    }
}
