//! Soft targets: the teacher's distribution over the next token, where it has the student's
//! vocabulary.
//!
//! Learning the teacher's texts with cross entropy (sequence-level distillation, Kim and Rush 2016)
//! needs nothing of this and works across vocabularies; it is what [`cross_entropy`](crate::cross_entropy)
//! does. With a teacher of the same vocabulary, such as a larger model of the same family, its
//! distribution says more than its text.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::{LossError, Result};

/// Log-probabilities below this count as this: e^-100 is 0 to a 32-bit float, and 0·∞ would be NaN.
const FLOOR: f64 = -100.0;

/// How far the student's distribution q is from the teacher's p.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "divergence", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Divergence {
    /// KL(p‖q) = Σ p·(log p − log q): the student covers all that the teacher might say.
    ForwardKl,
    /// KL(q‖p): the student keeps to what the teacher finds likely.
    ReverseKl,
    /// β·KL(p‖m) + (1−β)·KL(q‖m) with m = β·p + (1−β)·q (generalised Jensen–Shannon; Agarwal et al.
    /// 2024). Bounded, and between the other two in what it favours.
    Jsd {
        /// β, between 0 and 1; 0.5 is symmetric.
        beta: f64,
    },
}

/// What a vocabulary is, to compare: its size and its tokens in the order of their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vocabulary {
    size: usize,
    hash: u64,
}

impl Vocabulary {
    /// The vocabulary of these tokens, in the order of their ids.
    pub fn of<T: AsRef<str>>(tokens: impl IntoIterator<Item = T>) -> Vocabulary {
        let mut hasher = DefaultHasher::new();
        let mut size = 0;
        for token in tokens {
            token.as_ref().hash(&mut hasher);
            size += 1;
        }
        Vocabulary { size, hash: hasher.finish() }
    }

    /// Number of tokens.
    pub fn size(self) -> usize {
        self.size
    }
}

/// Settings of a [`SoftTargets`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoftSettings {
    /// How far apart two distributions are.
    #[serde(flatten)]
    pub divergence: Divergence,
    /// T > 0: both distributions are softmax(logits / T). Losses are multiplied by T², which keeps
    /// the size of the gradient as T grows (Hinton, Vinyals and Dean 2015).
    pub temperature: f64,
    /// λ in 0..=1: [`mix`](SoftTargets::mix) gives (1−λ)·cross entropy + λ·soft loss.
    pub share: f64,
}

impl Default for SoftSettings {
    /// Forward KL at temperature 1, half and half with cross entropy.
    fn default() -> SoftSettings {
        SoftSettings { divergence: Divergence::ForwardKl, temperature: 1.0, share: 0.5 }
    }
}

/// A loss against the teacher's distributions.
#[derive(Debug, Clone)]
pub struct SoftTargets {
    settings: SoftSettings,
    vocabulary: usize,
}

impl SoftTargets {
    /// A loss for a student and a teacher that must have one vocabulary.
    ///
    /// # Errors
    /// [`LossError::Vocabulary`] if they have not, [`LossError::Setting`] for settings out of range.
    pub fn new(
        settings: SoftSettings,
        student: Vocabulary,
        teacher: Vocabulary,
    ) -> Result<SoftTargets> {
        if student != teacher {
            return Err(LossError::Vocabulary { student: student.size, teacher: teacher.size });
        }
        let SoftSettings { divergence, temperature, share } = settings;
        if !(temperature.is_finite() && temperature > 0.0) {
            return Err(LossError::setting("temperature", format!("{temperature} is not above 0")));
        }
        if !(0.0..=1.0).contains(&share) {
            return Err(LossError::setting("share", format!("{share} is not in 0..=1")));
        }
        if let Divergence::Jsd { beta } = divergence
            && !(beta > 0.0 && beta < 1.0)
        {
            let reason = format!("{beta} is not between 0 and 1: its ends are the KL divergences");
            return Err(LossError::setting("beta", reason));
        }
        Ok(SoftTargets { settings, vocabulary: student.size })
    }

    /// The settings.
    pub fn settings(&self) -> &SoftSettings {
        &self.settings
    }

    /// The loss of every token, `[…]`, from the logits of both, `[…, vocabulary]`. The teacher gets
    /// no gradient. A few tensors of the size of the logits live until the backward pass.
    ///
    /// # Errors
    /// [`LossError::Shape`], [`LossError::Torch`].
    pub fn loss(&self, student: &Tensor, teacher: &Tensor) -> Result<Tensor> {
        self.check(student)?;
        if student.size() != teacher.size() {
            return Err(LossError::Shape {
                what: "logits of the student and of the teacher",
                found: student.size(),
                expected: teacher.size(),
            });
        }
        self.between(&self.log_softmax(&teacher.f_detach()?)?, &self.log_softmax(student)?)
    }

    /// As [`loss`](Self::loss) from the k likeliest tokens of the teacher, as they are kept on disk:
    /// `ids` int64 and `log_probabilities`, both `[…, k]`, the latter at this loss's temperature.
    /// What the k tokens leave of 1 is one more bin, for teacher and student alike: neither counted
    /// as nothing nor spread over the vocabulary.
    ///
    /// # Errors
    /// [`LossError::Shape`], also where k is not below the vocabulary; [`LossError::Torch`].
    pub fn top_k_loss(
        &self,
        student: &Tensor,
        ids: &Tensor,
        log_probabilities: &Tensor,
    ) -> Result<Tensor> {
        self.check(student)?;
        let (size, kept) = (student.size(), ids.size());
        let rest = |size: &[i64]| size[..size.len().saturating_sub(1)].to_vec();
        let most = kept.last().copied().unwrap_or(0);
        if rest(&size) != rest(&kept)
            || kept != log_probabilities.size()
            || !(1..self.vocabulary as i64).contains(&most)
        {
            return Err(LossError::Shape {
                what: "the teacher's likeliest tokens, fewer than the vocabulary, for every token",
                found: kept,
                expected: size,
            });
        }
        let student = self.log_softmax(student)?;
        let picked = student.f_gather(-1, ids, false)?;
        // What all other tokens get together; from their own sum, since 1 − Σ loses digits.
        let others = student.f_scatter_value(-1, ids, f64::NEG_INFINITY)?;
        let others = others.f_logsumexp([-1].as_slice(), true)?;
        let student = Tensor::f_cat(&[picked, others], -1)?;
        let teacher = log_probabilities.f_detach()?.f_to_kind(student.f_kind()?)?;
        let kind = teacher.f_kind()?;
        let missing = teacher.f_exp()?.f_sum_dim_intlist([-1].as_slice(), true, kind)?;
        let missing = missing.f_neg()?.f_add_scalar(1.0)?.f_clamp_min(0.0)?.f_log()?;
        self.between(&Tensor::f_cat(&[teacher, missing], -1)?, &student)
    }

    /// (1−λ)·`nll` + λ·`soft`, a loss a token as both are.
    ///
    /// # Errors
    /// [`LossError::Shape`], [`LossError::Torch`].
    pub fn mix(&self, nll: &Tensor, soft: &Tensor) -> Result<Tensor> {
        if nll.size() != soft.size() {
            return Err(LossError::Shape {
                what: "cross entropy beside soft losses",
                found: nll.size(),
                expected: soft.size(),
            });
        }
        let share = self.settings.share;
        Ok(nll.f_mul_scalar(1.0 - share)?.f_add(&soft.f_mul_scalar(share)?)?)
    }

    fn check(&self, logits: &Tensor) -> Result<()> {
        if logits.size().last() == Some(&(self.vocabulary as i64)) {
            return Ok(());
        }
        Err(LossError::Shape {
            what: "logits, the vocabulary last",
            found: logits.size(),
            expected: vec![self.vocabulary as i64],
        })
    }

    /// In 32 bits at least.
    fn log_softmax(&self, logits: &Tensor) -> Result<Tensor> {
        let kind = match logits.f_kind()? {
            Kind::Double => Kind::Double,
            _ => Kind::Float,
        };
        let cooled = logits.f_to_kind(kind)?.f_div_scalar(self.settings.temperature)?;
        Ok(cooled.f_log_softmax(-1, kind)?)
    }

    /// T² × the divergence of log-probabilities along the last dimension.
    fn between(&self, teacher: &Tensor, student: &Tensor) -> Result<Tensor> {
        let (p, q) = (teacher.f_clamp_min(FLOOR)?, student.f_clamp_min(FLOOR)?);
        let sum = match self.settings.divergence {
            Divergence::ForwardKl => kl(&p, &q)?,
            Divergence::ReverseKl => kl(&q, &p)?,
            Divergence::Jsd { beta } => {
                let m =
                    p.f_add_scalar(beta.ln())?.f_logaddexp(&q.f_add_scalar((1.0 - beta).ln())?)?;
                kl(&p, &m)?.f_mul_scalar(beta)?.f_add(&kl(&q, &m)?.f_mul_scalar(1.0 - beta)?)?
            }
        };
        Ok(sum.f_mul_scalar(self.settings.temperature * self.settings.temperature)?)
    }
}

/// Σ e^a·(a − b) along the last dimension.
fn kl(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let terms = a.f_exp()?.f_mul(&a.f_sub(b)?)?;
    Ok(terms.f_sum_dim_intlist([-1].as_slice(), false, a.f_kind()?)?)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    const SIZE: i64 = 7;

    fn vocabulary() -> Vocabulary {
        Vocabulary::of((0..SIZE).map(|token| token.to_string()))
    }

    fn targets(divergence: Divergence, temperature: f64) -> SoftTargets {
        let settings = SoftSettings { divergence, temperature, share: 0.25 };
        SoftTargets::new(settings, vocabulary(), vocabulary()).unwrap()
    }

    fn logits(salt: f64) -> Tensor {
        let place = Tensor::arange(2 * 3 * SIZE, (Kind::Double, Device::Cpu)) + salt;
        (place * 12_345.678).cos().view([2, 3, SIZE]) * 4.0
    }

    /// Probabilities of one token at a temperature.
    fn softmax(logits: &Tensor, at: [i64; 2], temperature: f64) -> Vec<f64> {
        let row = Vec::<f64>::try_from(logits.get(at[0]).get(at[1])).unwrap();
        let sum: f64 = row.iter().map(|x| (x / temperature).exp()).sum();
        row.iter().map(|x| (x / temperature).exp() / sum).collect()
    }

    const ALL: [Divergence; 3] =
        [Divergence::ForwardKl, Divergence::ReverseKl, Divergence::Jsd { beta: 0.3 }];

    #[test]
    fn each_divergence_has_its_definition() {
        let (student, teacher) = (logits(1.0), logits(2.0));
        for divergence in ALL {
            let temperature = 1.7;
            let soft = targets(divergence, temperature);
            let loss = soft.loss(&student, &teacher).unwrap();
            assert_eq!(loss.size(), [2, 3]);
            let p = softmax(&teacher, [1, 2], temperature);
            let q = softmax(&student, [1, 2], temperature);
            let kl = |a: &[f64], b: &[f64]| -> f64 {
                a.iter().zip(b).map(|(a, b)| a * (a / b).ln()).sum()
            };
            let m: Vec<f64> = p.iter().zip(&q).map(|(p, q)| 0.3 * p + 0.7 * q).collect();
            let wanted = match divergence {
                Divergence::ForwardKl => kl(&p, &q),
                Divergence::ReverseKl => kl(&q, &p),
                Divergence::Jsd { .. } => 0.3 * kl(&p, &m) + 0.7 * kl(&q, &m),
            } * temperature
                * temperature;
            assert!((loss.double_value(&[1, 2]) - wanted).abs() < 1e-10, "{divergence:?}");
            assert!(soft.loss(&student, &student).unwrap().abs().max().double_value(&[]) < 1e-12);
        }
    }

    #[test]
    fn all_tokens_but_one_and_the_bin_are_the_whole_distribution() {
        let (student, teacher) = (logits(1.0).set_requires_grad(true), logits(2.0));
        for divergence in ALL {
            let soft = targets(divergence, 2.0);
            let whole = (&teacher / 2.0).log_softmax(-1, Kind::Double);
            let (best, ids) = whole.topk(SIZE - 1, -1, true, true);
            let some = soft.top_k_loss(&student, &ids, &best).unwrap();
            let all = soft.loss(&student, &teacher).unwrap();
            assert!((&some - all).abs().max().double_value(&[]) < 1e-9, "{divergence:?}");
            some.sum(Kind::Double).backward();
            assert!(student.grad().isfinite().all().int64_value(&[]) == 1);
            // Fewer tell less.
            let (best, ids) = whole.topk(2, -1, true, true);
            let less = soft.top_k_loss(&student, &ids, &best).unwrap();
            assert!((some - less).min().double_value(&[]) > -1e-9, "{divergence:?}");
        }
    }

    #[test]
    fn a_teacher_that_is_sure_leaves_numbers_finite() {
        let student = logits(1.0).to_kind(Kind::Float).set_requires_grad(true);
        let ids = Tensor::from_slice(&[4i64]).expand([2, 3, 1], false);
        let sure = Tensor::zeros([2, 3, 1], (Kind::Float, Device::Cpu));
        for divergence in ALL {
            let loss = targets(divergence, 1.0).top_k_loss(&student, &ids, &sure).unwrap();
            loss.sum(Kind::Float).backward();
            for tensor in [loss, student.grad()] {
                assert_eq!(tensor.isfinite().all().int64_value(&[]), 1, "{divergence:?}");
            }
        }
    }

    #[test]
    fn other_vocabularies_are_refused_at_construction() {
        let settings = SoftSettings::default();
        let fewer = Vocabulary::of(["0", "1"]);
        let others = Vocabulary::of((0..SIZE).map(|token| format!("t{token}")));
        for other in [fewer, others] {
            let error = SoftTargets::new(settings, vocabulary(), other).unwrap_err();
            assert!(matches!(error, LossError::Vocabulary { student: 7, .. }));
        }
        for bad in [
            SoftSettings { temperature: 0.0, ..settings },
            SoftSettings { share: 1.5, ..settings },
            SoftSettings { divergence: Divergence::Jsd { beta: 1.0 }, ..settings },
        ] {
            let error = SoftTargets::new(bad, vocabulary(), vocabulary()).unwrap_err();
            assert!(matches!(error, LossError::Setting { .. }));
        }
        let soft = targets(Divergence::ForwardKl, 1.0);
        let narrow = logits(1.0).narrow(2, 0, 5);
        assert!(soft.loss(&narrow, &narrow).is_err());
        let ids = Tensor::zeros([2, 3, SIZE], (Kind::Int64, Device::Cpu));
        assert!(soft.top_k_loss(&logits(1.0), &ids, &logits(2.0)).is_err());
        let nll = Tensor::from_slice(&[4.0f64]);
        let mixed = soft.mix(&nll, &Tensor::from_slice(&[8.0f64])).unwrap();
        assert_eq!(mixed.double_value(&[0]), 5.0);
    }
}
