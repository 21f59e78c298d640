//! Deaths of messages: single courses, and random ones against a list of what happened.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use super::*;
use crate::message::{AnnotationsWriter, Parts};
use proptest::prelude::*;

const NOW_MS: u64 = 1_700_000_000_999;

fn message(note: impl FnOnce(&mut AnnotationsWriter)) -> Message {
    let mut noted = AnnotationsWriter::default();
    note(&mut noted);
    Message::of(&Parts {
        exchange: "orders",
        key: "new",
        properties: &[0x10, 0, 2],
        body: b"body",
        persistent: true,
        priority: Some(4),
        published_ms: 5,
        annotations: noted.bytes(),
    })
    .unwrap()
}

fn keys(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

#[test]
fn a_dead_letter_tells_what_it_was() {
    let message = message(|noted| {
        noted.ttl_ms(60_000);
        noted.due_ms(1);
        noted.keys(&keys(&["cc"]));
        noted.hidden_keys(&keys(&["bcc"]));
    });
    let dead = dead_letter(&message, "q", Reason::Expired, NOW_MS, "dlx", None).unwrap();
    assert_eq!((dead.exchange(), dead.routing_key()), ("dlx", "new"));
    assert!(dead.further_keys().eq(["cc", "bcc"]));
    assert_eq!(
        (dead.properties(), dead.body()),
        (message.properties(), message.body())
    );
    assert_eq!((dead.envelope().persistent, dead.envelope().priority), (true, 4));
    assert_eq!(dead.published_ms(), NOW_MS);
    assert_eq!((dead.ttl_ms(), dead.due_ms()), (None, None));
    let deaths = dead.annotations().deaths().unwrap();
    let brief = Brief {
        reason: Reason::Expired,
        queue: "q",
        exchange: "orders",
    };
    assert_eq!((deaths.first, deaths.last()), (brief, brief));
    let death = Death {
        reason: Reason::Expired,
        count: 1,
        time_s: 1_700_000_000,
        ttl_ms: Some(60_000),
        queue: "q",
        exchange: "orders",
        keys: SmallVec::from_slice(&["new", "cc"]),
    };
    assert_eq!(deaths.entries(), [death]);
}

#[test]
fn a_key_for_dead_letters_takes_the_place_of_all() {
    let message = message(|noted| {
        noted.keys(&keys(&["cc"]));
        noted.hidden_keys(&keys(&["bcc"]));
    });
    let dead = dead_letter(&message, "q", Reason::MaxLen, NOW_MS, "", Some("dead")).unwrap();
    assert_eq!((dead.exchange(), dead.routing_key()), ("", "dead"));
    assert_eq!(dead.further_keys().count(), 0);
    let again = dead_letter(&dead, "dead", Reason::Rejected, NOW_MS, "dlx", None).unwrap();
    assert_eq!(again.routing_key(), "dead");
    let deaths = again.annotations().deaths().unwrap();
    let keys: Vec<_> = deaths.entries().iter().map(|death| death.keys.to_vec()).collect();
    assert_eq!(keys, [vec!["dead"], vec!["new", "cc"]]);
    assert_eq!(deaths.first.exchange, "orders");
    assert_eq!(deaths.last().exchange, "");
}

#[test]
fn a_second_death_in_the_same_way_is_counted_and_comes_first() {
    let mut message = message(|noted| noted.ttl_ms(9));
    let course = [
        ("a", Reason::Expired),
        ("b", Reason::Rejected),
        ("a", Reason::Expired),
        ("a", Reason::MaxLen),
    ];
    for (at, (queue, reason)) in course.into_iter().enumerate() {
        let now_ms = NOW_MS + 1000 * at as u64;
        message = dead_letter(&message, queue, reason, now_ms, queue, None).unwrap();
    }
    let deaths = message.annotations().deaths().unwrap();
    let told = deaths.entries().iter();
    let told: Vec<_> = told
        .map(|death| (death.queue, death.reason, death.count, death.time_s, death.ttl_ms))
        .collect();
    let expected = [
        ("a", Reason::MaxLen, 1, 1_700_000_003, None),
        ("a", Reason::Expired, 2, 1_700_000_000, Some(9)),
        ("b", Reason::Rejected, 1, 1_700_000_001, None),
    ];
    assert_eq!(told, expected);
    let briefs = [
        (deaths.first, "orders", Reason::Expired),
        (deaths.last(), "a", Reason::MaxLen),
    ];
    for (brief, exchange, reason) in briefs {
        assert_eq!(
            (brief.queue, brief.exchange, brief.reason),
            ("a", exchange, reason)
        );
    }
}

#[test]
fn names_that_are_too_long_are_told() {
    let long = "k".repeat(256);
    let message = message(|_| ());
    let dead = dead_letter(&message, "q", Reason::Rejected, NOW_MS, "", Some(&long));
    assert_eq!(dead.unwrap_err(), TooLong { bytes: 256 });
}

fn died(course: &[(&str, Reason)]) -> Message {
    course.iter().fold(message(|_| ()), |message, (queue, reason)| {
        dead_letter(&message, queue, *reason, NOW_MS, "", None).unwrap()
    })
}

#[test]
fn a_circle_is_one_that_nobody_rejected() {
    use Reason::{DeliveryLimit, Expired, MaxLen, Rejected};
    type Course = &'static [(&'static str, Reason)];
    let cases: [(Course, &str, bool); 8] = [
        (&[("a", Expired)], "a", true),
        (&[("a", Expired)], "b", false),
        (&[("a", Rejected)], "a", false),
        (&[("a", Expired), ("b", MaxLen)], "a", true),
        (&[("a", Expired), ("b", Rejected)], "a", false),
        (&[("a", Rejected), ("b", Expired)], "a", false),
        (
            &[("b", Rejected), ("a", DeliveryLimit), ("c", Expired)],
            "a",
            true,
        ),
        // It died there for another reason too, longer ago.
        (&[("a", Rejected), ("a", Expired)], "a", true),
    ];
    for (course, queue, expected) in cases {
        let message = died(course);
        let deaths = message.annotations().deaths().unwrap();
        assert_eq!(deaths.is_cycle(queue), expected, "{course:?} to {queue}");
    }
}

/// One death, as it is drawn.
type Drawn = (u8, usize, u64, Option<String>);

const REASONS: [Reason; 4] = [
    Reason::Rejected,
    Reason::Expired,
    Reason::MaxLen,
    Reason::DeliveryLimit,
];

proptest! {
    #[test]
    fn deaths_are_counted_and_read_again(
        course in prop::collection::vec((0..3_u8, 0..4_usize, 0..9_000_u64, any::<Option<String>>()), 1..40),
    ) {
        let mut message = message(|noted| noted.ttl_ms(3));
        // Newest first: queue, reason, count, time, exchange and key before.
        let mut model: Vec<(String, Reason, u64, u64, String, String)> = Vec::new();
        let drawn: &[Drawn] = &course;
        for (queue, reason, now_ms, key) in drawn {
            let (queue, reason) = (format!("q{queue}"), REASONS[*reason]);
            let key = key.as_deref().filter(|key| key.len() < 256);
            let before = (message.exchange().to_owned(), message.routing_key().to_owned());
            let dead = dead_letter(&message, &queue, reason, *now_ms, &queue, key).unwrap();
            let at = model.iter().position(|known| (&known.0, known.1) == (&queue, reason));
            let known = match at {
                Some(at) => {
                    let known = model.remove(at);
                    (known.0, known.1, known.2 + 1, known.3, known.4, known.5)
                }
                None => (queue, reason, 1, now_ms / 1000, before.0, before.1),
            };
            model.insert(0, known);
            message = dead;
        }
        // One for each queue and reason, as many as there can be.
        prop_assert!(model.len() <= 12);
        let mut written = Vec::new();
        let deaths = message.annotations().deaths().unwrap();
        prop_assert_eq!(deaths.entries().len(), model.len());
        for (death, known) in deaths.entries().iter().zip(&model) {
            let told = (death.queue, death.reason, death.count, death.time_s, death.exchange, death.keys[0]);
            let (queue, reason, count, time_s, exchange, key) = known;
            prop_assert_eq!(told, (&**queue, *reason, *count, *time_s, &**exchange, &**key));
        }
        prop_assert_eq!(deaths.first.exchange, "orders");
        prop_assert_eq!(deaths.last().queue, &model[0].0);
        deaths.write(&mut written);
        prop_assert_eq!(Deaths::read(&written), Some(deaths.clone()));
        for cut in 0..written.len() {
            // What is left is nothing, or fewer deaths.
            let read = Deaths::read(&written[..cut]);
            prop_assert!(read.is_none_or(|read| read.entries().len() < deaths.entries().len()));
        }
    }

    #[test]
    fn any_bytes_can_be_read_as_deaths(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(read) = Deaths::read(&bytes) {
            let keys: usize = read.entries().iter().map(|death| death.keys.len()).sum();
            prop_assert!(read.entries().len() + keys <= bytes.len());
        }
    }
}
