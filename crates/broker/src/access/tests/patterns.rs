//! Patterns against what Perl makes of them.

use proptest::prelude::*;

use super::super::pattern::{Error, Pattern};

fn matches(pattern: &str, name: &str) -> bool {
    Pattern::new(pattern).unwrap().matches(name)
}

#[test]
fn the_empty_pattern_matches_only_the_empty_name() {
    for pattern in ["", "^$"] {
        assert!(matches(pattern, ""));
        assert!(!matches(pattern, "q"));
    }
}

#[test]
fn patterns_match_anywhere_unless_anchored() {
    assert!(matches("b", "abc"));
    assert!(!matches("^b", "abc"));
    assert!(!matches("b$", "abc"));
    assert!(matches(".*", ""));
    assert!(matches(".*", "q"));
    assert!(matches("^(a|b)$", "b"));
    assert!(matches("^a|b$", "xb"));
}

#[test]
fn the_end_is_the_very_end() {
    assert!(!matches("^a$", "a\n"));
    assert!(!matches("^$", "\n"));
    assert!(matches(r"^a\Z", "a\n"));
    assert!(!matches(r"^a\z", "a\n"));
}

#[test]
fn dots_stay_on_their_line() {
    assert!(!matches("^a.b$", "a\nb"));
    assert!(matches("(?s)^a.b$", "a\nb"));
    assert!(matches("(?i)^AB$", "ab"));
    assert!(matches("^(?i:A)b$", "ab"));
    assert!(!matches("^(?i:A)b$", "aB"));
}

#[test]
fn braces_that_count_nothing_are_letters() {
    assert!(matches("^a{b}$", "a{b}"));
    assert!(matches("^a{,2}$", "a{,2}"));
    assert!(matches("^a{$", "a{"));
    assert!(matches("^a{2}$", "aa"));
    assert!(matches("^a{1,}$", "aaa"));
    assert!(matches("^a{1,2}?$", "aa"));
    assert!(!matches("^a{1,2}$", "aaa"));
}

#[test]
fn classes_are_perls() {
    assert!(matches("^[a[b]$", "["));
    assert!(matches("^[]a]$", "]"));
    assert!(!matches("^[^]a]$", "]"));
    assert!(matches("^[a&&b]$", "&"));
    assert!(matches("^[a&&b]$", "a"));
    assert!(matches("^[+--]$", ","));
    assert!(matches("^[a-]$", "-"));
    assert!(matches("^[-a]$", "-"));
    assert!(matches(r"^[\w-]$", "-"));
    assert!(matches(r"^[\w.-]+$", "a.b-c_1"));
    assert!(matches("^[[:alpha:]_]+$", "a_b"));
    assert!(!matches("^[[:^alpha:]]$", "a"));
    assert!(matches(r"^[\]]$", "]"));
    assert!(matches("^[~~a]$", "~"));
    assert!(matches(r"^[\x41-C]$", "B"));
}

#[test]
fn shorthands_are_ascii() {
    assert!(matches(r"^\d\w\s$", "1_ "));
    assert!(!matches(r"^\d$", "٣"));
    assert!(!matches(r"^\w+$", "é"));
    assert!(matches(r"^\W+$", "é"));
    assert!(matches(r"\bq\b", "a q b"));
    assert!(matches(r"^a\h\Sb$", "a xb"));
}

#[test]
fn escapes_are_perls() {
    assert!(matches(r"^\<a\>$", "<a>"));
    assert!(matches(r"^\Qa.b\E.$", "a.bc"));
    assert!(!matches(r"^\Qa.b\E$", "axb"));
    assert!(matches(r"^\Qa.b", "a.b"));
    assert!(matches(r"^a\/b\-c\.d\ e$", "a/b-c.d e"));
    assert!(matches(r"^\x41\x{42}\e\t$", "AB\u{1b}\t"));
    assert!(matches(r"^amq\.", "amq.direct"));
    assert!(!matches(r"^amq\.", "amqp"));
}

#[test]
fn names_are_compared_as_bytes() {
    assert!(matches("^größe$", "größe"));
    assert!(matches("^größe$", "größe"));
    assert!(matches("^[é]+$", "é"));
    // A repetition takes the last byte, so that it does not let through what Perl's would not.
    assert!(!matches("^é*$", ""));
    assert!(matches("^(é)*$", "éé"));
    assert!(matches("^..$", "é"));
}

#[test]
fn groups_group() {
    assert!(matches("^(?<name>a)(?P<other>b)(?:c)(d)$", "abcd"));
    assert!(matches("^a(?#any words)b$", "ab"));
    assert!(matches("^(ab)+$", "abab"));
}

#[test]
fn look_around_is_matched() {
    // The best known pattern of policies.
    assert!(matches(r"^(?!amq\.).*", "orders"));
    assert!(matches(r"^(?!amq\.).*", "amq"));
    assert!(!matches(r"^(?!amq\.).*", "amq.gen-1"));
    assert!(matches("^a(?=b)b$", "ab"));
    assert!(!matches("^a(?=c)b$", "ab"));
    assert!(matches("(?<=a)b", "ab"));
    assert!(!matches("(?<=a)b", "cb"));
    assert!(matches("(?<!a)b", "cb"));
    assert!(!matches("^a(?<!a)b$", "ab"));
    assert!(matches("^(?!.*(dead|retry)$)[a-z.]{1,64}$", "orders.live"));
    assert!(!matches("^(?!.*(dead|retry)$)[a-z.]{1,64}$", "orders.dead"));
}

#[test]
fn what_was_matched_can_be_asked_for_again() {
    assert!(matches(r"^(a|b)-\1$", "a-a"));
    assert!(!matches(r"^(a|b)-\1$", "a-b"));
    assert!(matches(r"^(?:x)(?<name>a|b)(c)\2\1$", "xacca"));
}

#[test]
fn what_was_taken_is_not_given_back() {
    assert!(matches("^a++b$", "aab"));
    assert!(!matches("^a?+a$", "a"));
    for pattern in ["^a++a$", "^a*+a$", "^a{1,2}+a$", "^(?>a+)a$"] {
        assert!(!matches(pattern, "aa"), "{pattern}");
    }
}

#[test]
fn bytes_and_flags_are_the_same_for_both_engines() {
    for ahead in ["", "(?=)"] {
        let matches = |pattern: &str, name| matches(&format!("^{ahead}{pattern}$"), name);
        assert!(matches("..", "é"));
        assert!(!matches(".", "é"));
        assert!(matches("größe", "größe"));
        assert!(matches("[é]+", "é"));
        assert!(!matches(r"\w+", "é"));
        assert!(matches(r"\W+", "é"));
        assert!(matches(r"\xC3\xA9", "é"));
        assert!(matches("(?i)a(?-i)b", "Ab"));
        assert!(!matches("(?i:a)b", "aB"));
        assert!(!matches("(?i)é", "É"));
        assert!(matches("[[:alpha:]_]+", "a_b"));
        assert!(matches("[^[:alpha:]]", "1"));
        assert!(matches(r"\h\Qa.b\E", "\ta.b"));
        assert!(!matches("a", "a\n"));
        assert!(matches(r"a\b-\Bx{0}\z", "a-"));
    }
    let pattern = Pattern::expanded("^(?!amq){username}-.*$", &[("username", "a.b")]).unwrap();
    assert!(pattern.matches("a.b-c"));
    assert!(!pattern.matches("acb-c"));
}

#[test]
fn what_no_engine_has_is_refused() {
    for pattern in [
        "a**",
        "a+{2}",
        "a+++",
        "(?R)",
        "(?1)",
        "(?(1)a)",
        "(?(?=a)b)",
        "(*FAIL)",
        "(?|a)",
        r"\G",
        r"\Ka",
        r"\R",
        r"(a)\10",
        r"\p{L}",
        "[[.a.]]",
        "[a-\\d]",
        "(?x)a",
        "a(?#)*",
        "[é-ü]",
        "[:alpha:]",
    ] {
        assert!(
            matches!(Pattern::new(pattern), Err(Error::Unsupported { .. })),
            "{pattern}"
        );
    }
}

#[test]
fn what_is_no_pattern_is_refused() {
    for pattern in [
        "(", ")", "[", "[a", "*", "+a", r"a\", "(?", "[b-a]", "a{2,1}", r"\x{", r"\x{g}", "(?#", "(?<a",
        "(?=", "(?!a", r"\1",
    ] {
        assert!(Pattern::new(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn a_pattern_cannot_grow_without_bound() {
    let bomb = "((((((a{100}){100}){100}){100}){100}){100})";
    assert!(matches!(Pattern::new(bomb), Err(Error::Syntax { .. })));
    // Exponential for engines that go back.
    assert!(!matches(
        "^(a|a)*(a|a)*(a|aa)+$",
        &format!("{}b", "a".repeat(200))
    ));
}

#[test]
fn a_pattern_that_goes_back_gives_up_in_time() {
    let name = "a".repeat(254) + "b";
    for pattern in [
        r"^(a|a|aa)*\1c$",
        r"^(?:(a+)+(?=a))+\1c$",
        r"(?=(a*)*)(a*)*\2\2\1c",
        r"(?:(?!c)(?:a|aa))+c",
        r"(?<=(a|aa)\1)(?:(?=a)(?:a|aa))*c",
        "(?:(?!x)(?:(?!y)(?:(?!z)a?)*)*)*c",
    ] {
        assert!(!matches(pattern, &name), "{pattern}");
    }
    for pattern in [
        "(?:(?:(?:(?!x)){1000}){1000}){1000}",
        "(?!x)(((((a{100}){100}){100}){100}){100})",
        "(?:(?=a)){18446744073709551616}",
        "(?=a)(?:[a-z]{1000}){5}",
    ] {
        assert!(
            matches!(Pattern::new(pattern), Err(Error::Syntax { .. })),
            "{pattern}"
        );
    }
    let nested = format!("{}a{}", "(?=".repeat(5000), ")".repeat(5000));
    assert!(Pattern::new(&nested).is_err());
}

#[test]
fn patterns_compare_by_text_and_variables() {
    assert_eq!(Pattern::new("^a").unwrap(), Pattern::new("^a").unwrap());
    assert_ne!(Pattern::new("^a").unwrap(), Pattern::new("^b").unwrap());
    let of = |name| Pattern::expanded("^{username}$", &[("username", name)]).unwrap();
    assert_eq!(of("a"), of("a"));
    assert_ne!(of("a"), of("b"));
    assert_eq!(of("a").as_str(), "^{username}$");
}

/// A regular expression, to be written as Perl takes it and matched in the plainest way.
#[derive(Debug, Clone)]
enum Expression {
    Character(char, bool),
    Any,
    Class(bool, Vec<(char, char)>),
    Sequence(Vec<Expression>),
    Either(Box<Expression>, Box<Expression>),
    Repeated(Box<Expression>, usize, Option<usize>),
}

const ODD: &[char] = &[
    'a', 'b', '{', '}', '[', ']', '-', '&', '~', '<', '>', '^', '.', '2', ',',
];

impl Expression {
    fn write(&self, out: &mut String) {
        match self {
            Self::Character(c, escaped) => {
                // Perl needs the escape of these only; a brace stands for itself unless it counts.
                if !c.is_alphanumeric() && (*escaped || ['[', '.', '^', '{'].contains(c)) {
                    out.push('\\');
                }
                out.push(*c);
            }
            Self::Any => out.push('.'),
            Self::Class(negated, ranges) => {
                out.push_str(if *negated { "[^" } else { "[" });
                for (low, high) in ranges {
                    write_member(out, *low);
                    if low != high {
                        out.push('-');
                        write_member(out, *high);
                    }
                }
                out.push(']');
            }
            Self::Sequence(parts) => parts.iter().for_each(|part| part.write(out)),
            Self::Either(a, b) => {
                out.push_str("(?:");
                a.write(out);
                out.push('|');
                b.write(out);
                out.push(')');
            }
            Self::Repeated(inner, least, most) => {
                out.push('(');
                inner.write(out);
                out.push_str(&match (least, most) {
                    (0, None) => ")*".to_owned(),
                    (1, None) => ")+".to_owned(),
                    (0, Some(1)) => ")?".to_owned(),
                    (least, None) => format!("){{{least},}}"),
                    (least, Some(most)) => format!("){{{least},{most}}}"),
                });
            }
        }
    }

    /// Where a match that starts here may end.
    fn ends(&self, text: &[char], start: usize) -> Vec<usize> {
        let one = |matched: bool| if matched { vec![start + 1] } else { vec![] };
        let mut ends = match self {
            Self::Character(c, _) => one(text.get(start) == Some(c)),
            Self::Any => one(text.get(start).is_some()),
            Self::Class(negated, ranges) => one(text
                .get(start)
                .is_some_and(|c| ranges.iter().any(|(low, high)| low <= c && c <= high) != *negated)),
            Self::Sequence(parts) => parts.iter().fold(vec![start], |starts, part| {
                let mut ends: Vec<_> = starts.iter().flat_map(|start| part.ends(text, *start)).collect();
                ends.sort_unstable();
                ends.dedup();
                ends
            }),
            Self::Either(a, b) => [a.ends(text, start), b.ends(text, start)].concat(),
            Self::Repeated(inner, least, most) => {
                // More rounds than there are characters bring nothing new.
                let rounds = most.unwrap_or(least + text.len() + 1);
                let mut here = vec![start];
                let mut found = Vec::new();
                for round in 0..=rounds {
                    if round >= *least {
                        found.extend(&here);
                    }
                    here = here.iter().flat_map(|start| inner.ends(text, *start)).collect();
                    here.sort_unstable();
                    here.dedup();
                }
                found
            }
        };
        ends.sort_unstable();
        ends.dedup();
        ends
    }
}

fn write_member(out: &mut String, c: char) {
    if ['[', ']', '^', '-'].contains(&c) {
        out.push('\\');
    }
    out.push(c);
}

fn expression() -> impl Strategy<Value = Expression> {
    let character = || prop::sample::select(ODD);
    let range = (character(), character()).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let leaf = prop_oneof![
        4 => (character(), any::<bool>()).prop_map(|(c, escaped)| Expression::Character(c, escaped)),
        1 => Just(Expression::Any),
        2 => (any::<bool>(), prop::collection::vec(range, 1..4))
            .prop_map(|(negated, ranges)| Expression::Class(negated, ranges)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Expression::Sequence),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Expression::Either(a.into(), b.into())),
            (inner, 0usize..3, prop::option::of(0usize..3)).prop_map(|(inner, least, more)| {
                Expression::Repeated(inner.into(), least, more.map(|more| least + more))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_pattern_matches_what_its_expression_does(
        expression in expression(),
        names in prop::collection::vec("[ab{}\\[\\]&~<>^.2,-]{0,5}", 1..10),
    ) {
        let mut written = String::new();
        expression.write(&mut written);
        let anchored = Pattern::new(&format!("^(?:{written})$")).unwrap();
        let anywhere = Pattern::new(&format!("(?:{written})")).unwrap();
        let going_back = Pattern::new(&format!("^(?=)(?:{written})$")).unwrap();
        let going_back_anywhere = Pattern::new(&format!("(?=)(?:{written})")).unwrap();
        for name in names {
            let text: Vec<char> = name.chars().collect();
            let whole = expression.ends(&text, 0).contains(&text.len());
            prop_assert_eq!(anchored.matches(&name), whole, "/{}/ on {:?}", &written, &name);
            prop_assert_eq!(going_back.matches(&name), whole, "/{}/ on {:?}", &written, &name);
            let part = (0..=text.len()).any(|start| !expression.ends(&text, start).is_empty());
            prop_assert_eq!(anywhere.matches(&name), part, "/{}/ on {:?}", &written, &name);
            prop_assert_eq!(going_back_anywhere.matches(&name), part, "/{}/ on {:?}", &written, &name);
        }
    }

    #[test]
    fn a_variable_matches_its_value_and_nothing_else(value in "\\PC{1,8}", other in "\\PC{1,8}") {
        let pattern = Pattern::expanded("^{username}$", &[("username", &value)]).unwrap();
        prop_assert!(pattern.matches(&value));
        prop_assert_eq!(pattern.matches(&other), value == other);
    }

    #[test]
    fn no_text_panics(source in "\\PC{0,24}", odd in "[\\\\(\\[{?*+|^:<>=!#Pa\\-\\]})0-9,]{0,16}") {
        let patterns = [Pattern::new(&source), Pattern::expanded(&odd, &[("a", &source)])];
        for pattern in patterns.into_iter().flatten() {
            let _ = pattern.matches(&odd);
            let _ = pattern.matches(&source);
        }
    }
}
