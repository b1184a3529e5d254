//! Codecs of the tokio ecosystem as protocols.

use std::{borrow::ToOwned, error::Error, fmt, marker::PhantomData, sync::Arc};

use bytes::BytesMut;
use datagram_protocol_core::{
    Datagram, DatagramProtocol, DeserializeError, PacketError, SerializeError,
};
use thiserror::Error as ThisError;
use tokio_util::codec::{Decoder, Encoder};

/// A protocol made of a [`tokio_util::codec`] pair: a type that is [`Encoder`] and [`Decoder`].
///
/// What worked in a `tokio_util::udp::UdpFramed` works here: `UdpFramed::new(socket, codec)` becomes
/// `AsyncUdpNetworkClient::from_socket(socket, Codec::new(codec))`.
///
/// What is received is the decoder's item. What is sent is the same type, or another one that is
/// named with [`sending`](Self::sending); the encoder gets a clone of it.
///
/// # One datagram, one frame, one fresh codec
///
/// A protocol is stateless, and datagrams get lost and change places. So each datagram is written
/// and read by a codec in its first state: what one datagram left behind in the codec (a line that
/// was too long, say) never meets the next. A codec that counts what it sends must keep its counter
/// outside, in an `Arc`; it may be asked to encode a packet again that could not be sent at once.
///
/// The encoder writes to a buffer that is empty, whatever is queued before. The decoder gets the
/// datagram as if the stream ended with it ([`Decoder::decode_eof`]) and must make one frame of all
/// of it. If it fails, wants more, or leaves bytes, that is one
/// [`PacketError::Deserialize`] for this datagram. So is an empty datagram, unless the decoder
/// makes a frame of it.
///
/// Sending copies nothing unless the queue's buffer has to grow. Receiving copies the datagram once,
/// because a decoder wants a buffer of its own. A length-delimited decoder may reserve what a header
/// announces: keep its longest frame at what fits a datagram (65,507 bytes).
///
/// # Examples
///
/// ```
/// use bytes::BytesMut;
/// use datagram_driver_tokio::Codec;
/// use datagram_protocol_core::DatagramProtocol;
/// use tokio_util::codec::LinesCodec;
///
/// let protocol = Codec::new(LinesCodec::new()).sending::<str>();
///
/// let mut datagram = BytesMut::new();
/// protocol.make_datagram("hello", &mut datagram)?;
/// assert_eq!(datagram[..], *b"hello\n");
///
/// assert_eq!(protocol.build_packet_from_datagram((&datagram[..]).into())?, "hello");
/// let two_lines = protocol.build_packet_from_datagram(b"a\nb\n"[..].into());
/// assert!(two_lines.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Codec<C: Decoder, Sent: ?Sized = <C as Decoder>::Item> {
    fresh: Arc<dyn Fn() -> C + Send + Sync>,
    sent: PhantomData<fn(&Sent)>,
}

impl<C: Decoder> Codec<C> {
    /// A protocol that gives each datagram a clone of `codec`.
    #[must_use]
    pub fn new(codec: C) -> Self
    where
        C: Clone + Send + Sync + 'static,
    {
        Self::from_fn(move || codec.clone())
    }

    /// A protocol that gives each datagram a codec made by `fresh`: for codecs that are no
    /// [`Clone`].
    #[must_use]
    pub fn from_fn(fresh: impl Fn() -> C + Send + Sync + 'static) -> Self {
        Self {
            fresh: Arc::new(fresh),
            sent: PhantomData,
        }
    }
}

impl<C: Decoder, Sent: ?Sized> Codec<C, Sent> {
    /// The same with another type for what is sent, where the codec does not encode what it decodes:
    /// `Codec::new(LengthDelimitedCodec::new()).sending::<Bytes>()`.
    ///
    /// The codec must be an encoder of its [owned](ToOwned) form: `String` for `str`, `Vec<u8>` for
    /// `[u8]`, any [`Clone`] type itself.
    #[must_use]
    pub fn sending<Other: ?Sized>(self) -> Codec<C, Other> {
        Codec {
            fresh: self.fresh,
            sent: PhantomData,
        }
    }
}

impl<C: Decoder, Sent: ?Sized> Clone for Codec<C, Sent> {
    fn clone(&self) -> Self {
        Self {
            fresh: Arc::clone(&self.fresh),
            sent: PhantomData,
        }
    }
}

impl<C: Decoder, Sent: ?Sized> fmt::Debug for Codec<C, Sent> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codec").finish_non_exhaustive()
    }
}

impl<C, Sent> DatagramProtocol for Codec<C, Sent>
where
    Sent: ToOwned + ?Sized,
    C: Decoder<Error: Into<Box<dyn Error + Send + Sync>>>
        + Encoder<<Sent as ToOwned>::Owned, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Sent = Sent;
    type Received = C::Item;

    fn make_datagram(&self, packet: &Sent, datagram: &mut BytesMut) -> Result<(), SerializeError> {
        // The free end of the same buffer: joining the two again moves no byte unless the encoder
        // needed more room than there was.
        let mut frame = datagram.split_off(datagram.len());
        let encoded = (self.fresh)().encode(packet.to_owned(), &mut frame);
        datagram.unsplit(frame);
        encoded.map_err(SerializeError::new)
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<C::Item, PacketError> {
        let size = datagram.len();
        let mut rest = BytesMut::from(&*datagram);
        let frame = (self.fresh)()
            .decode_eof(&mut rest)
            .map_err(DeserializeError::new)?
            .ok_or_else(|| DeserializeError::new(CodecError::Incomplete { size }))?;
        if !rest.is_empty() {
            let left = rest.len();
            return Err(DeserializeError::new(CodecError::LeftOver { left, size }).into());
        }
        Ok(frame)
    }
}

/// Why a decoder that did not fail still made no packet.
#[derive(Debug, Clone, Copy, ThisError)]
enum CodecError {
    #[error("codec: no frame in the {size} bytes of the datagram")]
    Incomplete { size: usize },
    #[error("codec: {left} of the {size} bytes of the datagram lie behind the frame")]
    LeftOver { left: usize, size: usize },
}
