//! Long rows of steps as groups: nobody follows a plan of thirty steps in one row.
//!
//! Where a block has more than [`MOST_STEPS`] steps of its own, runs of simple statements become
//! one step that says what they are for, with the statements as its sub-steps; so do rows of lone
//! conditions and long `else if` chains. The longest groups are made first, and no more of them
//! than needed. The order of the statements stays.

use code_syntax::Language;
use distill_core::Step;

use super::English;
use crate::idioms;
use crate::ir::{Collection, Expr, Stmt};
use crate::phrase::join;

/// Most steps side by side.
pub(super) const MOST_STEPS: usize = 10;
/// Most statements in one group, where a run can be split.
const MOST_GROUPED: usize = 7;
/// Most names in a heading.
const MOST_TITLE_NAMES: usize = 3;

/// Longest dotted name in a heading, in bytes.
const LONGEST_TITLE_NAME: usize = 24;

/// What a statement is to a group.
#[derive(Debug, Clone, PartialEq)]
enum Sort {
    /// Gives values to names, constants or not.
    Set {
        names: Vec<String>,
        constant: bool,
    },
    /// Changes what is there.
    Update(String),
    /// Calls something for what it does.
    Call(String),
    /// Makes something known: imports.
    Import,
    /// A condition without alternatives; whether it ends the function where it holds.
    Lone {
        ends: bool,
    },
    /// A condition with alternatives.
    Chain,
    Other,
}

/// The steps of one statement.
struct Unit {
    sort: Sort,
    steps: Vec<Step>,
    /// How many of them stand on the level of the block.
    direct: usize,
}

impl English {
    /// Groups the steps from `start` on, which are those of `ends[i-1]..ends[i]` for each statement,
    /// so that with `before` steps that stand above them no more than [`MOST_STEPS`] are left.
    pub(super) fn group(
        &mut self,
        start: usize,
        before: usize,
        statements: &[&Stmt],
        ends: &[usize],
    ) {
        let depth = self.depth;
        let direct = |steps: &[Step]| steps.iter().filter(|step| step.depth == depth).count();
        let mut count = before + direct(&self.steps[start..]);
        if count <= MOST_STEPS {
            return;
        }
        let mut units = Vec::with_capacity(statements.len());
        let mut steps = self.steps.split_off(start).into_iter();
        let mut from = start;
        for (statement, end) in statements.iter().zip(ends) {
            let steps: Vec<Step> = steps.by_ref().take(end - from).collect();
            from = *end;
            let direct = direct(&steps);
            let sort = match sort(self.language, statement) {
                // A statement with steps below it stands alone, unless it is a condition.
                Sort::Lone { ends } => Sort::Lone { ends },
                Sort::Chain => Sort::Chain,
                _ if steps.len() != 1 => Sort::Other,
                sort => sort,
            };
            units.push(Unit { sort, steps, direct });
        }
        let mut groups = candidates(&units);
        let saved = |group: &Group| -> usize {
            let within = |(from, to): &(usize, usize)| -> usize {
                units[*from..*to].iter().map(|unit| unit.direct).sum::<usize>() - 1
            };
            group.iter().map(within).sum()
        };
        groups.sort_by_key(|group| (std::cmp::Reverse(saved(group)), group[0]));
        let mut chosen = Vec::new();
        for group in groups {
            if count <= MOST_STEPS {
                break;
            }
            count -= saved(&group);
            chosen.extend(group);
        }
        chosen.sort_unstable();
        let mut chosen = chosen.into_iter().peekable();
        let mut inside = 0..0;
        for (index, unit) in (0..).zip(&units) {
            if chosen.peek().is_some_and(|(from, _)| *from == index)
                && let Some((from, to)) = chosen.next()
            {
                inside = from..to;
                self.step(title(&units[from..to]));
            }
            let deeper = usize::from(inside.contains(&index));
            let moved = unit
                .steps
                .iter()
                .map(|step| Step { depth: step.depth + deeper, text: step.text.clone() });
            self.steps.extend(moved);
        }
    }
}

/// A run of units that is made one step, or several where it is long: from where to where.
type Group = Vec<(usize, usize)>;

/// The runs of units that can become one step.
fn candidates(units: &[Unit]) -> Vec<Group> {
    let family = |unit: &Unit| match unit.sort {
        Sort::Set { .. } | Sort::Update(_) | Sort::Call(_) => 1,
        Sort::Import => 2,
        Sort::Lone { ends: true } => 3,
        Sort::Lone { ends: false } => 4,
        Sort::Chain => 5,
        Sort::Other => 0,
    };
    let mut found = Vec::new();
    let mut from = 0;
    while from < units.len() {
        let kind = family(&units[from]);
        let mut to = from + 1;
        // A chain is a group of its own.
        while kind != 5 && to < units.len() && family(&units[to]) == kind {
            to += 1;
        }
        let length = to - from;
        match kind {
            0 => {}
            5 if units[from].direct > 3 => found.push(vec![(from, to)]),
            5 => {}
            1 if length > MOST_GROUPED => {
                let pieces = length.div_ceil(MOST_GROUPED);
                let cut = |piece: usize| from + length * piece / pieces;
                found.push((0..pieces).map(|piece| (cut(piece), cut(piece + 1))).collect());
            }
            _ if length > 1 => found.push(vec![(from, to)]),
            _ => {}
        }
        from = to;
    }
    found
}

/// What the steps of a group are for, in the order in which that starts.
fn title(units: &[Unit]) -> String {
    let mut actions: Vec<(&str, Vec<String>)> = Vec::new();
    let mut add = |verb: &'static str, names: &[String]| {
        if !actions.iter().any(|(known, _)| *known == verb) {
            actions.push((verb, Vec::new()));
        }
        for (_, list) in actions.iter_mut().filter(|(known, _)| *known == verb) {
            for name in names {
                if !list.contains(name) {
                    list.push(name.clone());
                }
            }
        }
    };
    let mut constants = true;
    for unit in units {
        match &unit.sort {
            Sort::Set { names, constant } => {
                constants &= constant;
                add("compute", names);
            }
            Sort::Update(name) => add("update", std::slice::from_ref(name)),
            Sort::Call(name) => add("call", std::slice::from_ref(name)),
            Sort::Import => return "import what is needed:".into(),
            Sort::Lone { ends: true } => return "check these cases in order:".into(),
            Sort::Lone { ends: false } => return "do what applies of the following:".into(),
            Sort::Chain => return "do the first of these that applies:".into(),
            Sort::Other => {}
        }
    }
    let set: Vec<String> = actions
        .iter()
        .filter(|(verb, _)| *verb == "compute")
        .flat_map(|(_, names)| names.clone())
        .collect();
    let mut words = Vec::new();
    for (verb, mut names) in actions {
        if verb == "update" {
            names.retain(|name| !set.contains(name));
        }
        if names.is_empty() {
            continue;
        }
        let verb = if verb == "compute" && constants { "initialize" } else { verb };
        words.push(format!("{verb} {}", some(&names)));
    }
    match words.split_last() {
        Some((last, [])) => format!("{last}:"),
        Some((last, before)) => format!("{}, and {last}:", before.join(", ")),
        None => "do the following:".into(),
    }
}

/// The first few of some names.
fn some(names: &[String]) -> String {
    if names.len() <= MOST_TITLE_NAMES + 1 {
        return join(names, "and");
    }
    format!("{} and {} more", names[..MOST_TITLE_NAMES].join(", "), names.len() - MOST_TITLE_NAMES)
}

fn sort(language: Language, statement: &Stmt) -> Sort {
    match statement {
        Stmt::Assign { targets, value } => {
            let constant = is_constant(value);
            let mut names = Vec::new();
            for target in targets {
                match target {
                    Expr::Items(_, items) => names.extend(items.iter().filter_map(plain)),
                    target => match plain(target) {
                        Some(name) => names.push(name),
                        // An element of something: that is changed.
                        None => {
                            return root(target).map_or(Sort::Other, Sort::Update);
                        }
                    },
                }
            }
            if names.is_empty() { Sort::Other } else { Sort::Set { names, constant } }
        }
        Stmt::Augment { target, .. } => root(target).map_or(Sort::Other, Sort::Update),
        Stmt::Expr(Expr::Call(callee, arguments)) => {
            // xs.add(x) changes xs.
            match idioms::find(language, callee, arguments.len(), true) {
                Some((Some(receiver), _)) => match root(receiver) {
                    Some(name) => Sort::Update(name),
                    None => call(callee),
                },
                _ => call(callee),
            }
        }
        Stmt::Expr(Expr::Await(inner)) => match &**inner {
            Expr::Call(callee, _) => call(callee),
            _ => Sort::Other,
        },
        Stmt::Expr(name @ (Expr::Name(_) | Expr::Attribute(..))) => {
            name.path().map_or(Sort::Other, Sort::Call)
        }
        Stmt::Say(template, parts) if template.starts_with("declare ") => {
            let named = match *template {
                "declare {1*} as {0}" => &parts[1.min(parts.len())..],
                "declare {*}" => parts.as_slice(),
                _ => &parts[..1.min(parts.len())],
            };
            let names: Vec<String> = named.iter().filter_map(plain).collect();
            if names.is_empty() { Sort::Other } else { Sort::Set { names, constant: true } }
        }
        Stmt::Say(template, parts) if template.starts_with("set {0}") => {
            let name = parts.first().and_then(plain);
            name.map_or(Sort::Other, |name| Sort::Set { names: vec![name], constant: false })
        }
        Stmt::Say(template, parts) if template.starts_with("take {1*}") => {
            let names: Vec<String> = parts.iter().skip(1).filter_map(plain).collect();
            if names.is_empty() { Sort::Other } else { Sort::Set { names, constant: false } }
        }
        Stmt::Say(template, parts) if template.starts_with("append ") => {
            let changed =
                if *template == "append {0} to {o1}" { parts.get(1) } else { parts.first() };
            changed.and_then(root).map_or(Sort::Other, Sort::Update)
        }
        Stmt::Say(template, parts)
            if template.starts_with("insert ") || template.starts_with("remove ") =>
        {
            parts.first().and_then(root).map_or(Sort::Other, Sort::Update)
        }
        Stmt::Say(template, _) if template.starts_with("import ") => Sort::Import,
        Stmt::If { branches, otherwise: None } if branches.len() == 1 => {
            let ends =
                matches!(branches[0].body.last(), Some(Stmt::Return(_) | Stmt::Raise { .. }));
            Sort::Lone { ends }
        }
        Stmt::If { .. } => Sort::Chain,
        _ => Sort::Other,
    }
}

/// The name of what is called; without the object that it belongs to where that is long.
fn call(callee: &Expr) -> Sort {
    match callee {
        Expr::Attribute(_, name) | Expr::Name(name) => {
            let path = callee.path().filter(|path| path.len() <= LONGEST_TITLE_NAME);
            Sort::Call(path.unwrap_or_else(|| name.clone()))
        }
        _ => Sort::Other,
    }
}

fn plain(target: &Expr) -> Option<String> {
    target.path().filter(|name| name != "_")
}

/// The name at the start of `a[i].b`.
fn root(target: &Expr) -> Option<String> {
    let mut at = target;
    loop {
        match at {
            Expr::Index(base, _) => at = base,
            Expr::Attribute(base, _) if at.path().is_none() => at = base,
            Expr::Slice { of: Some(base), .. } => at = base,
            _ => return at.path(),
        }
    }
}

fn is_constant(value: &Expr) -> bool {
    match value {
        Expr::Number(_) | Expr::Text { .. } => true,
        Expr::Negative(inner) => is_constant(inner),
        Expr::Name(name) => matches!(
            name.as_str(),
            "None" | "True" | "False" | "true" | "false" | "null" | "nil" | "undefined" | "NULL"
        ),
        Expr::Items(Collection::Tuple, items) => items.iter().all(is_constant),
        Expr::Items(_, items) => items.is_empty(),
        Expr::New { arguments, members: None, .. } => arguments.is_empty(),
        Expr::Say(template, _) => {
            template.starts_with("an empty ") || template.starts_with("a new ")
        }
        _ => false,
    }
}
