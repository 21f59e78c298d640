//! How fast extents are, without a disk. Run with
//! `cargo test --release -p warren-store speed -- --ignored --nocapture`.

use super::*;
use std::time::Instant;

#[test]
#[ignore = "measures"]
fn speed() {
    const COUNT: u64 = 1_000_000;
    let disk = MemoryDisk::default();
    let content = [7; 100];
    let begin = Instant::now();
    let space = ExtentWriter::space_bytes(1, COUNT, COUNT * 100);
    let mut writer = ExtentWriter::create(Arc::new(disk.clone()), NUMBER, false, space).unwrap();
    writer.begin(1);
    for seq in 1..=COUNT {
        let head = Head {
            seq,
            ..Head::default()
        };
        writer.push(&head, &content).unwrap();
    }
    let sections = writer.finish().unwrap();
    println!(
        "written: {:.1} million/s",
        COUNT as f64 / begin.elapsed().as_secs_f64() / 1e6
    );
    let extents = extents(&disk);
    for round in 0..3 {
        let begin = Instant::now();
        let (mut count, mut bytes) = (0, 0);
        let mut each = |found: super::super::Found<'_>| {
            count += 1;
            bytes += found.content.len();
            true
        };
        let mut none = |_, damage| panic!("{damage}");
        extents
            .read(false, &sections[0], 0, &mut |_| true, &mut each, &mut none)
            .unwrap();
        assert_eq!((count, bytes), (COUNT, 100_000_000));
        println!(
            "read {round}: {:.1} million/s",
            COUNT as f64 / begin.elapsed().as_secs_f64() / 1e6
        );
    }
    let begin = Instant::now();
    let mut dice = Dice(1);
    for _ in 0..10_000 {
        let seq = 1 + dice.roll(COUNT);
        let mut found = None;
        let mut each = |message: super::super::Found<'_>| {
            found = Some(message.head.seq);
            false
        };
        let mut none = |_, damage| panic!("{damage}");
        extents
            .read(false, &sections[0], seq, &mut |_| true, &mut each, &mut none)
            .unwrap();
        assert_eq!(found, Some(seq));
    }
    println!("one message: {:?}", begin.elapsed() / 10_000);
}
