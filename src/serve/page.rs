//! The files of the page, which are part of the program.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use include_dir::{Dir, include_dir};

static PAGE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/src/serve/page");

/// The kinds of its files, by their endings.
const KINDS: [(&str, &str); 6] = [
    ("html", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
];

/// A file of the page by its path; nothing where there is none.
pub(super) fn file(path: &str) -> Option<Response> {
    let file = PAGE.get_file(path)?;
    let ending = file.path().extension().and_then(|ending| ending.to_str()).unwrap_or("txt");
    let kind = KINDS.iter().find(|(known, _)| *known == ending);
    let kind = kind.map_or("text/plain; charset=utf-8", |(_, kind)| kind);
    Some(([(CONTENT_TYPE, kind)], file.contents()).into_response())
}
