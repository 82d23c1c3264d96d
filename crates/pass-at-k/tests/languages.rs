//! Candidates in every language: right, wrong, broken, leaving early, never ending.
//!
//! The problem is `MBPP/3` as MBXP has it in six languages (Amazon, CC-BY-4.0), shortened; what is
//! written to it is ours.
#![cfg(target_os = "linux")]

use std::path::PathBuf;

use pass_at_k::sandbox::{Launcher, Sandbox};
use pass_at_k::{Candidate, Judge, Outcome, Verdict};

fn judge(seconds: f64) -> Judge {
    let launcher = Launcher(PathBuf::from(env!("CARGO_BIN_EXE_pass-at-k")));
    let mut judge = Judge::new(Some(Sandbox::new(launcher).unwrap()), seconds);
    judge.limits.memory = 768 << 20;
    judge
}

/// A problem of a language, and what may be written to it.
struct Problem {
    language: &'static str,
    prompt: &'static str,
    test: &'static str,
    right: &'static str,
    wrong: &'static str,
    broken: &'static str,
    early: &'static str,
    endless: &'static str,
}

const PROBLEMS: [Problem; 6] = [
    Problem {
        language: "python",
        prompt: "def is_not_prime(n):\n\t\"\"\"Write a python function to identify non-prime numbers.\"\"\"\n",
        test: "\n\nMETADATA = {}\n\n\ndef check(candidate):\n    assert candidate(2) == False\n    assert candidate(10) == True\n",
        right: "\treturn any(n % i == 0 for i in range(2, n))",
        wrong: "\treturn n == 2",
        broken: "\treturn (n",
        early: "\timport sys\n\tsys.exit(0)",
        endless: "\twhile True: pass",
    },
    Problem {
        language: "java",
        prompt: "import java.io.*;\nimport java.lang.*;\nimport java.util.*;\nimport java.math.*;\n\n\nclass IsNotPrime {\n    public static Boolean isNotPrime(int n) {\n",
        test: "\n\nclass Main {\n    public static void main(String[] args) throws Exception {\n        if (IsNotPrime.isNotPrime(2)) {\n            throw new java.lang.Exception(\"Exception -- test case 0 did not pass.\");\n        }\n        if (!IsNotPrime.isNotPrime(10)) {\n            throw new java.lang.Exception(\"Exception -- test case 1 did not pass.\");\n        }\n    }\n}\n",
        right: "        for (int i = 2; i < n; i++) if (n % i == 0) return true;\n        return false;\n    }\n}",
        wrong: "        return n == 2;\n    }\n}",
        broken: "        return n;\n    }\n}",
        early: "        System.exit(0);\n        return true;\n    }\n}",
        endless: "        while (n > 0) n = 2;\n        return true;\n    }\n}",
    },
    Problem {
        language: "go",
        prompt: "package main\n\nimport (\n\t\"encoding/json\"\n\t\"reflect\"\n)\n\nfunc is_not_prime (n int) bool {\n",
        test: "\n\nfunc main() {\n\ta, _ := json.Marshal(is_not_prime(2))\n\tif !reflect.DeepEqual(string(a), \"false\") || !is_not_prime(10) {\n\t\tpanic(\"test case did not pass\")\n\t}\n}\n",
        right: "\tfor i := 2; i < n; i++ {\n\t\tif n%i == 0 {\n\t\t\treturn true\n\t\t}\n\t}\n\treturn false\n}",
        wrong: "\treturn n == 2\n}",
        broken: "\treturn n\n}",
        early: "\tpanic(nil)\n}",
        endless: "\tfor {\n\t}\n}",
    },
    Problem {
        language: "javascript",
        prompt: "function isNotPrime(n) {\n",
        test: "\nconsole.assert(isNotPrime(2) === false)\nconsole.assert(isNotPrime(10) === true)\n",
        right: "    for (let i = 2; i < n; i++) if (n % i === 0) return true;\n    return false;\n}",
        wrong: "    return n === 2;\n}",
        broken: "    return (n;\n}",
        early: "    process.exit(0);\n}",
        endless: "    for (;;) {}\n}",
    },
    Problem {
        language: "php",
        prompt: "<?php\n\nfunction isNotPrime($n){\n",
        test: "\n\nif (isNotPrime(2) !== false) {\n    throw new Exception(\"Error at 1th assert statement.\");\n}\nif (isNotPrime(10) !== true) {\n    throw new Exception(\"Error at 2th assert statement.\");\n}\n",
        right: "    for ($i = 2; $i < $n; $i++) if ($n % $i == 0) return true;\n    return false;\n}",
        wrong: "    return $n == 2;\n}",
        broken: "    return ($n;\n}",
        early: "    exit(0);\n}",
        endless: "    while (true) {}\n}",
    },
    Problem {
        language: "ruby",
        prompt: "def is_not_prime(n)",
        test: "\n\nif is_not_prime(2) != false\n    raise StandardError, \"Error at test case 1\"\nend\nif is_not_prime(10) != true\n    raise StandardError, \"Error at test case 2\"\nend\n",
        right: "  (2...n).any? { |i| n % i == 0 }\nend",
        wrong: "  n == 2\nend",
        broken: "  (n\nend",
        early: "  exit(0)\nend",
        endless: "  loop {}\nend",
    },
];

fn run(judge: &Judge, problem: &Problem, completion: &str) -> Verdict {
    judge.judge(&Candidate {
        language: problem.language.into(),
        prompt: problem.prompt.into(),
        completion: completion.into(),
        test: problem.test.into(),
        entry_point: Some("is_not_prime".into()),
    })
}

#[test]
fn right_and_wrong_are_told_apart_in_every_language_that_is_installed() {
    let judge = judge(20.0);
    let mut tested = 0;
    for problem in &PROBLEMS {
        let verdict = run(&judge, problem, problem.right);
        if verdict.outcome == Outcome::Refused {
            // Nothing else is a reason to leave a language out.
            assert!(
                verdict.reason.contains("is not installed"),
                "{}: {verdict:?}",
                problem.language
            );
            eprintln!("{}: {}", problem.language, verdict.reason);
            continue;
        }
        tested += 1;
        let expect = |completion: &str, outcome: Outcome, says: &str| {
            let verdict = run(&judge, problem, completion);
            assert_eq!(verdict.outcome, outcome, "{}: {completion}: {verdict:?}", problem.language);
            assert!(verdict.reason.contains(says), "{}: {verdict:?}", problem.language);
        };
        expect(problem.right, Outcome::Passed, "");
        expect(problem.wrong, Outcome::Failed, "");
        expect(problem.broken, Outcome::Failed, "");
        expect(problem.early, Outcome::Failed, "");
    }
    assert!(tested > 0, "not even Python is here");
}

#[test]
fn what_never_ends_is_a_timeout_in_every_language() {
    let judge = judge(1.5);
    for problem in &PROBLEMS {
        let verdict = run(&judge, problem, problem.endless);
        assert!(
            matches!(verdict.outcome, Outcome::Timeout | Outcome::Refused),
            "{}: {verdict:?}",
            problem.language
        );
    }
}

#[test]
fn heaps_are_limited_where_address_space_is_not() {
    let judge = judge(20.0);
    let greedy = [
        (3, "    const all = []; for (;;) all.push(new Array(100000).fill(n));\n}"),
        (
            1,
            "        List<long[]> all = new ArrayList<>();\n        while (true) all.add(new long[1000000]);\n    }\n}",
        ),
        (0, "\tall = []\n\twhile True: all.append(bytearray(1 << 20))"),
    ];
    for (language, completion) in greedy {
        let verdict = run(&judge, &PROBLEMS[language], completion);
        assert!(
            matches!(verdict.outcome, Outcome::Crashed | Outcome::Failed | Outcome::Refused),
            "{}: {verdict:?}",
            PROBLEMS[language].language
        );
    }
}

#[test]
fn what_cannot_be_run_is_refused() {
    let judge = judge(20.0);
    let candidate = Candidate {
        language: "python".into(),
        prompt: String::new(),
        completion: "x = 1".into(),
        test: "assert x == 1".into(),
        entry_point: None,
    };
    assert_eq!(judge.judge(&candidate).outcome, Outcome::Passed);
    let refused = |candidate: &Candidate, judge: &Judge, says: &str| {
        let verdict = judge.judge(candidate);
        assert_eq!(verdict.outcome, Outcome::Refused);
        assert!(verdict.reason.contains(says), "{verdict:?}");
    };
    refused(&Candidate { language: "klingon".into(), ..candidate.clone() }, &judge, "klingon");
    refused(&Candidate { language: "rust".into(), ..candidate.clone() }, &judge, "cannot be run");
    refused(&Candidate { test: " \n".into(), ..candidate.clone() }, &judge, "no tests");
    refused(&candidate, &Judge::new(None, 1.0), "no sandbox");
}
