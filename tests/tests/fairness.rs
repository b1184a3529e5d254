//! Turns: a busy client beside other tasks on the one thread of a runtime. What counts is how much it
//! does between two turns of another task, not how long that takes.
#![allow(clippy::unwrap_used, reason = "the cases are tests, if called by them")]

use std::{
    future::Future,
    iter,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use datagram_driver_tokio::AsyncUdpNetworkClient;
use datagram_protocol_core::{ClientConfig, Raw};
use datagram_tests::{LOCALHOST_V4, Peer, Task, in_background};
use datagram_udp_socket::ConnectOptions;
use futures_util::{SinkExt, StreamExt, stream};
use tokio::{
    runtime::Builder,
    task::yield_now,
    time::{sleep, timeout},
};

/// How long one case may take. A starved runtime keeps no time, so another thread does.
const LIMIT: Duration = Duration::from_secs(60);

/// Packets that every system keeps for a receiver. More than tokio's budget for a turn, which is 128.
const FLOOD: usize = 250;
/// Packets that may be received in a turn.
const MOST_RECEIVED: usize = 200;

/// Packets of an iterator that seems endless.
const ENDLESS: usize = 100_000;
/// Packets that may be sent in a turn: a lot of 128 may be one system call, hence more of them.
const MOST_SENT: usize = 3000;

#[test]
fn receiver_takes_turns() {
    let most = most_between_turns(async |turns| {
        let (client, peer) = pair(&ConnectOptions::new()).await;
        // The later rounds are glued together, where the system does that.
        for _ in 0..3 {
            peer.send_packets([&b"packet"[..]; FLOOD]).await.unwrap();
            for _ in 0..FLOOD {
                client.recv_packet().await.unwrap();
                turns.step();
            }
        }
    });

    assert!(most <= MOST_RECEIVED, "{most}");
}

#[test]
fn stream_takes_turns() {
    let most = most_between_turns(async |turns| {
        let (client, peer) = pair(&ConnectOptions::new()).await;
        let mut packets = client.iter_received_packets(None);
        for _ in 0..3 {
            peer.send_packets([&b"packet"[..]; FLOOD]).await.unwrap();
            for _ in 0..FLOOD {
                packets.next().await.unwrap().unwrap();
                turns.step();
            }
        }
    });

    assert!(most <= MOST_RECEIVED, "{most}");
}

/// A receiver that gets nothing of what arrives, since its queue has no room for it.
#[test]
fn receiver_of_what_is_dropped_takes_turns() {
    for streams in [false, true] {
        let most = most_between_turns(async move |turns| {
            let config = ClientConfig::new().incoming_bytes(150);
            let options = ConnectOptions::new().client_config(config);
            let (client, peer) = pair(&options).await;
            let (large, small) = ([7; 300], [7; 1]);
            let flood = iter::repeat_n(&large[..], FLOOD);
            peer.send_packets(flood.chain([&small[..]])).await.unwrap();
            let before = turns.taken.load(SeqCst);

            let packet = if streams {
                client.iter_received_packets(None).next().await.unwrap()
            } else {
                client.recv_packet().await
            };

            assert_eq!(packet.unwrap(), small[..]);
            assert_eq!(client.stats().dropped, FLOOD as u64);
            let turns_taken = turns.taken.load(SeqCst) - before;
            turns.step_by(FLOOD / (turns_taken + 1));
        });

        assert!(most <= MOST_RECEIVED, "{most}, stream {streams}");
    }
}

#[test]
fn sender_of_an_endless_iterator_takes_turns() {
    let most = most_between_turns(async |turns| {
        let (client, _peer) = pair(&ConnectOptions::new()).await;
        let packets = iter::repeat_n(&b"packet"[..], ENDLESS).inspect(|_| turns.step());

        let sent = client.send_packets(packets).await;

        assert_eq!(sent.unwrap(), ENDLESS);
    });

    assert!(most <= MOST_SENT, "{most}");
}

#[test]
fn sender_of_one_packet_after_the_other_takes_turns() {
    let most = most_between_turns(async |turns| {
        let (client, _peer) = pair(&ConnectOptions::new()).await;
        for _ in 0..ENDLESS / 10 {
            client.send_packet(b"packet").await.unwrap();
            turns.step();
        }
    });

    assert!(most <= MOST_RECEIVED, "{most}");
}

#[test]
fn sink_of_an_endless_stream_takes_turns() {
    let most = most_between_turns(async |turns| {
        let (client, _peer) = pair(&ConnectOptions::new()).await;
        let packets = iter::repeat_n(&b"packet"[..], ENDLESS).inspect(|_| turns.step());
        let mut packets = stream::iter(packets.map(Ok));

        client.sink().send_all(&mut packets).await.unwrap();
    });

    assert!(most <= MOST_SENT, "{most}");
}

/// All of it at once, for real: a quiet client and a timer go on beside a client that is flooded and
/// floods.
#[test]
fn quiet_client_and_timer_go_on_beside_a_hot_one() {
    let work = async {
        let hot_peer = UdpSocket::bind((LOCALHOST_V4, 0)).unwrap();
        let hot = connect(hot_peer.local_addr().unwrap()).await;
        let flood = Flood::of(hot_peer, hot.local_address().unwrap());
        let echo = Peer::bind(LOCALHOST_V4).echo();
        let quiet = connect(echo.address()).await;
        let receiving = tokio::spawn({
            let hot = hot.clone();
            async move { while hot.recv_packet().await.is_ok() {} }
        });
        let streaming = tokio::spawn({
            let mut packets = hot.iter_received_packets(None);
            async move { while packets.next().await.is_some() {} }
        });
        let sending = tokio::spawn({
            let hot = hot.clone();
            async move {
                while !hot.is_closing() {
                    let endless = iter::from_fn(|| (!hot.is_closing()).then_some(&b"x"[..]));
                    let _sent = hot.send_packets(endless).await;
                }
            }
        });

        for _ in 0..50 {
            quiet.send_packet(b"question").await.unwrap();
            assert_eq!(quiet.recv_packet().await.unwrap(), "question");
            sleep(Duration::from_millis(1)).await;
        }

        assert!(hot.stats().datagrams_in > 100);
        hot.close().await;
        receiving.await.unwrap();
        streaming.await.unwrap();
        sending.await.unwrap();
        drop(flood);
    };

    on_one_thread(async move || timeout(LIMIT, work).await.unwrap());
}

/// The turns of a task that has nothing else to do, and what another does in between.
#[derive(Default)]
struct Turns {
    taken: AtomicUsize,
    /// Steps since the last turn.
    steps: AtomicUsize,
    /// The most of them between two turns.
    most: AtomicUsize,
}

impl Turns {
    fn step(&self) {
        self.step_by(1);
    }

    fn step_by(&self, steps: usize) {
        self.most
            .fetch_max(steps + self.steps.fetch_add(steps, SeqCst), SeqCst);
    }

    async fn take(self: Arc<Self>) {
        loop {
            self.taken.fetch_add(1, SeqCst);
            self.steps.store(0, SeqCst);
            yield_now().await;
        }
    }
}

/// Runs `busy` beside a task that takes its turn again and again; returns the most steps that `busy`
/// has taken between two of them.
fn most_between_turns<F: Future<Output = ()>>(
    busy: impl FnOnce(Arc<Turns>) -> F + Send + 'static,
) -> usize {
    let turns = Arc::new(Turns::default());
    let others = Arc::clone(&turns).take();
    let busy = {
        let turns = Arc::clone(&turns);
        move || busy(turns)
    };
    on_one_thread(async move || {
        let others = tokio::spawn(others);
        busy().await;
        others.abort();
    });
    turns.most.load(SeqCst)
}

/// Runs `work` on a runtime of one thread.
fn on_one_thread<F: Future<Output = ()>>(work: impl FnOnce() -> F + Send + 'static) {
    in_background(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(work());
    })
    .join_within(2 * LIMIT);
}

/// Makes two clients that are each other's peers, the first with `options`.
async fn pair(
    options: &ConnectOptions,
) -> (AsyncUdpNetworkClient<Raw>, AsyncUdpNetworkClient<Raw>) {
    let peer = UdpSocket::bind((LOCALHOST_V4, 0)).unwrap();
    let options = options.clone().recv_buffer_size(400_000);
    let address = peer.local_addr().unwrap();
    let client = AsyncUdpNetworkClient::connect_with(address, Raw, &options).await;
    let client = client.unwrap();
    peer.connect(client.local_address().unwrap()).unwrap();
    let peer = AsyncUdpNetworkClient::from_socket(peer, Raw).unwrap();
    peer.wait_connected().await.unwrap();
    (client, peer)
}

async fn connect(address: SocketAddr) -> AsyncUdpNetworkClient<Raw> {
    AsyncUdpNetworkClient::connect(address, Raw).await.unwrap()
}

/// A thread that sends until this is dropped.
struct Flood {
    is_over: Arc<AtomicBool>,
    thread: Option<Task<()>>,
}

impl Flood {
    fn of(peer: UdpSocket, to: SocketAddr) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let thread = in_background(move || {
            while !ends.load(SeqCst) {
                let _refused_at_the_end = peer.send_to(b"flood", to);
            }
        });
        Self {
            is_over,
            thread: Some(thread),
        }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.is_over.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join();
        }
    }
}
