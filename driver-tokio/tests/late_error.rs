//! An ICMP error that arrives while a receive waits.
#![cfg(target_os = "linux")]

use std::{io::ErrorKind, net::UdpSocket, time::Duration};

use datagram_driver_tokio::{AsyncUdpNetworkClient, RecvError};
use datagram_protocol_core::Raw;
use tokio::{task::yield_now, time::timeout};

const PATIENCE: Duration = Duration::from_secs(30);

/// The datagram leaves through a duplicate of the socket, so that the client's own send does not
/// take the error: the same as an error from a distant host, which comes long after the send.
#[tokio::test]
async fn waiting_receiver_is_woken_by_an_icmp_error() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(peer.local_addr().unwrap()).unwrap();
    drop(peer);
    let same_socket = socket.try_clone().unwrap();
    let client = AsyncUdpNetworkClient::from_socket(socket, Raw).unwrap();

    for _ in 0..20 {
        let receiving = client.clone();
        let receiver = tokio::spawn(async move { receiving.recv_packet().await });
        for _ in 0..10 {
            yield_now().await;
        }
        same_socket.send(b"into the void").unwrap();
        let result = timeout(PATIENCE, receiver).await.unwrap().unwrap();

        match result {
            Err(RecvError::Unreachable(error)) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            }
            other => panic!("{other:?}"),
        }
    }
}
