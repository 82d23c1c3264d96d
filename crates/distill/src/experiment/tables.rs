//! Tables of an experiment, from its results alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use distill_core::{Language, Mode, jsonl};
use evaluation_statistics::{Comparison, Interval, Plan, Sum, Verdict, compare, holm, interval};
use serde::Serialize;

use super::results::{CellCost, ResultLine, Results, figures};
use crate::error::io;
use crate::stages::ScoreRecord;
use crate::{DistillError, Result};

/// The figures of the tables of means, by their names in the results: Top-1 as they are, Top-5 with
/// `_5`.
pub(super) const FIGURES: [(&str, &str); 11] = [
    ("tm", "TM"),
    ("sm", "SM"),
    ("dm", "DM"),
    ("km", "KM"),
    ("cb", "CB"),
    ("exact", "exact"),
    ("tested", "pass"),
    ("parses", "parses"),
    ("k4black_cb", "CB k4black"),
    ("fixed_cb", "CB fixed"),
    ("fixed_dm", "DM fixed"),
];

/// The figures that are compared.
pub(super) const COMPARED: [&str; 4] = ["exact", "tested", "tm", "cb"];

/// The arms that the others are compared with: `plain`, and others that begin so.
const BASELINE: &str = "plain";

/// A figure's name and its mean with an interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Its name in the results.
    pub name: String,
    /// Mean over problems and seeds, with a 95 % interval over problems; from 0 to 1.
    #[serde(flatten)]
    pub interval: Interval,
}

/// The means of one system: a combination of values, trained with every seed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mean {
    /// The values by their axes; `mode` is one.
    pub system: BTreeMap<String, String>,
    /// Restricted to this language, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Problems.
    pub problems: usize,
    /// Seeds.
    pub seeds: usize,
    /// The figures that the results have.
    pub figures: Vec<Figure>,
}

/// The difference of two systems in one figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contrast {
    /// The values that both systems share.
    pub shared: BTreeMap<String, String>,
    /// What is special about A.
    pub a_name: String,
    /// What is special about B.
    pub b_name: String,
    /// The figure's name in the results.
    pub figure: String,
    /// The difference, its interval and p.
    #[serde(flatten)]
    pub found: Comparison,
    /// p corrected after Holm for the whole table.
    pub p_holm: f64,
    /// What both together say.
    pub verdict: Verdict,
}

/// Everything that an experiment's report shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tables {
    /// The experiment's name.
    pub name: String,
    /// How intervals and p were computed.
    pub resamples: u32,
    /// Over all languages.
    pub means: Vec<Mean>,
    /// By language, where there are several.
    pub languages: Vec<Mean>,
    /// Pairs of systems.
    pub contrasts: Vec<Contrast>,
    /// What the cells took, where it is known.
    pub costs: Vec<CellCost>,
}

/// A system's lines: by seed, by problem.
type Cells<'a> = BTreeMap<u64, BTreeMap<&'a str, &'a ResultLine>>;

struct System<'a> {
    values: BTreeMap<String, String>,
    cells: Cells<'a>,
}

impl Tables {
    /// Makes the tables of these results.
    ///
    /// # Errors
    /// [`DistillError::Nothing`] without results, [`DistillError::Config`] where a problem occurs
    /// twice in a cell or the plan cannot be carried out.
    pub fn new(name: &str, results: &Results, costs: Vec<CellCost>, plan: &Plan) -> Result<Tables> {
        let systems = systems(results)?;
        let mut means = Vec::new();
        for system in &systems {
            means.push(mean(system, None, plan)?);
        }
        let all: BTreeSet<String> =
            results.lines.iter().map(|line| line.language.to_string()).collect();
        let mut languages = Vec::new();
        for language in all.iter().filter(|_| all.len() > 1) {
            for system in &systems {
                languages.push(mean(system, Some(language), plan)?);
            }
        }
        let contrasts = contrasts(&systems, plan)?;
        Ok(Tables {
            name: name.to_owned(),
            resamples: plan.resamples,
            means,
            languages,
            contrasts,
            costs,
        })
    }
}

fn systems(results: &Results) -> Result<Vec<System<'_>>> {
    let mut systems: Vec<System<'_>> = Vec::new();
    for line in &results.lines {
        let text = |(axis, value): (&String, &serde_json::Value)| {
            value.as_str().map(|value| (axis.clone(), value.to_owned()))
        };
        let values: BTreeMap<String, String> = line.fields.iter().filter_map(text).collect();
        let at = match systems.iter().rposition(|system| system.values == values) {
            Some(at) => at,
            None => {
                systems.push(System { values, cells: BTreeMap::new() });
                systems.len() - 1
            }
        };
        let cell = systems[at].cells.entry(line.seed).or_default();
        if cell.insert(&line.id, line).is_some() {
            return Err(DistillError::Config(format!(
                "problem {} occurs twice with seed {} in {:?}",
                line.id, line.seed, systems[at].values
            )));
        }
    }
    if systems.is_empty() {
        return Err(DistillError::Nothing("no results to make tables of".into()));
    }
    Ok(systems)
}

/// A figure's value and 1, or twice 0 where it has none.
fn part(line: &ResultLine, figure: &str) -> [f64; 2] {
    match line.fields.get(figure).and_then(serde_json::Value::as_f64) {
        Some(value) => [value, 1.0],
        None => [0.0, 0.0],
    }
}

/// Of a fixed size, so that a resample adds up memory that lies side by side.
fn parts<const N: usize>(line: &ResultLine, figures: [&str; N]) -> [[f64; 2]; N] {
    figures.map(|figure| part(line, figure))
}

fn ratios(sum: &[[f64; 2]]) -> Vec<f64> {
    sum.iter().map(|[value, count]| value / count).collect()
}

/// Whether a line of the system has this figure.
fn has(system: &System<'_>, figure: &str) -> bool {
    let line = system.cells.values().flat_map(BTreeMap::values).next();
    line.is_some_and(|line| line.fields.contains_key(figure))
}

fn mean(system: &System<'_>, language: Option<&String>, plan: &Plan) -> Result<Mean> {
    const NAMES: usize = 2 * FIGURES.len();
    let of_five = FIGURES.map(|(name, _)| format!("{name}_5"));
    let names: [&str; NAMES] = std::array::from_fn(|at| match at % 2 {
        0 => FIGURES[at / 2].0,
        _ => of_five[at / 2].as_str(),
    });
    // What a problem contributes: the sum over the seeds.
    let mut items: BTreeMap<&str, [[f64; 2]; NAMES]> = BTreeMap::new();
    for (id, line) in system.cells.values().flatten() {
        if language.is_some_and(|language| line.language.name() != language) {
            continue;
        }
        items.entry(id).or_insert([[0.0; 2]; NAMES]).add(&parts(line, names));
    }
    let problems = items.len();
    let items: Vec<[[f64; 2]; NAMES]> = items.into_values().collect();
    let found = match items.is_empty() {
        true => Vec::new(),
        false => interval(&items, |sum| ratios(sum), plan).map_err(statistics)?,
    };
    let figures = names.into_iter().zip(found).filter(|(name, _)| has(system, name));
    Ok(Mean {
        system: system.values.clone(),
        language: language.cloned(),
        problems,
        seeds: system.cells.len(),
        figures: figures
            .map(|(name, interval)| Figure { name: name.to_owned(), interval })
            .collect(),
    })
}

fn statistics(error: evaluation_statistics::StatisticsError) -> DistillError {
    DistillError::Config(error.to_string())
}

/// The systems that differ in nothing but arm and mode, pair by pair; and along every other axis that
/// is no quantity, each value with the first.
fn contrasts(systems: &[System<'_>], plan: &Plan) -> Result<Vec<Contrast>> {
    let mut pairs: Vec<(&System<'_>, &System<'_>, Vec<&str>)> = Vec::new();
    let of = |system: &System<'_>, axis: &str| system.values.get(axis).cloned().unwrap_or_default();
    let without = |system: &System<'_>, axes: &[&str]| {
        let mut values = system.values.clone();
        values.retain(|axis, _| !axes.contains(&axis.as_str()));
        values
    };
    let arm = ["arm", "mode"];
    for (at, a) in systems.iter().enumerate() {
        for (other, b) in systems.iter().enumerate() {
            if at == other || without(a, &arm) != without(b, &arm) {
                continue;
            }
            let ((a_arm, a_mode), (b_arm, b_mode)) =
                ((of(a, "arm"), of(a, "mode")), (of(b, "arm"), of(b, "mode")));
            let wanted = (b_arm.starts_with(BASELINE)
                && b_mode == "direct"
                && (!a_arm.starts_with(BASELINE) || b_arm == BASELINE))
                || (a_arm == b_arm && a_mode == "chained" && b_mode == "direct")
                || (a_arm == "distilled" && b_arm.starts_with("random") && a_mode == b_mode);
            if wanted {
                pairs.push((a, b, arm.to_vec()));
            }
        }
    }
    let axes: BTreeSet<&String> = systems.iter().flat_map(|system| system.values.keys()).collect();
    for axis in axes.into_iter().filter(|axis| !arm.contains(&axis.as_str())) {
        let quantity = systems.iter().all(|system| of(system, axis).parse::<f64>().is_ok());
        if quantity {
            continue;
        }
        for (at, a) in systems.iter().enumerate() {
            let alike = |b: &&System<'_>| without(a, &[axis]) == without(b, &[axis]);
            if let Some(b) = systems[..at].iter().find(alike) {
                pairs.push((a, b, vec![axis]));
            }
        }
    }
    let mut contrasts = Vec::new();
    for (a, b, axes) in pairs {
        let shared = without(a, &axes);
        let name = |system: &System<'_>| {
            // Arm and mode have no column of their own: along another axis they belong to the name.
            let others = axes.iter().filter(|axis| !arm.contains(axis));
            let values = others.chain(&arm).map(|axis| of(system, axis));
            values.filter(|value| !value.is_empty()).collect::<Vec<_>>().join(" ")
        };
        let (a_name, b_name) = (name(a), name(b));
        for (figure, found) in differences(a, b, plan)? {
            contrasts.push(Contrast {
                shared: shared.clone(),
                a_name: a_name.clone(),
                b_name: b_name.clone(),
                figure,
                p_holm: found.p,
                verdict: Verdict::CannotTell,
                found,
            });
        }
    }
    let corrected = holm(&contrasts.iter().map(|contrast| contrast.found.p).collect::<Vec<_>>());
    for (contrast, p) in contrasts.iter_mut().zip(corrected) {
        contrast.p_holm = p;
        contrast.verdict = contrast.found.verdict(p);
    }
    Ok(contrasts)
}

/// The differences between the students of one run, each arm in each mode.
///
/// # Errors
/// [`DistillError::Config`] where the plan cannot be carried out.
pub(crate) fn contrasts_of_run(scores: &[ScoreRecord], plan: &Plan) -> Result<Vec<Contrast>> {
    let mut ranked: BTreeMap<(&str, Mode, &str), Vec<&ScoreRecord>> = BTreeMap::new();
    for score in scores {
        ranked.entry((&score.arm, score.mode, &score.problem)).or_default().push(score);
    }
    let mut results = Results::default();
    for ((arm, mode, id), mut ranked) in ranked {
        ranked.sort_by_key(|score| score.rank);
        let mut fields = figures(&ranked);
        fields.insert("arm".into(), arm.into());
        fields.insert("mode".into(), mode.name().into());
        // One training, and the language is not looked at.
        let (seed, language) = (0, Language::Python);
        results.lines.push(ResultLine { id: id.into(), language, seed, fields });
    }
    match results.lines.is_empty() {
        true => Ok(Vec::new()),
        false => contrasts(&systems(&results)?, plan),
    }
}

/// A less B in every figure that is compared, on the seeds and problems that both have.
fn differences(a: &System<'_>, b: &System<'_>, plan: &Plan) -> Result<Vec<(String, Comparison)>> {
    let seeds: Vec<u64> =
        a.cells.keys().filter(|seed| b.cells.contains_key(seed)).copied().collect();
    let everywhere = |id: &&str| {
        seeds.iter().all(|seed| a.cells[seed].contains_key(*id) && b.cells[seed].contains_key(*id))
    };
    let Some(first) = seeds.first() else { return Ok(Vec::new()) };
    let ids: Vec<&str> = a.cells[first].keys().copied().filter(everywhere).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let cells = |system: &System<'_>| -> Vec<Vec<[[f64; 2]; COMPARED.len()]>> {
        let seed = |seed: &u64| {
            ids.iter().map(|id| parts(system.cells[seed][id], COMPARED)).collect::<Vec<_>>()
        };
        seeds.iter().map(seed).collect()
    };
    let (one, two) = (cells(a), cells(b));
    let [one, two] = [&one, &two].map(|cells| cells.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let found = compare(&one, &two, |sum| ratios(sum), plan).map_err(statistics)?;
    let figures = COMPARED.into_iter().zip(found).filter(|(figure, _)| has(a, figure));
    Ok(figures.map(|(figure, found)| (figure.to_owned(), found)).collect())
}

// ---- as files

/// The names of the files.
const FILES: [&str; 3] = ["tables.md", "tables.html", "tables.json"];

impl Tables {
    /// Writes `tables.md`, `tables.html` and `tables.json` into `folder`.
    ///
    /// # Errors
    /// [`DistillError::Jsonl`].
    pub fn write(&self, folder: &Path) -> Result<()> {
        for (name, text) in FILES.into_iter().zip(self.texts()?) {
            jsonl::write_atomic(&folder.join(name), |file| file.write_all(text.as_bytes()))?;
        }
        Ok(())
    }

    /// Fails unless the files in `folder` say exactly what these tables say.
    ///
    /// # Errors
    /// [`DistillError::Config`] with the first line that differs; [`DistillError::Io`].
    pub fn check(&self, folder: &Path) -> Result<()> {
        for (name, text) in FILES.into_iter().zip(self.texts()?) {
            let path = folder.join(name);
            let there = fs::read_to_string(&path).map_err(io("read", &path))?;
            if there == text {
                continue;
            }
            let mut lines = there.lines().zip(text.lines()).zip(1..);
            let (line, one, two) = lines
                .find(|((one, two), _)| one != two)
                .map_or((0, "", ""), |((one, two), line)| (line, one, two));
            return Err(DistillError::Config(format!(
                "{}:{line}: the raw scores give another table:\n  there: {one}\n  now:   {two}",
                path.display()
            )));
        }
        Ok(())
    }

    fn texts(&self) -> Result<[String; 3]> {
        let json = serde_json::to_string_pretty(self)
            .map_err(|error| DistillError::Config(format!("tables have no JSON form: {error}")))?;
        Ok([self.markdown(), self.html(), json + "\n"])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// 40 problems, three seeds: `distilled` solves more than `plain`, `random_shuffle` as many.
    fn results() -> Results {
        let mut lines = Vec::new();
        for seed in 1..=3u64 {
            for (arm, mode, every) in [
                ("plain", "direct", 4),
                ("distilled", "direct", 2),
                ("distilled", "chained", 2),
                ("random_shuffle", "direct", 4),
            ] {
                for at in 0..40u64 {
                    let right = f64::from(u8::from((at + seed) % every == 0));
                    let fields = json!({"arm": arm, "mode": mode, "lessons": "100", "exact": right,
                        "exact_5": 1.0, "cb": 0.5, "cb_5": 0.5, "dm": null});
                    lines.push(ResultLine {
                        id: format!("p{at}"),
                        language: if at % 2 == 0 { Language::Python } else { Language::Java },
                        seed,
                        fields: fields.as_object().unwrap().clone(),
                    });
                }
            }
        }
        Results { lines }
    }

    fn tables() -> Tables {
        let plan = Plan { resamples: 500, ..Plan::default() };
        Tables::new("x", &results(), Vec::new(), &plan).unwrap()
    }

    #[test]
    fn a_difference_that_is_there_is_told_and_one_that_is_not_is_not() {
        let tables = tables();
        let found = |a: &str, b: &str| {
            let found = tables.contrasts.iter().find(|contrast| {
                (contrast.a_name.as_str(), contrast.b_name.as_str(), contrast.figure.as_str())
                    == (a, b, "exact")
            });
            found.map(|contrast| (contrast.verdict, contrast.found.difference))
        };
        let (verdict, difference) = found("distilled direct", "plain direct").unwrap();
        assert_eq!((verdict, difference), (Verdict::Above, 0.25));
        let (verdict, _) = found("random_shuffle direct", "plain direct").unwrap();
        assert_eq!(verdict, Verdict::CannotTell);
        assert!(found("distilled chained", "plain direct").is_some());
        assert!(found("distilled chained", "distilled direct").is_some());
        assert!(found("distilled direct", "random_shuffle direct").is_some());
        assert!(found("plain direct", "distilled direct").is_none());
        assert_eq!(tables.contrasts.len(), 5 * 2);
        assert_eq!((tables.means.len(), tables.languages.len()), (4, 8));
        assert_eq!((tables.means[0].problems, tables.means[0].seeds), (40, 3));
    }

    #[test]
    fn the_tables_hold_what_differs_and_the_papers_rows() {
        let text = tables().markdown();
        assert!(text.contains("| arm | mode | DM | CB | exact |"), "{text}");
        assert!(text.contains("| plain | direct | – | 50.0 ± 0.0 | 25.0 ± "), "{text}");
        assert!(text.contains("| python | plain | direct |"));
        assert!(text.contains("| CodeT5 | random-distill | random | 8.0 |"));
        assert!(text.contains("| distilled direct | plain direct | exact | +25.0 ["));
    }

    #[test]
    fn the_page_draws_means_and_differences_and_holds_the_same_tables() {
        let tables = tables();
        let page = tables.html();
        // Exact and CB are compared: a dot for each of four systems and five pairs.
        assert_eq!(page.matches("<circle cx=\"").count() - 3, 2 * (4 + 5), "three in the legend");
        assert!(page.contains("distilled direct <small>less</small> plain direct</span>"));
        assert_eq!(page.matches("<svg class=\"strip above told\"").count(), 3);
        assert!(page.contains("<td class=\"n\">25.0 <small>± "), "{page}");
        for (at, line) in
            tables.markdown().lines().filter(|line| line.starts_with("| ")).enumerate()
        {
            for cell in line.split('|').map(str::trim).filter(|cell| !cell.starts_with("---")) {
                let cell = cell.split(" ± ").next().unwrap().replace('&', "&amp;");
                assert!(page.contains(&cell.replace('"', "&quot;")), "line {at}: {cell}");
            }
        }
        for outside in ["<script", "<link", "<img", "url(", "src=", "http://", "https://", "NaN"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(!page.contains("<h3>By "), "one number of lessons is no axis");
    }

    #[test]
    fn means_are_drawn_over_an_axis_of_quantities() {
        let mut results = results();
        let mut more = results.lines.clone();
        for line in &mut more {
            line.fields.insert("lessons".into(), "800".into());
        }
        results.lines.extend(more);
        let plan = Plan { resamples: 50, ..Plan::default() };
        let page = Tables::new("x", &results, Vec::new(), &plan).unwrap().html();
        assert!(page.contains("<h3>By lessons</h3>"));
        assert_eq!(page.matches("<svg class=\"chart\"").count(), 2);
        assert!(page.contains("<desc>plain direct: 25.0 at 100, 25.0 at 800."), "{page}");
        assert!(page.contains("aria-label=\"Exact match over lessons\""));
    }

    #[test]
    fn hostile_names_are_shown_and_never_obeyed() {
        let mut results = results();
        for line in &mut results.lines {
            let arm = line.fields["arm"].as_str().unwrap().replace("distilled", "</ul><script>a|b");
            line.fields.insert("arm".into(), arm.into());
        }
        let plan = Plan { resamples: 50, ..Plan::default() };
        let tables = Tables::new("<b>", &results, Vec::new(), &plan).unwrap();
        let page = tables.html();
        assert!(!page.contains("<script") && !page.contains("<b>"));
        assert!(page.contains("&lt;/ul&gt;&lt;script&gt;a|b"));
    }

    #[test]
    fn a_problem_that_occurs_twice_is_an_error() {
        let mut results = results();
        results.lines.push(results.lines[0].clone());
        let error = Tables::new("x", &results, Vec::new(), &Plan::default()).unwrap_err();
        assert!(error.to_string().contains("problem p0 occurs twice"));
    }
}
