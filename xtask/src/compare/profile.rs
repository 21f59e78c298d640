//! Where a broker's time went: samples of its threads, by what they were in, and the system calls that a
//! message takes.
//!
//! What `perf` prints is reduced here; `perf.rs` runs it. A sample counts once. In the kernel it belongs to
//! the outermost system call of its chain, so that a page fault while `sendto` copies is `sendto`'s. In user
//! space it belongs to the function it was in: the release build has no frame pointers, and without them the
//! chain above does not say who called.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Functions of the broker that are kept, the largest.
const SYMBOLS: usize = 8;

/// Fewer samples say nothing: a load that leaves the broker idle has no profile.
const SAMPLES_MIN: u64 = 200;

/// Classes of the kernel beside system calls.
pub(super) const PAGE_FAULTS: &str = "page faults";
pub(super) const ENTRY: &str = "entry and exit of calls";
pub(super) const OTHER: &str = "interrupts and other";

/// What the entry of a system call is called in a chain, before its name.
const ENTRIES: [&str; 3] = ["__x64_sys_", "__arm64_sys_", "__se_sys_"];

/// Events of the kernel: calls, one kind of call, wake-ups of threads, threads that stop running.
pub(super) const ALL_CALLS: &str = "raw_syscalls:sys_enter";
pub(super) const CALL: &str = "syscalls:sys_enter_";
pub(super) const WAKE_UPS: &str = "sched:sched_waking";
pub(super) const SWITCHES: &str = "context-switches";

/// With fewer calls for a message than this they are told of a thousand messages.
const FEW: f64 = 0.2;

/// The kernel has the upper half of the addresses.
const KERNEL: u64 = 1 << 63;

/// A name longer than this makes a table wider than a page.
const NAME_MAX: usize = 60;

/// Parts of a function's path that are kept, from its end.
const PATH_PARTS: usize = 3;

/// What is kept of a row's profile.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Profile {
    pub(super) warren: String,
    pub(super) date: String,
    pub(super) samples: Samples,
    /// Nothing where it is not known how many messages the calls were for.
    pub(super) calls: Option<Calls>,
}

/// Numbers of samples.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Samples {
    pub(super) all: u64,
    /// By system call, or one of the classes above.
    pub(super) kernel: BTreeMap<String, u64>,
    /// By function. The largest alone, once it is a profile.
    pub(super) functions: BTreeMap<String, u64>,
}

/// What a message takes, on average.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Calls {
    /// What they are of: a message delivered or a connection made, or a thousand of them.
    pub(super) of: String,
    /// System calls, by name.
    pub(super) by_name: BTreeMap<String, f64>,
    /// All of them.
    pub(super) all: f64,
    /// Threads that became runnable by what the broker's threads did: its own, and those of clients.
    pub(super) wakeups: f64,
    /// How often the broker's threads gave up a processor or lost it.
    pub(super) switches: f64,
}

/// What `perf stat` counted.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Counts {
    seconds: f64,
    by_event: BTreeMap<String, f64>,
}

impl Profile {
    /// A profile of what was sampled, if that is enough to say something.
    pub(super) fn new(mut samples: Samples, calls: Option<Calls>) -> Option<Self> {
        if samples.all < SAMPLES_MIN {
            return None;
        }
        let mut largest: Vec<(String, u64)> = samples.functions.into_iter().collect();
        largest.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        largest.truncate(SYMBOLS);
        samples.functions = largest.into_iter().collect();
        Some(Self {
            warren: super::machine::warren_version(),
            date: super::machine::date(),
            samples,
            calls,
        })
    }
}

impl Samples {
    /// From `perf script -F ip,sym,dso`: a frame a line, innermost first, and empty lines between samples.
    pub(super) fn parse(text: &str) -> Self {
        let mut samples = Self::default();
        let mut chain = Vec::new();
        for line in text.lines().chain([""]) {
            match Frame::parse(line) {
                Some(frame) => chain.push(frame),
                None if !chain.is_empty() => {
                    samples.take(&chain);
                    chain.clear();
                }
                None => {}
            }
        }
        samples
    }

    fn take(&mut self, chain: &[Frame]) {
        let Some(leaf) = chain.first() else {
            return;
        };
        self.all += 1;
        if leaf.is_kernel {
            *self.kernel.entry(class(chain).to_owned()).or_default() += 1;
        } else {
            *self.functions.entry(leaf.function()).or_default() += 1;
        }
    }

    /// Those of another part of the same row besides.
    pub(super) fn add(&mut self, other: Self) {
        self.all += other.all;
        for (name, count) in other.kernel {
            *self.kernel.entry(name).or_default() += count;
        }
        for (name, count) in other.functions {
            *self.functions.entry(name).or_default() += count;
        }
    }

    pub(super) fn in_kernel(&self) -> u64 {
        self.kernel.values().sum()
    }

    /// Of one class of the kernel, of `kernel` or of `user` space; in percent.
    pub(super) fn percent(&self, class: &str) -> f64 {
        let count = match class {
            "kernel" => self.in_kernel(),
            "user" => self.all - self.in_kernel(),
            class => self.kernel.get(class).copied().unwrap_or_default(),
        };
        self.percent_of(count)
    }

    pub(super) fn percent_of(&self, count: u64) -> f64 {
        100.0 * count as f64 / self.all.max(1) as f64
    }
}

/// What a sample in the kernel belongs to.
fn class<'a>(chain: &[Frame<'a>]) -> &'a str {
    let mut inside = chain.iter().rev().filter(|frame| frame.is_kernel);
    let call = |frame: &Frame<'a>| ENTRIES.iter().find_map(|entry| frame.symbol.strip_prefix(entry));
    let has = |part: &str| {
        chain
            .iter()
            .any(|frame| frame.is_kernel && frame.symbol.contains(part))
    };
    match inside.find_map(call) {
        Some(name) => name,
        None if has("page_fault") => PAGE_FAULTS,
        None if has("do_syscall") || has("entry_SYSCALL") || has("el0_svc") => ENTRY,
        None => OTHER,
    }
}

/// A line of a chain: `ADDRESS SYMBOL (FILE)`.
struct Frame<'a> {
    is_kernel: bool,
    symbol: &'a str,
    file: &'a str,
}

impl<'a> Frame<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (address, rest) = line.trim().split_once(' ')?;
        let address = u64::from_str_radix(address, 16).ok()?;
        let (symbol, file) = rest.trim().rsplit_once(" (")?;
        Some(Self {
            is_kernel: address & KERNEL != 0,
            symbol,
            file: file.trim_end_matches(')'),
        })
    }

    /// The function, shortened; with its file unless that is the broker's own.
    fn function(&self) -> String {
        let name = short(self.symbol);
        match self.file.rsplit('/').next().unwrap_or_default() {
            "warren" => name,
            file => format!("{name} ({file})"),
        }
    }
}

/// The end of a function's path, without types in angle brackets.
fn short(symbol: &str) -> String {
    let symbol = without_hash(symbol);
    let plain = match inherent(symbol) {
        Some((of, rest)) => without_brackets(of) + &without_brackets(rest),
        None => without_brackets(symbol),
    };
    let plain = plain.replace("{{closure}}", "{closure}").replace('|', "/");
    let parts: Vec<&str> = plain.split("::").filter(|part| !part.is_empty()).collect();
    let kept = parts.len().saturating_sub(PATH_PARTS);
    parts
        .iter()
        .skip(kept)
        .copied()
        .collect::<Vec<_>>()
        .join("::")
        .chars()
        .take(NAME_MAX)
        .collect()
}

/// `PATH::h0123456789abcdef` is how the compiler makes a name unique.
fn without_hash(symbol: &str) -> &str {
    match symbol.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => path,
        _ => symbol,
    }
}

/// Of `<TYPE as TRAIT>::method` the type and the method.
fn inherent(symbol: &str) -> Option<(&str, &str)> {
    let inside = symbol.strip_prefix('<')?;
    let mut depth = 1;
    let mut last = ' ';
    let end = inside.find(|this| {
        depth += match this {
            '<' => 1,
            '>' if last != '-' => -1,
            _ => 0,
        };
        last = this;
        depth == 0
    })?;
    let (of, rest) = (inside.get(..end)?, inside.get(end + 1..)?);
    Some((of.split(" as ").next().unwrap_or(of), rest))
}

fn without_brackets(text: &str) -> String {
    let mut depth = 0_u32;
    let mut last = ' ';
    let mut plain = String::new();
    for this in text.chars() {
        match this {
            '<' => depth += 1,
            // The arrow of a function's type closes nothing.
            '>' if last != '-' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(this),
            _ => {}
        }
        last = this;
    }
    plain
}

impl Counts {
    /// From `perf stat`: number and event, a line each, and `NUMBER seconds time elapsed`. Its form for
    /// programs does not say how long it counted.
    pub(super) fn parse(text: &str) -> Self {
        let mut counts = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some(number), Some(event)) = (words.next(), words.next()) else {
                continue;
            };
            // What the kernel could not count says so in place of a number.
            let Ok(number) = number.replace(',', "").parse::<f64>() else {
                continue;
            };
            match event {
                "seconds" if line.ends_with("elapsed") => counts.seconds = number,
                event if event.contains(['-', ':']) => {
                    counts.by_event.insert(event.to_owned(), number);
                }
                _ => {}
            }
        }
        counts
    }

    /// What one of `per_s` things a second takes.
    pub(super) fn at_rate(&self, of: &str, per_s: f64) -> Option<Calls> {
        self.over(of, per_s * self.seconds)
    }

    /// What one of so many things takes; what a thousand of them take, where that is next to nothing.
    pub(super) fn over(&self, of: &str, things: f64) -> Option<Calls> {
        let of_event = |event: &str| self.by_event.get(event).copied().unwrap_or_default();
        let all = of_event(ALL_CALLS);
        if things <= 0.0 || all <= 0.0 {
            return None;
        }
        let (of, parts) = match all / things {
            each if each < FEW => (format!("1,000 {of}s"), things / 1000.0),
            _ => (of.to_owned(), things),
        };
        let counted = self.by_event.iter().filter(|(_, count)| **count > 0.0);
        let by_name =
            counted.filter_map(|(event, count)| Some((event.strip_prefix(CALL)?.to_owned(), count / parts)));
        Some(Calls {
            of,
            by_name: by_name.collect(),
            all: all / parts,
            wakeups: of_event(WAKE_UPS) / parts,
            switches: of_event(SWITCHES) / parts,
        })
    }
}

#[cfg(test)]
mod tests;
