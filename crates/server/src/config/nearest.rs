//! Did you mean? The known word that takes the fewest edits to become from an unknown one.

/// The candidate nearest to `text`, the first of equals; none only if there are no candidates.
pub fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .min_by_key(|candidate| distance(text, candidate))
}

/// How many letters must be put in, taken out or replaced to make one text of the other (Levenshtein).
///
/// One row of the usual table is kept: `row[j]` is the distance between what was read of `a` and the first
/// `j` letters of `b`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (index, in_a) in a.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        let mut next = Vec::with_capacity(row.len());
        next.push(left);
        for (in_b, above) in b.chars().zip(row.iter().skip(1)) {
            let replaced = diagonal + usize::from(in_a != in_b);
            left = replaced.min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_counted_in_edits() {
        for (a, b, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("heartbeet", "heartbeat", 1),
            ("flaw", "lawn", 2),
            ("ä", "a", 1),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_wins_and_the_first_of_equals() {
        assert_eq!(nearest("hartbeat", ["frame_max", "heartbeat"]), Some("heartbeat"));
        assert_eq!(nearest("a", ["b", "c"]), Some("b"));
        assert_eq!(nearest("a", []), None);
    }
}
