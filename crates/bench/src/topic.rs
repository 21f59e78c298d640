//! Topic patterns: random ones, keys that match them, and whether a key does. So the load knows which queue
//! gets which message without asking the broker. `*` is one word, `#` any number. Spec: 0-9-1 §3.1.3.3.

use crate::random::Random;

/// The words that keys are made of.
const WORDS: [&str; 24] = [
    "alarm", "asia", "audit", "bid", "cpu", "disk", "error", "eu", "gauge", "info", "jpy", "log", "mail",
    "metric", "net", "order", "quote", "rack", "sensor", "stock", "trace", "usd", "user", "warn",
];

/// A pattern of three to five words, at least one of them a wildcard.
pub(crate) fn pattern(random: &mut Random) -> String {
    let count = 3 + random.below(3);
    let wild = random.below(count);
    let words: Vec<&str> = (0..count)
        .map(|place| match (place == wild, random.below(4)) {
            (true, 0) => "#",
            (true, _) | (false, 0) => "*",
            _ => word(random),
        })
        .collect();
    words.join(".")
}

/// A pattern with a word of its own, so that no key is for two of them.
pub(crate) fn own_pattern(number: usize, random: &mut Random) -> String {
    match number % 3 {
        0 => format!("own{number}.*.{}.#", word(random)),
        1 => format!("#.own{number}"),
        _ => format!("*.*.own{number}"),
    }
}

/// A key that the pattern matches.
pub(crate) fn key(pattern: &str, random: &mut Random) -> String {
    let mut words = Vec::new();
    for part in pattern.split('.') {
        match part {
            "*" => words.push(word(random)),
            "#" => words.extend((0..random.below(3)).map(|_| word(random))),
            other => words.push(other),
        }
    }
    words.join(".")
}

fn word(random: &mut Random) -> &'static str {
    random.pick(&WORDS).copied().unwrap_or("any")
}

/// A pattern in its words.
#[derive(Debug)]
pub(crate) struct Pattern<'a>(Vec<&'a str>);

impl<'a> Pattern<'a> {
    pub(crate) fn new(pattern: &'a str) -> Self {
        Self(pattern.split('.').collect())
    }

    /// Whether it matches a key, in its words.
    pub(crate) fn matches(&self, key: &[&str]) -> bool {
        words_match(&self.0, key)
    }
}

/// Whether a pattern matches a key.
#[cfg(test)]
pub(crate) fn matches(pattern: &str, key: &str) -> bool {
    let key: Vec<&str> = key.split('.').collect();
    Pattern::new(pattern).matches(&key)
}

/// Keys and patterns are short, so that trying all is cheap enough.
fn words_match(pattern: &[&str], key: &[&str]) -> bool {
    match (pattern.split_first(), key.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((&"#", rest)), None) => words_match(rest, key),
        (Some((&"#", rest)), Some((_, behind))) => words_match(rest, key) || words_match(pattern, behind),
        (Some(_), None) => false,
        (Some((part, rest)), Some((word, behind))) => {
            (*part == "*" || part == word) && words_match(rest, behind)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_the_specification_says() {
        for (pattern, key, expected) in [
            ("a.b", "a.b", true),
            ("a.b", "a.c", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("#", "a.b.c", true),
            ("a.#", "a", true),
            ("#.c", "a.b.c", true),
            ("#.c", "a.b", false),
            ("a.#.c.*", "a.c.x.c.y", true),
            ("*.#", "a", true),
        ] {
            assert_eq!(matches(pattern, key), expected, "{pattern} {key}");
        }
    }

    #[test]
    fn keys_of_patterns_with_a_word_of_their_own_match_no_other() {
        let mut random = Random::new(3);
        let patterns: Vec<String> = (0..60).map(|number| own_pattern(number, &mut random)).collect();
        for (number, pattern) in patterns.iter().enumerate() {
            assert!(pattern.contains(['*', '#']), "{pattern}");
            let key = key(pattern, &mut random);
            let matching: Vec<usize> = (0..60).filter(|other| matches(&patterns[*other], &key)).collect();
            assert_eq!(matching, [number], "{key}");
        }
    }

    #[test]
    fn a_key_that_is_made_for_a_pattern_matches_it() {
        let mut random = Random::new(3);
        for _ in 0..500 {
            let pattern = pattern(&mut random);
            assert!(pattern.contains(['*', '#']), "{pattern}");
            let key = key(&pattern, &mut random);
            assert!(matches(&pattern, &key), "{pattern} {key}");
        }
    }
}
