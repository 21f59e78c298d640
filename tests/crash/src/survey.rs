//! Looks at everything that the queues hold after a restart, and has it judged.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::amqp::{CHANNEL, Connection, Event, Options, Trouble};
use crate::ledger::{End, Found, Ledger, Queue, Survey};

/// How long nothing may come although more is announced.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// How long is waited for more when all that was announced has come.
const AFTERWARDS: Duration = Duration::from_millis(100);

/// How long nothing may come before the broker is asked whether it has any more.
const DOUBT: Duration = Duration::from_secs(1);

/// How many deliveries one acknowledgement covers.
const MANY: u64 = 100;

/// What becomes of the messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Manner {
    /// Taken: the queues are empty afterwards.
    Drain,
    /// Looked at and given back, so that the backlog goes into the next round.
    Peek,
}

/// Surveys all queues and judges them. Returns when the first delivery came.
pub(crate) fn survey(
    address: SocketAddr,
    ledger: &Ledger,
    manner: Manner,
    end: End,
) -> Result<Option<Instant>, Trouble> {
    let mut first = None;
    for (queue, name) in (0..).zip(ledger.queues()) {
        let mut connection = Connection::open(address, Options::default())?;
        connection.open_channel(CHANNEL)?;
        let found = all_of(&mut connection, ledger, name, manner, &mut first)?;
        ledger.judge(
            &Survey {
                queue: queue as Queue,
                found,
            },
            end,
        );
        connection.close();
    }
    Ok(first)
}

fn all_of(
    connection: &mut Connection,
    ledger: &Ledger,
    name: &str,
    manner: Manner,
    first: &mut Option<Instant>,
) -> Result<Vec<Found>, Trouble> {
    let announced = connection.count(CHANNEL, name)?;
    connection.consume(name)?;
    let taken = manner == Manner::Drain;
    let (mut found, mut deliveries, mut unacked) = (Vec::new(), 0, 0);
    let (mut last, mut is_empty) = (Instant::now(), false);
    loop {
        let limit = if deliveries < announced {
            SILENCE_MAX
        } else {
            AFTERWARDS
        };
        match connection.next(Duration::from_millis(20))? {
            Some(Event::Delivered(content)) => {
                last = Instant::now();
                first.get_or_insert(last);
                deliveries += 1;
                // What cannot be examined is booked as a fault there.
                found.extend(ledger.examine(&content).map(|held| Found { held, taken }));
                unacked = content.tag;
                if taken && content.tag % MANY == 0 {
                    connection.ack(content.tag, true);
                }
            }
            _ if is_empty => break,
            _ if last.elapsed() < limit.min(DOUBT) => {}
            // What it counted and could not read it does not count any more. What came with the answer is
            // still to be taken.
            _ if last.elapsed() < limit => is_empty = connection.count(CHANNEL, name)? == 0,
            // More than announced may come, and less than announced is what the judge will say.
            _ => break,
        }
    }
    if taken && unacked > 0 {
        if unacked % MANY != 0 {
            connection.ack(unacked, true);
        }
        // The answer says that the acknowledgements have been seen.
        connection.count(CHANNEL, name)?;
    }
    Ok(found)
}
