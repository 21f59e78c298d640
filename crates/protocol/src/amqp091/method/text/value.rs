//! Tables, arrays and values from text.
//!
//! It recurses, as deep as a table may be nested and no deeper.

use std::str::FromStr;

use super::scan::{Scanner, hex};
use crate::amqp091::table::{DEPTH_MAX, Table, Value, write_array};

/// Reads `{name=value, ...}` and returns the table's bytes, without the length in front.
pub(super) fn table(scanner: &mut Scanner<'_>) -> Result<Vec<u8>, String> {
    let bytes = fields(scanner, 1)?;
    Table::parse(&bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn fields(scanner: &mut Scanner<'_>, depth: usize) -> Result<Vec<u8>, String> {
    check(scanner, depth)?;
    scanner.expect('{')?;
    let mut out = Vec::new();
    while !scanner.eat('}') {
        let name = scanner.name()?;
        let letter = scanner.eat(':').then(|| scanner.word());
        scanner.expect('=')?;
        let encoded = match letter.map(|word| (word, word.chars().next(), word.len())) {
            None => value(scanner, depth)?,
            Some((_, Some(letter), 1)) => typed(scanner, letter, depth)?,
            Some((word, ..)) => return Err(scanner.error(format!("`{word}` is no type letter"))),
        };
        let length = u8::try_from(name.len()).map_err(|_| scanner.error("a name holds 255 octets"))?;
        out.push(length);
        out.extend(name);
        out.extend(encoded);
        separator(scanner, '}')?;
    }
    Ok(out)
}

fn items(scanner: &mut Scanner<'_>, depth: usize) -> Result<Vec<u8>, String> {
    check(scanner, depth)?;
    scanner.expect('[')?;
    let mut out = Vec::new();
    while !scanner.eat(']') {
        out.extend(value(scanner, depth)?);
        separator(scanner, ']')?;
    }
    Ok(out)
}

fn check(scanner: &Scanner<'_>, depth: usize) -> Result<(), String> {
    if depth > DEPTH_MAX {
        Err(scanner.error("nested too deep"))
    } else {
        Ok(())
    }
}

/// A comma, unless the container ends.
fn separator(scanner: &mut Scanner<'_>, end: char) -> Result<(), String> {
    if scanner.peek() == Some(end) {
        Ok(())
    } else {
        scanner.expect(',')
    }
}

/// A type octet and its data, from a value of any form.
fn value(scanner: &mut Scanner<'_>, depth: usize) -> Result<Vec<u8>, String> {
    match scanner.peek() {
        Some('"') => typed(scanner, 'S', depth),
        Some('{') => typed(scanner, 'F', depth),
        Some('[') => typed(scanner, 'A', depth),
        _ => match scanner.letter() {
            Some(letter) => typed(scanner, letter, depth),
            None => bare(scanner),
        },
    }
}

fn bare(scanner: &mut Scanner<'_>) -> Result<Vec<u8>, String> {
    let word = scanner.word();
    let value = match (word, word.strip_suffix('l')) {
        ("true", _) => Value::Bool(true),
        ("false", _) => Value::Bool(false),
        ("void", _) => Value::Void,
        (_, Some(digits)) => Value::I64(number(scanner, digits)?),
        _ => Value::I32(number(scanner, word)?),
    };
    encode(scanner, &value)
}

/// The value of a type that was named by its letter.
fn typed(scanner: &mut Scanner<'_>, letter: char, depth: usize) -> Result<Vec<u8>, String> {
    match letter {
        'S' => {
            let bytes = scanner.string()?;
            encode(scanner, &Value::LongString(&bytes))
        }
        'x' => {
            let bytes = hex_string(scanner)?;
            encode(scanner, &Value::Bytes(&bytes))
        }
        'F' => Ok(nested(b'F', &fields(scanner, depth + 1)?)),
        'A' => Ok(nested(b'A', &items(scanner, depth + 1)?)),
        _ => {
            let word = scanner.word();
            let value = scalar(scanner, letter, word)?;
            encode(scanner, &value)
        }
    }
}

fn scalar(scanner: &mut Scanner<'_>, letter: char, word: &str) -> Result<Value<'static>, String> {
    Ok(match letter {
        't' => Value::Bool(number(scanner, word)?),
        'b' => Value::I8(number(scanner, word)?),
        'B' => Value::U8(number(scanner, word)?),
        's' => Value::I16(number(scanner, word)?),
        'u' => Value::U16(number(scanner, word)?),
        'I' => Value::I32(number(scanner, word)?),
        'i' => Value::U32(number(scanner, word)?),
        'l' | 'L' => Value::I64(number(scanner, word)?),
        'T' => Value::Timestamp(number(scanner, word)?),
        'f' => match bits(word) {
            Some(bits) => Value::F32(f32::from_bits(in_range(scanner, bits)?)),
            None => Value::F32(number(scanner, word)?),
        },
        'd' => match bits(word) {
            Some(bits) => Value::F64(f64::from_bits(bits)),
            None => Value::F64(number(scanner, word)?),
        },
        'D' => {
            let scale = number(scanner, word)?;
            scanner.expect('/')?;
            let digits = scanner.word();
            Value::Decimal {
                scale,
                value: number(scanner, digits)?,
            }
        }
        'V' if word.is_empty() || word == "void" => Value::Void,
        _ => return Err(scanner.error(format!("`{letter}` is no type, or `{word}` no value of it"))),
    })
}

fn number<T: FromStr>(scanner: &Scanner<'_>, word: &str) -> Result<T, String> {
    word.parse()
        .map_err(|_| scanner.error(format!("`{word}` is no value of its type")))
}

/// The bits of a float that has no decimal notation.
fn bits(word: &str) -> Option<u64> {
    word.strip_prefix("0x")
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
}

fn in_range(scanner: &Scanner<'_>, bits: u64) -> Result<u32, String> {
    u32::try_from(bits).map_err(|_| scanner.error("a single has 32 bits"))
}

fn hex_string(scanner: &mut Scanner<'_>) -> Result<Vec<u8>, String> {
    let digits = scanner.string()?;
    let octets = digits
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(hex));
    octets
        .collect::<Option<_>>()
        .ok_or_else(|| scanner.error("the string is not pairs of hex digits"))
}

fn nested(letter: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![letter];
    super::super::put_longstr(&mut out, content);
    out
}

fn encode(scanner: &Scanner<'_>, value: &Value<'_>) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    // An array of one, and its length left out, is the value itself.
    write_array(&mut out, |array| array.value(value)).map_err(|error| scanner.error(error))?;
    Ok(out.split_off(size_of::<u32>()))
}
