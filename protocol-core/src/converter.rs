//! Between business objects and what goes over the wire.

use crate::PacketConversionError;

/// Converts between the packets of the application and the data transfer objects (DTO) that a
/// protocol knows how to serialize. [`Converted`](crate::Converted) puts it in front of a protocol.
pub trait PacketConverter {
    /// What the application sends.
    type Sent: ?Sized;
    /// What the application receives.
    type Received;
    /// What the protocol serializes.
    type SentDto;
    /// What the protocol deserializes.
    type ReceivedDto;

    /// Converts a packet on its way out.
    ///
    /// # Errors
    ///
    /// The packet has no representation on the wire.
    fn convert_to_dto_packet(
        &self,
        packet: &Self::Sent,
    ) -> Result<Self::SentDto, PacketConversionError>;

    /// Converts, and validates, a packet on its way in.
    ///
    /// # Errors
    ///
    /// The bytes were well-formed, but mean no valid packet.
    fn create_from_dto_packet(
        &self,
        packet: Self::ReceivedDto,
    ) -> Result<Self::Received, PacketConversionError>;
}

/// One converter for what is sent and another for what is received, for protocols whose two
/// directions have nothing in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StapledConverter<S, R> {
    sent: S,
    received: R,
}

impl<S, R> StapledConverter<S, R> {
    /// Converts what is sent with `sent`, and what is received with `received`.
    #[must_use]
    pub const fn new(sent: S, received: R) -> Self {
        Self { sent, received }
    }
}

impl<S: PacketConverter, R: PacketConverter> PacketConverter for StapledConverter<S, R> {
    type Sent = S::Sent;
    type Received = R::Received;
    type SentDto = S::SentDto;
    type ReceivedDto = R::ReceivedDto;

    fn convert_to_dto_packet(&self, packet: &S::Sent) -> Result<S::SentDto, PacketConversionError> {
        self.sent.convert_to_dto_packet(packet)
    }

    fn create_from_dto_packet(
        &self,
        packet: R::ReceivedDto,
    ) -> Result<R::Received, PacketConversionError> {
        self.received.create_from_dto_packet(packet)
    }
}
