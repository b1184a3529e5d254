//! A client, whole or in halves, with the same methods.

use std::{mem, net::SocketAddr};

use bytes::Bytes;
use datagram_protocol_core::{
    DatagramClientState, DatagramProtocolParseError, Incoming, Outgoing, ReceiverState,
    SendPacketError, SenderState, Stats, Transmit,
};

use super::{calls::Script, scripted::Scripted};

/// What becomes of a datagram.
pub type Polled = Result<Bytes, DatagramProtocolParseError>;

pub enum Client {
    Whole(DatagramClientState<Scripted>),
    Halves(SenderState<Scripted>, ReceiverState<Scripted>),
    /// For the moment of splitting.
    Gone,
}

macro_rules! either {
    ($self:ident, $half:ident: $side:ident => $call:expr) => {
        either!(@ $self, $side, $half, $call)
    };
    (@ $self:ident, sender, $half:ident, $call:expr) => {
        match $self {
            Client::Whole($half) => $call,
            Client::Halves($half, _) => $call,
            Client::Gone => unreachable!(),
        }
    };
    (@ $self:ident, receiver, $half:ident, $call:expr) => {
        match $self {
            Client::Whole($half) => $call,
            Client::Halves(_, $half) => $call,
            Client::Gone => unreachable!(),
        }
    };
}

impl Client {
    pub fn split(&mut self) {
        *self = match mem::replace(self, Self::Gone) {
            Self::Whole(client) => {
                let (sender, receiver) = client.split();
                Self::Halves(sender, receiver)
            }
            halves => halves,
        };
    }

    pub fn send_packet(&mut self, packet: &Script) -> Result<(), SendPacketError> {
        either!(self, half: sender => half.send_packet(packet))
    }

    pub fn poll_transmit(&mut self, max_segments: usize) -> Option<Transmit<'_>> {
        either!(self, half: sender => half.poll_transmit(max_segments))
    }

    pub fn close(&mut self) {
        either!(self, half: sender => half.close());
    }

    pub fn is_closing(&self) -> bool {
        either!(self, half: sender => half.is_closing())
    }

    pub fn is_closed(&self) -> bool {
        either!(self, half: sender => half.is_closed())
    }

    pub fn outgoing_mut(&mut self) -> &mut Outgoing {
        either!(self, half: sender => half.outgoing_mut())
    }

    pub fn incoming_mut(&mut self) -> &mut Incoming {
        either!(self, half: receiver => half.incoming_mut())
    }

    pub fn handle_datagram(&mut self, source: SocketAddr, datagram: Bytes) {
        either!(self, half: receiver => half.handle_datagram(source, datagram));
    }

    pub fn handle_datagrams(&mut self, source: SocketAddr, contents: Bytes, stride: usize) {
        either!(self, half: receiver => half.handle_datagrams(source, contents, stride));
    }

    pub fn receive(&mut self, source: SocketAddr, datagram: &[u8]) -> Option<Polled> {
        either!(self, half: receiver => half.receive(source, datagram))
    }

    pub fn poll_packet(&mut self) -> Option<Polled> {
        either!(self, half: receiver => half.poll_packet())
    }

    pub fn stats(&self) -> Stats {
        match self {
            Self::Whole(client) => client.stats(),
            Self::Halves(sender, receiver) => sender.stats().merged_with(receiver.stats()),
            Self::Gone => unreachable!(),
        }
    }
}
