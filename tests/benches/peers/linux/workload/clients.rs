//! Many clients at once: each connects, sends one packet and gets it back. The time includes the echo,
//! on the same thread; the memory is what all of them together have added to this process.

use std::net::UdpSocket;

use super::resident;
use crate::linux::{
    Result,
    contender::{self, FRAMED, MIO, STD, TOKIO, TOKIO_SOCKET},
    packet::{Packet, Small, check},
    stopwatch,
};

/// Clients with a state of their own, as opposed to mere system calls.
pub(crate) const NAMES: &[&str] = &[STD, TOKIO_SOCKET, FRAMED, MIO, TOKIO];

const FIRST: usize = 100;

pub(crate) fn measure(contender: &str, count: usize) -> Result<Vec<f64>> {
    resident::raise_descriptor_limit(count + FIRST)?;
    let entry = contender::all::<Small>()
        .into_iter()
        .find(|entry| entry.name == contender)
        .ok_or("no such contender")?;
    let far = UdpSocket::bind("127.0.0.1:0")?;
    let address = far.local_addr()?;
    let mut buffer = [0; 100];
    let mut received = Vec::with_capacity(1);
    let mut talk = |number: usize| {
        let near = UdpSocket::bind("127.0.0.1:0")?;
        near.connect(address)?;
        let mut client = (entry.open)(near)?;
        let packet = [Small::number(number as u64)];
        client.send_each(&packet)?;
        let (len, source) = far.recv_from(&mut buffer)?;
        if Small::decode(&buffer[..len]).as_ref() != Some(&packet[0]) {
            return Err("another packet arrived than was sent".into());
        }
        far.send_to(&buffer[..len], source)?;
        received.clear();
        client.recv_burst(1, &mut received)?;
        check(&received, &packet)?;
        Result::Ok(client)
    };

    let first = (0..FIRST).map(&mut talk).collect::<Result<Vec<_>>>()?;
    let before = resident::bytes()?;
    let mut clients = Vec::with_capacity(count);
    let nanoseconds = stopwatch::time(|| {
        for number in 0..count {
            clients.push(talk(FIRST + number)?);
        }
        Result::Ok(())
    })?;
    let bytes = resident::bytes()? - before;
    drop((first, clients));
    Ok([nanoseconds, bytes]
        .map(|figure| figure / count as f64)
        .to_vec())
}
