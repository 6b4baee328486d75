//! Webhooks of MLflow's model registry (MLflow 3,
//! <https://mlflow.org/docs/latest/ml/webhooks/>): verified by HMAC, fetched
//! through the tracking server's artifact proxy or from the store that has the
//! artifacts, told by tags of the version.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{FRESH, From, News, Wanted, content};
use crate::gate::answer::{Answer, Refusal};
use crate::gate::body::bad;
use crate::gate::fetch::{Registry, unreachable};
use crate::gate::{Gate, GateError, Reason};
use crate::report::sanitise;

/// Where the tracking server has its artifacts.
const ARTIFACTS: [&str; 4] = ["api", "2.0", "mlflow-artifacts", "artifacts"];

/// Files and folders of one version: the largest honest ones have hundreds.
const ENTRIES: usize = 10_000;

/// Characters of a tag; the registry cuts or refuses longer ones.
const TAG_CHARS: usize = 500;

/// A tracking server that the gate listens to.
#[derive(Clone)]
pub struct Mlflow {
    registry: Registry,
    secret: String,
}

impl std::fmt::Debug for Mlflow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mlflow").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl Mlflow {
    /// The tracking server at `root`, whose webhooks are signed with `secret`;
    /// requests to it carry `authorization`.
    ///
    /// # Errors
    /// When `root` is no address.
    pub fn new(root: &str, secret: String, authorization: Option<&str>, silence: Duration) -> Result<Self, GateError> {
        Ok(Self { registry: Registry::new(root, authorization, &[], silence)?, secret })
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The id of a delivery that is signed, and not too long ago.
    pub(super) fn verify(&self, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Result<String, Refusal> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let given = (text("x-mlflow-delivery-id"), text("x-mlflow-timestamp"), text("x-mlflow-signature"));
        let (Some(id), Some(timestamp), Some(signature)) = given else { return Err(Reason::Unauthorized.into()) };
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).map_err(|_| Reason::Failed)?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        // While a secret is changed there is one signature for each.
        let signed = signature.split_whitespace().any(|one| {
            let bytes = one.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
            bytes.is_some_and(|bytes| mac.clone().verify_slice(&bytes).is_ok())
        });
        let then = timestamp.parse().ok().and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
        let off = then.map(|then| now.duration_since(then).unwrap_or_else(|before| before.duration()));
        let name = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !signed || off.is_none_or(|off| off > FRESH) || !name || id.is_empty() {
            return Err(Reason::Unauthorized.into());
        }
        Ok(id.to_owned())
    }

    /// The files of a version: through the artifact proxy, or from a store as
    /// far as the operator lets `gate` read there.
    pub(super) async fn files(&self, name: &str, version: &str, gate: &Arc<Gate>) -> Result<Vec<Wanted>, Refusal> {
        let mut url = self.registry.url(["api", "2.0", "mlflow", "model-versions", "get-download-uri"])?;
        url.query_pairs_mut().append_pair("name", name).append_pair("version", version);
        let told = self.registry.json(url).await?;
        let uri = told["artifact_uri"].as_str().unwrap_or_default();
        match self.proxied(uri) {
            Some(top) => self.in_proxy(&top).await,
            None if gate.may_read(uri) => in_store(uri, gate).await,
            None => Err(unreachable(format!(
                "the artifacts are at {uri}, neither served by the tracking server nor below a prefix that may be read"
            ))),
        }
    }

    async fn in_proxy(&self, top: &str) -> Result<Vec<Wanted>, Refusal> {
        let mut folders = vec![String::new()];
        let mut files = Vec::new();
        let mut entries = 0_usize;
        while let Some(folder) = folders.pop() {
            let mut url = self.registry.url(ARTIFACTS)?;
            url.query_pairs_mut().append_pair("path", &join(top, &folder));
            let listing = self.registry.json(url).await?;
            let none = Vec::new();
            for entry in listing["files"].as_array().unwrap_or(&none) {
                entries = entries.saturating_add(1);
                let name = entry["path"].as_str().filter(|name| is_name(name));
                let name = name.ok_or_else(|| unreachable("an artifact has no name, or one that is a path"))?;
                if entries > ENTRIES {
                    return Err(unreachable(format!("there are more than {ENTRIES} artifacts")));
                }
                let path = join(&folder, name);
                if entry["is_dir"].as_bool().unwrap_or(false) {
                    folders.push(path);
                    continue;
                }
                let whole = join(top, &path);
                let url = self.registry.url(ARTIFACTS.into_iter().chain(whole.split('/')))?;
                files.push(Wanted { place: From::Registry(url, size(&entry["file_size"])), path });
            }
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(files)
    }

    /// The path below the artifact proxy that `uri` means, when it means one of
    /// this server. Whoever registers a model chooses it.
    ///
    /// Read by its letters: a parser of addresses resolves steps upwards.
    fn proxied(&self, uri: &str) -> Option<String> {
        let path = match uri.strip_prefix("mlflow-artifacts:") {
            // The server of the gate is meant, whatever host stands here.
            Some(rest) => match rest.strip_prefix("//") {
                Some(rest) => rest.split_once('/')?.1,
                None => rest,
            },
            None => self.registry.inside(uri)?.strip_prefix("/api/2.0/mlflow-artifacts/artifacts/")?,
        };
        let path = path.trim_matches('/');
        let plain = !path.contains(['%', '?', '#']) && path.split('/').all(is_name);
        plain.then(|| path.to_owned())
    }

    /// Writes the decision to the version's tags, the decision itself last.
    pub(super) async fn tell(&self, name: &str, version: &str, answer: &Answer) -> Result<(), Refusal> {
        let message: String = sanitise(&answer.message).chars().take(TAG_CHARS).collect();
        let report = answer.report.as_ref();
        let decision = serde_json::to_value(answer.decision).unwrap_or_default();
        let tags = [
            ("weighin.reason", Some(answer.reason.name().to_owned())),
            ("weighin.message", Some(message)),
            ("weighin.ruleset", report.map(|report| report.ruleset.digest.clone())),
            ("weighin.version", report.map(|report| report.tool.version.clone())),
            ("weighin.content", report.and_then(content)),
            ("weighin.decision", decision.as_str().map(str::to_owned)),
        ];
        for (key, value) in tags {
            let Some(value) = value else { continue };
            let url = self.registry.url(["api", "2.0", "mlflow", "model-versions", "set-tag"])?;
            let tag = json!({ "name": name, "version": version, "key": key, "value": value });
            self.registry.tell(url, &tag).await?;
        }
        Ok(())
    }
}

/// The objects below `uri`.
async fn in_store(uri: &str, gate: &Gate) -> Result<Vec<Wanted>, Refusal> {
    let top = format!("{}/", uri.trim_end_matches('/'));
    let objects = gate.objects(&top, ENTRIES).await?;
    let mut files = Vec::with_capacity(objects.len());
    for uri in objects {
        let path = uri.strip_prefix(&top).ok_or_else(|| unreachable("the store lists what is elsewhere"))?.to_owned();
        files.push(Wanted { place: From::Store(uri), path });
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// The version that an event says is new; none for other events.
pub(super) fn news(event: &Value) -> Result<Option<News>, Refusal> {
    if event["entity"] != "model_version" || event["action"] != "created" {
        return Ok(None);
    }
    let data = &event["data"];
    match (data["name"].as_str(), data["version"].as_str()) {
        (Some(name), Some(version)) => Ok(Some(News::Mlflow { name: name.to_owned(), version: version.to_owned() })),
        _ => Err(bad("the event names no version of a model")),
    }
}

/// A size, which MLflow writes as a number or, being 64 bits, as a string.
fn size(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn join(folder: &str, name: &str) -> String {
    let slash = if folder.is_empty() || name.is_empty() { "" } else { "/" };
    format!("{folder}{slash}{name}")
}

/// Whether `name` is that of one file or folder.
fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mlflow() -> Mlflow {
        Mlflow::new("http://tracking.invalid/ml/", "secret".to_owned(), None, FRESH).expect("an address")
    }

    /// A signature that Python's `hmac` made, of `id.1700000000.{}`.
    #[test]
    fn only_what_is_signed_and_fresh_is_taken() {
        let sign = |id: &str, at: &str, signature: &str| {
            let mut headers = HeaderMap::new();
            for (name, value) in
                [("x-mlflow-delivery-id", id), ("x-mlflow-timestamp", at), ("x-mlflow-signature", signature)]
            {
                headers.insert(name, value.parse().expect("a value"));
            }
            headers
        };
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let good = "v1,GBemBzTgbKoVEGKycqyY3615LbdJbhFLE1oQk+zZ+lo=";
        let verify = |headers: &HeaderMap, body: &[u8], now| mlflow().verify(headers, body, now).ok();
        let headers = sign("id", "1700000000", good);
        assert_eq!(verify(&headers, b"{}", at(1_700_000_000)).as_deref(), Some("id"));
        assert_eq!(verify(&headers, b"{}", at(1_700_000_300)).as_deref(), Some("id"));
        assert_eq!(verify(&headers, b"{}", at(1_699_999_700)).as_deref(), Some("id"));
        for late in [1_700_000_301, 1_699_999_699] {
            assert_eq!(verify(&headers, b"{}", at(late)), None);
        }
        assert_eq!(verify(&headers, b"{ }", at(1_700_000_000)), None, "another body");
        for wrong in [
            sign("di", "1700000000", good),
            sign("id", "1700000001", good),
            sign("id", "1700000000", "v1,"),
            sign("id", "1700000000", &good.replace("v1,", "v2,")),
            HeaderMap::new(),
        ] {
            assert_eq!(verify(&wrong, b"{}", at(1_700_000_000)), None);
        }
        let two = sign("id", "1700000000", &format!("v1,AAAA {good}"));
        assert!(verify(&two, b"{}", at(1_700_000_000)).is_some(), "while the secret changes");
    }

    #[test]
    fn artifacts_are_those_of_the_tracking_server() {
        let proxied = |uri: &str| mlflow().proxied(uri);
        assert_eq!(proxied("mlflow-artifacts:/1/models/m-1/artifacts").as_deref(), Some("1/models/m-1/artifacts"));
        assert_eq!(proxied("mlflow-artifacts://host:5000/1/my model").as_deref(), Some("1/my model"));
        let own = "http://tracking.invalid/ml/api/2.0/mlflow-artifacts/artifacts/1/a";
        assert_eq!(proxied(own).as_deref(), Some("1/a"));
        for elsewhere in [
            "http://other.invalid/ml/api/2.0/mlflow-artifacts/artifacts/1/a",
            "https://tracking.invalid/ml/api/2.0/mlflow-artifacts/artifacts/1/a",
            "http://tracking.invalid/ml/api/2.0/mlflow/secrets",
            "mlflow-artifacts:/1/%2e%2e/%2e%2e/etc",
            "mlflow-artifacts:/1/../a",
            "mlflow-artifacts:/1//a",
            "mlflow-artifacts:/1/a?b",
            "http://tracking.invalid/ml/api/2.0/mlflow-artifacts/artifacts/../../mlflow",
            "http://tracking.invalid/mlx/api/2.0/mlflow-artifacts/artifacts/1/a",
            "http://tracking.invalid.other/ml/api/2.0/mlflow-artifacts/artifacts/1/a",
            "mlflow-artifacts:/",
            "file:///etc/passwd",
            "s3://bucket/key",
            "/etc/passwd",
            "",
        ] {
            assert_eq!(proxied(elsewhere), None, "{elsewhere}");
        }
    }
}
