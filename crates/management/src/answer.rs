//! What a room answers, and what becomes of it: status, headers, body.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value as Json, json};
use warren_node::admin;

/// What a room answers when it did what was asked.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Something to read, of which columns may be chosen.
    Object(Map<String, Json>),
    /// Something to read that is no object.
    Plain(Json),
    /// Many things, in RabbitMQ's order.
    List(Vec<Map<String, Json>>),
    /// The same, where RabbitMQ gives pages on demand.
    Pages(Vec<Map<String, Json>>),
    /// It is there now.
    Created,
    /// It was there and is as wished now, or is gone.
    Done,
}

impl Answer {
    /// What a PUT came to.
    pub(crate) fn put(is_new: bool) -> Self {
        if is_new { Self::Created } else { Self::Done }
    }

    /// What a DELETE came to.
    pub(crate) fn deleted(was_there: bool) -> Result<Self, Refused> {
        if was_there {
            Ok(Self::Done)
        } else {
            Err(Refused::NotFound)
        }
    }
}

/// An object with these fields, in this order.
macro_rules! object {
    ($($name:literal: $value:expr),* $(,)?) => {{
        let mut object = serde_json::Map::new();
        $(object.insert($name.to_owned(), serde_json::Value::from($value));)*
        object
    }};
}
pub(crate) use object;

/// Why something is refused.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refused {
    /// The request makes no sense, with the reason.
    Bad(Json),
    /// The same under another name than `bad_request`.
    BadAs(&'static str, String),
    /// Nobody said who asks.
    NoLogin,
    /// The login cannot be read.
    BadLogin,
    /// No such user, or another password.
    WrongLogin,
    /// Who asks may not, with the reason.
    Forbidden(&'static str),
    /// There is no such thing.
    NotFound,
    /// There is no such thing to do this in or with.
    Missing(&'static str),
    /// The path has other methods, which these are.
    Method(String),
    /// The client takes no JSON.
    NotAcceptable,
    /// It took too long to send the request.
    TooSlow,
    /// The log failed, or took too long.
    NotKept,
}

impl Refused {
    /// A bad request for a reason in words.
    pub(crate) fn bad(reason: impl Into<String>) -> Self {
        Self::Bad(Json::String(reason.into()))
    }

    /// What a component does not take, in RabbitMQ's form.
    pub(crate) fn invalid(reason: impl std::fmt::Display) -> Self {
        Self::bad(format!("Validation failed\n\n{reason}\n"))
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Bad(_) | Self::BadAs(..) | Self::BadLogin => StatusCode::BAD_REQUEST,
            Self::NoLogin | Self::WrongLogin | Self::Forbidden(_) => StatusCode::UNAUTHORIZED,
            Self::NotFound | Self::Missing(_) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NotKept => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The error and its reason; nothing, where RabbitMQ has no body.
    fn words(&self) -> Option<(&'static str, Json)> {
        Some(match self {
            Self::Bad(reason) => ("bad_request", reason.clone()),
            Self::BadAs(error, reason) => (*error, reason.as_str().into()),
            Self::WrongLogin => ("not_authorized", "Not_Authorized".into()),
            Self::Forbidden(reason) => ("not_authorised", (*reason).into()),
            Self::NotFound => ("Object Not Found", "Not Found".into()),
            Self::Missing(reason) => ("not_found", (*reason).into()),
            Self::NotKept => ("not_kept", "the change could not be written to disk".into()),
            Self::NoLogin | Self::BadLogin | Self::Method(_) | Self::NotAcceptable | Self::TooSlow => {
                return None;
            }
        })
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let body = self
            .words()
            .map(|(error, reason)| json!({ "error": error, "reason": reason }));
        let mut response = respond(self.status(), body.as_ref());
        let headers = response.headers_mut();
        match &self {
            Self::NoLogin => {
                let realm = HeaderValue::from_static("Basic realm=\"RabbitMQ Management\"");
                headers.insert(header::WWW_AUTHENTICATE, realm);
            }
            Self::Method(allowed) => allow(&mut response, allowed),
            _ => {}
        }
        response
    }
}

impl From<admin::Error> for Refused {
    fn from(error: admin::Error) -> Self {
        match error {
            admin::Error::NoVhost(_) => Self::Missing("vhost_not_found"),
            admin::Error::NoUser(_) => Self::Missing("user_not_found"),
            other => Self::bad(other.to_string()),
        }
    }
}

/// An answer without what the caller wished of its form; see [`listing`](super::listing).
pub(crate) fn respond(status: StatusCode, body: Option<&Json>) -> Response<Body> {
    let text = body.map(Json::to_string);
    let has_body = text.is_some();
    let mut response = Response::new(text.map_or_else(Body::empty, Body::from));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if has_body {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    // Nothing of it is to be kept by anybody on the way, or run by a browser.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(
        header::VARY,
        HeaderValue::from_static("accept, accept-encoding, origin"),
    );
    response
}

/// Tells which methods a path has.
pub(crate) fn allow(response: &mut Response<Body>, methods: &str) {
    if let Ok(methods) = HeaderValue::from_str(methods) {
        response.headers_mut().insert(header::ALLOW, methods);
    }
}
