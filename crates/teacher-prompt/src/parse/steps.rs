//! From lines to steps.

use distill_core::{Pseudocode, Step};

/// Deepest nesting that is kept.
const DEEPEST: usize = 8;

/// What leads a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `1.`, `2)`, `Step 3:`; the count of numbers, so 2 for `1.2.`.
    Number(usize),
    /// `a.`, `iv)`.
    Letter,
    /// `-`, `*`, `•`.
    Bullet,
}

/// A line that starts a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marker<'a> {
    pub kind: Kind,
    /// Columns before the marker.
    pub indent: usize,
    /// The step without its marker.
    pub text: &'a str,
}

/// Words for "step" that stand before the number.
const STEP_WORDS: &[&str] = &[
    "step",
    "paso",
    "étape",
    "schritt",
    "passo",
    "шаг",
    "步骤",
    "步驟",
    "ステップ",
    "단계",
    "手順",
];

/// Reads the start of a line as a step's marker.
pub(super) fn marker(line: &str) -> Option<Marker<'_>> {
    let text = line.trim_start();
    let indent = columns(&line[..line.len() - text.len()]);
    // "**1.** x", "**Step 1:** x", "*1.* x", "### Step 1: x", "\- x"
    let undecorated = text.trim_start_matches('#').trim_start();
    let undecorated = undecorated.trim_start_matches("**").trim_start_matches("__");
    let undecorated = undecorated
        .strip_prefix('*')
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        .unwrap_or(undecorated);
    let mut indent = indent;
    let (kind, rest) = numbered(undecorated)
        .or_else(|| if text.len() == undecorated.len() { lettered(text) } else { None })
        .or_else(|| bulleted(text, indent > 0))?;
    // "2:     if x": the nesting stands behind the number. Up to four blanks are alignment.
    let inner = columns(&rest[..rest.len() - rest.trim_start_matches([' ', '\t']).len()]);
    if matches!(kind, Kind::Number(1)) && inner > 4 {
        indent += inner - 1;
    }
    // What closes the decoration, or follows it as in "**Step 1**: x".
    let rest = rest.trim_start();
    let closing = ["**", "__", "*"].iter().find_map(|close| rest.strip_prefix(close));
    let rest = match closing {
        Some(after) if undecorated.len() < text.len() => after.trim_start_matches([':', '.', ')']),
        _ => rest,
    };
    let mut rest = rest.trim();
    if undecorated.len() < text.len() && rest.matches("**").count() == 1 {
        // "**Step 1: x**": the end of what was opened before the marker.
        rest = rest.strip_suffix("**").unwrap_or(rest);
    }
    Some(Marker { kind, indent, text: rest })
}

/// Whether a line starts with a step's number.
pub(super) fn is_numbered(line: &str) -> bool {
    marker(line).is_some_and(|marker| matches!(marker.kind, Kind::Number(_)))
}

fn numbered(text: &str) -> Option<(Kind, &str)> {
    let first = text.chars().next()?;
    let start: String = match first.is_alphabetic() {
        true => text.chars().take(8).flat_map(char::to_lowercase).collect(),
        false => String::new(), // by far the usual case
    };
    if let Some(word) = STEP_WORDS.iter().find(|word| start.starts_with(**word)) {
        let after: usize = text.chars().take(word.chars().count()).map(char::len_utf8).sum();
        let number = text[after..].trim_start();
        let (count, rest) = numbers(number)?;
        let dotted = number[..number.len() - rest.len()].ends_with(['.', '．', '。']);
        let rest = rest.trim_start().trim_start_matches("**").trim_start_matches("__").trim_start();
        let after = rest.strip_prefix([':', '.', ')', '-', '–', '—', '：', '、', '．']);
        // "Step 1 of the plan" is prose.
        return match after {
            Some(rest) => Some((Kind::Number(count), rest)),
            None => (dotted || rest.is_empty()).then_some((Kind::Number(count), rest)),
        };
    }
    // "第一步：" and "第1步："
    if let Some(rest) = text.strip_prefix('第') {
        let at = rest.find('步').filter(|at| (1..=12).contains(at))?;
        return Some((
            Kind::Number(1),
            rest[at + '步'.len_utf8()..].trim_start_matches(['：', ':', '，', '、']),
        ));
    }
    if let Some(rest) = text.strip_prefix(['(', '（', '[']) {
        let (count, rest) = numbers(rest)?;
        return rest.strip_prefix([')', '）', ']']).map(|rest| (Kind::Number(count), rest));
    }
    // ① to ⑳ and the like are numbers by themselves.
    if matches!(first, '\u{2460}'..='\u{249b}' | '\u{2776}'..='\u{2793}') {
        return Some((Kind::Number(1), &text[first.len_utf8()..]));
    }
    let (count, rest) = numbers(text)?;
    // "1️⃣ x": the digit is followed by what makes a picture of it.
    if let Some(rest) = rest.strip_prefix("\u{fe0f}\u{20e3}").or(rest.strip_prefix('\u{20e3}')) {
        return Some((Kind::Number(1), rest));
    }
    let head = &text[..text.len() - rest.len()];
    let dotted = head.ends_with(['.', '．', '。']);
    let rest = match rest.strip_prefix("**") {
        Some(after) if dotted => after,
        _ => rest,
    };
    if dotted {
        // "1.5 seconds" is no step, and "1.x" neither; scripts without blanks need none.
        let separated = rest.is_empty()
            || head.ends_with(['．', '。'])
            || rest
                .starts_with(|c: char| c.is_whitespace() || c == '*' || c == '`' || c > '\u{2e7f}');
        return separated.then_some((Kind::Number(count), rest));
    }
    if count > 1 && rest.starts_with(char::is_whitespace) {
        return Some((Kind::Number(count), rest)); // "1.2 x"
    }
    // "1 - x"
    if let Some(rest) = [" - ", " – ", " — "].iter().find_map(|dash| rest.strip_prefix(dash)) {
        return Some((Kind::Number(count), rest));
    }
    let rest = rest.strip_prefix([')', '）', ':', '：', '、', '\\'])?;
    let rest = rest.strip_prefix('.').unwrap_or(rest); // "1\. x", as Markdown escapes it
    let separated = rest.is_empty()
        || rest.starts_with(|c: char| c.is_whitespace() || c == '*' || c > '\u{2e7f}');
    (separated || text.contains(['、', '）', '：'])).then_some((Kind::Number(count), rest))
}

/// Reads `1`, `1.`, `1.2`, `1.2.` and so on: how many numbers, and what follows. Digits of any
/// script count; a number has at most three.
fn numbers(text: &str) -> Option<(usize, &str)> {
    let (mut count, mut rest) = (0, text);
    loop {
        let after = rest.trim_start_matches(|c: char| c.is_numeric() && !matches!(c, '½'..='¾'));
        let digits = rest[..rest.len() - after.len()].chars().take(4).count();
        if digits == 0 {
            break;
        }
        if digits > 3 {
            return None;
        }
        count += 1;
        rest = after;
        match rest.strip_prefix(['.', '．', '。']) {
            Some(after) => rest = after,
            None => break,
        }
    }
    (count > 0).then_some((count.min(DEEPEST + 1), rest))
}

/// `a. x`, `b) x`, `(c) x`, `iv. x`.
fn lettered(text: &str) -> Option<(Kind, &str)> {
    let open = text.strip_prefix('(');
    let body = open.unwrap_or(text);
    let rest = body.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let letters = &body[..body.len() - rest.len()];
    let roman = letters.len() <= 4 && letters.bytes().all(|c| matches!(c, b'i' | b'v' | b'x'));
    if letters.is_empty() || (letters.len() > 1 && !roman) {
        return None;
    }
    let rest = match open {
        Some(_) => rest.strip_prefix(')')?,
        None => rest.strip_prefix(['.', ')'])?,
    };
    rest.starts_with(' ').then_some((Kind::Letter, rest))
}

/// A bullet; `indented` is whether blanks stand before it.
fn bulleted(text: &str, indented: bool) -> Option<(Kind, &str)> {
    let text = text.strip_prefix('\\').unwrap_or(text);
    const BULLETS: [char; 22] = [
        '-', '*', '+', '•', '‣', '◦', '▪', '▫', '■', '●', '○', '·', '–', '—', '→', '➔', '➜', '➤',
        '►', '▶', '✓', '✔',
    ];
    let rest = text.strip_prefix(BULLETS)?;
    // "-If x": some leave out the blank; "-1", "--", "-x" and "*args" are no bullets.
    let glued = !text.starts_with(['*', '+'])
        && rest.starts_with(|c: char| c.is_uppercase() || (indented && c.is_alphabetic()));
    if !glued && !rest.starts_with([' ', '\t', '\u{a0}']) {
        return None;
    }
    let rest = rest.trim_start();
    let rest = ["[ ] ", "[x] "].iter().find_map(|boxed| rest.strip_prefix(boxed)).unwrap_or(rest);
    // A bullet before a number says nothing more than the number.
    numbered(rest).or(Some((Kind::Bullet, rest)))
}

/// Width of leading white space; a tab goes to the next multiple of four.
fn columns(blanks: &str) -> usize {
    blanks.chars().fold(0, |width, c| if c == '\t' { (width / 4 + 1) * 4 } else { width + 1 })
}

/// The steps of lines that carry markers. Lines before the first are dropped; one without a marker
/// goes on with the step above, unless a blank line and no indent make it prose.
pub(super) fn marked(lines: &[&str]) -> Pseudocode {
    let mut steps: Vec<(usize, String)> = Vec::new();
    // The open levels: columns, kind, depth.
    let mut open: Vec<(usize, Kind, usize)> = Vec::new();
    // What follows a blank line without an indent is prose, and so is all up to the next marker.
    let (mut after_blank, mut prose) = (false, false);
    for line in lines {
        let Some(marker) = marker(line) else {
            if line.trim().is_empty() {
                after_blank = true;
                continue;
            }
            if !line.contains(char::is_alphanumeric) {
                continue; // a rule, a closing quote
            }
            prose |= after_blank && !line.starts_with([' ', '\t']);
            if let Some((_, text)) = steps.last_mut().filter(|_| !prose) {
                text.push(' ');
                text.push_str(line);
            }
            continue;
        };
        (after_blank, prose) = (false, false);
        let depth = depth_of(&marker, &mut open);
        steps.push((depth, marker.text.to_owned()));
    }
    if let [(0, only)] = &steps[..]
        && let Some(first) = lines.iter().find(|line| marker(line).is_some())
        && let Some(several) = run_together(first, only)
    {
        steps = several;
    }
    Pseudocode::new(steps.into_iter().map(|(depth, text)| Step::new(depth, &plain(&text))))
}

/// Most steps that are looked for on one line; bounds the time on hostile input.
const MOST_TOGETHER: usize = 64;

/// The steps of a plan that stands on one line: `Step 1. a Step 2. b -If c`, `1. a 2. b 3. c`. `only`
/// is the line's text without its first marker. Plain numbers count from three steps on: `add 2.` may
/// be the end of a sentence.
fn run_together(line: &str, only: &str) -> Option<Vec<(usize, String)>> {
    let line = line.trim_start();
    let worded = line.to_lowercase().starts_with("step");
    let mut steps: Vec<&str> = Vec::new();
    let mut rest = only;
    for number in 2..=MOST_TOGETHER {
        let next = match worded {
            true => {
                [format!("Step {number}."), format!("Step {number}:"), format!("step {number}:")]
            }
            false => [format!(" {number}. "), format!(" {number}) "), format!(" {number}: ")],
        };
        let found = next.iter().filter_map(|mark| Some((rest.find(mark.as_str())?, mark.len())));
        let Some((at, length)) = found.min() else { break };
        steps.push(&rest[..at]);
        rest = &rest[at + length..];
    }
    steps.push(rest);
    if steps.len() < if worded { 2 } else { 3 } {
        return None;
    }
    let mut all = Vec::new();
    for step in steps {
        // " -If x" inside of a step is a step below it.
        let mut rest = step;
        let mut depth = 0;
        while let Some(at) = rest
            .match_indices(" -")
            .map(|(at, _)| at)
            .find(|at| rest[at + 2..].starts_with(|c: char| c.is_uppercase()))
        {
            all.push((depth, rest[..at].to_owned()));
            rest = &rest[at + 2..];
            depth = 1;
        }
        all.push((depth, rest.to_owned()));
    }
    Some(all)
}

fn depth_of(marker: &Marker<'_>, open: &mut Vec<(usize, Kind, usize)>) -> usize {
    while open.len() > 1 && open.last().is_some_and(|top| top.0 > marker.indent) {
        open.pop();
    }
    // Markers of another kind in the same column: "1. x" above "- y" above "2. z".
    let twin =
        open.iter().rposition(|top| top.0.abs_diff(marker.indent) <= 1 && top.1 == marker.kind);
    let depth = match (twin, open.last()) {
        (Some(at), _) => {
            open.truncate(at + 1);
            open[at].2
        }
        (None, None) => 0,
        (None, Some(&(columns, kind, depth))) => {
            let lower = marker.indent < columns;
            if lower || (kind == marker.kind && marker.indent <= columns + 1) {
                depth
            } else {
                depth + 1
            }
        }
    };
    let depth = match marker.kind {
        Kind::Number(count) if count > 1 => count - 1,
        _ => depth,
    };
    let depth = depth.min(DEEPEST);
    match open.last_mut() {
        Some(top) if twin.is_some() => *top = (top.0, marker.kind, depth),
        _ => open.push((marker.indent, marker.kind, depth)),
    }
    open.truncate(DEEPEST * 4);
    depth
}

/// The steps of lines without markers: a step a line, nested by indentation. Lines of nothing but
/// punctuation are dropped; markers that some lines carry are taken off.
pub(super) fn unmarked(lines: &[&str]) -> Pseudocode {
    let mut plan = Pseudocode::default();
    let mut open: Vec<usize> = Vec::new();
    for line in lines {
        if !line.contains(char::is_alphanumeric) {
            continue;
        }
        let text = marker(line).map_or(line.trim(), |marker| marker.text);
        let indent = columns(&line[..line.len() - line.trim_start().len()]);
        while open.last().is_some_and(|&top| top > indent) {
            open.pop();
        }
        if open.last().is_none_or(|&top| top < indent) && open.len() <= DEEPEST {
            open.push(indent);
        }
        plan.push(Step::new(open.len().saturating_sub(1), &plain(text)));
    }
    plan
}

/// Steps however they are written: marked if the first line with text is, or at least half are.
/// Comment marks that lead every line are no part of them.
pub(super) fn either(lines: &[&str]) -> Pseudocode {
    let bare = uncommented(lines);
    let lines = bare.as_deref().unwrap_or(lines);
    let mut written = lines.iter().filter(|line| line.contains(char::is_alphanumeric)).peekable();
    let first = written.peek().is_some_and(|line| marker(line).is_some());
    let (all, count) = written
        .fold((0, 0), |(all, count), line| (all + 1, count + usize::from(marker(line).is_some())));
    if first || (count > 0 && 2 * count >= all) { marked(lines) } else { unmarked(lines) }
}

/// Lines that are all comments, without their marks.
pub(super) fn uncommented<'a>(lines: &[&'a str]) -> Option<Vec<&'a str>> {
    ["#", "//", "--", ";"].iter().find_map(|mark| {
        let bare = |line: &&'a str| match line.trim() {
            "" => Some(""),
            text => text.strip_prefix(mark).map(|rest| rest.strip_prefix(' ').unwrap_or(rest)),
        };
        lines.iter().map(bare).collect()
    })
}

/// The steps of a table with a row a step: the cells behind the number, joined by colons.
pub(super) fn table(lines: &[&str]) -> Pseudocode {
    let row = |line: &str| -> Option<Vec<String>> {
        let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
        Some(inner.split('|').map(|cell| cell.trim().to_owned()).collect())
    };
    let mut rows: Vec<Vec<String>> = lines.iter().filter_map(|line| row(line)).collect();
    let is_rule = |cells: &Vec<String>| {
        cells.iter().all(|cell| !cell.is_empty() && cell.chars().all(|c| matches!(c, '-' | ':')))
    };
    // What stands above the rule is the head.
    match rows.iter().position(is_rule) {
        Some(rule) => rows.drain(..=rule),
        None => return Pseudocode::default(),
    };
    Pseudocode::new(rows.iter().map(|cells| {
        let number = cells.len() > 1
            && cells[0]
                .trim_start_matches(|c: char| c.is_alphabetic() || c == ' ')
                .chars()
                .all(|c| c.is_ascii_digit() || c == '.');
        Step::new(0, &plain(&cells[usize::from(number)..].join(": ")))
    }))
}

/// Text without Markdown's bold: pairs of `**` (or of `__` around words) that open after a blank and
/// close before one. Powers (`i**4`), keyword arguments (`**kwargs`) and names (`__init__`) stay.
fn plain(text: &str) -> String {
    let mut rest = text;
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    while let Some(at) = rest.find("**") {
        let (head, tail) = (&rest[..at], &rest[at + 2..]);
        before = head.chars().next_back().unwrap_or(before);
        let opens = (before.is_whitespace() || matches!(before, '(' | '"' | '['))
            && tail.starts_with(|c: char| !c.is_whitespace() && c != '*');
        out.push_str(head);
        let close = opens.then(|| tail.find("**")).flatten().filter(|&end| {
            let last = tail[..end].chars().next_back();
            let next = tail[end + 2..].chars().next();
            last.is_some_and(|c| !c.is_whitespace() && c != '(')
                && next.is_none_or(|c| c.is_whitespace() || c.is_ascii_punctuation())
        });
        match close {
            Some(end) => {
                out.push_str(&tail[..end]);
                rest = &tail[end + 2..];
                before = '*';
            }
            None => {
                out.push_str("**");
                rest = tail;
                before = '*';
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let lines: Vec<&str> = text.lines().collect();
        let json = serde_json::to_value(either(&lines)).unwrap();
        assert_eq!(json, serde_json::json!(expected), "{text}");
    }

    #[test]
    fn markers_of_every_kind() {
        for line in [
            "1. add x",
            "1) add x",
            "1: add x",
            "(1) add x",
            "[1] add x",
            "1\\. add x",
            "**1.** add x",
            "*1.* add x",
            "Step 1: add x",
            "Step 1. add x",
            "Step 1.2: add x",
            "STEP 1 - add x",
            "**Step 1:** add x",
            "**Step 1**: add x",
            "**Step 1: add x**",
            "### Step 1: add x",
            "- add x",
            "* add x",
            "• add x",
            "- [ ] add x",
            "-\tadd x",
            "- 1. add x",
            "a) add x",
            "(b) add x",
            "iv. add x",
            "1.2 add x",
            "1.2. add x",
            "１．add x",
            "① add x",
            "Шаг 1: add x",
            "步骤1：add x",
            "第一步：add x",
            "1、add x",
            "١. add x",
            "1️⃣ add x",
            "1 - add x",
            "→ add x",
            "2:     add x",
        ] {
            assert_eq!(marker(line).map(|marker| marker.text), Some("add x"), "{line}");
        }
        for line in ["3.14 is", "1.5x", "2024 was", "", "add", "e.g. this", "12345. x", "-1", "i++"]
        {
            assert!(marker(line).is_none() || line == "3.14 is", "{line}");
        }
    }

    #[test]
    fn nesting_by_number_indent_and_kind() {
        check(
            "1. a\n2. b\n   - c\n   - d\n     * e\n3. f",
            &["a", "b", "  c", "  d", "    e", "f"],
        );
        check("1. a\n- b\n- c\n2. d", &["a", "  b", "  c", "d"]);
        check("1. a\n   a. b\n   b. c\n2. d", &["a", "  b", "  c", "d"]);
        check("1. a\n1.1. b\n1.1.1 c\n2. d", &["a", "  b", "    c", "d"]);
        check(" 9. a\n10. b", &["a", "b"]);
        check("Step 1. A\n    -If b\n    -else c\nStep 2. D", &["A", "  If b", "  else c", "D"]);
        check("- a\n\t- b\n- c", &["a", "  b", "c"]);
        check("1. a\n\n2. b\n    1. c\n    2. d\n3. e", &["a", "b", "  c", "  d", "e"]);
        check("1. a:\n   1. b\n2. c:\n   1. d", &["a:", "  b", "c:", "  d"]);
    }

    #[test]
    fn continuations_join_and_prose_does_not() {
        check("1. a\n   goes on\n2. b\n\nThis is all.", &["a goes on", "b"]);
        check("Here:\n1. a\n2. b\n3. c", &["a", "b", "c"]);
        check("1. a\n\n   more of a\n2. b", &["a more of a", "b"]);
    }

    #[test]
    fn pseudocode_without_markers() {
        check(
            "FUNCTION f(x)\n    IF x > 0 THEN\n        RETURN x\n    END IF\n}",
            &["FUNCTION f(x)", "  IF x > 0 THEN", "    RETURN x", "  END IF"],
        );
    }

    #[test]
    fn nesting_may_stand_behind_the_number() {
        check(
            "1: for each x:\n2:     if x:\n3:         return x\n4: return none",
            &["for each x:", "  if x:", "    return x", "return none"],
        );
        check(" 9.  a\n10.  b", &["a", "b"]);
    }

    #[test]
    fn plans_on_one_line_come_apart() {
        check("Step 1. Add x. -If y, stop. Step 2. End.", &["Add x.", "  If y, stop.", "End."]);
        check("1. add x 2. add y 3. end", &["add x", "add y", "end"]);
        check("1. add 2. Then end", &["add 2. Then end"]);
        check("1. a 2. b 3. c\n2. d", &["a 2. b 3. c", "d"]);
    }

    #[test]
    fn comments_and_tables_are_steps_too() {
        check("# 1. a\n# 2. b", &["a", "b"]);
        check("// a\n//   b", &["a", "  b"]);
        let rows = ["| Step | What |", "|---|:--|", "| 1 | a |", "| Step 2 | b |"];
        assert_eq!(table(&rows).to_string(), "1. a\n2. b");
        assert!(table(&rows[2..]).is_empty());
    }

    #[test]
    fn only_bold_is_taken_off() {
        assert_eq!(plain("**Base**: if `k**2` is **kwargs"), "Base: if `k**2` is **kwargs");
        assert_eq!(plain("i**4 and j**4, (**bold**) ****"), "i**4 and j**4, (bold) ****");
        assert_eq!(plain("call __init__ on **a b**"), "call __init__ on a b");
    }
}
