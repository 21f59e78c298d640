//! What is damaged is told, and costs what it must.

use super::*;

/// Dense and sparse sections, of one block and of several, and a large message.
fn a_model() -> Model {
    let mut model = model(&[
        (1, 1, 1, 900, 300),
        (2, 10, 7, 400, 50),
        (5, 1, 1, 1, 10),
        (9, 3, 1, 40, 0),
    ]);
    let middle = model.get_mut(&1).unwrap();
    middle.insert(901, message(1, 901, 140_000));
    middle.insert(902, message(1, 902, 20));
    model
}

fn damaged(bytes: Vec<u8>) -> (MemoryDisk, Extents) {
    let disk = MemoryDisk::default();
    disk.set_contents(PATH, bytes);
    let extents = extents(&disk);
    (disk, extents)
}

/// Reports of everything that is wrong with a file.
fn reports(extents: &Extents) -> Vec<Damage> {
    let mut reports = Vec::new();
    extents
        .verify(NUMBER, &mut |damage| reports.push(damage))
        .unwrap();
    reports
}

fn small() -> (Vec<Section>, Model, Vec<u8>) {
    let disk = MemoryDisk::default();
    let model = model(&[(1, 1, 1, 3, 8), (4, 10, 3, 3, 8)]);
    let sections = write(&disk, true, &model).unwrap();
    (sections, model, disk.contents(PATH))
}

#[test]
fn each_flipped_byte_costs_one_message_at_most_and_is_told() {
    let (sections, model, bytes) = small();
    for place in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[place] ^= 0x10;
        let (_, extents) = damaged(bytes);
        let lost = read_all(&extents, &sections, &model).unwrap();
        assert!(lost <= 1, "byte {place} costs {lost}");
        let reports = reports(&extents);
        let told: u64 = reports.iter().filter_map(|damage| damage.messages_lost).sum();
        assert_eq!(told, lost as u64, "byte {place}: {reports:?}");
        assert_eq!(reports.len(), 1, "byte {place}: {reports:?}");
        assert!(
            reports[0].file == PATH && reports[0].offset <= place as u64,
            "byte {place}: {reports:?}"
        );
    }
}

#[test]
fn each_truncation_gives_what_is_whole() {
    let (sections, model, bytes) = small();
    let mut most = 6;
    for length in 0..bytes.len() {
        let (_, extents) = damaged(bytes[..length].to_vec());
        let lost = read_all(&extents, &sections, &model).unwrap();
        assert!(lost <= most, "{length} bytes cost {lost}");
        most = lost;
        assert!(!reports(&extents).is_empty());
    }
    assert_eq!(most, 0);
}

#[test]
fn all_messages_without_live_numbers_are_told_where_they_are_dense() {
    let disk = MemoryDisk::default();
    let model = model(&[(1, 1, 1, 5000, 100)]);
    let sections = write(&disk, true, &model).unwrap();
    let bytes = disk.contents(PATH);
    let (_, extents) = damaged(bytes[..bytes.len() / 2].to_vec());
    let outcome = read(&extents, &sections[0], 0, |_| true).unwrap();
    assert_eq!(outcome.found.len() + outcome.lost.len(), 5000);
    assert!(outcome.found.len() > 2000);
}

#[test]
fn a_damaged_header_and_directory_together_cost_their_block() {
    let disk = MemoryDisk::default();
    let model = model(&[(1, 1, 1, 3000, 100)]);
    let sections = write(&disk, true, &model).unwrap();
    let mut bytes = disk.contents(PATH);
    let block = super::super::open::Open::load(&disk, true, NUMBER)
        .unwrap()
        .blocks[1];
    let directory = bytes.len() - 64 - 3 * 48;
    bytes[block.offset as usize + 20] ^= 1;
    bytes[directory + 48 + 20] ^= 1;
    let (_, extents) = damaged(bytes);
    assert_eq!(
        read_all(&extents, &sections, &model).unwrap(),
        block.count as usize
    );
    let lost: Vec<_> = reports(&extents)
        .into_iter()
        .filter_map(|damage| damage.messages_lost)
        .collect();
    assert_eq!(lost, [u64::from(block.count)]);
}

#[test]
fn every_message_survives_the_loss_of_header_footer_and_directory() {
    let disk = MemoryDisk::default();
    let model = a_model();
    let sections = write(&disk, true, &model).unwrap();
    let mut bytes = disk.contents(PATH);
    let length = bytes.len();
    bytes[..64].fill(0);
    bytes.truncate(length - 150);
    let (_, extents) = damaged(bytes);
    assert_eq!(read_all(&extents, &sections, &model).unwrap(), 0);
    assert!(!extents.take_repaired().is_empty());
}

#[test]
fn a_bad_sector_costs_the_messages_in_it() {
    let disk = MemoryDisk::default();
    let model = model(&[(1, 1, 1, 3000, 100)]);
    let sections = write(&disk, true, &model).unwrap();
    disk.spoil(PATH, 100_000..100_100);
    let lost = read_all(&extents(&disk), &sections, &model).unwrap();
    assert!((30..=90).contains(&lost), "{lost} lost");
}

#[test]
fn a_block_that_the_disk_refuses_costs_its_messages_and_no_others() {
    let disk = MemoryDisk::default();
    let model = model(&[(1, 1, 1, 5000, 100)]);
    let sections = write(&disk, true, &model).unwrap();
    let blocks = super::super::open::Open::load(&disk, true, NUMBER)
        .unwrap()
        .blocks;
    let [before, refused, behind, ..] = blocks.as_slice() else {
        panic!("{} blocks", blocks.len())
    };
    disk.spoil(PATH, refused.offset..behind.offset);
    let extents = extents(&disk);
    let lost = read_all(&extents, &sections, &model).unwrap() as u64;
    // Its neighbours share a page with it.
    let neighbours = u64::from(before.count + behind.count) / 10;
    assert!(
        (refused.count.into()..u64::from(refused.count) + neighbours).contains(&lost),
        "{lost} lost"
    );
    let told = extents.take_repaired();
    assert!(
        told.iter()
            .any(|damage| damage.what == "a block cannot be read: bad sector")
    );
}

#[test]
fn a_newer_format_version_is_an_error_of_its_own() {
    let (sections, _, mut bytes) = small();
    bytes[8] = 2;
    crate::bytes::seal(&mut bytes[..64], 0);
    let (_, extents) = damaged(bytes);
    let error = read(&extents, &sections[0], 0, |_| true).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    assert_eq!(
        error.to_string(),
        format!("{PATH} has format version 2, this program reads up to 1")
    );
}

#[test]
fn lengths_that_pass_their_checksums_are_not_believed() {
    let block = super::super::layout::Block {
        owner: 1,
        first: 1,
        last: 1,
        offset: 64,
        count: 1,
        data_bytes: u32::MAX,
    };
    let mut bytes = super::super::layout::encode_header(NUMBER, true).to_vec();
    bytes.extend_from_slice(&block.encode(NUMBER));
    bytes.extend_from_slice(&[0; 48]);
    let (_, extents) = damaged(bytes);
    let section = extents.sections(true, NUMBER, &mut |_| {}).unwrap()[0];
    let outcome = read(&extents, &section, 0, |_| true).unwrap();
    assert!(outcome.found.is_empty() && outcome.lost.contains_key(&1));
}

#[test]
fn an_entry_that_stands_in_the_place_of_another_costs_that_other_one() {
    let disk = MemoryDisk::default();
    let model = model(&[(1, 1, 1, 30, 8)]);
    let sections = write(&disk, true, &model).unwrap();
    let whole = disk.contents(PATH);
    let place = |entry: usize| 64 + 48 + entry * 48;
    for (from, to) in [(20, 3), (3, 20)] {
        let mut bytes = whole.clone();
        bytes.copy_within(place(from)..place(from + 1), place(to));
        let (_, extents) = damaged(bytes);
        assert_eq!(read_all(&extents, &sections, &model).unwrap(), 1);
    }
}

#[test]
fn a_header_forged_in_a_message_does_not_put_out_the_true_ones() {
    let disk = MemoryDisk::default();
    let mut model = model(&[(1, 1, 1, 30, 200)]);
    // Message 10 holds a header of a block that would begin there, and that tells of the messages after it.
    let at = 64 + 48 + 30 * 48 + 9 * 200;
    let forged = super::super::layout::Block {
        owner: 1,
        first: 11,
        last: 12,
        offset: at,
        count: 2,
        data_bytes: 50,
    };
    model.get_mut(&1).unwrap().get_mut(&10).unwrap().1[..48].copy_from_slice(&forged.encode(NUMBER));
    let sections = write(&disk, true, &model).unwrap();
    let mut bytes = disk.contents(PATH);
    let length = bytes.len();
    // The block's own header and the footer are damaged: its place is found by the directory's copy.
    bytes[70] ^= 1;
    bytes[length - 1] ^= 1;
    let (_, extents) = damaged(bytes);
    assert_eq!(read_all(&extents, &sections, &model).unwrap(), 0);
}

/// One mutation of a file, and how many bytes it may have touched.
fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) -> String {
    const PAGE: usize = 4096;
    let length = bytes.len();
    let mut place = |step: usize| dice.roll((length / step) as u64) as usize * step;
    let (one, two) = match place(1) % 2 {
        0 => (place(PAGE), place(PAGE)),
        _ => (place(1), place(1)),
    };
    let page = |at: usize| at..(at + PAGE).min(length);
    match dice.roll(6) {
        0 => {
            bytes[one] ^= 1 << dice.roll(8);
            format!("flip at {one}")
        }
        1 => {
            bytes.truncate(one);
            format!("cut at {one}")
        }
        2 => {
            bytes[page(one)].fill(0);
            format!("zeros at {one}")
        }
        3 => {
            let copy = bytes[page(one)].to_vec();
            let target = two.min(length - copy.len());
            bytes[target..target + copy.len()].copy_from_slice(&copy);
            format!("{one} doubled at {target}")
        }
        4 => {
            let copy = bytes[page(one)].to_vec();
            bytes.splice(two..two, copy);
            format!("{one} put in at {two}")
        }
        _ => {
            let (one, two) = (one.min(two), one.max(two));
            let size = PAGE.min(two - one).min(length - two);
            let (front, back) = bytes.split_at_mut(two);
            front[one..one + size].swap_with_slice(&mut back[..size]);
            format!("{one} and {two} exchanged")
        }
    }
}

/// Exchanges or doubles whole blocks of the extent itself.
fn mutate_blocks(bytes: &mut [u8], open: &super::super::open::Open, dice: &mut Dice) -> String {
    let count = open.blocks.len() as u64;
    let (one, two) = (
        open.blocks[dice.roll(count) as usize],
        open.blocks[dice.roll(count) as usize],
    );
    let range = |block: super::super::layout::Block| block.offset as usize..block.end() as usize;
    let (copy, other) = (bytes[range(one)].to_vec(), bytes[range(two)].to_vec());
    let size = copy.len().min(other.len());
    bytes[two.offset as usize..][..size].copy_from_slice(&copy[..size]);
    if dice.roll(2) == 0 {
        bytes[one.offset as usize..][..size].copy_from_slice(&other[..size]);
    }
    format!("blocks at {} and {}", one.offset, two.offset)
}

#[test]
fn two_thousand_mutations_hand_out_nothing_wrong_and_tell_what_is_missing() {
    let disk = MemoryDisk::default();
    let model = a_model();
    let sections = write(&disk, true, &model).unwrap();
    let whole = disk.contents(PATH);
    let open = super::super::open::Open::load(&disk, true, NUMBER).unwrap();
    let mut dice = Dice(1);
    let mut undetected = Vec::new();
    for round in 0..2000 {
        let mut bytes = whole.clone();
        let mut what = Vec::new();
        for _ in 0..=dice.roll(3) / 2 {
            if bytes.len() < whole.len() {
                break;
            }
            what.push(match dice.roll(5) {
                0 => mutate_blocks(&mut bytes, &open, &mut dice),
                _ => mutate(&mut bytes, &mut dice),
            });
        }
        let same = bytes == whole;
        let (_, extents) = damaged(bytes);
        let lost = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            read_all(&extents, &sections, &model).unwrap()
        }));
        assert!(lost.is_ok(), "round {round}: {what:?}");
        let found = reports(&extents);
        if found.is_empty() != same {
            undetected.push(what);
        }
    }
    assert_eq!(undetected, Vec::<Vec<String>>::new());
}
