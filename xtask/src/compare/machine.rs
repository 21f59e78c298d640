//! The machine that the figures are from, in words.

use std::fs;
use std::path::Path;

use crate::step::root;

use super::tools::output_of;

/// Cores, processor, memory, kernel, file system below `data`, and whether it is a machine at all.
pub(super) fn describe(data: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let kind = if has_hypervisor(&cpuinfo) {
        "virtual machine"
    } else {
        "machine"
    };
    format!(
        "a {kind} with {cores} cores ({}), {} GiB of memory, Linux {}, data on {}",
        field(&cpuinfo, "model name").unwrap_or("unknown processor"),
        gib(&memory).unwrap_or(0),
        kernel.trim(),
        file_system(&mounts, data).unwrap_or("an unknown file system"),
    )
}

/// The commit, and whether anything differs from it.
pub(super) fn warren_version() -> String {
    let git = |arguments: &[&str]| output_of("git", arguments, &root()).ok();
    let Some(commit) = git(&["rev-parse", "--short=10", "HEAD"]) else {
        return "of an unknown commit".to_owned();
    };
    // The document is what this program writes; it changes nothing that is measured.
    let changes = git(&[
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        ".",
        ":!docs",
    ]);
    match changes {
        Some(changes) if changes.is_empty() => commit,
        _ => format!("{commit} with changes"),
    }
}

pub(super) fn date() -> String {
    output_of("date", &["-u", "+%Y-%m-%d"], Path::new("/")).unwrap_or_default()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

fn has_hypervisor(cpuinfo: &str) -> bool {
    field(cpuinfo, "flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"))
}

fn gib(meminfo: &str) -> Option<u64> {
    let kib: f64 = field(meminfo, "MemTotal")?
        .strip_suffix("kB")?
        .trim()
        .parse()
        .ok()?;
    Some((kib / 1024.0 / 1024.0).round() as u64)
}

/// The type of what is mounted nearest above a path.
fn file_system<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    let mounted = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let above = mounted.filter(|(point, _)| path.starts_with(point));
    above.max_by_key(|(point, _)| point.len()).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_proc_are_read() {
        let cpuinfo = "processor\t: 0\nmodel name\t: A CPU @ 2 GHz\nflags\t\t: fpu hypervisor sse\n";
        assert_eq!(field(cpuinfo, "model name"), Some("A CPU @ 2 GHz"));
        assert!(has_hypervisor(cpuinfo) && !has_hypervisor("flags : fpu hypervisors\n"));
        assert_eq!(gib("MemTotal:       24669148 kB\nMemFree: 1 kB\n"), Some(24));
    }

    #[test]
    fn the_nearest_mount_counts() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp2 xfs rw 0 0\n";
        assert_eq!(file_system(mounts, Path::new("/tmp/x")), Some("tmpfs"));
        assert_eq!(file_system(mounts, Path::new("/srv")), Some("ext4"));
        assert_eq!(file_system(mounts, Path::new("/tmp2/y")), Some("xfs"));
        assert_eq!(file_system("", Path::new("/")), None);
    }
}
