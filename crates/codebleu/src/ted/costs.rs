//! What an edit costs.

/// Costs of the three edits, by label. Costs need not be a metric: the
/// distance is the least cost of any valid mapping.
pub trait Costs {
    /// Turning a node labelled `from` into one labelled `to`; equal labels may cost something too.
    fn rename(&self, from: u32, to: u32) -> u32;

    /// Deleting a node of the first tree. 1 by default.
    fn delete(&self, label: u32) -> u32 {
        let _ = label;
        1
    }

    /// Inserting a node of the second tree. 1 by default.
    fn insert(&self, label: u32) -> u32 {
        let _ = label;
        1
    }
}

/// Every edit costs 1, keeping a node 0: the tree edit distance without further words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unit;

impl Costs for Unit {
    fn rename(&self, from: u32, to: u32) -> u32 {
        (from != to).into()
    }
}

impl<C: Costs + ?Sized> Costs for &C {
    fn rename(&self, from: u32, to: u32) -> u32 {
        (**self).rename(from, to)
    }

    fn delete(&self, label: u32) -> u32 {
        (**self).delete(label)
    }

    fn insert(&self, label: u32) -> u32 {
        (**self).insert(label)
    }
}
