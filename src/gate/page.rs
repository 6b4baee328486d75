//! The page on which a person drops a file and sees the report: no network but
//! the gate, no script but its own and the report's, told apart by digests.

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::gate::answer::response;
use crate::report;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

const HTML: &str = "text/html; charset=utf-8";

/// The page itself. A frame filled by it is under its policy too, so that the
/// report's style and script are on it.
pub(super) async fn page() -> Response<Body> {
    let (style, script) = report::html_hashes();
    let policy = format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'; \
         style-src 'sha256-{}' 'sha256-{style}'; script-src 'sha256-{}' 'sha256-{script}'",
        hash(STYLE),
        hash(SCRIPT),
    );
    let page = PAGE.replace("{{style}}", STYLE).replace("{{script}}", SCRIPT);
    with_policy(page, &policy)
}

/// A report as a page of its own, which can do nothing in the gate's name.
pub(super) fn report(html: String) -> Response<Body> {
    let (style, script) = report::html_hashes();
    let policy = format!(
        "sandbox allow-scripts; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         style-src 'sha256-{style}'; script-src 'sha256-{script}'"
    );
    with_policy(html, &policy)
}

fn with_policy(html: String, policy: &str) -> Response<Body> {
    let mut response = response(200, HTML, html);
    if let Ok(policy) = HeaderValue::from_str(policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A digest as a content security policy spells it.
fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}
