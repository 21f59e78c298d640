//! What a node says in its log lines, thread by thread: warnings and errors, and how many messages it says
//! it lost.

use std::cell::RefCell;
use std::fmt::{Debug, Write};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

thread_local! {
    static SAID: RefCell<Said> = RefCell::default();
}

/// What was said since [`take`] was called.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) lines: Vec<String>,
    /// Messages that could not be read.
    pub(crate) lost: u64,
}

/// Takes what this thread's nodes said.
pub(crate) fn take() -> Said {
    SAID.take()
}

/// Hears everything that this thread's nodes say while `act` runs.
pub(crate) fn hear<T>(act: impl FnOnce() -> T) -> T {
    tracing::subscriber::with_default(Ear, act)
}

struct Ear;

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        SAID.with_borrow_mut(|said| {
            let mut line = Line {
                text: String::new(),
                lost: 0,
            };
            event.record(&mut line);
            said.lost += line.lost;
            if said.lines.len() < LINES_MAX {
                said.lines.push(line.text);
            }
        });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

const LINES_MAX: usize = 500;

struct Line {
    text: String,
    lost: u64,
}

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "lost" {
            self.lost += value;
        }
        self.record_debug(field, &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.text, "{}={value:?} ", field.name());
    }
}
