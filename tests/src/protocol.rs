//! Protocols that misbehave in one way each. Other than that, packets are bytes.

use std::sync::{
    Mutex,
    mpsc::{Receiver, Sender, channel},
};

use bytes::{Bytes, BytesMut};
use datagram_protocol_core::{
    Datagram, DatagramProtocol, DeserializeError, PacketError, Raw, SerializeError,
};

use crate::DEADLINE;

/// What [`Picky`] refuses to send.
pub const UNSERIALIZABLE: &[u8] = b"unserializable";
/// What [`Picky`] refuses when it is received.
pub const INVALID: &[u8] = b"invalid";
/// What makes [`Picky`] panic, either way.
pub const PANIC: &[u8] = b"panic";

/// A protocol that refuses [some](UNSERIALIZABLE) [packets](INVALID) and [panics](PANIC) at others,
/// each time after having written something.
#[derive(Debug, Clone, Copy)]
pub struct Picky;

impl DatagramProtocol for Picky {
    type Sent = [u8];
    type Received = Bytes;

    fn make_datagram(&self, packet: &[u8], datagram: &mut BytesMut) -> Result<(), SerializeError> {
        datagram.extend_from_slice(packet);
        assert_ne!(packet, PANIC, "panicking as told");
        if packet == UNSERIALIZABLE {
            return Err(SerializeError::new("refused as told"));
        }
        Ok(())
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Bytes, PacketError> {
        assert_ne!(&*datagram, PANIC, "panicking as told");
        if &*datagram == INVALID {
            return Err(DeserializeError::new("refused as told").into());
        }
        Ok(datagram.to_bytes())
    }
}

/// What [`Stopping`] stops at.
pub const STOP: &[u8] = b"stop";

/// A protocol that blocks while it serializes or parses [`STOP`], until told to go on.
#[derive(Debug)]
pub struct Stopping {
    stopped: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

/// The other end of a [`Stopping`] protocol.
#[derive(Debug)]
pub struct Stopped {
    stopped: Receiver<()>,
    go_on: Sender<()>,
}

impl Stopping {
    /// Makes a protocol, and what tells it to go on.
    #[must_use]
    pub fn new() -> (Self, Stopped) {
        let (stopped, is_stopped) = channel();
        let (go_on, may_go_on) = channel();
        let protocol = Self {
            stopped,
            go_on: Mutex::new(may_go_on),
        };
        let other_end = Stopped {
            stopped: is_stopped,
            go_on,
        };
        (protocol, other_end)
    }

    fn pass(&self, bytes: &[u8]) {
        if bytes == STOP {
            self.stopped.send(()).expect("somebody waits for it");
            let go_on = self.go_on.lock().expect("nobody panicked in here");
            go_on.recv_timeout(DEADLINE).expect("it is told to go on");
        }
    }
}

impl Stopped {
    /// Waits until the protocol has stopped.
    #[track_caller]
    pub fn wait(&self) {
        self.stopped
            .recv_timeout(DEADLINE)
            .expect("the protocol gets to work");
    }

    /// Lets the protocol go on, once.
    #[track_caller]
    pub fn go_on(&self) {
        self.go_on.send(()).expect("the protocol is there");
    }
}

impl DatagramProtocol for Stopping {
    type Sent = [u8];
    type Received = Bytes;

    fn make_datagram(&self, packet: &[u8], datagram: &mut BytesMut) -> Result<(), SerializeError> {
        self.pass(packet);
        Raw.make_datagram(packet, datagram)
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Bytes, PacketError> {
        self.pass(&datagram);
        Raw.build_packet_from_datagram(datagram)
    }
}
