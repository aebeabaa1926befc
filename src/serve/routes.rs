//! What can be asked for: the files of the page, the list of scenarios, answers, files to take away.

use super::answers::{self, Answer, Waiting};
use super::told::refused;
use super::{State, guard, page};
use crate::explore::{self, Refusal, Request};
use axum::Router;
use axum::extract::{Path, RawQuery, State as Shared};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Every route, behind the guard.
pub(super) fn of(state: Arc<State>) -> Router {
    Router::new()
        .route("/", get(|| async { page::file("index.html").unwrap_or_else(not_found) }))
        .route("/page/{*path}", get(file))
        .route("/api/sources", get(sources))
        .route("/api/answer", get(answer))
        .route("/api/export", get(export))
        .fallback(|| async { not_found() })
        .layer(from_fn_with_state(state.clone(), guard::check))
        .with_state(state)
}

fn not_found() -> Response {
    let allowed = "/, /page/..., /api/sources, /api/answer, /api/export";
    refused(StatusCode::NOT_FOUND, &Refusal::of("no such address", allowed))
}

async fn file(Path(path): Path<String>) -> Response {
    page::file(&path).unwrap_or_else(not_found)
}

async fn sources(Shared(state): Shared<Arc<State>>) -> Response {
    let Some(place) = state.answers.place().await else { return too_many() };
    let made = tokio::task::spawn_blocking(move || {
        let _place = place;
        let folder = state.folder.as_ref().map(|folder| folder.name());
        explore::sources(&state.options, &answers::sources(&state), folder.as_deref())
    });
    match made.await {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The names of a query, and what each is for.
const NAMES: &str =
    "source=ID, set=KEY=VALUE (any number of times), curve=load or vms, kind= for exports";

/// The request of a query, with the kind of file where one is named.
fn request_of(query: Option<String>) -> Result<(Request, String), Refusal> {
    let (mut request, mut kind) = (Request::default(), String::new());
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let value = value.into_owned();
        match &*name {
            "source" => request.source = value,
            "set" => request.set.push(value),
            "curve" => request.curve = Some(value),
            "kind" => kind = value,
            other => {
                let name: String = other.chars().take(40).collect();
                return Err(Refusal::of(format!("the parameter {name}"), NAMES));
            }
        }
    }
    Ok((request, kind))
}

fn too_many() -> Response {
    let refusal = Refusal::of("too many answers under way", "ask again in a second");
    let mut answer = refused(StatusCode::TOO_MANY_REQUESTS, &refusal);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

async fn answer(Shared(state): Shared<Arc<State>>, RawQuery(query): RawQuery) -> Response {
    let request = match request_of(query) {
        Ok((request, _)) => request,
        Err(refusal) => return refused(StatusCode::BAD_REQUEST, &refusal),
    };
    let Some(place) = state.answers.place().await else { return too_many() };
    let mut answer = answers::begin(state, request, place);
    // What is wrong with a request is known before anything is told.
    match answer.events.recv().await {
        Some(Ok(first)) => Sse::new(stream(first, answer)).into_response(),
        Some(Err(refusal)) => refused(status_of(&refusal), &refusal),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn status_of(refusal: &Refusal) -> StatusCode {
    if refusal.is_missing { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST }
}

/// The events of an answer, the first of which is known.
fn stream(
    first: explore::Event,
    answer: Answer,
) -> impl futures_util::Stream<Item = Result<Event, Infallible>> {
    let event = |(name, data): explore::Event| Event::default().event(name).data(data);
    futures_util::stream::unfold((Some(first), answer), move |(first, mut answer)| async move {
        let next = match first {
            Some(first) => Some(first),
            None => answer.events.recv().await.and_then(Result::ok),
        };
        next.map(|next| (Ok(event(next)), (None, answer)))
    })
}

async fn export(Shared(state): Shared<Arc<State>>, RawQuery(query): RawQuery) -> Response {
    let (request, kind) = match request_of(query) {
        Ok(asked) => asked,
        Err(refusal) => return refused(StatusCode::BAD_REQUEST, &refusal),
    };
    let Some(place) = state.answers.place().await else { return too_many() };
    let waiting = Waiting(Arc::new(AtomicBool::new(false)));
    let gone = waiting.0.clone();
    let made = tokio::task::spawn_blocking(move || {
        let _place = place;
        answers::export(&state, &request, &kind, &gone)
    });
    match made.await {
        Ok(Ok(file)) => {
            let kind = match file.name.rsplit('.').next() {
                Some("svg") => "image/svg+xml",
                Some("json") => "application/json",
                Some("html") => "text/html; charset=utf-8",
                Some("csv") => "text/csv; charset=utf-8",
                _ => "text/plain; charset=utf-8",
            };
            // Names of our files have nothing that a header would mistake; others are made so.
            let safe = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
            let name: String =
                file.name.chars().map(|letter| if safe(letter) { letter } else { '_' }).collect();
            let kept = format!("attachment; filename=\"{name}\"");
            ([(CONTENT_TYPE, kind.to_string()), (CONTENT_DISPOSITION, kept)], file.bytes)
                .into_response()
        }
        Ok(Err(refusal)) => refused(status_of(&refusal), &refusal),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
