//! Controlled corpora: what they promise about their problems.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use code_corpus::controlled::{self, Controlled, LANGUAGES};
use code_corpus::{Corpus, CorpusError, Options, Source, Split, tokens};
use code_syntax::Language;
use distill_core::Problem;

fn corpus(controlled: Controlled) -> Corpus {
    let split = Split::Shares { valid: 0.05, test: 0.2, seed: 3 };
    let options = Options { split, ..Options::default() };
    Corpus::build(&Source::Controlled(controlled), &options, &|_| {}).unwrap()
}

fn sources(problems: &[Problem], language: Language) -> BTreeSet<&str> {
    let of_it = problems.iter().filter(|problem| problem.language == language);
    of_it.map(|problem| problem.source.as_str()).collect()
}

#[test]
fn compositions_are_different_and_held_out_in_every_language() {
    let Corpus { train, valid, test, .. } = corpus(Controlled::default());
    let all = [train.clone(), valid, test.clone()].concat();
    let compositions = sources(&all, Language::Python);
    assert_eq!(compositions.len(), 1500);
    let operations: BTreeSet<&str> =
        compositions.iter().flat_map(|source| source["controlled/".len()..].split('-')).collect();
    assert!(operations.len() >= 60, "{}", operations.len());
    for source in &compositions {
        assert!((2..=4).contains(&source.split('-').count()), "{source}");
    }
    for language in LANGUAGES {
        assert_eq!(sources(&all, language), compositions);
        assert_eq!(sources(&test, language).len(), 300);
        assert_eq!(sources(&test, language), sources(&test, Language::Python));
        assert!(sources(&test, language).is_disjoint(&sources(&train, language)));
    }
}

#[test]
fn the_corpus_follows_from_its_settings() {
    let settings = Controlled { compositions: 60, wordings: 3, seed: 5, ..Controlled::default() };
    let problems = settings.problems().unwrap();
    assert_eq!(problems, settings.problems().unwrap());
    assert_eq!(problems.len(), 60 * 3 * 3);
    assert_eq!(problems.iter().map(|p| &p.id).collect::<BTreeSet<_>>().len(), problems.len());
    let other = Controlled { seed: 6, ..settings.clone() }.problems().unwrap();
    assert_ne!(problems, other);
    // The same composition, worded anew, has the same code and mostly other words.
    let mut codes: BTreeMap<(&str, Language), BTreeSet<&str>> = BTreeMap::new();
    let mut texts: BTreeSet<&str> = BTreeSet::new();
    for problem in &problems {
        let key = (problem.source.as_str(), problem.language);
        codes.entry(key).or_default().insert(problem.reference.as_deref().unwrap());
        texts.insert(&problem.query);
    }
    assert!(codes.values().all(|codes| codes.len() == 1));
    assert!(texts.len() * 10 > problems.len() * 9, "{}", texts.len());
    let go = Controlled { languages: vec![Language::Go], ..settings.clone() }.problems().unwrap();
    assert!(go.iter().eq(problems.iter().filter(|problem| problem.language == Language::Go)));
    let php = Controlled { languages: vec![Language::Php], ..settings.clone() };
    let error = php.problems().unwrap_err();
    assert!(matches!(error, CorpusError::Setting { name: "source.languages", .. }), "{error}");
    let error = Controlled { compositions: 1 << 20, ..settings }.problems().unwrap_err();
    assert!(matches!(error, CorpusError::Setting { name: "source.compositions", .. }), "{error}");
}

#[test]
fn code_is_as_its_language_wants_it_and_plans_tell_every_step() {
    for problem in (Controlled { compositions: 200, ..Controlled::default() }).problems().unwrap() {
        let code = problem.reference.as_deref().unwrap();
        assert!(
            code_syntax::snippet::parse_snippet(problem.language, code).unwrap().is_clean(),
            "{code}"
        );
        let lesson = controlled::lesson(&problem).unwrap();
        assert_eq!(lesson.solution.code, code);
        let steps = lesson.solution.pseudocode.steps();
        let operations = problem.source.split('-').count();
        assert_eq!(steps.iter().filter(|step| step.depth == 0).count(), operations + 1);
        let texts = [code, &problem.query, &lesson.solution.pseudocode.to_string()];
        assert!(texts.iter().all(|text| !text.contains('$')), "{texts:?}");
    }
}

#[test]
fn python_programs_pass_their_tests_and_wrong_ones_do_not() {
    let problems = Controlled::default().problems().unwrap();
    let programs: Vec<String> = problems
        .iter()
        .filter(|problem| problem.language == Language::Python)
        .map(|problem| {
            let part = |field: &str| problem.extra[field].as_str().unwrap();
            let code = problem.reference.as_deref().unwrap();
            format!("{}{code}\n{}", part("prompt"), part("test"))
        })
        .collect();
    // Every program runs; then each with a function that returns its argument must fail.
    let runner = "import json, sys\n\
        for program in json.load(sys.stdin):\n    \
            exec(program, {})\n    \
            head, test = program.split('\\nassert', 1)\n    \
            try:\n        \
                exec('def solve(a):\\n    return a\\nassert' + test, {})\n    \
            except AssertionError:\n        \
                continue\n    \
            raise SystemExit('passes too much: ' + program)\n";
    let mut python = Command::new("python3")
        .args(["-I", "-c", runner])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let json = serde_json::to_vec(&programs).unwrap();
    python.stdin.take().unwrap().write_all(&json).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_nearest_problem_s_code_is_of_no_use() {
    let corpus = corpus(Controlled { compositions: 1000, ..Controlled::default() });
    let words = |problem: &Problem| -> BTreeSet<String> {
        tokens::words(&problem.query).map(str::to_owned).collect()
    };
    let known: Vec<(BTreeSet<String>, &Problem)> =
        corpus.train.iter().map(|problem| (words(problem), problem)).collect();
    let right = corpus.test.iter().filter(|problem| {
        let own = words(problem);
        let likeness = |other: &BTreeSet<String>| {
            own.intersection(other).count() as f64 / own.union(other).count() as f64
        };
        let nearest = known
            .iter()
            .filter(|(_, other)| other.language == problem.language)
            .max_by(|one, other| likeness(&one.0).total_cmp(&likeness(&other.0)));
        nearest.is_some_and(|(_, nearest)| nearest.reference == problem.reference)
    });
    assert!(right.count() * 5 < corpus.test.len());
}
