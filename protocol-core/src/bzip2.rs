//! bzip2 compression around another protocol.

use ::bzip2::{Action, Compress, Compression, Decompress, Status};
use bytes::BytesMut;

use crate::{
    Datagram, DatagramProtocol, PacketError, SerializeError,
    compression::{self, DEFAULT_MAX_SIZE, Progress},
};

/// The datagrams of another protocol as one bzip2 stream each.
///
/// Reading takes any level, and wants exactly one complete stream with the right checksums. What
/// comes out of it may have 256 KiB, four times the longest datagram, or
/// [`max_size`](Self::max_size); a datagram that goes beyond is an error. Besides that,
/// decompression takes 3.7 MB of working memory for streams of level 9, and compression 1.2 MB for
/// what fits a block of level 1.
///
/// # Examples
///
/// ```
/// use bytes::BytesMut;
/// use datagram_protocol_core::{DatagramProtocol, Line, bzip2::Bzip2};
///
/// let protocol = Bzip2::new(Line::new());
/// let text = "again ".repeat(1000);
/// let mut datagram = BytesMut::new();
/// protocol.make_datagram(&text, &mut datagram)?;
/// assert!(datagram.len() < 100);
///
/// let packet = protocol.build_packet_from_datagram((&datagram[..]).into())?;
/// assert_eq!(packet, text);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bzip2<P> {
    protocol: P,
    level: u32,
    max_size: usize,
}

impl<P> Bzip2<P> {
    /// Compresses the datagrams of `protocol`, in blocks as long as bzip2 has them.
    #[must_use]
    pub const fn new(protocol: P) -> Self {
        Self {
            protocol,
            level: 9,
            max_size: DEFAULT_MAX_SIZE,
        }
    }

    /// Sets how long a block may be, in units of 100,000 bytes: from 1 to 9, the default. Less
    /// counts as 1, more as 9. A datagram that needs no longer one gets a shorter one, which saves
    /// memory on both sides.
    #[must_use]
    pub fn level(self, level: u32) -> Self {
        Self {
            level: level.clamp(1, 9),
            ..self
        }
    }

    /// Sets how long, in bytes, a received datagram may be when decompressed. No longer buffer
    /// is allocated for it.
    #[must_use]
    pub fn max_size(self, max_size: usize) -> Self {
        Self { max_size, ..self }
    }

    /// The lowest level at which `len` bytes still fit one block. Before the block is sorted, four
    /// equal bytes become five.
    fn level_for(&self, len: usize) -> Compression {
        let blocks = (len + len / 4) / 99_000 + 1;
        Compression::new(u32::try_from(blocks).unwrap_or(9).min(self.level))
    }
}

impl<P: Default> Default for Bzip2<P> {
    fn default() -> Self {
        Self::new(P::default())
    }
}

impl<P: DatagramProtocol> DatagramProtocol for Bzip2<P> {
    type Sent = P::Sent;
    type Received = P::Received;

    fn make_datagram(
        &self,
        packet: &P::Sent,
        datagram: &mut BytesMut,
    ) -> Result<(), SerializeError> {
        compression::compress(
            "bzip2",
            &self.protocol,
            packet,
            datagram,
            // What the manual of bzip2 promises never to exceed.
            |len| len + len / 100 + 600,
            |raw, room| {
                let mut bzip2 = Compress::new(self.level_for(raw.len()), 0);
                match bzip2.compress(raw, room, Action::Finish) {
                    Ok(Status::StreamEnd) => Some(bzip2.total_out() as usize),
                    _ => None,
                }
            },
        )
    }

    fn build_packet_from_datagram(
        &self,
        datagram: Datagram<'_>,
    ) -> Result<P::Received, PacketError> {
        let mut bzip2 = Decompress::new(false);
        let content =
            compression::decompress("bzip2", &datagram, self.max_size, |input, output, start| {
                let before = (bzip2.total_in(), bzip2.total_out());
                let status = bzip2.decompress(input, &mut output[start..]);
                Ok(Progress {
                    finished: status.map_err(|_| "no valid bzip2 stream")? == Status::StreamEnd,
                    read: (bzip2.total_in() - before.0) as usize,
                    written: (bzip2.total_out() - before.1) as usize,
                })
            })?;
        self.protocol.build_packet_from_datagram((&content).into())
    }
}
