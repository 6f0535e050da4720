//! TLS from certificate and key files, which are read again when they change: certificates are renewed while the hub runs.
//!
//! Invariant: what is served is a pair that was read whole and belongs together. A bad new pair is logged once and the old one
//! stays; connections that are open keep theirs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use parking_lot::RwLock;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};

use crate::config::TlsFiles;

/// How often the files' times are looked at.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("[listen] {key} = \"{}\": cannot be read: {source}", path.display())]
    Read {
        key: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("[listen] {key} = \"{}\": expected {expected}: {found}", path.display())]
    Content { key: &'static str, path: PathBuf, expected: &'static str, found: String },
    #[error(
        "[listen] tls_key = \"{}\": this key does not belong to the first certificate of tls_cert = \"{}\"",
        files.key.display(), files.cert.display()
    )]
    Mismatch { files: TlsFiles },
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
    #[error("the thread that looks for a changed certificate cannot be started: {0}")]
    Unwatched(#[source] std::io::Error),
}

const CERT: &str = "a PEM file whose first certificate is the hub's own, the ones that vouch for it after it";
const KEY: &str = "a PEM file with one private key without a password";

/// The pair in use; dropping it ends the watch.
#[derive(Debug)]
pub struct Tls {
    pub config: ServerConfig,
    stop: Option<SyncSender<()>>,
    watch: Option<JoinHandle<()>>,
}

impl Tls {
    /// Reads the files, or says which is wrong and how.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        Self::open_with(files, LOOK_EVERY)
    }

    fn open_with(files: TlsFiles, look_every: Duration) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        // Taken before the files are read, so that a change in between is seen as one.
        let mut seen = stamps(&files);
        let pair = read(&files, &provider)?;
        let resolver = Arc::new(Resolver(RwLock::new(pair)));
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&resolver) as Arc<dyn ResolvesServerCert>);
        let (stop, stopped) = sync_channel(0);
        let look = move || {
            while stopped.recv_timeout(look_every) == Err(RecvTimeoutError::Timeout) {
                let now = stamps(&files);
                if now != seen {
                    seen = now;
                    resolver.renew(&files, &provider);
                }
            }
        };
        let watch = std::thread::Builder::new().name("tls-watch".to_owned()).spawn(look).map_err(TlsError::Unwatched)?;
        Ok(Self { config, stop: Some(stop), watch: Some(watch) })
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(watch) = self.watch.take() {
            // A panic in the thread was printed when it happened.
            drop(watch.join());
        }
    }
}

#[derive(Debug)]
struct Resolver(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

impl Resolver {
    /// Two files cannot be replaced at one instant; half of a new pair is a mismatch, and the other half is the next change.
    fn renew(&self, files: &TlsFiles, provider: &CryptoProvider) {
        match read(files, provider) {
            Ok(pair) => {
                *self.0.write() = pair;
                tracing::info!(cert = %files.cert.display(), "the certificate changed and is in use for new connections");
            }
            Err(error) => tracing::warn!(%error, "the changed certificate is not used; the one before stays"),
        }
    }
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TlsError> {
    let cert = |error| refused("tls_cert", &files.cert, CERT, error);
    let chain = CertificateDer::pem_file_iter(&files.cert).map_err(cert)?.collect::<Result<Vec<_>, _>>().map_err(cert)?;
    if chain.is_empty() {
        return Err(cert(pem::Error::NoItemsFound));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| refused("tls_key", &files.key, KEY, error))?;
    CertifiedKey::from_der(chain, key, provider).map(Arc::new).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::Mismatch { files: files.clone() },
        rustls::Error::InvalidCertificate(why) => content("tls_cert", &files.cert, CERT, format!("the first certificate is {why:?}")),
        other => content("tls_key", &files.key, KEY, other.to_string()),
    })
}

fn refused(key: &'static str, path: &Path, expected: &'static str, error: pem::Error) -> TlsError {
    match error {
        pem::Error::Io(source) => TlsError::Read { key, path: path.to_owned(), source },
        pem::Error::NoItemsFound => content(key, path, expected, "there is none in it".to_owned()),
        other => content(key, path, expected, other.to_string()),
    }
}

fn content(key: &'static str, path: &Path, expected: &'static str, found: String) -> TlsError {
    TlsError::Content { key, path: path.to_owned(), expected, found }
}

/// What changes when a file is written or replaced. None: it cannot be looked at now.
type Stamp = Option<(SystemTime, u64)>;

fn stamps(files: &TlsFiles) -> [Stamp; 2] {
    [&files.cert, &files.key].map(|path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.modified().ok()?, found.len()))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};

    use super::*;

    struct Pair {
        cert: rcgen::Certificate,
        key: rcgen::KeyPair,
    }

    fn pair() -> Pair {
        let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["hub.test".to_owned()]).unwrap();
        Pair { cert, key: signing_key }
    }

    fn files(dir: &Path) -> TlsFiles {
        TlsFiles { cert: dir.join("cert.pem"), key: dir.join("key.pem") }
    }

    fn write(files: &TlsFiles, pair: &Pair) {
        std::fs::write(&files.cert, pair.cert.pem()).unwrap();
        std::fs::write(&files.key, pair.key.serialize_pem()).unwrap();
    }

    /// A handshake in memory; true when the client that trusts only `trusted` accepts the server.
    fn accepts(config: &ServerConfig, trusted: &Pair) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions().unwrap();
        let client = Arc::new(client.with_root_certificates(roots).with_no_client_auth());
        let mut client = ClientConnection::new(client, ServerName::try_from("hub.test").unwrap()).unwrap();
        let mut server = ServerConnection::new(Arc::new(config.clone())).unwrap();
        while client.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            let mut wire = wire.as_slice();
            while !wire.is_empty() {
                client.read_tls(&mut wire).unwrap();
                if client.process_new_packets().is_err() {
                    return false;
                }
            }
        }
        true
    }

    fn eventually(holds: impl Fn() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < Duration::from_secs(10), "never became true");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_wrong_file_is_named_with_what_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let (good, other) = (pair(), pair());
        let (cert, key) = (good.cert.pem(), good.key.serialize_pem());
        let cut = format!("{}\n", cert.lines().next().unwrap());
        let garbled = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let rows = [
            (None, Some(key.as_str()), "tls_cert = \"cert.pem\": cannot be read: No such file"),
            (Some(cert.as_str()), None, "tls_key = \"key.pem\": cannot be read: No such file"),
            (Some(""), Some(&key), "tls_cert = \"cert.pem\": expected a PEM file whose first certificate"),
            (Some(&key), Some(&key), "tls_cert = \"cert.pem\": expected a PEM file whose first certificate"),
            (Some(&cut), Some(&key), "tls_cert = \"cert.pem\": expected a PEM file whose first certificate"),
            (Some(garbled), Some(&key), "tls_cert = \"cert.pem\": expected a PEM file whose first certificate"),
            (Some(&cert), Some(&cert), "tls_key = \"key.pem\": expected a PEM file with one private key"),
            (Some(&cert), Some("text"), "tls_key = \"key.pem\": expected a PEM file with one private key"),
            (Some(&cert), Some(&other.key.serialize_pem()), "tls_key = \"key.pem\": this key does not belong"),
        ];
        for (cert, key, message) in rows {
            let files = files(dir.path());
            for (path, text) in [(&files.cert, cert), (&files.key, key)] {
                drop(std::fs::remove_file(path));
                if let Some(text) = text {
                    std::fs::write(path, text).unwrap();
                }
            }
            let error = Tls::open(files).unwrap_err().to_string().replace(&format!("{}/", dir.path().display()), "");
            assert!(error.starts_with(&format!("[listen] {message}")), "{error}");
            assert!(!error.contains("PRIVATE"), "{error}");
        }
    }

    #[test]
    fn a_changed_pair_is_taken_and_a_bad_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let files = files(dir.path());
        let (first, second, third) = (pair(), pair(), pair());
        write(&files, &first);
        let tls = Tls::open_with(files.clone(), Duration::from_millis(5)).unwrap();
        assert!(accepts(&tls.config, &first));
        assert!(!accepts(&tls.config, &second), "the client does check");

        write(&files, &second);
        eventually(|| accepts(&tls.config, &second));

        // Half of a new pair, and then a file that is no certificate: the second stays in use until the third is whole.
        std::fs::write(&files.cert, third.cert.pem()).unwrap();
        for _ in 0..20 {
            assert!(accepts(&tls.config, &second));
            std::thread::sleep(Duration::from_millis(2));
        }
        std::fs::write(&files.key, third.key.serialize_pem()).unwrap();
        eventually(|| accepts(&tls.config, &third));
    }
}
