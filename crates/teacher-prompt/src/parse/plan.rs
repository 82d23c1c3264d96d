//! Where in a reply the plan is.

use distill_core::Pseudocode;

use super::heading::{Next, Section, heading};
use super::outline::{Item, Outline, Part, fences_of, line_of};
use super::{ParseOptions, Parts, steps};

/// Where in the outline a fence stands: part and item.
pub(super) type Place = (usize, usize);

/// The steps, and the fence that they were in, if any.
pub(super) fn find_pseudocode(
    outline: &Outline<'_>,
    options: &ParseOptions,
) -> (Option<Pseudocode>, Option<Place>) {
    let parts = &outline.parts;
    let fences: usize = parts.iter().map(|part| fences_of(part).count()).sum();
    // A section named so and nothing else goes before "My approach".
    for exact in [true, false] {
        for (at, part) in parts.iter().enumerate() {
            if part.section == Section::Pseudocode && part.exact == exact {
                let (steps, used) = steps_of(part, fences, options);
                if steps.is_some() {
                    return (steps, used.map(|item| (at, item)));
                }
            }
        }
    }
    // A block that calls itself pseudocode.
    for (at, part) in parts.iter().enumerate() {
        if let Some((item, fence)) = fences_of(part).find(|(_, fence)| fence.is_pseudocode()) {
            let steps = steps::either(&fence.lines);
            if !steps.is_empty() {
                return (Some(steps), Some((at, item)));
            }
        }
    }
    // A list of steps before the code, without a heading: numbered, for bullets in an introduction
    // are as often facts as steps.
    let openings = parts.iter().take_while(|part| {
        part.section == Section::Preamble || part.section == Section::Problem && part.exact
    });
    for part in openings {
        let before_code = part.items.iter().take_while(|item| matches!(item, Item::Line(_)));
        let lines: Vec<&str> = before_code.filter_map(line_of).collect();
        let comment = |line: &str| line.starts_with("    ") && line.trim_start().starts_with('#');
        let numbered = |line: &&str| steps::is_numbered(line) && !comment(line);
        // One number before a block is as often the first of several parts with a block each.
        let enough = if lines.len() == part.items.len() { 1 } else { 2 };
        if lines.iter().filter(|line| numbered(line)).count() >= enough {
            let first = lines.iter().position(numbered).unwrap_or_default();
            let steps = steps::marked(&lines[first..]);
            if !steps.is_empty() {
                return (Some(steps), None);
            }
        }
        if part.section == Section::Preamble && options.parts == Parts::Pseudocode {
            let steps = steps::marked(&lines);
            if !steps.is_empty() {
                return (Some(steps), None);
            }
        }
    }
    if options.parts == Parts::Pseudocode {
        // Nothing but steps was asked for: any list will do.
        for part in parts.iter().skip(1) {
            let lines: Vec<&str> = part.items.iter().filter_map(line_of).collect();
            let steps = steps::marked(&lines);
            if !steps.is_empty() {
                return (Some(steps), None);
            }
        }
    }
    (None, None)
}

/// The steps of a Pseudocode section: its list, or its block. A block after a list is the code, and
/// so is a labelled one that is the only block of the reply.
fn steps_of(
    part: &Part<'_>,
    fences: usize,
    options: &ParseOptions,
) -> (Option<Pseudocode>, Option<usize>) {
    let all: Vec<&str> = part.items.iter().filter_map(line_of).collect();
    let list = steps::marked(&all);
    let found = |steps: Pseudocode| (!steps.is_empty()).then_some(steps);
    if !list.is_empty() {
        return (found(list), None);
    }
    let table = steps::table(&all);
    if !table.is_empty() {
        return (found(table), None);
    }
    let block = fences_of(part).find(|(_, fence)| {
        let code = fence.language().is_some() && options.parts != Parts::Pseudocode;
        !code || fences > 1
    });
    if let Some((at, fence)) = block {
        let steps = steps::either(&fence.lines);
        if !steps.is_empty() {
            return (found(steps), Some(at));
        }
    }
    (found(steps::either(&all)), None)
}

/// The plan in comments above the code of the same block, under a heading that names it so.
pub(super) fn plan_above(code: &str) -> Option<Pseudocode> {
    let mark = ["#", "//"].into_iter().find(|mark| code.starts_with(mark))?;
    let above: Vec<&str> = code.lines().take_while(|line| line.starts_with(mark)).collect();
    let lines = steps::uncommented(&above)?;
    let (first, steps) = lines.split_first()?;
    let heading = heading(first, Next::Step)?;
    let steps = steps::marked(steps);
    (heading.section == Section::Pseudocode && !steps.is_empty()).then_some(steps)
}
