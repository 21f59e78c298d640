//! The least of an AMQP 0-9-1 client: logs in and opens a virtual host, to know when a broker takes clients.
//!
//! ```text
//!   C> AMQP 0 0 9 1   S< start   C> start-ok   S< tune   C> tune-ok, open   S< open-ok
//! ```
//! Spec: 0-9-1 §2.2.4.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Between two tries to connect. What is measured is as exact as that.
const TRY: Duration = Duration::from_millis(1);

/// How long an answer may take before the try counts as failed.
const ANSWER: Duration = Duration::from_secs(10);

const FRAME_END: u8 = 0xCE;

/// The largest frame that an answer may be.
const FRAME_MAX: usize = 128 * 1024;

/// Tries until a handshake is accepted; `is_over` says why there is no use in going on.
///
/// # Errors
/// That reason, or that it took too long.
pub(super) fn wait(
    port: u16,
    limit: Duration,
    mut is_over: impl FnMut() -> Option<String>,
) -> Result<(), String> {
    let deadline = Instant::now() + limit;
    loop {
        let Err(error) = once(port) else {
            return Ok(());
        };
        if let Some(reason) = is_over() {
            return Err(reason);
        }
        if Instant::now() > deadline {
            return Err(format!("no handshake within {} s: {error}", limit.as_secs()));
        }
        std::thread::sleep(TRY);
    }
}

fn once(port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.write_all(b"AMQP\0\0\x09\x01")?;
    hear(&mut stream, (10, 10))?;
    let mut start_ok = vec![0; 4];
    start_ok.extend(b"\x05PLAIN\0\0\0\x0C\0guest\0guest\x05en_US");
    stream.write_all(&frame((10, 11), &start_ok))?;
    let tune = hear(&mut stream, (10, 30))?;
    // What the broker proposes is taken: tune-ok has the fields of tune.
    let mut answers = frame((10, 31), &tune);
    answers.extend(frame((10, 40), b"\x01/\0\0"));
    stream.write_all(&answers)?;
    hear(&mut stream, (10, 41)).map(|_| ())
}

/// A method of channel 0.
fn frame((class, method): (u16, u16), arguments: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, 0, 0];
    // Nothing here is long.
    bytes.extend((arguments.len() as u32 + 4).to_be_bytes());
    bytes.extend(class.to_be_bytes());
    bytes.extend(method.to_be_bytes());
    bytes.extend(arguments);
    bytes.push(FRAME_END);
    bytes
}

/// The arguments of the method that has to come next.
fn hear(stream: &mut impl Read, (class, method): (u16, u16)) -> io::Result<Vec<u8>> {
    let mut head = [0; 7];
    stream.read_exact(&mut head)?;
    let [_, _, _, size @ ..] = head;
    let size = u32::from_be_bytes(size) as usize;
    let unexpected = || io::Error::new(io::ErrorKind::InvalidData, format!("no method {class}.{method}"));
    if size > FRAME_MAX {
        return Err(unexpected());
    }
    let mut payload = vec![0; size + 1];
    stream.read_exact(&mut payload)?;
    let wanted = [class.to_be_bytes(), method.to_be_bytes()].concat();
    payload
        .pop()
        .filter(|end| *end == FRAME_END)
        .ok_or_else(unexpected)?;
    payload
        .strip_prefix(wanted.as_slice())
        .map(<[u8]>::to_vec)
        .ok_or_else(unexpected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_heard_as_it_was_made() {
        let bytes = frame((10, 30), &[7, 255, 0, 2, 0, 0, 0, 60]);
        assert_eq!(
            hear(&mut bytes.as_slice(), (10, 30)).unwrap(),
            [7, 255, 0, 2, 0, 0, 0, 60]
        );
        assert!(hear(&mut bytes.as_slice(), (10, 41)).is_err());
        assert!(hear(&mut &bytes[..9], (10, 30)).is_err());
        assert!(hear(&mut [1, 0, 0, 255, 255, 255, 255].as_slice(), (10, 30)).is_err());
    }

    #[test]
    fn waiting_ends_when_there_is_no_use_in_it() {
        // Nobody listens where a listener has just been dropped.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let limit = Duration::from_secs(60);
        assert_eq!(
            wait(port, limit, || Some("gone".to_owned())),
            Err("gone".to_owned())
        );
        let late = wait(port, Duration::ZERO, || None).unwrap_err();
        assert!(late.starts_with("no handshake within 0 s"), "{late}");
    }
}
