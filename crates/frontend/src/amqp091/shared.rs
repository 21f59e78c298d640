//! What the channels of a connection share: the output, the broker's client, the batch that
//! is being gathered, and who has to be told when it is done.

use super::deliver::OUTPUT_BYTES_MAX;
use super::output::Output;
use super::settings::Settings;
use std::sync::Arc;
use warren_broker::message::AnnotationsWriter;
use warren_node::{
    Address, Batch, Burden, Client, Inbox, Mailbox, Node, Parcel, RouteCache, Starved, Touched, Worked,
};
use warren_protocol::amqp091::method::{Method, connection};

use warren_broker::name::QueueName;

/// What client and server agreed on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tuned {
    /// Largest frame, in octets, that the server sends, its own eight included.
    pub(super) frame_max: u32,
    /// Channels that may be open at a time; 0: as many as there are numbers.
    pub(super) channel_max: u16,
    /// Seconds; 0: none.
    pub(super) heartbeat_s: u16,
}

/// What the client says it can do.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Capabilities {
    pub(super) consumer_cancel_notify: bool,
    pub(super) connection_blocked: bool,
    pub(super) authentication_failure_close: bool,
}

/// The wall clock, asked of the node once in a turn and only if somebody needs it.
#[derive(Debug, Default)]
pub(super) struct TurnClock(Option<u64>);

impl TurnClock {
    /// Another turn begins.
    pub(super) fn turn(&mut self) {
        self.0 = None;
    }

    /// The time of this turn, in milliseconds since 1970.
    #[inline]
    pub(super) fn now_ms(&mut self, node: &Node) -> u64 {
        *self.0.get_or_insert_with(|| node.now_ms())
    }
}

/// A method that waits for the disk.
#[derive(Debug, Clone)]
pub(super) enum Pending {
    /// A `basic.get` whose message is being read.
    Get {
        channel: u16,
        queue: QueueName,
        no_ack: bool,
    },
    /// A `channel.close` behind answers that wait for the log.
    CloseChannel(u16),
    /// A `connection.close` behind such answers, with its code and text.
    CloseConnection(u16, String),
}

/// See the module.
pub(super) struct Shared {
    pub(super) settings: Arc<Settings>,
    pub(super) node: Arc<Node>,
    pub(super) mailbox: Arc<Mailbox>,
    /// There is one from connection.open on.
    pub(super) client: Option<Client>,
    pub(super) capabilities: Capabilities,
    pub(super) tuned: Tuned,
    pub(super) output: Output,
    pub(super) batch: Batch,
    pub(super) routes: RouteCache,
    pub(super) touched: Touched,
    /// Taken out of the mailbox and not yet dealt with.
    pub(super) inbox: Inbox,
    /// Channels that published with confirms since the batch was last done.
    pub(super) confirming: Vec<u16>,
    /// Consumers that may go on once the batch is done.
    pub(super) resumable: Vec<Starved>,
    /// Messages times queues since this turn began.
    pub(super) enqueued: usize,
    /// When this turn began, for those who publish in it.
    pub(super) clock: TurnClock,
    /// What is noted of the message that is being published; used again.
    pub(super) noted: AnnotationsWriter,
    /// Its properties as they are kept, where the broker writes them anew; used again.
    pub(super) rewritten: Vec<u8>,
    /// A publish came while an alarm was on; nothing is read until it is over.
    pub(super) is_blocked: bool,
    /// The peer sends nothing after what is in the socket.
    pub(super) is_peer_gone: bool,
    /// What the publishes since this turn began add to.
    pub(super) burden: Burden,
    /// So much waits for the disk that nothing is read until there is less.
    pub(super) is_congested: bool,
    /// A method waits for the disk; nothing is read until it is done.
    pub(super) pending: Option<Pending>,
    /// Bytes of output that wait for the log.
    pub(super) parked_bytes: usize,
    /// Bytes of messages of which a part has still to come.
    pub(super) unfinished_bytes: usize,
    /// Bytes of messages of open transactions.
    pub(super) uncommitted_bytes: usize,
    /// How many of both the broker's account of memory knows of.
    accounted_bytes: usize,
    last_consumer: u32,
}

impl Shared {
    pub(super) fn new(settings: Arc<Settings>, node: Arc<Node>) -> Self {
        let mailbox = node.new_mailbox();
        let tuned = Tuned {
            frame_max: settings.initial_frame_max,
            channel_max: settings.channel_max,
            heartbeat_s: 0,
        };
        Self {
            settings,
            node,
            mailbox,
            client: None,
            capabilities: Capabilities::default(),
            tuned,
            output: Output::default(),
            batch: Batch::default(),
            routes: RouteCache::default(),
            touched: Touched::default(),
            inbox: Inbox::default(),
            confirming: Vec::new(),
            resumable: Vec::new(),
            enqueued: 0,
            clock: TurnClock::default(),
            noted: AnnotationsWriter::default(),
            rewritten: Vec::new(),
            is_blocked: false,
            is_peer_gone: false,
            burden: Burden::default(),
            is_congested: false,
            pending: None,
            parked_bytes: 0,
            unfinished_bytes: 0,
            uncommitted_bytes: 0,
            accounted_bytes: 0,
            last_consumer: 0,
        }
    }

    /// Whether deliveries may be written: what waits is little.
    pub(super) fn has_output_room(&self) -> bool {
        self.output.len() + self.parked_bytes < OUTPUT_BYTES_MAX
    }

    /// Writes a method of the connection itself.
    pub(super) fn send<'m>(&mut self, method: impl Into<Method<'m>>) {
        method.into().encode(0, self.output.buffer());
    }

    /// Does what was gathered. Answers the log positions that answers have to wait for.
    pub(super) fn flush(&mut self) -> Worked {
        let Some(client) = &self.client else {
            return Worked::default();
        };
        let worked = client.flush(&mut self.batch, &mut self.touched);
        self.burden = self.burden.and(Burden::of(worked));
        self.resume();
        worked
    }

    /// Consumers that waited for credit go on.
    pub(super) fn resume(&mut self) {
        let resumable = std::mem::take(&mut self.resumable);
        Starved::resume_all(&resumable, &mut self.touched);
    }

    /// The same, all of it or nothing; `None`: nothing. Who may be served again is served with what comes
    /// next.
    pub(super) fn flush_together(&mut self) -> Option<Worked> {
        let client = self.client.as_ref()?;
        let worked = client.flush_together(&mut self.batch, &mut self.touched)?;
        self.burden = self.burden.and(Burden::of(worked));
        Some(worked)
    }

    /// Goes on if there is room again, and otherwise waits for it anew. Answers whether it goes on.
    pub(super) fn look_for_room(&mut self) -> bool {
        if !std::mem::take(&mut self.is_congested) {
            return false;
        }
        self.wait_for_room();
        !self.is_congested
    }

    /// Whoever published waits while too much of it is on its way to the disk.
    pub(super) fn wait_for_room(&mut self) {
        if self.client.is_some() && !self.is_congested && self.node.is_congested(self.burden) {
            self.is_congested = true;
            self.node.notify_room(&self.mailbox, self.burden);
        }
    }

    /// Takes some deliveries out of mailbox and inbox. Notices that came with them stay in the
    /// inbox, and are looked at when the session's turn ends.
    pub(super) fn take_parcels(&mut self, is_wanted: impl Fn(Address) -> bool) -> Vec<Parcel> {
        self.mailbox.take(&mut self.inbox);
        let all = std::mem::take(&mut self.inbox.parcels);
        let (wanted, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|parcel| is_wanted(parcel.to));
        self.inbox.parcels = others.into();
        self.free_room(wanted.iter().map(Parcel::room_bytes).sum());
        wanted
    }

    /// Tells the broker's account of memory what this session holds for publishers.
    pub(super) fn account(&mut self) {
        let held_bytes = self.unfinished_bytes + self.uncommitted_bytes;
        self.node
            .memory()
            .session_changed(self.accounted_bytes, held_bytes);
        self.accounted_bytes = held_bytes;
    }

    /// Deliveries of so many bytes left the mailbox for good.
    pub(super) fn free_room(&mut self, bytes: usize) {
        if bytes > 0 {
            let starved = self.mailbox.free_room(bytes);
            Starved::resume_all(&starved, &mut self.touched);
        }
    }

    /// The first publish during an alarm is the last until it is over. A session with an open
    /// transaction goes on: only its commit or rollback sets free what it holds.
    pub(super) fn block_on_alarm(&mut self) {
        let may_block = self.uncommitted_bytes == 0 && !self.is_peer_gone && !self.is_blocked;
        if may_block && let Some(reason) = self.node.alarm() {
            self.is_blocked = true;
            if self.capabilities.connection_blocked {
                self.send(connection::Blocked { reason });
            }
        }
    }

    /// A number for a new consumer.
    pub(super) fn next_consumer(&mut self) -> u32 {
        self.last_consumer = self.last_consumer.wrapping_add(1);
        self.last_consumer
    }
}
