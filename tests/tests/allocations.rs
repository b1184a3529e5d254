//! Nothing is allocated for a packet of a fixed layout in the steady state, either way, through every
//! driver; only a segmented `sendmsg` may allocate once. And an idle client takes little. A binary of its own, since the counting
//! allocator is for the whole binary; it counts for each thread.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "the cases are tests, if called by them")]

use std::{future::Future, net::UdpSocket, pin::pin, thread, time::Duration};

use allocation_counter::measure;
use datagram_driver_mio::{UdpEventSource, UdpNetworkClient};
use datagram_driver_tokio::{AsyncUdpNetworkClient, PacketSink, ReceivedPackets};
use datagram_protocol_core::layout::Layout;
use datagram_tests::{DEADLINE, LOCALHOST_V4, Peer, in_background, settle};
use datagram_udp_socket::ConnectOptions;
use futures_util::{FutureExt, SinkExt, StreamExt};
use mio::{Events, Interest, Poll, Token};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

/// Rounds that may allocate, and rounds that are counted.
const WARM_UP: usize = 10;
const ROUNDS: usize = 50;
/// How long one case may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Packets in a burst.
const BURST: usize = 128;
/// Bytes in a small packet, and in a large one.
const SMALL: usize = 32;
const LARGE: usize = 1200;
/// Bytes in the longest run (the longest datagram towards IPv4).
const LONGEST_RUN: usize = 65_507;

/// A client of some driver, on the thread that counts.
trait Subject<const SIZE: usize> {
    fn around(socket: UdpSocket, options: &ConnectOptions) -> Self;
    fn send(&mut self, packet: &[u8; SIZE]);
    fn send_burst(&mut self, packets: &[[u8; SIZE]]);
    fn recv(&mut self) -> [u8; SIZE];
    /// Receives a packet that `send` sends once this waits for it. What `send` allocates is not
    /// counted.
    fn recv_awaited(&mut self, tally: &mut Tally, send: impl FnOnce() + Send) -> [u8; SIZE];
}

fn lone_packets_are_sent_without_allocation<const SIZE: usize, S: Subject<SIZE>>() {
    let (mut subject, peer) = connected::<SIZE, S>();

    let allocations = after_warm_up(|number, tally| {
        tally.count(|| subject.send(&[number; SIZE]));
        peer.expect(&[number; SIZE]);
    });

    assert_eq!(allocations, 0);
}

fn bursts_are_sent_with_one_allocation_a_run_at_most<const SIZE: usize, S: Subject<SIZE>>() {
    let runs = BURST.div_ceil(LONGEST_RUN / SIZE);
    for (offload, allowed) in [(false, 0), (true, runs)] {
        let (mut subject, peer) = connected_with::<SIZE, S>(offload);

        let allocations = after_warm_up(|number, tally| {
            tally.count(|| subject.send_burst(&[[number; SIZE]; BURST]));
            for _ in 0..BURST {
                peer.expect(&[number; SIZE]);
            }
        });

        assert!(
            allocations <= allowed * ROUNDS,
            "{allocations}, offload {offload}"
        );
    }
}

fn lone_packets_are_received_without_allocation<const SIZE: usize, S: Subject<SIZE>>() {
    let (mut subject, peer) = connected::<SIZE, S>();

    let allocations = after_warm_up(|number, tally| {
        peer.send([number; SIZE]);
        let packet = tally.count(|| subject.recv());
        assert_eq!(packet, [number; SIZE]);
    });

    assert_eq!(allocations, 0);
}

fn awaited_packets_are_received_without_allocation<const SIZE: usize, S: Subject<SIZE>>() {
    let (mut subject, peer) = connected::<SIZE, S>();

    let allocations = after_warm_up(|number, tally| {
        let packet = subject.recv_awaited(tally, || peer.send([number; SIZE]));
        assert_eq!(packet, [number; SIZE]);
    });

    assert_eq!(allocations, 0);
}

fn bursts_sent_plainly_are_received_without_allocation<const SIZE: usize, S: Subject<SIZE>>() {
    for offload in [false, true] {
        let (allocations, _) = receive_bursts::<SIZE, S>(false, offload);

        assert_eq!(allocations, 0, "offload {offload}");
    }
}

fn bursts_sent_with_offload_are_received_without_allocation<const SIZE: usize, S: Subject<SIZE>>() {
    let (allocations, is_glued) = receive_bursts::<SIZE, S>(true, true);

    assert_eq!(allocations, 0);
    assert_eq!(
        is_glued,
        cfg!(all(target_os = "linux", not(datagram_portable)))
    );
}

/// Returns the allocations of receiving, and whether receives were glued together by the end.
fn receive_bursts<const SIZE: usize, S: Subject<SIZE>>(
    from_offload: bool,
    to_offload: bool,
) -> (usize, bool) {
    let peer = Peer::bind(LOCALHOST_V4);
    let socket = UdpSocket::bind((LOCALHOST_V4, 0)).unwrap();
    socket.connect(peer.address()).unwrap();
    peer.connect(socket.local_addr().unwrap());
    let watched = socket.try_clone().unwrap();
    let options = ConnectOptions::new()
        .offload(to_offload)
        .recv_buffer_size(400_000);
    let mut subject = S::around(socket, &options);
    let from = UdpNetworkClient::from_socket_with(
        peer.into_socket(),
        Layout::<[u8; SIZE]>::new(),
        &ConnectOptions::new().offload(from_offload),
    )
    .unwrap();

    let allocations = after_warm_up(|number, tally| {
        assert_eq!(from.send_packets(&[[number; SIZE]; BURST]).unwrap(), BURST);
        tally.count(|| {
            for _ in 0..BURST {
                assert_eq!(subject.recv(), [number; SIZE]);
            }
        });
    });

    (allocations, is_glued(&watched))
}

#[cfg(target_os = "linux")]
fn is_glued(socket: &UdpSocket) -> bool {
    use nix::sys::socket::{getsockopt, sockopt::UdpGroSegment};

    getsockopt(socket, UdpGroSegment).unwrap()
}

#[cfg(not(target_os = "linux"))]
const fn is_glued(_: &UdpSocket) -> bool {
    false
}

macro_rules! allocation_suite {
    ($($name:ident: $subject:ident),+ $(,)?) => {
        $(mod $name {
            allocation_suite! { $subject:
                lone_packets_are_sent_without_allocation,
                bursts_are_sent_with_one_allocation_a_run_at_most,
                lone_packets_are_received_without_allocation,
                awaited_packets_are_received_without_allocation,
                bursts_sent_plainly_are_received_without_allocation,
                bursts_sent_with_offload_are_received_without_allocation,
            }
        })+
    };
    ($subject:ident: $($case:ident),+ $(,)?) => {
        $(
            #[test]
            fn $case() {
                use super::{LARGE, LIMIT, SMALL, $subject};

                super::in_background(|| {
                    super::$case::<SMALL, $subject<SMALL>>();
                    super::$case::<LARGE, $subject<LARGE>>();
                })
                .join_within(LIMIT);
            }
        )+
    };
}

allocation_suite! {
    blocking_client: Blocking,
    event_source: Source,
    async_client: Async,
    stream_and_sink: StreamAndSink,
    stream_with_timeout: StreamWithTimeout,
}

/// Bytes that a blocking client of a numeric address with the default options may take: 480 in two
/// allocations on a machine of 64 bits. What the allocator adds (8 bytes each, and rounding up to 16)
/// makes 496 of it, and 504 with the handle.
const IDLE_CLIENT: i64 = 480;

#[test]
fn idle_blocking_client_is_small() {
    let peer = Peer::bind(LOCALHOST_V4);
    let connect = || UdpNetworkClient::connect(peer.address(), Layout::<[u8; SMALL]>::new());
    let _first = connect().unwrap();
    let mut client = None;

    let idle = measure(|| client = Some(connect().unwrap()));

    assert!(client.is_some_and(|client| !client.is_closed()));
    assert!(idle.count_current <= 2, "{idle:?}");
    assert!(idle.bytes_current <= IDLE_CLIENT, "{idle:?}");
}

struct Blocking<const SIZE: usize>(UdpNetworkClient<Layout<[u8; SIZE]>>);

impl<const SIZE: usize> Subject<SIZE> for Blocking<SIZE> {
    fn around(socket: UdpSocket, options: &ConnectOptions) -> Self {
        Self(UdpNetworkClient::from_socket_with(socket, Layout::new(), options).unwrap())
    }

    fn send(&mut self, packet: &[u8; SIZE]) {
        self.0.send_packet(packet).unwrap();
    }

    fn send_burst(&mut self, packets: &[[u8; SIZE]]) {
        assert_eq!(self.0.send_packets(packets).unwrap(), packets.len());
    }

    fn recv(&mut self) -> [u8; SIZE] {
        self.0.recv_packet_timeout(DEADLINE).unwrap()
    }

    fn recv_awaited(&mut self, tally: &mut Tally, send: impl FnOnce() + Send) -> [u8; SIZE] {
        thread::scope(|scope| {
            scope.spawn(|| {
                settle();
                send();
            });
            tally.count(|| self.recv())
        })
    }
}

struct Source<const SIZE: usize> {
    source: UdpEventSource<Layout<[u8; SIZE]>>,
    poll: Poll,
    events: Events,
}

impl<const SIZE: usize> Subject<SIZE> for Source<SIZE> {
    fn around(socket: UdpSocket, options: &ConnectOptions) -> Self {
        let mut source = UdpEventSource::from_socket_with(socket, Layout::new(), options).unwrap();
        let poll = Poll::new().unwrap();
        poll.registry()
            .register(&mut source, Token(0), Interest::READABLE)
            .unwrap();
        Self {
            source,
            poll,
            events: Events::with_capacity(8),
        }
    }

    fn send(&mut self, packet: &[u8; SIZE]) {
        self.source.try_send_packet(packet).unwrap();
    }

    fn send_burst(&mut self, packets: &[[u8; SIZE]]) {
        packets.iter().for_each(|packet| self.send(packet));
    }

    fn recv(&mut self) -> [u8; SIZE] {
        loop {
            if let Some(packet) = self.source.try_recv_packet().unwrap() {
                return packet;
            }
            self.poll.poll(&mut self.events, Some(DEADLINE)).unwrap();
            assert!(!self.events.is_empty(), "nothing has arrived");
        }
    }

    fn recv_awaited(&mut self, tally: &mut Tally, send: impl FnOnce() + Send) -> [u8; SIZE] {
        let nothing = tally.count(|| self.source.try_recv_packet().unwrap());
        assert_eq!(nothing, None);
        send();
        tally.count(|| self.recv())
    }
}

struct Async<const SIZE: usize> {
    client: AsyncUdpNetworkClient<Layout<[u8; SIZE]>>,
    runtime: Runtime,
}

impl<const SIZE: usize> Subject<SIZE> for Async<SIZE> {
    fn around(socket: UdpSocket, options: &ConnectOptions) -> Self {
        let runtime = current_thread_runtime();
        let client =
            AsyncUdpNetworkClient::from_socket_with(socket, Layout::new(), options).unwrap();
        runtime.block_on(client.wait_connected()).unwrap();
        Self { client, runtime }
    }

    fn send(&mut self, packet: &[u8; SIZE]) {
        block_on(&self.runtime, self.client.send_packet(packet)).unwrap();
    }

    fn send_burst(&mut self, packets: &[[u8; SIZE]]) {
        let sent = block_on(&self.runtime, self.client.send_packets(packets));
        assert_eq!(sent.unwrap(), packets.len());
    }

    fn recv(&mut self) -> [u8; SIZE] {
        within_deadline(&self.runtime, self.client.recv_packet()).unwrap()
    }

    fn recv_awaited(&mut self, tally: &mut Tally, send: impl FnOnce() + Send) -> [u8; SIZE] {
        await_counted(&self.runtime, tally, self.client.recv_packet(), send).unwrap()
    }
}

/// A stream that waits for as long as it takes, and a sink.
type StreamAndSink<const SIZE: usize> = Streaming<SIZE, false>;
/// A stream that has a timeout, and a sink.
type StreamWithTimeout<const SIZE: usize> = Streaming<SIZE, true>;

struct Streaming<const SIZE: usize, const WITH_TIMEOUT: bool> {
    packets: ReceivedPackets<Layout<[u8; SIZE]>>,
    sink: PacketSink<Layout<[u8; SIZE]>, [u8; SIZE]>,
    runtime: Runtime,
}

impl<const SIZE: usize, const WITH_TIMEOUT: bool> Subject<SIZE> for Streaming<SIZE, WITH_TIMEOUT> {
    fn around(socket: UdpSocket, options: &ConnectOptions) -> Self {
        let Async { client, runtime } = Async::around(socket, options);
        Self {
            packets: client.iter_received_packets(WITH_TIMEOUT.then_some(LIMIT)),
            sink: client.sink(),
            runtime,
        }
    }

    fn send(&mut self, packet: &[u8; SIZE]) {
        block_on(&self.runtime, self.sink.send(*packet)).unwrap();
    }

    fn send_burst(&mut self, packets: &[[u8; SIZE]]) {
        let Self { sink, runtime, .. } = self;
        block_on(runtime, async {
            for packet in packets {
                sink.feed(*packet).await.unwrap();
            }
            sink.flush().await.unwrap();
        });
    }

    fn recv(&mut self) -> [u8; SIZE] {
        let packet = within_deadline(&self.runtime, self.packets.next());
        packet.expect("the client is open").unwrap()
    }

    fn recv_awaited(&mut self, tally: &mut Tally, send: impl FnOnce() + Send) -> [u8; SIZE] {
        let packet = await_counted(&self.runtime, tally, self.packets.next(), send);
        packet.expect("the client is open").unwrap()
    }
}

fn current_thread_runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn within_deadline<R>(runtime: &Runtime, future: impl Future<Output = R>) -> R {
    let _context = runtime.enter();
    block_on(runtime, timeout(DEADLINE, future)).unwrap()
}

/// Runs a future on this stack. `Runtime::block_on` would put a large one on the heap.
fn block_on<R>(runtime: &Runtime, future: impl Future<Output = R>) -> R {
    runtime.block_on(pin!(future))
}

/// Awaits `future`, which gets what it waits for from `send`.
fn await_counted<R>(
    runtime: &Runtime,
    tally: &mut Tally,
    future: impl Future<Output = R>,
    send: impl FnOnce(),
) -> R {
    let mut future = pin!(future);
    let is_waiting = block_on(runtime, async {
        tally.count(|| future.as_mut().now_or_never()).is_none()
    });
    assert!(is_waiting);
    send();
    tally.count(|| within_deadline(runtime, future))
}

fn connected<const SIZE: usize, S: Subject<SIZE>>() -> (S, Peer) {
    connected_with::<SIZE, S>(true)
}

fn connected_with<const SIZE: usize, S: Subject<SIZE>>(offload: bool) -> (S, Peer) {
    let peer = Peer::bind(LOCALHOST_V4);
    let socket = UdpSocket::bind((LOCALHOST_V4, 0)).unwrap();
    socket.connect(peer.address()).unwrap();
    peer.connect(socket.local_addr().unwrap());
    let options = ConnectOptions::new().offload(offload);
    (S::around(socket, &options), peer)
}

/// Allocations of this thread.
struct Tally(u64);

impl Tally {
    fn count<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let mut result = None;
        self.0 += measure(|| result = Some(work())).count_total;
        result.expect("it was run")
    }
}

/// Returns what the rounds count, numbered, once they have warmed up.
fn after_warm_up(mut round: impl FnMut(u8, &mut Tally)) -> usize {
    let mut tally = Tally(0);
    for number in 0..WARM_UP {
        round(number as u8, &mut tally);
    }
    tally.0 = 0;
    for number in 0..ROUNDS {
        round(number as u8, &mut tally);
    }
    tally.0 as usize
}
