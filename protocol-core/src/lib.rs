//! The sans-IO heart of a typed UDP client.
//!
//! A [`DatagramProtocol`] says how packets (values of the application) become datagrams (the bytes
//! of one UDP payload) and back. A [`DatagramClientState`] is one conversation with one peer: it
//! turns outgoing packets into [`Transmit`]s and incoming datagrams into packets or errors. It owns
//! no socket, clock, thread or lock and never logs; whoever drives it does the I/O.
//!
//! Read next: [`DatagramClientState`], which shows a complete loop. Programs that want the I/O done
//! for them use `datagram-driver-mio` (blocking, or a `mio` event source) or
//! `datagram-driver-tokio` (async).
//!
//! # Features
//!
//! [`Raw`] bytes and [`Line`]s of text are always there. Each other serializer and wrapper is behind
//! the feature of its name:
//!
//! | feature | | needs `std` |
//! |---|---|---|
//! | `json` (on by default) | `json::Json` | yes |
//! | `cbor` | `cbor::Cbor` | |
//! | `msgpack` | `msgpack::MsgPack` | yes |
//! | `postcard` | `postcard::Postcard` | |
//! | `layout` | `layout::Layout`, the memory of a type | |
//! | `base64` | `base64::Base64` around any protocol, also signed | |
//! | `zlib` | `zlib::Zlib` around any protocol | |
//! | `bzip2` | `bzip2::Bzip2` around any protocol | yes |
//!
//! Without those that need `std` the crate is `no_std` with `alloc`.
//!
//! No datagram of up to 65,535 bytes makes one of them panic, overflow the stack or allocate more
//! than a small multiple of its length and of the packet; nesting ends at 128 levels.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(any(feature = "bzip2", feature = "zlib"))]
mod compression;
mod config;
mod converted;
mod converter;
mod datagram;
mod error;
mod format_error;
mod halves;
mod incoming;
mod lazy_queue;
mod limits;
mod line;
mod outgoing;
mod protocol;
mod raw;
mod receive;
mod run;
mod runs;
mod state;
mod stats;
mod tail;
mod timeout_budget;
mod transmit;
mod typed;
#[cfg(any(feature = "cbor", feature = "msgpack"))]
mod walk;

#[cfg(feature = "base64")]
pub mod base64;
#[cfg(feature = "bzip2")]
pub mod bzip2;
#[cfg(feature = "cbor")]
pub mod cbor;
#[cfg(feature = "json")]
pub mod json;
#[cfg(feature = "layout")]
pub mod layout;
#[cfg(feature = "msgpack")]
pub mod msgpack;
#[cfg(feature = "postcard")]
pub mod postcard;
#[cfg(feature = "zlib")]
pub mod zlib;

pub use config::ClientConfig;
pub use converted::Converted;
pub use converter::{FnConverter, PacketConverter, StapledConverter};
pub use datagram::Datagram;
pub use error::{
    ClientClosedError, DatagramProtocolParseError, DeserializeError, PacketConversionError,
    PacketError, SendPacketError, SerializeError,
};
pub use halves::{ReceiverState, SenderState};
pub use incoming::Incoming;
pub use line::{Line, Newline};
pub use outgoing::Outgoing;
pub use protocol::DatagramProtocol;
pub use raw::Raw;
pub use receive::Receive;
pub use state::DatagramClientState;
pub use stats::Stats;
pub use timeout_budget::TimeoutBudget;
pub use transmit::{Datagrams, Transmit};
