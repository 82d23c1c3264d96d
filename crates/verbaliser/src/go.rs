//! The rules of Go: which node of the grammar says what.

use tree_sitter::Node;

use crate::ir::{Branch, Case, Class, Cmp, Collection, Expr, Function, Op, Parameter, Stmt, Takes};
use crate::lower::{CountLoop, Lowering, Rules, boxed, one};

pub(crate) static RULES: Rules = Rules { expression, statement };

fn expression(cx: &mut Lowering, node: Node) -> Option<Expr> {
    Some(match node.kind() {
        "identifier" | "field_identifier" | "type_identifier" | "package_identifier"
        | "blank_identifier" | "label_name" | "true" | "false" | "nil" | "iota"
        | "qualified_type" | "dot" => Expr::name(cx.text(node)),
        "int_literal" | "float_literal" | "imaginary_literal" => {
            Expr::Number(cx.text(node).to_owned())
        }
        "interpreted_string_literal" => text(cx, node, '"'),
        "raw_string_literal" => text(cx, node, '`'),
        "rune_literal" => text(cx, node, '\''),
        "parenthesized_expression"
        | "parenthesized_type"
        | "literal_element"
        | "type_elem"
        | "type_constraint" => cx.first(node)?,
        "expression_list" => match cx.exprs(node) {
            mut items if items.len() == 1 => items.remove(0),
            items => Expr::Items(Collection::Tuple, items),
        },
        "literal_value" => Expr::Items(Collection::Tuple, cx.exprs(node)),
        "keyed_element" => keyed(cx, node)?,
        "binary_expression" => binary(cx, node)?,
        "unary_expression" => {
            let operand = cx.need(node, "operand");
            match cx.field_text(node, "operator") {
                "!" => Expr::Not(boxed(operand)),
                "-" => Expr::Negative(boxed(operand)),
                "^" => Expr::BitNot(boxed(operand)),
                "*" => Expr::Say("the value that {0} points to", vec![operand]),
                "<-" => Expr::Say("a value received from {0}", vec![operand]),
                "&" if matches!(operand, Expr::New { .. } | Expr::Below { .. }) => {
                    Expr::Say("a pointer to {0}", vec![operand])
                }
                "&" => Expr::Say("the address of {0}", vec![operand]),
                _ => operand,
            }
        }
        "selector_expression" => {
            Expr::Attribute(boxed(cx.need(node, "operand")), cx.field_text(node, "field").into())
        }
        "index_expression" => {
            Expr::Index(boxed(cx.need(node, "operand")), boxed(cx.need(node, "index")))
        }
        "slice_expression" => Expr::Slice {
            of: Some(boxed(cx.need(node, "operand"))),
            from: cx.field(node, "start").map(boxed),
            to: cx.field(node, "end").map(boxed),
            step: None,
        },
        "call_expression" => call(cx, node),
        "argument_list" => Expr::Items(Collection::Tuple, cx.exprs(node)),
        "variadic_argument" => Expr::Spread(boxed(cx.first(node)?)),
        "type_assertion_expression" => {
            let parts = vec![cx.need(node, "operand"), cx.need(node, "type")];
            Expr::Say("{0} asserted to be {1}", parts)
        }
        "type_conversion_expression" => {
            let kind = type_words(cx, node.child_by_field_name("type"));
            Expr::Convert(boxed(cx.need(node, "operand")), kind)
        }
        "type_instantiation_expression" => cx.need(node, "type"),
        "composite_literal" => composite(cx, node)?,
        "func_literal" => {
            let parameters = parameters(cx, node);
            Expr::Closure { parameters, body: cx.body_field(node, "body") }
        }
        // Types in words.
        "slice_type" => {
            Expr::name(format!("slice of {}", type_words(cx, node.child_by_field_name("element"))))
        }
        "array_type" | "implicit_length_array_type" => {
            Expr::name(format!("array of {}", type_words(cx, node.child_by_field_name("element"))))
        }
        "map_type" => Expr::name(format!(
            "map from {} to {}",
            type_words(cx, node.child_by_field_name("key")),
            type_words(cx, node.child_by_field_name("value"))
        )),
        "pointer_type" => Expr::name(format!("pointer to {}", type_words(cx, node.named_child(0)))),
        "channel_type" => {
            Expr::name(format!("channel of {}", type_words(cx, node.child_by_field_name("value"))))
        }
        "generic_type" => {
            let name = cx.field_text(node, "type");
            let arguments = node
                .child_by_field_name("type_arguments")
                .map(|list| cx.parts(list))
                .unwrap_or_default();
            let words: Vec<String> =
                arguments.into_iter().map(|part| type_words(cx, Some(part))).collect();
            Expr::name(format!("{name} of {}", words.join(" and ")))
        }
        "negated_type" => {
            Expr::name(format!("anything like {}", type_words(cx, node.named_child(0))))
        }
        "function_type" => Expr::name("function"),
        "interface_type" if cx.parts(node).is_empty() => Expr::name("any value"),
        "interface_type" => Expr::name("interface"),
        "struct_type" => Expr::name("struct"),
        _ => return None,
    })
}

fn text(cx: &Lowering, node: Node, quote: char) -> Expr {
    let text = cx.text(node);
    let content = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    Expr::Text { prefix: "", quote, content: content.unwrap_or(text).to_owned() }
}

/// A type in words.
fn type_words(cx: &mut Lowering, node: Option<Node>) -> String {
    match node.map(|node| cx.expr(node)) {
        Some(Expr::Name(words)) => words,
        Some(Expr::TooDeep(names)) => names.join(" and "),
        _ => "some type".to_owned(),
    }
}

fn keyed(cx: &mut Lowering, node: Node) -> Option<Expr> {
    let key_node = node.child_by_field_name("key")?;
    let key = cx.expr(key_node);
    let value = boxed(cx.need(node, "value"));
    Some(match key {
        Expr::Name(name) => Expr::Named(name, value),
        key => Expr::Entry(boxed(key), value),
    })
}

/// Rows of operators of one class, followed down the left side in a loop.
fn binary(cx: &mut Lowering, node: Node) -> Option<Expr> {
    if let Some(cmp) = Cmp::from_sign(cx.field_text(node, "operator")) {
        let first = boxed(cx.need(node, "left"));
        return Some(Expr::Compare(first, vec![(cmp, cx.need(node, "right"))]));
    }
    cx.row(node, "binary_expression")
}

fn call(cx: &mut Lowering, node: Node) -> Expr {
    let name = cx.field_text(node, "function");
    let mut arguments =
        node.child_by_field_name("arguments").map(|list| cx.exprs(list)).unwrap_or_default();
    match (name, arguments.len()) {
        ("new", 1) => return Expr::Say("a pointer to a new {0}", arguments),
        ("make", 1) => return Expr::Say("a new {0}", arguments),
        ("make", 2) => {
            let channel = matches!(&arguments[0], Expr::Name(kind) if kind.starts_with("channel"));
            let map = matches!(&arguments[0], Expr::Name(kind) if kind.starts_with("map"));
            return Expr::Say(
                if channel {
                    "a new {0} with room for {1}"
                } else if map {
                    "a new {0} with room for {1} entries"
                } else {
                    "a new {0} of length {1}"
                },
                arguments,
            );
        }
        ("make", 3) => return Expr::Say("a new {0} of length {1} and capacity {2}", arguments),
        ("append", 2..) => return Expr::Say("{0} with {1*} appended", arguments),
        ("errors.New", 1) => return Expr::Say("a new error with message {0}", arguments),
        ("fmt.Errorf", 1..) => {
            let template = boxed(arguments.remove(0));
            let message = Expr::Format { template, values: arguments };
            return Expr::Say("a new error with message {0}", vec![message]);
        }
        _ => {}
    }
    Expr::Call(boxed(cx.need(node, "function")), arguments)
}

fn composite(cx: &mut Lowering, node: Node) -> Option<Expr> {
    let kind_node = node.child_by_field_name("type")?;
    let mut items = cx.exprs(node.child_by_field_name("body")?);
    let words = type_words(cx, Some(kind_node));
    Some(match kind_node.kind() {
        "slice_type" | "array_type" | "implicit_length_array_type" | "map_type" => {
            // The keys of a map and the indices of a slice are values, not names of fields.
            for item in &mut items {
                if let Expr::Named(name, value) = item {
                    *item = Expr::Entry(boxed(Expr::name(name.as_str())), value.clone());
                }
            }
            let empty = items.is_empty();
            let map = kind_node.kind() == "map_type";
            items.insert(0, Expr::name(words));
            match (empty, map) {
                (true, _) => Expr::Say("an empty {0}", items),
                (false, true) => Expr::Say("a {0} with {1*}", items),
                (false, false) if kind_node.kind() == "slice_type" => {
                    Expr::Say("a {0} holding {1*}", items)
                }
                (false, false) => Expr::Say("an {0} holding {1*}", items),
            }
        }
        _ => Expr::New { class: words, arguments: items, members: None },
    })
}

/// The parameters of a function.
fn parameters(cx: &mut Lowering, node: Node) -> Vec<Parameter> {
    let mut found = Vec::new();
    let Some(list) = node.child_by_field_name("parameters") else { return found };
    for part in cx.parts(list) {
        let takes = match part.kind() {
            "parameter_declaration" => Takes::One,
            "variadic_parameter_declaration" => Takes::Rest,
            _ => continue,
        };
        for name in cx.fields(part, "name") {
            found.push(Parameter { takes, ..one(cx.text(name)) });
        }
    }
    found
}

fn statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) -> bool {
    match node.kind() {
        "source_file" | "block" | "statement_list" => {
            let mut body = Vec::new();
            for part in cx.parts(node) {
                cx.stmt(part, &mut body);
            }
            // A block holds one list of statements: no level of its own.
            if let [Stmt::Block(_)] = body.as_slice()
                && node.kind() == "block"
            {
                out.append(&mut body);
            } else {
                out.push(Stmt::Block(body));
            }
        }
        "package_clause" | "empty_statement" => {}
        "import_declaration" => import(cx, node, out),
        "expression_statement" => match cx.parts(node).first() {
            Some(inner) if cx.field_text(*inner, "operator") == "<-" => {
                let channel = cx.need(*inner, "operand");
                out.push(Stmt::Say("wait for a value from {0}", vec![channel]));
            }
            Some(inner) => cx.stmt(*inner, out),
            None => {}
        },
        "call_expression" => {
            let value = cx.expr(node);
            out.push(Stmt::Expr(value));
        }
        "short_var_declaration" | "assignment_statement" => assignment(cx, node, out),
        "inc_statement" | "dec_statement" => {
            let op = if node.kind() == "inc_statement" { Op::Add } else { Op::Sub };
            let Some(target) = cx.first(node) else { return false };
            out.push(Stmt::Augment { target, op, value: Expr::Number("1".into()) });
        }
        "var_declaration" | "const_declaration" | "var_spec_list" => {
            for part in cx.parts(node) {
                match part.kind() {
                    "var_spec_list" => cx.stmt(part, out),
                    _ => declaration(cx, part, out),
                }
            }
        }
        "return_statement" => {
            let value = cx.first(node);
            out.push(Stmt::Return(value));
        }
        "if_statement" => if_statement(cx, node, out),
        "for_statement" => for_statement(cx, node, out),
        "expression_switch_statement" => {
            before(cx, node, out);
            let subject: Vec<Expr> = cx.field(node, "value").into_iter().collect();
            let heading = if subject.is_empty() {
                "take the first case that holds:"
            } else {
                "depending on {0}:"
            };
            let cases = cases(cx, node, "value");
            out.push(Stmt::Switch { heading, subject, cases });
        }
        "type_switch_statement" => {
            before(cx, node, out);
            let mut subject = vec![cx.need(node, "value")];
            let heading = match cx.field(node, "alias") {
                Some(alias) => {
                    subject.push(alias);
                    "depending on the type of {0}, called {1} below:"
                }
                None => "depending on the type of {0}:",
            };
            let cases = cases(cx, node, "type");
            out.push(Stmt::Switch { heading, subject, cases });
        }
        "select_statement" => select(cx, node, out),
        "defer_statement" => later(cx, node, "when the function ends", out),
        "go_statement" => later(cx, node, "in a new goroutine", out),
        "send_statement" => {
            let parts = vec![cx.need(node, "value"), cx.need(node, "channel")];
            out.push(Stmt::Say("send {0} to {1}", parts));
        }
        "receive_statement" => receive(cx, node, out),
        "break_statement" => {
            let jump = cx.jump(node, true);
            out.push(jump);
        }
        "continue_statement" => {
            let jump = cx.jump(node, false);
            out.push(jump);
        }
        "goto_statement" => {
            let parts = cx.exprs(node);
            out.push(Stmt::Say("jump to the label {0}", parts));
        }
        "fallthrough_statement" => out.push(Stmt::Say("go on into the next case", Vec::new())),
        "labeled_statement" => {
            let label = cx.need(node, "label");
            out.push(Stmt::Say("label what follows {0}", vec![label]));
            let parts = cx.parts(node);
            for part in parts.iter().skip(1) {
                cx.stmt(*part, out);
            }
        }
        "function_declaration" | "method_declaration" => {
            let function = function(cx, node);
            out.push(Stmt::Function(function));
        }
        "type_declaration" => {
            for part in cx.parts(node) {
                type_spec(cx, part, out);
            }
        }
        _ => return false,
    }
    true
}

fn import(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut specs = Vec::new();
    for part in cx.parts(node) {
        match part.kind() {
            "import_spec_list" => specs.extend(cx.parts(part)),
            _ => specs.push(part),
        }
    }
    let names: Vec<Expr> = specs
        .into_iter()
        .map(|spec| {
            let path = Expr::name(cx.field_text(spec, "path").trim_matches(['"', '`']));
            match cx.field(spec, "name") {
                Some(name) => Expr::Say("{0} as {1}", vec![path, name]),
                None => path,
            }
        })
        .collect();
    if !names.is_empty() {
        out.push(Stmt::Say("import {*}", names));
    }
}

fn assignment(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let left = node.child_by_field_name("left");
    let right = node.child_by_field_name("right");
    let target = cx.need(node, "left");
    let value = cx.need(node, "right");
    if let Some(op) = Op::from_sign(cx.field_text(node, "operator")) {
        out.push(Stmt::Augment { target, op, value });
        return;
    }
    let targets = left.map(|left| cx.parts(left).len()).unwrap_or_default();
    let values = right.map(|right| cx.parts(right)).unwrap_or_default();
    if let (2, [only], Expr::Items(_, names)) = (targets, values.as_slice(), &target) {
        // v, ok := m[k] and its like.
        let blank = matches!(names.first(), Some(Expr::Name(name)) if name == "_");
        let template = match only.kind() {
            "index_expression" if blank => Some("set {1} to whether there is {2}"),
            "index_expression" => Some("set {0} to {2}, and {1} to whether there is one"),
            "type_assertion_expression" if blank => Some("set {1} to whether {2} succeeds"),
            "type_assertion_expression" => Some("set {0} to {2}, and {1} to whether it is"),
            "unary_expression" => Some("set {0} to {2}, and {1} to whether there was one"),
            _ => None,
        };
        if let Some(template) = template {
            let mut parts = names.clone();
            parts.push(value);
            out.push(Stmt::Say(template, parts));
            return;
        }
    }
    if matches!(&target, Expr::Name(name) if name == "_") {
        out.push(Stmt::Say("ignore {0}", vec![value]));
        return;
    }
    out.push(Stmt::Assign { targets: vec![target], value });
}

fn declaration(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut names: Vec<Expr> =
        cx.fields(node, "name").into_iter().map(|name| cx.expr(name)).collect();
    match cx.field(node, "value") {
        Some(value) => {
            let target = match names.len() {
                1 => names.remove(0),
                _ => Expr::Items(Collection::Tuple, names),
            };
            out.push(Stmt::Assign { targets: vec![target], value });
        }
        None => match node.child_by_field_name("type") {
            Some(kind) => {
                let kind = Expr::name(type_words(cx, Some(kind)));
                names.insert(0, kind);
                out.push(Stmt::Say("declare {1*} as {0}", names));
            }
            // The rest of a list of constants.
            None => out.push(Stmt::Say("set {*} by the same rule", names)),
        },
    }
}

/// The statement before a condition or a subject.
fn before(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    if let Some(first) = node.child_by_field_name("initializer") {
        cx.stmt(first, out);
    }
}

/// `else if` nests in the grammar; here it is a loop, whatever the length of the row.
fn if_statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut branches = Vec::new();
    let mut otherwise = None;
    let mut at = node;
    loop {
        let mut first = Vec::new();
        before(cx, at, &mut first);
        branches.push(Branch {
            before: first,
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
    let body_node = node.child_by_field_name("body");
    let head = cx.parts(node).into_iter().find(|part| part.kind() != "block");
    match head {
        None => {
            let body = cx.loop_body(node);
            out.push(Stmt::Under("repeat forever:", Vec::new(), body));
        }
        Some(head) if head.kind() == "range_clause" => {
            let body = cx.loop_body(node);
            range(cx, head, body, out);
        }
        Some(head) if head.kind() == "for_clause" => {
            if let Some(body) = body_node
                && let Some(found) = counting(cx, head)
                && !cx.assigns(
                    body,
                    &found.names,
                    &["assignment_statement", "inc_statement", "dec_statement"],
                )
            {
                let body = cx.inside(false, |cx| cx.body(body));
                out.push(found.with(body));
                return;
            }
            before(cx, head, out);
            let condition = cx.field(head, "condition");
            let mut after = Vec::new();
            if let Some(update) = head.child_by_field_name("update") {
                cx.stmt(update, &mut after);
            }
            let body = cx.loop_body(node);
            out.push(Stmt::Loop { condition, after, body });
        }
        Some(condition) => {
            let condition = cx.expr(condition);
            let body = cx.loop_body(node);
            out.push(match &condition {
                Expr::Name(name) if name == "true" => {
                    Stmt::Under("repeat forever:", Vec::new(), body)
                }
                _ => Stmt::Under("while {c0}:", vec![condition], body),
            });
        }
    }
}

fn counting(cx: &mut Lowering, head: Node) -> Option<CountLoop> {
    let init = head.child_by_field_name("initializer")?;
    let condition = head.child_by_field_name("condition")?;
    let update = head.child_by_field_name("update")?;
    if init.kind() != "short_var_declaration" || condition.kind() != "binary_expression" {
        return None;
    }
    let names = cx.parts(init.child_by_field_name("left")?);
    let values = cx.parts(init.child_by_field_name("right")?);
    let ([name], [from]) = (names.as_slice(), values.as_slice()) else { return None };
    let name = cx.text(*name);
    let step = match update.kind() {
        "inc_statement" if cx.text(update).starts_with(name) => 1,
        "dec_statement" if cx.text(update).starts_with(name) => -1,
        "assignment_statement" if cx.field_text(update, "left") == name => {
            let size = cx.need(update, "right").integer().filter(|size| *size > 0)?;
            match cx.field_text(update, "operator") {
                "+=" => size,
                "-=" => -size,
                _ => return None,
            }
        }
        _ => return None,
    };
    cx.count_loop(name, *from, condition, Expr::Number(step.to_string()))
}

/// `for … := range …`. The words must fit slices, maps, texts, numbers and channels alike.
fn range(cx: &mut Lowering, head: Node, body: Vec<Stmt>, out: &mut Vec<Stmt>) {
    let over = cx.need(head, "right");
    let names: Vec<Expr> = match cx.field(head, "left") {
        Some(Expr::Items(_, names)) => names,
        Some(one) => vec![one],
        None => Vec::new(),
    };
    let blank = |name: &Expr| matches!(name, Expr::Name(name) if name == "_");
    let index = |name: &Expr| matches!(name, Expr::Name(name) if matches!(name.as_str(), "i" | "j" | "idx" | "index" | "ix"));
    match names.as_slice() {
        [first, second] if blank(first) && !blank(second) => {
            out.push(Stmt::ForEach { target: second.clone(), iterable: over, body });
        }
        [first, second] if !blank(second) => {
            let template = if index(first) {
                "for each index {o0} and element {o1} of {o2}:"
            } else {
                "for each key {o0} and value {o1} of {o2}:"
            };
            out.push(Stmt::Under(template, vec![first.clone(), second.clone(), over], body));
        }
        [first, ..] if !blank(first) => {
            let template = if index(first) {
                "for each index {o0} of {o1}:"
            } else {
                "for each {o0} ranging over {o1}:"
            };
            out.push(Stmt::Under(template, vec![first.clone(), over], body));
        }
        _ => out.push(Stmt::Under("for each item of {o0}:", vec![over], body)),
    }
}

fn cases(cx: &mut Lowering, node: Node, field: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for part in cx.parts(node) {
        if !matches!(part.kind(), "expression_case" | "type_case" | "default_case") {
            continue;
        }
        let mut values = Vec::new();
        for value in cx.fields(part, field) {
            match cx.expr(value) {
                Expr::Items(Collection::Tuple, several) => values.extend(several),
                one => values.push(one),
            }
        }
        cases.push(Case { values, guard: None, body: case_body(cx, part) });
    }
    cases
}

fn case_body(cx: &mut Lowering, node: Node) -> Vec<Stmt> {
    cx.parts(node)
        .into_iter()
        .filter(|part| part.kind() == "statement_list")
        .flat_map(|list| cx.inside(true, |cx| cx.body(list)))
        .collect()
}

fn select(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut ways = Vec::new();
    for part in cx.parts(node) {
        let body = case_body(cx, part);
        let Some(communication) = part.child_by_field_name("communication") else {
            ways.push(Stmt::Under("if none is ready:", Vec::new(), body));
            continue;
        };
        if communication.kind() == "send_statement" {
            let parts = vec![cx.need(communication, "value"), cx.need(communication, "channel")];
            ways.push(Stmt::Under("if {0} can be sent to {1}:", parts, body));
            continue;
        }
        let channel = communication
            .child_by_field_name("right")
            .and_then(|right| cx.field(right, "operand"))
            .unwrap_or_else(|| Expr::name("a channel"));
        let template = match cx.field(communication, "left") {
            Some(Expr::Items(_, mut names)) if names.len() == 2 => {
                names.insert(0, channel);
                ways.push(Stmt::Under(
                    "if {1} (with {2} for whether there was one) is received from {0}:",
                    names,
                    body,
                ));
                continue;
            }
            Some(name) => (vec![channel, name], "if {1} is received from {0}:"),
            None => (vec![channel], "if something is received from {0}:"),
        };
        ways.push(Stmt::Under(template.1, template.0, body));
    }
    out.push(Stmt::Under("wait for whichever is ready first:", Vec::new(), ways));
}

fn receive(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let value = cx.need(node, "right");
    out.push(match cx.field(node, "left") {
        Some(target) => Stmt::Assign { targets: vec![target], value },
        None => Stmt::Expr(value),
    });
}

/// `defer` and `go`: a call to be made later.
fn later(cx: &mut Lowering, node: Node, when: &'static str, out: &mut Vec<Stmt>) {
    match cx.first(node) {
        Some(Expr::Call(callee, arguments)) if matches!(*callee, Expr::Closure { .. }) => {
            let Expr::Closure { parameters, body } = *callee else { return };
            let given: Vec<Expr> = parameters
                .into_iter()
                .zip(arguments)
                .map(|(parameter, value)| Expr::Named(parameter.name, boxed(value)))
                .collect();
            let plain = given.is_empty();
            out.push(match (when.starts_with("when"), plain) {
                (true, true) => Stmt::Under("when the function ends:", given, body),
                (true, false) => Stmt::Under("when the function ends, with {*}:", given, body),
                (false, true) => Stmt::Under("in a new goroutine:", given, body),
                (false, false) => Stmt::Under("in a new goroutine, with {*}:", given, body),
            });
        }
        Some(call) => out.push(Stmt::Later(when, boxed(call))),
        None => {}
    }
}

fn function(cx: &mut Lowering, node: Node) -> Function {
    let name = cx.field_text(node, "name");
    let receiver = node.child_by_field_name("receiver").and_then(|list| {
        let declaration = cx.parts(list).first().copied()?;
        let kind = cx.field_text(declaration, "type").trim_start_matches('*').to_owned();
        let own = cx.field_text(declaration, "name");
        Some(if own.is_empty() { format!("on {kind}") } else { format!("on {own} ({kind})") })
    });
    let (kind, name) = match receiver {
        Some(receiver) => ("method", format!("{name} {receiver}")),
        None => ("function", name.to_owned()),
    };
    Function {
        kind: kind.into(),
        name,
        parameters: parameters(cx, node),
        decorators: Vec::new(),
        body: cx.body_field(node, "body"),
    }
}

fn type_spec(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let name = cx.field_text(node, "name");
    let Some(kind) = node.child_by_field_name("type") else { return };
    let mut body = Vec::new();
    let class = match kind.kind() {
        "struct_type" => {
            for list in cx.parts(kind) {
                for field in cx.parts(list) {
                    let mut names: Vec<Expr> =
                        cx.fields(field, "name").into_iter().map(|name| cx.expr(name)).collect();
                    let words = Expr::name(type_words(cx, field.child_by_field_name("type")));
                    if names.is_empty() {
                        body.push(Stmt::Say("embed {0}", vec![words]));
                    } else {
                        names.insert(0, words);
                        body.push(Stmt::Say("declare field {1*} as {0}", names));
                    }
                }
            }
            "struct"
        }
        "interface_type" => {
            for part in cx.parts(kind) {
                if part.kind() == "method_elem" {
                    body.push(Stmt::Function(Function {
                        kind: "method".into(),
                        name: cx.field_text(part, "name").into(),
                        parameters: parameters(cx, part),
                        decorators: Vec::new(),
                        body: Vec::new(),
                    }));
                } else {
                    let words = cx.exprs(part);
                    body.push(Stmt::Say("allow {|}", words));
                }
            }
            "interface"
        }
        _ => {
            let words = Expr::name(type_words(cx, Some(kind)));
            out.push(Stmt::Say("define type {0} as {1}", vec![Expr::name(name), words]));
            return;
        }
    };
    out.push(Stmt::Class(Class {
        kind: class,
        name: name.into(),
        parents: Vec::new(),
        decorators: Vec::new(),
        body,
    }));
}
