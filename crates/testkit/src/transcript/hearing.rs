//! Bytes from a broker as lines of a transcript.
//!
//! ```text
//! 1 basic.deliver consumer_tag="t" delivery_tag=1 routing_key="q" props={priority=1} body="hello"
//! 1 basic.deliver ... frames=4088,912 body="x"*5000       a body in several frames
//! heartbeat
//! raw "AMQP\x00\x00\x09\x01"                              a protocol header
//! EOF
//! ```

use std::collections::HashMap;
use std::fmt::Write;
use warren_protocol::amqp091::content::ContentHeader;
use warren_protocol::amqp091::frame::{self, Kind, Step};
use warren_protocol::amqp091::method::Method;
use warren_protocol::amqp091::properties::Properties;

/// Bodies of one octet repeated are written short from this length on, in bytes.
const REPEATED_MIN: usize = 40;

/// Something that a peer heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) peer: char,
    /// What is heard on different channels has no order. Ends come last.
    pub(super) channel: u32,
    /// The line, without the peer.
    pub(super) text: String,
}

/// The end of what a peer hears.
pub(super) fn end(peer: char) -> Heard {
    Heard {
        peer,
        channel: u32::MAX,
        text: "EOF".to_owned(),
    }
}

/// A method that waits for its content.
#[derive(Debug)]
struct Content {
    line: String,
    properties: String,
    missing: u64,
    body: Vec<u8>,
    frames: Vec<usize>,
}

/// What one peer's socket brings.
#[derive(Debug, Default)]
pub(super) struct Ear {
    bytes: Vec<u8>,
    began: bool,
    contents: HashMap<u16, Content>,
}

impl Ear {
    /// Takes bytes in and adds what they say.
    pub(super) fn take(&mut self, peer: char, bytes: &[u8], heard: &mut Vec<Heard>) {
        self.bytes.extend_from_slice(bytes);
        if !self.began && self.bytes.len() >= 8 {
            self.began = true;
            if self.bytes.starts_with(b"AMQP") {
                let header: Vec<u8> = self.bytes.drain(..8).collect();
                heard.push(Heard {
                    peer,
                    channel: 0,
                    text: format!("raw {}", quoted(&header)),
                });
            }
        }
        let bytes = std::mem::take(&mut self.bytes);
        let mut rest = bytes.as_slice();
        while self.began {
            match frame::decode(rest, u32::MAX) {
                Ok(Step::Frame { frame, consumed }) => {
                    if let Some(text) = self.line(frame.kind, frame.channel, frame.payload) {
                        heard.push(Heard {
                            peer,
                            channel: frame.channel.into(),
                            text,
                        });
                    }
                    rest = rest.get(consumed..).unwrap_or_default();
                }
                Ok(Step::Need(_)) => break,
                Err(error) => {
                    heard.push(Heard {
                        peer,
                        channel: 0,
                        text: format!("garbage: {error}"),
                    });
                    rest = &[];
                }
            }
        }
        self.bytes = rest.to_vec();
    }

    /// The line that a frame completes.
    fn line(&mut self, kind: u8, channel: u16, payload: &[u8]) -> Option<String> {
        match Kind::from_octet(kind) {
            Some(Kind::Heartbeat) if payload.is_empty() => Some("heartbeat".to_owned()),
            Some(Kind::Method) => match Method::decode(payload) {
                Ok(method) if method.has_content() => {
                    let line = format!("{channel} {method}");
                    let (properties, body, frames) = (String::new(), Vec::new(), Vec::new());
                    let content = Content {
                        line,
                        properties,
                        missing: u64::MAX,
                        body,
                        frames,
                    };
                    self.contents.insert(channel, content);
                    None
                }
                Ok(method) => Some(format!("{channel} {method}")),
                Err(_) => Some(format!("{channel} frame type=1 {}", quoted(payload))),
            },
            Some(Kind::Header) => self.header(channel, payload),
            Some(Kind::Body) => self.body(channel, payload),
            _ => Some(format!("{channel} frame type={kind} {}", quoted(payload))),
        }
    }

    fn header(&mut self, channel: u16, payload: &[u8]) -> Option<String> {
        let (Ok(header), Some(content)) = (ContentHeader::parse(payload), self.contents.get_mut(&channel))
        else {
            return Some(format!("{channel} frame type=2 {}", quoted(payload)));
        };
        content.properties = match Properties::parse(header.properties) {
            Ok(properties) => properties.to_string(),
            Err(error) => format!("malformed: {error}"),
        };
        content.missing = header.body_size;
        self.complete(channel)
    }

    fn body(&mut self, channel: u16, payload: &[u8]) -> Option<String> {
        let Some(content) = self.contents.get_mut(&channel) else {
            return Some(format!("{channel} frame type=3 {}", quoted(payload)));
        };
        content.body.extend_from_slice(payload);
        content.frames.push(payload.len());
        content.missing = content.missing.saturating_sub(payload.len() as u64);
        self.complete(channel)
    }

    fn complete(&mut self, channel: u16) -> Option<String> {
        if self.contents.get(&channel)?.missing > 0 {
            return None;
        }
        let Content {
            mut line,
            properties,
            body,
            frames,
            ..
        } = self.contents.remove(&channel)?;
        if !properties.is_empty() {
            // Writing to a string does not fail.
            let _ = write!(line, " props={{{properties}}}");
        }
        if frames.len() > 1 {
            let sizes: Vec<String> = frames.iter().map(usize::to_string).collect();
            let _ = write!(line, " frames={}", sizes.join(","));
        }
        let _ = write!(line, " body={}", shortened(&body));
        Some(line)
    }
}

fn shortened(body: &[u8]) -> String {
    match body.first() {
        Some(first) if body.len() >= REPEATED_MIN && body.iter().all(|byte| byte == first) => {
            format!("{}*{}", quoted(&[*first]), body.len())
        }
        _ => quoted(body),
    }
}

/// Bytes in quotes, with the escapes that the notation of methods has.
pub(super) fn quoted(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c if c.is_ascii_control() => {
                    let _ = write!(out, "\\x{:02x}", u32::from(c));
                }
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use warren_protocol::amqp091::method::{basic, channel};

    fn texts(pieces: &[&[u8]]) -> Vec<String> {
        let (mut ear, mut heard) = (Ear::default(), Vec::new());
        for piece in pieces {
            ear.take('C', piece, &mut heard);
        }
        heard.into_iter().map(|heard| heard.text).collect()
    }

    #[test]
    fn content_is_one_line_however_it_is_cut() {
        let mut bytes = Vec::new();
        Method::from(channel::CloseOk).encode(3, &mut bytes);
        let get_ok = basic::GetOk {
            delivery_tag: 1,
            redelivered: true,
            exchange: "",
            routing_key: "q",
            message_count: 0,
        };
        Method::from(get_ok).encode(3, &mut bytes);
        ContentHeader {
            class_id: 60,
            weight: 0,
            body_size: 3,
            properties: &[0x10, 0, 2],
        }
        .encode(3, &mut bytes);
        frame::body(&mut bytes, 3, b"a\n");
        frame::body(&mut bytes, 3, b"b");
        frame::heartbeat(&mut bytes);
        let expected = [
            "3 channel.close-ok",
            "3 basic.get-ok delivery_tag=1 redelivered routing_key=\"q\" message_count=0 \
             props={delivery_mode=2} frames=2,1 body=\"a\\nb\"",
            "heartbeat",
        ];
        assert_eq!(texts(&[&bytes]), expected);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(texts(&single), expected);
    }

    #[test]
    fn a_protocol_header_comes_first_or_not_at_all() {
        assert_eq!(
            texts(&[b"AMQP", b"\0\0\x09\x01"]),
            [r#"raw "AMQP\x00\x00\t\x01""#]
        );
    }

    #[test]
    fn long_bodies_of_one_octet_are_short() {
        assert_eq!(shortened(&[b'x'; 39]).len(), 41);
        assert_eq!(shortened(&[b'x'; 5000]), "\"x\"*5000");
    }
}
