//! What processes cost: CPU time and memory of the broker and of the load, and what the machine did besides.
//!
//! From `/proc`, so on Linux alone; elsewhere and for a broker on another machine there is nothing to say.
//! Times come in ticks of a hundredth of a second.

use std::fs;

use rustix::time::{ClockId, clock_gettime};

/// Ticks a second in `/proc`: fixed for programs, whatever the kernel's own.
const TICKS: f64 = 100.0;

/// One look.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Look {
    /// CPU seconds of the broker so far.
    pub(crate) broker_s: Option<f64>,
    /// Its resident memory, in octets.
    pub(crate) broker_bytes: Option<u64>,
    /// CPU seconds of this process so far.
    pub(crate) own_s: f64,
    /// CPU seconds of the whole machine so far.
    pub(crate) machine_s: Option<f64>,
}

/// Where to look.
#[derive(Debug)]
pub(crate) struct Probe {
    pids: Vec<u32>,
}

impl Probe {
    /// For the broker's processes.
    ///
    /// # Errors
    /// The number of which there is none.
    pub(crate) fn new(pids: Vec<u32>) -> Result<Self, u32> {
        match pids.iter().find(|pid| cpu_s(**pid).is_none()) {
            Some(missing) => Err(*missing),
            None => Ok(Self { pids }),
        }
    }

    pub(crate) fn look(&self) -> Look {
        let own = clock_gettime(ClockId::ProcessCPUTime);
        let all = |of: &dyn Fn(u32) -> Option<f64>| -> Option<f64> {
            match self.pids.is_empty() {
                true => None,
                false => self.pids.iter().map(|pid| of(*pid)).sum(),
            }
        };
        Look {
            broker_s: all(&cpu_s),
            broker_bytes: all(&|pid| resident_bytes(pid).map(|bytes| bytes as f64)).map(|bytes| bytes as u64),
            own_s: own.tv_sec as f64 + own.tv_nsec as f64 / 1e9,
            machine_s: fs::read_to_string("/proc/stat")
                .ok()
                .and_then(|text| busy_s(&text)),
        }
    }
}

fn cpu_s(pid: u32) -> Option<f64> {
    process_s(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn resident_bytes(pid: u32) -> Option<u64> {
    resident(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// User and system time: fields 14 and 15, counted behind the name, which may contain anything.
fn process_s(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// All but idle and waiting for a disk. What the hypervisor gave to others counts: it was missing here.
fn busy_s(stat: &str) -> Option<f64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<f64> = line
        .split_whitespace()
        .map_while(|field| field.parse().ok())
        .collect();
    // Guests are part of user time already.
    let all: f64 = ticks.iter().take(8).sum();
    let idle: f64 = ticks.get(3..5)?.iter().sum();
    Some((all - idle) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_proc_are_read() {
        let stat = "12 (a b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 99";
        assert_eq!(process_s(stat), Some(3.0));
        assert_eq!(process_s("12 (x) S 1"), None);
        assert_eq!(resident("VmPeak:\t 9 kB\nVmRSS:\t  12 kB\n"), Some(12 * 1024));
        assert_eq!(resident("VmPeak:\t 9 kB\n"), None);
        let machine = "cpu  100 10 200 5000 300 5 15 20 7 0\ncpu0 1 2 3\n";
        assert_eq!(busy_s(machine), Some(3.5));
    }

    #[test]
    fn a_process_that_is_not_there_is_named() {
        assert_eq!(
            Probe::new(vec![std::process::id(), u32::MAX]).unwrap_err(),
            u32::MAX
        );
    }

    #[test]
    fn without_a_process_there_is_nothing_to_say_of_it() {
        let look = Probe::new(Vec::new()).unwrap().look();
        assert_eq!((look.broker_s, look.broker_bytes), (None, None));
    }
}
