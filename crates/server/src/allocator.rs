//! The allocator: mimalloc, asked in the way that is quickest for it, and told when to give memory back to
//! the system.

#![expect(
    unsafe_code,
    reason = "allocators are unsafe, and the library has no safe call for its options"
)]

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{c_int, c_long};

/// mimalloc. The library's own type asks for an alignment with each piece of memory. Where a page has nothing
/// free at hand, that takes a larger piece from another page, again and again, as the first page is then
/// never looked through for what other threads gave back: each message goes the long way.
#[derive(Debug)]
pub struct Allocator;

/// What `malloc` of C promises: memory is aligned for anything that fits into it, up to so many bytes.
const ALIGN_MAX: usize = 16;

/// Whether memory of this size is aligned as it is to be without being asked for.
#[inline]
const fn is_natural(layout: Layout) -> bool {
    layout.align() <= ALIGN_MAX && layout.align() <= layout.size()
}

// SAFETY: the library's allocator keeps the promises of C, and with them these; pieces may be given back
// however they were asked for. A size is never 0 here, and sizes and alignments are those of a layout.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see above.
        let found = unsafe {
            match is_natural(layout) {
                true => libmimalloc_sys::mi_malloc(layout.size()),
                false => libmimalloc_sys::mi_malloc_aligned(layout.size(), layout.align()),
            }
        };
        found.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see above.
        let found = unsafe {
            match is_natural(layout) {
                true => libmimalloc_sys::mi_zalloc(layout.size()),
                false => libmimalloc_sys::mi_zalloc_aligned(layout.size(), layout.align()),
            }
        };
        found.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, piece: *mut u8, _: Layout) {
        // SAFETY: the caller says that it came from here.
        unsafe { libmimalloc_sys::mi_free(piece.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // What is natural for both sizes: a smaller one may be less than the alignment.
        let is_natural = is_natural(layout) && layout.align() <= size;
        // SAFETY: the caller says that it came from here; see above.
        let found = unsafe {
            match is_natural {
                true => libmimalloc_sys::mi_realloc(piece.cast(), size),
                false => libmimalloc_sys::mi_realloc_aligned(piece.cast(), size, layout.align()),
            }
        };
        found.cast()
    }
}

/// `mi_option_purge_delay` of mimalloc 3; the crate does not name it.
const PURGE_DELAY: c_int = 15;

/// Milliseconds that memory may be unused before it goes back. The default of a second lets a broker that
/// fills and empties queues take twice what it uses; less than this costs in page faults.
const PURGE_DELAY_MS: c_long = 50;

/// Sets up the allocator, unless its environment variables (`MIMALLOC_PURGE_DELAY`) say otherwise.
pub fn set_up() {
    // SAFETY: the call takes two numbers and stores one of them in a table of the library, which checks that
    // the other is one of its options. Other threads may read the table at the same time.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, PURGE_DELAY_MS) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// What is asked for, grows and shrinks is aligned, keeps what is in it, and is zero where it is to be.
    #[test]
    fn memory_is_aligned_and_keeps_what_is_in_it() {
        for align in (0..10).map(|bits| 1_usize << bits) {
            for size in (1..200).chain([1000, 4096, 100_000]) {
                let layout = Layout::from_size_align(size, align).unwrap();
                // SAFETY: sizes are not 0, and only what was asked for is touched.
                unsafe {
                    let zeroed = Allocator.alloc_zeroed(layout);
                    assert!(
                        std::slice::from_raw_parts(zeroed, size)
                            .iter()
                            .all(|byte| *byte == 0)
                    );
                    assert_eq!(zeroed.addr() % align, 0, "{layout:?}");
                    Allocator.dealloc(zeroed, layout);
                    let mut piece = Allocator.alloc(layout);
                    assert_eq!(piece.addr() % align, 0, "{layout:?}");
                    piece.write_bytes(7, size);
                    let mut layout = layout;
                    for other in [size * 3, 1.max(size / 2)] {
                        let kept = layout.size().min(other).min(size);
                        piece = Allocator.realloc(piece, layout, other);
                        layout = Layout::from_size_align(other, align).unwrap();
                        assert_eq!(piece.addr() % align, 0, "{layout:?}");
                        assert!(
                            std::slice::from_raw_parts(piece, kept)
                                .iter()
                                .all(|byte| *byte == 7)
                        );
                    }
                    Allocator.dealloc(piece, layout);
                }
            }
        }
    }

    #[test]
    fn the_option_is_the_one_that_is_a_second_by_default() {
        // SAFETY: as above; the first call only reads.
        let before = unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(before, 1000);
        set_up();
        // SAFETY: as above.
        let after = unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(after, PURGE_DELAY_MS);
    }
}
