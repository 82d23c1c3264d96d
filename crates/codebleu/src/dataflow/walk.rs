//! The walk over a tree that finds where values come from.
//!
//! It follows the recursive functions of the reference programs, which carry a *state* (for each
//! variable the tokens it may have its value from) through the tree, walk loops twice and merge the
//! states of branches. Here it runs on a stack of tasks, in one pass and without recursion, and a
//! loop inside a loop is not walked again from a state that it was walked from before: the
//! reference's cost doubles with every level of nesting.

use rustc_hash::FxHashMap;

use crate::CodebleuError;
use crate::ast::Ast;
use crate::dataflow::rules::{Declaration, ForEachShape, Role, Style};
use crate::dataflow::set_order::SetOrder;
use crate::dataflow::tokens::Tokens;
use crate::dataflow::{Reading, Relation};

/// More edges than this are refused: hostile code (a chain of a million assignments) has
/// quadratically many.
const MAX_EDGES: usize = 20_000_000;

/// A token, how it has its value, and from which variables: `sources` is a range of the arena.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edge {
    pub(crate) token: u32,
    pub(crate) relation: Relation,
    pub(crate) sources: (u32, u32),
}

/// Why a walk ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The reference program fails here, and then takes the whole text to have no dataflow.
    Failed,
    /// Too many edges.
    Error(CodebleuError),
}

/// For each word the number of the list of tokens it may have its value from; 0 for none.
type State = Vec<u32>;

/// Lists of tokens, sorted, as numbers: `token + 1` for the list of one token.
#[derive(Debug)]
struct Lists {
    tokens: u32,
    lists: Vec<Vec<u32>>,
    numbers: FxHashMap<Vec<u32>, u32>,
    /// Lists whose tokens are all marked as used.
    marked: Vec<bool>,
}

impl Lists {
    fn extend(&self, number: u32, into: &mut Vec<u32>) {
        match number {
            0 => {}
            number if number <= self.tokens => into.push(number - 1),
            number => into.extend(&self.lists[(number - self.tokens - 1) as usize]),
        }
    }

    fn number(&mut self, list: Vec<u32>) -> u32 {
        match list[..] {
            [] => 0,
            [token] => token + 1,
            _ => *self.numbers.entry(list).or_insert_with_key(|list| {
                self.lists.push(list.clone());
                self.marked.push(false);
                self.tokens + self.lists.len() as u32
            }),
        }
    }
}

enum Task {
    Visit(u32),
    /// Visits the siblings from a node on up to a place in the tree's array.
    Siblings {
        next: u32,
        after: u32,
    },
    /// All that the right node holds flows into each token of the left one, as one edge a token.
    Pair {
        left: u32,
        right: u32,
    },
    /// All that the right node holds flows into each token of the left one, as an edge each.
    Product {
        left: u32,
        right: u32,
        relation: Relation,
    },
    OpenBranch,
    /// Continues from the state before the condition.
    OpenPart,
    ClosePart,
    CloseBranch {
        keep_before: bool,
    },
    CloseLoop(Box<Loop>),
}

/// A loop that is being walked.
struct Loop {
    node: u32,
    /// Edges found before it.
    from: usize,
    /// The state before it, where it may be walked again.
    entered: Option<State>,
}

struct Branch {
    before: State,
    current: State,
    others: Vec<State>,
}

struct Remembered {
    entered: State,
    left: State,
    edges: Vec<Edge>,
}

pub(crate) struct Walk<'a> {
    ast: &'a Ast,
    tokens: &'a Tokens,
    words: &'a [&'a str],
    reading: Reading,
    order: &'a SetOrder,
    /// Whether there are nodes that are walked before their siblings.
    has_first: bool,
    state: State,
    lists: Lists,
    tasks: Vec<Task>,
    branches: Vec<Branch>,
    loops: usize,
    remembered: FxHashMap<u32, Vec<Remembered>>,
    /// Words put into tables so far.
    work: u64,
    /// By token and relation: where a loop's edges have it, while they are being merged.
    slots: Vec<u32>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) arena: Vec<u32>,
    /// Tokens that have a source or are one.
    pub(crate) used: Vec<bool>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(
        ast: &'a Ast,
        tokens: &'a Tokens,
        words: &'a [&'a str],
        reading: Reading,
        order: &'a SetOrder,
    ) -> Walk<'a> {
        Walk {
            ast,
            tokens,
            words,
            reading,
            order,
            has_first: ast.nodes.iter().any(|node| ast.grammar.kind(node.kind).part.first),
            state: vec![0; words.len()],
            lists: Lists {
                tokens: tokens.len() as u32,
                lists: Vec::new(),
                numbers: FxHashMap::default(),
                marked: Vec::new(),
            },
            tasks: vec![Task::Visit(0)],
            branches: Vec::new(),
            loops: 0,
            remembered: FxHashMap::default(),
            work: 0,
            slots: Vec::new(),
            edges: Vec::with_capacity(tokens.len()),
            // The list of one word is at the place of its number.
            arena: (0..words.len() as u32).collect(),
            used: vec![false; tokens.len()],
        }
    }

    pub(crate) fn run(&mut self) -> Result<(), Stop> {
        while let Some(task) = self.tasks.pop() {
            match task {
                Task::Visit(node) => self.visit(node)?,
                Task::Siblings { next, after } => self.siblings(next, after)?,
                Task::Pair { left, right } => self.pair(left, right)?,
                Task::Product { left, right, relation } => self.product(left, right, relation)?,
                Task::OpenBranch => self.branches.push(Branch {
                    before: self.state.clone(),
                    current: Vec::new(),
                    others: Vec::new(),
                }),
                Task::OpenPart => {
                    if let Some(branch) = self.branches.last_mut() {
                        branch.current = std::mem::replace(&mut self.state, branch.before.clone());
                    }
                }
                Task::ClosePart => {
                    if let Some(branch) = self.branches.last_mut() {
                        let current = std::mem::take(&mut branch.current);
                        branch.others.push(std::mem::replace(&mut self.state, current));
                    }
                }
                Task::CloseBranch { keep_before } => {
                    if let Some(branch) = self.branches.pop() {
                        self.merge(branch, keep_before);
                    }
                }
                Task::CloseLoop(closed) => self.close_loop(*closed)?,
            }
        }
        Ok(())
    }

    /// The value of a rule whose shape may not be there. The reference program then fails as a
    /// whole; a plain reading takes the node for one without a rule.
    fn need<T>(&mut self, value: Option<T>, node: u32) -> Result<Option<T>, Stop> {
        if value.is_none() {
            if !self.reading.lenient {
                return Err(Stop::Failed);
            }
            self.children_in_order(node);
        }
        Ok(value)
    }

    fn variables(&self, node: u32) -> Result<Vec<u32>, Stop> {
        match self.tokens.variables(self.ast, node) {
            None if !self.reading.lenient => Err(Stop::Failed),
            tokens => Ok(tokens.unwrap_or_default()),
        }
    }

    fn push(&mut self, token: u32, relation: Relation, sources: (u32, u32)) -> Result<(), Stop> {
        if self.edges.len() >= MAX_EDGES || self.arena.len() >= 4 * MAX_EDGES {
            return Err(Stop::Error(CodebleuError::TooMuchDataflow));
        }
        self.edges.push(Edge { token, relation, sources });
        Ok(())
    }

    fn define(&mut self, token: u32) {
        self.state[self.tokens.words[token as usize] as usize] = token + 1;
    }

    fn visit(&mut self, node: u32) -> Result<(), Stop> {
        let kind = self.ast.kind(node);
        if self.reading.skips(kind) {
            if !self.reading.skips_comments {
                self.children_in_order(node);
            }
            return Ok(());
        }
        if kind.is_whole || self.ast.is_leaf(node) {
            return self.token(node);
        }
        let (ast, fields) = (self.ast, self.ast.grammar.fields);
        let role = if self.reading.all_assignments { kind.full_role } else { kind.role };
        match role {
            Role::Other => self.children_in_order(node),
            Role::Define => {
                let mut children = ast.children(node);
                let (name, value) = match ast.grammar.rules.declaration {
                    Declaration::NameValue | Declaration::NameDefault => {
                        (ast.field(node, fields.name), ast.field(node, fields.value))
                    }
                    Declaration::TwoChildren => {
                        let two = children.clone().count() == 2;
                        (children.next(), children.next().filter(|_| two))
                    }
                    Declaration::SecondAndThird => (children.nth(1), children.next()),
                };
                let Some(name) = self.need(name, node)? else { return Ok(()) };
                match value {
                    Some(value) => {
                        let relation = Relation::ComesFrom;
                        self.tasks.push(Task::Product { left: name, right: value, relation });
                        self.tasks.push(Task::Visit(value));
                    }
                    None => {
                        for token in self.variables(name)? {
                            self.push(token, Relation::ComesFrom, (0, 0))?;
                            self.define(token);
                        }
                    }
                }
            }
            Role::Assign => self.assign(node)?,
            Role::Increment => {
                let (left, right) = (node, node);
                self.product(left, right, Relation::ComputedFrom)?;
            }
            Role::Branch => self.branch(node),
            Role::For | Role::ForEach | Role::While => self.enter_loop(node, role)?,
        }
        Ok(())
    }

    fn token(&mut self, node: u32) -> Result<(), Stop> {
        let Some(token) = self.tokens.at(self.ast, node) else {
            return match self.reading.lenient {
                false => Err(Stop::Failed),
                true => Ok(()),
            };
        };
        if self.tokens.is_fixed(token) {
            return Ok(());
        }
        let word = self.tokens.words[token as usize];
        match self.state[word as usize] {
            0 => {
                if self.ast.kind(node).is_identifier {
                    self.define(token);
                }
                self.push(token, Relation::ComesFrom, (0, 0))
            }
            list => {
                self.mark(token, list);
                self.push(token, Relation::ComesFrom, (word, 1))
            }
        }
    }

    /// Marks a token and those it has its value from as used.
    fn mark(&mut self, token: u32, list: u32) {
        self.used[token as usize] = true;
        match list.checked_sub(self.lists.tokens + 1) {
            None => self.used[(list - 1) as usize] = true,
            Some(pooled) => {
                let pooled = pooled as usize;
                if !std::mem::replace(&mut self.lists.marked[pooled], true) {
                    for &source in &self.lists.lists[pooled] {
                        self.used[source as usize] = true;
                    }
                }
            }
        }
    }

    /// Leaves at once, and the first node that is none with what it and its siblings leave to do.
    fn siblings(&mut self, mut next: u32, after: u32) -> Result<(), Stop> {
        while next < after {
            let node = next;
            next = self.ast.nodes[node as usize].after;
            if next > node + 1 && next < after {
                self.tasks.push(Task::Siblings { next, after });
                return self.visit(node);
            }
            self.visit(node)?;
        }
        Ok(())
    }

    fn children_in_order(&mut self, node: u32) {
        let first = |child: &u32| self.ast.kind(*child).part.first;
        let children = self.ast.children(node);
        if self.has_first && children.clone().any(|child| first(&child)) {
            let from = self.tasks.len();
            self.tasks.extend(children.clone().filter(first).map(Task::Visit));
            self.tasks.extend(children.filter(|child| !first(child)).map(Task::Visit));
            self.tasks[from..].reverse();
        } else if !self.ast.is_leaf(node) {
            let after = self.ast.nodes[node as usize].after;
            self.tasks.push(Task::Siblings { next: node + 1, after });
        }
    }

    /// What an assignment or loop binds, and what to: node by node where both sides have equally
    /// many parts.
    fn sides(&self, left: u32, right: u32) -> (Vec<u32>, Vec<u32>) {
        let parts = |node| -> Vec<u32> {
            self.ast.children(node).filter(|&child| !self.ast.kind(child).is_comma).collect()
        };
        let (lefts, rights) = (parts(left), parts(right));
        if lefts.len() != rights.len() || lefts.is_empty() {
            return (vec![left], vec![right]);
        }
        (lefts, rights)
    }

    fn assign(&mut self, node: u32) -> Result<(), Stop> {
        let (ast, fields) = (self.ast, self.ast.grammar.fields);
        let style = ast.grammar.rules.style;
        let name = ast.kind(node).name;
        if style == Style::Braces {
            let right = ast.field(node, fields.right);
            let Some(right) = self.need(right, node)? else { return Ok(()) };
            let Some(left) = self.need(ast.field(node, fields.left), node)? else { return Ok(()) };
            let relation = Relation::ComputedFrom;
            self.tasks.push(Task::Product { left, right, relation });
            self.tasks.push(Task::Visit(right));
            return Ok(());
        }
        let (left, right) = match (style, name) {
            (Style::Python, "for_in_clause") => {
                (ast.field(node, fields.left), ast.children(node).last())
            }
            _ => (ast.field(node, fields.left), ast.field(node, fields.right)),
        };
        if style == Style::Python && right.is_none() {
            return Ok(());
        }
        let Some(left) = self.need(left, node)? else { return Ok(()) };
        let Some(right) = self.need(right, node)? else { return Ok(()) };
        let (lefts, rights) = match name {
            "for_in_clause" => (vec![left], vec![right]),
            "operator_assignment" => {
                let mut children = ast.children(node);
                let first = children.next().unwrap_or(left);
                (vec![first], vec![children.last().unwrap_or(first)])
            }
            _ => self.sides(left, right),
        };
        self.bind(&lefts, &rights);
        Ok(())
    }

    /// Pushes: walk the right sides, then bind the left ones.
    fn bind(&mut self, lefts: &[u32], rights: &[u32]) {
        let pairs = lefts.iter().zip(rights).rev();
        self.tasks.extend(pairs.map(|(&left, &right)| Task::Pair { left, right }));
        self.tasks.extend(rights.iter().rev().map(|&right| Task::Visit(right)));
    }

    fn pair(&mut self, left: u32, right: u32) -> Result<(), Stop> {
        let (lefts, rights) = (self.variables(left)?, self.variables(right)?);
        let start = self.arena.len() as u32;
        if !lefts.is_empty() {
            self.arena.extend(rights.iter().map(|&token| self.tokens.words[token as usize]));
            for &token in &rights {
                self.used[token as usize] = true;
            }
        }
        for token in lefts {
            self.used[token as usize] |= !rights.is_empty();
            self.push(token, Relation::ComputedFrom, (start, rights.len() as u32))?;
            self.define(token);
        }
        Ok(())
    }

    fn product(&mut self, left: u32, right: u32, relation: Relation) -> Result<(), Stop> {
        let (lefts, rights) = (self.variables(left)?, self.variables(right)?);
        for &token in &lefts {
            self.used[token as usize] |= !rights.is_empty();
            for &source in &rights {
                self.push(token, relation, (self.tokens.words[source as usize], 1))?;
            }
            self.define(token);
        }
        if !lefts.is_empty() {
            for source in rights {
                self.used[source as usize] = true;
            }
        }
        Ok(())
    }

    fn branch(&mut self, node: u32) {
        let (ast, rules) = (self.ast, self.ast.grammar.rules);
        let mut has_else = ast.kind(node).names_else;
        let mut past_first = false;
        let from = self.tasks.len();
        self.tasks.push(Task::OpenBranch);
        for child in ast.children(node) {
            let kind = ast.kind(child);
            has_else |= kind.names_else;
            past_first |= kind.part.branch && rules.style == Style::Braces;
            if kind.part.branch || past_first {
                self.tasks.extend([Task::OpenPart, Task::Visit(child), Task::ClosePart]);
            } else {
                self.tasks.push(Task::Visit(child));
            }
        }
        let keep_before = !has_else || rules.keeps_state_before_branch;
        self.tasks.push(Task::CloseBranch { keep_before });
        self.tasks[from..].reverse();
    }

    /// The state after a condition: for each variable, all that any of its parts left.
    fn merge(&mut self, branch: Branch, keep_before: bool) {
        let mut list = Vec::new();
        for word in 0..self.state.len() {
            let own = self.state[word];
            let others = branch.others.iter().map(|state| state[word]);
            let others = others.chain(keep_before.then_some(branch.before[word]));
            if others.clone().all(|other| other == own) {
                continue;
            }
            list.clear();
            self.lists.extend(own, &mut list);
            let mut last = own;
            for other in others {
                if other != last {
                    self.lists.extend(other, &mut list);
                    last = other;
                }
            }
            list.sort_unstable();
            list.dedup();
            self.state[word] = self.lists.number(list.clone());
        }
    }

    fn enter_loop(&mut self, node: u32, role: Role) -> Result<(), Stop> {
        if self.loops > 0 {
            let known = self
                .remembered
                .get(&node)
                .and_then(|walks| walks.iter().find(|remembered| remembered.entered == self.state));
            if let Some(remembered) = known {
                if self.edges.len() + remembered.edges.len() > MAX_EDGES {
                    return Err(Stop::Error(CodebleuError::TooMuchDataflow));
                }
                self.edges.extend_from_slice(&remembered.edges);
                self.state.clone_from(&remembered.left);
                return Ok(());
            }
        }
        let tasks = self.tasks.len();
        let entered = (self.loops > 0).then(|| self.state.clone());
        let from = self.edges.len();
        self.tasks.push(Task::CloseLoop(Box::new(Loop { node, from, entered })));
        let whole = match role {
            Role::For => {
                self.for_twice(node);
                true
            }
            Role::While => {
                for _ in 0..2 {
                    let from = self.tasks.len();
                    self.tasks.extend(self.ast.children(node).map(Task::Visit));
                    self.tasks[from..].reverse();
                }
                true
            }
            _ => self.for_each_twice(node)?,
        };
        if whole {
            self.loops += 1;
        } else {
            self.tasks.truncate(tasks);
            self.children_in_order(node);
        }
        Ok(())
    }

    fn for_twice(&mut self, node: u32) {
        let ast = self.ast;
        let from = self.tasks.len();
        self.tasks.extend(ast.children(node).map(Task::Visit));
        let mut children = ast.children(node);
        if let Some(head) = children.find(|&child| ast.kind(child).part.initialiser) {
            self.tasks.extend(ast.field(head, ast.grammar.fields.update).map(Task::Visit));
            self.tasks.extend(children.map(Task::Visit));
        }
        self.tasks[from..].reverse();
    }

    /// Whether the loop has its parts; without them nothing is pushed that counts.
    fn for_each_twice(&mut self, node: u32) -> Result<bool, Stop> {
        let (ast, fields) = (self.ast, self.ast.grammar.fields);
        let (bound, source) = match ast.grammar.rules.for_each_shape {
            ForEachShape::Fields(..) => {
                (ast.field(node, fields.bound), ast.field(node, fields.source))
            }
            ForEachShape::Children(kind) => {
                let mut own = ast.children(node).filter(|&child| ast.kind(child).name == kind);
                let source = own.next();
                (own.next(), source)
            }
        };
        let style = ast.grammar.rules.style;
        let body = match style {
            Style::Python => ast.children(node).last().filter(|&last| ast.kind(last).is_block),
            _ => ast.field(node, fields.body),
        };
        let (Some(bound), Some(source)) = (bound, source) else { return self.no_parts() };
        if body.is_none() && style != Style::Python {
            return self.no_parts();
        }
        for _ in 0..2 {
            self.tasks.extend(body.map(Task::Visit));
            match style {
                Style::Python => {
                    let (lefts, rights) = self.sides(bound, source);
                    self.bind(&lefts, &rights);
                }
                Style::Ruby => self.bind(&[bound], &[source]),
                Style::Braces => {
                    let relation = Relation::ComputedFrom;
                    self.tasks.push(Task::Product { left: bound, right: source, relation });
                    self.tasks.push(Task::Visit(source));
                }
            }
        }
        Ok(true)
    }

    fn no_parts(&self) -> Result<bool, Stop> {
        match self.reading.lenient {
            false => Err(Stop::Failed),
            true => Ok(false),
        }
    }

    /// Merges what two walks through a loop found: an edge for each token and relation, in the
    /// order of first appearance.
    fn close_loop(&mut self, closed: Loop) -> Result<(), Stop> {
        const NONE: u32 = u32::MAX;
        let Loop { node, from, entered } = closed;
        self.slots.resize(2 * self.tokens.len(), NONE);
        let slot = |edge: &Edge| 2 * edge.token as usize + edge.relation as usize;
        let mut kept = from;
        // Sources that come on top of those of a kept edge, by its place.
        let mut more: Vec<(u32, (u32, u32))> = Vec::new();
        for index in from..self.edges.len() {
            let edge = self.edges[index];
            match self.slots[slot(&edge)] {
                NONE => {
                    self.slots[slot(&edge)] = kept as u32;
                    self.edges[kept] = edge;
                    kept += 1;
                }
                first => more.push((first, edge.sources)),
            }
        }
        self.edges.truncate(kept);
        for edge in &self.edges[from..] {
            self.slots[slot(edge)] = NONE;
        }
        more.sort_by_key(|&(edge, _)| edge);
        let mut lists = Vec::new();
        for same in more.chunk_by(|left, right| left.0 == right.0) {
            let edge = same[0].0 as usize;
            lists.clear();
            lists.push(self.edges[edge].sources);
            lists.extend(same.iter().map(|&(_, sources)| sources));
            self.edges[edge].sources = self.union(&lists)?;
        }
        self.loops -= 1;
        if let Some(entered) = entered {
            self.remembered.entry(node).or_default().push(Remembered {
                entered,
                left: self.state.clone(),
                edges: self.edges[from..].to_vec(),
            });
        }
        Ok(())
    }

    /// The edges of each token that has a source or is one, merged, in the order of the tokens.
    pub(crate) fn merged(&mut self) -> Result<Vec<Edge>, Stop> {
        let mut edges = std::mem::take(&mut self.edges);
        edges.retain(|edge| self.used[edge.token as usize]);
        edges.sort_by_key(|edge| edge.token);
        let mut merged: Vec<Edge> = Vec::with_capacity(edges.len());
        let mut lists = Vec::new();
        for same in edges.chunk_by(|left, right| left.token == right.token) {
            let mut edge = same[0];
            if same.len() > 1 {
                lists.clear();
                lists.extend(same.iter().map(|edge| edge.sources));
                edge.sources = self.union(&lists)?;
            }
            merged.push(edge);
        }
        Ok(merged)
    }

    /// The distinct words of lists of sources, in the order of this walk.
    fn union(&mut self, lists: &[(u32, u32)]) -> Result<(u32, u32), Stop> {
        let range = |(start, length): (u32, u32)| start as usize..(start + length) as usize;
        // Mostly there is one word, or none.
        let mut words = lists.iter().flat_map(|&list| &self.arena[range(list)]);
        let Some(&first) = words.next() else { return Ok((0, 0)) };
        if words.all(|&word| word == first) {
            return Ok((first, 1));
        }
        let lists = lists.iter().map(|&list| &self.arena[range(list)]);
        let merged = self.order.union(lists, self.words, &mut self.work);
        let Some(merged) = merged else {
            return Err(Stop::Error(CodebleuError::TooMuchDataflow));
        };
        let start = self.arena.len() as u32;
        self.arena.extend(merged);
        Ok((start, self.arena.len() as u32 - start))
    }
}
