//! [`Store`]: what a URL leads to, with the credentials that the environment
//! has for it.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::list::PaginatedListStore;
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, ObjectMeta, ObjectStore, ObjectStoreScheme, RetryConfig,
};
use reqwest::Url;

use super::fetch::{self, Pin};
use super::listing::{Entry, Listing};
use super::object::Object;
use super::{Options, Remote, RemoteError, in_words, profile};
use crate::engine::Depth;

const SCHEMES: [&str; 10] =
    ["s3://", "s3a://", "gs://", "az://", "azure://", "abfs://", "abfss://", "adl://", "http://", "https://"];

/// Whether `text` is the URL of a store, and no path.
pub fn is_url(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| text.starts_with(scheme))
}

/// A store, or the part of it below a prefix.
#[derive(Debug, Clone)]
pub struct Store {
    remote: Remote,
    pub(super) objects: Arc<dyn ObjectStore>,
    /// Absent where listings have no pages.
    pub(super) pages: Option<Arc<dyn Pages>>,
    /// What the URLs of all its objects begin with.
    pub(super) base: String,
    pub(super) prefix: Path,
    /// The URL ends in a slash, or is that of a whole bucket.
    pub(super) is_folder: bool,
}

/// A paged listing that can be named in a struct.
pub(super) trait Pages: PaginatedListStore + std::fmt::Debug {}

impl<T: PaginatedListStore + std::fmt::Debug> Pages for T {}

impl Store {
    pub(super) fn open(remote: &Remote, text: &str) -> Result<Self, RemoteError> {
        let wrong = |why: &str| RemoteError::Url { url: shown(text), why: why.to_owned() };
        if !is_url(text) {
            return Err(wrong("not the URL of a store; those begin with s3://, gs://, az://, https:// or http://"));
        }
        let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        let is_web = matches!(url.scheme(), "http" | "https");
        if url.password().is_some() || (is_web && !url.username().is_empty()) {
            return Err(wrong("credentials are taken from the environment, not from a URL"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("a URL with a query is not supported"));
        }
        let (scheme, prefix) = ObjectStoreScheme::parse(&url).map_err(|error| wrong(&error.to_string()))?;
        let base = base(&url, &prefix);
        let is_folder = url.path().ends_with('/') || prefix.as_ref().is_empty();
        let profile = match scheme {
            ObjectStoreScheme::AmazonS3 => {
                profile::settings(&|name| std::env::var(name).ok(), !remote.options.anonymous)
            }
            _ => Ok(Vec::new()),
        };
        let profile = profile.map_err(RemoteError::Store)?;
        let built = build(&scheme, &url, &remote.options, profile);
        let (objects, pages) = built.map_err(|error| in_words(&error))?;
        Ok(Self { remote: remote.clone(), objects, pages, base, prefix, is_folder })
    }

    /// What the URLs of all objects of this store begin with: that of the
    /// bucket or host.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// All objects below the URL, or the one that it is the URL of.
    pub fn list(&self) -> Listing {
        Listing::start(self, &self.remote)
    }

    /// The object that the URL itself names.
    ///
    /// # Errors
    /// When the store has none, or does not say.
    pub fn head(&self) -> Result<Entry, RemoteError> {
        let asked = fetch::head(Arc::clone(&self.objects), self.prefix.clone(), within(&self.remote.options));
        match self.remote.start(asked).wait()?? {
            Some(meta) => Ok(self.entry(meta)),
            None => Err(RemoteError::Store("the store has no such object".to_owned())),
        }
    }

    pub(super) fn entry(&self, meta: ObjectMeta) -> Entry {
        Entry { uri: self.uri(meta.location.as_ref()), meta }
    }

    pub(super) fn uri(&self, key: &str) -> String {
        format!("{}/{key}", self.base)
    }

    /// An object of this store, to be read.
    pub fn object(&self, entry: &Entry, depth: Depth) -> Object {
        let objects = Arc::clone(&self.objects);
        let meta = entry.meta.clone();
        Object::new(&self.remote, objects, meta.location.clone(), Pin(meta), depth, within(&self.remote.options))
    }
}

/// How long a request may take with all that is tried again.
pub(super) fn within(options: &Options) -> Duration {
    let tries = u32::try_from(options.retries).unwrap_or(u32::MAX).saturating_add(1);
    options.timeout.saturating_mul(tries).saturating_add(Duration::from_secs(30))
}

/// A URL without what may be secret in it.
fn shown(text: &str) -> String {
    let plain = text.split(['?', '#']).next().unwrap_or(text);
    match plain.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://…@{rest}"),
        None => plain.to_owned(),
    }
}

/// The part of `url` before the key `prefix`.
fn base(url: &Url, prefix: &Path) -> String {
    let whole = url.as_str();
    let after = whole.find("://").map_or(0, |at| at.saturating_add(3));
    let authority =
        whole.get(after..).and_then(|rest| rest.find('/')).map_or(whole.len(), |at| at.saturating_add(after));
    let origin = whole.get(..authority).unwrap_or(whole);
    let segments: Vec<&str> = url.path().split('/').filter(|segment| !segment.is_empty()).collect();
    match segments.first() {
        // Some hosts have the bucket in the path.
        Some(bucket) if segments.len() > prefix.parts().count() => format!("{origin}/{bucket}"),
        _ => origin.to_owned(),
    }
}

type Built = (Arc<dyn ObjectStore>, Option<Arc<dyn Pages>>);

fn build(
    scheme: &ObjectStoreScheme,
    url: &Url,
    options: &Options,
    profile: Vec<(AmazonS3ConfigKey, String)>,
) -> Result<Built, object_store::Error> {
    let timeout = format!("{}ms", options.timeout.as_millis());
    let retry =
        RetryConfig { max_retries: options.retries, retry_timeout: within(options), backoff: BackoffConfig::default() };
    let skip = if options.anonymous { "true" } else { "false" };
    // An endpoint that was configured without TLS is meant that way.
    let plain = |names: [&str; 3]| {
        let by_profile = profile.iter().find(|(key, _)| *key == AmazonS3ConfigKey::Endpoint);
        let named = names.iter().filter_map(|name| std::env::var(name).ok());
        named.chain(by_profile.map(|(_, endpoint)| endpoint.clone())).any(|endpoint| endpoint.starts_with("http://"))
    };
    let s3 = || {
        let builder = AmazonS3Builder::from_env();
        profile.iter().fold(builder, |builder, (key, value)| builder.with_config(*key, value))
    };
    macro_rules! paged {
        ($builder:expr, $key:ident, $endpoints:expr) => {{
            let mut builder = $builder
                .with_url(url.as_str())
                .with_retry(retry)
                .with_config($key::Client(ClientConfigKey::Timeout), timeout);
            if options.anonymous {
                builder = builder.with_config($key::SkipSignature, skip);
            }
            if plain($endpoints) {
                builder = builder.with_config($key::Client(ClientConfigKey::AllowHttp), "true");
            }
            let store = builder.build()?;
            (Arc::new(store.clone()) as _, Some(Arc::new(store) as _))
        }};
    }
    Ok(match scheme {
        ObjectStoreScheme::AmazonS3 => {
            paged!(s3(), AmazonS3ConfigKey, ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"])
        }
        ObjectStoreScheme::GoogleCloudStorage => paged!(
            GoogleCloudStorageBuilder::from_env(),
            GoogleConfigKey,
            ["GOOGLE_BASE_URL", "GOOGLE_STORAGE_BASE_URL", "STORAGE_EMULATOR_HOST"]
        ),
        ObjectStoreScheme::MicrosoftAzure => paged!(
            MicrosoftAzureBuilder::from_env(),
            AzureConfigKey,
            ["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT", "AZURITE_BLOB_STORAGE_URL"]
        ),
        _ => {
            let client = ClientOptions::new().with_timeout(options.timeout).with_allow_http(true);
            let mut origin = url.clone();
            origin.set_path("");
            let store = HttpBuilder::new().with_url(origin).with_retry(retry).with_client_options(client).build()?;
            (Arc::new(store) as _, None)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base_of(text: &str) -> String {
        let url = Url::parse(text).expect("a URL");
        let (_, prefix) = ObjectStoreScheme::parse(&url).expect("known");
        base(&url, &prefix)
    }

    #[test]
    fn objects_are_called_by_their_bucket() {
        assert_eq!(base_of("s3://bucket/a/b.pt"), "s3://bucket");
        assert_eq!(base_of("s3://bucket"), "s3://bucket");
        assert_eq!(base_of("https://models.example:8443/a/b/"), "https://models.example:8443");
        assert_eq!(base_of("https://s3.eu-west-1.amazonaws.com/bucket/a"), "https://s3.eu-west-1.amazonaws.com/bucket");
        assert_eq!(base_of("abfss://box@account.dfs.core.windows.net/a"), "abfss://box@account.dfs.core.windows.net");
    }

    #[test]
    fn secrets_of_urls_are_not_told() {
        assert_eq!(shown("https://me:secret@host/a?sig=1"), "https://…@host/a");
        assert_eq!(shown("s3://bucket/a"), "s3://bucket/a");
    }
}
