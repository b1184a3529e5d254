//! `recv_packet`, with and without a timeout, and what arrives that is no packet.

use std::{
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use datagram_protocol_core::{PacketError, Raw};
use datagram_tests::{
    Client, Driver, Peer, Protocol, assert_matches, connected, in_background, pair,
    protocol::{INVALID, PANIC, Picky},
    settle, wait_until_readable,
};
use datagram_udp_socket::{ConnectOptions, RecvError};

pub(crate) fn receive_times_out_and_succeeds_later<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    let start = Instant::now();

    let error = client
        .recv_packet_timeout(Duration::from_millis(50))
        .unwrap_err();
    let elapsed = start.elapsed();
    peer.send(b"late");

    assert!(!error.is_fatal());
    assert_matches!(error, RecvError::TimedOut);
    assert!(elapsed >= Duration::from_millis(50), "{elapsed:?}");
    assert_eq!(client.recv_packet().unwrap(), &b"late"[..]);
}

pub(crate) fn timeout_of_zero_takes_what_is_there<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);

    let nothing = client.recv_packet_timeout(Duration::ZERO);
    peer.send(b"there");
    wait_until_readable(&client);
    let something = client.recv_packet_timeout(Duration::ZERO);
    let nothing_more = client.recv_packet_timeout(Duration::ZERO);

    assert_matches!(nothing, Err(RecvError::TimedOut));
    assert_eq!(something.unwrap(), &b"there"[..]);
    assert_matches!(nothing_more, Err(RecvError::TimedOut));
}

pub(crate) fn longest_timeout_is_no_overflow<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    let receiver = client.clone();
    let receiving = in_background(move || receiver.recv_packet_timeout(Duration::MAX));

    settle();
    peer.send(b"at last");

    assert_eq!(receiving.join().unwrap(), &b"at last"[..]);
}

pub(crate) fn empty_datagram_is_a_packet<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);

    peer.send(b"");
    peer.send(b"a");
    peer.send(b"");

    assert_eq!(client.recv_packet().unwrap(), &b""[..]);
    assert_eq!(client.recv(), &b"a"[..]);
    assert_eq!(client.recv(), &b""[..]);
}

pub(crate) fn longest_datagram_is_received<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    let size = if ip.is_ipv4() { 65_507 } else { 65_527 };
    let datagram = (0..size).map(|byte| byte as u8).collect::<Vec<_>>();

    peer.send(&datagram);

    assert!(client.recv() == datagram);
}

pub(crate) fn invalid_datagram_is_an_error_with_its_bytes<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Picky);

    peer.send(INVALID);
    peer.send(b"valid");
    let error = client.recv_packet().unwrap_err();
    let packet = client.recv_packet().unwrap();

    assert!(!error.is_fatal());
    let error = assert_matches!(error, RecvError::Parse(error) => error);
    assert_eq!(error.datagram(), INVALID);
    assert_matches!(error.error(), PacketError::Deserialize(_));
    assert_eq!(packet, &b"valid"[..]);
    assert_eq!(client.stats().parse_errors, 1);
}

pub(crate) fn panicking_parser_harms_no_other_packet<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Picky);
    peer.send(b"before");
    peer.send(PANIC);
    peer.send(b"behind");

    let before = client.recv();
    let panicked = catch_unwind(AssertUnwindSafe(|| client.recv_packet()));
    let behind = client.recv();
    client.send_packet(b"answer").unwrap();

    assert_eq!(before, &b"before"[..]);
    assert!(panicked.is_err());
    assert_eq!(behind, &b"behind"[..]);
    assert_eq!(peer.recv(), b"answer");
}

pub(crate) fn other_senders_are_ignored<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    let stranger = Peer::bind(ip);

    stranger.send_to(b"strange", client.local_address().unwrap());
    peer.send(b"familiar");

    assert_eq!(client.recv(), &b"familiar"[..]);
    assert_matches!(
        client.recv_packet_timeout(Duration::from_millis(20)),
        Err(RecvError::TimedOut)
    );
}

pub(crate) fn several_receivers_get_each_packet_once<D: Driver>(ip: IpAddr) {
    const PACKETS: u32 = 4000;
    const LOT: usize = 100;
    let options = ConnectOptions::new();
    let (client, peer) = pair::<D, _>(ip, Raw, &options, &options);
    let receiving = (0..4)
        .map(|_| {
            let client = client.clone();
            in_background(move || {
                let mut numbers = Vec::new();
                for packet in client.iter_received_packets(None) {
                    let packet = packet.unwrap();
                    // Tells the sender that there is room again.
                    client.send_packet(&packet).unwrap();
                    numbers.push(u32::from_be_bytes(packet[..].try_into().unwrap()));
                }
                numbers
            })
        })
        .collect::<Vec<_>>();

    let packets = (0..PACKETS).map(u32::to_be_bytes).collect::<Vec<_>>();
    for lot in packets.chunks(LOT) {
        peer.send_packets(lot.iter().map(|packet| &packet[..]))
            .unwrap();
        for _ in lot {
            let _acknowledged = peer.recv();
        }
    }
    client.close();

    let mut numbers = receiving
        .into_iter()
        .flat_map(|receiving| receiving.join())
        .collect::<Vec<_>>();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..PACKETS));
}

/// Four receivers sleep, four packets arrive as one batch: one receiver is woken, and has to pass
/// on that there is more.
/// Nobody receives for a while: the system has room for some, and drops the rest.
#[cfg(all(target_os = "linux", not(datagram_portable)))]
pub(crate) fn what_the_system_drops_is_counted<D: Driver>(ip: IpAddr) {
    const SENT: u64 = 20_000;
    const LATER: u64 = 100;
    let (client, peer) = connected::<D, _>(ip, Raw);
    let receive_all = || {
        client
            .iter_received_packets(Duration::ZERO)
            .map(|packet| assert_eq!(packet.unwrap(), &[7; 500][..]))
            .count() as u64
    };

    for _ in 0..SENT {
        peer.send([7; 500]);
    }
    let mut received = receive_all();
    // The count comes with datagrams that arrive after the drop.
    for _ in 0..LATER {
        peer.send([7; 500]);
    }
    received += receive_all();

    let stats = client.stats();
    assert!(stats.dropped_by_system > 0);
    assert_eq!(stats.datagrams_in, received);
    assert_eq!(received + stats.dropped_by_system, SENT + LATER);
}

/// Both are sent as fast as the peer can; the system drops some of either.
pub(crate) fn valid_packets_get_through_a_flood_of_garbage<D: Driver>(ip: IpAddr) {
    const VALID: usize = 200;
    const GARBAGE_FOR_EACH: usize = 50;
    let (client, peer) = connected::<D, _>(ip, Picky);
    let is_enough = Arc::new(AtomicBool::new(false));
    let flood = {
        let is_enough = Arc::clone(&is_enough);
        in_background(move || {
            let mut number = 0_u64;
            while !is_enough.load(SeqCst) {
                for _ in 0..GARBAGE_FOR_EACH {
                    peer.send(INVALID);
                }
                peer.send(number.to_be_bytes());
                number += 1;
            }
            peer
        })
    };

    let mut valid = Vec::new();
    let mut errors = 0;
    while valid.len() < VALID {
        match client.recv_packet() {
            Ok(packet) => valid.push(packet),
            Err(RecvError::Parse(error)) => {
                assert_eq!(error.datagram(), INVALID);
                errors += 1;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    is_enough.store(true, SeqCst);

    assert!(valid.is_sorted() && !valid.windows(2).any(|pair| pair[0] == pair[1]));
    let stats = client.stats();
    assert_eq!(stats.parse_errors, errors);
    assert_eq!(stats.dropped + stats.ignored, 0);
    drop(flood.join());
}

pub(crate) fn receiver_that_leaves_packets_wakes_the_next<D: Driver>(ip: IpAddr) {
    let (client, peer) = gluing_pair::<D, _>(ip, Raw);

    for _ in 0..50 {
        let receiving = [(); 4].map(|()| {
            let client = client.clone();
            in_background(move || client.recv_packet().unwrap())
        });
        settle();
        peer.send_packets([b"a", b"b", b"c", b"d"].map(|packet| &packet[..]))
            .unwrap();

        let mut packets = receiving.map(|receiving| receiving.join());
        packets.sort();
        assert_eq!(packets, [b"a", b"b", b"c", b"d"].map(|packet| &packet[..]));
    }
}

/// It empties the socket before the system has told those who wait, which then does not tell them.
pub(crate) fn receiver_that_never_waits_wakes_who_does<D: Driver>(ip: IpAddr) {
    let (client, peer) = gluing_pair::<D, _>(ip, Picky);

    // Also if what it finds for itself is no packet.
    for (first, is_packet) in [(&b"first"[..], true), (INVALID, false), (PANIC, false)] {
        for _ in 0..20 {
            let waiting = {
                let client = client.clone();
                in_background(move || received(|| client.recv_packet()))
            };
            settle();
            peer.send_packets([first, b"last"]).unwrap();
            let quick = received(|| {
                loop {
                    match client.recv_packet_timeout(Duration::ZERO) {
                        Err(RecvError::TimedOut) => thread::yield_now(),
                        result => return result,
                    }
                }
            });

            let mut packets = [quick, waiting.join()];
            packets.sort();
            assert_eq!(
                packets,
                [is_packet.then(|| first.into()), Some("last".into())]
            );
        }
    }
}

/// Returns the packet, or `None` for an error or a panic.
fn received(receive: impl FnOnce() -> Result<Bytes, RecvError>) -> Option<Bytes> {
    catch_unwind(AssertUnwindSafe(receive)).ok()?.ok()
}

/// Makes a client and its peer; what the peer sends at once arrives glued.
fn gluing_pair<D: Driver, P: Protocol<Received = Bytes>>(
    ip: IpAddr,
    protocol: P,
) -> (D::Client<P>, D::Client<Raw>) {
    let (client, peer) = connected::<D, _>(ip, protocol);
    let peer = D::Client::from_socket(peer.into_socket(), Raw).unwrap();
    // A driver has to see a burst before it lets the system glue datagrams together.
    for _ in 0..5 {
        peer.send_packets([&b"warm"[..]; 20]).unwrap();
        for _ in 0..20 {
            assert_eq!(client.recv(), &b"warm"[..]);
        }
    }
    (client, peer)
}
