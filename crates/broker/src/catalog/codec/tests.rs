//! Changes are read as they were written, and any bytes are read or refused.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::*;
use crate::limits::{Limited, Limits};
use crate::value::{Table, Value};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Void),
        any::<bool>().prop_map(Value::Bool),
        any::<i8>().prop_map(Value::I8),
        any::<u8>().prop_map(Value::U8),
        any::<i16>().prop_map(Value::I16),
        any::<u16>().prop_map(Value::U16),
        any::<i32>().prop_map(Value::I32),
        any::<u32>().prop_map(Value::U32),
        any::<i64>().prop_map(Value::I64),
        any::<u32>().prop_map(|bits| Value::F32(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))),
        (any::<u8>(), any::<u32>()).prop_map(|(scale, value)| Value::Decimal { scale, value }),
        vec(any::<u8>(), 0..200).prop_map(|bytes| Value::String(bytes.into())),
        vec(any::<u8>(), 0..200).prop_map(|bytes| Value::Bytes(bytes.into())),
        any::<u64>().prop_map(Value::Timestamp),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((".{0,4}", inner), 0..4).prop_map(|entries| Value::Table(entries.into_iter().collect())),
        ]
    })
}

/// Names may stand twice.
fn any_table() -> impl Strategy<Value = Table> {
    vec(("[ab]|x-[a-z]{1,200}", any_value()), 0..5).prop_map(|entries| entries.into_iter().collect())
}

macro_rules! any_name {
    ($function:ident, $name:ident) => {
        fn $function() -> impl Strategy<Value = $name> {
            "[a-z/.é]{0,120}".prop_map(|text| $name::new(&text).unwrap())
        }
    };
}

any_name!(any_vhost_name, VhostName);
any_name!(any_user_name, UserName);
any_name!(any_exchange_name, ExchangeName);
any_name!(any_queue_name, QueueName);

fn any_tags() -> impl Strategy<Value = Vec<Box<str>>> {
    vec(".{0,200}".prop_map(Into::into), 0..4)
}

fn any_queue_type() -> impl Strategy<Value = QueueType> {
    prop_oneof![Just(QueueType::Classic), Just(QueueType::Quorum)]
}

fn any_vhost() -> impl Strategy<Value = Vhost> {
    let parts = (
        any_vhost_name(),
        ".{0,200}",
        any_tags(),
        proptest::option::of(any_queue_type()),
    );
    parts.prop_map(|(name, description, tags, default_queue_type)| Vhost {
        name,
        description,
        tags,
        default_queue_type,
    })
}

fn any_pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(".*".to_owned()),
        "\\^[a-z]{1,9}(\\.\\*)?\\$",
        "\\^\\{username\\}[a-z]{0,9}"
    ]
}

fn any_user() -> impl Strategy<Value = User> {
    let hash = ("[a-z0-9_]{0,40}", vec(any::<u8>(), 0..70));
    let hash = hash.prop_map(|(algorithm, salted)| PasswordHash {
        algorithm: algorithm.into(),
        salted: salted.into(),
    });
    let permission = [any_pattern(), any_pattern(), any_pattern()];
    let topic = [any_pattern(), any_pattern()];
    let topics = btree_map(any_exchange_name(), topic, 1..3);
    let parts = (
        any_user_name(),
        proptest::option::of(hash),
        any_tags(),
        btree_map(any_vhost_name(), permission, 0..4),
        btree_map(any_vhost_name(), topics, 0..3),
        btree_map("[a-z-]{0,20}", any::<i64>(), 0..3),
    );
    parts.prop_map(|(name, password_hash, tags, permissions, topics, numbers)| {
        let mut limits = Limits::default();
        for (name, number) in numbers {
            limits.keep(&name, number);
        }
        let permissions = permissions.into_iter().map(|(vhost, [configure, write, read])| {
            (vhost, Permission::new(&configure, &write, &read).unwrap())
        });
        let topics = topics.into_iter().map(|(vhost, exchanges)| {
            let exchanges = exchanges.into_iter().map(|(exchange, [write, read])| {
                let permission = TopicPermission::new(&write, &read, &name, &vhost).unwrap();
                (exchange, permission)
            });
            let exchanges = exchanges.collect();
            (vhost, exchanges)
        });
        User {
            password_hash,
            tags,
            permissions: permissions.collect(),
            topic_permissions: topics.collect(),
            limits,
            ..User::new(name.clone())
        }
    })
}

fn any_exchange() -> impl Strategy<Value = Exchange> {
    let kind = proptest::sample::select(vec!["direct", "fanout", "headers", "topic"]);
    let parts = (
        any::<u64>(),
        any_exchange_name(),
        kind,
        any::<[bool; 3]>(),
        any_table(),
    );
    parts.prop_map(
        |(id, name, kind, [durable, auto_delete, internal], arguments)| Exchange {
            id: ExchangeId(id),
            name,
            kind: ExchangeKind::named(kind).unwrap(),
            durable,
            auto_delete,
            internal,
            arguments,
        },
    )
}

fn any_queue() -> impl Strategy<Value = Queue> {
    let parts = (
        any::<u64>(),
        any_queue_name(),
        any_queue_type(),
        any::<[bool; 2]>(),
        any_table(),
    );
    parts.prop_map(
        |(id, name, queue_type, [durable, auto_delete], arguments)| Queue {
            id: QueueId(id),
            name,
            queue_type,
            durable,
            auto_delete,
            owner: None,
            arguments,
        },
    )
}

fn any_binding() -> impl Strategy<Value = Binding> {
    let destination = prop_oneof![
        any_queue_name().prop_map(Endpoint::Queue),
        any_exchange_name().prop_map(Endpoint::Exchange),
    ];
    // Longer than a short string: what is kept is not held to what a protocol takes.
    let parts = (any_exchange_name(), destination, ".{0,300}", any_table());
    parts.prop_map(|(source, destination, key, arguments)| Binding {
        source,
        destination,
        key: key.into(),
        arguments,
    })
}

fn any_parameter() -> impl Strategy<Value = Parameter> {
    let parts = (".{0,30}", ".{0,300}", any_value());
    parts.prop_map(|(component, name, value)| Parameter {
        component: component.into(),
        name: name.into(),
        value,
    })
}

/// One that makes sense or not: what is kept is not judged again.
fn any_policy() -> impl Strategy<Value = Policy> {
    let words = [
        "all",
        "queues",
        "classic_queues",
        "quorum_queues",
        "streams",
        "exchanges",
    ];
    let parts = (
        ".{0,200}",
        any_pattern(),
        proptest::sample::select(words.to_vec()),
        any::<i64>(),
        any_table(),
    );
    parts.prop_map(|(name, pattern, word, priority, definition)| {
        let apply_to = ApplyTo::named(word).unwrap();
        Policy::stored(&name, &pattern, apply_to, priority, definition).unwrap()
    })
}

fn any_scope() -> impl Strategy<Value = PolicyScope> {
    prop_oneof![Just(PolicyScope::Users), Just(PolicyScope::Operators)]
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        any_vhost().prop_map(Change::VhostPut),
        any_vhost_name().prop_map(Change::VhostDeleted),
        any_user().prop_map(Change::UserPut),
        any_user_name().prop_map(Change::UserDeleted),
        (any_vhost_name(), any_exchange()).prop_map(|(vhost, x)| Change::ExchangePut(vhost, x)),
        (any_vhost_name(), any_exchange_name()).prop_map(|(vhost, x)| Change::ExchangeDeleted(vhost, x)),
        (any_vhost_name(), any_queue()).prop_map(|(vhost, q)| Change::QueuePut(vhost, q)),
        (any_vhost_name(), any_queue_name()).prop_map(|(vhost, q)| Change::QueueDeleted(vhost, q)),
        (any_vhost_name(), any_queue()).prop_map(|(vhost, q)| Change::QueueSetAside(vhost, q)),
        (any_vhost_name(), any::<u64>()).prop_map(|(vhost, id)| Change::AsideDeleted(vhost, QueueId(id))),
        (any_vhost_name(), any_binding()).prop_map(|(vhost, b)| Change::Bound(vhost, b)),
        (any_vhost_name(), any_binding()).prop_map(|(vhost, b)| Change::Unbound(vhost, b)),
        (any_vhost_name(), any_parameter()).prop_map(|(vhost, p)| Change::ParameterPut(vhost, p)),
        (any_vhost_name(), ".{0,9}", ".{0,9}").prop_map(|(vhost, c, n)| Change::ParameterDeleted(
            vhost,
            c.into(),
            n.into()
        )),
        (".{0,9}", any_value()).prop_map(|(name, v)| Change::GlobalParameterPut(name.into(), v)),
        ".{0,9}".prop_map(|name| Change::GlobalParameterDeleted(name.into())),
        (any_vhost_name(), any_scope(), any_policy())
            .prop_map(|(vhost, s, p)| Change::PolicyPut(vhost, s, p)),
        (any_vhost_name(), any_scope(), ".{0,200}").prop_map(|(vhost, s, name)| Change::PolicyDeleted(
            vhost,
            s,
            name.into()
        )),
    ]
}

fn encoded(change: &Change) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(change, &mut bytes);
    bytes
}

proptest! {
    #[test]
    fn a_change_is_read_as_it_was_written(change in any_change()) {
        // Behind what is there already.
        let mut bytes = vec![7, 7];
        encode(&change, &mut bytes);
        prop_assert_eq!(&bytes[..2], [7, 7]);
        prop_assert_eq!(decode(&bytes[2..]), Ok(change));
    }

    #[test]
    fn fields_of_a_later_writer_are_skipped(change in any_change(), later in vec(any::<u8>(), 0..9)) {
        let mut bytes = encoded(&change);
        put_field(&mut bytes, &later);
        prop_assert_eq!(decode(&bytes), Ok(change));
    }

    #[test]
    fn a_change_that_was_cut_is_refused(change in any_change(), cut in any::<prop::sample::Index>()) {
        let bytes = encoded(&change);
        match (decode(&bytes[..cut.index(bytes.len())]), change) {
            (Err(_), _) => {}
            // Cut just before what earlier writers did not write.
            (Ok(Change::UserPut(read)), Change::UserPut(user)) => {
                prop_assert_eq!(read, User { limits: Limits::default(), ..user });
            }
            (Ok(read), _) => prop_assert!(false, "{read:?}"),
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200), kind in 0u8..25) {
        let _ = decode(&bytes);
        let _ = decode(&[&[VERSION, kind], &*bytes].concat());
    }

    #[test]
    fn changed_bytes_are_read_or_refused(
        change in any_change(),
        edits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encoded(&change);
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(read) = decode(&bytes) {
            prop_assert_eq!(decode(&encoded(&read)), Ok(read));
        }
    }
}

fn nested(depth: usize) -> Change {
    let mut value = Value::Void;
    for level in 0..depth {
        value = match level % 2 {
            0 => Value::Array(vec![value]),
            _ => Value::Table([("t", value)].into_iter().collect()),
        };
    }
    let binding = Binding {
        source: ExchangeName::new("x").unwrap(),
        destination: Endpoint::Queue(QueueName::new("q").unwrap()),
        key: "k".into(),
        arguments: [("a", value)].into_iter().collect(),
    };
    Change::Bound(VhostName::new("/").unwrap(), binding)
}

#[test]
fn nesting_has_an_end() {
    let deepest = nested(value::DEPTH_MAX);
    assert_eq!(decode(&encoded(&deepest)), Ok(deepest));
    assert_eq!(
        decode(&encoded(&nested(value::DEPTH_MAX + 1))),
        Err(Malformed::Deep)
    );
}

#[test]
fn a_length_that_was_only_announced_reserves_nothing() {
    // 2^35 - 1 bytes of a name, of which there are three.
    let bytes = [
        VERSION,
        VHOST_DELETED,
        0xff,
        0xff,
        0xff,
        0xff,
        0x7f,
        b'a',
        b'b',
        b'c',
    ];
    assert_eq!(decode(&bytes), Err(Malformed::Short));
    let endless = [VERSION, VHOST_DELETED, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00];
    assert_eq!(decode(&endless), Err(Malformed::Length));
}

#[test]
fn what_is_not_known_here_is_named() {
    let refused = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
    assert_eq!(refused(&[]), "the bytes end too early");
    assert_eq!(refused(&[2, 1]), "version 2 of a change is newer than 1");
    assert_eq!(refused(&[1, 15]), "no kind 15 of change");
    assert_eq!(refused(b"\x01\x0c\x01/\x01\x02\x01p"), "no scope 2 of policies");
    let policy = b"\x01\x0b\x01/\x01\x00\x01p\x00\x04some\x08\0\0\0\0\0\0\0\0\x00";
    assert_eq!(refused(policy), "no policy applies to 'some'");
    let exchange = [
        &[1, EXCHANGE_PUT, 1, b'/', 1, b'x', 8, 1, 0, 0, 0, 0, 0, 0, 0, 4][..],
        b"hash",
    ];
    assert_eq!(refused(&exchange.concat()), "no exchange type 'hash'");
    let mut name = vec![1, VHOST_DELETED];
    put_field(&mut name, &[b'v'; 256]);
    assert_eq!(refused(&name), "a name of 256 bytes is longer than 255");
}

#[test]
fn a_user_of_an_earlier_writer_has_no_limits() {
    let mut user = User::new(UserName::new("u").unwrap());
    let earlier = [&[1, USER_PUT, 1, b'u'][..], &[0, 0, 0, 0]].concat();
    assert_eq!(decode(&earlier), Ok(Change::UserPut(user.clone())));
    user.limits
        .set("max-channels", &Value::I64(-1), Limited::User)
        .unwrap();
    let written = encoded(&Change::UserPut(user.clone()));
    assert_eq!(decode(&written), Ok(Change::UserPut(user)));
}

/// The bytes of one change, so that what is on disks stays readable.
#[test]
fn a_queue_is_these_bytes() {
    let queue = Queue {
        id: QueueId(0x0102),
        name: QueueName::new("q").unwrap(),
        queue_type: QueueType::Quorum,
        durable: true,
        auto_delete: false,
        owner: None,
        arguments: [("n", Value::I32(-2)), ("s", Value::from("ab"))]
            .into_iter()
            .collect(),
    };
    let change = Change::QueuePut(VhostName::new("/").unwrap(), queue);
    let mut wanted = vec![1, 7];
    wanted.extend(*b"\x01/\x01q\x08\x02\x01\0\0\0\0\0\0\x01\x02\x01\x01");
    wanted.extend(*b"\x0d\x01nI\xfe\xff\xff\xff\x01sS\x02ab");
    assert_eq!(encoded(&change), wanted);
}

#[test]
fn a_policy_is_these_bytes() {
    let definition = [("max-length", Value::I64(-2))].into_iter().collect();
    let apply_to = ApplyTo::named("queues").unwrap();
    let policy = Policy::stored("p", "^a", apply_to, -1, definition).unwrap();
    let change = Change::PolicyPut(VhostName::new("/").unwrap(), PolicyScope::Operators, policy);
    let mut wanted = vec![1, 11];
    wanted.extend(*b"\x01/\x01\x01\x01p\x02^a\x06queues\x08\xff\xff\xff\xff\xff\xff\xff\xff");
    wanted.extend(*b"\x14\x0amax-lengthl\xfe\xff\xff\xff\xff\xff\xff\xff");
    assert_eq!(encoded(&change), wanted);
    let gone = Change::PolicyDeleted(VhostName::new("/").unwrap(), PolicyScope::Users, "p".into());
    assert_eq!(encoded(&gone), b"\x01\x0c\x01/\x01\x00\x01p");
}
