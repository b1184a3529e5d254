//! Base64 around another protocol, with an optional checksum or signature.

use alloc::vec;

use ::base64::engine::{Engine, GeneralPurpose, general_purpose};
use bytes::{Bytes, BytesMut};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::{
    Datagram, DatagramProtocol, PacketError, SerializeError, format_error::FormatError, tail,
};

mod key;

pub use key::{InvalidKeyError, Key, KeyGenerationError};

/// Bytes of a SHA-256 checksum, with or without a key.
const DIGEST_LEN: usize = 32;

/// Which characters stand for the values 62 and 63.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alphabet {
    /// `-` and `_` (RFC 4648, section 5).
    #[default]
    UrlSafe,
    /// `+` and `/` (RFC 4648, section 4).
    Standard,
}

impl Alphabet {
    const fn engine(self) -> &'static GeneralPurpose {
        match self {
            Self::UrlSafe => &general_purpose::URL_SAFE,
            Self::Standard => &general_purpose::STANDARD,
        }
    }
}

/// The datagrams of another protocol in base64, as EasyNetwork's `Base64EncoderSerializer` writes
/// and reads them.
///
/// There are no line breaks, and padding is always there. With a [checksum](Self::checksum) or a
/// [key](Self::key), 32 bytes are put behind the inner datagram before it is encoded; when reading,
/// they must match before the inner protocol sees anything.
///
/// Reading is strict: nothing but the alphabet, the right padding, and zeros in the bits that are
/// left over. Every failure is the same "invalid token", so that an attacker does not learn which
/// part of a forgery was right.
///
/// # Examples
///
/// ```
/// use bytes::BytesMut;
/// use datagram_protocol_core::{
///     DatagramProtocol, Line,
///     base64::{Base64, Key},
/// };
///
/// let signed = Base64::new(Line::new()).key(&Key::generate()?);
/// let mut datagram = BytesMut::new();
/// signed.make_datagram("hello", &mut datagram)?;
/// let packet = signed.build_packet_from_datagram((&datagram[..]).into())?;
/// assert_eq!(packet, "hello");
///
/// let forger = Base64::new(Line::new()).key(&Key::generate()?);
/// assert!(forger.build_packet_from_datagram((&datagram[..]).into()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Base64<P> {
    protocol: P,
    alphabet: Alphabet,
    seal: Seal,
}

#[derive(Debug, Clone, Default)]
enum Seal {
    #[default]
    Nothing,
    Checksum,
    /// Has taken in the key, so that no packet does it again.
    Signature(Hmac<Sha256>),
}

impl<P> Base64<P> {
    /// Puts `protocol` in base64: the URL-safe alphabet, no checksum.
    #[must_use]
    pub const fn new(protocol: P) -> Self {
        Self {
            protocol,
            alphabet: Alphabet::UrlSafe,
            seal: Seal::Nothing,
        }
    }

    /// Sets the alphabet.
    #[must_use]
    pub fn alphabet(self, alphabet: Alphabet) -> Self {
        Self { alphabet, ..self }
    }

    /// Adds a SHA-256 checksum, instead of a key: it finds accidents, not forgeries.
    #[must_use]
    pub fn checksum(self) -> Self {
        Self {
            seal: Seal::Checksum,
            ..self
        }
    }

    /// Adds an HMAC-SHA256 signature, instead of a checksum: only who has the key can make
    /// datagrams that are accepted. (They can be read and repeated by anyone.)
    #[must_use]
    pub fn key(self, key: &Key) -> Self {
        Self {
            seal: Seal::Signature(key.to_hmac()),
            ..self
        }
    }
}

impl<P: DatagramProtocol> DatagramProtocol for Base64<P> {
    type Sent = P::Sent;
    type Received = P::Received;

    fn make_datagram(
        &self,
        packet: &P::Sent,
        datagram: &mut BytesMut,
    ) -> Result<(), SerializeError> {
        let start = tail::append("base64", &self.protocol, packet, datagram)?;
        match &self.seal {
            Seal::Nothing => {}
            Seal::Checksum => {
                let digest = Sha256::digest(&datagram[start..]);
                datagram.extend_from_slice(&digest);
            }
            Seal::Signature(hmac) => {
                let digest = hmac.clone().chain_update(&datagram[start..]).finalize();
                datagram.extend_from_slice(&digest.into_bytes());
            }
        }
        encode_in_place(self.alphabet.engine(), datagram, start);
        Ok(())
    }

    fn build_packet_from_datagram(
        &self,
        datagram: Datagram<'_>,
    ) -> Result<P::Received, PacketError> {
        let content = self
            .open(&datagram)
            .ok_or_else(|| FormatError::new("base64", "invalid token"))?;
        self.protocol.build_packet_from_datagram((&content).into())
    }
}

impl<P> Base64<P> {
    /// Decodes, checks and strips the seal.
    fn open(&self, datagram: &[u8]) -> Option<Bytes> {
        let mut content = vec![0; datagram.len().div_ceil(4) * 3];
        let len = self
            .alphabet
            .engine()
            .decode_slice(datagram, &mut content)
            .ok()?;
        content.truncate(len);
        if matches!(self.seal, Seal::Nothing) {
            return Some(content.into());
        }
        let (inner, digest) = content.split_last_chunk::<DIGEST_LEN>()?;
        let len = inner.len();
        match &self.seal {
            Seal::Signature(hmac) => hmac.clone().chain_update(inner).verify_slice(digest).ok()?,
            _ if Sha256::digest(inner)[..] != *digest => return None,
            _ => {}
        }
        content.truncate(len);
        Some(content.into())
    }
}

/// Encodes what lies behind `start`, from the end on: there the encoded bytes never reach those
/// that are still to be read.
fn encode_in_place(engine: &GeneralPurpose, datagram: &mut BytesMut, start: usize) {
    const RAW: usize = 768;
    const ENCODED: usize = RAW / 3 * 4;
    let end = datagram.len();
    datagram.resize(start + (end - start).div_ceil(3) * 4, 0);
    for (index, chunk_start) in (start..end).step_by(RAW).enumerate().rev() {
        let mut chunk = [0; RAW];
        let chunk = &mut chunk[..RAW.min(end - chunk_start)];
        chunk.copy_from_slice(&datagram[chunk_start..][..chunk.len()]);
        engine
            .encode_slice(chunk, &mut datagram[start + index * ENCODED..])
            .expect("the length was computed above");
    }
}
