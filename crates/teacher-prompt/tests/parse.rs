//! Replies in every dress, and hostile ones.

use distill_core::Language;
use proptest::prelude::*;
use teacher_prompt::{
    Direction, LONGEST_REPLY, ParseOptions, Parsed, Parts, Verdict, parse_body, parse_reply,
};

fn options(language: Language, entry_point: &str) -> ParseOptions {
    ParseOptions {
        language: Some(language),
        entry_point: (!entry_point.is_empty()).then(|| entry_point.to_owned()),
        parts: Parts::Both,
        ..ParseOptions::default()
    }
}

fn python(reply: &str) -> Parsed {
    parse_reply(reply, &options(Language::Python, "f"))
}

const CODE: &str = "def f(xs):\n    return sum(xs)";

#[track_caller]
fn both(reply: &str) {
    let parsed = python(reply);
    let steps = parsed.pseudocode.map(|plan| plan.to_string());
    assert_eq!(steps.as_deref(), Some("1. add up\n2. return it"), "{reply}");
    assert_eq!(parsed.code.as_deref(), Some(CODE), "{reply}");
    assert_eq!((parsed.verdict, &*parsed.reason), (Verdict::Ok, ""), "{reply}");
}

#[test]
fn every_usual_form_gives_both_parts() {
    let block = format!("```python\n{CODE}\n```");
    let steps = "1. add up\n2. return it";
    let indented = CODE.replace("\n", "\n    ");
    for reply in [
        format!("Pseudocode:\n{steps}\nCode:\n{block}\nExplanation:\n1. It adds.\n2. It returns."),
        format!("Problem:\n- Add.\nPseudocode:\n{steps}\n\nCode:\n{block}"),
        format!("**Pseudocode:**\n\n{steps}\n\n**Code:**\n\n{block}\n\nThis works."),
        format!("### Pseudocode\n{steps}\n### Python Code\n{block}\n### Explanation\n- It adds."),
        format!("# Pseudocode\n{steps}\n# Code\n{block}"),
        format!("Sure! Here is the plan.\n\n{steps}\n\nHere is the code:\n\n{block}"),
        format!("Here's the pseudocode:\n\n{steps}\n\nNow, let's implement it:\n\n{block}"),
        format!("Code:\n{block}\nPseudocode:\n{steps}"),
        format!("Pseudocode:\n{steps}\n{block}"),
        format!("Pseudocode:\n{steps}\nCode:\n```\n{CODE}\n```"),
        format!("Pseudocode:\n{steps}\nCode:\n~~~py\n{CODE}\n~~~"),
        format!("Pseudocode:\n{steps}\nCode:\n```Python title=\"a.py\"\n{CODE}\n```"),
        format!("Pseudocode:\n{steps}\nCode:\n```python\n{CODE}"),
        format!("Pseudocode:\n{steps}\nCode:\n{CODE}\n"),
        format!("Pseudocode:\n{steps}\nCode:\n    {indented}\n"),
        format!("Pseudocode:\n{steps}\nCode:\n{CODE}\n\nThis function adds up the list.\n"),
        format!("Pseudocode:\n1) add up\n2) return it\nCode:\n{block}"),
        format!("Pseudocode:\n- add up\n- return it\nCode:\n{block}"),
        format!("Pseudocode:\nStep 1: add up\nStep 2: return it\nCode:\n{block}"),
        format!(
            "**Pseudocode**\n\n**Step 1:** add up\n\n**Step 2:** return it\n\n**Code**\n{block}"
        ),
        format!("Pseudocode:\n```\n{steps}\n```\nCode:\n{block}"),
        format!("Pseudocode:\n```text\nadd up\nreturn it\n```\nCode:\n{block}"),
        format!("```pseudocode\n{steps}\n```\n{block}"),
        format!("Pseudocode:\n```python\nadd up\nreturn it\n```\nCode:\n{block}"),
        format!(
            "<think>\nPseudocode:\n1. wrong\n```python\nx\n```\n</think>\nPseudocode:\n{steps}\nCode:\n{block}"
        ),
        format!("Hm, 1. wrong\n</think>\n\nPseudocode:\n{steps}\nCode:\n{block}"),
        format!("```markdown\nPseudocode:\n{steps}\nCode:\n{block}\n```"),
        format!("```\nPseudocode:\n{steps}\nCode:\n{block}\n```"),
        format!("Pseudocode:\n```\n{steps}\n\nCode:\n{block}"),
        format!("[Pseudocode]\n{steps}\n[Code]\n{block}"),
        format!("<pseudocode>\n{steps}\n</pseudocode>\n<code>\n{block}\n</code>"),
        format!("1. **Pseudocode**:\n{steps}\n2. **Code**:\n{block}"),
        format!("\u{feff}Pseudocode:\n{steps}\nCode:\n{block}<|im_end|>"),
        format!("Pseudocode:\n{steps}\nCode:\n{block}\n<|im_end|>"),
        format!("伪代码：\n1、add up\n2、return it\n代码：\n{block}\n解释：好。"),
        format!("Псевдокод:\nШаг 1: add up\nШаг 2: return it\nКод:\n{block}"),
        format!("Pseudocódigo:\n{steps}\nCódigo:\n{block}"),
        format!("Pseudocode for `f`:\nadd up\nreturn it\n\nCode (Python):\n{block}"),
        format!("To solve this, follow these steps:\n\n{steps}\n\nHere's the code:\n{block}"),
        format!("### Approach\n{steps}\n\n### Solution Code\n{block}\n### Explanation\n- It adds."),
        format!("Pseudocode:\n{steps}\n[PYTHON]\n{CODE}\n[/PYTHON]\n[TESTS]\nassert f([]) == 0"),
        format!("Pseudocode:\n{steps}\n\n{CODE}\n"),
        format!("Pseudocode:\n{steps}\n\nThis is it:\n\n{CODE}\n\nIt adds up the list."),
        format!("### Pseudocode\n\n### Step 1: add up\n\n### Step 2: return it\n\n### Code\n{block}"),
        format!("## Pseudocode\n\n#### Step 1: add up\n#### Step 2: return it\n\n## Code\n{block}"),
        format!("**Pseudocode:**\n**Input:**\nA list.\n\n**Output:** a sum\n\n{steps}\n**Code:**\n{block}"),
        format!("### Pseudocode\n{steps}\n### Remarks\n1. None.\n### Code\n{block}"),
        "- Pseudocode:\n  1. add up\n  2. return it\n- Code:\n  ```python\n  def f(xs):\n      return sum(xs)\n  ```"
            .to_owned(),
    ] {
        both(&reply);
        both(&reply.replace('\n', "\r\n"));
    }
}

#[test]
fn of_several_blocks_the_one_that_defines_the_function_is_taken() {
    let steps = "Pseudocode:\n1. add up\n2. return it\nCode:\n";
    both(&format!(
        "{steps}```bash\npip install x\n```\n```python\nimport x\n```\n```python\n{CODE}\n```"
    ));
    both(&format!(
        "{steps}```python\ndef g(): pass\n```\nor\n```\n{CODE}\n```\nUsage:\n```python\nf([1])\n```"
    ));
    both(&format!("{steps}```python\ndef f(xs:\n```\nCorrected:\n```python\n{CODE}\n```"));
    both(&format!(
        "{steps}```java\nclass A {{}}\n```\n```python\n{CODE}\n```\nOutput:\n```\n6\n```"
    ));
    let two = format!("{steps}```python\n{CODE}\n```\n```python\nprint(1)\nprint(2)\n```");
    let parsed = parse_reply(&two, &options(Language::Python, ""));
    assert_eq!(parsed.code.as_deref(), Some(CODE), "without a name, the one with a function");
}

#[test]
fn what_is_missing_is_named_and_the_rest_is_kept() {
    let block = format!("```python\n{CODE}\n```");
    let reason = |reply: &str| {
        let parsed = python(reply);
        (parsed.verdict, parsed.reason, parsed.pseudocode.is_some(), parsed.code.is_some())
    };
    let no_code = "no Code section, and no code block elsewhere";
    assert_eq!(
        reason("Pseudocode:\n1. add up\n2. return it"),
        (Verdict::NoCode, no_code.into(), true, false)
    );
    let empty = reason("Pseudocode:\n1. add up\nCode:\n\n");
    assert_eq!(empty, (Verdict::NoCode, "the Code section is empty".into(), true, false));
    let no_steps = "no Pseudocode section, and no list of steps before the code";
    for reply in [
        format!("{block}\n### Explanation:\n1. It adds.\n2. It returns."),
        format!("Facts:\n- It adds.\n- It returns.\n\n{block}"),
        format!("### Problem Breakdown\n1. One.\n2. Two.\n{block}"),
    ] {
        assert_eq!(reason(&reply), (Verdict::NoPseudocode, no_steps.into(), false, true));
    }
    assert_eq!(reason(&format!("Pseudocode:\n\nCode:\n{block}")).0, Verdict::NoPseudocode);
    assert_eq!(reason("I cannot help with that.").0, Verdict::Neither);
    assert_eq!(reason(" \n\t").0, Verdict::Empty);
    assert_eq!(reason("<think>\n1. well\n```python\nx = 1").0, Verdict::OnlyReasoning);
}

#[test]
fn backward_replies_need_steps_alone() {
    let options = ParseOptions { parts: Direction::Backward.into(), ..options(Language::Go, "") };
    for reply in ["1. add up", "Pseudocode:\n1. add up", "Here it is:\n\n- add up\n"] {
        let parsed = parse_reply(reply, &options);
        assert_eq!(parsed.verdict, Verdict::Ok, "{reply}: {}", parsed.reason);
        assert_eq!(parsed.pseudocode.unwrap().to_string(), "1. add up");
    }
}

#[test]
fn code_is_kept_to_the_letter() {
    let code = "def f():\n\tx = '''a  \n   \n# Code:\n'''\n\n\t# Explanation: none\n\treturn x";
    let parsed = python(&format!("Pseudocode:\n1. x\nCode:\n```python\n\n{code}\n\n```\n"));
    assert_eq!(parsed.code.as_deref(), Some(code));
    let unfenced =
        "def f():\n    # Initialize\n    x = 1\n\n    # Return the solution\n    return x";
    let parsed = python(&format!("Pseudocode:\n1. x\nCode:\n{unfenced}\n\nExplanation:\nFine."));
    assert_eq!(parsed.code.as_deref(), Some(unfenced));
}

#[test]
fn steps_that_use_words_for_sections_stay_steps() {
    let plan = "1. Implement the following steps:\n   1.1. Test the code\n2. Return code: 5\n3. **Code**: is **bold**";
    let parsed = python(&format!("Pseudocode:\n{plan}\nCode:\n```python\n{CODE}\n```"));
    let json = serde_json::to_value(parsed.pseudocode.unwrap()).unwrap();
    let expected =
        ["Implement the following steps:", "  Test the code", "Return code: 5", "Code: is bold"];
    assert_eq!(json, serde_json::json!(expected));
}

#[test]
fn bodies_of_chat_completions_are_read() {
    let body = |text: &str, finish: &str| {
        let body = serde_json::json!({"choices": [
            {"message": {"content": text}, "finish_reason": finish}]});
        parse_body(body.to_string().as_bytes(), &options(Language::Python, "f"))
    };
    let reply = format!("Pseudocode:\n1. add up\nCode:\n```python\n{CODE}\n```");
    assert_eq!(body(&reply, "stop").verdict, Verdict::Ok);
    let cut = body(&reply, "length");
    assert_eq!((cut.verdict, cut.code.is_some()), (Verdict::CutShort, true));
    let parsed = parse_body(b"{\"error\": 1}", &ParseOptions::default());
    assert_eq!(parsed.verdict, Verdict::Empty);
    assert_eq!(
        serde_json::to_value(body("Pseudocode:\n1. add up", "stop")).unwrap(),
        serde_json::json!({"pseudocode": ["add up"], "code": null, "verdict": "no_code",
            "reason": "no Code section, and no code block elsewhere"})
    );
}

/// Real replies of Qwen2.5-Coder-Instruct (0.5B and 1.5B) to problems of MBXP (CC-BY-4.0).
#[test]
fn real_replies() {
    for (file, language, entry_point, steps, depth, last) in [
        ("bold-go-cut.txt", Language::Go, "binomial_Coeff", 3, 0, "}"),
        ("lettered-python.txt", Language::Python, "", 5, 1, "    return arr"),
        ("unlabelled-ruby.txt", Language::Ruby, "multiple_split", 3, 0, "end"),
        ("nested-go.txt", Language::Go, "sqrt", 5, 1, "}"),
    ] {
        let path = format!("{}/tests/replies/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap();
        let parsed = parse_reply(&text, &options(language, entry_point));
        assert_eq!(parsed.verdict, Verdict::Ok, "{file}: {}", parsed.reason);
        let plan = parsed.pseudocode.unwrap();
        assert_eq!(plan.len(), steps, "{file}: {plan}");
        assert_eq!(plan.steps().iter().map(|step| step.depth).max(), Some(depth), "{file}");
        assert_eq!(parsed.code.unwrap().lines().last(), Some(last), "{file}");
    }
    let path = format!("{}/tests/replies/no-plan-python.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let parsed = parse_reply(&text, &options(Language::Python, "even_Power_Sum"));
    assert_eq!(parsed.verdict, Verdict::NoPseudocode, "its only list explains the code");
    assert!(parsed.code.unwrap().starts_with("def even_Power_Sum(n):"));
}

#[test]
fn hostile_replies_end() {
    let fill = |unit: &str| unit.repeat((1 << 17) / unit.len());
    for reply in [
        fill("a"),
        fill("\n"),
        fill("```\n"),
        fill("```python\nx\n```\n"),
        fill("1. "),
        fill("1.\n"),
        fill("**a"),
        fill("# Code\n"),
        fill("# Code\nx (\n"),
        fill("# X\ndef f(:\n"),
        fill("<think>"),
        fill("<think>\n"),
        fill("<plan>"),
        fill("<plan>\n"),
        fill("</plan><code>"),
        fill("x</plan>"),
        fill("<plan>x</plan> y"),
        fill("Problem:\n"),
        fill("Input:\n"),
        fill("| 1 | x |\n"),
        fill("> > "),
        fill("> ```\n"),
        fill("{\"plan\":"),
        fill("\\begin{verbatim}\n"),
        format!("1.{}", fill(" 2. 3. ")),
        format!("Step 1. a{}", fill(" Step 2. b -If")),
        fill("    # x\n"),
        fill("\r"),
        fill("- \t"),
        fill("(("),
        format!("Code:\n```python\n{}", fill("((((((((\n")),
        format!("Pseudocode:\n{}", fill("1.1.1.1.1.1.1.")),
        format!("第{}", fill("一")),
        (0..2000).map(|depth| format!("{}- x\n", " ".repeat(depth))).collect(),
        (3..1500).map(|count| format!("{}\nCode:\n", "`".repeat(count))).collect(),
    ] {
        let _ = python(&reply);
    }
    assert_eq!(python(&"a".repeat(2 * LONGEST_REPLY)).verdict, Verdict::Neither);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_without_panic(text in any::<String>()) {
        let _ = python(&text);
        let _ = parse_body(text.as_bytes(), &ParseOptions::default());
    }

    #[test]
    fn any_mixture_of_pieces_is_read_without_panic(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "```", "```python", "~~~", "\n", "\r\n", "Pseudocode:", "**Code**", "# ", "1. ", "- ",
            "   ", "\t", "<think>", "</think>", "def f():", "Step ２: ", "**", "第", "步", ":", "：",
            "é", "①", "`", "(a) ", "[", "]", "</code>", "\u{feff}", "1\\. ", "<plan>", "</plan>",
            "> ", "| ", "|---|", "{", "}", "\"code\":", "\\begin{minted}", "# ", "1️⃣", " 2. ",
            "Step 2. ", "Input:", "How to solve:", "\u{200b}", "\r", "'''",
        ]), 0..60),
    ) {
        let _ = python(&pieces.concat());
    }
}
