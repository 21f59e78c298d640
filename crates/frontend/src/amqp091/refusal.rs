//! The broker's refusals as AMQP 0-9-1 reply codes, reach and texts: the only place that knows
//! them. Texts are RabbitMQ's, since clients and their tests match on them.
//!
//! Spec: 0-9-1 §1.2 (reply codes).

use warren_broker::name;
use warren_broker::refusal::Refusal;
use warren_node::TooManyChannels;
use warren_protocol::amqp091::frame;

/// Bytes that a reply text may have.
const TEXT_BYTES_MAX: usize = 255;

/// What ends a text that was cut.
const ELLIPSIS: &str = "...";

/// How much ends with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The channel is closed, the connection goes on.
    Channel,
    /// The connection is closed.
    Connection,
    /// The socket is closed without a word, as RabbitMQ does.
    Socket,
}

/// A reply code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) number: u16,
    pub(super) name: &'static str,
}

macro_rules! codes {
    ($($constant:ident = $number:literal;)*) => {
        $(pub(super) const $constant: Code = Code { number: $number, name: stringify!($constant) };)*
    };
}

codes! {
    CONNECTION_FORCED = 320;
    ACCESS_REFUSED = 403;
    NOT_FOUND = 404;
    RESOURCE_LOCKED = 405;
    PRECONDITION_FAILED = 406;
    FRAME_ERROR = 501;
    COMMAND_INVALID = 503;
    CHANNEL_ERROR = 504;
    UNEXPECTED_FRAME = 505;
    RESOURCE_ERROR = 506;
    NOT_ALLOWED = 530;
    NOT_IMPLEMENTED = 540;
    INTERNAL_ERROR = 541;
}

/// An error that ends a channel or a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reach: Reach,
    pub(super) code: Code,
    /// What follows the code's name.
    pub(super) text: String,
    /// Class and method at fault; `None`: the one that is being handled.
    pub(super) at: Option<(u16, u16)>,
}

impl Failure {
    pub(super) fn channel(code: Code, text: impl Into<String>) -> Self {
        Self {
            reach: Reach::Channel,
            code,
            text: text.into(),
            at: None,
        }
    }

    pub(super) fn connection(code: Code, text: impl Into<String>) -> Self {
        Self {
            reach: Reach::Connection,
            code,
            text: text.into(),
            at: None,
        }
    }

    /// The socket closes without a reply; the text is for the log.
    pub(super) fn socket(text: impl Into<String>) -> Self {
        Self {
            reach: Reach::Socket,
            code: FRAME_ERROR,
            text: text.into(),
            at: Some((0, 0)),
        }
    }

    /// The failure of no method in particular.
    pub(super) fn at_none(mut self) -> Self {
        self.at = Some((0, 0));
        self
    }

    /// The failure of a certain method.
    pub(super) fn at(mut self, class: u16, method: u16) -> Self {
        self.at = Some((class, method));
        self
    }

    /// The whole reply text. RabbitMQ cuts one that is too long for its field, and says so.
    pub(super) fn reply_text(&self) -> String {
        let mut text = format!("{} - {}", self.code.name, self.text);
        if text.len() > TEXT_BYTES_MAX {
            text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX - ELLIPSIS.len()));
            text.push_str(ELLIPSIS);
        }
        text
    }
}

/// A name that no field can hold cannot have come in one, but for what the broker makes of it.
impl From<name::Error> for Failure {
    fn from(error: name::Error) -> Self {
        Self::connection(FRAME_ERROR, error.to_string())
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::NotFound(_) => Self::channel(NOT_FOUND, text),
            Refusal::ReservedName { .. }
            | Refusal::DefaultExchange
            | Refusal::SystemExchange(_)
            | Refusal::Denied(_)
            | Refusal::ExclusiveUse(_)
            | Refusal::Internal(_) => Self::channel(ACCESS_REFUSED, text),
            Refusal::Locked(_) | Refusal::NoGetters(_) => Self::channel(RESOURCE_LOCKED, text),
            Refusal::Inequivalent { .. }
            | Refusal::InUse(_)
            | Refusal::Alias { .. }
            | Refusal::NotEmpty(_)
            | Refusal::UnknownExchangeType(_)
            | Refusal::EmptyExchangeType
            | Refusal::Binding(_)
            | Refusal::Exchange(_)
            | Refusal::InvalidArgument { .. }
            | Refusal::ArgumentType { .. }
            | Refusal::ArgumentOfOtherType { .. }
            | Refusal::InvalidProperty { .. }
            | Refusal::TooManyQueues { .. }
            | Refusal::ServerNamed(_) => Self::channel(PRECONDITION_FAILED, text),
            Refusal::NotImplemented(_) => Self::connection(NOT_IMPLEMENTED, text),
        }
    }
}

impl From<TooManyChannels> for Failure {
    fn from(refusal: TooManyChannels) -> Self {
        Self::connection(NOT_ALLOWED, refusal.to_string()).at_none()
    }
}

/// A frame that cannot be read: the stream is out of step.
pub(super) fn unreadable(error: &frame::Error) -> Failure {
    let text = match error {
        frame::Error::TooLarge { kind, size, max, .. } => {
            // RabbitMQ names what was announced, and the limit less the frame's own octets.
            let max = max.saturating_sub(FRAME_OVERHEAD);
            format!("type {kind}, all octets = <<>>: {{frame_too_large,{size},{max}}}")
        }
        frame::Error::BadEnd {
            kind, payload, end, ..
        } => {
            format!(
                "type {kind}, all octets = {}: {{invalid_frame_end_marker,{end}}}",
                octets(payload)
            )
        }
    };
    Failure::connection(FRAME_ERROR, text).at_none()
}

/// What a frame takes besides its payload.
const FRAME_OVERHEAD: u32 = 8;

/// A frame of an unknown type, or on a channel where it makes no sense.
pub(super) fn unknown_frame(kind: u8, payload: &[u8]) -> Failure {
    let text = format!("type {kind}, all octets = {}: unknown_frame", octets(payload));
    Failure::connection(FRAME_ERROR, text).at_none()
}

/// A frame at a time when it makes no sense.
pub(super) fn unexpected_frame(kind: u8, payload: &[u8]) -> Failure {
    let text = format!("type {kind}, all octets = {}", octets(payload));
    Failure::connection(UNEXPECTED_FRAME, text).at_none()
}

/// Bytes as Erlang prints a binary: text in quotes when it is printable, numbers otherwise.
pub(super) fn octets(bytes: &[u8]) -> String {
    let printable = |byte: &u8| matches!(byte, 0x20..=0x7e | b'\n' | b'\r' | b'\t');
    if bytes.is_empty() {
        return "<<>>".to_owned();
    }
    if bytes.iter().all(printable) {
        let text = String::from_utf8_lossy(bytes);
        return format!("<<\"{}\">>", text.escape_default());
    }
    let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
    format!("<<{}>>", numbers.join(","))
}
