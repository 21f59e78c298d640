//! A connection: one socket, its buffers, and the turn that moves octets between them.
//!
//! Whoever holds it calls [`Connection::turn`] again and again: it writes what is to be written, waits until
//! something came or went, and answers; [`Connection::receive`] then tells what came. There is no task behind
//! it, so heartbeats are sent only while somebody turns.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use warren_protocol::amqp091::frame::{self, OVERHEAD};
use warren_protocol::amqp091::method::{Method, channel, connection};

use super::decode::{Decoder, Event};
use super::error::Reach;
use super::heartbeat::{Beat, Heartbeat};
use super::input::Input;
use super::{Error, Uri, handshake};

/// How long an answer is waited for: a replicated queue may take its time.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// The frame size in force before one is agreed on. RabbitMQ's connection.start has half a KiB.
const FRAME_MAX_BEFORE: u32 = 64 * 1024;

/// A connection to a broker.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    input: Input,
    decoder: Decoder,
    output: Vec<u8>,
    /// Octets of `output` that were written.
    sent: usize,
    frame_max: u32,
    channel_max: u16,
    heartbeat: Heartbeat,
    is_blocked: bool,
}

impl Connection {
    /// Connects and logs in. `name` is what the broker shows of it.
    ///
    /// # Errors
    /// [`Error::Resolve`], [`Error::Connect`], [`Error::LoginClosed`], [`Error::Refused`],
    /// [`Error::Mechanism`], [`Error::Version`], [`Error::TimedOut`]; and whatever breaks on the way.
    pub async fn open(uri: &Uri, name: &str) -> Result<Self, Error> {
        let mut connection = Self {
            stream: connect(uri).await?,
            input: Input::default(),
            decoder: Decoder::default(),
            output: Vec::new(),
            sent: 0,
            frame_max: FRAME_MAX_BEFORE,
            channel_max: 0,
            heartbeat: Heartbeat::new(0),
            is_blocked: false,
        };
        handshake::log_in(&mut connection, uri, name).await?;
        Ok(connection)
    }

    /// Takes what was agreed on.
    pub(crate) fn tune(&mut self, frame_max: u32, channel_max: u16, heartbeat: Heartbeat) {
        self.frame_max = frame_max;
        self.channel_max = channel_max;
        self.heartbeat = heartbeat;
    }

    /// The highest channel number that the broker allows.
    pub fn channel_max(&self) -> u16 {
        self.channel_max
    }

    /// The most octets of a body that fit one frame.
    pub fn body_frame_bytes(&self) -> usize {
        usize::try_from(self.frame_max)
            .unwrap_or(usize::MAX)
            .saturating_sub(OVERHEAD)
    }

    /// Whether the broker asked for no more publishes.
    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Where octets are put that the next turns write, before their bulk.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Puts a method there.
    pub fn send<'m>(&mut self, channel: u16, method: impl Into<Method<'m>>) {
        method.into().encode(channel, &mut self.output);
    }

    /// Writes the output, then what it can of `bulk`, and reads; waits until any of this came on. Answers
    /// how many octets of the bulk were written.
    ///
    /// Dropping the future loses nothing. While a bulk is partly written nothing may be put into the output,
    /// which would tear its frames.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Closed`], [`Error::Silent`].
    pub async fn turn(&mut self, bulk: &[u8]) -> Result<usize, Error> {
        poll_fn(|cx| self.poll_turn(cx, bulk)).await
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>, bulk: &[u8]) -> Poll<Result<usize, Error>> {
        match self.heartbeat.poll(cx) {
            Beat::Rest => {}
            // In the middle of a bulk a frame of ours would be torn apart; and bulk is a sign of life.
            Beat::Send if bulk.is_empty() => frame::heartbeat(&mut self.output),
            Beat::Send => {}
            Beat::Gone(silent) => return Poll::Ready(Err(Error::Silent(silent))),
        }
        let mut has_moved = false;
        while let Some(rest) = self.output.get(self.sent..).filter(|rest| !rest.is_empty()) {
            let Poll::Ready(count) = Pin::new(&mut self.stream).poll_write(cx, rest)? else {
                break;
            };
            has_moved = true;
            self.sent += count;
        }
        let mut written = 0;
        if self.sent == self.output.len() {
            self.output.clear();
            self.sent = 0;
            if !bulk.is_empty()
                && let Poll::Ready(count) = Pin::new(&mut self.stream).poll_write(cx, bulk)?
            {
                written = count;
            }
        }
        has_moved |= written > 0;
        self.heartbeat.has_written |= has_moved;
        let has_read = self.poll_read(cx)?;
        match has_moved || has_read {
            true => Poll::Ready(Ok(written)),
            false => Poll::Pending,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let mut room = ReadBuf::new(self.input.room());
        let Poll::Ready(()) = Pin::new(&mut self.stream).poll_read(cx, &mut room)? else {
            return Ok(false);
        };
        let count = room.filled().len();
        if count == 0 {
            return Err(Error::Closed);
        }
        self.input.filled(count);
        self.heartbeat.has_read = true;
        Ok(true)
    }

    /// Tells all that came since, but for what concerns the connection alone.
    ///
    /// # Errors
    /// [`Error::Refused`] when the broker closes the connection or a channel of it, after telling what came
    /// before; [`Error::Frame`], [`Error::Method`], [`Error::Content`].
    pub fn receive(&mut self, mut each: impl FnMut(Event<'_>)) -> Result<(), Error> {
        let mut refused = None;
        let (is_blocked, output) = (&mut self.is_blocked, &mut self.output);
        let mut sort = |event: Event<'_>| match event {
            Event::Method {
                channel: number,
                ref method,
            } => match method {
                Method::ConnectionClose(close) => {
                    connection::CloseOk.encode(number, output);
                    refused = Some(refusal(Reach::Connection, close));
                }
                Method::ChannelClose(close) => {
                    channel::CloseOk.encode(number, output);
                    let close = connection::Close {
                        code: close.code,
                        text: close.text,
                        class: close.class,
                        method: close.method,
                    };
                    refused.get_or_insert_with(|| refusal(Reach::Channel(number), &close));
                }
                Method::ConnectionBlocked(_) => *is_blocked = true,
                Method::ConnectionUnblocked(_) => *is_blocked = false,
                _ => each(event),
            },
            _ => each(event),
        };
        let used = self
            .decoder
            .decode(self.input.unread(), self.frame_max, &mut sort)?;
        self.input.consume(used);
        match refused {
            None => Ok(()),
            Some(refused) => {
                // The answer leaves if it can; whoever closed waits for no more.
                let rest = self.output.get(self.sent..).unwrap_or_default();
                self.sent += self.stream.try_write(rest).unwrap_or(0);
                Err(refused)
            }
        }
    }

    /// Says a method and waits for its answer, which `pick` recognises and takes from. Nothing else may come
    /// meanwhile.
    ///
    /// # Errors
    /// [`Error::Unexpected`], [`Error::TimedOut`], and those of turns and of receiving.
    pub async fn call<'m, T>(
        &mut self,
        channel: u16,
        method: impl Into<Method<'m>>,
        expected: &'static str,
        pick: impl FnMut(&Method<'_>) -> Option<T>,
    ) -> Result<T, Error> {
        self.send(channel, method);
        self.hear(expected, pick).await
    }

    /// Waits for the answers to methods that were sent one behind the other.
    ///
    /// # Errors
    /// Those of [`Connection::call`].
    pub async fn hear_all<T>(
        &mut self,
        count: usize,
        expected: &'static str,
        mut pick: impl FnMut(&Method<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let mut answers = Vec::with_capacity(count);
        let wait = async {
            let mut other = None;
            while answers.len() < count {
                self.turn(&[]).await?;
                self.receive(|event| match &event {
                    Event::Method { method, .. } => match pick(method) {
                        Some(answer) => answers.push(answer),
                        None => other = Some(method.name().to_owned()),
                    },
                    _ => other = Some("a content".to_owned()),
                })?;
                if let Some(heard) = other {
                    return Err(Error::Unexpected { expected, heard });
                }
            }
            Ok(())
        };
        let within = ANSWER_TIME;
        match tokio::time::timeout(within, wait).await {
            Ok(done) => done.map(|()| answers),
            Err(_) => Err(Error::TimedOut { expected, within }),
        }
    }

    pub(crate) async fn hear<T>(
        &mut self,
        expected: &'static str,
        pick: impl FnMut(&Method<'_>) -> Option<T>,
    ) -> Result<T, Error> {
        let mut answers = self.hear_all(1, expected, pick).await?;
        answers.pop().ok_or(Error::Closed)
    }

    /// Opens a channel.
    ///
    /// # Errors
    /// Those of [`Connection::call`].
    pub async fn open_channel(&mut self, number: u16) -> Result<(), Error> {
        self.call(number, channel::Open::default(), "channel.open-ok", |method| {
            matches!(method, Method::ChannelOpenOk(_)).then_some(())
        })
        .await
    }

    /// Closes the connection and waits until the broker agrees, which it does after everything that was
    /// sent before. What else comes until then is dropped.
    ///
    /// # Errors
    /// Those of [`Connection::call`].
    pub async fn close(mut self) -> Result<(), Error> {
        let close = connection::Close {
            code: 200,
            text: "Goodbye",
            class: 0,
            method: 0,
        };
        self.send(0, close);
        let (expected, within) = ("connection.close-ok", ANSWER_TIME);
        let wait = async {
            let mut is_closed = false;
            while !is_closed {
                self.turn(&[]).await?;
                self.receive(|event| {
                    let ok = matches!(
                        &event,
                        Event::Method {
                            method: Method::ConnectionCloseOk(_),
                            ..
                        }
                    );
                    is_closed |= ok;
                })?;
            }
            Ok(())
        };
        match tokio::time::timeout(within, wait).await {
            Ok(done) => done,
            Err(_) => Err(Error::TimedOut { expected, within }),
        }
    }
}

fn refusal(reach: Reach, close: &connection::Close<'_>) -> Error {
    Error::Refused {
        reach,
        code: close.code,
        text: close.text.to_owned(),
        method: (close.class, close.method),
    }
}

/// The first of the host's addresses that answers.
async fn connect(uri: &Uri) -> Result<TcpStream, Error> {
    let found = tokio::net::lookup_host((uri.host.as_str(), uri.port)).await;
    let addresses = found.map_err(|source| Error::Resolve {
        host: uri.host.clone(),
        source,
    })?;
    let mut failed = std::io::ErrorKind::NotFound.into();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(Error::Connect {
        address: uri.address(),
        source: failed,
    })
}
