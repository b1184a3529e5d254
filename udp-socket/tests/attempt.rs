//! [`try_send_packets`] and [`within`], with a pump that does what the test says: each packet is sent or
//! not, and none is left for a later call.

use std::{cell::Cell, io, net::SocketAddr};

use bytes::{Bytes, BytesMut};
use datagram_protocol_core::{
    ClientConfig, Datagram, DatagramProtocol, DeserializeError, Outgoing, PacketError,
    SerializeError,
};
use datagram_udp_socket::{
    Attempt, Outcome, Progress, SendError, SendPacketsError, try_send_packets, within,
};

/// Bytes as they are, but for those that say otherwise.
#[derive(Clone, Copy)]
struct Picky;

impl DatagramProtocol for Picky {
    type Sent = [u8];
    type Received = Bytes;

    fn make_datagram(&self, packet: &[u8], datagram: &mut BytesMut) -> Result<(), SerializeError> {
        datagram.extend_from_slice(packet);
        match packet {
            b"bad" => Err(SerializeError::new("as told")),
            b"panic" => panic!("as told"),
            _ => Ok(()),
        }
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Bytes, PacketError> {
        match &*datagram {
            b"bad" => Err(DeserializeError::new("as told").into()),
            _ => Ok(datagram.to_bytes()),
        }
    }
}

fn peer() -> SocketAddr {
    ([127, 0, 0, 1], 7).into()
}

fn queue() -> Outgoing {
    Outgoing::new(peer(), &ClientConfig::new())
}

/// Takes at most `datagrams` off the queue, into `sent`.
fn take(
    outgoing: &mut Outgoing,
    sent: &mut Vec<Vec<u8>>,
    datagrams: usize,
) -> Result<Progress, SendPacketsError> {
    for _ in 0..datagrams {
        let Some(transmit) = outgoing.poll_transmit(1) else {
            return Ok(Progress::Done);
        };
        sent.push(transmit.contents().to_vec());
        transmit.sent();
    }
    if outgoing.is_empty() {
        return Ok(Progress::Done);
    }
    Ok(Progress::WouldBlock)
}

#[test]
fn everything_is_sent_in_one_flush() {
    let mut queue = queue();
    let (mut sent, flushes) = (Vec::new(), Cell::new(0));

    let result = try_send_packets(
        &Picky,
        &mut queue,
        [&b"a"[..], b"", b"bb"],
        |outgoing, _more| {
            flushes.set(flushes.get() + 1);
            take(outgoing, &mut sent, usize::MAX)
        },
    );

    assert_eq!(result.unwrap(), 3);
    assert_eq!(sent, [&b"a"[..], b"", b"bb"]);
    assert_eq!(flushes.get(), 1);
}

#[test]
fn no_packets_need_no_flush() {
    let mut queue = queue();

    let result = try_send_packets(&Picky, &mut queue, [], |_, _| panic!("nothing to flush"));

    assert_eq!(result.unwrap(), 0);
}

#[test]
fn what_would_block_is_taken_back() {
    for room in 0..3 {
        let mut queue = queue();
        let mut sent = Vec::new();

        let result = try_send_packets(
            &Picky,
            &mut queue,
            [&b"a"[..], b"b", b"c"],
            |outgoing, _more| take(outgoing, &mut sent, room),
        );

        assert_eq!(result.unwrap(), room);
        assert_eq!(sent.len(), room);
        assert!(queue.is_empty());
        assert_eq!(queue.stats().dropped, 0);
        assert_eq!(queue.stats().datagrams_out, room as u64);
    }
}

#[test]
fn packets_before_a_bad_one_are_sent() {
    let mut queue = queue();
    let mut sent = Vec::new();

    let error = try_send_packets(
        &Picky,
        &mut queue,
        [&b"a"[..], b"b", b"bad", b"c"],
        |outgoing, _more| take(outgoing, &mut sent, usize::MAX),
    )
    .unwrap_err();

    assert_eq!(error.sent, 2);
    assert!(matches!(error.error, SendError::Serialize(_)));
    assert_eq!(sent, [b"a", b"b"]);
    assert!(queue.is_empty());
}

#[test]
fn bad_packet_waits_for_those_before_it() {
    let mut queue = queue();
    let mut sent = Vec::new();

    let result = try_send_packets(
        &Picky,
        &mut queue,
        [&b"a"[..], b"b", b"bad"],
        |outgoing, _more| take(outgoing, &mut sent, 1),
    );

    // The error comes when the rest is tried.
    assert_eq!(result.unwrap(), 1);
    assert_eq!(sent, [b"a"]);
    assert!(queue.is_empty());
}

#[test]
fn error_of_the_pump_takes_the_rest_back() {
    let mut queue = queue();
    let mut sent = Vec::new();

    let error = try_send_packets(
        &Picky,
        &mut queue,
        [&b"a"[..], b"b", b"c"],
        |outgoing, _more| {
            let _progress = take(outgoing, &mut sent, 1)?;
            let error = SendError::NotSent(io::ErrorKind::PermissionDenied.into());
            Err(SendPacketsError::new(1, error))
        },
    )
    .unwrap_err();

    assert_eq!(error.sent, 1);
    assert!(matches!(error.error, SendError::NotSent(_)));
    assert!(queue.is_empty());
    assert_eq!(queue.stats().dropped, 0);
}

#[test]
fn panic_takes_everything_back() {
    let mut queue = queue();

    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        try_send_packets(&Picky, &mut queue, [&b"a"[..], b"panic"], |_, _| {
            panic!("not flushed before all is encoded")
        })
    }));

    assert!(panicked.is_err());
    assert!(queue.is_empty());
}

#[test]
fn more_than_the_queue_holds_is_flushed_in_between() {
    let config = ClientConfig::new().outgoing_bytes(1000);
    let mut queue = Outgoing::new(peer(), &config);
    let packets = vec![vec![7; 300]; 10];
    let mut sent = Vec::new();

    let result = try_send_packets(
        &Picky,
        &mut queue,
        packets.iter().map(|packet| &packet[..]),
        |outgoing, _more| take(outgoing, &mut sent, usize::MAX),
    );

    assert_eq!(result.unwrap(), 10);
    assert_eq!(sent, packets);
}

#[test]
fn run_is_flushed_as_soon_as_it_is_full() {
    let mut queue = queue();
    let packets = vec![vec![7; 1200]; 128];
    let (mut sent, mut flushed) = (Vec::new(), Vec::new());

    let result = try_send_packets(
        &Picky,
        &mut queue,
        packets.iter().map(|packet| &packet[..]),
        |outgoing, _more| {
            flushed.push(outgoing.len());
            take(outgoing, &mut sent, usize::MAX)
        },
    );

    assert_eq!(result.unwrap(), 128);
    assert_eq!(sent, packets);
    // 54 of them have 64,800 bytes.
    assert_eq!(flushed, [54, 54, 20]);
}

#[test]
fn full_run_that_would_block_is_taken_back() {
    let mut queue = queue();
    let packets = vec![vec![7; 20_000]; 9];
    let (mut sent, mut flushes) = (Vec::new(), 0);

    let result = try_send_packets(
        &Picky,
        &mut queue,
        packets.iter().map(|packet| &packet[..]),
        |outgoing, _more| {
            flushes += 1;
            take(outgoing, &mut sent, [3, 1][flushes - 1])
        },
    );

    assert_eq!(result.unwrap(), 4);
    assert_eq!(sent.len(), 4);
    assert_eq!(flushes, 2);
    assert!(queue.is_empty());
    assert_eq!(queue.stats().dropped, 0);
}

#[test]
fn event_loop_sees_only_whether_it_would_block() {
    assert!(is_seen_ready(Ok(Progress::Done)));
    assert!(is_seen_ready(Err::<Progress, _>("broken")));
    assert!(!is_seen_ready(Ok(Progress::WouldBlock)));
    assert!(is_seen_ready(Ok(Attempt::Ready(7))));
    assert!(is_seen_ready(Ok(Attempt::<u8>::Again)));
    assert!(is_seen_ready(Err::<Attempt<u8>, _>("broken")));
    assert!(!is_seen_ready(Ok(Attempt::<u8>::WouldBlock)));
}

#[test]
fn event_loop_that_does_not_ask_is_passed_by() {
    let result = within(
        |_| Err(io::ErrorKind::WouldBlock.into()),
        || Ok::<_, ()>(Progress::Done),
    );

    assert_eq!(result, Ok(Progress::Done));
}

/// Runs a pump of which came `pumped` inside an event loop. Returns what the loop made of it.
#[track_caller]
fn is_seen_ready<O>(pumped: Result<O, &'static str>) -> bool
where
    O: Outcome + Copy + PartialEq + std::fmt::Debug,
{
    let seen = Cell::new(None);

    let result = within(
        |io| {
            let result = io();
            seen.set(Some(result.is_ok()));
            result
        },
        || pumped,
    );

    assert_eq!(result, pumped);
    seen.get().expect("the pump was run")
}
