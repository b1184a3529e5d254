//! Closing, while others wait and while streams and sinks live.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use datagram_driver_tokio::{AsyncUdpNetworkClient, RecvError, SendError};
use datagram_protocol_core::Raw;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::{task::yield_now, time::timeout};

const DEADLINE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn close_storm_leaves_nobody_waiting_on_one_thread() {
    close_storm().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_storm_leaves_nobody_waiting_on_many_threads() {
    close_storm().await;
}

async fn close_storm() {
    timeout(DEADLINE, async {
        for round in 0..300 {
            let (_peer, client) = pair().await;
            let address = client.local_address().unwrap();
            let receiving = [(); 4].map(|()| {
                let client = client.clone();
                tokio::spawn(async move { client.recv_packet().await })
            });
            let mut packets = client.iter_received_packets(None);
            let streaming = tokio::spawn(async move { packets.next().await });
            for _ in 0..round % 3 {
                yield_now().await;
            }

            client.close().await;

            for task in receiving {
                let received = task.await.unwrap();
                assert!(
                    matches!(received, Err(RecvError::Closed(_))),
                    "{received:?}"
                );
            }
            assert!(streaming.await.unwrap().is_none());
            assert_free(address);
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn stream_and_sink_keep_the_client_open_until_they_are_dropped() {
    timeout(DEADLINE, async {
        let (peer, client) = pair().await;
        let address = client.local_address().unwrap();
        let mut packets = client.iter_received_packets(None);
        let mut sink = client.sink::<Vec<u8>>();

        drop(client);
        sink.send(b"x".to_vec()).await.unwrap();
        peer.send_to(b"y", address).unwrap();
        assert_eq!(packets.next().await.unwrap().unwrap(), b"y"[..]);
        drop(sink);
        assert!(packets.next().now_or_never().is_none());
        drop(packets);

        assert_free(address);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn everything_on_a_closed_client_is_a_closed_error() {
    timeout(DEADLINE, async {
        let (_peer, client) = pair().await;
        let address = client.local_address().unwrap();
        let mut packets = client.iter_received_packets(None);
        let mut sink = client.sink::<Vec<u8>>();
        sink.feed(b"x".to_vec()).await.unwrap();
        assert!(packets.next().now_or_never().is_none());

        client.close().await;
        client.close().await;

        // Also while the stream, which was waiting, is still there.
        assert!(packets.next().await.is_none());
        assert_free(address);
        assert!(matches!(sink.flush().await, Err(SendError::Closed(_))));
        assert!(matches!(
            client.send_packet(b"x").await,
            Err(SendError::Closed(_))
        ));
        let sent = client.send_packets([&b"x"[..]]).await.unwrap_err();
        assert!(matches!(sent.error, SendError::Closed(_)));
        assert!(matches!(
            client.recv_packet().await,
            Err(RecvError::Closed(_))
        ));
        client.wait_connected().await.unwrap_err();
        client.local_address().unwrap_err();
        client.remote_address().unwrap_err();
        client.socket().unwrap_err();
        assert!(client.is_closing() && !client.is_connected());
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

#[track_caller]
fn assert_free(address: SocketAddr) {
    UdpSocket::bind(address).expect("the port is free");
}
