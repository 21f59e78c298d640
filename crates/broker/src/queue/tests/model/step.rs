//! What may be done to a queue, made of any bytes. Small numbers pick among what there is.

use super::keys::GROUP_HEADER;
use super::{
    AnnotationsWriter, Backoff, DeadLetters, Deduplication, GroupBy, Message, Overflow, Parts, Retried,
    Retry, Rules, Subscription,
};

/// One thing done to a queue.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// So many messages, of that kind.
    Enqueue(usize, u8),
    Settle([u8; 3]),
    Reject([u8; 3]),
    Return([u8; 3], bool),
    /// Leases begin anew.
    Renew([u8; 3]),
    Purge,
    /// Messages that are delayed are not wanted any more.
    Forget([u8; 3]),
    /// Somebody looks, and takes nothing.
    Look(u8, u8),
    /// The queue is deleted, and all that it holds leaves, so many at a time.
    Empty {
        max: usize,
        but: u8,
    },
    Subscribe(Subscription),
    Cancel(u8),
    Resume(u8),
    Take {
        no_ack: bool,
    },
    /// The n-th offer (modulo 8) is refused when bit n is set.
    Dispatch {
        refusals: u8,
    },
    /// Time goes by, in milliseconds.
    Wait(u64),
    /// One of the rules changes.
    Twist([u8; 2]),
    /// Some of what leaves is moved, but for every n-th.
    Leave {
        max: usize,
        but: u8,
    },
    /// A new queue is made of the facts alone.
    Restart,
    /// Some messages go to an extent, at most so many.
    Store {
        persistent: bool,
        count: usize,
    },
    /// What is read back leaves memory again. What is wished for then is read when something else was done,
    /// but for every n-th.
    Evict {
        but: u8,
    },
    /// Live messages of an extent move to a new one.
    Move(u8),
    /// A summary is made. The next queue is made of it, and of later facts.
    Checkpoint,
    /// A new queue is made of a summary and the facts, after a crash or not.
    Reopen {
        crashed: bool,
    },
}

impl Step {
    /// Any three bytes are a step; zeros are a simple one, for the sake of shrinking. And whether the next
    /// one is done under the same lock, before anything is handed out.
    pub(crate) fn of([kind, a, b]: [u8; 3]) -> (Self, bool) {
        let both = a.wrapping_add(b);
        let step = match kind % 64 {
            0..=9 => Self::Enqueue(1 + usize::from(a % 4), b),
            10 => Self::Enqueue(usize::from(a) % 100, b),
            11..=16 => Self::Dispatch {
                refusals: if a % 3 == 0 { b } else { 0 },
            },
            17..=20 => Self::Settle([a, b, both]),
            21..=23 => Self::Reject([a, b, both]),
            24..=29 => Self::Return([a, b, both], kind % 2 == 0),
            30 => Self::Forget([a, b, both]),
            31 => Self::Renew([a, b, both]),
            32..=34 => Self::Subscribe(Subscription {
                no_ack: a % 4 == 1,
                exclusive: a % 16 == 2,
                prefetch: u32::from(b % 4),
                priority: i64::from(b / 4 % 3) - 1,
                lease_ms: own_lease_ms(a / 16),
            }),
            35 => Self::Look(a, b),
            36 => Self::Cancel(a),
            37 => Self::Resume(a),
            38 => Self::Take { no_ack: a % 2 == 1 },
            39..=46 => Self::Wait(span_ms(a).min(HOUR_MS)),
            47..=50 => Self::Twist([a, b]),
            51..=53 => Self::Leave {
                max: usize::from(a % 32),
                but: b,
            },
            54..=56 => Self::Store {
                persistent: a % 3 != 0,
                count: usize::from(b),
            },
            57..=58 => Self::Evict { but: b },
            59 => Self::Move(b),
            60 if a % 4 == 0 => Self::Restart,
            61 if a % 8 == 7 => Self::Empty {
                max: 1 + usize::from(a / 8),
                but: b,
            },
            60 | 61 => Self::Reopen { crashed: a % 4 == 1 },
            62 if a % 4 == 0 => Self::Purge,
            63 => Self::Checkpoint,
            _ => Self::Dispatch { refusals: 0 },
        };
        (step, kind >= 192)
    }
}

const HOUR_MS: u64 = 3_600_000;

/// A number of milliseconds, of a kind that is likely to meet others.
fn span_ms(pick: u8) -> u64 {
    const SPANS: [u64; 16] = [
        1, 0, 2, 5, 10, 50, 100, 500, 1_000, 1_999, 2_000, 2_001, 3_000, 5_000, 60_000, HOUR_MS,
    ];
    match pick {
        255 => u64::MAX,
        pick => SPANS[usize::from(pick % 16)],
    }
}

/// How long a consumer may hold a delivery, if that is its own.
fn own_lease_ms(pick: u8) -> Option<u64> {
    match pick {
        0..=7 => None,
        8 | 9 => Some(0),
        15 => Some(u64::MAX),
        pick => Some(span_ms(pick - 7).max(1)),
    }
}

/// Changes one of the rules. Priorities and the header of last values do not change in a queue's life.
pub(super) fn twist(rules: &mut Rules, [which, how]: [u8; 2]) {
    let is_on = how % 4 != 3;
    let some = |number: u64| is_on.then_some(number);
    match which % 16 {
        0 => rules.message_ttl_ms = some(span_ms(how / 4)),
        1 => rules.max_length = some(u64::from(how / 4)),
        2 => rules.max_length_bytes = some(u64::from(how) * 4),
        3 => {
            rules.overflow = match how % 3 {
                0 => Overflow::DropHead,
                1 => Overflow::RejectPublish,
                _ => Overflow::RejectPublishDlx,
            }
        }
        4 | 5 => rules.dead_letters = is_on.then(DeadLetters::default),
        6 => rules.delivery_limit = some(u64::from(how / 4 % 4)),
        7 => rules.counts_deliveries = is_on,
        8 => {
            rules.has_single_active_consumer = how % 2 == 0;
            rules.single_active_yields = how % 4 == 0;
        }
        // With none at all, who takes messages at once would be given them for ever.
        9 => rules.consumer_timeout_ms = some(span_ms(how / 4).max(1)),
        10 => rules.retry = is_on.then(|| retry(how / 4)),
        11 | 12 => {
            rules.group_by = match how % 4 {
                0 | 1 => Some(GroupBy::Header(GROUP_HEADER.into())),
                2 => Some(GroupBy::KeyPart(how / 4 % 3)),
                _ => None,
            }
        }
        13 | 14 => {
            rules.deduplication = is_on.then(|| Deduplication {
                keys_max: u64::from(how / 4 % 8),
                ttl_ms: (how / 4 > 31).then(|| span_ms(how / 32)),
            })
        }
        _ => {
            *rules = Rules {
                max_priority: rules.max_priority,
                default_priority: rules.default_priority,
                last_value_header: rules.last_value_header.clone(),
                ..Rules::default()
            }
        }
    }
}

fn retry(pick: u8) -> Retry {
    Retry {
        which: match pick % 3 {
            0 => Retried::All,
            1 => Retried::Failed,
            _ => Retried::Returned,
        },
        min_ms: u64::from(pick / 3 % 4) * 7,
        max_ms: 60,
        backoff: match pick % 2 {
            0 => Backoff::Linear,
            _ => Backoff::Exponential,
        },
        jitter_percent: if pick > 40 { 100 } else { 0 },
    }
}

/// The n-th message: like no other, of a size of its own; what else it has is told by `kind`.
pub(super) fn message(nth: u64, kind: u8, now_ms: u64) -> Message {
    let has = |bit: u8| kind & bit != 0 && !(nth + u64::from(kind)).is_multiple_of(3);
    // Any number of few, not the same for neighbours.
    let pick = (nth.wrapping_mul(37) as u8).wrapping_add(kind);
    // What its headers say: see `keys`.
    let key = |bit: u8, any: u8| if has(bit) { 1 + any % 5 } else { 0 };
    let mut body = nth.to_be_bytes().to_vec();
    body.extend([key(16, pick / 2), key(32, pick / 3), key(64, pick / 11)]);
    body.push(if has(128) { pick } else { 0 });
    body.resize(body.len() + nth as usize % 32, 0);
    let mut noted = AnnotationsWriter::default();
    if has(1) {
        noted.ttl_ms(span_ms(pick / 3));
    }
    if has(2) {
        noted.due_ms(now_ms.saturating_add(span_ms(pick / 5)));
    }
    Message::of(&Parts {
        key: ["q", "q.a", "q.b", "r.a"][usize::from(pick / 16 % 4)],
        body: &body,
        persistent: !nth.is_multiple_of(5),
        priority: has(4).then_some(pick % 12),
        published_ms: match has(8) {
            true if pick.is_multiple_of(8) => 0,
            true => now_ms - u64::from(pick % 8),
            false => now_ms,
        },
        annotations: noted.bytes(),
        ..Parts::default()
    })
    .expect("a short key")
}
