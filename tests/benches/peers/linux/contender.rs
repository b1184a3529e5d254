//! What is compared. A contender gets a connected socket and does everything with it, encoding and
//! decoding included, in the way its own documentation shows.
//!
//! To add one: implement [`Contender`] in a file of its own and name it in [`all`].

mod floor;
mod framed;
mod mio_driver;
mod plain;
mod pump;
mod quinn;
mod tokio_driver;
mod tokio_socket;

use std::{net::UdpSocket, sync::LazyLock};

use datagram_udp_socket::ConnectOptions;
use tokio::runtime::Runtime;

use super::{Result, packet::Packet};

/// The ways of one contender to send and receive.
pub(crate) trait Contender<P> {
    /// Sends each packet by itself.
    fn send_each(&mut self, packets: &[P]) -> Result;

    /// Sends all of them, in the fastest way there is.
    fn send_burst(&mut self, packets: &[P]) -> Result {
        self.send_each(packets)
    }

    /// Appends at least `count` packets to `received`, waiting where needed. More only if they come
    /// together.
    fn recv_burst(&mut self, count: usize, received: &mut Vec<P>) -> Result;

    /// Sends each of `requests` by itself and receives one packet after each, telling `talk`.
    fn converse(&mut self, requests: &[P], talk: &mut dyn Talk<P>) -> Result;
}

/// What happens around the calls of a conversation.
pub(crate) trait Talk<P> {
    /// Is called right before a request is sent.
    fn sending(&mut self) {}

    /// Is called right after that.
    fn sent(&mut self) -> Result {
        Ok(())
    }

    /// Takes the answer.
    fn received(&mut self, packet: P) -> Result;
}

/// A contender that is yet to get its socket.
#[derive(Debug)]
pub(crate) struct Entry<P> {
    pub(crate) name: &'static str,
    pub(crate) open: fn(UdpSocket) -> Result<Box<dyn Contender<P>>>,
}

pub(crate) const FLOOR: &str = "floor";
pub(crate) const STD: &str = "std";
pub(crate) const TOKIO_SOCKET: &str = "tokio UdpSocket";
pub(crate) const FRAMED: &str = "tokio-util UdpFramed";
pub(crate) const QUINN: &str = "quinn-udp";
pub(crate) const PUMP: &str = "state machine and pump";
pub(crate) const MIO: &str = "mio driver";
pub(crate) const TOKIO: &str = "tokio driver";
pub(crate) const MIO_WITHOUT_OFFLOAD: &str = "mio driver, offload(false)";
pub(crate) const TOKIO_WITHOUT_OFFLOAD: &str = "tokio driver, offload(false)";

/// Those that take part in every workload. The floor needs datagrams of one length.
pub(crate) fn all<P: Packet>() -> Vec<Entry<P>> {
    let mut entries: Vec<Entry<P>> = vec![
        Entry {
            name: STD,
            open: |socket| Ok(Box::new(plain::Plain::new(socket))),
        },
        Entry {
            name: TOKIO_SOCKET,
            open: |socket| Ok(Box::new(tokio_socket::TokioSocket::new(socket)?)),
        },
        Entry {
            name: FRAMED,
            open: |socket| Ok(Box::new(framed::Framed::new(socket)?)),
        },
        Entry {
            name: QUINN,
            open: |socket| Ok(Box::new(quinn::Quinn::new(socket)?)),
        },
        Entry {
            name: PUMP,
            open: |socket| Ok(Box::new(pump::Pump::new(socket)?)),
        },
        Entry {
            name: MIO,
            open: |socket| {
                Ok(Box::new(mio_driver::MioDriver::new(
                    socket,
                    &ConnectOptions::new(),
                )?))
            },
        },
        Entry {
            name: TOKIO,
            open: |socket| {
                Ok(Box::new(tokio_driver::TokioDriver::new(
                    socket,
                    &ConnectOptions::new(),
                )?))
            },
        },
    ];
    if P::LEN.is_some() {
        entries.insert(
            0,
            Entry {
                name: FLOOR,
                open: |socket| Ok(Box::new(floor::Floor::new(socket)?)),
            },
        );
    }
    entries
}

/// The drivers with offload switched off.
pub(crate) fn without_offload<P: Packet>() -> [Entry<P>; 2] {
    [
        Entry {
            name: MIO_WITHOUT_OFFLOAD,
            open: |socket| {
                let options = ConnectOptions::new().offload(false);
                Ok(Box::new(mio_driver::MioDriver::new(socket, &options)?))
            },
        },
        Entry {
            name: TOKIO_WITHOUT_OFFLOAD,
            open: |socket| {
                let options = ConnectOptions::new().offload(false);
                Ok(Box::new(tokio_driver::TokioDriver::new(socket, &options)?))
            },
        },
    ]
}

/// Where all contenders on tokio run: on the thread that measures. Bursts and conversations are
/// measured inside one `block_on` each.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("the system has a descriptor left")
});
