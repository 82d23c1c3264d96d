//! From a problem to a request.

use distill_core::{Lesson, Message, Problem, Pseudocode, Request, Role, Sampling};
use serde::{Deserialize, Serialize};

use crate::template::{BACKWARD, FORWARD, IMPLEMENT, PLAN, embedded, variables};
use crate::{Error, Exemplars, Template};

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

/// How a prompt is laid out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Turns of a chat, for models that were taught to follow instructions.
    #[default]
    Chat,
    /// One text to go on with, for base models: exemplars and question one after the other, up to
    /// the template's block `lead`. It is the request's only message; a server is to be sent its
    /// text as `prompt`. Without a stop text of its own the request stops at [`Form::STOP`], where a
    /// base model goes on to a problem of its own.
    Completion,
}

impl Form {
    /// What ends a completion that is given no other stop text.
    pub const STOP: &str = "\nProblem:";

    /// Its name in records and options.
    pub fn name(self) -> &'static str {
        match self {
            Form::Chat => "chat",
            Form::Completion => "completion",
        }
    }
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
    form: Form,
    exemplars: Exemplars,
    sampling: Sampling,
    sample_index: u32,
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
            form: Form::default(),
            exemplars: Exemplars::default(),
            sampling: Sampling::default(),
            sample_index: 0,
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

    /// Sets the form.
    pub fn form(mut self, form: Form) -> PromptBuilder {
        self.form = form;
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

    /// Draws the sample of this index, from 0, where several lessons are wanted of each problem:
    /// the same question under another key.
    pub fn sample_index(mut self, index: u32) -> PromptBuilder {
        self.sample_index = index;
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

    /// The exemplars that lead the prompt for this problem.
    pub fn exemplars_of(&self, problem: &Problem) -> Vec<&Lesson> {
        self.exemplars.of(problem)
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

    /// As [`request`](Self::request), for the `index`-th sample from the builder's own on.
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
        index: u32,
    ) -> Result<Request, Error> {
        let own = variables(problem, plan, "");
        let [system, user, lead] = template.render(&own, ["system", "user", "lead"])?;
        let mut turns = vec![(Role::System, system)];
        for lesson in self.exemplars_of(problem) {
            let worked = Problem {
                reference: Some(lesson.solution.code.clone()),
                ..Problem::new(lesson.id.clone(), lesson.language, lesson.query.clone())
            };
            let variables = variables(&worked, &lesson.solution.pseudocode, &lesson.solution.code);
            let [question, answer] = template.render(&variables, ["user", "answer"])?;
            turns.extend([(Role::User, question), (Role::Assistant, answer)]);
        }
        turns.push((Role::User, user));
        turns.retain(|(_, text)| !text.trim().is_empty());

        let mut sampling = self.sampling.clone();
        let mut template_hash = template.hash().to_owned();
        let message = |(role, content)| Message { role, content };
        let messages = match self.form {
            Form::Chat => turns.into_iter().map(message).collect(),
            Form::Completion => {
                if sampling.stop.is_empty() {
                    sampling.stop.push(Form::STOP.to_owned());
                }
                // The same words as a chat's only message are another question.
                template_hash = blake3::hash(format!("{template_hash} completion").as_bytes())
                    .to_hex()
                    .to_string();
                vec![message((Role::User, one_text(turns, &lead)))]
            }
        };
        Ok(Request {
            model: self.model.clone(),
            messages,
            sampling,
            sample_index: self.sample_index + index,
            template_hash,
            problem: problem.clone(),
        })
    }
}

/// Turns as one text to go on with: a blank line before every question, none before its answer.
fn one_text(turns: Vec<(Role, String)>, lead: &str) -> String {
    let mut text = String::new();
    for (role, turn) in turns {
        if role == Role::User && !text.is_empty() {
            text.push('\n');
        }
        text.push_str(turn.trim_end());
        text.push('\n');
    }
    match lead.trim() {
        "" => text,
        lead => text + lead + "\n",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use distill_core::{Language, Lesson, Solution};

    use super::*;
    use crate::{Pool, embedded_templates};

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
    fn a_completion_is_one_text_that_ends_where_the_answer_begins() {
        let shots = vec![lesson("a", Language::Python, "Add two numbers.")];
        let builder = PromptBuilder::new("m").exemplars(Exemplars::Chosen(shots));
        let request = builder.clone().form(Form::Completion).request(&problem()).unwrap();
        let [Message { role: Role::User, content }] = &request.messages[..] else {
            panic!("{request:?}")
        };
        let end = "\n\nProblem: (Python) Add two numbers.\nPseudocode:\n1. return the sum\nCode:\n\
                   ```python\ndef f(xs):\n    return sum(xs)\n```\n\n\
                   Problem: (Python) Add up <all> numbers & \"more\".\nName the function `total`.\n\
                   Pseudocode:\n";
        assert!(content.ends_with(end), "{content}");
        assert_eq!(request.sampling.stop, [Form::STOP]);
        assert_ne!(request.template_hash, builder.request(&problem()).unwrap().template_hash);
    }

    #[test]
    fn a_template_of_ones_own_needs_no_lead() {
        let source = "{% block system %}{% endblock %}{% block user %}Q: {{ query }}{% endblock %}\
                      {% block answer %}A: {{ code }}{% endblock %}";
        let builder = PromptBuilder::new("m").template(Template::new("own", source).unwrap());
        let request = builder.form(Form::Completion).request(&problem()).unwrap();
        assert_eq!(request.messages[0].content, "Q: Add up <all> numbers & \"more\".\n");
    }

    #[test]
    fn samples_of_one_question_differ_in_their_index_alone() {
        let builder = PromptBuilder::new("m");
        let first = builder.request(&problem()).unwrap();
        let third = builder.clone().sample_index(2).request(&problem()).unwrap();
        assert_eq!(third, Request { sample_index: 2, ..first });
        assert_eq!(third, builder.sample(&problem(), 2).unwrap());
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
        exemplars.of(problem).iter().map(|lesson| lesson.id.clone()).collect()
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
            assert_eq!(Template::new(name, source).unwrap().version(), "2", "{name}");
        }
    }
}
