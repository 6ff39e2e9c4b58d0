//! Durations as people write them: `90s`, `5m`, `1h30m`, `500ms`; a bare number is seconds.

use super::diagnostic::Diagnostic;
use super::value::{Data, Value};
use std::time::Duration;

/// The longest that makes sense here, in seconds: a year.
const LONGEST: f64 = 366.0 * 86_400.0;

/// Reads a duration.
///
/// # Errors
/// What is none, or longer than a year.
pub fn parse_duration(value: &Value) -> Result<Duration, Diagnostic> {
    let seconds = match &value.data {
        Data::Int(number) => Some(*number as f64),
        Data::Float(number) => Some(*number),
        Data::Str(text) => read(text.trim()),
        _ => None,
    };
    let wrong = |message: String| {
        Err(Diagnostic::config(message).maybe_at(value.origin.as_ref()).hint("write `90s`, `5m`, `1h30m`, or a number of seconds"))
    };
    match seconds {
        Some(seconds) if (0.0..=LONGEST).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        Some(seconds) if seconds > LONGEST => wrong("a duration of more than a year".to_owned()),
        _ => match value.as_str() {
            Some(_) if value.secret => wrong("a secret is not a duration".to_owned()),
            Some(text) => wrong(format!("`{text}` is not a duration")),
            None => wrong(format!("a duration is wanted here, not {}", value.type_name())),
        },
    }
}

/// Seconds; `None` where the text is no duration.
fn read(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match rest.get(..letters)? {
            "" if text.len() == digits => 1.0,
            "ms" => 0.001,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        total += number * unit;
        rest = rest.get(letters..)?.trim_start();
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, millis) in [("90s", 90_000), ("5m", 300_000), ("1h30m", 5_400_000), ("1h 30m", 5_400_000), ("500ms", 500), ("1.5s", 1_500), ("30", 30_000), ("1d", 86_400_000), ("0s", 0)] {
            assert_eq!(parse_duration(&Value::from(text)).unwrap().as_millis(), millis, "{text}");
        }
        assert_eq!(parse_duration(&Value::from(30)).unwrap().as_secs(), 30);
    }

    #[test]
    fn others_are_told() {
        let told = |value: Value| parse_duration(&value).unwrap_err().message;
        for text in ["", "s", "5x", "-5s", "1..2s", "5 5", "soon", "1h30", "5µs"] {
            assert_eq!(told(Value::from(text)), format!("`{text}` is not a duration"));
        }
        assert_eq!(told(Value::from(true)), "a duration is wanted here, not a truth value");
        assert_eq!(told(Value::from("9999d")), "a duration of more than a year");
        assert_eq!(told(Value::from(-3)), "a duration is wanted here, not a number");
        assert_eq!(told(Value::from("x").tainted(true)), "a secret is not a duration");
    }
}
