//! Which lines open a section, and which section.

use distill_core::Language;

use super::steps::is_numbered;

/// The parts of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// Before any heading.
    Preamble,
    /// The problem, restated.
    Problem,
    /// The plan.
    Pseudocode,
    /// The program.
    Code,
    /// Why it works, examples, notes: everything about the program.
    Explanation,
    /// Under a heading that means nothing to us.
    Other,
}

/// A line that opens a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heading<'a> {
    pub section: Section,
    /// Whether it says nothing else: `Pseudocode`, `Code`, as against `My plan for this`.
    pub exact: bool,
    /// 1 to 6 for hashes, 7 for bold, 8 for plain text.
    pub level: usize,
    /// Whether it may as well head a part of a plan: `Input`, `Output`.
    pub inner: bool,
    /// What follows on the same line.
    pub rest: &'a str,
}

/// What the next line that is not blank looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Fence,
    Step,
    Else,
}

/// Longest line that may be a heading, in bytes.
const LONGEST: usize = 240;

/// Names that stand alone for the plan, in the languages that models answer in.
const PSEUDOCODE: &[&str] = &[
    "pseudocode",
    "pseudo code",
    "pseudo-code",
    "pseudocódigo",
    "pseudocodigo",
    "pseudocodice",
    "псевдокод",
    "伪代码",
    "偽代碼",
    "虛擬碼",
    "疑似コード",
    "擬似コード",
    "의사코드",
    "의사 코드",
];
const CODE: &[&str] = &[
    "code",
    "código",
    "codigo",
    "codice",
    "код",
    "代码",
    "代碼",
    "程式碼",
    "コード",
    "코드",
    "quellcode",
];
const EXPLANATION: &[&str] = &[
    "explicación",
    "explicacion",
    "explication",
    "erklärung",
    "spiegazione",
    "explicação",
    "объяснение",
    "пояснение",
    "解释",
    "解釋",
    "说明",
    "說明",
    "説明",
    "解説",
    "설명",
];
const PROBLEM: &[&str] =
    &["problema", "problème", "aufgabe", "задача", "проблема", "问题", "問題", "문제"];
const STEPS: &[&str] = &[
    "pasos",
    "étapes",
    "etapes",
    "schritte",
    "passaggi",
    "passos",
    "шаги",
    "план",
    "алгоритм",
    "步骤",
    "步驟",
    "思路",
    "手順",
    "단계",
    "algoritmo",
    "algorithme",
    "algorithmus",
];

const PLAN_WORDS: &[&str] = &[
    "plan",
    "steps",
    "algorithm",
    "approach",
    "strategy",
    "reasoning",
    "logic",
    "outline",
    "procedure",
];
const CODE_WORDS: &[&str] =
    &["code", "implementation", "solution", "program", "implement", "implementing", "script"];
const EXPLANATION_WORDS: &[&str] = &[
    "explanation",
    "explanations",
    "explain",
    "explained",
    "explaining",
    "example",
    "examples",
    "usage",
    "test",
    "tests",
    "testing",
    "note",
    "notes",
    "complexity",
    "summary",
    "conclusion",
    "works",
    "output",
    "outputs",
    "breakdown",
    "details",
    "walkthrough",
];
const PROBLEM_WORDS: &[&str] =
    &["problem", "task", "question", "query", "requirements", "prompt", "input", "inputs"];

/// Reads a line outside of fences as a heading. `next` tells prose that announces a block ("Here is
/// the code:") from prose that does not.
pub(super) fn heading(line: &str, next: Next) -> Option<Heading<'_>> {
    // Markdown has no heading behind four blanks: a comment in code.
    let deep = line.starts_with("    ") || line.starts_with('\t');
    let line = line.trim();
    // A long line may still be a heading with a plan on it: "How to solve: Step 1. …".
    let long = line.len() > LONGEST && !line.bytes().take(LONGEST / 4).any(|c| c == b':');
    if line.is_empty() || long || line.starts_with("<?") || deep && line.starts_with('#') {
        return None;
    }
    let hashes = line.len() - line.trim_start_matches('#').len();
    let mut text = line[hashes..].trim();
    let hashed = (1..=6).contains(&hashes);
    let bold = text.starts_with("**") || text.starts_with("__");
    text = text.trim_start_matches(['*', '_']).trim_start();
    let bulleted = !bold && !hashed && line.starts_with(['-', '+', '*', '•']);
    if bulleted {
        text = text.trim_start_matches(['-', '+', '*', '•', ' ']);
    }
    let unnumbered = without_number(text);
    let numbered = unnumbered.len() < text.len();
    // "Step 1: Pseudocode", where "1. Pseudocode" might be a step.
    let worded = numbered && text.starts_with(|c: char| c.is_alphabetic());
    text = unnumbered.trim_start_matches(['*', '_']);
    // Pictures, brackets and tags before the words: "📝 Plan", "[Code]", "<pseudocode>".
    let bracketed = text.starts_with(['[', '<', '【']) && line.ends_with([']', '>', '】']);
    if bracketed && (text.starts_with("</") || text.starts_with("[/")) {
        let level = 8;
        return Some(Heading {
            section: Section::Other,
            exact: false,
            level,
            inner: false,
            rest: "",
        })
        .filter(|_| classify(&cleaned(text)).is_some_and(|(_, exact)| exact));
    }
    text = text.trim_start_matches(|c: char| {
        !(c.is_alphanumeric() || c.is_ascii() && !matches!(c, '[' | '<'))
    });
    if bracketed {
        text = text.trim_start_matches(['[', '<']);
    }
    let (title, rest, colon) = match text.find([':', '：']) {
        Some(at) => {
            let after = text[at..].chars().next().map_or(0, char::len_utf8);
            (&text[..at], &text[at + after..], true)
        }
        None => (text, "", false),
    };
    let rest = rest.trim_start_matches(['*', '_', ']', '>', '】']).trim();
    // Most lines end here: too long for a title, and announcing nothing.
    let plain = !(hashed || bold || bracketed);
    if (plain && !colon && title.len() > 80) || (!hashed && title.is_empty()) {
        return None;
    }
    // "notes = []" is no heading.
    let statement = text.contains([';', '{', '}']) || text.contains(" = ") || text.ends_with("()");
    if plain && !colon && statement {
        return None;
    }
    let title = cleaned(title);
    let level = if hashed {
        hashes
    } else if bold {
        7
    } else {
        8
    };
    let whole_bold = bold && (line.ends_with("**") || line.ends_with("__") || colon);
    if let Some((section, exact)) = classify(&title) {
        let alone = rest.is_empty();
        let accepted = if hashed || bracketed {
            true
        } else if bulleted || (numbered && !whole_bold) {
            exact && alone && (colon || worded)
        } else if whole_bold {
            // "**Function Definition**: Define …" is a step, whatever its words.
            exact || alone
        } else {
            exact && (colon || alone)
                // "How to solve: Step 1. …"
                || section == Section::Pseudocode && colon && is_numbered(rest)
        };
        let inner = matches!(title.as_str(), "input" | "inputs" | "output" | "outputs");
        if inner && !accepted {
            return None;
        }
        if accepted {
            return Some(Heading { section, exact, level, inner, rest });
        }
    }
    if hashed {
        return Some(Heading { section: Section::Other, exact: false, level, inner: false, rest });
    }
    let announces = line.ends_with([':', '：']) || line.ends_with(":**");
    if announces && !bulleted && !numbered {
        return announced(line, next).map(|section| Heading {
            section,
            exact: false,
            level: 8,
            inner: false,
            rest: "",
        });
    }
    None
}

/// Prose that ends in a colon, by its words and by what follows.
fn announced(line: &str, next: Next) -> Option<Section> {
    let lower = line.to_lowercase();
    let plan = PSEUDOCODE.iter().any(|name| lower.contains(name))
        || words(&lower).any(|word| PLAN_WORDS.contains(&word))
        || STEPS.iter().any(|name| lower.contains(name))
        || ["how to solve", "here is how", "here's how", "here’s how", "do the following"]
            .iter()
            .any(|phrase| lower.contains(phrase));
    let code = words(&lower)
        .any(|word| CODE_WORDS.contains(&word) || matches!(word, "function" | "implemented"))
        || (!plan && CODE.iter().any(|name| !name.is_ascii() && lower.contains(name)));
    let explains = words(&lower).any(|word| EXPLANATION_WORDS.contains(&word));
    match next {
        Next::Step if explains || lower.starts_with("in this ") => Some(Section::Explanation),
        Next::Step if plan => Some(Section::Pseudocode),
        Next::Fence if explains => Some(Section::Explanation),
        // "Here is the pseudocode for the function:" is about the plan; with a second word for
        // code it may be either.
        Next::Fence if PSEUDOCODE.iter().any(|name| lower.contains(name)) => {
            let both = words(&lower).any(|word| matches!(word, "code" | "implementation"))
                && !lower.contains("pseudo code");
            (!both).then_some(Section::Pseudocode)
        }
        Next::Fence if code => Some(Section::Code),
        _ => None,
    }
}

/// The section that a title names, and whether it says nothing else.
fn classify(title: &str) -> Option<(Section, bool)> {
    if title.is_empty() {
        return None;
    }
    let is = |names: &[&str]| names.contains(&title);
    if is(PSEUDOCODE) {
        return Some((Section::Pseudocode, true));
    }
    if is(CODE) || title.parse::<Language>().is_ok_and(|_| title.len() > 2) {
        return Some((Section::Code, true));
    }
    if is(EXPLANATION) {
        return Some((Section::Explanation, true));
    }
    if is(PROBLEM) {
        return Some((Section::Problem, true));
    }
    if is(STEPS) || matches!(title, "how to solve" | "how to solve it") {
        return Some((Section::Pseudocode, false));
    }
    let list: Vec<&str> = words(title).collect();
    let (Some(first), Some(last), true) = (list.first(), list.last(), list.len() <= 9) else {
        return None;
    };
    let any = |names: &[&str]| list.iter().any(|word| names.contains(word));
    let alone = list.len() == 1
        || (list.len() <= 4
            && list[..list.len() - 1]
                .iter()
                .all(|word| word.parse::<Language>().is_ok() || FILLERS.contains(word)));
    let pseudo = any(&["pseudocode", "pseudo"]) || PSEUDOCODE.iter().any(|n| title.contains(n));
    if PROBLEM_WORDS.contains(first) || any(&["breakdown"]) && any(PROBLEM_WORDS) {
        // "Input" and "Output" head parts of a plan as often as parts of a reply.
        let exact = list.len() == 1 && !matches!(*first, "input" | "inputs");
        return Some((Section::Problem, exact));
    }
    if pseudo && !any(&["explanation", "explained"]) {
        // "Pseudocode for f" says no more than "Pseudocode".
        let exact = alone || list.len() <= 2 || (list.len() <= 5 && PSEUDOCODE.contains(first));
        return Some((Section::Pseudocode, exact));
    }
    if any(EXPLANATION_WORDS) {
        let exact = alone && !matches!(*last, "output" | "outputs" | "test" | "tests" | "works");
        return Some((Section::Explanation, exact));
    }
    if PLAN_WORDS.contains(last) || (any(PLAN_WORDS) && !any(CODE_WORDS)) {
        return Some((Section::Pseudocode, alone));
    }
    if any(CODE_WORDS) {
        return Some((Section::Code, alone));
    }
    None
}

/// Words that may stand before a section's name without changing it.
const FILLERS: &[&str] = &[
    "the", "a", "my", "final", "complete", "full", "solution", "source", "code", "example",
    "natural", "language", "step", "by", "time", "space", "here", "is", "detailed", "write",
    "writing",
];

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '+' | '#' | '\'')))
        .filter(|word| !word.is_empty())
}

/// A title without decoration, lower case, single blanks.
fn cleaned(title: &str) -> String {
    let title = title.trim_matches(|c: char| !c.is_alphanumeric() && c != '+' && c != '#');
    title.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text after `1. `, `2) `, `Step 3: ` or `Part 1 - `.
fn without_number(text: &str) -> &str {
    const WORDS: [&str; 3] = ["step ", "part ", "phase "];
    let word = WORDS
        .iter()
        .find_map(|word| text.get(..word.len()).filter(|head| head.eq_ignore_ascii_case(word)));
    let number = &text[word.map_or(0, str::len)..];
    let after = number.trim_start_matches(|c: char| c.is_ascii_digit());
    if after.len() == number.len() {
        return text;
    }
    match after.trim_start().strip_prefix(['.', ')', ':', '-', '–', '—']) {
        Some(rest) if word.is_some() || after.starts_with(['.', ')', ':']) => rest.trim_start(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, next: Next, expected: Option<(Section, &str)>) {
        let found = heading(line, next).map(|heading| (heading.section, heading.rest));
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn headings_in_every_dress() {
        use Section::*;
        for (line, section) in [
            ("Pseudocode:", Pseudocode),
            ("**Pseudocode:**", Pseudocode),
            ("**Pseudocode**:", Pseudocode),
            ("### Pseudocode", Pseudocode),
            ("## 1. Pseudocode:", Pseudocode),
            ("**1. Pseudocode**", Pseudocode),
            ("1. Pseudocode:", Pseudocode),
            ("- Pseudocode:", Pseudocode),
            ("PSEUDO-CODE", Pseudocode),
            ("[Pseudocode]", Pseudocode),
            ("Pseudocode for `f`:", Pseudocode),
            ("[PYTHON]", Code),
            ("[/PYTHON]", Other),
            ("<pseudocode>", Pseudocode),
            ("### 📝 Plan", Pseudocode),
            ("Step-by-step plan:", Pseudocode),
            ("Pseudocode (Python):", Pseudocode),
            ("伪代码：", Pseudocode),
            ("**步骤**", Pseudocode),
            ("Псевдокод:", Pseudocode),
            ("Code:", Code),
            ("Python Code:", Code),
            ("C++ code:", Code),
            ("### Go Code", Code),
            ("### Implementation in Java", Code),
            ("**Final Code**", Code),
            ("JavaScript:", Code),
            ("代码：", Code),
            ("Explanation:", Explanation),
            ("### Explanation of the Code", Explanation),
            ("### Example usage:", Explanation),
            ("**Time Complexity:**", Explanation),
            ("Problem:", Problem),
            ("### Problem Breakdown", Problem),
            ("### Something else", Other),
            ("</pseudocode>", Other),
        ] {
            check(line, Next::Else, Some((section, "")));
        }
        check("Problem: (go) Add.", Next::Else, Some((Problem, "(go) Add.")));
        check("**Code:** `x = 1`", Next::Else, Some((Code, "`x = 1`")));
    }

    #[test]
    fn announcements_count_by_what_follows() {
        let code = "Here's how you can implement this in Go:";
        check(code, Next::Fence, Some((Section::Code, "")));
        check(code, Next::Else, None);
        let plan = "Here's the pseudocode for `f`:";
        check(plan, Next::Fence, Some((Section::Pseudocode, "")));
        check(plan, Next::Step, Some((Section::Pseudocode, "")));
        check("In this code:", Next::Step, Some((Section::Explanation, "")));
        check("Here is the pseudocode and the code:", Next::Fence, None);
    }

    #[test]
    fn steps_and_prose_are_no_headings() {
        for line in [
            "1. **Function Definition**: Define a function.",
            "1. Return code: 5",
            "2. Implement the following steps:",
            "for each code in codes:",
            "**Base Case**: If k is 0, return 1.",
            "Return the solution",
            "The plan works.",
            "Input: a list of n numbers",
            "",
            "3. Test the code",
            "notes = []",
            "code = x",
            "steps()",
            "    # Code",
            "<?php",
        ] {
            check(line, Next::Step, None);
        }
        check(&"x".repeat(1000), Next::Else, None);
    }
}
