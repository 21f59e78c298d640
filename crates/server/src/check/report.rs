//! What was found, and how it is told.
//!
//! ```text
//!   checkpoint  214 entries: 5 queues with messages in 2 extents; the log is needed from position 4000, ...
//!   log         1 file, 64.0 MiB; positions 4000 to 91344; closed in an orderly way
//!               3 CHANGE, 1200 ENQUEUED, 400 SETTLED
//!               00000000000000000001.log 64.0 MiB
//!   extents     2 files, 3.1 MiB, 3000 messages done with or not
//!   user "guest" [administrator]
//!   vhost "/"
//!     exchange "orders" (topic)
//!     queue "q" (classic, id 7): 40 messages, 12 of them in extents
//!   damage
//!     log/00000000000000000001.log at byte 4711: ...; 1 message is lost
//!   damaged: 1 place, 1 message known to be lost
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use warren_broker::catalog::{Catalog, Change, Effect, VhostContent};
use warren_node::storage::record as node_kind;
use warren_store::{Damage, Record, Tail};

use super::examine::NODE;
use super::queues::Messages;
use warren_node::storage::queue_record as kind;

/// What was found in a data folder. Its `Display` are lines for people, the last of which is the verdict.
#[derive(Debug, Default)]
pub struct Report {
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) log: Log,
    pub(super) extents: Vec<Extent>,
    pub(super) catalog: Catalog,
    /// By id.
    pub(super) queues: BTreeMap<u64, Messages>,
    pub(super) set_aside: Vec<String>,
    /// Extents that a broker was writing when it died, and that the next start deletes.
    pub(super) unfinished: Vec<String>,
    pub(super) damage: Vec<Damage>,
}

#[derive(Debug, Default)]
pub(super) struct Checkpoint {
    pub(super) entries: usize,
    pub(super) queues: usize,
    /// Those that queues need.
    pub(super) extents: BTreeSet<u64>,
    pub(super) node: Option<NodeEntry>,
}

/// Where things stood at the checkpoint.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NodeEntry {
    /// The catalog is true for the log up to here.
    pub(super) catalog_position: u64,
    /// The log is needed from here on.
    pub(super) log_start: u64,
    pub(super) last_id: u64,
    pub(super) last_extent: u64,
}

#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) files: Vec<LogFile>,
    pub(super) from: u64,
    pub(super) tail: Option<Tail>,
    /// Records by their words.
    records: BTreeMap<String, u64>,
}

#[derive(Debug)]
pub(super) struct LogFile {
    pub(super) name: String,
    pub(super) bytes: u64,
}

#[derive(Debug)]
pub(super) struct Extent {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

impl Report {
    /// Whether nothing is damaged.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }

    /// The ids of all queues, also of those that are deleted and still dead-letter what they held.
    pub(super) fn known(&self) -> impl Iterator<Item = u64> {
        let vhosts = self.catalog.vhosts();
        vhosts.flat_map(|vhost| vhost.queues().chain(vhost.queues_aside()).map(|queue| queue.id.0))
    }

    /// Makes a change of the log, and forgets the messages of queues that go by it.
    pub(super) fn change(&mut self, change: Change) {
        for effect in self.catalog.replay(change) {
            if let Effect::QueueDeleted(_, queue) | Effect::AsideDeleted(_, queue) = effect {
                self.queues.remove(&queue.id.0);
            }
        }
    }

    fn write_checkpoint(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(found) = &self.checkpoint else {
            return writeln!(f, "checkpoint  none");
        };
        let (entries, queues, extents) = (
            Count(found.entries, "entry", "entries"),
            Count(found.queues, "queue", "queues"),
            Count(found.extents.len(), "extent", "extents"),
        );
        write!(f, "checkpoint  {entries}: {queues} with messages in {extents}")?;
        match &found.node {
            Some(node) => writeln!(
                f,
                "; the log is needed from position {}, the catalog stands at {}; the last id is {}, the last \
                 extent {}",
                node.log_start, node.catalog_position, node.last_id, node.last_extent
            ),
            None => writeln!(f, "; where the log goes on is not known"),
        }
    }

    fn write_log(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log = &self.log;
        if log.files.is_empty() {
            return writeln!(f, "log         none");
        }
        let bytes = log.files.iter().map(|file| file.bytes).sum();
        write!(
            f,
            "log         {}, {}",
            Count(log.files.len(), "file", "files"),
            Bytes(bytes)
        )?;
        if let Some(tail) = &log.tail {
            write!(f, "; positions {} to {}", log.from, tail.end.0)?;
            match tail.is_closed {
                true => write!(f, "; closed in an orderly way")?,
                false => write!(f, "; not closed: the broker was killed, or crashed")?,
            }
            if tail.torn_bytes > 0 {
                let torn = tail.torn_bytes;
                write!(f, "; {torn} bytes at the end were never synced, nothing is lost")?;
            }
        }
        writeln!(f)?;
        let records: Vec<String> = log
            .records
            .iter()
            .map(|(word, number)| format!("{number} {word}"))
            .collect();
        if !records.is_empty() {
            writeln!(f, "            {}", records.join(", "))?;
        }
        for file in &log.files {
            writeln!(f, "            {} {}", file.name, Bytes(file.bytes))?;
        }
        Ok(())
    }

    fn write_extents(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.extents.iter().map(|extent| extent.bytes).sum();
        let messages: u64 = self.extents.iter().map(|extent| extent.messages).sum();
        writeln!(
            f,
            "extents     {}, {}, {} done with or not",
            Count(self.extents.len(), "file", "files"),
            Bytes(bytes),
            Count(messages, "message", "messages"),
        )?;
        if !self.set_aside.is_empty() {
            writeln!(f, "set aside   {}", self.set_aside.join(", "))?;
        }
        if !self.unfinished.is_empty() {
            let files = self.unfinished.join(", ");
            writeln!(f, "unfinished  {files}; of no use, and deleted by the next start")?;
        }
        Ok(())
    }

    fn write_vhost(&self, f: &mut fmt::Formatter<'_>, content: &VhostContent) -> fmt::Result {
        writeln!(f, "vhost {:?}", content.properties.name)?;
        let mut exchanges: Vec<_> = content
            .exchanges()
            .filter(|found| !found.name.is_reserved())
            .collect();
        exchanges.sort_unstable_by_key(|exchange| &exchange.name);
        for exchange in exchanges {
            writeln!(f, "  exchange {:?} ({})", exchange.name, exchange.kind)?;
        }
        let mut queues: Vec<_> = content.queues().collect();
        queues.sort_unstable_by_key(|queue| &queue.name);
        for queue in queues {
            let (name, kind, id) = (&queue.name, queue.queue_type.name(), queue.id.0);
            write!(f, "  queue {name:?} ({kind}, id {id}): ")?;
            self.write_messages(f, id)?;
        }
        for queue in content.queues_aside() {
            let (name, id) = (&queue.name, queue.id.0);
            write!(
                f,
                "  queue {name:?} (deleted, and dead-letters what it held, id {id}): "
            )?;
            self.write_messages(f, id)?;
        }
        Ok(())
    }

    /// Messages of queues that were deleted stand in the log until it is used again. If a declaration was
    /// lost, the damage that cost it is named.
    fn write_unknown(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: BTreeSet<u64> = self.known().collect();
        let unknown = self.queues.iter().filter(|(id, _)| !known.contains(id));
        for (id, messages) in unknown.filter(|(_, messages)| messages.left() > 0) {
            let left = Count(messages.left(), "message", "messages");
            writeln!(f, "no queue has id {id} any more: {left}")?;
        }
        Ok(())
    }

    fn write_messages(&self, f: &mut fmt::Formatter<'_>, id: u64) -> fmt::Result {
        let none = Messages::default();
        let messages = self.queues.get(&id).unwrap_or(&none);
        write!(f, "{}", Count(messages.left(), "message", "messages"))?;
        if messages.stored() > 0 {
            write!(f, ", {} of them in extents", messages.stored())?;
        }
        if messages.lost() > 0 {
            write!(f, ", {} more in the log and damaged", messages.lost())?;
        }
        writeln!(f)
    }

    fn write_verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_sound() {
            return writeln!(f, "sound: nothing is damaged");
        }
        writeln!(f, "damage")?;
        let lost = |damage: &Damage| damage.messages_lost.unwrap_or(0);
        for damage in &self.damage {
            writeln!(f, "  {damage}")?;
        }
        // What damaged parts of the log cost is known only from the records that they are of.
        let in_log: u64 = self.queues.values().map(Messages::lost).sum();
        let lost = self.damage.iter().map(lost).sum::<u64>().saturating_add(in_log);
        let places = Count(self.damage.len(), "place", "places");
        let messages = Count(lost, "message", "messages");
        writeln!(f, "damaged: {places}, {messages} known to be lost")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_checkpoint(f)?;
        self.write_log(f)?;
        self.write_extents(f)?;
        for user in self.catalog.users() {
            writeln!(f, "user {:?} [{}]", user.name, user.tags.join(", "))?;
        }
        for content in self.catalog.vhosts() {
            self.write_vhost(f, content)?;
        }
        self.write_unknown(f)?;
        self.write_verdict(f)
    }
}

impl Log {
    pub(super) fn count(&mut self, record: &Record<'_>) {
        *self.records.entry(word(record)).or_default() += 1;
    }
}

fn word(record: &Record<'_>) -> String {
    let word = match (record.owner, record.kind) {
        (NODE, node_kind::CHANGE) => "CHANGE",
        (NODE, node_kind::RECOVERED) => "RECOVERED",
        (NODE, other) => return format!("of unknown kind {other} of the node"),
        (_, kind::ENQUEUED) => "ENQUEUED",
        (_, kind::SETTLED) => "SETTLED",
        (_, kind::RETURNED) => "RETURNED",
        (_, kind::PURGED) => "PURGED",
        (_, kind::RESERVED) => "RESERVED",
        (_, kind::SEEN) => "SEEN",
        (_, other) => return format!("of unknown kind {other} of queues"),
    };
    word.to_owned()
}

/// A number of things.
struct Count<N>(N, &'static str, &'static str);

impl<N: fmt::Display + PartialEq + From<u8>> fmt::Display for Count<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.0 == N::from(1) { self.1 } else { self.2 };
        write!(f, "{} {word}", self.0)
    }
}

/// An amount in units that people read.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
            let whole = self.0 >> shift;
            if whole > 0 {
                // The rest is less than one, of which a tenth is shown.
                let tenth = ((self.0 - (whole << shift)) * 10) >> shift;
                return write!(f, "{whole}.{tenth} {unit}");
            }
        }
        write!(f, "{} bytes", self.0)
    }
}
