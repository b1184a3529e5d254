//! Connecting: when it happens, how it fails, and in which runtime.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{
    error::Error as _,
    future::Future,
    io,
    net::UdpSocket,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake},
    thread::{self, Thread},
    time::Duration,
};

use datagram_driver_tokio::{
    AddressFamily, AsyncUdpNetworkClient, ConnectOptions, RecvError, SendError,
};
use datagram_protocol_core::{ClientClosedError, Raw};
use futures_util::{FutureExt, SinkExt, StreamExt, future::join_all};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

const DEADLINE: Duration = Duration::from_secs(30);

type Client = AsyncUdpNetworkClient<Raw>;

#[test]
fn nothing_happens_before_the_connection_is_asked_for() {
    let (_peer, client) = unconnected();

    assert!(!client.is_connected());
    let errors = [
        client.local_address().unwrap_err(),
        client.remote_address().unwrap_err(),
        client.socket().unwrap_err(),
    ];

    for error in errors {
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    }
}

#[test]
fn many_waiters_make_one_connection() {
    within(&full(), async {
        let (_peer, client) = unconnected();

        let addresses = join_all((0..50).map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                client.wait_connected().await.unwrap();
                client.wait_connected().await.unwrap();
                client.local_address().unwrap()
            })
        }))
        .await;

        for address in addresses {
            assert_eq!(address.unwrap(), client.local_address().unwrap());
        }
    });
}

#[test]
fn first_use_of_any_kind_connects() {
    within(&full(), async {
        let (_peer, client) = unconnected();
        client.send_packet(b"x").await.unwrap();
        assert!(client.is_connected());

        let (_peer, client) = unconnected();
        assert!(client.recv_packet().now_or_never().is_none());
        assert!(client.is_connected());

        let (_peer, client) = unconnected();
        let next = client.iter_received_packets(Duration::ZERO).next().await;
        assert!(next.is_none());
        assert!(client.is_connected());

        let (peer, client) = unconnected();
        client.sink::<Vec<u8>>().send(b"x".to_vec()).await.unwrap();
        assert!(client.is_connected());
        assert_eq!(peer.recv(&mut [0; 9]).unwrap(), 1);
    });
}

#[test]
fn cancelled_connecting_is_taken_up_by_the_next() {
    within(&full(), async {
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = peer.local_addr().unwrap().port();
        let options = ConnectOptions::new().family(AddressFamily::V4);
        let client = Client::new_with(("localhost", port), Raw, &options);

        let _cancelled = client.wait_connected().now_or_never();

        client.wait_connected().await.unwrap();
        assert!(client.is_connected());
    });
}

#[test]
fn failed_connecting_names_the_address_and_is_tried_again() {
    within(&full(), async {
        let wrong_family = ConnectOptions::new().family(AddressFamily::V6);
        for client in [
            Client::new("nowhere.invalid:9", Raw),
            Client::new_with("127.0.0.1:9", Raw, &wrong_family),
        ] {
            for _ in 0..2 {
                let error = client.wait_connected().await.unwrap_err();
                let text = error.to_string();
                let is_named = text.contains("nowhere.invalid") || text.contains("127.0.0.1:9");
                assert!(is_named, "{text}");
            }
            let sent = client.send_packet(b"x").await;
            assert!(matches!(sent, Err(SendError::NotSent(_))), "{sent:?}");
            let received = client.recv_packet().await;
            assert!(matches!(received, Err(RecvError::Io(_))), "{received:?}");
        }
    });
}

#[test]
fn closing_before_or_while_connecting_ends_it_for_everybody() {
    within(&full(), async {
        for is_started in [false, true] {
            let client = Client::new(("localhost", 9), Raw);
            let waiting = (0..10).map(|_| client.wait_connected());
            let mut waiting = waiting.map(Box::pin).collect::<Vec<_>>();
            if is_started {
                // On a busy machine the first may be done at once.
                waiting.retain_mut(|wait| wait.now_or_never().is_none());
            }

            client.close().await;

            for wait in waiting {
                assert_closed(&wait.await.unwrap_err());
            }
            assert_closed(&client.local_address().unwrap_err());
            assert!(!client.is_connected());
        }
    });
}

#[test]
fn unconnected_socket_is_refused_outside_any_runtime() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();

    let error = Client::from_socket(socket, Raw).unwrap_err();

    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
}

#[test]
fn missing_runtime_is_an_error_and_a_later_one_works() {
    let without_io = Builder::new_current_thread().enable_time().build().unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(peer.local_addr().unwrap()).unwrap();
    let adopting = Client::from_socket(socket, Raw).unwrap();
    let connecting = Client::new(peer.local_addr().unwrap(), Raw);
    let by_name = Client::new(("localhost", 9), Raw);

    for client in [adopting, connecting, by_name] {
        let errors = [
            block_on(client.wait_connected()).unwrap_err(),
            without_io.block_on(client.wait_connected()).unwrap_err(),
            block_on(client.send_packet(b"x")).unwrap_err().into(),
            block_on(client.recv_packet()).unwrap_err().into(),
            block_on(client.sink::<Vec<u8>>().send(vec![]))
                .unwrap_err()
                .into(),
        ];
        for error in errors {
            assert_eq!(error.kind(), io::ErrorKind::Unsupported, "{error:?}");
        }

        within(&full(), async { client.wait_connected().await.unwrap() });
    }
}

#[test]
fn stream_with_a_timeout_needs_time() {
    let without_time = Builder::new_current_thread().enable_io().build().unwrap();
    let (_peer, client) = unconnected();

    without_time.block_on(async {
        let mut packets = client.iter_received_packets(Duration::from_secs(1));
        let Some(Err(RecvError::Io(error))) = packets.next().await else {
            panic!("no error");
        };
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert!(packets.next().await.is_none());
    });
}

#[test]
fn connection_lives_as_long_as_its_runtime() {
    let (peer, client) = unconnected();
    let (first, second) = (full(), full());
    within(&first, async { client.wait_connected().await.unwrap() });
    let address = client.local_address().unwrap();

    within(&second, async {
        peer.send_to(b"x", address).unwrap();
        assert_eq!(client.recv_packet().await.unwrap(), b"x"[..]);
    });
    drop(first);

    within(&second, async {
        let received = client.recv_packet().await;
        assert!(matches!(received, Err(RecvError::Io(_))), "{received:?}");
    });
}

/// An executor that is not tokio's.
fn block_on<R>(future: impl Future<Output = R>) -> R {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return result;
        }
        thread::park();
    }
}

fn full() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

#[track_caller]
fn within(runtime: &Runtime, test: impl Future<Output = ()>) {
    runtime
        .block_on(async { timeout(DEADLINE, test).await })
        .unwrap();
}

fn unconnected() -> (UdpSocket, Client) {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = peer.local_addr().unwrap();
    (peer, Client::new(address, Raw))
}

#[track_caller]
fn assert_closed(error: &io::Error) {
    let is_closed = error
        .get_ref()
        .is_some_and(|inner| inner.is::<ClientClosedError>());
    assert!(is_closed, "{error:?} {:?}", error.source());
}
