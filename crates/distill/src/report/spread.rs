//! How the scores of the first answers are spread, and how they go with the length of the reference.

use evaluation_statistics::rank::spearman;

use super::chart::{self, Axis, COLOURS, Frame, drawable, mark};
use super::data::{ReportData, Spread};
use super::page::{Text, named};
use super::words;

/// Points of CodeBLEU in one bar.
const BAR: f64 = 5.0;
/// Groups of problems by length, each of about as many problems.
const GROUPS: usize = 5;
/// At most so many answers are drawn as dots.
const MOST_DOTS: usize = 400;

/// The scores that are numbers, by size.
pub(super) fn scores(spread: &Spread) -> Vec<f64> {
    let mut scores: Vec<f64> =
        spread.answers.iter().filter_map(|answer| answer.cb).filter(|cb| cb.is_finite()).collect();
    scores.sort_by(f64::total_cmp);
    scores
}

/// The least of these values, sorted by size, that at least this share of them does not exceed.
pub(super) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let at = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied()
}

/// Shortest and longest reference of each group of problems, from short to long, all groups of about
/// the same number of problems.
pub(super) fn length_groups(spreads: &[Spread]) -> Vec<(u64, u64)> {
    let Some(first) = spreads.first() else { return Vec::new() };
    let mut lengths: Vec<u64> = first.answers.iter().map(|a| a.reference_tokens).collect();
    lengths.sort_unstable();
    let mut groups: Vec<(u64, u64)> = Vec::new();
    let mut rest = lengths.as_slice();
    for left in (1..=GROUPS).rev() {
        // What is as long as the last of a group belongs to it.
        let Some(&high) = rest.get((rest.len().div_ceil(left)).saturating_sub(1)) else { break };
        let end = rest.partition_point(|length| *length <= high);
        groups.extend(rest.first().map(|low| (*low, high)));
        rest = rest.get(end..).unwrap_or_default();
    }
    groups
}

/// Of the answers whose references are so long: their mean length, their mean score, their number.
pub(super) fn mean_in(spread: &Spread, (low, high): (u64, u64)) -> (Option<f64>, Option<f64>, u64) {
    let (mut lengths, mut sum, mut count) = (0.0, 0.0, 0);
    for answer in &spread.answers {
        if let Some(cb) = answer.cb.filter(drawable)
            && (low..=high).contains(&answer.reference_tokens)
        {
            lengths += answer.reference_tokens as f64;
            sum += cb;
            count += 1;
        }
    }
    let mean = |sum: f64| (count > 0).then(|| sum / count as f64);
    (mean(lengths), mean(sum), count)
}

/// Spearman's rank correlation of score and length of the reference.
pub(super) fn correlation(spread: &Spread) -> Option<f64> {
    let pairs = spread.answers.iter().filter_map(|answer| {
        Some((answer.reference_tokens as f64, answer.cb.filter(|cb| cb.is_finite())?))
    });
    let (lengths, scores): (Vec<f64>, Vec<f64>) = pairs.unzip();
    spearman(&lengths, &scores).ok().filter(|rho| rho.is_finite())
}

/// A small chart for each arm and mode: how many answers have which score. Empty without answers.
pub(super) fn histograms(data: &ReportData) -> String {
    let spreads: Vec<(&Spread, Vec<f64>)> =
        data.spreads.iter().map(|spread| (spread, scores(spread))).collect();
    let shares: Vec<Vec<f64>> = spreads.iter().map(|(_, scores)| bars(scores)).collect();
    let axes = (
        Axis::of([0.0, 100.0].into_iter(), 5),
        Axis::of(shares.iter().flatten().copied().filter(|s| *s > 0.0).chain([0.0]), 4),
    );
    let (Some(x), Some(y), false) = (axes.0, axes.1, spreads.iter().all(|(_, s)| s.is_empty()))
    else {
        return String::new();
    };
    let mut html = String::from("<figure>\n<div class=\"panels small\">\n");
    for ((spread, scores), shares) in spreads.iter().zip(&shares) {
        let median = quantile(scores, 0.5);
        let aside = format!("median {}", words::score(median));
        html += &format!("<div>\n{}", heading(data, spread, &aside));
        html += &histogram(
            data,
            spread,
            scores,
            shares,
            &Frame { width: 320.0, height: 210.0, x: &x, y: &y },
        );
        html += "</div>\n";
    }
    html += "</div>\n<figcaption>How many of the first answers have which CodeBLEU, in bars of five \
             points; the line is the median.</figcaption>\n</figure>\n";
    html
}

/// Per cent of the scores in each bar.
fn bars(scores: &[f64]) -> Vec<f64> {
    let mut counts = vec![0usize; (100.0 / BAR) as usize];
    let last = counts.len() - 1;
    for score in scores {
        // A cast to an integer stops at 0.
        if let Some(count) = counts.get_mut(((score / BAR) as usize).min(last)) {
            *count += 1;
        }
    }
    counts.iter().map(|count| 100.0 * *count as f64 / scores.len().max(1) as f64).collect()
}

fn histogram(
    data: &ReportData,
    spread: &Spread,
    scores: &[f64],
    shares: &[f64],
    frame: &Frame<'_>,
) -> String {
    let title = format!("CodeBLEU of the first answers of {}", name(spread));
    let quartiles = [0.25, 0.5, 0.75].map(|share| words::score(quantile(scores, share)));
    let [low, median, high] = quartiles;
    let description = format!(
        "{}: a quarter has at most {low}, half at most {median}, three quarters at most {high}.",
        words::plural(scores.len() as u64, "answer")
    );
    let mut svg = frame.open(&title, &description, "CodeBLEU", "Per cent of the answers");
    svg += &format!("<g class=\"bars arm-{}\">", arm(data, spread) % COLOURS);
    for (at, share) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
        let [left, right] = [at, at + 1].map(|at| frame.at_x(at as f64 * BAR));
        let (top, foot) = (frame.at_y(*share), frame.at_y(0.0));
        svg += &format!(
            "<path d=\"M{:.1} {foot:.1}V{top:.1}H{:.1}V{foot:.1}z\"/>",
            left + 0.8,
            right - 0.8
        );
    }
    svg += "</g>\n";
    if let Some(median) = quantile(scores, 0.5) {
        let at = frame.at_x(median.clamp(0.0, 100.0));
        let (foot, top) = (frame.at_y(0.0), frame.top());
        svg += &format!("<path class=\"median\" d=\"M{at:.1} {foot:.1}V{top:.1}\"/>\n");
    }
    svg + "</svg>\n"
}

/// A small chart for each arm and mode: score over length, with means. Empty where the lengths do
/// not vary.
pub(super) fn lengths(data: &ReportData) -> String {
    let groups = length_groups(&data.spreads);
    let answers = || data.spreads.iter().flat_map(|spread| &spread.answers);
    let scores = answers().filter_map(|answer| answer.cb).map(|cb| cb.clamp(0.0, 100.0));
    let axes = (
        Axis::of(answers().map(|answer| answer.reference_tokens as f64).chain([0.0]), 5),
        Axis::of(scores.chain([0.0]), 5),
    );
    let (Some(x), Some(y), true) = (axes.0, axes.1, groups.len() > 1) else {
        return String::new();
    };
    let mut html = String::from("<figure>\n<div class=\"panels small\">\n");
    let mut left_out = false;
    for spread in &data.spreads {
        let rho = format!("ρ {}", words::number(correlation(spread), 2));
        html += &format!("<div>\n{}", heading(data, spread, &rho));
        let frame = Frame { width: 320.0, height: 210.0, x: &x, y: &y };
        html += &scatter(data, spread, &groups, &frame);
        html += "</div>\n";
        left_out |= spread.answers.len() > MOST_DOTS;
    }
    html += "</div>\n<figcaption>CodeBLEU of the first answers over the length of the reference. A dot \
             is a problem";
    if left_out {
        html += &format!(", of which {MOST_DOTS} are drawn, evenly chosen");
    }
    html += &format!(
        "; the line joins the means of {} groups of problems of about the same number. ρ is Spearman’s \
         rank correlation.</figcaption>\n</figure>\n",
        groups.len()
    );
    html
}

fn scatter(data: &ReportData, spread: &Spread, groups: &[(u64, u64)], frame: &Frame<'_>) -> String {
    let title = format!("CodeBLEU over the length of the reference, {}", name(spread));
    let means: Vec<(f64, f64)> = groups
        .iter()
        .filter_map(|group| {
            let (length, mean, _) = mean_in(spread, *group);
            Some((length?, mean?))
        })
        .collect();
    let ends: Vec<String> = [means.first(), means.last()]
        .into_iter()
        .flatten()
        .map(|(length, mean)| {
            let length = words::number(Some(*length), 0);
            format!("{} at about {length} tokens", words::score(Some(*mean)))
        })
        .collect();
    let description = format!(
        "Mean {}; Spearman's ρ {}.",
        words::list(&ends),
        words::number(correlation(spread), 2)
    );
    let arm = arm(data, spread);
    let mut svg = frame.open(&title, &description, "Tokens of the reference", "CodeBLEU");
    svg += &format!("<g class=\"dots arm-{}\">", arm % COLOURS);
    let step = spread.answers.len().div_ceil(MOST_DOTS).max(1);
    for answer in spread.answers.iter().step_by(step) {
        if let Some(cb) = answer.cb.filter(drawable) {
            svg += &format!(
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.2\"/>",
                frame.at_x(answer.reference_tokens as f64),
                frame.at_y(cb.clamp(0.0, 100.0))
            );
        }
    }
    let at =
        |(length, mean): &(f64, f64)| (frame.at_x(*length), frame.at_y(mean.clamp(0.0, 100.0)));
    svg += &format!(
        "</g>\n<g class=\"trend arm-{}\"><path class=\"line\" d=\"{}\"/>",
        arm % COLOURS,
        chart::path(means.iter().map(|mean| Some(at(mean))))
    );
    for mean in &means {
        let (x, y) = at(mean);
        svg += &format!("<g class=\"mark\">{}</g>", mark(arm, x, y));
    }
    svg + "</g>\n</svg>\n"
}

fn arm(data: &ReportData, spread: &Spread) -> usize {
    words::arms(data).iter().position(|arm| *arm == spread.arm).unwrap_or(0)
}

fn name(spread: &Spread) -> String {
    words::technique(&spread.arm, spread.mode)
}

fn heading(data: &ReportData, spread: &Spread, aside: &str) -> String {
    let mode = spread.mode.map_or_else(String::new, |mode| format!("{mode}, "));
    format!(
        "<h3>{} <small>{mode}{}</small></h3>\n",
        named(&spread.arm, Some(arm(data, spread))),
        Text(aside)
    )
}

#[cfg(test)]
mod tests {
    use super::super::data::SpreadAnswer;
    use super::*;

    fn spread(lengths: &[u64]) -> Spread {
        let answers = lengths.iter().enumerate().map(|(at, length)| SpreadAnswer {
            cb: Some(at as f64),
            reference_tokens: *length,
            answer_tokens: 1,
        });
        Spread { arm: "a".into(), mode: None, answers: answers.collect() }
    }

    #[test]
    fn quantiles_are_values_that_occur() {
        let sorted = [1.0, 2.0, 3.0, 4.0];
        let at = |share| quantile(&sorted, share).unwrap();
        assert_eq!([0.0, 0.25, 0.26, 0.5, 0.75, 1.0].map(at), [1.0, 1.0, 2.0, 2.0, 3.0, 4.0]);
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn groups_hold_every_length_once_and_about_as_many_problems() {
        let groups = length_groups(&[spread(&(1..=50).collect::<Vec<_>>())]);
        assert_eq!(groups, [(1, 10), (11, 20), (21, 30), (31, 40), (41, 50)]);
        assert_eq!(length_groups(&[spread(&[7; 9])]), [(7, 7)]);
        assert_eq!(length_groups(&[spread(&[3, 1, 2])]), [(1, 1), (2, 2), (3, 3)]);
        assert_eq!(length_groups(&[spread(&[])]), []);
        let ties = spread(&[1, 1, 1, 1, 1, 1, 2, 3]);
        let groups = length_groups(std::slice::from_ref(&ties));
        assert_eq!(groups, [(1, 1), (2, 2), (3, 3)]);
        assert_eq!(groups.iter().map(|group| mean_in(&ties, *group).2).sum::<u64>(), 8);
        assert_eq!(mean_in(&ties, (1, 1)), (Some(1.0), Some(2.5), 6));
    }

    #[test]
    fn bars_hold_all_scores_the_ends_too() {
        let shares = bars(&[0.0, 4.9, 5.0, 100.0, 250.0]);
        assert_eq!((shares.len(), shares[0], shares[1], shares[19]), (20, 40.0, 20.0, 40.0));
        assert_eq!(bars(&[]).iter().sum::<f64>(), 0.0);
    }
}
