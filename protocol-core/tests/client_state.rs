//! `DatagramClientState`: parsing, sources, closing, counters. What concerns one queue alone is in
//! `outgoing.rs` and `incoming.rs`.
#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap, too")]

use std::{
    cell::RefCell,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use bytes::{Bytes, BytesMut};
use datagram_protocol_core::{
    ClientConfig, Datagram, DatagramClientState, DatagramProtocol, DeserializeError, PacketError,
    Raw, SendPacketError, SerializeError, Stats,
};

#[test]
fn packets_arrive_in_order() {
    let mut client = DatagramClientState::new(Raw, peer());
    client.handle_datagram(peer(), &b"a"[..]);
    client.handle_datagrams(peer(), Bytes::from_static(b"bbccd"), 2);
    client.handle_datagram(peer(), &b"e"[..]);

    let packets = poll_all(&mut client);

    assert_eq!(packets, ["a", "bb", "cc", "d", "e"]);
}

#[test]
fn bad_datagram_is_one_error_and_the_next_call_gets_the_next() {
    let log = Log::default();
    let mut client = DatagramClientState::new(Logged(&log), peer());
    for datagram in ["ok 1", "bad 2", "bad 3", "ok 4"] {
        client.handle_datagram(peer(), datagram);
    }

    assert_eq!(client.poll_packet().unwrap().unwrap(), "ok 1");
    assert_eq!(
        client.poll_packet().unwrap().unwrap_err().datagram(),
        "bad 2"
    );
    assert_eq!(
        client.poll_packet().unwrap().unwrap_err().datagram(),
        "bad 3"
    );
    assert_eq!(client.poll_packet().unwrap().unwrap(), "ok 4");
    assert!(client.poll_packet().is_none());
    assert!(client.poll_packet().is_none());
    assert_eq!(*log.borrow(), ["ok 1", "bad 2", "bad 3", "ok 4"]);
    assert_eq!(client.stats().parse_errors, 2);
}

#[test]
fn bad_datagram_within_a_batch_is_one_error() {
    let log = Log::default();
    let mut client = DatagramClientState::new(Logged(&log), peer());
    client.handle_datagrams(peer(), Bytes::from_static(b"ok 1bad2ok 3ba"), 4);

    assert_eq!(client.poll_packet().unwrap().unwrap(), "ok 1");
    assert_eq!(
        client.poll_packet().unwrap().unwrap_err().datagram(),
        "bad2"
    );
    assert_eq!(client.poll_packet().unwrap().unwrap(), "ok 3");
    assert_eq!(client.poll_packet().unwrap().unwrap_err().datagram(), "ba");
    assert!(client.poll_packet().is_none());
    assert_eq!(*log.borrow(), ["ok 1", "bad2", "ok 3", "ba"]);
}

#[test]
fn packets_are_parsed_when_asked_for() {
    let log = Log::default();
    let mut client = DatagramClientState::new(Logged(&log), peer());

    client.handle_datagram(peer(), "ok 1");
    client.handle_datagrams(peer(), Bytes::from_static(b"ok 2ok 3"), 4);
    assert!(log.borrow().is_empty());

    client.poll_packet().unwrap().unwrap();
    assert_eq!(*log.borrow(), ["ok 1"]);
    client.poll_packet().unwrap().unwrap();
    assert_eq!(*log.borrow(), ["ok 1", "ok 2"]);
}

#[test]
fn panic_while_parsing_passes_through_and_costs_that_datagram_alone() {
    let log = Log::default();
    let mut client = DatagramClientState::new(Logged(&log), peer());
    client.handle_datagrams(peer(), Bytes::from_static(b"diesok 1dies"), 4);
    client.handle_datagram(peer(), "ok 2");

    let mut outcomes = Vec::new();
    for _ in 0..4 {
        let outcome = catch_unwind(AssertUnwindSafe(|| client.poll_packet()));
        outcomes.push(outcome.map(|packet| packet.unwrap().unwrap()).ok());
    }

    let expected = [None, Some("ok 1".into()), None, Some("ok 2".into())];
    assert_eq!(outcomes, expected);
    assert!(client.poll_packet().is_none());
    assert_eq!(*log.borrow(), ["dies", "ok 1", "dies", "ok 2"]);
    assert_eq!(client.stats().parse_errors, 2);
}

#[test]
fn zero_length_datagrams_are_delivered() {
    let mut client = DatagramClientState::new(Raw, peer());
    client.handle_datagram(peer(), Bytes::new());
    client.handle_datagrams(peer(), Bytes::new(), 0);
    client.handle_datagrams(peer(), Bytes::new(), 5);
    client.handle_datagram(peer(), &b"a"[..]);

    assert_eq!(poll_all(&mut client), ["", "", "", "a"]);
    assert_eq!(client.stats().datagrams_in, 4);
}

#[test]
fn zero_length_datagrams_are_sent() {
    let mut client = DatagramClientState::new(Raw, peer());
    for packet in [&b""[..], b"", b"a", b""] {
        client.send_packet(packet).unwrap();
    }

    assert_eq!(send_all(&mut client), ["", "", "a", ""]);
    assert_eq!(client.stats().datagrams_out, 4);
    assert_eq!(client.stats().bytes_out, 1);
}

#[test]
fn datagrams_from_elsewhere_are_ignored_and_counted() {
    for stranger in [
        "192.0.2.1:8",
        "192.0.2.2:7",
        "[2001:db8::1]:7",
        "[::192.0.2.1]:7",
    ] {
        let mut client = DatagramClientState::new(Raw, peer());

        client.handle_datagram(address(stranger), &b"abc"[..]);
        client.handle_datagrams(address(stranger), Bytes::from_static(b"abcde"), 2);
        client.handle_datagram(peer(), &b"mine"[..]);

        let stats = client.stats();
        assert_eq!(poll_all(&mut client), ["mine"], "{stranger}");
        assert_eq!(stats.ignored, 1 + 3, "{stranger}");
        assert_eq!((stats.datagrams_in, stats.bytes_in), (5, 12), "{stranger}");
        assert_eq!((stats.dropped, stats.parse_errors), (0, 0), "{stranger}");
    }
}

#[test]
fn sources_are_compared_as_canonical_address_and_port() {
    let mut failed = Vec::new();
    for (remote, source, same) in [
        ("192.0.2.1:7", "192.0.2.1:7", true),
        ("192.0.2.1:7", "[::ffff:192.0.2.1]:7", true),
        ("[::ffff:192.0.2.1]:7", "192.0.2.1:7", true),
        ("[::ffff:192.0.2.1]:7", "[::ffff:192.0.2.1]:7", true),
        ("[::ffff:192.0.2.1%3]:7", "192.0.2.1:7", true),
        ("192.0.2.1:7", "[::ffff:192.0.2.1]:8", false),
        ("192.0.2.1:7", "[::ffff:192.0.2.2]:7", false),
        ("[fe80::1]:7", "[fe80::1]:7", true),
        ("[fe80::1%2]:7", "[fe80::1%2]:7", true),
        ("[fe80::1%2]:7", "[fe80::1]:7", true),
        ("[fe80::1]:7", "[fe80::1%2]:7", true),
        ("[fe80::1%2]:7", "[fe80::1%3]:7", false),
        ("[fe80::1%2]:7", "[fe80::2%2]:7", false),
        ("[fe80::1%2]:7", "[fe80::1%2]:8", false),
    ] {
        let mut client = DatagramClientState::new(Raw, address(remote));
        client.handle_datagram(address(source), &b"abc"[..]);
        let accepted = client.poll_packet().is_some();
        if accepted != same || client.stats().ignored != u64::from(!same) {
            failed.push((remote, source, accepted));
        }
    }

    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn flow_info_of_a_source_is_ignored() {
    let remote = std::net::SocketAddrV6::new("fe80::1".parse().unwrap(), 7, 1, 2);
    let mut source = remote;
    source.set_flowinfo(99);
    let mut client = DatagramClientState::new(Raw, remote.into());

    client.handle_datagram(source.into(), &b"abc"[..]);

    assert_eq!(poll_all(&mut client), ["abc"]);
}

#[test]
fn remote_address_is_kept_as_given() {
    for given in ["192.0.2.1:7", "[::ffff:192.0.2.1]:7", "[fe80::1%2]:7"] {
        let mut client = DatagramClientState::new(Raw, address(given));
        client.send_packet(b"abc").unwrap();

        assert_eq!(client.remote_address(), address(given));
        assert_eq!(client.outgoing_mut().destination(), address(given));
        assert_eq!(client.incoming_mut().remote_address(), address(given));
        let transmit = client.poll_transmit(1).unwrap();
        assert_eq!(transmit.destination(), address(given));
    }
}

#[test]
fn closed_client_refuses_packets_and_sends_what_is_queued() {
    let mut client = DatagramClientState::new(Raw, peer());
    client.send_packet(b"a").unwrap();
    client.send_packet(b"bc").unwrap();
    assert!(!client.is_closing() && !client.is_closed());

    client.close();

    assert!(client.is_closing() && !client.is_closed());
    let error = client.send_packet(b"d").unwrap_err();
    assert!(matches!(error, SendPacketError::Closed(_)), "{error:?}");
    client.poll_transmit(64).unwrap().sent();
    assert!(!client.is_closed());
    assert_eq!(send_all(&mut client), ["bc"]);
    assert!(client.is_closing() && client.is_closed());
}

#[test]
fn client_without_queued_datagrams_is_closed_at_once() {
    let mut client = DatagramClientState::new(Raw, peer());

    client.close();

    assert!(client.is_closed());
}

#[test]
fn queued_zero_length_datagram_delays_closing() {
    let mut client = DatagramClientState::new(Raw, peer());
    client.send_packet(b"").unwrap();

    client.close();

    assert!(!client.is_closed());
    assert_eq!(send_all(&mut client), [""]);
    assert!(client.is_closed());
}

#[test]
fn discarded_or_taken_back_datagrams_let_a_client_close() {
    let mut client = DatagramClientState::new(Raw, peer());
    client.send_packet(b"a").unwrap();
    client.send_packet(b"b").unwrap();
    client.close();

    client.poll_transmit(64).unwrap().discard_first();
    assert!(!client.is_closed());
    client.outgoing_mut().take_back(1);

    assert!(client.is_closed());
}

#[test]
fn closing_twice_changes_nothing() {
    let mut client = DatagramClientState::new(Raw, peer());
    client.send_packet(b"a").unwrap();

    client.close();
    client.close();

    assert_eq!(send_all(&mut client), ["a"]);
    client.close();
    assert!(client.is_closing() && client.is_closed());
}

#[test]
fn closed_client_does_not_ask_the_protocol() {
    let log = Log::default();
    let mut client = DatagramClientState::new(Logged(&log), peer());
    client.close();

    client.send_packet("dies").unwrap_err();

    assert!(log.borrow().is_empty());
}

#[test]
fn closed_client_still_receives() {
    let mut client = DatagramClientState::new(Raw, peer());
    client.handle_datagram(peer(), &b"before"[..]);

    client.close();
    client.handle_datagram(peer(), &b"after"[..]);

    assert_eq!(poll_all(&mut client), ["before", "after"]);
    assert!(client.is_closed());
}

#[test]
fn counters_start_at_zero() {
    let client = DatagramClientState::new(Raw, peer());

    assert_eq!(client.stats(), Stats::default());
}

#[test]
fn counters_add_up() {
    let log = Log::default();
    let mut client = DatagramClientState::new(Logged(&log), peer());
    for packet in ["one", "two", "three", "four"] {
        client.send_packet(packet).unwrap();
    }
    client.poll_transmit(1).unwrap().sent();
    client.poll_transmit(1).unwrap().discard_first();
    client.poll_transmit(1).unwrap().sent();
    client.handle_datagram(peer(), "ok 1");
    client.handle_datagram(peer(), "bad");
    client.handle_datagram(address("192.0.2.1:8"), "ok 22");
    client.incoming_mut().handle_truncated(100);
    client.handle_datagram(peer(), "ok queued");
    client.poll_packet().unwrap().unwrap();
    client.poll_packet().unwrap().unwrap_err();

    let stats = client.stats();

    let mut expected = Stats::default();
    expected.datagrams_out = 2;
    expected.bytes_out = 3 + 5;
    expected.datagrams_in = 5;
    expected.bytes_in = 4 + 3 + 5 + 100 + 9;
    expected.parse_errors = 1;
    expected.ignored = 1;
    expected.dropped = 1 + 1;
    assert_eq!(stats, expected);
}

#[test]
fn nothing_has_to_be_drained_before_another_call() {
    let mut client = DatagramClientState::new(Raw, peer());

    assert!(client.poll_packet().is_none());
    assert!(client.poll_transmit(1).is_none());
    client.handle_datagram(peer(), &b"in"[..]);
    client.send_packet(b"a").unwrap();
    client.handle_datagram(peer(), &b"in"[..]);
    drop(client.poll_transmit(1));
    client.send_packet(b"b").unwrap();
    client.poll_packet().unwrap().unwrap();
    client.close();
    client.handle_datagram(peer(), &b"in"[..]);

    assert_eq!(send_all(&mut client), ["a", "b"]);
    assert_eq!(poll_all(&mut client), ["in", "in"]);
}

#[test]
fn new_peer_gets_what_is_queued_and_the_old_one_is_a_stranger() {
    let mut client = DatagramClientState::new(Raw, peer());
    let new_peer = address("[2001:db8::1]:7");
    client.send_packet(b"queued").unwrap();
    client.handle_datagram(peer(), "arrived");

    client.set_remote_address(new_peer);
    client.handle_datagram(peer(), "late");
    client.handle_datagram(new_peer, "new");

    assert_eq!(client.remote_address(), new_peer);
    assert_eq!(client.poll_transmit(1).unwrap().destination(), new_peer);
    assert_eq!(poll_all(&mut client), ["arrived", "new"]);
    assert_eq!(client.stats().ignored, 1);
}

#[test]
fn longest_datagram_follows_the_family_of_the_peer() {
    let v6 = address("[2001:db8::1]:7");
    let longest = [0; 65_527];
    let config = ClientConfig::new().max_datagram_size(9);
    let mut limited = DatagramClientState::with_config(Raw, peer(), config);
    let (mut sender, mut receiver) = DatagramClientState::new(Raw, peer()).split();

    limited.set_remote_address(v6);
    sender.set_remote_address(v6);
    receiver.set_remote_address(v6);

    sender.send_packet(&longest).unwrap();
    sender.set_remote_address(peer());
    for (result, expected) in [
        (sender.send_packet(&longest), 65_507),
        (limited.send_packet(&longest), 9),
    ] {
        assert!(
            matches!(result, Err(SendPacketError::TooLarge { max, .. }) if max == expected),
            "{result:?}"
        );
    }
    assert_eq!(receiver.remote_address(), v6);
}

#[test]
fn what_the_system_drops_is_a_counter_of_its_own() {
    let mut client = DatagramClientState::new(Raw, peer());

    client.incoming_mut().handle_overflow(3);
    client.incoming_mut().handle_overflow(4);

    assert_eq!(client.stats().dropped_by_system, 7);
    assert_eq!(client.stats().datagrams_in, 0);
    assert_eq!(client.stats().dropped, 0);
}

#[test]
fn debug_shows_the_state() {
    let client = DatagramClientState::new(Raw, peer());

    assert!(format!("{client:?}").contains("192.0.2.1:7"));
}

/// What a protocol was asked for, in order.
type Log = RefCell<Vec<String>>;

/// Writes down every text that it parses or sends. Refuses those that start with "ba" and panics at
/// those that start with "dies".
struct Logged<'a>(&'a Log);

impl DatagramProtocol for Logged<'_> {
    type Sent = str;
    type Received = String;

    fn make_datagram(&self, packet: &str, datagram: &mut BytesMut) -> Result<(), SerializeError> {
        self.0.borrow_mut().push(packet.to_owned());
        datagram.extend_from_slice(packet.as_bytes());
        Ok(())
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<String, PacketError> {
        let text = String::from_utf8(datagram.to_vec()).map_err(DeserializeError::new)?;
        self.0.borrow_mut().push(text.clone());
        if text.starts_with("dies") {
            // Without the message that `panic!` prints.
            resume_unwind(Box::new(text));
        }
        if text.starts_with("ba") {
            return Err(DeserializeError::new("bad").into());
        }
        Ok(text)
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn peer() -> SocketAddr {
    address("192.0.2.1:7")
}

#[track_caller]
fn poll_all(client: &mut DatagramClientState<Raw>) -> Vec<Bytes> {
    std::iter::from_fn(|| client.poll_packet())
        .map(Result::unwrap)
        .collect()
}

fn send_all(client: &mut DatagramClientState<Raw>) -> Vec<Bytes> {
    let mut sent = Vec::new();
    while let Some(transmit) = client.poll_transmit(64) {
        sent.extend(transmit.datagrams().map(Bytes::copy_from_slice));
        transmit.sent();
    }
    sent
}
