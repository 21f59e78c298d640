//! What a broker, or `warren check`, says is lost: so many messages, and so many bytes of records of which
//! nobody can say what was in them.

use std::ops::Range;

use crate::folder::Place;

/// What was said.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Messages.
    pub(super) messages: u64,
    /// Bytes of records.
    pub(super) bytes: u64,
    /// Positions of the log whose records are said to be lost, or some of them.
    positions: Vec<Range<u64>>,
    /// Files of the log that are said to end early, and where.
    ends: Vec<(String, u64)>,
}

impl Told {
    /// Reads the log of a start and of what came after it.
    pub(super) fn by_broker(log: &str) -> Told {
        let mut told = Told::default();
        for line in log.lines() {
            if let Some((_, damage)) = line.split_once("damage in the store damage=") {
                told.damage(damage);
            }
            if line.contains("the data folder is damaged: ") {
                told.messages += number_behind(line, "messages_lost=");
            }
            // Those that the log held are in the sum above.
            if line.contains("messages cannot be read and are set aside") {
                told.messages += number_behind(line, "lost=");
            }
        }
        told
    }

    /// Reads what `warren check` prints.
    pub(super) fn by_check(text: &str) -> Told {
        let mut told = Told::default();
        for line in text.lines() {
            told.damage(line);
            if line.starts_with("damaged: ") && line.contains("known to be lost") {
                told.messages = numbers(line).nth(1).unwrap_or(0);
            }
        }
        told
    }

    /// One report: `FILE at byte OFFSET: what is wrong there`.
    fn damage(&mut self, report: &str) {
        let Some((file, rest)) = report.trim_start().split_once(" at byte ") else {
            return;
        };
        let Some((offset, what)) = rest.split_once(": ") else {
            return;
        };
        let offset = offset.parse().unwrap_or(0);
        let said: Vec<u64> = numbers(what).collect();
        let mut lost = |first: u64, end: u64, bytes: u64| {
            self.positions.push(first..end);
            self.bytes += bytes;
        };
        match *said.as_slice() {
            [bytes, first] if what.contains("bytes of records, from position") => {
                lost(first, first + bytes, bytes);
            }
            [bytes, of, first] if what.contains("bytes of records, from position") => {
                lost(first, first + of, bytes);
            }
            [base, first] if what.contains("the file begins with position") => {
                lost(first, base, base.saturating_sub(first));
            }
            [end, first, ..] if what.contains("the log ends at position") => {
                lost(end, first, first.saturating_sub(end));
            }
            [bytes] if what.contains("the file ends within a batch") => {
                self.bytes += bytes;
                self.ends.push((file.to_owned(), offset));
            }
            _ if what.contains("the file ends here") => self.ends.push((file.to_owned(), offset)),
            _ if what.contains("the file ends within its header") => self.ends.push((file.to_owned(), 0)),
            _ => {}
        }
    }

    /// Whether a record is among those that are said to be lost as a whole.
    pub(super) fn covers(&self, place: &Place) -> bool {
        let is_named = |range: &Range<u64>| range.contains(&place.position);
        let is_behind = |(file, end): &(String, u64)| *file == place.file && place.at + place.bytes > *end;
        self.positions.iter().any(is_named) || self.ends.iter().any(is_behind)
    }
}

/// The numbers in a text, in their order.
fn numbers(text: &str) -> impl Iterator<Item = u64> {
    let words = text.split(|letter: char| !letter.is_ascii_digit());
    words.filter_map(|word| word.parse().ok())
}

fn number_behind(line: &str, name: &str) -> u64 {
    // A name may be the end of another one.
    let name = format!(" {name}");
    let rest = line.split(name.as_str()).nth(1).unwrap_or_default();
    numbers(rest).next().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: u64, at: u64) -> Place {
        Place {
            file: "log/1.log".to_owned(),
            at,
            position,
            bytes: 50,
        }
    }

    #[test]
    fn a_start_tells_messages_and_records() {
        let log = "t ERROR r: damage in the store damage=log/1.log at byte 9: \
                   100 bytes of records, from position 500 on, are damaged\n\
                   t ERROR r: damage in the store damage=log/1.log at byte 9: \
                   70 of 90 bytes of records, from position 1000 on, are lost\n\
                   t ERROR r: messages are lost queue=7 lost=3 file=log/1.log offset=1\n\
                   t ERROR b: the data folder is damaged: what is whole is served damages=2 messages_lost=3\n\
                   t ERROR s: messages cannot be read and are set aside queue=a lost=4 extent=5\n";
        let told = Told::by_broker(log);
        assert_eq!((told.messages, told.bytes), (7, 170));
        for (position, covered) in [
            (499, false),
            (500, true),
            (600, false),
            (1000, true),
            (1090, false),
        ] {
            assert_eq!(told.covers(&at(position, 0)), covered, "{position}");
        }
    }

    #[test]
    fn a_check_tells_messages_and_where_a_file_ends() {
        let text = "damage\n  log/1.log at byte 4000: the file ends here, and should have 9000 bytes\n\
                    damaged: 1 place, 12 messages known to be lost\n";
        let told = Told::by_check(text);
        assert_eq!((told.messages, told.bytes), (12, 0));
        assert!(!told.covers(&at(0, 3950)));
        assert!(told.covers(&at(0, 3951)));
    }
}
