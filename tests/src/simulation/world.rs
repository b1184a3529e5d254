//! Both ends, both links and the time.

use std::{net::SocketAddr, time::Duration};

use datagram_protocol_core::{ClientConfig, DatagramProtocol};
use fastrand::Rng;

use super::{
    end::End,
    link::{Conditions, Link},
};

/// Two ends with a network between them.
///
/// The user of a simulation acts on its ends (sends, polls) and then lets time
/// [go on](Self::advance), again and again.
#[derive(Debug)]
pub struct Simulation<P> {
    /// The ends. What is sent at one may arrive at the other.
    pub ends: [End<P>; 2],
    /// The links, each by the end that it starts from.
    links: [Link; 2],
    now: Duration,
    rng: Rng,
}

/// Where the ends are, in the network for documentation (RFC 5737).
const ADDRESSES: [&str; 2] = ["192.0.2.1:7000", "192.0.2.2:7000"];

impl<P: DatagramProtocol + Clone> Simulation<P> {
    /// Connects two state machines of one protocol and configuration through a network with these
    /// conditions in both directions.
    #[must_use]
    pub fn new(protocol: &P, config: ClientConfig, conditions: Conditions, mut rng: Rng) -> Self {
        let links = [(); 2].map(|()| Link::new(conditions, rng.fork()));
        let ends = [1, 0].map(|peer| End::new(protocol.clone(), address(peer), config));
        Self {
            ends,
            links,
            now: Duration::ZERO,
            rng,
        }
    }

    /// Sends what is queued at the ends, then lets time go on to the next arrival, but not longer
    /// than `at_most`, and takes in what has arrived by then. Returns how much time has gone by.
    pub fn advance(&mut self, at_most: Duration) -> Duration {
        for (end, link) in self.ends.iter_mut().zip(&mut self.links) {
            end.flush(self.now, link, &mut self.rng);
        }
        let until = self.now + at_most;
        let arrivals = self.links.iter().filter_map(Link::next_arrival);
        let next = arrivals.min().unwrap_or(until).min(until);
        let elapsed = next.saturating_sub(self.now);
        self.now += elapsed;
        for (from, to) in [(0, 1), (1, 0)] {
            loop {
                let flights = self.links[from].receive(self.now);
                if flights.is_empty() {
                    break;
                }
                self.ends[to].handle(address(from), &flights);
            }
        }
        elapsed
    }

    /// Tells whether nothing is left to send or under way.
    #[must_use]
    pub fn is_idle(&mut self) -> bool {
        let sent = |end: &mut End<P>| end.state.outgoing_mut().is_empty();
        self.ends.iter_mut().all(sent)
            && self.links.iter().all(|link| link.next_arrival().is_none())
    }

    /// Returns how much time has gone by since the start.
    #[must_use]
    pub const fn now(&self) -> Duration {
        self.now
    }

    /// Checks that every datagram is accounted for, at both ends and, once
    /// [idle](Self::is_idle), on the links.
    #[track_caller]
    pub fn assert_adds_up(&mut self) {
        let [a, b] = &self.links;
        self.ends[0].assert_adds_up(a, b);
        self.ends[1].assert_adds_up(b, a);
        if self.is_idle() {
            for link in &self.links {
                let tally = link.tally();
                let launched = tally.sent + tally.duplicated + tally.strays;
                assert_eq!(launched, tally.lost + tally.arrived);
            }
        }
    }
}

fn address(end: usize) -> SocketAddr {
    ADDRESSES[end].parse().expect("it is written correctly")
}
