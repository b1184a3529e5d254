//! One error between a sender and a receiver.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{net::UdpSocket, time::Duration};

use datagram_driver_tokio::{AsyncUdpNetworkClient, RecvError, SendError};
use datagram_protocol_core::Raw;
use tokio::{task::yield_now, time::timeout};

const DEADLINE: Duration = Duration::from_secs(30);

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
