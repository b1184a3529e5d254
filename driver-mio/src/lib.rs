//! UDP clients over mio that talk to one peer in packets of your own types: one that blocks, and one
//! for an event loop of your own.
//!
//! [`UdpNetworkClient`] blocks and is thread-safe: it connects (by name, by address, or around a
//! given socket), sends and receives packets with or without timeouts, iterates over what has
//! arrived, and can be closed from any thread. [`UdpEventSource`] does the same without ever
//! waiting, many of them in one thread. What a packet looks like on the wire is up to a
//! [`DatagramProtocol`](datagram_protocol_core::DatagramProtocol).
//!
//! This crate only waits, locks and closes; the bytes are `datagram-udp-socket`'s business, the
//! packets are `datagram-protocol-core`'s. Read next: [`UdpNetworkClient`] and `direction.rs`, which
//! has all of its locking and waiting; or [`UdpEventSource`].
#![forbid(unsafe_code)]

mod client;
mod deadline;
mod direction;
mod event_source;
mod origin;
mod received_packets;
mod waiter;
mod waits;

pub use client::UdpNetworkClient;
pub use datagram_udp_socket::{
    AddressFamily, ConnectOptions, RecvError, RemoteAddress, SendError, SendPacketsError,
    SocketProxy,
};
pub use event_source::UdpEventSource;
pub use received_packets::ReceivedPackets;
