//! `std::net::UdpSocket`, connected and blocking: a system call a packet.

use std::net::UdpSocket;

use crate::linux::{
    Result,
    contender::{Contender, Talk},
    packet::{MAX_LEN, Packet},
};

#[derive(Debug)]
pub(crate) struct Plain {
    socket: UdpSocket,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
}

impl Plain {
    pub(crate) fn new(socket: UdpSocket) -> Self {
        Self {
            socket,
            outgoing: Vec::new(),
            incoming: vec![0; MAX_LEN],
        }
    }

    #[inline]
    fn send<P: Packet>(&mut self, packet: &P) -> Result {
        self.outgoing.clear();
        packet.encode(&mut self.outgoing);
        self.socket.send(&self.outgoing)?;
        Ok(())
    }

    #[inline]
    fn recv<P: Packet>(&mut self) -> Result<P> {
        let len = self.socket.recv(&mut self.incoming)?;
        Ok(P::decode(&self.incoming[..len]).ok_or("a datagram is no packet")?)
    }
}

impl<P: Packet> Contender<P> for Plain {
    fn send_each(&mut self, packets: &[P]) -> Result {
        packets.iter().try_for_each(|packet| self.send(packet))
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
            self.send(request)?;
            talk.sent()?;
            talk.received(self.recv()?)?;
        }
        Ok(())
    }
}
