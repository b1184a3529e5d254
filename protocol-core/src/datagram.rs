//! A received datagram, as a protocol sees it.

use core::{
    fmt,
    ops::{Deref, RangeBounds},
};

use bytes::Bytes;

/// The bytes of one received datagram, borrowed while a protocol parses them.
///
/// Dereferences to `[u8]`. A packet that keeps a part of it takes [`to_bytes`](Self::to_bytes).
#[derive(Clone, Copy)]
pub struct Datagram<'a> {
    contents: &'a [u8],
    /// The buffer that `contents` lies in; without one, `to_bytes` has to copy.
    owner: Option<&'a Bytes>,
}

impl<'a> Datagram<'a> {
    #[inline]
    pub(crate) const fn within(contents: &'a [u8], owner: Option<&'a Bytes>) -> Self {
        Self { contents, owner }
    }

    /// Returns the bytes, borrowed for as long as the datagram itself is.
    #[must_use]
    #[inline]
    pub const fn as_slice(&self) -> &'a [u8] {
        self.contents
    }

    /// Narrows the datagram to a part of it, for a protocol that strips a header and hands the rest
    /// to another protocol.
    ///
    /// # Panics
    ///
    /// If `range` (in bytes) reaches beyond the datagram.
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
        Self {
            contents: &self.contents[bounds],
            owner: self.owner,
        }
    }

    /// Returns the bytes as a value that outlives the call.
    ///
    /// What came in through [`handle_datagram`](crate::DatagramClientState::handle_datagram) or
    /// from a [`Bytes`] is shared, not copied. What a driver lent out of its receive buffer
    /// ([`Incoming::handle_lent`](crate::Incoming::handle_lent)), or what came from a slice, is
    /// copied, so that a few bytes never keep a large buffer alive.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self.owner {
            Some(owner) => owner.slice_ref(self.contents),
            None => Bytes::copy_from_slice(self.contents),
        }
    }
}

impl Deref for Datagram<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.contents
    }
}

impl AsRef<[u8]> for Datagram<'_> {
    fn as_ref(&self) -> &[u8] {
        self.contents
    }
}

impl<'a> From<&'a Bytes> for Datagram<'a> {
    #[inline]
    fn from(bytes: &'a Bytes) -> Self {
        Self::within(bytes, Some(bytes))
    }
}

impl<'a> From<&'a [u8]> for Datagram<'a> {
    #[inline]
    fn from(contents: &'a [u8]) -> Self {
        Self::within(contents, None)
    }
}

impl fmt::Debug for Datagram<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Datagram(b\"{}\")", self.contents.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_bytes_of_owned_contents_shares_the_buffer() {
        let bytes = Bytes::from_static(b"header|body");

        let body = Datagram::from(&bytes).slice(7..);

        assert_eq!(&*body, b"body");
        assert_eq!(body.to_bytes().as_ptr(), bytes[7..].as_ptr());
    }

    #[test]
    fn to_bytes_of_an_empty_part_is_empty() {
        let bytes = Bytes::from_static(b"abc");

        let rest = Datagram::from(&bytes).slice(3..);

        assert!(rest.to_bytes().is_empty());
    }

    #[test]
    fn to_bytes_of_a_slice_copies() {
        let contents = *b"lent";

        let kept = Datagram::from(&contents[..]).to_bytes();

        assert_eq!(kept, contents[..]);
        assert_ne!(kept.as_ptr(), contents.as_ptr());
    }
}
