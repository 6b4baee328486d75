//! Webhooks of the Hugging Face Hub
//! (<https://huggingface.co/docs/hub/webhooks>): the secret is compared, and the
//! revision is fetched from the Hub or from a mirror that serves the same paths.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::HeaderMap;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{From, News, Wanted};
use crate::gate::answer::Refusal;
use crate::gate::body::bad;
use crate::gate::fetch::{Registry, unreachable};
use crate::gate::{GateError, Reason, tokens};
use crate::source::{HubFile, HubKind, HubName, HubRepository, is_commit};

/// Revisions that one event may name.
const REVISIONS: usize = 16;

/// A Hub that the gate listens to.
#[derive(Clone)]
pub struct Hub {
    registry: Registry,
    secret: String,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl Hub {
    /// The Hub at `root`, whose webhooks carry `secret`. Requests to it carry
    /// `authorization`, and may be redirected to `hosts`.
    ///
    /// # Errors
    /// When `root` is no address.
    pub fn new(
        root: &str,
        secret: String,
        authorization: Option<&str>,
        hosts: &[String],
        silence: Duration,
    ) -> Result<Self, GateError> {
        Ok(Self { registry: Registry::new(root, authorization, hosts, silence)?, secret })
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Whether the secret is ours.
    pub(super) fn verify(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let given = headers.get("x-webhook-secret").and_then(|value| value.to_str().ok());
        let same = given.is_some_and(|given| tokens::same(given, &self.secret));
        if same { Ok(()) } else { Err(Reason::Unauthorized.into()) }
    }

    /// The files of a revision.
    pub(super) async fn files(&self, repository: &HubRepository, revision: &str) -> Result<Vec<Wanted>, Refusal> {
        let plural = repository.kind.plural();
        let id = || repository.id.split('/');
        let listing = ["api", plural].into_iter().chain(id()).chain(["revision", revision]);
        let told = self.registry.json(self.registry.url(listing)?).await?;
        // A mirror that answers about another commit would have that one allowed.
        if told["sha"].as_str().is_some_and(|sha| sha != revision) {
            return Err(unreachable("the listing is of another revision"));
        }
        let siblings = told["siblings"].as_array().ok_or_else(|| unreachable("the listing names no files"))?;
        let mut files = Vec::new();
        for sibling in siblings {
            let path = sibling["rfilename"].as_str().ok_or_else(|| unreachable("a file has no name"))?;
            let kind = (repository.kind != HubKind::Model).then_some(plural);
            let parts = kind.into_iter().chain(id()).chain(["resolve", revision]).chain(path.split('/'));
            files.push(Wanted { place: From::Registry(self.registry.url(parts)?, None), path: path.to_owned() });
        }
        Ok(files)
    }
}

/// The revisions that an event says are new; none for events about anything but
/// the content of a repository.
pub(super) fn news(event: &Value) -> Result<Vec<News>, Refusal> {
    let scope = event["event"]["scope"].as_str().unwrap_or_default();
    let action = event["event"]["action"].as_str().unwrap_or_default();
    if !matches!(scope, "repo" | "repo.content") || !matches!(action, "create" | "update") {
        return Ok(Vec::new());
    }
    let repo = &event["repo"];
    let name = repo["name"].as_str().unwrap_or_default();
    let name = match repo["type"].as_str() {
        Some("model") => name.to_owned(),
        Some("dataset") => format!("datasets/{name}"),
        Some("space") => format!("spaces/{name}"),
        _ => return Err(bad("the event names no kind of repository")),
    };
    let repository = match name.parse() {
        Ok(HubName { repository, revision: None, path: None }) => repository,
        _ => return Err(bad("the event names no repository")),
    };
    let none = Vec::new();
    let updated = event["updatedRefs"].as_array().unwrap_or(&none);
    let mut revisions: BTreeSet<&str> = updated.iter().filter_map(|one| one["newSha"].as_str()).collect();
    if revisions.is_empty() {
        revisions.extend(repo["headSha"].as_str());
    }
    if revisions.len() > REVISIONS || !revisions.iter().all(|revision| is_commit(revision)) {
        return Err(bad("the event names too many revisions, or none that is a commit"));
    }
    let news = revisions.into_iter();
    Ok(news
        .map(|revision| News::Hub { repository: HubRepository::clone(&repository), revision: revision.to_owned() })
        .collect())
}

/// By what the result is asked for.
pub(super) fn id(news: &News) -> String {
    format!("hub-{}", crate::rules::hex(&Sha256::digest(news.name())))
}

/// A file's name on the Hub.
pub(super) fn file(repository: &HubRepository, revision: &str, path: &str) -> HubFile {
    HubFile {
        kind: repository.kind,
        repository: repository.id.clone(),
        revision: revision.to_owned(),
        refs: Vec::new(),
        path: path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_name_revisions() {
        let sha = "a".repeat(40);
        let event = |scope: &str, kind: &str, name: &str, head: &str| json!({ "event": { "action": "update", "scope": scope }, "repo": { "type": kind, "name": name, "headSha": head } });
        let names = |event: &Value| news(event).map(|news| news.iter().map(News::name).collect::<Vec<_>>()).ok();
        assert_eq!(names(&event("repo.content", "model", "org/m", &sha)), Some(vec![format!("org/m@{sha}")]));
        assert_eq!(names(&event("repo", "dataset", "org/d", &sha)), Some(vec![format!("datasets/org/d@{sha}")]));
        assert_eq!(names(&event("discussion", "model", "org/m", &sha)), Some(vec![]));
        for (kind, name, head) in [
            ("model", "../m", sha.as_str()),
            ("model", "org/m", "main"),
            ("x", "org/m", &sha),
            ("model", "a/b/c", &sha),
            ("model", "a@b", &sha),
        ] {
            assert_eq!(names(&event("repo", kind, name, head)), None, "{kind} {name} {head}");
        }
        let mut refs = event("repo.content", "model", "org/m", &sha);
        refs["updatedRefs"] =
            json!([{ "ref": "refs/pr/1", "newSha": "b".repeat(40) }, { "ref": "refs/heads/x", "newSha": null }]);
        assert_eq!(names(&refs), Some(vec![format!("org/m@{}", "b".repeat(40))]));
    }
}
