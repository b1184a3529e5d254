//! The other end: it checks what a contender sends, and sends what a contender receives. None of that
//! is timed.

use std::{net::UdpSocket, time::Duration};

use super::{
    Failure, Result,
    offload::{self, BUFFER_SIZE, ControlBuffer, decode_run, recv_run},
    packet::{Packet, check},
};

/// What is not there after that long was lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// The other end of a contender's socket.
#[derive(Debug)]
pub(crate) struct Far<P> {
    socket: UdpSocket,
    buffer: Vec<u8>,
    control: ControlBuffer,
    outgoing: Vec<u8>,
    received: Vec<P>,
}

impl<P: Packet> Far<P> {
    /// An ordinary receiver, which gets one datagram a system call.
    pub(crate) fn new(socket: UdpSocket) -> Result<Self> {
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            socket,
            buffer: vec![0; BUFFER_SIZE],
            control: ControlBuffer::new(),
            outgoing: Vec::new(),
            received: Vec::new(),
        })
    }

    /// A receiver that lets the system leave runs of datagrams in one piece (`UDP_GRO`).
    pub(crate) fn with_gro(socket: UdpSocket) -> Result<Self> {
        offload::enable_gro(&socket)?;
        Self::new(socket)
    }

    /// Receives what one system call brings.
    pub(crate) fn recv(&mut self) -> Result<&[P]> {
        self.received.clear();
        self.recv_more()?;
        Ok(&self.received)
    }

    /// Receives as many packets as there are in `sent`, and checks that they are the same.
    pub(crate) fn expect(&mut self, sent: &[P]) -> Result {
        self.received.clear();
        while self.received.len() < sent.len() {
            self.recv_more()?;
        }
        check(&self.received, sent)
    }

    fn recv_more(&mut self) -> Result {
        let (len, stride) =
            recv_run(&self.socket, &mut self.buffer, &mut self.control).map_err(explained)?;
        decode_run(&self.buffer[..len], stride, &mut self.received)
    }

    /// Checks that nothing arrived besides what was expected.
    pub(crate) fn expect_nothing(&mut self) -> Result {
        self.socket.set_nonblocking(true)?;
        let arrived = self.socket.recv(&mut self.buffer);
        self.socket.set_nonblocking(false)?;
        match arrived {
            Ok(_) => Err("a packet arrived twice".into()),
            Err(_nothing) => Ok(()),
        }
    }

    /// Sends one datagram a system call.
    pub(crate) fn send_plainly(&mut self, packets: &[P]) -> Result {
        for packet in packets {
            self.outgoing.clear();
            packet.encode(&mut self.outgoing);
            self.socket.send(&self.outgoing)?;
        }
        Ok(())
    }

    /// Sends as many as possible a system call.
    pub(crate) fn send_offloaded(&mut self, packets: &[P]) -> Result {
        offload::send_packets(&self.socket, &mut self.outgoing, packets)
    }

    /// Sends the next datagram back as it came.
    pub(crate) fn echo(&mut self) -> Result {
        let len = self
            .socket
            .recv(&mut self.buffer)
            .map_err(|error| explained(error.into()))?;
        self.socket.send(&self.buffer[..len])?;
        Ok(())
    }

    /// Sends back all that comes, for ever.
    pub(crate) fn echo_on(self) -> Result {
        self.socket.set_read_timeout(None)?;
        let mut far = self;
        loop {
            far.echo()?;
        }
    }
}

/// A timeout is called `EAGAIN`.
fn explained(error: Failure) -> Failure {
    format!("nothing arrived ({error}); was a packet lost?").into()
}
