//! Methods and properties from text: the other way round of [`super::describe`], for transcripts.
//!
//! ```text
//! method      = name *( field )                   queue.declare queue="q" durable arguments={x-expires=1000}
//! field       = name [ "=" value ]                a bare name is a bit that is set
//! table       = "{" name "=" value *( "," name "=" value ) "}"
//! array       = "[" value *( "," value ) "]"
//! value       = string | integer ["l"] | "true" | "false" | "void" | table | array | letter ":" value
//! ```
//!
//! Integers are `I`, with an `l` behind `l`; any other type is named by its letter: `T:123`, `b:-1`,
//! `x:"0aff"`, `D:2/314`, `f:1.5`, `d:0x7ff8000000000000`. The letter may also stand at the name:
//! `x-expires:i=1000`. Fields that are left out are 0, false or empty; reserved ones may be named. Strings
//! may hold `\xNN`, so that a test can send bytes that are malformed. Errors are sentences for whoever wrote
//! the transcript.

use super::{FieldKind, MethodSpec};

mod scan;
mod value;

use scan::Scanner;

/// What may be written for a field.
enum Given {
    Bit(bool),
    Number(u64),
    String(Vec<u8>),
    /// The encoded table, without its length.
    Table(Vec<u8>),
}

/// Reads a method and returns the payload of its frame.
///
/// # Errors
/// A sentence that says where the text is wrong.
pub fn parse(text: &str) -> Result<Vec<u8>, String> {
    let mut scanner = Scanner::new(text);
    let name = scanner.word();
    let spec = MethodSpec::by_name(name).ok_or_else(|| format!("no method is called `{name}`"))?;
    let given = fields(&mut scanner, spec.fields)?;
    let mut out = Vec::new();
    out.extend_from_slice(&spec.class.to_be_bytes());
    out.extend_from_slice(&spec.method.to_be_bytes());
    let mut bits = Bits::default();
    for (&(name, kind), given) in spec.fields.iter().zip(&given) {
        if kind != FieldKind::Bit {
            bits.flush(&mut out);
        }
        match (kind, given) {
            (FieldKind::Bit, Some(Given::Bit(set))) => bits.push(*set, &mut out),
            (FieldKind::Bit, _) => bits.push(false, &mut out),
            (_, given) => {
                write(kind, given.as_ref(), &mut out).map_err(|error| format!("{name}: {error}"))?
            }
        }
    }
    bits.flush(&mut out);
    Ok(out)
}

/// Basic properties, in the order of the wire.
const PROPERTIES: &[(&str, FieldKind)] = &[
    ("content_type", FieldKind::ShortStr),
    ("content_encoding", FieldKind::ShortStr),
    ("headers", FieldKind::Table),
    ("delivery_mode", FieldKind::Octet),
    ("priority", FieldKind::Octet),
    ("correlation_id", FieldKind::ShortStr),
    ("reply_to", FieldKind::ShortStr),
    ("expiration", FieldKind::ShortStr),
    ("message_id", FieldKind::ShortStr),
    ("timestamp", FieldKind::Timestamp),
    ("type", FieldKind::ShortStr),
    ("user_id", FieldKind::ShortStr),
    ("app_id", FieldKind::ShortStr),
    ("cluster_id", FieldKind::ShortStr),
];

/// Reads properties, `delivery_mode=2 headers={a=1}`, and returns their bytes, flags included.
///
/// # Errors
/// A sentence that says where the text is wrong.
pub fn parse_properties(text: &str) -> Result<Vec<u8>, String> {
    let given = fields(&mut Scanner::new(text), PROPERTIES)?;
    let mut flags = 0_u16;
    let mut out = vec![0, 0];
    for (bit, (&(name, kind), given)) in (2..16).rev().zip(PROPERTIES.iter().zip(&given)) {
        if given.is_some() {
            flags |= 1 << bit;
            write(kind, given.as_ref(), &mut out).map_err(|error| format!("{name}: {error}"))?;
        }
    }
    if let Some(slot) = out.first_chunk_mut() {
        *slot = flags.to_be_bytes();
    }
    Ok(out)
}

/// Reads a table, `{name=value}`, and returns its bytes without the length in front.
///
/// # Errors
/// A sentence that says where the text is wrong.
pub fn parse_table(text: &str) -> Result<Vec<u8>, String> {
    let mut scanner = Scanner::new(text);
    let bytes = value::table(&mut scanner)?;
    scanner.end()?;
    Ok(bytes)
}

/// Reads fields by name up to the end of the text.
fn fields(
    scanner: &mut Scanner<'_>,
    known: &[(&'static str, FieldKind)],
) -> Result<Vec<Option<Given>>, String> {
    let mut given: Vec<Option<Given>> = known.iter().map(|_| None).collect();
    while !scanner.at_end() {
        let name = scanner.word();
        let position = known.iter().position(|field| field.0 == name);
        let slot = position.and_then(|index| Some((known.get(index)?.1, given.get_mut(index)?)));
        let Some((kind, slot)) = slot else {
            return Err(scanner.error(format!("no field is called `{name}`")));
        };
        if slot.is_some() {
            return Err(scanner.error(format!("`{name}` is there twice")));
        }
        *slot = Some(field(scanner, kind).map_err(|error| format!("{name}: {error}"))?);
    }
    Ok(given)
}

fn field(scanner: &mut Scanner<'_>, kind: FieldKind) -> Result<Given, String> {
    if kind == FieldKind::Bit {
        return match scanner.eat('=').then(|| scanner.word()) {
            None | Some("true") => Ok(Given::Bit(true)),
            Some("false") => Ok(Given::Bit(false)),
            Some(other) => Err(scanner.error(format!("`{other}` is not true or false"))),
        };
    }
    scanner.expect('=')?;
    match kind {
        FieldKind::ShortStr | FieldKind::LongStr => scanner.string().map(Given::String),
        FieldKind::Table => value::table(scanner).map(Given::Table),
        _ => {
            let word = scanner.word();
            word.parse()
                .map(Given::Number)
                .map_err(|_| scanner.error(format!("`{word}` is no number")))
        }
    }
}

/// Appends a field other than a bit; what is not given is 0 or empty.
fn write(kind: FieldKind, given: Option<&Given>, out: &mut Vec<u8>) -> Result<(), String> {
    let number = match given {
        Some(&Given::Number(number)) => number,
        _ => 0,
    };
    let bytes: &[u8] = match given {
        Some(Given::String(bytes) | Given::Table(bytes)) => bytes,
        _ => &[],
    };
    let range = || format!("{number} is out of range");
    match kind {
        FieldKind::Bit => {}
        FieldKind::Octet => out.push(u8::try_from(number).map_err(|_| range())?),
        FieldKind::Short => out.extend(u16::try_from(number).map_err(|_| range())?.to_be_bytes()),
        FieldKind::Long => out.extend(u32::try_from(number).map_err(|_| range())?.to_be_bytes()),
        FieldKind::LongLong | FieldKind::Timestamp => out.extend(number.to_be_bytes()),
        FieldKind::ShortStr => {
            let length = u8::try_from(bytes.len()).map_err(|_| "a shortstr holds 255 octets".to_owned())?;
            out.push(length);
            out.extend_from_slice(bytes);
        }
        FieldKind::LongStr | FieldKind::Table => super::put_longstr(out, bytes),
    }
    Ok(())
}

/// Bits on their way into shared octets.
#[derive(Default)]
struct Bits {
    octet: u8,
    count: u32,
}

impl Bits {
    fn push(&mut self, set: bool, out: &mut Vec<u8>) {
        if self.count == u8::BITS {
            self.flush(out);
        }
        self.octet |= u8::from(set) << self.count;
        self.count += 1;
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        if self.count > 0 {
            out.push(self.octet);
        }
        *self = Bits::default();
    }
}

#[cfg(test)]
mod tests;
