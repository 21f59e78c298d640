//! Where a broker is and who logs in: `amqp://user:password@host:port/vhost?heartbeat=60`.
//!
//! As in RabbitMQ's clients, what is left out is guest, localhost, 5672 and `/`; an empty path behind the
//! slash is a virtual host without a name. Octets are written `%2f` where they would mean something else.

use std::fmt;

/// Of AMQP without TLS.
const PORT: u16 = 5672;

/// An address with a login.
#[derive(Clone, PartialEq, Eq)]
pub struct Uri {
    /// Name or address, without the brackets of IPv6.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// The password; never shown.
    pub password: String,
    /// The virtual host.
    pub vhost: String,
    /// Seconds between signs of life, 0 for none; the broker's suggestion if not said.
    pub heartbeat_s: Option<u16>,
}

/// Why a text is no address of a broker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// TLS is asked for.
    #[error("amqps:// needs TLS, which this client does not have: use amqp://")]
    Tls,
    /// It does not begin as it has to.
    #[error("a broker's address begins with amqp://, as in amqp://guest:guest@localhost:5672/%2f")]
    Scheme,
    /// The port is none.
    #[error("`{0}` is no port: a number from 1 to 65535")]
    Port(String),
    /// An escape that is none, or what it stands for is no UTF-8.
    #[error("`{0}` has a % that is not followed by two hexadecimal digits of UTF-8")]
    Escape(String),
    /// The virtual host contains a slash as such.
    #[error("`{0}` has a slash: write it as %2f")]
    Slash(String),
    /// A parameter behind the question mark that is not known.
    #[error("`{0}` is not known here: only heartbeat=SECONDS is")]
    Parameter(String),
}

impl Uri {
    /// Reads an address.
    ///
    /// # Errors
    /// [`UriError`], all of them.
    pub fn parse(text: &str) -> Result<Uri, UriError> {
        let rest = match text.split_once("://") {
            Some(("amqp", rest)) => rest,
            Some(("amqps", _)) => return Err(UriError::Tls),
            _ => return Err(UriError::Scheme),
        };
        let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, vhost) = match rest.split_once('/') {
            Some((authority, vhost)) => (authority, vhost),
            None => (rest, "%2f"),
        };
        if vhost.contains('/') {
            return Err(UriError::Slash(vhost.to_owned()));
        }
        let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, password),
            None if login.is_empty() => ("guest", "guest"),
            None => (login, "guest"),
        };
        let (host, port) = split_port(place)?;
        Ok(Uri {
            host: if host.is_empty() { "localhost" } else { host }.to_owned(),
            port,
            user: unescape(user)?,
            password: unescape(password)?,
            vhost: unescape(vhost)?,
            heartbeat_s: heartbeat(parameters)?,
        })
    }

    /// Host and port as they are written together.
    pub fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "amqp://{}@{}/{}", self.user, self.address(), self.vhost)
    }
}

fn split_port(place: &str) -> Result<(&str, u16), UriError> {
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    match port.map(|port| (port, port.parse())) {
        None => Ok((host, PORT)),
        Some((_, Ok(port))) if port > 0 => Ok((host, port)),
        Some((port, _)) => Err(UriError::Port(port.to_owned())),
    }
}

fn heartbeat(parameters: &str) -> Result<Option<u16>, UriError> {
    let mut heartbeat_s = None;
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let seconds = parameter
            .strip_prefix("heartbeat=")
            .and_then(|seconds| seconds.parse().ok());
        match seconds {
            Some(seconds) => heartbeat_s = Some(seconds),
            None => return Err(UriError::Parameter(parameter.to_owned())),
        }
    }
    Ok(heartbeat_s)
}

fn unescape(text: &str) -> Result<String, UriError> {
    let wrong = || UriError::Escape(text.to_owned());
    let mut parts = text.split('%');
    let mut octets = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or_else(wrong)?;
        // The number reader would take a sign.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        octets.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        octets.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(octets).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Uri {
        Uri::parse(text).unwrap()
    }

    #[test]
    fn what_is_left_out_has_defaults() {
        for text in [
            "amqp://",
            "amqp://localhost",
            "amqp://guest@localhost:5672",
            "amqp://guest:guest@localhost/%2f",
        ] {
            let uri = parse(text);
            assert_eq!(uri.address(), "localhost:5672", "{text}");
            assert_eq!((uri.user.as_str(), uri.password.as_str()), ("guest", "guest"));
            assert_eq!(uri.vhost, "/");
            assert_eq!(uri.heartbeat_s, None);
        }
    }

    #[test]
    fn everything_can_be_said() {
        let uri = parse("amqp://a%40b:p%3aw:x@[::1]:5673/my%2fvhost?heartbeat=7");
        assert_eq!(uri.address(), "[::1]:5673");
        assert_eq!(uri.user, "a@b");
        assert_eq!(uri.password, "p:w:x");
        assert_eq!(uri.vhost, "my/vhost");
        assert_eq!(uri.heartbeat_s, Some(7));
        assert_eq!(parse("amqp://h/").vhost, "");
        assert_eq!(parse("amqp://[::1]").port, 5672);
    }

    #[test]
    fn the_password_is_not_shown() {
        assert_eq!(format!("{:?}", parse("amqp://u:secret@h/v")), "amqp://u@h:5672/v");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |text| Uri::parse(text).unwrap_err();
        assert_eq!(wrong("localhost:5672"), UriError::Scheme);
        assert_eq!(wrong("http://localhost"), UriError::Scheme);
        assert_eq!(wrong("amqps://localhost"), UriError::Tls);
        assert_eq!(wrong("amqp://h:0"), UriError::Port("0".to_owned()));
        assert_eq!(wrong("amqp://h:x/v"), UriError::Port("x".to_owned()));
        assert_eq!(wrong("amqp://h/a%2"), UriError::Escape("a%2".to_owned()));
        assert_eq!(wrong("amqp://h/a%+1"), UriError::Escape("a%+1".to_owned()));
        assert_eq!(wrong("amqp://h/a%ff"), UriError::Escape("a%ff".to_owned()));
        assert_eq!(wrong("amqp://h/a/b"), UriError::Slash("a/b".to_owned()));
        assert_eq!(wrong("amqp://h?x=1"), UriError::Parameter("x=1".to_owned()));
    }
}
