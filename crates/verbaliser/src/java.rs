//! The rules of Java: which node of the grammar says what.

use tree_sitter::Node;

use crate::ir::{Branch, Case, Class, Cmp, Collection, Expr, Function, Op, Parameter, Stmt, Takes};
use crate::lower::{CountLoop, ForHeads, Lowering, Rules, boxed, one};
use crate::phrase::{is_class, without_indent};

pub(crate) static RULES: Rules = Rules { expression, statement };

fn expression(cx: &mut Lowering, node: Node) -> Option<Expr> {
    Some(match node.kind() {
        "identifier"
        | "true"
        | "false"
        | "null_literal"
        | "this"
        | "super"
        | "type_identifier"
        | "scoped_identifier"
        | "scoped_type_identifier"
        | "underscore_pattern"
        | "asterisk" => Expr::name(cx.text(node)),
        "integral_type"
        | "floating_point_type"
        | "boolean_type"
        | "void_type"
        | "generic_type"
        | "array_type"
        | "wildcard"
        | "type_arguments" => Expr::name(type_words(cx.text(node))),
        "annotated_type" => cx.parts(node).last().map(|kind| cx.expr(*kind))?,
        "decimal_integer_literal"
        | "hex_integer_literal"
        | "octal_integer_literal"
        | "binary_integer_literal"
        | "decimal_floating_point_literal"
        | "hex_floating_point_literal" => Expr::Number(cx.text(node).to_owned()),
        "character_literal" => Expr::Text {
            prefix: "",
            quote: '\'',
            content: cx.text(node).trim_matches('\'').to_owned(),
        },
        "string_literal" => {
            let text = cx.text(node);
            let block = text.strip_prefix("\"\"\"").and_then(|text| text.strip_suffix("\"\"\""));
            let content = match block {
                Some(block) => {
                    without_indent(block.split_once('\n').map_or("", |(_, lines)| lines))
                }
                None => text.trim_matches('"').to_owned(),
            };
            Expr::Text { prefix: "", quote: '"', content }
        }
        "template_expression" => Expr::Say("the text {1} filled in by {0}", cx.exprs(node)),
        "parenthesized_expression" => cx.first(node)?,
        "binary_expression" => binary(cx, node)?,
        "unary_expression" => {
            let operand = boxed(cx.need(node, "operand"));
            match cx.field_text(node, "operator") {
                "!" => Expr::Not(operand),
                "-" => Expr::Negative(operand),
                "~" => Expr::BitNot(operand),
                _ => *operand,
            }
        }
        "update_expression" => cx.update(node)?,
        "assignment_expression" => {
            let target = cx.need(node, "left");
            let value = cx.need(node, "right");
            match Op::from_sign(cx.field_text(node, "operator")) {
                None => Expr::Bind(boxed(target), boxed(value)),
                Some(op) => {
                    let changed = Expr::Chain(boxed(target.clone()), vec![(op, value)]);
                    Expr::Bind(boxed(target), boxed(changed))
                }
            }
        }
        "ternary_expression" => Expr::Choice {
            condition: boxed(cx.need(node, "condition")),
            then: boxed(cx.need(node, "consequence")),
            otherwise: boxed(cx.need(node, "alternative")),
        },
        "field_access" => {
            Expr::Attribute(boxed(cx.need(node, "object")), cx.field_text(node, "field").into())
        }
        "array_access" => Expr::Index(boxed(cx.need(node, "array")), boxed(cx.need(node, "index"))),
        "method_invocation" => {
            let name = cx.field_text(node, "name");
            let callee = match cx.field(node, "object") {
                Some(object) => Expr::Attribute(boxed(object), name.into()),
                None => Expr::name(name),
            };
            let mut arguments = arguments(cx, node);
            let mut callee = callee;
            // "x".equals(name) asks whether name equals "x".
            if let (Expr::Attribute(text, method), [other]) =
                (&mut callee, arguments.as_mut_slice())
                && matches!(method.as_str(), "equals" | "equalsIgnoreCase")
                && matches!(**text, Expr::Text { .. })
            {
                std::mem::swap(&mut **text, other);
            }
            // list.get(i), map.get(key)
            if let (Expr::Attribute(base, method), [_]) = (&callee, arguments.as_slice())
                && method == "get"
                && !base
                    .path()
                    .is_some_and(|path| matches!(&*path, "this" | "super") || is_class(&path))
            {
                return Some(Expr::Index(base.clone(), boxed(arguments.remove(0))));
            }
            Expr::Call(boxed(callee), arguments)
        }
        "object_creation_expression" => {
            let class = type_name(cx.field_text(node, "type"));
            let arguments = arguments(cx, node);
            let body = cx.parts(node).into_iter().find(|part| part.kind() == "class_body");
            let members = body.map(|body| cx.block(body));
            Expr::New { class, arguments, members }
        }
        "array_creation_expression" => array_creation(cx, node),
        "array_initializer" | "element_value_array_initializer" => {
            Expr::Items(Collection::Array, cx.exprs(node))
        }
        "cast_expression" => {
            let kind = match cx.need(node, "type") {
                Expr::Name(words) => words,
                _ => "another type".to_owned(),
            };
            Expr::Convert(boxed(cx.need(node, "value")), kind)
        }
        "instanceof_expression" => {
            let value = cx.need(node, "left");
            let kind = match (cx.field(node, "right"), cx.field(node, "pattern")) {
                (Some(kind), _) | (None, Some(kind)) => kind,
                (None, None) => return None,
            };
            let mut parts = vec![value, kind];
            if let Some(name) = cx.field(node, "name") {
                parts.push(name);
                return Some(Expr::Test {
                    holds: "{0} is an instance of {1} (called {2})",
                    fails: "{0} is not an instance of {1}",
                    parts,
                });
            }
            Expr::Test {
                holds: "{0} is an instance of {1}",
                fails: "{0} is not an instance of {1}",
                parts,
            }
        }
        "type_pattern" | "record_pattern_component" => {
            let mut parts = cx.exprs(node).into_iter();
            match (parts.next()?, parts.next()) {
                (kind, Some(name)) => Expr::Say("{0} (called {1})", vec![kind, name]),
                (only, None) => only,
            }
        }
        "pattern" => cx.first(node)?,
        "record_pattern" => {
            let mut parts = cx.exprs(node);
            match parts.pop() {
                Some(Expr::Items(_, fields)) => {
                    parts.extend(fields);
                    Expr::Say("{0} with {1*}", parts)
                }
                Some(last) => last,
                None => return None,
            }
        }
        "record_pattern_body" => Expr::Items(Collection::Tuple, cx.exprs(node)),
        "lambda_expression" => {
            let list = node.child_by_field_name("parameters")?;
            let parameters = match list.kind() {
                "identifier" => vec![one(cx.text(list))],
                _ => parameters(cx, list),
            };
            let body = node.child_by_field_name("body")?;
            if body.kind() == "block" {
                Expr::Closure { parameters, body: cx.body(body) }
            } else {
                Expr::Lambda { parameters, value: boxed(cx.expr(body)) }
            }
        }
        "method_reference" => {
            let parts = cx.exprs(node);
            if cx.has_token(node, "new") {
                Expr::Say("the constructor of {0}", parts)
            } else {
                let mut parts = parts.into_iter();
                Expr::Say("the method {1} of {0}", vec![parts.next()?, parts.next_back()?])
            }
        }
        "class_literal" => Expr::Say("the class {0}", cx.exprs(node)),
        "switch_expression" => {
            let subject = cx.need(node, "condition");
            let switch = switch(cx, node, true);
            Expr::Below {
                template: "a value that depends on {0}",
                parts: vec![subject],
                body: vec![switch],
            }
        }
        "argument_list" => Expr::Items(Collection::Tuple, cx.exprs(node)),
        _ => return None,
    })
}

fn arguments(cx: &mut Lowering, node: Node) -> Vec<Expr> {
    node.child_by_field_name("arguments").map(|list| cx.exprs(list)).unwrap_or_default()
}

/// `List<String>` in words: `List of String`.
fn type_words(text: &str) -> String {
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words = words.replace("<>", "").replace('<', " of ").replace('>', "");
    words = words.replace(" ,", ",").replace(", ", " and ").replace(',', " and ");
    words.replace("[]", " array").replace("? extends ", "").replace("? super ", "super of ")
}

/// A class name without its type arguments.
fn type_name(text: &str) -> String {
    let end = text.find('<').unwrap_or(text.len());
    text[..end].split_whitespace().collect()
}

fn array_creation(cx: &mut Lowering, node: Node) -> Expr {
    if let Some(value) = node.child_by_field_name("value") {
        return cx.expr(value);
    }
    let mut sizes = Vec::new();
    for part in cx.fields(node, "dimensions") {
        if part.kind() == "dimensions_expr" {
            sizes.extend(cx.first(part));
        }
    }
    let kind = Expr::name(type_words(cx.field_text(node, "type")));
    let template = match sizes.len() {
        1 => "a new {0} array of length {1}",
        2 => "a new {0} array of {o1} by {2}",
        _ => "a new {0} array of the sizes {1*}",
    };
    sizes.insert(0, kind);
    Expr::Say(template, sizes)
}

/// Rows of operators of one class, followed down the left side in a loop.
fn binary(cx: &mut Lowering, node: Node) -> Option<Expr> {
    let sign = cx.field_text(node, "operator");
    if let Some(cmp) = Cmp::from_sign(sign) {
        let first = boxed(cx.need(node, "left"));
        return Some(Expr::Compare(first, vec![(cmp, cx.need(node, "right"))]));
    }
    cx.row(node, "binary_expression")
}

fn parameters(cx: &mut Lowering, list: Node) -> Vec<Parameter> {
    let mut found = Vec::new();
    for part in cx.parts(list) {
        match part.kind() {
            "formal_parameter" => found.push(one(cx.field_text(part, "name"))),
            "spread_parameter" => {
                let name = cx
                    .parts(part)
                    .into_iter()
                    .find(|inner| inner.kind() == "variable_declarator")
                    .map_or("", |inner| cx.field_text(inner, "name"));
                found.push(Parameter { takes: Takes::Rest, ..one(name) });
            }
            "identifier" => found.push(one(cx.text(part))),
            _ => {}
        }
    }
    found
}

fn statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) -> bool {
    match node.kind() {
        "program" => {
            let body = members(cx, node);
            out.push(Stmt::Block(body));
        }
        "block" | "constructor_body" => {
            let body = cx.block(node);
            out.push(Stmt::Block(body));
        }
        "class_body" | "interface_body" | "annotation_type_body" => {
            let body = members(cx, node);
            out.push(Stmt::Block(body));
        }
        "expression_statement" => {
            for part in cx.parts(node) {
                cx.stmt(part, out);
            }
        }
        "assignment_expression" => assignment(cx, node, out),
        "update_expression" => {
            let op = if cx.has_token(node, "++") { Op::Add } else { Op::Sub };
            let Some(target) = cx.first(node) else { return false };
            out.push(Stmt::Augment { target, op, value: Expr::Number("1".into()) });
        }
        "local_variable_declaration" => declaration(cx, node, out),
        "field_declaration" | "constant_declaration" => field(cx, node, out),
        "return_statement" => {
            let value = cx.first(node);
            out.push(Stmt::Return(value));
        }
        "yield_statement" => {
            let parts = cx.exprs(node);
            out.push(Stmt::Say("the value is {0}", parts));
        }
        "throw_statement" => {
            let error = cx.first(node);
            out.push(Stmt::Raise { error, cause: None });
        }
        "if_statement" => if_statement(cx, node, out),
        "while_statement" => {
            let repeated = cx.while_loop(node);
            out.push(repeated);
        }
        "do_statement" => {
            let repeated = cx.do_loop(node);
            out.push(repeated);
        }
        "for_statement" => for_statement(cx, node, out),
        "enhanced_for_statement" => {
            let target = Expr::name(cx.field_text(node, "name"));
            let iterable = cx.need(node, "value");
            let body = cx.loop_body(node);
            out.push(Stmt::ForEach { target, iterable, body });
        }
        "switch_expression" => {
            let switch = switch(cx, node, false);
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
            let parts = cx.parts(node);
            let [label, rest @ ..] = parts.as_slice() else { return false };
            let label = cx.expr(*label);
            out.push(Stmt::Say("label what follows {0}", vec![label]));
            for part in rest {
                cx.stmt(*part, out);
            }
        }
        "assert_statement" => {
            let parts = cx.exprs(node);
            out.push(if parts.len() > 1 {
                Stmt::Say("assert that {c0}, with message {1}", parts)
            } else {
                Stmt::Say("assert that {c0}", parts)
            });
        }
        "synchronized_statement" => {
            let lock = cx
                .parts(node)
                .into_iter()
                .find(|part| part.kind() == "parenthesized_expression")
                .map(|part| cx.expr(part));
            let body = cx.body_field(node, "body");
            let parts = lock.into_iter().collect();
            out.push(Stmt::Under("while holding the lock of {0}:", parts, body));
        }
        "try_statement" | "try_with_resources_statement" => try_statement(cx, node, out),
        "explicit_constructor_invocation" => {
            let parent = cx.field_text(node, "constructor") == "super";
            let arguments = arguments(cx, node);
            out.push(match (parent, arguments.is_empty()) {
                (true, true) => Stmt::Say("call the parent constructor", arguments),
                (true, false) => Stmt::Say("call the parent constructor with {*}", arguments),
                (false, true) => Stmt::Say("call the other constructor", arguments),
                (false, false) => Stmt::Say("call the other constructor with {*}", arguments),
            });
        }
        "method_declaration"
        | "constructor_declaration"
        | "compact_constructor_declaration"
        | "annotation_type_element_declaration" => {
            let function = function(cx, node);
            out.push(Stmt::Function(function));
        }
        "class_declaration"
        | "interface_declaration"
        | "record_declaration"
        | "enum_declaration"
        | "annotation_type_declaration" => {
            let class = class(cx, node);
            out.push(Stmt::Class(class));
        }
        "static_initializer" => {
            let body = cx.parts(node).first().map(|body| cx.body(*body)).unwrap_or_default();
            out.push(Stmt::Under("when the class is loaded:", Vec::new(), body));
        }
        "import_declaration" => {
            let names = vec![import(cx, node)];
            out.push(Stmt::Say("import {*}", names));
        }
        // Where the code lies is not part of the plan.
        "package_declaration" | "modifiers" => {}
        "module_declaration" => {
            let name = vec![cx.need(node, "name")];
            let body = cx.body_field(node, "body");
            out.push(Stmt::Under("define module {0}:", name, body));
        }
        "module_body" => {
            let body = cx.block(node);
            out.push(Stmt::Block(body));
        }
        "requires_module_directive" => {
            let parts = vec![cx.need(node, "module")];
            out.push(Stmt::Say("require {0}", parts));
        }
        "exports_module_directive" => {
            let parts = cx.exprs(node);
            let template = if parts.len() > 1 { "export {0} to {1*}" } else { "export {0}" };
            out.push(Stmt::Say(template, parts));
        }
        "opens_module_directive" => {
            let parts = cx.exprs(node);
            let template = if parts.len() > 1 { "open {0} to {1*}" } else { "open {0}" };
            out.push(Stmt::Say(template, parts));
        }
        "uses_module_directive" => {
            let parts = cx.exprs(node);
            out.push(Stmt::Say("use the service {*}", parts));
        }
        "provides_module_directive" => {
            let parts = cx.exprs(node);
            out.push(Stmt::Say("provide {0} by {1*}", parts));
        }
        _ => return false,
    }
    true
}

fn import(cx: &Lowering, node: Node) -> Expr {
    let text = cx.text(node).trim_end_matches(';').trim();
    let name = text.trim_start_matches("import").trim().trim_start_matches("static ").trim();
    match name.strip_suffix(".*") {
        Some(package) => Expr::Say("all of {0}", vec![Expr::name(package)]),
        None => Expr::name(name),
    }
}

/// Members of a file or class; imports in a row are one step.
fn members(cx: &mut Lowering, node: Node) -> Vec<Stmt> {
    let mut out = Vec::new();
    let mut imports = Vec::new();
    for part in cx.parts(node) {
        if part.kind() == "import_declaration" {
            imports.push(import(cx, part));
            continue;
        }
        if !imports.is_empty() {
            out.push(Stmt::Say("import {*}", std::mem::take(&mut imports)));
        }
        cx.stmt(part, &mut out);
    }
    if !imports.is_empty() {
        out.push(Stmt::Say("import {*}", imports));
    }
    out
}

fn assignment(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let target = cx.need(node, "left");
    if let Some(op) = Op::from_sign(cx.field_text(node, "operator")) {
        let value = cx.need(node, "right");
        out.push(Stmt::Augment { target, op, value });
        return;
    }
    let mut targets = vec![target];
    let Some(mut right) = node.child_by_field_name("right") else { return };
    // a = b = 0: the right side is an assignment again.
    while right.kind() == "assignment_expression" && cx.field_text(right, "operator") == "=" {
        targets.push(cx.need(right, "left"));
        match right.child_by_field_name("right") {
            Some(inner) => right = inner,
            None => break,
        }
    }
    let value = cx.expr(right);
    out.push(Stmt::Assign { targets, value });
}

fn declaration(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let kind = type_words(cx.field_text(node, "type"));
    for declarator in cx.fields(node, "declarator") {
        let name = Expr::name(cx.field_text(declarator, "name"));
        match cx.field(declarator, "value") {
            Some(value) => out.push(Stmt::Assign { targets: vec![name], value }),
            None => {
                let parts = vec![name, Expr::name(kind.as_str())];
                out.push(Stmt::Say("declare {0} as {1}", parts));
            }
        }
    }
}

fn field(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let kind = type_words(cx.field_text(node, "type"));
    for declarator in cx.fields(node, "declarator") {
        let mut parts =
            vec![Expr::name(cx.field_text(declarator, "name")), Expr::name(kind.as_str())];
        match cx.field(declarator, "value") {
            Some(value) => {
                parts.push(value);
                out.push(Stmt::Say("declare field {0} as {1}, set to {2}", parts));
            }
            None => out.push(Stmt::Say("declare field {0} as {1}", parts)),
        }
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
        match at.child_by_field_name("alternative") {
            Some(next) if next.kind() == "if_statement" => at = next,
            Some(last) => {
                otherwise = Some(cx.body(last));
                break;
            }
            None => break,
        }
    }
    out.push(Stmt::If { branches, otherwise });
}

fn for_statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let inits = cx.fields(node, "init");
    let updates = cx.fields(node, "update");
    let condition = node.child_by_field_name("condition");
    let found = match (inits.as_slice(), condition, updates.as_slice()) {
        ([init], Some(condition), [update]) => counting(cx, *init, condition, *update),
        _ => None,
    };
    let bodies = cx.fields(node, "body");
    let changes = &["assignment_expression", "update_expression"];
    cx.for_loop(ForHeads { inits, condition, updates }, &bodies, found, changes, out);
}

fn counting(cx: &mut Lowering, init: Node, condition: Node, update: Node) -> Option<CountLoop> {
    if init.kind() != "local_variable_declaration"
        || !matches!(cx.field_text(init, "type"), "int" | "long" | "short" | "byte" | "char")
        || condition.kind() != "binary_expression"
    {
        return None;
    }
    let declarators = cx.fields(init, "declarator");
    let [declarator] = declarators.as_slice() else { return None };
    let name = cx.field_text(*declarator, "name");
    let from = declarator.child_by_field_name("value")?;
    let step = cx.counting_step(name, update)?;
    cx.count_loop(name, from, condition, step)
}

fn switch(cx: &mut Lowering, node: Node, value: bool) -> Stmt {
    let subject = cx.need(node, "condition");
    let mut cases: Vec<Case> = Vec::new();
    let parts = node.child_by_field_name("body").map(|body| cx.parts(body)).unwrap_or_default();
    let count = parts.len();
    // Labels without steps of their own belong to the next ones.
    let mut labels: Vec<Expr> = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        let mut case = Case { values: std::mem::take(&mut labels), guard: None, body: Vec::new() };
        let mut last = "";
        let mut any_other = false;
        for inner in cx.parts(part) {
            if inner.kind() == "switch_label" {
                let parts = cx.parts(inner);
                any_other |= parts.is_empty();
                for label in parts {
                    match label.kind() {
                        "guard" => case.guard = cx.first(label),
                        "identifier" if cx.text(label) == "default" => any_other = true,
                        _ => case.values.push(cx.expr(label)),
                    }
                }
                continue;
            }
            last = inner.kind();
            let lone_break = inner.kind() == "break_statement" && cx.parts(inner).is_empty();
            if lone_break && part.kind() == "switch_block_statement_group" {
                continue; // only closes the case
            }
            if value && part.kind() == "switch_rule" && inner.kind() == "expression_statement" {
                let parts = cx.exprs(inner);
                case.body.push(Stmt::Say("the value is {0}", parts));
            } else {
                case.body.append(&mut cx.inside(true, |cx| cx.body(inner)));
            }
        }
        if any_other && !case.values.is_empty() {
            case.values.push(Expr::name("anything else"));
        }
        let group = part.kind() == "switch_block_statement_group";
        if group && last.is_empty() && !any_other && index + 1 < count {
            labels = case.values;
            continue;
        }
        let ends = matches!(
            last,
            "break_statement"
                | "return_statement"
                | "throw_statement"
                | "continue_statement"
                | "yield_statement"
        );
        if group && !ends && index + 1 < count {
            case.body.push(Stmt::Say("go on into the next case", Vec::new()));
        }
        cases.push(case);
    }
    Stmt::Switch { heading: "depending on {0}:", subject: vec![subject], cases }
}

fn try_statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut resources = Vec::new();
    if let Some(list) = node.child_by_field_name("resources") {
        for resource in cx.parts(list) {
            match (cx.field(resource, "value"), cx.field(resource, "name")) {
                (Some(value), Some(name)) => {
                    resources.push(Expr::Say("{0} as {o1}", vec![value, name]));
                }
                _ => resources.extend(cx.first(resource)),
            }
        }
    }
    let body = cx.body_field(node, "body");
    out.push(if resources.is_empty() {
        Stmt::Under("try:", resources, body)
    } else {
        Stmt::Under("try, using {*}:", resources, body)
    });
    for part in cx.parts(node) {
        match part.kind() {
            "catch_clause" => {
                let mut kinds = Vec::new();
                let mut name = Expr::name("_");
                for inner in cx.parts(part) {
                    if inner.kind() == "catch_formal_parameter" {
                        name = Expr::name(cx.field_text(inner, "name"));
                        for kind in cx.parts(inner) {
                            if kind.kind() == "catch_type" {
                                kinds = cx.exprs(kind);
                            }
                        }
                    }
                }
                let body = cx.body_field(part, "body");
                let parts = vec![Expr::Say("{|}", kinds), name];
                out.push(Stmt::Under("if {0} is caught as {1}:", parts, body));
            }
            "finally_clause" => {
                let body = cx.parts(part).first().map(|body| cx.body(*body)).unwrap_or_default();
                out.push(Stmt::Under("in any case, finally:", Vec::new(), body));
            }
            _ => {}
        }
    }
}

/// Whether the modifiers of a declaration hold this word.
fn has_modifier(cx: &Lowering, node: Node, word: &str) -> bool {
    cx.parts(node)
        .into_iter()
        .filter(|part| part.kind() == "modifiers")
        .any(|modifiers| cx.has_token(modifiers, word))
}

fn function(cx: &mut Lowering, node: Node) -> Function {
    let abstract_one = node.child_by_field_name("body").is_none();
    let kind = match node.kind() {
        "constructor_declaration" | "compact_constructor_declaration" => "constructor",
        _ if has_modifier(cx, node, "static") => "static method",
        _ if abstract_one => "abstract method",
        _ => "method",
    };
    let parameters =
        node.child_by_field_name("parameters").map(|list| parameters(cx, list)).unwrap_or_default();
    Function {
        kind: kind.into(),
        name: cx.field_text(node, "name").into(),
        parameters,
        decorators: Vec::new(),
        body: cx.body_field(node, "body"),
    }
}

fn class(cx: &mut Lowering, node: Node) -> Class {
    let kind = match node.kind() {
        "interface_declaration" => "interface",
        "record_declaration" => "record",
        "enum_declaration" => "enumeration",
        "annotation_type_declaration" => "annotation",
        _ => "class",
    };
    let mut parents = Vec::new();
    for part in cx.parts(node) {
        match part.kind() {
            "superclass" => parents.extend(cx.first(part)),
            "super_interfaces" | "extends_interfaces" => {
                for list in cx.parts(part) {
                    parents.append(&mut cx.exprs(list));
                }
            }
            _ => {}
        }
    }
    let mut body = Vec::new();
    if let Some(list) = node.child_by_field_name("parameters") {
        let fields: Vec<Expr> =
            parameters(cx, list).into_iter().map(|field| Expr::name(field.name)).collect();
        if !fields.is_empty() {
            body.push(Stmt::Say("hold {*}", fields));
        }
    }
    if let Some(members_node) = node.child_by_field_name("body") {
        if node.kind() == "enum_declaration" {
            enum_body(cx, members_node, &mut body);
        } else {
            body.append(&mut cx.body(members_node));
        }
    }
    Class { kind, name: cx.field_text(node, "name").into(), parents, decorators: Vec::new(), body }
}

fn enum_body(cx: &mut Lowering, node: Node, body: &mut Vec<Stmt>) {
    let mut constants = Vec::new();
    let mut rest = Vec::new();
    for part in cx.parts(node) {
        match part.kind() {
            "enum_constant" => {
                let name = Expr::name(cx.field_text(part, "name"));
                let arguments = arguments(cx, part);
                constants.push(if arguments.is_empty() {
                    name.clone()
                } else {
                    Expr::Say(
                        "{0} with {1*}",
                        std::iter::once(name.clone()).chain(arguments).collect(),
                    )
                });
                if let Some(own) = part.child_by_field_name("body") {
                    let own = cx.body(own);
                    rest.push(Stmt::Under("for the constant {0}:", vec![name], own));
                }
            }
            _ => rest.extend(members(cx, part)),
        }
    }
    if !constants.is_empty() {
        body.push(Stmt::Say("list the constants {*}", constants));
    }
    body.append(&mut rest);
}
