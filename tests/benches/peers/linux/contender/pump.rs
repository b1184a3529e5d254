//! This project's state machine over its pump, as a user's own event loop would run it.

use std::{net::UdpSocket, os::fd::AsFd};

use datagram_protocol_core::{DatagramClientState, SendPacketError};
use datagram_udp_socket::{ConnectOptions, ConnectedUdpSocket, Progress};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::linux::{
    Result,
    contender::{Contender, Talk},
    packet::Packet,
};

#[derive(Debug)]
pub(crate) struct Pump<P: Packet> {
    socket: ConnectedUdpSocket,
    state: DatagramClientState<P::Protocol>,
}

impl<P: Packet> Pump<P> {
    pub(crate) fn new(socket: UdpSocket) -> Result<Self> {
        let socket = ConnectedUdpSocket::adopt(socket, &ConnectOptions::new())?;
        let state = DatagramClientState::new(P::protocol(), socket.remote_address());
        Ok(Self { socket, state })
    }

    fn wait(&self, flags: PollFlags) -> Result {
        poll(
            &mut [PollFd::new(self.socket.as_fd(), flags)],
            PollTimeout::NONE,
        )?;
        Ok(())
    }

    #[inline]
    fn queue(&mut self, packet: &P) -> Result {
        loop {
            match self.state.send_packet(packet) {
                Err(SendPacketError::QueueFull) => self.flush()?,
                result => return Ok(result?),
            }
        }
    }

    #[inline]
    fn flush(&mut self) -> Result {
        while self.socket.flush(self.state.outgoing_mut())? == Progress::WouldBlock {
            self.wait(PollFlags::POLLOUT)?;
        }
        Ok(())
    }

    #[inline]
    fn recv(&mut self) -> Result<P> {
        loop {
            if let Some(packet) = self.state.poll_packet() {
                return Ok(packet?);
            }
            if self.socket.fill(self.state.incoming_mut())? == Progress::WouldBlock {
                self.wait(PollFlags::POLLIN)?;
            }
        }
    }
}

impl<P: Packet> Contender<P> for Pump<P> {
    fn send_each(&mut self, packets: &[P]) -> Result {
        for packet in packets {
            self.queue(packet)?;
            self.flush()?;
        }
        Ok(())
    }

    fn send_burst(&mut self, packets: &[P]) -> Result {
        for packet in packets {
            self.queue(packet)?;
        }
        self.flush()
    }

    fn recv_burst(&mut self, count: usize, received: &mut Vec<P>) -> Result {
        for _ in 0..count {
            received.push(self.recv()?);
        }
        Ok(())
    }

    fn converse(&mut self, requests: &[P], talk: &mut dyn Talk<P>) -> Result {
        for request in requests {
            talk.sending();
            self.queue(request)?;
            self.flush()?;
            talk.sent()?;
            talk.received(self.recv()?)?;
        }
        Ok(())
    }
}
