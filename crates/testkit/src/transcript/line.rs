//! What a client says, from a line to bytes.
//!
//! ```text
//! 1 queue.declare queue="q" durable            a method, see `warren_protocol`'s method::text
//! 1 basic.publish routing_key="q" props={delivery_mode=2} body="hello"      and its content
//! 1 basic.publish routing_key="q" body="x"*5000 chunk=4088                  in frames of 4,088
//! 1 header class=60 size=5 props={...}         a header frame alone
//! 1 body "hello"                               a body frame alone
//! 1 frame type=9 size=5 end=0 "hello"          any frame; size and end are right unless given
//! heartbeat
//! raw "AMQP\x00\x00\x09\x01"
//! EOF                                          the socket is closed
//! ```

use warren_protocol::amqp091::content::ContentHeader;
use warren_protocol::amqp091::frame::{self, FRAME_END, Kind};
use warren_protocol::amqp091::method::text;

/// Body octets in a frame unless `chunk` says otherwise.
const CHUNK_BYTES: usize = 131_064;

/// Bytes to send, or the end of the connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Bytes(Vec<u8>),
    HangUp,
}

/// Reads a line, without the peer.
///
/// # Errors
/// A sentence that says what is wrong.
pub(super) fn parse(line: &str) -> Result<Said, String> {
    let words = split(line);
    let words: Vec<&str> = words.iter().map(|word| &**word).collect();
    let mut out = Vec::new();
    match words.as_slice() {
        ["EOF"] => return Ok(Said::HangUp),
        ["heartbeat"] => frame::heartbeat(&mut out),
        ["raw", literal] => out = octets(literal)?,
        [channel, "header", fields @ ..] => header(number(channel)?, fields, &mut out)?,
        [channel, "body", literal] => frame::body(&mut out, number(channel)?, &octets(literal)?),
        [channel, "frame", fields @ .., literal] => any(number(channel)?, fields, literal, &mut out)?,
        [channel, fields @ ..] => method(number(channel)?, fields, &mut out)?,
        [] => return Err("nothing is said".to_owned()),
    }
    Ok(Said::Bytes(out))
}

/// Words at blanks that are in no quotes and no brackets.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for c in line.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => depth = depth.saturating_sub(1),
            ' ' if !quoted && depth == 0 => {
                words.push(std::mem::take(&mut word));
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse()
        .map_err(|_| format!("`{word}` is no number that fits here"))
}

fn field<'w>(words: &[&'w str], name: &str) -> Option<&'w str> {
    words
        .iter()
        .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// `"text"` or `"text"*times`.
fn octets(literal: &str) -> Result<Vec<u8>, String> {
    let (literal, times) = match literal.rsplit_once("\"*") {
        Some((text, times)) => (format!("{text}\""), number(times)?),
        None => (literal.to_owned(), 1),
    };
    // A table with that string: one octet of name length, the name, the type, four of length.
    let table = text::parse_table(&format!("{{x={literal}}}"))?;
    Ok(table.get(7..).unwrap_or_default().repeat(times))
}

fn properties(word: Option<&str>) -> Result<Vec<u8>, String> {
    let inner = match word {
        None => "",
        Some(word) => word
            .strip_prefix('{')
            .and_then(|word| word.strip_suffix('}'))
            .ok_or("props={...}")?,
    };
    text::parse_properties(inner)
}

fn header(channel: u16, fields: &[&str], out: &mut Vec<u8>) -> Result<(), String> {
    let properties = properties(field(fields, "props"))?;
    let class_id = field(fields, "class").map_or(Ok(60), number)?;
    let weight = field(fields, "weight").map_or(Ok(0), number)?;
    let body_size = field(fields, "size").map_or(Ok(0), number)?;
    ContentHeader {
        class_id,
        weight,
        body_size,
        properties: &properties,
    }
    .encode(channel, out);
    Ok(())
}

fn any(channel: u16, fields: &[&str], literal: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let payload = octets(literal)?;
    let kind: u8 = number(field(fields, "type").ok_or("a frame has a type")?)?;
    let size: u32 = match field(fields, "size") {
        Some(word) => number(word)?,
        None => u32::try_from(payload.len()).map_err(|error| error.to_string())?,
    };
    out.push(kind);
    out.extend(channel.to_be_bytes());
    out.extend(size.to_be_bytes());
    out.extend(payload);
    out.push(field(fields, "end").map_or(Ok(FRAME_END), number)?);
    Ok(())
}

fn method(channel: u16, words: &[&str], out: &mut Vec<u8>) -> Result<(), String> {
    let is_content = |word: &&str| {
        ["props=", "body=", "chunk="]
            .iter()
            .any(|field| word.starts_with(field))
    };
    let own: Vec<&str> = words.iter().copied().filter(|word| !is_content(word)).collect();
    let payload = text::parse(&own.join(" "))?;
    let mark = frame::begin(out, Kind::Method.octet(), channel);
    out.extend(payload);
    frame::end(out, mark);
    let Some(body) = field(words, "body") else {
        return Ok(());
    };
    let (body, properties) = (octets(body)?, properties(field(words, "props"))?);
    let size = body.len() as u64;
    ContentHeader {
        class_id: 60,
        weight: 0,
        body_size: size,
        properties: &properties,
    }
    .encode(channel, out);
    let chunk = field(words, "chunk").map_or(Ok(CHUNK_BYTES), number)?;
    for piece in body.chunks(chunk.max(1)) {
        frame::body(out, channel, piece);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn bytes(line: &str) -> Vec<u8> {
        match parse(line).unwrap() {
            Said::Bytes(bytes) => bytes,
            Said::HangUp => Vec::new(),
        }
    }

    #[test]
    fn content_follows_its_method() {
        let line = r#"1 basic.publish routing_key="a b" props={priority=1 type="x y"} body="ab"*2 chunk=3"#;
        let parts = [
            bytes(r#"1 basic.publish routing_key="a b""#),
            bytes(r#"1 header size=4 props={priority=1 type="x y"}"#),
            bytes(r#"1 body "aba""#),
            bytes(r#"1 frame type=3 "b""#),
        ];
        assert_eq!(bytes(line), parts.concat());
    }

    #[test]
    fn frames_may_be_wrong() {
        assert_eq!(
            bytes(r#"2 frame type=9 size=5 end=0 "x""#),
            [9, 0, 2, 0, 0, 0, 5, b'x', 0]
        );
        assert_eq!(bytes(r#"raw "\x00\"\n""#), *b"\0\"\n");
        assert_eq!(parse("EOF"), Ok(Said::HangUp));
    }

    #[test]
    fn mistakes_are_told() {
        for line in [
            "",
            "1",
            "x tx.select",
            "1 tx.frob",
            "1 body",
            "1 header class=x",
            "70000 tx.select",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
