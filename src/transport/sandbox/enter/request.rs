//! The command line of `sudo`, as far as the sandbox's understands it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// What a `sudo …` asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `-n`: fail rather than ask.
    pub non_interactive: bool,
    /// `-S`: the password comes on stdin.
    pub stdin: bool,
    /// `-E`: keep the environment.
    pub keep_env: bool,
    /// `-H`.
    pub set_home: bool,
    /// `-v`, or `-k` and `-K` without a command: nothing to run.
    pub validate: bool,
    /// `-k` or `-K`.
    pub forget: bool,
    /// `-l`.
    pub list: bool,
    /// `-V`.
    pub version: bool,
    /// `-s` or `-i`: by a shell; `-i` in the user's home.
    pub shell: Option<bool>,
    /// `-p`.
    pub prompt: Option<String>,
    /// `-u`.
    pub user: Option<String>,
    /// `NAME=value` before the command.
    pub assign: Vec<(String, OsString)>,
    /// The command.
    pub command: Vec<OsString>,
}

impl Request {
    /// Reads the arguments; an error is what sudo would say.
    pub fn parse(args: &[Vec<u8>]) -> Result<Request, String> {
        let mut request = Request::default();
        let mut rest = args.iter().map(|arg| String::from_utf8_lossy(arg).into_owned());
        let mut used = 0;
        while let Some(word) = rest.next() {
            if word == "--" {
                used += 1;
                break;
            }
            if let Some(long) = word.strip_prefix("--") {
                let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value.to_owned())));
                let short = match name {
                    "non-interactive" => 'n',
                    "stdin" => 'S',
                    "preserve-env" => 'E',
                    "set-home" => 'H',
                    "validate" => 'v',
                    "reset-timestamp" => 'k',
                    "remove-timestamp" => 'K',
                    "list" => 'l',
                    "version" => 'V',
                    "shell" => 's',
                    "login" => 'i',
                    "prompt" => 'p',
                    "user" => 'u',
                    "group" => 'g',
                    _ => return Err(format!("unrecognized option '{word}'")),
                };
                used += 1;
                if takes_value(short) {
                    let given = match value {
                        Some(value) => value,
                        None => {
                            used += 1;
                            rest.next().ok_or_else(|| format!("option '{word}' requires an argument"))?
                        }
                    };
                    request.value(short, given);
                } else {
                    request.flag(short)?;
                }
            } else if word.len() > 1 && word.starts_with('-') {
                used += 1;
                let mut letters = word[1..].chars();
                while let Some(letter) = letters.next() {
                    if !takes_value(letter) {
                        request.flag(letter)?;
                        continue;
                    }
                    let mut given: String = letters.by_ref().collect();
                    if given.is_empty() {
                        used += 1;
                        given = rest.next().ok_or_else(|| format!("option requires an argument -- '{letter}'"))?;
                    }
                    request.value(letter, given);
                }
            } else {
                break;
            }
        }
        let mut command = args.get(used.min(args.len())..).unwrap_or_default().iter().map(|arg| OsString::from_vec(arg.clone())).peekable();
        while let Some((name, value)) = command.peek().and_then(assignment) {
            request.assign.push((name, value));
            command.next();
        }
        request.command = command.collect();
        Ok(request)
    }

    fn flag(&mut self, letter: char) -> Result<(), String> {
        match letter {
            'n' => self.non_interactive = true,
            'S' => self.stdin = true,
            'E' => self.keep_env = true,
            'H' => self.set_home = true,
            'v' => self.validate = true,
            'k' | 'K' => self.forget = true,
            'l' => self.list = true,
            'V' => self.version = true,
            's' => self.shell = Some(false),
            'i' => self.shell = Some(true),
            'B' | 'P' => {}
            _ => return Err(format!("invalid option -- '{letter}'")),
        }
        Ok(())
    }

    fn value(&mut self, letter: char, given: String) {
        match letter {
            'p' => self.prompt = Some(given),
            'u' => self.user = Some(given),
            // A group, a descriptor to start closing at, a time limit: accepted, without effect here.
            _ => {}
        }
    }
}

fn takes_value(letter: char) -> bool {
    "puCgTRDrthU".contains(letter)
}

fn assignment(word: &OsString) -> Option<(String, OsString)> {
    let (name, value) = word.to_str()?.split_once('=')?;
    let fine = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit());
    fine.then(|| (name.to_owned(), value.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(words: &[&str]) -> Result<Request, String> {
        Request::parse(&words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>())
    }

    #[test]
    fn what_homelab_and_people_write() {
        let request = parse(&["-S", "-p", "", "--", "sh", "-c", "x=1"]).unwrap();
        assert_eq!((request.stdin, request.prompt.as_deref()), (true, Some("")));
        assert_eq!(request.command, ["sh", "-c", "x=1"]);
        let request = parse(&["-nu", "pi", "A=b", "id", "-u"]).unwrap();
        assert_eq!((request.non_interactive, request.user.as_deref()), (true, Some("pi")));
        assert_eq!(request.assign, [("A".to_owned(), "b".into())]);
        assert_eq!(request.command, ["id", "-u"]);
        assert_eq!(parse(&["--user=pi", "--", "-odd"]).unwrap().command, ["-odd"]);
        assert!(parse(&["-kS", "-v"]).unwrap().validate);
    }

    #[test]
    fn what_it_does_not_know_it_says() {
        assert_eq!(parse(&["-q", "x"]).unwrap_err(), "invalid option -- 'q'");
        assert_eq!(parse(&["-u"]).unwrap_err(), "option requires an argument -- 'u'");
        assert_eq!(parse(&["--nope"]).unwrap_err(), "unrecognized option '--nope'");
    }
}
