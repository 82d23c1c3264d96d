//! The rules of Python: which node of the grammar says what.

use code_syntax::Language;
use tree_sitter::Node;

use crate::ir::{
    Branch, Case, Class, Clause, Cmp, Collection, Expr, Function, Op, Parameter, Stmt, Takes,
    template_of,
};
use crate::lower::{Lowering, Rules, boxed, says_something};

pub(crate) static RULES: Rules = Rules { expression, statement };

fn expression(cx: &mut Lowering, node: Node) -> Option<Expr> {
    Some(match node.kind() {
        "identifier" | "true" | "false" | "none" | "dotted_name" | "relative_import"
        | "import_prefix" => Expr::name(cx.text(node)),
        "ellipsis" => Expr::name("..."),
        "integer" | "float" => Expr::Number(cx.text(node).to_owned()),
        "string" => string(cx, node),
        "concatenated_string" => concatenated(cx, node),
        "attribute" => {
            Expr::Attribute(boxed(cx.need(node, "object")), cx.field_text(node, "attribute").into())
        }
        "subscript" => subscript(cx, node),
        "slice" => slice(cx, None, node),
        "call" => call(cx, node),
        "keyword_argument" => {
            Expr::Named(cx.field_text(node, "name").into(), boxed(cx.need(node, "value")))
        }
        "list_splat"
        | "list_splat_pattern"
        | "parenthesized_list_splat"
        | "splat_pattern"
        | "splat_type" => match cx.first(node).unwrap_or_else(|| Expr::name("_")) {
            spread @ Expr::Spread(_) => spread,
            inner if cx.text(node).starts_with("**") => Expr::SpreadEntries(boxed(inner)),
            inner => Expr::Spread(boxed(inner)),
        },
        "dictionary_splat" | "dictionary_splat_pattern" => {
            Expr::SpreadEntries(boxed(cx.first(node)?))
        }
        "binary_operator" => cx.row(node, "binary_operator")?,
        "unary_operator" => {
            let operand = boxed(cx.need(node, "argument"));
            match cx.field_text(node, "operator") {
                "-" => Expr::Negative(operand),
                "~" => Expr::BitNot(operand),
                _ => *operand,
            }
        }
        "not_operator" => Expr::Not(boxed(cx.need(node, "argument"))),
        "boolean_operator" => cx.row(node, "boolean_operator")?,
        "comparison_operator" => comparison(cx, node)?,
        "conditional_expression" => {
            let mut parts = cx.exprs(node).into_iter();
            let (then, condition, otherwise) = (parts.next()?, parts.next()?, parts.next()?);
            Expr::Choice {
                condition: boxed(condition),
                then: boxed(then),
                otherwise: boxed(otherwise),
            }
        }
        "parenthesized_expression" => cx.first(node)?,
        "list" | "list_pattern" => Expr::Items(Collection::List, cx.exprs(node)),
        "tuple_pattern" if !cx.has_token(node, ",") => match cx.first(node) {
            Some(only) => only,
            None => Expr::Items(Collection::Tuple, Vec::new()),
        },
        "tuple" | "tuple_pattern" | "expression_list" | "pattern_list" => {
            Expr::Items(Collection::Tuple, cx.exprs(node))
        }
        "set" => Expr::Items(Collection::Set, cx.exprs(node)),
        "dictionary" => Expr::Items(Collection::Dictionary, cx.exprs(node)),
        "pair" => Expr::Entry(boxed(cx.need(node, "key")), boxed(cx.need(node, "value"))),
        "list_comprehension" => comprehension(cx, node, Collection::List),
        "set_comprehension" => comprehension(cx, node, Collection::Set),
        "dictionary_comprehension" => comprehension(cx, node, Collection::Dictionary),
        "generator_expression" => comprehension(cx, node, Collection::Values),
        "lambda" => {
            let parameters = node
                .child_by_field_name("parameters")
                .map(|list| parameters(cx, list))
                .unwrap_or_default();
            Expr::Lambda { parameters, value: boxed(cx.need(node, "body")) }
        }
        "named_expression" => {
            Expr::Bind(boxed(cx.need(node, "name")), boxed(cx.need(node, "value")))
        }
        "await" => Expr::Await(boxed(cx.first(node)?)),
        "yield" => match (cx.first(node), cx.has_token(node, "from")) {
            (None, _) => Expr::Say("what is sent in at this yield", Vec::new()),
            (Some(value), true) => Expr::Say("the result of yielding each of {0}", vec![value]),
            (Some(value), false) => Expr::Say("what is sent in after yielding {0}", vec![value]),
        },
        "type" => cx.first(node)?,
        "generic_type" | "union_type" | "constrained_type" | "member_type" => {
            Expr::name(cx.text(node))
        }
        "as_pattern" => {
            let mut parts = cx.exprs(node).into_iter();
            Expr::Say("{0} as {o1}", vec![parts.next()?, parts.next()?])
        }
        "as_pattern_target" => cx.first(node)?,
        "case_pattern" => match signed(cx, node).into_iter().next() {
            Some(inner) => inner,
            None => Expr::name(cx.text(node)),
        },
        "union_pattern" => Expr::Say("{|}", signed(cx, node)),
        "class_pattern" => {
            let mut parts = cx.exprs(node);
            if parts.len() < 2 {
                Expr::Say("a {0}", parts)
            } else {
                let class = parts.remove(0);
                let mut all = vec![class];
                all.append(&mut parts);
                Expr::Say("a {0} with {1*}", all)
            }
        }
        "keyword_pattern" => {
            let mut parts = signed(cx, node).into_iter();
            let name = parts.next()?.path()?;
            Expr::Named(name, boxed(parts.next()?))
        }
        "dict_pattern" => {
            // Keys and values take turns; `**rest` stands alone.
            let mut entries = Vec::new();
            let mut parts = signed(cx, node).into_iter();
            while let Some(key) = parts.next() {
                entries.push(match (key, parts.len()) {
                    (rest @ Expr::SpreadEntries(_), _) => rest,
                    (key, 0) => key,
                    (key, _) => {
                        let value = parts.next().unwrap_or_else(|| Expr::name("_"));
                        Expr::Entry(boxed(key), boxed(value))
                    }
                });
            }
            Expr::Items(Collection::Dictionary, entries)
        }
        "complex_pattern" => Expr::Number(cx.text(node).split_whitespace().collect()),
        "format_expression" => cx.field(node, "expression")?,
        "interpolation" => cx.field(node, "expression")?,
        "chevron" => Expr::Say("the stream {0}", vec![cx.first(node)?]),
        _ => return None,
    })
}

/// The parts of a pattern; the sign of a number is a token before it.
fn signed(cx: &mut Lowering, node: Node) -> Vec<Expr> {
    let mut cursor = node.walk();
    let mut negative = false;
    let mut found = Vec::new();
    for child in node.children(&mut cursor) {
        if child.kind() == "-" {
            negative = true;
        } else if child.is_named() && says_something(Language::Python, child) {
            let value = cx.expr(child);
            found.push(if negative { Expr::Negative(boxed(value)) } else { value });
            negative = false;
        }
    }
    found
}

/// The contents of a text literal, and the values in it.
fn string_parts(cx: &mut Lowering, node: Node, content: &mut String, values: &mut Vec<Expr>) {
    for part in cx.parts(node) {
        match part.kind() {
            "string_content" => *content += cx.text(part),
            "interpolation" => {
                content.push('{');
                *content += cx.field_text(part, "type_conversion");
                *content += cx.field_text(part, "format_specifier");
                content.push('}');
                values.extend(cx.field(part, "expression"));
            }
            _ => {}
        }
    }
}

fn string_style(cx: &Lowering, node: Node) -> (&'static str, char) {
    let start = node.child(0).map_or("", |start| cx.text(start));
    let prefix = start.trim_end_matches(['\'', '"']).to_ascii_lowercase();
    let prefix = match (prefix.contains('b'), prefix.contains('r')) {
        (true, true) => "rb",
        (true, false) => "b",
        (false, true) => "r",
        (false, false) => "",
    };
    (prefix, start.chars().next_back().unwrap_or('\''))
}

fn string(cx: &mut Lowering, node: Node) -> Expr {
    let (prefix, quote) = string_style(cx, node);
    let mut content = String::new();
    let mut values = Vec::new();
    string_parts(cx, node, &mut content, &mut values);
    template_of(prefix, quote, content, values)
}

/// Neighbouring literals are one.
fn concatenated(cx: &mut Lowering, node: Node) -> Expr {
    let mut content = String::new();
    let mut values = Vec::new();
    let mut style = None;
    for part in cx.parts(node) {
        style.get_or_insert_with(|| string_style(cx, part));
        string_parts(cx, part, &mut content, &mut values);
    }
    let (prefix, quote) = style.unwrap_or(("", '\''));
    template_of(prefix, quote, content, values)
}

fn subscript(cx: &mut Lowering, node: Node) -> Expr {
    let base = cx.need(node, "value");
    let places = cx.fields(node, "subscript");
    match places.as_slice() {
        [only] if only.kind() == "slice" => slice(cx, Some(base), *only),
        [only] => Expr::Index(boxed(base), boxed(cx.expr(*only))),
        several => {
            let places = several.iter().map(|place| cx.expr(*place)).collect();
            Expr::Index(boxed(base), boxed(Expr::Items(Collection::Tuple, places)))
        }
    }
}

fn slice(cx: &mut Lowering, of: Option<Expr>, node: Node) -> Expr {
    // The colons tell which side an expression stands on.
    let mut sides = [None, None, None];
    let mut side = 0;
    let mut cursor = node.walk();
    let children: Vec<Node> = node.children(&mut cursor).collect();
    for child in children {
        match child.kind() {
            ":" => side = (side + 1).min(2),
            "comment" => {}
            _ => sides[side] = Some(boxed(cx.expr(child))),
        }
    }
    let [from, to, step] = sides;
    Expr::Slice { of: of.map(boxed), from, to, step }
}

fn call(cx: &mut Lowering, node: Node) -> Expr {
    let callee = cx.need(node, "function");
    let arguments = match node.child_by_field_name("arguments") {
        Some(list) if list.kind() == "generator_expression" => vec![cx.expr(list)],
        Some(list) => cx.exprs(list),
        None => Vec::new(),
    };
    Expr::Call(boxed(callee), arguments)
}

fn comparison(cx: &mut Lowering, node: Node) -> Option<Expr> {
    let mut cursor = node.walk();
    let signs: Vec<Cmp> = node
        .children_by_field_name("operators", &mut cursor)
        .filter_map(|sign| {
            Cmp::from_sign(&cx.text(sign).split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect();
    let mut items = cx.exprs(node).into_iter();
    let first = boxed(items.next()?);
    Some(Expr::Compare(first, signs.into_iter().zip(items).collect()))
}

fn comprehension(cx: &mut Lowering, node: Node, kind: Collection) -> Expr {
    let element = boxed(cx.need(node, "body"));
    let mut clauses = Vec::new();
    for part in cx.parts(node) {
        match part.kind() {
            "for_in_clause" => {
                let target = cx.need(part, "left");
                let mut right: Vec<Expr> =
                    cx.fields(part, "right").into_iter().map(|node| cx.expr(node)).collect();
                let iterable = match right.len() {
                    1 => right.remove(0),
                    _ => Expr::Items(Collection::Tuple, right),
                };
                clauses.push(Clause::For { target, iterable });
            }
            "if_clause" => clauses.extend(cx.first(part).map(Clause::If)),
            _ => {}
        }
    }
    Expr::Comprehension { kind, element, clauses }
}

fn parameters(cx: &mut Lowering, list: Node) -> Vec<Parameter> {
    let mut found = Vec::new();
    for part in cx.parts(list) {
        let (target, default) = match part.kind() {
            "default_parameter" | "typed_default_parameter" => {
                (part.child_by_field_name("name"), cx.field(part, "value"))
            }
            "typed_parameter" => (part.named_child(0), None),
            // `/` and a bare `*` only bar ways of calling.
            "keyword_separator" | "positional_separator" => continue,
            _ => (Some(part), None),
        };
        let Some(target) = target else { continue };
        let takes = match target.kind() {
            "list_splat_pattern" => Takes::Rest,
            "dictionary_splat_pattern" => Takes::RestByName,
            _ => Takes::One,
        };
        let name = cx.text(target).trim_start_matches('*').trim().to_owned();
        found.push(Parameter { name, takes, default });
    }
    found
}

fn statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) -> bool {
    match node.kind() {
        "module" => out.push(Stmt::Block(suite(cx, node))),
        "block" => out.push(Stmt::Block(cx.block(node))),
        "expression_statement" => match cx.parts(node).as_slice() {
            // A lone text does nothing: it documents.
            [only] if matches!(only.kind(), "string" | "concatenated_string" | "ellipsis") => {}
            [only] => cx.stmt(*only, out),
            _ => {
                let items = cx.exprs(node);
                out.push(Stmt::Expr(Expr::Items(Collection::Tuple, items)));
            }
        },
        "assignment" => assignment(cx, node, out),
        "augmented_assignment" => {
            let sign = cx.field_text(node, "operator");
            let Some(op) = Op::from_sign(sign) else { return false };
            let (target, value) = (cx.need(node, "left"), cx.need(node, "right"));
            out.push(Stmt::Augment { target, op, value });
        }
        "return_statement" => {
            let value = cx.first(node);
            out.push(Stmt::Return(value));
        }
        "yield" => {
            let value = cx.first(node);
            match value {
                Some(value) if cx.has_token(node, "from") => {
                    out.push(Stmt::Say("yield each of {0}", vec![value]));
                }
                value => out.push(Stmt::Yield(value)),
            }
        }
        "if_statement" => if_statement(cx, node, out),
        "for_statement" => {
            let target = cx.need(node, "left");
            let iterable = cx.need(node, "right");
            let body = cx.body_field(node, "body");
            out.push(Stmt::ForEach { target, iterable, body });
            loop_else(cx, node, out);
        }
        "while_statement" => {
            let condition = cx.need(node, "condition");
            let body = cx.body_field(node, "body");
            let endless = matches!(&condition, Expr::Name(name) if name == "True")
                || condition.integer() == Some(1);
            out.push(if endless {
                Stmt::Under("repeat forever:", Vec::new(), body)
            } else {
                Stmt::Under("while {c0}:", vec![condition], body)
            });
            loop_else(cx, node, out);
        }
        "break_statement" => out.push(Stmt::Say("leave the loop", Vec::new())),
        "continue_statement" => out.push(Stmt::Say("go on with the next iteration", Vec::new())),
        "pass_statement" => out.push(Stmt::Say("do nothing", Vec::new())),
        "raise_statement" => {
            let cause = cx.field(node, "cause");
            let error = cx
                .parts(node)
                .first()
                .filter(|first| {
                    Some(first.id()) != node.child_by_field_name("cause").map(|c| c.id())
                })
                .map(|first| cx.expr(*first));
            out.push(Stmt::Raise { error, cause });
        }
        "assert_statement" => match cx.exprs(node) {
            parts if parts.len() > 1 => {
                out.push(Stmt::Say("assert that {c0}, with message {1}", parts));
            }
            parts => out.push(Stmt::Say("assert that {c0}", parts)),
        },
        "delete_statement" => {
            let parts = match cx.exprs(node).pop() {
                Some(Expr::Items(Collection::Tuple, items)) => items,
                Some(one) => vec![one],
                None => Vec::new(),
            };
            out.push(Stmt::Say("delete {*}", parts));
        }
        "global_statement" => {
            let parts = cx.exprs(node);
            out.push(Stmt::Say("use the global {*}", parts));
        }
        "nonlocal_statement" => {
            let parts = cx.exprs(node);
            out.push(Stmt::Say("use {*} of the enclosing function", parts));
        }
        "import_statement" => {
            for name in cx.fields(node, "name") {
                let part = import_name(cx, name);
                out.push(Stmt::Say("import {*}", vec![part]));
            }
        }
        "import_from_statement" | "future_import_statement" => import_from(cx, node, out),
        "try_statement" => try_statement(cx, node, out),
        "with_statement" => with_statement(cx, node, out),
        "function_definition" => {
            let function = function(cx, node, Vec::new());
            out.push(Stmt::Function(function));
        }
        "class_definition" => {
            let class = class(cx, node, Vec::new());
            out.push(Stmt::Class(class));
        }
        "decorated_definition" => {
            let mut decorators = Vec::new();
            for part in cx.parts(node) {
                match part.kind() {
                    "decorator" => decorators.extend(cx.first(part)),
                    "class_definition" => {
                        let class = class(cx, part, std::mem::take(&mut decorators));
                        out.push(Stmt::Class(class));
                    }
                    _ => {
                        let function = function(cx, part, std::mem::take(&mut decorators));
                        out.push(Stmt::Function(function));
                    }
                }
            }
        }
        "match_statement" => match_statement(cx, node, out),
        "type_alias_statement" => {
            let target = cx.need(node, "left");
            let value = cx.need(node, "right");
            out.push(Stmt::Say("let the type {0} stand for {1}", vec![target, value]));
        }
        "print_statement" => {
            let parts = cx.exprs(node);
            out.push(Stmt::Say("print {*}", parts));
        }
        "exec_statement" => {
            let parts = cx.exprs(node);
            out.push(Stmt::Say("execute {*}", parts));
        }
        _ => return false,
    }
    true
}

/// The statements of a module or body.
fn suite(cx: &mut Lowering, node: Node) -> Vec<Stmt> {
    cx.block(node)
}

fn assignment(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut targets = vec![cx.need(node, "left")];
    let Some(mut right) = node.child_by_field_name("right") else {
        let kind = cx.field_text(node, "type");
        targets.push(Expr::name(kind));
        out.push(Stmt::Say("declare {0} as {1}", targets));
        return;
    };
    // a = b = 0: the right side is an assignment again.
    while right.kind() == "assignment" {
        targets.push(cx.need(right, "left"));
        match right.child_by_field_name("right") {
            Some(inner) => right = inner,
            None => break,
        }
    }
    let value = cx.expr(right);
    out.push(Stmt::Assign { targets, value });
}

fn if_statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut branches = vec![Branch {
        before: Vec::new(),
        condition: cx.need(node, "condition"),
        body: cx.body_field(node, "consequence"),
    }];
    let mut otherwise = None;
    for part in cx.fields(node, "alternative") {
        if part.kind() == "elif_clause" {
            branches.push(Branch {
                before: Vec::new(),
                condition: cx.need(part, "condition"),
                body: cx.body_field(part, "consequence"),
            });
        } else {
            otherwise = Some(cx.body_field(part, "body"));
        }
    }
    out.push(Stmt::If { branches, otherwise });
}

fn loop_else(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    if let Some(part) = node.child_by_field_name("alternative") {
        let body = cx.body_field(part, "body");
        out.push(Stmt::Under("if the loop was not left early:", Vec::new(), body));
    }
}

fn import_name(cx: &mut Lowering, node: Node) -> Expr {
    if node.kind() == "aliased_import" {
        let parts = vec![cx.need(node, "name"), cx.need(node, "alias")];
        return Expr::Say("{0} as {1}", parts);
    }
    cx.expr(node)
}

fn import_from(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let module = cx.field(node, "module_name").unwrap_or_else(|| Expr::name("__future__"));
    let mut names: Vec<Expr> = Vec::new();
    for name in cx.fields(node, "name") {
        names.push(import_name(cx, name));
    }
    if names.is_empty() {
        out.push(Stmt::Say("import everything from {0}", vec![module]));
    } else {
        names.insert(0, module);
        out.push(Stmt::Say("import {1*} from {0}", names));
    }
}

fn try_statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let body = cx.body_field(node, "body");
    out.push(Stmt::Under("try:", Vec::new(), body));
    for part in cx.parts(node) {
        match part.kind() {
            "except_clause" | "except_group_clause" => except_clause(cx, part, out),
            "else_clause" => {
                let body = cx.body_field(part, "body");
                out.push(Stmt::Under("if nothing was raised:", Vec::new(), body));
            }
            "finally_clause" => {
                let body = cx.block(part);
                let body = flatten(body);
                out.push(Stmt::Under("in any case, finally:", Vec::new(), body));
            }
            _ => {}
        }
    }
}

fn flatten(body: Vec<Stmt>) -> Vec<Stmt> {
    let mut flat = Vec::new();
    for statement in body {
        match statement {
            Stmt::Block(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    flat
}

fn except_clause(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut body = Vec::new();
    let mut kinds: Vec<Expr> = Vec::new();
    let mut alias = None;
    for part in cx.parts(node) {
        match part.kind() {
            "block" => body = flatten(cx.body(part)),
            "as_pattern" => {
                let mut parts = cx.exprs(part).into_iter();
                kinds.extend(parts.next());
                alias = parts.next();
            }
            _ if node.child_by_field_name("alias").map(|alias| alias.id()) == Some(part.id()) => {
                alias = Some(cx.expr(part));
            }
            _ => kinds.push(cx.expr(part)),
        }
    }
    let kinds = match kinds.pop() {
        Some(Expr::Items(Collection::Tuple, several)) if kinds.is_empty() => several,
        Some(last) => {
            kinds.push(last);
            kinds
        }
        None => kinds,
    };
    if kinds.is_empty() {
        out.push(Stmt::Under("if anything is caught:", Vec::new(), body));
        return;
    }
    let kinds = Expr::Say("{|}", kinds);
    out.push(match alias {
        Some(alias) => Stmt::Under("if {0} is caught as {1}:", vec![kinds, alias], body),
        None => Stmt::Under("if {0} is caught:", vec![kinds], body),
    });
}

fn with_statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut resources = Vec::new();
    for clause in cx.parts(node) {
        if clause.kind() != "with_clause" {
            continue;
        }
        for item in cx.parts(clause) {
            let Some(value) = item.child_by_field_name("value") else { continue };
            if value.kind() == "as_pattern" {
                let mut parts = cx.exprs(value).into_iter();
                if let Some(value) = parts.next() {
                    resources.push((value, parts.next()));
                }
            } else {
                resources.push((cx.expr(value), None));
            }
        }
    }
    let body = cx.body_field(node, "body");
    out.push(Stmt::With { resources, body });
}

fn function(cx: &mut Lowering, node: Node, decorators: Vec<Expr>) -> Function {
    let mut kind = "function".to_owned();
    let mut kept = Vec::new();
    for decorator in decorators {
        match decorator.path().as_deref() {
            Some("staticmethod") => kind = "static method".into(),
            Some("classmethod") => kind = "class method".into(),
            Some("property") => kind = "property".into(),
            Some("abstractmethod" | "abc.abstractmethod") => kind = "abstract method".into(),
            _ => kept.push(decorator),
        }
    }
    let parameters =
        node.child_by_field_name("parameters").map(|list| parameters(cx, list)).unwrap_or_default();
    if kind == "function" && parameters.first().is_some_and(|first| first.name == "self") {
        kind = "method".into();
    }
    if cx.has_token(node, "async") {
        kind = format!("asynchronous {kind}");
    }
    Function {
        kind,
        name: cx.field_text(node, "name").into(),
        parameters,
        decorators: kept,
        body: cx.body_field(node, "body"),
    }
}

fn class(cx: &mut Lowering, node: Node, decorators: Vec<Expr>) -> Class {
    let parents =
        node.child_by_field_name("superclasses").map(|list| cx.exprs(list)).unwrap_or_default();
    Class {
        kind: "class",
        name: cx.field_text(node, "name").into(),
        parents,
        decorators,
        body: cx.body_field(node, "body"),
    }
}

fn match_statement(cx: &mut Lowering, node: Node, out: &mut Vec<Stmt>) {
    let mut subject: Vec<Expr> =
        cx.fields(node, "subject").into_iter().map(|node| cx.expr(node)).collect();
    if subject.len() > 1 {
        subject = vec![Expr::Items(Collection::Tuple, subject)];
    }
    let mut cases = Vec::new();
    let Some(body) = node.child_by_field_name("body") else { return };
    for part in cx.parts(body) {
        if part.kind() != "case_clause" {
            continue;
        }
        let mut values = Vec::new();
        for pattern in cx.parts(part) {
            if pattern.kind() == "case_pattern" {
                match cx.expr(pattern) {
                    Expr::Say("{|}", several) => values.extend(several),
                    one => values.push(one),
                }
            }
        }
        let guard = part.child_by_field_name("guard").and_then(|guard| cx.first(guard));
        if guard.is_none() && matches!(values.as_slice(), [Expr::Name(any)] if any == "_") {
            values.clear();
        }
        let body = cx.body_field(part, "consequence");
        cases.push(Case { values, guard, body });
    }
    out.push(Stmt::Switch { heading: "depending on {0}:", subject, cases });
}
