//! What ARCHITECTURE.md names exists: every `docs/...` in it, and every relative link.

use std::fs;
use std::path::Path;

use super::Fault;

const MAP: &str = "ARCHITECTURE.md";

pub(super) fn check(root: &Path) -> Vec<Fault> {
    let Ok(text) = fs::read_to_string(root.join(MAP)) else {
        return vec![Fault::new(
            MAP,
            0,
            "is missing: the map of the crates and of what always holds",
        )];
    };
    let mut faults = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let mut names: Vec<&str> = links(line).chain(documents(line)).collect();
        names.sort_unstable();
        names.dedup();
        for name in names.into_iter().filter(|name| !root.join(name).exists()) {
            faults.push(Fault::new(
                MAP,
                number,
                format!("names {name}, which does not exist"),
            ));
        }
    }
    faults
}

/// The targets of `[text](target)` that lie in this tree.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0))
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .map(|target| target.split(['#', ' ']).next().unwrap_or_default())
        .filter(|target| !target.is_empty())
}

/// Words that begin with `docs/`; of a pattern, the part before its star.
fn documents(line: &str) -> impl Iterator<Item = &str> {
    line.split(|character: char| character.is_whitespace() || "`()[]<>{}\"',;|".contains(character))
        .filter(|word| word.starts_with("docs/"))
        .map(|word| {
            word.split(['#', '*'])
                .next()
                .unwrap_or_default()
                .trim_end_matches(['.', ':'])
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn said(text: &str) -> Vec<String> {
        let tree = Scratch::new();
        tree.write("docs/flow.md", "");
        tree.write("docs/adr/0001-dependencies.md", "");
        tree.write(MAP, text);
        check(tree.path()).iter().map(Fault::to_string).collect()
    }

    #[test]
    fn what_is_there_is_fine() {
        let text = "`docs/flow.md`, docs/flow.md. [flow](docs/flow.md#queues)\n\
                    `docs/adr/*`, [web](https://a.b/docs/x)\n";
        assert_eq!(said(text), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_there_is_named_with_its_line() {
        let missing = |name: &str| format!("ARCHITECTURE.md:2: names {name}, which does not exist");
        assert_eq!(said("x\nsee `docs/gone.md`\n"), [missing("docs/gone.md")]);
        assert_eq!(
            said("x\n[gone](crates/gone/README.md)\n"),
            [missing("crates/gone/README.md")]
        );
        assert_eq!(said("x\n[gone](docs/gone.md)\n"), [missing("docs/gone.md")]);
    }

    #[test]
    fn the_map_itself_must_be_there() {
        let tree = Scratch::new();
        assert_eq!(check(tree.path()).len(), 1);
    }
}
