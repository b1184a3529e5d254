//! The key of a signature.

use alloc::string::String;
use core::fmt;

use ::base64::engine::{Engine, general_purpose::URL_SAFE};
use hmac::{Hmac, KeyInit};
use sha2::Sha256;
use thiserror::Error;

/// Bytes of a key.
const KEY_LEN: usize = 32;

/// The 32 bytes that both sides need to sign packets and to check signatures.
///
/// Its text form is URL-safe base64, the one of EasyNetwork. It is not shown by [`Debug`].
#[derive(Clone)]
pub struct Key([u8; KEY_LEN]);

impl Key {
    /// Takes the bytes of the key.
    #[must_use]
    pub const fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// Makes a new key out of the system's randomness.
    ///
    /// # Errors
    ///
    /// The system has none.
    #[cfg(not(target_os = "none"))]
    pub fn generate() -> Result<Self, KeyGenerationError> {
        let mut bytes = [0; KEY_LEN];
        getrandom::fill(&mut bytes).map_err(|error| KeyGenerationError(error.into()))?;
        Ok(Self(bytes))
    }

    /// Reads a key from its text form: URL-safe base64, with padding.
    ///
    /// # Errors
    ///
    /// The text is no base64, or not of exactly 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, InvalidKeyError> {
        let bytes = URL_SAFE.decode(text).map_err(|_| InvalidKeyError(()))?;
        let bytes = bytes.try_into().map_err(|_| InvalidKeyError(()))?;
        Ok(Self(bytes))
    }

    /// Returns the text form, for the other side.
    #[must_use]
    pub fn to_base64(&self) -> String {
        URL_SAFE.encode(self.0)
    }

    pub(super) fn to_hmac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.0).expect("HMAC takes keys of any length")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// A text is no key. What is wrong with it is not told, since the text may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a key is 32 bytes in URL-safe base64, with padding")]
pub struct InvalidKeyError(());

/// The system gave no randomness for a key.
#[derive(Debug, Error)]
#[error("cannot generate a key")]
pub struct KeyGenerationError(
    #[source] pub(super) alloc::boxed::Box<dyn core::error::Error + Send + Sync>,
);
