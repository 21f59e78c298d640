//! The commands that are calls of cargo: check, fix, test, golden, fuzz, codegen, run, doc.
//!
//! `check` never writes to the tree, so each of its steps is the asking form of a tool: `fmt --check`, clippy
//! without `--fix`, codegen that only compares, a locked `Cargo.lock`.

use std::process::Command;

use crate::step::{Steps, call, cargo, root};
use crate::{codegen, conform, crash, tidy};

/// Seconds of simulation when no number is given.
const SIM_SECS: u64 = 600;

/// No input takes so long: what does hangs. libFuzzer's own limit is 20 minutes.
const FUZZ_INPUT_SECS: u32 = 20;

/// Seconds of fuzzing when no number is given.
const FUZZ_SECS: u32 = 60;

pub(crate) fn check(arguments: &[String]) -> Result<(), String> {
    none(arguments)?;
    let mut steps = Steps::default();
    steps.run("fmt", || call(&mut cargo(["fmt", "--all", "--check"])));
    steps.run("clippy", || {
        call(&mut cargo([
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    });
    // A workspace of its own, which nothing else builds.
    steps.run("fuzz", || {
        call(&mut cargo([
            "check",
            "--locked",
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--target-dir",
            "target",
        ]))
    });
    steps.run("tidy", || tidy::check(&root()));
    steps.run("codegen", || codegen::run(true));
    steps.run("deny", deny);
    steps.finish()
}

fn deny() -> Result<(), String> {
    let installed = cargo(["deny", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !installed {
        return Err("cargo-deny is missing: cargo install --locked cargo-deny".to_owned());
    }
    call(&mut cargo([
        "deny", "--locked", "check", "bans", "licenses", "sources",
    ]))
}

pub(crate) fn fix(arguments: &[String]) -> Result<(), String> {
    none(arguments)?;
    let mut steps = Steps::default();
    // Formatting comes after what writes code, the ratchet after what moves lines.
    steps.run("codegen", || codegen::run(false));
    steps.run("clippy", || {
        call(&mut cargo([
            "clippy",
            "--fix",
            "--allow-dirty",
            "--allow-staged",
            "--workspace",
            "--all-targets",
        ]))
    });
    steps.run("fmt", || call(&mut cargo(["fmt", "--all"])));
    steps.run("tidy ratchet", || tidy::tighten(&root()));
    steps.finish()
}

pub(crate) fn test(arguments: &[String]) -> Result<(), String> {
    let mut steps = Steps::default();
    if let Some((name, rest)) = arguments.split_first() {
        let package = package(name)?;
        let words = ["test", "--package", &package]
            .into_iter()
            .chain(rest.iter().map(String::as_str));
        steps.run(&format!("cargo test {package}"), || {
            call(cargo(words).env_remove("UPDATE_EXPECT"))
        });
    } else {
        // Tests compare; only `golden` may rewrite what they expect.
        steps.run("cargo test", || {
            call(cargo(["test", "--workspace"]).env_remove("UPDATE_EXPECT"))
        });
        steps.run("conform", || conform::run(&[]));
        steps.run("crash", || crash::run(&[]));
    }
    steps.finish()
}

pub(crate) fn golden(arguments: &[String]) -> Result<(), String> {
    let mut command = match arguments {
        [] => cargo(["test", "--workspace"]),
        [name] => cargo(["test", "--package", &package(name)?]),
        _ => return Err("one crate at most".to_owned()),
    };
    let mut steps = Steps::default();
    steps.run("golden", || call(command.env("UPDATE_EXPECT", "1")));
    steps.finish()
}

/// The simulation of a node over a disk that dies at every operation: one seed, or new ones for a while.
pub(crate) fn sim(arguments: &[String]) -> Result<(), String> {
    let number = |text: &String| text.parse::<u64>().map_err(|_| format!("'{text}' is no number"));
    let variable = match arguments {
        [] => ("WARREN_SIM_SECS", SIM_SECS),
        [secs] => ("WARREN_SIM_SECS", number(secs)?),
        [flag, seed] if flag == "--seed" => ("WARREN_SIM_SEED", number(seed)?),
        _ => return Err("wants [SECS] or --seed N".to_owned()),
    };
    let mut command = cargo(["test", "--package", "warren-node", "--test", "it"]);
    command.args(["--profile", "release", "sim", "--", "--nocapture"]);
    call(command.env(variable.0, variable.1.to_string()))
}

pub(crate) fn fuzz(arguments: &[String]) -> Result<(), String> {
    let (target, secs) = match arguments {
        [target] => (target, FUZZ_SECS),
        [target, secs] => (
            target,
            secs.parse()
                .map_err(|_| format!("'{secs}' is no number of seconds"))?,
        ),
        _ => {
            return Err(format!(
                "wants TARGET [SECS]; targets: {}",
                fuzz_targets()?.join(", ")
            ));
        }
    };
    let targets = fuzz_targets()?;
    if !targets.contains(target) {
        return Err(format!(
            "no fuzz target '{target}'; there are: {}",
            targets.join(", ")
        ));
    }
    // libFuzzer writes what it finds into the first folder, and only reads the others: the committed corpus
    // stays small.
    let found = root().join("target/fuzz").join(target);
    std::fs::create_dir_all(&found).map_err(|error| format!("{}: {error}", found.display()))?;
    // Coverage instrumentation is a nightly flag; rustup picks the toolchain for this one call.
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly", "cargo", "fuzz", "run", target])
        .arg(&found)
        .current_dir(root());
    let seeds = root().join("fuzz/corpus").join(target);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    let (total, one) = (
        format!("-max_total_time={secs}"),
        format!("-timeout={FUZZ_INPUT_SECS}"),
    );
    command.args(["--", &total, &one]);
    let mut steps = Steps::default();
    steps.run(&format!("fuzz {target}"), || {
        call(&mut command)
            .map_err(|reason| format!("{reason} (cargo install --locked cargo-fuzz, if it is missing)"))
    });
    steps.finish()
}

/// The names of the programs in fuzz/fuzz_targets, sorted.
fn fuzz_targets() -> Result<Vec<String>, String> {
    let folder = root().join("fuzz/fuzz_targets");
    let entries = folder
        .read_dir()
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

pub(crate) fn codegen(arguments: &[String]) -> Result<(), String> {
    let check = match arguments {
        [] => false,
        [word] if word == "--check" => true,
        _ => return Err("wants nothing or --check".to_owned()),
    };
    let mut steps = Steps::default();
    steps.run("codegen", || codegen::run(check));
    steps.finish()
}

pub(crate) fn broker(arguments: &[String]) -> Result<(), String> {
    let words = ["run", "--package", "warren-server", "--bin", "warren", "--"];
    call(cargo(words).args(arguments))
}

pub(crate) fn doc(arguments: &[String]) -> Result<(), String> {
    let mut steps = Steps::default();
    steps.run("doc", || {
        call(cargo(["doc", "--workspace", "--no-deps"]).args(arguments))
    });
    steps.finish()
}

/// The package that `name` means: itself, or the crate of that folder in `crates/` or `tests/`.
fn package(name: &str) -> Result<String, String> {
    let folder = name.strip_prefix("warren-").unwrap_or(name);
    if name == "xtask" {
        return Ok(name.to_owned());
    }
    let is_crate = |parent| root().join(parent).join(folder).join("Cargo.toml").is_file();
    if !folder.is_empty() && ["crates", "tests"].into_iter().any(is_crate) {
        return Ok(format!("warren-{folder}"));
    }
    Err(format!("no crate '{name}' in crates/"))
}

fn none(arguments: &[String]) -> Result<(), String> {
    match arguments.first() {
        None => Ok(()),
        Some(word) => Err(format!("takes no argument, got '{word}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_goes_by_folder_or_package_name() {
        assert_eq!(package("broker"), Ok("warren-broker".to_owned()));
        assert_eq!(package("warren-broker"), Ok("warren-broker".to_owned()));
        assert_eq!(package("crash"), Ok("warren-crash".to_owned()));
        assert_eq!(package("xtask"), Ok("xtask".to_owned()));
        assert_eq!(package("nope"), Err("no crate 'nope' in crates/".to_owned()));
        assert!(package("").is_err());
    }

    #[test]
    fn check_takes_no_argument() {
        assert!(none(&["--fix".to_owned()]).is_err());
        assert!(none(&[]).is_ok());
    }
}
