//! The specification, from TOML to [`Class`]es. Mistakes are sentences that say where.

use super::{Class, Field, Kind, Method};

pub(super) fn parse(text: &str) -> Result<Vec<Class>, String> {
    let spec: toml::Table = text.parse().map_err(|error| format!("{error}"))?;
    let mut classes = Vec::new();
    for (name, body) in &spec {
        let body = body
            .as_table()
            .ok_or_else(|| format!("`{name}` is not a class"))?;
        classes.push(parse_class(name, body).map_err(|error| format!("{name}: {error}"))?);
    }
    classes.sort_by_key(|class| class.id);
    unique(classes.iter().map(|class| class.id))?;
    Ok(classes)
}

fn parse_class(name: &str, body: &toml::Table) -> Result<Class, String> {
    let id = parse_id(body.get("id"))?;
    let mut methods = Vec::new();
    for (method, value) in body.iter().filter(|(key, _)| key.as_str() != "id") {
        methods.push(parse_method(method, value).map_err(|error| format!("{method}: {error}"))?);
    }
    methods.sort_by_key(|method| method.id);
    unique(methods.iter().map(|method| method.id))?;
    Ok(Class {
        name: name.to_owned(),
        id,
        methods,
    })
}

fn parse_method(name: &str, value: &toml::Value) -> Result<Method, String> {
    let shape = "a method is [id, \"fields\"] or [id, \"fields\", \"content\"]";
    let (id, fields, content) = match value.as_array().map(Vec::as_slice) {
        Some([id, fields]) => (id, fields, false),
        Some([id, fields, content]) if content.as_str() == Some("content") => (id, fields, true),
        _ => return Err(shape.to_owned()),
    };
    let fields = fields.as_str().ok_or(shape)?;
    let fields = fields
        .split_whitespace()
        .map(parse_field)
        .collect::<Result<_, _>>()?;
    Ok(Method {
        name: name.to_owned(),
        id: parse_id(Some(id))?,
        fields,
        content,
    })
}

fn parse_field(text: &str) -> Result<Field, String> {
    let (name, rest) = text
        .split_once(':')
        .ok_or_else(|| format!("`{text}` is not name:kind"))?;
    let (kind, reserved) = rest.strip_suffix('!').map_or((rest, false), |kind| (kind, true));
    let kind = Kind::parse(kind).ok_or_else(|| format!("`{text}`: no kind is called `{kind}`"))?;
    Ok(Field {
        name: name.to_owned(),
        kind,
        reserved,
    })
}

fn parse_id(value: Option<&toml::Value>) -> Result<u16, String> {
    let id = value
        .and_then(toml::Value::as_integer)
        .ok_or("the id is missing or no integer")?;
    u16::try_from(id).map_err(|_| format!("id {id} does not fit 16 bits"))
}

fn unique(ids: impl Iterator<Item = u16>) -> Result<(), String> {
    let mut last = None;
    for id in ids {
        if last == Some(id) {
            return Err(format!("id {id} is there twice"));
        }
        last = Some(id);
    }
    Ok(())
}
