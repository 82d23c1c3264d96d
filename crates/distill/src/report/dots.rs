//! Lists of dots with their intervals: forest plots.
//!
//! A list is HTML with a strip of SVG in each line, so that names wrap and stay legible at every width;
//! the scale is drawn once below. What a strip shows stands beside it in figures.

use evaluation_statistics::Verdict;

use super::chart::Axis;
use super::page::Text;

/// Of the width of a strip, in per cent: room for a tick's label on either side.
const MARGIN: f64 = 3.0;

/// One line of a list of dots; values in points.
pub(crate) struct Dot {
    /// HTML.
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Classes of its strip: its colour, and whether its dot is filled.
    pub(crate) class: String,
    /// The same in figures.
    pub(crate) words: String,
    /// A word on what it says; may be empty.
    pub(crate) verdict: String,
}

/// The classes of the dot of a difference.
pub(crate) fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Above => "above told",
        Verdict::Below => "below told",
        Verdict::CannotTell => "untold",
    }
}

/// What the dots of differences mean.
pub(crate) fn legend() -> String {
    let entries = [
        (Verdict::Above, "A is above B"),
        (Verdict::Below, "A is below B"),
        (Verdict::CannotTell, "cannot tell"),
    ];
    let entries = entries.map(|(verdict, words)| {
        format!(
            "<li><svg class=\"swatch {}\" viewBox=\"0 0 32 14\" aria-hidden=\"true\">\
             <path class=\"whisker\" d=\"M1 7H31\"/><circle cx=\"16\" cy=\"7\" r=\"4.5\"/></svg>\
             {words}</li>\n",
            class(verdict)
        )
    });
    format!("<ul class=\"legend\">\n{}</ul>\n", entries.concat())
}

/// Panels that are not empty, as a figure.
pub(crate) fn figure(panels: Vec<String>, legend: &str, caption: &str) -> String {
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
pub(crate) fn list(title: &str, dots: &[Dot], line: Option<f64>) -> String {
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
