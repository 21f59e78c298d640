//! Tests of extents: what is written comes back; what is damaged is told, and costs what it must.

mod damage;
mod round;
mod speed;

use super::{ExtentWriter, Extents, Head, Section};
use crate::damage::Damage;
use crate::memory_disk::{MemoryDisk, digest};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

const NUMBER: u64 = 7;
const PATH: &str = "extents/00000000000000000007.ext";

/// What an extent holds, by owner and number.
type Model = BTreeMap<u64, BTreeMap<u64, (Head, Vec<u8>)>>;

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below.max(1)
    }
}

fn message(owner: u64, seq: u64, length: usize) -> (Head, Vec<u8>) {
    let mut dice = Dice(owner.wrapping_mul(31).wrapping_add(seq));
    let content = (0..length).map(|_| dice.roll(256) as u8).collect();
    let head = Head {
        seq,
        enqueued_at_ms: dice.roll(1 << 31),
        due_at_ms: dice.roll(1 << 31),
        properties_bytes: dice.roll(1 << 20) as u32,
        exchange_bytes: dice.roll(256) as u8,
        key_bytes: dice.roll(256) as u8,
        priority: dice.roll(256) as u8,
        flags: dice.roll(256) as u8,
        delivery_count: dice.roll(65536) as u16,
    };
    (head, content)
}

/// A model with a section for each `(owner, first, step, count, length)`.
fn model(sections: &[(u64, u64, u64, u64, usize)]) -> Model {
    let section = |&(owner, first, step, count, length): &(u64, u64, u64, u64, usize)| {
        let numbers = (0..count).map(|place| first + place * step);
        (
            owner,
            numbers.map(|seq| (seq, message(owner, seq, length))).collect(),
        )
    };
    sections.iter().map(section).collect()
}

fn write(disk: &MemoryDisk, durable: bool, model: &Model) -> io::Result<Vec<Section>> {
    let all = || model.values().flat_map(BTreeMap::values);
    let bytes = all().map(|(_, content)| content.len() as u64).sum();
    let space = ExtentWriter::space_bytes(model.len() as u64, all().count() as u64, bytes);
    let mut writer = ExtentWriter::create(Arc::new(disk.clone()), NUMBER, durable, space)?;
    for (owner, messages) in model {
        let content_bytes = messages.values().map(|(_, content)| content.len() as u64).sum();
        assert!(writer.has_room(messages.len() as u64, content_bytes));
        writer.begin(*owner);
        for (head, content) in messages.values() {
            writer.push(head, content)?;
        }
    }
    writer.finish()
}

fn extents(disk: &MemoryDisk) -> Extents {
    Extents::new(Arc::new(disk.clone()), 2)
}

/// What reading a section gave.
#[derive(Debug, Default)]
struct Outcome {
    found: BTreeMap<u64, (Head, Vec<u8>)>,
    lost: BTreeMap<u64, Damage>,
}

/// Reads a section and holds that numbers rise, and that none comes twice.
fn read(
    extents: &Extents,
    section: &Section,
    from: u64,
    mut wanted: impl FnMut(u64) -> bool,
) -> io::Result<Outcome> {
    let outcome = std::cell::RefCell::new((Outcome::default(), None::<u64>));
    let mut asked = None;
    let rises = |last: &mut Option<u64>, seq: u64| {
        assert!(last.is_none_or(|last| last < seq), "{seq} comes after {last:?}");
        *last = Some(seq);
    };
    extents.read(
        true,
        section,
        from,
        &mut |seq| {
            assert!(seq >= from, "{seq} is asked about");
            assert!(asked != Some(seq), "{seq} is asked about twice");
            asked = Some(seq);
            wanted(seq)
        },
        &mut |found| {
            let (outcome, last) = &mut *outcome.borrow_mut();
            rises(last, found.head.seq);
            outcome
                .found
                .insert(found.head.seq, (found.head, found.content.to_vec()));
            true
        },
        &mut |lost, damage| {
            let (outcome, last) = &mut *outcome.borrow_mut();
            rises(last, lost.seq);
            outcome.lost.insert(lost.seq, damage);
        },
    )?;
    Ok(outcome.into_inner().0)
}

/// Reads every section with the live numbers of the model: whatever is handed out is right, and whatever is
/// not is told, exactly. Answers how many messages were lost.
fn read_all(extents: &Extents, sections: &[Section], model: &Model) -> io::Result<usize> {
    let mut lost = 0;
    for section in sections {
        let messages = &model[&section.owner];
        let outcome = read(extents, section, 0, |seq| messages.contains_key(&seq))?;
        for (seq, message) in &outcome.found {
            assert!(
                messages.get(seq) == Some(message),
                "wrong content of message {seq}"
            );
        }
        for seq in messages.keys() {
            let (found, told) = (outcome.found.contains_key(seq), outcome.lost.contains_key(seq));
            assert!(
                found != told,
                "message {seq}: found {found}, told to be lost {told}"
            );
        }
        assert!(outcome.lost.keys().all(|seq| messages.contains_key(seq)));
        lost += outcome.lost.len();
    }
    Ok(lost)
}
