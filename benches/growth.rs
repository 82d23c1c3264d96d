//! How the time of a score grows with the input: tokens, and depth of nesting.
//!
//!     cargo bench -p benches --no-default-features --bench growth [-- --svg FILE] [-- --only TITLE]
//!
//! Prints Markdown tables (`--only`: those with this in their title) and, with `--svg`, draws the
//! first. Each figure is the least of some runs on one thread.
#![allow(missing_docs)]

use std::fmt::Write;
use std::time::{Duration, Instant};

use codebleu::{CodebleuError, Scorer, Variant};
use distill_core::Language;
use plotters::prelude::*;

/// Functions of ordinary statements, `tokens` tokens in all and a few more.
///
/// Every 30th statement calls what `changed` says: two texts of different names are near each other.
fn functions(tokens: usize, changed: &str) -> String {
    let mut code = String::new();
    let mut written = 0;
    for statement in 0.. {
        if written >= tokens {
            break;
        }
        if statement % 12 == 0 {
            let _ = writeln!(code, "def f{statement}(a, b, items):");
            written += 11;
        }
        let (text, length) = match statement % 6 {
            _ if statement % 30 == 29 => (format!("    {changed}(a, x{statement})\n"), 6),
            0 => (format!("    x{statement} = a + b * {statement}\n"), 7),
            1 => (format!("    if x{} > b:\n        a = a - 1\n", statement - 1), 10),
            2 => ("    for item in items:\n        b += item.size\n".to_owned(), 10),
            3 => (format!("    items.append(str(a) + \"{statement}\")\n"), 13),
            4 => ("    a, b = b, a\n".to_owned(), 7),
            _ => ("    return [b for b in items if b != a]\n".to_owned(), 12),
        };
        code += &text;
        written += length;
    }
    code
}

fn nested(depth: usize, open: impl Fn(usize) -> String) -> String {
    let mut code = "def f(a, b):\n".to_owned();
    for level in 0..depth {
        let _ = writeln!(code, "{}{}", " ".repeat(level + 1), open(level));
    }
    let _ = writeln!(code, "{}a = a + b", " ".repeat(depth + 1));
    code
}

/// The least of some runs that take a third of a second in all, or of one.
fn time(scorer: &Scorer, reference: &str, hypothesis: &str) -> Result<Duration, CodebleuError> {
    let start = Instant::now();
    let mut least = Duration::MAX;
    while least == Duration::MAX || start.elapsed() < Duration::from_millis(333) {
        let run = Instant::now();
        scorer.score(&[reference], hypothesis)?;
        least = least.min(run.elapsed());
    }
    Ok(least)
}

/// A cell of a table: milliseconds, or why there are none.
fn cell(time: &Result<Duration, CodebleuError>) -> String {
    match time {
        Ok(time) => format!("{:.3} ms", time.as_secs_f64() * 1e3),
        Err(CodebleuError::Ted(_)) => "refused: memory".to_owned(),
        Err(error) => format!("refused: {error}"),
    }
}

struct Row {
    name: String,
    times: Vec<Result<Duration, CodebleuError>>,
}

fn print(title: &str, rows: &[Row]) {
    println!("\n| {title} | {} |", VARIANTS.map(Variant::name).join(" | "));
    println!("|---|{}", "---:|".repeat(VARIANTS.len()));
    for row in rows {
        let cells: Vec<String> = row.times.iter().map(cell).collect();
        println!("| {} | {} |", row.name, cells.join(" | "));
    }
}

const VARIANTS: [Variant; 3] = [Variant::Paper, Variant::K4black, Variant::Fixed];

fn row(name: String, reference: &str, hypothesis: &str) -> Row {
    row_in(Language::Python, name, reference, hypothesis)
}

fn row_in(language: Language, name: String, reference: &str, hypothesis: &str) -> Row {
    let scorer = |variant| Scorer::new(language, variant);
    let times = VARIANTS.map(|variant| time(&scorer(variant)?, reference, hypothesis));
    Row { name, times: times.into() }
}

fn draw(path: &str, sizes: &[usize], rows: &[Row]) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::new(path, (720, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let (first, last) = (sizes[0] as f64, sizes[sizes.len() - 1] as f64);
    let mut chart = ChartBuilder::on(&root)
        .caption("codebleu: one pair of near texts, one thread", ("sans-serif", 18))
        .margin(12)
        .margin_right(36)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d((first..last).log_scale(), (0.01..20_000.0).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("tokens a text")
        .y_desc("milliseconds a pair")
        .x_label_formatter(&|tokens| format!("{tokens}"))
        .draw()?;
    for (column, variant) in VARIANTS.into_iter().enumerate() {
        let points: Vec<(f64, f64)> = sizes
            .iter()
            .zip(rows)
            .filter_map(|(&size, row)| {
                let time = row.times[column].as_ref().ok()?;
                Some((size as f64, time.as_secs_f64() * 1e3))
            })
            .collect();
        let color = Palette99::pick(column).to_rgba();
        chart
            .draw_series(LineSeries::new(points.clone(), color.stroke_width(2)).point_size(3))?
            .label(variant.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    root.present()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let only = option("--only");
    let print = |title: &str, sizes: &[usize], row: &dyn Fn(usize) -> Row| {
        let mut rows = Vec::new();
        if only.is_none_or(|only| title.contains(only.as_str())) {
            rows.extend(sizes.iter().map(|&size| row(size)));
            print(title, &rows);
        }
        rows
    };
    let sizes: Vec<usize> =
        (4..=12).map(|half| 10_f64.powf(f64::from(half) / 2.0) as usize).collect();
    let near = |size: usize| {
        row(size.to_string(), &functions(size, "g"), &functions(size, "some_other_name"))
    };
    let rows = print("tokens a text, near", &sizes, &near);
    if let Some(path) = option("--svg") {
        draw(path, &sizes, &rows)?;
    }
    let far = |size: usize| {
        let other = format!(
            "class A:\n    def f(self):\n{}",
            "        print(self.a[0], not 1)\n".repeat(size / 14)
        );
        row(size.to_string(), &functions(size, "g"), &other)
    };
    print("tokens a text, far", &[100, 1000, 10_000, 100_000], &far);
    let deep = |depth: usize| {
        let text = |name: &str| nested(depth, |level| format!("if a > {level}: # {name}"));
        row(depth.to_string(), &text("x"), &text("y"))
    };
    print("nested conditions", &[10, 30, 100, 300, 1000], &deep);
    let loops = |depth: usize| {
        let text = |name: &str| nested(depth, |level| format!("for {name}{level} in range(b):"));
        row(depth.to_string(), &text("i"), &text("j"))
    };
    print("nested loops", &[1, 3, 5, 10, 13, 20, 40], &loops);
    let brackets = |depth: usize| {
        let text = |name: &str| format!("a = {}{name}{}", "(".repeat(depth), ")".repeat(depth));
        row(depth.to_string(), &text("x"), &text("y"))
    };
    print("nested brackets", &[10, 100, 1000, 10_000, 100_000], &brackets);
    let sum = |terms: usize| {
        let text = |name: &str| {
            let terms: Vec<String> = (0..terms).map(|term| format!("{name}{term}")).collect();
            format!("a = {}", terms.join(" + "))
        };
        row(terms.to_string(), &text("x"), &text("y"))
    };
    print("terms of a sum", &[100, 800, 3200, 10_000], &sum);
    // Where the reference variants bring every source into the order of a hash table.
    let sum = |terms: usize| {
        let text = |name: &str| {
            let terms: Vec<String> = (0..terms).map(|term| format!("{name}{term}")).collect();
            format!("class A {{ void f() {{ int a = {}; }} }}", terms.join(" + "))
        };
        row_in(Language::Java, terms.to_string(), &text("x"), &text("y"))
    };
    print("terms of a sum in Java", &[100, 800, 3200, 10_000], &sum);
    Ok(())
}
