//! Replies of other logs into a run's own.

use std::path::{Path, PathBuf};

use distill_core::jsonl::{self, JsonlError};
use teacher_prompt::{LoggedReply, ReplyLog};

use crate::{DistillError, Result, Run, RunFolder};

/// What came of taking over replies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Merged {
    /// Replies read.
    pub read: u64,
    /// Those that the log did not hold before.
    pub added: u64,
    /// Lines that are no reply.
    pub damaged: u64,
}

/// Takes the replies of other logs over into the run's: files, compressed or not, or folders of runs.
/// Of two replies under one key the one that is there stays.
///
/// # Errors
/// [`DistillError::Corpus`] for a file that cannot be read, [`DistillError::Jsonl`] for a log that
/// cannot be written.
pub fn merge(run: &Run<'_>, sources: &[PathBuf]) -> Result<Merged> {
    let log = ReplyLog::open(&run.folder.replies())?;
    let merged = take_over(&log, sources)?;
    log.sync()?;
    Ok(merged)
}

pub(super) fn take_over(log: &ReplyLog, sources: &[PathBuf]) -> Result<Merged> {
    let mut merged = Merged::default();
    for source in sources {
        each_reply(source, |reply| {
            let Some(reply) = reply else {
                merged.damaged += 1;
                return Ok(());
            };
            merged.read += 1;
            merged.added += u64::from(!log.contains(&reply.key));
            Ok(log.append(&reply)?)
        })?;
    }
    Ok(merged)
}

/// Reads a log without its lock; `None` stands for a line that is no reply, such as the last one of
/// a log that is being written.
pub(super) fn each_reply(
    source: &Path,
    mut take: impl FnMut(Option<LoggedReply>) -> Result<()>,
) -> Result<()> {
    let file = match source.is_dir() {
        true => RunFolder::new(source).replies(),
        false => source.to_owned(),
    };
    for reply in jsonl::read_from::<LoggedReply, _>(code_corpus::open(&file)?, &file) {
        match reply {
            Ok(reply) => take(Some(reply))?,
            Err(JsonlError::BadLine(bad)) => {
                tracing::warn!("no reply: {bad}");
                take(None)?;
            }
            Err(error) => return Err(DistillError::from(error)),
        }
    }
    Ok(())
}
