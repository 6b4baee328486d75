//! TLS for the database server: `sslmode` and `sslrootcert` of its URL, and the
//! connection that rustls makes of a plain one.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use reqwest::Url;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;

use super::StateError;

/// A URL without what is said there of TLS, and what that was.
pub(super) struct Asked {
    /// What is left for the client library, which knows fewer settings.
    pub url: String,
    /// How to encrypt; absent, nothing is encrypted.
    pub tls: Option<Tls>,
}

/// Connections that are encrypted, to a server that proves its name.
#[derive(Clone)]
pub(super) struct Tls(Arc<ClientConfig>);

/// Reads a URL. `require` and `verify-full` are the same: encryption without
/// knowing to whom keeps out nobody who can read the connection.
pub(super) fn asked(url: &str) -> Result<Asked, StateError> {
    let Some((base, query)) = url.split_once('?') else { return Ok(Asked { url: url.to_owned(), tls: None }) };
    let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value),
            Some(("sslrootcert", value)) => roots = Some(decoded(value)),
            _ => rest.push(pair),
        }
    }
    let tls = match mode {
        None | Some("disable") if roots.is_some() => {
            return Err(StateError("PostgreSQL: sslrootcert does nothing without sslmode=verify-full".to_owned()));
        }
        None | Some("disable") => None,
        Some("require" | "verify-full") => Some(Tls::new(roots.as_deref())?),
        Some(_) => {
            let wanted = "PostgreSQL: sslmode is disable (which is the default), require or verify-full";
            return Err(StateError(wanted.to_owned()));
        }
    };
    let url = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    Ok(Asked { url, tls })
}

/// A value of a query, in which a plus is a plus.
fn decoded(value: &str) -> String {
    let url = Url::parse(&format!("query:?v={}", value.replace('+', "%2B"))).ok();
    let pair = url.and_then(|url| url.query_pairs().next().map(|(_, value)| value.into_owned()));
    pair.unwrap_or_else(|| value.to_owned())
}

impl Tls {
    /// Believes the certificates in the PEM file `roots`, else those that the
    /// system believes.
    fn new(roots: Option<&str>) -> Result<Self, StateError> {
        let wrong = |error: &dyn std::fmt::Display| StateError(format!("TLS for PostgreSQL: {error}"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?;
        let builder = match roots {
            None => builder.with_platform_verifier().map_err(|error| wrong(&error))?,
            Some(file) => {
                let wrong = |error: &dyn std::fmt::Display| wrong(&format!("{file}: {error}"));
                let mut store = RootCertStore::empty();
                for one in CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))? {
                    let one = one.map_err(|error| wrong(&error))?;
                    store.add(one).map_err(|error| wrong(&error))?;
                }
                if store.is_empty() {
                    return Err(wrong(&"there is no certificate in it"));
                }
                builder.with_root_certificates(store)
            }
        };
        let mut config = builder.with_no_client_auth();
        // What servers ask for that are told to begin with TLS (RFC 7301).
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

type Wrong = Box<dyn Error + Sync + Send>;

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Encrypted<S>;
    type TlsConnect = To;
    type Error = Wrong;

    fn make_tls_connect(&mut self, host: &str) -> Result<To, Wrong> {
        if host.is_empty() {
            return Err("there is no host whose name could be proved; sockets need no sslmode".into());
        }
        let name = ServerName::try_from(host.to_owned())?;
        Ok(To { connector: TlsConnector::from(Arc::clone(&self.0)), name })
    }
}

/// A connection to one server.
pub(super) struct To {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for To {
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { self.connector.connect(self.name, stream).await.map(Encrypted) })
    }
}

/// An encrypted connection.
pub(super) struct Encrypted<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    fn channel_binding(&self) -> ChannelBinding {
        // The server has proved its name by its certificate.
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_whether_to_encrypt() {
        let told = |url: &str| asked(url).map(|asked| (asked.url, asked.tls.is_some())).map_err(|error| error.0);
        let plain = |url: &str| Ok((url.to_owned(), false));
        assert_eq!(told("postgres://db/weighin"), plain("postgres://db/weighin"));
        assert_eq!(told("postgres://db/x?host=/run&port=1"), plain("postgres://db/x?host=/run&port=1"));
        assert_eq!(told("postgres://db/x?sslmode=disable"), plain("postgres://db/x"));
        for mode in ["require", "verify-full"] {
            let url = format!("postgres://db/x?connect_timeout=5&sslmode={mode}");
            assert_eq!(told(&url), Ok(("postgres://db/x?connect_timeout=5".to_owned(), true)));
        }
        for wrong in
            ["sslmode=prefer", "sslmode=verify-ca", "sslmode=", "sslrootcert=/a", "sslmode=require&sslrootcert=/"]
        {
            assert!(told(&format!("postgres://db/x?{wrong}")).is_err(), "{wrong}");
        }
        assert_eq!(decoded("/a%20b+c"), "/a b+c");
    }
}
