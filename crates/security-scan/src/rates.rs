//! How many warnings there are per 1,000 candidates, and whether one student has more.

use std::collections::{BTreeMap, BTreeSet};

use evaluation_statistics::rate::{poisson, wilson};
use evaluation_statistics::{Comparison, Plan, StatisticsError, Verdict, holm};
use serde::Serialize;

use crate::folder::Manifest;
use crate::sarif::{Finding, Severity};

/// Of how many candidates the rates are.
const PER: f64 = 1000.0;

/// What was found in one student's candidates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rates {
    /// Who wrote them.
    pub student: String,
    /// Candidates.
    pub candidates: usize,
    /// Those that parse. Findings in the others may be hidden.
    pub parses: usize,
    /// Their share of all, with Wilson's 95 % interval.
    pub parse_rate: [f64; 3],
    /// Candidates with one finding or more.
    pub with_findings: usize,
    /// Those per 1,000 candidates, with Wilson's 95 % interval.
    pub with_findings_per_1000: [f64; 3],
    /// The same, of candidates that parse.
    pub with_findings_per_1000_parsed: [f64; 3],
    /// Findings per 1,000 candidates, with the exact Poisson 95 % interval.
    pub findings: Rate,
    /// By rule, the most frequent first.
    pub rules: Vec<Rate>,
    /// By severity, the gravest first.
    pub severities: Vec<Rate>,
    /// By CWE; a finding of several counts for each, one of none under `none`.
    pub cwes: Vec<Rate>,
}

/// Findings of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rate {
    /// The rule, the severity or the CWE.
    pub name: String,
    /// Findings.
    pub count: u64,
    /// Findings per 1,000 candidates.
    pub per_1000: f64,
    /// Lower end of the exact Poisson 95 % interval, which takes findings for independent.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Rates of every student in the manifest, and how many findings are in none of its files.
pub fn rates(manifest: &Manifest, findings: &[Finding]) -> (Vec<Rates>, usize) {
    let lookup = manifest.lookup();
    let mut strangers = 0;
    let mut of_student: BTreeMap<&str, Vec<(usize, &Finding)>> = BTreeMap::new();
    for finding in findings {
        match lookup(&finding.path) {
            Some(at) => {
                of_student.entry(&manifest.files[at].student).or_default().push((at, finding));
            }
            None => strangers += 1,
        }
    }
    let students: BTreeSet<&str> =
        manifest.files.iter().map(|file| file.student.as_str()).collect();
    let rates = students.into_iter().map(|student| {
        let own = of_student.remove(student).unwrap_or_default();
        of_one(manifest, student, &own)
    });
    (rates.collect(), strangers)
}

fn of_one(manifest: &Manifest, student: &str, findings: &[(usize, &Finding)]) -> Rates {
    let files = || manifest.files.iter().filter(|file| file.student == student);
    let (candidates, parses) = (files().count(), files().filter(|file| file.parses).count());
    let hit: BTreeSet<usize> = findings.iter().map(|(at, _)| *at).collect();
    let hit_parsed = hit.iter().filter(|&&at| manifest.files[at].parses).count();
    let rate = |name: String, count: u64| {
        let (low, high) = poisson(count, 0.95);
        let scale = PER / candidates.max(1) as f64;
        Rate { name, count, per_1000: count as f64 * scale, low: low * scale, high: high * scale }
    };
    let share = |hits: usize, of: usize, scale: f64| {
        let (low, high) = wilson(hits as u64, of as u64, 0.95);
        [hits as f64 / of.max(1) as f64 * scale, low * scale, high * scale]
    };
    let by = |names: &dyn Fn(&Finding) -> Vec<String>| -> Vec<Rate> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (_, finding) in findings {
            names(finding).into_iter().for_each(|name| *counts.entry(name).or_default() += 1);
        }
        let mut rates: Vec<Rate> =
            counts.into_iter().map(|(name, count)| rate(name, count)).collect();
        rates.sort_by_key(|rate| std::cmp::Reverse(rate.count));
        rates
    };
    let severities = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low];
    Rates {
        student: student.to_owned(),
        candidates,
        parses,
        parse_rate: share(parses, candidates, 1.0),
        with_findings: hit.len(),
        with_findings_per_1000: share(hit.len(), candidates, PER),
        with_findings_per_1000_parsed: share(hit_parsed, parses, PER),
        findings: rate("all".into(), findings.len() as u64),
        rules: by(&|finding| vec![finding.rule.clone()]),
        severities: severities
            .into_iter()
            .map(|severity| {
                let count = findings.iter().filter(|(_, f)| f.severity == severity).count();
                rate(format!("{severity:?}").to_lowercase(), count as u64)
            })
            .collect(),
        cwes: by(&|finding| match finding.cwe.is_empty() {
            true => vec!["none".into()],
            false => finding.cwe.iter().map(|number| format!("CWE-{number}")).collect(),
        }),
    }
}

/// Two students on the candidates that both have, by id.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Paired {
    /// What is compared: `findings_per_1000`, `with_findings_per_1000` or `parse_rate`.
    pub metric: &'static str,
    /// One student.
    pub student_a: String,
    /// The other.
    pub student_b: String,
    /// Figures, difference, interval and p.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// `p` corrected after Holm for all lines here.
    pub p_holm: f64,
    /// What the difference says.
    pub verdict: Verdict,
}

/// Compares every two students, paired by candidate id: those that only one of them has are left out.
///
/// # Errors
/// Those of [`evaluation_statistics::compare`].
pub fn compare(
    manifest: &Manifest,
    findings: &[Finding],
    plan: &Plan,
) -> Result<Vec<Paired>, StatisticsError> {
    let lookup = manifest.lookup();
    let mut counts = vec![0.0_f64; manifest.files.len()];
    for at in findings.iter().filter_map(|finding| lookup(&finding.path)) {
        counts[at] += 1.0;
    }
    let mut of_student: BTreeMap<&str, BTreeMap<&str, [f64; 4]>> = BTreeMap::new();
    for (file, count) in manifest.files.iter().zip(&counts) {
        let item = [*count, count.min(1.0), f64::from(u8::from(file.parses)), 1.0];
        of_student.entry(&file.student).or_default().insert(&file.id, item);
    }
    let students: Vec<_> = of_student.iter().collect();
    let mut lines = Vec::new();
    for (at, (one, of_one)) in students.iter().enumerate() {
        for (two, of_two) in &students[at + 1..] {
            let both = of_one.iter().filter_map(|(id, a)| Some((*a, *of_two.get(id)?)));
            let (a, b): (Vec<[f64; 4]>, Vec<[f64; 4]>) = both.unzip();
            if a.is_empty() {
                continue;
            }
            let figures = |sum: &[f64; 4]| {
                let n = sum[3];
                vec![sum[0] / n * PER, sum[1] / n * PER, sum[2] / n]
            };
            let found = evaluation_statistics::compare(&[&a], &[&b], figures, plan)?;
            let names = ["findings_per_1000", "with_findings_per_1000", "parse_rate"];
            lines.extend(names.into_iter().zip(found).map(|(metric, comparison)| Paired {
                metric,
                student_a: (**one).to_owned(),
                student_b: (**two).to_owned(),
                comparison,
                p_holm: f64::NAN,
                verdict: Verdict::CannotTell,
            }));
        }
    }
    let corrected = holm(&lines.iter().map(|line| line.comparison.p).collect::<Vec<_>>());
    for (line, p) in lines.iter_mut().zip(corrected) {
        line.p_holm = p;
        line.verdict = line.comparison.verdict(p);
    }
    Ok(lines)
}
