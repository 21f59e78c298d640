//! What may stand to the right of a key: the types of values and how each is read.
//!
//! ```text
//!   5672                 all interfaces         60         whole numbers, digits only
//!   127.0.0.1:5672       one IPv4 address       infinity   no limit, where a row allows it
//!   [::1]:5672, ::1:5672 one IPv6 address       128KB      sizes of buffers: KB is 1024 bytes
//!   true, false          switches               2GB, 2GiB  memory: GB is 10^9 bytes, GiB and G are 2^30
//! ```
//!
//! The two kinds of units are RabbitMQ's: `frame_max` and its like count in 1024s whatever is written, memory
//! limits tell decimal units from binary ones. Spec: RabbitMQ: configure.md, memory.md.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A value that is written as one of a few words.
pub trait Word: Copy + PartialEq + 'static {
    /// Every word with its value.
    const WORDS: &'static [(&'static str, Self)];

    /// The value of the word, if it is one.
    fn read(text: &str) -> Option<Self> {
        Self::WORDS
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value)
    }

    /// The word of the value.
    fn word(self) -> &'static str {
        // Every value is in the list, which a test checks.
        Self::WORDS
            .iter()
            .find(|(_, value)| *value == self)
            .map_or("", |(word, _)| *word)
    }

    /// All words, for messages: `a, b, c`.
    fn list() -> String {
        Self::WORDS
            .iter()
            .map(|(word, _)| *word)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// How much is logged. RabbitMQ's names, from the most to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Everything.
    Debug,
    /// What happens in normal operation.
    Info,
    /// What is worth a look.
    Notice,
    /// What may become a fault.
    Warning,
    /// Faults.
    Error,
    /// Faults that stop a part of the broker.
    Critical,
    /// Faults that somebody must see to at once.
    Alert,
    /// Faults that stop the broker.
    Emergency,
    /// Nothing.
    None,
}

impl Word for Level {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("debug", Level::Debug),
        ("info", Level::Info),
        ("notice", Level::Notice),
        ("warning", Level::Warning),
        ("error", Level::Error),
        ("critical", Level::Critical),
        ("alert", Level::Alert),
        ("emergency", Level::Emergency),
        ("none", Level::None),
    ];
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A line to be read by people.
    Plaintext,
    /// One JSON object a line.
    Json,
}

impl Word for Format {
    const WORDS: &'static [(&'static str, Self)] =
        &[("plaintext", Format::Plaintext), ("json", Format::Json)];
}

/// How a password is hashed, by RabbitMQ's name for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashingAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// MD5, for users that come from releases before 3.6.
    Md5,
}

impl Word for HashingAlgorithm {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("rabbit_password_hashing_sha256", HashingAlgorithm::Sha256),
        ("rabbit_password_hashing_sha512", HashingAlgorithm::Sha512),
        ("rabbit_password_hashing_md5", HashingAlgorithm::Md5),
    ];
}

/// A SASL mechanism that clients may log in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// Name and password.
    Plain,
    /// Name and password in a field table.
    AmqPlain,
}

impl Word for Mechanism {
    const WORDS: &'static [(&'static str, Self)] =
        &[("PLAIN", Mechanism::Plain), ("AMQPLAIN", Mechanism::AmqPlain)];
}

/// Where a listener listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// The interface's address; all interfaces if there is none.
    pub host: Option<IpAddr>,
    /// The TCP port; 0 lets the system choose a free one.
    pub port: u16,
}

impl Endpoint {
    /// Reads `port` or `address:port`, the address of IPv6 with or without brackets.
    pub fn read(text: &str) -> Option<Self> {
        let Some((host, port)) = text.rsplit_once(':') else {
            return Some(Endpoint {
                host: None,
                port: port_number(text)?,
            });
        };
        let host = match host.strip_prefix('[') {
            Some(rest) => IpAddr::V6(rest.strip_suffix(']')?.parse().ok()?),
            None => host.parse().ok()?,
        };
        Some(Endpoint {
            host: Some(host),
            port: port_number(port)?,
        })
    }

    /// The socket addresses to try in order until one can be bound.
    ///
    /// All interfaces means the IPv6 wildcard, which takes IPv4 too, and the IPv4 one where there is no IPv6.
    pub fn candidates(&self) -> Vec<SocketAddr> {
        let hosts = match self.host {
            Some(host) => vec![host],
            None => vec![Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()],
        };
        hosts
            .into_iter()
            .map(|host| SocketAddr::new(host, self.port))
            .collect()
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host {
            Some(host) => write!(f, "{}", SocketAddr::new(host, self.port)),
            None => write!(f, "*:{}", self.port),
        }
    }
}

fn port_number(text: &str) -> Option<u16> {
    u16::try_from(integer(text)?).ok()
}

/// Reads `true` or `false`.
pub fn switch(text: &str) -> Option<bool> {
    text.parse().ok()
}

/// Reads a whole number without sign.
pub fn integer(text: &str) -> Option<u64> {
    // `parse` alone would take a leading `+`.
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// Reads a number between 0 and 1.
pub fn fraction(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number| (0.0..=1.0).contains(number))
}

/// Reads a number from 0 upwards.
pub fn factor(text: &str) -> Option<f64> {
    text.parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

/// Reads the size of a buffer in bytes: a number, or one with `KB`, `MB` or `GB`, which count in 1024s.
pub fn size_bytes(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" => 1,
        "kb" => 1 << 10,
        "mb" => 1 << 20,
        "gb" => 1 << 30,
        _ => return None,
    };
    integer(number)?.checked_mul(factor)
}

/// Reads an amount of memory in bytes: `GB` and its like are decimal, `G`, `Gi` and `GiB` binary.
pub fn memory_bytes(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text);
    let unit = unit.to_ascii_lowercase();
    if unit.is_empty() {
        return integer(number);
    }
    let mut letters = unit.chars();
    let power = 1 + u32::try_from("kmgtp".find(letters.next()?)?).ok()?;
    let base: u64 = match letters.as_str() {
        "b" => 1000,
        "" | "i" | "ib" => 1024,
        _ => return None,
    };
    integer(number)?.checked_mul(base.checked_pow(power)?)
}

/// Cuts off what follows the digits at the beginning, spaces between them left out.
fn split_unit(text: &str) -> (&str, &str) {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    (number, unit.trim_start())
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )]

    use super::*;

    #[test]
    fn a_port_alone_means_all_interfaces() {
        let endpoint = Endpoint::read("5672").unwrap();
        assert_eq!(
            endpoint,
            Endpoint {
                host: None,
                port: 5672
            }
        );
        assert_eq!(endpoint.to_string(), "*:5672");
        let candidates: Vec<String> = endpoint.candidates().iter().map(ToString::to_string).collect();
        assert_eq!(candidates, ["[::]:5672", "0.0.0.0:5672"]);
    }

    #[test]
    fn addresses_of_both_families_are_read() {
        for (text, shown) in [
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("::1:5672", "[::1]:5672"),
            ("[::1]:5672", "[::1]:5672"),
            (":::5672", "[::]:5672"),
        ] {
            let endpoint = Endpoint::read(text).unwrap();
            assert_eq!(endpoint.to_string(), shown);
            assert_eq!(endpoint.candidates(), [shown.parse().unwrap()]);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "65536",
            "-1",
            "+1",
            "localhost:5672",
            "[127.0.0.1]:1",
            "[::1:1",
            "::1",
            "1.2.3.4:",
            ":1",
        ] {
            assert_eq!(Endpoint::read(text), None, "{text}");
        }
    }

    #[test]
    fn buffer_sizes_count_in_1024s() {
        assert_eq!(size_bytes("131072"), Some(131_072));
        assert_eq!(size_bytes("128KB"), Some(131_072));
        assert_eq!(size_bytes("2mb"), Some(2 << 20));
        assert_eq!(size_bytes("1GB"), Some(1 << 30));
        for text in ["", "KB", "1KiB", "1B", "-1", "1.5MB", "18446744073709551615KB"] {
            assert_eq!(size_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn memory_tells_decimal_from_binary_units() {
        assert_eq!(memory_bytes("1000"), Some(1000));
        assert_eq!(memory_bytes("1kB"), Some(1000));
        for binary in ["1k", "1K", "1ki", "1kiB", "1KIB"] {
            assert_eq!(memory_bytes(binary), Some(1024), "{binary}");
        }
        assert_eq!(memory_bytes("2GB"), Some(2_000_000_000));
        assert_eq!(memory_bytes("2GiB"), Some(2 << 30));
        assert_eq!(memory_bytes("1 TB"), Some(1_000_000_000_000));
        assert_eq!(memory_bytes("1PiB"), Some(1 << 50));
        for text in ["", "GB", "1EB", "1Gb2", "1B", "99999999PiB"] {
            assert_eq!(memory_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn fractions_end_at_one() {
        assert_eq!(fraction("0.4"), Some(0.4));
        assert_eq!(fraction("1"), Some(1.0));
        for text in ["1.01", "-0.1", "NaN", "inf", "", "40%"] {
            assert_eq!(fraction(text), None, "{text}");
        }
    }

    #[test]
    fn factors_have_an_end() {
        assert_eq!(factor("2.0"), Some(2.0));
        assert_eq!(factor("0"), Some(0.0));
        for text in ["-1", "NaN", "inf", "", "2x"] {
            assert_eq!(factor(text), None, "{text}");
        }
    }

    #[test]
    fn words_are_exact() {
        assert_eq!(Level::read("warning"), Some(Level::Warning));
        assert_eq!(Level::read("Warning"), None);
        assert_eq!(Mechanism::list(), "PLAIN, AMQPLAIN");
    }

    #[test]
    fn every_value_has_its_word() {
        use HashingAlgorithm::{Md5, Sha256, Sha512};
        assert_eq!(
            [Sha256, Sha512, Md5].map(|value| HashingAlgorithm::read(value.word())),
            [Some(Sha256), Some(Sha512), Some(Md5)]
        );
        assert_eq!(
            [Mechanism::Plain, Mechanism::AmqPlain].map(Word::word),
            ["PLAIN", "AMQPLAIN"]
        );
        assert_eq!(
            [Format::Plaintext, Format::Json].map(Word::word),
            ["plaintext", "json"]
        );
        for level in [
            Level::Debug,
            Level::Info,
            Level::Notice,
            Level::Warning,
            Level::Error,
        ] {
            assert_eq!(Level::read(level.word()), Some(level));
        }
        for level in [Level::Critical, Level::Alert, Level::Emergency, Level::None] {
            assert_eq!(Level::read(level.word()), Some(level));
        }
    }
}
