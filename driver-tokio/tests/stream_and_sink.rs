//! The client as a stream and as a sink.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{net::UdpSocket, time::Duration};

use datagram_driver_tokio::{
    AsyncUdpNetworkClient, PacketSink, ReceivedPackets, RecvError, SendError,
};
use datagram_protocol_core::{Line, json::Json};
use futures_util::{FutureExt, SinkExt, StreamExt, stream, stream::FusedStream};
use tokio::time::{Instant, sleep, timeout};

const DEADLINE: Duration = Duration::from_secs(30);

type Protocol = Json<String, String>;
type Client = AsyncUdpNetworkClient<Protocol>;

#[tokio::test]
async fn zero_streams_what_is_there_and_parse_errors_are_items() {
    timeout(DEADLINE, async {
        let (peer, client) = pair().await;
        for datagram in ["\"a\"", "broken", "\"b\""] {
            let to = client.local_address().unwrap();
            peer.send_to(datagram.as_bytes(), to).unwrap();
        }

        let items = client.iter_received_packets(Duration::ZERO);
        let items = items.collect::<Vec<_>>().await;

        assert_eq!(items.len(), 3, "{items:?}");
        assert_eq!(items[0].as_ref().unwrap(), "a");
        assert!(matches!(items[1], Err(RecvError::Parse(_))));
        assert_eq!(items[2].as_ref().unwrap(), "b");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn only_waiting_counts_against_the_budget() {
    timeout(DEADLINE, async {
        let (peer, client) = pair().await;
        let to = client.local_address().unwrap();
        let budget = Duration::from_millis(200);
        let mut packets = client.iter_received_packets(budget);
        for _ in 0..3 {
            peer.send_to(b"\"x\"", to).unwrap();
            assert_eq!(packets.next().await.unwrap().unwrap(), "x");
            // Longer, in all, than the budget.
            sleep(budget).await;
        }
        let start = Instant::now();

        assert!(packets.next().await.is_none());

        assert!(start.elapsed() > budget / 4);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn none_streams_until_the_client_is_closed() {
    timeout(DEADLINE, async {
        let (peer, client) = pair().await;
        let mut packets = client.iter_received_packets(None);
        assert!(packets.next().now_or_never().is_none());
        peer.send_to(b"\"x\"", client.local_address().unwrap())
            .unwrap();
        assert_eq!(packets.next().await.unwrap().unwrap(), "x");

        assert!(!packets.is_terminated());
        client.close().await;

        assert!(packets.next().await.is_none());
        assert!(packets.is_terminated());
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn sink_takes_owned_borrowed_and_boxed_packets() {
    timeout(DEADLINE, async {
        let (peer, client) = pair().await;
        let packet = String::from("x");

        client.sink::<String>().send(packet.clone()).await.unwrap();
        client.sink::<&String>().send(&packet).await.unwrap();
        let boxed = Box::new(packet.clone());
        client.sink::<Box<String>>().send(boxed).await.unwrap();
        let many = stream::iter((0..300).map(|_| Ok(packet.clone())));
        client.sink().send_all(&mut many.boxed()).await.unwrap();

        for _ in 0..100 {
            assert_eq!(recv(&peer), "\"x\"");
        }
        assert_eq!(client.stats().datagrams_out, 303);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn error_about_one_packet_concerns_no_other() {
    timeout(DEADLINE, async {
        let (peer, client) = pair().await;
        let mut sink = client.sink::<String>();
        for packet in [String::from("a"), "x".repeat(70_000), String::from("b")] {
            sink.feed(packet).await.unwrap();
        }

        let flushed = sink.flush().await;

        assert!(
            matches!(flushed, Err(SendError::TooLarge { .. })),
            "{flushed:?}"
        );
        sink.flush().await.unwrap();
        assert_eq!(recv(&peer), "\"a\"");
        assert_eq!(recv(&peer), "\"b\"");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn sink_holds_128_packets_until_it_is_flushed() {
    timeout(DEADLINE, async {
        let (_peer, client) = pair().await;
        let mut sink = client.sink::<&String>();
        let packet = String::from("x");

        for _ in 0..128 {
            sink.feed(&packet).await.unwrap();
        }
        assert_eq!(client.stats().datagrams_out, 0);
        sink.feed(&packet).await.unwrap();
        assert_eq!(client.stats().datagrams_out, 128);
        sink.flush().await.unwrap();

        assert_eq!(client.stats().datagrams_out, 129);
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn closing_a_sink_flushes_it_and_leaves_the_client_open() {
    timeout(DEADLINE, async {
        let (peer, client) = pair().await;
        let mut sink = client.sink::<String>();
        sink.feed("x".into()).await.unwrap();

        sink.close().await.unwrap();

        assert_eq!(recv(&peer), "\"x\"");
        assert!(!client.is_closing());
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn sink_of_a_closed_client_takes_nothing() {
    timeout(DEADLINE, async {
        let (_peer, client) = pair().await;
        let mut sink = client.sink::<String>();
        client.close().await;

        let fed = sink.feed("x".into()).await;
        let flushed = sink.flush().await;

        assert!(matches!(fed, Err(SendError::Closed(_))), "{fed:?}");
        assert!(matches!(flushed, Err(SendError::Closed(_))), "{flushed:?}");
    })
    .await
    .unwrap();
}

/// Linux makes fragments of what is longer than the MTU, and has no memory for the second if the send
/// buffer is that small.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn lack_of_buffers_is_an_error_of_the_sink_after_three_tries() {
    timeout(DEADLINE, async {
        let Ok(peer) = UdpSocket::bind("[::1]:0") else {
            eprintln!("SKIPPED: this machine has no IPv6");
            return;
        };
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        let client = AsyncUdpNetworkClient::connect(peer.local_addr().unwrap(), Line::new());
        let client = client.await.unwrap();
        client.socket().unwrap().set_send_buffer_size(0).unwrap();
        let mut sink = client.sink::<String>();
        for packet in ["a".into(), "x".repeat(65_527), "b".into()] {
            sink.feed(packet).await.unwrap();
        }

        let error = sink.flush().await.unwrap_err();

        assert!(error.is_out_of_buffers(), "{error:?}");
        // Each time it was taken off the queue.
        assert_eq!(client.stats().dropped, 3);
        sink.flush().await.unwrap();
        assert_eq!([recv(&peer), recv(&peer)], ["a", "b"]);
    })
    .await
    .unwrap();
}

#[test]
fn everything_can_move_between_threads() {
    fn is_movable<T: Send + Unpin + 'static>() {}
    fn is_send<T: Send>(_: &T) {}

    is_movable::<Client>();
    is_movable::<ReceivedPackets<Protocol>>();
    is_movable::<PacketSink<Protocol, String>>();
    let client = Client::new("127.0.0.1:9", Protocol::new());
    let packet = String::new();
    is_send(&client.wait_connected());
    is_send(&client.recv_packet());
    is_send(&client.send_packet(&packet));
    is_send(&client.send_packets([&packet]));
    is_send(&client.close());
}

async fn pair() -> (UdpSocket, Client) {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    let address = peer.local_addr().unwrap();
    let client = Client::connect(address, Protocol::new()).await.unwrap();
    (peer, client)
}

#[track_caller]
fn recv(peer: &UdpSocket) -> String {
    let mut buffer = [0; 100];
    let len = peer.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..len].to_vec()).unwrap()
}
