//! What a server says about its limits in the headers of its answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;

/// What a server said last about its limits: [`Chat`](crate::Chat) writes it down,
/// [`RateLimited`](crate::RateLimited) keeps to it. Clones share what they know.
#[derive(Debug, Clone, Default)]
pub struct Announced(Arc<Mutex<News>>);

/// Requests, then tokens.
type News = [Option<Allowance>; 2];

/// What is left of a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Allowance {
    /// The whole of it; none where the server does not say.
    pub(crate) limit: Option<f64>,
    /// What is left.
    pub(crate) left: f64,
    /// Time until it is whole again; none where the server does not say.
    pub(crate) reset: Option<Duration>,
}

impl Announced {
    /// Notes what these headers say, in the forms of OpenAI (`x-ratelimit-remaining-requests`) and
    /// Anthropic (`anthropic-ratelimit-requests-remaining`), and the plain `x-ratelimit-remaining`.
    pub(crate) fn hear(&self, headers: &HeaderMap, now: SystemTime) {
        let news = ["requests", "tokens"].map(|kind| allowance(headers, kind, now));
        if news.iter().any(Option::is_some) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = news;
        }
    }

    /// What is new since the last call.
    pub(crate) fn take(&self) -> News {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn allowance(headers: &HeaderMap, kind: &str, now: SystemTime) -> Option<Allowance> {
    let text = |what: &str| {
        let mut names = vec![
            format!("x-ratelimit-{what}-{kind}"),
            format!("anthropic-ratelimit-{kind}-{what}"),
        ];
        if kind == "requests" {
            names.extend([format!("x-ratelimit-{what}"), format!("ratelimit-{what}")]);
        }
        names.iter().find_map(|name| headers.get(name)?.to_str().ok()).map(str::trim)
    };
    // Some gateways send -1 for what they do not know.
    let count =
        |what| text(what)?.parse().ok().filter(|count: &f64| count.is_finite() && *count >= 0.0);
    let reset = text("reset").and_then(|reset| time_until(reset, now));
    Some(Allowance {
        limit: count("limit").filter(|limit| *limit > 0.0),
        left: count("remaining")?,
        reset,
    })
}

/// A time from now: `6m0s`, `12ms`, seconds, seconds or milliseconds since 1970, or
/// `2026-01-31T12:00:00Z`. At most a day is believed.
fn time_until(text: &str, now: SystemTime) -> Option<Duration> {
    const DAY: f64 = 86_400.0;
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs_f64();
    let seconds = match text.parse::<f64>() {
        Ok(number) if number > 1e11 => number / 1e3 - since_1970,
        Ok(number) if number > 1e8 => number - since_1970,
        Ok(number) => number,
        Err(_) => match text.as_bytes().get(10) {
            Some(b'T') => seconds_since_1970(text)? - since_1970,
            _ => with_units(text)?,
        },
    };
    seconds.is_finite().then(|| Duration::from_secs_f64(seconds.clamp(0.0, DAY)))
}

/// The seconds of `1h2m3.5s` or `12ms`.
fn with_units(mut text: &str) -> Option<f64> {
    let mut seconds = 0.0;
    while !text.is_empty() {
        let (number, rest) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic())?);
        let (unit, rest) =
            rest.split_at(rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len()));
        let unit = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * unit;
        text = rest;
    }
    Some(seconds)
}

/// The seconds from 1970 to a time in UTC as RFC 3339 writes it.
fn seconds_since_1970(text: &str) -> Option<f64> {
    let (date, time) = text.trim_end_matches("+00:00").trim_end_matches('Z').split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.splitn(3, ':').map(|part| part.parse::<f64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days from March on, so that the leap day ends a year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    const TO_1970: i64 = 719_468;
    Some((days - TO_1970) as f64 * 86_400.0 + hour * 3600.0 + minute * 60.0 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(pairs: &[(&'static str, &str)]) -> News {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        let announced = Announced::default();
        // 2026-01-31T12:00:00Z, by `date -u +%s`.
        announced.hear(&headers, SystemTime::UNIX_EPOCH + Duration::from_secs(1_769_860_800));
        let news = announced.take();
        assert_eq!(announced.take(), [None, None], "news only once");
        news
    }

    #[test]
    fn the_headers_of_several_servers_are_read() {
        let openai = heard(&[
            ("x-ratelimit-limit-requests", "5000"),
            ("x-ratelimit-remaining-requests", "4999"),
            ("x-ratelimit-reset-requests", "12ms"),
            ("x-ratelimit-remaining-tokens", "7"),
            ("x-ratelimit-reset-tokens", "6m0.5s"),
        ]);
        let expected =
            Allowance { limit: Some(5000.0), left: 4999.0, reset: Some(Duration::from_millis(12)) };
        assert_eq!(openai[0], Some(expected));
        let expected =
            Allowance { limit: None, left: 7.0, reset: Some(Duration::from_millis(360_500)) };
        assert_eq!(openai[1], Some(expected));
        let reset = |name, value| heard(&[("x-ratelimit-remaining", "1"), (name, value)])[0]?.reset;
        let minute = Some(Duration::from_secs(60));
        for value in ["60", "1m", "1769860860", "1769860860000", "2026-01-31T12:01:00Z"] {
            assert_eq!(reset("x-ratelimit-reset", value), minute, "{value}");
        }
        let anthropic = heard(&[
            ("anthropic-ratelimit-tokens-remaining", "0"),
            ("anthropic-ratelimit-tokens-reset", "2026-01-31T12:01:00+00:00"),
        ]);
        assert_eq!(anthropic[1].unwrap().reset, minute);
        for value in ["soon", "1x", "-5", "NaN", "1e300", "2026-13-31T12:01:00Z", "ms"] {
            let reset = reset("x-ratelimit-reset", value);
            assert!(reset.is_none_or(|reset| reset.as_secs() <= 86_400), "{value}: {reset:?}");
        }
        assert_eq!(heard(&[("x-ratelimit-remaining-requests", "-1")]), [None, None]);
    }
}
