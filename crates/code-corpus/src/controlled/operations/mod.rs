//! What controlled problems are composed of: one step in prose, as a plan, and in three languages.

mod lists;
mod maps;
mod numbers;
mod texts;
mod words;

use code_syntax::Language;

use super::value::{Kind, List, Map, Number, Text, Value, Words};

/// One step. In its texts `$a` is what it takes, `$b` what it gives and `$k` its constant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    /// Unique.
    pub(super) name: &'static str,
    /// Possible constants; none for an operation without.
    pub(super) constants: &'static [i64],
    /// As a part of a problem, in several ways.
    pub(super) query: [&'static str; 3],
    /// As a step of a plan, in several ways; a part after `|` is a step below it.
    pub(super) plan: [&'static str; 2],
    pub(super) python: &'static str,
    pub(super) java: &'static str,
    pub(super) go: &'static str,
    /// What it does.
    pub(super) run: Run,
}

impl Operation {
    /// Its lines in a language.
    pub(super) fn code(&self, language: Language) -> &'static str {
        match language {
            Language::Java => self.java,
            Language::Go => self.go,
            _ => self.python,
        }
    }
}

/// Every operation.
pub(super) fn operations() -> impl Iterator<Item = &'static Operation> {
    [lists::LISTS, numbers::NUMBERS, texts::TEXTS, words::WORDS, maps::MAPS].into_iter().flatten()
}

macro_rules! runs {
    ($($name:ident: $from:ident -> $to:ident),* $(,)?) => {
        /// What an operation does to a value, given its constant; nothing where it is not defined.
        #[derive(Debug, Clone, Copy)]
        pub(super) enum Run {
            $($name(fn($from, i64) -> Option<$to>)),*
        }

        impl Run {
            /// What it takes.
            pub(super) fn from(self) -> Kind {
                match self {
                    $(Run::$name(_) => Kind::$from),*
                }
            }

            /// What it gives.
            pub(super) fn to(self) -> Kind {
                match self {
                    $(Run::$name(_) => Kind::$to),*
                }
            }

            /// The result, if there is one and it is [small](Value::is_small).
            pub(super) fn apply(self, value: Value, constant: i64) -> Option<Value> {
                let result = match (self, value) {
                    $((Run::$name(run), Value::$from(value)) => Value::$to(run(value, constant)?),)*
                    _ => return None,
                };
                result.is_small().then_some(result)
            }
        }
    };
}

runs! {
    ListToList: List -> List,
    ListToNumber: List -> Number,
    ListToText: List -> Text,
    NumberToNumber: Number -> Number,
    NumberToList: Number -> List,
    NumberToText: Number -> Text,
    TextToText: Text -> Text,
    TextToNumber: Text -> Number,
    TextToWords: Text -> Words,
    TextToMap: Text -> Map,
    WordsToWords: Words -> Words,
    WordsToText: Words -> Text,
    WordsToNumber: Words -> Number,
    WordsToList: Words -> List,
    WordsToMap: Words -> Map,
    MapToMap: Map -> Map,
    MapToNumber: Map -> Number,
    MapToList: Map -> List,
    MapToWords: Map -> Words,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn operations_are_many_and_differ_in_every_text() {
        let all: Vec<&Operation> = operations().collect();
        assert!(all.len() >= 60, "{}", all.len());
        let names: BTreeSet<&str> = all.iter().map(|operation| operation.name).collect();
        assert_eq!(names.len(), all.len());
        for language in [Language::Python, Language::Java, Language::Go] {
            let codes: BTreeSet<(Kind, &str)> = all
                .iter()
                .map(|operation| (operation.run.from(), operation.code(language)))
                .collect();
            assert_eq!(codes.len(), all.len());
        }
        // Of one kind of value, no words mean two things.
        let phrases: Vec<(Kind, &str)> = all
            .iter()
            .flat_map(|operation| operation.query.map(|phrase| (operation.run.from(), phrase)))
            .collect();
        assert_eq!(phrases.iter().collect::<BTreeSet<_>>().len(), phrases.len());
        for operation in all {
            let constant = !operation.constants.is_empty();
            for text in operation.query.into_iter().chain(operation.plan).chain([
                operation.python,
                operation.java,
                operation.go,
            ]) {
                assert_eq!(text.contains("$k"), constant, "{}: {text}", operation.name);
            }
        }
    }
}
