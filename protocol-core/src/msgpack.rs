//! MessagePack through serde.

use bytes::{BufMut, BytesMut};
use rmp_serde::Serializer;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Datagram, DatagramProtocol, PacketError, SerializeError, format_error::FormatError,
    typed::typed_protocol,
};

mod well_formed;

typed_protocol! {
    /// One MessagePack value a datagram, through serde.
    ///
    /// Integers and lengths are written in their shortest form, structs as maps from field name to
    /// value. Both maps and arrays are read as structs. Binary data takes `serde_bytes`, or a type
    /// that does the same; extensions take `rmp_serde`'s `MSGPACK_EXT_STRUCT_NAME`.
    ///
    /// The datagram is checked before serde sees it: it must be exactly one well-formed value, with
    /// UTF-8 in its texts and no more than 128 levels of nesting. So nothing is allocated for
    /// lengths that are only announced, and a packet takes no more memory than its values do in
    /// Rust.
    ///
    /// # Examples
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use datagram_protocol_core::{DatagramProtocol, msgpack::MsgPack};
    /// use serde::Serialize;
    ///
    /// #[derive(Serialize)]
    /// struct Move {
    ///     x: i8,
    ///     y: i8,
    /// }
    ///
    /// let protocol = MsgPack::<Move, Vec<u32>>::new();
    /// let mut datagram = BytesMut::new();
    /// protocol.make_datagram(&Move { x: 1, y: -1 }, &mut datagram)?;
    /// assert_eq!(datagram[..], *b"\x82\xa1x\x01\xa1y\xff");
    ///
    /// let packet = protocol.build_packet_from_datagram(b"\x92\x01\x02"[..].into())?;
    /// assert_eq!(packet, [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    MsgPack
}

impl<Sent: Serialize + ?Sized, Received: DeserializeOwned> DatagramProtocol
    for MsgPack<Sent, Received>
{
    type Sent = Sent;
    type Received = Received;

    fn make_datagram(&self, packet: &Sent, datagram: &mut BytesMut) -> Result<(), SerializeError> {
        packet
            .serialize(&mut Serializer::new(datagram.writer()).with_struct_map())
            .map_err(|error| FormatError::quote("msgpack", error).into())
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Received, PacketError> {
        well_formed::check(&datagram)?;
        rmp_serde::from_slice(&datagram)
            .map_err(|error| FormatError::quote("msgpack", error).into())
    }
}
