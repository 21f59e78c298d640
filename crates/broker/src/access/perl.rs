//! From Perl's regular expressions to those of the two engines.
//!
//! They agree on most of what permissions use. They part in details that would grant or refuse the wrong
//! names, and each is settled here by rewriting it, or by refusing the pattern:
//!
//! ```text
//!   a{b      a brace that starts no count is itself         written \{
//!   [a[b]    a bracket in a class is itself                 written \[      (here: a nested class)
//!   [+--]    a range up to the minus                        written \+-\-   (here: a set difference)
//!   \<       a less-than sign                               written <       (here: start of a word)
//!   a++      possessive                                     for the engine that goes back
//!   (?=a)    look-around, atomic groups, back-references    for the engine that goes back
//!   (?R)     recursion, conditions, verbs                   refused
//! ```
//!
//! `$` is the very end of the name; Perl's would also stand before a line feed at the end.
//!
//! RabbitMQ: access-control.md. The expressions are those of PCRE without the Unicode option: bytes.

mod class;

use std::iter::Peekable;
use std::str::CharIndices;

use super::pattern::Error;

/// The most bytes that a pattern for [`Engine::Backtracking`] may have when its counts are written out. That
/// engine counts how often it goes back, and this is what it may do in between.
const UNROLLED_BYTES_MAX: usize = 4096;

/// Which engine a pattern is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    /// It takes linear time, and lacks what needs more.
    Linear,
    /// It goes back, and gives up after so many times.
    Backtracking,
}

/// Rewrites a pattern. Variables are put in literally.
pub(super) fn translate(source: &str, variables: &[(&str, &str)], engine: Engine) -> Result<String, Error> {
    let mut translation = Translation {
        source,
        variables,
        engine,
        rest: source.char_indices().peekable(),
        out: String::with_capacity(source.len() + 8),
        unrolled: vec![0],
        last_unrolled: 0,
    };
    translation.run()?;
    let unrolled: usize = translation.unrolled.iter().sum();
    if engine == Engine::Backtracking && unrolled > UNROLLED_BYTES_MAX {
        return Err(translation.syntax("it grows too large"));
    }
    Ok(translation.out)
}

struct Translation<'a> {
    source: &'a str,
    variables: &'a [(&'a str, &'a str)],
    engine: Engine,
    rest: Peekable<CharIndices<'a>>,
    out: String,
    /// Of each group that is open, and of the whole: the bytes so far when counts are written out.
    unrolled: Vec<usize>,
    /// The same of what came last.
    last_unrolled: usize,
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
                    let before = self.out.len();
                    self.atom(at, c)?;
                    let is_opening = c == '(';
                    let group = if c == ')' { self.closed() } else { 0 };
                    self.last_unrolled = match is_opening {
                        true => 0,
                        false => group + (self.out.len() - before),
                    };
                    self.unroll(self.last_unrolled);
                    Last::Atom
                }
            };
        }
        Ok(())
    }

    fn unroll(&mut self, bytes: usize) {
        if let Some(open) = self.unrolled.last_mut() {
            *open = open.saturating_add(bytes);
        }
    }

    /// A group ends. Answers what it comes to when its counts are written out.
    fn closed(&mut self) -> usize {
        match self.unrolled.len() {
            // It was never opened, which the compiler will complain about.
            ..=1 => 0,
            _ => self.unrolled.pop().unwrap_or(0),
        }
    }

    fn goes_back(&self) -> bool {
        self.engine == Engine::Backtracking
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
            (Last::Repetition, '+') if self.goes_back() => Last::Reluctant,
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
                // Each of its bytes is written with four at most.
                self.last_unrolled = value.len().saturating_mul(4);
                self.unroll(self.last_unrolled);
                return Ok(Last::Atom);
            }
            if let Some(count) = count(inside) {
                if last != Last::Atom {
                    return Err(self.unsupported("a repetition of a repetition", at));
                }
                self.skip(inside.len() + 1);
                self.out.push('{');
                self.out.push_str(inside);
                self.out.push('}');
                self.unroll(self.last_unrolled.saturating_mul(count.saturating_sub(1)));
                self.last_unrolled = self.last_unrolled.saturating_mul(count.max(1));
                return Ok(Last::Repetition);
            }
        }
        self.literal('{');
        self.last_unrolled = 4;
        self.unroll(4);
        Ok(Last::Atom)
    }

    /// A group begins.
    fn open(&mut self, sign: &str) {
        self.out.push_str(sign);
        self.unrolled.push(0);
    }

    /// The sign of a group that has a number, by which it can be referred to.
    fn numbered(&self) -> &'static str {
        match self.engine {
            Engine::Linear => "(?:",
            Engine::Backtracking => "(",
        }
    }

    /// A group's opening. Nothing is captured but for what may be referred to.
    fn group(&mut self, at: usize) -> Result<(), Error> {
        let Some(rest) = self.source.get(at + 1..) else {
            return Ok(());
        };
        if rest.starts_with('*') {
            return Err(self.unsupported("a verb", at));
        }
        let Some(rest) = rest.strip_prefix('?') else {
            self.open(self.numbered());
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
        let behind = ["=", "!", "<=", "<!", ">"];
        if let Some(sign) = behind.iter().find(|sign| rest.starts_with(**sign)) {
            if !self.goes_back() {
                return Err(self.unsupported("look-around", at));
            }
            self.skip(1 + sign.len());
            self.open(&format!("(?{sign}"));
            return Ok(());
        }
        if let Some(named) = rest.strip_prefix("P<").or_else(|| rest.strip_prefix('<')) {
            let end = named
                .find('>')
                .ok_or_else(|| self.syntax("a group's name is not closed"))?;
            let prefix = rest.len() - named.len();
            self.skip(1 + prefix + named.get(..=end).map_or(0, |text| text.chars().count()));
            self.open(self.numbered());
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
                let sign = format!("(?{flags}");
                match flags.ends_with(':') {
                    true => self.open(&sign),
                    false => self.out.push_str(&sign),
                }
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
            '1'..='9' if self.goes_back() => self.back_reference(at, c)?,
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

    /// What a group matched, once more. Above 9 it depends on how many groups there are what is meant.
    fn back_reference(&mut self, at: usize, number: char) -> Result<(), Error> {
        if self.rest.peek().is_some_and(|(_, c)| c.is_ascii_digit()) {
            return Err(self.unsupported("a back-reference above 9 or octal number", at));
        }
        // A group, so that a digit behind it is not of the number.
        self.out.push_str("(?:\\");
        self.out.push(number);
        self.out.push(')');
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

/// The larger number of `3`, `3,` or `3,5`: between braces, a count.
fn count(inside: &str) -> Option<usize> {
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().unwrap_or(usize::MAX))
    };
    match inside.split_once(',') {
        None => number(inside),
        Some((least, "")) => number(least),
        Some((least, most)) => Some(number(least)?.max(number(most)?)),
    }
}
