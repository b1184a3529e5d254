//! What is the blocking client's own: its timeouts, which include waiting for a lock, and what it is
//! made of. What it has in common with other drivers is under test in the `datagram-tests` package.

use std::{
    net::UdpSocket,
    sync::{
        Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use datagram_driver_mio::{ReceivedPackets, RecvError, SendError, UdpNetworkClient};
use datagram_protocol_core::{
    Datagram, DatagramProtocol, PacketError, Raw, SerializeError, json::Json,
};

const DEADLINE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);

#[test]
fn client_is_shared_by_threads() {
    fn is_shared<T: Send + Sync + Clone + 'static>() {}
    fn is_sent<T: Send + Sync>() {}

    is_shared::<UdpNetworkClient<Raw>>();
    is_shared::<UdpNetworkClient<Json<str, String>>>();
    is_shared::<UdpNetworkClient<Box<Stopping>>>();
    is_sent::<ReceivedPackets<'_, Raw>>();
}

#[test]
fn client_is_one_pointer() {
    assert_eq!(size_of::<UdpNetworkClient<Raw>>(), size_of::<usize>());
    assert_eq!(
        size_of::<Option<UdpNetworkClient<Raw>>>(),
        size_of::<usize>()
    );
}

#[test]
fn client_of_borrowed_packets_and_protocol_lives_as_long_as_they_do() {
    let protocol = Raw;
    let (client, peer) = connected(&protocol);
    let packet = b"borrowed".to_vec();

    client.send_packet(&packet).unwrap();

    let mut buffer = [0; 100];
    assert_eq!(peer.recv(&mut buffer).unwrap(), packet.len());
}

#[test]
fn debug_tells_addresses_and_whether_it_is_closed() {
    let (client, peer) = connected(Raw);
    let address = peer.local_addr().unwrap().to_string();

    let open = format!("{client:?}");
    client.close();
    let closed = format!("{client:?}");

    assert!(open.contains(&address) && open.contains("is_closed: false"));
    assert!(closed.contains(&address) && closed.contains("is_closed: true"));
}

#[test]
fn send_with_a_timeout_sends() {
    let (client, peer) = connected(Raw);

    for timeout in [Duration::ZERO, SHORT, Duration::MAX] {
        client.send_packet_timeout(b"hello", timeout).unwrap();

        let mut buffer = [0; 100];
        assert_eq!(peer.recv(&mut buffer).unwrap(), 5);
    }
}

#[test]
fn timeout_of_a_send_includes_waiting_for_other_senders() {
    let (protocol, stopped) = Stopping::new();
    let (client, peer) = connected(protocol);
    thread::scope(|scope| {
        scope.spawn(|| client.send_packet(b"stop").unwrap());
        stopped.wait();

        for timeout in [Duration::ZERO, SHORT] {
            let start = Instant::now();
            let error = client.send_packet_timeout(b"late", timeout).unwrap_err();

            assert!(matches!(error, SendError::TimedOut), "{error:?}");
            assert!(!error.was_sent() && !error.is_fatal());
            assert!(start.elapsed() >= timeout);
        }
        stopped.go_on();
    });

    let mut buffer = [0; 100];
    assert_eq!(peer.recv(&mut buffer).unwrap(), 4);
    client.send_packet(b"next one").unwrap();
    assert_eq!(peer.recv(&mut buffer).unwrap(), 8);
}

/// Each try is taken off the queue, and counted.
#[cfg(target_os = "linux")]
#[test]
fn lack_of_buffers_is_tried_again_only_within_the_timeout() {
    let Ok(peer) = UdpSocket::bind("[::1]:0") else {
        eprintln!("SKIPPED: this machine has no IPv6");
        return;
    };
    let client = UdpNetworkClient::connect(peer.local_addr().unwrap(), Raw).unwrap();
    client.socket().unwrap().set_send_buffer_size(0).unwrap();

    // In fragments, the second of which finds no room.
    let error = client
        .send_packet_timeout(&[7; 65_527], Duration::ZERO)
        .unwrap_err();

    assert!(error.is_out_of_buffers(), "{error:?}");
    assert_eq!(client.stats().dropped, 1);
}

#[test]
fn timeout_of_a_receive_includes_waiting_for_other_receivers() {
    let (protocol, stopped) = Stopping::new();
    let (client, peer) = connected(protocol);
    peer.send(b"stop").unwrap();
    peer.send(b"behind").unwrap();
    thread::scope(|scope| {
        scope.spawn(|| client.recv_packet().unwrap());
        stopped.wait();

        for timeout in [Duration::ZERO, SHORT] {
            let start = Instant::now();
            let error = client.recv_packet_timeout(timeout).unwrap_err();
            assert!(matches!(error, RecvError::TimedOut), "{error:?}");
            assert!(start.elapsed() >= timeout);

            let start = Instant::now();
            assert!(client.iter_received_packets(timeout).next().is_none());
            assert!(start.elapsed() >= timeout);
        }
        stopped.go_on();
    });

    assert_eq!(client.recv_packet_timeout(DEADLINE).unwrap(), "behind");
}

#[test]
fn timeout_of_a_receive_includes_waiting_for_one_that_sleeps() {
    let (client, peer) = connected(Raw);
    thread::scope(|scope| {
        let sleeping = scope.spawn(|| client.recv_packet());
        for _ in 0..5 {
            let start = Instant::now();
            let error = client.recv_packet_timeout(SHORT).unwrap_err();
            assert!(matches!(error, RecvError::TimedOut), "{error:?}");
            assert!(start.elapsed() >= SHORT);
        }

        peer.send(b"at last").unwrap();

        assert_eq!(sleeping.join().unwrap().unwrap(), "at last");
    });
}

#[test]
fn one_that_gives_up_leaves_the_others_waiting() {
    let (client, peer) = connected(Raw);
    thread::scope(|scope| {
        // Whoever waits in the system gives up first, and somebody else has to.
        let patient = [(); 3].map(|()| {
            scope.spawn(|| {
                let first = client.recv_packet_timeout(SHORT);
                assert!(matches!(first, Err(RecvError::TimedOut)), "{first:?}");
                client.recv_packet_timeout(DEADLINE).unwrap()
            })
        });
        let gave_up = [(); 3].map(|()| scope.spawn(|| client.recv_packet_timeout(2 * SHORT)));
        for gave_up in gave_up {
            assert!(matches!(gave_up.join().unwrap(), Err(RecvError::TimedOut)));
        }

        for packet in [b"a", b"b", b"c"] {
            peer.send(packet).unwrap();
        }

        let mut packets = patient.map(|patient| patient.join().unwrap());
        packets.sort();
        assert_eq!(packets, ["a", "b", "c"]);
    });
}

#[test]
fn close_ends_senders_that_wait_for_the_lock() {
    let (protocol, stopped) = Stopping::new();
    let (client, _peer) = connected(protocol);
    thread::scope(|scope| {
        let inside = scope.spawn(|| client.send_packet(b"stop"));
        stopped.wait();
        let waiting = scope.spawn(|| client.send_packet(b"waiting"));
        let closing = scope.spawn(|| client.close());
        while !client.is_closed() {
            thread::yield_now();
        }

        // Nobody has to wait for the lock to learn that.
        assert!(client.local_address().is_err());
        stopped.go_on();

        closing.join().unwrap();
        // It was under way when the client was closed; either answer is true.
        let inside = inside.join().unwrap();
        assert!(
            matches!(inside, Ok(()) | Err(SendError::Closed(_))),
            "{inside:?}"
        );
        // It never got in.
        let waiting = waiting.join().unwrap();
        assert!(matches!(waiting, Err(SendError::Closed(_))), "{waiting:?}");
    });
}

fn connected<P: DatagramProtocol>(protocol: P) -> (UdpNetworkClient<P>, UdpSocket) {
    let peer = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    peer.set_read_timeout(Some(DEADLINE))
        .expect("it is not zero");
    let address = peer.local_addr().expect("it is bound");
    let client = UdpNetworkClient::connect(address, protocol).expect("loopback is reachable");
    let address = client.local_address().expect("it is open");
    peer.connect(address).expect("loopback is reachable");
    (client, peer)
}

/// Bytes as they are; but it blocks while it serializes or parses `stop`, until told to go on.
struct Stopping {
    stopped: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

struct Stopped {
    stopped: Receiver<()>,
    go_on: Sender<()>,
}

impl Stopping {
    fn new() -> (Self, Stopped) {
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
        if bytes == b"stop" {
            self.stopped.send(()).expect("somebody waits for it");
            let go_on = self.go_on.lock().expect("nobody panicked in here");
            go_on.recv_timeout(DEADLINE).expect("it is told to go on");
        }
    }
}

impl Stopped {
    #[track_caller]
    fn wait(&self) {
        self.stopped
            .recv_timeout(DEADLINE)
            .expect("the protocol gets to work");
    }

    fn go_on(&self) {
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
