//! Rust text, and the same text with all that is not code masked.
//!
//! The mask has the length and the lines of the text: comments become spaces, the insides of strings and
//! characters become `_`. So a rule finds `fn` or a brace by plain search and is never fooled by a string
//! or a comment, and a position in one is a position in the other. This is a lexer of four token kinds, no
//! parser.

/// One Rust file.
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    /// `text` with comments and literals masked; same bytes a line, same lines.
    pub(super) code: String,
    /// By line, counted from 0: whether a comment that documents nothing (`//`, `/*`) stands on it.
    remarks: Vec<bool>,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Source<'a> {
        let mut mask = Mask {
            bytes: text.as_bytes(),
            code: text.as_bytes().to_vec(),
            remarks: Vec::new(),
        };
        mask.run();
        let mut remarks = vec![false; text.lines().count() + 1];
        for at in mask.remarks {
            for line in line_of(text, at.start)..=line_of(text, at.end) {
                if let Some(flag) = remarks.get_mut(line) {
                    *flag = true;
                }
            }
        }
        // Whole characters are masked byte by byte, so what is left is valid; lossy keeps that from
        // mattering.
        Source {
            text,
            code: String::from_utf8_lossy(&mask.code).into_owned(),
            remarks,
        }
    }

    /// Whether a remark stands on a line, counted from 0.
    pub(super) fn has_remark(&self, line: usize) -> bool {
        self.remarks.get(line).copied().unwrap_or(false)
    }

    /// The line, counted from 0, of a position in `text` or `code`.
    pub(super) fn line_at(&self, position: usize) -> usize {
        line_of(self.text, position)
    }
}

fn line_of(text: &str, position: usize) -> usize {
    text.bytes().take(position).filter(|byte| *byte == b'\n').count()
}

struct Mask<'a> {
    bytes: &'a [u8],
    code: Vec<u8>,
    /// First and last byte of each remark.
    remarks: Vec<std::ops::Range<usize>>,
}

impl Mask<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while let Some(byte) = self.byte(at) {
            at = match (byte, self.byte(at + 1)) {
                (b'/', Some(b'/')) => self.line_comment(at),
                (b'/', Some(b'*')) => self.block_comment(at),
                (b'"', _) => self.string(at),
                (b'\'', _) => self.character(at),
                (b'r', Some(b'"' | b'#')) => self.raw_string(at),
                _ => at + 1,
            };
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Where `wanted` begins at or behind `at`, or the end.
    fn find(&self, wanted: &[u8], at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        rest.windows(wanted.len())
            .position(|window| window == wanted)
            .map_or(self.bytes.len(), |found| at + found)
    }

    fn fill(&mut self, from: usize, to: usize, with: u8) {
        for byte in self.code.iter_mut().take(to).skip(from) {
            if *byte != b'\n' {
                *byte = with;
            }
        }
    }

    fn comment(&mut self, from: usize, to: usize) -> usize {
        let text = self.bytes.get(from..to).unwrap_or_default();
        let documents = [&b"///"[..], b"//!", b"/**", b"/*!"]
            .iter()
            .any(|opening| text.starts_with(opening));
        if !documents {
            self.remarks.push(from..to.saturating_sub(1));
        }
        self.fill(from, to, b' ');
        to
    }

    fn line_comment(&mut self, at: usize) -> usize {
        self.comment(at, self.find(b"\n", at))
    }

    fn block_comment(&mut self, at: usize) -> usize {
        let mut depth = 1;
        let mut end = at + 2;
        while depth > 0 {
            let (open, close) = (self.find(b"/*", end), self.find(b"*/", end));
            if close == self.bytes.len() {
                return self.comment(at, close);
            }
            if open < close {
                depth += 1;
            } else {
                depth -= 1;
            }
            end = open.min(close) + 2;
        }
        self.comment(at, end)
    }

    fn string(&mut self, at: usize) -> usize {
        let mut end = at + 1;
        while let Some(byte) = self.byte(end) {
            match byte {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        self.fill(at + 1, end, b'_');
        end + 1
    }

    fn raw_string(&mut self, at: usize) -> usize {
        let hashes = self
            .bytes
            .iter()
            .skip(at + 1)
            .take_while(|byte| **byte == b'#')
            .count();
        let opening = at + 1 + hashes;
        // `r#type` is an identifier, and the r of `for"` would be the end of a word.
        if self.byte(opening) != Some(b'"') || !self.begins_literal(at) {
            return at + 1;
        }
        let mut closing = vec![b'"'];
        closing.resize(hashes + 1, b'#');
        let end = self.find(&closing, opening + 1);
        self.fill(opening + 1, end, b'_');
        end + closing.len()
    }

    /// Whether a literal's `r` stands at `at`: no word runs into it, but for the prefixes `b` and `c`.
    fn begins_literal(&self, at: usize) -> bool {
        let before = |back: usize| at.checked_sub(back).and_then(|at| self.byte(at));
        match before(1) {
            Some(b'b' | b'c') => !before(2).is_some_and(is_word),
            Some(byte) => !is_word(byte),
            None => true,
        }
    }

    /// A character literal, or only the quote of a lifetime.
    fn character(&mut self, at: usize) -> usize {
        let end = match self.byte(at + 1) {
            // What follows the backslash may be a quote itself.
            Some(b'\\') => self.find(b"'", at + 3),
            Some(first) => at + 1 + character_bytes(first),
            None => return at + 1,
        };
        if self.byte(end) != Some(b'\'') {
            return at + 1;
        }
        self.fill(at + 1, end, b'_');
        end + 1
    }
}

/// How many bytes the UTF-8 character has that begins with `first`.
fn character_bytes(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

/// Whether the byte can be part of an identifier.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        let code = Source::new(text).code;
        assert_eq!(code.len(), text.len());
        code
    }

    #[test]
    fn comments_become_spaces() {
        assert_eq!(code("a // fn {\nb"), "a        \nb");
        assert_eq!(code("a /* { /* } */ \n { */ b"), "a              \n      b");
        assert_eq!(code("a /* open"), "a        ");
    }

    #[test]
    fn strings_keep_their_quotes_and_lines() {
        assert_eq!(code(r#"f("a \" // {", b)"#), r#"f("_________", b)"#);
        assert_eq!(code("\"a\nb\""), "\"_\n_\"");
        assert_eq!(code("\"open"), "\"____");
    }

    #[test]
    fn raw_strings_end_at_their_own_hashes() {
        assert_eq!(code(r##"r#"a " b"# c"##), r##"r#"_____"# c"##);
        assert_eq!(code(r#"br"\" c"#), r#"br"_" c"#);
        assert_eq!(code("r#type { x"), "r#type { x");
    }

    #[test]
    fn characters_are_told_from_lifetimes() {
        assert_eq!(code(r"'{' '\'' '\u{7b}' 'é' x"), r"'_' '__' '______' '__' x");
        assert_eq!(code("<'a, 'b> {"), "<'a, 'b> {");
        assert_eq!(code("b'\"' {"), "b'_' {");
    }

    #[test]
    fn remarks_are_comments_that_document_nothing() {
        let source = Source::new("//! head\n/// doc\nlet a; // why\n/* two\nlines */\nb\n");
        let lines: Vec<usize> = (0..7).filter(|line| source.has_remark(*line)).collect();
        assert_eq!(lines, [2, 3, 4]);
    }
}
