//! An API key that cannot be shown.

use std::fmt;

use distill_core::Completion;

use crate::Error;

/// A secret text: neither `Debug` nor any error prints it, and it has no `Display`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret; blanks around it are dropped.
    pub fn new(text: &str) -> Secret {
        Secret(text.trim().to_owned())
    }

    /// Reads the environment variable `name`.
    ///
    /// # Errors
    /// [`Error::Setting`] where it is not set, empty, or not UTF-8; the message names the variable
    /// and never its value.
    pub fn from_env(name: &str) -> Result<Secret, Error> {
        let missing = |what: &str| Error::Setting {
            setting: "API key",
            reason: format!("the environment variable {name} {what}"),
        };
        match std::env::var(name) {
            Ok(text) if text.trim().is_empty() => Err(missing("is empty")),
            Ok(text) => Ok(Secret::new(&text)),
            Err(std::env::VarError::NotPresent) => Err(missing("is not set")),
            Err(std::env::VarError::NotUnicode(_)) => Err(missing("is not UTF-8")),
        }
    }

    /// The secret itself, for the one place that sends it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` with every occurrence of the secret, plain or as in a JSON string, replaced.
    pub(crate) fn scrub(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        let quoted = serde_json::Value::from(self.0.as_str()).to_string();
        let inside = &quoted[1..quoted.len() - 1];
        text.replace(self.0.as_str(), "[key]").replace(inside, "[key]")
    }

    /// Takes the secret out of a reply that repeats it.
    pub(crate) fn scrub_reply(&self, completion: &mut Completion) {
        let escaped =
            completion.text.contains(self.reveal()) && !completion.raw.contains(self.reveal());
        completion.raw = match escaped {
            // Spelt `\u0073k-…` it would stay in the bytes: then these are not kept.
            true => String::new(),
            false => self.scrub(&completion.raw),
        };
        completion.text = self.scrub(&completion.text);
        completion.finish_reason = completion.finish_reason.take().map(|text| self.scrub(&text));
    }

    /// Whether it is long enough for its occurrence in a reply to be no coincidence: servers
    /// without authentication are given words such as `EMPTY` for a key.
    pub(crate) fn is_distinctive(&self) -> bool {
        self.0.len() >= 12
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new(" sk-\"12345\"\n");
        assert_eq!(format!("{secret:?} {secret:#?}"), "Secret(…) Secret(…)");
        assert_eq!(secret.scrub(r#"a sk-"12345" b sk-\"12345\" c"#), "a [key] b [key] c");
        assert_eq!(Secret::new("").scrub("abc"), "abc");
    }

    #[test]
    fn a_reply_that_repeats_the_secret_loses_it_however_it_is_spelt() {
        let secret = Secret::new("sk-0123456789");
        for raw in ["{\"t\": \"sk-0123456789\"}", "{\"t\": \"\\u0073k-0123456789\"}"] {
            let mut completion = Completion {
                text: "it is sk-0123456789".into(),
                finish_reason: Some("sk-0123456789".into()),
                usage: None,
                raw: raw.into(),
            };
            secret.scrub_reply(&mut completion);
            let shown = format!("{completion:?}");
            assert!(!shown.contains("0123456789"), "{shown}");
            assert_eq!(completion.text, "it is [key]");
        }
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = Secret::from_env("TEACHER_PROMPT_NO_SUCH_KEY").unwrap_err().to_string();
        assert_eq!(
            error,
            "API key: the environment variable TEACHER_PROMPT_NO_SUCH_KEY is not set"
        );
    }
}
