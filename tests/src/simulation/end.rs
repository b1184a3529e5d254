//! One end of the network: a state machine, and what must become of what arrives there.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use bytes::{Bytes, BytesMut};
use datagram_protocol_core::{
    ClientConfig, DatagramClientState, DatagramProtocol, DatagramProtocolParseError,
};
use fastrand::Rng;

use super::link::{Flight, Link, Sender, State};

/// A datagram that the state machine has taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// Its bytes, as they arrived.
    pub datagram: Bytes,
    /// Whether they are those that were sent.
    pub intact: bool,
}

/// One end: a state machine and the pump between it and the network.
#[derive(Debug)]
pub struct End<P> {
    /// The state machine. Send through it; receive through [`poll`](Self::poll), which keeps count.
    pub state: DatagramClientState<P>,
    /// Datagrams that the state machine has, in the order in which they arrived.
    queued: VecDeque<Arrived>,
    /// Datagrams that came out of it, as packets or errors.
    packets: u64,
    errors: u64,
    /// Datagrams from others than the peer.
    strays: u64,
    /// Datagrams that arrived truncated, or found the queue full.
    dropped: u64,
}

impl<P: DatagramProtocol> End<P> {
    pub(super) fn new(protocol: P, peer: SocketAddr, config: ClientConfig) -> Self {
        Self {
            state: DatagramClientState::with_config(protocol, peer, config),
            queued: VecDeque::new(),
            packets: 0,
            errors: 0,
            strays: 0,
            dropped: 0,
        }
    }

    /// Takes the next packet or error, with the datagram that it must come from.
    #[track_caller]
    pub fn poll(&mut self) -> Option<(Arrived, Result<P::Received, DatagramProtocolParseError>)> {
        let Some(result) = self.state.poll_packet() else {
            assert_eq!(self.queued.front(), None, "arrived, but cannot be polled");
            return None;
        };
        let arrived = self.queued.pop_front().expect("something has arrived");
        match &result {
            Ok(_) => self.packets += 1,
            Err(error) => {
                assert_eq!(*error.datagram(), arrived.datagram);
                self.errors += 1;
            }
        }
        Some((arrived, result))
    }

    /// Gives the network some of what is queued: nothing, a part of a transmit, or all, as from a
    /// socket that blocks now and then.
    pub(super) fn flush(&mut self, now: Duration, link: &mut Link, rng: &mut Rng) {
        let max_segments = if rng.bool() { 1 } else { rng.usize(2..=64) };
        while let Some(transmit) = self.state.poll_transmit(max_segments) {
            let datagrams: Vec<Bytes> = transmit.datagrams().map(Bytes::copy_from_slice).collect();
            assert!(datagrams.len() <= max_segments);
            let sent = match rng.u32(..10) {
                0 => return,
                1 => rng.usize(..datagrams.len()),
                _ => datagrams.len(),
            };
            transmit.sent_first(sent);
            for datagram in &datagrams[..sent] {
                link.send(now, datagram);
            }
        }
    }

    /// Takes in what arrived in one system call.
    pub(super) fn handle(&mut self, peer: SocketAddr, flights: &[Flight]) {
        let [first, ..] = flights else {
            return;
        };
        if first.state == State::Truncated {
            let incoming = self.state.incoming_mut();
            incoming.handle_truncated(first.contents.len());
            self.dropped += 1;
            return;
        }
        let mut buffer = BytesMut::new();
        for flight in flights {
            buffer.extend_from_slice(&flight.contents);
        }
        let source = match first.sender {
            Sender::Peer => peer,
            Sender::Stranger => SocketAddr::new(peer.ip(), peer.port() + 1),
        };
        let dropped_before = self.state.stats().dropped;
        if flights.len() == 1 {
            self.state.handle_datagram(source, buffer);
        } else {
            let stride = first.contents.len();
            self.state.handle_datagrams(source, buffer.freeze(), stride);
        }
        if first.sender == Sender::Stranger {
            self.strays += flights.len() as u64;
            return;
        }
        // How many the queue has room for is its own business; which ones is not.
        let dropped = self.state.stats().dropped - dropped_before;
        self.dropped += dropped;
        let kept = flights.len() - dropped as usize;
        self.queued
            .extend(flights[..kept].iter().map(|flight| Arrived {
                datagram: flight.contents.clone(),
                intact: flight.state == State::Intact,
            }));
    }

    /// Checks the counters against what happened, given the links from and to here.
    #[track_caller]
    pub(super) fn assert_adds_up(&self, outgoing: &Link, incoming: &Link) {
        let stats = self.state.stats();
        let (outgoing, incoming) = (outgoing.tally(), incoming.tally());
        let queued = self.queued.len() as u64;

        assert_eq!(stats.datagrams_out, outgoing.sent);
        assert_eq!(stats.bytes_out, outgoing.bytes_sent);
        assert_eq!(stats.datagrams_in, incoming.arrived);
        assert_eq!(stats.bytes_in, incoming.bytes_arrived);
        assert_eq!(stats.parse_errors, self.errors);
        assert_eq!(stats.ignored, self.strays);
        assert_eq!(stats.dropped, self.dropped);
        let accounted = self.packets + stats.parse_errors + stats.ignored + stats.dropped + queued;
        assert_eq!(stats.datagrams_in, accounted);
    }
}
