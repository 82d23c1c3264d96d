//! Explanations in a terminal.

use std::io::{self, Write};

use codebleu::dataflow::Flow;
use codebleu::{Difference, Explanation, Node, NodeEdit, PairScore};

use crate::output::Scored;

impl Scored for Explanation {
    fn pair(&self) -> &PairScore {
        &self.score
    }

    fn write_details(&self, writer: &mut impl Write) -> io::Result<()> {
        let counts = &self.score.counts;
        let ngrams = counts.ngrams.matches.into_iter().zip(counts.ngrams.totals);
        let ngrams: Vec<String> = ngrams.map(|(found, of)| format!("{found}/{of}")).collect();
        let brevity = counts.ngrams.brevity_penalty();
        writeln!(writer, "  n-grams: {}, brevity {brevity:.4}", ngrams.join(" "))?;
        let keywords = counts.keywords.matches.into_iter().zip(counts.keywords.totals);
        let keywords: Vec<String> = keywords
            .enumerate()
            .map(|(order, (found, of))| match order {
                // In fifths.
                0 => format!("{}/{}", found as f64 / 5.0, of as f64 / 5.0),
                _ => format!("{found}/{of}"),
            })
            .collect();
        writeln!(writer, "  weighted n-grams: {}", keywords.join(" "))?;
        match counts.syntax.distance {
            Some(distance) => {
                writeln!(writer, "  syntax: {distance} edits of {} nodes", counts.syntax.total)?;
            }
            None => {
                let (matched, total) = (counts.syntax.matched, counts.syntax.total);
                writeln!(writer, "  syntax: {matched} of {total} subtrees")?;
            }
        }
        let (matched, total) = (counts.dataflow.matched, counts.dataflow.total);
        writeln!(writer, "  dataflow: {matched} of {total}")?;
        for (index, difference) in self.references.iter().enumerate() {
            if self.references.len() > 1 {
                writeln!(writer, "  beside reference {}:", index + 1)?;
            }
            write_difference(writer, difference, &self.hypothesis)?;
        }
        Ok(())
    }
}

fn write_difference(
    writer: &mut impl Write,
    difference: &Difference,
    hypothesis: &str,
) -> io::Result<()> {
    let reference = &difference.reference;
    for edit in &difference.edits {
        match edit {
            NodeEdit::Keep { .. } => {}
            NodeEdit::Rename { from, to } => {
                let (from, to) = (show(from, reference), show(to, hypothesis));
                writeln!(writer, "    change  {from}\n        to  {to}")?;
            }
            NodeEdit::Delete { node } => {
                writeln!(writer, "    delete  {}", show(node, reference))?;
            }
            NodeEdit::Insert { node } => {
                writeln!(writer, "    insert  {}", show(node, hypothesis))?;
            }
        }
    }
    for node in &difference.unmatched_subtrees {
        writeln!(writer, "    missing {}", show(node, reference))?;
    }
    for node in &difference.extra_subtrees {
        writeln!(writer, "    extra   {}", show(node, hypothesis))?;
    }
    for flow in &difference.missing_dataflow {
        writeln!(writer, "    missing {}", show_flow(flow))?;
    }
    for flow in &difference.extra_dataflow {
        writeln!(writer, "    extra   {}", show_flow(flow))?;
    }
    Ok(())
}

/// Kind, place and the beginning of a node.
fn show(node: &Node, text: &str) -> String {
    const LONGEST: usize = 50;
    let code = text.get(node.start..node.end).unwrap_or("");
    let first = code.lines().next().unwrap_or("");
    let mut shown: String = first.chars().take(LONGEST).collect();
    if shown.len() < code.len() {
        shown.push('…');
    }
    format!("{} {}:{} `{shown}`", node.kind, node.line, node.column)
}

fn show_flow(flow: &Flow) -> String {
    let sources: Vec<&str> = flow.sources.iter().map(|source| source.name.as_str()).collect();
    let sources = if sources.is_empty() { "nothing".to_owned() } else { sources.join(", ") };
    format!("{} {} {sources}", flow.target.name, flow.relation)
}
