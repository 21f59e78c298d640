//! Fields that say something else, under checksums that fit: who looks at them gets past these.

use crate::damage::Script;

/// Changes something in a file and makes its checksums fit. Answers whether there was anything to change.
pub(crate) fn tell(file: &str, bytes: &mut [u8], script: &mut Script<'_>) -> bool {
    let number = file
        .rsplit('/')
        .next()
        .and_then(|name| name.get(..20)?.parse().ok());
    let told = match (file.split('/').next(), number) {
        (Some("log"), Some(number)) => in_log(bytes, number, script),
        (Some("extents"), Some(number)) => in_extent(bytes, number, script),
        (Some("checkpoint" | "checkpoint.copy"), _) => in_checkpoint(bytes, script),
        _ => None,
    };
    told.is_some()
}

fn crc(seed: u32, pieces: &[&[u8]]) -> u32 {
    pieces
        .iter()
        .fold(seed, |crc, piece| crc32c::crc32c_append(crc, piece))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn put(bytes: &mut [u8], at: usize, more: &[u8]) -> Option<()> {
    bytes.get_mut(at..)?.get_mut(..more.len())?.copy_from_slice(more);
    Some(())
}

/// Puts a number into a field of 4 or 8 bytes, somewhere in a header of `length` bytes.
fn field(header: &mut [u8], script: &mut Script<'_>) -> Option<()> {
    let at = script.below(header.len() / 4) * 4;
    let number = script.number();
    match script.u8() % 2 {
        0 => put(header, at, &number.to_le_bytes()[..4]),
        _ => put(header, at, &number.to_le_bytes()),
    }
}

fn in_log(bytes: &mut [u8], epoch: u64, script: &mut Script<'_>) -> Option<()> {
    match script.u8() % 3 {
        0 => {
            field(bytes.get_mut(16..48)?, script)?;
            let sum = crc(0, &[bytes.get(..12)?, bytes.get(16..4096)?]);
            put(bytes, 12, &sum.to_le_bytes())
        }
        1 => {
            let at = batch(bytes, script)?;
            field(bytes.get_mut(at + 8..at + 52)?, script)?;
            seal_batch(bytes, at, epoch)
        }
        _ => {
            let at = batch(bytes, script)?;
            let record = record(bytes, at, script)?;
            let run = u64_at(bytes, at + 40)?;
            match script.u8() % 2 {
                0 => field(bytes.get_mut(record + 4..record + 32)?, script)?,
                _ => part(bytes, record, run, script)?,
            }
            let position = u64_at(bytes, record + 16)?;
            let sum = crc(
                0,
                &[
                    &position.to_le_bytes(),
                    &run.to_le_bytes(),
                    bytes.get(record + 4..record + 32)?,
                ],
            );
            put(bytes, record, &sum.to_le_bytes())
        }
    }
}

/// Some batch of a file, by its first bytes.
fn batch(bytes: &[u8], script: &mut Script<'_>) -> Option<usize> {
    let nth = usize::from(script.u8());
    let mut batches = Vec::new();
    let mut at = 4096;
    while bytes.get(at..)?.starts_with(&[0xB7, 0x57, 0x62, 0x1A]) {
        batches.push(at);
        let payload = usize::try_from(u64_at(bytes, at + 32)?).ok()?;
        at = at.checked_add(64)?.checked_add(payload)?;
        if at > bytes.len() {
            break;
        }
    }
    batches.get(nth.checked_rem(batches.len())?).copied()
}

fn seal_batch(bytes: &mut [u8], at: usize, epoch: u64) -> Option<()> {
    let offset = (at as u64).to_le_bytes();
    let sum = crc(0, &[&epoch.to_le_bytes(), &offset, bytes.get(at + 8..at + 64)?]);
    put(bytes, at + 4, &sum.to_le_bytes())
}

/// Some record of a batch.
fn record(bytes: &[u8], batch: usize, script: &mut Script<'_>) -> Option<usize> {
    let end = batch + 64 + usize::try_from(u64_at(bytes, batch + 32)?).ok()?;
    let mut at = batch + 64;
    for _ in 0..script.u8() % 8 {
        let length = usize::try_from(u64_at(bytes, at + 24)? >> 8).ok()?;
        let next = at.checked_add(32)?.checked_add(length)?;
        if next + 32 > end.min(bytes.len()) {
            break;
        }
        at = next;
    }
    Some(at)
}

/// Other bytes in some part of a record.
fn part(bytes: &mut [u8], record: usize, run: u64, script: &mut Script<'_>) -> Option<()> {
    let position = u64_at(bytes, record + 16)?;
    let seed = crc(0, &[&position.to_le_bytes(), &run.to_le_bytes()]);
    let mut at = record + 32;
    let index = u32::from(script.u8() % 4);
    let length_at = |bytes: &[u8], at: usize| Some(u64_at(bytes, at)? as u32 as usize);
    for _ in 0..index {
        at = at.checked_add(12)?.checked_add(length_at(bytes, at)?)?;
    }
    let length = length_at(bytes, at)?;
    let data = bytes.get_mut(at + 12..)?.get_mut(..length)?;
    let from = script.below(length);
    let more = script.bytes();
    data.iter_mut()
        .skip(from)
        .zip(more)
        .for_each(|(place, byte)| *place = *byte);
    let check = crc(seed, &[&(length as u32).to_le_bytes()]) ^ index;
    let sum = crc(check, &[data]);
    put(bytes, at + 4, &check.to_le_bytes())?;
    put(bytes, at + 8, &sum.to_le_bytes())
}

fn in_extent(bytes: &mut [u8], number: u64, script: &mut Script<'_>) -> Option<()> {
    let footer = bytes.len().checked_sub(64)?;
    let seed = crc(0, &[&number.to_le_bytes()]);
    let (at, length, seed) = match script.u8() % 4 {
        0 => (0, 64, 0),
        1 => (footer, 64, 0),
        2 => {
            let directory = usize::try_from(u64_at(bytes, footer + 24)?).ok()?;
            let rows = footer.checked_sub(directory)? / 48;
            (directory.checked_add(script.below(rows) * 48)?, 48, seed)
        }
        _ => {
            let headers = bytes.windows(4).enumerate().filter(|(_, four)| *four == b"WBLK");
            let headers: Vec<usize> = headers.map(|(at, _)| at).collect();
            let at = *headers.get(script.below(headers.len()))?;
            return in_block(bytes, at, seed, script);
        }
    };
    let header = bytes.get_mut(at..)?.get_mut(..length)?;
    field(&mut header[8..length - 4], script)?;
    seal(header, seed)
}

/// In a block's header, or in an entry of its index.
fn in_block(bytes: &mut [u8], at: usize, seed: u32, script: &mut Script<'_>) -> Option<()> {
    let which = usize::from(script.u8() % 5);
    let (owner, first) = (u64_at(bytes, at + 8)?, u64_at(bytes, at + 16)?);
    let part = bytes.get_mut(at + which * 48..)?.get_mut(..48)?;
    field(&mut part[..44], script)?;
    let seq = first.wrapping_add(u64_at(part, 0)? & 0xFFFF_FFFF);
    let seed = match which {
        0 => seed,
        _ => crc(seed, &[&owner.to_le_bytes(), &seq.to_le_bytes()]),
    };
    seal(part, seed)
}

/// The checksum at the end of a header.
fn seal(header: &mut [u8], seed: u32) -> Option<()> {
    let end = header.len().checked_sub(4)?;
    let sum = crc(seed, &[header.get(..end)?]);
    put(header, end, &sum.to_le_bytes())
}

fn in_checkpoint(bytes: &mut [u8], script: &mut Script<'_>) -> Option<()> {
    let count = usize::try_from(u64_at(bytes, 16)?).ok()?;
    // An earlier lie, of more rows than there are.
    if count > bytes.len() / 32 {
        return None;
    }
    let row = |index: usize| index.checked_mul(32)?.checked_add(64);
    let data = row(count)?;
    let back = bytes.len().checked_sub(64)?;
    match script.u8() % 3 {
        0 => field(bytes.get_mut(16..36)?, script)?,
        1 => field(bytes.get_mut(row(script.below(count))?..)?.get_mut(..24)?, script)?,
        _ => {
            let entry = row(script.below(count))?;
            let from = data.checked_add(usize::try_from(u64_at(bytes, entry + 8)?).ok()?)?;
            let length = u64_at(bytes, entry + 16)? as u32 as usize;
            let entry = bytes.get_mut(from..)?.get_mut(..length)?;
            let at = script.below(length);
            let more = script.bytes();
            entry
                .iter_mut()
                .skip(at)
                .zip(more)
                .for_each(|(place, byte)| *place = *byte);
        }
    }
    seal_rows(bytes, count, data);
    let identity = identity(bytes, count)?;
    for index in 0..count {
        let at = row(index)?;
        let head = bytes.get(at..)?.get(..28)?;
        let sum = crc(0, &[&identity.to_le_bytes(), &(index as u64).to_le_bytes(), head]);
        put(bytes, at + 28, &sum.to_le_bytes())?;
    }
    put(bytes, 32, &identity.to_le_bytes())?;
    let front: [u8; 52] = *bytes.get(8..)?.first_chunk()?;
    put(bytes, back + 8, &front)?;
    seal(bytes.get_mut(..64)?, 0)?;
    seal(bytes.get_mut(back..)?, 0)
}

/// Each row's checksum of its entry. One whose entry is not in the file keeps what it has.
fn seal_rows(bytes: &mut [u8], count: usize, data: usize) {
    for index in 0..count {
        let at = 64 + index * 32;
        let entry = (|| {
            let from = data.checked_add(usize::try_from(u64_at(bytes, at + 8)?).ok()?)?;
            let length = u64_at(bytes, at + 16)? as u32 as usize;
            let entry = bytes.get(from..)?.get(..length)?;
            Some(crc(
                0,
                &[bytes.get(at..at + 8)?, bytes.get(at + 20..at + 21)?, entry],
            ))
        })();
        if let Some(sum) = entry {
            let _ = put(bytes, at + 24, &sum.to_le_bytes());
        }
    }
}

fn identity(bytes: &[u8], count: usize) -> Option<u32> {
    let rows = bytes.get(64..)?.get(..count.checked_mul(32)?)?;
    let rows = rows.chunks_exact(32);
    Some(rows.fold(0, |sum, row| crc(sum, &[&row[..28], &[0; 4]])))
}
