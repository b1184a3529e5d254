//! JSON through serde.

use bytes::{BufMut, BytesMut};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Datagram, DatagramProtocol, PacketError, SerializeError, format_error::FormatError,
    typed::typed_protocol,
};

mod finite;

use finite::Finite;

typed_protocol! {
    /// One JSON value a datagram (RFC 8259), compact, in UTF-8, through serde.
    ///
    /// `Sent` and `Received` may be different types. Text is written as it is, without `\u` escapes
    /// for what is not ASCII. NaN and the infinities cannot be sent (serde_json alone would write
    /// `null`) and are not read.
    ///
    /// Nesting of 128 levels and more is an error, and so is anything but white space behind the
    /// value. Numbers are read with correct rounding.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagram_protocol_core::json::Json;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize)]
    /// struct Question {
    ///     text: String,
    /// }
    ///
    /// #[derive(Deserialize)]
    /// struct Answer {
    ///     number: u32,
    /// }
    ///
    /// let protocol = Json::<Question, Answer>::new();
    /// ```
    Json
}

impl<Sent: Serialize + ?Sized, Received: DeserializeOwned> DatagramProtocol
    for Json<Sent, Received>
{
    type Sent = Sent;
    type Received = Received;

    fn make_datagram(&self, packet: &Sent, datagram: &mut BytesMut) -> Result<(), SerializeError> {
        serde_json::to_writer(datagram.writer(), &Finite(packet))
            .map_err(|error| FormatError::quote("json", error).into())
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Received, PacketError> {
        serde_json::from_slice(&datagram).map_err(|error| FormatError::quote("json", error).into())
    }
}
