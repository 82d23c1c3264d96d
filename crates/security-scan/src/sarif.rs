//! SARIF 2.1.0, read for its findings and nothing else.
//!
//! Leniently: what a producer leaves out, names by an index or puts elsewhere is looked for where it
//! may be (rules also in `tool.extensions`, where CodeQL's packs have them; a level from the rule's
//! `defaultConfiguration`; a path from `artifacts`). Results that are no failures (`kind`), that are
//! suppressed or that were there before (`baselineState` `absent`) are counted and left out.

use std::collections::BTreeSet;
use std::io::Read;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ScanError;

/// How grave a finding is: by `security-severity` (CVSS: from 9 critical, 7 high, 4 medium) where the
/// rule has one, else by level (error is high, warning medium, note and none low).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // the names say it
pub enum Severity {
    Critical,
    High,
    Medium,
    Low,
}

/// One warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The producer.
    pub tool: String,
    /// The rule's id.
    pub rule: String,
    /// How grave.
    pub severity: Severity,
    /// error, warning, note or none.
    pub level: String,
    /// Numbers of weaknesses that the rule is about.
    pub cwe: Vec<u32>,
    /// The file, as the log names it, decoded.
    pub path: String,
    /// First line, from 1.
    pub line: Option<u64>,
    /// What the producer says.
    pub message: String,
}

/// The findings of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Log {
    /// In the order of the file.
    pub findings: Vec<Finding>,
    /// Results left out because they are suppressed.
    pub suppressed: usize,
    /// Results left out because they are no failures, or of an older version of the code.
    pub other: usize,
    /// Runs that say of themselves that they did not succeed.
    pub failed_runs: usize,
    /// What the producers could not read or run, in their words: files that are not in the findings
    /// for another reason than being clean.
    pub notifications: Vec<String>,
}

/// Reads a log; `file` is what errors call it.
///
/// # Errors
/// [`ScanError::Sarif`] for what is no JSON object with `runs`, or names another major version.
pub fn read(mut input: impl Read, file: &str) -> Result<Log, ScanError> {
    let bad = |reason: String| ScanError::Sarif { file: file.to_owned(), reason };
    let mut text = Vec::new();
    input.read_to_end(&mut text).map_err(|error| bad(error.to_string()))?;
    // Producers on Windows begin with a mark.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let log: Value = serde_json::from_slice(text).map_err(|error| bad(error.to_string()))?;
    if let Some(version) = log["version"].as_str().filter(|version| !version.starts_with("2.")) {
        return Err(bad(format!("SARIF {version}: expected 2.1.0")));
    }
    let runs = log["runs"].as_array().ok_or_else(|| bad("no `runs`: not a SARIF log".into()))?;
    let mut found = Log::default();
    for run in runs {
        read_run(run, &mut found);
    }
    Ok(found)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> Option<&str> {
    value.as_str()
}

fn read_run(run: &Value, log: &mut Log) {
    let tool = text(&run["tool"]["driver"]["name"]).unwrap_or("unknown");
    for invocation in list(&run["invocations"]) {
        log.failed_runs += usize::from(invocation["executionSuccessful"] == Value::Bool(false));
        let said = list(&invocation["toolExecutionNotifications"]);
        let said = said.iter().chain(list(&invocation["toolConfigurationNotifications"]));
        log.notifications
            .extend(said.filter_map(|n| text(&n["message"]["text"])).map(str::to_owned));
    }
    for result in list(&run["results"]) {
        let kind = text(&result["kind"]).unwrap_or("fail");
        if kind != "fail" || text(&result["baselineState"]) == Some("absent") {
            log.other += 1;
            continue;
        }
        let stands = |suppression: &Value| {
            !matches!(text(&suppression["status"]), Some("rejected" | "underReview"))
        };
        if list(&result["suppressions"]).iter().any(stands) {
            log.suppressed += 1;
            continue;
        }
        log.findings.push(read_result(run, tool, result));
    }
}

fn read_result(run: &Value, tool: &str, result: &Value) -> Finding {
    let rule = rule_of(run, result);
    let nothing = Value::Null;
    let described = rule.unwrap_or(&nothing);
    let named = text(&result["ruleId"]).or_else(|| text(&result["rule"]["id"]));
    let id = named.or_else(|| text(&described["id"])).unwrap_or("unknown");
    let level = text(&result["level"])
        .or_else(|| text(&described["defaultConfiguration"]["level"]))
        .unwrap_or("warning");
    // A result's own properties go before its rule's.
    let score = ["security-severity", "securitySeverity"].iter().find_map(|name| {
        let places = [&result["properties"][name], &described["properties"][name]];
        places.into_iter().find_map(|value| match value {
            Value::String(text) => text.trim().parse::<f64>().ok(),
            other => other.as_f64(),
        })
    });
    let severity = match (score, level) {
        (Some(score), _) if score >= 9.0 => Severity::Critical,
        (Some(score), _) if score >= 7.0 => Severity::High,
        (Some(score), _) if score >= 4.0 => Severity::Medium,
        (Some(_), _) => Severity::Low,
        (None, "error") => Severity::High,
        (None, "warning") => Severity::Medium,
        (None, _) => Severity::Low,
    };
    let place = &list(&result["locations"]).first().unwrap_or(&nothing)["physicalLocation"];
    let artifact = &place["artifactLocation"];
    let indexed = || {
        let index = usize::try_from(artifact["index"].as_u64()?).ok()?;
        text(&list(&run["artifacts"]).get(index)?["location"]["uri"])
    };
    let path = text(&artifact["uri"]).or_else(indexed).unwrap_or_default();
    Finding {
        tool: tool.to_owned(),
        rule: id.to_owned(),
        severity,
        level: level.to_owned(),
        cwe: weaknesses(&[&result["properties"], &described["properties"]], result, described),
        path: decoded(path),
        line: place["region"]["startLine"].as_u64(),
        message: text(&result["message"]["text"]).unwrap_or_default().to_owned(),
    }
}

/// The result's rule, by index or by id, in the driver or in an extension.
fn rule_of<'a>(run: &'a Value, result: &Value) -> Option<&'a Value> {
    let tool = &run["tool"];
    let component = &result["rule"]["toolComponent"];
    let named = |extension: &&Value| {
        [("guid", &component["guid"]), ("name", &component["name"])]
            .iter()
            .any(|(field, value)| value.is_string() && extension[*field] == **value)
    };
    let by_index = component["index"]
        .as_u64()
        .and_then(|index| list(&tool["extensions"]).get(usize::try_from(index).ok()?));
    let home = by_index
        .or_else(|| list(&tool["extensions"]).iter().find(named))
        .unwrap_or(&tool["driver"]);
    let index = result["ruleIndex"].as_u64().or_else(|| result["rule"]["index"].as_u64());
    let id = text(&result["ruleId"]).or_else(|| text(&result["rule"]["id"]));
    // Hierarchical ids (`rule/part`) are described under their first part.
    let fits = |rule: &Value| {
        let own = text(&rule["id"]);
        id.is_none()
            || own == id
            || own.zip(id).is_some_and(|(own, id)| {
                id.strip_prefix(own).is_some_and(|rest| rest.starts_with('/'))
            })
    };
    let indexed = index.and_then(|index| list(&home["rules"]).get(usize::try_from(index).ok()?));
    indexed.filter(|rule| fits(rule)).or_else(|| {
        id?;
        let homes = [&tool["driver"]].into_iter().chain(list(&tool["extensions"]));
        homes.flat_map(|home| list(&home["rules"])).find(|rule| fits(rule))
    })
}

/// Numbers after `cwe-` in tags and properties, and in taxa of the taxonomy CWE.
fn weaknesses(properties: &[&Value], result: &Value, rule: &Value) -> Vec<u32> {
    let mut found = BTreeSet::new();
    for properties in properties {
        for field in ["tags", "cwe", "CWE"] {
            match &properties[field] {
                Value::String(text) => found.extend(number_after_cwe(text)),
                value => found.extend(
                    list(value).iter().filter_map(Value::as_str).filter_map(number_after_cwe),
                ),
            }
        }
    }
    let targets = list(&rule["relationships"]).iter().map(|relation| &relation["target"]);
    for taxon in list(&result["taxa"]).iter().chain(targets) {
        let taxonomy = text(&taxon["toolComponent"]["name"]).unwrap_or_default();
        if taxonomy.eq_ignore_ascii_case("cwe") {
            let id = text(&taxon["id"]).unwrap_or_default();
            found.extend(id.parse().ok().or_else(|| number_after_cwe(id)));
        }
    }
    found.into_iter().collect()
}

/// 79 of `external/cwe/cwe-079` and of `CWE-79: Cross-site Scripting`.
fn number_after_cwe(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let rest = lower[lower.rfind("cwe-").or_else(|| lower.rfind("cwe:"))? + 4..].trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// A path from a URI: without `file://`, percent signs decoded.
fn decoded(uri: &str) -> String {
    let uri = uri.strip_prefix("file://").unwrap_or(uri);
    let mut bytes = Vec::with_capacity(uri.len());
    let mut rest = uri.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |at: usize| tail.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn log(text: &str) -> Log {
        read(text.as_bytes(), "log.sarif").unwrap()
    }

    #[test]
    fn codeql_has_rules_in_extensions_and_severities_as_text() {
        let found = log(r#"{"version":"2.1.0","runs":[{
            "tool":{"driver":{"name":"CodeQL","rules":[]},"extensions":[{"name":"other","rules":[]},
              {"name":"codeql/python-queries","rules":[{"id":"py/sqli","defaultConfiguration":{"level":"error"},
               "properties":{"tags":["security","external/cwe/cwe-089"],"security-severity":"8.8"}}]}]},
            "artifacts":[{"location":{"uri":"a%20b.py"}}],
            "results":[{"rule":{"id":"py/sqli","index":0,"toolComponent":{"index":1}},
              "message":{"text":"m"},"locations":[{"physicalLocation":{"artifactLocation":{"index":0},
              "region":{"startLine":7}}}]}]}]}"#);
        let finding = &found.findings[0];
        assert_eq!((finding.rule.as_str(), finding.severity), ("py/sqli", Severity::High));
        assert_eq!((finding.level.as_str(), &finding.cwe[..]), ("error", &[89][..]));
        assert_eq!((finding.path.as_str(), finding.line), ("a b.py", Some(7)));
    }

    #[test]
    fn suppressed_passed_and_gone_results_are_no_findings() {
        let found = log(r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"t"}},
            "invocations":[{"executionSuccessful":false,"toolExecutionNotifications":[
              {"message":{"text":"Syntax error in x.py"}}]}],
            "results":[{"ruleId":"a","kind":"pass"},{"ruleId":"a","baselineState":"absent"},
              {"ruleId":"a","suppressions":[{"kind":"inSource"}]},
              {"ruleId":"a","suppressions":[{"kind":"external","status":"rejected"}]},
              {"ruleId":"b/part","level":"note","suppressions":[],
               "taxa":[{"id":"798","toolComponent":{"name":"CWE"}}]}]}]}"#);
        assert_eq!((found.findings.len(), found.suppressed, found.other), (2, 1, 2));
        assert_eq!((found.failed_runs, found.notifications.len()), (1, 1));
        assert_eq!(found.findings[0].severity, Severity::Medium);
        assert_eq!(
            (found.findings[1].severity, &found.findings[1].cwe[..]),
            (Severity::Low, &[798][..])
        );
    }

    #[test]
    fn what_is_no_log_is_named() {
        let error = |text: &[u8]| read(text, "x.sarif").unwrap_err().to_string();
        assert!(error(b"{]").starts_with("x.sarif: "));
        assert!(error(b"{}").contains("no `runs`"));
        assert!(error(b"[]").contains("no `runs`"));
        assert!(error(br#"{"version":"1.0.0","runs":[]}"#).contains("SARIF 1.0.0"));
        assert!(log("\u{feff}{\"runs\":[]}").findings.is_empty());
    }

    proptest! {
        #[test]
        fn nothing_in_a_log_makes_it_fail(text in r#"[{}\[\]":,a-z0-9%-]{0,60}"#) {
            let odd = serde_json::json!({"runs": [{"tool": text, "results": [
                {"ruleId": text, "ruleIndex": 99, "locations": [{}], "level": text,
                 "rule": {"toolComponent": {"index": 7}}, "properties": {"tags": [text, 3]}},
                text, 3, null]}]});
            let found = read(odd.to_string().as_bytes(), "odd").unwrap();
            prop_assert_eq!(found.findings.len(), 4);
            let _ = read(text.as_bytes(), "odd");
            let _ = decoded(&text);
        }
    }
}
