//! A corpus that a generator controls: what makes a student fail on it can be told apart.
//!
//! A problem is a composition of two to four typed operations on lists, numbers, texts, words and
//! maps, in prose of several wordings. Its code is a function `solve` in Python, Java and Go, one canonical
//! piece of code an operation, each of which names its result with the next letter; its plan, in the
//! field `pseudocode`, says the same in numbered steps of several wordings:
//!
//! ```text
//! Given a list of numbers, first sort the numbers in ascending order, second take the first 3 numbers.
//!
//! 1. let b be a in ascending order            def solve(a):
//! 2. let c be the first 3 numbers of b            b = sorted(a)
//! 3. return c                                     c = b[:3]
//!                                                 return c
//! ```
//!
//! All problems of a composition have it as their `source`, so that a [split](mod@crate::split) holds it
//! out in every language at once. To test an answer, put the fields `prompt` before and `test` behind
//! it: the whole is a program that fails unless `solve` gives what it should.

mod operations;
mod value;

use std::collections::BTreeSet;

use code_syntax::Language;
use distill_core::{Lesson, Problem, Pseudocode, Solution, Step};
use serde::{Deserialize, Serialize};

use crate::{CorpusError, Harvest};
use operations::{Operation, operations};
use value::{Kind, Value};

/// The languages of a controlled corpus.
pub const LANGUAGES: [Language; 3] = [Language::Python, Language::Java, Language::Go];

/// The name of every function.
pub const ENTRY_POINT: &str = "solve";

/// How large a controlled corpus is, and which one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Controlled {
    /// Compositions, all different; at most [`MOST`](Self::MOST).
    pub compositions: usize,
    /// Problems of a composition in each language, every one worded anew.
    pub wordings: usize,
    /// Decides compositions, wordings and tests.
    pub seed: u64,
    /// Keep the problems in these of the [`LANGUAGES`] alone. They are the same, whatever others are
    /// kept.
    pub languages: Vec<Language>,
}

impl Default for Controlled {
    /// 1,500 compositions, one wording, seed 1, all languages.
    fn default() -> Controlled {
        Controlled { compositions: 1500, wordings: 1, seed: 1, languages: LANGUAGES.to_vec() }
    }
}

/// Tests of a composition.
const TESTS: usize = 3;

impl Controlled {
    /// The most compositions: far fewer than there are, so that drawing new ones stays quick.
    pub const MOST: usize = 20_000;

    /// Generates the problems, composition by composition: the same for the same settings.
    ///
    /// # Errors
    /// [`CorpusError::Setting`] for more than [`MOST`](Self::MOST) compositions, and for a language in
    /// which there are no problems.
    pub fn problems(&self) -> Result<Vec<Problem>, CorpusError> {
        if self.compositions > Controlled::MOST {
            return Err(CorpusError::Setting {
                name: "source.compositions",
                value: self.compositions.to_string(),
                expected: "at most 20000",
            });
        }
        if let Some(other) = self.languages.iter().find(|one| !LANGUAGES.contains(one)) {
            return Err(CorpusError::Setting {
                name: "source.languages",
                value: other.to_string(),
                expected: "some of python, java and go",
            });
        }
        let mut random = Random::new(self.seed);
        let mut seen = BTreeSet::new();
        let mut problems = Vec::new();
        while seen.len() < self.compositions {
            let Some(composition) = Composition::draw(&mut random) else { continue };
            if seen.insert(composition.name()) {
                for language in LANGUAGES {
                    for wording in 0..self.wordings {
                        let problem = composition.problem(language, wording, &mut random);
                        problems.extend(self.languages.contains(&language).then_some(problem));
                    }
                }
            }
        }
        Ok(problems)
    }

    pub(crate) fn harvest(&self) -> Result<Harvest, CorpusError> {
        let problems = self.problems()?;
        Ok(Harvest { candidates: problems.len() as u64, problems, ..Harvest::default() })
    }
}

/// The problem's own plan and code as a lesson; none for a problem that has no field `pseudocode`, or no
/// reference.
pub fn lesson(problem: &Problem) -> Option<Lesson> {
    let plan = serde_json::from_value(problem.extra.get("pseudocode")?.clone()).ok()?;
    Some(Lesson {
        id: problem.id.clone(),
        language: problem.language,
        query: problem.query.clone(),
        solution: Solution { pseudocode: plan, code: problem.reference.clone()? },
        teacher: "corpus".to_owned(),
        reply: String::new(),
        extra: Default::default(),
    })
}

/// Random numbers that follow from a seed.
struct Random(blake3::OutputReader);

impl Random {
    fn new(seed: u64) -> Random {
        Random(
            blake3::Hasher::new_derive_key("code-corpus controlled")
                .update(&seed.to_le_bytes())
                .finalize_xof(),
        )
    }

    /// A number below `count`.
    fn below(&mut self, count: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        (u64::from_le_bytes(bytes) % count.max(1) as u64) as usize
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as usize) as i64
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Operations one after the other, with their constants, and what they make of a few values.
struct Composition {
    from: Kind,
    steps: Vec<(&'static Operation, i64)>,
    tests: Vec<(Value, Value)>,
}

impl Composition {
    /// A composition; none where the draw makes no sense: an operation twice, one that is hardly ever
    /// defined or that no test would miss, or always the same result, or always the argument.
    fn draw(random: &mut Random) -> Option<Composition> {
        let from = *random.pick(&Kind::ALL);
        // Longer ones are more often refused.
        let length = *random.pick(&[2, 2, 2, 3, 3, 3, 4, 4]);
        let mut kind = from;
        let mut steps: Vec<(&'static Operation, i64)> = Vec::new();
        while steps.len() < length {
            let possible: Vec<&Operation> =
                operations().filter(|operation| operation.run.from() == kind).collect();
            let operation = *random.pick(&possible);
            if steps.iter().any(|(other, _)| other.name == operation.name) {
                return None;
            }
            let constant = match operation.constants {
                [] => 0,
                some => *random.pick(some),
            };
            kind = operation.run.to();
            steps.push((operation, constant));
        }
        let mut composition = Composition { from, steps, tests: Vec::new() };
        let mut matters = vec![false; length];
        for _ in 0..4 * TESTS {
            let input = example(from, random);
            if composition.tests.len() < TESTS
                && let Some(values) = composition.run(input.clone())
            {
                let before = std::iter::once(&input).chain(&values);
                for ((matters, before), after) in matters.iter_mut().zip(before).zip(&values) {
                    *matters |= before != after;
                }
                composition.tests.extend(values.last().map(|output| (input, output.clone())));
            }
        }
        let mut outputs = composition.tests.iter().map(|(_, output)| output);
        let first = outputs.next();
        let varies = outputs.any(|output| Some(output) != first);
        let changes = composition.tests.iter().any(|(input, output)| input != output);
        let enough = composition.tests.len() == TESTS;
        (enough && varies && changes && !matters.contains(&false)).then_some(composition)
    }

    /// What each of its operations makes of the value.
    fn run(&self, input: Value) -> Option<Vec<Value>> {
        let mut value = input;
        let values = self.steps.iter().map(|(step, constant)| {
            value = step.run.apply(value.clone(), *constant)?;
            Some(value.clone())
        });
        values.collect()
    }

    /// The names of its operations: constants make no other composition.
    fn name(&self) -> String {
        self.steps.iter().map(|(step, _)| step.name).collect::<Vec<_>>().join("-")
    }

    fn to(&self) -> Kind {
        self.steps.last().map_or(self.from, |(step, _)| step.run.to())
    }

    fn problem(&self, language: Language, wording: usize, random: &mut Random) -> Problem {
        let name = self.name();
        let id = format!("controlled/{}/{name}/{wording}", language.name());
        let mut problem = Problem::new(id, language, self.query(random));
        problem.reference = Some(self.code(language));
        problem.entry_point = Some(ENTRY_POINT.to_owned());
        problem.source = format!("controlled/{name}");
        let plan = serde_json::to_value(self.plan(random)).unwrap_or_default();
        problem.extra.insert("pseudocode".into(), plan);
        problem.extra.insert("prompt".into(), prompt(language).into());
        problem.extra.insert("test".into(), self.test(language).into());
        problem
    }

    /// The problem in prose.
    fn query(&self, random: &mut Random) -> String {
        let kind = *random.pick(&self.from.words());
        let frame = random.pick(&FRAMES);
        let steps: Vec<String> = self
            .steps
            .iter()
            .map(|(step, constant)| random.pick(&step.query).replace("$k", &constant.to_string()))
            .collect();
        let text: String = steps
            .iter()
            .zip(frame.1)
            .enumerate()
            .map(|(at, (step, before))| {
                format!("{}{before}{step}", if at > 0 { frame.2 } else { "" })
            })
            .collect();
        format!("{} {kind}{}{text}.", frame.0, frame.3)
    }

    /// The plan.
    fn plan(&self, random: &mut Random) -> Pseudocode {
        let mut plan = Pseudocode::default();
        for (at, (step, constant)) in self.steps.iter().enumerate() {
            for (depth, text) in random.pick(&step.plan).split(" | ").enumerate() {
                plan.push(Step::new(depth, &fill(text, at + 1, *constant)));
            }
        }
        let last: &&str = random.pick(&["return $b", "give back $b"]);
        plan.push(Step::new(0, &fill(last, self.steps.len(), 0)));
        plan
    }

    /// The function.
    fn code(&self, language: Language) -> String {
        let (from, to) = (self.from.type_name(language), self.to().type_name(language));
        let (head, indent, end) = match language {
            Language::Java => (format!("static {to} {ENTRY_POINT}({from} a) {{"), "    ", ";\n}"),
            Language::Go => (format!("func {ENTRY_POINT}(a {from}) {to} {{"), "\t", "\n}"),
            _ => (format!("def {ENTRY_POINT}(a):"), "    ", ""),
        };
        let mut code = head;
        for (at, (step, constant)) in self.steps.iter().enumerate() {
            for line in fill(step.code(language), at + 1, *constant).lines() {
                code.push('\n');
                code.push_str(indent);
                code.push_str(line);
            }
        }
        code + &fill(&format!("\n{indent}return $b{end}"), self.steps.len(), 0)
    }

    /// What comes after the function in a program that tests it.
    fn test(&self, language: Language) -> String {
        let each = |write: &dyn Fn(String, String) -> String| -> String {
            let tests = self
                .tests
                .iter()
                .map(|(input, output)| write(input.literal(language), output.literal(language)));
            tests.collect()
        };
        match language {
            Language::Java => format!(
                "    static void check(Object found, Object wanted) {{\n        if \
                 (!found.equals(wanted)) {{\n            throw new AssertionError(found + \" is not \" \
                 + wanted);\n        }}\n    }}\n\n    public static void main(String[] arguments) \
                 {{\n{}    }}\n}}\n",
                each(&|input, output| format!(
                    "        check({ENTRY_POINT}({input}), {output});\n"
                ))
            ),
            Language::Go => format!(
                "func check(found, wanted any) {{\n\tif fmt.Sprintf(\"%#v\", found) != \
                 fmt.Sprintf(\"%#v\", wanted) {{\n\t\tpanic(fmt.Sprintf(\"%#v is not %#v\", found, \
                 wanted))\n\t}}\n}}\n\nfunc main() {{\n{}}}\n",
                each(&|input, output| format!("\tcheck({ENTRY_POINT}({input}), {output})\n"))
            ),
            _ => each(&|input, output| format!("assert {ENTRY_POINT}({input}) == {output}\n")),
        }
    }
}

/// The ways to tell what to do one after the other: what comes first, what leads each step, what is
/// between two of them, and what is before all.
const FRAMES: [(&str, [&str; 4], &str, &str); 4] = [
    ("Given", ["first ", "second ", "third ", "fourth "], ", ", ", "),
    ("Take", ["1) ", "2) ", "3) ", "4) "], "; ", " and do this: "),
    ("Write a function of", ["to start, ", "after that, ", "next, ", "at last, "], "; ", ": "),
    ("You get", ["step one: ", "step two: ", "step three: ", "step four: "], ". ", ". "),
];

/// What comes before the function in a program that tests it.
fn prompt(language: Language) -> &'static str {
    match language {
        Language::Java => "import java.util.*;\nimport java.util.stream.*;\n\nclass Main {\n",
        Language::Go => {
            "package main\n\nimport (\n\t\"fmt\"\n\t\"math\"\n\t\"sort\"\n\t\"strconv\"\n\t\"strings\"\n)\n\nvar _, _, \
             _, _ = math.Abs, sort.Ints, strconv.Itoa, strings.Join\n\n"
        }
        _ => "",
    }
}

/// A step's text with its names: `$a` and `$b` are the letters before `at` and at it.
fn fill(text: &str, at: usize, constant: i64) -> String {
    let name = |at: usize| char::from(b'a' + at as u8).to_string();
    text.replace("$a", &name(at.saturating_sub(1)))
        .replace("$b", &name(at))
        .replace("$k", &constant.to_string())
}

/// A value to try a composition on.
fn example(kind: Kind, random: &mut Random) -> Value {
    const WORDS: [&str; 24] = [
        "apple", "Bee", "cat", "dawn", "Echo", "fig", "grape", "hill", "ink", "Jade", "kite",
        "lamp", "moon", "Nut", "oak", "pear", "queen", "Rain", "sun", "tree", "up", "vine", "wolf",
        "zoo",
    ];
    let mut words = |least: i64, most: i64| -> Vec<String> {
        let count = random.between(least, most);
        (0..count).map(|_| (*random.pick(&WORDS)).to_owned()).collect()
    };
    match kind {
        Kind::Words => {
            let mut some = words(3, 6);
            some.push(some[0].clone());
            Value::Words(some)
        }
        Kind::Text => {
            let some = words(2, 4).join(" ");
            Value::Text(format!("{some} {}", random.between(1, 99)))
        }
        Kind::Map => {
            let keys = words(3, 7);
            Value::Map(keys.into_iter().map(|key| (key, random.between(0, 9))).collect())
        }
        Kind::Number => Value::Number(random.between(1, 150)),
        Kind::List => {
            let count = random.between(6, 9);
            Value::List((0..count).map(|_| random.between(-6, 15)).collect())
        }
    }
}
