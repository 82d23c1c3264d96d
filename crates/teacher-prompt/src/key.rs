//! The key of a request: a hash of everything that determines a model's reply, and of nothing else.

use distill_core::{Message, Request, Sampling};
use serde::Serialize;

/// The fields that are hashed, in alphabetical order: their JSON is the canonical form. A change
/// here changes every key, so a field may only be added where its absence leaves the text as it is.
#[derive(Serialize)]
struct Keyed<'a> {
    messages: &'a [Message],
    model: &'a str,
    sample_index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    sampling: Option<&'a Sampling>,
    template_hash: &'a str,
}

/// The request's key: 32 hexadecimal digits, the first half of the BLAKE3 hash of the canonical
/// JSON of model, messages, sampling, sample index and template hash.
///
/// The server's address, the API key, the order of the problems and every field of the problem are
/// left out: the same question asked elsewhere, later or for another row has the same key.
pub fn request_key(request: &Request) -> String {
    hash(request, Some(&request.sampling))
}

/// As [`request_key`] without the sampling: two requests that differ only in temperature, seed,
/// `max_tokens` and the like ask one question.
pub fn question_key(request: &Request) -> String {
    hash(request, None)
}

fn hash(request: &Request, sampling: Option<&Sampling>) -> String {
    let keyed = Keyed {
        messages: &request.messages,
        model: &request.model,
        sample_index: request.sample_index,
        sampling,
        template_hash: &request.template_hash,
    };
    let mut hasher = blake3::Hasher::new();
    // Writing these fields as JSON into a hasher cannot fail: no map with odd keys, no I/O.
    let written = serde_json::to_writer(&mut hasher, &keyed);
    debug_assert!(written.is_ok());
    hasher.finalize().to_hex().as_str()[..32].to_owned()
}

/// 16 bytes for a key: its own if it is 32 hexadecimal digits, else those of its hash (files that
/// others wrote may have keys of any form).
pub(crate) fn packed(key: &str) -> [u8; 16] {
    let own = || {
        let bytes: &[u8; 32] = key.as_bytes().try_into().ok()?;
        let mut packed = [0; 16];
        for (byte, pair) in packed.iter_mut().zip(bytes.chunks_exact(2)) {
            let digit = |c: u8| match c {
                b'0'..=b'9' => Some(c - b'0'),
                b'a'..=b'f' => Some(c - b'a' + 10),
                _ => None,
            };
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(packed)
    };
    own().unwrap_or_else(|| {
        let mut packed = [0; 16];
        packed.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..16]);
        packed
    })
}

#[cfg(test)]
mod tests {
    use distill_core::{Language, Problem, Role};

    use super::*;

    fn request() -> Request {
        Request {
            model: "m".into(),
            messages: vec![Message { role: Role::User, content: "q".into() }],
            sampling: Sampling { temperature: Some(0.2), ..Sampling::default() },
            sample_index: 0,
            template_hash: "t".into(),
            problem: Problem::new("a", Language::Python, "q"),
        }
    }

    #[test]
    fn the_key_is_stable() {
        // Pinned: logs of earlier versions must stay readable. Computed with `b3sum` over
        // {"messages":[{"role":"user","content":"q"}],"model":"m","sample_index":0,
        // "sampling":{"temperature":0.2},"template_hash":"t"} on one line.
        assert_eq!(request_key(&request()), "11fac4221e09580478a2a9e1e9571430");
    }

    #[test]
    fn only_what_determines_the_reply_changes_the_key() {
        let key = request_key(&request());
        let changed = |change: &dyn Fn(&mut Request)| {
            let mut request = request();
            change(&mut request);
            request_key(&request) != key
        };
        assert!(changed(&|r| r.model.push('2')));
        assert!(changed(&|r| r.messages[0].content.push('2')));
        assert!(changed(&|r| r.messages[0].role = Role::System));
        assert!(changed(&|r| r.sampling.temperature = Some(0.3)));
        assert!(changed(&|r| r.sampling.max_tokens = Some(1)));
        assert!(changed(&|r| r.sample_index = 1));
        assert!(changed(&|r| r.template_hash.push('2')));
        assert!(!changed(&|r| r.problem.id.push('2')));
        assert!(!changed(&|r| r.problem.reference = Some("code".into())));

        let other = Request { sampling: Sampling::default(), ..request() };
        assert_eq!(question_key(&other), question_key(&request()));
        assert_ne!(
            question_key(&Request { sample_index: 1, ..request() }),
            question_key(&request())
        );
        assert_ne!(question_key(&request()), key);
    }
}
