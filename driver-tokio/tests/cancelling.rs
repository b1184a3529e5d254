//! Cancelling at random points: nothing is lost, nothing is sent twice or half.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{net::UdpSocket, thread, time::Duration};

use datagram_driver_tokio::AsyncUdpNetworkClient;
use datagram_protocol_core::Raw;
use futures_util::{FutureExt, StreamExt};
use tokio::{
    task::yield_now,
    time::{sleep, timeout},
};

const DEADLINE: Duration = Duration::from_secs(30);
const DATAGRAMS: u32 = 4000;

#[tokio::test]
async fn cancelled_receive_loses_nothing_on_one_thread() {
    receive_all_while_cancelling(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_receive_loses_nothing_on_many_threads() {
    receive_all_while_cancelling(2).await;
}

#[tokio::test]
async fn cancelled_send_is_all_or_nothing_on_one_thread() {
    send_while_cancelling().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_send_is_all_or_nothing_on_many_threads() {
    send_while_cancelling().await;
}

/// The peer sends in lots that fit any receive buffer, each after the one before has arrived.
async fn receive_all_while_cancelling(seed: u64) {
    timeout(DEADLINE, async {
        let (peer, client) = pair().await;
        let mut random = Random(seed);
        let mut packets = client.iter_received_packets(None);
        let mut received = Vec::new();
        for lot in 0..DATAGRAMS / 100 {
            let (peer, to) = (peer.try_clone().unwrap(), client.local_address().unwrap());
            let sending = thread::spawn(move || {
                for number in lot * 100..(lot + 1) * 100 {
                    peer.send_to(&number.to_be_bytes(), to).unwrap();
                }
            });
            while received.len() < (lot as usize + 1) * 100 {
                let patience = Duration::from_micros(random.below(200));
                let packet = match random.below(5) {
                    0 => client.recv_packet().now_or_never(),
                    1 => packets.next().now_or_never().flatten(),
                    2 => tokio::select! {
                        biased;
                        () = yield_now() => None,
                        packet = client.recv_packet() => Some(packet),
                    },
                    3 => tokio::select! {
                        () = sleep(patience) => None,
                        packet = packets.next() => packet,
                    },
                    _ => tokio::select! {
                        () = sleep(patience) => None,
                        packet = client.recv_packet() => Some(packet),
                    },
                };
                received.extend(
                    packet
                        .map(|packet| u32::from_be_bytes(packet.unwrap()[..].try_into().unwrap())),
                );
            }
            sending.join().unwrap();
        }
        assert!(received.into_iter().eq(0..DATAGRAMS), "seed {seed}");
    })
    .await
    .unwrap();
}

/// A send that ended was sent once; one that was dropped before, never.
async fn send_while_cancelling() {
    timeout(DEADLINE, async {
        let (peer, client) = pair().await;
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut random = Random(3);
        for lot in 0..50_u32 {
            let mut sent = Vec::new();
            for number in lot * 100..(lot + 1) * 100 {
                let packet = number.to_be_bytes();
                let mut sending = Box::pin(client.send_packet(&packet));
                for _ in 0..random.below(3) {
                    if let Some(result) = sending.as_mut().now_or_never() {
                        result.unwrap();
                        sent.push(number);
                        break;
                    }
                    yield_now().await;
                }
            }
            client.send_packet(b"end").await.unwrap();
            let mut arrived = Vec::new();
            let mut buffer = [0; 9];
            loop {
                let len = peer.recv(&mut buffer).unwrap();
                match buffer[..len].try_into() {
                    Ok(number) => arrived.push(u32::from_be_bytes(number)),
                    Err(_) => break,
                }
            }
            assert_eq!(arrived, sent);
        }
    })
    .await
    .unwrap();
}

async fn pair() -> (UdpSocket, AsyncUdpNetworkClient<Raw>) {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = peer.local_addr().unwrap();
    let client = AsyncUdpNetworkClient::connect(address, Raw).await.unwrap();
    (peer, client)
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
