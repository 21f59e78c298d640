//! Numbers at fixed places of headers and entries, little-endian; and reads that get what a bad
//! disk still gives.

use crate::disk::{File, is_shortage};
use std::io;

/// What is tried alone when a larger read is refused: a page.
const PIECE_BYTES: u64 = 4096;

pub(crate) fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Puts `value` at a place that the caller knows to be there.
pub(crate) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    let place = bytes.get_mut(at..at + value.len());
    debug_assert!(place.is_some(), "a field lies within its header");
    if let Some(place) = place {
        place.copy_from_slice(value);
    }
}

/// Puts the checksum of `bytes`, after `seed`, into their last four.
pub(crate) fn seal(bytes: &mut [u8], seed: u32) {
    let at = bytes.len().saturating_sub(4);
    let crc = crc32c::crc32c_append(seed, bytes.get(..at).unwrap_or_default());
    put(bytes, at, &crc.to_le_bytes());
}

/// Whether the last four bytes are the checksum of those before, after `seed`.
pub(crate) fn is_sealed(bytes: &[u8], seed: u32) -> bool {
    match bytes.split_last_chunk::<4>() {
        Some((before, crc)) => crc32c::crc32c_append(seed, before) == u32::from_le_bytes(*crc),
        None => false,
    }
}

/// Fills `bytes` from `offset` on and answers how many bytes there were. When the disk refuses, page by
/// page; pages that it keeps refusing come as zeros, which no checksum passes.
///
/// # Errors
/// The disk refuses all of it, or the system lacks what it needs to read anything.
pub(crate) fn read_what_can_be(file: &dyn File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let error = match file.read(bytes, offset) {
        Ok(read) => return Ok(read),
        Err(error) if is_shortage(&error) => return Err(error),
        Err(error) => error,
    };
    let mut rest = bytes;
    let mut at = offset;
    let (mut length, mut any) = (0, false);
    while !rest.is_empty() {
        let to_border = usize::try_from(PIECE_BYTES - at % PIECE_BYTES).unwrap_or(usize::MAX);
        let (piece, after) = rest.split_at_mut(to_border.min(rest.len()));
        match file.read(piece, at) {
            Ok(read) => {
                any = true;
                length += read;
                if read < piece.len() {
                    break;
                }
            }
            Err(error) if is_shortage(&error) => return Err(error),
            Err(_) => {
                piece.fill(0);
                length += piece.len();
            }
        }
        at += piece.len() as u64;
        rest = after;
    }
    if any { Ok(length) } else { Err(error) }
}
