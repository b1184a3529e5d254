//! Runs several clients in one thread, in a `mio::Poll` of the program's own.
//!
//! Each counts down with an echo peer on loopback, then closes; the loop ends with the last of them.

use std::{collections::VecDeque, io, net::SocketAddr, net::UdpSocket, thread, time::Duration};

use datagram_driver_mio::{RecvError, UdpEventSource};
use datagram_protocol_core::json::Json;
use mio::{Events, Interest, Poll, Token};

type Client = UdpEventSource<Json<u32, u32>>;
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
/// Packets that a client may receive before the others get their turn.
const TURN: usize = 16;

fn main() -> io::Result<()> {
    let address = start_echo_peer()?;
    let mut poll = Poll::new()?;
    let mut clients = Vec::new();
    for index in 0..4 {
        let mut client = Client::connect(address, Json::<u32, u32>::new())?;
        poll.registry().register(&mut client, Token(index), BOTH)?;
        client.try_send_packet(&3)?;
        clients.push(client);
    }

    let mut events = Events::with_capacity(64);
    // Clients that may have more to receive. No further event tells that.
    let mut undrained = VecDeque::new();
    while !clients.iter().all(Client::is_closed) {
        let timeout = (!undrained.is_empty()).then_some(Duration::ZERO);
        poll.poll(&mut events, timeout)?;
        for event in &events {
            let Token(index) = event.token();
            if event.is_writable() {
                while let Err(error) = clients[index].flush() {
                    eprintln!("client {index}: {error}");
                }
            }
            if (event.is_readable() || event.is_error()) && !undrained.contains(&index) {
                undrained.push_back(index);
            }
        }
        undrained.retain(|&index| !receive(index, &mut clients[index]));
    }
    Ok(())
}

/// Lets a client have its turn. Tells whether there is nothing left to receive.
fn receive(index: usize, client: &mut Client) -> bool {
    for _ in 0..TURN {
        match client.try_recv_packet() {
            Ok(Some(0)) => client.close(),
            Ok(Some(number)) => {
                println!("client {index} received {number}");
                if let Err(error) = client.try_send_packet(&(number - 1)) {
                    eprintln!("client {index}: {error}");
                }
            }
            Ok(None) | Err(RecvError::Closed(_)) => return true,
            Err(error) if error.is_fatal() => client.close(),
            Err(error) => eprintln!("client {index}: {error}"),
        }
    }
    false
}

fn start_echo_peer() -> io::Result<SocketAddr> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    thread::spawn(move || -> io::Result<()> {
        let mut buffer = [0; 65_535];
        loop {
            let (len, source) = socket.recv_from(&mut buffer)?;
            socket.send_to(&buffer[..len], source)?;
        }
    });
    Ok(address)
}
