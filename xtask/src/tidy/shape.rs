//! How a Rust file looks from far: its size, its lines, its head, and a reason for every lint that it
//! silences.

use super::source::{Source, is_word};
use super::{Fault, file_name};

/// Lines of code in a file: without blank lines and comments.
const FILE_LINES: usize = 700;

/// Characters in a line.
const LINE_CHARS: usize = 110;

/// What every test may do without saying why: a panic is how it fails.
const TEST_LINTS: &[&str] = &[
    "clippy::unwrap_used",
    "clippy::expect_used",
    "clippy::indexing_slicing",
    "clippy::panic",
];

pub(super) fn check(path: &str, source: &Source<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let generated = file_name(path) == "generated.rs";
    let tests = file_name(path) == "tests.rs";
    let lines = source.code.lines().filter(|line| !line.trim().is_empty()).count();
    if lines > FILE_LINES && !generated && !tests {
        faults.push(Fault::new(
            path,
            0,
            format!("{lines} lines of code, more than {FILE_LINES}: split it"),
        ));
    }
    if !generated {
        faults.extend(long_lines(path, source.text));
    }
    if !has_head(source.text) {
        faults.push(Fault::new(path, 1, "no `//!` head that says what the file is"));
    }
    faults.extend(unreasoned_allows(path, source));
    faults
}

fn long_lines<'a>(path: &'a str, text: &'a str) -> impl Iterator<Item = Fault> + 'a {
    text.lines().zip(1..).filter_map(move |(line, number)| {
        let chars = line.chars().count();
        (chars > LINE_CHARS).then(|| {
            Fault::new(
                path,
                number,
                format!("{chars} characters, more than {LINE_CHARS}"),
            )
        })
    })
}

/// Whether `//!` comes before any item. Plain comments (a generator's mark) and attributes of the file
/// (`#![no_main]`) may stand above it.
fn has_head(text: &str) -> bool {
    text.lines()
        .map(str::trim)
        .find(|line| {
            let above =
                line.is_empty() || line.starts_with("#![") || (line.starts_with("//") && !is_doc(line));
            !above
        })
        .is_some_and(|line| line.starts_with("//!"))
}

fn is_doc(line: &str) -> bool {
    line.starts_with("//!") || line.starts_with("///")
}

/// An attribute in masked code.
struct Attribute<'a> {
    start: usize,
    end: usize,
    inner: bool,
    code: &'a str,
}

fn unreasoned_allows(path: &str, source: &Source<'_>) -> Vec<Fault> {
    let unreasoned = |attribute: &Attribute<'_>| {
        allowed(attribute.code).is_some_and(|lints| {
            !has_reason(source, attribute) && !opens_test_lints(path, source, attribute, &lints)
        })
    };
    attributes(&source.code)
        .filter(unreasoned)
        .map(|attribute| {
            let line = source.line_at(attribute.start) + 1;
            Fault::new(
                path,
                line,
                "an allow without its reason on the same line or the one above",
            )
        })
        .collect()
}

/// All attributes, `#[...]` and `#![...]`.
fn attributes(code: &str) -> impl Iterator<Item = Attribute<'_>> {
    code.match_indices('#').filter_map(|(start, _)| {
        let rest = code.get(start + 1..)?;
        let inner = rest.starts_with('!');
        let body = rest.strip_prefix('!').unwrap_or(rest);
        if !body.starts_with('[') {
            return None;
        }
        let mut depth = 0;
        let length = body.char_indices().find_map(|(at, character)| {
            match character {
                '[' => depth += 1,
                ']' => depth -= 1,
                _ => {}
            }
            (depth == 0).then_some(at + 1)
        })?;
        let end = start + 1 + usize::from(inner) + length;
        Some(Attribute {
            start,
            end,
            inner,
            code: code.get(start..end)?,
        })
    })
}

/// The lints that an attribute allows; nothing when it is about something else.
fn allowed(attribute: &str) -> Option<Vec<&str>> {
    let (at, word) = attribute.match_indices("allow").find(|(at, word)| {
        let before = attribute.as_bytes().get(at.wrapping_sub(1)).copied();
        let behind = attribute.get(at + word.len()..).unwrap_or_default();
        !before.is_some_and(is_word) && behind.trim_start().starts_with('(')
    })?;
    let list = attribute.get(at + word.len()..)?.trim_start().strip_prefix('(')?;
    let list = list.split_once(')').map_or(list, |(list, _)| list);
    Some(
        list.split(',')
            .map(str::trim)
            .filter(|lint| !lint.is_empty())
            .collect(),
    )
}

/// A `reason = "..."`, a remark on one of the attribute's lines, or one alone on the line above it.
fn has_reason(source: &Source<'_>, attribute: &Attribute<'_>) -> bool {
    let has_argument = attribute.code.match_indices("reason").any(|(at, word)| {
        attribute
            .code
            .get(at + word.len()..)
            .is_some_and(|behind| behind.trim_start().starts_with('='))
    });
    let (first, last) = (
        source.line_at(attribute.start),
        source.line_at(attribute.end.saturating_sub(1)),
    );
    let beside = (first..=last).any(|line| source.has_remark(line));
    let above = first.checked_sub(1).is_some_and(|line| {
        source.has_remark(line)
            && source
                .code
                .lines()
                .nth(line)
                .is_some_and(|code| code.trim().is_empty())
    });
    has_argument || beside || above
}

/// The standing `#![allow(...)]` at the head of a tests module or of a file of tests.
fn opens_test_lints(path: &str, source: &Source<'_>, attribute: &Attribute<'_>, lints: &[&str]) -> bool {
    let test_file = file_name(path) == "tests.rs" || path.contains("/tests/") || path.starts_with("tests/");
    let before = source.code.get(..attribute.start).unwrap_or_default().trim_end();
    let in_tests = test_file || before.ends_with("mod tests {");
    attribute.inner && in_tests && lints.iter().all(|lint| TEST_LINTS.contains(lint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &str, text: &str) -> Vec<String> {
        check(path, &Source::new(text))
            .iter()
            .map(Fault::to_string)
            .collect()
    }

    const ALLOW: &str = "an allow without its reason on the same line or the one above";

    #[test]
    fn only_code_counts_for_the_size() {
        let of = |lines: usize| format!("//! Head.\n{}", "x!();\n\n// why\n".repeat(lines));
        assert!(said("src/a.rs", &of(700)).is_empty());
        assert_eq!(
            said("src/a.rs", &of(701)),
            ["src/a.rs: 701 lines of code, more than 700: split it"]
        );
        assert!(said("src/tests.rs", &of(701)).is_empty());
        assert!(said("src/generated.rs", &of(701)).is_empty());
    }

    #[test]
    fn a_line_is_measured_in_characters() {
        let of = |chars: usize| format!("//! Head.\n// {}\n", "é".repeat(chars - 3));
        assert!(said("a.rs", &of(110)).is_empty());
        assert_eq!(said("a.rs", &of(111)), ["a.rs:2: 111 characters, more than 110"]);
        assert!(said("b/generated.rs", &of(111)).is_empty());
    }

    #[test]
    fn the_head_comes_before_any_item() {
        for text in [
            "//! Head.\n",
            "// @generated\n\n//! Head.\n",
            "#![no_main]\n//! Head.\nfn f() {}\n",
        ] {
            assert!(said("a.rs", text).is_empty(), "{text}");
        }
        for text in [
            "",
            "fn f() {}\n//! Late.\n",
            "/// Of an item.\nfn f() {}\n",
            "// Plain.\nfn f() {}\n",
        ] {
            assert_eq!(
                said("a.rs", text),
                ["a.rs:1: no `//!` head that says what the file is"],
                "{text}"
            );
        }
    }

    #[test]
    fn an_allow_needs_a_reason() {
        let with = |lines: &str| said("src/a.rs", &format!("//! Head.\n{lines}\nfn f() {{}}\n"));
        for good in [
            "#[allow(dead_code)] // the wire has it",
            "// the wire has it\n#[allow(dead_code)]",
            "#[allow(dead_code, reason = \"the wire has it\")]",
            "#[allow(\n    dead_code, // the wire has it\n)]",
            "/// Doc.\n#[must_use]",
            "let allow = f(\"#[allow(dead_code)]\"); // #[allow(dead_code)]",
            "#[cfg(feature = \"allow\")]",
            "#[disallow(x)]",
        ] {
            assert!(with(good).is_empty(), "{good}");
        }
        for (bad, line) in [
            ("#[allow(dead_code)]", 2),
            ("#![allow(dead_code)]", 2),
            ("/// Doc is no reason.\n#[allow(dead_code)]", 3),
            ("f(); // of f\n#[allow(dead_code)]", 3),
            ("#[cfg_attr(test, allow(dead_code))]", 2),
        ] {
            assert_eq!(with(bad), [format!("src/a.rs:{line}: {ALLOW}")], "{bad}");
        }
    }

    #[test]
    fn tests_may_panic_without_saying_why() {
        let allow = "#![allow(clippy::unwrap_used, clippy::panic)]";
        assert!(said("src/a.rs", &format!("//! Head.\nmod tests {{\n    {allow}\n}}\n")).is_empty());
        assert!(said("src/queue/tests.rs", &format!("//! Head.\n{allow}\n")).is_empty());
        assert!(said("crates/net/tests/it/main.rs", &format!("//! Head.\n{allow}\n")).is_empty());
        assert_eq!(
            said("src/a.rs", &format!("//! Head.\n{allow}\n")),
            [format!("src/a.rs:2: {ALLOW}")]
        );
        let other = "//! Head.\n#![allow(clippy::panic, dead_code)]\n";
        assert_eq!(said("src/tests.rs", other), [format!("src/tests.rs:2: {ALLOW}")]);
    }
}
