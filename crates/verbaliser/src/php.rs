//! The rules of PHP: which node of the grammar says what. Variables lose their `$`.

use code_syntax::Language;
use tree_sitter::Node;

use crate::ir::{
    Branch, Case, Class, Cmp, Collection, Expr, Function, Op, Parameter, Stmt, Takes, if_set,
    template_of,
};
use crate::lower::{CountLoop, ForHeads, Label, Lowering, Rules, boxed, one, says_something};
use crate::phrase::without_indent;
use crate::sequence::{self, Each};

pub(crate) static RULES: Rules = Rules { expression, statement };

fn expression(cx: &mut Lowering, node: Node) -> Option<Expr> {
    Some(match node.kind() {
        "variable_name" => Expr::name(cx.text(node).trim_start_matches('$')),
        "name"
        | "qualified_name"
        | "relative_name"
        | "namespace_name"
        | "boolean"
        | "null"
        | "relative_scope"
        | "named_type"
        | "primitive_type"
        | "optional_type"
        | "union_type"
        | "intersection_type"
        | "disjunctive_normal_form_type"
        | "bottom_type" => Expr::name(cx.text(node).trim_start_matches('\\')),
        "dynamic_variable_name" => Expr::Say("the variable named {0}", vec![cx.first(node)?]),
        "integer" | "float" => Expr::Number(cx.text(node).to_owned()),
        "string" => {
            let text = cx.text(node).trim_start_matches(['b', 'B']);
            let content = text.trim_matches('\'').to_owned();
            Expr::Text { prefix: "", quote: '\'', content }
        }
        "encapsed_string" => text(cx, node, '"'),
        "heredoc" | "nowdoc" => match node.child_by_field_name("value") {
            Some(body) => text(cx, body, '"'),
            None => Expr::Text { prefix: "", quote: '"', content: String::new() },
        },
        "shell_command_expression" => {
            Expr::Say("the output of the command {0}", vec![text(cx, node, '`')])
        }
        "parenthesized_expression" => cx.first(node)?,
        "sequence_expression" => {
            let mut parts = sequence_parts(cx, node);
            parts.rotate_right(1);
            Expr::Say("{0} (after {1*})", parts)
        }
        "array_creation_expression" => array(cx, node),
        "array_element_initializer" => element(cx, node)?,
        "list_literal" => list(cx, node),
        "pair" => {
            let mut parts = cx.exprs(node).into_iter();
            Expr::Entry(boxed(parts.next()?), boxed(parts.next()?))
        }
        "by_ref" => Expr::Say("{0} (by reference)", vec![cx.first(node)?]),
        "variadic_unpacking" => Expr::Spread(boxed(cx.first(node)?)),
        "argument" => {
            let value = cx.parts(node).last().map(|part| cx.expr(*part))?;
            match cx.field_text(node, "name") {
                "" => value,
                name => Expr::Named(name.into(), boxed(value)),
            }
        }
        "arguments" => Expr::Items(Collection::Tuple, cx.exprs(node)),
        "binary_expression" => binary(cx, node)?,
        "unary_op_expression" => {
            let operand = cx.parts(node).last().map(|part| cx.expr(*part))?;
            match cx.field_text(node, "operator") {
                "!" => Expr::Not(boxed(operand)),
                "-" => Expr::Negative(boxed(operand)),
                "~" => Expr::BitNot(boxed(operand)),
                _ => operand,
            }
        }
        "cast_expression" => {
            let value = cx.need(node, "value");
            Expr::Say(cast(cx.field_text(node, "type")), vec![value])
        }
        "clone_expression" => Expr::Say("a copy of {0}", vec![cx.first(node)?]),
        "error_suppression_expression" => Expr::Say("{0} (ignoring errors)", vec![cx.first(node)?]),
        "include_expression" | "require_expression" => {
            Expr::Say("the result of including the file {0}", vec![cx.first(node)?])
        }
        "include_once_expression" | "require_once_expression" => {
            Expr::Say("the result of including the file {0} once", vec![cx.first(node)?])
        }
        "match_expression" => {
            let subject = cx.need(node, "condition");
            let switch = choice(cx, node, &subject);
            let cases = matches!(&switch, Stmt::Switch { subject, .. } if subject.is_empty());
            Expr::Below {
                template: if cases {
                    "the value of the first case that holds"
                } else {
                    "a value that depends on {0}"
                },
                parts: vec![subject],
                body: vec![switch],
            }
        }
        "conditional_expression" => {
            let condition = cx.need(node, "condition");
            let otherwise = cx.need(node, "alternative");
            match cx.field(node, "body") {
                Some(then) => Expr::Choice {
                    condition: boxed(condition),
                    then: boxed(then),
                    otherwise: boxed(otherwise),
                },
                None => Expr::Say("{o0}, or {o1} if that is false", vec![condition, otherwise]),
            }
        }
        "assignment_expression" | "reference_assignment_expression" => {
            Expr::Bind(boxed(cx.need(node, "left")), boxed(cx.need(node, "right")))
        }
        "augmented_assignment_expression" => cx.changed(node),
        "update_expression" => cx.update(node)?,
        "member_access_expression" => member(cx, node, "object"),
        "nullsafe_member_access_expression" => {
            let member = member(cx, node, "object");
            if_set(member, cx.holder(node.child_by_field_name("object")))
        }
        "scoped_property_access_expression" => member(cx, node, "scope"),
        "class_constant_access_expression" => {
            let mut parts = cx.exprs(node);
            let name = parts.pop()?;
            let scope = parts.pop()?;
            match name {
                Expr::Name(class) if class == "class" => {
                    Expr::Say("the name of the class {0}", vec![scope])
                }
                Expr::Name(name) => Expr::Attribute(boxed(scope), name),
                name => Expr::Say("the constant of {0} named {1}", vec![scope, name]),
            }
        }
        "function_call_expression" => function_call(cx, node),
        "member_call_expression" => {
            let callee = member(cx, node, "object");
            called(cx, node, callee)
        }
        "nullsafe_member_call_expression" => {
            let callee = member(cx, node, "object");
            let call = called(cx, node, callee);
            if_set(call, cx.holder(node.child_by_field_name("object")))
        }
        "scoped_call_expression" => {
            let callee = member(cx, node, "scope");
            called(cx, node, callee)
        }
        "object_creation_expression" => creation(cx, node),
        "subscript_expression" => {
            let mut parts = cx.exprs(node).into_iter();
            let base = parts.next()?;
            match parts.next() {
                Some(index) => Expr::Index(boxed(base), boxed(index)),
                None => Expr::Say("a new element of {0}", vec![base]),
            }
        }
        "yield_expression" => match (cx.first(node), yields_from(cx, node)) {
            (None, _) => Expr::Say("what is sent in at this yield", Vec::new()),
            (Some(value), true) => Expr::Say("the result of yielding each of {0}", vec![value]),
            (Some(value), false) => Expr::Say("what is sent in after yielding {0}", vec![value]),
        },
        "throw_expression" => Expr::Say("an error thrown as {0}", vec![cx.first(node)?]),
        "print_intrinsic" => Expr::Say("the result of printing {0}", vec![cx.first(node)?]),
        "anonymous_function" | "arrow_function" => closure(cx, node),
        "attribute" => {
            let name = cx.first(node)?;
            match arguments(cx, node, "parameters") {
                given if given.is_empty() => name,
                given => Expr::Call(boxed(name), given),
            }
        }
        "const_element" => {
            let mut parts = cx.exprs(node).into_iter();
            Expr::Entry(boxed(parts.next()?), boxed(parts.next()?))
        }
        _ => return None,
    })
}

/// `list($a, 'k' => $b)` as a target.
fn list(cx: &mut Lowering, node: Node) -> Expr {
    let mut items: Vec<Expr> = Vec::new();
    let mut keyed = false;
    let mut cursor = node.walk();
    let children: Vec<Node> = node.children(&mut cursor).collect();
    for child in children {
        if child.kind() == "=>" {
            keyed = true;
        } else if child.is_named() && says_something(Language::Php, child) {
            let item = cx.expr(child);
            match items.pop() {
                Some(key) if std::mem::take(&mut keyed) => {
                    items.push(Expr::Entry(boxed(key), boxed(item)));
                }
                before => {
                    items.extend(before);
                    items.push(item);
                }
            }
        }
    }
    Expr::Items(Collection::Tuple, items)
}

/// All values of `a, b, c`, which nests to the right.
fn sequence_parts(cx: &mut Lowering, node: Node) -> Vec<Expr> {
    let mut found = Vec::new();
    let mut at = Some(node);
    while let Some(list) = at.take() {
        for part in cx.parts(list) {
            if part.kind() == "sequence_expression" {
                at = Some(part);
            } else {
                found.push(cx.expr(part));
            }
        }
    }
    found
}

/// A text with values inside: the parts of a quoted text or of the body of a heredoc.
fn text(cx: &mut Lowering, node: Node, quote: char) -> Expr {
    let mut content = String::new();
    let mut values = Vec::new();
    for part in cx.parts(node) {
        match part.kind() {
            "string_content" | "escape_sequence" | "nowdoc_string" => content += cx.text(part),
            _ => {
                content += "{}";
                values.push(cx.expr(part));
            }
        }
    }
    if node.kind().ends_with("_body") {
        content = without_indent(content.trim_start_matches(['\r', '\n']));
    }
    template_of("", quote, content, values)
}

fn yields_from(cx: &Lowering, node: Node) -> bool {
    cx.text(node).trim_start_matches("yield").trim_start().starts_with("from ")
}

fn cast(kind: &str) -> &'static str {
    match kind.trim_matches(['(', ')', ' ']).to_ascii_lowercase().as_str() {
        "int" | "integer" => "{0} as an integer",
        "float" | "double" | "real" => "{0} as a float",
        "string" => "{0} as a string",
        "bool" | "boolean" => "{0} as a truth value",
        "array" => "{0} as an array",
        "object" => "{0} as an object",
        "binary" => "{0} as bytes",
        _ => "{0} as null",
    }
}

/// An array: with keys, or a list.
fn array(cx: &mut Lowering, node: Node) -> Expr {
    let items = cx.exprs(node);
    let keyed = items.iter().any(|item| matches!(item, Expr::Entry(..)));
    Expr::Items(if keyed { Collection::Dictionary } else { Collection::Array }, items)
}

fn element(cx: &mut Lowering, node: Node) -> Option<Expr> {
    let mut parts = cx.exprs(node).into_iter();
    let first = parts.next()?;
    Some(match parts.next() {
        Some(value) => Expr::Entry(boxed(first), boxed(value)),
        None => first,
    })
}

/// Rows of operators of one class, followed down the left side in a loop.
fn binary(cx: &mut Lowering, node: Node) -> Option<Expr> {
    let sign = cx.field_text(node, "operator");
    if let Some(cmp) = Cmp::from_sign(sign) {
        let first = boxed(cx.need(node, "left"));
        return Some(Expr::Compare(first, vec![(cmp, cx.need(node, "right"))]));
    }
    let template = match sign {
        "??" => "{o0}, or {o1} if that is missing",
        "<=>" => "the order of {0} and {1}",
        "xor" | "XOR" => "whether exactly one of {0} and {1} is true",
        "|>" => "{o0} passed on to {1}",
        "instanceof" => {
            let parts = vec![cx.need(node, "left"), cx.need(node, "right")];
            return Some(Expr::Test {
                holds: "{0} is an instance of {1}",
                fails: "{0} is not an instance of {1}",
                parts,
            });
        }
        _ => return cx.row(node, "binary_expression"),
    };
    Some(Expr::Say(template, vec![cx.need(node, "left"), cx.need(node, "right")]))
}

/// `object->name`, `Class::$name` or `Class::name`.
fn member(cx: &mut Lowering, node: Node, field: &str) -> Expr {
    let base = cx.need(node, field);
    match node.child_by_field_name("name") {
        Some(name) if name.kind() == "name" => Expr::Attribute(boxed(base), cx.text(name).into()),
        Some(name) if name.kind() == "variable_name" && node.kind().starts_with("scoped_prop") => {
            Expr::Attribute(boxed(base), cx.text(name).trim_start_matches('$').into())
        }
        Some(name) => {
            let name = cx.expr(name);
            let call = node.kind().contains("call");
            let template =
                if call { "the method of {0} named {1}" } else { "the property of {0} named {1}" };
            Expr::Say(template, vec![base, name])
        }
        None => base,
    }
}

fn arguments(cx: &mut Lowering, node: Node, field: &str) -> Vec<Expr> {
    node.child_by_field_name(field).map(|list| cx.exprs(list)).unwrap_or_default()
}

/// A call of `callee`, or `callee` itself where only that is asked for: `f(...)`.
fn called(cx: &mut Lowering, node: Node, callee: Expr) -> Expr {
    if let Some(list) = node.child_by_field_name("arguments")
        && let [only] = cx.parts(list).as_slice()
        && only.kind() == "variadic_placeholder"
    {
        return Expr::Say("the function {0} itself", vec![callee]);
    }
    let arguments = arguments(cx, node, "arguments");
    Expr::Call(boxed(callee), arguments)
}

fn function_call(cx: &mut Lowering, node: Node) -> Expr {
    let callee = cx.need(node, "function");
    let call = called(cx, node, callee);
    let Expr::Call(callee, mut arguments) = call else { return call };
    let function = |value: &Expr| matches!(value, Expr::Lambda { .. } | Expr::Closure { .. });
    let name = callee.path().unwrap_or_default();
    match (name.as_str(), arguments.as_slice()) {
        ("array_map", [first, _]) if function(first) => {
            let over = arguments.pop();
            if let (Some(over), Some(first)) = (over, arguments.pop()) {
                return sequence::value(Each::Map, over, None, first);
            }
        }
        // The name of a function stands for it.
        ("array_map", [Expr::Text { content, .. }, _]) if is_word(content) => {
            let function = Expr::name(content.as_str());
            if let Some(over) = arguments.pop() {
                return sequence::value(Each::Map, over, None, function);
            }
        }
        ("array_filter", [_, second]) if function(second) => {
            if let (Some(second), Some(over)) = (arguments.pop(), arguments.pop()) {
                return sequence::value(Each::Filter, over, None, second);
            }
        }
        ("usort" | "uasort" | "uksort", [over, Expr::Lambda { parameters, value }]) => {
            if let ([a, b], Expr::Say("the order of {0} and {1}", sides)) =
                (parameters.as_slice(), &**value)
                && let [Expr::Name(first), Expr::Name(second)] = sides.as_slice()
                && name == "usort"
            {
                let up = (first, second) == (&a.name, &b.name);
                if up || (first, second) == (&b.name, &a.name) {
                    let template = if up {
                        "{0} sorted in ascending order"
                    } else {
                        "{0} sorted in descending order"
                    };
                    return Expr::Say(template, vec![over.clone()]);
                }
            }
        }
        ("array_slice", [_, from, _]) if from.integer() == Some(0) => {
            if let (Some(to), Some(_), Some(of)) =
                (arguments.pop(), arguments.pop(), arguments.pop())
            {
                return Expr::Slice {
                    of: Some(boxed(of)),
                    from: None,
                    to: Some(boxed(to)),
                    step: None,
                };
            }
        }
        ("compact", _) => {
            let names = arguments
                .iter()
                .map(|argument| match argument {
                    Expr::Text { content, .. } => Expr::name(content.as_str()),
                    other => other.clone(),
                })
                .collect();
            return Expr::Say("the array of {*} by name", names);
        }
        _ => {}
    }
    Expr::Call(callee, arguments)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn creation(cx: &mut Lowering, node: Node) -> Expr {
    let mut class = None;
    let mut arguments = Vec::new();
    for part in cx.parts(node) {
        match part.kind() {
            "arguments" => arguments = cx.exprs(part),
            "anonymous_class" => {
                let mut parents = Vec::new();
                for inner in cx.parts(part) {
                    match inner.kind() {
                        "arguments" => arguments = cx.exprs(inner),
                        "base_clause" | "class_interface_clause" => {
                            parents.extend(cx.exprs(inner).iter().filter_map(Expr::path));
                        }
                        _ => {}
                    }
                }
                let class = match parents.first() {
                    Some(parent) => parent.clone(),
                    None => "object of a class of its own".to_owned(),
                };
                let members = Some(cx.body_field(part, "body"));
                return Expr::New { class, arguments, members };
            }
            "attribute_list" => {}
            _ => class = Some(cx.expr(part)),
        }
    }
    match class {
        Some(Expr::Name(class))
            if !cx.text(node).trim_start_matches("new").trim().starts_with('$') =>
        {
            Expr::New { class, arguments, members: None }
        }
        Some(class) => {
            let mut parts = vec![class];
            parts.append(&mut arguments);
            let plain = parts.len() == 1;
            Expr::Say(
                if plain {
                    "a new object of class {0}"
                } else {
                    "a new object of class {o0} with {1*}"
                },
                parts,
            )
        }
        None => Expr::New { class: "object".into(), arguments, members: None },
    }
}

fn closure(cx: &mut Lowering, node: Node) -> Expr {
    let parameters = parameters(cx, node);
    let Some(body) = node.child_by_field_name("body") else {
        return Expr::Closure { parameters, body: Vec::new() };
    };
    if node.kind() == "arrow_function" {
        return Expr::Lambda { parameters, value: boxed(cx.expr(body)) };
    }
    let mut body = cx.inside(false, |cx| cx.body(body));
    match body.as_mut_slice() {
        [Stmt::Return(value @ Some(_))] => match value.take() {
            Some(value) => Expr::Lambda { parameters, value: boxed(value) },
            None => Expr::Closure { parameters, body },
        },
        _ => Expr::Closure { parameters, body },
    }
}

fn parameters(cx: &mut Lowering, node: Node) -> Vec<Parameter> {
    let Some(list) = node.child_by_field_name("parameters") else { return Vec::new() };
    let mut found = Vec::new();
    for part in cx.parts(list) {
        let name = cx.field_text(part, "name").trim_start_matches(['&', '$']);
        let takes = if part.kind() == "variadic_parameter" { Takes::Rest } else { Takes::One };
        let default = cx.field(part, "default_value");
        found.push(Parameter { takes, default, ..one(name) });
    }
    found
}

fn statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) -> bool {
    match node.kind() {
        "program"
        | "compound_statement"
        | "colon_block"
        | "declaration_list"
        | "enum_declaration_list" => {
            let body = members(cx, node);
            out.push(Stmt::Block(body));
        }
        "php_tag" | "php_end_tag" | "empty_statement" => {}
        "text" | "text_interpolation" => {
            let text = match node.kind() {
                "text" => Some(node),
                _ => cx.parts(node).into_iter().find(|part| part.kind() == "text"),
            };
            let content = text.map_or("", |text| cx.text(text)).trim().to_owned();
            if !content.is_empty() {
                let text = Expr::Text { prefix: "", quote: '"', content };
                out.push(Stmt::Say("output the text {0}", vec![text]));
            }
        }
        "expression_statement" | "parenthesized_expression" | "sequence_expression" => {
            for part in cx.parts(node) {
                cx.stmt(part, out);
            }
        }
        "assignment_expression" => assignment(cx, node, out),
        "reference_assignment_expression" => {
            let parts = vec![cx.need(node, "left"), cx.need(node, "right")];
            out.push(Stmt::Say("set {0} to a reference to {1}", parts));
        }
        "augmented_assignment_expression" => {
            let (target, value) = (cx.need(node, "left"), cx.need(node, "right"));
            out.push(match Op::from_sign(cx.field_text(node, "operator")) {
                Some(op) => Stmt::Augment { target, op, value },
                None => Stmt::Say("set {0} to {1} if it is missing", vec![target, value]),
            });
        }
        "update_expression" => {
            let op = if cx.has_token(node, "++") { Op::Add } else { Op::Sub };
            let Some(target) = cx.first(node) else { return false };
            out.push(Stmt::Augment { target, op, value: Expr::Number("1".into()) });
        }
        "binary_expression"
            if matches!(cx.field_text(node, "operator"), "&&" | "||" | "and" | "or") =>
        {
            let guarded = cx.guarded(node);
            out.push(guarded);
        }
        "conditional_expression" if node.child_by_field_name("body").is_some() => {
            let condition = cx.need(node, "condition");
            let body = cx.body_field(node, "body");
            let otherwise = Some(cx.body_field(node, "alternative"));
            let branches = vec![Branch { before: Vec::new(), condition, body }];
            out.push(Stmt::If { branches, otherwise });
        }
        "include_expression" | "require_expression" => {
            let parts = cx.exprs(node);
            out.push(Stmt::Say("include the file {0}", parts));
        }
        "include_once_expression" | "require_once_expression" => {
            let parts = cx.exprs(node);
            out.push(Stmt::Say("include the file {0} once", parts));
        }
        "error_suppression_expression" => {
            let Some(inner) = cx.first(node) else { return false };
            out.push(Stmt::Later("ignoring errors", boxed(inner)));
        }
        "match_expression" => {
            let subject = cx.need(node, "condition");
            let switch = choice(cx, node, &subject);
            out.push(switch);
        }
        "yield_expression" => {
            let value = cx.first(node);
            out.push(match value {
                Some(value) if yields_from(cx, node) => Stmt::Say("yield each of {0}", vec![value]),
                value => Stmt::Yield(value),
            });
        }
        "throw_expression" => {
            let error = cx.first(node);
            out.push(Stmt::Raise { error, cause: None });
        }
        "print_intrinsic" | "echo_statement" => {
            let parts = match cx.parts(node).as_slice() {
                [list] if list.kind() == "sequence_expression" => sequence_parts(cx, *list),
                _ => cx.exprs(node),
            };
            out.push(Stmt::Say("print {*}", parts));
        }
        "exit_statement" => {
            let parts = cx.exprs(node);
            out.push(if parts.is_empty() {
                Stmt::Say("exit the program", parts)
            } else {
                Stmt::Say("exit the program with {0}", parts)
            });
        }
        "function_call_expression" => match cx.expr(node) {
            Expr::Say("{0} sorted in ascending order", parts) => {
                out.push(Stmt::Say("sort {0} in ascending order", parts));
            }
            Expr::Say("{0} sorted in descending order", parts) => {
                out.push(Stmt::Say("sort {0} in descending order", parts));
            }
            value => out.push(Stmt::Expr(value)),
        },
        "scoped_call_expression"
            if cx.field_text(node, "scope") == "parent"
                && cx.field_text(node, "name") == "__construct" =>
        {
            let parts = arguments(cx, node, "arguments");
            out.push(if parts.is_empty() {
                Stmt::Say("call the parent constructor", parts)
            } else {
                Stmt::Say("call the parent constructor with {*}", parts)
            });
        }
        "return_statement" => {
            let value = cx.first(node);
            out.push(Stmt::Return(value));
        }
        "if_statement" => if_statement(cx, node, out),
        "for_statement" => for_statement(cx, node, out),
        "foreach_statement" => foreach(cx, node, out),
        "while_statement" => {
            let repeated = cx.while_loop(node);
            out.push(repeated);
        }
        "do_statement" => {
            let repeated = cx.do_loop(node);
            out.push(repeated);
        }
        "switch_statement" => {
            let subject = cx.need(node, "condition");
            let mut labels = Vec::new();
            for part in node.child_by_field_name("body").map(|b| cx.parts(b)).unwrap_or_default() {
                let values = cx.fields(part, "value");
                let body = cx.parts(part).into_iter().skip(values.len()).collect();
                labels.push(Label { values, body });
            }
            let switch = cx.switch(subject, labels);
            out.push(switch);
        }
        "break_statement" => out.push(match cx.first(node) {
            Some(levels) if levels.integer() != Some(1) => {
                Stmt::Say("leave {0} loops at once", vec![levels])
            }
            _ => Stmt::Say(cx.leave(), Vec::new()),
        }),
        "continue_statement" => out.push(match cx.first(node) {
            Some(levels) if levels.integer() != Some(1) => {
                Stmt::Say("go on with the next iteration of the loop {0} levels up", vec![levels])
            }
            _ => Stmt::Say("go on with the next iteration", Vec::new()),
        }),
        "goto_statement" => {
            let parts = cx.exprs(node);
            out.push(Stmt::Say("jump to the label {0}", parts));
        }
        "named_label_statement" => {
            let parts = cx.exprs(node);
            out.push(Stmt::Say("label what follows {0}", parts));
        }
        "try_statement" => try_statement(cx, node, out),
        "global_declaration" => {
            let parts = cx.exprs(node);
            out.push(Stmt::Say("use the global {*}", parts));
        }
        "function_static_declaration" => {
            for part in cx.parts(node) {
                let mut parts = vec![cx.need(part, "name")];
                parts.extend(cx.field(part, "value"));
                out.push(if parts.len() > 1 {
                    Stmt::Say("keep {0} between calls, {o1} at first", parts)
                } else {
                    Stmt::Say("keep {0} between calls", parts)
                });
            }
        }
        "unset_statement" => {
            let parts = cx.exprs(node);
            out.push(Stmt::Say("delete {*}", parts));
        }
        "declare_statement" => {
            for part in cx.parts(node) {
                if part.kind() == "declare_directive" {
                    let name = cx.text(part).split('=').next().unwrap_or("").trim().to_owned();
                    let mut parts = vec![Expr::name(name)];
                    parts.extend(cx.first(part));
                    out.push(Stmt::Say("declare {0} as {1}", parts));
                } else {
                    cx.stmt(part, out);
                }
            }
        }
        "const_declaration" => {
            for part in cx.parts(node) {
                if part.kind() == "const_element" {
                    let parts = cx.exprs(part);
                    out.push(Stmt::Say("define the constant {0} as {1}", parts));
                }
            }
        }
        "namespace_definition" => {
            let name = cx.field(node, "name").unwrap_or_else(|| Expr::name("global"));
            match node.child_by_field_name("body") {
                Some(body) => {
                    let body = cx.body(body);
                    out.push(Stmt::Under("in the namespace {0}:", vec![name], body));
                }
                None => out.push(Stmt::Say("work in the namespace {0}", vec![name])),
            }
        }
        "use_declaration" => use_traits(cx, node, out),
        "property_declaration" => property(cx, node, out),
        "enum_case" => {
            let mut parts = vec![cx.need(node, "name")];
            parts.extend(cx.field(node, "value"));
            out.push(if parts.len() > 1 {
                Stmt::Say("define the case {0} as {1}", parts)
            } else {
                Stmt::Say("define the case {0}", parts)
            });
        }
        "function_definition" | "method_declaration" => {
            let function = function(cx, node);
            out.push(Stmt::Function(function));
        }
        "class_declaration"
        | "interface_declaration"
        | "trait_declaration"
        | "enum_declaration" => {
            let class = class(cx, node);
            out.push(Stmt::Class(class));
        }
        _ => return false,
    }
    true
}

/// Statements of a file or class; `use …;` in a row is one step.
fn members(cx: &mut Lowering, node: Node) -> Vec<Stmt> {
    let mut out = Vec::new();
    let mut imports = Vec::new();
    let mut echo = false;
    for part in cx.parts(node) {
        if part.kind() == "namespace_use_declaration" {
            imports.append(&mut import(cx, part));
            continue;
        }
        if !imports.is_empty() {
            out.push(Stmt::Say("import {*}", std::mem::take(&mut imports)));
        }
        // <?= $x ?>
        if echo && part.kind() == "expression_statement" {
            let parts = cx.exprs(part);
            out.push(Stmt::Say("print {*}", parts));
        } else {
            cx.stmt(part, &mut out);
        }
        echo = matches!(part.kind(), "text_interpolation" | "php_tag")
            && cx.text(part).trim_end().ends_with("<?=");
    }
    if !imports.is_empty() {
        out.push(Stmt::Say("import {*}", imports));
    }
    out
}

fn import(cx: &mut Lowering, node: Node) -> Vec<Expr> {
    let mut prefix = String::new();
    let mut clauses = Vec::new();
    for part in cx.parts(node) {
        match part.kind() {
            "namespace_name" => prefix = format!("{}\\", cx.text(part)),
            "namespace_use_group" => clauses.extend(cx.parts(part)),
            _ => clauses.push(part),
        }
    }
    clauses
        .into_iter()
        .map(|clause| {
            let name = cx.parts(clause).first().map_or("", |name| cx.text(*name));
            let name = Expr::name(format!("{prefix}{}", name.trim_start_matches('\\')));
            match cx.field(clause, "alias") {
                Some(alias) => Expr::Say("{0} as {1}", vec![name, alias]),
                None => name,
            }
        })
        .collect()
}

fn use_traits(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut names = Vec::new();
    let mut rules = Vec::new();
    for part in cx.parts(node) {
        if part.kind() != "use_list" {
            names.push(cx.expr(part));
            continue;
        }
        for clause in cx.parts(part) {
            let parts: Vec<Expr> = cx
                .parts(clause)
                .into_iter()
                .map(|part| match part.kind() {
                    "visibility_modifier" => Expr::name(cx.text(part)),
                    _ => cx.expr(part),
                })
                .collect();
            rules.push(if clause.kind() == "use_as_clause" {
                Stmt::Say("take over {0} as {1*}", parts)
            } else {
                Stmt::Say("take {0} and not that of {1}", parts)
            });
        }
    }
    out.push(if rules.is_empty() {
        Stmt::Say("include the trait {*}", names)
    } else {
        Stmt::Under("include the trait {*}:", names, rules)
    });
}

fn property(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let fixed = cx.parts(node).iter().any(|part| part.kind() == "static_modifier");
    let mut hooks = Vec::new();
    for list in cx.parts(node).into_iter().filter(|part| part.kind() == "property_hook_list") {
        for hook in cx.parts(list) {
            let name = cx
                .parts(hook)
                .into_iter()
                .find(|part| part.kind() == "name")
                .map_or("", |name| cx.text(name));
            let body = match hook.child_by_field_name("body") {
                Some(body) if body.kind() == "compound_statement" => cx.body(body),
                Some(value) if name == "get" => vec![Stmt::Return(Some(cx.expr(value)))],
                Some(value) => vec![Stmt::Say("set the property to {0}", vec![cx.expr(value)])],
                None => Vec::new(),
            };
            let template = if name == "get" { "when it is read:" } else { "when it is set:" };
            hooks.push(Stmt::Under(template, Vec::new(), body));
        }
    }
    for part in cx.parts(node).into_iter().filter(|part| part.kind() == "property_element") {
        let mut parts = vec![cx.need(part, "name")];
        parts.extend(cx.field(part, "default_value"));
        let hooks = std::mem::take(&mut hooks);
        out.push(match (fixed, parts.len(), hooks.is_empty()) {
            (false, 1, true) => Stmt::Say("declare property {0}", parts),
            (false, _, true) => Stmt::Say("declare property {0}, set to {1}", parts),
            (true, 1, true) => Stmt::Say("declare static property {0}", parts),
            (true, _, true) => Stmt::Say("declare static property {0}, set to {1}", parts),
            (_, 1, false) => Stmt::Under("declare property {0}:", parts, hooks),
            (_, _, false) => Stmt::Under("declare property {0}, set to {1}:", parts, hooks),
        });
    }
}

fn assignment(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let Some(left) = node.child_by_field_name("left") else { return };
    // $xs[] = $x
    if left.kind() == "subscript_expression" && cx.parts(left).len() == 1 {
        let parts = vec![cx.need(node, "right"), cx.first(left).unwrap_or(Expr::name("_"))];
        out.push(Stmt::Say("append {0} to {o1}", parts));
        return;
    }
    let mut targets = vec![target(cx, left)];
    let Some(mut right) = node.child_by_field_name("right") else { return };
    // $a = $b = 0: the right side is an assignment again.
    while right.kind() == "assignment_expression" {
        match (right.child_by_field_name("left"), right.child_by_field_name("right")) {
            (Some(left), Some(inner)) => {
                targets.push(target(cx, left));
                right = inner;
            }
            _ => break,
        }
    }
    let value = match (targets.as_slice(), cx.expr(right)) {
        // [$a, $b] = [$b, $a]: at once, as a tuple.
        ([Expr::Items(Collection::Tuple, _)], Expr::Items(Collection::Array, values)) => {
            Expr::Items(Collection::Tuple, values)
        }
        (_, value) => value,
    };
    if let [Expr::Items(Collection::Dictionary, entries)] = targets.as_slice() {
        let mut parts = vec![value];
        parts.extend(entries.iter().map(|entry| match entry {
            Expr::Entry(key, name) => {
                Expr::Say("{0} as {1}", vec![(**key).clone(), (**name).clone()])
            }
            other => other.clone(),
        }));
        out.push(Stmt::Say("take {1*} from {o0}", parts));
        return;
    }
    out.push(Stmt::Assign { targets, value });
}

/// A target of an assignment: an array there is a list of targets.
fn target(cx: &mut Lowering, node: Node) -> Expr {
    match cx.expr(node) {
        Expr::Items(Collection::Array | Collection::Tuple, items) => {
            if items.iter().any(|item| matches!(item, Expr::Entry(..))) {
                Expr::Items(Collection::Dictionary, items)
            } else {
                Expr::Items(Collection::Tuple, items)
            }
        }
        other => other,
    }
}

/// `else if` nests in the grammar; here it is a loop, whatever the length of the row.
fn if_statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut branches = Vec::new();
    let mut otherwise = None;
    let mut at = node;
    'row: loop {
        branches.push(Branch {
            before: Vec::new(),
            condition: cx.need(at, "condition"),
            body: cx.body_field(at, "body"),
        });
        for part in cx.fields(at, "alternative") {
            if part.kind() == "else_if_clause" {
                branches.push(Branch {
                    before: Vec::new(),
                    condition: cx.need(part, "condition"),
                    body: cx.body_field(part, "body"),
                });
                continue;
            }
            match part.child_by_field_name("body") {
                Some(inner) if inner.kind() == "if_statement" => {
                    at = inner;
                    continue 'row;
                }
                Some(inner) => otherwise = Some(cx.body(inner)),
                None => {}
            }
        }
        break;
    }
    out.push(Stmt::If { branches, otherwise });
}

const CHANGES: &[&str] =
    &["assignment_expression", "augmented_assignment_expression", "update_expression"];

fn for_statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let init = node.child_by_field_name("initialize");
    let condition = node.child_by_field_name("condition");
    let update = node.child_by_field_name("update");
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

fn counting(cx: &mut Lowering, init: Node, condition: Node, update: Node) -> Option<CountLoop> {
    if condition.kind() != "binary_expression" || init.kind() != "assignment_expression" {
        return None;
    }
    let name = cx.field_text(init, "left");
    let from = init.child_by_field_name("right")?;
    let step = cx.counting_step(name, update)?;
    cx.count_loop(name, from, condition, step)
}

fn foreach(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let body_id = node.child_by_field_name("body").map(|body| body.id());
    let parts: Vec<Node> =
        cx.parts(node).into_iter().filter(|part| Some(part.id()) != body_id).collect();
    let body = cx.loop_body(node);
    let (Some(over), Some(item)) = (parts.first(), parts.get(1)) else { return };
    let over = cx.expr(*over);
    let item = target(cx, *item);
    out.push(match item {
        Expr::Entry(key, value) => {
            let index = matches!(&*key, Expr::Name(name) if matches!(name.as_str(), "i" | "j" | "idx" | "index"));
            let template = if index {
                "for each index {o0} and element {o1} of {o2}:"
            } else {
                "for each key {o0} and value {o1} of {o2}:"
            };
            Stmt::Under(template, vec![*key, *value, over], body)
        }
        target => Stmt::ForEach { target, iterable: over, body },
    });
}

/// `match`: a choice without falling through, each case a value.
fn choice(cx: &mut Lowering, node: Node, subject: &Expr) -> Stmt {
    let truth = matches!(subject, Expr::Name(name) if name.eq_ignore_ascii_case("true"));
    let mut cases = Vec::new();
    for part in node.child_by_field_name("body").map(|body| cx.parts(body)).unwrap_or_default() {
        let values = part.child_by_field_name("conditional_expressions").map(|list| cx.exprs(list));
        let body = match part.child_by_field_name("return_expression") {
            Some(value) if value.kind() == "throw_expression" => cx.body(value),
            Some(value) => vec![Stmt::Say("the value is {0}", vec![cx.expr(value)])],
            None => Vec::new(),
        };
        cases.push(Case { values: values.unwrap_or_default(), guard: None, body });
    }
    if truth {
        return Stmt::Switch {
            heading: "take the first case that holds:",
            subject: Vec::new(),
            cases,
        };
    }
    Stmt::Switch { heading: "depending on {0}:", subject: vec![subject.clone()], cases }
}

fn try_statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let body = cx.body_field(node, "body");
    out.push(Stmt::Under("try:", Vec::new(), body));
    for part in cx.parts(node) {
        match part.kind() {
            "catch_clause" => {
                let kinds =
                    part.child_by_field_name("type").map(|list| cx.exprs(list)).unwrap_or_default();
                let mut parts = vec![Expr::Say("{|}", kinds)];
                parts.extend(cx.field(part, "name"));
                let body = cx.body_field(part, "body");
                out.push(if parts.len() > 1 {
                    Stmt::Under("if {0} is caught as {1}:", parts, body)
                } else {
                    Stmt::Under("if {0} is caught:", parts, body)
                });
            }
            "finally_clause" => {
                let body = cx.body_field(part, "body");
                out.push(Stmt::Under("in any case, finally:", Vec::new(), body));
            }
            _ => {}
        }
    }
}

/// The attributes of a definition.
fn attributes(cx: &mut Lowering, node: Node) -> Vec<Expr> {
    let Some(list) = node.child_by_field_name("attributes") else { return Vec::new() };
    let mut found = Vec::new();
    for group in cx.parts(list) {
        found.append(&mut cx.exprs(group));
    }
    found
}

fn function(cx: &mut Lowering, node: Node) -> Function {
    let has = |cx: &Lowering, kind: &str| cx.parts(node).iter().any(|part| part.kind() == kind);
    let name = cx.field_text(node, "name").to_owned();
    let method = node.kind() == "method_declaration";
    let kind = match method {
        false => "function",
        true if name == "__construct" => "constructor",
        true if has(cx, "static_modifier") => "static method",
        true if node.child_by_field_name("body").is_none() => "abstract method",
        true => "method",
    };
    let mut body = Vec::new();
    // A parameter of the constructor that is a property too.
    if let Some(list) = node.child_by_field_name("parameters") {
        let kept: Vec<Expr> = cx
            .parts(list)
            .into_iter()
            .filter(|part| part.kind() == "property_promotion_parameter")
            .map(|part| Expr::name(cx.field_text(part, "name").trim_start_matches(['&', '$'])))
            .collect();
        if !kept.is_empty() {
            body.push(Stmt::Say("keep {*} as properties", kept));
        }
    }
    body.append(&mut cx.inside(false, |cx| cx.body_field(node, "body")));
    Function {
        kind: kind.into(),
        name: if kind == "constructor" { String::new() } else { name },
        parameters: parameters(cx, node),
        decorators: attributes(cx, node),
        body,
    }
}

fn class(cx: &mut Lowering, node: Node) -> Class {
    let abstract_one = cx.parts(node).iter().any(|part| part.kind() == "abstract_modifier");
    let kind = match node.kind() {
        "interface_declaration" => "interface",
        "trait_declaration" => "trait",
        "enum_declaration" => "enumeration",
        _ if abstract_one => "abstract class",
        _ => "class",
    };
    let mut parents = Vec::new();
    for part in cx.parts(node) {
        if matches!(part.kind(), "base_clause" | "class_interface_clause") {
            parents.append(&mut cx.exprs(part));
        }
    }
    Class {
        kind,
        name: cx.field_text(node, "name").into(),
        parents,
        decorators: attributes(cx, node),
        body: cx.body_field(node, "body"),
    }
}
