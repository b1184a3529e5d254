//! The errors of sending and receiving, shared by the drivers.

use std::io;

use bytes::Bytes;
use datagram_protocol_core::{
    ClientClosedError, DatagramProtocolParseError, SendPacketError, SerializeError,
};
use thiserror::Error;

use crate::{IcmpError, errno::Cause};

/// Why a send failed, or what came back from an earlier one.
///
/// The table of system errors stands in `docs/internals.md`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The client is closed; the packet was not sent.
    #[error(transparent)]
    Closed(#[from] ClientClosedError),
    /// The socket did not take the datagram in time; it was not sent and is forgotten.
    #[error("timed out before the datagram could be sent")]
    TimedOut,
    /// The protocol cannot express the packet.
    #[error(transparent)]
    Serialize(#[from] SerializeError),
    /// The datagram is longer than any that can be sent.
    #[error("a datagram of {size} bytes is too large, the maximum is {max}")]
    TooLarge {
        /// Length of the datagram in bytes.
        size: usize,
        /// The longest datagram possible, in bytes.
        max: usize,
    },
    /// The system refused this datagram; the next one is not harmed.
    #[error("the system refused the datagram")]
    NotSent(#[source] io::Error),
    /// The datagram left. It, or one sent before it, came back as an ICMP error.
    #[error("the peer is unreachable")]
    Unreachable(#[source] io::Error),
}

impl SendError {
    /// Tells whether the datagram left.
    #[must_use]
    pub const fn was_sent(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }

    /// Tells whether every later call will fail too: the client is closed, or its socket is dead.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Closed(_) => true,
            Self::NotSent(error) => Cause::of(error) == Cause::Dead,
            _ => false,
        }
    }

    /// Returns the details of an error of the network, with
    /// [`ConnectOptions::icmp_details`](crate::ConnectOptions::icmp_details).
    #[must_use]
    pub fn icmp(&self) -> Option<&IcmpError> {
        match self {
            Self::NotSent(error) | Self::Unreachable(error) => IcmpError::within(error),
            _ => None,
        }
    }

    /// Tells whether the system was merely out of buffers (`ENOBUFS`), so that trying again in a
    /// moment makes sense.
    #[must_use]
    pub fn is_out_of_buffers(&self) -> bool {
        matches!(self, Self::NotSent(error) if Cause::of(error) == Cause::NoBuffers)
    }
}

/// Returns what an operation that has no error of its own says once the client is closed: an
/// [`io::Error`] of kind [`NotConnected`](io::ErrorKind::NotConnected) around a
/// [`ClientClosedError`].
#[must_use]
pub fn closed_error() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, ClientClosedError::new())
}

impl From<SendPacketError> for SendError {
    fn from(error: SendPacketError) -> Self {
        match error {
            SendPacketError::Closed(error) => error.into(),
            SendPacketError::Serialize(error) => error.into(),
            SendPacketError::TooLarge { size, max } => Self::TooLarge { size, max },
            error => Self::NotSent(io::Error::new(io::ErrorKind::WouldBlock, error)),
        }
    }
}

impl From<SendError> for io::Error {
    /// Keeps the error as the inner one; the kind is that of the system error, `NotConnected` for a
    /// closed client, `TimedOut`, or `InvalidInput`.
    fn from(error: SendError) -> Self {
        let kind = match &error {
            SendError::Closed(_) => io::ErrorKind::NotConnected,
            SendError::TimedOut => io::ErrorKind::TimedOut,
            SendError::Serialize(_) | SendError::TooLarge { .. } => io::ErrorKind::InvalidInput,
            SendError::NotSent(error) | SendError::Unreachable(error) => error.kind(),
        };
        Self::new(kind, error)
    }
}

/// Why sending several packets stopped.
#[derive(Debug, Error)]
#[error("sending stopped after {sent} packets")]
pub struct SendPacketsError {
    /// How many packets were sent, from the first. With [`SendError::Unreachable`] that may be all
    /// of them.
    pub sent: usize,
    /// What happened to the next one; or, with [`SendError::Unreachable`], what came back.
    #[source]
    pub error: SendError,
}

impl SendPacketsError {
    /// Makes the error, for a driver.
    #[must_use]
    pub const fn new(sent: usize, error: SendError) -> Self {
        Self { sent, error }
    }
}

impl From<SendPacketsError> for io::Error {
    /// Keeps the error as the inner one; the kind is as for [`SendError`].
    fn from(error: SendPacketsError) -> Self {
        let SendPacketsError { sent, error } = error;
        let error = Self::from(error);
        let kind = error.kind();
        match error.downcast() {
            Ok(error) => Self::new(kind, SendPacketsError { sent, error }),
            Err(error) => error,
        }
    }
}

/// Why a receive brought no packet.
///
/// The table of system errors stands in `docs/internals.md`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecvError {
    /// The client is closed.
    #[error(transparent)]
    Closed(#[from] ClientClosedError),
    /// No packet arrived in time.
    #[error("timed out before a packet arrived")]
    TimedOut,
    /// A datagram arrived that is no packet.
    #[error(transparent)]
    Parse(#[from] DatagramProtocolParseError),
    /// A datagram arrived that is longer than the receive buffer. It was not parsed.
    #[error("a datagram of {size} bytes was truncated to {}", contents.len())]
    #[non_exhaustive]
    Truncated {
        /// What arrived of it.
        contents: Bytes,
        /// Its full length in bytes, where the system tells; otherwise what arrived.
        size: usize,
    },
    /// A datagram sent before came back as an ICMP error.
    #[error("the peer is unreachable")]
    Unreachable(#[source] io::Error),
    /// The system failed to receive.
    #[error("the system failed to receive")]
    Io(#[source] io::Error),
}

impl RecvError {
    /// Tells whether every later call will fail too: the client is closed, or its socket is dead.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Closed(_) => true,
            Self::Io(error) => Cause::of(error) == Cause::Dead,
            _ => false,
        }
    }

    /// Returns the details of an error of the network, with
    /// [`ConnectOptions::icmp_details`](crate::ConnectOptions::icmp_details).
    #[must_use]
    pub fn icmp(&self) -> Option<&IcmpError> {
        match self {
            Self::Unreachable(error) => IcmpError::within(error),
            _ => None,
        }
    }

    /// Says what a system error from a receive means.
    pub(crate) fn from_system(error: io::Error) -> Self {
        match Cause::of(&error) {
            Cause::Icmp | Cause::TooLong => Self::Unreachable(error),
            _ => Self::Io(error),
        }
    }
}

impl From<RecvError> for io::Error {
    /// Keeps the error as the inner one; the kind is that of the system error, `NotConnected` for a
    /// closed client, `TimedOut`, or `InvalidData`.
    fn from(error: RecvError) -> Self {
        let kind = match &error {
            RecvError::Closed(_) => io::ErrorKind::NotConnected,
            RecvError::TimedOut => io::ErrorKind::TimedOut,
            RecvError::Parse(_) | RecvError::Truncated { .. } => io::ErrorKind::InvalidData,
            RecvError::Unreachable(error) | RecvError::Io(error) => error.kind(),
        };
        Self::new(kind, error)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use nix::errno::Errno::{self, *};

    use super::*;

    /// The receiving half of the table of system errors.
    #[test]
    fn failed_receive_is_unreachable_only_after_icmp() {
        let is_unreachable = |errno: Errno| {
            let error = RecvError::from_system(io::Error::from_raw_os_error(errno as i32));
            match error {
                RecvError::Unreachable(_) => true,
                RecvError::Io(_) => false,
                error => panic!("{errno} is {error:?}"),
            }
        };

        for errno in [
            ECONNREFUSED,
            ECONNRESET,
            ENETUNREACH,
            EHOSTUNREACH,
            ENETDOWN,
            EHOSTDOWN,
            ENOPROTOOPT,
            EOPNOTSUPP,
            EPROTO,
            EACCES,
            EMSGSIZE,
            #[cfg(target_os = "linux")]
            ENONET,
        ] {
            assert!(is_unreachable(errno), "{errno}");
        }
        for errno in [
            EBADF, ENOTSOCK, ENOTCONN, EPIPE, ENOBUFS, ENOMEM, EPERM, EINVAL, EIO,
        ] {
            assert!(!is_unreachable(errno), "{errno}");
        }
    }
}
