//! The charts of an experiment: dots with their intervals.
//!
//! Lists of dots are HTML with a strip of SVG in each line, so that their names wrap and stay legible at
//! every width; the axis is drawn once below. What a strip shows stands beside it in figures.

use std::collections::BTreeMap;

use evaluation_statistics::{Interval, Verdict};

use super::page::{difference_words, figure_title, verdict_words};
use super::tables::{COMPARED, Contrast, Mean, Tables};
use crate::report::chart::{self, Axis, COLOURS, Frame, drawable, mark};
use crate::report::page::{Text, named};
use crate::report::words;

/// Of the width of a strip, in per cent: room for a tick's label on either side.
const MARGIN: f64 = 3.0;

/// One line of a list of dots; values in points.
struct Dot {
    /// HTML.
    name: String,
    value: f64,
    low: f64,
    high: f64,
    class: String,
    words: String,
    /// A word on what it says; may be empty.
    verdict: String,
}

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
        list(&format!("{}, best answer, per cent", title(figure)), &dots.collect::<Vec<_>>(), None)
    });
    figure(
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
            let class = match contrast.verdict {
                Verdict::Above => "above told",
                Verdict::Below => "below told",
                Verdict::CannotTell => "untold",
            };
            [value, low, high].iter().all(drawable).then(|| Dot {
                name: contrast_name(tables, contrast),
                value,
                low,
                high,
                class: class.into(),
                words: difference_words(found),
                verdict: verdict_words(contrast.verdict, found),
            })
        });
        list(
            &format!("{}, A less B in points", title(figure)),
            &dots.collect::<Vec<_>>(),
            Some(0.0),
        )
    });
    let legend =
        [("above told", "A is above B"), ("below told", "A is below B"), ("untold", "cannot tell")]
            .map(|(class, words)| {
                format!(
                    "<li><svg class=\"swatch {class}\" viewBox=\"0 0 32 14\" aria-hidden=\"true\">\
             <path class=\"whisker\" d=\"M1 7H31\"/><circle cx=\"16\" cy=\"7\" r=\"4.5\"/></svg>\
             {words}</li>\n"
                )
            });
    figure(
        panels.collect(),
        &format!("<ul class=\"legend\">\n{}</ul>\n", legend.concat()),
        "Differences with their 95 % intervals over problems and seeds; the line is no difference. A \
         verdict takes Holm's p as well as the interval.",
    )
}

/// Panels that are not empty, as a figure.
fn figure(panels: Vec<String>, legend: &str, caption: &str) -> String {
    let panels = panels.concat();
    match panels.is_empty() {
        true => String::new(),
        false => format!(
            "<figure>\n{legend}{panels}<figcaption>{}</figcaption>\n</figure>\n",
            Text(caption)
        ),
    }
}

/// A list of dots on one scale; `line` is a value to be marked.
fn list(title: &str, dots: &[Dot], line: Option<f64>) -> String {
    let ends = dots.iter().flat_map(|dot| [dot.low, dot.high]).chain(line);
    let (false, Some(axis)) = (dots.is_empty(), Axis::of(ends, 6)) else {
        return String::new();
    };
    let at = |value: f64| axis.place(value, MARGIN, 100.0 - MARGIN);
    let mut grid: String = axis
        .ticks()
        .iter()
        .map(|(value, _)| {
            let at = at(*value);
            format!("<line class=\"grid\" x1=\"{at:.2}%\" x2=\"{at:.2}%\" y1=\"0\" y2=\"100%\"/>")
        })
        .collect();
    grid += &line.map_or_else(String::new, |value| {
        let at = at(value);
        format!("<line class=\"axis\" x1=\"{at:.2}%\" x2=\"{at:.2}%\" y1=\"0\" y2=\"100%\"/>")
    });
    let mut html = format!("<h3>{}</h3>\n<ul class=\"dots-list\">\n", Text(title));
    for dot in dots {
        html += &format!(
            "<li><span class=\"what\">{}</span><svg class=\"strip {}\" aria-hidden=\"true\">{grid}\
             <line class=\"whisker\" x1=\"{:.2}%\" x2=\"{:.2}%\" y1=\"50%\" y2=\"50%\"/>\
             <circle cx=\"{:.2}%\" cy=\"50%\" r=\"4.5\"/></svg><span class=\"n\">{}</span>",
            dot.name,
            dot.class,
            at(dot.low),
            at(dot.high),
            at(dot.value),
            Text(&dot.words),
        );
        if !dot.verdict.is_empty() {
            html += &format!("<span class=\"said\">{}</span>", Text(&dot.verdict));
        }
        html += "</li>\n";
    }
    html += "<li class=\"scale\" aria-hidden=\"true\"><svg class=\"strip\">";
    for (value, label) in axis.ticks() {
        html += &format!("<text x=\"{:.2}%\" y=\"14\">{label}</text>", at(*value));
    }
    html + "</svg></li>\n</ul>\n"
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
        "" => title(figure).to_owned(),
        other => format!("{}, {other}", title(figure)),
    };
    let mut described = Vec::new();
    let mut drawn = String::new();
    for (&(arm, mode), means) in lines {
        let points = points(means);
        let arm_name = tables.arms().get(arm).copied().unwrap_or_default().to_owned();
        let told = points.iter().map(|(at, mean)| format!("{:.1} at {at}", mean.value));
        described.push(format!("{arm_name} {mode}: {}.", told.collect::<Vec<_>>().join(", ")));
        let at =
            |(quantity, mean): &(f64, Interval)| (frame.at_x(*quantity), frame.at_y(mean.value));
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

/// A figure's name at the head of a chart.
fn title(figure: &str) -> &str {
    match figure {
        "exact" => "Exact match",
        "tested" => "Tests passed",
        "tm" => "Token match (TM)",
        "cb" => "CodeBLEU (CB)",
        other => figure_title(other),
    }
}
