//! The options of `warren bench`, as given. What they come to together is [`crate::plan`]'s affair.

mod value;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use warren_client::Uri;

pub use value::{Argument, ArgumentValue, Rate, Sizes};

/// Load for a broker.
// No other doc line here: clap would show it above the options.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(next_line_help = false)]
pub struct Arguments {
    /// The broker: amqp://USER:PASSWORD@HOST:PORT/VHOST
    #[arg(long, value_name = "URI", default_value = "amqp://guest:guest@localhost:5672/%2f",
          value_parser = Uri::parse, help_heading = "Broker")]
    pub uri: Uri,
    /// A process of the broker on this machine, for its CPU time and memory; may be said more than once
    #[arg(long = "broker-pid", value_name = "PID", help_heading = "Broker")]
    pub broker_pids: Vec<u32>,

    /// Channels that publish
    #[arg(long, short, value_name = "N", default_value_t = 1, help_heading = "Who")]
    pub producers: u32,
    /// Channels that consume
    #[arg(long, short, value_name = "N", default_value_t = 1, help_heading = "Who")]
    pub consumers: u32,
    /// Queues; producers and consumers are spread over them
    #[arg(long, short, value_name = "N", default_value_t = 1, help_heading = "Who")]
    pub queues: u32,
    /// Channels on each connection; producers and consumers never share one
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Who")]
    pub channels_per_connection: u16,
    /// Connections for all channels, instead of so many channels on each
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "channels_per_connection",
        help_heading = "Who"
    )]
    pub connections: Option<u32>,
    /// Connections that are open and do nothing, with one channel each
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Who")]
    pub idle: u32,
    /// Threads that drive connections [default: as many as processors, at most one a connection]
    #[arg(long, value_name = "N", help_heading = "Who")]
    pub threads: Option<u32>,

    /// Octets of a body: one size, LOW-HIGH for any between, or a list such as 100*9,64KiB (nine to one)
    #[arg(
        long,
        short,
        value_name = "SIZE",
        default_value = "1KiB",
        help_heading = "Messages"
    )]
    pub size: Sizes,
    /// Messages a second, of all producers together: max, a number, or LOW..HIGH to rise over the time
    #[arg(
        long,
        short,
        value_name = "RATE",
        default_value = "max",
        help_heading = "Messages"
    )]
    pub rate: Rate,
    /// Publish persistent messages
    #[arg(long, help_heading = "Messages")]
    pub persistent: bool,
    /// Have publishes confirmed, with at most so many unconfirmed on a channel
    #[arg(long, value_name = "WINDOW", help_heading = "Messages")]
    pub confirm: Option<u32>,
    /// Priorities of the messages, in turn: so many from 0 on, as for a queue with x-max-priority
    #[arg(long, value_name = "LEVELS", value_parser = clap::value_parser!(u8).range(1..),
          help_heading = "Messages")]
    pub priority: Option<u8>,
    /// Expiration of every message, in milliseconds
    #[arg(long, value_name = "MS", help_heading = "Messages")]
    pub expiration: Option<u32>,
    /// A header of every message; the value is a number, true, false or text
    #[arg(long = "header", value_name = "KEY=VALUE", help_heading = "Messages")]
    pub headers: Vec<Argument>,
    /// Where random keys, sizes and bindings begin: the same number, the same load
    #[arg(long, value_name = "NUMBER", default_value_t = 1, help_heading = "Messages")]
    pub seed: u64,

    /// Consume without acknowledgements
    #[arg(long, help_heading = "Consuming")]
    pub auto_ack: bool,
    /// Unacknowledged messages on a consumer, 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 200, help_heading = "Consuming")]
    pub prefetch: u16,
    /// Acknowledge so many messages with one basic.ack
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        conflicts_with = "auto_ack",
        help_heading = "Consuming"
    )]
    pub multi_ack: u32,
    /// Take at most so many messages a second, all consumers together, until the publishing ends
    #[arg(long, value_name = "N", help_heading = "Consuming")]
    pub consume_rate: Option<u32>,
    /// An argument of basic.consume; the value is a number, true, false or text
    #[arg(
        long = "consumer-argument",
        value_name = "KEY=VALUE",
        help_heading = "Consuming"
    )]
    pub consumer_arguments: Vec<Argument>,

    /// The exchange that is published to
    #[arg(
        long,
        short,
        value_name = "TYPE",
        default_value = "default",
        help_heading = "Topology"
    )]
    pub exchange: ExchangeKind,
    /// Bindings, spread over the queues [default: one for each queue]
    #[arg(long, short, value_name = "N", help_heading = "Topology")]
    pub bindings: Option<u32>,
    /// Topic bindings with a word of their own each, so that a message reaches one queue
    #[arg(long, help_heading = "Topology")]
    pub distinct: bool,
    /// Routing keys of a producer, at most: of a topic random ones, of others a part of the bindings
    #[arg(long, value_name = "N", default_value_t = 1000, help_heading = "Topology")]
    pub keys: u32,
    /// An argument of queue.declare, such as x-queue-type=quorum; the value as above
    #[arg(long = "queue-argument", value_name = "KEY=VALUE", help_heading = "Topology")]
    pub queue_arguments: Vec<Argument>,
    /// An argument of exchange.declare; the value as above
    #[arg(
        long = "exchange-argument",
        value_name = "KEY=VALUE",
        help_heading = "Topology"
    )]
    pub exchange_arguments: Vec<Argument>,
    /// Declare queues and exchange that do not survive the broker
    #[arg(long, help_heading = "Topology")]
    pub transient: bool,
    /// What the names of queues and exchange begin with [default: bench- and the number of this process]
    #[arg(long, value_name = "NAME", help_heading = "Topology")]
    pub prefix: Option<String>,
    /// Leave queues and exchange in place
    #[arg(long, help_heading = "Topology")]
    pub keep: bool,

    /// How long to publish, in seconds
    #[arg(long, short, value_name = "SECONDS", default_value_t = 10.0,
          conflicts_with_all = ["messages", "backlog"], help_heading = "Course")]
    pub time: f64,
    /// Publish so many messages instead, and measure until all of them are consumed
    #[arg(
        long,
        short,
        value_name = "N",
        conflicts_with = "backlog",
        help_heading = "Course"
    )]
    pub messages: Option<u64>,
    /// Publish so many messages while nobody consumes, then drain them
    #[arg(long, value_name = "N", help_heading = "Course")]
    pub backlog: Option<u64>,
    /// Seconds at the beginning that do not count [default: 1, and 0 with --messages and --backlog]
    #[arg(long, value_name = "SECONDS", help_heading = "Course")]
    pub warmup: Option<f64>,
    /// How long to wait for messages and confirms when none come any more, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, help_heading = "Course")]
    pub patience: f64,

    /// Besides, make and end these again and again
    #[arg(long, value_name = "WHAT", help_heading = "Churn")]
    pub churn: Option<Churn>,
    /// How many do so at a time
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        requires = "churn",
        help_heading = "Churn"
    )]
    pub churners: u32,
    /// How often a second, all together: max, a number, or LOW..HIGH
    #[arg(
        long,
        value_name = "RATE",
        default_value = "max",
        requires = "churn",
        help_heading = "Churn"
    )]
    pub churn_rate: Rate,

    /// Lost and refused messages are reported but no failure: for queues with a limit
    #[arg(long, help_heading = "Report")]
    pub allow_loss: bool,
    /// Write the figures to this file as JSON
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub json: Option<PathBuf>,
    /// Write a page with plots to this file; it needs nothing else
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub html: Option<PathBuf>,
    /// What the run is called in the reports
    #[arg(long, value_name = "TEXT", help_heading = "Report")]
    pub title: Option<String>,
    /// No progress on standard error
    #[arg(long, help_heading = "Report")]
    pub quiet: bool,
}

/// Types of exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExchangeKind {
    /// The default exchange: straight into the queue
    Default,
    /// A key for each binding
    Direct,
    /// Every message to every queue
    Fanout,
    /// Random keys, and random bindings with wildcards
    Topic,
    /// A pair of headers for each binding
    Headers,
    /// As direct, of the type x-delayed-message; give --header x-delay=MS
    Delayed,
}

impl ExchangeKind {
    /// As exchange.declare has it.
    pub fn name(self) -> &'static str {
        match self {
            ExchangeKind::Default => "default",
            ExchangeKind::Direct => "direct",
            ExchangeKind::Fanout => "fanout",
            ExchangeKind::Topic => "topic",
            ExchangeKind::Headers => "headers",
            ExchangeKind::Delayed => "x-delayed-message",
        }
    }
}

/// What comes and goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Churn {
    /// Connect, open a channel, publish a message, close
    Connections,
    /// Open a channel, publish a message, close it
    Channels,
    /// Declare a queue, delete it
    Queues,
    /// Bind a queue, unbind it
    Bindings,
}

impl Churn {
    /// Whether each round publishes a message.
    pub fn publishes(self) -> bool {
        matches!(self, Churn::Connections | Churn::Channels)
    }

    /// The plural noun.
    pub fn name(self) -> &'static str {
        match self {
            Churn::Connections => "connections",
            Churn::Channels => "channels",
            Churn::Queues => "queues",
            Churn::Bindings => "bindings",
        }
    }
}
