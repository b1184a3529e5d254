//! The state machine in an event loop of your own: a non-blocking socket and `poll(2)`, no driver.

#![cfg_attr(not(unix), allow(unused, reason = "poll(2) is Unix's"))]

use std::{error::Error, io::ErrorKind::WouldBlock, net::UdpSocket, thread};

use bytes::Bytes;
use datagram_protocol_core::{DatagramClientState, Line};

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> Result<(), Box<dyn Error>> {
    use std::os::fd::AsFd;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    let peer = UdpSocket::bind("127.0.0.1:0")?;
    let peer_address = peer.local_addr()?;
    thread::spawn(move || echo(&peer));

    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    let mut client = DatagramClientState::new(Line::new(), peer_address);
    for line in ["one", "two", "three"] {
        client.send_packet(line)?;
    }

    let mut answers = 0;
    while answers < 3 {
        // 1. Everything that is queued goes out; what would block stays queued.
        let mut wants_write = false;
        while let Some(transmit) = client.poll_transmit(1) {
            match socket.send_to(transmit.contents(), transmit.destination()) {
                Ok(_) => transmit.sent(),
                Err(error) if error.kind() == WouldBlock => {
                    wants_write = true;
                    break;
                }
                Err(_) => transmit.discard_first(),
            }
        }

        // 2. Wait for the socket.
        let writable = if wants_write {
            PollFlags::POLLOUT
        } else {
            PollFlags::empty()
        };
        poll(
            &mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN | writable)],
            PollTimeout::try_from(5000)?,
        )?;

        // 3. Everything that has arrived comes in, whoever sent it.
        let mut buffer = [0; 65_535];
        while let Ok((len, source)) = socket.recv_from(&mut buffer) {
            client.handle_datagram(source, Bytes::copy_from_slice(&buffer[..len]));
        }

        // 4. Packets, or one error for each bad datagram.
        while let Some(packet) = client.poll_packet() {
            println!("{packet:?}");
            answers += 1;
        }
    }
    Ok(())
}

fn echo(peer: &UdpSocket) -> std::io::Result<()> {
    let mut buffer = [0; 1000];
    loop {
        let (len, source) = peer.recv_from(&mut buffer)?;
        peer.send_to(&buffer[..len], source)?;
    }
}
