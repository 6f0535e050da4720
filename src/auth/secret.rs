//! Secrets: 256 random bits each, shown once, kept as SHA-256. The prefix lets people and scanners recognise a leaked one and
//! keeps a login code from being taken for a token.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const TOKEN: &str = "tt_";
const SESSION: &str = "tts_";
const LOGIN_CODE: &str = "ttl_";
const TICKET: &str = "ttk_";

/// A secret in the clear: on its way to the one who asked for it. Its `Debug` does not show it.
pub struct Secret(String);

impl Secret {
    pub fn token() -> Result<Self, getrandom::Error> {
        Self::random(TOKEN)
    }

    pub fn session() -> Result<Self, getrandom::Error> {
        Self::random(SESSION)
    }

    pub fn login_code() -> Result<Self, getrandom::Error> {
        Self::random(LOGIN_CODE)
    }

    pub fn ticket() -> Result<Self, getrandom::Error> {
        Self::random(TICKET)
    }

    fn random(prefix: &str) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// SHA-256 of a secret. Comparing takes the same time wherever two differ.
#[derive(Clone, Copy)]
pub struct Hash([u8; 32]);

impl Hash {
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Hash {}

impl std::hash::Hash for Hash {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_256_bits_with_a_prefix_and_is_not_printed() {
        let secret = Secret::token().unwrap();
        let bits = URL_SAFE_NO_PAD.decode(secret.reveal().strip_prefix("tt_").unwrap()).unwrap();
        assert_eq!(bits.len(), 32);
        assert_ne!(secret.reveal(), Secret::token().unwrap().reveal());
        assert!(!format!("{secret:?} {:?}", secret.hash()).contains(secret.reveal()));
        assert_eq!(secret.hash(), Hash::of(secret.reveal()));
    }
}
