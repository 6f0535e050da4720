//! TLS to the hub: whose certificates are trusted, and what a refusal means in words.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{CertificateError, ClientConfig, RootCertStore};

use crate::error::ConnectError;

/// The client's side of TLS: trusts `ca_file` alone if there is one, else the system's roots. Reads files.
pub(crate) fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, ConnectError> {
    let roots = match ca_file {
        Some(path) => roots_of(path)?,
        None => system_roots()?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// What a failed handshake means.
pub(crate) fn handshake_error(url: &str, name: &str, error: &io::Error) -> ConnectError {
    let url = url.to_owned();
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return ConnectError::NotTls { url, detail: error.to_string() };
    };
    let detail = tls.to_string();
    let rustls::Error::InvalidCertificate(certificate) = tls else {
        return match tls {
            rustls::Error::InvalidMessage(_) => ConnectError::NotTls { url, detail },
            _ => ConnectError::Certificate { url, detail },
        };
    };
    match certificate {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            ConnectError::CertificateName { url, name: name.to_owned(), detail }
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => ConnectError::CertificateExpired { url, detail },
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => ConnectError::CertificateNotYetValid { url, detail },
        CertificateError::UnknownIssuer | CertificateError::BadSignature => ConnectError::UnknownIssuer { url, detail },
        _ => ConnectError::Certificate { url, detail },
    }
}

fn roots_of(path: &Path) -> Result<RootCertStore, ConnectError> {
    let bad = |reason: String| ConnectError::CaFile { path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))? {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("no certificate in it".to_owned()));
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, ConnectError> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(loaded.certs);
    if added == 0 {
        return Err(ConnectError::NoRoots { detail: format!("{:?}", loaded.errors) });
    }
    Ok(roots)
}
