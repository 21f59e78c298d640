//! `cargo xtask codegen`: the method tables of AMQP 0-9-1, from facts in `spec/` to Rust that is committed.
//!
//! ```text
//! spec/amqp091.toml  ->  crates/protocol/src/amqp091/method/generated.rs
//! ```
//!
//! The output is written the way that it is read, without a formatter, so that it does not depend on one's
//! version. With `check` nothing is written: the file has to be what would be.

mod read;
mod write;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use read::parse;
use write::generate;

const SPEC: &str = "spec/amqp091.toml";
const OUTPUT: &str = "crates/protocol/src/amqp091/method/generated.rs";

/// Generates the file, or with `check` compares it with what is committed.
///
/// # Errors
/// A sentence that names the file, and what is wrong with it.
pub fn run(check: bool) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    run_in(&root, check)
}

fn run_in(root: &Path, check: bool) -> Result<(), String> {
    let spec: PathBuf = root.join(SPEC);
    let text = std::fs::read_to_string(&spec).map_err(|error| format!("{SPEC}: {error}"))?;
    let classes = parse(&text).map_err(|error| format!("{SPEC}: {error}"))?;
    let wanted = generate(&classes);
    let output = root.join(OUTPUT);
    let found = std::fs::read_to_string(&output).unwrap_or_default();
    if found == wanted {
        return Ok(());
    }
    if check {
        return Err(format!(
            "{OUTPUT} has drifted from {SPEC}: run `cargo xtask codegen`"
        ));
    }
    std::fs::write(&output, wanted).map_err(|error| format!("{OUTPUT}: {error}"))
}

/// A class of methods.
#[derive(Debug, PartialEq, Eq)]
struct Class {
    name: String,
    id: u16,
    /// In the order of their ids.
    methods: Vec<Method>,
}

/// A method, by its name as the specification writes it: `open-ok`.
#[derive(Debug, PartialEq, Eq)]
struct Method {
    name: String,
    id: u16,
    fields: Vec<Field>,
    content: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Field {
    name: String,
    kind: Kind,
    reserved: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bit,
    Octet,
    Short,
    Long,
    LongLong,
    Timestamp,
    ShortStr,
    LongStr,
    Table,
}

impl Kind {
    fn parse(name: &str) -> Option<Kind> {
        Some(match name {
            "bit" => Kind::Bit,
            "octet" => Kind::Octet,
            "short" => Kind::Short,
            "long" => Kind::Long,
            "longlong" => Kind::LongLong,
            "timestamp" => Kind::Timestamp,
            "shortstr" => Kind::ShortStr,
            "longstr" => Kind::LongStr,
            "table" => Kind::Table,
            _ => return None,
        })
    }

    fn rust_type(self) -> &'static str {
        match self {
            Kind::Bit => "bool",
            Kind::Octet => "u8",
            Kind::Short => "u16",
            Kind::Long => "u32",
            Kind::LongLong | Kind::Timestamp => "u64",
            Kind::ShortStr => "&'a str",
            Kind::LongStr => "&'a [u8]",
            Kind::Table => "Table<'a>",
        }
    }

    /// The cursor's method that reads it.
    fn reader(self) -> &'static str {
        match self {
            Kind::Bit | Kind::Octet => "u8",
            Kind::Short => "u16",
            Kind::Long => "u32",
            Kind::LongLong | Kind::Timestamp => "u64",
            Kind::ShortStr => "shortstr_utf8",
            Kind::LongStr => "longstr",
            Kind::Table => "table",
        }
    }

    fn is_borrowed(self) -> bool {
        matches!(self, Kind::ShortStr | Kind::LongStr | Kind::Table)
    }
}

impl Field {
    /// The field's name in Rust, where `type` is taken.
    fn ident(&self) -> String {
        if self.name == "type" {
            "type_".to_owned()
        } else {
            self.name.clone()
        }
    }
}

impl Method {
    /// `open-ok` is `OpenOk` in Rust.
    fn type_name(&self) -> String {
        camel(&self.name)
    }

    /// The type's generic parameter, if it borrows anything.
    fn lifetime(&self) -> &'static str {
        if self.fields.iter().any(|field| field.kind.is_borrowed()) {
            "<'a>"
        } else {
            ""
        }
    }
}

fn camel(name: &str) -> String {
    let mut out = String::new();
    for part in name.split('-') {
        let mut chars = part.chars();
        out.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        out.push_str(chars.as_str());
    }
    out
}
