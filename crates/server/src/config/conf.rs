//! The lines of a `rabbitmq.conf`: `key = value`, comments, quotes. Pure; knows no key.
//!
//! ```text
//!   # a comment
//!   listeners.tcp.default = 127.0.0.1:5672     # blanks around key and value do not count
//!   loopback_users.first\.last = false          a dot inside a part of the key is escaped
//!   default_pass = 'a # is kept in quotes'      single quotes only; there is no escape for a quote
//! ```
//!
//! An unquoted value ends at the end of its line or where a `#` follows a blank. Double quotes are part of
//! the value. `include` lines, which RabbitMQ has, are refused by name.
//! Spec: RabbitMQ: configure.md#config-file.

/// One `key = value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Number of the line, from 1.
    pub number: usize,
    /// The key's parts, between the dots.
    pub key: Vec<String>,
    /// The value, without quotes and surrounding blanks.
    pub value: String,
}

/// What is wrong with a line. The line itself is not shown: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// There is no `=`.
    #[error("no `=` in this line; settings are written `key = value`")]
    NoEquals,
    /// The key has characters that no key has, or an empty part.
    #[error("`{0}` is not a key: parts of letters, digits, `_` and `-`, with dots between them")]
    BadKey(String),
    /// Nothing stands behind the `=`.
    #[error("`{0}` has no value; to leave the default, remove the line or begin it with `#`")]
    NoValue(String),
    /// A value begins with a quote that does not end.
    #[error("the value of `{0}` begins with a quote that is not closed in the same line")]
    OpenQuote(String),
    /// Something other than a comment follows a quoted value.
    #[error("text follows the closing quote of the value of `{0}`")]
    AfterQuote(String),
    /// The line wants to include another file.
    #[error("`include` is not supported; put the settings into this file")]
    Include,
}

/// Reads all lines. Both what could be read and what could not, in the order of the file.
pub fn read(text: &str) -> impl Iterator<Item = Result<Line, (usize, Problem)>> + '_ {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().enumerate().filter_map(|(index, line)| {
        let number = index + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let setting = setting(line).map(|(key, value)| Line { number, key, value });
        Some(setting.map_err(|problem| (number, problem)))
    })
}

/// Reads the `key=value` of a command line. There the shell has dealt with quotes and there are no comments.
///
/// # Errors
/// A [`Problem`] of the key, or that there is no value.
pub fn read_argument(text: &str) -> Result<(Vec<String>, String), Problem> {
    let (name, value) = text.split_once('=').ok_or(Problem::NoEquals)?;
    let key = key(name.trim())?;
    match value.trim() {
        "" => Err(Problem::NoValue(name.trim().to_owned())),
        value => Ok((key, value.to_owned())),
    }
}

fn setting(line: &str) -> Result<(Vec<String>, String), Problem> {
    let Some((name, rest)) = line.split_once('=') else {
        let include = line.split_whitespace().next() == Some("include");
        return Err(if include {
            Problem::Include
        } else {
            Problem::NoEquals
        });
    };
    let name = name.trim();
    Ok((key(name)?, value(name, rest.trim())?))
}

/// Splits a key at its dots; `\.` is a dot inside a part.
///
/// # Errors
/// [`Problem::BadKey`].
pub fn key(name: &str) -> Result<Vec<String>, Problem> {
    let bad = || Problem::BadKey(name.to_owned());
    let mut parts = vec![String::new()];
    let mut letters = name.chars();
    while let Some(letter) = letters.next() {
        let letter = match letter {
            '.' => {
                parts.push(String::new());
                continue;
            }
            '\\' if letters.next() == Some('.') => '.',
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => letter,
            _ => return Err(bad()),
        };
        if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    if parts.iter().any(String::is_empty) {
        Err(bad())
    } else {
        Ok(parts)
    }
}

fn value(name: &str, text: &str) -> Result<String, Problem> {
    let value = match text.strip_prefix('\'') {
        Some(quoted) => {
            let (value, rest) = quoted
                .split_once('\'')
                .ok_or_else(|| Problem::OpenQuote(name.to_owned()))?;
            if !without_comment(rest).is_empty() {
                return Err(Problem::AfterQuote(name.to_owned()));
            }
            value
        }
        None => without_comment(text),
    };
    if value.is_empty() {
        Err(Problem::NoValue(name.to_owned()))
    } else {
        Ok(value.to_owned())
    }
}

/// The text up to a `#` at its beginning or behind a blank, without blanks at its end.
fn without_comment(text: &str) -> &str {
    let mut previous = ' ';
    let comment = text.char_indices().find(|&(_, letter)| {
        let begins = letter == '#' && previous.is_whitespace();
        previous = letter;
        begins
    });
    let end = comment.map_or(text.len(), |(index, _)| index);
    // `end` is the index of a `#` or the text's length, so there is always something to get.
    text.get(..end).unwrap_or(text).trim()
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )]

    use super::*;

    fn one(text: &str) -> Result<(String, String), Problem> {
        let mut lines: Vec<_> = read(text).collect();
        assert_eq!(lines.len(), 1, "{text}");
        lines
            .remove(0)
            .map(|line| (line.key.join("|"), line.value))
            .map_err(|(_, problem)| problem)
    }

    fn value_of(text: &str) -> String {
        one(text).unwrap().1
    }

    #[test]
    fn comments_and_empty_lines_count_as_lines_only() {
        let lines: Vec<_> = read("\u{feff}# head\n\n \t\n  # more\r\nheartbeat = 30\r\n").collect();
        let expected = Line {
            number: 5,
            key: vec!["heartbeat".into()],
            value: "30".into(),
        };
        assert_eq!(lines, [Ok(expected)]);
    }

    #[test]
    fn blanks_around_key_and_value_do_not_count() {
        assert_eq!(
            one("\t a.b-c \t=\t 1 2 \t").unwrap(),
            ("a|b-c".into(), "1 2".into())
        );
        assert_eq!(one("a=1").unwrap(), ("a".into(), "1".into()));
    }

    #[test]
    fn an_escaped_dot_stays_inside_its_part() {
        assert_eq!(
            one(r"loopback_users.first\.last = false").unwrap().0,
            "loopback_users|first.last"
        );
    }

    #[test]
    fn the_value_may_contain_equals_signs_and_double_quotes() {
        assert_eq!(value_of("a = b=c"), "b=c");
        assert_eq!(value_of("a = \"b\""), "\"b\"");
    }

    #[test]
    fn a_comment_behind_a_value_needs_a_blank_before_it() {
        assert_eq!(value_of("a = b # c"), "b");
        assert_eq!(value_of("a = b\t#c"), "b");
        assert_eq!(value_of("a = b#c"), "b#c");
    }

    #[test]
    fn single_quotes_keep_everything_between_them() {
        assert_eq!(value_of("a = ' b # c '"), " b # c ");
        assert_eq!(value_of("a = 'b' # c"), "b");
        assert_eq!(value_of("a = b'c'"), "b'c'");
    }

    #[test]
    fn broken_lines_say_what_is_wrong_and_where() {
        let lines: Vec<_> = read("a = 1\nb\n\nc =\n").filter_map(Result::err).collect();
        assert_eq!(lines, [(2, Problem::NoEquals), (4, Problem::NoValue("c".into()))]);
        assert_eq!(one("a = # b"), Err(Problem::NoValue("a".into())));
        assert_eq!(one("a = ''"), Err(Problem::NoValue("a".into())));
        assert_eq!(one("a = 'b"), Err(Problem::OpenQuote("a".into())));
        assert_eq!(one("a = 'b'c"), Err(Problem::AfterQuote("a".into())));
        assert_eq!(one("include conf.d/*.conf"), Err(Problem::Include));
        for bad in ["a b", "a..b", ".a", "a.", "", "ä", "a\\b", "a$"] {
            assert_eq!(
                one(&format!("{bad} = 1")),
                Err(Problem::BadKey(bad.into())),
                "{bad}"
            );
        }
    }

    #[test]
    fn problems_do_not_show_the_value() {
        for line in [
            "default_pass carrot",
            "default_pass = 'carrot",
            "default_pass = 'x'carrot",
        ] {
            assert!(!one(line).unwrap_err().to_string().contains("carrot"), "{line}");
        }
    }

    #[test]
    fn arguments_are_taken_as_they_are() {
        assert_eq!(
            read_argument("a.b=c # d").unwrap(),
            (vec!["a".into(), "b".into()], "c # d".into())
        );
        assert_eq!(read_argument("a='b'").unwrap().1, "'b'");
        assert_eq!(read_argument("a"), Err(Problem::NoEquals));
        assert_eq!(read_argument("a="), Err(Problem::NoValue("a".into())));
        assert_eq!(read_argument("=b"), Err(Problem::BadKey(String::new())));
    }
}
