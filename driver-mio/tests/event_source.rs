//! The event source in an event loop: many of them in one thread, edge triggering, partial work per
//! wake-up, errors, closing. What the socket decides of its own accord, when it would block, is under
//! test in `event_source.rs` itself.

use std::{
    collections::VecDeque,
    io,
    net::{SocketAddr, UdpSocket},
    panic::{AssertUnwindSafe, catch_unwind},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use bytes::BytesMut;
use datagram_driver_mio::{ConnectOptions, RecvError, SendError, UdpEventSource};
use datagram_protocol_core::{
    ClientConfig, Datagram, DatagramProtocol, PacketError, Raw, SerializeError, json::Json,
};
use mio::{Events, Interest, Poll, Token};

const DEADLINE: Duration = Duration::from_secs(20);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const LOCALHOSTS: [&str; 2] = ["127.0.0.1:0", "[::1]:0"];

#[test]
fn source_may_move_between_threads() {
    fn is_shared<T: Send + Sync + 'static>() {}

    is_shared::<UdpEventSource<Raw>>();
    is_shared::<UdpEventSource<Json<str, String>>>();
}

#[test]
fn hundreds_of_sources_in_one_thread_get_each_packet_once() {
    const SOURCES: usize = 300;
    const PACKETS: usize = 20;
    /// Datagrams under way at once, few enough for every system's default receive buffer.
    const WINDOW: usize = 64;
    /// Packets that a source takes per wake-up.
    const TURN: usize = 2;

    for localhost in LOCALHOSTS {
        let peer = EchoPeer::start(localhost);
        let mut poll = EventLoop::new();
        let mut sources = (0..SOURCES)
            .map(|index| {
                let mut source = UdpEventSource::connect(
                    peer.address,
                    Json::<(usize, usize), (usize, usize)>::new(),
                )
                .unwrap();
                poll.register(&mut source, index);
                source
            })
            .collect::<Vec<_>>();
        let mut to_send = (0..PACKETS)
            .flat_map(|number| (0..SOURCES).map(move |index| (index, number)))
            .collect::<VecDeque<_>>();
        let mut received = vec![[0; PACKETS]; SOURCES];
        let (mut under_way, mut missing) = (0, SOURCES * PACKETS);
        let mut undrained = VecDeque::new();

        while missing > 0 {
            for packet in to_send.drain(..to_send.len().min(WINDOW - under_way)) {
                sources[packet.0].try_send_packet(&packet).unwrap();
                under_way += 1;
            }
            for (index, readiness) in poll.turn(undrained.is_empty()) {
                if readiness.is_writable {
                    sources[index].flush().unwrap();
                }
                if readiness.is_readable && !undrained.contains(&index) {
                    undrained.push_back(index);
                }
            }
            undrained.retain(|&index| {
                for _ in 0..TURN {
                    let Some(packet) = sources[index].try_recv_packet().unwrap() else {
                        return false;
                    };
                    assert_eq!(packet.0, index);
                    received[index][packet.1] += 1;
                    under_way -= 1;
                    missing -= 1;
                }
                true
            });
        }

        assert_eq!(peer.stop(), SOURCES * PACKETS);
        for (source, received) in sources.iter_mut().zip(received) {
            assert_eq!(received, [1; PACKETS]);
            assert!(source.try_recv_packet().unwrap().is_none());
            assert!(!source.wants_write());
            assert_eq!(source.stats().datagrams_out, PACKETS as u64);
            assert_eq!(source.stats().datagrams_in, PACKETS as u64);
        }
    }
}

#[test]
fn burst_is_drained_after_one_event_and_partial_work_loses_nothing() {
    const BURST: u32 = 100;

    for (localhost, offload) in LOCALHOSTS.into_iter().zip([true, false]) {
        let options = ConnectOptions::new().offload(offload);
        let (mut source, peer) = connected_with(localhost, Json::<u32, u32>::new(), &options);
        let mut poll = EventLoop::new();
        poll.register(&mut source, 0);

        for number in 0..BURST {
            peer.send(number.to_string().as_bytes()).unwrap();
        }
        poll.wait(|readiness| readiness.is_readable);
        let mut expected = 0..BURST;
        // Some now, and the rest on a later turn, without another event.
        for number in expected.by_ref().take(3) {
            assert_eq!(source.try_recv_packet().unwrap(), Some(number));
        }
        for number in expected {
            assert_eq!(source.try_recv_packet().unwrap(), Some(number));
        }
        assert_eq!(source.try_recv_packet().unwrap(), None);

        // It was drained, so the next one is an event.
        poll.turn(false);
        peer.send(b"7").unwrap();
        poll.wait(|readiness| readiness.is_readable);
        assert_eq!(source.try_recv_packet().unwrap(), Some(7));
        assert_eq!(source.try_recv_packet().unwrap(), None);
    }
}

/// A peer that sends nothing but what has no room must not keep a call from ever returning.
#[test]
fn flood_of_dropped_datagrams_ends_a_call_with_an_error() {
    const FLOOD: u64 = 150;
    let config = ClientConfig::new().incoming_bytes(150);
    let options = ConnectOptions::new()
        .recv_buffer_size(400_000)
        .client_config(config);
    let (mut source, peer) = connected_with(LOCALHOSTS[0], Raw, &options);
    for _ in 0..FLOOD {
        peer.send(&[7; 300]).unwrap();
    }
    peer.send(b"last").unwrap();

    let mut dropped = Vec::new();
    let last = loop {
        let before = source.stats().dropped;
        match source.try_recv_packet() {
            Ok(packet) => break packet,
            Err(error) => {
                assert!(dropped.len() < FLOOD as usize && !error.is_fatal());
                assert!(matches!(&error, RecvError::Io(error)
                    if error.kind() == io::ErrorKind::Interrupted));
            }
        }
        dropped.push(source.stats().dropped - before);
    };

    assert_eq!(last.unwrap(), "last");
    assert_eq!(source.stats().dropped, FLOOD);
    assert!(dropped.len() >= 2 && dropped.iter().all(|&most| most < 100));
    assert_eq!(source.try_recv_packet().unwrap(), None);
}

/// The loop that the documentation asks for: a bounded number of packets a turn.
#[test]
fn busy_source_that_is_not_drained_leaves_the_others_their_turn() {
    const TURN: usize = 16;
    const BURST: usize = 100;
    let options = ConnectOptions::new().recv_buffer_size(400_000);
    let (mut busy, busy_peer) = connected_with(LOCALHOSTS[0], Raw, &options);
    let (mut quiet, quiet_peer) = connected(Raw);
    let mut poll = EventLoop::new();
    poll.register(&mut busy, 0);
    poll.register(&mut quiet, 1);
    for _ in 0..BURST {
        busy_peer.send(b"burst").unwrap();
    }
    poll.wait(|readiness| readiness.is_readable);

    let mut received = 0;
    while received < BURST {
        let turn = (BURST - received).min(TURN);
        for _ in 0..turn {
            assert_eq!(busy.try_recv_packet().unwrap().unwrap(), "burst");
        }
        received += turn;
        quiet_peer.send(b"quiet").unwrap();
        let is_quiet = |(index, readiness): (usize, Readiness)| index == 1 && readiness.is_readable;
        while !poll.turn(true).into_iter().any(is_quiet) {}
        assert_eq!(quiet.try_recv_packet().unwrap().unwrap(), "quiet");
        assert_eq!(quiet.try_recv_packet().unwrap(), None);
    }

    assert_eq!(busy.try_recv_packet().unwrap(), None);
}

#[test]
fn sent_packets_leave_nothing_to_write() {
    let (mut source, peer) = connected(Raw);
    assert!(!source.wants_write());

    source.try_send_packet(b"").unwrap();
    source.try_send_packet(b"one").unwrap();
    source.flush().unwrap();

    assert!(!source.wants_write());
    assert_eq!(received_by(&peer), b"");
    assert_eq!(received_by(&peer), b"one");
}

#[test]
fn queue_that_holds_one_datagram_is_no_limit_to_a_socket_that_takes_them() {
    let config = ClientConfig::new().outgoing_bytes(100);
    let options = ConnectOptions::new().client_config(config);
    let (mut source, peer) = connected_with(LOCALHOSTS[0], Raw, &options);

    for number in 0..100_u8 {
        source.try_send_packet(&[number; 60]).unwrap();
        assert_eq!(received_by(&peer), [number; 60]);
    }
    let error = source.try_send_packet(&[0; 101]).unwrap_err();

    assert!(
        matches!(error, SendError::TooLarge { size: 101, .. }),
        "{error:?}"
    );
    assert!(!source.wants_write());
}

#[test]
fn bad_datagram_is_one_error_and_the_next_is_received() {
    let (mut source, peer) = connected(Json::<u32, u32>::new());
    let mut poll = EventLoop::new();
    poll.register(&mut source, 0);

    for datagram in [&b"1"[..], b"{ not JSON", b"2"] {
        peer.send(datagram).unwrap();
    }
    poll.wait(|readiness| readiness.is_readable);

    assert_eq!(source.try_recv_packet().unwrap(), Some(1));
    let error = source.try_recv_packet().unwrap_err();
    let RecvError::Parse(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.datagram()[..], b"{ not JSON"[..]);
    assert_eq!(source.try_recv_packet().unwrap(), Some(2));
    assert_eq!(source.try_recv_packet().unwrap(), None);
    assert_eq!(source.stats().parse_errors, 1);
}

#[test]
fn empty_datagram_is_a_packet() {
    let (mut source, peer) = connected(Raw);
    let mut poll = EventLoop::new();
    poll.register(&mut source, 0);

    peer.send(b"").unwrap();
    poll.wait(|readiness| readiness.is_readable);

    assert_eq!(source.try_recv_packet().unwrap().unwrap(), &b""[..]);
    assert!(source.try_recv_packet().unwrap().is_none());
}

#[cfg(target_os = "linux")]
#[test]
fn refused_peer_is_reported_by_that_send_and_the_source_works_on() {
    for localhost in LOCALHOSTS {
        let (mut source, peer) = connected_with(localhost, Raw, &ConnectOptions::new());
        drop(peer);

        for _ in 0..3 {
            let error = source.try_send_packet(b"anybody?").unwrap_err();

            assert!(error.was_sent());
            assert_eq!(
                io::Error::from(error).kind(),
                io::ErrorKind::ConnectionRefused
            );
            assert!(!source.wants_write());
            assert!(source.try_recv_packet().unwrap().is_none());
        }
        assert_eq!(source.stats().datagrams_out, 3);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn refusal_that_no_send_has_met_is_an_event_and_one_error() {
    for interest in [Interest::READABLE, BOTH] {
        let peer = UdpSocket::bind(LOCALHOSTS[0]).unwrap();
        let socket = UdpSocket::bind(LOCALHOSTS[0]).unwrap();
        socket.connect(peer.local_addr().unwrap()).unwrap();
        let twin = socket.try_clone().unwrap();
        let mut source = UdpEventSource::from_socket(socket, Raw).unwrap();
        let mut poll = EventLoop::new();
        poll.poll
            .registry()
            .register(&mut source, Token(0), interest)
            .unwrap();
        drop(peer);

        twin.send(b"behind its back").unwrap();
        poll.wait(|readiness| readiness.is_readable);

        let error = source.try_recv_packet().unwrap_err();
        assert!(matches!(error, RecvError::Unreachable(_)), "{error:?}");
        assert!(!error.is_fatal());
        assert!(source.try_recv_packet().unwrap().is_none());
    }
}

#[test]
fn closed_source_refuses_everything_and_stays_registered() {
    let (mut source, peer) = connected(Raw);
    let mut poll = EventLoop::new();
    poll.register(&mut source, 0);
    source.try_send_packet(b"before").unwrap();
    peer.send(b"unread").unwrap();
    assert!(!source.is_closing() && !source.is_closed());

    source.close();
    source.close();

    assert!(source.is_closing() && source.is_closed() && !source.wants_write());
    let error = source.try_send_packet(b"after").unwrap_err();
    assert!(matches!(error, SendError::Closed(_)), "{error:?}");
    let error = source.try_recv_packet().unwrap_err();
    assert!(matches!(error, RecvError::Closed(_)), "{error:?}");
    for address in [source.local_address(), source.remote_address()] {
        assert_eq!(address.unwrap_err().kind(), io::ErrorKind::NotConnected);
    }
    source.flush().unwrap();
    assert_eq!(received_by(&peer), b"before");
    assert_eq!(source.stats().datagrams_out, 1);
    poll.poll
        .registry()
        .reregister(&mut source, Token(1), BOTH)
        .unwrap();
    poll.poll.registry().deregister(&mut source).unwrap();
}

#[test]
fn source_can_be_closed_before_it_is_registered() {
    let (mut source, _peer) = connected(Raw);

    source.close();

    let mut poll = EventLoop::new();
    poll.register(&mut source, 0);
    poll.wait(|readiness| readiness.is_writable);
    poll.poll.registry().deregister(&mut source).unwrap();
    assert!(source.is_closed());
}

#[test]
fn reregistered_source_goes_by_its_new_token() {
    let (mut source, _peer) = connected(Raw);
    let mut poll = EventLoop::new();
    poll.register(&mut source, 0);
    let first = poll.turn(true);

    poll.poll
        .registry()
        .reregister(&mut source, Token(1), BOTH)
        .unwrap();
    let then = poll.turn(true);

    assert!(first.iter().all(|(index, _)| *index == 0), "{first:?}");
    assert!(!then.is_empty());
    assert!(then.iter().all(|(index, _)| *index == 1), "{then:?}");
}

#[test]
fn deregistered_source_works_and_gives_no_events() {
    let (mut source, peer) = connected(Raw);
    let mut poll = EventLoop::new();
    poll.register(&mut source, 0);
    poll.poll.registry().deregister(&mut source).unwrap();

    peer.send(b"unseen").unwrap();
    source.try_send_packet(b"sent").unwrap();

    assert!(poll.turn(false).is_empty());
    assert_eq!(received_by(&peer), b"sent");
    let deadline = Instant::now() + DEADLINE;
    let packet = loop {
        assert!(Instant::now() < deadline);
        if let Some(packet) = source.try_recv_packet().unwrap() {
            break packet;
        }
    };
    assert_eq!(packet, &b"unseen"[..]);
}

#[test]
fn dropped_source_is_gone_from_the_loop() {
    let (mut source, peer) = connected(Raw);
    let mut poll = EventLoop::new();
    poll.register(&mut source, 0);
    poll.wait(|readiness| readiness.is_writable);

    drop(source);
    // May be refused by now.
    let _refused = peer.send(b"nobody");

    assert!(poll.turn(false).is_empty());
}

#[test]
fn panic_of_the_protocol_passes_through_and_the_source_works_on() {
    let (mut source, peer) = connected(Dying);
    let mut poll = EventLoop::new();
    poll.register(&mut source, 0);
    for datagram in [&b"die"[..], b"live"] {
        peer.send(datagram).unwrap();
    }
    poll.wait(|readiness| readiness.is_readable);

    catch_unwind(AssertUnwindSafe(|| source.try_send_packet("die"))).unwrap_err();
    catch_unwind(AssertUnwindSafe(|| source.try_recv_packet())).unwrap_err();

    assert_eq!(source.try_recv_packet().unwrap().as_deref(), Some("live"));
    source.try_send_packet("live").unwrap();
    assert_eq!(received_by(&peer), b"live");
    assert!(!source.wants_write());
}

#[test]
fn given_socket_has_to_be_connected() {
    let unconnected = UdpSocket::bind(LOCALHOSTS[0]).unwrap();

    let error = UdpEventSource::from_socket(unconnected, Raw).unwrap_err();

    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
}

#[test]
fn source_tells_its_addresses() {
    let peer = UdpSocket::bind(LOCALHOSTS[1]).unwrap();
    let address = peer.local_addr().unwrap();

    let source = UdpEventSource::connect(("::1", address.port()), Raw).unwrap();

    assert_eq!(source.remote_address().unwrap(), address);
    assert!(source.local_address().unwrap().is_ipv6());
    let debug = format!("{source:?}");
    assert!(debug.contains(&address.to_string()), "{debug}");
}

#[test]
fn rebound_source_is_registered_anew_and_loses_nothing() {
    for localhost in LOCALHOSTS {
        let peer = UdpSocket::bind(localhost).unwrap();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut poll = EventLoop::new();
        let mut source = UdpEventSource::connect(peer.local_addr().unwrap(), Raw).unwrap();
        let old_address = source.local_address().unwrap();
        poll.register(&mut source, 0);
        peer.send_to(b"to the old socket", old_address).unwrap();
        poll.wait(|readiness| readiness.is_readable);

        source.rebind().unwrap();
        poll.register(&mut source, 0);

        assert_ne!(source.local_address().unwrap(), old_address);
        assert_eq!(
            source.try_recv_packet().unwrap().unwrap(),
            &b"to the old socket"[..]
        );
        assert!(source.try_recv_packet().unwrap().is_none());
        source.try_send_packet(b"ping").unwrap();
        let (len, new_address) = peer.recv_from(&mut [0; 9]).unwrap();
        assert_eq!(len, 4);
        peer.send_to(b"pong", new_address).unwrap();
        poll.wait(|readiness| readiness.is_readable);
        assert_eq!(source.try_recv_packet().unwrap().unwrap(), &b"pong"[..]);
        drop(UdpSocket::bind(old_address).unwrap());
    }
}

#[test]
fn source_that_cannot_be_rebound_stays_as_it_was() {
    let peer = UdpSocket::bind(LOCALHOSTS[0]).unwrap();
    let mut source = UdpEventSource::connect(peer.local_addr().unwrap(), Raw).unwrap();
    let address = source.local_address().unwrap();

    let has_moved = source.re_resolve().unwrap();
    let unmoved = source.local_address().unwrap();
    source.close();
    let error = source.rebind().unwrap_err();

    assert!(!has_moved);
    assert_eq!(unmoved, address);
    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
}

/// Dies of one packet.
#[derive(Debug)]
struct Dying;

impl DatagramProtocol for Dying {
    type Sent = str;
    type Received = String;

    fn make_datagram(&self, packet: &str, datagram: &mut BytesMut) -> Result<(), SerializeError> {
        datagram.extend_from_slice(packet.as_bytes());
        assert_ne!(packet, "die");
        Ok(())
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<String, PacketError> {
        let packet = String::from_utf8_lossy(&datagram).into_owned();
        assert_ne!(packet, "die");
        Ok(packet)
    }
}

#[track_caller]
fn connected<P: DatagramProtocol>(protocol: P) -> (UdpEventSource<P>, UdpSocket) {
    connected_with(LOCALHOSTS[0], protocol, &ConnectOptions::new())
}

/// Connects a source to a peer, and the peer to it.
#[track_caller]
fn connected_with<P: DatagramProtocol>(
    localhost: &str,
    protocol: P,
    options: &ConnectOptions,
) -> (UdpEventSource<P>, UdpSocket) {
    let peer = UdpSocket::bind(localhost).expect("loopback has a free port");
    let source =
        UdpEventSource::connect_with(peer.local_addr().expect("it is bound"), protocol, options)
            .expect("loopback is reachable");
    peer.connect(source.local_address().expect("it is open"))
        .expect("loopback is reachable");
    peer.set_read_timeout(Some(DEADLINE))
        .expect("it is not zero");
    (source, peer)
}

#[track_caller]
fn received_by(peer: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 1000];
    let len = peer.recv(&mut buffer).expect("a datagram was sent");
    buffer[..len].to_vec()
}

#[derive(Debug, Clone, Copy)]
struct Readiness {
    is_readable: bool,
    is_writable: bool,
}

/// A `Poll` that gives up after a while.
struct EventLoop {
    poll: Poll,
    events: Events,
    deadline: Instant,
}

impl EventLoop {
    fn new() -> Self {
        Self {
            poll: Poll::new().expect("there are descriptors left"),
            events: Events::with_capacity(64),
            deadline: Instant::now() + DEADLINE,
        }
    }

    #[track_caller]
    fn register<P: DatagramProtocol>(&mut self, source: &mut UdpEventSource<P>, index: usize) {
        self.poll
            .registry()
            .register(source, Token(index), BOTH)
            .expect("it is in no other registry");
    }

    /// Polls once, and returns the readiness of each source that has an event.
    #[track_caller]
    fn turn(&mut self, may_wait: bool) -> Vec<(usize, Readiness)> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "the deadline has passed");
        let timeout = if may_wait { left } else { Duration::ZERO };
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Vec::new(),
            polled => polled.expect("the poll works"),
        }
        self.events
            .iter()
            .map(|event| {
                let readiness = Readiness {
                    is_readable: event.is_readable() || event.is_error(),
                    is_writable: event.is_writable(),
                };
                (event.token().0, readiness)
            })
            .collect()
    }

    /// Polls until there is an event of this kind.
    #[track_caller]
    fn wait(&mut self, kind: impl Fn(Readiness) -> bool) {
        while !self
            .turn(true)
            .into_iter()
            .any(|(_, readiness)| kind(readiness))
        {}
    }
}

/// Sends every datagram back, and counts them, until it is stopped.
struct EchoPeer {
    address: SocketAddr,
    thread: JoinHandle<usize>,
}

impl EchoPeer {
    const STOP: &[u8] = b"stop";

    #[track_caller]
    fn start(localhost: &str) -> Self {
        let socket = UdpSocket::bind(localhost).expect("loopback has a free port");
        socket
            .set_read_timeout(Some(DEADLINE))
            .expect("it is not zero");
        let address = socket.local_addr().expect("it is bound");
        let thread = thread::spawn(move || {
            let mut buffer = [0; 1000];
            let mut echoed = 0;
            loop {
                let (len, source) = socket
                    .recv_from(&mut buffer)
                    .expect("it is stopped in time");
                if &buffer[..len] == Self::STOP {
                    return echoed;
                }
                socket
                    .send_to(&buffer[..len], source)
                    .expect("the source is there");
                echoed += 1;
            }
        });
        Self { address, thread }
    }

    /// Returns how many datagrams were echoed.
    #[track_caller]
    fn stop(self) -> usize {
        let local_address = SocketAddr::new(self.address.ip(), 0);
        let socket = UdpSocket::bind(local_address).expect("loopback has a free port");
        socket
            .send_to(Self::STOP, self.address)
            .expect("loopback is reachable");
        self.thread.join().expect("it has not panicked")
    }
}
