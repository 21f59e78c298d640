//! One allocation filled from several slices, which no safe call of the library does without a copy in
//! between.

#![expect(
    unsafe_code,
    reason = "the one place that fills memory before it is initialised"
)]

use std::mem::MaybeUninit;
use triomphe::{Arc, HeaderSlice, HeaderWithLength, ThinArc, UniqueArc};

type Unfilled<H> = UniqueArc<HeaderSlice<HeaderWithLength<H>, [MaybeUninit<u8>]>>;

/// A counted allocation that holds `head`, then the pieces, one after the other.
#[inline]
pub(super) fn thin<H, const N: usize>(head: H, pieces: [&[u8]; N]) -> ThinArc<H, u8> {
    let length = pieces.iter().map(|piece| piece.len()).sum();
    let head = HeaderWithLength::new(head, length);
    let mut content: Unfilled<H> = UniqueArc::from_header_and_uninit_slice(head, length);
    let mut unfilled = &mut content.slice[..];
    for piece in pieces {
        let (place, rest) = unfilled.split_at_mut(piece.len());
        place.write_copy_of_slice(piece);
        unfilled = rest;
    }
    assert!(unfilled.is_empty(), "the pieces fill the allocation");
    // SAFETY: every byte of the slice was written: the places of the pieces follow one another from its
    // beginning, and nothing is left behind the last.
    let content = unsafe { content.assume_init_slice_with_header() };
    Arc::into_thin(content.shareable())
}

#[cfg(test)]
mod tests {
    use super::thin;

    #[test]
    fn pieces_follow_one_another() {
        let arc = thin(7_u64, [b"ab".as_slice(), b"", b"cde"]);
        assert_eq!((arc.header.header, &arc.slice), (7, b"abcde".as_slice()));
        assert_eq!(thin((), [b"".as_slice()]).slice.len(), 0);
        assert_eq!(thin((), []).slice.len(), 0);
    }
}
