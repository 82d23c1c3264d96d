//! Projecting conflicting gradients (PCGrad; Yu et al. 2020).

use tch::{Kind, Tensor};

use crate::{LossError, Result};

/// What [`project_conflicts`] gives.
#[derive(Debug)]
pub struct Projected {
    /// The gradient to step with, a tensor each parameter.
    pub gradient: Vec<Tensor>,
    /// Cosine between the gradients of two tasks, for every pair: (0,1), (0,2), …, (1,2), …; 0
    /// where a gradient is zero. Telling in itself: do the tasks help or hinder each other?
    pub cosines: Vec<f64>,
}

/// Takes from each task's gradient what points against another task's, and adds up the rest.
///
/// `gradients` holds, for each task, a tensor each parameter, in one order, shapes alike. Each
/// gradient is projected on the others' *original* gradients, in the order of the tasks that follow
/// it cyclically (with two tasks, as here, the order does not matter). For K tasks reads all
/// gradients K² times and holds one more copy.
///
/// # Errors
/// [`LossError::Tasks`] without tasks or for lists of different length, [`LossError::Torch`] for
/// shapes that do not fit.
pub fn project_conflicts(gradients: &[Vec<Tensor>]) -> Result<Projected> {
    let Some(first) = gradients.first() else {
        return Err(LossError::Tasks { what: "gradients", given: 0, expected: 1 });
    };
    if let Some(other) = gradients.iter().find(|other| other.len() != first.len()) {
        return Err(LossError::Shape {
            what: "every task needs a gradient for every parameter",
            found: vec![other.len() as i64],
            expected: vec![first.len() as i64],
        });
    }
    tch::no_grad(|| {
        let tasks = gradients.len();
        let mut dots = vec![vec![0.0; tasks]; tasks];
        for i in 0..tasks {
            for j in i..tasks {
                dots[i][j] = dot(&gradients[i], &gradients[j])?;
                dots[j][i] = dots[i][j];
            }
        }
        let mut cosines = Vec::new();
        for i in 0..tasks {
            for j in i + 1..tasks {
                let norms = (dots[i][i] * dots[j][j]).sqrt();
                cosines.push(if norms > 0.0 { dots[i][j] / norms } else { 0.0 });
            }
        }
        // A projected gradient stays a combination of the originals: keep its coefficients and
        // touch the tensors once, at the end.
        let mut sum = vec![0.0; tasks];
        for i in 0..tasks {
            let mut own = vec![0.0; tasks];
            own[i] = 1.0;
            for j in (1..tasks).map(|k| (i + k) % tasks) {
                let against: f64 = (0..tasks).map(|k| own[k] * dots[k][j]).sum();
                if against < 0.0 && dots[j][j] > 0.0 {
                    own[j] -= against / dots[j][j];
                }
            }
            sum.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
        }
        let mut gradient = Vec::with_capacity(first.len());
        for (parameter, grad) in first.iter().enumerate() {
            let mut combined = grad.f_mul_scalar(sum[0])?;
            for (task, factor) in gradients.iter().zip(&sum).skip(1) {
                let _ = combined.f_add_(&task[parameter].f_mul_scalar(*factor)?)?;
            }
            gradient.push(combined);
        }
        Ok(Projected { gradient, cosines })
    })
}

fn dot(a: &[Tensor], b: &[Tensor]) -> Result<f64> {
    let mut sum = 0.0;
    for (a, b) in a.iter().zip(b) {
        sum += a.f_mul(b)?.f_sum(Kind::Double)?.f_double_value(&[])?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(a: &[f64], b: &[f64]) -> Vec<Tensor> {
        vec![Tensor::from_slice(a), Tensor::from_slice(b)]
    }

    fn flat(tensors: &[Tensor]) -> Vec<f64> {
        Vec::try_from(Tensor::cat(tensors, 0)).unwrap()
    }

    #[test]
    fn agreeing_gradients_are_added() {
        let projected =
            project_conflicts(&[gradient(&[1.0, 0.0], &[2.0]), gradient(&[1.0, 1.0], &[0.5])])
                .unwrap();
        assert_eq!(flat(&projected.gradient), [2.0, 1.0, 2.5]);
        let cosine = 2.0 / (5f64 * 2.25).sqrt();
        assert!((projected.cosines[0] - cosine).abs() < 1e-12);
    }

    #[test]
    fn conflicting_gradients_lose_their_conflict() {
        let (a, b) = ([1.0, 2.0, 0.0], [-2.0, 0.5, 1.0]);
        let projected =
            project_conflicts(&[gradient(&a[..2], &a[2..]), gradient(&b[..2], &b[2..])]).unwrap();
        // a − (a·b/|b|²)·b and b − (a·b/|a|²)·a, by hand: a·b = −1, |a|² = 5, |b|² = 5.25.
        let expected: Vec<f64> =
            a.iter().zip(&b).map(|(a, b)| (a + b / 5.25) + (b + a / 5.0)).collect();
        for (found, expected) in flat(&projected.gradient).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12);
        }
        assert!(projected.cosines[0] < 0.0);
    }

    #[test]
    fn three_tasks_and_a_zero_gradient() {
        let zero = gradient(&[0.0, 0.0], &[0.0]);
        let one = gradient(&[1.0, 0.0], &[0.0]);
        let other = gradient(&[-1.0, 1.0], &[0.0]);
        let projected = project_conflicts(&[zero, one, other]).unwrap();
        // (1,0) on (−1,1): (0.5,0.5); (−1,1) on (1,0): (0,1).
        assert_eq!(flat(&projected.gradient), [0.5, 1.5, 0.0]);
        assert_eq!(projected.cosines[..2], [0.0, 0.0]);
        assert!(project_conflicts(&[]).is_err());
        assert!(project_conflicts(&[gradient(&[1.0], &[]), vec![]]).is_err());
    }
}
