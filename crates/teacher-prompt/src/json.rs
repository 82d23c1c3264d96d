//! Single fields out of JSON text, without a tree of it: memory stays that of the text, nesting is
//! passed over without recursion, and of a repeated field the last counts.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The fields of these names of a JSON object, as text; null counts as absent.
///
/// # Errors
/// Text that is not JSON, or no object.
pub(crate) fn fields<'a, const N: usize>(
    json: &'a str,
    names: [&str; N],
) -> Result<[Option<&'a str>; N], serde_json::Error> {
    struct Names<'n, const N: usize>(&'n [&'n str; N]);

    impl<'de, const N: usize> Visitor<'de> for Names<'_, N> {
        type Value = [Option<&'de str>; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = [None; N];
            while let Some(at) = map.next_key_seed(Position(self.0))? {
                match at {
                    Some(at) => {
                        let value = map.next_value::<&RawValue>()?.get();
                        found[at] = Some(value).filter(|value| *value != "null");
                    }
                    None => _ = map.next_value::<IgnoredAny>()?,
                }
            }
            Ok(found)
        }
    }

    whole(json, |json| json.deserialize_map(Names(&names)))
}

/// A key's place among names.
struct Position<'n>(&'n [&'n str]);

impl<'de> DeserializeSeed<'de> for Position<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for Position<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|name| *name == key))
    }
}

/// The items of a JSON array, the first `limit` of them; none where it is no array.
pub(crate) fn items(json: &str, limit: usize) -> Option<Vec<&str>> {
    struct Items<'a>(usize, PhantomData<&'a str>);

    impl<'de> Visitor<'de> for Items<'de> {
        type Value = Vec<&'de str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
            let mut items = Vec::new();
            while items.len() < self.0 {
                match array.next_element::<&RawValue>()? {
                    Some(item) => items.push(item.get()),
                    None => return Ok(items),
                }
            }
            while array.next_element::<IgnoredAny>()?.is_some() {}
            Ok(items)
        }
    }

    whole(json, |json| json.deserialize_seq(Items(limit, PhantomData))).ok()
}

/// The text of a JSON string; none where it is no string.
pub(crate) fn string(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

/// A count, also where it is written `12.0`; none where it is none.
pub(crate) fn count(json: &str) -> Option<u64> {
    json.parse().ok().or_else(|| json.parse().ok().filter(|n: &f64| *n >= 0.0).map(|n| n as u64))
}

fn whole<'a, T>(
    json: &'a str,
    read: impl FnOnce(
        &mut serde_json::Deserializer<serde_json::de::StrRead<'a>>,
    ) -> Result<T, serde_json::Error>,
) -> Result<T, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let value = read(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_stands_beside_them() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let json = format!(r#"{{"x": {deep}, "a": 1, "\u0062": "t", "c": null, "a": [2]}}"#);
        assert_eq!(
            fields(&json, ["a", "b", "c", "d"]).unwrap(),
            [Some("[2]"), Some("\"t\""), None, None]
        );
        assert!(fields("[1]", ["a"]).is_err() && fields("{} x", ["a"]).is_err());
        assert_eq!(items("[1, [2], \"3\"]", 2), Some(vec!["1", "[2]"]));
        assert_eq!((items("{}", 1), items("[1, 2", 1)), (None, None));
        assert_eq!((string(r#""a\n""#).as_deref(), string("3")), (Some("a\n"), None));
        assert_eq!(
            (count("12"), count("12.0"), count("-1"), count("\"1\"")),
            (Some(12), Some(12), None, None)
        );
    }
}
