//! The exact distance with unit costs: Zhang and Shasha's recurrence, arranged for speed.
//!
//! Three things make it several times faster than the textbook form; none changes a result.
//!
//! * **Equal subtrees are solved once.** The distance of two subtrees depends on their shape and
//!   labels only, and syntax trees repeat themselves: rows of the table of subtree distances stand
//!   for *classes* of equal subtrees of the first tree, and of equal keyroots (nodes with a left
//!   sibling) in either tree only the first is worked through. Leaves need no work at all: a
//!   leaf against a subtree costs the subtree's size, less 1 where the label occurs in it.
//! * **Rows are streams.** A cell of the forest table is the least of the cell above plus 1, the
//!   cell to the left plus 1, and `forest[x − |x|][y − |y|] + tree[x][y]`. The last term gathers from
//!   all over an earlier row, the same one for all `x` with the same leftmost leaf: it is gathered
//!   once, when that row is complete and still in the cache, and only the gathered form is kept.
//!   What remains is element-wise, but for the cell to the left, which is a prefix minimum and
//!   takes three shifts for eight cells.
//! * **Cells are 16 bits wide** where the sizes allow it.

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::row::{Cell, LANES, Row};
use super::{Edit, Tree, inner};

/// One of the two mirror images of a tree, in postorder.
pub(super) struct View {
    labels: Vec<u32>,
    sizes: Vec<u32>,
    /// Class of equal subtrees that a node's subtree belongs to, numbered from 0.
    classes: Vec<u32>,
    class_count: usize,
    /// Keyroots to work through: inner nodes with a left sibling (and the root), the first of each
    /// class that is on no earlier left path.
    keyroots: Vec<u32>,
    /// Whether a node is the first of its class on the left path of a keyroot to work through;
    /// never so for leaves.
    fresh: Vec<bool>,
}

impl View {
    fn left(tree: &Tree) -> View {
        let n = tree.len();
        // A node is its label and the list of its children's classes, a list is its last element
        // and the list before that: numbering pairs numbers both. No list is 0.
        let mut pairs: FxHashMap<(u32, u32, bool), u32> =
            FxHashMap::with_capacity_and_hasher(n, FxBuildHasher);
        let (mut class_count, mut list_count) = (0u32, 0u32);
        let mut classes = vec![0u32; n];
        for node in 0..n {
            let first = node + 1 - tree.sizes[node] as usize;
            let mut list = 0;
            let mut end = node;
            while end > first {
                let child = end - 1;
                list = *pairs.entry((list, classes[child], false)).or_insert_with(|| {
                    list_count += 1;
                    list_count
                });
                end -= tree.sizes[child] as usize;
            }
            classes[node] = *pairs.entry((list, tree.labels[node], true)).or_insert_with(|| {
                class_count += 1;
                class_count - 1
            });
        }
        View::new(tree.labels.clone(), tree.sizes.clone(), classes, class_count as usize)
    }

    /// The tree with the children of every node in reverse: its postorder is the tree's preorder
    /// backwards. Subtrees are equal there if they are equal here.
    fn right(tree: &Tree, left: &View) -> View {
        let n = tree.len();
        let (mut sizes, mut classes) = (vec![0; n], vec![0; n]);
        for (node, &preorder) in tree.preorder.iter().enumerate() {
            sizes[n - 1 - preorder as usize] = tree.sizes[node];
            classes[n - 1 - preorder as usize] = left.classes[node];
        }
        let labels = tree.preorder_labels.iter().rev().copied().collect();
        View::new(labels, sizes, classes, left.class_count)
    }

    fn new(labels: Vec<u32>, sizes: Vec<u32>, classes: Vec<u32>, class_count: usize) -> View {
        let n = labels.len();
        // The next node up the left path, and for every leaf the top of its path so far.
        let mut up = vec![0u32; n];
        let mut top = vec![0u32; n];
        for (node, &size) in sizes.iter().enumerate() {
            let leaf = node + 1 - size as usize;
            if leaf != node {
                up[top[leaf] as usize] = node as u32;
            }
            top[leaf] = node as u32;
        }
        let mut solved = vec![false; class_count];
        let mut keyroots = Vec::new();
        let mut fresh = vec![false; n];
        for (node, &size) in sizes.iter().enumerate() {
            let leaf = node + 1 - size as usize;
            // Every node is on one left path: the paths are walked when their tops come.
            if top[leaf] as usize != node || leaf == node || solved[classes[node] as usize] {
                continue;
            }
            keyroots.push(node as u32);
            let mut on_path = leaf;
            while on_path != node {
                on_path = up[on_path] as usize;
                let solved = &mut solved[classes[on_path] as usize];
                fresh[on_path] = !std::mem::replace(solved, true);
            }
        }
        View { labels, sizes, classes, class_count, keyroots, fresh }
    }

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn first(&self, node: usize) -> usize {
        node + 1 - self.sizes[node] as usize
    }

    /// Rows of all forest tables, were this the first tree.
    fn rows(&self) -> u64 {
        self.keyroots.iter().map(|&node| u64::from(self.sizes[node as usize])).sum()
    }

    /// Cells in a row of all forest tables, were this the second tree.
    fn columns(&self) -> u64 {
        let padded = |&node: &u32| u64::from(self.sizes[node as usize]).next_multiple_of(8);
        self.keyroots.iter().map(padded).sum()
    }
}

/// How a distance will be computed: which mirror image, which tree gives the rows.
pub(super) struct Plan<'t> {
    a: &'t Tree,
    b: &'t Tree,
    /// Views of `b` and `a` if they are swapped.
    rows: View,
    columns: View,
    swapped: bool,
    /// Whether the views are mirrored.
    mirrored: bool,
    /// Whether the subtrees are worked through along heavy paths.
    inner: bool,
    /// Cells to compute.
    cells: u64,
}

/// Cells for each pair of nodes from which on heavy paths are looked at.
const MANY_CELLS: u64 = 32;

/// Cells of vectorised rows in the time that heavy paths take for one forest of the second tree.
const INNER_COST: u64 = 2;

impl<'t> Plan<'t> {
    /// The arrangement with the fewest cells that fits in `cap` bytes; where none does, one that does
    /// not. Neither tree may be empty.
    pub(super) fn new(a: &'t Tree, b: &'t Tree, cap: u64) -> Plan<'t> {
        let (left_a, left_b) = (View::left(a), View::left(b));
        let (right_a, right_b) = (View::right(a, &left_a), View::right(b, &left_b));
        let arrange = |rows: View, columns: View, mirrored: bool| {
            let across = rows.rows().saturating_mul(columns.columns());
            let down = columns.rows().saturating_mul(rows.columns());
            let cells = across.min(down);
            let swapped = down < across;
            let (rows, columns) = if swapped { (columns, rows) } else { (rows, columns) };
            Plan { a, b, rows, columns, swapped, mirrored, inner: false, cells }
        };
        let (left, right) = (arrange(left_a, left_b, false), arrange(right_a, right_b, true));
        let cells = left.cells.min(right.cells);
        if cells / MANY_CELLS > a.len() as u64 * b.len() as u64 {
            let inner = Plan::inner(a, b);
            if inner.cells < cells && inner.bytes() <= u128::from(cap) {
                return inner;
            }
        }
        if left.cells <= right.cells { left } else { right }
    }

    /// Along the heavy paths of the tree for which that is cheaper.
    pub(super) fn inner(a: &'t Tree, b: &'t Tree) -> Plan<'t> {
        let cost = |a: &Tree, b: &Tree| {
            let (tops, _) = inner::heavy_paths(&a.sizes);
            let rows: u64 = tops.iter().map(|&top| u64::from(a.sizes[top])).sum();
            rows.saturating_mul(b.len() as u64).saturating_mul(b.len() as u64 * INNER_COST)
        };
        let (across, down) = (cost(a, b), cost(b, a));
        let (rows, columns) = (View::left(a), View::left(b));
        let swapped = down < across;
        let (rows, columns) = if swapped { (columns, rows) } else { (rows, columns) };
        let cells = across.min(down);
        Plan { a, b, rows, columns, swapped, mirrored: false, inner: true, cells }
    }

    /// Bytes that [`distance`](Self::distance) will take.
    pub(super) fn bytes(&self) -> u128 {
        let cell: usize = if self.narrow() { 2 } else { 4 };
        let width = (self.columns.len() + 2 * LANES) as u128;
        let leaves = self.rows.sizes.iter().filter(|&&size| size == 1).count() as u128;
        let inner =
            if self.inner { inner::bytes(self.rows.len(), self.columns.len(), cell) } else { 0 };
        (self.rows.class_count as u128 + leaves + 2) * width * cell as u128 + inner
    }

    fn narrow(&self) -> bool {
        self.rows.len() + self.columns.len() < <i16 as Cell>::FAR.to_u32() as usize
    }

    #[cfg(test)]
    pub(super) fn is_inner(&self) -> bool {
        self.inner
    }

    fn subtrees<C: Cell>(&self) -> Subtrees<'_, C> {
        if self.inner {
            let (rows, columns) = if self.swapped { (self.b, self.a) } else { (self.a, self.b) };
            Subtrees::by_heavy_paths(&self.rows, &self.columns, rows, columns)
        } else {
            Subtrees::new(&self.rows, &self.columns)
        }
    }

    /// The distance.
    pub(super) fn distance(&self) -> u32 {
        if self.narrow() {
            self.subtrees::<i16>().distance()
        } else {
            self.subtrees::<i32>().distance()
        }
    }

    /// Bytes that [`mapping`](Self::mapping) will take.
    pub(super) fn mapping_bytes(&self) -> u128 {
        self.bytes() + 4 * (self.rows.len() as u128 + 1) * (self.columns.len() as u128 + 1)
    }

    /// A cheapest mapping, in no particular order.
    pub(super) fn mapping(&self) -> Vec<Edit> {
        let (a, b) = (self.a, self.b);
        let edits = if self.narrow() {
            self.subtrees::<i16>().mapping()
        } else {
            self.subtrees::<i32>().mapping()
        };
        let node = |tree: &Tree, node: Option<usize>| {
            node.map(|node| {
                if self.mirrored { tree.len() - 1 - node } else { tree.preorder[node] as usize }
            })
        };
        let edits = edits.into_iter().map(|(row, column)| {
            let (from, to) = if self.swapped { (column, row) } else { (row, column) };
            match (node(a, from), node(b, to)) {
                (Some(from), Some(to)) if a.preorder_labels[from] == b.preorder_labels[to] => {
                    Edit::Keep { from, to }
                }
                (Some(from), Some(to)) => Edit::Rename { from, to },
                (Some(node), None) => Edit::Delete { node },
                (None, node) => Edit::Insert { node: node.unwrap_or(0) },
            }
        });
        edits.collect()
    }
}

/// Nodes of every class, in postorder: `nodes[starts[c]..starts[c + 1]]`.
struct Members {
    starts: Vec<u32>,
    nodes: Vec<u32>,
}

impl Members {
    fn new(view: &View) -> Members {
        let mut starts = vec![0u32; view.class_count + 1];
        for &class in &view.classes {
            starts[class as usize + 1] += 1;
        }
        for class in 0..view.class_count {
            starts[class + 1] += starts[class];
        }
        let mut next = starts.clone();
        let mut nodes = vec![0; view.len()];
        for (node, &class) in view.classes.iter().enumerate() {
            nodes[next[class as usize] as usize] = node as u32;
            next[class as usize] += 1;
        }
        Members { starts, nodes }
    }

    fn of(&self, class: u32) -> &[u32] {
        let class = class as usize;
        &self.nodes[self.starts[class] as usize..self.starts[class + 1] as usize]
    }
}

/// For every node of `view`: the distance between its subtree and a single node with this label.
fn to_leaf(view: &View, label: u32, mut put: impl FnMut(usize, u32)) {
    let mut seen = None;
    for node in 0..view.len() {
        if view.labels[node] == label {
            seen = Some(node);
        }
        let holds = seen.is_some_and(|at| at >= view.first(node));
        put(node, view.sizes[node] - u32::from(holds));
    }
}

/// Distances between all pairs of subtrees.
struct Subtrees<'a, C> {
    a: &'a View,
    b: &'a View,
    /// Distance of the subtrees of class `c` in `a` and at node `y` in `b`: `table[c * pitch + y]`.
    table: Vec<C>,
    pitch: usize,
}

impl<'a, C: Cell> Subtrees<'a, C> {
    fn new(a: &'a View, b: &'a View) -> Self {
        let (n, m) = (a.len(), b.len());
        let pitch = m.next_multiple_of(LANES) + LANES;
        let mut trees = vec![C::default(); a.class_count * pitch];
        let members = Members::new(b);
        for node in 0..n {
            if a.sizes[node] == 1 {
                let row = a.classes[node] as usize * pitch;
                // Written once for a class: a leaf's label tells its class.
                if trees[row + m - 1] == C::default() || m == 1 {
                    to_leaf(b, a.labels[node], |y, d| trees[row + y] = C::new(d));
                }
            }
        }
        for y in 0..m {
            if b.sizes[y] == 1 && members.of(b.classes[y])[0] as usize == y {
                to_leaf(a, b.labels[y], |x, d| {
                    if a.fresh[x] {
                        for &y in members.of(b.classes[y]) {
                            trees[a.classes[x] as usize * pitch + y as usize] = C::new(d);
                        }
                    }
                });
            }
        }
        // How many leaves come before a node's leftmost leaf: names the row that its cells jump to.
        let mut leaves = 0;
        let mut slots = Vec::with_capacity(n);
        for node in 0..n {
            if a.sizes[node] == 1 {
                slots.push(leaves);
                leaves += 1;
            } else {
                slots.push(slots[a.first(node)]);
            }
        }
        let mut table = Forests {
            up: vec![C::default(); LANES + pitch],
            row: vec![C::default(); LANES + pitch],
            gathered: vec![C::default(); leaves * pitch],
            compute: C::row(),
            inner: Vec::with_capacity(m),
            path: Vec::new(),
        };
        for &j in &b.keyroots {
            table.columns(b, j as usize);
            for &i in &a.keyroots {
                table.solve(a, i as usize, b, j as usize, &slots, &mut trees, pitch, &members);
            }
        }
        Subtrees { a, b, table: trees, pitch }
    }

    /// The same along heavy paths of `rows`, of which `a` is the view; `b` is that of `columns`.
    fn by_heavy_paths(a: &'a View, b: &'a View, rows: &Tree, columns: &Tree) -> Self {
        let pitch = b.len();
        let mut table = vec![C::default(); a.class_count * pitch];
        inner::subtrees(rows, columns, &a.classes, &mut table);
        Subtrees { a, b, table, pitch }
    }

    fn get(&self, x: usize, y: usize) -> u32 {
        self.table[self.a.classes[x] as usize * self.pitch + y].to_u32()
    }

    /// The distance of the whole trees.
    fn distance(&self) -> u32 {
        self.get(self.a.len() - 1, self.b.len() - 1)
    }

    /// A cheapest mapping: pairs of nodes, and nodes that are deleted or inserted.
    fn mapping(&self) -> Vec<(Option<usize>, Option<usize>)> {
        let (a, b) = (self.a, self.b);
        let mut edits = Vec::with_capacity(a.len().max(b.len()));
        let mut forests: Vec<u32> = Vec::new();
        // Pairs of subtrees to walk back through. Those that wait are apart from each other, so that
        // the time is that of the largest forest table times the depth at most.
        let mut pairs = vec![(a.len() - 1, b.len() - 1)];
        while let Some((i, j)) = pairs.pop() {
            let (rows, columns) = (a.sizes[i] as usize, b.sizes[j] as usize);
            let (first_a, first_b) = (a.first(i), b.first(j));
            let width = columns + 1;
            forests.resize(forests.len().max((rows + 1) * width), 0);
            // What a cell can jump to: where, and the cost of the jump.
            let jump = |forests: &[u32], x: usize, y: usize| {
                let (node, other) = (first_a + x - 1, first_b + y - 1);
                let (size_a, size_b) = (a.sizes[node] as usize, b.sizes[other] as usize);
                if size_a == x && size_b == y {
                    let rename = u32::from(a.labels[node] != b.labels[other]);
                    forests[(x - 1) * width + y - 1] + rename
                } else {
                    forests[(x - size_a) * width + y - size_b] + self.get(node, other)
                }
            };
            for (y, cell) in forests[..width].iter_mut().enumerate() {
                *cell = y as u32;
            }
            for x in 1..=rows {
                forests[x * width] = x as u32;
                for y in 1..=columns {
                    let near = forests[(x - 1) * width + y].min(forests[x * width + y - 1]) + 1;
                    forests[x * width + y] = near.min(jump(&forests, x, y));
                }
            }
            let (mut x, mut y) = (rows, columns);
            while x > 0 || y > 0 {
                let here = forests[x * width + y];
                if x > 0 && forests[(x - 1) * width + y] + 1 == here {
                    x -= 1;
                    edits.push((Some(first_a + x), None));
                } else if y > 0 && forests[x * width + y - 1] + 1 == here {
                    y -= 1;
                    edits.push((None, Some(first_b + y)));
                } else {
                    let (node, other) = (first_a + x - 1, first_b + y - 1);
                    let (size_a, size_b) = (a.sizes[node] as usize, b.sizes[other] as usize);
                    if size_a == x && size_b == y {
                        edits.push((Some(node), Some(other)));
                        (x, y) = (x - 1, y - 1);
                    } else {
                        pairs.push((node, other));
                        (x, y) = (x - size_a, y - size_b);
                    }
                }
            }
        }
        edits
    }
}

/// The forest table of a pair of keyroots, of which two rows and the gathered rows exist.
///
/// Cells are room (see [`super::row`]). Column `y` of a row, from 0, stands at `LANES - 1 + y`:
/// column 1 is the first of a block.
struct Forests<C> {
    compute: Row<C>,
    up: Vec<C>,
    row: Vec<C>,
    /// For every row that comes before a leaf, for every column from 1, the cell that it jumps to:
    /// `row[y - size(y)]`.
    gathered: Vec<C>,
    /// The columns of inner nodes, each with the column that it jumps to.
    inner: Vec<(u32, u32)>,
    /// The columns on the left path whose distances are not known yet, each with its node.
    path: Vec<(u32, u32)>,
}

impl<C: Cell> Forests<C> {
    /// Prepares the columns of keyroot `j`.
    fn columns(&mut self, b: &View, j: usize) {
        let first = b.first(j);
        self.inner.clear();
        self.path.clear();
        for node in first..=j {
            let (y, size) = ((node - first + 1) as u32, b.sizes[node]);
            if size > 1 {
                self.inner.push((y, y - size));
            }
            if size == y && b.fresh[node] {
                self.path.push((y, node as u32));
            }
        }
    }

    /// Fills the table of keyroots `i` and `j` and writes the distances of the subtrees on their
    /// left paths to `trees`.
    #[allow(clippy::too_many_arguments)]
    fn solve(
        &mut self,
        a: &View,
        i: usize,
        b: &View,
        j: usize,
        slots: &[usize],
        trees: &mut [C],
        pitch: usize,
        members: &Members,
    ) {
        let (first_a, first_b) = (a.first(i), b.first(j));
        let (rows, columns) = (i + 1 - first_a, j + 1 - first_b);
        let width = columns.next_multiple_of(LANES);
        let slot = |node: usize| (slots[node] - slots[first_a]) * width;
        for (y, cell) in self.row[LANES - 1..LANES + width].iter_mut().enumerate() {
            *cell = C::FAR.less(C::new(y as u32));
        }
        self.gather(0, width);
        for x in 1..=rows {
            let node = first_a + x - 1;
            std::mem::swap(&mut self.up, &mut self.row);
            let class_row = a.classes[node] as usize * pitch;
            let on_path = a.sizes[node] as usize == x && a.fresh[node];
            if on_path {
                // Here the jump goes to row 0 and column 0, where the table is 0: what is looked up
                // as the distance of the subtrees is the cost with their roots mapped.
                for &(y, other) in &self.path {
                    let rename = u32::from(a.labels[node] != b.labels[other as usize]);
                    let children = C::FAR.less(self.up[LANES + y as usize - 2]).to_u32();
                    trees[class_row + other as usize] = C::new(children + rename);
                }
            }
            let jumps = &self.gathered[slot(node)..][..width];
            let subtrees = &trees[class_row + first_b..][..width];
            let column_0 = C::FAR.less(C::new(x as u32));
            self.row[LANES - 1] = column_0;
            let out = &mut self.row[LANES..][..width];
            (self.compute)(&self.up[LANES..][..width], jumps, subtrees, column_0, out);
            if on_path {
                for &(y, other) in &self.path {
                    let distance = C::FAR.less(self.row[LANES + y as usize - 1]);
                    for &equal in members.of(b.classes[other as usize]) {
                        trees[class_row + equal as usize] = distance;
                    }
                }
            }
            if x < rows && a.sizes[node + 1] == 1 {
                self.gather(slot(node + 1), width);
            }
        }
    }

    /// Stores the current row as others will jump to it.
    fn gather(&mut self, slot: usize, width: usize) {
        let out = &mut self.gathered[slot..][..width];
        let row = &self.row[LANES - 1..][..width];
        // Leaves jump to the column before theirs.
        out.copy_from_slice(row);
        for &(y, jump) in &self.inner {
            out[y as usize - 1] = row[jump as usize];
        }
    }
}
