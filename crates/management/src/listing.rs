//! What the caller wishes of the form of an answer: order, columns, pages.
//!
//! ```text
//!   sort=name&sort_reverse=true      by the value of a field, dots for fields within it
//!   columns=name,limits.max-queues   only these
//!   page=2&page_size=50&name=ord&use_regex=true       a page of those whose name has this in it
//! ```
//!
//! RabbitMQ: management HTTP API, "Pagination"; texts and limits as 4.0.5 has them.

use std::cmp::Ordering;

use serde_json::{Map, Value as Json};
use warren_broker::access::Pattern;

use crate::answer::{Answer, Refused, object};

/// The most things on a page.
const PAGE_SIZE_MAX: i64 = 500;

/// Things on a page when nothing is said.
const PAGE_SIZE: i64 = 100;

/// Columns beyond so many are not looked at.
const COLUMNS_MAX: usize = 256;

/// What the caller wishes.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    sort: Option<String>,
    is_reversed: bool,
    columns: Option<Vec<String>>,
    page: Option<Page>,
}

#[derive(Debug)]
struct Page {
    /// From 1.
    number: i64,
    size: i64,
    name: Filter,
}

/// Which names are on pages.
#[derive(Debug)]
enum Filter {
    All,
    Has(String),
    Matches(Pattern),
}

impl Wishes {
    /// Reads a query, with names and values decoded.
    pub(crate) fn read(query: &[(String, String)]) -> Result<Self, Refused> {
        let get = |wanted: &str| {
            let found = query.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str())
        };
        let columns = get("columns").map(|names| names.split(',').take(COLUMNS_MAX));
        Ok(Self {
            sort: get("sort").filter(|sort| !sort.is_empty()).map(str::to_owned),
            is_reversed: get("sort_reverse") == Some("true"),
            columns: columns.map(|names| names.map(str::to_owned).collect()),
            page: get("page").map(|number| Page::read(number, get)).transpose()?,
        })
    }

    /// The answer in the form that is wished; nothing, where there is nothing to read.
    pub(crate) fn apply(&self, answer: Answer) -> Result<Option<Json>, Refused> {
        Ok(Some(match answer {
            Answer::Created | Answer::Done => return Ok(None),
            Answer::Plain(json) => json,
            Answer::Object(object) => self.of_columns(object),
            Answer::List(rows) => self
                .in_order(rows)
                .into_iter()
                .map(|row| self.of_columns(row))
                .collect(),
            Answer::Pages(rows) => match &self.page {
                None => self
                    .in_order(rows)
                    .into_iter()
                    .map(|row| self.of_columns(row))
                    .collect(),
                Some(page) => self.one_page(self.in_order(rows), page)?,
            },
        }))
    }

    fn in_order(&self, mut rows: Vec<Map<String, Json>>) -> Vec<Map<String, Json>> {
        if let Some(sort) = &self.sort {
            // Stable: what is equal stays in its own order.
            rows.sort_by(|a, b| compare(field(a, sort), field(b, sort)));
        }
        if self.is_reversed {
            rows.reverse();
        }
        rows
    }

    fn one_page(&self, rows: Vec<Map<String, Json>>, page: &Page) -> Result<Json, Refused> {
        let total = rows.len();
        let rows: Vec<_> = rows.into_iter().filter(|row| page.name.takes(row)).collect();
        let filtered = rows.len();
        let (number, size) = (page.number, page.size);
        let [first, size_of_page] =
            [(number - 1).saturating_mul(size), size].map(|n| usize::try_from(n).ok());
        let (first, size_of_page) = (first.unwrap_or(usize::MAX), size_of_page.unwrap_or(usize::MAX));
        if first >= filtered && number > 1 {
            let reason = format!("Page out of range, page: {number} page size: {size}, len: {filtered}");
            return Err(Refused::BadAs("page_out_of_range", reason));
        }
        let items = rows.into_iter().skip(first).take(size_of_page);
        let items: Vec<Json> = items.map(|row| self.of_columns(row)).collect();
        Ok(Json::Object(object! {
            "filtered_count": filtered,
            "item_count": items.len(),
            "items": items,
            "page": number,
            "page_count": filtered.div_ceil(size_of_page),
            "page_size": size,
            "total_count": total,
        }))
    }

    fn of_columns(&self, row: Map<String, Json>) -> Json {
        match &self.columns {
            None => Json::Object(row),
            Some(columns) => {
                let paths: Vec<Vec<&str>> = columns.iter().map(|name| name.split('.').collect()).collect();
                let paths: Vec<&[&str]> = paths.iter().map(Vec::as_slice).collect();
                Json::Object(chosen(row, &paths))
            }
        }
    }
}

impl Page {
    fn read<'a>(number: &str, get: impl Fn(&str) -> Option<&'a str>) -> Result<Self, Refused> {
        let invalid = || Refused::bad("Pagination parameters are invalid");
        let size_given = get("page_size").map(|size| size.parse().map_err(|_| invalid()));
        let (number, size_given): (i64, Option<i64>) =
            (number.parse().map_err(|_| invalid())?, size_given.transpose()?);
        let size = size_given.unwrap_or(PAGE_SIZE);
        if number < 1 || !(1..=PAGE_SIZE_MAX).contains(&size) {
            let shown = size_given.map_or_else(|| "undefined".to_owned(), |size| size.to_string());
            let reason = format!("Invalid pagination parameters: page number {number}, page size {shown}");
            return Err(Refused::BadAs("invalid_pagination_parameters", reason));
        }
        let name = match (get("name"), get("use_regex")) {
            (None | Some(""), _) => Filter::All,
            (Some(name), Some("true")) => Filter::Matches(Pattern::new(name).map_err(|_| invalid())?),
            // As in RabbitMQ, upper and lower case are the same here.
            (Some(name), _) => Filter::Has(name.to_lowercase()),
        };
        Ok(Self { number, size, name })
    }
}

impl Filter {
    fn takes(&self, row: &Map<String, Json>) -> bool {
        let name = row.get("name").and_then(Json::as_str).unwrap_or_default();
        match self {
            Self::All => true,
            Self::Has(part) => name.to_lowercase().contains(part),
            Self::Matches(pattern) => pattern.matches(name),
        }
    }
}

/// What a path with dots leads to.
fn field<'a>(row: &'a Map<String, Json>, path: &str) -> Option<&'a Json> {
    let mut parts = path.split('.');
    let mut found = row.get(parts.next()?)?;
    for part in parts {
        found = found.as_object()?.get(part)?;
    }
    Some(found)
}

/// The order of RabbitMQ's language: numbers, words, objects, lists, texts. What is missing comes first.
fn compare(a: Option<&Json>, b: Option<&Json>) -> Ordering {
    let rank = |value: Option<&Json>| match value {
        None => 0,
        Some(Json::Number(_)) => 1,
        Some(Json::Null | Json::Bool(_)) => 2,
        Some(Json::Object(_)) => 3,
        Some(Json::Array(_)) => 4,
        Some(Json::String(_)) => 5,
    };
    rank(a).cmp(&rank(b)).then_with(|| match (a, b) {
        (Some(Json::Number(a)), Some(Json::Number(b))) => {
            let [a, b] = [a, b].map(|number| number.as_f64().unwrap_or(f64::MAX));
            a.total_cmp(&b)
        }
        (Some(Json::Bool(a)), Some(Json::Bool(b))) => a.cmp(b),
        (Some(Json::String(a)), Some(Json::String(b))) => a.cmp(b),
        (Some(Json::Array(a)), Some(Json::Array(b))) => {
            let differing = a.iter().zip(b).map(|(a, b)| compare(Some(a), Some(b)));
            let first = differing.into_iter().find(|order| order.is_ne());
            first.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        _ => Ordering::Equal,
    })
}

/// The part of an object that paths lead to. Depth is bounded by that of the object.
fn chosen(row: Map<String, Json>, paths: &[&[&str]]) -> Map<String, Json> {
    let choose = |(name, value): (String, Json)| {
        let below = paths.iter().filter(|path| path.first() == Some(&name.as_str()));
        let below: Vec<&[&str]> = below.map(|path| path.get(1..).unwrap_or_default()).collect();
        if below.is_empty() {
            return None;
        }
        match value {
            Json::Object(inner) if below.iter().all(|path| !path.is_empty()) => {
                Some((name, Json::Object(chosen(inner, &below))))
            }
            value => Some((name, value)),
        }
    };
    row.into_iter().filter_map(choose).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use serde_json::json;

    fn rows(names: &[&str]) -> Vec<Map<String, Json>> {
        let row = |(at, name): (usize, &&str)| {
            let inner = json!({"x": at % 2, "y": 0});
            object! { "name": *name, "at": at, "in": inner }
        };
        names.iter().enumerate().map(row).collect()
    }

    fn asked(query: &str) -> Result<Json, Refused> {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let pairs: Vec<_> = pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let answer = Answer::Pages(rows(&["b", "a", "Bc", "d"]));
        Ok(Wishes::read(&pairs)?.apply(answer)?.unwrap())
    }

    fn refused(query: &str) -> String {
        match asked(query).unwrap_err() {
            Refused::BadAs(error, reason) => format!("{error}: {reason}"),
            Refused::Bad(Json::String(reason)) => format!("bad_request: {reason}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn rows_are_sorted_by_a_field_and_reversed() {
        let names = |query: &str| asked(&format!("{query}&columns=name")).unwrap().to_string();
        assert_eq!(
            names(""),
            r#"[{"name":"b"},{"name":"a"},{"name":"Bc"},{"name":"d"}]"#
        );
        assert_eq!(
            names("sort=name"),
            r#"[{"name":"Bc"},{"name":"a"},{"name":"b"},{"name":"d"}]"#
        );
        assert_eq!(
            names("sort=in.x&sort_reverse=true"),
            r#"[{"name":"d"},{"name":"a"},{"name":"Bc"},{"name":"b"}]"#
        );
        assert_eq!(names("sort=nope"), names(""));
    }

    #[test]
    fn columns_reach_into_objects() {
        let found = asked("columns=in.x,name&page=1&page_size=1").unwrap();
        assert_eq!(found["items"].to_string(), r#"[{"name":"b","in":{"x":0}}]"#);
        assert_eq!(
            asked("columns=in,in.x&page=1&page_size=1").unwrap()["items"][0]["in"]["y"],
            0
        );
        assert_eq!(asked("columns=").unwrap(), json!([{}, {}, {}, {}]));
    }

    #[test]
    fn a_page_tells_of_how_many_there_are() {
        let found = asked("page=2&page_size=3&columns=name").unwrap();
        let wanted = concat!(
            r#"{"filtered_count":4,"item_count":1,"items":[{"name":"d"}],"#,
            r#""page":2,"page_count":2,"page_size":3,"total_count":4}"#
        );
        assert_eq!(found.to_string(), wanted);
        let found = asked("page=1&name=B&columns=name").unwrap();
        assert_eq!(found["items"].to_string(), r#"[{"name":"b"},{"name":"Bc"}]"#);
        assert_eq!(
            (&found["filtered_count"], &found["total_count"]),
            (&json!(2), &json!(4))
        );
        let found = asked("page=1&name=^[ab]$&use_regex=true&columns=name").unwrap();
        assert_eq!(found["items"].to_string(), r#"[{"name":"b"},{"name":"a"}]"#);
        let found = asked("page=1&name=zzz").unwrap();
        assert_eq!((&found["items"], &found["page_count"]), (&json!([]), &json!(0)));
        assert!(
            asked("page_size=2").unwrap().is_array(),
            "without a page there are none"
        );
    }

    #[test]
    fn wrong_pages_are_refused_in_rabbitmqs_words() {
        for (query, words) in [
            (
                "page=9&page_size=2",
                "page_out_of_range: Page out of range, page: 9 page size: 2, len: 4",
            ),
            (
                "page=0",
                "invalid_pagination_parameters: Invalid pagination parameters: page number 0, \
                 page size undefined",
            ),
            (
                "page=1&page_size=501",
                "invalid_pagination_parameters: Invalid pagination parameters: page number 1, page size 501",
            ),
            (
                "page=1&page_size=0",
                "invalid_pagination_parameters: Invalid pagination parameters: page number 1, page size 0",
            ),
            ("page=x", "bad_request: Pagination parameters are invalid"),
            (
                "page=1&page_size=x",
                "bad_request: Pagination parameters are invalid",
            ),
            (
                "page=1&name=(&use_regex=true",
                "bad_request: Pagination parameters are invalid",
            ),
            (
                "page=9223372036854775807&page_size=500",
                "page_out_of_range: Page out of range, page: 9223372036854775807 page size: 500, len: 4",
            ),
        ] {
            assert_eq!(refused(query), words, "{query}");
        }
    }
}
