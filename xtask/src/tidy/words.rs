//! Words that are not committed: marks of unfinished work, and paths of one machine.
//!
//! What is unfinished belongs in an issue, where somebody looks; a path of somebody's machine is wrong on
//! every other. The words stand here in two halves, so that this file keeps its own rule.

use super::Fault;
use super::source::is_word;

/// Found as whole words, in capitals.
const MARKS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Found where an absolute path begins.
const PATHS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
];

pub(super) fn check(path: &str, text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        for mark in MARKS.iter().filter(|mark| has(line, mark, is_word, is_word)) {
            faults.push(Fault::new(
                path,
                number,
                format!("the word {mark}: write what is so, or an issue"),
            ));
        }
        // A folder of that name inside a relative path or an address is no absolute path.
        for start in PATHS
            .iter()
            .filter(|start| has(line, start, continues_path, |_| false))
        {
            faults.push(Fault::new(
                path,
                number,
                format!("the path {start} is one machine's"),
            ));
        }
    }
    faults
}

/// Whether `wanted` stands in the line with no byte before it that `before` takes and none behind that
/// `behind` takes.
fn has(line: &str, wanted: &str, before: fn(u8) -> bool, behind: fn(u8) -> bool) -> bool {
    let bytes = line.as_bytes();
    line.match_indices(wanted).any(|(at, word)| {
        let previous = at.checked_sub(1).and_then(|at| bytes.get(at)).copied();
        let next = bytes.get(at + word.len()).copied();
        !previous.is_some_and(before) && !next.is_some_and(behind)
    })
}

fn continues_path(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'.' | b'-' | b'~' | b'}' | b')' | b'*' | b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(line: &str) -> usize {
        check("a.md", line).len()
    }

    #[test]
    fn marks_are_whole_words_in_capitals() {
        for mark in MARKS {
            assert_eq!(faults(&format!("// {mark}: later")), 1);
            assert_eq!(faults(&format!("({mark})")), 1);
            assert_eq!(faults(&format!("A{mark}")), 0);
            assert_eq!(faults(&format!("{mark}S_MAX")), 0);
            assert_eq!(faults(&mark.to_lowercase()), 0);
        }
    }

    #[test]
    fn an_absolute_path_of_a_machine_is_found() {
        for path in PATHS {
            for line in [
                format!("{path}a"),
                format!("see `{path}a`"),
                format!("DIR={path}"),
                format!("file://{path}"),
            ] {
                let expected = usize::from(!line.starts_with("file:"));
                assert_eq!(faults(&line), expected, "{line}");
            }
            for line in [
                format!("target{path}"),
                format!("..{path}"),
                format!("${{DIR}}{path}"),
                format!("~{path}"),
            ] {
                assert_eq!(faults(&line), 0, "{line}");
            }
        }
    }

    #[test]
    fn a_fault_names_its_line() {
        let text = format!("fine\n{}\n", MARKS[0]);
        assert_eq!(check("a.md", &text)[0].line, 2);
    }
}
