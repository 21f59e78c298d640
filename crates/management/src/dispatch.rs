//! From a request to its response: the room that the path names, who asks and whether they may, the body,
//! what the room answers, and the wait for the disk.
//!
//! The order is RabbitMQ's: an unknown path is 404 and an unknown method 405 to anybody; a body is read only
//! of those who may send it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::RawPathParams;
use axum::extract::rejection::RawPathParamsRejection;
use axum::http::request::Parts;
use axum::http::{Method, Request, Response, StatusCode, Uri, header};
use axum::routing::any;
use percent_encoding::percent_decode_str;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::Api;
use crate::access::{Caller, Needs};
use crate::answer::{Answer, Refused, allow, respond};
use crate::asked::Asked;
use crate::listing::Wishes;
use crate::rooms::{ROOMS, Room, Verb, Way};

/// The most bytes of a body.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a change may take to be on disk before its client is told that it is not.
const KEPT_TIMEOUT: Duration = Duration::from_secs(60);

/// All rooms, by their paths.
pub(crate) fn router(api: &Arc<Api>) -> Router {
    let mut router = Router::new();
    for room in ROOMS {
        let api = Arc::clone(api);
        let enter = move |names: Result<RawPathParams, RawPathParamsRejection>, request: Request<Body>| {
            let api = Arc::clone(&api);
            async move { enter(&api, room, names, request).await }
        };
        router = router.route(room.path, any(enter));
    }
    router.fallback(async || Refused::NotFound.into_response())
}

/// The path as the table of rooms has it: without the prefix, and without slashes at its end. Nothing, if it
/// does not begin with the prefix.
pub(crate) fn inner_path(uri: &Uri, prefix: &str) -> Option<Uri> {
    let path = uri.path().strip_prefix(prefix)?;
    let path = path.trim_end_matches('/');
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = if path.is_empty() { "/" } else { path };
    format!("{path}{query}").parse().ok()
}

async fn enter(
    api: &Arc<Api>,
    room: &'static Room,
    names: Result<RawPathParams, RawPathParamsRejection>,
    request: Request<Body>,
) -> Response<Body> {
    if request.method() == Method::OPTIONS {
        let mut response = respond(StatusCode::OK, None);
        allow(&mut response, &room.methods());
        return response;
    }
    match answer(api, room, names, request).await {
        Ok(response) => response,
        Err(refused) => refused.into_response(),
    }
}

async fn answer(
    api: &Arc<Api>,
    room: &'static Room,
    names: Result<RawPathParams, RawPathParamsRejection>,
    request: Request<Body>,
) -> Result<Response<Body>, Refused> {
    let (head, body) = request.into_parts();
    let way = Verb::of(&head.method).and_then(|verb| room.ways.iter().find(|way| way.verb == verb));
    let way = way.ok_or_else(|| Refused::Method(room.methods()))?;
    let names: Vec<(String, String)> = names
        .map_err(|_| Refused::bad("not_utf8"))?
        .iter()
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
    let caller = caller(api, way, &head)?;
    let vhost = names.iter().find(|(name, _)| name == "vhost");
    caller.check(way.needs, vhost.map(|(_, vhost)| vhost.as_str()))?;
    if !takes_json(&head) {
        return Err(Refused::NotAcceptable);
    }
    let wishes = Wishes::read(&query(&head.uri))?;
    let body = read(body).await?;
    let done = carry_out(api, (room.path, way), caller, names, body, wishes).await?;
    api.kept().await?;
    Ok(done)
}

fn caller(api: &Api, way: &Way, head: &Parts) -> Result<Caller, Refused> {
    if way.needs == Needs::Nothing {
        return Ok(Caller::nobody());
    }
    let header = head.headers.get(header::AUTHORIZATION);
    let peer = head.extensions.get::<SocketAddr>().ok_or(Refused::NoLogin)?;
    Caller::login(&api.node, header.map(|value| value.as_bytes()), peer.ip())
}

/// The room's work, on a thread that may take its time: a virtual host may have many queues.
async fn carry_out(
    api: &Arc<Api>,
    (path, way): (&'static str, &'static Way),
    caller: Caller,
    names: Vec<(String, String)>,
    body: Vec<u8>,
    wishes: Wishes,
) -> Result<Response<Body>, Refused> {
    let api = Arc::clone(api);
    let work = move || {
        let asked = Asked {
            node: &api.node,
            settings: &api.settings,
            caller: &caller,
            names: &names,
            body: &body,
        };
        let answer = (way.act)(&asked)?;
        if way.verb != Verb::Get {
            let what: Vec<_> = names.iter().map(|(_, name)| name.as_str()).collect();
            let (by, verb) = (&caller.user().name, way.verb.word());
            tracing::info!(%by, verb, path, ?what, "changed over HTTP");
        }
        let status = match &answer {
            Answer::Created => StatusCode::CREATED,
            Answer::Done => StatusCode::NO_CONTENT,
            _ => StatusCode::OK,
        };
        Ok(respond(status, wishes.apply(answer)?.as_ref()))
    };
    // An error here is a panic in a room, which was reported where it happened.
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(Refused::NotKept))
}

impl Api {
    /// Waits until everything that the catalog knows is durable.
    async fn kept(&self) -> Result<(), Refused> {
        let position = self.node.catalog_position();
        if self.node.durable() >= position {
            return Ok(());
        }
        let (tell, told) = oneshot::channel();
        self.node.when_durable(position, move || {
            // Whoever asked may have gone.
            let _ = tell.send(());
        });
        match timeout(KEPT_TIMEOUT, told).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Refused::NotKept),
        }
    }
}

async fn read(body: Body) -> Result<Vec<u8>, Refused> {
    let read = timeout(BODY_TIMEOUT, axum::body::to_bytes(body, BODY_BYTES_MAX));
    match read.await {
        Err(_) => Err(Refused::TooSlow),
        Ok(Err(_)) => Err(Refused::bad("Exceeded HTTP request body size limit")),
        Ok(Ok(bytes)) => Ok(bytes.into()),
    }
}

/// Whether the client takes JSON, as far as it says what it takes.
fn takes_json(head: &Parts) -> bool {
    let mut accepted = head.headers.get_all(header::ACCEPT).iter().peekable();
    if accepted.peek().is_none() {
        return true;
    }
    accepted.filter_map(|value| value.to_str().ok()).any(|list| {
        list.split(',').any(|range| {
            let media_type = range.split(';').next().unwrap_or_default().trim();
            matches!(media_type, "" | "*/*" | "application/*" | "application/json")
        })
    })
}

/// Names and values of a query; what is no UTF-8 is left out.
fn query(uri: &Uri) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text)
            .decode_utf8()
            .ok()
            .map(|text| text.into_owned())
    };
    let pairs = uri.query().unwrap_or_default().split('&');
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .filter_map(|(name, value)| Some((decode(name)?, decode(value)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn paths_lose_their_prefix_and_what_hangs_at_their_end() {
        let inner = |text: &str, prefix| {
            let uri: Uri = text.parse().unwrap();
            inner_path(&uri, prefix).map(|uri| uri.to_string())
        };
        assert_eq!(inner("/api/vhosts/%2F", "").unwrap(), "/api/vhosts/%2F");
        assert_eq!(inner("/api/vhosts//?a=b", "").unwrap(), "/api/vhosts?a=b");
        assert_eq!(inner("/mq/api/users", "/mq").unwrap(), "/api/users");
        assert_eq!(inner("/api/users", "/mq"), None);
        assert_eq!(inner("/mq", "/mq").unwrap(), "/");
    }

    #[test]
    fn a_query_is_decoded() {
        let uri: Uri = "/x?a=1+2&b=%5Ea%26&c&d=%FF&=e".parse().unwrap();
        let pairs = [("a", "1 2"), ("b", "^a&"), ("c", ""), ("", "e")];
        assert_eq!(
            query(&uri),
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn who_takes_no_json_is_told_by_the_header() {
        let takes = |accept: &[&str]| {
            let mut request = Request::builder().uri("/");
            for value in accept {
                request = request.header(header::ACCEPT, *value);
            }
            takes_json(&request.body(()).unwrap().into_parts().0)
        };
        for accept in [
            &[][..],
            &["*/*"],
            &["text/html, application/json;q=0.9"],
            &["text/html", "application/*"],
        ] {
            assert!(takes(accept), "{accept:?}");
        }
        assert!(!takes(&["text/html"]));
    }
}
