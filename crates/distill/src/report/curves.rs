//! The losses of all students while training, a chart for each task.

use super::chart::{self, Axis, COLOURS, Frame, drawable, mark};
use super::data::{Curve, ReportData};
use super::page::Text;
use super::words::{self, LossOf};

/// A training curve with more points is shown as means of this many groups.
const MOST_POINTS: usize = 240;
/// Beyond this many, single points are not marked.
const MOST_MARKS: usize = 48;

/// One line of a chart.
struct Series<'a> {
    name: &'a str,
    /// Which arm: its colour and marker.
    arm: usize,
    /// A validation curve is solid and marked, a training curve dashed.
    is_validation: bool,
    /// Step and loss, by rising step. A value that cannot be drawn leaves a gap.
    points: Vec<(u64, f64)>,
    /// The step to be ringed.
    kept_step: Option<u64>,
}

impl Series<'_> {
    fn kind(&self) -> &'static str {
        if self.is_validation { "validation" } else { "training" }
    }

    fn drawn(&self) -> impl Iterator<Item = &(u64, f64)> {
        self.points.iter().filter(|(_, loss)| drawable(loss))
    }

    /// Where the line starts and ends, in words.
    fn words(&self) -> Option<String> {
        let (first, last) = (self.drawn().next()?, self.drawn().last()?);
        let [from, to] = [first, last].map(|(_, loss)| words::number(Some(*loss), 3));
        let [start, end] = [first, last].map(|(step, _)| words::count(*step));
        let kind = self.kind();
        Some(format!("{}, {kind}: {from} at step {start}, {to} at step {end}.", self.name))
    }
}

/// The charts of both tasks with their legend; empty if there is nothing to draw.
pub(super) fn figure(data: &ReportData) -> String {
    let tasks: [(&str, LossOf); 2] =
        [("Pseudocode", |losses| losses.pseudocode), ("Code", |losses| losses.code)];
    let arms = words::arms(data);
    let panels: Vec<(&str, Vec<Series<'_>>)> = tasks
        .into_iter()
        .map(|(title, of)| (title, series(data, &arms, of)))
        .filter(|(_, series)| !series.is_empty())
        .collect();
    let points = || panels.iter().flat_map(|(_, s)| s).flat_map(|line| line.points.iter());
    let drawn = || points().filter(|(_, loss)| loss.is_finite());
    // One scale for both tasks, so that the panels compare.
    let axes = (
        Axis::of(drawn().map(|(step, _)| *step as f64), 5),
        Axis::of(drawn().map(|(_, loss)| *loss), 5),
    );
    let (Some(x), Some(y)) = axes else { return String::new() };

    let mut html = String::from("<figure>\n<ul class=\"legend\">\n");
    let has = |arm: usize, is_validation: bool| {
        let mut lines = panels.iter().flat_map(|(_, series)| series);
        lines.any(|line| line.arm == arm && line.is_validation == is_validation)
    };
    for (at, arm) in arms.iter().enumerate() {
        for (is_validation, kind) in [(true, "validation"), (false, "training")] {
            if has(at, is_validation) {
                let swatch = chart::swatch(at, kind, is_validation);
                html += &format!("<li>{swatch}{}, {kind}</li>\n", Text(arm));
            }
        }
    }
    let kept = |curve: &Curve| curve.points.iter().any(|p| Some(p.step) == curve.kept_step);
    if data.curves.iter().any(kept) {
        html += &format!(
            "<li><svg class=\"swatch\" viewBox=\"0 0 32 14\" aria-hidden=\"true\">\
             <g class=\"mark\">{}</g></svg>kept weights</li>\n",
            ring(16.0, 7.0)
        );
    }
    html += "</ul>\n<div class=\"panels\">\n";
    for (title, series) in &panels {
        let label = format!("Loss of the task {} over the steps of training", title.to_lowercase());
        html += &format!("<div>\n<h3>{title}</h3>\n{}</div>\n", panel(&label, series, &x, &y));
    }
    html += "</div>\n";
    html += &format!("<figcaption>{}</figcaption>\n</figure>\n", Text(&caption(data)));
    html
}

fn caption(data: &ReportData) -> String {
    let mut caption = String::from(
        "Training and validation loss of both tasks, as the paper's Figure 3; step 0 is the \
         untrained student.",
    );
    let spans: Vec<(&str, String)> = data
        .curves
        .iter()
        .filter_map(|curve| {
            let last = curve.points.last()?;
            let epochs = words::number(Some(last.epoch?), 1);
            Some((
                curve.arm.as_str(),
                format!("{} steps are {epochs} epochs.", words::count(last.step)),
            ))
        })
        .collect();
    let is_one = spans.windows(2).all(|pair| pair[0].1 == pair[1].1);
    match spans.first() {
        Some((_, span)) if is_one => caption += &format!(" {span}"),
        _ => spans.iter().for_each(|(arm, span)| caption += &format!(" {arm}: {span}")),
    }
    let is_thinned = |curve: &Curve| {
        let of =
            |of: LossOf| curve.points.iter().filter(|point| of(&point.train).is_some()).count();
        of(|losses| losses.pseudocode).max(of(|losses| losses.code)) > MOST_POINTS
    };
    if data.curves.iter().any(is_thinned) {
        caption += " Long training curves are drawn as means of neighbouring points.";
    }
    caption
}

/// The lines of one task: each arm's training loss below its validation loss.
fn series<'a>(data: &'a ReportData, arms: &[&str], of: LossOf) -> Vec<Series<'a>> {
    let mut lines = Vec::new();
    for is_validation in [false, true] {
        for curve in &data.curves {
            let points: Vec<(u64, f64)> = curve
                .points
                .iter()
                .filter_map(|point| {
                    let losses = if is_validation { &point.valid } else { &point.train };
                    Some((point.step, of(losses)?))
                })
                .collect();
            if points.iter().any(|(_, loss)| loss.is_finite()) {
                lines.push(Series {
                    name: &curve.arm,
                    arm: arms.iter().position(|arm| *arm == curve.arm).unwrap_or(0),
                    is_validation,
                    points: if is_validation { points } else { thinned(&points) },
                    kept_step: curve.kept_step,
                });
            }
        }
    }
    lines
}

/// Means of at most [`MOST_POINTS`] groups of neighbours, each at its last step; values that cannot
/// be drawn are left out of their group's mean.
fn thinned(points: &[(u64, f64)]) -> Vec<(u64, f64)> {
    let size = points.len().div_ceil(MOST_POINTS).max(1);
    let mean = |group: &[(u64, f64)]| {
        let drawn = || group.iter().map(|(_, value)| *value).filter(drawable);
        // 0 / 0, where nothing can be drawn, is the gap it should be.
        let mean = drawn().sum::<f64>() / drawn().count() as f64;
        group.last().map(|(step, _)| (*step, mean))
    };
    points.chunks(size).filter_map(mean).collect()
}

/// One chart: loss over steps.
fn panel(title: &str, series: &[Series<'_>], x: &Axis, y: &Axis) -> String {
    let frame = Frame { width: 460.0, height: 300.0, x, y };
    let description: Vec<String> = series.iter().filter_map(Series::words).collect();
    let mut svg =
        frame.open(title, &description.join(" "), "Optimiser steps", "Loss, nats per token");
    for line in series {
        let kind = line.kind();
        svg += &format!("<g class=\"{kind} arm-{}\">", line.arm % COLOURS);
        let points = line.points.iter().map(|(step, loss)| {
            drawable(loss).then(|| (frame.at_x(*step as f64), frame.at_y(*loss)))
        });
        svg += &format!("<path class=\"line\" d=\"{}\"/>", chart::path(points));
        let marks_all = line.is_validation && line.drawn().count() <= MOST_MARKS;
        for (step, loss) in line.drawn() {
            let is_kept = line.is_validation && line.kept_step == Some(*step);
            if !(marks_all || is_kept) {
                continue;
            }
            let (x, y) = (frame.at_x(*step as f64), frame.at_y(*loss));
            svg += &format!(
                "<g class=\"mark\"><title>{}, {kind}: {} at step {}{}</title>{}{}</g>",
                Text(line.name),
                words::number(Some(*loss), 3),
                words::count(*step),
                if is_kept { " (kept)" } else { "" },
                mark(line.arm, x, y),
                if is_kept { ring(x, y) } else { String::new() },
            );
        }
        svg += "</g>\n";
    }
    svg + "</svg>\n"
}

fn ring(x: f64, y: f64) -> String {
    format!("<circle class=\"kept\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6\"/>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_mean_and_the_end() {
        let points: Vec<(u64, f64)> = (1..=1000).map(|step| (step, step as f64)).collect();
        let thin = thinned(&points);
        assert!(thin.len() <= MOST_POINTS);
        assert_eq!(thin[0], (5, 3.0));
        assert_eq!(thin.last(), Some(&(1000, 998.0)));
        assert_eq!(thinned(&points[..9]), &points[..9]);
        assert!(thinned(&[(1, f64::NAN)])[0].1.is_nan());
    }

    #[test]
    fn a_gap_breaks_the_line_and_the_ends_are_told_in_words() {
        let points = vec![(0, 3.0), (1, f64::NAN), (2, 2.0), (3, 1.0)];
        let axis = Axis::of(points.iter().map(|(_, loss)| *loss), 3).unwrap();
        let line = Series { name: "a", arm: 0, is_validation: true, points, kept_step: Some(3) };
        let svg = panel("t", &[line], &axis, &axis);
        let path = svg.split("class=\"line\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(path.matches('M').count(), 2);
        assert_eq!(path.matches('L').count(), 1);
        assert_eq!(svg.matches("class=\"kept\"").count(), 1);
        assert!(svg.contains("<desc>a, validation: 3.000 at step 0, 1.000 at step 3.</desc>"));
        assert!(!svg.contains("NaN"));
    }
}
