//! What a queue or an exchange goes by: its arguments and the policies in force, taken together.
//!
//! ```text
//!   the smaller number        expires, message-ttl, max-length, max-length-bytes, consumer-timeout,
//!                             delayed-retry-min, delayed-retry-max
//!   the same, if negative     delivery-limit: the larger
//!   the argument              dead-letter-*, a classic queue's overflow, trigger-length
//!   the policy                a quorum queue's overflow, delayed-retry-type, -backoff, -jitter
//!   arguments alone           priorities, single active consumer, groups, deduplication, last value
//! ```
//!
//! RabbitMQ: the same for the keys that it has.

use super::keys::least_limit;
use super::{Policy, least, merged};
use crate::catalog::{Exchange, Queue, QueueType};
use crate::queue::{Backoff, DeadLetters, Deduplication, GroupBy, Overflow, Retried, Retry, Rules, Strategy};
use crate::value::{Table, Value};

/// How often a delivery of a quorum queue may fail that says nothing else.
const DELIVERY_LIMIT: i64 = 20;

/// The highest priority of a quorum queue, and that of messages without one.
const QUORUM_PRIORITY_MAX: u8 = 31;
const QUORUM_PRIORITY: u8 = 4;

/// How many keys are remembered by a queue that says no number.
const KEYS_MAX: u64 = 128;

/// The rules of a queue under the policies that are in force for it.
pub fn queue_rules(queue: &Queue, policy: Option<&Policy>, operators: Option<&Policy>) -> Rules {
    let laid_down = merged(policy, operators);
    let both = Both {
        arguments: &queue.arguments,
        laid_down: &laid_down,
        is_quorum: queue.queue_type == QueueType::Quorum,
    };
    Rules {
        expires_ms: both.least("expires"),
        message_ttl_ms: both.least("message-ttl"),
        max_length: both.least("max-length"),
        max_length_bytes: both.least("max-length-bytes"),
        overflow: both.overflow(),
        dead_letters: both.dead_letters(),
        delivery_limit: both.delivery_limit(),
        max_priority: both.max_priority(),
        default_priority: if both.is_quorum { QUORUM_PRIORITY } else { 0 },
        counts_deliveries: both.is_quorum,
        has_single_active_consumer: both.is_set("single-active-consumer"),
        single_active_yields: both.is_quorum && both.is_set("single-active-consumer"),
        // None at all would take every delivery back at once, and hand it out again for ever.
        consumer_timeout_ms: both.least("consumer-timeout").filter(|timeout| *timeout > 0),
        retry: both.retry(),
        group_by: both.group_by(),
        deduplication: both.deduplication(),
        last_value_header: both
            .argument("last-value-key")
            .and_then(Value::as_str)
            .map(Box::from),
        trigger_length: both
            .first("trigger-length")
            .and_then(Value::as_integer)
            .and_then(natural),
    }
}

/// The two places where a rule may stand.
struct Both<'a> {
    arguments: &'a Table,
    laid_down: &'a Table,
    is_quorum: bool,
}

impl<'a> Both<'a> {
    fn argument(&self, key: &str) -> Option<&'a Value> {
        self.arguments.get(&format!("x-{key}"))
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.argument(key).and_then(Value::as_integer).and_then(natural)
    }

    fn is_set(&self, key: &str) -> bool {
        matches!(self.argument(key), Some(Value::Bool(true)))
    }

    /// The argument, or what the policy says.
    fn first(&self, key: &str) -> Option<&'a Value> {
        self.argument(key).or_else(|| self.laid_down.get(key))
    }

    /// What the policy says, or the argument.
    fn policy_first(&self, key: &str) -> Option<&'a Value> {
        self.laid_down.get(key).or_else(|| self.argument(key))
    }

    /// The smaller number.
    fn least(&self, key: &str) -> Option<u64> {
        let found = match (self.argument(key), self.laid_down.get(key)) {
            (Some(a), Some(b)) => least(a, b).as_integer(),
            (a, b) => a.or(b).and_then(Value::as_integer),
        };
        // Neither is taken when it is negative.
        found.and_then(natural)
    }

    fn overflow(&self) -> Overflow {
        let word = match self.is_quorum {
            true => self.policy_first("overflow"),
            false => self.first("overflow"),
        };
        match word.and_then(Value::as_str) {
            Some("reject-publish") => Overflow::RejectPublish,
            // Quorum queues do not know the third one.
            Some("reject-publish-dlx") if !self.is_quorum => Overflow::RejectPublishDlx,
            _ => Overflow::DropHead,
        }
    }

    fn dead_letters(&self) -> Option<DeadLetters> {
        let exchange = self.first("dead-letter-exchange").and_then(Value::as_str)?;
        let key = self.first("dead-letter-routing-key").and_then(Value::as_str);
        let strategy = self.first("dead-letter-strategy").and_then(Value::as_str);
        // RabbitMQ heeds it only beside `reject-publish`; here what leaves waits on disk, whatever made it
        // leave.
        let waits = strategy == Some("at-least-once");
        Some(DeadLetters {
            exchange: exchange.into(),
            key: key.map(Box::from),
            strategy: match waits {
                true => Strategy::AtLeastOnce,
                false => Strategy::AtMostOnce,
            },
            on_delete: matches!(self.first("dead-letter-on-delete"), Some(Value::Bool(true))),
        })
    }

    fn delivery_limit(&self) -> Option<u64> {
        if !self.is_quorum {
            return None;
        }
        let key = "delivery-limit";
        let limit = match (self.argument(key), self.laid_down.get(key)) {
            (Some(a), Some(b)) => least_limit(a, b).as_integer(),
            (a, b) => a.or(b).and_then(Value::as_integer),
        };
        natural(limit.unwrap_or(DELIVERY_LIMIT))
    }

    fn max_priority(&self) -> Option<u8> {
        if self.is_quorum {
            return Some(QUORUM_PRIORITY_MAX);
        }
        let asked = self.number("max-priority")?;
        // RabbitMQ tells two apart as well where the highest is said to be 0.
        u8::try_from(asked).ok().map(|highest| highest.max(1))
    }

    fn retry(&self) -> Option<Retry> {
        let which = match self.policy_first("delayed-retry-type").and_then(Value::as_str)? {
            "all" => Retried::All,
            "failed" => Retried::Failed,
            "returned" => Retried::Returned,
            _ => return None,
        };
        let min_ms = self.least("delayed-retry-min").filter(|min| *min > 0)?;
        let max_ms = self.least("delayed-retry-max").unwrap_or(min_ms);
        let backoff = self.policy_first("delayed-retry-backoff").and_then(Value::as_str);
        let jitter = self
            .policy_first("delayed-retry-jitter")
            .and_then(Value::as_integer);
        Some(Retry {
            which,
            // A policy may set the longest pause below the first one that an argument asks for.
            min_ms: min_ms.min(max_ms),
            max_ms,
            backoff: match backoff {
                Some("exponential") => Backoff::Exponential,
                _ => Backoff::Linear,
            },
            jitter_percent: jitter
                .and_then(|part| u8::try_from(part).ok())
                .unwrap_or(0)
                .min(100),
        })
    }

    fn group_by(&self) -> Option<GroupBy> {
        if let Some(header) = self.argument("group-header").and_then(Value::as_str) {
            return Some(GroupBy::Header(header.into()));
        }
        let part = self.number("group-key-part")?;
        u8::try_from(part).ok().map(GroupBy::KeyPart)
    }

    fn deduplication(&self) -> Option<Deduplication> {
        self.is_set("message-deduplication").then(|| Deduplication {
            keys_max: self.number("cache-size").unwrap_or(KEYS_MAX),
            ttl_ms: self.number("cache-ttl"),
        })
    }
}

fn natural(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}

/// What an exchange goes by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExchangeRules {
    /// The exchange that gets what this one cannot route.
    pub alternate: Option<Box<str>>,
}

impl ExchangeRules {
    /// The rules of an exchange under the policies that are in force for it.
    pub fn of(exchange: &Exchange, policy: Option<&Policy>, operators: Option<&Policy>) -> Self {
        let laid_down = merged(policy, operators);
        let argument = exchange.arguments.get("alternate-exchange");
        let alternate = argument.or(laid_down.get("alternate-exchange"));
        Self {
            alternate: alternate.and_then(Value::as_str).map(Box::from),
        }
    }
}
