//! Signs of life, without a look at the clock for every read and write.
//!
//! Twice in the agreed time it is asked whether anything was written and read since; nothing written sends
//! a heartbeat, nothing read four times in a row (twice the agreed time) ends the connection.
//! Spec: 0-9-1 §4.2.7.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// Half times without a read after which the peer counts as gone.
const SILENT_MAX: u32 = 4;

/// What a passed half time asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing.
    Rest,
    /// A heartbeat is to be sent.
    Send,
    /// The peer has been silent for this long.
    Gone(Duration),
}

#[derive(Debug)]
pub(crate) struct Heartbeat {
    half: Duration,
    /// Boxed: polled again and again, and `Connection` is to be movable. None where none was agreed on.
    sleep: Option<Pin<Box<Sleep>>>,
    pub(crate) has_read: bool,
    pub(crate) has_written: bool,
    silent: u32,
}

impl Heartbeat {
    /// By the agreed seconds; 0 is none.
    pub(crate) fn new(seconds: u16) -> Self {
        let half = Duration::from_millis(u64::from(seconds) * 500);
        Self {
            half,
            sleep: (seconds > 0).then(|| Box::pin(sleep(half))),
            has_read: false,
            has_written: false,
            silent: 0,
        }
    }

    /// What is to be done; wakes the task when half the time has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Beat {
        let Some(sleep) = &mut self.sleep else {
            return Beat::Rest;
        };
        let mut beat = Beat::Rest;
        while let Poll::Ready(()) = sleep.as_mut().poll(cx) {
            sleep.as_mut().reset(Instant::now() + self.half);
            self.silent = if self.has_read { 0 } else { self.silent + 1 };
            if self.silent >= SILENT_MAX {
                return Beat::Gone(self.half * SILENT_MAX);
            }
            if !self.has_written {
                beat = Beat::Send;
            }
            (self.has_read, self.has_written) = (false, false);
        }
        beat
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn beat(heartbeat: &mut Heartbeat) -> Beat {
        poll_fn(|cx| match heartbeat.poll(cx) {
            Beat::Rest => Poll::Pending,
            beat => Poll::Ready(beat),
        })
        .await
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(test);
    }

    #[test]
    fn who_writes_nothing_sends_a_sign_and_who_hears_nothing_gives_up() {
        run(async {
            let mut heartbeat = Heartbeat::new(1);
            heartbeat.half = Duration::from_millis(1);
            heartbeat.sleep = Some(Box::pin(sleep(heartbeat.half)));
            assert_eq!(beat(&mut heartbeat).await, Beat::Send);
            heartbeat.has_read = true;
            let mut sent = 0;
            let gone = loop {
                match beat(&mut heartbeat).await {
                    Beat::Gone(silent) => break silent,
                    _ => sent += 1,
                }
            };
            // The one that was read in, and three in silence.
            assert_eq!(sent, 4);
            assert_eq!(gone, heartbeat.half * 4);
        });
    }

    #[test]
    fn no_heartbeat_is_no_timer() {
        run(async {
            let mut heartbeat = Heartbeat::new(0);
            poll_fn(|cx| {
                assert_eq!(heartbeat.poll(cx), Beat::Rest);
                Poll::Ready(())
            })
            .await;
        });
    }
}
