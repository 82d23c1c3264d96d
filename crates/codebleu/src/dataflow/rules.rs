//! What each language's nodes mean for the dataflow: one table row a language.
//!
//! The rows restate which nodes the CodeBLEU programs look at, gaps included (the reference
//! variants need them).

use code_syntax::Language;

/// What a node does to the dataflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing of its own: its children are walked in order.
    Other,
    /// A declaration: a name and perhaps a value.
    Define,
    /// An assignment.
    Assign,
    /// `i++`.
    Increment,
    /// A condition.
    Branch,
    /// A loop whose parts after its initialiser are walked twice.
    For,
    /// A loop over the elements of something.
    ForEach,
    /// A loop whose children are all walked twice.
    While,
}

/// What a node means to the node above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Below a condition: walked from the state before the condition.
    pub(crate) branch: bool,
    /// Below a [`Role::For`]: what follows it is walked twice.
    pub(crate) initialiser: bool,
    /// Walked before its siblings, as it binds what they use (comprehension clauses).
    pub(crate) first: bool,
}

/// How a language's nodes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Python: tuples are taken apart, branches are clauses.
    Python,
    /// Ruby: tuples are taken apart, branches are nodes or keywords.
    Ruby,
    /// The others: everything right flows into everything left; after the first branch part all
    /// further ones start from the state before the condition.
    Braces,
}

/// How a declaration holds its name and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Declaration {
    /// In the fields `name` and `value`.
    NameValue,
    /// In the fields `name` and `default_value`.
    NameDefault,
    /// As its only two children.
    TwoChildren,
    /// As its second and third child.
    SecondAndThird,
}

/// How a for-each loop holds what it binds and what it runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForEachShape {
    /// In these two fields.
    Fields(&'static str, &'static str),
    /// As the second and the first of its own children of this kind.
    Children(&'static str),
}

/// One language's dataflow rules.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) style: Style,
    pub(crate) declaration: Declaration,
    define: &'static [&'static str],
    assign: &'static [&'static str],
    /// Assignments that the reference programs overlook.
    overlooked: &'static [&'static str],
    increment: &'static [&'static str],
    branch: &'static [&'static str],
    branch_parts: &'static [&'static str],
    loops: &'static [&'static str],
    initialiser: &'static [&'static str],
    for_each: &'static [&'static str],
    pub(crate) for_each_shape: ForEachShape,
    while_: &'static [&'static str],
    /// The state before a condition always lives on after it, even if there is an `else`.
    pub(crate) keeps_state_before_branch: bool,
}

const BRACES: Rules = Rules {
    style: Style::Braces,
    declaration: Declaration::NameValue,
    define: &["variable_declarator"],
    assign: &["assignment_expression"],
    overlooked: &[],
    increment: &["update_expression"],
    branch: &["if_statement", "else"],
    branch_parts: &["if_statement", "else"],
    loops: &["for_statement"],
    initialiser: &["local_variable_declaration"],
    for_each: &[],
    for_each_shape: ForEachShape::Fields("left", "right"),
    while_: &["while_statement"],
    keeps_state_before_branch: false,
};

static PYTHON: Rules = Rules {
    style: Style::Python,
    define: &["default_parameter"],
    assign: &["assignment", "augmented_assignment", "for_in_clause"],
    increment: &[],
    branch: &["if_statement"],
    branch_parts: &["elif_clause", "else_clause"],
    loops: &[],
    initialiser: &[],
    for_each: &["for_statement"],
    ..BRACES
};

static JAVA: Rules = Rules {
    for_each: &["enhanced_for_statement"],
    for_each_shape: ForEachShape::Fields("name", "value"),
    ..BRACES
};

static GO: Rules = Rules {
    define: &["var_spec"],
    assign: &["assignment_statement"],
    overlooked: &["short_var_declaration"],
    increment: &["inc_statement"],
    initialiser: &["for_clause"],
    while_: &[],
    keeps_state_before_branch: true,
    ..BRACES
};

static JAVASCRIPT: Rules = Rules {
    assign: &["assignment_pattern", "augmented_assignment_expression"],
    overlooked: &["assignment_expression"],
    initialiser: &["variable_declaration"],
    keeps_state_before_branch: true,
    ..BRACES
};

static PHP: Rules = Rules {
    declaration: Declaration::NameDefault,
    define: &["simple_parameter"],
    assign: &["assignment_expression", "augmented_assignment_expression"],
    branch: &["if_statement", "else_clause"],
    branch_parts: &["if_statement", "else_clause"],
    initialiser: &["assignment_expression"],
    for_each: &["foreach_statement"],
    for_each_shape: ForEachShape::Children("variable_name"),
    keeps_state_before_branch: true,
    ..BRACES
};

static RUBY: Rules = Rules {
    style: Style::Ruby,
    define: &["keyword_parameter"],
    assign: &["assignment", "operator_assignment"],
    increment: &[],
    branch: &["if", "elsif", "else", "unless", "when"],
    branch_parts: &["if", "elsif", "else", "unless", "when"],
    loops: &[],
    initialiser: &[],
    for_each: &["for"],
    for_each_shape: ForEachShape::Fields("pattern", "value"),
    while_: &["while_modifier", "until"],
    ..BRACES
};

/// C and C++ too: the reference program reads them with its rules for C#.
static C_SHARP: Rules = Rules {
    declaration: Declaration::TwoChildren,
    increment: &["postfix_unary_expression"],
    for_each: &["for_each_statement"],
    ..BRACES
};

static RUST: Rules = Rules {
    declaration: Declaration::SecondAndThird,
    define: &["function_item"],
    assign: &["assignment_expression", "compound_assignment_expr", "let_expression"],
    increment: &[],
    branch: &["if_expression", "if_let_expression", "match_expression", "else"],
    branch_parts: &["if_expression", "if_let_expression", "match_expression", "else"],
    loops: &["for_expression"],
    for_each: &["for_each_statement"],
    while_: &["while_expression", "while_let_expression", "loop_expression"],
    ..BRACES
};

pub(crate) fn of(language: Language) -> &'static Rules {
    match language {
        Language::Python => &PYTHON,
        Language::Java => &JAVA,
        Language::Go => &GO,
        Language::JavaScript | Language::TypeScript => &JAVASCRIPT,
        Language::Php => &PHP,
        Language::Ruby => &RUBY,
        Language::Rust => &RUST,
        _ => &C_SHARP,
    }
}

/// The role of a kind of node, by its name: the first list that has it. With `all`, assignments that
/// the reference programs overlook have theirs.
pub(crate) fn role(language: Language, kind: &str, all: bool) -> Role {
    let rules = of(language);
    let lists = [
        (rules.define, Role::Define),
        (rules.assign, Role::Assign),
        (if all { rules.overlooked } else { &[] }, Role::Assign),
        (rules.increment, Role::Increment),
        (rules.branch, Role::Branch),
        (rules.loops, Role::For),
        (rules.for_each, Role::ForEach),
        (rules.while_, Role::While),
    ];
    lists
        .into_iter()
        .find_map(|(kinds, role)| kinds.contains(&kind).then_some(role))
        .unwrap_or(Role::Other)
}

/// What a kind of node means to the node above it.
pub(crate) fn part(language: Language, kind: &str) -> Part {
    let rules = of(language);
    Part {
        branch: rules.branch_parts.contains(&kind),
        initialiser: rules.initialiser.contains(&kind),
        first: rules.style == Style::Python && kind == "for_in_clause",
    }
}
