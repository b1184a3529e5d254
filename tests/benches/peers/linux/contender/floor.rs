//! The least that offload takes: encode into one buffer, one `sendmsg` a run; one `recvmsg` a run,
//! decode. No queues, no readiness, no errors that are not fatal.

use std::net::UdpSocket;

use crate::linux::{
    Result,
    contender::{Contender, Talk},
    offload::{self, BUFFER_SIZE, ControlBuffer, decode_run, recv_run},
    packet::Packet,
};

#[derive(Debug)]
pub(crate) struct Floor {
    socket: UdpSocket,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    control: ControlBuffer,
}

impl Floor {
    pub(crate) fn new(socket: UdpSocket) -> Result<Self> {
        offload::enable_gro(&socket)?;
        Ok(Self {
            socket,
            outgoing: Vec::new(),
            incoming: vec![0; BUFFER_SIZE],
            control: ControlBuffer::new(),
        })
    }
}

impl<P: Packet> Contender<P> for Floor {
    fn send_each(&mut self, packets: &[P]) -> Result {
        for packet in packets {
            self.outgoing.clear();
            packet.encode(&mut self.outgoing);
            self.socket.send(&self.outgoing)?;
        }
        Ok(())
    }

    fn send_burst(&mut self, packets: &[P]) -> Result {
        offload::send_packets(&self.socket, &mut self.outgoing, packets)
    }

    fn recv_burst(&mut self, count: usize, received: &mut Vec<P>) -> Result {
        let wanted = received.len() + count;
        while received.len() < wanted {
            let (len, stride) = recv_run(&self.socket, &mut self.incoming, &mut self.control)?;
            decode_run(&self.incoming[..len], stride, received)?;
        }
        Ok(())
    }

    fn converse(&mut self, requests: &[P], talk: &mut dyn Talk<P>) -> Result {
        for request in requests {
            talk.sending();
            self.outgoing.clear();
            request.encode(&mut self.outgoing);
            self.socket.send(&self.outgoing)?;
            talk.sent()?;
            let (len, _) = recv_run(&self.socket, &mut self.incoming, &mut self.control)?;
            let packet = P::decode(&self.incoming[..len]).ok_or("a datagram is no packet")?;
            talk.received(packet)?;
        }
        Ok(())
    }
}
