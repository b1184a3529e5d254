//! The errors of the core, one enum for each operation that can fail in more than one way.

use alloc::boxed::Box;
use core::error::Error;

use bytes::Bytes;
use thiserror::Error;

macro_rules! boxed_errors {
    ($($(#[$doc:meta])* $name:ident: $message:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Error)]
        #[error($message)]
        pub struct $name(#[source] Box<dyn Error + Send + Sync>);

        impl $name {
            /// Wraps the cause, which [`source`](Error::source) returns.
            #[must_use]
            pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
                Self(cause.into())
            }
        }
    )+};
}

boxed_errors! {
    /// A packet cannot be expressed in the protocol's format.
    SerializeError: "cannot serialize the packet";
    /// A datagram is malformed in the protocol's format.
    DeserializeError: "cannot deserialize the datagram";
    /// A well-formed value means no valid packet of the application, or the other way round.
    PacketConversionError: "cannot convert the packet";
}

/// Why a datagram is no packet.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PacketError {
    /// The bytes are malformed.
    #[error(transparent)]
    Deserialize(#[from] DeserializeError),
    /// The bytes are well-formed, but a [`PacketConverter`](crate::PacketConverter) refused them.
    #[error(transparent)]
    Conversion(#[from] PacketConversionError),
}

/// A received datagram is no packet. The next one is not harmed by that.
#[derive(Debug, Error)]
#[error("cannot parse a datagram of {} bytes", datagram.len())]
pub struct DatagramProtocolParseError {
    #[source]
    error: PacketError,
    datagram: Bytes,
}

impl DatagramProtocolParseError {
    pub(crate) const fn new(error: PacketError, datagram: Bytes) -> Self {
        Self { error, datagram }
    }

    /// Returns what is wrong with the datagram.
    #[must_use]
    pub const fn error(&self) -> &PacketError {
        &self.error
    }

    /// Returns the offending bytes.
    #[must_use]
    pub const fn datagram(&self) -> &Bytes {
        &self.datagram
    }

    /// Takes the error apart.
    #[must_use]
    pub fn into_parts(self) -> (PacketError, Bytes) {
        (self.error, self.datagram)
    }
}

/// The client was closed before; it stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the client is closed")]
#[non_exhaustive]
pub struct ClientClosedError;

impl ClientClosedError {
    /// Makes the error, for a driver.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "an error is not a default of anything"
    )]
    pub const fn new() -> Self {
        Self
    }
}

/// Why a packet was not queued. The queue is as it was, but for a protocol that broke its promise.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SendPacketError {
    /// The client was closed: no packet will be accepted any more.
    #[error(transparent)]
    Closed(#[from] ClientClosedError),
    /// The protocol cannot express the packet, or it broke the promise of
    /// [`make_datagram`](crate::DatagramProtocol::make_datagram) and destroyed what was queued
    /// (which is then counted as dropped).
    #[error(transparent)]
    Serialize(#[from] SerializeError),
    /// The datagram is longer than any that can be sent. It can never fit.
    #[error("a datagram of {size} bytes is too large, the maximum is {max}")]
    TooLarge {
        /// Length of the datagram in bytes.
        size: usize,
        /// The longest datagram possible, in bytes.
        max: usize,
    },
    /// The outgoing queue has no room now. This passes once transmits are taken.
    #[error("the outgoing queue is full")]
    QueueFull,
}
