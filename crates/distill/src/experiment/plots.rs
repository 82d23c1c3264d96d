//! The charts of an experiment: means and differences with their intervals.

use std::collections::BTreeMap;

use evaluation_statistics::Interval;

use super::page::{difference_words, figure_name, verdict_words};
use super::tables::{COMPARED, Contrast, Mean, Tables};
use crate::report::chart::{self, Axis, COLOURS, Frame, drawable, mark};
use crate::report::dots::{self, Dot};
use crate::report::page::{Text, named};
use crate::report::words;

/// How far apart the intervals of several lines stand, in units of a chart.
const APART: f64 = 2.5;

/// The means of every system in the figures that are compared.
pub(super) fn means(tables: &Tables) -> String {
    let panels = COMPARED.iter().map(|figure| {
        let dots = tables.means.iter().filter_map(|mean| {
            let Interval { value, low, high } = interval(mean, figure)?;
            Some(Dot {
                name: system_name(tables, mean),
                value,
                low,
                high,
                class: format!("arm-{} told", arm(tables, mean) % COLOURS),
                words: format!("{value:.1} ± {:.1}", (high - low) / 2.0),
                verdict: String::new(),
            })
        });
        dots::list(
            &format!("{}, best answer, per cent", figure_name(figure)),
            &dots.collect::<Vec<_>>(),
            None,
        )
    });
    dots::figure(
        panels.collect(),
        "",
        "Means of the best answers with their 95 % intervals over problems. Whether two differ is \
         told by the section on differences, not by whether their intervals overlap.",
    )
}

/// The differences, figure by figure: a forest plot.
pub(super) fn differences(tables: &Tables) -> String {
    let panels = COMPARED.iter().map(|figure| {
        let dots = tables.contrasts.iter().filter(|contrast| contrast.figure == *figure);
        let dots = dots.filter_map(|contrast| {
            let found = &contrast.found;
            let [value, low, high] =
                [found.difference, found.low, found.high].map(|share| 100.0 * share);
            [value, low, high].iter().all(drawable).then(|| Dot {
                name: contrast_name(tables, contrast),
                value,
                low,
                high,
                class: dots::class(contrast.verdict).into(),
                words: difference_words(found),
                verdict: verdict_words(contrast.verdict, found),
            })
        });
        dots::list(
            &format!("{}, A less B in points", figure_name(figure)),
            &dots.collect::<Vec<_>>(),
            Some(0.0),
        )
    });
    dots::figure(
        panels.collect(),
        &dots::legend(),
        "Differences with their 95 % intervals over problems and seeds; the line is no difference. A \
         verdict takes Holm's p as well as the interval.",
    )
}

/// The means over every axis whose values are all numbers, a chart for each figure and each combination
/// of the other axes but arm and mode.
pub(super) fn quantities(tables: &Tables) -> String {
    let mut html = String::new();
    for axis in tables.columns() {
        let values: Vec<f64> =
            tables.means.iter().filter_map(|mean| quantity(mean, axis)).collect();
        // A teacher has no such value: it learns from no lessons.
        let known = tables.means.iter().filter(|mean| mean.system.contains_key(axis)).count();
        if let (true, Some(x)) = (values.len() == known, Axis::at(&values)) {
            html += &over(tables, axis, &x);
        }
    }
    html
}

fn quantity(mean: &Mean, axis: &str) -> Option<f64> {
    mean.system.get(axis)?.parse().ok().filter(drawable)
}

fn over(tables: &Tables, axis: &str, x: &Axis) -> String {
    let others: Vec<&str> = tables
        .columns()
        .into_iter()
        .filter(|column| *column != axis && !matches!(*column, "arm" | "mode"))
        .collect();
    // By the values of the other axes, then by arm and mode.
    let mut groups: BTreeMap<String, BTreeMap<(usize, &str), Vec<&Mean>>> = BTreeMap::new();
    for mean in tables.means.iter().filter(|mean| quantity(mean, axis).is_some()) {
        let other = others.iter().filter_map(|other| mean.system.get(*other)).cloned();
        let mode = mean.system.get("mode").map_or("", String::as_str);
        let lines = groups.entry(other.collect::<Vec<_>>().join(" ")).or_default();
        lines.entry((arm(tables, mean), mode)).or_default().push(mean);
    }
    let mut panels = String::new();
    for (other, lines) in &mut groups {
        lines.values_mut().for_each(|means| {
            means.sort_by(|one, two| {
                let [one, two] = [one, two].map(|mean| quantity(mean, axis).unwrap_or(f64::NAN));
                one.total_cmp(&two)
            });
        });
        for figure in COMPARED {
            panels += &panel(tables, (axis, x), other, figure, lines);
        }
    }
    if panels.is_empty() {
        return String::new();
    }
    let mut legend = String::from("<ul class=\"legend\">\n");
    let mut lines: Vec<&(usize, &str)> = groups.values().flat_map(BTreeMap::keys).collect();
    lines.sort();
    lines.dedup();
    for &&(arm, mode) in &lines {
        let name = tables.arms().get(arm).copied().unwrap_or_default();
        let swatch = chart::swatch(arm, kind(mode), true);
        legend += &format!("<li>{swatch}{} {}</li>\n", Text(name), Text(mode));
    }
    format!(
        "<figure>\n<h3>By {}</h3>\n{legend}</ul>\n<div class=\"panels\">\n{panels}</div>\n\
         <figcaption>Means of the best answers over {}, with their 95 % intervals over \
         problems.</figcaption>\n</figure>\n",
        Text(axis),
        Text(axis)
    )
}

/// One figure over a quantity; `lines` by arm and mode.
fn panel(
    tables: &Tables,
    (axis, x): (&str, &Axis),
    other: &str,
    figure: &str,
    lines: &BTreeMap<(usize, &str), Vec<&Mean>>,
) -> String {
    let points = |means: &[&Mean]| -> Vec<(f64, Interval)> {
        let point = |mean: &&Mean| Some((quantity(mean, axis)?, interval(mean, figure)?));
        means.iter().filter_map(point).collect()
    };
    let all: Vec<(f64, Interval)> = lines.values().flat_map(|means| points(means)).collect();
    let ends = all.iter().flat_map(|(_, interval)| [interval.low, interval.high]);
    let Some(y) = Axis::of(ends, 5) else { return String::new() };
    let frame = Frame { width: 460.0, height: 300.0, x, y: &y };
    let name = match other {
        "" => figure_name(figure).to_owned(),
        other => format!("{}, {other}", figure_name(figure)),
    };
    let mut described = Vec::new();
    let mut drawn = String::new();
    for (at, (&(arm, mode), means)) in lines.iter().enumerate() {
        let points = points(means);
        // Beside each other, so that no interval hides another.
        let aside = APART * (at as f64 - (lines.len() - 1) as f64 / 2.0);
        let arm_name = tables.arms().get(arm).copied().unwrap_or_default().to_owned();
        let told = points.iter().map(|(at, mean)| format!("{:.1} at {at}", mean.value));
        described.push(format!("{arm_name} {mode}: {}.", told.collect::<Vec<_>>().join(", ")));
        let at = |(quantity, mean): &(f64, Interval)| {
            (frame.at_x(*quantity) + aside, frame.at_y(mean.value))
        };
        drawn += &format!(
            "<g class=\"{} arm-{}\"><path class=\"line\" d=\"{}\"/>",
            kind(mode),
            arm % COLOURS,
            chart::path(points.iter().map(|point| Some(at(point))))
        );
        for point in &points {
            let (x, y) = at(point);
            let Interval { value, low, high } = point.1;
            drawn += &format!(
                "<path class=\"whisker\" d=\"M{x:.1} {:.1}V{:.1}\"/><g class=\"mark\"><title>{} {}: \
                 {value:.1} [{low:.1}, {high:.1}]</title>{}</g>",
                frame.at_y(low),
                frame.at_y(high),
                Text(&arm_name),
                Text(mode),
                mark(arm, x, y)
            );
        }
        drawn += "</g>\n";
    }
    let label = format!("{name} over {axis}");
    format!(
        "<div>\n<h4>{}</h4>\n{}{drawn}</svg>\n</div>\n",
        Text(&name),
        frame.open(&label, &described.join(" "), axis, "Per cent")
    )
}

/// How a mode's line is drawn.
fn kind(mode: &str) -> &'static str {
    match mode {
        "chained" => "training",
        _ => "validation",
    }
}

/// A mean in per cent, where it can be drawn.
fn interval(mean: &Mean, figure: &str) -> Option<Interval> {
    let Interval { value, low, high } =
        mean.figures.iter().find(|found| found.name == figure)?.interval;
    let [value, low, high] = [value, low, high].map(|share| 100.0 * share);
    [value, low, high].iter().all(drawable).then_some(Interval { value, low, high })
}

fn arm(tables: &Tables, mean: &Mean) -> usize {
    let name = mean.system.get("arm").map(String::as_str);
    tables.arms().iter().position(|arm| Some(*arm) == name).unwrap_or(0)
}

/// What tells a system from the others, as HTML: its arm in its colour first.
fn system_name(tables: &Tables, mean: &Mean) -> String {
    let name = mean.system.get("arm").map_or("", String::as_str);
    let others =
        tables.columns().into_iter().filter(|column| *column != "arm").filter_map(|axis| {
            let value = mean.system.get(axis)?;
            Some(match axis {
                "mode" => value.clone(),
                axis => format!("{axis} {value}"),
            })
        });
    let others = others.collect::<Vec<_>>().join(", ");
    format!("{} <small>{}</small>", named(name, Some(arm(tables, mean))), Text(&others))
}

fn contrast_name(tables: &Tables, contrast: &Contrast) -> String {
    let varies = |axis: &str| !matches!(axis, "arm" | "mode") && tables.columns().contains(&axis);
    let shared: Vec<String> = contrast
        .shared
        .iter()
        .filter(|(axis, _)| varies(axis))
        .map(|(axis, value)| format!("{axis} {value}"))
        .collect();
    let mut name =
        format!("{} <small>less</small> {}", Text(&contrast.a_name), Text(&contrast.b_name));
    if !shared.is_empty() {
        name += &format!(" <small>({})</small>", Text(&words::list(&shared)));
    }
    name
}
