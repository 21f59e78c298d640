//! What can go wrong between this client and a broker.

use std::io;
use std::time::Duration;

use warren_protocol::amqp091::{cursor, frame, method};

/// What a refusal by the broker ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The whole connection.
    Connection,
    /// One channel; the connection goes on.
    Channel(u16),
}

/// Why a connection or an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host has no address.
    #[error("{host} is not found: {source}")]
    Resolve {
        /// The host as given.
        host: String,
        /// What the system says.
        source: io::Error,
    },
    /// Nobody answers at the address.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Host and port.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// Reading or writing failed.
    #[error("the connection to the broker broke: {0}")]
    Io(#[from] io::Error),
    /// The broker closed the socket and said nothing.
    #[error("the broker closed the connection without a word")]
    Closed,
    /// The broker closed the socket in the middle of the login, as old brokers do with a wrong password.
    #[error("the broker closed the connection at the login of user `{user}`: check user and password")]
    LoginClosed {
        /// The user.
        user: String,
    },
    /// The broker refused and said why.
    #[error("the broker refuses: {code} {text}{}", said_to(.method))]
    Refused {
        /// What it ends.
        reach: Reach,
        /// The reply code.
        code: u16,
        /// The reply text.
        text: String,
        /// Class and method that it is the answer to; zeros if it says none.
        method: (u16, u16),
    },
    /// The broker cancelled a consumer, as when its queue is deleted.
    #[error("the broker cancelled the consumer `{consumer_tag}`")]
    Cancelled {
        /// The consumer.
        consumer_tag: String,
    },
    /// The broker speaks another version of the protocol.
    #[error("the peer does not speak AMQP 0-9-1")]
    Version,
    /// The broker offers no mechanism that is known here.
    #[error("the broker takes no PLAIN login, only {offered}")]
    Mechanism {
        /// What it offers.
        offered: String,
    },
    /// Octets that are no frame.
    #[error("the broker sent what is no frame: {0}")]
    Frame(#[from] frame::Error),
    /// A method that cannot be read.
    #[error("the broker sent a method that cannot be read: {0}")]
    Method(#[from] method::Error),
    /// A content that cannot be read.
    #[error("the broker sent a content that cannot be read: {0}")]
    Content(#[from] cursor::Error),
    /// Something else came than what has to come.
    #[error("the broker sent {heard} where {expected} has to come")]
    Unexpected {
        /// What was waited for.
        expected: &'static str,
        /// What came.
        heard: String,
    },
    /// No sign of life for twice the heartbeat.
    #[error("the broker has been silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// No answer in time.
    #[error("the broker did not answer with {expected} within {} s", .within.as_secs())]
    TimedOut {
        /// What was waited for.
        expected: &'static str,
        /// How long.
        within: Duration,
    },
}

fn said_to((class, method): &(u16, u16)) -> String {
    match method::MethodSpec::by_ids(*class, *method) {
        Some(spec) => format!(" (to {})", spec.name),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_it_answers() {
        let refused = |method| Error::Refused {
            reach: Reach::Channel(1),
            code: 404,
            text: "NOT_FOUND - no queue 'q'".to_owned(),
            method,
        };
        assert_eq!(
            refused((60, 20)).to_string(),
            "the broker refuses: 404 NOT_FOUND - no queue 'q' (to basic.consume)"
        );
        assert_eq!(
            refused((0, 0)).to_string(),
            "the broker refuses: 404 NOT_FOUND - no queue 'q'"
        );
    }
}
