//! A connected, non-blocking UDP socket, and the pump between it and the sans-IO client of
//! `datagram-protocol-core`.
//!
//! [`ConnectedUdpSocket`] connects or adopts a socket, [flushes](ConnectedUdpSocket::flush) an
//! outgoing queue into it and [fills](ConnectedUdpSocket::fill) an incoming queue from it, with
//! segmentation offload where the system has it. It never waits and knows no event loop: that is
//! the drivers' part, and so are locks and closing. What both drivers show to their users, the
//! errors, [`ConnectOptions`], [`RemoteAddress`] and [`SocketProxy`], is defined here.
//!
//! Read next: [`ConnectedUdpSocket`]; then `send.rs` and `receive.rs`, the two halves of the pump.
#![forbid(unsafe_code)]

mod address;
mod attempt;
mod buffer;
mod closable;
mod connect;
mod descriptor;
mod errno;
mod error;
mod error_queue;
mod icmp;
mod left_behind;
mod options;
mod proxy;
mod rebind;
mod receive;
mod send;
mod socket;
mod sys;

pub use address::{AddressFamily, RemoteAddress, ResolveError};
pub use attempt::{Attempt, Outcome, Progress, try_send_packets, within};
pub use closable::{Closable, Closed, Inside, Release, Seat};
pub use connect::{AdoptError, ConnectError, ConnectFailure};
pub use descriptor::Descriptor;
pub use error::{RecvError, SendError, SendPacketsError, closed_error};
pub use icmp::{IcmpError, IcmpKind};
pub use left_behind::LeftBehind;
pub use options::ConnectOptions;
pub use proxy::{LockSocket, SocketProxy};
pub use rebind::replace_socket;
pub use socket::{Addresses, ConnectedUdpSocket};
