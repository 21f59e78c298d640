//! Tests of methods: all of them by way of [`METHODS`], and what RabbitMQ was seen to do with single ones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use proptest::prelude::*;

use super::*;
use crate::amqp091::table::TableBuf;
use crate::amqp091::table::tests::{fields, write_fields};

/// A payload of random arguments, written field by field without the code under test.
fn arguments(spec: &'static MethodSpec, show_only: bool) -> BoxedStrategy<Vec<u8>> {
    let mut strategy = Just((Vec::new(), 0_u32)).boxed();
    for (name, kind) in spec.fields {
        let zero = show_only && spec.reserved.contains(name);
        let next = if zero { zero_field(*kind) } else { field(*kind) };
        let is_bit = *kind == FieldKind::Bit;
        strategy = (strategy, next)
            .prop_map(move |((mut out, bits), bytes): ((Vec<u8>, u32), Vec<u8>)| {
                if is_bit && !bits.is_multiple_of(8) {
                    *out.last_mut().unwrap() |= bytes[0] << (bits % 8);
                } else {
                    out.extend(bytes);
                }
                (out, if is_bit { bits + 1 } else { 0 })
            })
            .boxed();
    }
    let ids = [spec.class.to_be_bytes(), spec.method.to_be_bytes()].concat();
    strategy
        .prop_map(move |(arguments, _)| [ids.clone(), arguments].concat())
        .boxed()
}

fn field(kind: FieldKind) -> BoxedStrategy<Vec<u8>> {
    let counted =
        |bytes: Vec<u8>| [u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec(), bytes].concat();
    match kind {
        FieldKind::Bit => (0..2_u8).prop_map(|bit| vec![bit]).boxed(),
        FieldKind::Octet => any::<u8>().prop_map(|v| vec![v]).boxed(),
        FieldKind::Short => any::<u16>().prop_map(|v| v.to_be_bytes().to_vec()).boxed(),
        FieldKind::Long => any::<u32>().prop_map(|v| v.to_be_bytes().to_vec()).boxed(),
        FieldKind::LongLong | FieldKind::Timestamp => {
            any::<u64>().prop_map(|v| v.to_be_bytes().to_vec()).boxed()
        }
        FieldKind::ShortStr => "(?s).{0,60}"
            .prop_map(|text: String| [vec![u8::try_from(text.len()).unwrap()], text.into_bytes()].concat())
            .boxed(),
        FieldKind::LongStr => proptest::collection::vec(any::<u8>(), 0..40)
            .prop_map(counted)
            .boxed(),
        FieldKind::Table => fields()
            .prop_map(|fields| {
                TableBuf::build(|w| write_fields(w, &fields))
                    .unwrap()
                    .as_table()
                    .raw()
                    .to_vec()
            })
            .prop_map(counted)
            .boxed(),
    }
}

fn zero_field(kind: FieldKind) -> BoxedStrategy<Vec<u8>> {
    let octets = match kind {
        FieldKind::Bit | FieldKind::Octet | FieldKind::ShortStr => 1,
        FieldKind::Short => 2,
        FieldKind::Long | FieldKind::LongStr | FieldKind::Table => 4,
        FieldKind::LongLong | FieldKind::Timestamp => 8,
    };
    Just(vec![0; octets]).boxed()
}

fn any_payload(show_only: bool) -> impl Strategy<Value = Vec<u8>> {
    (0..METHODS.len()).prop_flat_map(move |index| arguments(&METHODS[index], show_only))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn every_method_is_read_and_written_back(payload in any_payload(false), channel: u16) {
        let method = Method::decode(&payload).unwrap();
        let ids = [method.class_id().to_be_bytes(), method.method_id().to_be_bytes()].concat();
        prop_assert_eq!(&ids, &payload[..4]);
        let mut out = vec![7];
        method.encode(channel, &mut out);
        let step = frame::decode(&out[1..], u32::MAX).unwrap();
        let frame = frame::Frame { kind: 1, channel, payload: &payload };
        prop_assert_eq!(step, frame::Step::Frame { frame, consumed: out.len() - 1 });
    }

    #[test]
    fn every_method_survives_as_text(payload in any_payload(true)) {
        let text = Method::decode(&payload).unwrap().to_string();
        prop_assert_eq!(text::parse(&text), Ok(payload), "{}", text);
    }

    #[test]
    fn a_method_cut_short_or_too_long_is_refused(mut payload in any_payload(false)) {
        let spec = MethodSpec::by_ids(
            u16::from_be_bytes([payload[0], payload[1]]),
            u16::from_be_bytes([payload[2], payload[3]]),
        ).unwrap();
        for length in 0..payload.len() {
            let refused = Method::decode(&payload[..length]).expect_err("cut short");
            let wanted = if length < 4 {
                Error::Short
            } else {
                let cause = cursor::Error::UnexpectedEnd;
                Error::Malformed { class: spec.class, method: spec.method, cause }
            };
            prop_assert_eq!(refused, wanted);
        }
        payload.push(0);
        let cause = cursor::Error::LengthMismatch;
        let wanted = Error::Malformed { class: spec.class, method: spec.method, cause };
        prop_assert_eq!(Method::decode(&payload), Err(wanted));
    }

    #[test]
    fn any_bytes_are_a_method_or_refused(
        spec in proptest::sample::select(METHODS),
        rest in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut payload = [spec.class.to_be_bytes(), spec.method.to_be_bytes()].concat();
        payload.extend(rest);
        if let Ok(method) = Method::decode(&payload) {
            let _ = method.to_string();
            let mut out = Vec::new();
            method.encode_payload(&mut out);
            // Nothing is lost but the spare bits of an octet.
            prop_assert_eq!(out.len(), payload.len());
            let again = Method::decode(&out).unwrap().to_string();
            prop_assert_eq!(again, method.to_string());
        }
    }
}

#[test]
fn the_table_holds_every_method_in_order() {
    // Class, and its methods: what the specification and RabbitMQ's extensions say, written down a second
    // time.
    let wanted: &[(&str, u16, &[u16])] = &[
        (
            "connection",
            10,
            &[10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 60, 61, 70, 71],
        ),
        ("channel", 20, &[10, 11, 20, 21, 40, 41]),
        ("access", 30, &[10, 11]),
        ("exchange", 40, &[10, 11, 20, 21, 30, 31, 40, 51]),
        ("queue", 50, &[10, 11, 20, 21, 30, 31, 40, 41, 50, 51]),
        (
            "basic",
            60,
            &[
                10, 11, 20, 21, 30, 31, 40, 50, 60, 70, 71, 72, 80, 90, 100, 110, 111, 120,
            ],
        ),
        ("confirm", 85, &[10, 11]),
        ("tx", 90, &[10, 11, 20, 21, 30, 31]),
    ];
    let wanted = wanted
        .iter()
        .flat_map(|(_, class, methods)| methods.iter().map(move |method| (*class, *method)));
    assert!(wanted.eq(METHODS.iter().map(|spec| (spec.class, spec.method))));
    for spec in METHODS {
        assert_eq!(MethodSpec::by_ids(spec.class, spec.method), Some(spec));
        assert_eq!(MethodSpec::by_name(spec.name), Some(spec));
        assert!(
            spec.reserved
                .iter()
                .all(|name| spec.fields.iter().any(|field| field.0 == *name)),
            "{spec:?}"
        );
        let content = matches!(
            spec.name,
            "basic.publish" | "basic.return" | "basic.deliver" | "basic.get-ok"
        );
        assert_eq!(spec.content, content, "{}", spec.name);
    }
    assert_eq!(MethodSpec::by_ids(60, 41), None);
}

#[test]
fn a_declare_is_laid_out_as_specified() {
    let arguments = TableBuf::build(|w| w.i32("x-expires", 1000)).unwrap();
    let declare = queue::Declare {
        ticket: 0x0102,
        queue: "bt",
        durable: true,
        nowait: true,
        arguments: arguments.as_table(),
        ..Default::default()
    };
    let mut out = Vec::new();
    declare.encode(5, &mut out);
    let wanted =
        b"\x01\0\x05\0\0\0\x1d\0\x32\0\x0a\x01\x02\x02bt\x12\0\0\0\x0f\x09x-expiresI\0\0\x03\xe8\xce";
    assert_eq!(out, wanted);
    let mut same = Vec::new();
    Method::from(declare).encode(5, &mut same);
    assert_eq!(same, out);
    assert_eq!(
        Method::decode(&out[7..out.len() - 1]),
        Ok(Method::QueueDeclare(declare))
    );
}

#[test]
fn what_rabbitmq_cannot_decode_is_malformed() {
    let malformed = |class, method, arguments: &[u8]| {
        let payload = [&[0, class, 0, method], arguments].concat();
        match Method::decode(&payload) {
            Err(Error::Malformed {
                class: c,
                method: m,
                cause,
            }) => {
                assert_eq!((c, m), (u16::from(class), u16::from(method)));
                cause
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        malformed(50, 10, &[0, 0, 2, 98, 116, 4, 0, 0, 3, 231]),
        cursor::Error::UnexpectedEnd
    );
    assert_eq!(malformed(50, 10, &[0, 0, 3]), cursor::Error::UnexpectedEnd);
    assert_eq!(
        malformed(60, 10, &[0, 0, 0, 0, 0, 0, 0, 122, 122]),
        cursor::Error::LengthMismatch
    );
    assert_eq!(
        malformed(50, 10, &[0, 0, 1, 0xff, 0, 0, 0, 0, 0]),
        cursor::Error::InvalidUtf8
    );
    assert_eq!(malformed(85, 11, &[0]), cursor::Error::LengthMismatch);
}

#[test]
fn unknown_ids_are_named() {
    assert_eq!(
        Method::decode(&[0, 50, 0, 12]),
        Err(Error::Unknown {
            class: 50,
            method: 12
        })
    );
    assert_eq!(
        Method::decode(&[0, 99, 0, 10, 1]),
        Err(Error::Unknown {
            class: 99,
            method: 10
        })
    );
    assert_eq!(Method::decode(&[0, 50, 0]), Err(Error::Short));
}

#[test]
fn a_short_string_past_its_length_is_cut_between_characters() {
    let text = format!("{}é!", "a".repeat(254));
    let mut out = Vec::new();
    connection::Blocked { reason: &text }.write(&mut out);
    assert_eq!((out[0], out.len()), (254, 255));
    out.clear();
    connection::Blocked { reason: &text[1..] }.write(&mut out);
    assert_eq!((out[0], &out[254..]), (255, "é".as_bytes()));
}

#[test]
fn a_description_shows_what_matters() {
    let show = |method: Method<'_>| describe(&method);
    let declared = queue::DeclareOk {
        queue: "q",
        ..Default::default()
    };
    assert_eq!(
        show(declared.into()),
        "queue.declare-ok queue=\"q\" message_count=0 consumer_count=0"
    );
    let publish = basic::Publish {
        ticket: 9,
        routing_key: "k",
        mandatory: true,
        ..Default::default()
    };
    assert_eq!(show(publish.into()), "basic.publish routing_key=\"k\" mandatory");
    assert_eq!(show(channel::Open { out_of_band: "x" }.into()), "channel.open");
    assert_eq!(
        show(access::RequestOk { ticket: 1 }.into()),
        "access.request-ok ticket=1"
    );
    let declare = exchange::Declare {
        exchange: "x",
        type_: "topic",
        internal: true,
        ..Default::default()
    };
    assert_eq!(
        show(declare.into()),
        "exchange.declare exchange=\"x\" type=\"topic\" internal"
    );
}
