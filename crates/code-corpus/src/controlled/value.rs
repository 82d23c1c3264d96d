//! The values that controlled problems are about, and how each language writes them down.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use code_syntax::Language;

/// Numbers in order.
pub(super) type List = Vec<i64>;
/// A number; 32 bits hold it.
pub(super) type Number = i64;
/// A text of ASCII characters.
pub(super) type Text = String;
/// Words in order.
pub(super) type Words = Vec<String>;
/// Numbers by word.
pub(super) type Map = BTreeMap<String, i64>;

/// A kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    List,
    Number,
    Text,
    Words,
    Map,
}

/// What an operation takes or gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    List(List),
    Number(Number),
    Text(Text),
    Words(Words),
    Map(Map),
}

impl Kind {
    pub(super) const ALL: [Kind; 5] =
        [Kind::List, Kind::Number, Kind::Text, Kind::Words, Kind::Map];

    /// What a problem calls it, in several ways.
    pub(super) fn words(self) -> [&'static str; 2] {
        match self {
            Kind::List => ["a list of numbers", "a list of integers"],
            Kind::Number => ["a number", "an integer"],
            Kind::Text => ["a text", "a string"],
            Kind::Words => ["a list of words", "a list of strings"],
            Kind::Map => ["a map from words to numbers", "a dictionary of numbers"],
        }
    }

    /// Its type in a language; Python's functions name none.
    pub(super) fn type_name(self, language: Language) -> &'static str {
        match (language, self) {
            (Language::Java, Kind::List) => "List<Integer>",
            (Language::Java, Kind::Words) => "List<String>",
            (Language::Java, Kind::Map) => "Map<String, Integer>",
            (Language::Java, Kind::Text) => "String",
            (_, Kind::Number) => "int",
            (_, Kind::List) => "[]int",
            (_, Kind::Words) => "[]string",
            (_, Kind::Map) => "map[string]int",
            (_, Kind::Text) => "string",
        }
    }
}

impl Value {
    /// Whether every number is one of 32 bits and nothing is longer than a test should show.
    pub(super) fn is_small(&self) -> bool {
        let fits = |x: &i64| i32::try_from(*x).is_ok();
        match self {
            Value::List(list) => list.len() <= 40 && list.iter().all(fits),
            Value::Number(number) => fits(number),
            Value::Text(text) => text.len() <= 80,
            Value::Words(words) => words.len() <= 20,
            Value::Map(map) => map.len() <= 30 && map.values().all(fits),
        }
    }

    /// The value as an expression of the language.
    pub(super) fn literal(&self, language: Language) -> String {
        let join = |parts: Vec<String>| parts.join(", ");
        let quoted = |text: &String| format!("\"{text}\"");
        let (open, close) = match (language, self) {
            (Language::Python, Value::Map(_)) => ("{", "}"),
            (Language::Python, _) => ("[", "]"),
            (Language::Java, Value::Map(_)) => ("Map.ofEntries(", ")"),
            (Language::Java, _) => ("List.of(", ")"),
            (_, Value::List(_)) => ("[]int{", "}"),
            (_, Value::Words(_)) => ("[]string{", "}"),
            (_, _) => ("map[string]int{", "}"),
        };
        let inside = match self {
            Value::Number(number) => return number.to_string(),
            Value::Text(text) => return quoted(text),
            Value::List(list) => join(list.iter().map(i64::to_string).collect()),
            Value::Words(words) => join(words.iter().map(quoted).collect()),
            Value::Map(map) => join(
                map.iter()
                    .map(|(key, value)| match language {
                        Language::Java => format!("Map.entry(\"{key}\", {value})"),
                        _ => format!("\"{key}\": {value}"),
                    })
                    .collect(),
            ),
        };
        let mut literal = String::new();
        let _ = write!(literal, "{open}{inside}{close}");
        literal
    }
}
