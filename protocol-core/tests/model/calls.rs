//! What a case of the model is made of: limits and calls. They are decoded from a fixed number of
//! bytes each, so that a fuzzer gets far with few.

use std::net::SocketAddr;

use arbitrary::{Arbitrary, Unstructured};

/// The limits of the client, in bytes.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub struct Limits {
    #[arbitrary(with = short)]
    pub datagram: usize,
    #[arbitrary(with = short)]
    pub outgoing: usize,
    #[arbitrary(with = short)]
    pub incoming: usize,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub enum Call {
    Send(Script),
    Transmit {
        #[arbitrary(with = short)]
        max_segments: usize,
        outcome: Outcome,
    },
    TakeBack(u16),
    Handle {
        source: Source,
        contents: Contents,
    },
    HandleMany {
        source: Source,
        contents: Contents,
        #[arbitrary(with = short)]
        stride: usize,
        lent: bool,
    },
    Truncated(u16),
    Poll(u8),
    Close,
    Split,
}

/// What the protocol does with a packet.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub enum Script {
    Append(Contents),
    Fail(Contents),
    Panic(Contents),
    /// Shortens the buffer by so many bytes, and then writes.
    Shorten(u8, Contents),
    /// Puts another buffer in place.
    Replace(Contents),
    /// Shortens the buffer and panics.
    ShortenAndPanic(u8),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
pub enum Outcome {
    Sent,
    SentFirst(u8),
    DiscardFirst,
    Dropped,
}

/// The bytes of a datagram: all the same, or counting up from the first.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub struct Contents {
    pub first: u8,
    #[arbitrary(with = |bytes: &mut Unstructured<'_>| bytes.int_in_range(0..=2000))]
    pub len: u16,
    pub counting: bool,
}

impl Contents {
    pub fn to_vec(self) -> Vec<u8> {
        let step = u8::from(self.counting);
        (0..self.len)
            .map(|i| self.first.wrapping_add(step.wrapping_mul(i as u8)))
            .collect()
    }
}

/// The peer by three names, and two strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub enum Source {
    Peer,
    Mapped,
    MappedWithScope,
    OtherPort,
    OtherHost,
}

impl Source {
    pub fn address(self) -> SocketAddr {
        let address = match self {
            Self::Peer => "192.0.2.1:7",
            Self::Mapped => "[::ffff:192.0.2.1]:7",
            Self::MappedWithScope => "[::ffff:192.0.2.1%4]:7",
            Self::OtherPort => "192.0.2.1:8",
            Self::OtherHost => "192.0.2.3:7",
        };
        address.parse().expect("it is written correctly")
    }

    pub fn is_stranger(self) -> bool {
        matches!(self, Self::OtherPort | Self::OtherHost)
    }
}

fn short(bytes: &mut Unstructured<'_>) -> arbitrary::Result<usize> {
    bytes.arbitrary::<u16>().map(usize::from)
}
