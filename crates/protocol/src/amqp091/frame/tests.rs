//! Tests of frames: one round trip, every split, every refusal.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use proptest::prelude::*;

use super::*;

const NO_LIMIT: u32 = u32::MAX;

fn frame_of(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mark = begin(&mut out, kind, channel);
    out.extend_from_slice(payload);
    end(&mut out, mark);
    out
}

#[test]
fn a_frame_is_laid_out_as_specified() {
    assert_eq!(
        frame_of(1, 0x0203, b"hi"),
        [1, 2, 3, 0, 0, 0, 2, b'h', b'i', 0xCE]
    );
    let mut out = Vec::new();
    heartbeat(&mut out);
    assert_eq!(out, [8, 0, 0, 0, 0, 0, 0, 0xCE]);
    body(&mut out, 7, b"x");
    assert_eq!(out[8..], [3, 0, 7, 0, 0, 0, 1, b'x', 0xCE]);
}

#[test]
fn the_payload_alone_is_held_against_the_limit() {
    let bytes = frame_of(3, 1, &[0; 4096]);
    assert!(matches!(
        decode(&bytes, 4096),
        Ok(Step::Frame { consumed: 4104, .. })
    ));
    assert_eq!(
        decode(&bytes, 4095),
        Err(Error::TooLarge {
            kind: 3,
            channel: 1,
            size: 4096,
            max: 4095
        })
    );
}

#[test]
fn too_large_a_frame_is_refused_as_soon_as_its_head_is_there() {
    let bytes = frame_of(3, 9, &[0; 4097]);
    assert_eq!(decode(&bytes[..6], 4096), Ok(Step::Need(OVERHEAD)));
    assert_eq!(
        decode(&bytes[..7], 4096),
        Err(Error::TooLarge {
            kind: 3,
            channel: 9,
            size: 4097,
            max: 4096
        })
    );
    let huge = [3, 0, 1, 0xff, 0xff, 0xff, 0xff];
    assert!(matches!(
        decode(&huge, NO_LIMIT - 1),
        Err(Error::TooLarge { size: NO_LIMIT, .. })
    ));
    assert_eq!(decode(&huge, NO_LIMIT), Ok(Step::Need(0xffff_ffff + OVERHEAD)));
}

#[test]
fn a_wrong_end_octet_is_reported_with_what_was_there() {
    let mut bytes = frame_of(1, 1, &[0, 60, 0, 10, 0, 0, 0, 0, 0, 0, 0]);
    *bytes.last_mut().unwrap() = 0;
    let payload = vec![0, 60, 0, 10, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(
        decode(&bytes, 4096),
        Err(Error::BadEnd {
            kind: 1,
            channel: 1,
            payload,
            end: 0
        })
    );
}

#[test]
fn a_badly_ended_payload_is_kept_in_part_only() {
    let mut bytes = frame_of(3, 1, &[7; 4000]);
    *bytes.last_mut().unwrap() = 0xCD;
    let Err(Error::BadEnd {
        payload, end: 0xCD, ..
    }) = decode(&bytes, 4096)
    else {
        panic!("accepted")
    };
    assert_eq!(payload, [7; BAD_PAYLOAD_MAX]);
}

#[test]
fn unknown_kinds_pass() {
    let bytes = frame_of(4, 0, b"xx");
    let Ok(Step::Frame { frame, .. }) = decode(&bytes, 4096) else {
        panic!("no frame")
    };
    assert_eq!((frame.kind, frame.known_kind()), (4, None));
    for kind in [Kind::Method, Kind::Header, Kind::Body, Kind::Heartbeat] {
        assert_eq!(Kind::from_octet(kind.octet()), Some(kind));
    }
}

proptest! {
    #[test]
    fn a_frame_cut_anywhere_is_waited_for_and_then_read(
        kind: u8,
        channel: u16,
        payload in proptest::collection::vec(any::<u8>(), 0..200),
        behind in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut bytes = frame_of(kind, channel, &payload);
        let total = bytes.len();
        for have in 0..total {
            let Ok(Step::Need(want)) = decode(&bytes[..have], NO_LIMIT) else { panic!("frame of {have}") };
            // More than there is, or the reader would spin; no more than the frame, or it would wait for
            // ever.
            prop_assert!(have < want && want <= total, "have {have}, want {want} of {total}");
        }
        bytes.extend_from_slice(&behind);
        let frame = Frame { kind, channel, payload: &payload };
        prop_assert_eq!(decode(&bytes, NO_LIMIT), Ok(Step::Frame { frame, consumed: total }));
    }

    #[test]
    fn any_bytes_are_a_frame_or_wanting_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
        frame_max in 0_u32..64,
    ) {
        match decode(&bytes, frame_max) {
            Ok(Step::Frame { frame, consumed }) => {
                prop_assert!(consumed <= bytes.len());
                prop_assert_eq!(frame_of(frame.kind, frame.channel, frame.payload), &bytes[..consumed]);
            }
            Ok(Step::Need(want)) => prop_assert!(want > bytes.len()),
            Err(Error::TooLarge { size, max, .. }) => prop_assert!(size > max && max == frame_max),
            Err(Error::BadEnd { end, .. }) => prop_assert_ne!(end, FRAME_END),
        }
    }
}
