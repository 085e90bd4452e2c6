//! A key of a client of the server, of which only a hash is kept.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::config::KeyRules;

/// What every key begins with.
const PREFIX: &str = "lk-";

/// A new key, which is shown once.
pub struct Secret(SecretString);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// 256 random bits.
    ///
    /// # Errors
    /// The system has no random numbers to give.
    pub fn random() -> std::io::Result<Self> {
        let mut bits = [0; 32];
        getrandom::fill(&mut bits).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bits)).into()))
    }

    /// The key itself, to be shown to its owner.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is kept of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(self.expose())
    }

    /// Its last four characters, by which people know it.
    pub fn last_four(&self) -> String {
        let secret = self.expose();
        secret.get(secret.len().saturating_sub(4)..).unwrap_or_default().to_owned()
    }
}

/// The SHA-256 of a key. A key has 256 random bits, so that no slower hash is needed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl SecretHash {
    /// The hash of a key that a client sent.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key).into())
    }
}

/// Without the hash, which no log is to hold.
impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash")
    }
}

/// A key of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopedKey {
    /// The name, by which budgets and the ledger know it. No other key has or gets it.
    pub name: String,
    /// The hash of the secret.
    pub hash: SecretHash,
    /// The last four characters of the secret.
    pub last_four: String,
    /// The hash of the secret before the last rotation, and until when it is good, in seconds since 1970.
    pub previous: Option<(SecretHash, i64)>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// When it ends, in seconds since 1970; `None` is never.
    pub expires: Option<i64>,
    /// When it was revoked, in seconds since 1970.
    pub revoked: Option<i64>,
    /// What it may do.
    pub rules: KeyRules,
}

impl ScopedKey {
    /// A key with this secret, made now.
    pub fn new(name: &str, secret: &Secret, expires: Option<i64>, rules: KeyRules) -> Self {
        Self {
            name: name.to_owned(),
            hash: secret.hash(),
            last_four: secret.last_four(),
            previous: None,
            created: Timestamp::now().as_second(),
            expires,
            revoked: None,
            rules,
        }
    }

    /// Whether the key has ended at this time, in seconds since 1970.
    pub fn has_ended(&self, now: i64) -> bool {
        self.revoked.is_some() || self.expires.is_some_and(|expires| expires <= now)
    }

    /// `active`, `revoked` or `expired`.
    pub fn state(&self, now: i64) -> &'static str {
        match (self.revoked, self.has_ended(now)) {
            (Some(_), _) => "revoked",
            (None, true) => "expired",
            (None, false) => "active",
        }
    }
}
