//! One direction of the network.

use std::{collections::BTreeMap, time::Duration};

use bytes::{Bytes, BytesMut};
use fastrand::Rng;

/// How bad the network is. Chances are per mille of the datagrams.
#[derive(Debug, Clone, Copy, Default)]
pub struct Conditions {
    /// Datagrams that never arrive.
    pub loss: u32,
    /// Datagrams that arrive twice.
    pub duplication: u32,
    /// Datagrams that arrive with one byte changed.
    pub corruption: u32,
    /// Datagrams that arrive cut off; half of the time the receiver is told, as by `MSG_TRUNC`.
    pub truncation: u32,
    /// Datagrams for which another one of the same bytes comes from a stranger.
    pub strays: u32,
    /// How long a datagram takes at least.
    pub delay: Duration,
    /// How much longer, at most: whole milliseconds, so that some arrive together. With it, later
    /// ones overtake earlier ones.
    pub jitter_ms: u64,
    /// Whether datagrams of one length that arrive together arrive glued together, as with GRO.
    pub offload: bool,
}

impl Conditions {
    /// Anything between perfect and hopeless, but never so bad that nothing gets through.
    #[must_use]
    pub fn random(rng: &mut Rng) -> Self {
        let mut chance = |most| if rng.bool() { rng.u32(0..=most) } else { 0 };
        Self {
            loss: chance(400),
            duplication: chance(300),
            corruption: chance(300),
            truncation: chance(200),
            strays: chance(200),
            delay: Duration::from_millis(chance(20).into()),
            jitter_ms: chance(10).into(),
            offload: rng.bool(),
        }
    }
}

/// What became of the datagrams. When none is under way any more, `sent + duplicated + strays` is
/// `lost + arrived`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named after what they count")]
pub struct Tally {
    pub sent: u64,
    pub bytes_sent: u64,
    pub duplicated: u64,
    pub strays: u64,
    pub lost: u64,
    pub arrived: u64,
    pub bytes_arrived: u64,
}

/// One direction of the network: datagrams go in, and come out later, changed, or not at all.
#[derive(Debug)]
pub struct Link {
    conditions: Conditions,
    rng: Rng,
    /// By time of arrival, and in the order of sending where that is the same.
    under_way: BTreeMap<(Duration, u64), Flight>,
    flights: u64,
    tally: Tally,
}

#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) contents: Bytes,
    pub(super) sender: Sender,
    pub(super) state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    Peer,
    Stranger,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Intact,
    /// Corrupted, or cut off without a word.
    Changed,
    /// Cut off, and the receiver is told.
    Truncated,
}

impl Link {
    /// Makes a link whose chances come from `rng`.
    #[must_use]
    pub fn new(conditions: Conditions, rng: Rng) -> Self {
        Self {
            conditions,
            rng,
            under_way: BTreeMap::new(),
            flights: 0,
            tally: Tally::default(),
        }
    }

    /// Takes in a datagram at the time `now`.
    pub fn send(&mut self, now: Duration, datagram: &[u8]) {
        self.tally.sent += 1;
        self.tally.bytes_sent += datagram.len() as u64;
        let original = Flight {
            contents: Bytes::copy_from_slice(datagram),
            sender: Sender::Peer,
            state: State::Intact,
        };
        if self.happens(self.conditions.strays) {
            self.tally.strays += 1;
            self.launch(
                now,
                Flight {
                    sender: Sender::Stranger,
                    ..original.clone()
                },
            );
        }
        if self.happens(self.conditions.duplication) {
            self.tally.duplicated += 1;
            self.launch(now, original.clone());
        }
        self.launch(now, original);
    }

    /// Returns when the next datagram arrives; `None` if none is under way.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Duration> {
        let ((at, _), _) = self.under_way.first_key_value()?;
        Some(*at)
    }

    /// Returns what became of the datagrams so far.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Takes out what has arrived by `now`: one datagram, or with offload several of one length (the
    /// last may be shorter).
    pub(super) fn receive(&mut self, now: Duration) -> Vec<Flight> {
        let mut received: Vec<Flight> = Vec::new();
        while let Some(entry) = self.under_way.first_entry() {
            let (at, _) = *entry.key();
            let goes_on = match received.as_slice() {
                [] => true,
                [.., last] => self.conditions.offload && follows(entry.get(), last, &received[0]),
            };
            if at > now || !goes_on {
                break;
            }
            received.push(entry.remove());
        }
        self.tally.arrived += received.len() as u64;
        let bytes: usize = received.iter().map(|flight| flight.contents.len()).sum();
        self.tally.bytes_arrived += bytes as u64;
        received
    }

    fn launch(&mut self, now: Duration, mut flight: Flight) {
        if self.happens(self.conditions.loss) {
            self.tally.lost += 1;
            return;
        }
        let len = flight.contents.len();
        if len > 0 && self.happens(self.conditions.corruption) {
            let mut contents = BytesMut::from(flight.contents);
            contents[self.rng.usize(..len)] ^= self.rng.u8(1..);
            flight.contents = contents.freeze();
            flight.state = State::Changed;
        }
        if len > 0 && self.happens(self.conditions.truncation) {
            flight.contents.truncate(self.rng.usize(..len));
            flight.state = match flight.sender {
                Sender::Peer if self.rng.bool() => State::Truncated,
                _ => State::Changed,
            };
        }
        let jitter = Duration::from_millis(self.rng.u64(0..=self.conditions.jitter_ms));
        let at = now + self.conditions.delay + jitter;
        self.under_way.insert((at, self.flights), flight);
        self.flights += 1;
    }

    fn happens(&mut self, per_mille: u32) -> bool {
        self.rng.u32(0..1000) < per_mille
    }
}

/// Whether the kernel would glue `next` behind `last`, in a buffer that starts with `first`.
fn follows(next: &Flight, last: &Flight, first: &Flight) -> bool {
    let stride = first.contents.len();
    last.contents.len() == stride
        && (1..=stride).contains(&next.contents.len())
        && next.sender == last.sender
        && next.state != State::Truncated
        && last.state != State::Truncated
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALWAYS: u32 = 1000;
    const LATER: Duration = Duration::from_secs(1);

    fn through(conditions: Conditions, datagrams: &[&[u8]]) -> (Vec<Vec<Flight>>, Tally) {
        let mut link = Link::new(conditions, Rng::with_seed(0));
        for datagram in datagrams {
            link.send(Duration::ZERO, datagram);
        }
        let mut received = Vec::new();
        while link.next_arrival().is_some() {
            received.push(link.receive(LATER));
        }
        assert!(link.receive(LATER).is_empty());
        (received, link.tally())
    }

    fn contents(received: &[Vec<Flight>]) -> Vec<&[u8]> {
        received
            .iter()
            .flatten()
            .map(|flight| &*flight.contents)
            .collect()
    }

    #[test]
    fn perfect_link_changes_nothing() {
        let (received, tally) = through(Conditions::default(), &[b"ab", b"", b"ab"]);

        assert_eq!(received.len(), 3);
        assert_eq!(contents(&received), [&b"ab"[..], b"", b"ab"]);
        assert_eq!((tally.sent, tally.arrived, tally.bytes_arrived), (3, 3, 4));
    }

    #[test]
    fn offload_glues_up_to_a_shorter_datagram() {
        let conditions = Conditions {
            offload: true,
            ..Conditions::default()
        };

        let (received, _) = through(conditions, &[b"ab", b"ab", b"c", b"ab", b"abc", b"", b"a"]);

        let lens: Vec<usize> = received.iter().map(Vec::len).collect();
        assert_eq!(lens, [3, 1, 1, 1, 1]);
    }

    #[test]
    fn conditions_do_what_they_say() {
        let one = |conditions| through(conditions, &[b"abcd"]);
        let perfect = Conditions::default();

        let (received, tally) = one(Conditions {
            loss: ALWAYS,
            ..perfect
        });
        assert_eq!((received.len(), tally.lost), (0, 1));

        let (received, tally) = one(Conditions {
            duplication: ALWAYS,
            ..perfect
        });
        assert_eq!(contents(&received), [b"abcd", b"abcd"]);
        assert_eq!(tally.duplicated, 1);

        let (received, tally) = one(Conditions {
            strays: ALWAYS,
            ..perfect
        });
        assert_eq!(received[0][0].sender, Sender::Stranger);
        assert_eq!(received[1][0].sender, Sender::Peer);
        assert_eq!(tally.strays, 1);

        let (received, _) = one(Conditions {
            corruption: ALWAYS,
            ..perfect
        });
        let changed = &received[0][0];
        let differences = changed.contents.iter().zip(b"abcd").filter(|(a, b)| a != b);
        assert_eq!((differences.count(), changed.state), (1, State::Changed));

        let (received, _) = one(Conditions {
            truncation: ALWAYS,
            ..perfect
        });
        let cut = &received[0][0];
        assert!(cut.contents.len() < 4 && b"abcd".starts_with(&cut.contents));
        assert_ne!(cut.state, State::Intact);
    }

    #[test]
    fn jitter_reorders_and_delay_does_not() {
        let sent: Vec<[u8; 1]> = (0..20).map(|i| [i]).collect();
        let datagrams: Vec<&[u8]> = sent.iter().map(|datagram| &datagram[..]).collect();
        let delay = Duration::from_millis(5);

        let conditions = Conditions {
            delay,
            ..Conditions::default()
        };
        assert_eq!(contents(&through(conditions, &datagrams).0), datagrams);

        let conditions = Conditions {
            jitter_ms: 5,
            ..conditions
        };
        let (received, _) = through(conditions, &datagrams);
        let mut received = contents(&received);
        assert_ne!(received, datagrams);
        received.sort_unstable();
        assert_eq!(received, datagrams);
    }
}
