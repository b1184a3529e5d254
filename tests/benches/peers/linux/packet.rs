//! The packets, and their plain encoding for contenders that know only bytes. It is the same as what
//! this project's protocols do, so that all put the same datagrams on the wire.

use std::fmt::Debug;

use bytes::BufMut;
use datagram_protocol_core::{DatagramProtocol, json::Json, layout::Layout};
use serde::{Deserialize, Serialize};
use zerocopy::{FromBytes, Immutable, IntoBytes, byteorder::big_endian::U64};

/// A packet whose content follows from its number.
pub(crate) trait Packet: Clone + PartialEq + Debug + Send + Sync + 'static {
    const NAME: &'static str;

    /// Bytes in each datagram, if all are of one length.
    const LEN: Option<usize>;

    type Protocol: DatagramProtocol<Sent = Self, Received = Self> + Copy + Send + Sync + 'static;

    fn protocol() -> Self::Protocol;

    fn number(number: u64) -> Self;

    /// Appends the bytes of the datagram.
    fn encode(&self, datagram: &mut impl BufMut);

    fn decode(datagram: &[u8]) -> Option<Self>;
}

/// Bytes in the longest datagram.
pub(crate) const MAX_LEN: usize = 1200;

/// 32 bytes.
#[derive(Debug, Clone, PartialEq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct Small {
    sequence: U64,
    words: [U64; 3],
}

/// 1,200 bytes.
#[derive(Debug, Clone, PartialEq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct Large {
    sequence: U64,
    words: [U64; 149],
}

macro_rules! fixed_layout {
    ($packet:ident, $name:literal) => {
        impl Packet for $packet {
            const NAME: &'static str = $name;
            const LEN: Option<usize> = Some(size_of::<Self>());
            type Protocol = Layout<Self>;

            fn protocol() -> Layout<Self> {
                Layout::new()
            }

            fn number(number: u64) -> Self {
                Self {
                    sequence: number.into(),
                    words: std::array::from_fn(|index| scramble(number + index as u64).into()),
                }
            }

            #[inline]
            fn encode(&self, datagram: &mut impl BufMut) {
                datagram.put_slice(self.as_bytes());
            }

            #[inline]
            fn decode(datagram: &[u8]) -> Option<Self> {
                Self::read_from_bytes(datagram).ok()
            }
        }
    };
}

fixed_layout!(Small, "32 B");
fixed_layout!(Large, "1,200 B");

/// JSON of 60 to 190 bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reading {
    sequence: u64,
    sensor: String,
    is_valid: bool,
    values: Vec<i32>,
}

impl Packet for Reading {
    const NAME: &'static str = "JSON";
    const LEN: Option<usize> = None;
    type Protocol = Json<Self>;

    fn protocol() -> Json<Self> {
        Json::new()
    }

    fn number(number: u64) -> Self {
        let scrambled = scramble(number);
        Self {
            sequence: number,
            sensor: format!("sensor-{}", scrambled >> 54),
            is_valid: !scrambled.is_multiple_of(3),
            values: (0..scrambled >> 40 & 15)
                .map(|index| (scramble(number + index) >> 44) as i32 - (1 << 19))
                .collect(),
        }
    }

    fn encode(&self, datagram: &mut impl BufMut) {
        serde_json::to_writer(datagram.writer(), self).expect("the buffer grows as needed");
    }

    fn decode(datagram: &[u8]) -> Option<Self> {
        serde_json::from_slice(datagram).ok()
    }
}

/// A bijection that looks random (splitmix64).
const fn scramble(number: u64) -> u64 {
    let number = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Makes packets that never repeat.
#[derive(Debug)]
pub(crate) struct Fresh<P> {
    next: u64,
    packets: Vec<P>,
}

impl<P: Packet> Fresh<P> {
    pub(crate) const fn new() -> Self {
        Self {
            next: 0,
            packets: Vec::new(),
        }
    }

    pub(crate) fn take(&mut self, count: usize) -> &[P] {
        self.packets.clear();
        let end = self.next + count as u64;
        self.packets.extend((self.next..end).map(P::number));
        self.next = end;
        &self.packets
    }
}

/// Checks that exactly `sent` arrived, in order. UDP may reorder, but on one host and one path it does
/// not.
pub(crate) fn check<P: Packet>(received: &[P], sent: &[P]) -> super::Result {
    if received == sent {
        return Ok(());
    }
    let wrong = received.iter().zip(sent).position(|(a, b)| a != b);
    Err(match wrong {
        Some(index) => format!(
            "packet {index} arrived as {:?} instead of {:?}",
            received[index], sent[index]
        ),
        None => format!(
            "{} packets arrived instead of {}",
            received.len(),
            sent.len()
        ),
    }
    .into())
}
