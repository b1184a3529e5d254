//! A protocol with a converter in front of it.

use core::borrow::Borrow;

use bytes::BytesMut;

use crate::{Datagram, DatagramProtocol, PacketConverter, PacketError, SerializeError};

/// A protocol whose packets pass through a [`PacketConverter`]: after deserialization on the way
/// in, before serialization on the way out.
///
/// A converter that refuses a received packet is a [`PacketError::Conversion`]; it is not asked
/// when the protocol itself refuses the bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Converted<P, C> {
    protocol: P,
    converter: C,
}

impl<P, C> Converted<P, C> {
    /// Puts `converter` in front of `protocol`.
    #[must_use]
    pub const fn new(protocol: P, converter: C) -> Self {
        Self {
            protocol,
            converter,
        }
    }
}

impl<P, C> DatagramProtocol for Converted<P, C>
where
    P: DatagramProtocol,
    C: PacketConverter<ReceivedDto = P::Received>,
    C::SentDto: Borrow<P::Sent>,
{
    type Sent = C::Sent;
    type Received = C::Received;

    fn make_datagram(
        &self,
        packet: &C::Sent,
        datagram: &mut BytesMut,
    ) -> Result<(), SerializeError> {
        let dto = self
            .converter
            .convert_to_dto_packet(packet)
            .map_err(SerializeError::new)?;
        self.protocol.make_datagram(dto.borrow(), datagram)
    }

    fn build_packet_from_datagram(
        &self,
        datagram: Datagram<'_>,
    ) -> Result<C::Received, PacketError> {
        let dto = self.protocol.build_packet_from_datagram(datagram)?;
        Ok(self.converter.create_from_dto_packet(dto)?)
    }
}
