//! Folders made by hand, and what damage to single bytes of them may cost.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::checkpoint::{Stored, Stretch};
use std::ops::Range;

use super::*;

const QUEUE: u64 = 7;
const OTHER: u64 = 8;
const LOG: &str = "log/1.log";
const EXTENT: &str = "extents/1.ext";

fn put(bytes: &mut Vec<u8>, at: usize, more: &[u8]) {
    bytes.resize(bytes.len().max(at + more.len()), 0);
    bytes[at..at + more.len()].copy_from_slice(more);
}

/// A file of the log that is filled from its front.
struct Log {
    bytes: Vec<u8>,
    batches: u64,
    position: u64,
}

impl Log {
    fn new() -> Log {
        let mut bytes = vec![0; 4096];
        put(&mut bytes, 0, b"WARRENLG");
        Log {
            bytes,
            batches: 0,
            position: 0,
        }
    }

    /// A batch; each record is owner, kind and parts. Answers where each record begins.
    fn batch(&mut self, records: &[(u64, u8, Vec<Vec<u8>>)]) -> Vec<u64> {
        let at = self.bytes.len();
        put(&mut self.bytes, at, &[0xB7, 0x57, 0x62, 0x1A]);
        put(&mut self.bytes, at + 8, &self.batches.to_le_bytes());
        put(&mut self.bytes, at + 16, &self.position.to_le_bytes());
        put(&mut self.bytes, at + 56, &[0; 8]);
        let mut begin = Vec::new();
        for (owner, kind, parts) in records {
            let record = self.bytes.len();
            let length: usize = parts.iter().map(|part| 12 + part.len()).sum();
            put(&mut self.bytes, record + 4, &(parts.len() as u32).to_le_bytes());
            put(&mut self.bytes, record + 8, &owner.to_le_bytes());
            put(&mut self.bytes, record + 16, &self.position.to_le_bytes());
            put(&mut self.bytes, record + 24, &[*kind]);
            put(&mut self.bytes, record + 25, &length.to_le_bytes()[..7]);
            for part in parts {
                let at = self.bytes.len();
                put(&mut self.bytes, at, &(part.len() as u32).to_le_bytes());
                put(&mut self.bytes, at + 12, part);
            }
            self.position += 32 + length as u64;
            begin.push(record as u64);
        }
        let payload = (self.bytes.len() - at - 64) as u64;
        put(&mut self.bytes, at + 32, &payload.to_le_bytes());
        self.batches += 1;
        begin
    }

    fn read(&self) -> LogFile {
        let mut known = Known::default();
        LogFile::read(LOG, &self.bytes, &mut known).unwrap().unwrap()
    }
}

fn message(seq: u64, flags: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = seq.to_le_bytes().to_vec();
    bytes.extend([0, 0, 0, 0, 0, 0, 0, flags]);
    bytes.extend(content);
    bytes
}

fn folder(log: &Log, queues: &[u64], extents: Vec<Extent>) -> Folder {
    let mut checkpoint = Checkpoint::default();
    for queue in queues {
        checkpoint.queues.insert(*queue, Stored::default());
    }
    let mut folder = Folder {
        checkpoint,
        log: vec![log.read()],
        extents,
        live: BTreeSet::new(),
        undeclared: 0,
        identities: HashMap::new(),
    };
    folder.live = folder.find_live();
    folder
}

fn changed(file: &str, ranges: &[Range<u64>], is_cut: bool) -> Changed {
    Changed {
        file: file.to_owned(),
        ranges: ranges.to_vec(),
        is_cut,
    }
}

/// What a change of one range may cost.
fn reach_of(folder: &Folder, file: &str, range: Range<u64>, is_cut: bool) -> Reach {
    folder.reach(&changed(file, std::slice::from_ref(&range), is_cut))
}

fn missing(reach: &Reach) -> Vec<(u64, u64)> {
    reach.missing.keys().map(|copy| (copy.owner, copy.seq)).collect()
}

/// One record with messages 0 to 2 of a queue, one of another queue that refers to message 1, one that
/// settles message 0; and a batch without records, which proves them.
fn three_records() -> (Log, Vec<u64>) {
    let mut log = Log::new();
    let reference = 2_u64.to_le_bytes();
    let mut begin = log.batch(&[(
        QUEUE,
        1,
        vec![
            vec![0; 8],
            message(0, 0, &[1; 20]),
            message(1, 1, &[2; 20]),
            message(2, 0, &[3; 20]),
        ],
    )]);
    begin.extend(log.batch(&[
        (OTHER, 1, vec![vec![0; 8], message(9, 2, &reference)]),
        (QUEUE, 2, vec![[0; 16].to_vec()]),
    ]));
    log.batch(&[]);
    log.bytes.resize(8192, 0);
    (log, begin)
}

#[test]
fn the_bytes_of_a_folder_say_what_is_not_settled() {
    let (log, _) = three_records();
    let folder = folder(&log, &[QUEUE, OTHER], Vec::new());
    let live: Vec<_> = folder.live.iter().map(|copy| (copy.owner, copy.seq)).collect();
    assert_eq!(live, [(QUEUE, 1), (QUEUE, 2), (OTHER, 9)]);
}

#[test]
fn a_part_costs_its_message_and_those_that_refer_to_it() {
    let (log, begin) = three_records();
    let folder = folder(&log, &[QUEUE, OTHER], Vec::new());
    // Header 32, the time 20, then parts of 12 + 36.
    let part = |nth: u64| begin[0] + 52 + nth * 48;
    let at = |at: u64| reach_of(&folder, LOG, at..at + 1, false);
    let cases = [
        (0, vec![]),
        (4096, vec![]),
        (begin[0] + 40, vec![]),
        (part(0), vec![]),
        (part(1), vec![(QUEUE, 1), (OTHER, 9)]),
        (part(1) + 47, vec![(QUEUE, 1), (OTHER, 9)]),
        (part(2), vec![(QUEUE, 2)]),
        (begin[0], vec![(QUEUE, 1), (QUEUE, 2), (OTHER, 9)]),
        (begin[1], vec![(OTHER, 9)]),
        (8191, vec![]),
    ];
    for (offset, lost) in cases {
        let reach = at(offset);
        assert_eq!(missing(&reach), lost, "byte {offset}");
        assert!(reach.untold.is_empty(), "byte {offset}");
    }
    assert_eq!(at(part(0)).settled, 1);
    assert_eq!(at(part(1)).record_bytes, 0);
    assert_eq!(at(begin[0]).record_bytes, 32 + 20 + 3 * 48);
    assert_eq!(at(begin[2]).back.iter().next().unwrap().seq, 0);
    assert!(at(begin[1]).back.is_empty());
}

#[test]
fn what_no_batch_proves_need_not_be_told() {
    let (log, begin) = three_records();
    let folder = folder(&log, &[QUEUE, OTHER], Vec::new());
    let proof = folder.log[0].batches[2].header();
    let hit = begin[1]..begin[1] + 1;
    let told = folder.reach(&changed(LOG, std::slice::from_ref(&hit), false));
    assert!(told.untold.is_empty());
    let ranges = [hit, proof.clone()];
    let torn = folder.reach(&changed(LOG, &ranges, false));
    // The whole batch: also what it settles.
    assert_eq!(missing(&torn), [(OTHER, 9)]);
    assert_eq!((torn.untold.len(), torn.back.len()), (1, 1));
    // The end of the file tells that there was more.
    let cut = reach_of(&folder, LOG, begin[1] + 3..8192, true);
    assert_eq!((missing(&cut), cut.untold.len()), (vec![(OTHER, 9)], 0));
    // Nothing that counts is touched by the proof alone.
    assert!(missing(&folder.reach(&changed(LOG, &[proof], false))).is_empty());
}

/// Two blocks of a queue, with one and two messages.
fn extent() -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, 0, b"WARRNEXT");
    put(&mut bytes, 16, &1_u64.to_le_bytes());
    put(&mut bytes, 63, &[0]);
    let mut headers = Vec::new();
    for (first, count) in [(0_u64, 1_u32), (1, 2)] {
        let at = bytes.len();
        let mut header = b"WBLK".to_vec();
        header.extend(count.to_le_bytes());
        for number in [QUEUE, first, first + u64::from(count) - 1, at as u64, 0] {
            header.extend(number.to_le_bytes());
        }
        put(&mut bytes, at, &header);
        for nth in 0..count {
            let entry = at + 48 + nth as usize * 48;
            put(&mut bytes, entry, &nth.to_le_bytes());
            put(&mut bytes, entry + 4, &(nth * 10).to_le_bytes());
            put(&mut bytes, entry + 8, &10_u32.to_le_bytes());
            put(&mut bytes, entry + 47, &[0]);
        }
        bytes.extend(vec![5; 10 * count as usize]);
        headers.push(header);
    }
    let directory = bytes.len() as u64;
    headers.iter().for_each(|header| bytes.extend(header));
    let footer = bytes.len();
    put(&mut bytes, footer, b"WARRNEND");
    put(&mut bytes, footer + 12, &2_u32.to_le_bytes());
    put(&mut bytes, footer + 24, &directory.to_le_bytes());
    put(&mut bytes, footer + 63, &[0]);
    bytes
}

#[test]
fn a_block_is_lost_only_with_both_of_its_headers() {
    let bytes = extent();
    let read = Extent::read(EXTENT, &bytes, &mut Known::default()).unwrap();
    let (header, row) = (read.blocks[1].header.clone(), read.blocks[1].row.clone());
    let message = &read.blocks[1].messages[1];
    let (entry, content) = (message.entry.clone(), message.content.clone());
    let footer = read.footer.clone();
    let mut folder = folder(&Log::new(), &[QUEUE], vec![read]);
    let stored = folder.checkpoint.queues.get_mut(&QUEUE).unwrap();
    *stored = Stored {
        stored_up_to: 3,
        stretches: vec![Stretch {
            extent: 1,
            seqs: 0..=2,
        }],
        live: vec![1..=2],
    };
    folder.live = folder.find_live();
    let reach = |ranges: &[Range<u64>]| folder.reach(&changed(EXTENT, ranges, false));
    for harmless in [0..64, header.clone(), row.clone(), footer.clone()] {
        assert!(
            missing(&reach(std::slice::from_ref(&harmless))).is_empty(),
            "{harmless:?}"
        );
    }
    assert_eq!(missing(&reach(&[entry])), [(QUEUE, 2)]);
    assert_eq!(missing(&reach(&[content])), [(QUEUE, 2)]);
    let block = reach(&[header.clone(), row.clone()]);
    assert_eq!(
        (missing(&block), block.uncounted.len()),
        (vec![(QUEUE, 1), (QUEUE, 2)], 0)
    );
    let cut = reach_of(&folder, EXTENT, header.start + 3..bytes.len() as u64, true);
    assert_eq!(
        (missing(&cut), cut.uncounted.len()),
        (vec![(QUEUE, 1), (QUEUE, 2)], 2)
    );
    // Message 0 is settled.
    let settled = reach_of(&folder, EXTENT, 64 + 48..64 + 49, false);
    assert_eq!((missing(&settled), settled.settled), (vec![], 1));
    assert!(missing(&reach_of(&folder, "checkpoint", 0..9999, true)).is_empty());
}

#[test]
fn a_checkpoint_is_read() {
    let mut bytes = Vec::new();
    put(&mut bytes, 0, b"WARRNCHK");
    put(&mut bytes, 16, &2_u64.to_le_bytes());
    let node: Vec<u8> = [11_u64, 12, 13, 14]
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    let mut queue = vec![0; 25];
    queue[17] = 200;
    // A stretch in extent 300 from 5 to 104, 60 written; live 5 to 6 and 9.
    queue.extend([1, 0xAC, 2, 5, 99, 60, 2, 5, 1, 2, 0, 0]);
    for (nth, (owner, entry, at)) in [(0_u64, &node, 0), (QUEUE, &queue, node.len())]
        .into_iter()
        .enumerate()
    {
        let row = 64 + 32 * nth;
        put(&mut bytes, row, &owner.to_le_bytes());
        put(&mut bytes, row + 8, &(at as u64).to_le_bytes());
        put(&mut bytes, row + 16, &(entry.len() as u32).to_le_bytes());
        put(&mut bytes, row + 20, &[1]);
        put(&mut bytes, 64 + 64 + at, entry);
    }
    let read = Checkpoint::read(&bytes).unwrap();
    assert_eq!((read.catalog_at, read.needed_from), (11, 12));
    let queue = &read.queues[&QUEUE];
    assert_eq!((queue.stored_up_to, &queue.live), (200, &vec![5..=6, 9..=9]));
    assert_eq!(
        (queue.stretches[0].extent, &queue.stretches[0].seqs),
        (300, &(5..=104))
    );
    assert!(Checkpoint::read(&bytes[..bytes.len() - 3]).is_none());
}
