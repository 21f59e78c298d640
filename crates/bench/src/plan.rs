//! Options to a plan: everything that is decided before the first connection.

use std::path::PathBuf;
use std::{process, thread};

use warren_client::Uri;
use warren_protocol::amqp091::table::{TableBuf, TableWriter};

use crate::args::{Argument, ArgumentValue, Arguments, Churn, ExchangeKind, Rate, Sizes};
use crate::layout::{Layout, Wanted};
use crate::pool::Common;
use crate::stamp::STREAMS_MAX;

/// Seconds that do not count where nothing else is said.
const WARMUP_S: f64 = 1.0;

/// The longest run, in seconds: what a stamp can count, and some room.
const TIME_MAX_S: f64 = 72.0 * 3600.0;

/// Why options do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Nobody would do anything.
    #[error("there is nothing to do: give --producers, --churn or --idle")]
    Nothing,
    /// Messages need a queue.
    #[error("--queues has to be at least 1")]
    NoQueue,
    /// An option that has to be more than nothing.
    #[error("{option} has to be at least 1")]
    Zero {
        /// The option.
        option: &'static str,
    },
    /// A time that is none.
    #[error("{option} has to be a number of seconds, {least} or more and at most three days")]
    Time {
        /// The option.
        option: &'static str,
        /// The least that it may be.
        least: &'static str,
    },
    /// Bindings to the default exchange.
    #[error("--bindings needs an exchange: --exchange direct, topic or headers")]
    BindingsOfDefault,
    /// Fewer bindings than queues.
    #[error("{bindings} bindings do not reach {queues} queues: each needs one")]
    FewBindings {
        /// As asked for.
        bindings: u32,
        /// As asked for.
        queues: u32,
    },
    /// Patterns of something without any.
    #[error("--distinct is about the bindings of --exchange topic")]
    DistinctOfOther,
    /// More than one binding a queue to a fanout.
    #[error("a fanout has one binding for each queue: leave --bindings out")]
    BindingsOfFanout,
    /// A batch of acknowledgements that never fills.
    #[error("--multi-ack {multi_ack} never happens with --prefetch {prefetch}: it has to be as large")]
    AckPastPrefetch {
        /// As asked for.
        multi_ack: u32,
        /// As asked for.
        prefetch: u16,
    },
    /// Connections for two kinds.
    #[error("--connections {connections} is too few: producers and consumers never share one")]
    FewConnections {
        /// As asked for.
        connections: u32,
    },
    /// More streams than can be told apart.
    #[error("producers and queues make {streams} streams of messages, 16777216 can be told apart")]
    Streams {
        /// As counted.
        streams: usize,
    },
    /// A backlog of something that nobody publishes.
    #[error("{option} counts messages of producers: there are none")]
    NoProducer {
        /// The option.
        option: &'static str,
    },
    /// A name that AMQP cannot have.
    #[error("--prefix has to be 1 to 200 octets long")]
    Prefix,
}

/// What ends the publishing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Course {
    /// Time, in seconds.
    Time(f64),
    /// A number of messages, or of rounds of churn if nobody else publishes.
    Messages(u64),
    /// The same, before anybody consumes.
    Backlog(u64),
}

/// A run, decided.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) uri: Uri,
    pub(crate) broker_pids: Vec<u32>,
    pub(crate) producers: usize,
    pub(crate) consumers: usize,
    pub(crate) producer_connections: usize,
    pub(crate) consumer_connections: usize,
    pub(crate) idle: usize,
    pub(crate) threads: usize,
    pub(crate) sizes: Sizes,
    pub(crate) rate: Rate,
    /// What all messages carry.
    pub(crate) common: Common,
    pub(crate) confirm: Option<u32>,
    pub(crate) seed: u64,
    pub(crate) auto_ack: bool,
    pub(crate) prefetch: u16,
    pub(crate) multi_ack: u32,
    pub(crate) consume_rate: Option<u32>,
    pub(crate) consumer_arguments: TableBuf,
    pub(crate) queue_arguments: TableBuf,
    pub(crate) exchange_arguments: TableBuf,
    pub(crate) is_durable: bool,
    pub(crate) prefix: String,
    pub(crate) keep: bool,
    pub(crate) course: Course,
    pub(crate) warmup_s: f64,
    pub(crate) patience_s: f64,
    pub(crate) churn: Option<Churn>,
    pub(crate) churners: usize,
    pub(crate) churn_rate: Rate,
    pub(crate) allow_loss: bool,
    pub(crate) json: Option<PathBuf>,
    pub(crate) html: Option<PathBuf>,
    pub(crate) title: String,
    pub(crate) is_quiet: bool,
}

impl Plan {
    /// Decides, and lays out queues and bindings.
    ///
    /// # Errors
    /// [`PlanError`], all of them.
    pub(crate) fn new(arguments: Arguments) -> Result<(Plan, Layout), PlanError> {
        check_counts(&arguments)?;
        check_times(&arguments)?;
        let (producer_connections, consumer_connections) = connections(&arguments)?;
        let bindings = bindings(&arguments)?;
        let churners = arguments.churn.map_or(0, |_| arguments.churners);
        let connections = [producer_connections, consumer_connections, count(churners)];
        let course = course(&arguments);
        let prefix = match &arguments.prefix {
            Some(prefix) if (1..=200).contains(&prefix.len()) => prefix.clone(),
            Some(_) => return Err(PlanError::Prefix),
            None => format!("bench-{}", process::id()),
        };
        let wanted = Wanted {
            prefix: &prefix,
            bindings: count(bindings),
            churners: count(churners),
            ..wanted(&arguments)
        };
        let layout = Layout::new(wanted);
        if layout.streams.len() > STREAMS_MAX {
            let streams = layout.streams.len();
            return Err(PlanError::Streams { streams });
        }
        let plan = Plan {
            title: arguments.title.unwrap_or_else(|| "warren bench".to_owned()),
            uri: arguments.uri,
            broker_pids: arguments.broker_pids,
            producers: count(arguments.producers),
            consumers: count(arguments.consumers),
            producer_connections,
            consumer_connections,
            idle: count(arguments.idle),
            threads: threads(arguments.threads, connections.iter().sum()),
            sizes: arguments.size,
            rate: arguments.rate,
            common: Common {
                is_persistent: arguments.persistent,
                expiration: arguments.expiration.map(|expiration| expiration.to_string()),
                headers: arguments.headers,
            },
            confirm: arguments.confirm,
            seed: arguments.seed,
            auto_ack: arguments.auto_ack,
            prefetch: arguments.prefetch,
            multi_ack: arguments.multi_ack,
            consume_rate: arguments.consume_rate,
            consumer_arguments: table(&arguments.consumer_arguments),
            queue_arguments: table(&arguments.queue_arguments),
            exchange_arguments: exchange_arguments(arguments.exchange, arguments.exchange_arguments),
            is_durable: !arguments.transient,
            prefix,
            keep: arguments.keep,
            warmup_s: arguments.warmup.unwrap_or(match course {
                Course::Time(_) => WARMUP_S,
                Course::Messages(_) | Course::Backlog(_) => 0.0,
            }),
            course,
            patience_s: arguments.patience,
            churn: arguments.churn,
            churners: count(churners),
            churn_rate: arguments.churn_rate,
            allow_loss: arguments.allow_loss,
            json: arguments.json,
            html: arguments.html,
            is_quiet: arguments.quiet,
        };
        Ok((plan, layout))
    }

    /// How many of a number of messages or rounds one of several is to do.
    pub(crate) fn quota(&self, part: usize, parts: usize) -> u64 {
        let all = match self.course {
            Course::Time(_) => return u64::MAX,
            Course::Messages(all) | Course::Backlog(all) => all,
        };
        let (part, parts) = (part as u64, parts.max(1) as u64);
        all / parts + u64::from(part < all % parts)
    }

    /// How long a ramp rises, in seconds.
    pub(crate) fn rise_s(&self) -> f64 {
        match self.course {
            Course::Time(time_s) => time_s + self.warmup_s,
            // Without a time there is the usual one.
            Course::Messages(_) | Course::Backlog(_) => 10.0,
        }
    }
}

/// What a layout is made of, as far as options say so directly.
fn wanted(arguments: &Arguments) -> Wanted<'_> {
    Wanted {
        kind: arguments.exchange,
        prefix: "",
        queues: count(arguments.queues),
        bindings: 0,
        is_distinct: arguments.distinct,
        levels: arguments.priority,
        keys: count(arguments.keys),
        producers: count(arguments.producers),
        churners: 0,
        seed: arguments.seed,
    }
}

fn check_counts(arguments: &Arguments) -> Result<(), PlanError> {
    if arguments.producers == 0 && arguments.churn.is_none() && arguments.idle == 0 {
        return Err(PlanError::Nothing);
    }
    if arguments.queues == 0 {
        return Err(PlanError::NoQueue);
    }
    for (option, value) in [
        ("--confirm", u64::from(arguments.confirm.unwrap_or(1))),
        ("--multi-ack", arguments.multi_ack.into()),
        ("--keys", arguments.keys.into()),
        ("--consume-rate", arguments.consume_rate.unwrap_or(1).into()),
        (
            "--channels-per-connection",
            arguments.channels_per_connection.into(),
        ),
        ("--churners", arguments.churners.into()),
        ("--threads", arguments.threads.unwrap_or(1).into()),
        ("--messages", arguments.messages.unwrap_or(1)),
        ("--backlog", arguments.backlog.unwrap_or(1)),
    ] {
        if value == 0 {
            return Err(PlanError::Zero { option });
        }
    }
    if arguments.distinct && arguments.exchange != ExchangeKind::Topic {
        return Err(PlanError::DistinctOfOther);
    }
    if arguments.producers == 0 && arguments.backlog.is_some() {
        return Err(PlanError::NoProducer { option: "--backlog" });
    }
    if arguments.producers == 0 && arguments.churn.is_none() && arguments.messages.is_some() {
        return Err(PlanError::NoProducer { option: "--messages" });
    }
    let (multi_ack, prefetch) = (arguments.multi_ack, arguments.prefetch);
    if !arguments.auto_ack && prefetch > 0 && multi_ack > u32::from(prefetch) {
        return Err(PlanError::AckPastPrefetch { multi_ack, prefetch });
    }
    Ok(())
}

fn check_times(arguments: &Arguments) -> Result<(), PlanError> {
    let warmup = ("--warmup", "0", arguments.warmup.unwrap_or(0.0), 0.0);
    let time = ("--time", "0.1", arguments.time, 0.1);
    let patience = ("--patience", "0.1", arguments.patience, 0.1);
    for (option, least, value, least_s) in [warmup, time, patience] {
        if !(least_s..=TIME_MAX_S).contains(&value) {
            return Err(PlanError::Time { option, least });
        }
    }
    Ok(())
}

fn course(arguments: &Arguments) -> Course {
    match (arguments.messages, arguments.backlog) {
        (Some(messages), _) => Course::Messages(messages),
        (None, Some(backlog)) => Course::Backlog(backlog),
        (None, None) => Course::Time(arguments.time),
    }
}

fn bindings(arguments: &Arguments) -> Result<u32, PlanError> {
    let queues = arguments.queues;
    match (arguments.exchange, arguments.bindings) {
        (_, None) => Ok(queues),
        (ExchangeKind::Default, Some(_)) => Err(PlanError::BindingsOfDefault),
        (ExchangeKind::Fanout, Some(bindings)) if bindings != queues => Err(PlanError::BindingsOfFanout),
        (_, Some(bindings)) if bindings < queues => Err(PlanError::FewBindings { bindings, queues }),
        (_, Some(bindings)) => Ok(bindings),
    }
}

/// Connections of producers and of consumers.
fn connections(arguments: &Arguments) -> Result<(usize, usize), PlanError> {
    let (producers, consumers) = (count(arguments.producers), count(arguments.consumers));
    let Some(connections) = arguments.connections else {
        let channels = usize::from(arguments.channels_per_connection);
        return Ok((producers.div_ceil(channels), consumers.div_ceil(channels)));
    };
    let all = count(connections);
    let least = usize::from(producers > 0) + usize::from(consumers > 0);
    if all < least {
        return Err(PlanError::FewConnections { connections });
    }
    if producers == 0 || consumers == 0 {
        return Ok((all.min(producers), all.min(consumers)));
    }
    let share = (all * producers / (producers + consumers)).clamp(1, all - 1);
    Ok((share.min(producers), (all - share).min(consumers)))
}

fn threads(wanted: Option<u32>, connections: usize) -> usize {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    wanted.map_or(processors, count).min(connections).max(1)
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Keys are short enough by now, which is all that could be wrong.
fn table(arguments: &[Argument]) -> TableBuf {
    let fill = |table: &mut TableWriter<'_>| arguments.iter().for_each(|argument| argument.write(table));
    TableBuf::build(fill).unwrap_or_default()
}

/// Those that are given, and the type within the type.
fn exchange_arguments(kind: ExchangeKind, mut given: Vec<Argument>) -> TableBuf {
    const INNER: &str = "x-delayed-type";
    if kind == ExchangeKind::Delayed && given.iter().all(|argument| argument.key != INNER) {
        given.push(Argument {
            key: INNER.to_owned(),
            value: ArgumentValue::Text(ExchangeKind::Direct.name().to_owned()),
        });
    }
    table(&given)
}

#[cfg(test)]
mod tests;
