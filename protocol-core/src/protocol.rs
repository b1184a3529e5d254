//! The trait between packets and datagrams.

use alloc::{boxed::Box, sync::Arc};

use bytes::BytesMut;

use crate::{Datagram, PacketError, SerializeError};

/// Translates packets of the application into datagrams and back.
///
/// A protocol is stateless: one value may serve many clients at once, by reference, in a [`Box`] or
/// in an [`Arc`]. The trait is object safe.
///
/// # Examples
///
/// ```
/// use bytes::{BufMut, BytesMut};
/// use datagram_protocol_core::{
///     Datagram, DatagramProtocol, DeserializeError, PacketError, SerializeError,
/// };
///
/// /// A temperature in centidegrees, as two bytes, big-endian.
/// struct Temperature;
///
/// impl DatagramProtocol for Temperature {
///     type Sent = i16;
///     type Received = i16;
///
///     fn make_datagram(&self, packet: &i16, datagram: &mut BytesMut) -> Result<(), SerializeError> {
///         datagram.put_i16(*packet);
///         Ok(())
///     }
///
///     fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<i16, PacketError> {
///         let bytes = <[u8; 2]>::try_from(&*datagram).map_err(DeserializeError::new)?;
///         Ok(i16::from_be_bytes(bytes))
///     }
/// }
/// ```
pub trait DatagramProtocol {
    /// What the application sends.
    type Sent: ?Sized;
    /// What the application receives.
    type Received;

    /// Appends the bytes of `packet`, all of one datagram, to `datagram`.
    ///
    /// `datagram` may hold other datagrams already: this neither reads nor changes the bytes before
    /// the length it found on entry. Appending nothing makes an empty datagram.
    ///
    /// # Errors
    ///
    /// The packet cannot be expressed. What was appended by then is taken off again by the caller.
    fn make_datagram(
        &self,
        packet: &Self::Sent,
        datagram: &mut BytesMut,
    ) -> Result<(), SerializeError>;

    /// Parses one whole datagram.
    ///
    /// Bytes that are left over are an error, too: a datagram is exactly one packet.
    ///
    /// # Errors
    ///
    /// [`Deserialize`](PacketError::Deserialize) if the bytes are malformed,
    /// [`Conversion`](PacketError::Conversion) if they are well-formed but mean no valid packet.
    fn build_packet_from_datagram(
        &self,
        datagram: Datagram<'_>,
    ) -> Result<Self::Received, PacketError>;
}

macro_rules! delegate_to_target {
    ($($pointer:ty),+) => {$(
        impl<P: DatagramProtocol + ?Sized> DatagramProtocol for $pointer {
            type Sent = P::Sent;
            type Received = P::Received;

            #[inline]
            fn make_datagram(
                &self,
                packet: &P::Sent,
                datagram: &mut BytesMut,
            ) -> Result<(), SerializeError> {
                (**self).make_datagram(packet, datagram)
            }

            #[inline]
            fn build_packet_from_datagram(
                &self,
                datagram: Datagram<'_>,
            ) -> Result<P::Received, PacketError> {
                (**self).build_packet_from_datagram(datagram)
            }
        }
    )+};
}

delegate_to_target!(&P, Box<P>, Arc<P>);
