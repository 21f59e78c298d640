//! What a comparison works with: the built programs, folders, and the priority that pushes neighbours aside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::{call, cargo, root};

use super::rabbitmq::RabbitMq;

/// Above everything that is not real-time, below the kernel's own threads of that kind.
const PRIORITY: &str = "20";

pub(super) struct Tools {
    pub(super) warren: PathBuf,
    pub(super) null: PathBuf,
    /// Where results, data of brokers and the chroot lie: `compare` beside cargo's output.
    pub(super) folder: PathBuf,
    /// Why there is none, if there is none.
    pub(super) rabbitmq: Result<RabbitMq, String>,
    /// Brokers and loads run before all others.
    pub(super) is_realtime: bool,
}

/// `compare` beside cargo's output: this program lies there itself, under its profile.
pub(super) fn folder() -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| format!("own path: {error}"))?;
    let output = this.parent().ok_or("this program lies nowhere")?;
    Ok(output.with_file_name("compare"))
}

impl Tools {
    /// Builds Warren and the null broker, and finds or installs RabbitMQ.
    ///
    /// # Errors
    /// When a build fails, or a folder cannot be made. That there is no RabbitMQ is none.
    pub(super) fn make(wants_rabbitmq: bool, wants_realtime: bool) -> Result<Self, String> {
        let folder = folder()?;
        make_folder(&folder)?;
        let warren = [
            "build",
            "--release",
            "--package",
            "warren-server",
            "--bin",
            "warren",
        ];
        call(&mut cargo(warren))?;
        let mut null = cargo(["build", "--release", "--bin", "null-broker", "--manifest-path"]);
        null.arg(root().join("bench/null/Cargo.toml"));
        call(null.arg("--target-dir").arg(folder.join("null")))?;
        let rabbitmq = match wants_rabbitmq {
            true => RabbitMq::find_or_install(&folder),
            false => Err("it was not asked for".to_owned()),
        };
        if let Err(reason) = &rabbitmq {
            println!("!! without RabbitMQ: {reason}");
        }
        Ok(Self {
            warren: folder.with_file_name("release").join("warren"),
            null: folder.join("null/release/null-broker"),
            is_realtime: wants_realtime && may_be_realtime(),
            folder,
            rabbitmq,
        })
    }

    /// A program that is measured or measures.
    pub(super) fn command(&self, program: &Path) -> Command {
        if !self.is_realtime {
            return Command::new(program);
        }
        let mut command = Command::new("chrt");
        command.args(["-r", PRIORITY]).arg(program);
        command
    }

    /// Where the broker that runs has its data.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

/// Whether the system lets us, and keeps some time for everybody else: a load that takes all of it would
/// otherwise take the machine along.
fn may_be_realtime() -> bool {
    let number = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()?;
        text.trim().parse::<i64>().ok()
    };
    let is_bounded = match (number("sched_rt_runtime_us"), number("sched_rt_period_us")) {
        (Some(runtime), Some(period)) => (0..period).contains(&runtime),
        _ => false,
    };
    is_bounded && output_of("chrt", &["-r", PRIORITY, "true"], Path::new("/")).is_ok()
}

pub(super) fn make_folder(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Removes a folder and all in it, if it is there.
pub(super) fn remove_folder(path: &Path) -> Result<(), String> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", path.display()))
        }
        _ => Ok(()),
    }
}

/// What a program prints, trimmed.
///
/// # Errors
/// When it cannot be started or fails.
pub(super) fn output_of(program: &str, arguments: &[&str], folder: &Path) -> Result<String, String> {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("{program}: {}: {}", output.status, said.trim()))
        }
    }
}
