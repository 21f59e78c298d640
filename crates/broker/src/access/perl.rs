//! From Perl's regular expressions to those of the `regex` crate.
//!
//! The two agree on most of what permissions use. They part in details that would grant or refuse the wrong
//! names, and each is settled here by rewriting it, or by refusing the pattern:
//!
//! ```text
//!   a{b      a brace that starts no count is itself         written \{
//!   [a[b]    a bracket in a class is itself                 written \[      (here: a nested class)
//!   [+--]    a range up to the minus                        written \+-\-   (here: a set difference)
//!   \<       a less-than sign                               written <       (here: start of a word)
//!   a++      possessive                                     refused         (here: a repetition twice)
//!   (?=a)    look-around, back-references, recursion        refused
//! ```
//!
//! `$` is the very end of the name; Perl's would also stand before a line feed at the end.
//!
//! RabbitMQ: access-control.md. The expressions are those of PCRE without the Unicode option: bytes.

mod class;

use std::iter::Peekable;
use std::str::CharIndices;

use super::pattern::Error;

/// Rewrites a pattern. Variables are put in literally.
pub(super) fn translate(source: &str, variables: &[(&str, &str)]) -> Result<String, Error> {
    let mut translation = Translation {
        source,
        variables,
        rest: source.char_indices().peekable(),
        out: String::with_capacity(source.len() + 8),
    };
    translation.run()?;
    Ok(translation.out)
}

struct Translation<'a> {
    source: &'a str,
    variables: &'a [(&'a str, &'a str)],
    rest: Peekable<CharIndices<'a>>,
    out: String,
}

/// What came last, as far as it decides what a `+`, `*`, `?` or `{n}` means now.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    /// Something that may be repeated, or that the compiler will complain about.
    Atom,
    /// A repetition: only `?` (reluctant) may follow.
    Repetition,
    /// A reluctant repetition: no further one may follow.
    Reluctant,
}

/// One member of a class: a byte, which may start or end a range, or a shorthand, which may not.
enum Member {
    Byte(u8),
    Shorthand(&'static str),
    /// A character of several bytes. Without Unicode, a class holds its bytes one by one.
    Wide(char),
}

impl<'a> Translation<'a> {
    fn run(&mut self) -> Result<(), Error> {
        let mut last = Last::Atom;
        while let Some((at, c)) = self.rest.next() {
            last = match c {
                '*' | '+' | '?' => self.repetition(at, c, last)?,
                '{' => self.brace(at, last)?,
                _ => {
                    self.atom(at, c)?;
                    Last::Atom
                }
            };
        }
        Ok(())
    }

    fn atom(&mut self, at: usize, c: char) -> Result<(), Error> {
        match c {
            '\\' => self.escape(at),
            '[' => self.class(at),
            '(' => self.group(at),
            '.' | '^' | '$' | '|' | ')' => {
                self.out.push(c);
                Ok(())
            }
            _ => {
                self.literal(c);
                Ok(())
            }
        }
    }

    fn repetition(&mut self, at: usize, c: char, last: Last) -> Result<Last, Error> {
        let next = match (last, c) {
            (Last::Atom, _) => Last::Repetition,
            (Last::Repetition, '?') => Last::Reluctant,
            (Last::Repetition, '+') => return Err(self.unsupported("a possessive repetition", at)),
            _ => return Err(self.unsupported("a repetition of a repetition", at)),
        };
        self.out.push(c);
        Ok(next)
    }

    /// A count, a variable, or a brace that stands for itself.
    fn brace(&mut self, at: usize, last: Last) -> Result<Last, Error> {
        let inside = self
            .source
            .get(at + 1..)
            .and_then(|rest| rest.split_once('}'))
            .map(|(inside, _)| inside);
        if let Some(inside) = inside {
            if let Some((_, value)) = self.variables.iter().find(|(name, _)| *name == inside) {
                self.skip(inside.chars().count() + 1);
                // A group, so that a repetition behind it repeats the whole value.
                self.out.push_str("(?:");
                value.chars().for_each(|c| self.literal(c));
                self.out.push(')');
                return Ok(Last::Atom);
            }
            if is_count(inside) {
                if last != Last::Atom {
                    return Err(self.unsupported("a repetition of a repetition", at));
                }
                self.skip(inside.len() + 1);
                self.out.push('{');
                self.out.push_str(inside);
                self.out.push('}');
                return Ok(Last::Repetition);
            }
        }
        self.literal('{');
        Ok(Last::Atom)
    }

    /// A group's opening. Groups only group here: nothing is captured.
    fn group(&mut self, at: usize) -> Result<(), Error> {
        let Some(rest) = self.source.get(at + 1..) else {
            return Ok(());
        };
        if rest.starts_with('*') {
            return Err(self.unsupported("a verb", at));
        }
        let Some(rest) = rest.strip_prefix('?') else {
            self.out.push_str("(?:");
            return Ok(());
        };
        if let Some(comment) = rest.strip_prefix('#') {
            let end = comment
                .find(')')
                .ok_or_else(|| self.syntax("a comment is not closed"))?;
            self.skip(2 + comment.get(..=end).map_or(0, |text| text.chars().count()));
            // Perl ignores a comment even between an atom and its repetition; to refuse is simpler than that.
            return match self.rest.peek() {
                Some((_, '*' | '+' | '?' | '{')) => {
                    Err(self.unsupported("a repetition behind a comment", at))
                }
                _ => Ok(()),
            };
        }
        if ["=", "!", "<=", "<!"].iter().any(|sign| rest.starts_with(sign)) {
            return Err(self.unsupported("look-around", at));
        }
        if let Some(named) = rest.strip_prefix("P<").or_else(|| rest.strip_prefix('<')) {
            let end = named
                .find('>')
                .ok_or_else(|| self.syntax("a group's name is not closed"))?;
            let prefix = rest.len() - named.len();
            self.skip(1 + prefix + named.get(..=end).map_or(0, |text| text.chars().count()));
            self.out.push_str("(?:");
            return Ok(());
        }
        self.flags(at, rest)
    }

    /// `(?i)`, `(?i:` and `(?:`.
    fn flags(&mut self, at: usize, rest: &str) -> Result<(), Error> {
        let flags = rest.find([')', ':']).and_then(|end| rest.get(..=end));
        match flags {
            Some(flags)
                if flags
                    .trim_end_matches([')', ':'])
                    .chars()
                    .all(|c| "ims-".contains(c)) =>
            {
                self.skip(1 + flags.len());
                self.out.push_str("(?");
                self.out.push_str(flags);
                Ok(())
            }
            _ => Err(self.unsupported("this kind of group", at)),
        }
    }

    fn escape(&mut self, at: usize) -> Result<(), Error> {
        let Some((_, c)) = self.rest.next() else {
            return Err(self.syntax("it ends in a backslash"));
        };
        match c {
            'A' | 'z' | 'B' | 'b' => {
                self.out.push('\\');
                self.out.push(c);
            }
            'Z' => self.out.push_str(r"(?:\n?\z)"),
            'N' => self.out.push_str(r"[^\n]"),
            'Q' => self.quoted(),
            'E' => {}
            _ => match self.escaped_member(at, c)? {
                Member::Byte(byte) => self.byte(byte),
                Member::Shorthand(class) => {
                    self.out.push('[');
                    self.out.push_str(class);
                    self.out.push(']');
                }
                Member::Wide(c) => self.literal(c),
            },
        }
        Ok(())
    }

    /// Everything up to `\E` or the end, as it stands.
    fn quoted(&mut self) {
        while let Some((_, c)) = self.rest.next() {
            if c == '\\' && self.rest.next_if(|(_, c)| *c == 'E').is_some() {
                return;
            }
            self.literal(c);
        }
    }

    /// The escapes that mean the same inside and outside of a class.
    fn escaped_member(&mut self, at: usize, c: char) -> Result<Member, Error> {
        Ok(match c {
            'd' => Member::Shorthand(r"\d"),
            'D' => Member::Shorthand(r"\D"),
            'w' => Member::Shorthand(r"\w"),
            'W' => Member::Shorthand(r"\W"),
            's' => Member::Shorthand(r"\s"),
            'S' => Member::Shorthand(r"\S"),
            'h' => Member::Shorthand(r"\t\x20"),
            'v' => Member::Shorthand(r"\n\x0B\x0C\r"),
            'a' => Member::Byte(0x07),
            'e' => Member::Byte(0x1B),
            'f' => Member::Byte(0x0C),
            'n' => Member::Byte(b'\n'),
            'r' => Member::Byte(b'\r'),
            't' => Member::Byte(b'\t'),
            'x' => Member::Byte(self.hexadecimal(at)?),
            _ if c.is_ascii_digit() => return Err(self.unsupported("a back-reference or octal number", at)),
            _ if c.is_ascii_alphabetic() => return Err(self.unsupported("this escape", at)),
            _ => match u8::try_from(c) {
                Ok(byte) if byte.is_ascii() => Member::Byte(byte),
                _ => Member::Wide(c),
            },
        })
    }

    /// The digits behind `\x`: none, one, two, or any number in braces.
    fn hexadecimal(&mut self, at: usize) -> Result<u8, Error> {
        let mut digits = String::new();
        if self.rest.next_if(|(_, c)| *c == '{').is_some() {
            while let Some((_, c)) = self.rest.next_if(|(_, c)| *c != '}') {
                digits.push(c);
            }
            if self.rest.next().is_none() || digits.is_empty() {
                return Err(self.syntax("a hexadecimal number is not closed"));
            }
        } else {
            while digits.len() < 2
                && let Some((_, c)) = self.rest.next_if(|(_, c)| c.is_ascii_hexdigit())
            {
                digits.push(c);
            }
            if digits.is_empty() {
                return Ok(0);
            }
        }
        if !digits.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(self.syntax("a hexadecimal number has other digits"));
        }
        u8::from_str_radix(&digits, 16).map_err(|_| self.unsupported("a character above 255", at))
    }

    /// One character that stands for itself: its bytes, of which a repetition behind them takes the last.
    fn literal(&mut self, c: char) {
        let mut buffer = [0; 4];
        c.encode_utf8(&mut buffer)
            .bytes()
            .for_each(|byte| self.byte(byte));
    }

    /// One byte that stands for itself, wherever it is: what is no letter or digit is written as a number.
    fn byte(&mut self, byte: u8) {
        if byte.is_ascii_alphanumeric() {
            self.out.push(byte.into());
        } else {
            self.out.push_str(&format!("\\x{byte:02X}"));
        }
    }

    fn skip(&mut self, characters: usize) {
        for _ in 0..characters {
            self.rest.next();
        }
    }

    fn unsupported(&self, construct: &'static str, at: usize) -> Error {
        Error::Unsupported {
            construct,
            at,
            pattern: self.source.into(),
        }
    }

    fn syntax(&self, reason: &str) -> Error {
        Error::Syntax {
            reason: reason.into(),
            pattern: self.source.into(),
        }
    }
}

/// Whether `3`, `3,` or `3,5`: between braces, a count.
fn is_count(inside: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match inside.split_once(',') {
        None => is_number(inside),
        Some((least, most)) => is_number(least) && (most.is_empty() || is_number(most)),
    }
}
