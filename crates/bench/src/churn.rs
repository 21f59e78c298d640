//! Making and ending things again and again: connections, channels, queues, bindings.

use std::sync::atomic::Ordering::Relaxed;

use warren_client::{Connection, Error};
use warren_protocol::amqp091::method::{Method, channel, queue};

use crate::args::Churn;
use crate::crew::{News, Produced, Seat, Stage};
use crate::meter;
use crate::pace::Pace;
use crate::pool::{Pool, Recipe};

/// The exchange that bindings come to and go from; every broker has it.
const EXCHANGE: &str = "amq.direct";

/// One that churns.
struct Churner {
    what: Churn,
    number: usize,
    /// Rounds so far.
    rounds: u64,
    /// What it publishes, to one queue.
    pool: Pool,
    /// The connection of all but those that churn connections.
    connection: Option<Connection>,
}

pub(crate) async fn run(mut seat: Seat, number: usize) -> Result<(), Error> {
    let plan = &seat.shared.plan;
    let what = plan.churn.unwrap_or(Churn::Connections);
    let quota = match plan.producers {
        0 => plan.quota(number, plan.churners),
        // They go on as long as producers do.
        _ => u64::MAX,
    };
    seat.wait(Stage::Connect).await;
    let mut churner = Churner::new(&seat, what, number).await?;
    seat.tell(News::Ready);
    match churner.connection.as_mut() {
        Some(connection) => seat.wait_with(Stage::Produce, connection).await?,
        None => seat.wait(Stage::Produce).await,
    }
    let plan = &seat.shared.plan;
    let start_ns = seat.shared.start_ns.load(Relaxed);
    let mut pace = Pace::part(plan.churn_rate, number, plan.churners, start_ns, plan.rise_s());
    let alarm = seat.alarms.alarm();
    while churner.rounds < quota && !seat.is_at(Stage::Drain) {
        let clock = seat.shared.clock;
        let due_ns = pace.next_ns(clock.now_ns());
        if pace.due(clock.now_ns()) == 0 {
            churner.wait(&mut seat, &alarm, due_ns).await?;
            continue;
        }
        pace.take(due_ns);
        churner.round(&seat).await?;
        let latency_ns = clock.now_ns().saturating_sub(due_ns);
        meter::record(&mut seat.meter().timings().churn, latency_ns, 1);
        seat.meter().churned.fetch_add(1, Relaxed);
    }
    if let Some(connection) = churner.connection.take() {
        connection.close().await?;
    }
    seat.tell(News::Produced(Produced {
        sent: churner.pool.streams().to_vec(),
        ..Produced::default()
    }));
    seat.wait(Stage::Stop).await;
    Ok(())
}

impl Churner {
    async fn new(seat: &Seat, what: Churn, number: usize) -> Result<Self, Error> {
        let (plan, layout) = (&seat.shared.plan, &seat.shared.layout);
        let routes = layout.routes.get(plan.producers + number);
        // Frames of this size are always allowed.
        let body_frame_bytes = 4096 - 8;
        let pool = Pool::new(Recipe {
            exchange: "",
            routes: routes.map(Vec::as_slice).unwrap_or_default(),
            sizes: &plan.sizes,
            common: &plan.common,
            channel: 1,
            body_frame_bytes,
            pool_bytes: 1,
            seed: plan.seed.wrapping_add(number as u64),
        });
        let mut connection = match what {
            Churn::Connections => None,
            _ => Some(seat.connect(&format!("bench churn {number}")).await?),
        };
        if let (Some(connection), Churn::Queues | Churn::Bindings) = (connection.as_mut(), what) {
            connection.open_channel(1).await?;
        }
        Ok(Self {
            what,
            number,
            rounds: 0,
            pool,
            connection,
        })
    }

    /// Waits until the next round is due.
    async fn wait(&mut self, seat: &mut Seat, alarm: &crate::alarm::Alarm, due_ns: u64) -> Result<(), Error> {
        let Some(connection) = self.connection.as_mut() else {
            tokio::select! {
                () = alarm.at(due_ns) => {}
                _ = seat.stage.changed() => {}
            }
            return Ok(());
        };
        tokio::select! {
            moved = connection.turn(&[]) => {
                moved?;
                connection.receive(|_| {})?;
            }
            () = alarm.at(due_ns) => {}
            _ = seat.stage.changed() => {}
        }
        Ok(())
    }

    async fn round(&mut self, seat: &Seat) -> Result<(), Error> {
        self.rounds += 1;
        match self.what {
            Churn::Connections => {
                let mut connection = seat.connect(&format!("bench churn {}", self.number)).await?;
                connection.open_channel(1).await?;
                self.publish(seat, &mut connection);
                connection.close().await
            }
            Churn::Channels => {
                let Some(mut connection) = self.connection.take() else {
                    return Ok(());
                };
                connection.open_channel(1).await?;
                self.publish(seat, &mut connection);
                let close = channel::Close {
                    code: 200,
                    ..channel::Close::default()
                };
                let ok = |method: &Method<'_>| matches!(method, Method::ChannelCloseOk(_)).then_some(());
                connection.call(1, close, "channel.close-ok", ok).await?;
                self.connection = Some(connection);
                Ok(())
            }
            Churn::Queues => self.queue(seat).await,
            Churn::Bindings => self.binding(seat).await,
        }
    }

    fn publish(&mut self, seat: &Seat, connection: &mut Connection) {
        let now_ns = seat.shared.clock.now_ns();
        let span = self.pool.fill(1, seat.shared.run, || now_ns);
        connection
            .output()
            .extend_from_slice(self.pool.bytes(&span.bytes));
        seat.meter().published.fetch_add(span.messages, Relaxed);
        seat.meter().published_bytes.fetch_add(span.body_bytes, Relaxed);
    }

    async fn queue(&mut self, seat: &Seat) -> Result<(), Error> {
        let plan = &seat.shared.plan;
        let name = format!("{}-churn-{}-{}", plan.prefix, self.number, self.rounds);
        let Some(connection) = self.connection.as_mut() else {
            return Ok(());
        };
        let declare = queue::Declare {
            queue: &name,
            durable: plan.is_durable,
            arguments: plan.queue_arguments.as_table(),
            ..queue::Declare::default()
        };
        let ok = |method: &Method<'_>| matches!(method, Method::QueueDeclareOk(_)).then_some(());
        connection.call(1, declare, "queue.declare-ok", ok).await?;
        let delete = queue::Delete {
            queue: &name,
            ..queue::Delete::default()
        };
        let ok = |method: &Method<'_>| matches!(method, Method::QueueDeleteOk(_)).then_some(());
        connection.call(1, delete, "queue.delete-ok", ok).await
    }

    async fn binding(&mut self, seat: &Seat) -> Result<(), Error> {
        let queues = &seat.shared.layout.queues;
        let queue = queues
            .get(self.number % queues.len().max(1))
            .map_or("", String::as_str);
        let key = format!("{}-{}-{}", seat.shared.plan.prefix, self.number, self.rounds);
        let Some(connection) = self.connection.as_mut() else {
            return Ok(());
        };
        let bind = queue::Bind {
            queue,
            exchange: EXCHANGE,
            routing_key: &key,
            ..queue::Bind::default()
        };
        let ok = |method: &Method<'_>| matches!(method, Method::QueueBindOk(_)).then_some(());
        connection.call(1, bind, "queue.bind-ok", ok).await?;
        let unbind = queue::Unbind {
            queue,
            exchange: EXCHANGE,
            routing_key: &key,
            ..queue::Unbind::default()
        };
        let ok = |method: &Method<'_>| matches!(method, Method::QueueUnbindOk(_)).then_some(());
        connection.call(1, unbind, "queue.unbind-ok", ok).await
    }
}
