//! Batch files: the requests that the log lacks go out, results come in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use distill_core::Teacher;
use teacher_prompt::{
    BatchCounts, BatchOptions, BatchRequests, BatchResults, Cached, Form, ReplyLog, Teaching,
};

use super::ask::check;
use super::merge;
use super::problems::Asked;
use crate::{Result, Run};

/// What [`batch_requests`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchWritten {
    /// The files, in order.
    pub files: Vec<PathBuf>,
    /// Requests in them.
    pub requests: usize,
    /// Requests that the log answers already.
    pub logged: u64,
}

/// Writes the requests that the log does not answer as files for a batch into `folder`. With
/// `plan_then_implement` those for the code follow once the plans are in.
///
/// # Errors
/// As [`teach`](super::teach), and where the folder holds request files already.
pub fn batch_requests(run: &Run<'_>, folder: &Path) -> Result<BatchWritten> {
    let options = BatchOptions {
        url: match run.config.teacher.form {
            Form::Chat => "/v1/chat/completions".into(),
            Form::Completion => "/v1/completions".into(),
        },
        ..BatchOptions::default()
    };
    let teacher = Cached::new(BatchRequests::create(folder, options)?, open_log(run)?);
    ask(run, &teacher)?;
    Ok(BatchWritten {
        files: teacher.inner().finish()?,
        requests: teacher.inner().written(),
        logged: teacher.counts().logged,
    })
}

/// Logs the replies of a batch's result and error files; [`teach`](super::teach) then makes lessons of
/// them and asks for what the batch did not answer.
///
/// # Errors
/// As [`teach`](super::teach), and where a file cannot be read.
pub fn batch_results(run: &Run<'_>, files: &[PathBuf]) -> Result<BatchCounts> {
    let results = BatchResults::open(run.config.teacher.model()?, files.to_vec())?;
    let teacher = Cached::new(results, open_log(run)?);
    ask(run, &teacher)?;
    teacher.log().sync()?;
    Ok(teacher.inner().counts())
}

fn open_log(run: &Run<'_>) -> Result<Arc<ReplyLog>> {
    run.require("batch", run.folder.corpus_statistics(), "mine")?;
    let log = Arc::new(ReplyLog::open(&run.folder.replies())?);
    merge::take_over(&log, &run.config.teacher.replies)?;
    Ok(log)
}

/// Has a teacher asked everything that [`teach`](super::teach) would ask. What it answers is in its log.
fn ask(run: &Run<'_>, teacher: &dyn Teacher) -> Result<()> {
    let config = &run.config.teacher;
    let prompts = config.prompts(run.config.seed)?;
    let asked = Asked::new(run)?;
    for sample in 0..config.samples {
        let mut teaching = Teaching::new(prompts.clone().sample_index(sample));
        teaching.cancel = run.stop.clone();
        let failed = std::cell::RefCell::new(None);
        let problems = asked.until_error(&failed);
        let summary = teaching.run_blocking(problems, teacher, &mut |_| Ok(()))?;
        if let Some(error) = failed.into_inner() {
            return Err(error);
        }
        check(&summary)?;
    }
    Ok(())
}
