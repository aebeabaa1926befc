//! What every request is held to before anything is done for it.
//!
//! A page of some other site can make a browser ask this server, by a name that points to this machine or by a
//! link: its requests bear another Host, or say that they come from another site. Neither is answered.

use super::State;
use super::told::refused;
use crate::explore::Refusal;
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;

/// The longest address of a request: forty settings are a tenth of it.
const ADDRESS: usize = 8_000;

/// All that a page may do is to ask this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const HEADERS: [(header::HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Passes on what is allowed, and says of every answer what a browser may do with it.
pub(super) async fn check(
    Shared(state): Shared<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    let mut answer = match fault(&state, &request) {
        Some((status, refusal)) => refused(status, &refusal),
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        answer.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    answer
}

fn fault(state: &State, request: &Request) -> Option<(StatusCode, Refusal)> {
    let texts = |name: header::HeaderName| -> Vec<String> {
        let values = request.headers().get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    };
    let hosts = ["127.0.0.1", "localhost"].map(|host| format!("{host}:{}", state.port));
    let is_ours = |host: &String| hosts.iter().any(|known| host.eq_ignore_ascii_case(known));
    let asked = texts(header::HOST);
    if asked.len() != 1 || !asked.iter().all(is_ours) {
        let error = format!("Host: {}", clipped(&asked.join(", ")));
        return Some((StatusCode::FORBIDDEN, Refusal::of(error, hosts.join(", "))));
    }
    let fetch = |what: &'static str| texts(header::HeaderName::from_static(what));
    let is_own = |from: &String| from == "same-origin" || from == "none";
    let foreign = fetch("sec-fetch-site").into_iter().find(|from| !is_own(from));
    // A link to the page, followed by somebody, leads to it: it is a page of its own then.
    let is_link = request.uri().path() == "/" && fetch("sec-fetch-mode") == ["navigate"];
    if let Some(from) = foreign.filter(|_| !is_link) {
        let error = format!("a request of another site (Sec-Fetch-Site: {})", clipped(&from));
        return Some((StatusCode::FORBIDDEN, Refusal::of(error, "requests of this page")));
    }
    let origins = texts(header::ORIGIN);
    let own = hosts.clone().map(|host| format!("http://{host}"));
    if let Some(origin) = origins.iter().find(|origin| !own.contains(origin)) {
        let error = format!("Origin: {}", clipped(origin));
        return Some((StatusCode::FORBIDDEN, Refusal::of(error, own.join(", "))));
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let error = format!("{} requests", clipped(request.method().as_str()));
        return Some((StatusCode::METHOD_NOT_ALLOWED, Refusal::of(error, "GET, HEAD")));
    }
    let has_body = request.headers().contains_key(header::TRANSFER_ENCODING)
        || texts(header::CONTENT_LENGTH).iter().any(|length| length != "0");
    if has_body {
        let refusal = Refusal::of("a request with a body", "requests without one");
        return Some((StatusCode::PAYLOAD_TOO_LARGE, refusal));
    }
    let length = request.uri().path_and_query().map_or(0, |all| all.as_str().len());
    if length > ADDRESS {
        let refusal = Refusal::of(format!("an address of {length} bytes"), format!("{ADDRESS}"));
        return Some((StatusCode::URI_TOO_LONG, refusal));
    }
    None
}

fn clipped(text: &str) -> String {
    text.chars().take(80).collect()
}
