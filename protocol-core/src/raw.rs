//! Bytes as they are.

use bytes::{Bytes, BytesMut};

use crate::{Datagram, DatagramProtocol, PacketError, SerializeError};

/// The protocol that has none: packets are the bytes of the datagrams.
///
/// Received bytes are shared where that does not keep a larger buffer alive, see
/// [`Datagram::to_bytes`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Raw;

impl Raw {
    /// Makes the protocol; `Raw` alone is the same.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl DatagramProtocol for Raw {
    type Sent = [u8];
    type Received = Bytes;

    #[inline]
    fn make_datagram(&self, packet: &[u8], datagram: &mut BytesMut) -> Result<(), SerializeError> {
        datagram.extend_from_slice(packet);
        Ok(())
    }

    #[inline]
    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Bytes, PacketError> {
        Ok(datagram.to_bytes())
    }
}
