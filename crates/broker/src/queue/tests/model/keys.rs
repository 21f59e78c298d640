//! Keys: which messages are one group, which came already, and which take the place of others.
//!
//! What a message says of itself stands in its body, behind the number that tells it from all others: the
//! headers that [`Reader`] reads.
//!
//! ```text
//!   0         8            9          10     11
//!   number    duplicates   last value group  how long it is remembered
//! ```

use super::naive::{Item, Model, Place};
use super::{ConsumerKey, GroupBy, HeaderReader, Message, Value};

/// The header of last values.
pub(super) const LAST_HEADER: &str = "last";
/// The header of groups.
pub(super) const GROUP_HEADER: &str = "group";

/// What a message says of itself; 0 is nothing.
pub(super) fn told(message: &Message, at: usize) -> Option<u8> {
    let told = message.body().get(at).copied();
    told.filter(|key| *key > 0)
}

pub(super) fn duplicate_key(message: &Message) -> Option<u8> {
    told(message, 8)
}

fn last_key(message: &Message) -> Option<u8> {
    told(message, 9)
}

/// How long it is to be remembered, in milliseconds.
fn own_ttl_ms(message: &Message) -> Option<i64> {
    told(message, 11).map(|told| if told == 255 { -1 } else { i64::from(told) - 1 })
}

/// See the module.
#[derive(Debug)]
pub(super) struct Reader;

impl HeaderReader for Reader {
    fn header(&self, message: &Message, name: &str) -> Option<Value> {
        match name {
            "x-deduplication-header" => duplicate_key(message).map(|key| value(key, message)),
            "x-cache-ttl" => own_ttl_ms(message).map(Value::I64),
            LAST_HEADER => last_key(message).map(|key| value(key, message)),
            GROUP_HEADER => told(message, 10).map(|key| value(key, message)),
            _ => None,
        }
    }
}

/// A number of any width, or a text.
fn value(key: u8, message: &Message) -> Value {
    match (key, message.body()[7] % 2) {
        (..3, 0) => Value::U8(key),
        (..3, _) => Value::I64(i64::from(key)),
        _ => Value::String([key].into()),
    }
}

/// A key that came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// The how-many-th it was.
    nth: usize,
    key: u8,
    /// 0: for as long as there is room.
    until_ms: u64,
    pub(super) persistent: bool,
    /// It is remembered for certain.
    is_sure: bool,
}

/// Keys that came, in the order in which they did. A log may tell of some that were forgotten: whether the
/// queue that is made of it knows those is open, and so is how long those before them stay.
#[derive(Debug, Default)]
pub(super) struct Memory {
    known: Vec<Known>,
    count: usize,
    /// Every one there ever was.
    pub(super) history: Vec<Known>,
    /// Of these the queue may know some, or not.
    perhaps: Vec<Known>,
}

impl Memory {
    pub(super) fn restart(&mut self) {
        let sure: Vec<usize> = self
            .known
            .iter()
            .filter(|one| one.is_sure)
            .map(|one| one.nth)
            .collect();
        self.perhaps = self.history.clone();
        self.known = self.history.clone();
        for one in &mut self.known {
            one.is_sure = sure.contains(&one.nth);
        }
        self.forget_the_oldest(u64::MAX);
    }

    /// Of each key the last time that it came stays, and of those so many.
    fn forget_the_oldest(&mut self, keys_max: u64) {
        let all = std::mem::take(&mut self.known);
        for (at, one) in all.iter().enumerate() {
            if all[at + 1..].iter().all(|later| later.key != one.key) {
                self.known.push(*one);
            }
        }
        while self.known.len() as u64 > keys_max {
            let one = self.known.remove(0);
            if !self.perhaps.is_empty() {
                self.perhaps.push(one);
            }
        }
    }
}

/// What came already, and what takes the place of what.
impl Model {
    /// Messages come together, of which those stay that did not come before. Nothing is forgotten among them:
    /// that one of them is known there holds for all.
    pub(super) fn without_duplicates<'a>(
        &mut self,
        messages: &'a [Message],
        was_taken: impl Fn(&Message) -> bool,
    ) -> Vec<&'a Message> {
        let Some(rule) = self.rules.deduplication else {
            return messages.iter().collect();
        };
        let now_ms = self.now_ms;
        let mut brought = Vec::new();
        let mut stay = Vec::new();
        for message in messages {
            let Some(key) = duplicate_key(message) else {
                stay.push(message);
                continue;
            };
            if self.is_duplicate(message, &brought, &was_taken) {
                continue;
            }
            brought.push(key);
            let own_ttl_ms = own_ttl_ms(message).and_then(|ttl| u64::try_from(ttl).ok());
            let ttl_ms = own_ttl_ms.or(rule.ttl_ms);
            let came = Known {
                nth: self.memory.count,
                is_sure: true,
                key,
                until_ms: ttl_ms.map_or(0, |ttl| now_ms.saturating_add(ttl)),
                persistent: message.envelope().persistent,
            };
            self.memory.count += 1;
            self.memory.known.push(came);
            self.memory.history.push(came);
            stay.push(message);
        }
        if !brought.is_empty() {
            self.memory.forget_the_oldest(rule.keys_max);
        }
        stay
    }

    /// Whether a message came before, or with others that `brought` their keys. Where that is open it did
    /// not, if it `was_taken`.
    pub(super) fn is_duplicate(
        &self,
        message: &Message,
        brought: &[u8],
        was_taken: impl Fn(&Message) -> bool,
    ) -> bool {
        let Some(key) = duplicate_key(message).filter(|_| self.rules.deduplication.is_some()) else {
            return false;
        };
        let is_it = |one: &Known| one.key == key && (one.until_ms == 0 || one.until_ms > self.now_ms);
        let Memory { known, perhaps, .. } = &self.memory;
        let has_come = known.iter().any(|one| is_it(one) && one.is_sure);
        let may_have_come = known.iter().chain(perhaps).any(is_it);
        brought.contains(&key) || has_come || (may_have_come && !was_taken(message))
    }

    /// Whether a message goes when another one comes, if nothing keeps it.
    pub(super) fn makes_way(&self, old: &Message, new: &Message) -> bool {
        let key = last_key(new).filter(|_| self.rules.last_value_header.is_some());
        key.is_some() && last_key(old) == key
    }

    /// All with the same key as a message that comes go, but for those that are out or leave.
    pub(super) fn make_way_for(&mut self, message: &Message) {
        let key = last_key(message);
        if self.rules.last_value_header.is_none() || key.is_none() {
            return;
        }
        let stays = |place: Place| place.is_out() || matches!(place, Place::Leaving(_));
        self.items
            .retain(|item| last_key(&item.message) != key || stays(item.place));
    }
}

/// Groups.
impl Model {
    /// The group of a message, if it has one.
    pub(super) fn group_of(&self, message: &Message) -> Option<Vec<u8>> {
        match self.rules.group_by.as_ref()? {
            GroupBy::Header(_) => told(message, 10).map(|key| vec![key]),
            GroupBy::KeyPart(nth) => {
                let part = message.routing_key().split('.').nth(usize::from(*nth));
                part.map(|part| part.as_bytes().to_vec())
            }
        }
    }

    /// Whether a consumer may get a message: nobody else holds any of its group.
    pub(super) fn may_get(&self, to: Option<ConsumerKey>, item: &Item) -> bool {
        let Some(group) = self.group_of(&item.message) else {
            return true;
        };
        self.items.iter().all(|other| match &other.place {
            Place::Out { to: holder, .. } => *holder == to || other.group.as_ref() != Some(&group),
            _ => true,
        })
    }

    /// Groups go by another rule: what is out belongs to none.
    pub(super) fn group_anew(&mut self) {
        self.items.iter_mut().for_each(|item| item.group = None);
    }
}
