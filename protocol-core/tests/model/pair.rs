//! The client and the model side by side: each call goes to both, and they must agree.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use bytes::Bytes;
use datagram_protocol_core::{ClientConfig, DatagramClientState, Raw, SendPacketError, Stats};

use super::{
    calls::{Call, Contents, Limits, Outcome, Script, Source},
    client::{Client, Polled},
    scripted::{Scripted, Verdict},
};

/// The longest datagram towards IPv4, and the longest run, in bytes.
const LONGEST: usize = 65_507;

/// The client, the model, and the rules between them.
pub struct Pair {
    pub client: Client,
    parsed: Arc<AtomicU64>,
    limits: Limits,
    overhead: Overhead,
    /// What the client told, to compare two of them.
    pub journal: Vec<String>,

    outgoing: VecDeque<Vec<u8>>,
    closed: bool,
    /// Datagrams in the batches they came in. The numbers are the bytes of each batch.
    incoming: VecDeque<(usize, VecDeque<Vec<u8>>)>,
    polled: u64,
    delivered: u64,
    /// What `expected.dropped` has from this side.
    dropped_in: u64,
    expected: Stats,
}

impl Pair {
    pub fn new(limits: Limits) -> Self {
        let config = ClientConfig::new()
            .max_datagram_size(limits.datagram)
            .outgoing_bytes(limits.outgoing)
            .incoming_bytes(limits.incoming);
        let parsed = Arc::new(AtomicU64::new(0));
        let protocol = Scripted(Arc::clone(&parsed));
        let client = DatagramClientState::with_config(protocol, Source::Peer.address(), config);
        Self {
            client: Client::Whole(client),
            parsed,
            limits,
            overhead: Overhead::measured(),
            journal: Vec::new(),
            outgoing: VecDeque::new(),
            closed: false,
            incoming: VecDeque::new(),
            polled: 0,
            delivered: 0,
            dropped_in: 0,
            expected: Stats::default(),
        }
    }

    #[track_caller]
    pub fn call(&mut self, call: &Call) {
        match call {
            Call::Send(script) => self.send(script),
            Call::Transmit {
                max_segments,
                outcome,
            } => self.transmit(*max_segments, *outcome),
            Call::TakeBack(n) => {
                let n = usize::from(*n);
                self.client.outgoing_mut().take_back(n);
                let left = self.outgoing.len().saturating_sub(n);
                self.outgoing.truncate(left);
            }
            Call::Handle { source, contents } if contents.counting => {
                self.receive(*source, &contents.to_vec());
            }
            Call::Handle { source, contents } => {
                self.handle(*source, &contents.to_vec(), 0, Entry::One);
            }
            Call::HandleMany {
                source,
                contents,
                stride,
                lent,
            } => {
                let entry = if *lent { Entry::Lent } else { Entry::Many };
                self.handle(*source, &contents.to_vec(), *stride, entry);
            }
            Call::Truncated(len) => {
                self.client.incoming_mut().handle_truncated((*len).into());
                self.expected.datagrams_in += 1;
                self.expected.bytes_in += u64::from(*len);
                self.drop_incoming(1);
            }
            Call::Poll(times) => (0..*times).for_each(|_| self.poll()),
            Call::Close => {
                self.client.close();
                self.closed = true;
            }
            Call::Split => self.client.split(),
        }
    }

    #[track_caller]
    fn send(&mut self, script: &Script) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.client.send_packet(script)));
        self.journal.push(format!("{outcome:?}"));

        let queued = self.outgoing.iter().map(Vec::len).sum::<usize>();
        // At most: datagrams of one length share it.
        let overhead = self.overhead.outgoing * (self.outgoing.len() + 1);
        let destroys = match script {
            Script::Shorten(by, _) | Script::ShortenAndPanic(by) => queued > 0 && *by > 0,
            Script::Replace(_) => queued > 0,
            Script::Append(_) | Script::Fail(_) | Script::Panic(_) => false,
        };
        let appended = match script {
            Script::Append(contents) | Script::Shorten(_, contents) | Script::Replace(contents) => {
                contents.to_vec()
            }
            Script::Fail(_) | Script::Panic(_) | Script::ShortenAndPanic(_) => Vec::new(),
        };
        let result = match outcome {
            Ok(Err(SendPacketError::Closed(_))) => return assert!(self.closed),
            _ if self.closed => panic!("{outcome:?} when closed"),
            Ok(Err(SendPacketError::QueueFull)) => {
                // Without any room, the protocol may not even be asked.
                let room = self.limits.outgoing.checked_sub(queued + overhead);
                return assert!(room.is_none_or(|room| appended.len() > room), "{room:?}");
            }
            Ok(result) => result.map_err(Some),
            Err(_) => Err(None),
        };
        if destroys {
            self.expected.dropped += self.outgoing.len() as u64;
            self.outgoing.clear();
        }
        match (script, result) {
            (_, Ok(())) => {
                assert!(!destroys);
                assert!(!matches!(script, Script::Fail(_) | Script::Panic(_)));
                assert!(appended.len() <= self.limits.datagram.min(LONGEST));
                let least = self.limits.outgoing.max(self.overhead.outgoing);
                assert!(queued + appended.len() + self.overhead.outgoing <= least);
                self.outgoing.push_back(appended);
            }
            (Script::Panic(_) | Script::ShortenAndPanic(_), Err(error)) => assert!(error.is_none()),
            (Script::Fail(_), Err(error)) => {
                assert!(matches!(error, Some(SendPacketError::Serialize(_))));
            }
            (_, Err(Some(SendPacketError::TooLarge { size, max }))) => {
                assert!(!destroys);
                assert_eq!(size, appended.len());
                assert!(size > max);
                let alone = self.limits.outgoing.saturating_sub(self.overhead.outgoing);
                assert_eq!(max, self.limits.datagram.min(LONGEST).min(alone));
            }
            (_, Err(error)) => {
                assert!(matches!(error, Some(SendPacketError::Serialize(_))));
                assert!(destroys);
            }
        }
    }

    #[track_caller]
    fn transmit(&mut self, max_segments: usize, outcome: Outcome) {
        let Some(transmit) = self.client.poll_transmit(max_segments) else {
            return assert!(self.outgoing.is_empty());
        };
        let datagrams: Vec<_> = transmit.datagrams().map(<[u8]>::to_vec).collect();
        let n = datagrams.len();
        self.journal.push(format!("{datagrams:?}"));

        assert!((1..=max_segments.max(1)).contains(&n));
        assert!(datagrams.iter().eq(self.outgoing.iter().take(n)));
        assert_eq!(transmit.contents(), datagrams.concat());
        assert!(transmit.contents().len() <= LONGEST);
        assert_eq!(transmit.destination(), Source::Peer.address());
        let (last, before) = datagrams.split_last().unwrap();
        if let Some(size) = transmit.segment_size() {
            assert!(n > 1 && !last.is_empty() && last.len() <= size);
            assert!(before.iter().all(|datagram| datagram.len() == size));
        } else {
            assert_eq!(n, 1);
        }

        let sent = match outcome {
            Outcome::Sent => {
                transmit.sent();
                n
            }
            Outcome::SentFirst(first) => {
                transmit.sent_first(first.into());
                usize::from(first).min(n)
            }
            Outcome::DiscardFirst => {
                transmit.discard_first();
                self.outgoing.pop_front();
                self.expected.dropped += 1;
                0
            }
            Outcome::Dropped => {
                drop(transmit);
                0
            }
        };
        for datagram in self.outgoing.drain(..sent) {
            self.expected.datagrams_out += 1;
            self.expected.bytes_out += datagram.len() as u64;
        }
    }

    #[track_caller]
    fn handle(&mut self, source: Source, contents: &[u8], stride: usize, entry: Entry) {
        let bytes = Bytes::copy_from_slice(contents);
        match entry {
            Entry::One => self.client.handle_datagram(source.address(), bytes),
            Entry::Many => self
                .client
                .handle_datagrams(source.address(), bytes, stride),
            Entry::Lent => {
                let incoming = self.client.incoming_mut();
                incoming.handle_lent(source.address(), bytes, stride);
            }
        }
        self.expect_handled(source, contents, stride);
    }

    /// Takes in and polls in one.
    #[track_caller]
    fn receive(&mut self, source: Source, contents: &[u8]) {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            self.client.receive(source.address(), contents)
        }));
        self.expect_handled(source, contents, 0);
        self.expect_polled(outcome);
    }

    fn expect_handled(&mut self, source: Source, contents: &[u8], stride: usize) {
        let mut batch: VecDeque<Vec<u8>> = if contents.is_empty() || stride == 0 {
            [contents.to_vec()].into()
        } else {
            contents.chunks(stride).map(<[u8]>::to_vec).collect()
        };
        self.expected.datagrams_in += batch.len() as u64;
        self.expected.bytes_in += contents.len() as u64;
        if source.is_stranger() {
            self.expected.ignored += batch.len() as u64;
            return;
        }
        let queued: usize = self.incoming.iter().map(|(bytes, _)| bytes).sum();
        let overhead = self.overhead.incoming * (self.incoming.len() + 1);
        let mut bytes = 0;
        let fitting = batch.iter().take_while(|datagram| {
            bytes += datagram.len();
            queued + bytes + overhead <= self.limits.incoming
        });
        let fitting = fitting.count();
        self.drop_incoming((batch.len() - fitting) as u64);
        batch.truncate(fitting);
        if !batch.is_empty() {
            let bytes = batch.iter().map(Vec::len).sum();
            self.incoming.push_back((bytes, batch));
        }
    }

    #[track_caller]
    fn poll(&mut self) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.client.poll_packet()));
        self.expect_polled(outcome);
    }

    #[track_caller]
    fn expect_polled(&mut self, outcome: thread::Result<Option<Polled>>) {
        self.journal.push(format!("{outcome:?}"));

        let Some((_, batch)) = self.incoming.front_mut() else {
            return assert!(matches!(outcome, Ok(None)));
        };
        let datagram = batch.pop_front().unwrap();
        if batch.is_empty() {
            self.incoming.pop_front();
        }
        self.polled += 1;
        match (Verdict::on(&datagram), outcome) {
            (Verdict::Packet, Ok(Some(Ok(packet)))) => {
                assert_eq!(packet, datagram);
                self.delivered += 1;
            }
            (Verdict::Error, Ok(Some(Err(error)))) => {
                assert_eq!(*error.datagram(), datagram);
                self.expected.parse_errors += 1;
            }
            (Verdict::Panic, Err(_)) => self.expected.parse_errors += 1,
            (_, outcome) => panic!("{outcome:?} from {datagram:?}"),
        }
    }

    #[track_caller]
    pub fn check(&mut self) {
        let stats = self.client.stats();
        let queued_in: usize = self.incoming.iter().map(|(_, batch)| batch.len()).sum();

        assert_eq!(stats, self.expected);
        assert_eq!(self.parsed.load(Relaxed), self.polled);
        assert_eq!(self.delivered + stats.parse_errors, self.polled);
        assert_eq!(
            stats.datagrams_in,
            self.delivered
                + stats.parse_errors
                + stats.ignored
                + self.dropped_in
                + queued_in as u64
        );
        assert_eq!(self.client.outgoing_mut().len(), self.outgoing.len());
        assert_eq!(
            self.client.outgoing_mut().is_empty(),
            self.outgoing.is_empty()
        );
        assert_eq!(self.client.incoming_mut().is_empty(), queued_in == 0);
        assert_eq!(self.client.is_closing(), self.closed);
        let closed = self.closed && self.outgoing.is_empty();
        assert_eq!(self.client.is_closed(), closed);
    }

    /// Takes everything out of both queues. Then they must have as much room as at the start.
    #[track_caller]
    pub fn drain(&mut self) {
        // Longer than the tighter limits; longer ones take time.
        const MOST: usize = 2000;
        self.empty();

        let room = |limit: usize, overhead| limit.saturating_sub(overhead).min(MOST);
        let incoming = vec![0; room(self.limits.incoming, self.overhead.incoming)];
        self.handle(Source::Peer, &incoming, 0, Entry::One);
        let outgoing = room(self.limits.outgoing, self.overhead.outgoing);
        self.send(&Script::Append(Contents {
            first: 0,
            len: outgoing.min(self.limits.datagram) as u16,
            counting: false,
        }));
        self.check();

        self.empty();
    }

    #[track_caller]
    fn empty(&mut self) {
        while !self.outgoing.is_empty() {
            self.transmit(64, Outcome::Sent);
        }
        while !self.incoming.is_empty() {
            self.poll();
        }
        self.poll();
        self.transmit(1, Outcome::Sent);
        self.check();
    }

    fn drop_incoming(&mut self, datagrams: u64) {
        self.dropped_in += datagrams;
        self.expected.dropped += datagrams;
    }
}

/// What a datagram of its own costs in the queues besides its bytes.
#[derive(Clone, Copy)]
pub struct Overhead {
    outgoing: usize,
    pub incoming: usize,
}

impl Overhead {
    /// Asks clients with small limits what still fits. So the model has the exact bounds.
    pub fn measured() -> Self {
        const MOST: usize = 64;
        let client = |config| DatagramClientState::with_config(Raw, Source::Peer.address(), config);

        let mut sender = client(ClientConfig::new().outgoing_bytes(MOST));
        let error = sender.send_packet(&[0; MOST]).unwrap_err();
        let SendPacketError::TooLarge { max, .. } = error else {
            panic!("{error:?}");
        };
        let takes_an_empty_one = |limit: &usize| {
            let mut receiver = client(ClientConfig::new().incoming_bytes(*limit));
            receiver.handle_datagram(Source::Peer.address(), Bytes::new());
            receiver.stats().dropped == 0
        };
        Self {
            outgoing: MOST - max,
            incoming: (1..=MOST).find(takes_an_empty_one).unwrap(),
        }
    }
}

/// How datagrams come in.
enum Entry {
    One,
    Many,
    Lent,
}
