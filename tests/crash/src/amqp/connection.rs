//! One connection: a non-blocking socket, read whenever something is written, so that neither side can make
//! the other wait for ever.

use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::wire::{BODY, Cursor, FRAME_OVERHEAD, HEADER, HEARTBEAT, METHOD, Method, frame, put_frame};
use super::{Content, Event, Trouble};

/// How long a connection may take to open, and the broker to take a connection.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// The largest frame that we propose.
const FRAME_MAX: u32 = 131_072;

/// What one read takes at most.
const READ_BYTES: usize = 256 * 1024;

/// How a connection is opened.
#[derive(Clone, Copy, Default)]
pub(crate) struct Options {
    /// Seconds between heartbeats; 0 is none.
    pub(crate) heartbeat: u16,
}

/// A method that answers a call.
struct Reply {
    channel: u16,
    class: u16,
    method: u16,
    arguments: Vec<u8>,
}

/// A message of which the body is still to come.
struct Partial {
    content: Content,
    returned: bool,
    /// Unknown until the content header came.
    size: Option<usize>,
}

pub(crate) struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    /// Where a read puts its bytes.
    piece: Vec<u8>,
    output: Vec<u8>,
    written: usize,
    frame_max: usize,
    events: VecDeque<Event>,
    replies: VecDeque<Reply>,
    refused: HashMap<u16, (u16, String)>,
    partial: HashMap<u16, Partial>,
    lost: Option<Trouble>,
    heartbeat: Duration,
    last_output: Instant,
    last_input: Instant,
    /// The longest time in which nothing came from the broker.
    silence_max: Duration,
}

impl Connection {
    /// Connects, logs in as guest and opens the default virtual host.
    pub(crate) fn open(address: SocketAddr, options: Options) -> Result<Connection, Trouble> {
        let broken = |error: std::io::Error| Trouble::Lost {
            code: None,
            text: error.to_string(),
        };
        let stream = TcpStream::connect_timeout(&address, OPEN_LIMIT).map_err(broken)?;
        stream.set_nodelay(true).map_err(broken)?;
        stream.set_nonblocking(true).map_err(broken)?;
        let mut connection = Connection {
            stream,
            input: Vec::new(),
            piece: vec![0; READ_BYTES],
            output: b"AMQP\0\0\x09\x01".to_vec(),
            written: 0,
            frame_max: FRAME_MAX as usize,
            events: VecDeque::new(),
            replies: VecDeque::new(),
            refused: HashMap::new(),
            partial: HashMap::new(),
            lost: None,
            heartbeat: Duration::from_secs(u64::from(options.heartbeat)),
            last_output: Instant::now(),
            last_input: Instant::now(),
            silence_max: Duration::ZERO,
        };
        connection.handshake(options)?;
        Ok(connection)
    }

    fn handshake(&mut self, options: Options) -> Result<(), Trouble> {
        self.answer(0, (10, 10), OPEN_LIMIT)?;
        // The capabilities say that we understand connection.blocked, nacks and cancel notifications.
        let mut flags = Vec::new();
        for name in [
            "connection.blocked",
            "basic.nack",
            "publisher_confirms",
            "consumer_cancel_notify",
        ] {
            super::put_short(&mut flags, name);
            flags.extend(b"t\x01");
        }
        let mut properties = Vec::new();
        super::put_short(&mut properties, "capabilities");
        properties.push(b'F');
        super::put_long(&mut properties, &flags);
        let start_ok = Method::new(10, 11).long(&properties).short("PLAIN");
        self.send(0, &start_ok.long(b"\0guest\0guest").short("en_US"));
        let tune = self.answer(0, (10, 30), OPEN_LIMIT)?;
        let mut cursor = Cursor::new(&tune);
        let (channel_max, frame_max) = (cursor.u16().unwrap_or(0), cursor.u32().unwrap_or(0));
        let frame_max = if frame_max == 0 {
            FRAME_MAX
        } else {
            frame_max.min(FRAME_MAX)
        };
        self.frame_max = frame_max as usize;
        let tune_ok = Method::new(10, 31).u16(channel_max).u32(frame_max);
        self.send(0, &tune_ok.u16(options.heartbeat));
        self.call(
            0,
            &Method::new(10, 40).short("/").short("").u8(0),
            (10, 41),
            OPEN_LIMIT,
        )?;
        Ok(())
    }

    /// Buffers a method.
    pub(crate) fn send(&mut self, channel: u16, method: &Method) {
        put_frame(&mut self.output, METHOD, channel, method.bytes());
    }

    /// Buffers a publish: the method, the content header and the body in frames.
    pub(crate) fn send_content(&mut self, channel: u16, method: &Method, properties: &[u8], body: &[u8]) {
        self.send(channel, method);
        let header = Method::new(60, 0).u64(body.len() as u64);
        let mut payload = header.bytes().to_vec();
        payload.extend(properties);
        put_frame(&mut self.output, HEADER, channel, &payload);
        for piece in body.chunks(self.frame_max - FRAME_OVERHEAD) {
            put_frame(&mut self.output, BODY, channel, piece);
        }
    }

    /// Bytes that the socket has not taken yet.
    pub(crate) fn unsent(&self) -> usize {
        self.output.len() - self.written
    }

    pub(crate) fn silence_max(&self) -> Duration {
        self.silence_max
    }

    /// Sends a method and waits for its answer, whose arguments it returns.
    pub(crate) fn call(
        &mut self,
        channel: u16,
        method: &Method,
        wanted: (u16, u16),
        limit: Duration,
    ) -> Result<Vec<u8>, Trouble> {
        self.send(channel, method);
        self.answer(channel, wanted, limit)
    }

    fn answer(&mut self, channel: u16, wanted: (u16, u16), limit: Duration) -> Result<Vec<u8>, Trouble> {
        let deadline = Instant::now() + limit;
        loop {
            let found = self
                .replies
                .iter()
                .position(|reply| reply.channel == channel && (reply.class, reply.method) == wanted);
            if let Some(reply) = found.and_then(|at| self.replies.remove(at)) {
                return Ok(reply.arguments);
            }
            if let Some((code, text)) = self.refused.remove(&channel) {
                return Err(Trouble::Refused { code, text });
            }
            if let Some(trouble) = &self.lost {
                return Err(trouble.clone());
            }
            let now = Instant::now();
            if now >= deadline {
                return Err(Trouble::Late(format!("method {}.{}", wanted.0, wanted.1)));
            }
            self.pump(deadline - now);
        }
    }

    /// The next event; `None` when none comes within `limit`. What came before the connection was lost is
    /// handed out before the loss.
    pub(crate) fn next(&mut self, limit: Duration) -> Result<Option<Event>, Trouble> {
        if let Some(event) = self.events.pop_front() {
            return Ok(Some(event));
        }
        if let Some(trouble) = &self.lost {
            return Err(trouble.clone());
        }
        let refused = self.refused.iter().next();
        if let Some((code, text)) = refused.map(|(_, refusal)| refusal.clone()) {
            return Err(Trouble::Refused { code, text });
        }
        self.pump(limit);
        Ok(self.events.pop_front())
    }

    /// Writes and reads what the socket takes and has; when that is nothing, waits once.
    fn pump(&mut self, limit: Duration) {
        if self.exchange() || self.lost.is_some() {
            return;
        }
        let limit = self.until_heartbeat(limit);
        let mut wanted = PollFlags::IN;
        if self.unsent() > 0 {
            wanted |= PollFlags::OUT;
        }
        let timeout = Timespec {
            tv_sec: limit.as_secs() as i64,
            tv_nsec: i64::from(limit.subsec_nanos()),
        };
        // An interrupted wait is a short one.
        let _ = poll(&mut [PollFd::new(&self.stream, wanted)], Some(&timeout));
        self.exchange();
    }

    fn until_heartbeat(&mut self, limit: Duration) -> Duration {
        if self.heartbeat.is_zero() {
            return limit;
        }
        let pause = self.heartbeat / 2;
        let idle = self.last_output.elapsed();
        if idle < pause {
            return limit.min(pause - idle);
        }
        // Behind bytes that the socket does not take, another heartbeat would be no sign of life.
        if self.unsent() == 0 {
            put_frame(&mut self.output, HEARTBEAT, 0, &[]);
        }
        limit.min(pause)
    }

    /// Whether anything moved.
    fn exchange(&mut self) -> bool {
        let wrote = self.write();
        let read = self.read();
        wrote || read
    }

    fn write(&mut self) -> bool {
        let mut moved = false;
        while self.lost.is_none() && self.unsent() > 0 {
            let unsent = self.output.get(self.written..).unwrap_or_default();
            match self.stream.write(unsent) {
                Ok(length) => {
                    self.written += length;
                    self.last_output = Instant::now();
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // What the broker said before it went is read first; reading finds the end too.
                Err(_) => break,
            }
        }
        if self.unsent() == 0 {
            self.output.clear();
            self.written = 0;
        }
        moved
    }

    fn read(&mut self) -> bool {
        let before = self.input.len();
        match self.stream.read(&mut self.piece) {
            Ok(0) => self.lose(None, "the broker hung up"),
            Ok(length) => {
                self.silence_max = self.silence_max.max(self.last_input.elapsed());
                self.last_input = Instant::now();
                self.input.extend(self.piece.get(..length).unwrap_or_default());
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return false;
            }
            Err(error) => self.lose(None, &error.to_string()),
        }
        if self.input.len() > before {
            self.parse();
        }
        true
    }

    fn lose(&mut self, code: Option<u16>, text: &str) {
        if self.lost.is_none() {
            let text = text.to_owned();
            self.lost = Some(Trouble::Lost { code, text });
        }
    }

    fn parse(&mut self) {
        let input = std::mem::take(&mut self.input);
        let mut at = 0;
        while let Some(rest) = input.get(at..) {
            match frame(rest) {
                Ok(Some((kind, channel, payload, length))) => {
                    at += length;
                    if self.take_frame(kind, channel, payload).is_none() {
                        self.lose(None, &format!("a frame of kind {kind} makes no sense"));
                    }
                }
                Ok(None) => break,
                Err(reason) => {
                    self.lose(None, &reason);
                    break;
                }
            }
        }
        self.input = input.get(at..).unwrap_or_default().to_vec();
    }

    fn take_frame(&mut self, kind: u8, channel: u16, payload: &[u8]) -> Option<()> {
        match kind {
            METHOD => {
                let mut cursor = Cursor::new(payload);
                let (class, method) = (cursor.u16()?, cursor.u16()?);
                self.take_method(channel, class, method, cursor.rest())
            }
            HEADER => {
                let mut cursor = Cursor::new(payload);
                cursor.u32()?;
                let size = usize::try_from(cursor.u64()?).ok()?;
                let partial = self.partial.get_mut(&channel)?;
                partial.content.properties = cursor.rest().to_vec();
                partial.size = Some(size);
                self.complete(channel)
            }
            BODY => {
                self.partial.get_mut(&channel)?.content.body.extend(payload);
                self.complete(channel)
            }
            HEARTBEAT => Some(()),
            _ => None,
        }
    }

    /// Makes an event of a message whose last byte has come.
    fn complete(&mut self, channel: u16) -> Option<()> {
        let partial = self.partial.get(&channel)?;
        if partial.content.body.len() < partial.size? {
            return Some(());
        }
        let Partial {
            content, returned, ..
        } = self.partial.remove(&channel)?;
        self.events.push_back(match returned {
            true => Event::Returned(content),
            false => Event::Delivered(content),
        });
        Some(())
    }

    fn take_method(&mut self, channel: u16, class: u16, method: u16, arguments: &[u8]) -> Option<()> {
        let mut cursor = Cursor::new(arguments);
        match (class, method) {
            (10, 50) => {
                let (code, text) = (cursor.u16()?, cursor.short()?);
                self.send(0, &Method::new(10, 51));
                self.write();
                self.lose(Some(code), &text);
            }
            (10, 60) => self.events.push_back(Event::Blocked),
            (10, 61) => self.events.push_back(Event::Unblocked),
            (20, 40) => {
                let refusal = (cursor.u16()?, cursor.short()?);
                self.send(channel, &Method::new(20, 41));
                self.refused.insert(channel, refusal);
            }
            (60, 30) => self.events.push_back(Event::Cancelled),
            (60, 50 | 60) => self.begin(channel, method == 50, cursor)?,
            (60, 80) => self.events.push_back(Event::Ack {
                tag: cursor.u64()?,
                multiple: cursor.u8()? & 1 != 0,
            }),
            (60, 120) => self.events.push_back(Event::Nack {
                tag: cursor.u64()?,
                multiple: cursor.u8()? & 1 != 0,
            }),
            _ => self.replies.push_back(Reply {
                channel,
                class,
                method,
                arguments: arguments.to_vec(),
            }),
        }
        Some(())
    }

    /// A basic.return or basic.deliver: the message follows.
    fn begin(&mut self, channel: u16, returned: bool, mut cursor: Cursor<'_>) -> Option<()> {
        let mut content = Content::default();
        if returned {
            cursor.u16()?;
            cursor.short()?;
        } else {
            content.consumer = cursor.short()?;
            content.tag = cursor.u64()?;
            content.redelivered = cursor.u8()? & 1 != 0;
        }
        content.exchange = cursor.short()?;
        content.key = cursor.short()?;
        let partial = Partial {
            content,
            returned,
            size: None,
        };
        self.partial.insert(channel, partial);
        Some(())
    }
}
