//! Why there is no connection. Every text names the URL, what happened and what to do, so that it can be shown as it is.

use std::io;
use std::path::PathBuf;

/// Opening a connection failed.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("url {url:?}: {reason}; expected ws://HOST:PORT or wss://HOST:PORT")]
    BadUrl { url: String, reason: String },
    #[error("{url}: the name {host:?} cannot be resolved ({source}); check the host in url and this machine's DNS")]
    Dns { url: String, host: String, source: io::Error },
    #[error("{url}: connection refused by {host}; is the hub running, and is the port right?")]
    Refused { url: String, host: String },
    #[error("{url}: cannot connect to {host} ({source}); check the network and any firewall between")]
    Unreachable { url: String, host: String, source: io::Error },
    #[error("{url}: no answer to {step} within {after_s} s; check the network, any firewall, and that a hub listens there")]
    Timeout { url: String, step: &'static str, after_s: u64 },

    #[error(
        "{url}: the certificate is for another name than {name:?} ({detail}); use a name that is in the certificate, or a certificate with this name"
    )]
    CertificateName { url: String, name: String, detail: String },
    #[error("{url}: the certificate has expired ({detail}); renew it on the hub, or set this machine's clock right")]
    CertificateExpired { url: String, detail: String },
    #[error("{url}: the certificate is not valid yet ({detail}); set this machine's clock right")]
    CertificateNotYetValid { url: String, detail: String },
    #[error("{url}: the certificate's issuer is not known ({detail}); give the issuer's certificate as ca_file")]
    UnknownIssuer { url: String, detail: String },
    #[error("{url}: the certificate is not acceptable: {detail}")]
    Certificate { url: String, detail: String },
    #[error("{url}: no TLS there ({detail}); is it a hub without TLS? then ws:// is meant")]
    NotTls { url: String, detail: String },
    #[error("ca_file {path}: {reason}; expected one or more certificates in PEM")]
    CaFile { path: PathBuf, reason: String },
    #[error("the system has no root certificates ({detail}); install ca-certificates, or give ca_file")]
    NoRoots { detail: String },

    #[error("token_file {path}: {reason}; expected the token alone, as `telltale token create --role agent` prints it")]
    TokenFile { path: PathBuf, reason: String },
    #[error("the token holds characters that no token has; expected it as `telltale token create --role agent` prints it")]
    BadToken,
    #[error("{url}: the hub refused the token (401); make one with `telltale token create --role agent` and put it into token_file")]
    Unauthorized { url: String },
    #[error("{url}: the token may not send readings (403); make one with `telltale token create --role agent`")]
    Forbidden { url: String },
    #[error("{url}: the hub is not ready (503); it is tried again")]
    NotReady { url: String },
    #[error("{url}: no hub answers there (HTTP {status}); check host, port and path: the path is /api/v1/ingest")]
    NotAHub { url: String, status: u16 },
    #[error("{url}: the server does not speak telltale.v1; check host, port and path, and that hub and agent fit together")]
    NoSubprotocol { url: String },
    #[error("{url}: the hub sent no welcome ({detail}); look into the hub's log")]
    NoWelcome { url: String, detail: String },
    #[error("{url}: no WebSocket answers there ({detail}); check host and port, and whether wss:// is meant")]
    NotWebSocket { url: String, detail: String },
}

impl ConnectError {
    /// Whether it is the user who has to change something: nothing gets better by waiting.
    #[must_use]
    pub fn is_misconfigured(&self) -> bool {
        use ConnectError as E;
        !matches!(self, E::Dns { .. } | E::Refused { .. } | E::Unreachable { .. } | E::Timeout { .. } | E::NotReady { .. })
    }
}
