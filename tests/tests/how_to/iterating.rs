//! `iter_received_packets`: until the timeout, until close, and over errors.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use datagram_protocol_core::Raw;
use datagram_tests::{
    Client, DEADLINE, Driver, assert_matches, connected, in_background,
    protocol::{INVALID, Picky},
    settle, wait_until, wait_until_readable,
};
use datagram_udp_socket::RecvError;

pub(crate) fn zero_timeout_yields_what_is_there<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    let all_there_is = || {
        client
            .iter_received_packets(Duration::ZERO)
            .map(Result::unwrap)
            .collect::<Vec<_>>()
    };

    let nothing = all_there_is();
    for packet in [b"a", b"b", b"c"] {
        peer.send(packet);
    }
    wait_until_readable(&client);
    let mut packets = all_there_is();
    let is_any_there = !packets.is_empty();
    // The system may be slow with those behind the first.
    wait_until("all have arrived", || {
        packets.extend(all_there_is());
        packets.len() >= 3
    });

    assert!(nothing.is_empty());
    assert!(is_any_there);
    assert_eq!(packets, [b"a", b"b", b"c"].map(|packet| &packet[..]));
}

pub(crate) fn timeout_is_for_the_whole_iteration<D: Driver>(ip: IpAddr) {
    let timeout = Duration::from_millis(300);
    let (client, peer) = connected::<D, _>(ip, Raw);
    let stop = Arc::new(AtomicBool::new(false));
    let is_stopped = Arc::clone(&stop);
    // Each packet in time, so that a timeout for each would go on for ever.
    let sending = in_background(move || {
        while !is_stopped.load(SeqCst) {
            peer.send(b"and another");
            thread::sleep(timeout / 10);
        }
    });
    let start = Instant::now();

    let packets = client.iter_received_packets(timeout).count();
    let elapsed = start.elapsed();

    stop.store(true, SeqCst);
    sending.join();
    assert!(packets > 0);
    assert!(elapsed >= timeout, "{elapsed:?}");
    assert!(elapsed < DEADLINE, "{elapsed:?}");
}

pub(crate) fn time_between_calls_is_not_counted<D: Driver>(ip: IpAddr) {
    let timeout = Duration::from_secs(1);
    let (client, peer) = connected::<D, _>(ip, Raw);
    let (ask, is_asked) = mpsc::channel();
    let sending = in_background(move || {
        while is_asked.recv_timeout(DEADLINE).is_ok() {
            // Late enough for an iteration without budget to end, early enough for one with.
            settle();
            peer.send(b"as asked");
        }
    });
    let mut packets = client.iter_received_packets(timeout);

    ask.send(()).unwrap();
    let first = packets.next();
    // What the application does with a packet.
    thread::sleep(timeout + timeout / 10);
    ask.send(()).unwrap();
    let second = packets.next();

    drop(ask);
    sending.join();
    assert_eq!(first.unwrap().unwrap(), &b"as asked"[..]);
    assert_eq!(second.unwrap().unwrap(), &b"as asked"[..]);
}

pub(crate) fn iteration_without_timeout_goes_on_until_close<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    let receiver = client.clone();
    let (arrived, has_arrived) = mpsc::channel();
    let receiving = in_background(move || {
        receiver
            .iter_received_packets(None)
            .map(|packet| arrived.send(packet.unwrap()).unwrap())
            .count()
    });

    for number in [1, 2, 3] {
        peer.send([number]);
        assert_eq!(has_arrived.recv_timeout(DEADLINE).unwrap(), [number][..]);
    }
    settle();
    client.close();

    assert_eq!(receiving.join(), 3);
}

pub(crate) fn iteration_goes_on_after_a_parse_error<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Picky);
    peer.send(b"a");
    peer.send(INVALID);
    peer.send(INVALID);
    peer.send(b"b");

    let packets = client
        .iter_received_packets(DEADLINE)
        .take(4)
        .collect::<Vec<_>>();

    assert_matches!(
        &packets[..],
        [
            Ok(a),
            Err(RecvError::Parse(first)),
            Err(RecvError::Parse(second)),
            Ok(b),
        ] if a == "a" && b == "b" && first.datagram() == INVALID && second.datagram() == INVALID
    );
}

pub(crate) fn iteration_does_not_take_empty_datagrams_for_the_end<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    peer.send(b"");
    peer.send(b"a");
    peer.send(b"");

    let packets = client
        .iter_received_packets(DEADLINE)
        .map(Result::unwrap)
        .take(3)
        .collect::<Vec<_>>();

    assert_eq!(packets, [&b""[..], b"a", b""]);
}

pub(crate) fn iteration_that_has_ended_stays_so<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    let mut packets = client.iter_received_packets(Duration::ZERO);

    let nothing = packets.next();
    peer.send(b"late");
    wait_until_readable(&client);

    assert_matches!(nothing, None);
    assert_matches!(packets.next(), None);
    drop(packets);
    assert_eq!(client.recv(), &b"late"[..]);
}
