//! Turns: a hot socket beside other tasks, and one error between a sender and a receiver.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use datagram_driver_tokio::{AsyncUdpNetworkClient, RecvError, SendError};
use datagram_protocol_core::Raw;
use futures_util::StreamExt;
use tokio::{
    task::yield_now,
    time::{sleep, timeout},
};

const DEADLINE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn hot_socket_leaves_other_tasks_their_turn() {
    timeout(DEADLINE, async {
        let (peer, client) = pair().await;
        let flood = Flood::of(peer, client.local_address().unwrap());
        let receiving = tokio::spawn({
            let client = client.clone();
            async move { while client.recv_packet().await.is_ok() {} }
        });
        let streaming = tokio::spawn({
            let mut packets = client.iter_received_packets(None);
            async move { while packets.next().await.is_some() {} }
        });
        let sending = tokio::spawn({
            let client = client.clone();
            async move {
                while !client.is_closing() {
                    let _sent = client.send_packet(b"x").await;
                }
            }
        });

        for _ in 0..100 {
            sleep(Duration::from_millis(1)).await;
            yield_now().await;
        }

        assert!(client.stats().datagrams_in > 100);
        client.close().await;
        receiving.await.unwrap();
        streaming.await.unwrap();
        sending.await.unwrap();
        drop(flood);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_send_beside_a_blocked_receive_is_reported_once() {
    timeout(DEADLINE, async {
        for round in 0..200 {
            let (peer, client) = pair().await;
            let address = peer.local_addr().unwrap();
            peer.connect(address).unwrap();
            let receiving = tokio::spawn({
                let client = client.clone();
                async move { client.recv_packet().await }
            });
            yield_now().await;

            let sent = client.send_packet(b"refused").await;

            if let Err(error) = &sent {
                assert!(matches!(error, SendError::Unreachable(_)), "{error:?}");
                peer.connect(client.local_address().unwrap()).unwrap();
                peer.send(b"answer").unwrap();
            }
            let received = receiving.await.unwrap();
            let refused = matches!(received, Err(RecvError::Unreachable(_)));
            assert!(sent.is_err() != refused, "{round}: {sent:?}, {received:?}");
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

/// A thread that sends until this is dropped.
struct Flood(Arc<AtomicBool>, Option<thread::JoinHandle<()>>);

impl Flood {
    fn of(peer: UdpSocket, to: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(SeqCst) {
                let _refused_at_the_end = peer.send_to(b"flood", to);
            }
        });
        Self(stop, Some(thread))
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
        if let Some(thread) = self.1.take() {
            thread.join().unwrap();
        }
    }
}
