//! Teachers that answer from a reply log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use distill_core::jsonl::JsonlError;
use distill_core::{Reply, Request, Teacher, TeacherError};

use crate::{LoggedReply, ReplyLog, request_key};

/// Asks a teacher only for what its log does not hold, and logs every reply before handing it on.
///
/// Requests with one key that are in flight together are asked once. Errors are not logged: they
/// are asked again. A reply that cannot be logged is an error ([`TeacherError::Local`]), so that
/// nothing is used that a later run would have to buy again.
#[derive(Debug)]
pub struct Cached<T> {
    inner: T,
    log: Arc<ReplyLog>,
    in_flight: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl<T: Teacher> Cached<T> {
    /// `inner` with this log in front.
    pub fn new(inner: T, log: Arc<ReplyLog>) -> Cached<T> {
        Cached { inner, log, in_flight: Mutex::default() }
    }

    /// The log.
    pub fn log(&self) -> &Arc<ReplyLog> {
        &self.log
    }

    /// The teacher behind the log.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// The place in the queue of those who ask for this key.
    fn turn(&self, key: &str) -> Turn<'_> {
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = in_flight.entry(key.to_owned()).or_default().clone();
        Turn { in_flight: &self.in_flight, key: key.to_owned(), lock }
    }
}

/// Removes its key from the map when the last one who asks for it is done or gives up.
struct Turn<'a> {
    in_flight: &'a Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    key: String,
    lock: Arc<tokio::sync::Mutex<()>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        // One count is the map's, one ours; a later asker takes its own under this same mutex.
        if Arc::strong_count(&self.lock) <= 2 {
            in_flight.remove(&self.key);
        }
    }
}

impl<T: Teacher> Teacher for Cached<T> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a> {
        Box::pin(async move {
            let key = request_key(request);
            if let Some(reply) = self.log.get(&key).map_err(local)? {
                return Ok(reply.into_completion());
            }
            let turn = self.turn(&key);
            let _mine = turn.lock.lock().await;
            if let Some(reply) = self.log.get(&key).map_err(local)? {
                return Ok(reply.into_completion());
            }
            let asked = Instant::now();
            let completion = self.inner.complete(request).await?;
            // Milliseconds are plenty, and keep the lines short.
            let seconds = (asked.elapsed().as_secs_f64() * 1e3).round() / 1e3;
            let reply = LoggedReply::new(&key, request, &completion, seconds);
            self.log.append(&reply).map_err(local)?;
            Ok(completion)
        })
    }
}

fn local(error: JsonlError) -> TeacherError {
    TeacherError::Local(format!("reply log: {error}"))
}

/// Answers from a log alone; what is not in it is [`TeacherError::NotLogged`].
#[derive(Debug, Clone)]
pub struct Replay {
    name: String,
    log: Arc<ReplyLog>,
}

impl Replay {
    /// Replays `log` under the name of the teacher that filled it.
    pub fn new(name: impl Into<String>, log: Arc<ReplyLog>) -> Replay {
        Replay { name: name.into(), log }
    }
}

impl Teacher for Replay {
    fn name(&self) -> &str {
        &self.name
    }

    fn complete<'a>(&'a self, request: &'a Request) -> Reply<'a> {
        let key = request_key(request);
        let answer = match self.log.get(&key) {
            Ok(Some(reply)) => Ok(reply.into_completion()),
            Ok(None) => Err(TeacherError::NotLogged { key, problem: request.problem.id.clone() }),
            Err(error) => Err(local(error)),
        };
        Box::pin(std::future::ready(answer))
    }
}
