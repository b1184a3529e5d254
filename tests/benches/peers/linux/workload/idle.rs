//! Clients that are connected and have never waited: what each takes of this process's memory. The
//! system's own memory does not count.

use std::{io, net::UdpSocket};

use datagram_driver_mio::UdpNetworkClient;
use datagram_driver_tokio::AsyncUdpNetworkClient;

use super::resident;
use crate::linux::{
    Result,
    contender::{MIO, RUNTIME, STD, TOKIO, TOKIO_SOCKET},
    packet::{Packet, Small},
};

pub(crate) const NAMES: &[&str] = &[STD, TOKIO_SOCKET, MIO, TOKIO];

/// Clients made beforehand, so that what the first needs once for all is not counted.
const FIRST: usize = 100;

pub(crate) fn measure(contender: &str, count: usize) -> Result<Vec<f64>> {
    resident::raise_descriptor_limit(count + FIRST)?;
    let peer = UdpSocket::bind("127.0.0.1:0")?;
    let address = peer.local_addr()?;
    let _inside = RUNTIME.enter();
    let bytes = match contender {
        STD => growth(count, || {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect(address)?;
            Ok(socket)
        }),
        TOKIO_SOCKET => growth(count, || {
            RUNTIME.block_on(async {
                let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await?;
                socket.connect(address).await?;
                Ok(socket)
            })
        }),
        MIO => growth(count, || {
            UdpNetworkClient::connect(address, Small::protocol())
        }),
        TOKIO => growth(count, || {
            RUNTIME.block_on(AsyncUdpNetworkClient::connect(address, Small::protocol()))
        }),
        _ => return Err("no such contender".into()),
    }?;
    Ok(vec![bytes])
}

/// Returns the bytes that each of `count` clients takes, the handle in a list included.
fn growth<T>(count: usize, connect: impl Fn() -> io::Result<T>) -> Result<f64> {
    let mut first = Vec::with_capacity(FIRST);
    for _ in 0..FIRST {
        first.push(connect()?);
    }
    let before = resident::bytes()?;
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        clients.push(connect()?);
    }
    let after = resident::bytes()?;
    Ok((after - before) / count as f64)
}
