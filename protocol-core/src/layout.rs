//! Fixed layouts through zerocopy.

use bytes::BytesMut;
use zerocopy::{Immutable, IntoBytes, TryFromBytes};

use crate::{
    Datagram, DatagramProtocol, PacketError, SerializeError, format_error::FormatError,
    typed::typed_protocol,
};

typed_protocol! {
    /// A datagram that is the memory of a type, copied once.
    ///
    /// The type says what goes where: `#[repr(C)]` structs in the order of their fields, with the
    /// integers and floats of `zerocopy::byteorder` for either byte order and without padding.
    /// zerocopy's derives prove that every byte is accounted for. What is received must have the
    /// exact size of the type, and a valid value in each field (`bool`, enums). What is sent may
    /// also be a slice, or end in one.
    ///
    /// # Examples
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use datagram_protocol_core::{DatagramProtocol, layout::Layout};
    /// use zerocopy::{FromBytes, Immutable, IntoBytes, byteorder::big_endian::U16};
    ///
    /// #[derive(FromBytes, IntoBytes, Immutable)]
    /// #[repr(C)]
    /// struct Ping {
    ///     magic: [u8; 2],
    ///     sequence: U16,
    /// }
    ///
    /// let protocol = Layout::<Ping>::new();
    /// let ping = Ping { magic: *b"PI", sequence: 258.into() };
    /// let mut datagram = BytesMut::new();
    /// protocol.make_datagram(&ping, &mut datagram)?;
    /// assert_eq!(datagram[..], *b"PI\x01\x02");
    ///
    /// let received = protocol.build_packet_from_datagram((&datagram[..]).into())?;
    /// assert_eq!(received.sequence, 258);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Layout
}

impl<Sent: IntoBytes + Immutable + ?Sized, Received: TryFromBytes> DatagramProtocol
    for Layout<Sent, Received>
{
    type Sent = Sent;
    type Received = Received;

    #[inline]
    fn make_datagram(&self, packet: &Sent, datagram: &mut BytesMut) -> Result<(), SerializeError> {
        datagram.extend_from_slice(packet.as_bytes());
        Ok(())
    }

    #[inline]
    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Received, PacketError> {
        if datagram.len() != size_of::<Received>() {
            return Err(wrong_size(datagram.len(), size_of::<Received>()));
        }
        match Received::try_read_from_bytes(&datagram) {
            Ok(packet) => Ok(packet),
            Err(_) => Err(no_value(size_of::<Received>())),
        }
    }
}

#[cold]
fn wrong_size(len: usize, size: usize) -> PacketError {
    FormatError::new("layout", alloc::format!("{len} bytes instead of {size}")).into()
}

#[cold]
fn no_value(size: usize) -> PacketError {
    let reason = alloc::format!("the {size} bytes are no valid value of the type");
    FormatError::new("layout", reason).into()
}
