//! The five time fields of a crontab line, checked as every cron reads them: `*`, numbers, names, ranges, lists, steps.

/// One of the five.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// The parameter.
    pub name: &'static str,
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

/// In the order of a crontab line.
pub(super) static FIELDS: [Field; 5] = [
    Field { name: "minute", low: 0, high: 59, names: &[] },
    Field { name: "hour", low: 0, high: 23, names: &[] },
    Field { name: "day", low: 1, high: 31, names: &[] },
    Field { name: "month", low: 1, high: 12, names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"] },
    // Sunday is 0 and 7.
    Field { name: "weekday", low: 0, high: 7, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The item of the list that is wrong.
    pub item: String,
    /// A few words.
    pub label: String,
    /// What to write.
    pub hint: String,
}

impl Field {
    /// Checks `text`; the first thing that is wrong.
    pub fn check(&self, text: &str) -> Result<(), Wrong> {
        text.split(',').try_for_each(|item| {
            self.item(item).map_err(|(label, hint)| Wrong { item: item.to_owned(), label, hint })
        })
    }

    fn item(&self, item: &str) -> Result<(), (String, String)> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let ends = match range.split_once('-') {
            _ if range == "*" => None,
            Some((from, to)) => Some((self.value(from)?, self.value(to)?)),
            None => {
                let value = self.value(range)?;
                if let Some(step) = step {
                    let hint = format!("write `{value}-{}/{step}`", self.top());
                    return Err(("a step needs a range or `*` before it".into(), hint));
                }
                None
            }
        };
        if let Some((from, to)) = ends.filter(|(from, to)| from > to) {
            let hint = format!("write `{from}-{},{}-{to}`", self.top(), self.low);
            return Err(("a range that ends before it begins".into(), hint));
        }
        match step.map(|step| (step.parse::<u32>(), step)) {
            None => Ok(()),
            Some((Ok(step), text)) if plain(text) && (1..=self.high).contains(&step) => Ok(()),
            Some(_) => Err(("not a step".into(), format!("a step is a number from 1 to {}: `*/5`", self.high))),
        }
    }

    /// The last value that is written (0, not 7, is Sunday's usual number).
    fn top(&self) -> u32 {
        if self.name == "weekday" { 6 } else { self.high }
    }

    fn value(&self, text: &str) -> Result<u32, (String, String)> {
        let lower = text.to_ascii_lowercase();
        if let Some(at) = self.names.iter().position(|name| *name == lower) {
            return Ok(self.low + u32::try_from(at).unwrap_or_default());
        }
        match text.parse::<u32>() {
            Ok(value) if plain(text) && (self.low..=self.high).contains(&value) => Ok(value),
            _ => {
                let names = match self.names {
                    [first, .., last] => format!(" or a name from `{first}` to `{last}`"),
                    _ => String::new(),
                };
                Err((format!("not a {}", self.name), format!("a number from {} to {}{names}; also `*`, `1-5`, `*/10`, `1,15`", self.low, self.high)))
            }
        }
    }
}

/// Digits only, and not a long row of zeros: `+5` parses as a number too.
fn plain(text: &str) -> bool {
    text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_fields() {
        for (at, text) in [(0, "*"), (0, "0"), (0, "*/10"), (0, "0,15,30-45/5"), (1, "0-23/2"), (2, "31"), (3, "JAN-mar,12"), (4, "7"), (4, "mon-fri"), (0, "05")] {
            assert_eq!(FIELDS[at].check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn bad_fields() {
        for (at, text) in [
            (0, ""), (0, "60"), (0, "-1"), (0, "5/10"), (0, "*/0"), (0, "*/"), (0, "1,,2"), (0, "30-10"), (0, "1 2"), (0, "+5"),
            (0, "**"), (1, "24"), (2, "0"), (3, "13"), (3, "mon"), (4, "8"), (4, "fri-mon"), (4, "sunday"), (0, "0\n* * * * * x"), (0, "~"),
        ] {
            assert!(FIELDS[at].check(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_range_over_the_end_is_told_how() {
        let wrong = FIELDS[4].check("fri-mon").map_err(|wrong| wrong.hint);
        assert_eq!(wrong, Err("write `5-6,0-1`".to_owned()));
    }
}
