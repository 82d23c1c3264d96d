//! A teacher with prepared answers.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use distill_core::{Completion, Reply, Request, Teacher, TeacherError};

/// Gives prepared answers, one a request in the order asked; for tests and examples.
#[derive(Debug)]
pub struct Scripted {
    name: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    answers: VecDeque<Result<Completion, TeacherError>>,
    asked: usize,
}

impl Scripted {
    /// A teacher with these answers; when they are used up it answers
    /// [`TeacherError::Unsupported`].
    pub fn new(
        name: impl Into<String>,
        answers: impl IntoIterator<Item = Result<Completion, TeacherError>>,
    ) -> Scripted {
        let answers = answers.into_iter().collect();
        Scripted { name: name.into(), state: Mutex::new(State { answers, asked: 0 }) }
    }

    /// A teacher that writes these texts and stops by itself after each.
    pub fn texts<S: Into<String>>(
        name: impl Into<String>,
        texts: impl IntoIterator<Item = S>,
    ) -> Scripted {
        Scripted::new(
            name,
            texts.into_iter().map(|text| {
                Ok(Completion {
                    text: text.into(),
                    finish_reason: Some("stop".into()),
                    usage: None,
                    raw: String::new(),
                })
            }),
        )
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.lock().asked
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Teacher for Scripted {
    fn name(&self) -> &str {
        &self.name
    }

    fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a> {
        let mut state = self.lock();
        state.asked += 1;
        let answer = state.answers.pop_front().unwrap_or_else(|| {
            Err(TeacherError::Unsupported {
                teacher: self.name.clone(),
                problem: request.problem.id.clone(),
                reason: "its prepared answers are used up".into(),
            })
        });
        Box::pin(std::future::ready(answer))
    }
}
