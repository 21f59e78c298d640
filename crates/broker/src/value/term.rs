//! Prints a value in the notation of RabbitMQ's own language, as some of its refusals do.
//!
//! ```text
//!   string, bytes   <<"text">>, <<"täxt"/utf8>>, <<1,2,3>> where it is no printable text
//!   numbers         5, 1.5, 1.0e22          decimal   {scale,value}
//!   table           [{<<"name">>,type,value},...]
//!   array           [{type,value},...]      void      undefined
//! ```
//!
//! Terms stand on one line here. RabbitMQ breaks those that pass 80 columns.

use std::fmt::Write as _;

use super::Value;

/// The deepest nesting that is printed. Decoders refuse deeper tables, so nobody sees the dots.
const DEPTH_MAX: usize = 64;

/// Appends the term of a value.
pub(super) fn write(out: &mut String, value: &Value) {
    write_at(out, value, 0);
}

fn write_at(out: &mut String, value: &Value, depth: usize) {
    if depth > DEPTH_MAX {
        out.push_str("...");
        return;
    }
    match value {
        Value::Void => out.push_str("undefined"),
        Value::Bool(truth) => push(out, truth),
        Value::I8(n) => push(out, n),
        Value::U8(n) => push(out, n),
        Value::I16(n) => push(out, n),
        Value::U16(n) => push(out, n),
        Value::I32(n) => push(out, n),
        Value::U32(n) => push(out, n),
        Value::I64(n) => push(out, n),
        Value::Timestamp(n) => push(out, n),
        Value::F32(n) => write_float(out, f64::from(*n)),
        Value::F64(n) => write_float(out, *n),
        Value::Decimal { scale, value } => push(out, format_args!("{{{scale},{value}}}")),
        Value::String(bytes) | Value::Bytes(bytes) => write_binary(out, bytes),
        Value::Array(items) => write_list(out, items.iter(), |out, item| {
            push(out, format_args!("{{{},", item.type_name()));
            write_at(out, item, depth + 1);
        }),
        Value::Table(table) => write_list(out, table.iter(), |out, (name, item)| {
            out.push('{');
            write_binary(out, name.as_bytes());
            push(out, format_args!(",{},", item.type_name()));
            write_at(out, item, depth + 1);
        }),
    }
}

fn push(out: &mut String, shown: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{shown}");
}

/// A list of tuples, each of which the caller opens and this closes.
fn write_list<I>(out: &mut String, items: impl Iterator<Item = I>, write_open: impl Fn(&mut String, I)) {
    out.push('[');
    for (n, item) in items.enumerate() {
        if n > 0 {
            out.push(',');
        }
        write_open(out, item);
        out.push('}');
    }
    out.push(']');
}

fn write_binary(out: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok("") => out.push_str("<<>>"),
        Ok(text) if text.chars().all(is_printable) => {
            out.push_str("<<\"");
            text.chars().for_each(|c| push_quoted(out, c));
            out.push_str(if text.is_ascii() { "\">>" } else { "\"/utf8>>" });
        }
        _ => {
            let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
            push(out, format_args!("<<{}>>", numbers.join(",")));
        }
    }
}

fn is_printable(c: char) -> bool {
    matches!(c, '\u{8}'..='\u{d}' | '\u{1b}') || !c.is_control()
}

fn push_quoted(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\u{b}' => out.push_str("\\v"),
        '\u{c}' => out.push_str("\\f"),
        '\r' => out.push_str("\\r"),
        '\u{1b}' => out.push_str("\\e"),
        _ => out.push(c),
    }
}

/// The fewest digits that read back as the same number; with an exponent where that is shorter.
fn write_float(out: &mut String, number: f64) {
    let exponential = format!("{number:e}");
    let exponential = match exponential.split_once('e') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0e{exponent}"),
        _ => exponential,
    };
    let mut plain = format!("{number}");
    if !plain.contains('.') {
        plain.push_str(".0");
    }
    // From 2^53 on the plain form would show digits that the number does not have.
    let is_exact = number.abs() < 9_007_199_254_740_992.0;
    let shorter = if is_exact && plain.len() <= exponential.len() {
        plain
    } else {
        exponential
    };
    out.push_str(&shorter);
}
