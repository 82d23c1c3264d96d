//! A candidate and its tests as a program.
//!
//! | language | after the publishers' harnesses | how its end is told |
//! |---|---|---|
//! | Python | prompt, completion, test, then `check(entry_point)` unless the test calls `check` itself; run in an empty namespace, so that `if __name__ == "__main__"` does nothing | a driver that executes it |
//! | Java | prompt, completion, test as `Main.java`; the test holds a class `Main` | a class that calls `Main.main` |
//! | Go | prompt, completion, test; `package` and imports are added where the prompt has no `package` clause (HumanEval-X), a `main` becomes a test (MBXP) | `TestMain` |
//! | JavaScript | prompt, completion, test; a `console.assert` that fails throws | a last line |
//! | PHP | prompt, completion, test; opened with `<?php` | a last line |
//! | Ruby | prompt, completion, test | a last line |

use code_syntax::Language;

use crate::Candidate;

/// The files of the program; its last line writes `word`.
///
/// # Errors
/// A language in which programs cannot be run here.
pub fn assemble(
    language: Language,
    candidate: &Candidate,
    word: &str,
) -> Result<Vec<(String, String)>, String> {
    let Candidate { prompt, completion, test, .. } = candidate;
    let code = format!("{prompt}{completion}\n{test}\n");
    let file = |name: &str, text: String| (name.to_owned(), text);
    Ok(match language {
        Language::Python => {
            let call = python_call(candidate);
            let driver = format!(
                "with open('candidate.py', encoding='utf-8') as file:\n    code = file.read()\n\
                 exec(compile(code, 'candidate.py', 'exec'), {{}})\nprint('\\n{word}')\n"
            );
            vec![file("candidate.py", code + &call), file("driver.py", driver)]
        }
        Language::Java => {
            let verdict = format!(
                "public class TestsDone {{\n    public static void main(String[] arguments) throws \
                 Exception {{\n        Main.main(arguments);\n        \
                 System.out.println(\"\\n{word}\");\n    }}\n}}\n"
            );
            vec![file("Main.java", code), file("TestsDone.java", verdict)]
        }
        Language::Go => {
            let code = match has_clause(&code, "package ") {
                true => code,
                false => with_go_imports(&code),
            };
            let test = match has_clause(&code, "func main(") {
                true => "func TestMainOfCandidate(t *testing.T) { main() }\n",
                false => "",
            };
            let verdict = format!(
                "package main\n\nimport (\n\tendfmt \"fmt\"\n\tendos \"os\"\n\t\"testing\"\n)\n\n{test}\n\
                 func TestMain(m *testing.M) {{\n\tif status := m.Run(); status != 0 {{\n\t\t\
                 endos.Exit(status)\n\t}}\n\tendfmt.Println(\"\\n{word}\")\n}}\n"
            );
            vec![file("candidate_test.go", code), file("verdict_test.go", verdict)]
        }
        Language::JavaScript => {
            let begin = "console.assert = (holds, ...said) => { if (!holds) throw new \
                         Error(['assertion failed', ...said].join(' ')); };";
            let end = format!("console.log(\"\\n{word}\");\n");
            vec![file("candidate.js", format!("{begin}\n{code}\n{end}"))]
        }
        Language::Php => {
            let open = if code.trim_start().starts_with("<?php") { "" } else { "<?php\n" };
            vec![file("candidate.php", format!("{open}{code}\necho \"\\n{word}\\n\";\n"))]
        }
        Language::Ruby => {
            vec![file("candidate.rb", format!("{code}\n$stdout.write(\"\\n{word}\\n\")\n"))]
        }
        other => return Err(format!("programs in {other} cannot be run")),
    })
}

/// HumanEval and MBXP leave the call to the harness, HumanEval-X makes it.
fn python_call(candidate: &Candidate) -> String {
    let lines = || candidate.test.lines();
    let calls = lines().any(|line| line.starts_with("check("));
    let defines = lines().any(|line| line.starts_with("def check("));
    match &candidate.entry_point {
        Some(name) if defines && !calls => format!("check({name})\n"),
        _ => String::new(),
    }
}

/// Whether a line begins so.
fn has_clause(code: &str, clause: &str) -> bool {
    code.lines().any(|line| line.starts_with(clause))
}

/// Packages that HumanEval-X's harness imports on its own, with those that its tests use, and others
/// of the standard library that models reach for.
pub(crate) const GO_PACKAGES: [&str; 22] = [
    "bufio",
    "bytes",
    "container/heap",
    "container/list",
    "crypto/md5",
    "encoding/hex",
    "encoding/json",
    "errors",
    "fmt",
    "github.com/stretchr/testify/assert",
    "math",
    "math/bits",
    "math/rand",
    "os",
    "reflect",
    "regexp",
    "sort",
    "strconv",
    "strings",
    "testing",
    "time",
    "unicode",
];

/// The code with a package clause and imports of exactly the packages it uses, in the place of its
/// own: Go refuses one too many and one too few.
fn with_go_imports(code: &str) -> String {
    let mut body = String::with_capacity(code.len());
    let mut imports: Vec<&str> = Vec::new();
    let mut within = false;
    for line in code.lines() {
        let text = line.trim();
        if within {
            within = text != ")";
            imports.extend(text.split('"').nth(1));
        } else if line.starts_with("import (") {
            within = !text.ends_with(')');
        } else if line.starts_with("import \"") {
            imports.extend(text.split('"').nth(1));
        } else {
            body += line;
            body.push('\n');
        }
    }
    imports.extend(GO_PACKAGES);
    imports.sort_unstable();
    imports.dedup();
    let used = imports.iter().filter(|package| uses_go_package(&body, package));
    let list: String = used.map(|package| format!("\t{package:?}\n")).collect();
    format!("package main\n\nimport (\n{list})\n\n{body}")
}

/// Whether `name.Something` stands in the code, comments apart.
fn uses_go_package(code: &str, package: &str) -> bool {
    let name = package.rsplit('/').next().unwrap_or(package);
    let dotted = format!("{name}.");
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or(line));
    lines.into_iter().any(|line| {
        line.match_indices(&dotted).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + dotted.len()..].chars().next();
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.')
                && after.is_some_and(char::is_uppercase)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(prompt: &str, completion: &str, test: &str) -> Candidate {
        Candidate {
            language: String::new(),
            prompt: prompt.into(),
            completion: completion.into(),
            test: test.into(),
            entry_point: Some("f".into()),
        }
    }

    #[test]
    fn check_is_called_once() {
        let code = |test: &str| {
            let candidate = candidate("def f():\n", "    return 1\n", test);
            assemble(Language::Python, &candidate, "w").unwrap()[0].1.clone()
        };
        assert!(
            code("def check(candidate):\n    assert candidate() == 1\n").ends_with("check(f)\n")
        );
        let own = code("def check(f):\n    assert f() == 1\n\ncheck(f)");
        assert_eq!(own.matches("check(f)").count(), 2, "{own}");
        assert!(!code("assert f() == 1").contains("check"));
    }

    #[test]
    fn go_gets_the_imports_that_it_uses() {
        let code = candidate(
            "import (\n    \"math\"\n    \"strings\"\n)\n\n// Uses sort.Ints and mymath.Abs.\nfunc F(x float64) float64 {\n",
            "    return math.Abs(x)\n}\n",
            "func TestF(t *testing.T) {\n    assert := assert.New(t)\n    assert.Equal(1.0, F(-1))\n}\n",
        );
        let files = assemble(Language::Go, &code, "w").unwrap();
        let head = "package main\n\nimport (\n\t\"github.com/stretchr/testify/assert\"\n\t\"math\"\n\t\"testing\"\n)\n\n";
        assert!(files[0].1.starts_with(head), "{}", files[0].1);
        assert!(!files[1].1.contains("TestMainOfCandidate"));
        let whole = candidate("package main\n\nfunc f() {}\n", "", "func main() {\n}\n");
        let files = assemble(Language::Go, &whole, "w").unwrap();
        assert!(files[0].1.starts_with("package main\n\nfunc f() {}\n"));
        assert!(files[1].1.contains("{ main() }"));
    }

    #[test]
    fn php_is_opened_once() {
        let text = |prompt: &str| {
            assemble(Language::Php, &candidate(prompt, "", ""), "w").unwrap()[0].1.clone()
        };
        assert_eq!(text("<?php\nfunction f() {").matches("<?php").count(), 1);
        assert!(text("function f() {").starts_with("<?php\nfunction f"));
        assert!(assemble(Language::Rust, &candidate("", "", ""), "w").is_err());
    }
}
