//! What must not crash, hang or lie: broken, empty, deep, wide and strange input.

use code_syntax::Language;
use proptest::prelude::*;
use verbaliser::{VerbaliseError, supports, verbalise};

const SUPPORTED: [Language; 3] = [Language::Python, Language::Java, Language::Go];

fn steps(language: Language, code: &str) -> String {
    verbalise(language, code).unwrap().pseudocode.to_string()
}

#[test]
fn languages_without_rules_say_what_to_do() {
    assert!(SUPPORTED.into_iter().all(supports));
    assert!(!supports(Language::Ruby));
    let error = verbalise(Language::Ruby, "def f\nend\n").unwrap_err();
    assert_eq!(error.to_string(), "no verbaliser for ruby yet; use a language model as teacher");
}

#[test]
fn broken_code_is_refused_with_its_place() {
    let error = verbalise(Language::Python, "x = 1\ndef f(:\n    pass\n").unwrap_err();
    assert!(matches!(error, VerbaliseError::Syntax { line: 2, .. }), "{error}");
    let error = verbalise(Language::Java, "int f() {\n  return (1;\n}").unwrap_err();
    assert!(matches!(error, VerbaliseError::Syntax { .. }), "{error}");
    assert!(error.to_string().starts_with("the java code does not parse: syntax error at line "));
    let error = verbalise(Language::Go, "func f() int { return 1").unwrap_err();
    assert!(matches!(error, VerbaliseError::Syntax { .. }), "{error}");
}

#[test]
fn code_that_says_nothing_is_refused() {
    for language in SUPPORTED {
        for code in ["", "  \n\n", if language == Language::Python { "# c\n" } else { "// c\n" }] {
            let error = verbalise(language, code).unwrap_err();
            assert_eq!(error, VerbaliseError::Empty { language }, "{language} {code:?}");
        }
    }
    assert!(verbalise(Language::Python, "'''only a docstring'''").is_err());
}

#[test]
fn bare_expressions_and_statements_are_fine() {
    assert_eq!(steps(Language::Python, "xs.append(x)"), "1. append x to xs");
    assert_eq!(steps(Language::Java, "xs.add(x);"), "1. add x to xs");
    assert_eq!(steps(Language::Go, "xs = append(xs, x)"), "1. append x to xs");
    assert_eq!(steps(Language::Python, "    x = 1"), "1. set x to 1");
}

/// Deep nesting of every sort: said by the names in it, in bounded stack.
#[test]
fn deep_nesting_neither_crashes_nor_takes_for_ever() {
    const DEEPEST: usize = 100_000;
    const DEEP: usize = 20_000;
    let nest = |open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(DEEPEST), close.repeat(DEEPEST))
    };
    for (language, code) in [
        (Language::Python, nest("(", "x", ")")),
        (Language::Python, nest("[", "x", "]")),
        (Language::Python, nest("f(", "x", ")")),
        (Language::Python, format!("x{}", ".a()".repeat(DEEP))),
        (Language::Python, format!("x{}", "[0]".repeat(DEEP))),
        (Language::Python, format!("x = {}y", "not ".repeat(DEEP))),
        (Language::Python, format!("x = {}y", "lambda: ".repeat(DEEP))),
        (Language::Python, format!("x = {}y", "a if b else ".repeat(DEEP))),
        (Language::Python, format!("x = y{}", " ** y".repeat(DEEP))),
        (Language::Java, format!("int f() {{ {} }}", nest("{", "g();", "}"))),
        (Language::Java, format!("int f() {{ {}g(); }}", "if (a) ".repeat(DEEP))),
        (
            Language::Java,
            format!("int f() {{ x = {}y; }}", "-(".repeat(DEEP) + "1" + &")".repeat(DEEP) + "+"),
        ),
        (Language::Go, format!("func f() {{ {} }}", nest("{", "g()", "}"))),
        (Language::Go, format!("x := {}y", "*".repeat(DEEP))),
        (Language::Go, format!("var x {}int", "[]".repeat(DEEP))),
    ] {
        let said = verbalise(language, &code).unwrap();
        assert!(said.pseudocode.len() < 200, "{language} {}", &code[..40]);
        assert!(said.pseudocode.to_string().len() < 100_000);
        assert!(said.report.shortened > 0, "{language} {}", &code[..40]);
    }
}

/// Long rows are no nesting: they are followed in loops and told in short.
#[test]
fn long_rows_are_told_in_short() {
    const LONG: usize = 20_000;
    for (language, code) in [
        (Language::Python, format!("x = a{}", " + a".repeat(LONG))),
        (Language::Python, format!("x = a{}", " and a".repeat(LONG))),
        (Language::Python, format!("x = a{}", " < a".repeat(LONG))),
        (Language::Python, format!("x = [{}]", "a, ".repeat(LONG))),
        (Language::Python, format!("f({})", "a, ".repeat(LONG))),
        (Language::Python, format!("x = '{}'", "a ".repeat(LONG))),
        (Language::Java, format!("x = a{};", " - a".repeat(LONG))),
        (Language::Go, format!("x := a{}", " || a".repeat(LONG))),
    ] {
        let said = verbalise(language, &code).unwrap();
        assert!(said.pseudocode.to_string().len() < 2_000, "{language} {}", &code[..20]);
        assert!(said.report.shortened > 0);
    }
    let chain = format!("if (a) {{ f(); }}{}", " else if (b) { g(); }".repeat(2_000));
    assert_eq!(verbalise(Language::Java, &chain).unwrap().pseudocode.len(), 4_002);
    let chain = format!("if a {{ f() }}{}", " else if b { g() }".repeat(2_000));
    assert_eq!(verbalise(Language::Go, &chain).unwrap().pseudocode.len(), 4_002);
    let chain = format!("x = {}0", "a = ".repeat(LONG));
    assert!(verbalise(Language::Python, &chain).unwrap().pseudocode.to_string().len() < 2_000);
}

#[test]
fn names_and_texts_of_any_script_are_kept() {
    let said = steps(Language::Python, "größe = länge(名前, 'né\u{301} 😀')\n");
    assert_eq!(said, "1. set größe to the result of länge with 名前 and 'né\u{301} 😀'");
    assert_eq!(steps(Language::Python, "x = 1\r\ny = 2\r\n"), "1. set x to 1\n2. set y to 2");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_met_without_panic(code in ".{0,200}") {
        for language in SUPPORTED {
            let _ = verbalise(language, &code);
        }
    }

    /// Pieces of real syntax in any order: most of it is broken, some is not.
    #[test]
    fn any_syntax_is_met_without_panic(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "if ", "else", "for ", "while ", "x", "y", "(", ")", "[", "]", "{", "}", ":", ";", ",",
            ".", "=", "==", ":=", "+", "-", "*", "**", "not ", "in ", "return ", "lambda ", "def ",
            "func ", "class ", "\n", "\n    ", "'a'", "\"b\"", "`c`", "1", "2.5", "f'{x}'", "->",
            "case ", "switch ", "match ", "try", "int ", "new ", "async ", "await ", "yield ",
            "range ", "go ", "<-", "&", "!", "++", "%", "del ", "with ", " as ", "@", "import ",
        ]), 0..24),
    ) {
        let code = pieces.concat();
        for language in SUPPORTED {
            if let Ok(said) = verbalise(language, &code) {
                prop_assert!(!said.pseudocode.is_empty());
                prop_assert_eq!(verbalise(language, &code).unwrap(), said);
            }
        }
    }

    /// No step is a line of the source: what stands between names is said in words.
    #[test]
    fn statements_are_never_quoted(a in "[a-d]{1,3}", b in "[w-z]{1,3}", op in "[-+*/%]") {
        let code = format!("{a} = {b} {op} {a}[{b}]");
        let said = steps(Language::Python, &code);
        prop_assert!(!said.contains(&code) && !said.contains('[') && !said.contains('='), "{}", said);
    }
}
