//! Both renderings of a whole report, of parts of one, and of hostile text.

use distill_core::{Language, Mode, Pseudocode, Step};

use super::*;

fn plan(steps: &[(usize, &str)]) -> Pseudocode {
    Pseudocode::new(steps.iter().map(|(depth, text)| Step::new(*depth, text)))
}

fn scores(tm: f64) -> Scores {
    Scores {
        tm: Some(tm),
        sm: Some(tm + 20.0),
        dm: Some(tm + 10.0),
        km: Some(tm + 1.5),
        cb: Some(tm + 8.25),
        exact: Some(0.5),
        parses: Some(91.0),
    }
}

fn curve(arm: &str, pseudocode: bool) -> Curve {
    let loss = |step: u64, above: f64| {
        // Short figures, which JSON keeps to the last bit.
        let short = |loss: f64| (loss * 1000.0).round() / 1000.0;
        let code = short(7.5 * (-(step as f64) / 400.0).exp() + 2.0 + above);
        let of_pseudocode = pseudocode.then_some(short(code - 0.4));
        let total = of_pseudocode.map_or(code, |loss| short((loss + code) / 2.0));
        Losses { pseudocode: of_pseudocode, code: Some(code), total: Some(total) }
    };
    let point = |step: u64| CurvePoint {
        step,
        epoch: Some(step as f64 / 250.0),
        train: if step == 0 { Losses::default() } else { loss(step, -0.1) },
        valid: if step.is_multiple_of(100) { loss(step, 0.1) } else { Losses::default() },
    };
    let points = (0..=60).map(|at| point(at * 20)).collect();
    Curve { arm: arm.into(), points, kept_step: Some(1200) }
}

fn fixture() -> ReportData {
    let row = |arm: &str, mode, tm| Row {
        arm: arm.into(),
        mode: Some(mode),
        top1: scores(tm),
        top5: scores(tm + 3.0),
    };
    let answer = |arm: &str, mode, plan: Pseudocode| SampleAnswer {
        arm: arm.into(),
        mode: Some(mode),
        pseudocode: plan,
        code: "def total(xs):\n    return sum(x)\n".into(),
        exact: Some(false),
        parses: Some(true),
        cb: Some(41.27),
    };
    let steps = plan(&[(0, "set t to 0"), (0, "for each x in xs:"), (1, "add x to t")]);
    let sample = Sample {
        id: "statistics.py:total".into(),
        language: Language::Python,
        query: "Add up a list of numbers.".into(),
        reference: "def total(xs):\n    t = 0\n    for x in xs:\n        t += x\n    return t\n"
            .into(),
        pseudocode: steps.clone(),
        pseudocode_by: "the verbaliser".into(),
        answers: Vec::new(),
    };
    ReportData {
        run: "stdlib".into(),
        command: "distill run examples/stdlib.toml".into(),
        setting: Setting {
            teacher: "verbaliser".into(),
            student: "nano".into(),
            parameters: Some(2_345_678),
            corpus: "the Python 3.11.2 standard library".into(),
        },
        warnings: vec!["The answers of plain do not vary with the problem.".into()],
        dataset: Dataset {
            pairs: vec![
                Pairs { language: Language::Go, train: 319, valid: 40, test: 41 },
                Pairs { language: Language::Python, train: 3912, valid: 488, test: 503 },
            ],
            lengths: vec![Lengths {
                text: "code".into(),
                mean: Some(71.44),
                median: Some(52.0),
                p95: Some(190.0),
                max: None,
            }],
            length_unit: "tokens of the student's tokenizer".into(),
            dropped: [("near duplicate".into(), 1204), ("query too short".into(), 310)].into(),
        },
        teach: Some(Teach {
            asked: 4400,
            kept: 4389,
            rejected: [("too long".into(), 11)].into(),
            prompt_tokens: None,
            completion_tokens: Some(412_345),
            cost: Some(0.0825),
            without_rule: Some(0.0),
        }),
        results: Results {
            problems: 200,
            test_split: Some(544),
            method: "TM and CB over the corpus, the others means over the problems.".into(),
            baseline: Some("plain".into()),
            teacher: Some(Row {
                arm: "verbaliser".into(),
                mode: None,
                top1: Scores { tm: Some(f64::NAN), ..scores(90.0) },
                top5: Scores::default(),
            }),
            rows: vec![
                row("plain", Mode::Direct, 9.2),
                row("distilled", Mode::Direct, 9.96),
                row("distilled", Mode::Chained, 8.7),
            ],
            languages: [(Language::Go, 20), (Language::Python, 180)]
                .map(|(language, problems)| {
                    let row = row("distilled", Mode::Direct, problems as f64 / 10.0);
                    LanguageRow { language, problems, row }
                })
                .into(),
            differences: ["above", "cannot_tell"]
                .map(|verdict| Difference {
                    a: "distilled (direct)".into(),
                    b: "plain (direct)".into(),
                    measure: "TM".into(),
                    difference: Some(0.76),
                    low: Some(-0.04),
                    high: Some(1.5),
                    p: Some(0.25),
                    p_holm: Some(0.5),
                    verdict: verdict.into(),
                })
                .into(),
        },
        curves: vec![curve("plain", false), curve("distilled", true)],
        training: vec![Training {
            arm: "distilled".into(),
            parameters: 2_345_678,
            lessons: 3912,
            cut: 17,
            steps: 1200,
            tokens: 1_000_000,
            seconds: 160.0,
        }],
        spreads: [("plain", Mode::Direct), ("distilled", Mode::Chained)]
            .map(|(arm, mode)| Spread {
                arm: arm.into(),
                mode: Some(mode),
                answers: (0..50u32)
                    .map(|at| SpreadAnswer {
                        cb: Some(f64::from(at * 2)),
                        reference_tokens: u64::from(100 - at),
                        answer_tokens: 20,
                    })
                    .collect(),
            })
            .into(),
        ranked: [Place::Best, Place::Worst]
            .map(|place| RankedSample {
                place,
                sample: Sample {
                    answers: vec![answer("distilled", Mode::Chained, steps.clone())],
                    ..sample.clone()
                },
            })
            .into(),
        samples: vec![Sample {
            answers: vec![
                answer("plain", Mode::Direct, Pseudocode::default()),
                answer("distilled", Mode::Chained, steps),
            ],
            ..sample
        }],
        config: "[student]\npreset = \"nano\"\n".into(),
        config_hash: "5f2a".into(),
        seeds: [("init".into(), 7), ("split".into(), u64::MAX)].into(),
        stages: vec![
            Stage {
                name: "mine".into(),
                seconds: Some(12.04),
                sessions: 1,
                outcome: "4,903 pairs".into(),
            },
            Stage { name: "train".into(), seconds: Some(192.0), sessions: 2, ..Stage::default() },
        ],
        versions: [("libtorch".into(), "2.11.0".into())].into(),
        machine: Machine { os: "linux x86_64".into(), device: "cpu".into(), threads: Some(2) },
        files: vec![Stamp { name: "lessons.jsonl".into(), bytes: 1234, hash: "0af3".into() }],
    }
}

/// Every element is closed, in order; every attribute value is quoted; ids are unique and what
/// refers to them finds them.
fn assert_well_formed(html: &str) {
    const VOID: [&str; 2] = ["meta", "br"];
    let mut open: Vec<&str> = Vec::new();
    let mut ids = Vec::new();
    let mut references = Vec::new();
    let mut rest = html.strip_prefix("<!doctype html>").expect("a doctype");
    while let Some(at) = rest.find('<') {
        assert!(!rest[..at].contains('>'), "a bare > before {:.80}", &rest[at..]);
        rest = &rest[at + 1..];
        let mut quoted = false;
        let end = rest.find(|c| {
            quoted ^= c == '"';
            c == '>' && !quoted
        });
        let (tag, after) = rest.split_at(end.expect("a > for every <"));
        rest = &after[1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closing {name} before {:.80}", rest);
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let name = name.trim_end_matches('/');
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "element {name:?}");
        assert_eq!(attributes.matches('"').count() % 2, 0, "quotes in {tag}");
        for (attribute, value) in attributes
            .split('"')
            .collect::<Vec<_>>()
            .chunks(2)
            .filter_map(|pair| Some((pair.first()?.trim().trim_end_matches('='), pair.get(1)?)))
        {
            assert!(!attribute.starts_with("on"), "a script in {tag}");
            match attribute {
                "id" => ids.push(value.to_string()),
                "aria-labelledby" => references.push(value.to_string()),
                "href" => references.push(value.strip_prefix('#').expect("no outside").into()),
                _ => {}
            }
        }
        if name == "style" {
            rest = &rest[rest.find("</style>").expect("an end of the style")..];
        }
        if !VOID.contains(&name) && !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id twice");
    for reference in references {
        assert!(ids.contains(&reference), "nothing has the id {reference}");
    }
}

/// The cells of a Markdown table row: borders that are not escaped.
fn columns(row: &str) -> usize {
    row.replace("\\\\", "").replace("\\|", "").matches('|').count()
}

/// Every table has as many columns in every row, every fence is closed. Returns the Markdown
/// outside of fences.
fn assert_sound_markdown(markdown: &str) -> String {
    let mut prose = String::new();
    let mut fence: Option<String> = None;
    let mut width = None;
    for line in markdown.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match &fence {
            Some(open) if *open == line => fence = None,
            Some(_) => {}
            None if ticks >= 3 => fence = Some("`".repeat(ticks)),
            None => {
                prose += line;
                prose.push('\n');
                if line.starts_with('|') {
                    assert!(line.ends_with(" |"), "{line}");
                    let width = *width.get_or_insert(columns(line));
                    assert_eq!(columns(line), width, "{line}");
                } else {
                    width = None;
                }
            }
        }
    }
    assert_eq!(fence, None, "an open fence");
    prose
}

/// What a browser shows of the page: text without tags and style, character references read.
fn shown(html: &str) -> String {
    let (before, after) = html.split_once("<style>").unwrap();
    let html = format!("{before}{}", after.split_once("</style>").unwrap().1);
    let mut text = String::new();
    let mut rest = html.as_str();
    while let Some((before, after)) = rest.split_once('<') {
        text += before;
        rest = after.split_once('>').unwrap().1;
    }
    text += rest;
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

#[test]
fn a_whole_report_is_sound_and_deterministic() {
    let data = fixture();
    let page = html(&data);
    assert_well_formed(&page);
    assert_sound_markdown(&markdown(&data));
    assert_eq!(html(&data.clone()), page);
    assert_eq!(markdown(&data.clone()), markdown(&data));
    // Nothing is loaded and nothing runs.
    for outside in ["<script", "<link", "<img", "url(", "@import", "src=", "http://", "https://"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn both_show_the_same_tables() {
    let data = fixture();
    let text = markdown(&data);
    assert!(text.contains(
        "| Techniques | Top-1 TM | Top-1 SM | Top-1 DM | Top-1 CB | Top-5 TM | Top-5 SM | Top-5 DM \
         | Top-5 CB |\n"
    ));
    assert!(text.contains(
        "| distilled (direct) | **10.0** | **30.0** | **20.0** | **18.2** | **13.0** | **33.0** | \
         **23.0** | **21.2** |\n"
    ));
    assert!(text.contains("| verbaliser (teacher) | – | 110.0 |"));
    assert!(text.contains("| All | 4,231 | 528 | 544 | 5,303 |\n"));
    assert!(text.contains("| code | 71.4 | 52 | 190 | – |\n"));
    assert!(text.contains("| Kept | 4,389 | 99.8 % |\n"));
    assert!(text.contains("| All |  | 3 min 24 s |  |\n"));
    assert!(text.contains(&format!("| split | {} |\n", u64::MAX)));

    let page = html(&data);
    assert!(page.contains("<th scope=\"colgroup\" colspan=\"4\">Top-5</th>"));
    assert!(page.contains("<td class=\"n start\"><strong>13.0</strong></td>"));
    let page = shown(&page);
    for (cell, line) in [
        (
            "| distilled (direct) | plain (direct) | TM | \\+0.8 (\\[0.0, +1.5\\]) | 0.2500 | 0.5000 | A is above B |",
            "differences",
        ),
        ("| Go | 20 | distilled (direct) | 2.0 |", "languages"),
        ("| plain (direct) | 50 | 0.0 | 8.0 | 24.0 | 48.0 |", "spread"),
        ("| plain (direct) | 89.0 (of 10) |", "by length"),
        (
            "| distilled | 2,345,678 | 3,912 | 17 | 1,200 | 1,000,000 | 2 min 40 s | 6,250 |",
            "costs",
        ),
        ("| Cost, in the currency of teacher.price | 0.0825 |", "price"),
        ("| lessons.jsonl | 1,234 | 0af3 |", "files"),
    ] {
        assert!(text.contains(cell), "{line}: {text}");
    }
    for cell in ["4,231", "71.4", "99.8 %", "3 min 24 s", "412,345", "distill run examples"] {
        assert!(page.contains(cell), "{cell}");
    }
}

#[test]
fn lines_in_common_with_the_reference_are_tinted() {
    let page = html(&fixture());
    let tinted = "<span class=\"same\">def total(xs):</span>\n    return sum(x)</code>";
    assert_eq!(page.matches(tinted).count(), 2);
    assert_eq!(page.matches("class=\"same\"").count(), 2);
}

#[test]
fn a_ranked_answer_stands_beside_its_reference_with_what_differs_marked() {
    let data = fixture();
    let page = html(&data);
    assert!(
        page.contains(
            "<span class=\"codeline gone\" data-n=\"5\">    return <del>t</del>\n</span>"
        ),
        "{page}"
    );
    assert!(page.contains(
        "<span class=\"codeline new\" data-n=\"2\">    return <ins>sum(x)</ins>\n</span>"
    ));
    assert!(
        shown(&page).contains("1 line alike, 4 in the reference alone, 1 in the answer alone.")
    );
    let text = markdown(&data);
    assert!(text.contains("### distilled (chained): best answer\n"));
    assert!(text.contains("```diff\n def total(xs):\n-    t = 0\n-    for x in xs:\n"), "{text}");
    assert!(text.contains("-    return t\n+    return sum(x)\n```"));
    // Equal plans.
    assert!(text.contains("The same line by line."));
}

#[test]
fn every_chart_has_a_title_a_description_and_a_table() {
    let page = html(&fixture());
    let charts: Vec<&str> = page.split("<svg class=\"chart\"").skip(1).collect();
    // Two tasks; two students' scores, and their scores over lengths.
    assert_eq!(charts.len(), 6);
    for chart in charts {
        let (tag, rest) = chart.split_once('>').unwrap();
        assert!(tag.contains("role=\"img\"") && !tag.contains("aria-label=\"\""), "{tag}");
        let description = rest.trim_start().strip_prefix("<desc>").unwrap();
        assert!(description.split_once("</desc>").unwrap().0.len() > 20);
    }
    assert_eq!(page.matches("<details>").count(), 4);
    assert_eq!(page.matches("<svg class=\"strip above told\"").count(), 1);
    assert_eq!(page.matches("<svg class=\"strip untold\"").count(), 1);
    assert!(page.contains("50 answers: a quarter has at most 24.0, half at most 48.0,"));
    assert!(page.contains("Spearman&#39;s ρ −1.00."));
}

#[test]
fn headings_go_down_one_level_at_a_time() {
    let page = html(&fixture());
    let mut before = 0;
    for tag in page.split("<h").skip(1) {
        let Some(level) = tag.chars().next().and_then(|c| c.to_digit(10)) else { continue };
        assert!(level <= before + 1, "h{level} after h{before}: {tag:.60}");
        before = level;
    }
    assert_eq!(page.matches("<h1>").count(), 1);
}

#[test]
fn a_report_reads_back_from_json() {
    let mut data = fixture();
    let json = serde_json::to_string(&data).unwrap();
    // What is no number has no JSON: it comes back as unknown, which is shown alike.
    let back: ReportData = serde_json::from_str(&json).unwrap();
    assert_eq!(html(&back), html(&data));
    data.results.teacher.as_mut().unwrap().top1.tm = None;
    assert_eq!(back, data);
    assert_eq!(serde_json::from_str::<ReportData>("{}").unwrap(), ReportData::default());
}

#[test]
fn findings_say_what_the_table_shows_and_no_more() {
    let mut data = fixture();
    let said = words::findings(&data);
    assert_eq!(
        said[0],
        "At Top-1, distilled (direct) is above plain (direct) in TM (+0.8), SM (+0.8), DM (+0.8), \
         CB (+0.8) and KM (+0.8); level with it in exact match and parse rate."
    );
    assert!(
        said[2].starts_with("At Top-1, distilled (chained) is below plain (direct) in TM (−0.5)")
    );
    assert!(said[4].contains("200 problems") && said[4].contains("0.5 points"), "{}", said[4]);
    assert!(said[4].contains("Of 2 differences tested at Top-1, 1 is told from chance"));
    assert!(said[5].starts_with("Validation loss of plain went from 9.600 to "), "{}", said[5]);
    assert!(said[6].contains("in pseudocode (step 1,200) and from"), "{}", said[6]);
    assert!(shown(&html(&data)).contains(&said[0]));

    // Differences are those of the figures as shown: 9.24 and 9.16 are both 9.2.
    data.results.rows.truncate(2);
    for row in &mut data.results.rows {
        row.top1 = Scores { tm: Some(9.24), ..Scores::default() };
        row.top5 = Scores::default();
    }
    data.results.rows[0].top1.tm = Some(9.16);
    let said = words::findings(&data);
    assert_eq!(said[0], "At Top-1, distilled (direct) is level with plain (direct) in TM.");

    data.results.baseline = None;
    data.results.rows[0].top1.tm = Some(f64::INFINITY);
    assert_eq!(words::findings(&data)[0], "Highest at Top-1: TM 9.2 (distilled (direct)).");

    data.results.rows.truncate(1);
    assert!(words::findings(&data)[0].starts_with("Validation loss"));
}

#[test]
fn a_student_that_learned_nothing_is_warned_of() {
    let mut data = fixture();
    assert_eq!(words::warnings(&data), data.warnings);
    let last = data.curves[1].points.last_mut().unwrap();
    last.valid.code = Some(9.6);
    let warnings = words::warnings(&data);
    assert_eq!(warnings.len(), 2);
    assert!(warnings[1].contains("distilled") && warnings[1].contains("in code"));
    assert!(shown(&html(&data)).contains(&warnings[1]));
    assert!(markdown(&data).contains("> **Warning:** The student distilled"));
}

#[test]
fn missing_parts_leave_a_sound_report() {
    let mut no_plain = fixture();
    no_plain.results.rows.retain(|row| row.arm != "plain");
    no_plain.curves.retain(|curve| curve.arm != "plain");
    assert!(words::findings(&no_plain)[0].starts_with("Highest at Top-1: TM 10.0"));
    let mut no_curves = fixture();
    no_curves.curves.clear();
    let mut no_samples = fixture();
    no_samples.samples.clear();
    no_samples.ranked.clear();
    assert!(!html(&no_samples).contains("<article"));
    let mut no_scores = fixture();
    for answer in no_scores.spreads.iter_mut().flat_map(|spread| &mut spread.answers) {
        (answer.cb, answer.reference_tokens) = (Some(f64::NAN), 0);
    }
    let mut only_code = fixture();
    only_code.curves.truncate(1);
    only_code.spreads.clear();
    assert_eq!(html(&only_code).matches("<svg class=\"chart\"").count(), 1);
    let mut undefined = fixture();
    for point in undefined.curves.iter_mut().flat_map(|curve| &mut curve.points) {
        let nothing = Some(f64::NAN);
        point.train = Losses { pseudocode: nothing, code: nothing, total: nothing };
        point.valid = point.train;
        point.epoch = nothing;
    }
    undefined.stages[0].seconds = Some(f64::NEG_INFINITY);
    let one_point = ReportData {
        curves: vec![Curve {
            arm: "a".into(),
            points: vec![CurvePoint {
                valid: Losses { code: Some(3.0), ..Losses::default() },
                ..CurvePoint::default()
            }],
            kept_step: None,
        }],
        ..ReportData::default()
    };
    let all = [
        ReportData::default(),
        no_plain,
        no_curves,
        no_samples,
        no_scores,
        only_code,
        undefined,
        one_point,
    ];
    for data in all {
        for text in [html(&data), markdown(&data)] {
            for undefined in ["NaN", "inf ", ">inf", "None", "Some("] {
                assert!(!text.contains(undefined), "{undefined} in {text}");
            }
        }
        assert_well_formed(&html(&data));
        assert_sound_markdown(&markdown(&data));
    }
}

#[test]
fn hostile_text_is_shown_and_never_obeyed() {
    let hostile = "</script></pre></style>'\"><script>alert(1)</script> & | `a` ```\n```\n~~~\n\
                   | x | y |\n# no heading\n<!-- \r\n\0\u{1b}[31m \u{202e}right-to-left \u{feff}\
                   \u{ffff} [l](javascript:1) ![i](u) $x$ &amp; \\";
    let long = "x".repeat(20_000);
    for text in [hostile, &long, "", "\n", "- a", "````"] {
        let mut data = fixture();
        let steps = plan(&[(0, text), (1, text), (9, text)]);
        let own = || text.to_owned();
        data.run = own();
        data.command = own();
        data.config = own();
        data.config_hash = own();
        data.setting = Setting { teacher: own(), student: own(), corpus: own(), ..data.setting };
        data.machine = Machine { os: own(), device: own(), threads: None };
        data.warnings = vec![own()];
        data.results.method = own();
        data.dataset.length_unit = own();
        data.dataset.lengths[0].text = own();
        data.dataset.dropped = [(own(), 3)].into();
        data.teach.as_mut().unwrap().rejected = [(own(), 3)].into();
        data.seeds = [(own(), 3)].into();
        data.versions = [(own(), own())].into();
        data.stages[0].name = own();
        data.stages[0].outcome = own();
        data.curves[1].arm = own();
        data.results.rows[1].arm = own();
        data.results.teacher.as_mut().unwrap().arm = own();
        data.training[0].arm = own();
        data.results.differences[0].a = own();
        data.results.differences[1].measure = own();
        data.results.differences[1].verdict = own();
        data.spreads[1].arm = own();
        data.files[0] = Stamp { name: own(), bytes: 1, hash: own() };
        data.results.languages[0].row.arm = own();
        let ranked = &mut data.ranked[0].sample;
        (ranked.id, ranked.query, ranked.reference) = (own(), own(), own());
        (ranked.pseudocode, ranked.pseudocode_by) = (steps.clone(), own());
        ranked.answers[0].code = format!("{text} x");
        ranked.answers[0].pseudocode = steps.clone();
        let sample = &mut data.samples[0];
        sample.pseudocode_by = own();
        (sample.id, sample.query, sample.reference) = (own(), own(), own());
        sample.pseudocode = steps.clone();
        sample.answers[0].arm = own();
        sample.answers[0].code = own();
        sample.answers[0].pseudocode = steps;

        let page = html(&data);
        assert_well_formed(&page);
        assert!(!page.contains("<script"));
        assert!(shown(&page).contains(words::visible(text).trim()), "{text:.50}");
        let prose = assert_sound_markdown(&markdown(&data)).replace("\\]", "");
        for obeyed in ["<script", "](", "<!--", "\n# no", "\n~~~"] {
            assert!(!prose.contains(obeyed), "{obeyed} in {prose:.3000}");
        }
        let control = |c: char| c.is_control() && c != '\n' && c != '\t' || c == '\u{202e}';
        assert!(!page.contains(control) && !markdown(&data).contains(control));
    }
}

#[test]
fn figures_are_written_for_people() {
    assert_eq!(words::count(0), "0");
    assert_eq!(words::count(999), "999");
    assert_eq!(words::count(2_137_293), "2,137,293");
    assert_eq!(words::number(Some(-0.04), 1), "0.0");
    assert_eq!(words::number(Some(-1.25), 2), "−1.25");
    assert_eq!(words::number(Some(1e300), 1), "1.00e300");
    assert_eq!(words::number(Some(f64::NAN), 1), "–");
    let times = [(4.23, "4.2 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (3599.7, "1 h 00 min")];
    for (seconds, text) in times {
        assert_eq!(words::duration(Some(seconds)), text);
    }
    assert_eq!(words::duration(Some(7199.0)), "2 h 00 min");
    assert_eq!(words::duration(Some(-1.0)), "–");
    assert_eq!(words::per_cent(1, 0), "–");
    assert_eq!(words::tenths(Some(9.95)), Some(99)); // 9.949999…, shown as 9.9
}
