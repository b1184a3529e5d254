//! `SenderState` and `ReceiverState`: the two directions of a client on their own.
#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap, too")]

use std::{net::SocketAddr, sync::Arc, thread};

use bytes::Bytes;
use datagram_protocol_core::{
    ClientConfig, DatagramClientState, DatagramProtocol, Line, Raw, ReceiverState, SendPacketError,
    SenderState, Stats,
};

#[test]
fn halves_go_on_where_the_client_was() {
    let mut client = DatagramClientState::new(Raw, peer());
    client.send_packet(b"out 1").unwrap();
    client.send_packet(b"out 2").unwrap();
    client.poll_transmit(1).unwrap().sent();
    client.handle_datagrams(peer(), Bytes::from_static(b"in 1in 2"), 4);
    client.poll_packet().unwrap().unwrap();

    let (mut sender, mut receiver) = client.split();
    sender.send_packet(b"out 3").unwrap();
    receiver.handle_datagram(peer(), &b"in 3"[..]);

    let transmit = sender.poll_transmit(64).unwrap();
    assert_eq!(transmit.contents(), b"out 2out 3");
    assert_eq!(transmit.segment_size(), Some(5));
    assert_eq!(receiver.poll_packet().unwrap().unwrap(), "in 2");
    assert_eq!(receiver.poll_packet().unwrap().unwrap(), "in 3");
    assert!(receiver.poll_packet().is_none());
}

#[test]
fn halves_keep_the_counters_of_their_side() {
    let mut client = DatagramClientState::new(Line::new(), peer());
    client.send_packet("abc").unwrap();
    client.poll_transmit(1).unwrap().sent();
    client.send_packet("def").unwrap();
    client.poll_transmit(1).unwrap().discard_first();
    client.handle_datagram(peer(), &b"\xff"[..]);
    client.poll_packet().unwrap().unwrap_err();
    client.handle_datagram(stranger(), &b"abc"[..]);
    client.incoming_mut().handle_truncated(9);
    let whole = client.stats();

    let (mut sender, mut receiver) = client.split();

    let (sent, received) = (sender.stats(), receiver.stats());
    assert_eq!(sent.merged_with(received), whole);
    assert_eq!(received.merged_with(sent), whole);
    let mut expected = Stats::default();
    expected.datagrams_out = 1;
    expected.bytes_out = 3;
    expected.dropped = 1;
    assert_eq!(sent, expected);
    let mut expected = Stats::default();
    expected.datagrams_in = 3;
    expected.bytes_in = 1 + 3 + 9;
    expected.parse_errors = 1;
    expected.ignored = 1;
    expected.dropped = 1;
    assert_eq!(received, expected);
    assert_eq!(sender.outgoing_mut().stats(), sent);
    assert_eq!(receiver.incoming_mut().stats(), received);
}

#[test]
fn merged_counters_wrap_like_the_counters() {
    let mut stats = Stats::default();
    stats.datagrams_in = u64::MAX;
    stats.bytes_in = u64::MAX;
    stats.datagrams_out = u64::MAX;
    stats.bytes_out = u64::MAX;
    stats.parse_errors = u64::MAX;
    stats.ignored = u64::MAX;
    stats.dropped = u64::MAX;
    let mut one = Stats::default();
    one.datagrams_in = 1;
    one.bytes_in = 2;
    one.datagrams_out = 3;
    one.bytes_out = 4;
    one.parse_errors = 5;
    one.ignored = 6;
    one.dropped = 7;

    let merged = stats.merged_with(one);

    let mut expected = Stats::default();
    expected.bytes_in = 1;
    expected.datagrams_out = 2;
    expected.bytes_out = 3;
    expected.parse_errors = 4;
    expected.ignored = 5;
    expected.dropped = 6;
    assert_eq!(merged, expected);
}

#[test]
fn halves_keep_the_limits() {
    let config = ClientConfig::new().max_datagram_size(3).incoming_bytes(200);
    let client = DatagramClientState::with_config(Raw, peer(), config);

    let (mut sender, mut receiver) = client.split();
    let error = sender.send_packet(b"abcd").unwrap_err();
    receiver.handle_datagram(peer(), vec![0; 200]);

    assert!(matches!(
        error,
        SendPacketError::TooLarge { size: 4, max: 3 }
    ));
    assert!(receiver.poll_packet().is_none());
    assert_eq!(receiver.stats().dropped, 1);
}

#[test]
fn halves_know_the_peer() {
    let (sender, mut receiver) = DatagramClientState::new(Raw, peer()).split();

    receiver.handle_datagram(stranger(), &b"abc"[..]);

    assert_eq!(sender.remote_address(), peer());
    assert_eq!(receiver.remote_address(), peer());
    assert!(receiver.poll_packet().is_none());
    assert_eq!(receiver.stats().ignored, 1);
}

#[test]
fn sender_closes_alone() {
    let (mut sender, mut receiver) = DatagramClientState::new(Raw, peer()).split();
    sender.send_packet(b"abc").unwrap();
    assert!(!sender.is_closing() && !sender.is_closed());

    sender.close();

    let error = sender.send_packet(b"def").unwrap_err();
    assert!(matches!(error, SendPacketError::Closed(_)));
    assert!(sender.is_closing() && !sender.is_closed());
    sender.poll_transmit(1).unwrap().sent();
    assert!(sender.is_closed());
    receiver.handle_datagram(peer(), &b"late"[..]);
    assert_eq!(receiver.poll_packet().unwrap().unwrap(), "late");
}

#[test]
fn client_that_was_closed_splits_into_a_closed_sender() {
    let mut client = DatagramClientState::new(Raw, peer());
    client.close();

    let (mut sender, _receiver) = client.split();

    assert!(sender.is_closed());
    sender.send_packet(b"abc").unwrap_err();
}

#[test]
fn halves_share_a_protocol_that_cannot_be_cloned() {
    type Shared = Arc<dyn DatagramProtocol<Sent = str, Received = String> + Send + Sync>;
    let protocol: Shared = Arc::new(Line::new());

    let (mut sender, mut receiver) = DatagramClientState::new(protocol, peer()).split();
    sender.send_packet("abc").unwrap();
    receiver.handle_datagram(peer(), &b"def"[..]);

    assert_eq!(sender.poll_transmit(1).unwrap().contents(), b"abc");
    assert_eq!(receiver.poll_packet().unwrap().unwrap(), "def");
}

#[test]
fn halves_work_on_two_threads() {
    const fn check<T: Send + Sync>() {}
    const {
        check::<SenderState<Line>>();
        check::<ReceiverState<Line>>();
    }
    let (mut sender, mut receiver) = DatagramClientState::new(Raw, peer()).split();

    let sending = thread::spawn(move || {
        for _ in 0..100 {
            sender.send_packet(b"abc").unwrap();
            sender.poll_transmit(1).unwrap().sent();
        }
        sender.stats().datagrams_out
    });
    for _ in 0..100 {
        receiver.handle_datagrams(peer(), Bytes::from_static(b"abcdef"), 3);
        assert_eq!(receiver.poll_packet().unwrap().unwrap(), "abc");
        assert_eq!(receiver.poll_packet().unwrap().unwrap(), "def");
    }

    assert_eq!(sending.join().unwrap(), 100);
}

fn peer() -> SocketAddr {
    "192.0.2.1:7".parse().unwrap()
}

fn stranger() -> SocketAddr {
    "192.0.2.1:8".parse().unwrap()
}
