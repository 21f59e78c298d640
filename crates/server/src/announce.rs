//! What the program says on standard output when it has started: version, listeners, where data lies.
//!
//! ```text
//!   warren 0.1.0
//!     amqp    127.0.0.1:5672
//!     data    /var/lib/warren
//!     config  /etc/warren.conf
//! ```

use std::fmt;
use std::path::Path;

/// The program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is to be said; its `Display` ends in a line break.
#[derive(Debug, Clone)]
pub struct Announcement<'a> {
    /// RabbitMQ's name of each listener's protocol, and where it listens.
    pub listeners: Vec<(&'a str, String)>,
    /// The data folder; none if nothing is kept.
    pub data_dir: Option<&'a Path>,
    /// The configuration file, if one was read.
    pub config: Option<&'a Path>,
}

impl fmt::Display for Announcement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "warren {VERSION}")?;
        for (protocol, address) in &self.listeners {
            writeln!(f, "  {protocol:<7} {address}")?;
        }
        if self.listeners.is_empty() {
            writeln!(f, "  no listeners")?;
        }
        match self.data_dir {
            Some(path) => writeln!(f, "  data    {}", path.display())?,
            None => writeln!(f, "  data    in memory only, lost when the broker stops")?,
        }
        match self.config {
            Some(path) => writeln!(f, "  config  {}", path.display()),
            None => writeln!(f, "  config  defaults"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_its_line() {
        let text = Announcement {
            listeners: vec![("amqp", "127.0.0.1:5672".into()), ("amqp", "*:5673".into())],
            data_dir: Some(Path::new("/var/lib/warren")),
            config: Some(Path::new("w.conf")),
        };
        let lines =
            "  amqp    127.0.0.1:5672\n  amqp    *:5673\n  data    /var/lib/warren\n  config  w.conf\n";
        assert_eq!(text.to_string(), format!("warren {VERSION}\n{lines}"));
    }

    #[test]
    fn what_is_missing_is_said() {
        let text = Announcement {
            listeners: vec![],
            data_dir: None,
            config: None,
        };
        let lines =
            "  no listeners\n  data    in memory only, lost when the broker stops\n  config  defaults\n";
        assert_eq!(text.to_string(), format!("warren {VERSION}\n{lines}"));
    }
}
