//! CBOR through serde.

use alloc::vec::Vec;
use core::convert::Infallible;

use bytes::BytesMut;
use ciborium::de::{Error, from_reader_with_buffer};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Datagram, DatagramProtocol, PacketError, SerializeError, format_error::FormatError,
    typed::typed_protocol,
};

mod well_formed;

typed_protocol! {
    /// One CBOR item a datagram (RFC 8949), through serde.
    ///
    /// Integers and lengths are written in their shortest form, floats in the shortest form that is
    /// exact, structs as maps from field name to value. All forms are read, those of indefinite
    /// length too. A tag is skipped where the packet has no place for one (`ciborium::tag` has
    /// types that do).
    ///
    /// The datagram is checked before serde sees it: it must be exactly one well-formed item, with
    /// no more than 128 levels of nesting, tags included. So nothing is allocated for lengths that
    /// are only announced, and a packet takes no more memory than its items do in Rust, plus once
    /// the length of a datagram that is longer than 512 bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use datagram_protocol_core::{DatagramProtocol, cbor::Cbor};
    ///
    /// let protocol = Cbor::<[u32], Vec<u32>>::new();
    /// let mut datagram = BytesMut::new();
    /// protocol.make_datagram(&[1, 500], &mut datagram)?;
    /// assert_eq!(datagram[..], [0x82, 0x01, 0x19, 0x01, 0xf4]);
    ///
    /// let packet = protocol.build_packet_from_datagram((&datagram[..]).into())?;
    /// assert_eq!(packet, [1, 500]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Cbor
}

impl<Sent: Serialize + ?Sized, Received: DeserializeOwned> DatagramProtocol
    for Cbor<Sent, Received>
{
    type Sent = Sent;
    type Received = Received;

    fn make_datagram(&self, packet: &Sent, datagram: &mut BytesMut) -> Result<(), SerializeError> {
        ciborium::into_writer(packet, Appender(datagram)).map_err(|error| {
            // The other variant holds the error of `Appender`, which has none.
            let ciborium::ser::Error::Value(reason) = error;
            FormatError::new("cbor", reason).into()
        })
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Received, PacketError> {
        well_formed::check(&datagram)?;
        let mut rest = datagram.as_slice();
        // Strings and keys that are longer than the scratch buffer would be refused.
        let (mut on_stack, mut on_heap) = ([0; 512], Vec::new());
        let scratch = if datagram.len() <= on_stack.len() {
            &mut on_stack[..]
        } else {
            on_heap.resize(datagram.len(), 0);
            &mut on_heap
        };
        let packet = from_reader_with_buffer(&mut rest, scratch).map_err(|error| match error {
            Error::Semantic(offset, reason) => FormatError::new("cbor", reason).at(offset),
            Error::Syntax(offset) => FormatError::new("cbor", "unexpected item").at(offset),
            Error::Io(_) => FormatError::new("cbor", "the packet has more items than the datagram"),
            Error::RecursionLimitExceeded => FormatError::new("cbor", "nested too deeply"),
        })?;
        // Fixed-size arrays and tuples leave the items that they have no place for.
        if !rest.is_empty() {
            let offset = datagram.len() - rest.len();
            return Err(FormatError::new("cbor", "an array is longer than its type")
                .at(offset)
                .into());
        }
        Ok(packet)
    }
}

/// Lets ciborium write without `std`.
struct Appender<'a>(&'a mut BytesMut);

impl ciborium_io::Write for Appender<'_> {
    type Error = Infallible;

    fn write_all(&mut self, data: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
