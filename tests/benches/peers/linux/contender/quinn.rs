//! `quinn-udp`: offload both ways, and up to 32 receives a system call (`recvmmsg`). It knows bytes
//! only and never waits.

use std::{
    array, io,
    io::IoSliceMut,
    net::{SocketAddr, UdpSocket},
    os::fd::AsFd,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};

use crate::linux::{
    Result,
    contender::{Contender, Talk},
    offload::{BUFFER_SIZE, decode_run, max_datagrams},
    packet::Packet,
};

#[derive(Debug)]
pub(crate) struct Quinn {
    socket: UdpSocket,
    state: UdpSocketState,
    remote: SocketAddr,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
}

impl Quinn {
    pub(crate) fn new(socket: UdpSocket) -> Result<Self> {
        Ok(Self {
            state: UdpSocketState::new((&socket).into())?,
            remote: socket.peer_addr()?,
            socket,
            outgoing: Vec::new(),
            incoming: vec![0; BATCH_SIZE * BUFFER_SIZE],
        })
    }

    fn send_run<P: Packet>(&mut self, packets: &[P], segment: Option<usize>) -> Result {
        self.outgoing.clear();
        for packet in packets {
            packet.encode(&mut self.outgoing);
        }
        let transmit = Transmit {
            destination: self.remote,
            ecn: None,
            contents: &self.outgoing,
            segment_size: segment,
            src_ip: None,
        };
        until_ready(&self.socket, PollFlags::POLLOUT, || {
            self.state.try_send((&self.socket).into(), &transmit)
        })
    }

    fn recv_some<P: Packet>(&mut self, received: &mut Vec<P>) -> Result {
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let mut datagrams = 0;
        let mut chunks = self.incoming.chunks_exact_mut(BUFFER_SIZE);
        let mut parts: [IoSliceMut<'_>; BATCH_SIZE] =
            array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        until_ready(&self.socket, PollFlags::POLLIN, || {
            datagrams = self
                .state
                .recv((&self.socket).into(), &mut parts, &mut metas)?;
            Ok(())
        })?;
        for (meta, contents) in metas[..datagrams].iter().zip(&parts) {
            decode_run(&contents[..meta.len], meta.stride, received)?;
        }
        Ok(())
    }
}

fn until_ready(
    socket: &UdpSocket,
    flags: PollFlags,
    mut attempt: impl FnMut() -> io::Result<()>,
) -> Result {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(socket.as_fd(), flags)], PollTimeout::NONE)?;
            }
            result => return Ok(result?),
        }
    }
}

impl<P: Packet> Contender<P> for Quinn {
    fn send_each(&mut self, packets: &[P]) -> Result {
        packets
            .chunks(1)
            .try_for_each(|packet| self.send_run(packet, None))
    }

    fn send_burst(&mut self, packets: &[P]) -> Result {
        let Some(len) = P::LEN else {
            return self.send_each(packets);
        };
        let segments = max_datagrams(len).min(self.state.max_gso_segments());
        packets
            .chunks(segments)
            .try_for_each(|run| self.send_run(run, Some(len)))
    }

    fn recv_burst(&mut self, count: usize, received: &mut Vec<P>) -> Result {
        let wanted = received.len() + count;
        while received.len() < wanted {
            self.recv_some(received)?;
        }
        Ok(())
    }

    fn converse(&mut self, requests: &[P], talk: &mut dyn Talk<P>) -> Result {
        let mut answers = Vec::with_capacity(1);
        for request in requests.chunks(1) {
            talk.sending();
            self.send_run(request, None)?;
            talk.sent()?;
            self.recv_some(&mut answers)?;
            for answer in answers.drain(..) {
                talk.received(answer)?;
            }
        }
        Ok(())
    }
}
