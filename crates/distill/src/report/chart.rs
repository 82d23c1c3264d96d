//! Line charts as inline SVG that takes its colours from the page's style, light or dark.
//!
//! A chart has no text or colour of its own beyond class names (`arm-0`, …), so that the page's
//! style sheet decides. Arms differ in marker as well as in colour.

use std::fmt::Write;

use super::words;

/// Number of colours (and `arm-N` classes) of the style sheet.
pub(super) const COLOURS: usize = 6;
/// A training curve with more points is shown as means of this many groups.
pub(super) const MOST_POINTS: usize = 240;
/// Beyond this many, single points are not marked.
const MOST_MARKS: usize = 48;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 46.0;

/// One line of a chart.
pub(super) struct Series<'a> {
    pub(super) name: &'a str,
    /// Which arm: its colour and marker.
    pub(super) arm: usize,
    /// A validation curve is solid and marked, a training curve dashed.
    pub(super) is_validation: bool,
    /// Step and loss, by rising step. A value that cannot be drawn leaves a gap.
    pub(super) points: Vec<(u64, f64)>,
    /// The step to be ringed.
    pub(super) kept_step: Option<u64>,
}

/// A scale with round ticks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// The scale that holds all `values` that can be drawn, with about `about` ticks; `None` if
    /// there are none.
    pub(super) fn of(values: impl Iterator<Item = f64>, about: usize) -> Option<Axis> {
        let (low, high) = values.filter(drawable).fold(None, |range, value| match range {
            None => Some((value, value)),
            Some((low, high)) => Some((f64::min(low, value), f64::max(high, value))),
        })?;
        let span = match high - low {
            span if span > 1e-9 => span,
            _ => (low.abs() * 0.2).max(1.0),
        };
        let rough = span / about.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|unit| unit * power)
            .into_iter()
            .find(|step| *step >= rough * 0.999)
            .unwrap_or(10.0 * power);
        let decimals = (-step.log10() - 1e-9).ceil().clamp(0.0, 12.0) as usize;
        let from = (low / step + 1e-9).floor() as i64;
        let to = ((high / step - 1e-9).ceil() as i64).max(from + 1);
        let tick = |at: i64| {
            let value = at as f64 * step;
            let label = match decimals {
                0 if value >= 0.0 => words::count(value.round() as u64),
                _ => words::number(Some(value), decimals),
            };
            (value, label)
        };
        let ticks: Vec<_> = (from..=to).map(tick).collect();
        Some(Axis { low: from as f64 * step, high: to as f64 * step, ticks })
    }

    fn place(&self, value: f64, from: f64, to: f64) -> f64 {
        from + (value - self.low) / (self.high - self.low) * (to - from)
    }
}

fn drawable(value: &f64) -> bool {
    value.is_finite() && value.abs() <= 1e9
}

/// Means of at most [`MOST_POINTS`] groups of neighbours, each at its last step; values that cannot
/// be drawn are left out of their group's mean.
pub(super) fn thinned(points: &[(u64, f64)]) -> Vec<(u64, f64)> {
    let size = points.len().div_ceil(MOST_POINTS).max(1);
    let mean = |group: &[(u64, f64)]| {
        let drawn = || group.iter().map(|(_, value)| *value).filter(drawable);
        // 0 / 0, where nothing can be drawn, is the gap it should be.
        let mean = drawn().sum::<f64>() / drawn().count() as f64;
        group.last().map(|(step, _)| (*step, mean))
    };
    points.chunks(size).filter_map(mean).collect()
}

/// One chart: loss over steps. `title` names it to those who cannot see it.
pub(super) fn panel(title: &str, series: &[Series<'_>], x: &Axis, y: &Axis) -> String {
    let at_x = |step: u64| x.place(step as f64, LEFT, WIDTH - RIGHT);
    let at_y = |loss: f64| y.place(loss, HEIGHT - BOTTOM, TOP);
    let mut svg = String::new();
    // Writing to a String cannot fail.
    let mut draw = |part: std::fmt::Arguments<'_>| {
        let _ = svg.write_fmt(part);
    };
    draw(format_args!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
        super::html::Text(title)
    ));
    let (left, right, foot) = (LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM);
    for (value, label) in &y.ticks {
        let at = at_y(*value);
        draw(format_args!(
            "<path class=\"grid\" d=\"M{left} {at:.1}H{right}\"/>\
             <text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>\n",
            left - 7.0,
            at + 4.0
        ));
    }
    for (value, label) in &x.ticks {
        let at = x.place(*value, left, right);
        draw(format_args!(
            "<path class=\"grid\" d=\"M{at:.1} {TOP}V{foot}\"/>\
             <path class=\"axis\" d=\"M{at:.1} {foot}v5\"/>\
             <text class=\"x\" x=\"{at:.1}\" y=\"{:.1}\">{label}</text>\n",
            foot + 19.0
        ));
    }
    draw(format_args!(
        "<path class=\"axis\" d=\"M{left} {TOP}V{foot}H{right}\"/>\n\
         <text class=\"label\" x=\"4\" y=\"16\">Loss, nats per token</text>\n\
         <text class=\"x label\" x=\"{:.1}\" y=\"{:.1}\">Optimiser steps</text>\n",
        (left + right) / 2.0,
        HEIGHT - 6.0
    ));
    for line in series {
        let kind = if line.is_validation { "validation" } else { "training" };
        draw(format_args!("<g class=\"{kind} arm-{}\">", line.arm % COLOURS));
        draw(format_args!("<title>{}, {kind}</title>", super::html::Text(line.name)));
        let mut path = String::new();
        let mut is_gap = true;
        for (step, loss) in &line.points {
            if !drawable(loss) {
                is_gap = true;
                continue;
            }
            let letter = if is_gap { 'M' } else { 'L' };
            let _ = write!(path, "{letter}{:.1} {:.1}", at_x(*step), at_y(*loss));
            is_gap = false;
        }
        draw(format_args!("<path class=\"line\" d=\"{path}\"/>"));
        let drawn = || line.points.iter().filter(|(_, loss)| drawable(loss));
        let marks_all = line.is_validation && drawn().count() <= MOST_MARKS;
        for (step, loss) in drawn() {
            let is_kept = line.is_validation && line.kept_step == Some(*step);
            if !(marks_all || is_kept) {
                continue;
            }
            let (x, y) = (at_x(*step), at_y(*loss));
            draw(format_args!(
                "<g class=\"mark\"><title>{}, {kind}: {} at step {}{}</title>{}{}</g>",
                super::html::Text(line.name),
                words::number(Some(*loss), 3),
                words::count(*step),
                if is_kept { " (kept)" } else { "" },
                mark(line.arm, x, y),
                if is_kept { ring(x, y) } else { String::new() },
            ));
        }
        draw(format_args!("</g>\n"));
    }
    svg.push_str("</svg>\n");
    svg
}

/// What a line looks like, for the legend.
pub(super) fn swatch(arm: usize, is_validation: bool) -> String {
    let (kind, mark) = match is_validation {
        true => ("validation", mark(arm, 16.0, 7.0)),
        false => ("training", String::new()),
    };
    format!(
        "<svg class=\"swatch\" viewBox=\"0 0 32 14\" aria-hidden=\"true\"><g class=\"{kind} arm-{}\">\
         <path class=\"line\" d=\"M1 7H31\"/><g class=\"mark\">{mark}</g></g></svg>",
        arm % COLOURS
    )
}

/// The ring around what was kept, for the legend.
pub(super) fn kept_swatch() -> String {
    format!(
        "<svg class=\"swatch\" viewBox=\"0 0 32 14\" aria-hidden=\"true\"><g class=\"mark\">{}</g></svg>",
        ring(16.0, 7.0)
    )
}

fn ring(x: f64, y: f64) -> String {
    format!("<circle class=\"kept\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6\"/>")
}

fn mark(arm: usize, x: f64, y: f64) -> String {
    match arm % 4 {
        0 => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>"),
        1 => format!("<path d=\"M{:.1} {:.1}h5.4v5.4h-5.4z\"/>", x - 2.7, y - 2.7),
        2 => format!("<path d=\"M{x:.1} {:.1}l3.6 3.6l-3.6 3.6l-3.6 -3.6z\"/>", y - 3.6),
        _ => format!("<path d=\"M{x:.1} {:.1}l3.7 6.2h-7.4z\"/>", y - 3.9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], about: usize) -> Vec<String> {
        let axis = Axis::of(values.iter().copied(), about).unwrap();
        axis.ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_and_hold_all_values() {
        assert_eq!(labels(&[2.3, 8.9], 5), ["2", "4", "6", "8", "10"]);
        assert_eq!(labels(&[0.0, 2400.0], 5), ["0", "500", "1,000", "1,500", "2,000", "2,500"]);
        assert_eq!(labels(&[0.1, 0.3], 4), ["0.10", "0.15", "0.20", "0.25", "0.30"]);
        assert_eq!(labels(&[-1.0, 1.0], 2), ["−1", "0", "1"]);
        assert_eq!(labels(&[5.0], 4), ["5.0", "5.5"]);
    }

    #[test]
    fn what_cannot_be_drawn_makes_no_axis() {
        assert_eq!(Axis::of([f64::NAN, f64::INFINITY, 1e300].into_iter(), 5), None);
        let wild = [f64::NAN, -1e9, 1e9, f64::NEG_INFINITY, 1e-300];
        assert!(Axis::of(wild.into_iter(), 5).unwrap().ticks.len() < 12);
        for tiny in [5e-324, 1e-12] {
            assert!(Axis::of([0.0, tiny].into_iter(), 5).unwrap().ticks.len() < 12);
        }
    }

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
    fn a_gap_breaks_the_line() {
        let points = vec![(0, 3.0), (1, f64::NAN), (2, 2.0), (3, 1.0)];
        let axis = Axis::of(points.iter().map(|(_, loss)| *loss), 3).unwrap();
        let line = Series { name: "a", arm: 0, is_validation: true, points, kept_step: Some(3) };
        let svg = panel("t", &[line], &axis, &axis);
        let path = svg.split("class=\"line\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(path.matches('M').count(), 2);
        assert_eq!(path.matches('L').count(), 1);
        assert_eq!(svg.matches("class=\"kept\"").count(), 1);
        assert!(!svg.contains("NaN"));
    }
}
