//! A blocking, thread-safe UDP client that talks to one peer in packets of your own types.
//!
//! [`UdpNetworkClient`] connects (by name, by address, or around a given socket), sends and receives
//! packets with or without timeouts, iterates over what has arrived, and can be closed from any
//! thread. What a packet looks like on the wire is up to a
//! [`DatagramProtocol`](datagram_protocol_core::DatagramProtocol).
//!
//! This crate only waits, locks and closes; the bytes are `datagram-udp-socket`'s business, the
//! packets are `datagram-protocol-core`'s. Read next: [`UdpNetworkClient`]; then `direction.rs`,
//! which has all of the locking and waiting.
#![forbid(unsafe_code)]

mod client;
mod deadline;
mod direction;
mod received_packets;
mod waiter;

pub use client::UdpNetworkClient;
pub use datagram_udp_socket::{
    AddressFamily, ConnectOptions, RecvError, RemoteAddress, SendError, SendPacketsError,
    SocketProxy,
};
pub use received_packets::ReceivedPackets;
