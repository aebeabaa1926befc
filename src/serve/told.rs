//! What is told to whoever is refused.

use crate::explore::Refusal;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// A refusal as JSON.
pub(super) fn refused(status: StatusCode, refusal: &Refusal) -> Response {
    let text = crate::report::json_line(refusal);
    (status, [(CONTENT_TYPE, "application/json")], text).into_response()
}
