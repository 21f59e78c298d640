//! Which frame and which method goes where.

use super::channel::Channel;
use super::publish::{self, Whole};
use super::refusal::{self, Failure};
use super::shared::Pending;
use super::{Connection, Phase, is_gathered};
use std::time::Instant;
use warren_node::Client;
use warren_protocol::amqp091::cursor;
use warren_protocol::amqp091::frame::{Frame, Kind};
use warren_protocol::amqp091::method::{self, Method, access, basic, channel, connection};

impl Connection {
    pub(super) fn take_frame(&mut self, frame: &Frame<'_>, now: Instant) {
        if self.is_ending() {
            return self.take_frame_closing(frame, now);
        }
        let taken = match frame.known_kind() {
            None => Err(refusal::unknown_frame(frame.kind, frame.payload)),
            Some(Kind::Heartbeat) if !frame.payload.is_empty() => {
                Err(refusal::unknown_frame(frame.kind, frame.payload))
            }
            Some(Kind::Heartbeat) if frame.channel == 0 => Ok(()),
            Some(Kind::Method) if frame.channel == 0 => self.connection_method(frame.payload, now),
            Some(kind) if frame.channel != 0 && kind != Kind::Heartbeat && self.phase == Phase::Running => {
                self.channel_frame(kind, frame)
            }
            Some(_) => Err(refusal::unexpected_frame(frame.kind, frame.payload)),
        };
        if let Err(failure) = taken {
            self.fail_frame(failure, frame.channel, now);
        }
    }

    /// Takes the publish at the head of `bytes`, if there is one and all of it. Answers its octets.
    pub(super) fn take_publish(&mut self, bytes: &[u8], now: Instant) -> Option<usize> {
        if self.phase != Phase::Running {
            return None;
        }
        let whole = Whole::find(bytes, self.shared.tuned.frame_max)?;
        let channel = self.channels.get_mut(&whole.channel)?;
        match channel.publish_whole(&mut self.shared, &whole) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(failure) => self.fail_frame(failure, whole.channel, now),
        }
        Some(whole.octets)
    }

    /// Ends what a bad frame ends. Who has not logged in is told nothing.
    pub(super) fn fail_frame(&mut self, failure: Failure, number: u16, now: Instant) {
        let failure = match self.phase {
            Phase::Start | Phase::Tune => Failure::socket(failure.text),
            _ => failure,
        };
        self.fail(failure, number, now);
    }

    /// The server closed: nothing counts but close and close-ok.
    fn take_frame_closing(&mut self, frame: &Frame<'_>, now: Instant) {
        if frame.kind != Kind::Method.octet() || frame.channel != 0 {
            return;
        }
        match Method::decode(frame.payload) {
            Ok(Method::ConnectionCloseOk(_)) => self.phase = Phase::Broken,
            Ok(Method::ConnectionClose(_)) if matches!(self.phase, Phase::Closing { .. }) => {
                self.shared.send(connection::CloseOk);
                self.phase = Phase::Finished { since: now };
            }
            _ => {}
        }
    }

    fn connection_method(&mut self, payload: &[u8], now: Instant) -> Result<(), Failure> {
        let method = decode(payload)?;
        self.flush();
        match (&method, self.phase) {
            (Method::ConnectionStartOk(m), Phase::Start) => self.start_ok(m, now),
            (Method::ConnectionTuneOk(m), Phase::Tune) => self.tune_ok(m, now),
            (Method::ConnectionOpen(m), Phase::Open) => self.open(m, now),
            (Method::ConnectionClose(m), Phase::Running) => self.client_closes(m.code, m.text, now),
            (Method::ConnectionUpdateSecret(_), Phase::Running) => {
                // Passwords do not expire; who has one that does gets another in time.
                self.shared.send(connection::UpdateSecretOk);
            }
            (_, Phase::Running | Phase::Open) => {
                let state = if self.phase == Phase::Open {
                    "opening"
                } else {
                    "running"
                };
                let text = format!("unexpected method in connection state {state}");
                let failure = Failure::connection(refusal::CHANNEL_ERROR, text);
                return Err(failure.at(method.class_id(), method.method_id()));
            }
            _ => {
                return Err(Failure::socket(format!(
                    "unexpected {} during the handshake",
                    method.name()
                )));
            }
        }
        Ok(())
    }

    fn channel_frame(&mut self, kind: Kind, frame: &Frame<'_>) -> Result<(), Failure> {
        let number = frame.channel;
        let Some(channel) = self.channels.get_mut(&number) else {
            return self.frame_without_channel(kind, frame);
        };
        if channel.is_closing {
            return self.frame_of_closing_channel(kind, frame);
        }
        match kind {
            Kind::Header => channel.content_header(&mut self.shared, frame.payload),
            Kind::Body => channel.content_body(&mut self.shared, frame.payload),
            Kind::Method | Kind::Heartbeat => self.channel_method(number, frame.payload),
        }
    }

    fn frame_without_channel(&mut self, kind: Kind, frame: &Frame<'_>) -> Result<(), Failure> {
        if kind != Kind::Method {
            return Err(publish::stray());
        }
        let method = decode(frame.payload)?;
        match method {
            Method::ChannelOpen(_) => {
                let max = usize::from(self.shared.tuned.channel_max);
                let open = self.channels.len();
                if max != 0 && open >= max {
                    let text = format!(
                        "number of channels opened ({open}) has reached the negotiated channel_max ({max})"
                    );
                    return Err(Failure::connection(refusal::NOT_ALLOWED, text).at_none());
                }
                let place = self.shared.client.as_mut().map(Client::open_channel);
                let mut channel = Box::new(Channel::new(frame.channel, place.transpose()?));
                channel.send(&mut self.shared, channel::OpenOk { channel_id: b"" });
                self.channels.insert(frame.channel, channel);
                Ok(())
            }
            _ => {
                let failure = Failure::connection(refusal::CHANNEL_ERROR, "expected 'channel.open'");
                Err(failure.at(method.class_id(), method.method_id()))
            }
        }
    }

    fn frame_of_closing_channel(&mut self, kind: Kind, frame: &Frame<'_>) -> Result<(), Failure> {
        if kind != Kind::Method {
            return Ok(());
        }
        match Method::decode(frame.payload) {
            Ok(Method::ChannelCloseOk(_)) => {
                self.channels.remove(&frame.channel);
            }
            // Both sides close at the same time; close-ok is still to come.
            Ok(Method::ChannelClose(_)) => {
                Method::from(channel::CloseOk).encode(frame.channel, self.shared.output.buffer());
            }
            Ok(Method::ChannelOpen(_)) => {
                let at = (channel::Open::CLASS, channel::Open::METHOD);
                return Err(second_open().at(at.0, at.1));
            }
            _ => {}
        }
        Ok(())
    }

    fn channel_method(&mut self, number: u16, payload: &[u8]) -> Result<(), Failure> {
        let Some(channel) = self.channels.get_mut(&number) else {
            return Ok(());
        };
        if channel.incoming.is_expecting_content() {
            return Err(channel.incoming.missing());
        }
        let method = decode(payload)?;
        if !is_gathered(&method) {
            self.flush();
        }
        let at = (method.class_id(), method.method_id());
        let done = self.call(number, &method);
        done.map_err(|failure| match failure.at {
            None => failure.at(at.0, at.1),
            Some(_) => failure,
        })
    }

    fn call(&mut self, number: u16, method: &Method<'_>) -> Result<(), Failure> {
        let Some(channel) = self.channels.get_mut(&number) else {
            return Ok(());
        };
        let shared = &mut self.shared;
        match method {
            Method::BasicPublish(m) => {
                channel.begin_publish(m);
                Ok(())
            }
            Method::BasicAck(m) => channel.ack(shared, m),
            Method::BasicNack(m) => channel.nack(shared, m),
            Method::BasicReject(m) => channel.reject(shared, m),
            Method::BasicGet(m) => channel.get(shared, m),
            Method::BasicQos(m) => channel.qos(shared, m),
            Method::BasicConsume(m) => channel.consume(shared, m),
            Method::BasicCancel(m) => self.cancel(number, m),
            Method::BasicRecover(m) => {
                channel.recover(shared, m.requeue)?;
                channel.send(shared, basic::RecoverOk);
                Ok(())
            }
            Method::BasicRecoverAsync(m) => channel.recover(shared, m.requeue),
            Method::QueueDeclare(m) => channel.queue_declare(shared, m),
            Method::QueueBind(m) => channel.queue_bind(shared, m),
            Method::QueueUnbind(m) => channel.queue_unbind(shared, m),
            Method::QueuePurge(m) => channel.queue_purge(shared, m),
            Method::QueueDelete(m) => channel.queue_delete(shared, m),
            Method::ExchangeDeclare(m) => channel.exchange_declare(shared, m),
            Method::ExchangeDelete(m) => channel.exchange_delete(shared, m),
            Method::ExchangeBind(m) => channel.exchange_bind(shared, m),
            Method::ExchangeUnbind(m) => channel.exchange_unbind(shared, m),
            Method::ConfirmSelect(m) => channel.confirm_select(shared, m),
            Method::TxSelect(_) => channel.tx_select(shared),
            Method::TxCommit(_) => channel.tx_commit(shared),
            Method::TxRollback(_) => channel.tx_rollback(shared),
            Method::AccessRequest(_) => {
                channel.send(shared, access::RequestOk { ticket: 1 });
                Ok(())
            }
            Method::ChannelFlow(m) if m.active => {
                channel.send(shared, channel::FlowOk { active: true });
                Ok(())
            }
            Method::ChannelFlow(_) => Err(Failure::connection(refusal::NOT_IMPLEMENTED, "active=false")),
            Method::ChannelOpen(_) => Err(second_open()),
            Method::ChannelClose(_) => {
                self.close_channel(number);
                Ok(())
            }
            _ => Err(Failure::connection(
                refusal::COMMAND_INVALID,
                "unimplemented method",
            )),
        }
    }

    pub(super) fn close_channel(&mut self, number: u16) {
        // What the client asked before is answered before.
        if self
            .channels
            .get(&number)
            .is_some_and(|channel| channel.has_parked())
        {
            self.shared.pending = Some(Pending::CloseChannel(number));
            return;
        }
        let Some(mut channel) = self.channels.remove(&number) else {
            return;
        };
        channel.release(&mut self.shared);
        Method::from(channel::CloseOk).encode(number, self.shared.output.buffer());
    }
}

fn second_open() -> Failure {
    Failure::connection(refusal::CHANNEL_ERROR, "second 'channel.open' seen")
}

/// Reads a method; what RabbitMQ cannot read ends the connection.
fn decode(payload: &[u8]) -> Result<Method<'_>, Failure> {
    Method::decode(payload).map_err(|error| match error {
        method::Error::Malformed {
            cause: cursor::Error::InvalidUtf8,
            ..
        } => Failure::connection(refusal::FRAME_ERROR, "Malformed UTF-8 in shortstr").at_none(),
        method::Error::Malformed { class, method, .. } => {
            let arguments = payload.get(4..).unwrap_or_default();
            let text = format!("cannot decode {}", refusal::octets(arguments));
            Failure::connection(refusal::FRAME_ERROR, text).at(class, method)
        }
        method::Error::Short => refusal::unknown_frame(Kind::Method.octet(), payload),
        // RabbitMQ's reader dies of these: the socket closes without a word.
        error @ method::Error::Unknown { .. } => Failure::socket(error.to_string()),
    })
}
