//! The methods that the harness uses.

use std::time::Duration;

use super::wire::{Cursor, Fields, Method};
use super::{CHANNEL, Connection, Trouble};

/// How long a call may take. A broker that closes its log or waits for a slow disk may be late, not silent.
const CALL_LIMIT: Duration = Duration::from_secs(60);

/// What a queue is declared as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum QueueKind {
    Durable,
    Transient,
    DurableExclusive,
}

impl QueueKind {
    fn bits(self) -> u8 {
        match self {
            QueueKind::Durable => 0b0010,
            QueueKind::Transient => 0,
            QueueKind::DurableExclusive => 0b0110,
        }
    }
}

const PASSIVE: u8 = 1;

impl Connection {
    pub(crate) fn open_channel(&mut self, channel: u16) -> Result<(), Trouble> {
        self.call(channel, &Method::new(20, 10).short(""), (20, 11), CALL_LIMIT)?;
        Ok(())
    }

    pub(crate) fn confirm_select(&mut self) -> Result<(), Trouble> {
        self.call(CHANNEL, &Method::new(85, 10).u8(0), (85, 11), CALL_LIMIT)?;
        Ok(())
    }

    pub(crate) fn declare_queue(&mut self, name: &str, kind: QueueKind) -> Result<(), Trouble> {
        self.declare(CHANNEL, name, kind.bits(), &Fields::default())?;
        Ok(())
    }

    /// A durable queue that does something by itself.
    pub(crate) fn declare_special(&mut self, name: &str, arguments: &Fields) -> Result<(), Trouble> {
        self.declare(CHANNEL, name, QueueKind::Durable.bits(), arguments)?;
        Ok(())
    }

    /// How many messages are ready in a queue.
    pub(crate) fn count(&mut self, channel: u16, name: &str) -> Result<u32, Trouble> {
        self.declare(channel, name, PASSIVE, &Fields::default())
    }

    fn declare(&mut self, channel: u16, name: &str, bits: u8, arguments: &Fields) -> Result<u32, Trouble> {
        let method = Method::new(50, 10).u16(0).short(name).u8(bits);
        let method = method.long(arguments.bytes());
        let arguments = self.call(channel, &method, (50, 11), CALL_LIMIT)?;
        let mut cursor = Cursor::new(&arguments);
        cursor.short();
        Ok(cursor.u32().unwrap_or(0))
    }

    pub(crate) fn delete_queue(&mut self, name: &str) -> Result<(), Trouble> {
        let method = Method::new(50, 40).u16(0).short(name).u8(0);
        self.call(CHANNEL, &method, (50, 41), CALL_LIMIT)?;
        Ok(())
    }

    pub(crate) fn declare_exchange(&mut self, name: &str, kind: &str, durable: bool) -> Result<(), Trouble> {
        let bits = u8::from(durable) << 1;
        let method = Method::new(40, 10).u16(0).short(name).short(kind).u8(bits);
        self.call(CHANNEL, &method.long(&[]), (40, 11), CALL_LIMIT)?;
        Ok(())
    }

    /// A durable exchange that does something by itself.
    pub(crate) fn declare_special_exchange(
        &mut self,
        name: &str,
        kind: &str,
        arguments: &Fields,
    ) -> Result<(), Trouble> {
        let method = Method::new(40, 10).u16(0).short(name).short(kind).u8(1 << 1);
        self.call(CHANNEL, &method.long(arguments.bytes()), (40, 11), CALL_LIMIT)?;
        Ok(())
    }

    /// Whether an exchange is there.
    pub(crate) fn has_exchange(&mut self, channel: u16, name: &str) -> Result<(), Trouble> {
        let method = Method::new(40, 10).u16(0).short(name).short("").u8(PASSIVE);
        self.call(channel, &method.long(&[]), (40, 11), CALL_LIMIT)?;
        Ok(())
    }

    pub(crate) fn delete_exchange(&mut self, name: &str) -> Result<(), Trouble> {
        let method = Method::new(40, 20).u16(0).short(name).u8(0);
        self.call(CHANNEL, &method, (40, 21), CALL_LIMIT)?;
        Ok(())
    }

    pub(crate) fn bind(&mut self, queue: &str, exchange: &str, key: &str) -> Result<(), Trouble> {
        let method = Method::new(50, 20).u16(0).short(queue).short(exchange).short(key);
        self.call(CHANNEL, &method.u8(0).long(&[]), (50, 21), CALL_LIMIT)?;
        Ok(())
    }

    pub(crate) fn unbind(&mut self, queue: &str, exchange: &str, key: &str) -> Result<(), Trouble> {
        let method = Method::new(50, 50).u16(0).short(queue).short(exchange).short(key);
        self.call(CHANNEL, &method.long(&[]), (50, 51), CALL_LIMIT)?;
        Ok(())
    }

    /// Sets the prefetch. Its answer proves that the broker has seen everything sent before on the channel.
    pub(crate) fn qos(&mut self, prefetch: u16) -> Result<(), Trouble> {
        let method = Method::new(60, 10).u32(0).u16(prefetch).u8(0);
        self.call(CHANNEL, &method, (60, 11), CALL_LIMIT)?;
        Ok(())
    }

    /// Consumes with the queue's name as the consumer tag, so that deliveries say where they come from.
    pub(crate) fn consume(&mut self, queue: &str) -> Result<(), Trouble> {
        let method = Method::new(60, 20).u16(0).short(queue).short(queue).u8(0);
        self.call(CHANNEL, &method.long(&[]), (60, 21), CALL_LIMIT)?;
        Ok(())
    }

    pub(crate) fn cancel(&mut self, queue: &str) -> Result<(), Trouble> {
        let method = Method::new(60, 30).short(queue).u8(0);
        self.call(CHANNEL, &method, (60, 31), CALL_LIMIT)?;
        Ok(())
    }

    pub(crate) fn ack(&mut self, tag: u64, multiple: bool) {
        self.send(CHANNEL, &Method::new(60, 80).u64(tag).u8(u8::from(multiple)));
    }

    pub(crate) fn reject(&mut self, tag: u64) {
        self.send(CHANNEL, &Method::new(60, 90).u64(tag).u8(1));
    }

    /// Rejects for good.
    pub(crate) fn discard(&mut self, tag: u64) {
        self.send(CHANNEL, &Method::new(60, 90).u64(tag).u8(0));
    }

    pub(crate) fn tx_select(&mut self) -> Result<(), Trouble> {
        self.call(CHANNEL, &Method::new(90, 10), (90, 11), CALL_LIMIT)?;
        Ok(())
    }

    pub(crate) fn tx_commit(&mut self) -> Result<(), Trouble> {
        self.call(CHANNEL, &Method::new(90, 20), (90, 21), CALL_LIMIT)?;
        Ok(())
    }

    /// Publishes with the mandatory flag, so that what no queue takes comes back.
    pub(crate) fn publish(&mut self, exchange: &str, key: &str, properties: &[u8], body: &[u8]) {
        let method = Method::new(60, 40).u16(0).short(exchange).short(key).u8(1);
        self.send_content(CHANNEL, &method, properties, body);
    }

    /// Says goodbye and waits a moment for the answer.
    pub(crate) fn close(mut self) {
        let method = Method::new(10, 50).u16(200).short("").u16(0).u16(0);
        // What comes now changes nothing.
        let _ = self.call(0, &method, (10, 51), Duration::from_secs(5));
    }
}
