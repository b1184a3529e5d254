//! Between business objects and what goes over the wire.

use core::{fmt, marker::PhantomData};

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

/// A converter made of two closures, for cases that need no type of their own.
///
/// # Examples
///
/// ```
/// use bytes::BytesMut;
/// use datagram_protocol_core::{
///     Converted, DatagramProtocol, FnConverter, Line, PacketConversionError,
/// };
///
/// let numbers = Converted::new(
///     Line::new(),
///     FnConverter::new(
///         |number: &u32| Ok(number.to_string()),
///         |line: String| line.parse::<u32>().map_err(PacketConversionError::new),
///     ),
/// );
///
/// let mut datagram = BytesMut::new();
/// numbers.make_datagram(&42, &mut datagram)?;
/// assert_eq!(datagram[..], *b"42");
/// assert_eq!(numbers.build_packet_from_datagram((&datagram[..]).into())?, 42);
/// assert!(numbers.build_packet_from_datagram(b"many"[..].into()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FnConverter<Sent: ?Sized, SentDto, Received, ReceivedDto, To, From> {
    to_dto: To,
    from_dto: From,
    #[expect(clippy::type_complexity, reason = "only there to be inferred")]
    types: PhantomData<fn(&Sent, ReceivedDto) -> (SentDto, Received)>,
}

impl<Sent, SentDto, Received, ReceivedDto, To, From>
    FnConverter<Sent, SentDto, Received, ReceivedDto, To, From>
where
    Sent: ?Sized,
    To: Fn(&Sent) -> Result<SentDto, PacketConversionError>,
    From: Fn(ReceivedDto) -> Result<Received, PacketConversionError>,
{
    /// Converts what is sent with `to_dto`, and what is received with `from_dto`.
    #[must_use]
    pub const fn new(to_dto: To, from_dto: From) -> Self {
        Self {
            to_dto,
            from_dto,
            types: PhantomData,
        }
    }
}

impl<Sent, SentDto, Received, ReceivedDto, To, From> PacketConverter
    for FnConverter<Sent, SentDto, Received, ReceivedDto, To, From>
where
    Sent: ?Sized,
    To: Fn(&Sent) -> Result<SentDto, PacketConversionError>,
    From: Fn(ReceivedDto) -> Result<Received, PacketConversionError>,
{
    type Sent = Sent;
    type Received = Received;
    type SentDto = SentDto;
    type ReceivedDto = ReceivedDto;

    fn convert_to_dto_packet(&self, packet: &Sent) -> Result<SentDto, PacketConversionError> {
        (self.to_dto)(packet)
    }

    fn create_from_dto_packet(
        &self,
        packet: ReceivedDto,
    ) -> Result<Received, PacketConversionError> {
        (self.from_dto)(packet)
    }
}

impl<Sent: ?Sized, SentDto, Received, ReceivedDto, To: Clone, From: Clone> Clone
    for FnConverter<Sent, SentDto, Received, ReceivedDto, To, From>
{
    fn clone(&self) -> Self {
        Self {
            to_dto: self.to_dto.clone(),
            from_dto: self.from_dto.clone(),
            types: PhantomData,
        }
    }
}

impl<Sent: ?Sized, SentDto, Received, ReceivedDto, To, From> fmt::Debug
    for FnConverter<Sent, SentDto, Received, ReceivedDto, To, From>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FnConverter")
    }
}
