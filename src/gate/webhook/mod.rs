//! Webhooks: a registry tells that there is something new, the gate fetches it
//! from where the operator said, and examines it. The answer to the registry is
//! only that this goes on; the decision is kept, and told where it can be.

mod hub;
mod mlflow;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Path as UrlPath, Request, State};
use axum::http::{HeaderMap, Response};
use serde_json::Value;

pub use hub::Hub;
pub use mlflow::Mlflow;

use crate::gate::answer::{Accepted, Answer, JSON, Note, Refusal, refused, response};
use crate::gate::body::{Incoming, bad};
use crate::gate::fetch::Registry;
use crate::gate::store::Store;
use crate::gate::{Gate, GateError, Place, Reason, routes};
use crate::report::{FileReport, Report, sanitise};

/// How far the clock of a registry may be off, and how long a delivery that was
/// accepted is known again.
const FRESH: Duration = Duration::from_secs(300);

/// Deliveries that are known again. Beyond, nothing new is taken for a while.
const KNOWN: usize = 10_000;

/// What has been delivered.
#[derive(Debug)]
pub(super) struct Deliveries {
    going_on: Mutex<BTreeSet<String>>,
    seen: Mutex<HashMap<String, Instant>>,
    results: Store,
}

impl Deliveries {
    pub(super) fn new(kept_bytes: usize) -> Self {
        Self { going_on: Mutex::default(), seen: Mutex::default(), results: Store::new(kept_bytes) }
    }

    fn is_going_on(&self, id: &str) -> bool {
        self.going_on.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// Whether the delivery `id` is new at the time `now`; from now on it is not.
    fn is_new(&self, id: &str, now: Instant) -> Result<bool, Refusal> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // A signature is good for as long on either side of now.
        seen.retain(|_, at| now.saturating_duration_since(*at) < FRESH * 2);
        if seen.len() >= KNOWN {
            return Err(Reason::Overloaded.into());
        }
        Ok(seen.insert(id.to_owned(), now).is_none())
    }
}

/// A file to examine.
struct Wanted {
    place: From,
    /// Its name in the registry. Hostile.
    path: String,
}

/// Where a file is.
enum From {
    /// In the registry, with as many bytes as it says.
    Registry(reqwest::Url, Option<u64>),
    /// In a store, below a prefix that the operator has named.
    Store(String),
}

/// What a registry says is new.
#[derive(Debug, Clone, PartialEq, Eq)]
enum News {
    Mlflow { name: String, version: String },
    Hub { repository: crate::source::HubRepository, revision: String },
}

impl News {
    fn name(&self) -> String {
        match self {
            Self::Mlflow { name, version } => format!("models:/{name}/{version}"),
            Self::Hub { repository, revision } => format!("{repository}@{revision}"),
        }
    }
}

/// Takes a webhook of MLflow.
pub(super) async fn mlflow(State(gate): State<Arc<Gate>>, request: Request) -> Response<Body> {
    let taken = async {
        let mlflow = gate.config.mlflow.as_ref().ok_or(Reason::NotFound)?;
        let (headers, body) = short(&gate, request).await?;
        let delivery = mlflow.verify(&headers, &body, std::time::SystemTime::now())?;
        let Some(news) = mlflow::news(&document(&body)?)? else { return Ok(ignored()) };
        let place = gate.place()?;
        let id = format!("mlflow-{delivery}");
        if gate.deliveries.is_new(&id, Instant::now())? {
            begin(&gate, &id, news, place);
        }
        Ok(accepted(vec![id]))
    };
    taken.await.unwrap_or_else(|refusal: Refusal| refused(refusal, Note::default()))
}

/// Takes a webhook of the Hugging Face Hub.
pub(super) async fn hub(State(gate): State<Arc<Gate>>, request: Request) -> Response<Body> {
    let taken = async {
        let hub = gate.config.hub.as_ref().ok_or(Reason::NotFound)?;
        hub.verify(request.headers())?;
        let (_, body) = short(&gate, request).await?;
        let mut ids = Vec::new();
        for news in hub::news(&document(&body)?)? {
            let id = hub::id(&news);
            if !gate.deliveries.is_going_on(&id) {
                begin(&gate, &id, news, gate.place()?);
            }
            ids.push(id);
        }
        Ok(if ids.is_empty() { ignored() } else { accepted(ids) })
    };
    taken.await.unwrap_or_else(|refusal: Refusal| refused(refusal, Note::default()))
}

/// What came of a delivery.
pub(super) async fn result(State(gate): State<Arc<Gate>>, UrlPath(id): UrlPath<String>) -> Response<Body> {
    if gate.deliveries.is_going_on(&id) {
        return accepted(vec![id]);
    }
    match gate.deliveries.results.get(&id) {
        Some(text) => response(200, JSON, text),
        None => refused(Reason::NotFound.into(), Note::default()),
    }
}

/// Header and body of a request that is short.
async fn short(gate: &Gate, request: Request) -> Result<(HeaderMap, Vec<u8>), Refusal> {
    let (parts, body) = request.into_parts();
    let body = Incoming::new(body, gate.config.silence).short();
    let body = tokio::time::timeout(gate.config.request, body).await.map_err(|_| Refusal::from(Reason::TimedOut))??;
    Ok((parts.headers, body))
}

fn document(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| bad(error.to_string()))
}

fn accepted(ids: Vec<String>) -> Response<Body> {
    let results = ids.into_iter().map(|id| format!("/v1/deliveries/{id}")).collect();
    response(202, JSON, serde_json::to_string(&Accepted { results }).unwrap_or_default())
}

/// An event that is none of ours.
fn ignored() -> Response<Body> {
    response(200, JSON, serde_json::to_string(&Accepted { results: Vec::new() }).unwrap_or_default())
}

/// Does the rest while the registry has its answer already.
fn begin(gate: &Arc<Gate>, id: &str, news: News, place: Place) {
    let (gate, id) = (Arc::clone(gate), id.to_owned());
    gate.deliveries.going_on.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
    tokio::spawn(async move {
        let files = tokio::time::timeout(gate.config.delivery, examine(&gate, &news)).await;
        let files = files.unwrap_or_else(|_| Err(Reason::TimedOut.into()));
        let answer = decide(&gate, files).await;
        let told = match (&news, &gate.config.mlflow) {
            (News::Mlflow { name, version }, Some(mlflow)) => mlflow.tell(name, version, &answer).await,
            _ => Ok(()),
        };
        let text = serde_json::to_vec(&answer).unwrap_or_default();
        gate.deliveries.results.put(&id, text.into());
        gate.deliveries.going_on.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        gate.metrics.request("delivery", answer.reason.name());
        gate.log.event(
            "delivery",
            &[
                ("id", id.into()),
                ("name", news.name().into()),
                ("outcome", answer.reason.name().into()),
                ("message", answer.message.into()),
                ("not-told", told.err().map_or(Value::Null, |refusal| refusal.message.into())),
            ],
        );
        drop(place);
    });
}

/// Fetches and scans all files of what is new.
async fn examine(gate: &Arc<Gate>, news: &News) -> Result<Vec<FileReport>, Refusal> {
    let (registry, files): (&Registry, Vec<Wanted>) = match (news, &gate.config.mlflow, &gate.config.hub) {
        (News::Mlflow { name, version }, Some(mlflow), _) => {
            (mlflow.registry(), mlflow.files(name, version, gate).await?)
        }
        (News::Hub { repository, revision }, _, Some(hub)) => (hub.registry(), hub.files(repository, revision).await?),
        _ => return Err(Reason::NotFound.into()),
    };
    let mut reports = Vec::with_capacity(files.len());
    for Wanted { place, path } in files {
        let (place, report) = match place {
            From::Registry(url, bytes) => {
                let place = url.to_string();
                let spooled = registry.file(url, bytes, &gate.spool).await?;
                (place, gate.scan(&path, spooled).await?)
            }
            From::Store(uri) => {
                let report = gate.scan_uri(&uri).await?;
                (uri, report)
            }
        };
        reports.push(match news {
            News::Mlflow { name, version } => report.called(format!("models:/{name}/{version}/{path}")),
            News::Hub { repository, revision } => report.named(&hub::file(repository, revision, &path), &place),
        });
    }
    Ok(reports)
}

/// The answer about the files, or why there is none.
async fn decide(gate: &Arc<Gate>, files: Result<Vec<FileReport>, Refusal>) -> Answer {
    let denied = |refusal: Refusal| Answer {
        decision: refusal.reason.decision(),
        reason: refusal.reason,
        message: refusal.message,
        report: None,
    };
    match files {
        Ok(files) => routes::judged(gate, files).await.unwrap_or_else(denied),
        Err(refusal) => denied(refusal),
    }
}

/// A digest of all files: that of what `sha256sum` would print of them, sorted
/// by name; absent when one has none.
fn content(report: &Report) -> Option<String> {
    use sha2::{Digest as _, Sha256};

    let mut lines = String::new();
    for file in &report.files {
        lines.push_str(&format!("{}  {}\n", file.sha256.as_ref()?, sanitise(&file.path)));
    }
    Some(crate::rules::hex(&Sha256::digest(lines)))
}

/// A secret from a file, without the end of its line.
///
/// # Errors
/// When it can't be read, or there is none in it.
pub fn secret(file: &Path) -> Result<String, GateError> {
    let wrong = |why: String| GateError::new(format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let secret = text.trim_end_matches(['\r', '\n']).to_owned();
    if secret.is_empty() { Err(wrong("there is no secret in it".to_owned())) } else { Ok(secret) }
}
