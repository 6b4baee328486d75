//! TLS with a certificate and a key from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::gate::GateError;

/// Certificate and key, checked and ready.
#[derive(Clone)]
pub struct Tls {
    config: Arc<rustls::ServerConfig>,
    certificates: PathBuf,
    key: PathBuf,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads a chain of certificates and its key, both in PEM.
    ///
    /// # Errors
    /// When one can't be read, or they don't belong together.
    pub fn load(certificates: &Path, key: &Path) -> Result<Self, GateError> {
        let wrong = |file: &Path, error: &dyn std::fmt::Display| GateError::new(format!("{}: {error}", file.display()));
        let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificates).and_then(Iterator::collect);
        let chain = chain.map_err(|error| wrong(certificates, &error))?;
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(certificates, &error))?
            .with_no_client_auth()
            .with_single_cert(chain, secret);
        let mut config = config.map_err(|error| wrong(certificates, &error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let (certificates, key) = (certificates.to_owned(), key.to_owned());
        Ok(Self { config: Arc::new(config), certificates, key })
    }

    /// The same files as they are now.
    pub(super) fn again(&self) -> Result<Self, GateError> {
        Self::load(&self.certificates, &self.key)
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}
