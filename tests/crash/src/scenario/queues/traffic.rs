//! Publishers and consumers that work until the broker is gone, and a look at everything in some queues.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::journal::Journal;
use crate::amqp::{CHANNEL, Connection, Content, Event, Fields, Options, Trouble, put_long, put_short};
use crate::rng::Rng;

/// Publishes that are not confirmed at a time.
const WINDOW: usize = 100;

/// How long a look waits when nothing comes although something should.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// How long it waits for what should not come.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// A message to be sent.
pub(super) struct Order {
    pub(super) id: u64,
    pub(super) queue: &'static str,
    /// The exchange that it comes there by.
    pub(super) exchange: &'static str,
    pub(super) headers: Fields,
    /// Its own time to live, in milliseconds.
    pub(super) expiration: Option<u64>,
}

impl Order {
    pub(super) fn plain(id: u64, queue: &'static str) -> Order {
        Order {
            id,
            queue,
            exchange: "",
            headers: Fields::default(),
            expiration: None,
        }
    }

    /// Headers, delivery mode 2, expiration.
    fn properties(&self) -> Vec<u8> {
        let flags = 0x3000_u16 | if self.expiration.is_some() { 0x0100 } else { 0 };
        let mut bytes = flags.to_be_bytes().to_vec();
        put_long(&mut bytes, self.headers.bytes());
        bytes.push(2);
        if let Some(expiration) = self.expiration {
            put_short(&mut bytes, &expiration.to_string());
        }
        bytes
    }

    pub(super) fn send(&self, connection: &mut Connection) {
        connection.publish(self.exchange, self.queue, &self.properties(), &body_of(self.id));
    }
}

/// Some hundred bytes, and now and then some thousand.
fn body_of(id: u64) -> Vec<u8> {
    let mut rng = Rng::new(id);
    let words = if rng.one_in(50) {
        rng.below(1000)
    } else {
        rng.below(40)
    };
    let mut body = id.to_be_bytes().to_vec();
    (0..words).for_each(|_| body.extend(rng.next().to_be_bytes()));
    body
}

/// Which message it is; `None` when it is not what was sent.
pub(super) fn id_of(content: &Content) -> Option<u64> {
    let id = u64::from_be_bytes(*content.body.first_chunk()?);
    (content.body == body_of(id)).then_some(id)
}

/// Sends what `next` gives, with confirms, until it gives nothing more. `None` of the stop: to the end.
pub(super) fn publish(
    address: SocketAddr,
    journal: &Journal,
    stop: Option<&AtomicBool>,
    mut next: impl FnMut() -> Option<Order>,
) -> Result<(), Trouble> {
    let mut connection = Connection::open(address, Options::default())?;
    connection.open_channel(CHANNEL)?;
    connection.confirm_select()?;
    let mut open: VecDeque<(u64, u64)> = VecDeque::new();
    let (mut sent, mut is_over) = (0, false);
    let mut heard_at = Instant::now();
    while !is_over || !open.is_empty() {
        is_over |= stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
        if is_over && stop.is_some() {
            break;
        }
        while !is_over && open.len() < WINDOW {
            let Some(order) = next() else {
                is_over = true;
                break;
            };
            sent += 1;
            open.push_back((sent, order.id));
            order.send(&mut connection);
        }
        let (tag, multiple, is_confirmed) = match connection.next(Duration::from_millis(20))? {
            Some(Event::Ack { tag, multiple }) => (tag, multiple, true),
            Some(Event::Nack { tag, multiple }) => (tag, multiple, false),
            _ if heard_at.elapsed() > SILENCE_MAX => {
                return Err(Trouble::Late("a confirm".to_owned()));
            }
            _ => continue,
        };
        heard_at = Instant::now();
        let is_meant = |(nth, _): &(u64, u64)| *nth == tag || (multiple && *nth < tag);
        let ids: Vec<u64> = open
            .iter()
            .filter(|entry| is_meant(entry))
            .map(|(_, id)| *id)
            .collect();
        open.retain(|entry| !is_meant(entry));
        journal.resolve(&ids, is_confirmed);
    }
    Ok(())
}

/// Gives all that comes to `take`, until it is told to stop.
pub(super) fn consume(
    address: SocketAddr,
    queues: &[&str],
    stop: &AtomicBool,
    mut take: impl FnMut(&mut Connection, &Content),
) -> Result<(), Trouble> {
    let mut connection = Connection::open(address, Options::default())?;
    connection.open_channel(CHANNEL)?;
    connection.qos(20)?;
    for queue in queues {
        connection.consume(queue)?;
    }
    while !stop.load(Ordering::Relaxed) {
        if let Some(Event::Delivered(content)) = connection.next(Duration::from_millis(20))? {
            take(&mut connection, &content);
        }
    }
    Ok(())
}

/// A message that a look met.
#[derive(Clone, Debug)]
pub(super) struct Met {
    /// `None`: it is not what was sent.
    pub(super) id: Option<u64>,
    pub(super) queue: &'static str,
    pub(super) at: Instant,
}

/// Takes everything out of some queues at once, so that what moves from one to another meanwhile comes once.
/// It waits until `is_enough`, and a little longer. Afterwards it is back, or gone for good.
pub(super) fn look(
    address: SocketAddr,
    queues: &[&'static str],
    for_good: bool,
    is_enough: impl Fn(&[Met]) -> bool,
) -> Result<Vec<Met>, Trouble> {
    let mut connection = Connection::open(address, Options::default())?;
    connection.open_channel(CHANNEL)?;
    for queue in queues {
        connection.consume(queue)?;
    }
    let (mut met, mut last, mut tag) = (Vec::new(), Instant::now(), 0);
    loop {
        match connection.next(Duration::from_millis(20))? {
            Some(Event::Delivered(content)) => {
                last = Instant::now();
                tag = content.tag;
                let queue = queues.iter().find(|queue| **queue == content.consumer);
                met.push(Met {
                    id: id_of(&content),
                    queue: queue.copied().unwrap_or("?"),
                    at: last,
                });
            }
            Some(Event::Cancelled) => {
                return Err(Trouble::Late("the broker cancelled a consumer".to_owned()));
            }
            _ if last.elapsed() > SILENCE_MAX => break,
            _ if last.elapsed() > AFTERWARDS && is_enough(&met) => break,
            _ => {}
        }
    }
    if for_good && tag > 0 {
        connection.ack(tag, true);
        // The answer says that the acknowledgement was seen.
        connection.qos(0)?;
    }
    connection.close();
    Ok(met)
}
