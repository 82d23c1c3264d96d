//! The same lesson in the dresses that models put on it.

use distill_core::Language;
use teacher_prompt::{ParseOptions, Verdict, parse_reply};

const CODE: &str = "def total(xs):\n    s = 0\n    for x in xs:\n        s += x\n    return s";
const STEPS: &str = "1. set s to zero\n2. add each x to s\n3. return s";

#[track_caller]
fn check(reply: &str) {
    let options = ParseOptions {
        language: Some(Language::Python),
        entry_point: Some("total".into()),
        ..ParseOptions::default()
    };
    let parsed = parse_reply(reply, &options);
    let steps = parsed.pseudocode.map(|plan| plan.to_string());
    assert_eq!(steps.as_deref(), Some(STEPS), "{reply}");
    assert_eq!(parsed.code.as_deref(), Some(CODE), "{reply}");
    assert_eq!(parsed.verdict, Verdict::Ok, "{reply}");
}

fn block() -> String {
    format!("```python\n{CODE}\n```")
}

#[test]
fn headings() {
    for (plan, code) in [
        ("**Pseudocode**", "**Code**"),
        ("**Pseudocode:**", "**Code:**"),
        ("**Pseudocode**:", "**Code**:"),
        ("### Pseudocode", "### Code"),
        ("### Pseudocode:", "### Code:"),
        ("### **Pseudocode**", "### **Code**"),
        ("## Step 1: Pseudocode", "## Step 2: Code"),
        ("### 1. Pseudocode", "### 2. Implementation"),
        ("**1. Pseudocode:**", "**2. Python Code:**"),
        ("#### Pseudocode\n", "#### Python Implementation\n"),
        ("Here is the pseudocode:", "Here is the Python code:"),
        ("Here's a step-by-step plan:", "Here's the implementation:"),
        ("Sure! Let's break it down step by step:", "Now let's write the code:"),
        ("Plan:", "Implementation:"),
        ("Algorithm:", "Program:"),
        ("## Plan", "## Solution"),
        ("### Solution Plan", "### Solution Code"),
        ("*Pseudocode:*", "*Code:*"),
        ("_Pseudocode_", "_Code_"),
        ("__Pseudocode__", "__Code__"),
        ("PSEUDOCODE", "CODE"),
        ("Pseudo-code:", "Python:"),
        ("Pseudo Code", "Source Code"),
        ("=== Pseudocode ===", "=== Code ==="),
        ("--- Pseudocode ---", "--- Code ---"),
        ("<pseudocode>", "</pseudocode>\n<code>"),
        ("[PSEUDOCODE]", "[/PSEUDOCODE]\n[CODE]"),
        ("【伪代码】", "【代码】"),
        ("## 伪代码", "## 代码实现"),
        ("### 伪代码\n", "### Python 代码\n"),
        ("伪代码如下：", "代码如下："),
        ("步骤：", "实现："),
        ("**思路**：", "**参考代码**："),
        ("**Pseudocódigo:**", "**Código:**"),
        ("### Pseudocódigo", "### Código en Python"),
        ("Pasos:", "Solución:"),
        ("Aquí está el pseudocódigo:", "Aquí está el código:"),
        ("**Псевдокод:**", "**Код:**"),
        ("### Псевдокод", "### Код на Python"),
        ("План решения:", "Решение:"),
        ("Вот псевдокод:", "Вот код:"),
        ("### Pseudocode (Deutsch)", "### Python-Code"),
        ("**Pseudocode:**", "**Implementierung:**"),
        ("Schritte:", "Lösung:"),
        ("Hier ist der Pseudocode:", "Hier ist der Code:"),
        ("Pseudo-code :", "Code :"),
        ("**Pseudo-code :**", "**Implémentation en Python :**"),
        ("### Étapes", "### Code Python"),
        ("擬似コード:", "コード:"),
        ("## 疑似コード", "## 実装"),
        ("의사코드:", "코드:"),
        ("Pseudocódigo:", "Código em Python:"),
        ("Step 1: Pseudocode", "Step 2: Code"),
        ("**Step 1: Write the pseudocode**", "**Step 2: Write the code**"),
        ("I. Pseudocode", "II. Code"),
        ("A. Pseudocode:", "B. Code:"),
        ("✅ **Pseudocode**", "✅ **Code**"),
        ("🧠 Plan:", "💻 Code:"),
        ("### 📝 Pseudocode", "### 🐍 Python Code"),
        ("> Pseudocode:", "> Code:"),
        ("\"Pseudocode\":", "\"Code\":"),
        ("`Pseudocode`:", "`Code`:"),
        ("Pseudocode -", "Code -"),
        ("Pseudocode—", "Code—"),
        ("Let's think step by step.", "So the code is:"),
        ("**Thought process**", "**Answer**"),
        ("### Reasoning", "### Answer"),
        ("### Logic:", "### Final Answer:"),
        ("## Approach", "## Complete Code"),
        ("How to solve:", "Code:"),
        ("Problem: Add numbers.\nPseudocode:", "Code:"),
        ("Problem:\n- Add numbers.\n\nPseudocode:", "Code:"),
        ("**Problem:** Add numbers.\n\n**Pseudocode:**", "**Code:**"),
        ("Pseudocode:", "Code (Python):"),
        ("Pseudocode for total(xs):", "Python code for total(xs):"),
        ("The pseudocode is as follows:", "The code is as follows:"),
        ("First, the plan:", "And the code:"),
        ("Steps to solve the problem:", "Python solution:"),
        ("Pseudocode\n----------", "Code\n----"),
        ("Pseudocode\n==========", "Code\n===="),
        ("\\*\\*Pseudocode:\\*\\*", "\\*\\*Code:\\*\\*"),
        ("<b>Pseudocode</b>", "<b>Code</b>"),
        ("<h3>Pseudocode</h3>", "<h3>Code</h3>"),
        ("| Pseudocode |", "| Code |"),
        ("Pseudocode:\n\n", "Code:\n\n"),
        ("**Pseudocode:**<br>", "**Code:**<br>"),
        ("\u{200b}Pseudocode:", "\u{200b}Code:"),
        ("\u{a0}Pseudocode:", "\u{a0}Code:"),
        ("- **Pseudocode:**", "- **Code:**"),
        ("* Pseudocode:", "* Code:"),
        ("1. Pseudocode:", "2. Code:"),
        ("**Pseudocode Steps:**", "**Python Function:**"),
        ("**High-Level Plan**", "**Implementation**"),
        ("**Pseudocode:** (Python)", "**Code:** (Python)"),
        ("### Pseudocode for the function", "### Function"),
        ("### Step-by-Step Plan", "### Full Code"),
        ("# Pseudocode", "# Code"),
        ("## PSEUDOCODE ##", "## CODE ##"),
        ("//Pseudocode", "//Code"),
    ] {
        let reply = format!("{plan}\n{STEPS}\n\n{code}\n{}", block());
        check(&reply);
        check(&reply.replace('\n', "\r\n"));
    }
}

#[test]
fn steps() {
    for steps in [
        "- set s to zero\n- add each x to s\n- return s",
        "**Step 1:**\nset s to zero\n\n**Step 2:**\nadd each x to s\n\n**Step 3:**\nreturn s",
        "#### Step 1\nset s to zero\n#### Step 2\nadd each x to s\n#### Step 3\nreturn s",
        "```python\n# set s to zero\n# add each x to s\n# return s\n```",
        "```markdown\n1. set s to zero\n2. add each x to s\n3. return s\n```",
        "# set s to zero\n# add each x to s\n# return s",
        "// set s to zero\n// add each x to s\n// return s",
        "> 1. set s to zero\n> 2. add each x to s\n> 3. return s",
        "| Step | What |\n|---|---|\n| 1 | set s to zero |\n| 2 | add each x to s |\n| 3 | return s |",
        "1. set s to zero 2. add each x to s 3. return s",
        "Step 1. set s to zero Step 2. add each x to s Step 3. return s",
        "1️⃣ set s to zero\n2️⃣ add each x to s\n3️⃣ return s",
        "i. set s to zero\nii. add each x to s\niii. return s",
        "1 - set s to zero\n2 - add each x to s\n3 - return s",
        "→ set s to zero\n→ add each x to s\n→ return s",
        "Input: xs\nOutput: s\n1: set s to zero\n2: add each x to s\n3: return s",
        "\"\"\"\n1. set s to zero\n2. add each x to s\n3. return s\n\"\"\"",
        "1. set s to zero\n2. add each x to s\n3. return s\n\nThis is linear in time.",
        "set s to zero\nadd each x to s\nreturn s",
    ] {
        check(&format!("Pseudocode:\n{steps}\n\nCode:\n{}\n\nExplanation:\nIt adds.", block()));
    }
}

#[test]
fn code() {
    let block = block();
    for code in [
        format!("{block}This function adds."),
        format!("{block}<|eot_id|>"),
        format!("```lang=python\n{CODE}\n```"),
        format!("```{{.python .numberLines}}\n{CODE}\n```"),
        format!("````python\n{CODE}\n````"),
        format!("<code>\n{CODE}\n</code>"),
        format!("<pre><code>\n{CODE}\n</code></pre>"),
        format!("[BEGIN]\n{CODE}\n[END]"),
        format!("\\begin{{lstlisting}}\n{CODE}\n\\end{{lstlisting}}"),
        format!("```bash\npip install x\n```\n\n{block}\n\nOutput:\n```\n3\n```"),
    ] {
        check(&format!("Pseudocode:\n{STEPS}\n\nCode:\n{code}"));
    }
}

#[test]
fn whole_replies() {
    let block = block();
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let list = r#"["set s to zero", "add each x to s", "return s"]"#;
    for reply in [
        format!("{{\"pseudocode\": {list}, \"code\": {}}}", quoted(CODE)),
        format!("```json\n{{\"Plan\": {}, \"Code\": {}}}\n```", quoted(STEPS), quoted(&block)),
        format!("<plan>{STEPS}</plan>\n<code>{CODE}</code>"),
        format!(
            "<reasoning>x</reasoning><pseudocode>{STEPS}</pseudocode><solution>{block}</solution>"
        ),
        format!("<think>\nHm.\n\nPseudocode:\n{STEPS}\n\nCode:\n{block}"),
        format!("Pseudocode:\n{STEPS}\n\nCode:\n{block}").replace('\n', "\r"),
        format!("Here is how:\n\n- set s to zero\n- add each x to s\n- return s\n\n{block}"),
        format!(
            "### Step 1: set s to zero\n### Step 2: add each x to s\n### Step 3: return s\n\n{block}"
        ),
        format!("Here is how the algorithm works:\n\n{STEPS}\n\n{block}"),
        format!(
            "<details><summary>Pseudocode</summary>\n\n{STEPS}\n\n</details>\n\nCode:\n{block}"
        ),
    ] {
        check(&reply);
    }
    let commented = STEPS.replace('\n', "\n# ");
    let parsed = parse_reply(
        &format!("```python\n# Pseudocode:\n# {commented}\n{CODE}\n```"),
        &ParseOptions { language: Some(Language::Python), ..ParseOptions::default() },
    );
    assert_eq!(parsed.pseudocode.map(|plan| plan.to_string()).as_deref(), Some(STEPS));
}

#[test]
fn a_bare_body_is_code() {
    let body =
        "    total = 0\n    for x in xs:\n        total += x\n    return total\n\ndef other():";
    let options = ParseOptions { language: Some(Language::Python), ..ParseOptions::default() };
    let parsed = parse_reply(body, &options);
    assert_eq!(parsed.verdict, Verdict::NoPseudocode);
    assert!(parsed.code.unwrap().ends_with("    total += x\nreturn total"));
    assert_eq!(parse_reply("    This is indented.", &options).verdict, Verdict::Neither);
}
