//! From candidates to rates.

use std::fs;

use code_syntax::Language;
use evaluation_statistics::{Plan, Verdict};
use security_scan::{Candidate, Manifest, ScanError, compare, folder, rates, sarif, semgrep};
use serde_json::json;

fn candidates() -> Vec<Candidate> {
    let one = |id: usize, student: &str, code: &str| Candidate {
        id: format!("../{id}"),
        language: Language::Python,
        code: code.into(),
        student: student.into(),
    };
    let codes = |id| {
        [("careful", "x = 1\n"), ("hasty", if id % 2 == 0 { "eval(x)\n" } else { "eval(x\n" })]
    };
    (0..40).flat_map(|id| codes(id).map(|(student, code)| one(id, student, code))).collect()
}

#[test]
fn rates_stand_beside_the_share_that_parses() {
    let place = tempfile::tempdir().unwrap();
    let manifest = folder::write(&candidates(), place.path()).unwrap();
    assert_eq!(Manifest::read(place.path()).unwrap(), manifest);
    // What an analyser would say: it cannot read the broken half.
    let results: Vec<_> = manifest
        .files
        .iter()
        .filter(|file| file.student == "hasty" && file.parses)
        .map(|file| {
            assert!(fs::read_to_string(place.path().join(&file.path)).unwrap().contains("eval"));
            json!({"ruleId": "no-eval", "level": "error", "properties": {"tags": ["CWE-95: x"]},
                   "locations": [{"physicalLocation": {"artifactLocation": {
                       "uri": format!("file:///somewhere/{}", file.path)}}}]})
        })
        .chain([json!({"ruleId": "no-eval"})])
        .collect();
    let log = json!({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": results}]});
    let log = sarif::read(log.to_string().as_bytes(), "log").unwrap();
    let (found, strangers) = rates(&manifest, &log.findings);
    assert_eq!((found.len(), strangers), (2, 1));
    let [careful, hasty] = &found[..] else { panic!() };
    assert_eq!(
        (careful.student.as_str(), careful.findings.count, careful.parse_rate[0]),
        ("careful", 0, 1.0)
    );
    assert!(careful.findings.high > 0.0, "nothing found is not nothing there");
    assert_eq!((hasty.candidates, hasty.parses, hasty.with_findings), (40, 20, 20));
    assert_eq!(hasty.with_findings_per_1000[0], 500.0);
    assert_eq!(hasty.with_findings_per_1000_parsed[0], 1000.0);
    assert_eq!((hasty.cwes[0].name.as_str(), hasty.severities[1].count), ("CWE-95", 20));
    assert_eq!((hasty.rules[0].per_1000, hasty.findings.per_1000), (500.0, 500.0));

    let plan = Plan { resamples: 2000, ..Plan::default() };
    let lines = compare(&manifest, &log.findings, &plan).unwrap();
    assert_eq!(lines.len(), 3);
    assert_eq!((lines[0].metric, lines[0].verdict), ("findings_per_1000", Verdict::Below));
    assert_eq!((lines[2].metric, lines[2].verdict), ("parse_rate", Verdict::Above));
    assert_eq!(lines[0].comparison.n, 40);
}

#[test]
fn only_own_folders_are_emptied() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("thesis.txt"), "years of work").unwrap();
    let error = folder::write(&candidates(), place.path()).unwrap_err();
    assert!(matches!(error, ScanError::Candidates(_)), "{error}");
    assert!(place.path().join("thesis.txt").exists());
    let own = place.path().join("own");
    folder::write(&candidates(), &own).unwrap();
    let few = folder::write(&candidates()[..2], &own).unwrap();
    assert_eq!((few.files.len(), own.join("python/000003.py").exists()), (2, false));
    let mut twice = candidates();
    twice.push(twice[0].clone());
    assert!(
        folder::write(&twice, &place.path().join("new")).unwrap_err().to_string().contains("../0")
    );
}

#[test]
fn semgrep_takes_rules_from_the_disk_alone() {
    let place = tempfile::tempdir().unwrap();
    for rules in ["auto", "p/python"] {
        let error = semgrep::scan("semgrep", rules.as_ref(), place.path()).unwrap_err().to_string();
        assert!(error.contains("from the disk alone"), "{error}");
    }
    let rules = place.path().join("rules.yml");
    fs::write(&rules, "rules: []\n").unwrap();
    let error = semgrep::scan("no-such-program", &rules, place.path()).unwrap_err().to_string();
    assert!(error.contains("cannot start no-such-program"), "{error}");
    assert!(!semgrep::is_installed("no-such-program"));
}
