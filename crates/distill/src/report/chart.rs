//! Charts as inline SVG that take their colours from the page's style, light or dark.
//!
//! A chart has no colour of its own beyond class names (`arm-0`, …), so that the page's style sheet
//! decides. Arms differ in marker as well as in colour. Every chart has a title and a description for
//! those who cannot see it, and a table beside it.

use std::fmt::Write;

use super::page::Text;
use super::words;

/// Number of colours (and `arm-N` classes) of the style sheet.
pub(crate) const COLOURS: usize = 6;

const LEFT: f64 = 44.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 46.0;
/// Of the range of a scale of quantities, the share that is left free on either side.
const ROOM: f64 = 0.04;

/// A scale with round ticks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
    /// Whether equal ratios, and not equal differences, are equally far apart.
    by_ratio: bool,
}

impl Axis {
    /// The scale that holds all `values` that can be drawn, with about `about` ticks; `None` if
    /// there are none.
    pub(crate) fn of(values: impl Iterator<Item = f64>, about: usize) -> Option<Axis> {
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
        let (low, high) = (from as f64 * step, to as f64 * step);
        Some(Axis { low, high, ticks, by_ratio: false })
    }

    /// A scale with a tick at each of these quantities, by ratio where all are positive and the
    /// largest is four times the smallest or more; `None` for fewer than two that can be drawn.
    pub(crate) fn at(quantities: &[f64]) -> Option<Axis> {
        let mut values: Vec<f64> = quantities.iter().copied().filter(drawable).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let (&low, &high) = (values.first()?, values.last()?);
        if low >= high {
            return None;
        }
        let label = |value: f64| match value.fract() == 0.0 && value >= 0.0 {
            true => words::count(value as u64),
            false => value.to_string(),
        };
        let by_ratio = low > 0.0 && high >= 4.0 * low;
        // A little room on both sides.
        let (low, high) = match by_ratio {
            true => (low / (high / low).powf(ROOM), high * (high / low).powf(ROOM)),
            false => (low - (high - low) * ROOM, high + (high - low) * ROOM),
        };
        let axis = Axis { low, high, ticks: Vec::new(), by_ratio };
        // Labels that would touch are left out, the last one stays.
        let mut ticks: Vec<(f64, String)> = Vec::new();
        for &value in values.iter().rev() {
            let at = axis.place(value, 0.0, 1.0);
            if ticks.last().is_none_or(|(next, _)| axis.place(*next, 0.0, 1.0) - at > 0.12) {
                ticks.push((value, label(value)));
            }
        }
        Some(Axis { ticks, ..axis })
    }

    /// Where a value stands between `from` and `to`.
    pub(crate) fn place(&self, value: f64, from: f64, to: f64) -> f64 {
        let share = match self.by_ratio {
            true => (value / self.low).ln() / (self.high / self.low).ln(),
            false => (value - self.low) / (self.high - self.low),
        };
        from + share * (to - from)
    }

    /// The ticks and their labels.
    pub(crate) fn ticks(&self) -> &[(f64, String)] {
        &self.ticks
    }
}

/// Whether a value can be drawn: a number of a size that pictures have.
pub(crate) fn drawable(value: &f64) -> bool {
    value.is_finite() && value.abs() <= 1e9
}

/// A chart's area and scales.
pub(crate) struct Frame<'a> {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) x: &'a Axis,
    pub(crate) y: &'a Axis,
}

impl Frame<'_> {
    pub(crate) fn at_x(&self, value: f64) -> f64 {
        self.x.place(value, LEFT, self.width - RIGHT)
    }

    pub(crate) fn at_y(&self, value: f64) -> f64 {
        self.y.place(value, self.height - BOTTOM, TOP)
    }

    /// The upper end of the area.
    pub(crate) fn top(&self) -> f64 {
        TOP
    }

    /// The chart up to its content: grid, axes, their labels. `title` and `description` tell it to
    /// those who cannot see it.
    pub(crate) fn open(
        &self,
        title: &str,
        description: &str,
        x_label: &str,
        y_label: &str,
    ) -> String {
        let (left, right, foot) = (LEFT, self.width - RIGHT, self.height - BOTTOM);
        let mut svg = format!(
            "<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n\
             <desc>{}</desc>\n",
            self.width,
            self.height,
            Text(title),
            Text(description)
        );
        // Writing to a String cannot fail.
        for (value, label) in &self.y.ticks {
            let at = self.at_y(*value);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{left} {at:.1}H{right}\"/>\
                 <text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
                left - 7.0,
                at + 4.0
            );
        }
        for (value, label) in &self.x.ticks {
            let at = self.at_x(*value);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{at:.1} {TOP}V{foot}\"/>\
                 <path class=\"axis\" d=\"M{at:.1} {foot}v5\"/>\
                 <text class=\"x\" x=\"{at:.1}\" y=\"{:.1}\">{label}</text>",
                foot + 19.0
            );
        }
        let _ = writeln!(
            svg,
            "<path class=\"axis\" d=\"M{left} {TOP}V{foot}H{right}\"/>\n\
             <text class=\"label\" x=\"4\" y=\"16\">{}</text>\n\
             <text class=\"x label\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            Text(y_label),
            (left + right) / 2.0,
            self.height - 6.0,
            Text(x_label)
        );
        svg
    }
}

/// The line through these points; one that cannot be drawn leaves a gap.
pub(crate) fn path(points: impl Iterator<Item = Option<(f64, f64)>>) -> String {
    let mut path = String::new();
    let mut is_gap = true;
    for point in points {
        let Some((x, y)) = point else {
            is_gap = true;
            continue;
        };
        let letter = if is_gap { 'M' } else { 'L' };
        let _ = write!(path, "{letter}{x:.1} {y:.1}");
        is_gap = false;
    }
    path
}

/// What a line looks like, for a legend.
pub(crate) fn swatch(arm: usize, kind: &str, is_marked: bool) -> String {
    let mark = if is_marked { mark(arm, 16.0, 7.0) } else { String::new() };
    format!(
        "<svg class=\"swatch\" viewBox=\"0 0 32 14\" aria-hidden=\"true\"><g class=\"{kind} arm-{}\">\
         <path class=\"line\" d=\"M1 7H31\"/><g class=\"mark\">{mark}</g></g></svg>",
        arm % COLOURS
    )
}

/// The marker of an arm.
pub(crate) fn mark(arm: usize, x: f64, y: f64) -> String {
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
        assert_eq!(Axis::at(&[3.0, f64::NAN, 3.0]), None);
    }

    #[test]
    fn quantities_are_ticks_by_ratio_where_they_grow_by_ratio() {
        let axis = Axis::at(&[1600.0, 100.0, 400.0, 100.0]).unwrap();
        let labels: Vec<&str> = axis.ticks().iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["1,600", "400", "100"]);
        assert!((axis.place(400.0, 0.0, 1.0) - 0.5).abs() < 1e-12);
        let axis = Axis::at(&[0.0, 0.5, 1.0]).unwrap();
        assert_eq!(axis.place(0.5, 0.0, 1.0), 0.5);
        assert_eq!(axis.ticks()[1].1, "0.5");
        // 10 and 11 would stand on each other.
        assert_eq!(Axis::at(&[10.0, 11.0, 1000.0]).unwrap().ticks().len(), 2);
    }
}
