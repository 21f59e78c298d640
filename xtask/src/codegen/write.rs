//! [`Class`]es to Rust: one file, each struct with the code that reads and writes it.

use std::fmt::Write as _;

use super::{Class, Field, Kind, Method, SPEC, camel};

/// Appends a line of generated code. Writing to a string cannot fail.
macro_rules! line {
    ($out:expr) => { $out.push('\n') };
    ($out:expr, $($arg:tt)*) => {{
        let _ = writeln!($out, $($arg)*);
    }};
}

pub(super) fn generate(classes: &[Class]) -> String {
    let mut out = String::new();
    line!(
        out,
        "//! The methods of AMQP 0-9-1: a struct each, an enum of all, a table that describes them."
    );
    line!(out, "//!");
    line!(
        out,
        "//! Generated from `{SPEC}` by `cargo xtask codegen`. Change the source, not this file."
    );
    line!(out);
    line!(out, "use super::{{Error, MethodSpec}};");
    line!(
        out,
        "use crate::amqp091::cursor::{{Cursor, Error as CursorError}};"
    );
    line!(out);
    line!(
        out,
        "/// What is known of every method, in the order of their ids."
    );
    line!(out, "pub static METHODS: &[MethodSpec] = &[");
    for (class, method) in all(classes) {
        line!(out, "    {}::{}::SPEC,", class.name, method.type_name());
    }
    line!(out, "];");
    method_enum(&mut out, classes);
    method_impl(&mut out, classes);
    for class in classes {
        class_module(&mut out, class);
    }
    out
}

fn all(classes: &[Class]) -> impl Iterator<Item = (&Class, &Method)> {
    classes
        .iter()
        .flat_map(|class| class.methods.iter().map(move |method| (class, method)))
}

fn variant(class: &Class, method: &Method) -> String {
    format!("{}{}", camel(&class.name), method.type_name())
}

fn method_enum(out: &mut String, classes: &[Class]) {
    line!(out);
    line!(out, "/// Any method with its arguments.");
    line!(out, "#[derive(Debug, Clone, Copy, PartialEq, Eq)]");
    line!(out, "pub enum Method<'a> {{");
    for (class, method) in all(classes) {
        line!(out, "    /// `{}.{}`.", class.name, method.name);
        let path = format!("{}::{}{}", class.name, method.type_name(), method.lifetime());
        line!(out, "    {}({path}),", variant(class, method));
    }
    line!(out, "}}");
}

fn method_impl(out: &mut String, classes: &[Class]) {
    line!(out);
    line!(out, "impl<'a> Method<'a> {{");
    line!(
        out,
        "    /// Reads the arguments of the method that the ids name."
    );
    line!(out, "    #[inline]");
    line!(
        out,
        "    pub(super) fn read(class: u16, method: u16, cursor: &mut Cursor<'a>) -> Result<Self, Error> {{"
    );
    line!(
        out,
        "        let read: Result<Self, CursorError> = match (class, method) {{"
    );
    for (class, method) in all(classes) {
        let (ids, path) = (format!("({}, {})", class.id, method.id), method.type_name());
        let call = format!(
            "{}::{path}::read(cursor).map(Method::{})",
            class.name,
            variant(class, method)
        );
        line!(out, "            {ids} => {call},");
    }
    line!(
        out,
        "            _ => return Err(Error::Unknown {{ class, method }}),"
    );
    line!(out, "        }};");
    line!(
        out,
        "        read.map_err(|cause| Error::Malformed {{ class, method, cause }})"
    );
    line!(out, "    }}");
    line!(out);
    line!(out, "    /// Appends the arguments alone.");
    line!(out, "    pub(super) fn write(&self, out: &mut Vec<u8>) {{");
    line!(out, "        match self {{");
    for (class, method) in all(classes) {
        line!(
            out,
            "            Method::{}(method) => method.write(out),",
            variant(class, method)
        );
    }
    line!(out, "        }}");
    line!(out, "    }}");
    line!(out);
    line!(out, "    /// What is known of this method.");
    line!(out, "    pub fn spec(&self) -> &'static MethodSpec {{");
    line!(out, "        match self {{");
    for (class, method) in all(classes) {
        let spec = format!("&{}::{}::SPEC", class.name, method.type_name());
        line!(
            out,
            "            Method::{}(_) => {spec},",
            variant(class, method)
        );
    }
    line!(out, "        }}");
    line!(out, "    }}");
    line!(out, "}}");
}

fn class_module(out: &mut String, class: &Class) {
    line!(out);
    line!(out, "/// Class {}, id {}.", class.name, class.id);
    line!(out, "pub mod {} {{", class.name);
    line!(out, "    use super::Method;");
    let mut imports = vec!["FieldKind", "MethodSpec"];
    let writes = |kind| {
        class
            .methods
            .iter()
            .any(|m| m.fields.iter().any(|field| field.kind == kind))
    };
    let puts = [
        (Kind::LongStr, "put_longstr"),
        (Kind::ShortStr, "put_shortstr"),
        (Kind::Table, "put_table"),
    ];
    imports.extend(
        puts.iter()
            .filter(|(kind, _)| writes(*kind))
            .map(|(_, name)| *name),
    );
    if class.methods.iter().all(|method| method.fields.is_empty()) {
        imports.retain(|name| *name != "FieldKind");
    }
    line!(out, "    use crate::amqp091::cursor::{{Cursor, Error}};");
    line!(out, "    use crate::amqp091::frame;");
    line!(out, "    use crate::amqp091::method::{{{}}};", imports.join(", "));
    if writes(Kind::Table) {
        line!(out, "    use crate::amqp091::table::Table;");
    }
    for method in &class.methods {
        method_struct(out, class, method);
        method_struct_impl(out, class, method);
        method_from(out, class, method);
    }
    line!(out, "}}");
}

fn method_struct(out: &mut String, class: &Class, method: &Method) {
    let name = format!("{}{}", method.type_name(), method.lifetime());
    line!(out);
    line!(
        out,
        "    /// `{}.{}`, {} {}.",
        class.name,
        method.name,
        class.id,
        method.id
    );
    line!(out, "    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]");
    if method.fields.is_empty() {
        line!(out, "    pub struct {name};");
        return;
    }
    line!(out, "    pub struct {name} {{");
    for field in &method.fields {
        let reserved = if field.reserved { ", reserved" } else { "" };
        line!(out, "        /// {:?}{reserved}.", field.kind);
        line!(out, "        pub {}: {},", field.ident(), field.kind.rust_type());
    }
    line!(out, "    }}");
}

fn method_struct_impl(out: &mut String, class: &Class, method: &Method) {
    let (name, lifetime) = (method.type_name(), method.lifetime());
    line!(out);
    line!(out, "    impl{lifetime} {name}{lifetime} {{");
    line!(out, "        /// The class id.");
    line!(out, "        pub const CLASS: u16 = {};", class.id);
    line!(out, "        /// The method id.");
    line!(out, "        pub const METHOD: u16 = {};", method.id);
    method_spec(out, class, method);
    line!(out);
    line!(
        out,
        "        /// Reads the arguments, and leaves what follows them."
    );
    line!(out, "        ///");
    line!(out, "        /// # Errors");
    line!(
        out,
        "        /// What the cursor says of the first argument that is malformed."
    );
    line!(out, "        #[inline]");
    method_read(out, method);
    line!(out);
    line!(out, "        /// Appends the arguments alone.");
    line!(out, "        #[inline]");
    method_write(out, method);
    line!(out);
    line!(
        out,
        "        /// Appends the whole frame. A short string past 255 octets is cut."
    );
    line!(out, "        #[inline]");
    line!(
        out,
        "        pub fn encode(&self, channel: u16, out: &mut Vec<u8>) {{"
    );
    line!(
        out,
        "            let mark = frame::begin(out, frame::Kind::Method.octet(), channel);"
    );
    let ids: Vec<String> = class
        .id
        .to_be_bytes()
        .into_iter()
        .chain(method.id.to_be_bytes())
        .map(|b| b.to_string())
        .collect();
    line!(out, "            out.extend_from_slice(&[{}]);", ids.join(", "));
    line!(out, "            self.write(out);");
    line!(out, "            frame::end(out, mark);");
    line!(out, "        }}");
    line!(out, "    }}");
}

fn method_spec(out: &mut String, class: &Class, method: &Method) {
    line!(out, "        /// What is known of it.");
    line!(out, "        pub const SPEC: MethodSpec = MethodSpec {{");
    line!(out, "            class: Self::CLASS,");
    line!(out, "            method: Self::METHOD,");
    line!(out, "            name: \"{}.{}\",", class.name, method.name);
    let fields: Vec<String> = method
        .fields
        .iter()
        .map(|field| format!("(\"{}\", FieldKind::{:?})", field.name, field.kind))
        .collect();
    if fields.is_empty() {
        line!(out, "            fields: &[],");
    } else {
        line!(out, "            fields: &[");
        fields
            .iter()
            .for_each(|field| line!(out, "                {field},"));
        line!(out, "            ],");
    }
    let reserved: Vec<String> = method
        .fields
        .iter()
        .filter(|field| field.reserved)
        .map(|field| format!("\"{}\"", field.name))
        .collect();
    line!(out, "            reserved: &[{}],", reserved.join(", "));
    line!(out, "            content: {},", method.content);
    line!(out, "        }};");
}

/// Runs of bits, in chunks that share an octet, and single fields of other kinds.
fn groups(fields: &[Field]) -> Vec<&[Field]> {
    let runs = fields.chunk_by(|a, b| a.kind == Kind::Bit && b.kind == Kind::Bit);
    runs.flat_map(|run| run.chunks(8)).collect()
}

fn method_read(out: &mut String, method: &Method) {
    let (result, borrowed) = (
        "Result<Self, Error>",
        if method.lifetime().is_empty() {
            "Cursor<'_>"
        } else {
            "Cursor<'a>"
        },
    );
    if method.fields.is_empty() {
        line!(out, "        pub fn read(_: &mut {borrowed}) -> {result} {{");
        line!(out, "            Ok(Self)");
        line!(out, "        }}");
        return;
    }
    line!(out, "        pub fn read(cursor: &mut {borrowed}) -> {result} {{");
    let mut bits = 0;
    let mut inits = Vec::new();
    for group in groups(&method.fields) {
        match group {
            [field, ..] if field.kind == Kind::Bit => {
                line!(out, "            let bits_{bits} = cursor.u8()?;");
                let mask = |index: usize| format!("bits_{bits} & {} != 0", 1 << index);
                inits.extend(
                    group
                        .iter()
                        .enumerate()
                        .map(|(index, field)| format!("{}: {}", field.ident(), mask(index))),
                );
                bits += 1;
            }
            fields => {
                for field in fields {
                    line!(
                        out,
                        "            let {} = cursor.{}()?;",
                        field.ident(),
                        field.kind.reader()
                    );
                    inits.push(field.ident());
                }
            }
        }
    }
    line!(out, "            Ok(Self {{");
    inits
        .iter()
        .for_each(|init| line!(out, "                {init},"));
    line!(out, "            }})");
    line!(out, "        }}");
}

fn method_write(out: &mut String, method: &Method) {
    if method.fields.is_empty() {
        line!(out, "        pub fn write(&self, _: &mut Vec<u8>) {{}}");
        return;
    }
    line!(out, "        pub fn write(&self, out: &mut Vec<u8>) {{");
    for group in groups(&method.fields) {
        for (index, field) in group.iter().enumerate() {
            let name = field.ident();
            match field.kind {
                Kind::Bit if index > 0 => {}
                Kind::Bit => {
                    let octet: Vec<String> = group
                        .iter()
                        .enumerate()
                        .map(|(bit, field)| {
                            let shift = if bit == 0 {
                                String::new()
                            } else {
                                format!(" << {bit}")
                            };
                            format!("u8::from(self.{}){shift}", field.ident())
                        })
                        .collect();
                    line!(out, "            out.push({});", octet.join(" | "));
                }
                Kind::Octet => line!(out, "            out.push(self.{name});"),
                Kind::ShortStr => line!(out, "            put_shortstr(out, self.{name});"),
                Kind::LongStr => line!(out, "            put_longstr(out, self.{name});"),
                Kind::Table => line!(out, "            put_table(out, self.{name});"),
                _ => line!(
                    out,
                    "            out.extend_from_slice(&self.{name}.to_be_bytes());"
                ),
            }
        }
    }
    line!(out, "        }}");
}

fn method_from(out: &mut String, class: &Class, method: &Method) {
    let (name, lifetime) = (method.type_name(), method.lifetime());
    let generic = if lifetime.is_empty() { "<'_>" } else { "<'a>" };
    line!(out);
    line!(
        out,
        "    impl{lifetime} From<{name}{lifetime}> for Method{generic} {{"
    );
    line!(out, "        #[inline]");
    line!(out, "        fn from(method: {name}{lifetime}) -> Self {{");
    line!(out, "            Method::{}(method)", variant(class, method));
    line!(out, "        }}");
    line!(out, "    }}");
}
