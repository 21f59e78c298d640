//! A connection that publishes, for one producer or several.
//!
//! One turn after the other: a producer with something due stamps a span of its pool, the connection writes
//! it, confirms come in between. Spans are never mixed, so that frames stay whole.

use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

use warren_client::{Connection, Error, Event};
use warren_protocol::amqp091::method::{Method, confirm};

use crate::args::Rate;
use crate::crew::{News, Produced, Seat, Shared, Stage};
use crate::meter;
use crate::pace::Pace;
use crate::pool::{Pool, Recipe, Span};
use crate::window::Window;

/// How long after a turn the next one is, at the least: what is due meanwhile goes out together.
const TICK_NS: u64 = 20_000;

struct Producer {
    pool: Pool,
    pace: Pace,
    /// Messages that it may still publish.
    quota: u64,
    window: Option<Window>,
}

/// What is being written.
#[derive(Default)]
struct Writing {
    producer: usize,
    span: Span,
}

pub(crate) async fn run(mut seat: Seat, numbers: Range<usize>) -> Result<(), Error> {
    seat.wait(Stage::Connect).await;
    let mut connection = seat.connect(&format!("bench producer {}", numbers.start)).await?;
    for (_, channel) in numbers.clone().zip(1..) {
        connection.open_channel(channel).await?;
        if seat.shared.plan.confirm.is_some() {
            let select = confirm::Select { nowait: false };
            connection
                .call(channel, select, "confirm.select-ok", |method| {
                    matches!(method, Method::ConfirmSelectOk(_)).then_some(())
                })
                .await?;
        }
    }
    seat.tell(News::Ready);
    seat.wait_with(Stage::Produce, &mut connection).await?;
    let body_frame_bytes = connection.body_frame_bytes();
    let producers = numbers
        .zip(1..)
        .map(|(number, channel)| Producer::new(&seat.shared, number, channel, body_frame_bytes))
        .collect();
    let mut line = Line {
        producers,
        next: 0,
        produced: Produced::default(),
        blocked_since_ns: None,
    };
    line.publish(&mut seat, &mut connection).await?;
    // Its answer says that the broker has seen everything.
    connection.close().await?;
    seat.tell(News::Produced(line.sum_up()));
    seat.wait(Stage::Stop).await;
    Ok(())
}

impl Producer {
    fn new(shared: &Shared, number: usize, channel: u16, body_frame_bytes: usize) -> Self {
        let (plan, layout) = (&shared.plan, &shared.layout);
        let recipe = Recipe {
            exchange: &layout.exchange,
            routes: layout.routes.get(number).map(Vec::as_slice).unwrap_or_default(),
            sizes: &plan.sizes,
            common: &plan.common,
            channel,
            body_frame_bytes,
            pool_bytes: pool_bytes(plan.rate, plan.producers, plan.sizes.largest()),
            seed: plan.seed.wrapping_add(number as u64),
        };
        let start_ns = shared.start_ns.load(Relaxed);
        Self {
            pool: Pool::new(recipe),
            pace: Pace::part(plan.rate, number, plan.producers, start_ns, plan.rise_s()),
            quota: plan.quota(number, plan.producers),
            window: plan.confirm.map(Window::new),
        }
    }

    /// How many messages may leave now.
    fn ready(&self, now_ns: u64) -> u64 {
        let room = self.window.as_ref().map_or(u64::MAX, Window::room);
        self.pace.due(now_ns).min(self.quota).min(room)
    }

    fn fill(&mut self, most: u64, run: u16, now_ns: u64) -> Span {
        let (pace, window) = (&mut self.pace, &mut self.window);
        let span = match window {
            None => self.pool.fill(most, run, || pace.take(now_ns)),
            Some(window) => self.pool.fill(most, run, || {
                let due_ns = pace.take(now_ns);
                window.publish(due_ns);
                due_ns
            }),
        };
        self.quota -= span.messages;
        span
    }
}

/// Octets of a pool of equal messages. At full speed what a socket takes at once, if that is not too much for
/// all together; at a rate, what is due at once.
fn pool_bytes(rate: Rate, producers: usize, body_bytes: usize) -> usize {
    const POOL_BYTES: usize = 64 * 1024;
    const ALL_BYTES: usize = 64 * 1024 * 1024;
    let per_second = match rate {
        Rate::Max => return (ALL_BYTES / producers.max(1)).clamp(4096, POOL_BYTES),
        Rate::Fixed(rate) => rate,
        Rate::Ramp(low, high) => low.max(high),
    };
    // A hundredth of a second late is as late as one gets without a reason.
    let messages = per_second / producers.max(1) as f64 / 100.0;
    ((messages * body_bytes as f64) as usize).clamp(1, POOL_BYTES)
}

/// The producers of one connection.
struct Line {
    producers: Vec<Producer>,
    /// Whose turn it is.
    next: usize,
    produced: Produced,
    blocked_since_ns: Option<u64>,
}

impl Line {
    /// Publishes until the quotas are used up or publishing ends, and until all is confirmed.
    async fn publish(&mut self, seat: &mut Seat, connection: &mut Connection) -> Result<(), Error> {
        let alarm = seat.alarms.alarm();
        let clock = seat.shared.clock;
        let mut writing = Writing::default();
        let mut last_ns = 0;
        loop {
            let now_ns = clock.now_ns();
            let is_stopping = seat.is_at(Stage::Drain);
            self.note_blocked(connection.is_blocked(), now_ns);
            if writing.span.bytes.is_empty() && !is_stopping && !connection.is_blocked() {
                self.fill(&mut writing, seat.shared.run, now_ns);
            }
            if writing.span.bytes.is_empty() {
                let is_done = is_stopping || self.producers.iter().all(|producer| producer.quota == 0);
                if is_done && self.unsettled() == 0 || seat.is_at(Stage::Stop) {
                    return Ok(());
                }
            }
            let wake_ns = match writing.span.bytes.is_empty() && !is_stopping && !connection.is_blocked() {
                true => self
                    .next_due_ns(now_ns)
                    .map(|due_ns| due_ns.max(last_ns + TICK_NS)),
                false => None,
            };
            last_ns = now_ns;
            let producer = self.producers.get(writing.producer);
            let bulk = producer.map_or(&[][..], |producer| producer.pool.bytes(&writing.span.bytes));
            tokio::select! {
                biased;
                written = connection.turn(bulk) => {
                    writing.span.bytes.start += written?;
                    if writing.span.bytes.is_empty() {
                        seat.meter().published.fetch_add(writing.span.messages, Relaxed);
                        seat.meter().published_bytes.fetch_add(writing.span.body_bytes, Relaxed);
                        writing.span = Span::default();
                    }
                    self.receive(seat, connection)?;
                }
                () = alarm.at(wake_ns.unwrap_or(u64::MAX)), if wake_ns.is_some() => {}
                _ = seat.stage.changed() => {}
            }
        }
    }

    /// The next producer with something to publish stamps it.
    fn fill(&mut self, writing: &mut Writing, run: u16, now_ns: u64) {
        let count = self.producers.len();
        for _ in 0..count {
            let place = self.next;
            self.next = (self.next + 1) % count;
            if let Some(producer) = self.producers.get_mut(place) {
                let most = producer.ready(now_ns);
                if most > 0 {
                    writing.producer = place;
                    writing.span = producer.fill(most, run, now_ns);
                    return;
                }
            }
        }
    }

    /// When something is due, of what nothing but time holds back.
    fn next_due_ns(&self, now_ns: u64) -> Option<u64> {
        let is_free = |producer: &&Producer| {
            let room = producer.window.as_ref().map_or(1, Window::room);
            producer.quota > 0 && room > 0
        };
        let free = self.producers.iter().filter(is_free);
        free.map(|producer| producer.pace.next_ns(now_ns)).min()
    }

    fn unsettled(&self) -> u64 {
        let windows = self
            .producers
            .iter()
            .filter_map(|producer| producer.window.as_ref());
        windows.map(Window::unsettled).sum()
    }

    /// Takes confirms.
    fn receive(&mut self, seat: &Seat, connection: &mut Connection) -> Result<(), Error> {
        let (producers, produced) = (&mut self.producers, &mut self.produced);
        let now_ns = seat.shared.clock.now_ns();
        let mut confirmed = 0;
        let mut timings = None;
        let mut other = None;
        connection.receive(|event| {
            let Event::Method { channel, method } = event else {
                return;
            };
            let (tag, is_multiple, is_ack) = match method {
                Method::BasicAck(ack) => (ack.delivery_tag, ack.multiple, true),
                Method::BasicNack(nack) => (nack.delivery_tag, nack.multiple, false),
                method => {
                    other = Some(method.name().to_owned());
                    return;
                }
            };
            let producer = producers.get_mut(usize::from(channel).wrapping_sub(1));
            let Some(window) = producer.and_then(|producer| producer.window.as_mut()) else {
                produced.misconfirmed += 1;
                return;
            };
            let timings = timings.get_or_insert_with(|| seat.meter().timings());
            let is_right = window.settle(tag, is_multiple, |due_ns, count| match is_ack {
                true => {
                    confirmed += count;
                    meter::record(&mut timings.confirm, now_ns.saturating_sub(due_ns), count);
                }
                false => produced.nacked += count,
            });
            produced.misconfirmed += u64::from(!is_right);
        })?;
        drop(timings);
        if confirmed > 0 {
            seat.meter().confirmed.fetch_add(confirmed, Relaxed);
        }
        match other {
            None => Ok(()),
            Some(heard) => Err(Error::Unexpected {
                expected: "a confirm",
                heard,
            }),
        }
    }

    fn note_blocked(&mut self, is_blocked: bool, now_ns: u64) {
        match (is_blocked, self.blocked_since_ns) {
            (true, None) => self.blocked_since_ns = Some(now_ns),
            (false, Some(since_ns)) => {
                self.produced.blocked_ns += now_ns - since_ns;
                self.blocked_since_ns = None;
            }
            _ => {}
        }
    }

    fn sum_up(mut self) -> Produced {
        self.produced.unconfirmed = self.unsettled();
        for producer in &self.producers {
            self.produced.sent.extend_from_slice(producer.pool.streams());
        }
        self.produced
    }
}
