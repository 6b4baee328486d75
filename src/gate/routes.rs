//! What is answered where.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Path, Query, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, Response, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::routing::{get, post};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;

use crate::gate::answer::{Answer, JSON, Note, Refusal, refused, response};
use crate::gate::body::{self, Incoming, bad};
use crate::gate::multipart::Multipart;
use crate::gate::rate::Client;
use crate::gate::serve::{GONE, Peer, outcome};
use crate::gate::spool::Spooled;
use crate::gate::{Gate, Reason, openapi, page, webhook};
use crate::report::{self, FileReport};

/// The paths, as metrics and logs name them.
const ROUTES: [&str; 10] = [
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/v1/deliveries/{id}",
    "/v1/reports/{sha256}",
    "/v1/scan",
    "/v1/webhooks/huggingface",
    "/v1/webhooks/mlflow",
];

/// Characters of a file's name that are kept.
const NAME_CHARS: usize = 1024;

pub(super) fn router(gate: Arc<Gate>) -> Router {
    let for_clients = Router::new()
        .route("/v1/scan", post(scan))
        .route("/v1/reports/{sha256}", get(kept))
        .route("/v1/deliveries/{id}", get(webhook::result))
        .route_layer(from_fn_with_state(Arc::clone(&gate), admit));
    let for_all = Router::new()
        .route("/", get(page::page))
        .route("/v1/webhooks/mlflow", post(webhook::mlflow))
        .route("/v1/webhooks/huggingface", post(webhook::hub))
        .route("/healthz", get(async || response(200, TEXT, "alive\n")))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(async || response(200, JSON, openapi::text())));
    for_clients
        .merge(for_all)
        .fallback(async || refused(Reason::NotFound.into(), Note::default()))
        .method_not_allowed_fallback(async || refused(Reason::MethodNotAllowed.into(), Note::default()))
        .layer(from_fn_with_state(Arc::clone(&gate), account))
        .with_state(gate)
}

const TEXT: &str = "text/plain; charset=utf-8";

/// A request from its beginning to its end, whichever that is.
struct Entry {
    gate: Arc<Gate>,
    route: &'static str,
    method: Method,
    peer: Option<SocketAddr>,
    client: Option<String>,
    began: Instant,
    ended: bool,
}

impl Entry {
    fn end(&mut self, status: Option<u16>, note: &Note) {
        self.ended = true;
        let outcome = if status.is_some() { outcome(note.reason) } else { GONE };
        self.gate.metrics.request(self.route, outcome);
        // Probes come every second, and say nothing while all is well.
        if note.reason.is_none() && status.is_some() && !self.route.starts_with("/v1/") {
            return;
        }
        let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::from);
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.gate.log.event(
            "request",
            &[
                ("route", self.route.into()),
                ("method", self.method.as_str().into()),
                ("peer", self.peer.map_or(Value::Null, |peer| peer.to_string().into())),
                ("client", text(&self.client)),
                ("status", status.into()),
                ("outcome", outcome.into()),
                ("verdict", note.verdict.map_or(Value::Null, |verdict| verdict.name().into())),
                ("name", text(&note.name)),
                ("sha256", text(&note.sha256)),
                ("bytes", note.bytes.into()),
                ("message", text(&note.message)),
                ("microseconds", micros.into()),
            ],
        );
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.ended {
            self.end(None, &Note::default());
        }
    }
}

/// Counts and logs every request.
async fn account(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response<Body> {
    let matched = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let route = ROUTES.into_iter().find(|route| matched == Some(route)).unwrap_or("other");
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let access = gate.access();
    let holder = access.tokens.as_ref().and_then(|tokens| tokens.name(tokens.holder(request.headers())?));
    let client = holder.map(str::to_owned);
    let method = request.method().clone();
    let mut entry = Entry { gate: Arc::clone(&gate), route, method, peer, client, began: Instant::now(), ended: false };
    let response = next.run(request).await;
    let note = response.extensions().get::<Note>().cloned().unwrap_or_default();
    entry.end(Some(response.status().as_u16()), &note);
    response
}

/// Lets in who may ask, and not too often.
async fn admit(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response<Body> {
    let access = gate.access();
    let client = match (&access.tokens, request.extensions().get::<Peer>()) {
        (Some(tokens), _) => tokens.holder(request.headers()).map(Client::Token).ok_or(Reason::Unauthorized),
        (None, peer) if is_ours(request.headers()) => Ok(peer.map_or(Client::Other, |peer| Client::at(peer.0.ip()))),
        (None, _) => Err(Reason::ForeignOrigin),
    };
    let admitted = client.map_err(Refusal::from).and_then(|client| {
        let busy = |seconds| Refusal { retry_after: Some(seconds), ..Reason::TooManyRequests.into() };
        gate.rate.take(client, Instant::now()).map_err(busy)
    });
    match admitted {
        Ok(()) => next.run(request).await,
        Err(refusal) => refused(refusal, Note::default()),
    }
}

/// Whether no other web page asks: where no token is needed, any page in a
/// browser on this machine could, by an address or by a name that it has
/// pointed here.
fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name| body::text(headers, name);
    let Some(host) = text(header::HOST) else { return false };
    let here = host.parse::<Authority>().is_ok_and(|host| {
        let name = host.host().trim_matches(['[', ']']);
        name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    });
    let origin = headers.get(header::ORIGIN).is_none_or(|origin| {
        let origin = origin.to_str().unwrap_or_default();
        origin.split_once("://").is_some_and(|(_, from)| from == host)
    });
    let site = headers.get("sec-fetch-site").is_none_or(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    here && origin && site
}

/// Whether something new would be taken.
async fn ready(State(gate): State<Arc<Gate>>) -> Response<Body> {
    let (status, word) = if gate.is_draining() { (503, "draining") } else { (200, "ready") };
    response(status, TEXT, format!("{word}\nsandbox: {}\nruleset: {}\n", gate.sandbox(), gate.rules.digest()))
}

async fn metrics(State(gate): State<Arc<Gate>>) -> Response<Body> {
    let info = [("version", env!("CARGO_PKG_VERSION")), ("ruleset", gate.rules.digest())];
    response(200, "text/plain; version=0.0.4; charset=utf-8", gate.metrics.text(&gate.gauges(), &info))
}

#[derive(Deserialize)]
struct Asked {
    name: Option<String>,
}

/// What a JSON body asks for.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ByUri {
    /// The address of an object, such as `s3://bucket/model.pt`.
    pub uri: String,
}

async fn scan(State(gate): State<Arc<Gate>>, request: Request) -> Response<Body> {
    let mut note = Note::default();
    let answered = timeout(gate.config.request, take(&gate, request, &mut note)).await;
    match answered {
        Ok(Ok(judged)) => judged,
        Ok(Err(refusal)) => refused(refusal, note),
        Err(_) => refused(Reason::TimedOut.into(), note),
    }
}

/// From the request to the answer. The place is given back when this ends,
/// however it does; the thread, should it be at the file, is told to stop.
async fn take(gate: &Arc<Gate>, request: Request, note: &mut Note) -> Result<Response<Body>, Refusal> {
    let place = gate.place()?;
    let report = match receive(gate, request).await? {
        Received::Body(name, spooled) => {
            note.name = Some(name.clone());
            gate.scan(&name, spooled).await?
        }
        Received::Uri(uri) => {
            note.name = Some(uri.clone());
            gate.scan_uri(&uri).await?
        }
    };
    note.bytes = Some(report.size);
    note.sha256.clone_from(&report.sha256);
    note.verdict = Some(report.verdict);
    let answer = answer(gate, report, note.clone()).await;
    drop(place);
    answer
}

/// What a request brings.
enum Received {
    /// A file's name, and its bytes in the spool.
    Body(String, Spooled),
    /// Where a file is.
    Uri(String),
}

async fn receive(gate: &Gate, request: Request) -> Result<Received, Refusal> {
    let (parts, body) = request.into_parts();
    body::check(&parts.headers, &gate.spool)?;
    let kind = body::text(&parts.headers, header::CONTENT_TYPE).unwrap_or_default().to_owned();
    let body = Incoming::new(body, gate.config.silence);
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(JSON) {
        let asked: ByUri = serde_json::from_slice(&body.short().await?).map_err(|error| bad(error.to_string()))?;
        return Ok(Received::Uri(asked.uri));
    }
    let in_header =
        parts.headers.get("x-weighin-name").map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
    let in_query = Query::<Asked>::try_from_uri(&parts.uri).map_err(|_| bad("the query can't be read"))?.0.name;
    let (in_form, spooled) = if essence.eq_ignore_ascii_case("multipart/form-data") {
        let form = Multipart::new(&kind).ok_or_else(|| bad("multipart/form-data without a boundary"))?;
        let (name, spooled) = body.form(form, &gate.spool).await?;
        (Some(name), spooled)
    } else {
        (None, body.whole(&gate.spool).await?)
    };
    let name = in_query.or(in_header).or(in_form).filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| "upload".to_owned());
    Ok(Received::Body(name.chars().take(NAME_CHARS).collect(), spooled))
}

/// The answer about what was scanned. Large reports take a while to write.
pub(super) async fn judged(gate: &Arc<Gate>, files: Vec<FileReport>) -> Result<Answer, Refusal> {
    let gate = Arc::clone(gate);
    let judged = tokio::task::spawn_blocking(move || gate.judge(files)).await;
    judged.map_err(|_| Refusal::from(Reason::Failed))?
}

/// The answer about one file, which is kept.
async fn answer(gate: &Arc<Gate>, file: FileReport, mut note: Note) -> Result<Response<Body>, Refusal> {
    let sha256 = file.sha256.clone();
    let answer = judged(gate, vec![file]).await?;
    let reason = answer.reason;
    let text = tokio::task::spawn_blocking(move || serde_json::to_vec(&answer)).await;
    let text = text.ok().and_then(Result::ok).map(Bytes::from).ok_or(Reason::Failed)?;
    if let Some(sha256) = sha256 {
        gate.reports.put(&sha256, text.clone());
    }
    note.reason = Some(reason);
    let mut response = response(reason.status(), JSON, text);
    response.extensions_mut().insert(note);
    Ok(response)
}

/// The answer that was given about a file, or its report as a page.
async fn kept(State(gate): State<Arc<Gate>>, Path(sha256): Path<String>, headers: HeaderMap) -> Response<Body> {
    let Some(text) = gate.reports.get(&sha256.to_ascii_lowercase()) else {
        return refused(Reason::NotFound.into(), Note::default());
    };
    let wants_page = body::text(&headers, header::ACCEPT).is_some_and(|accept| accept.contains("text/html"));
    if !wants_page {
        return response(200, JSON, text);
    }
    let rules = Arc::clone(&gate.rules);
    let page = tokio::task::spawn_blocking(move || {
        let answer: Answer = serde_json::from_slice(&text).ok()?;
        answer.report.map(|report| report::html(&report, &rules))
    });
    match page.await {
        Ok(Some(html)) => page::report(html),
        _ => refused(Reason::Failed.into(), Note::default()),
    }
}
