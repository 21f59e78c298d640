//! How long functions are, and the ratchet for those that are too long.
//!
//! A function's length is its lines from `fn` to the closing brace, with all that lies between: what does
//! not fit on a screen is not read in one look. One that passed the limit before it was held to it stands
//! in the ratchet with its length. It may shrink, and never grow; `cargo xtask fix` lowers the number to
//! what is there.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, is_word};
use super::{Fault, file_name};

/// Lines of a function.
const LIMIT: usize = 70;

/// One function that is longer than the limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Long {
    name: String,
    /// Counted from 1.
    line: usize,
    lines: usize,
}

/// The functions of a file that pass the limit, inner ones too.
pub(super) fn long(source: &Source<'_>) -> Vec<Long> {
    functions(source)
        .into_iter()
        .filter(|function| function.lines > LIMIT)
        .collect()
}

fn functions(source: &Source<'_>) -> Vec<Long> {
    let code = source.code.as_str();
    code.match_indices("fn")
        .filter_map(|(at, word)| {
            let before = at.checked_sub(1).and_then(|before| code.as_bytes().get(before));
            let behind = code.get(at + word.len()..)?;
            let rest = behind.trim_start();
            // No name follows the fn of a pointer's type, `fn(u8)`, or of a macro, `fn $name`.
            let name: String = rest
                .bytes()
                .take_while(|byte| is_word(*byte))
                .map(char::from)
                .collect();
            if before.is_some_and(|byte| is_word(*byte)) || rest.len() == behind.len() || name.is_empty() {
                return None;
            }
            let first = source.line_at(at);
            let last = source.line_at(body_end(code, at)?);
            Some(Long {
                name,
                line: first + 1,
                lines: last - first + 1,
            })
        })
        .collect()
}

/// Where the closing brace is of the body of the function whose signature begins at `at`; nothing when it has
/// no body.
fn body_end(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut braces = 0_usize;
    for (position, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'(' | b'[' if braces == 0 => depth += 1,
            b')' | b']' if braces == 0 => depth = depth.saturating_sub(1),
            b';' if depth == 0 && braces == 0 => return None,
            b'{' if depth == 0 => braces += 1,
            b'}' if depth == 0 => {
                braces = braces.checked_sub(1)?;
                // `Array<{ N }>` in a signature has braces that are no body.
                let next = code.get(position + 1..)?.trim_start();
                if braces == 0 && !next.starts_with(['>', ',']) {
                    return Some(position);
                }
            }
            _ => {}
        }
    }
    None
}

/// Functions by path and name. Several of one name in a file are told apart by order of length alone.
type Key = (String, String);

/// What the file of the ratchet says, and what the tree has.
pub(super) struct Ratchet {
    path: String,
    /// The comment lines at the top, which a rewrite keeps.
    head: String,
    allowed: BTreeMap<Key, Vec<usize>>,
    malformed: Vec<Fault>,
    measured: BTreeMap<Key, Vec<(usize, usize)>>,
}

impl Ratchet {
    /// Reads lines of `path function length`; `#` begins a comment line.
    pub(super) fn parse(path: &str, text: &str) -> Ratchet {
        let mut ratchet = Ratchet {
            path: path.to_owned(),
            head: String::new(),
            allowed: BTreeMap::new(),
            malformed: Vec::new(),
            measured: BTreeMap::new(),
        };
        for (line, number) in text.lines().zip(1..) {
            if line.starts_with('#') {
                ratchet.head.push_str(line);
                ratchet.head.push('\n');
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [] => {}
                [file, name, lines] if lines.parse::<usize>().is_ok_and(|lines| lines > LIMIT) => {
                    let key = ((*file).to_owned(), (*name).to_owned());
                    ratchet
                        .allowed
                        .entry(key)
                        .or_default()
                        .extend(lines.parse::<usize>());
                }
                _ => ratchet.malformed.push(Fault::new(
                    path,
                    number,
                    format!("wants `path function lines`, with more than {LIMIT} lines"),
                )),
            }
        }
        ratchet
    }

    /// Notes the long functions of a file.
    pub(super) fn measure(&mut self, path: &str, long: &[Long]) {
        if file_name(path) == "generated.rs" {
            return;
        }
        for function in long {
            let key = (path.to_owned(), function.name.clone());
            self.measured
                .entry(key)
                .or_default()
                .push((function.lines, function.line));
        }
    }

    /// Adds a fault for every function that passes what it is allowed, and returns notes on entries that
    /// can be lowered or dropped.
    pub(super) fn judge(&mut self, faults: &mut Vec<Fault>) -> Vec<String> {
        faults.append(&mut self.malformed);
        let mut notes = Vec::new();
        for key in self.keys() {
            let (allowed, measured) = self.pair(&key);
            let (path, name) = &key;
            for (place, (lines, line)) in measured.iter().enumerate() {
                match allowed.get(place) {
                    None => faults.push(Fault::new(
                        path,
                        *line,
                        format!("function `{name}` has {lines} lines, more than {LIMIT}"),
                    )),
                    Some(limit) if lines > limit => faults.push(Fault::new(
                        path,
                        *line,
                        format!(
                            "function `{name}` has grown to {lines} lines; {} allows {limit}",
                            self.path
                        ),
                    )),
                    Some(limit) if lines < limit => {
                        notes.push(format!(
                            "{path}: `{name}` has shrunk from {limit} to {lines}; cargo xtask fix"
                        ));
                    }
                    Some(_) => {}
                }
            }
            for _ in measured.len()..allowed.len() {
                notes.push(format!("{path}: `{name}` is no longer too long; cargo xtask fix"));
            }
        }
        notes
    }

    /// The file's text with every number lowered to what was measured, and without entries that are not
    /// needed.
    pub(super) fn tightened(&self) -> String {
        let mut text = self.head.clone();
        for key in self.keys() {
            let (allowed, measured) = self.pair(&key);
            for (limit, (lines, _)) in allowed.iter().zip(measured) {
                text.push_str(&format!("{} {} {}\n", key.0, key.1, lines.min(*limit)));
            }
        }
        text
    }

    fn keys(&self) -> BTreeSet<Key> {
        self.allowed.keys().chain(self.measured.keys()).cloned().collect()
    }

    /// What is allowed and what was measured of one name, each with the longest first.
    fn pair(&self, key: &Key) -> (Vec<usize>, Vec<(usize, usize)>) {
        let mut allowed = self.allowed.get(key).cloned().unwrap_or_default();
        let mut measured = self.measured.get(key).cloned().unwrap_or_default();
        allowed.sort_unstable_by(|one, other| other.cmp(one));
        measured.sort_unstable_by(|one, other| other.cmp(one));
        (allowed, measured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(text: &str) -> Vec<(String, usize, usize)> {
        functions(&Source::new(text))
            .into_iter()
            .map(|found| (found.name, found.line, found.lines))
            .collect()
    }

    fn found(name: &str, line: usize, lines: usize) -> (String, usize, usize) {
        (name.to_owned(), line, lines)
    }

    #[test]
    fn a_function_runs_from_its_keyword_to_its_brace() {
        let text =
            "/// Doc.\npub(crate) async fn one(\n    a: [u8; 4],\n) -> u8 {\n    \"}\"; // }\n    a\n}\n";
        assert_eq!(measured(text), [found("one", 2, 6)]);
        assert_eq!(
            measured("fn a() {} fn b() {\n}\n"),
            [found("a", 1, 1), found("b", 1, 2)]
        );
    }

    #[test]
    fn inner_functions_count_for_themselves_and_their_outer_one() {
        assert_eq!(
            measured("fn a() {\n    fn b() {\n    }\n}\n"),
            [found("a", 1, 4), found("b", 2, 2)]
        );
    }

    #[test]
    fn what_has_no_body_or_no_name_is_no_function() {
        let text = "trait T { fn a(&self) -> [u8; 2]; }\ntype F = fn(u8) -> u8;\nlet fnord = \"fn x() {\";\n";
        assert_eq!(measured(text), []);
        assert_eq!(
            measured("macro_rules! m { ($n:ident) => { fn $n() {\n\n} } }"),
            []
        );
    }

    #[test]
    fn braces_in_a_signature_are_no_body() {
        let text = "fn a<T>(x: [u8; { 1 }]) -> A<{ N }, { M }>\nwhere\n    T: B<{ N }>,\n{\n}\n";
        assert_eq!(measured(text), [found("a", 1, 5)]);
    }

    fn function(lines: usize) -> String {
        format!("fn f() {{\n{}}}\n", "    x();\n".repeat(lines - 2))
    }

    fn judged(ratchet: &str, text: &str) -> (Vec<String>, Vec<String>, String) {
        let mut ratchet = Ratchet::parse("r.txt", ratchet);
        ratchet.measure("a.rs", &long(&Source::new(text)));
        let mut faults = Vec::new();
        let notes = ratchet.judge(&mut faults);
        (
            faults.iter().map(Fault::to_string).collect(),
            notes,
            ratchet.tightened(),
        )
    }

    #[test]
    fn the_limit_is_seventy_lines() {
        assert!(judged("", &function(70)).0.is_empty());
        assert_eq!(
            judged("", &function(71)).0,
            ["a.rs:1: function `f` has 71 lines, more than 70"]
        );
    }

    #[test]
    fn a_listed_function_may_shrink_and_not_grow() {
        let listed = "# why\na.rs f 75\n";
        assert_eq!(judged(listed, &function(75)), (vec![], vec![], listed.to_owned()));
        assert_eq!(
            judged(listed, &function(76)),
            (
                vec!["a.rs:1: function `f` has grown to 76 lines; r.txt allows 75".to_owned()],
                vec![],
                listed.to_owned()
            )
        );
        let (faults, notes, tightened) = judged(listed, &function(72));
        assert!(faults.is_empty());
        assert_eq!(notes.len(), 1);
        assert_eq!(tightened, "# why\na.rs f 72\n");
    }

    #[test]
    fn an_entry_is_dropped_when_its_function_is_short_or_gone() {
        let (faults, notes, tightened) = judged("a.rs f 75\n", &function(70));
        assert!(faults.is_empty());
        assert_eq!((notes.len(), tightened.as_str()), (1, ""));
    }

    #[test]
    fn an_entry_covers_one_function_of_its_name() {
        let two = format!("{}{}", function(80), function(72));
        assert_eq!(
            judged("a.rs f 80\n", &two).0,
            ["a.rs:81: function `f` has 72 lines, more than 70"]
        );
        assert!(judged("a.rs f 72\na.rs f 80\n", &two).0.is_empty());
    }

    #[test]
    fn a_line_that_says_nothing_is_a_fault() {
        assert_eq!(judged("a.rs f\na.rs f 70\n", "").0.len(), 2);
    }

    #[test]
    fn generated_functions_have_no_limit() {
        let mut ratchet = Ratchet::parse("r.txt", "");
        ratchet.measure("src/generated.rs", &long(&Source::new(&function(99))));
        let mut faults = Vec::new();
        ratchet.judge(&mut faults);
        assert!(faults.is_empty());
    }
}
