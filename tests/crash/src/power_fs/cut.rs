//! What a cut keeps of what was not synced.

use std::io;

use super::state::{DataOp, Kind, State};
use crate::rng::Rng;

/// What a disk writes whole or not at all.
const SECTOR: u64 = 512;

/// What a cut did.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Cut {
    /// Changes to files that were not synced, and how many of them were kept whole.
    pub(crate) data: u64,
    pub(crate) data_kept: u64,
    /// Writes of which some sectors were kept.
    pub(crate) torn: u64,
    /// Changes to names that were not synced, and how many of them were kept.
    pub(crate) names: u64,
    pub(crate) names_kept: u64,
}

/// How a cut chooses.
#[derive(Clone, Copy, Debug)]
enum Choice {
    Nothing,
    All,
    /// What was done before this moment; the write at it is torn.
    Until(u64),
    /// Each by chance, in any order; some torn.
    Any,
}

enum Fate {
    Lost,
    Kept,
    Torn,
}

impl Choice {
    fn draw(rng: &mut Rng, first: u64, last: u64) -> Choice {
        match rng.below(8) {
            0 => Choice::Nothing,
            1 => Choice::All,
            2..=4 => Choice::Until(rng.between(first, last)),
            _ => Choice::Any,
        }
    }

    fn fate(self, rng: &mut Rng, order: u64) -> Fate {
        match self {
            Choice::Nothing => Fate::Lost,
            Choice::All => Fate::Kept,
            Choice::Until(moment) if order < moment => Fate::Kept,
            Choice::Until(moment) if order == moment => Fate::Torn,
            Choice::Until(_) => Fate::Lost,
            Choice::Any => match rng.below(4) {
                0 => Fate::Torn,
                1 => Fate::Lost,
                _ => Fate::Kept,
            },
        }
    }
}

impl State {
    /// Cuts the power: afterwards what is seen is what the disk holds.
    pub(super) fn cut(&mut self, rng: &mut Rng) -> io::Result<Cut> {
        let mut cut = Cut::default();
        let data = self.nodes.values().filter_map(|node| match &node.kind {
            Kind::File(content) => content.pending.first().map(|pending| pending.order),
            Kind::Folder { .. } => None,
        });
        let first = data.chain(self.names.first().map(|op| op.order)).min();
        let first = first.unwrap_or_else(|| self.now());
        let choice = Choice::draw(rng, first, self.now());
        for op in std::mem::take(&mut self.names) {
            cut.names += 1;
            // A name is one entry of a journal: there or not there.
            if let Fate::Kept = choice.fate(rng, op.order) {
                cut.names_kept += 1;
                self.keep_names(&op);
            }
        }
        for node in self.nodes.values_mut() {
            match &mut node.kind {
                Kind::Folder { live, durable } => live.clone_from(durable),
                Kind::File(content) => {
                    let pending = std::mem::take(&mut content.pending);
                    for pending in pending.into_iter().filter(|pending| !pending.phantom) {
                        cut.data += 1;
                        let fate = choice.fate(rng, pending.order);
                        cut.keep(rng, fate, &pending.op, |op| content.apply(op))?;
                    }
                    content.length = content.durable_length;
                    content.settled = true;
                }
            }
        }
        self.sweep();
        Ok(cut)
    }
}

impl Cut {
    fn keep(
        &mut self,
        rng: &mut Rng,
        fate: Fate,
        op: &DataOp,
        mut apply: impl FnMut(&DataOp) -> io::Result<()>,
    ) -> io::Result<()> {
        match (fate, op) {
            (Fate::Kept, op) => {
                self.data_kept += 1;
                apply(op)
            }
            (Fate::Torn, DataOp::Write { offset, bytes }) => {
                self.torn += 1;
                sectors(*offset, bytes)
                    .filter(|_| rng.one_in(2))
                    .try_for_each(|(offset, bytes)| apply(&DataOp::Write { offset, bytes }))
            }
            (Fate::Torn | Fate::Lost, _) => Ok(()),
        }
    }
}

/// The pieces of a write that each lie in one sector.
fn sectors(offset: u64, bytes: &[u8]) -> impl Iterator<Item = (u64, Vec<u8>)> {
    let mut rest = bytes;
    let mut at = offset;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let length = ((SECTOR - at % SECTOR) as usize).min(rest.len());
        let (piece, behind) = rest.split_at(length);
        let begin = at;
        rest = behind;
        at += length as u64;
        Some((begin, piece.to_vec()))
    })
}
