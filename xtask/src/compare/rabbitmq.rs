//! RabbitMQ from Debian: a small system in a folder, made once, and run there by chroot.
//!
//! The folder is `WARREN_RABBITMQ_ROOT`, or `trixie` below this command's output, which is filled by
//! debootstrap. `/proc` and `/dev` are mounted in a mount namespace of each process alone: nothing stays
//! mounted, so that the folder can be deleted without a thought.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::tools::{make_folder, output_of, remove_folder};

/// Names a chroot that has RabbitMQ.
const ROOT: &str = "WARREN_RABBITMQ_ROOT";

/// Its version is the reference of docs/compatibility.md.
const SUITE: &str = "trixie";

const SERVER: &str = "usr/lib/rabbitmq/bin/rabbitmq-server";

/// Below the chroot, for data, logs and configuration.
const HOME: &str = "/var/lib/warren-compare";

/// Mounts what a system needs into the folder `$1`, and becomes the rest of the words in it.
const ENTER: &str = r#"mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "$@""#;

/// What the packages' scripts ask before they start a service: 101 says no.
const POLICY: &str = "#!/bin/sh\nexit 101\n";

pub(super) struct RabbitMq {
    root: PathBuf,
    pub(super) version: String,
    epmd_port: u16,
    /// Erlang's register of nodes: ours, so that none stays behind.
    epmd: Child,
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        // It fails when it has ended by itself.
        let _ = self.epmd.kill();
        let _ = self.epmd.wait();
    }
}

impl RabbitMq {
    /// # Errors
    /// Why there is none, in words for the document.
    pub(super) fn find_or_install(folder: &Path) -> Result<Self, String> {
        if output_of("id", &["-u"], Path::new("/"))? != "0" {
            return Err("chroot needs root".to_owned());
        }
        let root = match std::env::var_os(ROOT) {
            Some(named) => PathBuf::from(named),
            None => folder.join(SUITE),
        };
        if !root.join(SERVER).exists() {
            if std::env::var_os(ROOT).is_some() {
                return Err(format!("{ROOT} has no {SERVER}"));
            }
            install(&root).map_err(|reason| format!("it could not be installed: {reason}"))?;
        }
        name_host(&root)?;
        let package = |name: &str| {
            let query = ["-W", "-f=${Version}", name];
            let output = inside(&root, "dpkg-query").args(query).output();
            let output = output.map_err(|error| format!("dpkg-query: {error}"))?;
            Ok::<_, String>(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let version = format!(
            "{} (Erlang {})",
            package("rabbitmq-server")?,
            package("erlang-base")?
        );
        let epmd_port = super::broker::free_port()?;
        let epmd = inside(&root, "epmd")
            .args(["-port", &epmd_port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("epmd: {error}"))?;
        let rabbitmq = Self {
            root,
            version,
            epmd_port,
            epmd,
        };
        rabbitmq.wait_for_epmd()?;
        Ok(rabbitmq)
    }

    fn wait_for_epmd(&self) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.epmd_port)).is_err() {
            if Instant::now() > deadline {
                return Err("epmd does not listen".to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Removes what an earlier one left, and answers how to start a new one.
    ///
    /// # Errors
    /// When its folder cannot be made anew.
    pub(super) fn fresh(&self, port: u16) -> Result<Command, String> {
        let home = self.home();
        remove_folder(&home)?;
        make_folder(&home)?;
        let write = |name: &str, text: &str| {
            fs::write(home.join(name), text).map_err(|error| format!("{name}: {error}"))
        };
        write("enabled_plugins", "[].\n")?;
        // Else its defaults; the limit of the disk is that of Warren.
        write(
            "rabbitmq.conf",
            "loopback_users = none\ndisk_free_limit.absolute = 50MB\n",
        )?;
        let distribution = super::broker::free_port()?;
        let mut command = inside(&self.root, "env");
        command.args([
            format!("HOME={HOME}"),
            "RABBITMQ_NODENAME=compare@localhost".to_owned(),
            format!("RABBITMQ_NODE_PORT={port}"),
            "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1".to_owned(),
            format!("RABBITMQ_DIST_PORT={distribution}"),
            format!("ERL_EPMD_PORT={}", self.epmd_port),
            format!("RABBITMQ_MNESIA_BASE={HOME}/mnesia"),
            format!("RABBITMQ_LOG_BASE={HOME}/log"),
            format!("RABBITMQ_ENABLED_PLUGINS_FILE={HOME}/enabled_plugins"),
            format!("RABBITMQ_CONFIG_FILE={HOME}/rabbitmq.conf"),
            // The script then becomes the virtual machine instead of waiting for it: one process, whose
            // number is that of what we start.
            "RUNNING_UNDER_SYSTEMD=true".to_owned(),
            format!("/{SERVER}"),
        ]);
        Ok(command)
    }

    pub(super) fn home(&self) -> PathBuf {
        self.root.join(HOME.trim_start_matches('/'))
    }
}

/// A program in the chroot, whose number is that of the child.
fn inside(root: &Path, program: &str) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--propagation", "private", "sh", "-c", ENTER, "sh"])
        .arg(root)
        .arg(program)
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

fn install(root: &Path) -> Result<(), String> {
    println!("== RabbitMQ from Debian {SUITE} into {}", root.display());
    // A half of one is of no use.
    remove_folder(root)?;
    let mirror = mirror();
    let mut debootstrap = Command::new("debootstrap");
    debootstrap
        .args(["--variant=minbase", SUITE])
        .arg(root)
        .arg(&mirror);
    let mut fill = || {
        finish(&mut debootstrap)?;
        name_host(root)?;
        let policy = root.join("usr/sbin/policy-rc.d");
        fs::write(&policy, POLICY).map_err(|error| format!("{}: {error}", policy.display()))?;
        finish(Command::new("chmod").arg("755").arg(&policy))?;
        finish(inside(root, "apt-get").args(["update", "-q"]))?;
        let install = [
            "install",
            "-q",
            "-y",
            "--no-install-recommends",
            "rabbitmq-server",
        ];
        finish(
            inside(root, "apt-get")
                .env("DEBIAN_FRONTEND", "noninteractive")
                .args(install),
        )
    };
    let filled = fill();
    if filled.is_err() {
        // So that the next run begins anew.
        remove_folder(root)?;
    }
    filled
}

/// Runs it to its end, and keeps what it prints for the case that it fails.
pub(super) fn finish(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let last: Vec<&str> = said.lines().rev().take(3).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    Err(format!(
        "{program} ended with {}: {}",
        output.status,
        last.join("; ")
    ))
}

/// Where apt gets packages from, or Debian itself.
fn mirror() -> String {
    let files = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
    let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    let found = texts
        .filter_map(|text| mirror_of(&text).map(str::to_owned))
        .next();
    found.unwrap_or_else(|| "http://deb.debian.org/debian".to_owned())
}

fn mirror_of(sources: &str) -> Option<&str> {
    let lines = sources.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut words = lines.flat_map(str::split_whitespace);
    let is_mirror = |word: &&str| word.starts_with("http") && word.trim_end_matches('/').ends_with("/debian");
    words.find(is_mirror)
}

/// Without its own name in the hosts a handshake can stall for seconds.
fn name_host(root: &Path) -> Result<(), String> {
    let path = root.join("etc/hosts");
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let known = fs::read_to_string(&path).unwrap_or_default();
    if known.split_whitespace().any(|word| word == name.trim()) {
        return Ok(());
    }
    let text = format!("{known}127.0.0.1 localhost {}\n", name.trim());
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_one_of_apt() {
        let deb822 = "Types: deb\n# http://snapshot.debian.org/archive/debian/2025\n\
                      URIs: http://mirror.example/debian\nSuites: bookworm\n";
        assert_eq!(mirror_of(deb822), Some("http://mirror.example/debian"));
        let line = "deb https://mirror.example/debian/ bookworm main\n";
        assert_eq!(mirror_of(line), Some("https://mirror.example/debian/"));
        assert_eq!(mirror_of("URIs: http://x.example/debian-security\n"), None);
    }

    #[test]
    fn the_hosts_of_a_root_have_the_name_once() {
        let root = crate::scratch::Scratch::new();
        root.write("etc/hosts", "::1 other\n");
        name_host(root.path()).unwrap();
        let once = fs::read_to_string(root.path().join("etc/hosts")).unwrap();
        assert!(once.starts_with("::1 other\n127.0.0.1 localhost "), "{once}");
        name_host(root.path()).unwrap();
        assert_eq!(fs::read_to_string(root.path().join("etc/hosts")).unwrap(), once);
    }
}
