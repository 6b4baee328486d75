//! Bytes from the registries that the operator has named, and from nowhere else:
//! what a webhook says decides a path at most.

use std::fmt::Display;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Response, Url};
use serde_json::Value;

use crate::gate::GateError;
use crate::gate::answer::Refusal;
use crate::gate::reason::Reason;
use crate::gate::spool::{Spool, Spooled};

/// Bytes of a listing: room for 100,000 names.
const LISTING_BYTES: usize = 16 << 20;

/// Redirects that one request may follow.
const HOPS: usize = 4;

/// A registry, by the address of its root.
#[derive(Debug, Clone)]
pub(super) struct Registry {
    root: Url,
    client: Client,
    authorization: Option<HeaderValue>,
}

impl Registry {
    /// The registry at `root`; requests carry `authorization`, and follow
    /// redirects to itself and to `hosts`.
    pub(super) fn new(
        root: &str,
        authorization: Option<&str>,
        hosts: &[String],
        silence: Duration,
    ) -> Result<Self, GateError> {
        let wrong = |why: &dyn Display| GateError::new(format!("{root}: {why}"));
        let url = Url::parse(root).map_err(|error| wrong(&error))?;
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() || !plain {
            return Err(wrong(&"wanted an address such as https://registry.example, without user or query"));
        }
        let authorization = authorization.map(|text| {
            let mut value = HeaderValue::from_str(text.trim()).map_err(|_| wrong(&"the authorization is no header"))?;
            value.set_sensitive(true);
            Ok::<_, GateError>(value)
        });
        // Another user of the library may have installed one; they are the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (origin, hosts) = (url.clone(), hosts.to_vec());
        let client = Client::builder()
            .redirect(Policy::custom(move |attempt| redirected(attempt, &origin, &hosts)))
            .referer(false)
            .connect_timeout(silence)
            .read_timeout(silence)
            .user_agent(concat!("weighin/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| wrong(&error))?;
        Ok(Self { root: url, client, authorization: authorization.transpose()? })
    }

    /// The address of a path below the root, each part by itself.
    pub(super) fn url<'p>(&self, parts: impl IntoIterator<Item = &'p str>) -> Result<Url, Refusal> {
        let mut url = self.root.clone();
        {
            let mut segments = url.path_segments_mut().map_err(|()| unreachable("the address has no path"))?;
            segments.pop_if_empty();
            for part in parts {
                if matches!(part, "" | "." | "..") || part.contains(['/', '\\', '\0']) {
                    return Err(unreachable(format!("a name is no path: {part:?}")));
                }
                segments.push(part);
            }
        }
        Ok(url)
    }

    /// What follows the registry's root in `url`, when that is where it is.
    pub(super) fn inside<'u>(&self, url: &'u str) -> Option<&'u str> {
        let rest = url.strip_prefix(self.root.as_str().trim_end_matches('/'))?;
        rest.starts_with('/').then_some(rest)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, Refusal> {
        let request = match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value.clone()),
            None => request,
        };
        let response = request.send().await.map_err(|error| failed(&error))?;
        if !response.status().is_success() {
            let (status, path) = (response.status(), response.url().path());
            return Err(unreachable(format!("{path} is answered with {status}")));
        }
        Ok(response)
    }

    /// A JSON document.
    pub(super) async fn json(&self, url: Url) -> Result<Value, Refusal> {
        let mut response = self.send(self.client.get(url)).await?;
        let mut text = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| failed(&error))? {
            text.extend_from_slice(&piece);
            if text.len() > LISTING_BYTES {
                return Err(unreachable(format!("a listing has more than {LISTING_BYTES} bytes")));
            }
        }
        serde_json::from_slice(&text).map_err(|error| unreachable(format!("a listing is no JSON: {error}")))
    }

    /// Sends a JSON document; what comes back is of no interest.
    pub(super) async fn tell(&self, url: Url, what: &Value) -> Result<(), Refusal> {
        let request = self.client.post(url).header("content-type", "application/json").body(what.to_string());
        self.send(request).await.map(|_| ())
    }

    /// A file, which must have as many bytes as were promised.
    pub(super) async fn file(&self, url: Url, promised: Option<u64>, spool: &Spool) -> Result<Spooled, Refusal> {
        let mut response = self.send(self.client.get(url)).await?;
        let promised = promised.or(response.content_length());
        promised.map_or(Ok(()), |bytes| spool.would_take(bytes))?;
        let mut writer = spool.begin()?;
        while let Some(piece) = response.chunk().await.map_err(|error| failed(&error))? {
            writer.write(&piece).await?;
        }
        let spooled = writer.finish().await?;
        if promised.is_some_and(|promised| promised != spooled.len()) {
            return Err(unreachable(format!("{} bytes came, {} were promised", spooled.len(), promised.unwrap_or(0))));
        }
        Ok(spooled)
    }
}

/// A redirect leads nowhere but where the operator said, and never from TLS to
/// plain text.
fn redirected(attempt: Attempt<'_>, origin: &Url, hosts: &[String]) -> reqwest::redirect::Action {
    let url = attempt.url();
    let same = url.origin() == origin.origin();
    let named = url.scheme() == origin.scheme()
        && url.host_str().is_some_and(|host| hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host)));
    if attempt.previous().len() > HOPS {
        attempt.error("too many redirects")
    } else if same || named {
        attempt.follow()
    } else {
        attempt.error("a redirect to a host that is not allowed")
    }
}

pub(super) fn unreachable(message: impl Into<String>) -> Refusal {
    Refusal::new(Reason::Unreachable, message)
}

/// A failure in words, without the address: its query may be signed.
fn failed(error: &reqwest::Error) -> Refusal {
    let mut words = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        words.push(cause.to_string());
        source = cause.source();
    }
    if words.is_empty() {
        words.push(if error.is_timeout() { "nothing came for too long" } else { "the request failed" }.to_owned());
    }
    unreachable(words.join(": "))
}
