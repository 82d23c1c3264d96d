//! The small common tree between the grammars and the English: what a program says, without how
//! its language spells it.
//!
//! Rare constructs need no variant of their own: [`Expr::Say`], [`Stmt::Say`] and [`Stmt::Under`]
//! carry a template (see [`crate::english`]) and the expressions that fill it.

/// Arithmetic and bitwise operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
    Pow,
    MatMul,
    Shl,
    Shr,
    UnsignedShr,
    BitAnd,
    BitOr,
    BitXor,
    AndNot,
    /// Of texts, where the language has a sign of its own for it.
    Concat,
}

impl Op {
    /// The operator written `sign`, in every language; a trailing `=` is passed over.
    pub(crate) fn from_sign(sign: &str) -> Option<Op> {
        Some(match sign.trim_end_matches('=') {
            "+" => Op::Add,
            "-" => Op::Sub,
            "*" => Op::Mul,
            "/" => Op::Div,
            "//" => Op::FloorDiv,
            "%" => Op::Mod,
            "**" => Op::Pow,
            "@" => Op::MatMul,
            "<<" => Op::Shl,
            ">>" => Op::Shr,
            ">>>" => Op::UnsignedShr,
            "&" => Op::BitAnd,
            "|" => Op::BitOr,
            "^" => Op::BitXor,
            "&^" => Op::AndNot,
            "." => Op::Concat,
            _ => return None,
        })
    }

    /// Operators of one class stand side by side without parentheses, read from the left.
    pub(crate) fn class(self) -> u8 {
        match self {
            Op::BitOr => 0,
            Op::BitXor => 1,
            Op::BitAnd | Op::AndNot => 2,
            Op::Shl | Op::Shr | Op::UnsignedShr => 3,
            Op::Add | Op::Sub => 4,
            Op::Mul | Op::Div | Op::FloorDiv | Op::Mod | Op::MatMul => 5,
            Op::Pow => 6,
            Op::Concat => 7,
        }
    }
}

/// Comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cmp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
    Is,
    IsNot,
}

impl Cmp {
    pub(crate) fn from_sign(sign: &str) -> Option<Cmp> {
        Some(match sign {
            "==" | "===" => Cmp::Eq,
            "!=" | "<>" | "!==" => Cmp::Ne,
            "<" => Cmp::Lt,
            "<=" => Cmp::Le,
            ">" => Cmp::Gt,
            ">=" => Cmp::Ge,
            "in" => Cmp::In,
            "not in" => Cmp::NotIn,
            "is" => Cmp::Is,
            "is not" => Cmp::IsNot,
            _ => return None,
        })
    }

    /// What holds exactly when this does not (for one comparison; NaN apart).
    pub(crate) fn negated(self) -> Cmp {
        match self {
            Cmp::Eq => Cmp::Ne,
            Cmp::Ne => Cmp::Eq,
            Cmp::Lt => Cmp::Ge,
            Cmp::Ge => Cmp::Lt,
            Cmp::Gt => Cmp::Le,
            Cmp::Le => Cmp::Gt,
            Cmp::In => Cmp::NotIn,
            Cmp::NotIn => Cmp::In,
            Cmp::Is => Cmp::IsNot,
            Cmp::IsNot => Cmp::Is,
        }
    }

    /// The same comparison with its sides exchanged, where there is one.
    pub(crate) fn mirrored(self) -> Option<Cmp> {
        Some(match self {
            Cmp::Lt => Cmp::Gt,
            Cmp::Le => Cmp::Ge,
            Cmp::Gt => Cmp::Lt,
            Cmp::Ge => Cmp::Le,
            Cmp::Eq | Cmp::Ne | Cmp::Is | Cmp::IsNot => self,
            Cmp::In | Cmp::NotIn => return None,
        })
    }
}

/// What a collection expression builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collection {
    List,
    Tuple,
    Set,
    Dictionary,
    /// A lazy sequence: a generator expression.
    Values,
    Array,
}

/// One `for … in …` or `if …` of a comprehension.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Clause {
    For { target: Expr, iterable: Expr },
    If(Expr),
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    /// A name or keyword constant, as in the code.
    Name(String),
    /// A number, as in the code.
    Number(String),
    /// A text: quote and prefix, contents.
    Text {
        prefix: &'static str,
        quote: char,
        content: String,
    },
    /// A template and what fills its `{}` or `%s`.
    Format {
        template: Box<Expr>,
        values: Vec<Expr>,
    },
    Attribute(Box<Expr>, String),
    Index(Box<Expr>, Box<Expr>),
    /// Part of a sequence; without `of` the range alone (one dimension of several).
    Slice {
        of: Option<Box<Expr>>,
        from: Option<Box<Expr>>,
        to: Option<Box<Expr>>,
        step: Option<Box<Expr>>,
    },
    Call(Box<Expr>, Vec<Expr>),
    /// A new object of a class; anonymous classes have members.
    New {
        class: String,
        arguments: Vec<Expr>,
        members: Option<Vec<Stmt>>,
    },
    /// `name=value` among arguments or in a literal.
    Named(String, Box<Expr>),
    /// `*xs`: the elements as arguments or items of their own.
    Spread(Box<Expr>),
    /// `**kw`.
    SpreadEntries(Box<Expr>),
    /// A left-associative row of operators of one class.
    Chain(Box<Expr>, Vec<(Op, Expr)>),
    Negative(Box<Expr>),
    BitNot(Box<Expr>),
    Compare(Box<Expr>, Vec<(Cmp, Expr)>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Choice {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
    Items(Collection, Vec<Expr>),
    Entry(Box<Expr>, Box<Expr>),
    Comprehension {
        kind: Collection,
        element: Box<Expr>,
        clauses: Vec<Clause>,
    },
    /// A function without a name that gives one value.
    Lambda {
        parameters: Vec<Parameter>,
        value: Box<Expr>,
    },
    /// A function without a name that has steps.
    Closure {
        parameters: Vec<Parameter>,
        body: Vec<Stmt>,
    },
    /// A value said by a template, whose making is told in steps below.
    Below {
        template: &'static str,
        parts: Vec<Expr>,
        body: Vec<Stmt>,
    },
    /// `name := value` inside an expression.
    Bind(Box<Expr>, Box<Expr>),
    Await(Box<Expr>),
    /// The value converted to a type.
    Convert(Box<Expr>, String),
    /// A template that gives a value, read like "the x of y".
    Say(&'static str, Vec<Expr>),
    /// A template that gives a condition, and its negation.
    Test {
        holds: &'static str,
        fails: &'static str,
        parts: Vec<Expr>,
    },
    /// A node kind without a rule: what it is made of.
    Unknown(Vec<Expr>),
    /// Too deeply nested to say: the names that occur in it.
    TooDeep(Vec<String>),
}

impl Expr {
    pub(crate) fn name(text: impl Into<String>) -> Expr {
        Expr::Name(text.into())
    }

    /// The dotted path that this is, if it is nothing but names: `os.path.join`.
    pub(crate) fn path(&self) -> Option<String> {
        let mut parts = Vec::new();
        let mut at = self;
        loop {
            match at {
                Expr::Attribute(base, name) => {
                    parts.push(name.as_str());
                    at = base;
                }
                Expr::Name(name) => {
                    parts.push(name);
                    parts.reverse();
                    return Some(parts.join("."));
                }
                _ => return None,
            }
        }
    }

    /// The number that this is, if it is a plain decimal integer.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Expr::Number(digits) => digits.parse().ok(),
            Expr::Negative(inner) => inner.integer().map(|value| -value),
            _ => None,
        }
    }

    /// The parts that are expressions, in order.
    pub(crate) fn children(&self) -> Vec<&Expr> {
        match self {
            Expr::Name(_) | Expr::Number(_) | Expr::Text { .. } | Expr::TooDeep(_) => Vec::new(),
            Expr::Attribute(a, _)
            | Expr::Named(_, a)
            | Expr::Spread(a)
            | Expr::SpreadEntries(a)
            | Expr::Negative(a)
            | Expr::BitNot(a)
            | Expr::Not(a)
            | Expr::Await(a)
            | Expr::Convert(a, _)
            | Expr::Lambda { value: a, .. } => vec![a],
            Expr::Index(a, b) | Expr::Entry(a, b) | Expr::Bind(a, b) => vec![a, b],
            Expr::Slice { of, from, to, step } => {
                [of, from, to, step].into_iter().flatten().map(|part| &**part).collect()
            }
            Expr::Format { template, values } => {
                std::iter::once(&**template).chain(values).collect()
            }
            Expr::Call(callee, arguments) => std::iter::once(&**callee).chain(arguments).collect(),
            Expr::Chain(first, rest) => {
                std::iter::once(&**first).chain(rest.iter().map(|(_, item)| item)).collect()
            }
            Expr::Compare(first, rest) => {
                std::iter::once(&**first).chain(rest.iter().map(|(_, item)| item)).collect()
            }
            Expr::Choice { condition, then, otherwise } => vec![then, condition, otherwise],
            Expr::Comprehension { element, clauses, .. } => {
                let mut parts = vec![&**element];
                for clause in clauses {
                    match clause {
                        Clause::For { target, iterable } => parts.extend([target, iterable]),
                        Clause::If(condition) => parts.push(condition),
                    }
                }
                parts
            }
            Expr::New { arguments: items, .. }
            | Expr::And(items)
            | Expr::Or(items)
            | Expr::Items(_, items)
            | Expr::Say(_, items)
            | Expr::Test { parts: items, .. }
            | Expr::Below { parts: items, .. }
            | Expr::Unknown(items) => items.iter().collect(),
            Expr::Closure { .. } => Vec::new(),
        }
    }
}

/// `value`, which is asked for only where `holder` is there. What its own base is asked for under
/// such a condition is said beside it.
pub(crate) fn if_set(mut value: Expr, holder: Expr) -> Expr {
    let base = match &mut value {
        Expr::Call(callee, _) => match &mut **callee {
            Expr::Attribute(base, _) => Some(base),
            _ => None,
        },
        Expr::Attribute(base, _) | Expr::Index(base, _) => Some(base),
        _ => None,
    };
    let mut holders = Vec::new();
    if let Some(base) = base
        && let Expr::Say(IF_SET | IF_ALL_SET, parts) = &mut **base
        && !parts.is_empty()
    {
        let mut parts = std::mem::take(parts);
        holders = parts.split_off(1);
        **base = parts.remove(0);
    }
    holders.push(holder);
    let template = if holders.len() > 1 { IF_ALL_SET } else { IF_SET };
    holders.insert(0, value);
    Expr::Say(template, holders)
}

/// A text, or where values stand in it a template and what fills it.
pub(crate) fn template_of(
    prefix: &'static str,
    quote: char,
    content: String,
    values: Vec<Expr>,
) -> Expr {
    let text = Expr::Text { prefix, quote, content };
    if values.is_empty() { text } else { Expr::Format { template: Box::new(text), values } }
}

/// The template of a value that is asked for only where what it belongs to is there: `a?.b`.
pub(crate) const IF_SET: &str = "{0} (if {1} is set)";
/// The same with several things that must be there: `a?.b?.c`.
pub(crate) const IF_ALL_SET: &str = "{0} (if {1*} are set)";
/// The template of a call whose outcome goes on into the steps of functions without a name.
pub(crate) const FOLLOWED: &str = "{0}, followed by the steps below";

/// How a parameter takes its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    One,
    /// All further positional arguments.
    Rest,
    /// All further keyword arguments.
    RestByName,
    /// The block that the call brings along (Ruby).
    Block,
}

/// A parameter of a function.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) takes: Takes,
    pub(crate) default: Option<Expr>,
}

/// A function with a name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Function {
    /// What it is called in English: `function`, `static method`, …
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) parameters: Vec<Parameter>,
    /// Names of decorators worth a word.
    pub(crate) decorators: Vec<Expr>,
    pub(crate) body: Vec<Stmt>,
}

/// A class, interface, record, …
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Class {
    /// `class`, `interface`, …
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) parents: Vec<Expr>,
    pub(crate) decorators: Vec<Expr>,
    pub(crate) body: Vec<Stmt>,
}

/// One case of a choice by value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Case {
    /// Empty for the default case.
    pub(crate) values: Vec<Expr>,
    pub(crate) guard: Option<Expr>,
    pub(crate) body: Vec<Stmt>,
}

/// One condition of an `if` with its steps; `before` runs first (Go).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Branch {
    pub(crate) before: Vec<Stmt>,
    pub(crate) condition: Expr,
    pub(crate) body: Vec<Stmt>,
}

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stmt {
    Function(Function),
    Class(Class),
    /// `targets` all get `value`; a tuple target is unpacked.
    Assign {
        targets: Vec<Expr>,
        value: Expr,
    },
    Augment {
        target: Expr,
        op: Op,
        value: Expr,
    },
    Expr(Expr),
    Return(Option<Expr>),
    Yield(Option<Expr>),
    /// Raise or throw.
    Raise {
        error: Option<Expr>,
        cause: Option<Expr>,
    },
    If {
        branches: Vec<Branch>,
        otherwise: Option<Vec<Stmt>>,
    },
    ForEach {
        target: Expr,
        iterable: Expr,
        body: Vec<Stmt>,
    },
    /// Counts `variable` from `from` in steps of `step` while it is below (above) `to`, or at it
    /// where `inclusive`.
    Count {
        variable: Expr,
        from: Expr,
        to: Expr,
        inclusive: bool,
        step: Expr,
        body: Vec<Stmt>,
    },
    /// Repeats `body` and then `after` while `condition` holds, or forever without one.
    Loop {
        condition: Option<Expr>,
        after: Vec<Stmt>,
        body: Vec<Stmt>,
    },
    /// Opens resources for the steps of `body`.
    With {
        resources: Vec<(Expr, Option<Expr>)>,
        body: Vec<Stmt>,
    },
    Switch {
        heading: &'static str,
        subject: Vec<Expr>,
        cases: Vec<Case>,
    },
    /// A step from a template.
    Say(&'static str, Vec<Expr>),
    /// A heading from a template, and the steps below it.
    Under(&'static str, Vec<Expr>, Vec<Stmt>),
    /// A call to be made at another time: the words for when, and the call.
    Later(&'static str, Box<Expr>),
    /// Steps without a heading.
    Block(Vec<Stmt>),
}
