//! Prompt templates: files with a version and a hash.

use std::path::Path;
use std::sync::Arc;

use distill_core::{Language, Problem, Pseudocode};
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, context};

use crate::Error;

/// A prompt template: a minijinja file with the blocks `system`, `user`, `answer` and, if it likes,
/// `lead`.
///
/// `system` (may be empty) and `user` are the two messages of a request; for every exemplar a
/// `user` and an `answer` come between them. `lead` is how an answer begins: the prompt of a
/// [completion](crate::Form::Completion) ends with it. The variables are `language` (`C#`), `fence`
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
        let variables = variables(&sample, &plan, "code");
        let [user, ..] = template.render(&variables, ["user", "system", "answer", LEAD])?;
        if user.is_empty() {
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

    /// These blocks with these variables; `lead` is empty where the template has none.
    pub(crate) fn render<const N: usize>(
        &self,
        variables: &Value,
        blocks: [&str; N],
    ) -> Result<[String; N], Error> {
        let render = || -> Result<[String; N], minijinja::Error> {
            let template = self.environment.get_template(MAIN)?;
            let mut rendered = template.render_captured(variables)?;
            let mut texts = [const { String::new() }; N];
            rendered.with_state_mut(|state| {
                for (text, block) in texts.iter_mut().zip(blocks) {
                    match state.render_block(block) {
                        Ok(block) => *text = block,
                        Err(error) if block == LEAD && error.kind() == ErrorKind::UnknownBlock => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(texts)
            })
        };
        render().map_err(|error| template_error(&self.name, &error))
    }
}

const LEAD: &str = "lead";
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

pub(crate) fn variables(problem: &Problem, plan: &Pseudocode, code: &str) -> Value {
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

pub(crate) type Embedded = (&'static str, &'static str);
pub(crate) const FORWARD: Embedded = ("forward.jinja", include_str!("../templates/forward.jinja"));
pub(crate) const BACKWARD: Embedded =
    ("backward.jinja", include_str!("../templates/backward.jinja"));
pub(crate) const PLAN: Embedded = ("plan.jinja", include_str!("../templates/plan.jinja"));
pub(crate) const IMPLEMENT: Embedded =
    ("implement.jinja", include_str!("../templates/implement.jinja"));

/// An embedded template, read once a process.
pub(crate) fn embedded(file: Embedded) -> Result<Template, Error> {
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
