//! Teachers that answer from a reply log.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use distill_core::jsonl::JsonlError;
use distill_core::{Completion, Reply, Request, Teacher, TeacherError};

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
    reuse: bool,
    counts: [AtomicU64; 3],
    in_flight: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// Where the replies of a [`Cached`] teacher came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// From the log, asked with the very same sampling.
    pub logged: u64,
    /// From the log, asked with another sampling; now or in an earlier run.
    pub reused: u64,
    /// From the teacher.
    pub asked: u64,
}

impl<T: Teacher> Cached<T> {
    /// `inner` with this log in front.
    pub fn new(inner: T, log: Arc<ReplyLog>) -> Cached<T> {
        Cached { inner, log, reuse: false, counts: Default::default(), in_flight: Mutex::default() }
    }

    /// Lets a whole logged reply to the same question count although it was drawn with another
    /// sampling (say, a smaller `max_tokens`), instead of asking again. Off unless set; show
    /// [`ReplyLog::offer`] first. A reply taken over is logged under the new key with
    /// [`reused_from`](LoggedReply::reused_from), so later runs find it without this, and it is
    /// [counted](Self::counts) as reused in each.
    pub fn reuse_other_sampling(mut self, reuse: bool) -> Cached<T> {
        self.reuse = reuse;
        self
    }

    /// Where the replies came from so far.
    pub fn counts(&self) -> CacheCounts {
        let [logged, reused, asked] =
            std::array::from_fn(|at| self.counts[at].load(Ordering::Relaxed));
        CacheCounts { logged, reused, asked }
    }

    fn counted(&self, reply: LoggedReply) -> Completion {
        let at = usize::from(reply.reused_from.is_some());
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        reply.into_completion()
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
                return Ok(self.counted(reply));
            }
            let turn = self.turn(&key);
            let _mine = turn.lock.lock().await;
            if let Some(reply) = self.log.get(&key).map_err(local)? {
                return Ok(self.counted(reply));
            }
            if self.reuse
                && let Some(mut reply) = self.log.with_other_sampling(request).map_err(local)?
            {
                let original = std::mem::replace(&mut reply.key, key);
                reply.reused_from.get_or_insert(original);
                reply.problem.clone_from(&request.problem.id);
                self.log.append(&reply).map_err(local)?;
                return Ok(self.counted(reply));
            }
            let asked = Instant::now();
            let completion = self.inner.complete(request).await?;
            // Milliseconds are plenty, and keep the lines short.
            let seconds = (asked.elapsed().as_secs_f64() * 1e3).round() / 1e3;
            let reply = LoggedReply::new(&key, request, &completion, seconds);
            self.log.append(&reply).map_err(local)?;
            self.counts[2].fetch_add(1, Ordering::Relaxed);
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
