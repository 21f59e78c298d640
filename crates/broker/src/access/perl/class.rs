//! Classes: `[a-z]`, `[^\]]`, `[[:alpha:]_]`.
//!
//! The engine's classes nest and have set operations (`&&`, `--`, `~~`), Perl's have neither. So members are
//! taken one by one, and every one that is no letter or digit is written as a number, which cannot be
//! mistaken for a sign.

use super::{Member, Translation};
use crate::access::pattern::Error;

impl Translation<'_> {
    pub(super) fn class(&mut self, at: usize) -> Result<(), Error> {
        let inside = self
            .source
            .get(at + 1..)
            .and_then(|rest| rest.split_once(']'))
            .map(|(inside, _)| inside);
        if inside.is_some_and(|inside| inside.len() > 1 && inside.starts_with(':') && inside.ends_with(':')) {
            // Somebody forgot the outer brackets. Perl refuses it, too.
            return Err(self.unsupported("a named class outside of a class", at));
        }
        self.out.push('[');
        if self.rest.next_if(|(_, c)| *c == '^').is_some() {
            self.out.push('^');
        }
        // The first bracket is a member, not the end.
        let mut first = true;
        loop {
            let Some((here, c)) = self.rest.next() else {
                return Err(self.syntax("a class is not closed"));
            };
            match c {
                ']' if !first => break,
                '[' if self.posix(here)? => {}
                '{' if self.class_variable(here) => {}
                _ => self.member_or_range(here, c)?,
            }
            first = false;
        }
        if self.out.ends_with('[') || self.out.ends_with("[^") {
            return Err(self.unsupported("a class of an empty variable", at));
        }
        self.out.push(']');
        Ok(())
    }

    /// `[:alpha:]` and its like. Says whether there was one.
    fn posix(&mut self, at: usize) -> Result<bool, Error> {
        let Some(rest) = self.source.get(at + 1..) else {
            return Ok(false);
        };
        if rest.starts_with(['.', '=']) {
            return Err(self.unsupported("a collating element", at));
        }
        let Some((name, _)) = rest.strip_prefix(':').and_then(|rest| rest.split_once(":]")) else {
            return Ok(false);
        };
        if !name
            .trim_start_matches('^')
            .chars()
            .all(|c| c.is_ascii_lowercase())
        {
            return Ok(false);
        }
        self.skip(name.len() + 3);
        self.out.push_str("[:");
        self.out.push_str(name);
        self.out.push_str(":]");
        Ok(true)
    }

    /// A variable in a class: the value's characters are members. Says whether there was one.
    fn class_variable(&mut self, at: usize) -> bool {
        let inside = self
            .source
            .get(at + 1..)
            .and_then(|rest| rest.split_once('}'))
            .map(|(inside, _)| inside);
        let Some((name, value)) =
            inside.and_then(|inside| self.variables.iter().find(|(name, _)| *name == inside))
        else {
            return false;
        };
        self.skip(name.chars().count() + 1);
        value.bytes().for_each(|byte| self.byte(byte));
        true
    }

    fn member_or_range(&mut self, at: usize, c: char) -> Result<(), Error> {
        let low = self.member(at, c)?;
        let mut ahead = self.rest.clone();
        let is_range =
            ahead.next().is_some_and(|(_, c)| c == '-') && ahead.next().is_some_and(|(_, c)| c != ']');
        if !is_range || matches!(low, Member::Shorthand(_)) {
            self.push_member(&low);
            return Ok(());
        }
        self.rest.next();
        let Some((at, c)) = self.rest.next() else {
            return Err(self.syntax("a class is not closed"));
        };
        if c == '[' && self.source.get(at..).is_some_and(|rest| rest.starts_with("[:")) {
            return Err(self.unsupported("a range up to a class", at));
        }
        if c == '{' && self.class_variable(at) {
            return Err(self.unsupported("a range up to a variable", at));
        }
        match (low, self.member(at, c)?) {
            (Member::Byte(low), Member::Byte(high)) => {
                self.byte(low);
                self.out.push('-');
                self.byte(high);
                Ok(())
            }
            _ => Err(self.unsupported("a range of other than single bytes", at)),
        }
    }

    fn member(&mut self, at: usize, c: char) -> Result<Member, Error> {
        if c != '\\' {
            return Ok(match u8::try_from(c) {
                Ok(byte) if byte.is_ascii() => Member::Byte(byte),
                _ => Member::Wide(c),
            });
        }
        match self.rest.next() {
            Some((_, 'b')) => Ok(Member::Byte(0x08)),
            Some((_, escaped)) => self.escaped_member(at, escaped),
            None => Err(self.syntax("it ends in a backslash")),
        }
    }

    fn push_member(&mut self, member: &Member) {
        match member {
            Member::Byte(byte) => self.byte(*byte),
            Member::Shorthand(class) => self.out.push_str(class),
            Member::Wide(c) => self.literal(*c),
        }
    }
}
