//! Measures lines against people: BLEU of the words for single Python lines beside those of the
//! annotators of the Django corpus (Oda et al., ASE 2015), in both manners and for the code itself.
//!
//! ```text
//! cargo run --release -p verbaliser --example django -- FILE [--lines FROM..TO] [--write FOLDER]
//! ```
//!
//! FILE holds `{"line", "pseudo", "code"}` a line; `--lines` counts from 1 with both ends (16001..17000
//! where nothing is said). Both sides are lower-cased and split into words and single other signs.
//! Corpus BLEU-4 without smoothing is printed, and the mean of sentence BLEU with smoothing 2 (one
//! added to matches and totals above order 1). `--write` also leaves one file a side for other
//! programs, such as sacrebleu.

use std::error::Error;
use std::path::Path;

use code_syntax::Language;
use codebleu::bleu::{Bleu, BleuCounts, Smoothing};
use serde::Deserialize;
use verbaliser::{Manner, verbalise_line};

#[derive(Deserialize)]
struct Record {
    pseudo: String,
    code: String,
}

fn tokens(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut inside = false;
    for c in text.to_lowercase().chars() {
        let word = c.is_alphanumeric() || c == '_';
        match found.last_mut() {
            Some(last) if word && inside => last.push(c),
            _ if !c.is_whitespace() => found.push(c.to_string()),
            _ => {}
        }
        inside = word;
    }
    found
}

#[derive(Default)]
struct Side {
    name: &'static str,
    counts: BleuCounts,
    sentences: f64,
    lines: Vec<String>,
}

impl Side {
    fn add(&mut self, reference: &[String], line: &str) {
        let line_tokens = tokens(line);
        let counts = BleuCounts::of(&[reference], &line_tokens);
        let smoothed = Bleu { smoothing: Smoothing::AddK(1.0), ..Bleu::default() };
        self.sentences += smoothed.score(&counts);
        self.counts += counts;
        self.lines.push(line.to_owned());
    }
}

fn said(code: &str, manner: Manner) -> Option<String> {
    let said = verbalise_line(Language::Python, code, manner).ok()?;
    let steps = said.pseudocode.steps();
    Some(steps.iter().map(|step| step.text.as_str()).collect::<Vec<_>>().join(" "))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut file = None;
    let mut lines = 16_001..=17_000;
    let mut folder = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--lines" => {
                let range = arguments.next().ok_or("--lines needs FROM..TO")?;
                let (from, to) = range.split_once("..").ok_or("--lines needs FROM..TO")?;
                lines = from.parse()?..=to.parse()?;
            }
            "--write" => folder = Some(arguments.next().ok_or("--write needs a folder")?),
            _ => file = Some(argument),
        }
    }
    let file = file.ok_or("no FILE given")?;
    let mut references = Vec::new();
    let mut sides = [
        Side { name: "code as it stands", ..Side::default() },
        Side { name: "plan", ..Side::default() },
        Side { name: "narrated", ..Side::default() },
    ];
    let mut unsaid = 0;
    for (index, record) in distill_core::jsonl::read::<Record>(Path::new(&file))?.enumerate() {
        let record = record?;
        if !lines.contains(&(index + 1)) {
            continue;
        }
        let reference = tokens(&record.pseudo);
        let code = record.code.split_whitespace().collect::<Vec<_>>().join(" ");
        sides[0].add(&reference, &code);
        for (side, manner) in sides[1..].iter_mut().zip([Manner::Plan, Manner::Narrated]) {
            // A line that cannot be said stands as it is.
            let line = said(&record.code, manner).unwrap_or_else(|| {
                unsaid += usize::from(manner == Manner::Plan);
                code.clone()
            });
            side.add(&reference, &line);
        }
        references.push(record.pseudo.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    let plain = Bleu { smoothing: Smoothing::None, ..Bleu::default() };
    println!(
        "{} lines, {unsaid} of them no Python on their own and left as they stand",
        references.len()
    );
    for side in &sides {
        println!(
            "{:>18}: corpus BLEU-4 {:.2}, mean sentence BLEU-4 {:.2}",
            side.name,
            100.0 * plain.score(&side.counts),
            100.0 * side.sentences / references.len().max(1) as f64,
        );
    }
    if let Some(folder) = folder {
        let folder = Path::new(&folder);
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("reference.txt"), references.join("\n") + "\n")?;
        for (side, name) in sides.iter().zip(["code.txt", "plan.txt", "narrated.txt"]) {
            std::fs::write(folder.join(name), side.lines.join("\n") + "\n")?;
        }
    }
    Ok(())
}
