//! A scanner over a line of transcript: words, quoted strings, single characters.

use crate::amqp091::table::is_bare_octet;

/// Reads forward; blanks in front of anything are skipped.
pub(super) struct Scanner<'t> {
    whole: &'t str,
    rest: &'t str,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Scanner {
            whole: text,
            rest: text.trim_start(),
        }
    }

    /// Says where the scanner stands.
    pub(super) fn error(&self, what: impl std::fmt::Display) -> String {
        format!(
            "{what} (at octet {})",
            self.whole.len().saturating_sub(self.rest.len())
        )
    }

    pub(super) fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn end(&self) -> Result<(), String> {
        if self.at_end() {
            Ok(())
        } else {
            Err(self.error("something is left over"))
        }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn advance(&mut self, octets: usize) -> &'t str {
        let (head, rest) = self.rest.split_at_checked(octets).unwrap_or((self.rest, ""));
        self.rest = rest;
        head
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Reads the character if it is next.
    pub(super) fn eat(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    pub(super) fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.eat(wanted) {
            Ok(())
        } else {
            Err(self.error(format!("`{wanted}` is missing")))
        }
    }

    /// The letter of a type, if `letter:` is next.
    pub(super) fn letter(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        match (chars.next(), chars.next()) {
            (Some(letter), Some(':')) if letter.is_ascii_alphabetic() => {
                self.advance(2);
                Some(letter)
            }
            _ => None,
        }
    }

    /// Letters, digits, `_`, `-`, `.` and `+`, perhaps none.
    pub(super) fn word(&mut self) -> &'t str {
        let length = self
            .rest
            .bytes()
            .take_while(|&byte| is_bare_octet(byte) || byte == b'+')
            .count();
        let word = self.advance(length);
        self.skip_blanks();
        word
    }

    /// A name: a word, or a string in quotes.
    pub(super) fn name(&mut self) -> Result<Vec<u8>, String> {
        if self.peek() == Some('"') {
            return self.string();
        }
        match self.word() {
            "" => Err(self.error("a name is missing")),
            word => Ok(word.as_bytes().to_vec()),
        }
    }

    /// A string in quotes, its escapes undone.
    pub(super) fn string(&mut self) -> Result<Vec<u8>, String> {
        // Not `expect`, which would skip blanks that belong to the string.
        if self.peek() != Some('"') {
            return Err(self.error("a string in quotes is missing"));
        }
        self.advance(1);
        let mut bytes = Vec::new();
        loop {
            let Some(c) = self.peek() else {
                return Err(self.error("the string does not end"));
            };
            let octets = self.advance(c.len_utf8());
            match c {
                '"' => break,
                '\\' => bytes.push(self.escape()?),
                _ => bytes.extend_from_slice(octets.as_bytes()),
            }
        }
        self.skip_blanks();
        Ok(bytes)
    }

    fn escape(&mut self) -> Result<u8, String> {
        Ok(match self.advance(1) {
            "n" => b'\n',
            "r" => b'\r',
            "t" => b'\t',
            "\\" => b'\\',
            "\"" => b'"',
            "x" => {
                let digits = self.advance(2);
                hex(digits).ok_or_else(|| self.error(format!("`{digits}` are not two hex digits")))?
            }
            other => return Err(self.error(format!("`\\{other}` is no escape"))),
        })
    }
}

/// Two hex digits as an octet.
pub(super) fn hex(digits: &str) -> Option<u8> {
    let all_digits = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    all_digits.then(|| u8::from_str_radix(digits, 16).ok())?
}
