//! What must not crash, hang or lie: broken, empty, deep, wide and strange input.

use code_syntax::Language;
use proptest::prelude::*;
use verbaliser::{Manner, VerbaliseError, supports, verbalise, verbalise_line};

const SUPPORTED: [Language; 6] = [
    Language::Python,
    Language::Java,
    Language::Go,
    Language::JavaScript,
    Language::Php,
    Language::Ruby,
];

fn steps(language: Language, code: &str) -> String {
    verbalise(language, code).unwrap().pseudocode.to_string()
}

#[test]
fn languages_without_rules_say_what_to_do() {
    assert!(SUPPORTED.into_iter().all(supports));
    assert!(!supports(Language::Rust));
    let error = verbalise(Language::Rust, "fn f() {}").unwrap_err();
    assert_eq!(error.to_string(), "no verbaliser for rust yet; use a language model as teacher");
}

#[test]
fn broken_code_is_refused_with_its_place() {
    let error = verbalise(Language::Python, "x = 1\ndef f(:\n    pass\n").unwrap_err();
    assert!(matches!(error, VerbaliseError::Syntax { line: 2, .. }), "{error}");
    let error = verbalise(Language::Java, "int f() {\n  return (1;\n}").unwrap_err();
    assert!(matches!(error, VerbaliseError::Syntax { .. }), "{error}");
    assert!(error.to_string().starts_with("the java code does not parse: syntax error at line "));
    for (language, code) in [
        (Language::JavaScript, "function f() {\n  return (1;\n}"),
        (Language::Php, "function f() {\n  return (1;\n}"),
        (Language::Ruby, "def f\n  (1\nend"),
    ] {
        let error = verbalise(language, code).unwrap_err();
        assert!(matches!(error, VerbaliseError::Syntax { .. }), "{language} {error}");
    }
    let error = verbalise(Language::Go, "func f() int { return 1").unwrap_err();
    assert!(matches!(error, VerbaliseError::Syntax { .. }), "{error}");
}

#[test]
fn code_that_says_nothing_is_refused() {
    for language in SUPPORTED {
        let comment = match language {
            Language::Python | Language::Ruby => "# c\n",
            _ => "// c\n",
        };
        for code in ["", "  \n\n", comment] {
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
    assert_eq!(steps(Language::JavaScript, "xs.push(x)"), "1. append x to xs");
    assert_eq!(steps(Language::Php, "$xs[] = $x;"), "1. append x to xs");
    assert_eq!(steps(Language::Php, "<?php $xs[] = $x;"), "1. append x to xs");
    assert_eq!(steps(Language::Ruby, "xs << x"), "1. append x to xs");
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
        (Language::JavaScript, nest("[", "x", "]")),
        (Language::JavaScript, format!("x = {}y", "a => ".repeat(DEEP))),
        (Language::JavaScript, format!("x{}", ".then(a => a)".repeat(DEEP))),
        (Language::JavaScript, format!("x = {}y", "a ? b : ".repeat(DEEP))),
        (Language::JavaScript, format!("x = a{}", "?.b".repeat(DEEP))),
        (Language::JavaScript, format!("{}g();", "if (a) ".repeat(DEEP))),
        (Language::JavaScript, format!("x = {}y{}", "`${".repeat(1_000), "}`".repeat(1_000))),
        (Language::Php, nest("{", "g();", "}")),
        (Language::Php, format!("$x = {}1;", "fn() => ".repeat(DEEP))),
        (Language::Php, format!("$x{};", "->a()".repeat(DEEP))),
        (Language::Php, format!("$x = {}$y;", "!".repeat(DEEP))),
        (Language::Php, format!("$x = {}$y;", "$a ?? ".repeat(DEEP))),
        (Language::Ruby, nest("[", "x", "]")),
        (Language::Ruby, format!("x{}", ".map { |a| a }".repeat(DEEP))),
        (Language::Ruby, format!("x = {}y", "not ".repeat(DEEP))),
        (Language::Ruby, format!("{}x{}", "if a\n".repeat(1_000), "\nend".repeat(1_000))),
        (Language::Ruby, format!("{}x{}", "f { ".repeat(1_000), " }".repeat(1_000))),
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
        (Language::JavaScript, format!("x = a{}", " && a".repeat(LONG))),
        (Language::JavaScript, format!("x = [{}]", "a, ".repeat(LONG))),
        (Language::Php, format!("$x = $a{};", " . $a".repeat(LONG))),
        (Language::Php, format!("echo {}$a;", "$a, ".repeat(LONG))),
        (Language::Ruby, format!("x = a{}", " + a".repeat(LONG))),
        (Language::Ruby, format!("x{}", " << a".repeat(LONG))),
    ] {
        let said = verbalise(language, &code).unwrap();
        assert!(said.pseudocode.to_string().len() < 2_000, "{language} {}", &code[..20]);
        assert!(said.report.shortened > 0);
    }
    let chain = format!("if (a) {{ f(); }}{}", " else if (b) { g(); }".repeat(2_000));
    // One more step says that they are alternatives.
    let length = |language, chain: &str| verbalise(language, chain).unwrap().pseudocode.len();
    assert_eq!(length(Language::Java, &chain), 4_003);
    assert_eq!(length(Language::JavaScript, &chain), 4_003);
    let chain = format!("if ($a) {{ f(); }}{}", " else if ($b) { g(); }".repeat(2_000));
    assert_eq!(length(Language::Php, &chain), 4_003);
    let chain = format!("if a\nf()\n{}end", "elsif b\ng()\n".repeat(2_000));
    assert_eq!(length(Language::Ruby, &chain), 4_003);
    let chain = format!("if a {{ f() }}{}", " else if b { g() }".repeat(2_000));
    assert_eq!(length(Language::Go, &chain), 4_003);
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
            let _ = verbalise_line(language, &code, Manner::Narrated);
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
            "function ", "=>", "...", "?.", "??", "const ", "$x", "<?php ", "foreach ", "fn", "::",
            "do", "end", "|x|", "unless ", "begin", "rescue", "<<~A\n", "A\n", "#{", "@a", "&.",
            "range ", "go ", "<-", "&", "!", "++", "%", "del ", "with ", " as ", "@", "import ",
        ]), 0..24),
    ) {
        let code = pieces.concat();
        for language in SUPPORTED {
            let _ = verbalise_line(language, &code, Manner::Narrated);
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

/// Texts of several lines whose bodies stand elsewhere, opened and not closed in every way.
#[test]
fn heredocs_belong_to_what_opens_them() {
    let said = steps(Language::Ruby, "f(<<A, <<B)\none\nA\ntwo\nB\n");
    assert_eq!(said, "1. call the method f with \"one\" and \"two\"");
    let many = format!("x = [{}]\n{}", "<<A, ".repeat(100), "a\nA\n".repeat(100));
    let said = steps(Language::Ruby, &many);
    assert!(said.starts_with("1. set x to "), "{}", &said[..200]);
    let open = steps(Language::Ruby, "x = <<A\nnever closed");
    assert_eq!(open, "1. set x to \"never closed\"");
}

#[test]
fn a_line_that_opens_a_block_is_told_without_it() {
    for (line, words) in [
        ("else :", "1. otherwise:"),
        ("try:", "1. try:"),
        ("finally:", "1. in any case, finally:"),
        ("elif x > 1 :", "1. otherwise, if x is greater than 1:"),
        ("except ( A , B ) as e :", "1. if A or B is caught as e:"),
        ("except:", "1. if anything is caught:"),
        (
            "def f ( self , * a ) :",
            "1. define the method f with argument self and any further arguments a",
        ),
        ("class A ( B ) :", "1. define the class A derived from B"),
        ("    while True:", "1. repeat forever:"),
        ("with open(p) as f:", "1. open p as f:"),
        (
            "@ register . tag ( 'x' )",
            "1. decorate what follows with the result of register.tag with 'x'",
        ),
    ] {
        assert_eq!(steps(Language::Python, line), words);
        let said = verbalise_line(Language::Python, line, Manner::Plan).unwrap();
        assert_eq!(said.pseudocode.to_string(), words);
    }
    for broken in ["def f(:", "except (:", "elif :", "@", "x = :", ":"] {
        let error = verbalise(Language::Python, broken).unwrap_err();
        let refused = matches!(error, VerbaliseError::Syntax { line: 1, .. });
        assert!(refused || matches!(error, VerbaliseError::Empty { .. }), "{broken} {error}");
    }
    // Of other languages a line is a whole statement.
    assert!(verbalise_line(Language::Java, "if (a) {", Manner::Plan).is_err());
}

#[test]
fn a_narrated_line_tells_what_runs_first() {
    for (line, words) in [
        ("x = None", "x is None."),
        ("names = []", "names is an empty list."),
        (
            "a, b = f(c)",
            "call the function f with an argument c, substitute the result for a and b, respectively.",
        ),
        ("self.x = d['k']", "substitute value under the 'k' key of the d dictionary for self.x."),
        (
            "return g(h(x), 2)",
            "call the function g with 2 arguments: result of the function h called with an argument x and integer 2, return the result.",
        ),
        (
            "return g(h(x))",
            "call the function h with an argument x, use the result as an argument for the call to the function g, return the result.",
        ),
        ("if not isinstance(x, (A, B)):", "if x is not an instance of A or B classes,"),
        (
            "raise ValueError('%s is bad' % x)",
            "raise a ValueError exception with an argument string '%s is bad' formatted with x.",
        ),
        ("except E as e:", "if E, renamed to e, exception is caught,"),
        ("from a.b import c, d", "from a.b import c and d into default name space."),
        ("xs.append(x)", "append x to xs."),
        ("i += 1", "increment i by integer 1."),
        (
            "def f(self, a=None, **kw):",
            "define the method f with 3 arguments: self, a set to None and unpacked dictionary kw.",
        ),
    ] {
        let said = verbalise_line(Language::Python, line, Manner::Narrated).unwrap();
        assert_eq!(said.pseudocode.to_string(), format!("1. {words}"), "{line}");
    }
    let deep = format!("x = {}y{}", "f(".repeat(2_000), ")".repeat(2_000));
    let said = verbalise_line(Language::Python, &deep, Manner::Narrated).unwrap();
    assert!(said.report.shortened > 0 && said.pseudocode.to_string().len() < 2_000);
    let wide = format!("x = f({})", "a + [b], ".repeat(2_000));
    let said = verbalise_line(Language::Python, &wide, Manner::Narrated).unwrap();
    assert!(said.pseudocode.to_string().len() < 4_000);
}
