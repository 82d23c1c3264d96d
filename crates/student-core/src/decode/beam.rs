//! Beam search with the semantics of transformers.

use std::cell::Cell;

use tch::{Kind, Tensor};

use super::scores::{adjust, likeliest};
use super::session::Session;
use super::{DecodeOptions, EarlyStopping, Hypothesis, normaliser, not_numbers};
use crate::{Decodable, Result};

/// Added to what must not be chosen, as in transformers: far below every real score, and finite.
const NEVER: f32 = -1e9;

/// An unfinished text.
#[derive(Clone)]
struct Running {
    /// The start token first.
    tokens: Vec<i64>,
    total: f32,
}

struct Finished {
    tokens: Vec<i64>,
    total: f32,
    score: f32,
}

/// A next token for a beam.
#[derive(Clone, Copy)]
struct Candidate {
    total: f32,
    beam: usize,
    token: i64,
    ends: bool,
}

/// The search for one source.
struct Search {
    running: Vec<Running>,
    /// Best first, at most as many as beams.
    finished: Vec<Finished>,
    done: bool,
}

pub(super) fn decode<M: Decodable>(
    model: &M,
    source: &Tensor,
    mask: &Tensor,
    options: &DecodeOptions,
    written: &Cell<usize>,
) -> Result<Vec<Vec<Hypothesis>>> {
    let beams = options.beams;
    let vocabulary = model.vocabulary();
    // Enough that `beams` of them go on even if every beam's likeliest tokens end it.
    let pool = beams * (1 + options.end_tokens.len()).max(2);
    let top = pool.min(vocabulary);
    let mut session = Session::new(model, source, mask, beams)?;
    let start = model.start_token();
    let mut searches: Vec<Search> =
        (0..session.live.len()).map(|_| Search::new(start, beams)).collect();
    for length in 1..=options.max_new {
        written.set(length - 1);
        let texts = |live: &[usize]| -> Vec<&[i64]> {
            live.iter()
                .flat_map(|&at| searches[at].running.iter().map(|beam| beam.tokens.as_slice()))
                .collect()
        };
        let texts = texts(&session.live);
        let last: Vec<i64> = texts.iter().map(|text| *text.last().unwrap_or(&start)).collect();
        let scores = session.step(&last)?.f_log_softmax(-1, Kind::Float)?;
        let scores = adjust(&scores, texts.into_iter(), options)?;
        let (best, tokens) = likeliest(&scores, top)?;
        let mut parents: Vec<i64> = Vec::with_capacity(session.live.len() * beams);
        for (place, &at) in session.live.iter().enumerate() {
            let rows = place * beams * top..(place + 1) * beams * top;
            let first = (place * beams) as i64;
            if searches[at].done {
                parents.extend(first..first + beams as i64);
                continue;
            }
            let candidates = searches[at].candidates(
                &best[rows.clone()],
                &tokens[rows],
                (top, pool),
                options,
                length,
            )?;
            let chosen = searches[at].advance(&candidates, options, length);
            parents.extend(chosen.iter().map(|&beam| first + beam as i64));
        }
        if searches.iter().all(|search| search.done) {
            break;
        }
        session.reorder(&parents)?;
        session.drop_done(|at| searches[at].done)?;
    }
    Ok(searches.into_iter().map(|search| search.best(options.n_best)).collect())
}

impl Search {
    fn new(start: i64, beams: usize) -> Search {
        // All beams are equal at first: the others wait until the first one has branched.
        let running = (0..beams)
            .map(|beam| Running { tokens: vec![start], total: if beam == 0 { 0.0 } else { NEVER } })
            .collect();
        Search { running, finished: Vec::new(), done: false }
    }

    /// The best continuations over all beams, best first.
    fn candidates(
        &self,
        best: &[f32],
        tokens: &[i64],
        (top, pool): (usize, usize),
        options: &DecodeOptions,
        length: usize,
    ) -> Result<Vec<Candidate>> {
        let mut all: Vec<Candidate> = Vec::with_capacity(best.len());
        for (index, (&score, &token)) in best.iter().zip(tokens).enumerate() {
            let beam = index / top;
            let total = score + self.running[beam].total;
            if total.is_nan() {
                return Err(not_numbers());
            }
            let ends = length == options.max_new || options.end_tokens.contains(&token);
            all.push(Candidate { total, beam, token, ends });
        }
        all.sort_by(|a, b| {
            b.total.total_cmp(&a.total).then(a.beam.cmp(&b.beam)).then(a.token.cmp(&b.token))
        });
        all.truncate(pool);
        Ok(all)
    }

    /// Takes one step: `candidates` are of texts `length` tokens long. Returns the beam that every
    /// new one descends from.
    fn advance(
        &mut self,
        candidates: &[Candidate],
        options: &DecodeOptions,
        length: usize,
    ) -> Vec<usize> {
        let beams = options.beams;
        // Only those among the best `beams` may finish: an ending further down is dropped.
        let normal = normaliser(length, options.length_penalty);
        for candidate in candidates.iter().take(beams).filter(|candidate| candidate.ends) {
            let tokens = self.extended(candidate);
            let score = candidate.total / normal;
            self.finished.push(Finished { tokens, total: candidate.total, score });
        }
        // Stable: of equal scores the older stays ahead.
        self.finished.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.finished.truncate(beams);

        let mut next: Vec<(f32, Candidate)> = candidates
            .iter()
            .map(|&candidate| {
                (candidate.total + if candidate.ends { NEVER } else { 0.0 }, candidate)
            })
            .collect();
        next.sort_by(|a, b| b.0.total_cmp(&a.0));
        next.truncate(beams);
        let mut running: Vec<Running> = next
            .iter()
            .map(|(total, candidate)| Running { tokens: self.extended(candidate), total: *total })
            .collect();
        let mut parents: Vec<usize> = next.iter().map(|(_, candidate)| candidate.beam).collect();
        // A vocabulary smaller than the beams: repeat a beam that can never be chosen.
        while running.len() < beams {
            let (Some(beam), Some(&parent)) = (running.last().cloned(), parents.last()) else {
                break;
            };
            running.push(Running { total: NEVER, ..beam });
            parents.push(parent);
        }
        self.running = running;

        let full = self.finished.len() == beams;
        let worst = self.finished.last().map_or(NEVER, |finished| finished.score);
        let reach = match options.early_stopping {
            EarlyStopping::Never if options.length_penalty > 0.0 => options.max_new,
            _ => length,
        };
        let best = self.running.first().map_or(NEVER, |beam| beam.total);
        let improvable = !full || best / normaliser(reach, options.length_penalty) > worst;
        let stop = full && options.early_stopping == EarlyStopping::Always;
        self.done = !improvable || stop || length == options.max_new;
        parents
    }

    fn extended(&self, candidate: &Candidate) -> Vec<i64> {
        let text = &self.running[candidate.beam].tokens;
        let mut tokens = Vec::with_capacity(text.len() + 1);
        tokens.extend_from_slice(text);
        tokens.push(candidate.token);
        tokens
    }

    fn best(self, n: usize) -> Vec<Hypothesis> {
        self.finished
            .into_iter()
            // What descends from a beam that was only waiting is no text.
            .filter(|finished| finished.total > NEVER / 2.0)
            .take(n)
            .map(|finished| Hypothesis {
                tokens: finished.tokens[1..].to_vec(),
                score: f64::from(finished.score),
                log_probability: f64::from(finished.total),
            })
            .collect()
    }
}
