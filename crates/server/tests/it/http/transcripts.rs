//! Requests and answers, as RabbitMQ 4.0.5 was seen to give them.
//!
//! ```text
//!   # a comment
//!   as u:password                          who asks from here on; guest at first
//!   nobody                                 from here on, nobody says who asks
//!   PUT /api/vhosts/a {"tags":[]}          a request: method, path, body
//!     201                                  the status, then the methods of `Allow`, or the body
//!     RabbitMQ 500                         what RabbitMQ answers, where we differ on purpose
//! ```
//!
//! In a body, `"*"` stands for any value. The order of fields does not count, that of lists does.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::client::{Answer, GUEST, ask_as};
use crate::program::{Program, start};

/// One request, what is to come back, and where it stands.
#[derive(Debug)]
struct Step {
    line: usize,
    login: Option<String>,
    request: String,
    wanted: String,
}

fn read(text: &str) -> Vec<Step> {
    let (mut steps, mut login) = (Vec::new(), Some(GUEST.to_owned()));
    for (at, line) in text.lines().enumerate() {
        if let Some(answer) = line.strip_prefix("  ") {
            if !answer.starts_with("RabbitMQ ") {
                let step: &mut Step = steps.last_mut().unwrap();
                answer.clone_into(&mut step.wanted);
            }
        } else if let Some(user) = line.strip_prefix("as ") {
            login = Some(user.to_owned());
        } else if line == "nobody" {
            login = None;
        } else if !line.is_empty() && !line.starts_with('#') {
            steps.push(Step {
                line: at + 1,
                login: login.clone(),
                request: line.to_owned(),
                wanted: String::new(),
            });
        }
    }
    steps
}

fn matches(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::String(any), _) if any == "*" => true,
        (Value::Object(wanted), Value::Object(found)) => {
            let same = |(name, value)| found.get(name).is_some_and(|found| matches(value, found));
            wanted.len() == found.len() && wanted.iter().all(same)
        }
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(a, b)| matches(a, b))
        }
        _ => wanted == found,
    }
}

fn is_wanted(wanted: &str, answer: &Answer) -> bool {
    let (status, rest) = wanted.split_once(' ').unwrap_or((wanted, ""));
    if status != answer.status.to_string() {
        return false;
    }
    match (rest.strip_prefix("allow "), rest) {
        (Some(methods), _) => answer.allow.as_deref() == Some(methods) && answer.body.is_empty(),
        (None, "") => answer.body.is_empty(),
        (None, json) => matches(&serde_json::from_str(json).unwrap(), &answer.json()),
    }
}

fn play(program: &Program, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/http")
        .join(name);
    let text = fs::read_to_string(&path).unwrap();
    let steps = read(&text);
    assert!(!steps.is_empty());
    let mut wrong = Vec::new();
    for Step {
        line,
        login,
        request,
        wanted,
    } in &steps
    {
        let mut parts = request.splitn(3, ' ');
        let (method, path) = (parts.next().unwrap(), parts.next().unwrap());
        let answer = ask_as(program, login.as_deref(), method, path, parts.next());
        if !is_wanted(wanted, &answer) {
            wrong.push(format!(
                "{name}:{line}: {request}\n  wanted {wanted}\n  found  {answer:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(name: &str) {
    play(&start(&[]), name);
}

#[test]
fn virtual_hosts() {
    check("vhosts.txt");
}

#[test]
fn users() {
    check("users.txt");
}

#[test]
fn permissions() {
    check("permissions.txt");
}

#[test]
fn parameters() {
    check("parameters.txt");
}

#[test]
fn policies() {
    check("policies.txt");
}

#[test]
fn access() {
    check("access.txt");
}

#[test]
fn listing() {
    check("listing.txt");
}
