//! zlib compression around another protocol.

use alloc::boxed::Box;

use bytes::BytesMut;
use miniz_oxide::{
    deflate::core::{
        CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params,
    },
    inflate::{
        TINFLStatus,
        core::{DecompressorOxide, decompress, inflate_flags as flags},
    },
};

use crate::{
    Datagram, DatagramProtocol, PacketError, SerializeError,
    compression::{self, DEFAULT_MAX_SIZE, Progress},
};

/// The datagrams of another protocol as one zlib stream each (RFC 1950).
///
/// Reading takes any level and window, and wants exactly one complete stream with the right
/// checksum, without a preset dictionary. What comes out of it may have 256 KiB, four times the
/// longest datagram, or [`max_size`](Self::max_size); a datagram that goes beyond is an error.
/// Besides that, decompression takes 11 KB and compression 350 KB of working memory.
///
/// # Examples
///
/// ```
/// use bytes::BytesMut;
/// use datagram_protocol_core::{DatagramProtocol, Line, zlib::Zlib};
///
/// let protocol = Zlib::new(Line::new());
/// let text = "again ".repeat(100);
/// let mut datagram = BytesMut::new();
/// protocol.make_datagram(&text, &mut datagram)?;
/// assert!(datagram.len() < 50);
///
/// let packet = protocol.build_packet_from_datagram((&datagram[..]).into())?;
/// assert_eq!(packet, text);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zlib<P> {
    protocol: P,
    level: u8,
    max_size: usize,
}

impl<P> Zlib<P> {
    /// Compresses the datagrams of `protocol`, as well as zlib can.
    #[must_use]
    pub const fn new(protocol: P) -> Self {
        Self {
            protocol,
            level: 9,
            max_size: DEFAULT_MAX_SIZE,
        }
    }

    /// Sets how much effort goes into compression: from 0 (none at all) to 9, the default. More
    /// counts as 9.
    #[must_use]
    pub fn level(self, level: u8) -> Self {
        Self {
            level: level.min(9),
            ..self
        }
    }

    /// Sets how long, in bytes, a received datagram may be when decompressed. No longer buffer
    /// is allocated for it.
    #[must_use]
    pub fn max_size(self, max_size: usize) -> Self {
        Self { max_size, ..self }
    }
}

impl<P: Default> Default for Zlib<P> {
    fn default() -> Self {
        Self::new(P::default())
    }
}

impl<P: DatagramProtocol> DatagramProtocol for Zlib<P> {
    type Sent = P::Sent;
    type Received = P::Received;

    fn make_datagram(
        &self,
        packet: &P::Sent,
        datagram: &mut BytesMut,
    ) -> Result<(), SerializeError> {
        compression::compress(
            "zlib",
            &self.protocol,
            packet,
            datagram,
            // Incompressible data is stored, with 5 bytes a block of 31 KiB, header and checksum.
            |len| len + (len / (31 * 1024) + 1) * 5 + 128,
            |raw, room| {
                const WINDOW_BITS: i32 = 15;
                let flags = create_comp_flags_from_zip_params(self.level.into(), WINDOW_BITS, 0);
                let mut zlib = Box::new(CompressorOxide::new(flags));
                let (status, _, written) = compress(&mut zlib, raw, room, TDEFLFlush::Finish);
                (status == TDEFLStatus::Done).then_some(written)
            },
        )
    }

    fn build_packet_from_datagram(
        &self,
        datagram: Datagram<'_>,
    ) -> Result<P::Received, PacketError> {
        const FLAGS: u32 =
            flags::TINFL_FLAG_PARSE_ZLIB_HEADER | flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let mut zlib = Box::<DecompressorOxide>::default();
        let step = |input: &[u8], output: &mut [u8], start| {
            let (status, read, written) = decompress(&mut zlib, input, output, start, FLAGS);
            match status {
                TINFLStatus::Failed | TINFLStatus::BadParam => Err("no valid zlib stream"),
                TINFLStatus::Adler32Mismatch => Err("wrong checksum"),
                // The rest differs in what the stream lacks to be complete.
                status => Ok(Progress {
                    read,
                    written,
                    finished: status == TINFLStatus::Done,
                }),
            }
        };
        let content = compression::decompress("zlib", &datagram, self.max_size, step)?;
        self.protocol.build_packet_from_datagram((&content).into())
    }
}
