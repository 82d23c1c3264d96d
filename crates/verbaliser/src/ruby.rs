//! The rules of Ruby: which node of the grammar says what.
//!
//! The last value of a method is what it returns, and is said so; methods with blocks that go
//! through a sequence are said as loops and comprehensions.

mod blocks;

use std::collections::HashMap;

use code_syntax::{Language, preorder};
use tree_sitter::{Node, Tree};

use self::blocks::{block_body, block_of, each, for_each, looping, plain_or_block, returning};
use crate::idioms;
use crate::ir::{
    Branch, Case, Class, Cmp, Collection, Expr, Function, Op, Parameter, Stmt, Takes, if_set,
    template_of,
};
use crate::lower::{Lowering, Rules, boxed, one};
use crate::phrase::{join, without_indent};

pub(crate) static RULES: Rules = Rules { expression, statement };

/// The bodies of heredocs, by the id of the node that opens each: the grammar puts them where the
/// next line begins.
pub(crate) fn heredocs(tree: &Tree) -> HashMap<usize, Node<'_>> {
    let (mut openings, mut bodies) = (Vec::new(), Vec::new());
    for node in preorder(tree) {
        match node.kind() {
            "heredoc_beginning" => openings.push(node.id()),
            "heredoc_body" => bodies.push(node),
            _ => {}
        }
    }
    openings.into_iter().zip(bodies).collect()
}

fn expression(cx: &mut Lowering, node: Node) -> Option<Expr> {
    Some(match node.kind() {
        "identifier" | "constant" | "instance_variable" | "class_variable" | "global_variable"
        | "self" | "nil" | "true" | "false" | "super" | "operator" | "setter" | "encoding"
        | "file" | "line" | "hash_key_symbol" | "simple_symbol" | "scope_resolution"
        | "forward_parameter" => Expr::name(cx.text(node)),
        "integer" | "float" | "rational" | "complex" => Expr::Number(cx.text(node).to_owned()),
        "character" => Expr::Text {
            prefix: "",
            quote: '\'',
            content: cx.text(node).trim_start_matches('?').to_owned(),
        },
        "string" | "bare_string" => {
            let quote = if cx.text(node).starts_with('\'') { '\'' } else { '"' };
            text(cx, node, quote)
        }
        "chained_string" => chained(cx, node),
        "heredoc_beginning" => heredoc(cx, node),
        "subshell" => Expr::Say("the output of the command {0}", vec![text(cx, node, '`')]),
        "delimited_symbol" => Expr::Say("the symbol {0}", vec![text(cx, node, '"')]),
        "bare_symbol" => Expr::name(format!(":{}", cx.text(node))),
        "regex" => {
            let flags = cx.text(node).rsplit('/').next().unwrap_or("");
            let template = if flags.contains('i') {
                "the pattern {0} ignoring case"
            } else {
                "the pattern {0}"
            };
            Expr::Say(template, vec![text(cx, node, '/')])
        }
        "array" | "string_array" | "symbol_array" => Expr::Items(Collection::Array, cx.exprs(node)),
        "hash" => Expr::Items(Collection::Dictionary, cx.exprs(node)),
        "pair" => {
            let key = cx.need(node, "key");
            match cx.field(node, "value") {
                Some(value) => Expr::Entry(boxed(key), boxed(value)),
                None => Expr::Entry(boxed(key.clone()), boxed(key)),
            }
        }
        "splat_argument" => match cx.first(node) {
            Some(inner) => Expr::Spread(boxed(inner)),
            None => Expr::name("the further arguments"),
        },
        "rest_assignment" => Expr::Spread(boxed(cx.first(node).unwrap_or_else(|| Expr::name("_")))),
        "hash_splat_argument" => match cx.first(node) {
            Some(inner) => Expr::SpreadEntries(boxed(inner)),
            None => Expr::name("the keyword arguments"),
        },
        "splat_parameter" => match cx.field(node, "name") {
            Some(name) => Expr::Spread(boxed(name)),
            None => Expr::name("any others"),
        },
        "hash_splat_parameter" => match cx.field(node, "name") {
            Some(name) => Expr::SpreadEntries(boxed(name)),
            None => Expr::name("any other entries"),
        },
        "hash_splat_nil" => Expr::name("no other entries"),
        "block_argument" => match cx.first(node) {
            Some(symbol) => Expr::Say("the block {0}", vec![symbol]),
            None => Expr::name("the given block"),
        },
        "forward_argument" => Expr::name("all given arguments"),
        "left_assignment_list"
        | "right_assignment_list"
        | "destructured_left_assignment"
        | "destructured_parameter" => Expr::Items(Collection::Tuple, cx.exprs(node)),
        "argument_list" => match cx.exprs(node) {
            mut items if items.len() == 1 => items.remove(0),
            items => Expr::Items(Collection::Tuple, items),
        },
        "binary" => binary(cx, node)?,
        "unary" => unary(cx, node),
        "conditional" => Expr::Choice {
            condition: boxed(cx.need(node, "condition")),
            then: boxed(cx.need(node, "consequence")),
            otherwise: boxed(cx.need(node, "alternative")),
        },
        "range" => {
            let template = match (
                node.child_by_field_name("begin").is_some(),
                node.child_by_field_name("end").is_some(),
                cx.field_text(node, "operator") == "...",
            ) {
                (true, true, false) => "the range from {o0} to {o1}",
                (true, true, true) => "the range from {o0} to {o1} (exclusive)",
                (true, false, _) => "the range from {o0} on",
                (false, true, false) => "the range up to {o0}",
                (false, true, true) => "the range up to {o0} (exclusive)",
                (false, false, _) => "the whole range",
            };
            let parts = ["begin", "end"].into_iter().filter_map(|side| cx.field(node, side));
            Expr::Say(template, parts.collect())
        }
        "assignment" => Expr::Bind(boxed(cx.need(node, "left")), boxed(cx.need(node, "right"))),
        "operator_assignment" => cx.changed(node),
        "parenthesized_statements" | "interpolation" => match cx.parts(node).as_slice() {
            [only] => cx.expr(*only),
            _ => steps_value(cx, node)?,
        },
        "rescue_modifier" => {
            let parts = vec![cx.need(node, "body"), cx.need(node, "handler")];
            Expr::Say("{0}, or {o1} if that raises an error", parts)
        }
        "if_modifier" | "unless_modifier" => {
            let value = cx.need(node, "body");
            let condition = cx.need(node, "condition");
            let condition =
                if node.kind() == "if_modifier" { condition } else { Expr::Not(boxed(condition)) };
            Expr::Say("{o0} (only if {c1})", vec![value, condition])
        }
        "if" | "unless" | "case" | "case_match" | "begin" | "while" | "until" | "for" => {
            steps_value(cx, node)?
        }
        "element_reference" => element(cx, node)?,
        "call" => call(cx, node),
        "lambda" => {
            let parameters = node
                .child_by_field_name("parameters")
                .map(|list| parameters(cx, list))
                .unwrap_or_default();
            let body = node.child_by_field_name("body")?;
            returning(parameters, block_body(cx, body))
        }
        "yield" => match cx.first(node) {
            Some(value) => Expr::Say("what the block returns for {0}", vec![value]),
            None => Expr::Say("what the block returns", Vec::new()),
        },
        "match_pattern" => Expr::Say(
            "{0} taken apart as {1}",
            vec![cx.need(node, "value"), cx.need(node, "pattern")],
        ),
        "test_pattern" => Expr::Test {
            holds: "{0} matches {1}",
            fails: "{0} does not match {1}",
            parts: vec![cx.need(node, "value"), cx.need(node, "pattern")],
        },
        "alternative_pattern" => Expr::Say("{|}", cx.exprs(node)),
        "as_pattern" => {
            Expr::Say("{0} (called {1})", vec![cx.need(node, "value"), cx.need(node, "name")])
        }
        "array_pattern" | "find_pattern" | "hash_pattern" => pattern(cx, node),
        "keyword_pattern" => {
            let key = cx.need(node, "key");
            match cx.field(node, "value") {
                Some(value) => Expr::Entry(boxed(key), boxed(value)),
                None => key,
            }
        }
        "parenthesized_pattern"
        | "expression_reference_pattern"
        | "pattern"
        | "superclass"
        | "in"
        | "exception_variable" => cx.first(node)?,
        "variable_reference_pattern" => Expr::Say("the value of {0}", vec![cx.need(node, "name")]),
        "return" => Expr::Say("(return {*})", cx.exprs(node)),
        "next" => Expr::name("(go on with the next iteration)"),
        "break" => Expr::name("(leave the loop)"),
        "redo" => Expr::name("(repeat this iteration)"),
        "retry" => Expr::name("(try again)"),
        "method" | "singleton_method" => {
            let function = method(cx, node);
            Expr::Below {
                template: "the method {0}",
                parts: vec![Expr::name(function.name.as_str())],
                body: vec![Stmt::Function(function)],
            }
        }
        "class" | "module" | "singleton_class" => steps_value(cx, node)?,
        _ => return None,
    })
}

/// A text with values inside; the parts of a quoted text, a pattern or a heredoc.
fn text(cx: &mut Lowering, node: Node, quote: char) -> Expr {
    let mut content = String::new();
    let mut values = Vec::new();
    text_parts(cx, node, &mut content, &mut values);
    template_of("", quote, content, values)
}

fn text_parts(cx: &mut Lowering, node: Node, content: &mut String, values: &mut Vec<Expr>) {
    for part in cx.parts(node) {
        match part.kind() {
            "string_content" | "escape_sequence" | "heredoc_content" => *content += cx.text(part),
            "interpolation" => {
                *content += "{}";
                values.push(cx.expr(part));
            }
            _ => {}
        }
    }
}

/// Neighbouring literals are one.
fn chained(cx: &mut Lowering, node: Node) -> Expr {
    let mut content = String::new();
    let mut values = Vec::new();
    for part in cx.parts(node) {
        text_parts(cx, part, &mut content, &mut values);
    }
    template_of("", '"', content, values)
}

fn heredoc(cx: &mut Lowering, node: Node) -> Expr {
    let mut content = String::new();
    let mut values = Vec::new();
    if let Some(body) = cx.elsewhere(node) {
        text_parts(cx, body, &mut content, &mut values);
    }
    let content = content.trim_start_matches(['\r', '\n']);
    let content =
        if cx.text(node).starts_with("<<~") { without_indent(content) } else { content.to_owned() };
    template_of("", '"', content.trim_end().to_owned(), values)
}

fn pattern(cx: &mut Lowering, node: Node) -> Expr {
    let class = cx.field(node, "class");
    let class_id = node.child_by_field_name("class").map(|class| class.id());
    let mut items = Vec::new();
    for part in cx.parts(node) {
        if Some(part.id()) != class_id {
            items.push(cx.expr(part));
        }
    }
    let kind =
        if node.kind() == "hash_pattern" { Collection::Dictionary } else { Collection::Array };
    match class {
        Some(class) if items.is_empty() => class,
        Some(class) => {
            items.insert(0, class);
            Expr::Say("a {0} with {1*}", items)
        }
        None => Expr::Items(kind, items),
    }
}

/// The value of statements that stand where a value is asked for.
fn steps_value(cx: &mut Lowering, node: Node) -> Option<Expr> {
    let mut body = Vec::new();
    if node.kind() == "parenthesized_statements" || node.kind() == "interpolation" {
        body = cx.block(node);
    } else if !statement(cx, node, &mut body) {
        return None;
    }
    if let [Stmt::If { branches, otherwise: Some(otherwise) }] = body.as_slice()
        && let [branch] = branches.as_slice()
        && let ([Stmt::Expr(then)], [Stmt::Expr(otherwise)]) =
            (branch.body.as_slice(), otherwise.as_slice())
    {
        return Some(Expr::Choice {
            condition: boxed(branch.condition.clone()),
            then: boxed(then.clone()),
            otherwise: boxed(otherwise.clone()),
        });
    }
    give(&mut body, &|value| Stmt::Say("the value is {0}", vec![value]));
    Some(Expr::Below { template: "the value found in the steps below", parts: Vec::new(), body })
}

/// Makes a step of the value that statements end with, in every branch that they end in.
fn give(body: &mut [Stmt], step: &dyn Fn(Expr) -> Stmt) {
    // What follows `try:` are its handlers; the `ensure` at the end gives no value.
    let mut end = body.len();
    if let Some(Stmt::Under("in any case, finally:", ..)) = body.last() {
        end -= 1;
    }
    let mut otherwise = false;
    while end > 0 {
        match &mut body[end - 1] {
            Stmt::Under(heading, _, inner) if heading.starts_with("if nothing was raised") => {
                give(inner, step);
                otherwise = true;
                end -= 1;
            }
            Stmt::Under(heading, _, inner) if heading.contains("is caught") => {
                give(inner, step);
                end -= 1;
            }
            _ => break,
        }
    }
    let Some(last) = body[..end].last_mut() else { return };
    match last {
        Stmt::Expr(value) if !is_effect(value) => {
            let value = std::mem::replace(value, Expr::Unknown(Vec::new()));
            *last = step(value);
        }
        // x = (y = 1): both are set.
        Stmt::Assign { targets, .. } => {
            if let Stmt::Assign { targets: mut all, .. } = step(Expr::Unknown(Vec::new())) {
                all.append(targets);
                *targets = all;
            }
        }
        Stmt::If { branches, otherwise } => {
            for branch in branches {
                give(&mut branch.body, step);
            }
            if let Some(body) = otherwise {
                give(body, step);
            }
        }
        Stmt::Switch { cases, .. } => {
            for case in cases {
                give(&mut case.body, step);
            }
        }
        Stmt::Under("try:", _, inner) if !otherwise => give(inner, step),
        Stmt::Block(inner) => give(inner, step),
        _ => {}
    }
}

/// Whether a call is made for what it does, by its name.
fn is_effect(value: &Expr) -> bool {
    match value {
        Expr::Call(callee, arguments) => {
            let name = match &**callee {
                Expr::Attribute(_, name) | Expr::Name(name) => name.as_str(),
                _ => return false,
            };
            let block = matches!(arguments.last(), Some(Expr::Closure { .. }));
            name.len() > 1 && name.ends_with('!')
                || matches!(name, "super" | "each" | "tap" | "freeze" | "exit" | "sleep")
                || block && !matches!(name, "fetch" | "new" | "transaction" | "open" | "chdir")
                || idioms::find(Language::Ruby, callee, arguments.len(), true).is_some()
        }
        Expr::Say(template, _) => template.ends_with(" appended"),
        Expr::Name(name) | Expr::Attribute(_, name) => name.len() > 1 && name.ends_with('!'),
        _ => false,
    }
}

/// Rows of operators of one class, followed down the left side in a loop.
fn binary(cx: &mut Lowering, node: Node) -> Option<Expr> {
    let sign = cx.field_text(node, "operator");
    let (holds, fails) = match sign {
        "==" | "!=" | "<" | "<=" | ">" | ">=" => {
            let first = boxed(cx.need(node, "left"));
            let cmp = Cmp::from_sign(sign)?;
            return Some(Expr::Compare(first, vec![(cmp, cx.need(node, "right"))]));
        }
        "===" => ("{1} is matched by {0}", "{1} is not matched by {0}"),
        "=~" => ("{0} matches {1}", "{0} does not match {1}"),
        "!~" => ("{0} does not match {1}", "{0} matches {1}"),
        "<=>" => {
            let parts = vec![cx.need(node, "left"), cx.need(node, "right")];
            return Some(Expr::Say("the order of {0} and {1}", parts));
        }
        "<<" => {
            // xs << x << y appends; 1 << n shifts.
            let mut items = Vec::new();
            let mut at = node;
            while at.kind() == "binary" && cx.field_text(at, "operator") == "<<" {
                items.push(at.child_by_field_name("right")?);
                at = at.child_by_field_name("left")?;
            }
            let base = cx.expr(at);
            if matches!(base, Expr::Number(_)) {
                return cx.row(node, "binary");
            }
            let mut parts = vec![base];
            parts.extend(items.into_iter().rev().map(|item| cx.expr(item)));
            return Some(Expr::Say("{0} with {1*} appended", parts));
        }
        _ => return cx.row(node, "binary"),
    };
    let parts = vec![cx.need(node, "left"), cx.need(node, "right")];
    Some(Expr::Test { holds, fails, parts })
}

fn unary(cx: &mut Lowering, node: Node) -> Expr {
    let operand = cx.need(node, "operand");
    match cx.field_text(node, "operator") {
        "!" | "not" => match operand {
            // !!x is x as a truth value.
            Expr::Not(inner) => Expr::Say("{0} as a truth value", vec![*inner]),
            operand => Expr::Not(boxed(operand)),
        },
        "-" => Expr::Negative(boxed(operand)),
        "~" => Expr::BitNot(boxed(operand)),
        "defined?" => Expr::Test {
            holds: "{0} is defined",
            fails: "{0} is not defined",
            parts: vec![operand],
        },
        _ => operand,
    }
}

/// `xs[i]`, `xs[from..to]`, `xs[from, count]`, `Set[1, 2]`.
fn element(cx: &mut Lowering, node: Node) -> Option<Expr> {
    let object = node.child_by_field_name("object")?;
    let places: Vec<Node> =
        cx.parts(node).into_iter().filter(|part| part.id() != object.id()).collect();
    let base = cx.expr(object);
    Some(match places.as_slice() {
        [] => Expr::Say("an empty {0}", vec![base]),
        [range] if range.kind() == "range" => {
            let from = cx.field(*range, "begin");
            let to = cx.field(*range, "end");
            let inclusive = cx.field_text(*range, "operator") == "..";
            let to = match to {
                // xs[1..-1] ends with the last element.
                Some(to) if inclusive => match to.integer() {
                    Some(-1) => None,
                    Some(end) => Some(Expr::Number((end + 1).to_string())),
                    None => {
                        let parts = match from {
                            Some(from) if from.integer() != Some(0) => vec![base, from, to],
                            _ => vec![base, Expr::Number("0".into()), to],
                        };
                        return Some(Expr::Say(
                            "the elements of {0} from index {o1} to {o2}",
                            parts,
                        ));
                    }
                },
                to => to,
            };
            let to = to.map(|to| match to.integer() {
                Some(end) if end < 0 => Expr::Negative(boxed(Expr::Number((-end).to_string()))),
                _ => to,
            });
            let from = from.filter(|from| from.integer() != Some(0) || to.is_none());
            Expr::Slice {
                of: Some(boxed(base)),
                from: from.map(boxed),
                to: to.map(boxed),
                step: None,
            }
        }
        [only] => Expr::Index(boxed(base), boxed(cx.expr(*only))),
        [_, count] if !matches!(&base, Expr::Name(name) if name.starts_with(char::is_uppercase)) => {
            let count = cx.expr(*count);
            let from = cx.expr(places[0]);
            if from.integer() == Some(0) {
                Expr::Slice {
                    of: Some(boxed(base)),
                    from: None,
                    to: Some(boxed(count)),
                    step: None,
                }
            } else {
                Expr::Say("{o2} elements of {o0} from index {1} on", vec![base, from, count])
            }
        }
        several => {
            let mut parts = vec![base];
            parts.extend(several.iter().map(|place| cx.expr(*place)));
            Expr::Say("the {0} of {1*}", parts)
        }
    })
}

fn parameters(cx: &mut Lowering, list: Node) -> Vec<Parameter> {
    let mut found = Vec::new();
    for part in cx.parts(list) {
        let name = cx.field_text(part, "name");
        found.push(match part.kind() {
            "optional_parameter" | "keyword_parameter" => {
                let default = cx.field(part, "value");
                Parameter { default, ..one(name) }
            }
            "splat_parameter" => Parameter { takes: Takes::Rest, ..one(name) },
            "hash_splat_parameter" => Parameter { takes: Takes::RestByName, ..one(name) },
            "block_parameter" => {
                let name = if name.is_empty() { "given" } else { name };
                Parameter { takes: Takes::Block, ..one(name) }
            }
            "destructured_parameter" => {
                let names: Vec<String> =
                    cx.parts(part).iter().map(|name| cx.text(*name).to_owned()).collect();
                one(&format!("(the pair of {})", join(&names, "and")))
            }
            "forward_parameter" => Parameter { takes: Takes::Rest, ..one("") },
            "hash_splat_nil" => continue,
            _ if node_is_local(list, part) => continue,
            _ => one(cx.text(part)),
        });
    }
    found
}

/// Whether `part` is a variable of the block's own: `|x; y|`.
fn node_is_local(list: Node, part: Node) -> bool {
    let mut cursor = list.walk();
    list.children_by_field_name("locals", &mut cursor).any(|local| local.id() == part.id())
}

fn callee(cx: &mut Lowering, node: Node) -> Expr {
    let method = cx.field_text(node, "method");
    match cx.field(node, "receiver") {
        Some(base) if method.is_empty() => Expr::Attribute(boxed(base), "call".into()),
        Some(base) => Expr::Attribute(boxed(base), method.into()),
        None => Expr::name(method),
    }
}

fn arguments(cx: &mut Lowering, node: Node) -> Vec<Expr> {
    let mut found =
        node.child_by_field_name("arguments").map(|list| cx.exprs(list)).unwrap_or_default();
    for argument in &mut found {
        // name: value among arguments is an argument by name.
        if let Expr::Entry(key, value) = argument
            && let Expr::Name(name) = &**key
            && !name.starts_with(':')
        {
            *argument = Expr::Named(name.clone(), value.clone());
        }
    }
    found
}

fn call(cx: &mut Lowering, node: Node) -> Expr {
    let value = plain_or_block(cx, node);
    if cx.field_text(node, "operator") == "&." {
        return if_set(value, cx.holder(node.child_by_field_name("receiver")));
    }
    value
}

fn statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) -> bool {
    match node.kind() {
        "program" | "body_statement" | "begin" | "do" | "then" | "block_body" | "else"
        | "ensure" => {
            let mut body = Vec::new();
            guarded(cx, node, &mut body);
            out.push(Stmt::Block(body));
        }
        "parenthesized_statements" => {
            for part in cx.parts(node) {
                cx.stmt(part, out);
            }
        }
        "begin_block" | "end_block" => {
            let heading = if node.kind() == "begin_block" {
                "before all else:"
            } else {
                "when the program ends:"
            };
            let body = cx.block(node);
            out.push(Stmt::Under(heading, Vec::new(), body));
        }
        "assignment" => assignment(cx, node, out),
        "operator_assignment" => {
            let (target, value) = (cx.need(node, "left"), cx.need(node, "right"));
            let sign = cx.field_text(node, "operator");
            out.push(match (Op::from_sign(sign), sign) {
                (Some(Op::Shl), _) if !matches!(value, Expr::Number(_)) => {
                    Stmt::Say("append {1} to {o0}", vec![target, value])
                }
                (Some(op), _) => Stmt::Augment { target, op, value },
                (None, "&&=") => Stmt::Say("if {0} is set, set it to {1}", vec![target, value]),
                _ => Stmt::Say("set {0} to {1} unless it is set already", vec![target, value]),
            });
        }
        "binary" => match cx.field_text(node, "operator") {
            "&&" | "and" | "||" | "or" if is_action(cx, node) => {
                let guarded = cx.guarded(node);
                out.push(guarded);
            }
            "<<" => match cx.expr(node) {
                Expr::Say("{0} with {1*} appended", parts) => {
                    out.push(Stmt::Say("append {1*} to {o0}", parts));
                }
                value => out.push(Stmt::Expr(value)),
            },
            _ => return false,
        },
        "if" | "unless" => if_statement(cx, node, out),
        "if_modifier" | "unless_modifier" => {
            let condition = cx.need(node, "condition");
            let condition =
                if node.kind() == "if_modifier" { condition } else { Expr::Not(boxed(condition)) };
            let body = cx.body_field(node, "body");
            let branches = vec![Branch { before: Vec::new(), condition, body }];
            out.push(Stmt::If { branches, otherwise: None });
        }
        "rescue_modifier" => {
            let body = cx.body_field(node, "body");
            let handler = cx.body_field(node, "handler");
            out.push(Stmt::Under("try:", Vec::new(), body));
            out.push(Stmt::Under("if an error is caught:", Vec::new(), handler));
        }
        "while" | "until" | "while_modifier" | "until_modifier" => while_loop(cx, node, out),
        "for" => {
            let target = cx.need(node, "pattern");
            let iterable = node.child_by_field_name("value").map(|value| cx.parts(value));
            let body = cx.loop_body(node);
            match iterable.as_deref() {
                Some([range]) => out.push(for_each(cx, target, *range, body)),
                _ => return false,
            }
        }
        "case" => case(cx, node, out),
        "case_match" => case_match(cx, node, out),
        "match_pattern" => {
            let parts = vec![cx.need(node, "value"), cx.need(node, "pattern")];
            out.push(Stmt::Say("take {0} apart as {1}", parts));
        }
        "call" => call_statement(cx, node, out),
        "yield" => {
            let value = cx.first(node);
            out.push(match value {
                Some(Expr::Items(Collection::Tuple, values)) => {
                    Stmt::Say("yield {*} to the block", values)
                }
                Some(value) => Stmt::Say("yield {0} to the block", vec![value]),
                None => Stmt::Say("run the given block", Vec::new()),
            });
        }
        "return" => {
            let value = cx.first(node);
            out.push(Stmt::Return(value));
        }
        "next" => match cx.first(node) {
            Some(value) => out.push(Stmt::Return(Some(value))),
            None => out.push(Stmt::Say("go on with the next iteration", Vec::new())),
        },
        "break" => match cx.first(node) {
            Some(value) => out.push(Stmt::Say("leave the loop with {0}", vec![value])),
            None => out.push(Stmt::Say("leave the loop", Vec::new())),
        },
        "redo" => out.push(Stmt::Say("repeat this iteration", Vec::new())),
        "retry" => out.push(Stmt::Say("try again", Vec::new())),
        "alias" => {
            let parts = vec![cx.need(node, "name"), cx.need(node, "alias")];
            out.push(Stmt::Say("let {0} be another name of {1}", parts));
        }
        "undef" => {
            let parts = cx.exprs(node);
            out.push(Stmt::Say("undefine {*}", parts));
        }
        "method" | "singleton_method" => {
            let function = method(cx, node);
            out.push(Stmt::Function(function));
        }
        "class" | "module" => {
            let parents = node
                .child_by_field_name("superclass")
                .map(|parent| cx.exprs(parent))
                .unwrap_or_default();
            let body = cx.body_field(node, "body");
            out.push(Stmt::Class(Class {
                kind: if node.kind() == "class" { "class" } else { "module" },
                name: cx.field_text(node, "name").into(),
                parents,
                decorators: Vec::new(),
                body,
            }));
        }
        "singleton_class" => {
            let value = cx.need(node, "value");
            let body = cx.body_field(node, "body");
            out.push(Stmt::Under("in the class of {0} itself:", vec![value], body));
        }
        "identifier" if cx.text(node) == "raise" => {
            out.push(Stmt::Raise { error: None, cause: None });
        }
        "identifier" if matches!(cx.text(node), "private" | "protected" | "public") => {
            out.push(Stmt::Say("make what follows {0}", vec![Expr::name(cx.text(node))]));
        }
        "super" => out.push(Stmt::Say("call the method of the parent class", Vec::new())),
        _ => return false,
    }
    true
}

/// Whether the right side of `a && b` is done rather than asked for.
fn is_action(cx: &Lowering, node: Node) -> bool {
    let Some(right) = node.child_by_field_name("right") else { return false };
    match right.kind() {
        "return"
        | "next"
        | "break"
        | "retry"
        | "redo"
        | "assignment"
        | "operator_assignment"
        | "yield" => true,
        "parenthesized_statements" => true,
        "call" => {
            matches!(cx.field_text(right, "method"), "raise" | "puts" | "fail" | "exit" | "abort")
        }
        _ => false,
    }
}

/// Statements with their handlers: `rescue`, `else` and `ensure`.
fn guarded(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let parts = cx.parts(node);
    let handler = |part: &Node| matches!(part.kind(), "rescue" | "ensure");
    let other =
        |part: &Node| part.kind() == "else" && matches!(node.kind(), "begin" | "body_statement");
    let mut body = Vec::new();
    let count = parts.len();
    for (index, part) in parts.iter().enumerate() {
        // A text that is not the last value documents.
        let silent = matches!(part.kind(), "string" | "heredoc_beginning") && index + 1 < count;
        if !handler(part) && !other(part) && !silent {
            cx.stmt(*part, &mut body);
        }
    }
    if !parts.iter().any(handler) {
        out.append(&mut body);
        return;
    }
    out.push(Stmt::Under("try:", Vec::new(), body));
    for part in parts.into_iter().filter(|part| handler(part) || other(part)) {
        match part.kind() {
            "rescue" => {
                let mut kinds = part
                    .child_by_field_name("exceptions")
                    .map(|list| cx.exprs(list))
                    .unwrap_or_default();
                if kinds.is_empty() {
                    kinds.push(Expr::name("an error"));
                }
                let mut given = vec![Expr::Say("{|}", kinds)];
                given.extend(part.child_by_field_name("variable").and_then(|name| cx.first(name)));
                let body = cx.body_field(part, "body");
                out.push(if given.len() > 1 {
                    Stmt::Under("if {0} is caught as {1}:", given, body)
                } else {
                    Stmt::Under("if {0} is caught:", given, body)
                });
            }
            "else" => {
                let body = cx.block(part);
                out.push(Stmt::Under("if nothing was raised:", Vec::new(), body));
            }
            _ => {
                let body = cx.block(part);
                out.push(Stmt::Under("in any case, finally:", Vec::new(), body));
            }
        }
    }
}

fn assignment(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut targets = vec![cx.need(node, "left")];
    let Some(mut right) = node.child_by_field_name("right") else { return };
    // a = b = 0: the right side is an assignment again.
    while right.kind() == "assignment" {
        targets.push(cx.need(right, "left"));
        match right.child_by_field_name("right") {
            Some(inner) => right = inner,
            None => break,
        }
    }
    // x = if … : the value is set in every branch.
    if matches!(right.kind(), "if" | "unless" | "case" | "case_match" | "begin") {
        let mut body = Vec::new();
        cx.stmt(right, &mut body);
        let plain = match body.as_slice() {
            [Stmt::If { branches, otherwise: Some(otherwise) }] => {
                branches.len() == 1
                    && branches.iter().all(|b| matches!(b.body.as_slice(), [Stmt::Expr(_)]))
                    && matches!(otherwise.as_slice(), [Stmt::Expr(_)])
            }
            _ => false,
        };
        if !plain {
            let mut body = match body.pop() {
                Some(Stmt::Block(inner)) => inner,
                Some(other) => vec![other],
                None => Vec::new(),
            };
            let targets = targets.clone();
            give(&mut body, &|value| Stmt::Assign { targets: targets.clone(), value });
            out.append(&mut body);
            return;
        }
    }
    let value = match (targets.as_slice(), cx.expr(right)) {
        ([Expr::Items(Collection::Tuple, _)], Expr::Items(Collection::Array, values))
            if right.kind() == "array" =>
        {
            Expr::Items(Collection::Tuple, values)
        }
        (_, value) => value,
    };
    out.push(Stmt::Assign { targets, value });
}

/// `elsif` nests in the grammar; here it is a loop, whatever the length of the row.
fn if_statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut branches = Vec::new();
    let mut otherwise = None;
    let mut at = node;
    loop {
        let condition = cx.need(at, "condition");
        let condition = if at.kind() == "unless" { Expr::Not(boxed(condition)) } else { condition };
        let body = cx.body_field(at, "consequence");
        branches.push(Branch { before: Vec::new(), condition, body });
        match at.child_by_field_name("alternative") {
            Some(next) if next.kind() == "elsif" => at = next,
            Some(last) => {
                otherwise = Some(cx.block(last));
                break;
            }
            None => break,
        }
    }
    out.push(Stmt::If { branches, otherwise });
}

fn while_loop(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let condition = cx.need(node, "condition");
    let until = node.kind().starts_with("until");
    let body = cx.loop_body(node);
    let condition = if until { Expr::Not(boxed(condition)) } else { condition };
    let endless = matches!(&condition, Expr::Name(name) if name == "true");
    let begin = node.child_by_field_name("body").is_some_and(|body| body.kind() == "begin");
    out.push(if endless {
        Stmt::Under("repeat forever:", Vec::new(), body)
    } else if begin && node.kind().ends_with("modifier") {
        Stmt::Under("do once, and again while {c0}:", vec![condition], body)
    } else {
        Stmt::Under("while {c0}:", vec![condition], body)
    });
}

fn case(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let subject: Vec<Expr> = cx.field(node, "value").into_iter().collect();
    let mut cases = Vec::new();
    for part in cx.parts(node) {
        match part.kind() {
            "when" => {
                let values =
                    cx.fields(part, "pattern").into_iter().map(|one| cx.expr(one)).collect();
                let body = cx.body_field(part, "body");
                cases.push(Case { values, guard: None, body });
            }
            "else" => {
                let body = cx.block(part);
                cases.push(Case { values: Vec::new(), guard: None, body });
            }
            _ => {}
        }
    }
    let heading =
        if subject.is_empty() { "take the first case that holds:" } else { "depending on {0}:" };
    out.push(Stmt::Switch { heading, subject, cases });
}

fn case_match(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let subject = vec![cx.need(node, "value")];
    let mut cases = Vec::new();
    for part in cx.fields(node, "clauses") {
        let values = match cx.need(part, "pattern") {
            Expr::Say("{|}", several) => several,
            one => vec![one],
        };
        let guard = part.child_by_field_name("guard").map(|guard| {
            let condition = cx.need(guard, "condition");
            if guard.kind() == "if_guard" { condition } else { Expr::Not(boxed(condition)) }
        });
        let body = cx.body_field(part, "body");
        cases.push(Case { values, guard, body });
    }
    if let Some(part) = node.child_by_field_name("else") {
        let body = cx.block(part);
        cases.push(Case { values: Vec::new(), guard: None, body });
    }
    out.push(Stmt::Switch { heading: "depending on {0}:", subject, cases });
}

fn call_statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let name = cx.field_text(node, "method");
    let receiver = node.child_by_field_name("receiver");
    if let Some(receiver) = receiver
        && node.child_by_field_name("block").is_some()
        && looping(cx, node, receiver, name, out)
    {
        return;
    }
    if receiver.is_none() {
        if name == "loop"
            && let Some((_, body, _)) = block_of(cx, node)
        {
            out.push(Stmt::Under("repeat forever:", Vec::new(), body));
            return;
        }
        if own_words(cx, node, name, out) {
            return;
        }
    }
    let value = cx.expr(node);
    // xs.map! { … } and the like change xs.
    if let (Some(receiver), true) = (receiver, name.len() > 1 && name.ends_with('!'))
        && each(name).is_some()
        && !matches!(value, Expr::Call(..))
    {
        let target = cx.expr(receiver);
        out.push(Stmt::Assign { targets: vec![target], value });
        return;
    }
    // File.open(path) do |file| … end holds the file for these steps.
    if let Expr::Call(callee, arguments) = &value
        && let Some((Expr::Closure { parameters, body }, given)) = arguments.split_last()
        && let [name] = parameters.as_slice()
        && matches!(callee.path().as_deref(), Some("File.open" | "open" | "IO.popen" | "CSV.open"))
    {
        let open = Expr::Call(callee.clone(), given.to_vec());
        let name = Some(Expr::name(name.name.as_str()));
        out.push(Stmt::With { resources: vec![(open, name)], body: body.clone() });
        return;
    }
    out.push(Stmt::Expr(value));
}

/// Methods without a receiver that have words of their own.
fn own_words(cx: &mut Lowering, node: Node, name: &str, out: &mut Vec<Stmt>) -> bool {
    // private def f … end
    if let Some(list) = node.child_by_field_name("arguments")
        && let [definition] = cx.parts(list).as_slice()
        && matches!(definition.kind(), "method" | "singleton_method")
    {
        let mut function = method(cx, *definition);
        function.kind = format!("{name} {}", function.kind);
        out.push(Stmt::Function(function));
        return true;
    }
    if node.child_by_field_name("block").is_some() {
        return false;
    }
    let template = match name {
        "attr_accessor" => "declare the readable and writable attributes {*}",
        "attr_reader" => "declare the readable attributes {*}",
        "attr_writer" => "declare the writable attributes {*}",
        "include" => "include the module {*}",
        "extend" => "extend with the module {*}",
        "prepend" => "prepend the module {*}",
        "require" | "require_relative" | "load" => "load {*}",
        "private" => "make {*} private",
        "protected" => "make {*} protected",
        "public" => "make {*} public",
        "private_class_method" => "make the class method {*} private",
        "private_constant" => "make the constant {*} private",
        "throw" => "leave the block that catches {0}",
        "raise" | "fail" => {
            let mut given = arguments(cx, node);
            let error = match given.len() {
                0 => None,
                1 => given.pop(),
                _ => {
                    let class = given.remove(0);
                    match class.path() {
                        Some(class) => {
                            given.truncate(1);
                            Some(Expr::New { class, arguments: given, members: None })
                        }
                        None => Some(class),
                    }
                }
            };
            out.push(Stmt::Raise { error, cause: None });
            return true;
        }
        "super" => {
            let given = arguments(cx, node);
            out.push(if given.is_empty() {
                Stmt::Say("call the method of the parent class", given)
            } else {
                Stmt::Say("call the method of the parent class with {*}", given)
            });
            return true;
        }
        _ => return false,
    };
    let given = arguments(cx, node);
    if given.is_empty() {
        return false;
    }
    out.push(Stmt::Say(template, given));
    true
}

fn method(cx: &mut Lowering, node: Node) -> Function {
    let name = cx.field_text(node, "name").to_owned();
    let parameters =
        node.child_by_field_name("parameters").map(|list| parameters(cx, list)).unwrap_or_default();
    let mut body = cx.inside(false, |cx| cx.body_field(node, "body"));
    if name != "initialize" && !(name.ends_with('=') && name.starts_with(char::is_alphabetic)) {
        give(&mut body, &|value| Stmt::Return(Some(value)));
    } else if let Some(Stmt::Expr(Expr::Name(_))) = body.last() {
        // The value is thrown away.
        body.pop();
    }
    let kind = match node.kind() {
        "singleton_method" => "class method",
        _ if name == "initialize" => "constructor",
        _ => "method",
    };
    let name = match node.child_by_field_name("object") {
        Some(object) if cx.text(object) != "self" => format!("{}.{name}", cx.text(object)),
        _ if kind == "constructor" => String::new(),
        _ => name,
    };
    Function { kind: kind.into(), name, parameters, decorators: Vec::new(), body }
}
