//! A line a second on standard error: written over on a terminal, one below the other in a file.

use std::io::{self, IsTerminal, Write};

use crate::conductor::Phase;
use crate::report::text::{count, microseconds};

#[derive(Debug)]
pub(crate) struct Progress {
    is_quiet: bool,
    is_terminal: bool,
}

impl Progress {
    pub(crate) fn new(is_quiet: bool) -> Self {
        Self {
            is_quiet,
            is_terminal: io::stderr().is_terminal(),
        }
    }

    pub(crate) fn tell(&self, second: &Phase) {
        if self.is_quiet {
            return;
        }
        let line = line(second);
        // If standard error is gone, nobody wanted to know.
        let _ = match self.is_terminal {
            true => write!(io::stderr(), "\r\x1b[K{line}"),
            false => writeln!(io::stderr(), "{line}"),
        };
    }

    /// The line is over.
    pub(crate) fn end(&self) {
        if !self.is_quiet && self.is_terminal {
            let _ = writeln!(io::stderr());
        }
    }
}

fn line(second: &Phase) -> String {
    let at_s = second.start_ns as f64 / 1e9 + second.seconds;
    let a_second = |value: u64| count(value as f64 / second.seconds.max(1e-9));
    let mut line = format!("{:>7} {at_s:>5.0} s", second.name);
    for (value, name) in [
        (second.counts.published, "published"),
        (second.counts.confirmed, "confirmed"),
        (second.counts.delivered, "delivered"),
        (second.counts.churned, "churned"),
    ] {
        if value > 0 {
            line.push_str(&format!("  {} {name}/s", a_second(value)));
        }
    }
    for (timings, name) in [
        (&second.timings.delivery, "delivery"),
        (&second.timings.confirm, "confirm"),
    ] {
        if !timings.is_empty() {
            let p99 = microseconds(timings.value_at_quantile(0.99));
            line.push_str(&format!("  {name} p99 {p99}"));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{Counts, Timings, record};
    use crate::probe::Look;

    #[test]
    fn a_line_says_what_there_is_to_say() {
        let mut timings = Timings::default();
        record(&mut timings.delivery, 1_500_000, 7);
        let second = Phase {
            name: "run",
            start_ns: 1_000_000_000,
            seconds: 2.0,
            counts: Counts {
                published: 3_000_000,
                ..Counts::default()
            },
            timings,
            before: Look::default(),
            after: Look::default(),
        };
        assert_eq!(
            line(&second),
            "    run     3 s  1,500,000 published/s  delivery p99 1.50 ms"
        );
    }
}
