//! Which crate may import which: the table of floors, held to every Cargo.toml.
//!
//! Cargo refuses only a circle. A shortcut between floors compiles, so it is refused here.

use std::path::Path;

use toml::{Table, Value};

use super::{Fault, read};

/// What a crate may import of ours.
enum May {
    Import(&'static [&'static str]),
    ImportAny,
}

use May::{Import, ImportAny};

/// The floors, from the ground up; a new arrow is a change to this table, and said in the commit.
const FLOORS: &[(&str, May)] = &[
    ("protocol", Import(&[])),
    ("broker", Import(&[])),
    ("store", Import(&[])),
    ("client", Import(&["protocol"])),
    ("bench", Import(&["client", "protocol"])),
    ("node", Import(&["broker", "store"])),
    ("frontend", Import(&["protocol", "broker", "node"])),
    ("management", Import(&["broker", "node"])),
    ("net", Import(&["frontend", "node", "protocol"])),
    ("server", ImportAny),
    // What judges the built broker shares no code with it.
    ("crash", Import(&[])),
    (TESTKIT, ImportAny),
];

/// May import every crate, so no product code may import it: only `[dev-dependencies]` name it.
const TESTKIT: &str = "testkit";

pub(super) fn check(root: &Path, paths: &[String]) -> Result<Vec<Fault>, String> {
    let workspace = parse("Cargo.toml", &read(root, "Cargo.toml")?)?;
    let shared = table(&workspace, &["workspace", "dependencies"]);
    let mut faults = Vec::new();
    for path in paths {
        let Some(folder) = ["crates/", "tests/"]
            .into_iter()
            .find_map(|parent| path.strip_prefix(parent))
            .and_then(|rest| rest.strip_suffix("/Cargo.toml"))
        else {
            continue;
        };
        let manifest = parse(path, &read(root, path)?)?;
        faults.extend(
            judge(folder, &manifest, shared)
                .into_iter()
                .map(|what| Fault::new(path, 0, what)),
        );
    }
    Ok(faults)
}

/// What the manifest of one crate breaks. `shared` is the workspace's table of dependencies.
fn judge(folder: &str, manifest: &Table, shared: Option<&Table>) -> Vec<String> {
    let Some((_, may)) = FLOORS.iter().find(|(name, _)| *name == folder) else {
        return vec![format!(
            "crate `{folder}` has no floor: give it a line in xtask/src/tidy/walls.rs"
        )];
    };
    let mut broken = Vec::new();
    for (kind, dependencies) in dependencies(manifest) {
        for (key, value) in dependencies {
            let Some(import) = ours(key, value, shared) else {
                continue;
            };
            let allowed = match may {
                _ if import == TESTKIT => kind == "dev-dependencies",
                ImportAny => true,
                Import(list) => list.contains(&import.as_str()),
            };
            if !allowed {
                broken.push(format!("`{folder}` may not import `{import}` by [{kind}]"));
            }
        }
    }
    broken
}

/// All tables of dependencies, those of a target too.
fn dependencies(manifest: &Table) -> Vec<(&'static str, &Table)> {
    let targets = table(manifest, &["target"]);
    let targets = targets
        .into_iter()
        .flat_map(Table::values)
        .filter_map(Value::as_table);
    let mut found = Vec::new();
    for owner in std::iter::once(manifest).chain(targets) {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            found.extend(table(owner, &[kind]).map(|dependencies| (kind, dependencies)));
        }
    }
    found
}

/// The folder of the crate of ours that a dependency means, whatever name it is given.
fn ours(key: &str, value: &Value, shared: Option<&Table>) -> Option<String> {
    let inherited = value.get("workspace").and_then(Value::as_bool) == Some(true);
    let value = if inherited { shared?.get(key)? } else { value };
    let package = value.get("package").and_then(Value::as_str).unwrap_or(key);
    package.strip_prefix("warren-").map(str::to_owned)
}

fn table<'a>(from: &'a Table, path: &[&str]) -> Option<&'a Table> {
    path.iter()
        .try_fold(from, |table, key| table.get(*key)?.as_table())
}

fn parse(path: &str, text: &str) -> Result<Table, String> {
    text.parse().map_err(|error| format!("{path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARED: &str = r#"
        [workspace.dependencies]
        warren-broker = { path = "crates/broker" }
        warren-node = { path = "crates/node" }
        warren-testkit = { path = "crates/testkit" }
        shortcut = { path = "crates/net", package = "warren-net" }
        bytes = "1"
    "#;

    fn broken(folder: &str, manifest: &str) -> Vec<String> {
        let workspace = parse("Cargo.toml", SHARED).unwrap();
        judge(
            folder,
            &parse("x", manifest).unwrap(),
            table(&workspace, &["workspace", "dependencies"]),
        )
    }

    #[test]
    fn floors_import_what_lies_below() {
        let manifest = "[dependencies]\nwarren-broker.workspace = true\nbytes.workspace = true\n";
        assert!(broken("node", manifest).is_empty());
        assert!(broken("server", "[dependencies]\nwarren-node.workspace = true\n").is_empty());
        assert!(broken("testkit", "[dependencies]\nwarren-node.workspace = true\n").is_empty());
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table_is_refused() {
        let refused = "`broker` may not import `node` by [dependencies]";
        assert_eq!(
            broken("broker", "[dependencies]\nwarren-node.workspace = true\n"),
            [refused]
        );
        assert_eq!(
            broken("broker", "[dependencies]\nwarren-node = { path = \"../node\" }\n"),
            [refused]
        );
        assert_eq!(
            broken("broker", "[dev-dependencies]\nwarren-node.workspace = true\n"),
            ["`broker` may not import `node` by [dev-dependencies]"]
        );
    }

    #[test]
    fn another_name_or_table_does_not_hide_it() {
        for manifest in [
            "[dependencies]\nshortcut.workspace = true\n",
            "[dependencies]\nwires = { path = \"../net\", package = \"warren-net\" }\n",
            "[target.'cfg(unix)'.dependencies]\nwarren-net = { path = \"../net\" }\n",
            "[dependencies.warren-net]\npath = \"../net\"\n",
        ] {
            assert_eq!(
                broken("frontend", manifest),
                ["`frontend` may not import `net` by [dependencies]"]
            );
        }
    }

    #[test]
    fn the_judge_of_the_built_broker_imports_none_of_ours() {
        assert_eq!(
            broken("crash", "[dependencies]\nwarren-protocol = { path = \"x\" }\n"),
            ["`crash` may not import `protocol` by [dependencies]"]
        );
        assert!(broken("crash", "[dependencies]\nbytes.workspace = true\n").is_empty());
    }

    #[test]
    fn the_testkit_is_for_tests() {
        assert!(
            broken(
                "protocol",
                "[dev-dependencies]\nwarren-testkit.workspace = true\n"
            )
            .is_empty()
        );
        assert_eq!(
            broken("server", "[dependencies]\nwarren-testkit.workspace = true\n"),
            ["`server` may not import `testkit` by [dependencies]"]
        );
    }

    #[test]
    fn a_crate_without_a_floor_is_refused() {
        assert_eq!(broken("attic", "").len(), 1);
    }

    #[test]
    fn the_table_names_only_lower_floors() {
        for (place, (name, may)) in FLOORS.iter().enumerate() {
            if let Import(list) = may {
                for import in *list {
                    let floor = FLOORS.iter().position(|(name, _)| name == import);
                    assert!(
                        floor.is_some_and(|floor| floor < place),
                        "{name} imports {import}"
                    );
                }
            }
        }
    }
}
