//! postcard through serde.

use alloc::string::ToString;
use core::fmt;

use bytes::{BufMut, BytesMut};
use postcard::{Deserializer, ser_flavors::Flavor};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Datagram, DatagramProtocol, PacketError, SerializeError, format_error::FormatError,
    typed::typed_protocol,
};

mod bounded;

typed_protocol! {
    /// One postcard message a datagram: the compact format of embedded Rust, through serde.
    ///
    /// The format does not describe itself: both sides need the same types. Bytes behind the
    /// message are an error, and so are more than 128 levels of nesting (which only recursive types
    /// can have) and more than 65,536 elements in sequences and maps (which only elements of no
    /// size can have). Nothing is allocated for lengths that are only announced.
    ///
    /// # Examples
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use datagram_protocol_core::{DatagramProtocol, postcard::Postcard};
    ///
    /// let protocol = Postcard::<(u16, &str), (u16, String)>::new();
    /// let mut datagram = BytesMut::new();
    /// protocol.make_datagram(&(500, "hi"), &mut datagram)?;
    /// assert_eq!(datagram[..], *b"\xf4\x03\x02hi");
    ///
    /// let packet = protocol.build_packet_from_datagram((&datagram[..]).into())?;
    /// assert_eq!(packet, (500, "hi".to_owned()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Postcard
}

impl<Sent: Serialize + ?Sized, Received: DeserializeOwned> DatagramProtocol
    for Postcard<Sent, Received>
{
    type Sent = Sent;
    type Received = Received;

    fn make_datagram(&self, packet: &Sent, datagram: &mut BytesMut) -> Result<(), SerializeError> {
        postcard::serialize_with_flavor(packet, Appender(datagram))
            .map_err(|error| quote(error).into())
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Received, PacketError> {
        let mut deserializer = Deserializer::from_bytes(&datagram);
        let packet = bounded::deserialize(&mut deserializer);
        let rest = deserializer
            .finalize()
            .expect("a slice is not checked at its end");
        let offset = datagram.len() - rest.len();
        match packet {
            Ok(packet) if rest.is_empty() => Ok(packet),
            Ok(_) => Err(FormatError::new("postcard", "trailing bytes")
                .at(offset)
                .into()),
            Err(error) => Err(error.at(offset).into()),
        }
    }
}

/// Takes over the wording of postcard, which starts like a sentence.
fn quote(error: impl fmt::Display) -> FormatError {
    let mut reason = error.to_string();
    if let Some(first) = reason.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    FormatError::new("postcard", reason)
}

/// Lets postcard write behind what is in the buffer.
struct Appender<'a>(&'a mut BytesMut);

impl Flavor for Appender<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.put_u8(byte);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
