//! Holds the cases of a file with a broker and compares what is heard with what is written.

use super::brokers::{Broker, Until};
use super::hearing::{Heard, quoted};
use super::line::{self, Said};
use super::pattern::{self, Variables};
use super::script::{self, Act, Case, Connect};
use std::fmt::Write;
use std::path::Path;

/// Makes the broker of a case.
pub(super) type Maker<'m> = dyn FnMut() -> Result<Box<dyn Broker>, String> + 'm;

/// A place in the file and what belongs there.
#[derive(Debug)]
struct Edit {
    /// Lines to take out, from 1.
    remove: Vec<usize>,
    /// The line in front of which, or behind which when nothing is taken out, the new ones go.
    at: usize,
    lines: Vec<String>,
}

/// Holds all cases of a file. Answers how many were held.
///
/// # Errors
/// A report of all that went wrong, with file and line.
pub(super) fn file(path: &Path, make: &mut Maker<'_>) -> Result<usize, String> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let only = std::env::var("CASE").unwrap_or_default();
    let held = hold(&shown, &text, &only, update, make)?;
    if held.text != text {
        std::fs::write(path, held.text).map_err(|error| format!("{shown}: {error}"))?;
    }
    if held.report.is_empty() {
        Ok(held.count)
    } else {
        Err(held.report)
    }
}

/// What came of a file.
#[derive(Debug)]
struct Held {
    /// Cases that were held.
    count: usize,
    /// What went wrong.
    report: String,
    /// The file's text, with what was heard when that was asked for.
    text: String,
}

/// Holds the cases whose titles contain `only`.
fn hold(shown: &str, text: &str, only: &str, update: bool, make: &mut Maker<'_>) -> Result<Held, String> {
    let cases = script::parse(text).map_err(|(line, error)| format!("{shown}:{line}: {error}"))?;
    let (mut count, mut report, mut edits) = (0, String::new(), Vec::new());
    for case in cases.iter().filter(|case| case.title.contains(only)) {
        let mut broker = make()?;
        if case.warren_only && !broker.is_warren() {
            broker.end()?;
            continue;
        }
        count += 1;
        let mut run = Run::new(broker, update);
        let outcome = run
            .case(case)
            .and_then(|()| run.broker.end().map_err(|error| (case.line, error)));
        if let Err((line, error)) = outcome {
            // Whatever is left behind is told by the first error.
            let _ = run.broker.end();
            let _ = writeln!(report, "{shown}:{line}: in \"{}\"\n{error}", case.title);
        }
        edits.append(&mut run.edits);
    }
    Ok(Held {
        count,
        report,
        text: edited(text, &edits),
    })
}

fn edited(text: &str, edits: &[Edit]) -> String {
    if edits.is_empty() {
        return text.to_owned();
    }
    let mut out = String::new();
    for (index, content) in text.lines().enumerate() {
        let number = index + 1;
        let is_removed = edits.iter().any(|edit| edit.remove.contains(&number));
        if !is_removed {
            out.push_str(content);
            out.push('\n');
        }
        for edit in edits.iter().filter(|edit| edit.at == number) {
            for line in &edit.lines {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

/// A line that is written to be heard.
#[derive(Debug)]
struct Expected {
    line: usize,
    peer: char,
    text: String,
}

impl Expected {
    /// Where it has an order with others.
    fn place(&self) -> (char, u32) {
        let first = self.text.split(' ').next().unwrap_or_default();
        let channel = match first {
            "EOF" => u32::MAX,
            word => word.parse().unwrap_or(0),
        };
        (self.peer, channel)
    }
}

struct Run {
    broker: Box<dyn Broker>,
    variables: Variables,
    update: bool,
    edits: Vec<Edit>,
    unordered: bool,
    /// Something was done since the last time somebody listened.
    is_pending: bool,
    last_line: usize,
}

type Outcome = Result<(), (usize, String)>;

impl Run {
    fn new(broker: Box<dyn Broker>, update: bool) -> Self {
        let variables = Variables::new();
        let (edits, unordered, is_pending, last_line) = (Vec::new(), false, false, 0);
        Self {
            broker,
            variables,
            update,
            edits,
            unordered,
            is_pending,
            last_line,
        }
    }

    fn case(&mut self, case: &Case) -> Outcome {
        let connects = |act: &Act| match act {
            Act::Socket(peer) => *peer == 'C',
            Act::Connect(connect) => connect.peer == 'C',
            _ => false,
        };
        let by_itself = !case.steps.iter().any(|step| connects(&step.act));
        // Users and the like are there before anybody connects.
        let mut is_connected = !by_itself;
        let mut steps = case.steps.iter().peekable();
        while let Some(step) = steps.next() {
            let told = |error: String| (step.line, error);
            if !is_connected && !matches!(step.act, Act::Wish(_)) {
                is_connected = true;
                self.connect(&Connect::new('C')).map_err(told)?;
            }
            match &step.act {
                Act::Hear { peer, text } => {
                    let mut expected = vec![Expected {
                        line: step.line,
                        peer: *peer,
                        text: text.clone(),
                    }];
                    while let Some(next) = steps.next_if(|next| matches!(next.act, Act::Hear { .. })) {
                        if let Act::Hear { peer, text } = &next.act {
                            expected.push(Expected {
                                line: next.line,
                                peer: *peer,
                                text: text.clone(),
                            });
                        }
                    }
                    self.listen(&expected)?;
                }
                Act::Say { peer, text } => {
                    self.say(*peer, text).map_err(told)?;
                    self.is_pending = true;
                }
                act => self.directive(act, step.line)?,
            }
            self.last_line = step.line;
        }
        self.expect_silence()
    }

    fn directive(&mut self, act: &Act, line: usize) -> Outcome {
        let told = |error: String| (line, error);
        // It belongs to what is heard next.
        if *act == Act::Unordered {
            self.unordered = true;
            return Ok(());
        }
        self.expect_silence()?;
        match act {
            Act::Socket(peer) => self.broker.connect(*peer).map_err(told),
            Act::Connect(connect) => self.connect(connect).map_err(told),
            Act::Wish(wish) => {
                self.is_pending = true;
                self.broker.wish(wish).map_err(told)
            }
            Act::Quiet => {
                self.is_pending = true;
                self.last_line = line;
                self.expect_silence()
            }
            Act::Say { .. } | Act::Hear { .. } | Act::Unordered => Ok(()),
        }
    }

    fn say(&mut self, peer: char, text: &str) -> Result<(), String> {
        let filled = self.broker.outgoing(pattern::fill(text, &self.variables)?);
        match line::parse(&filled)? {
            Said::Bytes(bytes) => self.broker.say(peer, &bytes),
            Said::HangUp => self.broker.hang_up(peer),
        }
    }

    fn expect_silence(&mut self) -> Outcome {
        if self.is_pending { self.listen(&[]) } else { Ok(()) }
    }

    fn listen(&mut self, expected: &[Expected]) -> Outcome {
        self.is_pending = false;
        let unordered = std::mem::take(&mut self.unordered);
        let line = expected.first().map_or(self.last_line, |first| first.line);
        let written = expected.len();
        let heard = self
            .broker
            .hear(Until::Quiet(written))
            .map_err(|error| (line, error))?;
        let heard: Vec<Heard> = heard
            .into_iter()
            .map(|one| Heard {
                text: self.broker.incoming(one.text),
                ..one
            })
            .collect();
        let before = self.variables.clone();
        if self.fits(expected, &heard, unordered) {
            return Ok(());
        }
        self.variables = before;
        if self.update {
            self.rewrite(expected, &heard, line);
            return Ok(());
        }
        let mut report = String::from("  written:\n");
        for one in expected {
            let _ = writeln!(report, "    {}< {}", letter(one.peer), one.text);
        }
        report.push_str("  heard:\n");
        for one in &heard {
            let _ = writeln!(report, "    {}< {}", letter(one.peer), one.text);
        }
        Err((line, report))
    }

    fn fits(&mut self, expected: &[Expected], heard: &[Heard], unordered: bool) -> bool {
        let mut places: Vec<(char, u32)> = heard.iter().map(|one| (one.peer, one.channel)).collect();
        places.extend(expected.iter().map(Expected::place));
        places.sort_unstable();
        places.dedup();
        expected.len() == heard.len()
            && places.into_iter().all(|place| {
                let wanted: Vec<&str> = expected
                    .iter()
                    .filter(|one| one.place() == place)
                    .map(|one| one.text.as_str())
                    .collect();
                let mut got: Vec<&str> = heard
                    .iter()
                    .filter(|one| (one.peer, one.channel) == place)
                    .map(|one| one.text.as_str())
                    .collect();
                wanted.len() == got.len()
                    && wanted.into_iter().all(|pattern| {
                        let found = got
                            .iter()
                            .position(|line| pattern::matches(pattern, line, &mut self.variables))
                            .filter(|at| unordered || *at == 0);
                        found.map(|at| got.remove(at)).is_some()
                    })
            })
    }

    /// Notes what was heard for the file; lines that fit stay as they were written.
    fn rewrite(&mut self, expected: &[Expected], heard: &[Heard], line: usize) {
        let mut lines = Vec::new();
        for (index, one) in heard.iter().enumerate() {
            let kept = expected.get(index).filter(|wanted| {
                wanted.peer == one.peer && pattern::matches(&wanted.text, &one.text, &mut self.variables)
            });
            let text = match kept {
                Some(wanted) => wanted.text.clone(),
                None => pattern::generalise(&one.text, &mut self.variables),
            };
            lines.push(format!("{}< {text}", letter(one.peer)));
        }
        let remove = expected.iter().map(|one| one.line).collect();
        self.edits.push(Edit {
            remove,
            at: line,
            lines,
        });
    }

    /// The whole handshake, and the channels.
    fn connect(&mut self, connect: &Connect) -> Result<(), String> {
        let peer = connect.peer;
        self.broker.connect(peer)?;
        self.say(peer, r#"raw "AMQP\x00\x00\x09\x01""#)?;
        self.answered(peer, "0 connection.start ")?;
        let capabilities: Vec<String> = connect
            .capabilities
            .iter()
            .map(|name| format!("\"{name}\"=true"))
            .collect();
        let response = quoted(format!("\0{}\0{}", connect.user, connect.password).as_bytes());
        self.say(
            peer,
            &format!(
                "0 connection.start-ok client_properties={{capabilities={{{}}}}} mechanism=\"PLAIN\" \
                 response={} locale=\"en_US\"",
                capabilities.join(", "),
                response.replace('$', "$$"),
            ),
        )?;
        self.answered(peer, "0 connection.tune ")?;
        let Connect {
            frame_max,
            channel_max,
            heartbeat,
            ..
        } = connect;
        self.say(
            peer,
            &format!(
                "0 connection.tune-ok channel_max={channel_max} frame_max={frame_max} heartbeat={heartbeat}"
            ),
        )?;
        if !connect.opens {
            return Ok(());
        }
        self.say(
            peer,
            &format!("0 connection.open vhost={}", quoted(connect.vhost.as_bytes())),
        )?;
        self.answered(peer, "0 connection.open-ok")?;
        for channel in &connect.channels {
            self.say(peer, &format!("{channel} channel.open"))?;
            self.answered(peer, &format!("{channel} channel.open-ok"))?;
        }
        Ok(())
    }

    fn answered(&mut self, peer: char, begin: &str) -> Result<(), String> {
        let heard = self.broker.hear(Until::Heard(1))?;
        match heard.as_slice() {
            [one] if one.peer == peer && one.text.starts_with(begin) => Ok(()),
            _ => Err(format!(
                "while {peer} connects: wanted `{begin}`, heard {heard:?}"
            )),
        }
    }
}

/// How a peer's hearing is written: what `C` hears, the server says.
fn letter(peer: char) -> char {
    if peer == 'C' { 'S' } else { peer }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::warren::Warren;
    use super::*;

    fn held(text: &str, update: bool) -> Held {
        hold("file", text, "", update, &mut || Ok(Box::new(Warren::new(false)))).unwrap()
    }

    const RIGHT: &str = "=== a\nC> 1 tx.select\nS< 1 tx.select-ok\n\n\
        === b\nC> 1 queue.declare\nS< 1 queue.declare-ok queue=\"$q1\" message_count=0 consumer_count=0\n";

    #[test]
    fn what_is_heard_as_written_is_fine() {
        let held = held(RIGHT, false);
        assert_eq!((held.count, held.report.as_str()), (2, ""));
    }

    #[test]
    fn another_answer_is_told_with_its_line() {
        let report = held("\n=== a\nC> 1 tx.select\nS< 1 tx.commit-ok\n", false).report;
        assert!(report.starts_with("file:4: in \"a\"\n"), "{report}");
        assert!(
            report.contains("S< 1 tx.commit-ok") && report.contains("S< 1 tx.select-ok"),
            "{report}"
        );
    }

    #[test]
    fn silence_is_asked_for_too() {
        let more = held("=== a\nC> 1 tx.select\n", false).report;
        assert!(more.starts_with("file:2:"), "{more}");
        let less = held("=== a\nC> heartbeat\nS< heartbeat\n", false).report;
        assert!(less.starts_with("file:3:"), "{less}");
        let quiet = held("=== a\nC> 1 tx.select\n@quiet\nS< 1 tx.select-ok\n", false).report;
        assert!(quiet.starts_with("file:2:"), "{quiet}");
    }

    #[test]
    fn order_counts_within_a_channel_unless_told() {
        let said = "=== a\nC> 1 tx.select\nC> 1 tx.commit\n";
        let swapped = "S< 1 tx.commit-ok\nS< 1 tx.select-ok\n";
        assert!(!held(&format!("{said}{swapped}"), false).report.is_empty());
        assert_eq!(held(&format!("{said}@unordered\n{swapped}"), false).report, "");
    }

    #[test]
    fn updating_writes_what_was_heard_and_keeps_what_fits() {
        let empty = RIGHT.replace("S< 1 tx.select-ok", "S<");
        let empty = empty.replace(
            "S< 1 queue.declare-ok queue=\"$q1\" message_count=0 consumer_count=0",
            "S<",
        );
        let held = held(&empty, true);
        assert_eq!((held.text.as_str(), held.report.as_str()), (RIGHT, ""));
        assert_eq!(self::held(RIGHT, true).text, RIGHT);
    }
}
