//! What the gate answers: a decision with its reason, and the report.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::gate::reason::{Decision, Reason};
use crate::report::{Report, Verdict};

/// The answer to a scan, and what is kept of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// Whether the model may be used.
    pub decision: Decision,
    /// Why.
    pub reason: Reason,
    /// The same in words. Hostile: it may have names out of the model.
    pub message: String,
    /// What was found, as `weighin scan --format json` reports it; absent when
    /// there was no scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
}

/// The answer to a webhook whose scan goes on.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    /// Where the answers will be, one for each thing that is new.
    pub results: Vec<String>,
}

/// A request that was refused, before or instead of a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub reason: Reason,
    pub message: String,
    /// Seconds, where the reason's own are not meant.
    pub retry_after: Option<u64>,
}

impl Refusal {
    pub(super) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retry_after: None }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::new(reason, reason.meaning())
    }
}

/// What the log says of a request; handlers leave it in their response.
#[derive(Debug, Clone, Default)]
pub(super) struct Note {
    pub reason: Option<Reason>,
    pub message: Option<String>,
    pub name: Option<String>,
    pub sha256: Option<String>,
    pub verdict: Option<Verdict>,
    pub bytes: Option<u64>,
}

/// A response with `body` of some type. Nothing that the gate answers is to be
/// kept by caches, guessed at, framed, or fetched by other origins.
pub(super) fn response(status: u16, kind: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

pub(super) const JSON: &str = "application/json";

/// A refusal as a response.
pub(super) fn refused(refusal: Refusal, mut note: Note) -> Response<Body> {
    let reason = refusal.reason;
    note.reason = Some(reason);
    note.message = Some(refusal.message.clone());
    let answer = Answer { decision: reason.decision(), reason, message: refusal.message, report: None };
    let text = serde_json::to_string(&answer).unwrap_or_default();
    let mut response = response(reason.status(), JSON, text);
    if let Some(seconds) = refusal.retry_after.or(reason.retry_after()) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if reason == Reason::Unauthorized {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response.extensions_mut().insert(note);
    response
}
