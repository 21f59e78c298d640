//! What is written comes back.

use super::*;
use proptest::prelude::*;

fn a_model() -> impl Strategy<Value = Model> {
    let length = prop_oneof![
        20 => 0usize..200,
        3 => 0usize..20_000,
        1 => 100_000usize..200_000,
    ];
    let step = prop_oneof![8 => Just(1u64), 3 => 1u64..1000, 1 => 1u64..1 << 24];
    let messages = prop::collection::vec((step, length), 1..60);
    let section = (0u64..1 << 40, messages);
    prop::collection::btree_map(0u64..1000, section, 1..6).prop_map(|sections| {
        let section = |(owner, (first, steps)): (u64, (u64, Vec<(u64, usize)>))| {
            let mut seq = first;
            let mut messages = BTreeMap::new();
            for (step, length) in steps {
                messages.insert(seq, message(owner, seq, length));
                seq += step;
            }
            (owner, messages)
        };
        sections.into_iter().map(section).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_message_comes_back_from_any_place(model in a_model(), place in any::<prop::sample::Index>()) {
        let disk = MemoryDisk::default();
        let sections = write(&disk, true, &model).unwrap();
        let extents = extents(&disk);
        prop_assert_eq!(read_all(&extents, &sections, &model).unwrap(), 0);
        for section in &sections {
            let messages = &model[&section.owner];
            let from = *messages.keys().nth(place.index(messages.len())).unwrap();
            let odd = |seq: u64| seq % 2 == 1;
            let outcome = read(&extents, section, from, odd).unwrap();
            let expected: BTreeMap<_, _> = messages.range(from..).filter(|(seq, _)| odd(**seq)).collect();
            prop_assert!(outcome.found.iter().eq(expected));
            prop_assert!(outcome.lost.is_empty());
        }
        let mut none = |damage| panic!("{damage}");
        prop_assert_eq!(extents.sections(true, NUMBER, &mut none).unwrap(), sections);
        let checked = extents.verify(NUMBER, &mut none).unwrap();
        let count = model.values().map(BTreeMap::len).sum::<usize>();
        prop_assert_eq!((checked.messages, checked.damaged), (count as u64, 0));
        prop_assert_eq!(extents.take_repaired(), []);
    }

    #[test]
    fn whatever_is_damaged_nothing_wrong_comes_back(
        model in a_model(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..=255), 1..8),
        cut in prop::option::weighted(0.3, any::<prop::sample::Index>()),
    ) {
        let disk = MemoryDisk::default();
        let sections = write(&disk, true, &model).unwrap();
        let mut bytes = disk.contents(PATH);
        for (place, flip) in flips {
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        disk.set_contents(PATH, bytes);
        // Sections with numbers far apart are told by their live numbers only up to a bound.
        let narrow = |section: &Section| section.last - section.first < 1 << 20;
        let sections: Vec<_> = sections.into_iter().filter(narrow).collect();
        read_all(&extents(&disk), &sections, &model).unwrap();
    }
}

#[test]
fn the_overhead_is_48_bytes_a_message_and_little_more() {
    let disk = MemoryDisk::default();
    let model = model(&[(1, 1, 1, 20_000, 100)]);
    write(&disk, true, &model).unwrap();
    let overhead = disk.contents(PATH).len() as u64 - 20_000 * 148;
    assert!(overhead < 20_000 / 10, "{overhead} bytes");
}

#[test]
fn numbers_may_lie_any_distance_apart() {
    let disk = MemoryDisk::default();
    let mut writer = ExtentWriter::create(Arc::new(disk.clone()), NUMBER, true, 1000).unwrap();
    writer.begin(u64::MAX);
    let numbers = [0, 1, 1 << 32, (1 << 32) + 2, u64::MAX - 1, u64::MAX];
    for seq in numbers {
        writer.push(&message(1, seq, 5).0, &message(1, seq, 5).1).unwrap();
    }
    let sections = writer.finish().unwrap();
    let outcome = read(&extents(&disk), &sections[0], 1, |seq| seq != 1 << 32).unwrap();
    assert!(
        outcome
            .found
            .keys()
            .eq([&1, &numbers[3], &numbers[4], &numbers[5]])
    );
    assert!(
        outcome
            .found
            .iter()
            .all(|(seq, found)| *found == message(1, *seq, 5))
    );
}

#[test]
fn an_extent_with_nothing_in_it_is_read() {
    let disk = MemoryDisk::default();
    assert_eq!(write(&disk, true, &Model::new()).unwrap(), []);
    assert_eq!(
        extents(&disk)
            .sections(true, NUMBER, &mut |damage| panic!("{damage}"))
            .unwrap(),
        []
    );
}

#[test]
fn reading_stops_when_it_is_told_to() {
    let disk = MemoryDisk::default();
    let sections = write(&disk, true, &model(&[(1, 1, 1, 100, 10)])).unwrap();
    let mut seen = Vec::new();
    let mut each = |found: super::super::Found<'_>| {
        seen.push(found.head.seq);
        seen.len() < 3
    };
    let mut none = |_, damage| panic!("{damage}");
    extents(&disk)
        .read(true, &sections[0], 50, &mut |_| true, &mut each, &mut none)
        .unwrap();
    assert_eq!(seen, [50, 51, 52]);
}

#[test]
fn a_large_message_is_not_read_when_it_is_not_wanted() {
    let disk = MemoryDisk::default();
    let sections = write(&disk, true, &model(&[(1, 1, 1, 3, 300_000)])).unwrap();
    let extents = extents(&disk);
    // Its pages would be refused.
    disk.spoil(PATH, 300_200..600_000);
    let outcome = read(&extents, &sections[0], 0, |seq| seq != 2).unwrap();
    assert!(outcome.found.keys().eq([&1, &3]));
}

#[test]
fn transient_extents_are_read_and_removed_at_start() {
    let disk = MemoryDisk::default();
    let model = model(&[(1, 1, 1, 10, 10)]);
    let durable = write(&disk, true, &model).unwrap();
    write(&disk, false, &model).unwrap();
    let extents = extents(&disk);
    let mut count = 0;
    let mut each = |_: super::super::Found<'_>| {
        count += 1;
        true
    };
    let mut none = |_, damage| panic!("{damage}");
    extents
        .read(false, &durable[0], 0, &mut |_| true, &mut each, &mut none)
        .unwrap();
    assert_eq!(count, 10);
    extents.remove_transient().unwrap();
    assert_eq!(extents.list().unwrap(), [NUMBER]);
    let result = extents.read(false, &durable[0], 0, &mut |_| true, &mut |_| true, &mut none);
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(read_all(&extents, &durable, &model).unwrap(), 0);
}

#[test]
fn a_removed_extent_is_not_found_and_one_set_aside_stands_elsewhere() {
    let disk = MemoryDisk::default();
    let sections = write(&disk, true, &model(&[(1, 1, 1, 10, 10)])).unwrap();
    let extents = extents(&disk);
    read(&extents, &sections[0], 0, |_| true).unwrap();
    extents.set_aside(NUMBER).unwrap();
    assert_eq!(
        read(&extents, &sections[0], 0, |_| true).unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
    assert!(!disk.contents("damaged/00000000000000000007.ext").is_empty());
    write(&disk, true, &model(&[(1, 1, 1, 10, 10)])).unwrap();
    read(&extents, &sections[0], 0, |_| true).unwrap();
    extents.remove(true, NUMBER).unwrap();
    assert_eq!(
        read(&extents, &sections[0], 0, |_| true).unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
    assert_eq!(extents.list().unwrap(), []);
}

#[test]
fn no_folder_is_no_extents() {
    let extents = extents(&MemoryDisk::default());
    assert_eq!(extents.list().unwrap(), []);
    extents.remove_transient().unwrap();
}

#[test]
fn a_full_disk_is_told_at_create_and_failures_after_it() {
    let disk = MemoryDisk::default();
    let model = model(&[(1, 1, 1, 3000, 500)]);
    disk.set_full(true);
    assert_eq!(
        write(&disk, true, &model).unwrap_err().kind(),
        io::ErrorKind::StorageFull
    );
    disk.set_full(false);
    write(&disk, true, &model).unwrap();
    let operations = disk.operations();
    for passes in 0..operations - 1 {
        let disk = MemoryDisk::default();
        disk.fail_after(passes);
        let failed = write(&disk, true, &model).is_err();
        assert!(failed, "operation {passes}");
    }
}

#[test]
fn a_finished_extent_survives_a_power_cut() {
    let model = model(&[(1, 1, 1, 3000, 500), (2, 1, 1, 1, 10)]);
    for round in 0..50 {
        let disk = MemoryDisk::default();
        let sections = write(&disk, true, &model).unwrap();
        let mut dice = Dice(round);
        let after = disk.cut(&mut || dice.roll(2) == 0);
        assert_eq!(read_all(&extents(&after), &sections, &model).unwrap(), 0);
    }
}

#[test]
fn an_extent_in_the_making_can_be_abandoned() {
    let disk = MemoryDisk::default();
    let mut writer = ExtentWriter::create(Arc::new(disk.clone()), NUMBER, true, 1000).unwrap();
    writer.begin(1);
    writer.push(&Head::default(), b"x").unwrap();
    writer.abandon();
    assert_eq!(extents(&disk).list().unwrap(), []);
}

#[test]
fn numbers_and_owners_that_do_not_rise_are_refused() {
    let disk = MemoryDisk::default();
    let mut writer = ExtentWriter::create(Arc::new(disk), NUMBER, true, 1000).unwrap();
    let head = Head {
        seq: 5,
        ..Head::default()
    };
    assert!(writer.push(&head, b"").is_err());
    writer.begin(2);
    writer.push(&head, b"").unwrap();
    assert!(writer.push(&head, b"").is_err());
    writer.begin(1);
    assert!(writer.push(&head, b"").is_err());
}

#[test]
fn a_file_whose_number_none_can_follow_is_not_ours() {
    let disk = MemoryDisk::default();
    write(&disk, true, &model(&[(1, 0, 1, 1, 10)])).unwrap();
    disk.set_contents("extents/18446744073709551615.ext", vec![0; 100]);
    assert_eq!(extents(&disk).list().unwrap().len(), 1);
}

#[test]
fn a_bounded_number_of_files_is_open_and_threads_share_them() {
    let disk = MemoryDisk::default();
    let bytes = model(&[(1, 1, 1, 500, 100)]);
    let mut sections = Vec::new();
    for number in 1..=5 {
        let mut writer = ExtentWriter::create(Arc::new(disk.clone()), number, true, 100_000).unwrap();
        writer.begin(1);
        for (head, content) in bytes[&1].values() {
            writer.push(head, content).unwrap();
        }
        sections.extend(writer.finish().unwrap());
    }
    let extents = extents(&disk);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (extents, sections, bytes) = (&extents, &sections, &bytes);
            scope.spawn(move || {
                let mut dice = Dice(thread);
                for _ in 0..50 {
                    let section = &sections[dice.roll(5) as usize];
                    let outcome = read(extents, section, 1, |_| true).unwrap();
                    assert_eq!(outcome.found, bytes[&1]);
                }
            });
        }
    });
    assert!(extents.open_files() <= 2);
}

#[test]
fn the_format_is_the_one_that_is_documented() {
    let disk = MemoryDisk::default();
    write(&disk, true, &model(&[(1, 1, 1, 3, 8), (4, 10, 3, 3, 8)])).unwrap();
    let bytes = disk.contents(PATH);
    // Whoever changes the format changes its version, and docs/storage-format.md.
    assert_eq!((bytes.len(), digest(&bytes)), (656, 0xCC5A_CF0D_8728_E3F5));
}
