//! Tests of the notation of transcripts: all its forms, and sentences for what is wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use proptest::prelude::*;

use super::*;
use crate::amqp091::method::Method;
use crate::amqp091::properties::Properties;
use crate::amqp091::table::tests::{fields as table_fields, write_fields};
use crate::amqp091::table::{Table, TableBuf};

/// What the text means, written out again.
fn again(text: &str) -> String {
    Method::decode(&parse(text).unwrap()).unwrap().to_string()
}

fn table_again(text: &str) -> String {
    Table::parse(&parse_table(text).unwrap()).unwrap().to_string()
}

#[test]
fn fields_are_given_by_name_in_any_order() {
    let text = "queue.declare  durable arguments={x-expires:i=1000} queue=\"q\" passive=false exclusive=true";
    assert_eq!(
        again(text),
        "queue.declare queue=\"q\" durable exclusive arguments={x-expires=i:1000}"
    );
    assert_eq!(parse("tx.select"), Ok(vec![0, 90, 0, 10]));
    assert_eq!(parse("channel.open"), Ok(vec![0, 20, 0, 10, 0]));
}

#[test]
fn reserved_fields_may_be_named() {
    assert_eq!(parse("basic.get ticket=258"), Ok(vec![0, 60, 0, 70, 1, 2, 0, 0]));
}

#[test]
fn values_have_short_and_typed_forms() {
    let same =
        "{a=\"s\", b=12, c=12l, d=true, e=void, f=[1, \"x\", []], g={}, h=T:123, i=b:-1, j=x:\"0aff\"}";
    assert_eq!(table_again(same), same);
    let long = "{a=S:\"s\",b=I:12 , c:l=12,d=t:false,e=V:,f=A:[1,],g=F:{ },\"h h\"=L:5,i=D:2/314,j=V:void,}";
    let short = "{a=\"s\", b=12, c=12l, d=false, e=void, f=[1], g={}, \"h h\"=5l, i=D:2/314, j=void}";
    assert_eq!(table_again(long), short);
    assert_eq!(
        table_again("{a=d:1e300, b=f:-inf, c=d:0x7ff8000000000001}"),
        "{a=d:1e300, b=f:-inf, c=d:0x7ff8000000000001}"
    );
}

#[test]
fn escapes_make_any_octet() {
    let payload = parse(r#"channel.close code=1 text="\xff\n\"\\ é""#).unwrap();
    assert_eq!(payload[4..], *b"\0\x01\x07\xff\n\"\\ \xc3\xa9\0\0\0\0");
}

#[test]
fn properties_are_written_the_same_way() {
    let text = "content_type=\"text/plain\" headers={a=1} delivery_mode=2 timestamp=5 cluster_id=\"c\"";
    let bytes = parse_properties(text).unwrap();
    assert_eq!(Properties::parse(&bytes).unwrap().to_string(), text);
    assert_eq!(parse_properties(""), Ok(vec![0, 0]));
    // What is given empty is there, unlike a method's field.
    assert_eq!(parse_properties("reply_to=\"\""), Ok(vec![2, 0, 0]));
}

#[test]
fn mistakes_are_told() {
    let told = |text: &str| parse(text).unwrap_err();
    assert_eq!(told("queue.frob"), "no method is called `queue.frob`");
    assert_eq!(
        told("basic.get frob=1"),
        "no field is called `frob` (at octet 14)"
    );
    assert!(told("basic.get queue=\"a\" queue=\"b\"").starts_with("`queue` is there twice"));
    assert!(told("basic.get queue=a").starts_with("queue: a string in quotes is missing"));
    assert!(told("basic.get queue=\"a").starts_with("queue: the string does not end"));
    assert!(told("basic.get queue=\"\\q\"").starts_with("queue: `\\q` is no escape"));
    assert!(told("basic.get no_ack=maybe").starts_with("no_ack: `maybe` is not true or false"));
    assert!(told("basic.qos prefetch_count").starts_with("prefetch_count: `=` is missing"));
    assert_eq!(
        told("basic.qos prefetch_count=65536"),
        "prefetch_count: 65536 is out of range"
    );
    assert!(told("basic.qos prefetch_count=-1").starts_with("prefetch_count: `-1` is no number"));
    let long = format!("basic.get queue=\"{}\"", "q".repeat(256));
    assert_eq!(told(&long), "queue: a shortstr holds 255 octets");
}

#[test]
fn mistakes_in_tables_are_told() {
    let told = |text: &str| parse_table(text).unwrap_err();
    assert!(told("{a=2147483648}").starts_with("`2147483648` is no value of its type"));
    assert!(told("{a=b:200}").starts_with("`200` is no value of its type"));
    assert!(told("{a=q:1}").starts_with("`q` is no type"));
    assert!(told("{a:int=1}").starts_with("`int` is no type letter"));
    assert!(told("{a=x:\"0a0\"}").starts_with("the string is not pairs of hex digits"));
    assert!(told("{a=f:0x100000000}").starts_with("a single has 32 bits"));
    assert!(told("{a=1 b=2}").starts_with("`,` is missing"));
    assert!(told("{a=1").starts_with("`,` is missing"));
    assert!(told("{=1}").starts_with("a name is missing"));
    assert!(told("{a=1} x").starts_with("something is left over"));
    assert!(told(&format!("{{a={}1", "[".repeat(5000))).starts_with("nested too deep"));
}

proptest! {
    #[test]
    fn any_table_survives_as_text(fields in table_fields()) {
        let table = TableBuf::build(|w| write_fields(w, &fields)).unwrap();
        let text = table.as_table().to_string();
        prop_assert_eq!(parse_table(&text).unwrap(), table.as_table().raw(), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(queue.declare |basic.get )?[a-z=\":{}\\[\\],0-9 \\\\x-]{0,40}") {
        let _ = parse(&text);
        let _ = parse_table(&text);
        let _ = parse_properties(&text);
    }
}
