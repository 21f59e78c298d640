//! A client of the HTTP API.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::http::{Request, Response, header};

use crate::program::Program;

/// Who asks, unless a test says so.
pub(crate) const GUEST: &str = "guest:guest";

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// The header `Allow`.
    pub(crate) allow: Option<String>,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Asks as guest.
pub(crate) fn ask(program: &Program, method: &str, path: &str, body: Option<&str>) -> Answer {
    ask_as(program, Some(GUEST), method, path, body)
}

/// Asks, and asserts the status.
pub(crate) fn done(program: &Program, method: &str, path: &str, body: Option<&str>, status: u16) -> Answer {
    let answer = ask(program, method, path, body);
    assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    answer
}

/// Asks as a user, written `name:password`, or as nobody.
pub(crate) fn ask_as(
    program: &Program,
    login: Option<&str>,
    method: &str,
    path: &str,
    body: Option<&str>,
) -> Answer {
    let uri = format!("http://{}{path}", program.http());
    let mut request = Request::builder().method(method).uri(uri);
    if let Some(login) = login {
        request = request.header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(login)));
    }
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .new_agent();
    let response = match body {
        Some(body) => agent.run(request.body(body.to_owned()).unwrap()),
        None => agent.run(request.body(()).unwrap()),
    };
    let mut response: Response<ureq::Body> = response.unwrap();
    let allow = response.headers().get(header::ALLOW);
    Answer {
        status: response.status().as_u16(),
        allow: allow.map(|methods| methods.to_str().unwrap().to_owned()),
        body: response.body_mut().read_to_string().unwrap(),
    }
}
