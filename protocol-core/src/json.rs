//! JSON through serde.

use core::{fmt, marker::PhantomData};

use bytes::{BufMut, BytesMut};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Datagram, DatagramProtocol, DeserializeError, PacketError, SerializeError};

/// One JSON value a datagram (RFC 8259), compact, in UTF-8, through serde.
///
/// `Sent` and `Received` may be different types. Nesting beyond 128 levels is an error, and so is
/// anything but white space behind the value. Numbers are read with correct rounding.
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
pub struct Json<Sent: ?Sized, Received = Sent> {
    sent: PhantomData<fn(&Sent)>,
    received: PhantomData<fn() -> Received>,
}

impl<Sent: ?Sized, Received> Json<Sent, Received> {
    /// Makes the protocol.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sent: PhantomData,
            received: PhantomData,
        }
    }
}

impl<Sent: Serialize + ?Sized, Received: DeserializeOwned> DatagramProtocol
    for Json<Sent, Received>
{
    type Sent = Sent;
    type Received = Received;

    fn make_datagram(&self, packet: &Sent, datagram: &mut BytesMut) -> Result<(), SerializeError> {
        serde_json::to_writer(datagram.writer(), packet).map_err(SerializeError::new)
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Received, PacketError> {
        Ok(serde_json::from_slice(&datagram).map_err(DeserializeError::new)?)
    }
}

impl<Sent: ?Sized, Received> Clone for Json<Sent, Received> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Sent: ?Sized, Received> Copy for Json<Sent, Received> {}

impl<Sent: ?Sized, Received> Default for Json<Sent, Received> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Sent: ?Sized, Received> fmt::Debug for Json<Sent, Received> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json")
    }
}
