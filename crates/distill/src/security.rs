//! Candidates to scan, and what a scan says.

use std::collections::BTreeMap;
use std::path::Path;

use distill_core::{Language, jsonl};
use evaluation_statistics::{Plan, Verdict};
use security_scan::rates::Paired;
use security_scan::{Candidate, Finding, Log, Manifest, Rates};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::compare::plain;
use crate::{DistillError, Result, RunFolder};

#[derive(Deserialize)]
struct Record {
    id: Value,
    language: Language,
    #[serde(alias = "completion", alias = "answer")]
    code: String,
    #[serde(default, alias = "system", alias = "arm")]
    student: String,
}

/// Reads candidates: JSONL `{id, language, code, student}`, or the folder of a run, whose students'
/// best answers are taken, each way of decoding a student of its own.
///
/// # Errors
/// [`DistillError::Jsonl`]; [`DistillError::Nothing`] for an answer without its problem.
pub fn candidates(path: &Path) -> Result<Vec<Candidate>> {
    if !path.is_dir() {
        let records: Vec<Record> = jsonl::read_all(path)?;
        return Ok(records
            .into_iter()
            .map(|Record { id, language, code, student }| Candidate {
                id: plain(&id),
                language,
                code,
                student,
            })
            .collect());
    }
    let answers = RunFolder::new(path).best_answers()?.into_iter();
    Ok(answers
        .map(|(problem, answer)| Candidate {
            id: answer.problem,
            language: problem.language,
            code: answer.solution.code,
            student: format!("{} ({})", answer.arm, answer.mode),
        })
        .collect())
}

/// What is known of candidates that no analyser has read: how many there are and how many parse, and
/// no count of findings, which somebody would take for none found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NotAnalysed {
    /// Always false.
    pub analysed: bool,
    /// Files written for analysers to read, one a candidate.
    pub files: usize,
    /// Those that parse.
    pub parses: usize,
    /// What to do, in words.
    pub reason: &'static str,
}

impl NotAnalysed {
    /// Of these files.
    pub fn new(manifest: &Manifest) -> NotAnalysed {
        NotAnalysed {
            analysed: false,
            files: manifest.files.len(),
            parses: manifest.files.iter().filter(|file| file.parses).count(),
            reason: "no analyser has read the candidates: give --rules or --sarif",
        }
    }

    /// The same as text for people.
    pub fn text(&self) -> String {
        format!("{} files, {} of them parse; {}\n", self.files, self.parses, self.reason)
    }
}

/// What logs of analysers say, and of whose code.
#[derive(Debug, Clone, Serialize)]
pub struct SecurityReport {
    /// That analysers' logs were read: always true here, see [`NotAnalysed`].
    pub analysed: bool,
    /// Findings.
    pub count: usize,
    /// How many of each rule.
    pub by_rule: BTreeMap<String, usize>,
    /// How many of each severity: critical, high, medium, low.
    pub by_severity: BTreeMap<String, usize>,
    /// How many of each CWE; one finding may have several or `none`.
    pub by_cwe: BTreeMap<String, usize>,
    /// Results that are suppressed, and left out.
    pub suppressed: usize,
    /// Results that are no failures, and left out.
    pub other: usize,
    /// Runs that did not succeed: what they did not find says nothing.
    pub failed_runs: usize,
    /// What the analysers could not do, in their words.
    pub notifications: Vec<String>,
    /// Rates of each student, where the candidates are known.
    pub students: Vec<Rates>,
    /// Every two students, paired by candidate.
    pub paired: Vec<Paired>,
    /// Findings in files of no candidate.
    pub unplaced: usize,
    /// Every finding.
    pub findings: Vec<Finding>,
}

/// Puts logs together; with a manifest the findings are put down to its candidates.
///
/// # Errors
/// [`DistillError::Config`] for a plan that cannot be carried out.
pub fn report(logs: Vec<Log>, manifest: Option<&Manifest>, plan: &Plan) -> Result<SecurityReport> {
    let mut all = Log::default();
    for log in logs {
        all.findings.extend(log.findings);
        all.suppressed += log.suppressed;
        all.other += log.other;
        all.failed_runs += log.failed_runs;
        all.notifications.extend(log.notifications);
    }
    let (mut by_rule, mut by_severity, mut by_cwe) =
        (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for finding in &all.findings {
        *by_rule.entry(finding.rule.clone()).or_default() += 1;
        *by_severity.entry(format!("{:?}", finding.severity).to_lowercase()).or_default() += 1;
        for number in &finding.cwe {
            *by_cwe.entry(format!("CWE-{number}")).or_default() += 1;
        }
        if finding.cwe.is_empty() {
            *by_cwe.entry("none".to_owned()).or_default() += 1;
        }
    }
    let (students, unplaced) =
        manifest.map_or_else(Default::default, |files| security_scan::rates(files, &all.findings));
    let paired = match manifest {
        Some(files) => security_scan::compare(files, &all.findings, plan)
            .map_err(|error| DistillError::Config(error.to_string()))?,
        None => Vec::new(),
    };
    Ok(SecurityReport {
        analysed: true,
        count: all.findings.len(),
        by_rule,
        by_severity,
        by_cwe,
        suppressed: all.suppressed,
        other: all.other,
        failed_runs: all.failed_runs,
        notifications: all.notifications,
        students,
        paired,
        unplaced,
        findings: all.findings,
    })
}

impl SecurityReport {
    /// The report as text for people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for student in &self.students {
            let name = if student.student.is_empty() { "candidates" } else { &student.student };
            text += &format!(
                "{name}: {} candidates, {:.1} % parse [{:.1}, {:.1}]\n  findings per 1,000: {}\n",
                student.candidates,
                student.parse_rate[0] * 100.0,
                student.parse_rate[1] * 100.0,
                student.parse_rate[2] * 100.0,
                rate(&student.findings)
            );
            let [share, low, high] = student.with_findings_per_1000;
            text +=
                &format!("  candidates with findings per 1,000: {share:.1} [{low:.1}, {high:.1}]");
            let [share, low, high] = student.with_findings_per_1000_parsed;
            text += &format!("; of those that parse {share:.1} [{low:.1}, {high:.1}]\n");
            for (what, rates) in [
                ("severity", &student.severities),
                ("CWE", &student.cwes),
                ("rule", &student.rules),
            ] {
                for found in rates.iter().filter(|rate| rate.count > 0) {
                    text += &format!("  {what} {}: {}\n", found.name, rate(found));
                }
            }
        }
        for line in &self.paired {
            let c = &line.comparison;
            let verdict = match line.verdict {
                Verdict::Above => "above",
                Verdict::Below => "below",
                Verdict::CannotTell => "cannot tell",
            };
            text += &format!(
                "{} of {} less {}: {:+.3} [{:+.3}, {:+.3}], p {:.4}, Holm {:.4}, {verdict}, {} candidates\n",
                line.metric,
                line.student_a,
                line.student_b,
                c.difference,
                c.low,
                c.high,
                c.p,
                line.p_holm,
                c.n
            );
        }
        if self.students.is_empty() {
            for (what, counts) in
                [("severity", &self.by_severity), ("CWE", &self.by_cwe), ("rule", &self.by_rule)]
            {
                for (name, count) in counts {
                    text += &format!("{what} {name}: {count}\n");
                }
            }
        }
        text += &format!(
            "{} findings, {} suppressed, {} other results, {} of no candidate\n",
            self.count, self.suppressed, self.other, self.unplaced
        );
        if self.failed_runs + self.notifications.len() > 0 {
            text += &format!(
                "{} runs failed, {} notifications: what was not read was not judged\n",
                self.failed_runs,
                self.notifications.len()
            );
        }
        text += "Findings are warnings of programs, not vulnerabilities; code that does not parse hides \
                 its own.\n";
        text
    }
}

fn rate(rate: &security_scan::rates::Rate) -> String {
    format!("{:.1} [{:.1}, {:.1}] ({})", rate.per_1000, rate.low, rate.high, rate.count)
}
