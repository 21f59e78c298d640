//! What a stranger can send: a protocol header, then frames, down to each argument and property.
//!
//! Beyond not crashing: a frame is the same one however the bytes were cut, what was decoded is encoded to an
//! equal frame, and a method's text stands for the same method.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warren_protocol::amqp091::content::ContentHeader;
use warren_protocol::amqp091::frame::{self, Frame, Kind, Step};
use warren_protocol::amqp091::header::ProtocolHeader;
use warren_protocol::amqp091::method::{Method, text};
use warren_protocol::amqp091::properties::{Edit, Fields, Properties};
use warren_protocol::amqp091::table::{Change, Table, Value};

/// A limit that inputs of the usual size run into.
const FRAME_MAX: u32 = 4096;

fuzz_target!(|bytes: &[u8]| {
    if let Some(octets) = bytes.first_chunk::<8>() {
        let _ = ProtocolHeader::parse(octets);
    }
    let mut rest = bytes;
    while let Ok(step) = frame::decode(rest, FRAME_MAX) {
        let Step::Frame { frame, consumed } = step else {
            needs_more(rest, step);
            break;
        };
        assert!(consumed >= frame::OVERHEAD && consumed <= rest.len());
        needs_more(
            &rest[..consumed - 1],
            frame::decode(&rest[..consumed - 1], FRAME_MAX).unwrap(),
        );
        payload(frame);
        rest = &rest[consumed..];
    }
});

/// A reader that is told to wait has to be told a number that it does not have yet.
fn needs_more(have: &[u8], step: Step<'_>) {
    let Step::Need(want) = step else {
        panic!("a frame out of its first part")
    };
    assert!(want > have.len());
}

fn payload(frame: Frame<'_>) {
    match frame.known_kind() {
        Some(Kind::Method) => method(frame),
        Some(Kind::Header) => header(frame),
        _ => {}
    }
}

fn method(frame: Frame<'_>) {
    let Ok(method) = Method::decode(frame.payload) else {
        return;
    };
    let mut out = Vec::new();
    method.encode(frame.channel, &mut out);
    let Ok(Step::Frame { frame: again, .. }) = frame::decode(&out, u32::MAX) else {
        panic!("not a frame")
    };
    assert_eq!(again.channel, frame.channel);
    // Spare bits of an octet are all that may be lost.
    assert_eq!(again.payload.len(), frame.payload.len());
    let same = Method::decode(again.payload).expect("own encoding");
    assert_eq!(same, method);
    let shown = method.to_string();
    let parsed = text::parse(&shown).unwrap_or_else(|error| panic!("{error}: {shown}"));
    let reread = Method::decode(&parsed).unwrap_or_else(|error| panic!("{error}: {shown}"));
    assert_eq!(reread.to_string(), shown);
}

fn header(frame: Frame<'_>) {
    let Ok(header) = ContentHeader::parse(frame.payload) else {
        return;
    };
    let mut out = Vec::new();
    header.encode(frame.channel, &mut out);
    let Ok(Step::Frame { frame: again, .. }) = frame::decode(&out, u32::MAX) else {
        panic!("not a frame")
    };
    assert_eq!(again.payload, frame.payload);
    let Ok(properties) = Properties::parse(header.properties) else {
        return;
    };
    assert_eq!(properties.raw(), header.properties);
    assert_eq!(
        Properties::from_scan(header.properties, *properties.scan()),
        properties
    );
    rewritten(properties);
    let shown = properties.to_string();
    let parsed = text::parse_properties(&shown).unwrap_or_else(|error| panic!("{error}: {shown}"));
    assert_eq!(
        Properties::parse(&parsed).expect("own encoding").to_string(),
        shown
    );
}

fn rewritten(properties: Properties<'_>) {
    let mut out = Vec::new();
    properties
        .rewrite(&mut out, Edit::default())
        .expect("nothing to refuse");
    assert_eq!(out, properties.raw());
    out.clear();
    let edit = Edit {
        reply_to: Some(b"r"),
        headers: &[Change::string("x-death", "d"), Change::remove("CC")],
        drop_expiration: true,
        ..Edit::default()
    };
    properties.rewrite(&mut out, edit).expect("nothing to refuse");
    let edited = Fields::from(Properties::parse(&out).expect("own encoding"));
    let headers = edited.headers.expect("one was set");
    assert_eq!(headers.find(b"x-death"), Some(Value::LongString(b"d")));
    assert_eq!(headers.find(b"CC"), None);
    let own = properties.headers().unwrap_or(Table::EMPTY);
    for (name, _) in own {
        let shown = |table: Table<'_>| table.find(name).map(|value| value.to_string());
        assert!(name == b"x-death" || name == b"CC" || shown(headers) == shown(own));
    }
    let wanted = Fields {
        reply_to: Some(b"r"),
        headers: Some(headers),
        expiration: None,
        ..Fields::from(properties)
    };
    assert_eq!(edited, wanted);
}
