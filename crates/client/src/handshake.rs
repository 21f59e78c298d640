//! The login: from the protocol header to open-ok. Spec: 0-9-1 §2.2.4.

use std::time::Duration;

use warren_protocol::amqp091::header::AMQP_0_9_1;
use warren_protocol::amqp091::method::{Method, connection};
use warren_protocol::amqp091::table::TableBuf;

use super::heartbeat::Heartbeat;
use super::{Connection, Error, Uri};

/// Frames up to this size are agreed on, whatever more the broker allows: what RabbitMQ suggests, too.
const FRAME_MAX: u32 = 131_072;

/// The least frame size that every peer has to take.
const FRAME_MIN: u32 = 4096;

/// Seconds between signs of life where neither side says.
const HEARTBEAT_S: u16 = 60;

/// How long the login may take.
const LOGIN_TIME: Duration = Duration::from_secs(30);

/// Logs in. `name` is what the broker shows of the connection.
pub(crate) async fn log_in(connection: &mut Connection, uri: &Uri, name: &str) -> Result<(), Error> {
    let expected = "the login";
    let within = LOGIN_TIME;
    match tokio::time::timeout(within, steps(connection, uri, name)).await {
        Ok(done) => done,
        Err(_) => Err(Error::TimedOut { expected, within }),
    }
}

async fn steps(connection: &mut Connection, uri: &Uri, name: &str) -> Result<(), Error> {
    connection.output().extend_from_slice(&AMQP_0_9_1);
    let mechanisms = connection
        .hear("connection.start", |method| match method {
            Method::ConnectionStart(start) => Some(String::from_utf8_lossy(start.mechanisms).into_owned()),
            _ => None,
        })
        .await
        .map_err(|error| match error {
            // Whoever speaks another version answers with a header of its own, which is no frame.
            Error::Frame(_) => Error::Version,
            other => other,
        })?;
    if !mechanisms.split(' ').any(|mechanism| mechanism == "PLAIN") {
        return Err(Error::Mechanism { offered: mechanisms });
    }
    let tune = start(connection, uri, name).await?;
    let heartbeat = uri.heartbeat_s.unwrap_or(match tune.heartbeat {
        0 => HEARTBEAT_S,
        suggested => suggested,
    });
    let frame_max = match tune.frame_max {
        0 => FRAME_MAX,
        most => most.clamp(FRAME_MIN, FRAME_MAX),
    };
    let channel_max = match tune.channel_max {
        0 => u16::MAX,
        most => most,
    };
    let tune_ok = connection::TuneOk {
        channel_max,
        frame_max,
        heartbeat,
    };
    connection.send(0, tune_ok);
    connection.tune(frame_max, channel_max, Heartbeat::new(heartbeat));
    let open = connection::Open {
        vhost: &uri.vhost,
        ..connection::Open::default()
    };
    connection
        .call(0, open, "connection.open-ok", |method| {
            matches!(method, Method::ConnectionOpenOk(_)).then_some(())
        })
        .await
}

/// Says who it is, and hears what the broker suggests.
async fn start(connection: &mut Connection, uri: &Uri, name: &str) -> Result<connection::Tune, Error> {
    let response = format!("\0{}\0{}", uri.user, uri.password);
    let properties = properties(name);
    let start_ok = connection::StartOk {
        client_properties: properties.as_table(),
        mechanism: "PLAIN",
        response: response.as_bytes(),
        locale: "en_US",
    };
    connection
        .call(0, start_ok, "connection.tune", |method| match method {
            Method::ConnectionTune(tune) => Some(*tune),
            _ => None,
        })
        .await
        .map_err(|error| match error {
            Error::Closed | Error::Io(_) => Error::LoginClosed {
                user: uri.user.clone(),
            },
            other => other,
        })
}

fn properties(name: &str) -> TableBuf {
    let filled = TableBuf::build(|properties| {
        properties.string("product", "warren");
        properties.string("version", env!("CARGO_PKG_VERSION"));
        properties.string("connection_name", name);
        properties.table("capabilities", |capabilities| {
            for capability in [
                "authentication_failure_close",
                "basic.nack",
                "connection.blocked",
                "consumer_cancel_notify",
                "publisher_confirms",
            ] {
                capabilities.bool(capability, true);
            }
        });
    });
    // It cannot fail: names are short and the nesting is one level.
    filled.unwrap_or_default()
}
