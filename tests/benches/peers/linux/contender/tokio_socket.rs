//! `tokio::net::UdpSocket`, connected: a system call a packet.

use std::net;

use tokio::net::UdpSocket;

use crate::linux::{
    Result,
    contender::{Contender, RUNTIME, Talk},
    packet::{MAX_LEN, Packet},
};

#[derive(Debug)]
pub(crate) struct TokioSocket {
    socket: UdpSocket,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
}

impl TokioSocket {
    pub(crate) fn new(socket: net::UdpSocket) -> Result<Self> {
        socket.set_nonblocking(true)?;
        let _inside = RUNTIME.enter();
        Ok(Self {
            socket: UdpSocket::from_std(socket)?,
            outgoing: Vec::new(),
            incoming: vec![0; MAX_LEN],
        })
    }

    async fn send<P: Packet>(&mut self, packet: &P) -> Result {
        self.outgoing.clear();
        packet.encode(&mut self.outgoing);
        self.socket.send(&self.outgoing).await?;
        Ok(())
    }

    async fn recv<P: Packet>(&mut self) -> Result<P> {
        let len = self.socket.recv(&mut self.incoming).await?;
        Ok(P::decode(&self.incoming[..len]).ok_or("a datagram is no packet")?)
    }
}

impl<P: Packet> Contender<P> for TokioSocket {
    fn send_each(&mut self, packets: &[P]) -> Result {
        RUNTIME.block_on(async {
            for packet in packets {
                self.send(packet).await?;
            }
            Ok(())
        })
    }

    fn recv_burst(&mut self, count: usize, received: &mut Vec<P>) -> Result {
        RUNTIME.block_on(async {
            for _ in 0..count {
                received.push(self.recv().await?);
            }
            Ok(())
        })
    }

    fn converse(&mut self, requests: &[P], talk: &mut dyn Talk<P>) -> Result {
        RUNTIME.block_on(async {
            for request in requests {
                talk.sending();
                self.send(request).await?;
                talk.sent()?;
                talk.received(self.recv().await?)?;
            }
            Ok(())
        })
    }
}
