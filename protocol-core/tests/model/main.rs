//! Any order of calls, on a whole client and on its halves, against queues of plain vectors.
#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap, too")]

use std::{
    collections::VecDeque,
    mem,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::{Bytes, BytesMut};
use datagram_protocol_core::{
    ClientConfig, Datagram, DatagramClientState, DatagramProtocol, DatagramProtocolParseError,
    DeserializeError, Incoming, Outgoing, PacketError, ReceiverState, SendPacketError, SenderState,
    SerializeError, Stats, Transmit,
};
use proptest::{collection::vec, prelude::*};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 800 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_order_of_calls_agrees_with_the_model(
        limits in limits(),
        calls in vec(call(), 0..60),
    ) {
        let mut pair = Pair::new(limits);

        for call in calls {
            pair.call(&call);
            pair.check();
        }
        pair.drain();
    }

    #[test]
    fn same_calls_give_the_same_results(limits in limits(), calls in vec(call(), 0..30)) {
        let [first, second] = [(); 2].map(|()| {
            let mut pair = Pair::new(limits);
            calls.iter().for_each(|call| pair.call(call));
            pair.drain();
            (pair.journal, pair.client.stats())
        });

        prop_assert_eq!(first, second);
    }
}

/// What the queue's own account of a datagram may cost, in bytes.
const MAX_OVERHEAD: usize = 64;

#[derive(Debug, Clone, Copy)]
struct Limits {
    datagram: usize,
    outgoing: usize,
    incoming: usize,
}

fn limits() -> impl Strategy<Value = Limits> {
    let bytes = || prop_oneof![0..200_usize, 200..2000_usize, Just(1 << 20)];
    let datagram = prop_oneof![0..60_usize, Just(usize::MAX)];
    (datagram, bytes(), bytes()).prop_map(|(datagram, outgoing, incoming)| Limits {
        datagram,
        outgoing,
        incoming,
    })
}

#[derive(Debug, Clone)]
enum Call {
    Send(Script),
    Transmit {
        max_segments: usize,
        outcome: Outcome,
    },
    TakeBack(usize),
    Handle {
        source: usize,
        contents: Vec<u8>,
    },
    HandleMany {
        source: usize,
        contents: Vec<u8>,
        stride: usize,
        lent: bool,
    },
    Truncated(usize),
    Poll(usize),
    Close,
    Split,
}

/// What the protocol does with a packet.
#[derive(Debug, Clone)]
enum Script {
    Append(Vec<u8>),
    Fail(Vec<u8>),
    Panic(Vec<u8>),
    /// Shortens the buffer by so many bytes, and then writes.
    Shorten(usize, Vec<u8>),
    /// Puts another buffer in place.
    Replace(Vec<u8>),
    /// Shortens the buffer and panics.
    ShortenAndPanic(usize),
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Sent,
    SentFirst(usize),
    DiscardFirst,
    Dropped,
}

fn contents() -> impl Strategy<Value = Vec<u8>> {
    // Few lengths, so that there are runs, and few values, so that bytes meet their like.
    let len = prop_oneof![
        4 => 0..4_usize,
        4 => Just(8_usize),
        2 => 0..80_usize,
        1 => 200..400_usize
    ];
    let byte = prop_oneof![Just(0_u8), Just(255), any::<u8>()];
    (byte, len, any::<bool>()).prop_map(|(byte, len, counting)| {
        (0..len)
            .map(|i| {
                if counting {
                    byte.wrapping_add(i as u8)
                } else {
                    byte
                }
            })
            .collect()
    })
}

fn call() -> impl Strategy<Value = Call> {
    let script = prop_oneof![
        20 => contents().prop_map(Script::Append),
        1 => contents().prop_map(Script::Fail),
        1 => contents().prop_map(Script::Panic),
        1 => (1..100_usize, contents()).prop_map(|(by, bytes)| Script::Shorten(by, bytes)),
        1 => contents().prop_map(Script::Replace),
        1 => (1..100_usize).prop_map(Script::ShortenAndPanic),
    ];
    let outcome = prop_oneof![
        4 => Just(Outcome::Sent),
        2 => (0..6_usize).prop_map(Outcome::SentFirst),
        1 => Just(Outcome::DiscardFirst),
        1 => Just(Outcome::Dropped),
    ];
    let max_segments = prop_oneof![0..5_usize, Just(64), Just(usize::MAX)];
    let source = prop_oneof![6 => 0..3_usize, 1 => 3..5_usize];
    let source_2 = source.clone();
    let stride = prop_oneof![0..10_usize, Just(usize::MAX)];
    prop_oneof![
        40 => script.prop_map(Call::Send),
        15 => (max_segments, outcome)
            .prop_map(|(max_segments, outcome)| Call::Transmit { max_segments, outcome }),
        3 => (0..4_usize).prop_map(Call::TakeBack),
        15 => (source, contents()).prop_map(|(source, contents)| Call::Handle { source, contents }),
        15 => (source_2, contents(), stride, any::<bool>()).prop_map(
            |(source, contents, stride, lent)| Call::HandleMany { source, contents, stride, lent }
        ),
        1 => (0..100_usize).prop_map(Call::Truncated),
        20 => (1..6_usize).prop_map(Call::Poll),
        1 => Just(Call::Close),
        1 => Just(Call::Split),
    ]
}

/// The peer by three names, and two strangers.
const SOURCES: [&str; 5] = [
    "192.0.2.1:7",
    "[::ffff:192.0.2.1]:7",
    "[::ffff:192.0.2.1%4]:7",
    "192.0.2.1:8",
    "192.0.2.3:7",
];

fn source(index: usize) -> SocketAddr {
    SOURCES[index].parse().unwrap()
}

/// The client, the model, and the rules between them.
struct Pair {
    client: Client,
    parsed: Arc<AtomicU64>,
    limits: Limits,
    /// What the client told, to compare two of them.
    journal: Vec<String>,

    outgoing: VecDeque<Vec<u8>>,
    closed: bool,
    /// Datagrams in the batches they came in. The numbers are the bytes of each batch.
    incoming: VecDeque<(usize, VecDeque<Vec<u8>>)>,
    polled: u64,
    delivered: u64,
    expected: Stats,
}

impl Pair {
    fn new(limits: Limits) -> Self {
        let config = ClientConfig::new()
            .max_datagram_size(limits.datagram)
            .outgoing_bytes(limits.outgoing)
            .incoming_bytes(limits.incoming);
        let parsed = Arc::new(AtomicU64::new(0));
        let protocol = Scripted(Arc::clone(&parsed));
        let client = DatagramClientState::with_config(protocol, source(0), config);
        Self {
            client: Client::Whole(client),
            parsed,
            limits,
            journal: Vec::new(),
            outgoing: VecDeque::new(),
            closed: false,
            incoming: VecDeque::new(),
            polled: 0,
            delivered: 0,
            expected: Stats::default(),
        }
    }

    #[track_caller]
    fn call(&mut self, call: &Call) {
        match call {
            Call::Send(script) => self.send(script),
            Call::Transmit {
                max_segments,
                outcome,
            } => self.transmit(*max_segments, *outcome),
            Call::TakeBack(n) => {
                self.client.outgoing_mut().take_back(*n);
                self.outgoing
                    .truncate(self.outgoing.len().saturating_sub(*n));
            }
            Call::Handle { source, contents } => self.handle(*source, contents, 0, Entry::One),
            Call::HandleMany {
                source,
                contents,
                stride,
                lent,
            } => {
                let entry = if *lent { Entry::Lent } else { Entry::Many };
                self.handle(*source, contents, *stride, entry);
            }
            Call::Truncated(len) => {
                self.client.incoming_mut().handle_truncated(*len);
                self.expected.datagrams_in += 1;
                self.expected.bytes_in += *len as u64;
                self.expected.dropped += 1;
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
        let overhead = MAX_OVERHEAD * (self.outgoing.len() + 1);
        let destroys = match script {
            Script::Shorten(..) | Script::Replace(_) | Script::ShortenAndPanic(_) => queued > 0,
            Script::Append(_) | Script::Fail(_) | Script::Panic(_) => false,
        };
        let appended = match script {
            Script::Append(bytes) | Script::Shorten(_, bytes) | Script::Replace(bytes) => bytes,
            Script::Fail(_) | Script::Panic(_) | Script::ShortenAndPanic(_) => &Vec::new(),
        };
        let result = match outcome {
            Ok(Err(SendPacketError::Closed(_))) => return assert!(self.closed),
            _ if self.closed => panic!("{outcome:?} when closed"),
            Ok(Err(SendPacketError::QueueFull)) => {
                let room = self.limits.outgoing.saturating_sub(queued + overhead);
                // Which may be known before the protocol is asked.
                return assert!(appended.len() >= room || room == 0, "room for {room}");
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
                assert!(appended.len() <= self.limits.datagram.min(65_507));
                assert!(queued + appended.len() <= self.limits.outgoing);
                self.outgoing.push_back(appended.clone());
            }
            (Script::Panic(_) | Script::ShortenAndPanic(_), Err(error)) => assert!(error.is_none()),
            (Script::Fail(_), Err(error)) => {
                assert!(matches!(error, Some(SendPacketError::Serialize(_))));
            }
            (_, Err(Some(SendPacketError::TooLarge { size, max }))) => {
                assert!(!destroys);
                assert_eq!(size, appended.len());
                assert!(size > max && max <= self.limits.datagram);
                let alone = self.limits.outgoing.saturating_sub(MAX_OVERHEAD);
                assert!(max >= self.limits.datagram.min(65_507).min(alone));
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
        assert_eq!(transmit.destination(), source(0));
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
                transmit.sent_first(first);
                first.min(n)
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
    fn handle(&mut self, from: usize, contents: &[u8], stride: usize, entry: Entry) {
        let dropped_before = self.client.stats().dropped;
        let bytes = Bytes::copy_from_slice(contents);
        match entry {
            Entry::One => self.client.handle_datagram(source(from), bytes),
            Entry::Many => self.client.handle_datagrams(source(from), bytes, stride),
            Entry::Lent => {
                let incoming = self.client.incoming_mut();
                incoming.handle_lent(source(from), bytes, stride);
            }
        }

        let mut batch: VecDeque<Vec<u8>> = if contents.is_empty() || stride == 0 {
            [contents.to_vec()].into()
        } else {
            contents.chunks(stride).map(<[u8]>::to_vec).collect()
        };
        self.expected.datagrams_in += batch.len() as u64;
        self.expected.bytes_in += contents.len() as u64;
        if from >= 3 {
            self.expected.ignored += batch.len() as u64;
            return;
        }
        // How many fit is not modelled, only that the bounds are kept and room is made use of.
        let dropped = (self.client.stats().dropped - dropped_before) as usize;
        self.expected.dropped += dropped as u64;
        let first_dropped = batch.len() - dropped;
        let held = self.incoming.iter().map(|(bytes, _)| bytes).sum::<usize>();
        if dropped > 0 {
            let needed: usize = batch.iter().take(first_dropped + 1).map(Vec::len).sum();
            let overhead = MAX_OVERHEAD * (self.incoming.len() + 1);
            assert!(held + needed + overhead > self.limits.incoming);
        }
        batch.truncate(first_dropped);
        if !batch.is_empty() {
            let bytes = batch.iter().map(Vec::len).sum();
            assert!(held + bytes <= self.limits.incoming);
            self.incoming.push_back((bytes, batch));
        }
    }

    #[track_caller]
    fn poll(&mut self) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.client.poll_packet()));
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
    fn check(&mut self) {
        let stats = self.client.stats();
        let queued_in: usize = self.incoming.iter().map(|(_, batch)| batch.len()).sum();

        assert_eq!(stats, self.expected);
        assert_eq!(self.parsed.load(Relaxed), self.polled);
        assert_eq!(self.delivered + stats.parse_errors, self.polled);
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

    #[track_caller]
    fn drain(&mut self) {
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
}

/// How datagrams come in.
enum Entry {
    One,
    Many,
    Lent,
}

/// What becomes of a received datagram.
enum Verdict {
    Packet,
    Error,
    Panic,
}

impl Verdict {
    fn on(datagram: &[u8]) -> Self {
        match datagram.first() {
            Some(1..=100) => Self::Error,
            Some(101..=130) => Self::Panic,
            _ => Self::Packet,
        }
    }
}

/// Does as it is told, and counts what it parses.
#[derive(Clone)]
struct Scripted(Arc<AtomicU64>);

impl DatagramProtocol for Scripted {
    type Sent = Script;
    type Received = Bytes;

    fn make_datagram(&self, packet: &Script, out: &mut BytesMut) -> Result<(), SerializeError> {
        match packet {
            Script::Append(bytes) => out.extend_from_slice(bytes),
            Script::Fail(bytes) => {
                out.extend_from_slice(bytes);
                return Err(SerializeError::new("told to"));
            }
            Script::Panic(bytes) => {
                out.extend_from_slice(bytes);
                // Without the message that `panic!` prints.
                resume_unwind(Box::new("told to"));
            }
            Script::Shorten(by, bytes) => {
                out.truncate(out.len().saturating_sub(*by));
                out.extend_from_slice(bytes);
            }
            Script::Replace(bytes) => *out = BytesMut::from(&bytes[..]),
            Script::ShortenAndPanic(by) => {
                out.truncate(out.len().saturating_sub(*by));
                resume_unwind(Box::new("told to"));
            }
        }
        Ok(())
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Bytes, PacketError> {
        self.0.fetch_add(1, Relaxed);
        match Verdict::on(&datagram) {
            Verdict::Packet => Ok(datagram.to_bytes()),
            Verdict::Error => Err(DeserializeError::new("told to").into()),
            Verdict::Panic => resume_unwind(Box::new("told to")),
        }
    }
}

/// A client, whole or in halves.
enum Client {
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
    fn split(&mut self) {
        *self = match mem::replace(self, Self::Gone) {
            Self::Whole(client) => {
                let (sender, receiver) = client.split();
                Self::Halves(sender, receiver)
            }
            halves => halves,
        };
    }

    fn send_packet(&mut self, packet: &Script) -> Result<(), SendPacketError> {
        either!(self, half: sender => half.send_packet(packet))
    }

    fn poll_transmit(&mut self, max_segments: usize) -> Option<Transmit<'_>> {
        either!(self, half: sender => half.poll_transmit(max_segments))
    }

    fn close(&mut self) {
        either!(self, half: sender => half.close());
    }

    fn is_closing(&self) -> bool {
        either!(self, half: sender => half.is_closing())
    }

    fn is_closed(&self) -> bool {
        either!(self, half: sender => half.is_closed())
    }

    fn outgoing_mut(&mut self) -> &mut Outgoing {
        either!(self, half: sender => half.outgoing_mut())
    }

    fn incoming_mut(&mut self) -> &mut Incoming {
        either!(self, half: receiver => half.incoming_mut())
    }

    fn handle_datagram(&mut self, source: SocketAddr, datagram: Bytes) {
        either!(self, half: receiver => half.handle_datagram(source, datagram));
    }

    fn handle_datagrams(&mut self, source: SocketAddr, contents: Bytes, stride: usize) {
        either!(self, half: receiver => half.handle_datagrams(source, contents, stride));
    }

    fn poll_packet(&mut self) -> Option<Result<Bytes, DatagramProtocolParseError>> {
        either!(self, half: receiver => half.poll_packet())
    }

    fn stats(&self) -> Stats {
        match self {
            Self::Whole(client) => client.stats(),
            Self::Halves(sender, receiver) => sender.stats().merged_with(receiver.stats()),
            Self::Gone => unreachable!(),
        }
    }
}
