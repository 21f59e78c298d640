//! `basic.qos`, `basic.consume`, `basic.cancel`, `basic.get`.

use super::Connection;
use super::channel::{self, Channel, Consumer, Source, Unacked};
use super::declare::client;
use super::deliver;
use super::names;
use super::refusal::{self, Failure};
use super::shared::{Pending, Shared};
use crate::convert;
use std::sync::Arc;
use std::time::Instant;
use warren_broker::name::{ConsumerTag, QueueName};
use warren_broker::value::Value;
use warren_node::{Address, Consume, Got, REPLY_TO};
use warren_protocol::amqp091::method::basic;

type Outcome = Result<(), Failure>;

impl Channel {
    pub(super) fn qos(&mut self, shared: &mut Shared, m: &basic::Qos) -> Outcome {
        if m.prefetch_size != 0 {
            let text = format!("prefetch_size!=0 ({})", m.prefetch_size);
            return Err(Failure::connection(refusal::NOT_IMPLEMENTED, text));
        }
        let limit = match m.global {
            true => self.shared_credit.limit(),
            false => self.prefetch.into(),
        };
        if limit == u32::from(m.prefetch_count) {
            // Nothing changes by it: whoever says so means that it is still at work.
            self.renew();
        }
        if m.global {
            let resumable = self.shared_credit.set_limit(m.prefetch_count.into());
            shared.resumable.extend(resumable);
            shared.flush();
        } else {
            self.prefetch = m.prefetch_count;
        }
        self.send(shared, basic::QosOk);
        Ok(())
    }

    pub(super) fn consume(&mut self, shared: &mut Shared, m: &basic::Consume<'_>) -> Outcome {
        let tag = match m.consumer_tag {
            "" => names::consumer_tag()?,
            given => names::tag(given)?,
        };
        if self.numbers.contains_key(&tag) {
            let text = format!("attempt to reuse consumer tag '{tag}'");
            return Err(Failure::connection(refusal::NOT_ALLOWED, text));
        }
        if let Some(max) = shared.settings.consumers_per_channel_max
            && self.consumers.len() >= max
        {
            let text = format!("reached maximum ({max}) of consumers per channel");
            return Err(Failure::connection(refusal::NOT_ALLOWED, text));
        }
        let address = Address {
            channel: self.number,
            consumer: shared.next_consumer(),
        };
        let source = if m.queue == REPLY_TO {
            self.consume_replies(shared, m, address)?
        } else {
            self.consume_queue(shared, m, address)?
        };
        let consumer = Consumer {
            tag: tag.clone(),
            no_ack: m.no_ack,
            source: source.clone(),
        };
        self.consumers.insert(address.consumer, consumer);
        self.numbers.insert(tag.clone(), address.consumer);
        if !m.nowait {
            self.send(
                shared,
                basic::ConsumeOk {
                    consumer_tag: tag.as_str(),
                },
            );
        }
        match source {
            Source::Queue(queue, _) => queue.serve(&mut shared.touched),
            Source::Browser(browser) => {
                if let Some(client) = &shared.client {
                    client.browse_on(&browser, &mut shared.touched);
                }
            }
            Source::Replies(_) => {}
        }
        Ok(())
    }

    fn consume_queue(
        &self,
        shared: &mut Shared,
        m: &basic::Consume<'_>,
        address: Address,
    ) -> Result<Source, Failure> {
        let queue = self.exact_queue_name(m.queue)?;
        let arguments = convert::table(m.arguments);
        // One that says so in a way that is not understood is refused as a browser: as a consumer it would
        // take what it meant to leave.
        if !matches!(arguments.get("x-browse"), None | Some(Value::Bool(false))) {
            let browser = client(shared)?.browse(&queue, &arguments, address)?;
            return Ok(Source::Browser(browser));
        }
        let asked = Consume {
            queue,
            no_ack: m.no_ack,
            exclusive: m.exclusive,
            prefetch: self.prefetch.into(),
            shared: Arc::clone(&self.shared_credit),
            arguments,
            address,
        };
        let consumed = client(shared)?.consume(asked)?;
        Ok(Source::Queue(consumed.queue, consumed.key))
    }

    fn consume_replies(
        &self,
        shared: &mut Shared,
        m: &basic::Consume<'_>,
        address: Address,
    ) -> Result<Source, Failure> {
        let refused = |text: &str| Err(Failure::channel(refusal::PRECONDITION_FAILED, text));
        if self
            .consumers
            .values()
            .any(|other| matches!(other.source, Source::Replies(_)))
        {
            return refused("reply consumer already set");
        }
        if !m.no_ack {
            return refused("reply consumer cannot acknowledge");
        }
        let replies = client(shared)?.consume_replies(address);
        let failed = || Failure::connection(refusal::INTERNAL_ERROR, "the system gave no random bytes");
        replies.map(Source::Replies).ok_or_else(failed)
    }

    pub(super) fn get(&mut self, shared: &mut Shared, m: &basic::Get<'_>) -> Outcome {
        let name = self.exact_queue_name(m.queue)?;
        self.get_from(shared, name, m.no_ack)
    }

    /// Gets a message; later, when it has to be read first.
    fn get_from(&mut self, shared: &mut Shared, name: QueueName, no_ack: bool) -> Outcome {
        let (queue, taken) = match client(shared)?.take(&name, no_ack)? {
            (queue, Got::Message(taken)) => (queue, taken),
            (_, Got::Empty) => {
                self.send(shared, basic::GetEmpty { cluster_id: "" });
                return Ok(());
            }
            (_, Got::Later) => {
                shared.pending = Some(Pending::Get {
                    channel: self.number,
                    queue: name,
                    no_ack,
                });
                return Ok(());
            }
        };
        let tag = self.next_tag();
        if !no_ack {
            let unacked = Unacked {
                queue,
                ticket: taken.delivery.ticket,
                counted: false,
            };
            self.unacked.insert(tag, unacked);
        }
        let (number, frame_max) = (self.number, shared.tuned.frame_max);
        self.write(shared, |out| {
            deliver::write_get_ok(out, &taken, tag, frame_max, number)
        });
        Ok(())
    }

    /// Forgets a consumer, if there is one.
    pub(super) fn remove_consumer(&mut self, tag: &ConsumerTag) {
        if let Some(number) = self.numbers.remove(tag) {
            self.consumers.remove(&number);
        }
    }
}

impl Connection {
    /// Messages were read: the getter that waits asks again.
    pub(super) fn get_again(&mut self, now: Instant) {
        let Some(Pending::Get {
            channel: number,
            queue,
            no_ack,
        }) = self
            .shared
            .pending
            .take_if(|pending| matches!(pending, Pending::Get { .. }))
        else {
            return;
        };
        let Some(channel) = self.channels.get_mut(&number) else {
            return;
        };
        if let Err(failure) = channel.get_from(&mut self.shared, queue, no_ack) {
            let at = (basic::Get::CLASS, basic::Get::METHOD);
            self.fail(failure.at(at.0, at.1), number, now);
        }
    }

    /// The client cancels a consumer. What is on its way to the consumer goes out first.
    pub(super) fn cancel(&mut self, number: u16, m: &basic::Cancel<'_>) -> Outcome {
        let tag = names::tag(m.consumer_tag)?;
        if let Some(channel) = self.channels.get_mut(&number)
            && let Some(&consumer) = channel.numbers.get(&tag)
            && let Some(found) = channel.consumers.get(&consumer)
        {
            channel::stop(&found.source, &mut self.shared);
            self.write_deliveries_to(Address {
                channel: number,
                consumer,
            });
        }
        if let Some(channel) = self.channels.get_mut(&number) {
            channel.remove_consumer(&tag);
            if !m.nowait {
                channel.send(
                    &mut self.shared,
                    basic::CancelOk {
                        consumer_tag: m.consumer_tag,
                    },
                );
            }
        }
        Ok(())
    }

    /// The broker cancelled a consumer: its queue is gone.
    pub(super) fn consumer_cancelled(&mut self, address: Address) {
        self.write_deliveries_to(address);
        let Some(channel) = self.channels.get_mut(&address.channel) else {
            return;
        };
        let Some(tag) = channel
            .consumers
            .get(&address.consumer)
            .map(|found| found.tag.clone())
        else {
            return;
        };
        channel.remove_consumer(&tag);
        if self.shared.capabilities.consumer_cancel_notify {
            let consumer_tag = tag.as_str();
            channel.send(
                &mut self.shared,
                basic::Cancel {
                    consumer_tag,
                    nowait: true,
                },
            );
        }
    }
}
