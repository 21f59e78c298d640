//! Waking connections when their next message is due, to some microseconds.
//!
//! The timers of the runtime are as fine as a millisecond, which would be most of a latency that is to be
//! measured. So each thread has one timer of the kernel, set to the earliest of its alarms.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::future::{Future, poll_fn};
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};

use tokio::sync::Notify;

use crate::clock::Clock;

/// All alarms of a thread.
#[derive(Debug)]
pub(crate) struct Alarms {
    clock: Clock,
    state: RefCell<State>,
    /// An earlier alarm was set than the one that is waited for.
    is_earlier: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// What is waited for; some of it may be out of date.
    heap: BinaryHeap<Reverse<(u64, usize)>>,
    /// By alarm: for when it is set, and whom it wakes.
    set: HashMap<usize, (u64, Waker)>,
    last: usize,
}

/// One alarm, set again and again.
#[derive(Debug)]
pub(crate) struct Alarm {
    alarms: Rc<Alarms>,
    id: usize,
}

impl Alarms {
    pub(crate) fn new(clock: Clock) -> Rc<Self> {
        Rc::new(Self {
            clock,
            state: RefCell::default(),
            is_earlier: Notify::new(),
        })
    }

    pub(crate) fn alarm(self: &Rc<Self>) -> Alarm {
        let mut state = self.state.borrow_mut();
        state.last += 1;
        Alarm {
            alarms: Rc::clone(self),
            id: state.last,
        }
    }

    /// Wakes whom it is to wake; never ends but by an error of the kernel's timer.
    pub(crate) async fn run(&self) -> io::Result<()> {
        let mut timer = timer::Timer::new()?;
        loop {
            match self.fire() {
                None => self.is_earlier.notified().await,
                Some(after_ns) => tokio::select! {
                    passed = timer.sleep(after_ns) => passed?,
                    () = self.is_earlier.notified() => {}
                },
            }
        }
    }

    /// Wakes what is due, and answers after how many nanoseconds the next one is.
    fn fire(&self) -> Option<u64> {
        let mut state = self.state.borrow_mut();
        let now_ns = self.clock.now_ns();
        while let Some(&Reverse((at_ns, id))) = state.heap.peek() {
            let is_current = state.set.get(&id).is_some_and(|(set_ns, _)| *set_ns == at_ns);
            if is_current && at_ns > now_ns {
                return Some(at_ns - now_ns);
            }
            state.heap.pop();
            if is_current && let Some((_, waker)) = state.set.remove(&id) {
                waker.wake();
            }
        }
        None
    }

    fn set(&self, id: usize, at_ns: u64, waker: &Waker) {
        let mut state = self.state.borrow_mut();
        if let Some((set_ns, before)) = state.set.get_mut(&id)
            && *set_ns == at_ns
        {
            before.clone_from(waker);
            return;
        }
        let earliest = state.heap.peek().map(|Reverse((at_ns, _))| *at_ns);
        state.heap.push(Reverse((at_ns, id)));
        state.set.insert(id, (at_ns, waker.clone()));
        if earliest.is_none_or(|earliest| at_ns < earliest) {
            self.is_earlier.notify_one();
        }
    }
}

impl Alarm {
    /// Waits for a time since the run began.
    pub(crate) fn at(&self, at_ns: u64) -> impl Future<Output = ()> + '_ {
        poll_fn(move |cx| {
            if self.alarms.clock.now_ns() >= at_ns {
                return Poll::Ready(());
            }
            self.alarms.set(self.id, at_ns, cx.waker());
            Poll::Pending
        })
    }
}

#[cfg(target_os = "linux")]
mod timer {
    //! The kernel's timer as a file descriptor.

    use std::io;
    use std::os::fd::OwnedFd;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;

    const NS: u64 = 1_000_000_000;

    pub(super) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            // It is unsound for a descriptor that somebody else closes; this one is ours alone.
            #[allow(
                deprecated,
                reason = "what replaces it is unsafe, for descriptors that may be closed"
            )]
            Ok(Self(AsyncFd::new(fd)?))
        }

        pub(super) async fn sleep(&mut self, after_ns: u64) -> io::Result<()> {
            let after_ns = i64::try_from(after_ns.max(1)).unwrap_or(i64::MAX);
            let time = Itimerspec {
                it_interval: Timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                },
                it_value: Timespec {
                    tv_sec: after_ns / NS as i64,
                    tv_nsec: after_ns % NS as i64,
                },
            };
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &time)?;
            loop {
                let mut ready = self.0.readable().await?;
                let mut times = [0; 8];
                match rustix::io::read(ready.get_inner(), &mut times) {
                    Ok(_) => {
                        // Or the next wait would ask the kernel once for nothing.
                        ready.clear_ready();
                        return Ok(());
                    }
                    // What passed belonged to an earlier setting.
                    Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod timer {
    //! The runtime's timer, where there is no better one.

    use std::io;
    use std::time::Duration;

    pub(super) struct Timer;

    impl Timer {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) async fn sleep(&mut self, after_ns: u64) -> io::Result<()> {
            tokio::time::sleep(Duration::from_nanos(after_ns)).await;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn alarms_go_off_in_order_and_never_early() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let clock = Clock::start();
        let alarms = Alarms::new(clock);
        let order = RefCell::new(Vec::new());
        let local = tokio::task::LocalSet::new();
        let ring = async |at_ns: u64| {
            alarms.alarm().at(at_ns).await;
            assert!(clock.now_ns() >= at_ns);
            order.borrow_mut().push(at_ns);
        };
        let all = async {
            let ran = Rc::clone(&alarms);
            tokio::task::spawn_local(async move { ran.run().await });
            let ms = |count: u64| Duration::from_millis(count).as_nanos() as u64;
            let now_ns = clock.now_ns();
            tokio::join!(
                ring(now_ns + ms(9)),
                ring(now_ns + ms(3)),
                ring(now_ns + ms(6)),
                ring(now_ns)
            );
        };
        runtime.block_on(local.run_until(all));
        assert_eq!(order.borrow().len(), 4);
        assert!(order.borrow().is_sorted());
    }
}
