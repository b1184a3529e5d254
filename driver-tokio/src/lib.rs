//! An async UDP client for tokio that talks to one peer in packets of your own types.
//!
//! [`AsyncUdpNetworkClient`] connects (by name, by address, or around a given socket; at once, or
//! when it is first used), sends and receives packets, is also a [`Stream`](ReceivedPackets) and a
//! [`Sink`](PacketSink), and can be closed from any task. What a packet looks like on the wire is up
//! to a [`DatagramProtocol`](datagram_protocol_core::DatagramProtocol). With the feature `codec`, any
//! encoder and decoder of `tokio_util::codec` is one.
//!
//! No task is ever spawned. This crate only awaits and closes; the bytes are
//! `datagram-udp-socket`'s business, the packets are `datagram-protocol-core`'s. Read next:
//! [`AsyncUdpNetworkClient`]; then `link.rs`, which has all of the connecting and waiting.
#![forbid(unsafe_code)]

mod client;
#[cfg(feature = "codec")]
mod codec;
mod halves;
mod link;
mod packet_sink;
mod received_packets;
mod turn;
mod wait;

pub use client::AsyncUdpNetworkClient;
#[cfg(feature = "codec")]
pub use codec::Codec;
pub use datagram_udp_socket::{
    AddressFamily, ConnectOptions, RecvError, RemoteAddress, SendError, SendPacketsError,
    SocketProxy,
};
pub use packet_sink::PacketSink;
pub use received_packets::ReceivedPackets;
