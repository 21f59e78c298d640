//! The figures of one scenario, and what may not be.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// How many faults of one kind are told in words; all are counted.
const SAMPLES: usize = 5;

/// What may not be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Fault {
    /// Confirmed, not settled, and not there after the restart.
    Lost,
    /// Other bytes than were sent.
    Corrupt,
    /// Never sent, sent elsewhere, or returned and delivered.
    Unexpected,
    /// First deliveries of one producer in one queue out of order.
    Reordered,
    /// Delivered again without the redelivered flag.
    Unmarked,
    /// Settled for so long that it should not have come back.
    SettledBack,
    /// Not persistent, and there after a restart.
    TransientBack,
    /// A queue, exchange or binding that is missing or should be.
    Topology,
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Fault::Lost => "lost",
            Fault::Corrupt => "corrupt",
            Fault::Unexpected => "unexpected",
            Fault::Reordered => "reordered",
            Fault::Unmarked => "unmarked",
            Fault::SettledBack => "settled-back",
            Fault::TransientBack => "transient-back",
            Fault::Topology => "topology",
        }
    }

    /// Those that every line shows, also as zero.
    const SHOWN: [Fault; 5] = [
        Fault::Lost,
        Fault::Corrupt,
        Fault::Unexpected,
        Fault::Reordered,
        Fault::Unmarked,
    ];
}

/// What one scenario counted.
#[derive(Clone, Default, Debug)]
pub(crate) struct Figures {
    pub(crate) published: u64,
    pub(crate) confirmed: u64,
    pub(crate) nacked: u64,
    pub(crate) returned: u64,
    pub(crate) delivered: u64,
    /// Delivered more than once, marked or not.
    pub(crate) duplicates: u64,
    /// Acknowledged within the allowed time before the end, and back.
    pub(crate) acks_undone: u64,
    /// Marked redelivered although this harness never saw them: the broker had sent them into a dying socket.
    pub(crate) marked_unseen: u64,
    pub(crate) kills: u64,
    pub(crate) restarts: Vec<Duration>,
    pub(crate) first_deliveries: Vec<Duration>,
    faults: BTreeMap<Fault, u64>,
    samples: Vec<(Fault, String)>,
}

impl Figures {
    pub(crate) fn fault(&mut self, fault: Fault, what: String) {
        let count = self.faults.entry(fault).or_default();
        *count += 1;
        if *count <= SAMPLES as u64 {
            self.samples.push((fault, what));
        }
    }

    pub(crate) fn count(&self, fault: Fault) -> u64 {
        self.faults.get(&fault).copied().unwrap_or(0)
    }

    /// Takes a kind of fault out of the verdict, and says how many there were. For scenarios that damage the
    /// data on purpose.
    pub(crate) fn forgive(&mut self, fault: Fault) -> u64 {
        self.samples.retain(|(of, _)| *of != fault);
        self.faults.remove(&fault).unwrap_or(0)
    }

    /// The faults in words, a line for each kind with its first examples.
    pub(crate) fn failures(&self) -> Vec<String> {
        let describe = |(fault, count): (&Fault, &u64)| {
            let samples = self.samples.iter().filter(|(of, _)| of == fault);
            let examples: Vec<&str> = samples.map(|(_, what)| what.as_str()).collect();
            format!("{} {}: {}", count, fault.name(), examples.join("; "))
        };
        self.faults.iter().map(describe).collect()
    }

    /// Adds what another run counted.
    pub(crate) fn add(&mut self, other: Figures) {
        self.published += other.published;
        self.confirmed += other.confirmed;
        self.nacked += other.nacked;
        self.returned += other.returned;
        self.delivered += other.delivered;
        self.duplicates += other.duplicates;
        self.acks_undone += other.acks_undone;
        self.marked_unseen += other.marked_unseen;
        self.kills += other.kills;
        self.restarts.extend(other.restarts);
        self.first_deliveries.extend(other.first_deliveries);
        for (fault, count) in other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
        self.samples.extend(other.samples);
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let mut counts = vec![
            ("kills", self.kills),
            ("published", self.published),
            ("confirmed", self.confirmed),
            ("nacked", self.nacked),
            ("returned", self.returned),
            ("delivered", self.delivered),
            ("duplicates", self.duplicates),
            ("acks-undone", self.acks_undone),
            ("marked-unseen", self.marked_unseen),
        ];
        counts.extend(
            Fault::SHOWN
                .iter()
                .map(|fault| (fault.name(), self.count(*fault))),
        );
        let rare = self
            .faults
            .iter()
            .filter(|(fault, _)| !Fault::SHOWN.contains(fault));
        counts.extend(rare.map(|(fault, count)| (fault.name(), *count)));
        counts
    }

    /// One line: what is zero and no fault is left out.
    pub(crate) fn line(&self) -> String {
        let shown = |(name, count): &(&'static str, u64)| {
            *count > 0 || Fault::SHOWN.iter().any(|fault| fault.name() == *name)
        };
        let mut words: Vec<String> = self
            .counts()
            .iter()
            .filter(|pair| shown(pair))
            .map(word)
            .collect();
        for (name, times) in [
            ("restart", &self.restarts),
            ("first-delivery", &self.first_deliveries),
        ] {
            if let Some((half, most)) = middle_and_most(times) {
                words.push(format!(
                    "{name} p50 {} ms max {} ms",
                    half.as_millis(),
                    most.as_millis()
                ));
            }
        }
        words.join(", ")
    }

    pub(crate) fn json(&self) -> Map<String, Value> {
        let counts = self.counts().into_iter();
        let mut map: Map<String, Value> = counts
            .map(|(name, count)| (name.to_owned(), json!(count)))
            .collect();
        for (name, times) in [
            ("restart", &self.restarts),
            ("first-delivery", &self.first_deliveries),
        ] {
            if let Some((half, most)) = middle_and_most(times) {
                let value = json!({ "p50_ms": half.as_millis() as u64, "max_ms": most.as_millis() as u64 });
                map.insert(name.to_owned(), value);
            }
        }
        map
    }
}

fn word(pair: &(&'static str, u64)) -> String {
    format!("{} {}", pair.0, pair.1)
}

fn middle_and_most(times: &[Duration]) -> Option<(Duration, Duration)> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    Some((*sorted.get(sorted.len() / 2)?, *sorted.last()?))
}
