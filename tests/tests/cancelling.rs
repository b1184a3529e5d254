//! Receives of the tokio client that are cancelled at random points: no packet is lost, none comes
//! twice.

use std::{
    net::UdpSocket,
    thread::{self, JoinHandle},
    time::Duration,
};

use datagram_driver_tokio::AsyncUdpNetworkClient;
use datagram_protocol_core::Raw;
use datagram_tests::{DEADLINE, in_background};
use fastrand::Rng;
use tokio::{
    runtime::{Builder, Runtime},
    select,
    task::yield_now,
    time::sleep,
};

const PACKETS: u32 = 100_000;
/// Packets under way, few enough for every system's default receive buffer.
const WINDOW: u32 = 64;
/// After so many, the receiver says how far it is.
const ACKNOWLEDGED: u32 = WINDOW / 2;

const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn cancelled_receives_lose_nothing_on_one_thread() {
    receive_all(|| Builder::new_current_thread().enable_all().build());
}

#[test]
fn cancelled_receives_lose_nothing_on_several_threads() {
    receive_all(|| {
        Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
    });
}

fn receive_all(runtime: fn() -> std::io::Result<Runtime>) {
    in_background(move || {
        let peer = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = peer.local_addr().expect("it is bound");
        runtime().expect("there is room for one").block_on(async {
            let client = AsyncUdpNetworkClient::connect(address, Raw)
                .await
                .expect("loopback can be reached");
            peer.connect(client.local_address().expect("it is connected"))
                .expect("it is on loopback");
            let sending = send_all(peer);
            // On a worker, where there are some.
            let receiving = tokio::spawn(async move { receive(&client).await });
            let cancelled = receiving.await.expect("it does not panic");
            drop(sending.join().expect("it does not panic"));

            assert!(cancelled > PACKETS / 10, "{cancelled}");
        });
    })
    .join_within(LIMIT);
}

/// Returns how many receives were cancelled.
async fn receive(client: &AsyncUdpNetworkClient<Raw>) -> u32 {
    let mut rng = Rng::with_seed(7);
    let (mut next, mut cancelled) = (0_u32, 0);
    while next < PACKETS {
        select! {
            packet = client.recv_packet() => {
                assert_eq!(packet.expect("nothing is wrong"), &next.to_be_bytes()[..]);
                next += 1;
                if next.is_multiple_of(ACKNOWLEDGED) {
                    let so_far = next.to_be_bytes();
                    client.send_packet(&so_far).await.expect("the peer is there");
                }
            }
            () = pause(rng.u32(0..1000)) => cancelled += 1,
        }
    }
    cancelled
}

/// Ready at once, after some turns of others, or with a timer.
async fn pause(which: u32) {
    match which {
        0..300 => {}
        300..995 => {
            for _ in 0..which % 4 {
                yield_now().await;
            }
        }
        _ => sleep(Duration::from_micros(1)).await,
    }
}

/// Sends all packets, and never more than the window beyond what has been acknowledged. Returns the
/// socket, which the last acknowledgements still go to.
fn send_all(peer: UdpSocket) -> JoinHandle<UdpSocket> {
    thread::spawn(move || {
        peer.set_read_timeout(Some(DEADLINE))
            .expect("it is not zero");
        let mut acknowledged = 0;
        for number in 0..PACKETS {
            while number >= acknowledged + WINDOW {
                let mut so_far = [0; 4];
                peer.recv(&mut so_far).expect("the receiver gets on");
                acknowledged = u32::from_be_bytes(so_far);
            }
            peer.send(&number.to_be_bytes())
                .expect("the client is there");
        }
        peer
    })
}
