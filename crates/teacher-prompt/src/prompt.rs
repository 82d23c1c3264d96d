//! From a problem to a request: templates, exemplars, directions.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use distill_core::{Language, Lesson, Message, Problem, Pseudocode, Request, Role, Sampling};
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Which way the teacher reasons.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the problem to pseudocode and code.
    #[default]
    Forward,
    /// From the problem and code known to be right to pseudocode.
    Backward,
}

impl Direction {
    /// Its name in records and options.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Forward => "forward",
            Direction::Backward => "backward",
        }
    }
}

/// In how many requests a problem is solved. Of no effect on [`Direction::Backward`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// Pseudocode and code in one reply.
    #[default]
    SinglePass,
    /// First the plan, then code from problem and plan: P(z|x) = Σ P(z|y,x)·P(y|x), one plan y
    /// drawn.
    PlanThenImplement,
}

impl Style {
    /// Its name in records and options.
    pub fn name(self) -> &'static str {
        match self {
            Style::SinglePass => "single_pass",
            Style::PlanThenImplement => "plan_then_implement",
        }
    }
}

/// A prompt template: a minijinja file with the blocks `system`, `user` and `answer`.
///
/// `system` (may be empty) and `user` are the two messages of a request; for every exemplar a
/// `user` and an `answer` come between them. The variables are `language` (`C#`), `fence`
/// (`c_sharp`), `query`, `entry_point`, `reference`, `pseudocode` and `code`; those that a problem
/// lacks are none, any other name is an error.
#[derive(Debug, Clone)]
pub struct Template {
    name: String,
    version: String,
    hash: String,
    environment: Arc<Environment<'static>>,
}

impl Template {
    /// Reads a template from its text. A comment `{# version: … #}` names its version.
    ///
    /// # Errors
    /// [`Error::Template`] for a text that is no template or lacks the block `user`.
    pub fn new(name: &str, source: &str) -> Result<Template, Error> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment
            .add_template_owned(MAIN, source.to_owned())
            .map_err(|error| template_error(name, &error))?;
        let template = Template {
            name: name.to_owned(),
            version: version_of(source),
            hash: blake3::hash(source.as_bytes()).to_hex().to_string(),
            environment: Arc::new(environment),
        };
        // Render once so that a missing block or a misspelt variable is met here and not at the
        // thousandth problem.
        let sample = Problem {
            entry_point: Some("f".into()),
            reference: Some("code".into()),
            ..Problem::new("sample", Language::Python, "query")
        };
        let plan = Pseudocode::default();
        if template.render(&variables(&sample, &plan, "code"), &["user", "system", "answer"])?[0]
            .is_empty()
        {
            return Err(Error::Template {
                name: name.to_owned(),
                reason: "the block `user` is empty".into(),
            });
        }
        Ok(template)
    }

    /// Reads a template file; its name is the file's.
    ///
    /// # Errors
    /// [`Error::Read`], and as [`Template::new`].
    pub fn from_file(path: &Path) -> Result<Template, Error> {
        let source = std::fs::read_to_string(path)
            .map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Template::new(&path.file_name().unwrap_or_default().to_string_lossy(), &source)
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version that the file states; empty where it states none.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// BLAKE3 hash of the file, 64 hexadecimal digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    fn render(&self, variables: &Value, blocks: &[&str]) -> Result<Vec<String>, Error> {
        let render = || -> Result<Vec<String>, minijinja::Error> {
            let template = self.environment.get_template(MAIN)?;
            let mut rendered = template.render_captured(variables)?;
            rendered.with_state_mut(|state| {
                blocks.iter().map(|block| state.render_block(block)).collect()
            })
        };
        render().map_err(|error| template_error(&self.name, &error))
    }
}

const MAIN: &str = "template";

fn template_error(name: &str, error: &minijinja::Error) -> Error {
    let line = error.line().map(|line| format!(" (line {line})")).unwrap_or_default();
    let mut reason = format!("{error}{line}");
    if reason.contains("not found") && reason.contains("block") {
        reason += "; expected the blocks `system`, `user` and `answer`";
    }
    Error::Template { name: name.to_owned(), reason }
}

fn version_of(source: &str) -> String {
    let version = source.lines().find_map(|line| {
        let comment = line.trim_start().strip_prefix("{#")?.trim_start_matches('-').trim_start();
        comment.strip_prefix("version:")
    });
    let version = version.unwrap_or_default();
    version.split('#').next().unwrap_or_default().trim().trim_end_matches('-').trim().to_owned()
}

/// Worked problems that lead the prompt. Those of the problem's own language are used, and never
/// one with the problem's id or query.
#[derive(Debug, Clone, Default)]
pub enum Exemplars {
    /// None: zero-shot.
    #[default]
    None,
    /// These, in this order.
    Chosen(Vec<Lesson>),
    /// `k` of a pool, drawn anew for each problem by seed and problem id: the order of the problems
    /// does not matter.
    Random {
        /// Where to draw from.
        pool: Pool,
        /// How many.
        k: usize,
        /// Seed of the draw.
        seed: u64,
    },
    /// The `k` of a pool whose queries share most words with the problem's (Jaccard), the nearest
    /// last, next to the question. Costs the total length of the posting lists of the query's words.
    Nearest {
        /// Where to look.
        pool: Pool,
        /// How many.
        k: usize,
    },
}

/// Lessons to draw exemplars from, indexed by language and by the words of their queries.
#[derive(Debug, Clone, Default)]
pub struct Pool(Arc<PoolIndex>);

#[derive(Debug, Default)]
struct PoolIndex {
    lessons: Vec<Lesson>,
    by_language: HashMap<Language, Vec<u32>>,
    /// For each language and word, the lessons with it in their query.
    postings: HashMap<(Language, String), Vec<u32>>,
    /// Number of different words of each lesson's query.
    sizes: Vec<u32>,
}

impl Pool {
    /// Indexes these lessons.
    pub fn new(lessons: Vec<Lesson>) -> Pool {
        let mut index = PoolIndex::default();
        for (at, lesson) in lessons.iter().enumerate() {
            let at = at as u32;
            let words = words(&lesson.query);
            index.sizes.push(words.len() as u32);
            index.by_language.entry(lesson.language).or_default().push(at);
            for word in words {
                index.postings.entry((lesson.language, word)).or_default().push(at);
            }
        }
        index.lessons = lessons;
        Pool(Arc::new(index))
    }

    fn usable(&self, at: u32, problem: &Problem) -> bool {
        let lesson = &self.0.lessons[at as usize];
        lesson.id != problem.id && lesson.query != problem.query
    }

    fn random(&self, problem: &Problem, k: usize, seed: u64) -> Vec<&Lesson> {
        let Some(candidates) = self.0.by_language.get(&problem.language) else { return Vec::new() };
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(problem.id.as_bytes());
        let mut stream = hasher.finalize_xof();
        // A partial Fisher–Yates shuffle over positions, remembering only the ones that moved.
        let mut moved: HashMap<usize, usize> = HashMap::new();
        let mut drawn = Vec::new();
        for start in 0..candidates.len() {
            if drawn.len() == k {
                break;
            }
            let mut bytes = [0; 8];
            stream.fill(&mut bytes);
            let left = (candidates.len() - start) as u64;
            let pick = start + (u64::from_le_bytes(bytes) % left) as usize;
            let chosen = moved.get(&pick).copied().unwrap_or(pick);
            let displaced = moved.get(&start).copied().unwrap_or(start);
            moved.insert(pick, displaced);
            if self.usable(candidates[chosen], problem) {
                drawn.push(&self.0.lessons[candidates[chosen] as usize]);
            }
        }
        drawn
    }

    fn nearest(&self, problem: &Problem, k: usize) -> Vec<&Lesson> {
        let query = words(&problem.query);
        let mut shared: HashMap<u32, u32> = HashMap::new();
        let wanted = query.len() as u32;
        for word in query {
            for &at in self.0.postings.get(&(problem.language, word)).into_iter().flatten() {
                *shared.entry(at).or_default() += 1;
            }
        }
        let mut ranked: Vec<(u32, u32, u32)> = shared
            .into_iter()
            .filter(|&(at, _)| self.usable(at, problem))
            .map(|(at, both)| (both, wanted + self.0.sizes[at as usize] - both, at))
            .collect();
        // By both / either, descending, compared as fractions; ties in the order of the pool.
        ranked.sort_unstable_by(|a, b| {
            let (left, right) = (u64::from(a.0) * u64::from(b.1), u64::from(b.0) * u64::from(a.1));
            right.cmp(&left).then(a.2.cmp(&b.2))
        });
        ranked.truncate(k);
        ranked.iter().rev().map(|&(_, _, at)| &self.0.lessons[at as usize]).collect()
    }
}

fn words(text: &str) -> HashSet<String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Turns problems into requests.
///
/// ```
/// use distill_core::{Language, Problem, Role};
/// use teacher_prompt::PromptBuilder;
///
/// let builder = PromptBuilder::new("qwen2.5-coder-1.5b-instruct");
/// let problem = Problem::new("sum", Language::Python, "Add up a list of numbers.");
/// let request = builder.request(&problem)?;
/// assert_eq!(request.messages[0].role, Role::System);
/// assert_eq!(request.messages[1].content, "Problem: (Python) Add up a list of numbers.");
/// # Ok::<(), teacher_prompt::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PromptBuilder {
    model: String,
    direction: Direction,
    style: Style,
    exemplars: Exemplars,
    sampling: Sampling,
    /// The user's own template for the first (or only) request, and for the second.
    first: Option<Template>,
    second: Option<Template>,
}

impl PromptBuilder {
    /// Zero-shot forward requests in a single pass to this model, sampling left to the server.
    pub fn new(model: impl Into<String>) -> PromptBuilder {
        PromptBuilder {
            model: model.into(),
            direction: Direction::default(),
            style: Style::default(),
            exemplars: Exemplars::default(),
            sampling: Sampling::default(),
            first: None,
            second: None,
        }
    }

    /// Sets the direction.
    pub fn direction(mut self, direction: Direction) -> PromptBuilder {
        self.direction = direction;
        self
    }

    /// Sets the style.
    pub fn style(mut self, style: Style) -> PromptBuilder {
        self.style = style;
        self
    }

    /// Sets the exemplars.
    pub fn exemplars(mut self, exemplars: Exemplars) -> PromptBuilder {
        self.exemplars = exemplars;
        self
    }

    /// Sets how completions are drawn; see [`Preset`](crate::Preset) for known models.
    pub fn sampling(mut self, sampling: Sampling) -> PromptBuilder {
        self.sampling = sampling;
        self
    }

    /// Uses this template instead of the embedded one of direction and style; with
    /// [`Style::PlanThenImplement`], for the plan.
    pub fn template(mut self, template: Template) -> PromptBuilder {
        self.first = Some(template);
        self
    }

    /// Uses this template instead of the embedded one for the second request of
    /// [`Style::PlanThenImplement`].
    pub fn implement_template(mut self, template: Template) -> PromptBuilder {
        self.second = Some(template);
        self
    }

    /// The model asked.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The direction in use.
    pub fn direction_in_use(&self) -> Direction {
        self.direction
    }

    /// The style in use: backward reasoning always takes a single pass.
    pub fn style_in_use(&self) -> Style {
        match self.direction {
            Direction::Forward => self.style,
            Direction::Backward => Style::SinglePass,
        }
    }

    /// The template of the first (or only) request.
    ///
    /// # Errors
    /// None for the embedded templates, which are tested.
    pub fn template_in_use(&self) -> Result<Template, Error> {
        match (&self.first, self.direction, self.style) {
            (Some(template), ..) => Ok(template.clone()),
            (None, Direction::Backward, _) => embedded(BACKWARD),
            (None, Direction::Forward, Style::SinglePass) => embedded(FORWARD),
            (None, Direction::Forward, Style::PlanThenImplement) => embedded(PLAN),
        }
    }

    /// The request for this problem; with [`Style::PlanThenImplement`], for its plan.
    ///
    /// # Errors
    /// [`Error::NoReference`] for [`Direction::Backward`] and a problem without code,
    /// [`Error::Template`] where the template cannot be rendered.
    pub fn request(&self, problem: &Problem) -> Result<Request, Error> {
        self.sample(problem, 0)
    }

    /// As [`request`](Self::request), for the `index`-th of several samples, from 0.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn sample(&self, problem: &Problem, index: u32) -> Result<Request, Error> {
        let has_code = problem.reference.as_ref().is_some_and(|code| !code.trim().is_empty());
        if self.direction == Direction::Backward && !has_code {
            return Err(Error::NoReference { problem: problem.id.clone() });
        }
        self.render(&self.template_in_use()?, problem, &Pseudocode::default(), index)
    }

    /// The second request of [`Style::PlanThenImplement`]: code for problem and plan.
    ///
    /// # Errors
    /// [`Error::Template`] where the template cannot be rendered.
    pub fn implement(
        &self,
        problem: &Problem,
        plan: &Pseudocode,
        index: u32,
    ) -> Result<Request, Error> {
        let template = match &self.second {
            Some(template) => template.clone(),
            None => embedded(IMPLEMENT)?,
        };
        self.render(&template, problem, plan, index)
    }

    fn render(
        &self,
        template: &Template,
        problem: &Problem,
        plan: &Pseudocode,
        sample_index: u32,
    ) -> Result<Request, Error> {
        let mut messages = Vec::new();
        let mut say = |role, content: String| {
            if !content.trim().is_empty() {
                messages.push(Message { role, content });
            }
        };
        let [system, user] =
            take(template.render(&variables(problem, plan, ""), &["system", "user"])?);
        say(Role::System, system);
        for lesson in self.exemplars_for(problem) {
            let worked = Problem {
                reference: Some(lesson.solution.code.clone()),
                ..Problem::new(lesson.id.clone(), lesson.language, lesson.query.clone())
            };
            let variables = variables(&worked, &lesson.solution.pseudocode, &lesson.solution.code);
            let [question, answer] = take(template.render(&variables, &["user", "answer"])?);
            say(Role::User, question);
            say(Role::Assistant, answer);
        }
        say(Role::User, user);
        Ok(Request {
            model: self.model.clone(),
            messages,
            sampling: self.sampling.clone(),
            sample_index,
            template_hash: template.hash.clone(),
            problem: problem.clone(),
        })
    }

    fn exemplars_for(&self, problem: &Problem) -> Vec<&Lesson> {
        match &self.exemplars {
            Exemplars::None => Vec::new(),
            Exemplars::Chosen(lessons) => lessons
                .iter()
                .filter(|lesson| lesson.language == problem.language)
                .filter(|lesson| lesson.id != problem.id && lesson.query != problem.query)
                .collect(),
            Exemplars::Random { pool, k, seed } => pool.random(problem, *k, *seed),
            Exemplars::Nearest { pool, k } => pool.nearest(problem, *k),
        }
    }
}

/// The two rendered blocks that were asked for.
fn take(mut blocks: Vec<String>) -> [String; 2] {
    let second = blocks.pop().unwrap_or_default();
    [blocks.pop().unwrap_or_default(), second]
}

fn variables(problem: &Problem, plan: &Pseudocode, code: &str) -> Value {
    context! {
        language => problem.language.title(),
        fence => problem.language.name(),
        query => problem.query.trim(),
        entry_point => problem.entry_point.as_deref(),
        reference => problem.reference.as_deref().map(str::trim_end),
        pseudocode => plan.to_string(),
        code => code.trim_end(),
    }
}

type Embedded = (&'static str, &'static str);
const FORWARD: Embedded = ("forward.jinja", include_str!("../templates/forward.jinja"));
const BACKWARD: Embedded = ("backward.jinja", include_str!("../templates/backward.jinja"));
const PLAN: Embedded = ("plan.jinja", include_str!("../templates/plan.jinja"));
const IMPLEMENT: Embedded = ("implement.jinja", include_str!("../templates/implement.jinja"));

/// An embedded template, read once a process.
fn embedded(file: Embedded) -> Result<Template, Error> {
    static READ: std::sync::Mutex<Vec<(&str, Template)>> = std::sync::Mutex::new(Vec::new());
    let mut read = READ.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, template)) = read.iter().find(|(name, _)| *name == file.0) {
        return Ok(template.clone());
    }
    let template = Template::new(file.0, file.1)?;
    read.push((file.0, template.clone()));
    Ok(template)
}

/// The text of the embedded templates by name, to start one's own from.
pub fn embedded_templates() -> [(&'static str, &'static str); 4] {
    [FORWARD, BACKWARD, PLAN, IMPLEMENT]
}

#[cfg(test)]
mod tests {
    use distill_core::Solution;

    use super::*;

    fn lesson(id: &str, language: Language, query: &str) -> Lesson {
        Lesson {
            id: id.into(),
            language,
            query: query.into(),
            solution: Solution {
                pseudocode: Pseudocode::from_text("1. return the sum").unwrap(),
                code: "def f(xs):\n    return sum(xs)\n".into(),
            },
            teacher: String::new(),
            reply: String::new(),
            extra: Default::default(),
        }
    }

    fn problem() -> Problem {
        Problem {
            entry_point: Some("total".into()),
            reference: Some("def total(xs):\n    return sum(xs)\n".into()),
            ..Problem::new("p", Language::Python, "Add up <all> numbers & \"more\".")
        }
    }

    #[test]
    fn a_forward_request_asks_for_both_parts_and_never_shows_the_reference() {
        let request = PromptBuilder::new("m").request(&problem()).unwrap();
        let [system, user] = &request.messages[..] else { panic!("{request:?}") };
        assert!(system.content.starts_with("You are an expert Python programmer."));
        assert!(
            system.content.contains("Pseudocode:\n1. ") && system.content.contains("```python")
        );
        assert_eq!(
            user.content,
            "Problem: (Python) Add up <all> numbers & \"more\".\nName the function `total`."
        );
        assert_eq!(request.template_hash.len(), 64);
    }

    #[test]
    fn a_backward_request_shows_the_code_and_needs_it() {
        let builder = PromptBuilder::new("m").direction(Direction::Backward);
        let request = builder.request(&problem()).unwrap();
        assert!(
            request.messages[1]
                .content
                .ends_with("Code:\n```python\ndef total(xs):\n    return sum(xs)\n```")
        );
        let bare = Problem { reference: Some(" \n".into()), ..problem() };
        assert!(
            matches!(builder.request(&bare), Err(Error::NoReference { problem }) if problem == "p")
        );
    }

    #[test]
    fn plan_then_implement_asks_twice() {
        let builder = PromptBuilder::new("m").style(Style::PlanThenImplement);
        let plan = builder.request(&problem()).unwrap();
        assert!(plan.messages[0].content.contains("write no code"));
        let steps = Pseudocode::from_text("1. add\n2. return").unwrap();
        let code = builder.implement(&problem(), &steps, 0).unwrap();
        assert!(code.messages[1].content.ends_with("Pseudocode:\n1. add\n2. return"));
        assert_ne!(plan.template_hash, code.template_hash);
    }

    #[test]
    fn exemplars_come_as_turns_in_the_problems_language_and_never_leak_it() {
        let shots = vec![
            lesson("a", Language::Python, "Add two numbers."),
            lesson("b", Language::Java, "Add two numbers."),
            lesson("p", Language::Python, "Something else."),
            lesson("c", Language::Python, &problem().query),
        ];
        let request = PromptBuilder::new("m")
            .exemplars(Exemplars::Chosen(shots))
            .request(&problem())
            .unwrap();
        let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::User]);
        assert_eq!(
            request.messages[2].content,
            "Pseudocode:\n1. return the sum\nCode:\n```python\ndef f(xs):\n    return sum(xs)\n```"
        );
    }

    fn queries(exemplars: Exemplars, problem: &Problem) -> Vec<String> {
        let builder = PromptBuilder::new("m").exemplars(exemplars);
        builder.exemplars_for(problem).iter().map(|lesson| lesson.id.clone()).collect()
    }

    #[test]
    fn random_exemplars_follow_seed_and_problem_only() {
        let pool =
            Pool::new((0..50).map(|i| lesson(&i.to_string(), Language::Python, "x")).collect());
        let draw = |seed, id: &str| {
            let problem = Problem { id: id.into(), ..problem() };
            queries(Exemplars::Random { pool: pool.clone(), k: 3, seed }, &problem)
        };
        assert_eq!(draw(1, "p"), draw(1, "p"));
        assert_ne!(draw(1, "p"), draw(2, "p"));
        assert_ne!(draw(1, "p"), draw(1, "q"));
        assert!((0..50).all(|id| !draw(1, &id.to_string()).contains(&id.to_string())));
        let all = queries(Exemplars::Random { pool, k: 99, seed: 0 }, &problem());
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 50, "each once");
    }

    #[test]
    fn the_nearest_exemplar_comes_last() {
        let pool = Pool::new(vec![
            lesson("far", Language::Python, "Open a file."),
            lesson("near", Language::Python, "Add up all the numbers of a list."),
            lesson("nearest", Language::Python, "add up all numbers more or less"),
            lesson("java", Language::Java, "Add up <all> numbers & more"),
        ]);
        assert_eq!(queries(Exemplars::Nearest { pool, k: 2 }, &problem()), ["near", "nearest"]);
    }

    #[test]
    fn own_templates_are_checked_when_read() {
        let own = "{# version: 7.b #}{% block system %}{% endblock %}{% block user %}{{ query }}{% endblock %}{% block answer %}x{% endblock %}";
        let template = Template::new("own", own).unwrap();
        assert_eq!(template.version(), "7.b");
        let request = PromptBuilder::new("m").template(template).request(&problem()).unwrap();
        assert_eq!(request.messages.len(), 1, "an empty system message is left out");
        for (source, expected) in [
            ("{% block user %}{{ qeury }}{% endblock %}", "undefined"),
            ("{% block user %}x", "line 1"),
            ("no blocks", "expected the blocks"),
        ] {
            let error = Template::new("own", source).unwrap_err().to_string();
            assert!(error.starts_with("template own: ") && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_query_cannot_act_as_template() {
        let problem = Problem { query: "{{ reference }}{% block user %}".into(), ..problem() };
        let request = PromptBuilder::new("m").request(&problem).unwrap();
        assert!(request.messages[1].content.contains("{{ reference }}{% block user %}"));
    }

    #[test]
    fn every_embedded_template_states_its_version() {
        for (name, source) in embedded_templates() {
            assert_eq!(Template::new(name, source).unwrap().version(), "1", "{name}");
        }
    }
}
