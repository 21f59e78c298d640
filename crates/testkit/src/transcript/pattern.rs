//! Lines with variables: names that the broker makes up, and what differs between brokers.
//!
//! ```text
//! $q      what stands here, no quote and no blank in it; from then on that text
//! $_      anything
//! $$      a dollar
//! ```

use std::collections::BTreeMap;

/// What variables stand for.
pub(super) type Variables = BTreeMap<String, String>;

#[derive(Debug, PartialEq, Eq)]
enum Piece<'p> {
    Text(&'p str),
    Variable(&'p str),
}

fn pieces(pattern: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('$') {
        found.push(Piece::Text(before));
        if let Some(behind) = after.strip_prefix('$') {
            found.push(Piece::Text("$"));
            rest = behind;
            continue;
        }
        let length = after
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
            .count();
        let (name, behind) = after.split_at_checked(length).unwrap_or((after, ""));
        found.push(Piece::Variable(name));
        rest = behind;
    }
    found.push(Piece::Text(rest));
    found
}

/// Whether a line is what the pattern says. Variables that it meets first are added.
pub(super) fn matches(pattern: &str, line: &str, variables: &mut Variables) -> bool {
    let mut bound = variables.clone();
    let fits = rest_matches(&pieces(pattern), line, &mut bound);
    if fits {
        *variables = bound;
    }
    fits
}

fn rest_matches(pieces: &[Piece<'_>], line: &str, variables: &mut Variables) -> bool {
    let Some((first, others)) = pieces.split_first() else {
        return line.is_empty();
    };
    let name = match first {
        Piece::Text(text) => {
            return line
                .strip_prefix(text)
                .is_some_and(|rest| rest_matches(others, rest, variables));
        }
        Piece::Variable(name) => *name,
    };
    if let Some(value) = variables.get(name) {
        let Some(rest) = line.strip_prefix(value.as_str()) else {
            return false;
        };
        return rest_matches(others, rest, variables);
    }
    let is_named = name != "_";
    let ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
    for end in ends {
        let Some((value, rest)) = line.split_at_checked(end) else {
            continue;
        };
        if is_named && value.contains(['"', ' ']) {
            return false;
        }
        if is_named && value.is_empty() {
            continue;
        }
        let mut bound = variables.clone();
        if is_named {
            bound.insert(name.to_owned(), value.to_owned());
        }
        if rest_matches(others, rest, &mut bound) {
            *variables = bound;
            return true;
        }
    }
    false
}

/// A line with variables replaced by what they stand for.
///
/// # Errors
/// A variable that stands for nothing yet.
pub(super) fn fill(pattern: &str, variables: &Variables) -> Result<String, String> {
    let filled = pieces(pattern).into_iter().map(|piece| match piece {
        Piece::Text(text) => Ok(text),
        Piece::Variable(name) => match variables.get(name) {
            Some(value) => Ok(value.as_str()),
            None => Err(format!("nothing was heard that ${name} stands for")),
        },
    });
    filled.collect()
}

/// What broker-made names begin with, and the variable that stands for one when a transcript is written.
const MADE_UP: &[(&str, &str)] = &[
    ("amq.gen-", "q"),
    ("amq.ctag-", "t"),
    ("amq.rabbitmq.reply-to.", "r"),
];

/// A line that was heard as a pattern: made-up names become variables, named q1, q2, ... for queues, t1 for
/// tags and r1 for reply addresses.
pub(super) fn generalise(line: &str, variables: &mut Variables) -> String {
    let mut line = line.replace('$', "$$");
    for (prefix, letter) in MADE_UP {
        let mut from = 0;
        while let Some(at) = line
            .get(from..)
            .and_then(|rest| rest.find(prefix))
            .map(|at| at + from)
        {
            let rest = line.get(at..).unwrap_or_default();
            let name: String = rest
                .chars()
                .take_while(|c| !matches!(c, '"' | '\'' | ' '))
                .collect();
            if name.len() == prefix.len() {
                break;
            }
            let known = variables
                .iter()
                .find(|(_, value)| **value == name)
                .map(|(key, _)| key.clone());
            let variable = known.unwrap_or_else(|| {
                let taken = variables.keys().filter(|key| key.starts_with(letter)).count();
                format!("{letter}{}", taken + 1)
            });
            line.replace_range(at..at + name.len(), &format!("${variable}"));
            variables.insert(variable, name);
            from = at + 1;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn variables_keep_what_they_met_first() {
        let mut known = Variables::new();
        assert!(matches(
            "ok queue=\"$q\" n=1",
            "ok queue=\"amq.gen-1\" n=1",
            &mut known
        ));
        assert_eq!(known["q"], "amq.gen-1");
        assert!(!matches("ok queue=\"$q\"", "ok queue=\"amq.gen-2\"", &mut known));
        assert!(matches("ok queue=\"$q\"", "ok queue=\"amq.gen-1\"", &mut known));
        assert_eq!(
            fill("get queue=\"$q\" $$", &known).unwrap(),
            "get queue=\"amq.gen-1\" $"
        );
        assert!(fill("$nothing", &known).is_err());
    }

    #[test]
    fn anything_is_anything_and_names_have_no_blanks() {
        let mut known = Variables::new();
        assert!(matches("a={$_} b", "a={x=\"1 }\"} b", &mut known));
        assert!(known.is_empty());
        assert!(!matches("a=$x b", "a=1 2 b", &mut known));
        assert!(!matches("a", "ab", &mut known));
    }

    #[test]
    fn made_up_names_become_variables() {
        let mut known = Variables::new();
        assert_eq!(generalise("q=\"amq.gen-Ab_c\" $5", &mut known), "q=\"$q1\" $$5");
        assert_eq!(
            generalise("'amq.gen-Ab_c' 'amq.gen-D'", &mut known),
            "'$q1' '$q2'"
        );
        assert_eq!(
            generalise("prefix amq.gen- alone", &mut known),
            "prefix amq.gen- alone"
        );
    }
}
