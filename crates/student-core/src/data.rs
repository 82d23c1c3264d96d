//! What a student learns from: token ids.

use distill_core::Task;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::{Batch, Result, StudentCoreError, TopK};

/// The label that stands for "nothing to learn here", as in torch and transformers.
pub const IGNORED: i64 = mtl_loss::IGNORED;

/// A source and the target to learn for it, as token ids; the end token, if the model has one, is
/// part of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// What the encoder reads; not empty.
    pub source: Vec<i64>,
    /// What the decoder learns to write; not empty.
    pub target: Vec<i64>,
    /// What a teacher of the same vocabulary finds likely at every token of the target, for
    /// [`TrainConfig::soft`](crate::TrainConfig::soft).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft: Option<TopK>,
}

impl Example {
    /// An example without soft targets.
    pub fn new(source: Vec<i64>, target: Vec<i64>) -> Example {
        Example { source, target, soft: None }
    }
}

/// One lesson: for each task alternative examples, of which each visit draws one.
///
/// Alternatives are, for instance, the same problem phrased in several ways, or the code task with
/// and without pseudocode in its source. No alternative means that the lesson lacks the task.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Item {
    /// Problem → pseudocode.
    pub pseudocode: Vec<Example>,
    /// Problem → code.
    pub code: Vec<Example>,
}

impl Item {
    /// The alternatives of a task.
    pub fn of(&self, task: Task) -> &[Example] {
        match task {
            Task::Pseudocode => &self.pseudocode,
            Task::Code => &self.code,
        }
    }
}

/// Checked items in a fixed order.
#[derive(Debug, Clone, Default)]
pub struct Dataset {
    items: Vec<Item>,
    fingerprint: u64,
}

impl Dataset {
    /// Takes the items. An item without any example is allowed, an empty data set too.
    ///
    /// # Errors
    /// [`StudentCoreError::Data`], naming the item, for an empty source or target, a negative id, or
    /// soft targets of another length than the target, or of another k than those before.
    pub fn new(items: Vec<Item>) -> Result<Dataset> {
        let mut fingerprint = Fingerprint::default();
        let mut kept = None;
        for (index, item) in items.iter().enumerate() {
            for task in Task::ALL {
                fingerprint.add(item.of(task).len() as u64);
                for example in item.of(task) {
                    for (what, ids) in [("source", &example.source), ("target", &example.target)] {
                        if ids.is_empty() {
                            return Err(StudentCoreError::Data(format!(
                                "item {index}: an empty {what} for the {task} task"
                            )));
                        }
                        fingerprint.add(ids.len() as u64);
                        for &id in ids {
                            if id < 0 {
                                return Err(StudentCoreError::Data(format!(
                                    "item {index}: the token id {id} in a {what} of the {task} task"
                                )));
                            }
                            fingerprint.add(id.unsigned_abs());
                        }
                    }
                    if let Some(soft) = &example.soft {
                        let wanted = (example.target.len(), *kept.get_or_insert(soft.k()));
                        if (soft.tokens(), soft.k()) != wanted {
                            return Err(StudentCoreError::Data(format!(
                                "item {index}: soft targets of {} tokens, {} each, for the {task} task; \
                                 wanted {} tokens, {} each",
                                soft.tokens(),
                                soft.k(),
                                wanted.0,
                                wanted.1
                            )));
                        }
                        for (id, log) in soft.ids().iter().zip(soft.log_probabilities()) {
                            fingerprint.add(id.unsigned_abs());
                            fingerprint.add(log.to_bits().into());
                        }
                    }
                }
            }
        }
        Ok(Dataset { items, fingerprint: fingerprint.0 })
    }

    /// The items.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Whether there is an example of the task.
    pub fn has(&self, task: Task) -> bool {
        self.items.iter().any(|item| !item.of(task).is_empty())
    }

    /// Whether an example has soft targets.
    pub fn has_soft(&self) -> bool {
        let all = |item: &Item| Task::ALL.iter().any(|&task| item.of(task).iter().any(soft));
        fn soft(example: &Example) -> bool {
            example.soft.is_some()
        }
        self.items.iter().any(all)
    }

    /// A number that differs, almost surely, between data sets with different content or order.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

/// FNV-1a over whole words.
struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Fingerprint {
        Fingerprint(0xcbf2_9ce4_8422_2325)
    }
}

impl Fingerprint {
    fn add(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        // FNV moves bits upwards only; bring some down again, as whole words fill all of them.
        self.0 = mixed ^ (mixed >> 29);
    }
}

impl Batch {
    /// Pads examples of one task to a rectangle: sources with id 0 under mask 0, targets with
    /// [`IGNORED`].
    ///
    /// # Errors
    /// [`StudentCoreError::Torch`].
    pub fn new(examples: &[&Example], device: Device) -> Result<Batch> {
        let rows = examples.len();
        let width = examples.iter().map(|example| example.source.len()).max().unwrap_or(0);
        let height = examples.iter().map(|example| example.target.len()).max().unwrap_or(0);
        let mut source = vec![0i64; rows * width];
        let mut mask = vec![0i64; rows * width];
        let mut labels = vec![IGNORED; rows * height];
        for (row, example) in examples.iter().enumerate() {
            source[row * width..][..example.source.len()].copy_from_slice(&example.source);
            mask[row * width..][..example.source.len()].fill(1);
            labels[row * height..][..example.target.len()].copy_from_slice(&example.target);
        }
        let tensor = |values: &[i64], length: usize| -> Result<Tensor> {
            let tensor = Tensor::f_from_slice(values)?.f_reshape([rows as i64, length as i64])?;
            Ok(tensor.f_to_device(device)?)
        };
        Ok(Batch {
            source: tensor(&source, width)?,
            source_mask: tensor(&mask, width)?,
            labels: tensor(&labels, height)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(source: &[i64], target: &[i64]) -> Example {
        Example::new(source.to_vec(), target.to_vec())
    }

    #[test]
    fn a_batch_is_padded_to_its_longest() {
        let (a, b) = (example(&[5, 6, 7], &[8]), example(&[9], &[3, 4]));
        let batch = Batch::new(&[&a, &b], Device::Cpu).unwrap();
        let flat = |tensor: &Tensor| Vec::<i64>::try_from(tensor.view(-1)).unwrap();
        assert_eq!(batch.source.size(), [2, 3]);
        assert_eq!(flat(&batch.source), [5, 6, 7, 9, 0, 0]);
        assert_eq!(flat(&batch.source_mask), [1, 1, 1, 1, 0, 0]);
        assert_eq!(flat(&batch.labels), [8, IGNORED, 3, 4]);
    }

    #[test]
    fn bad_examples_are_named_and_content_is_fingerprinted() {
        let item = |example: Example| Item { code: vec![example], ..Item::default() };
        let good = item(example(&[1], &[2]));
        for (bad, says) in [
            (example(&[], &[1]), "item 1: an empty source for the code task"),
            (example(&[1], &[]), "item 1: an empty target for the code task"),
            (example(&[1], &[-100]), "item 1: the token id -100 in a target of the code task"),
        ] {
            let error = Dataset::new(vec![good.clone(), item(bad)]).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let fingerprint = |items: &[Item]| Dataset::new(items.to_vec()).unwrap().fingerprint();
        let other = item(example(&[2], &[1]));
        assert_ne!(
            fingerprint(std::slice::from_ref(&good)),
            fingerprint(std::slice::from_ref(&other))
        );
        assert_ne!(fingerprint(&[good.clone(), other.clone()]), fingerprint(&[other, good]));
    }
}
