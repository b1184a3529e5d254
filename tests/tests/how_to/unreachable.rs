//! A peer on this host that is not there. Linux only: elsewhere, when the refusal is reported, and
//! whether it is, differs.

use std::{io, net::IpAddr, os::fd::AsFd, time::Duration};

use datagram_protocol_core::Raw;
use datagram_tests::{
    Client, DEADLINE, Driver, Peer, assert_matches, connected, in_background, refuse_quietly,
    settle,
};
use datagram_udp_socket::{RecvError, SendError};

/// How often a refusal may be late. The system answers while it sends, unless it happens to be
/// interrupted between the datagram and its answer.
const TRIES: usize = 5;

pub(crate) fn first_send_to_a_closed_port_is_refused<D: Driver>(ip: IpAddr) {
    let is_refused = (0..TRIES).any(|_| {
        let (client, peer) = connected::<D, _>(ip, Raw);
        peer.shut();
        is_refused(client.send_packet(b"anybody there?"))
    });

    assert!(is_refused);
}

pub(crate) fn later_send_to_a_closed_port_is_refused<D: Driver>(ip: IpAddr) {
    let is_refused = (0..TRIES).any(|_| {
        let (client, peer) = connected::<D, _>(ip, Raw);
        client.send_packet(b"question").unwrap();
        assert_eq!(peer.recv(), b"question");
        peer.send(b"answer");
        assert_eq!(client.recv(), &b"answer"[..]);
        peer.shut();
        is_refused(client.send_packet(b"still there?"))
    });

    assert!(is_refused);
}

/// Tells whether a send was refused; nothing else may be wrong with it.
#[track_caller]
fn is_refused(result: Result<(), SendError>) -> bool {
    let Err(error) = result else {
        return false;
    };
    assert!(error.was_sent() && !error.is_fatal());
    let error = assert_matches!(error, SendError::Unreachable(error) => error);
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    true
}

pub(crate) fn refusal_is_counted_as_sent<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    peer.shut();

    let mut sent = 0;
    for _ in 0..TRIES {
        match client.send_packets([&b"a"[..], b"bb", b"ccc"]) {
            Ok(all) => sent += all,
            Err(error) => {
                assert!((1..=3).contains(&error.sent), "{error:?}");
                assert_matches!(error.error, SendError::Unreachable(_));
                sent += error.sent;
            }
        }
    }

    assert_eq!(client.stats().datagrams_out, sent as u64);
    assert_eq!(client.stats().dropped, 0);
}

pub(crate) fn no_packet_is_lost_untold_while_the_peer_comes_and_goes<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    let address = client.local_address().unwrap();
    for round in 0..20_u8 {
        // What was sent to the closed port is lost, and that is told: by one of these sends, or by the
        // first of the next, if the refusal is late.
        peer.shut();
        let mut told = 0;
        for number in 0..3 {
            told += usize::from(is_refused(client.send_packet(&[round, number])));
        }
        peer.connect(address);
        for number in 3..6 {
            told += usize::from(is_refused(client.send_packet(&[round, number])));
        }

        assert!((1..=3).contains(&told), "{told}");
        for number in 3..6 {
            assert_eq!(peer.recv(), [round, number]);
        }
        peer.assert_nothing_arrived();
    }
    assert_eq!(client.stats().datagrams_out, 120);
    assert_eq!(client.stats().dropped, 0);
}

pub(crate) fn client_works_on_once_the_peer_is_back<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    peer.shut();
    for _ in 0..10 {
        let _refused = client.send_packet(b"anybody there?");
    }

    peer.connect(client.local_address().unwrap());
    let result = client.send_packet(b"now");
    client.send_packet(b"and now").unwrap();

    // One refusal may have been late.
    assert!(result.is_ok() || is_refused(result));
    assert_eq!(peer.recv(), b"now");
    assert_eq!(peer.recv(), b"and now");
    peer.send(b"yes");
    assert_eq!(client.recv(), &b"yes"[..]);
}

/// Whichever of the two meets the refusal reports it; the other one notices nothing.
pub(crate) fn refusal_is_reported_by_one_of_sender_and_receiver<D: Driver>(ip: IpAddr) {
    for round in 0..100 {
        let (client, peer) = connected::<D, _>(ip, Raw);
        let receiver = client.clone();
        let receiving = in_background(move || receiver.recv_packet());
        if round % 4 == 0 {
            settle();
        }
        peer.shut();

        let refused_sender = is_refused(client.send_packet(b"anybody there?"));

        if refused_sender {
            // The receiver waits on, and gets what comes.
            peer.connect(client.local_address().unwrap());
            peer.send(b"back again");
            assert_eq!(receiving.join().unwrap(), &b"back again"[..]);
        } else {
            let error = receiving.join().unwrap_err();
            assert!(!error.is_fatal());
            assert_matches!(error, RecvError::Unreachable(_));
        }
    }
}

pub(crate) fn pending_refusal_costs_no_innocent_datagram<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    make_refusal_pending(&client, &peer);

    assert!(is_refused(client.send_packet(b"innocent")));
    client.send_packet(b"next").unwrap();

    assert_eq!(peer.recv(), b"innocent");
    assert_eq!(peer.recv(), b"next");

    make_refusal_pending(&client, &peer);
    let error = client
        .send_packets([&b"one"[..], b"two", b"longer", b"even longer"])
        .unwrap_err();
    client.send_packet(b"next").unwrap();

    assert!(error.sent >= 1);
    assert!(is_refused(Err(error.error)));
    for packet in [&b"one"[..], b"two", b"longer", b"even longer"]
        .into_iter()
        .take(error.sent)
    {
        assert_eq!(peer.recv(), packet);
    }
    assert_eq!(peer.recv(), b"next");
}

pub(crate) fn pending_refusal_is_one_failed_receive<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    make_refusal_pending(&client, &peer);

    let error = client.recv_packet().unwrap_err();
    let nothing = client.recv_packet_timeout(Duration::ZERO);
    peer.send(b"back again");

    assert!(!error.is_fatal());
    let error = assert_matches!(error, RecvError::Unreachable(error) => error);
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert_matches!(nothing, Err(RecvError::TimedOut));
    assert_eq!(client.recv(), &b"back again"[..]);
}

pub(crate) fn pending_refusal_does_not_end_an_iteration<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    make_refusal_pending(&client, &peer);
    peer.send(b"back again");

    let mut packets = client.iter_received_packets(DEADLINE);

    assert_matches!(packets.next(), Some(Err(RecvError::Unreachable(_))));
    assert_eq!(packets.next().unwrap().unwrap(), &b"back again"[..]);
}

/// Leaves a refusal pending on the client's socket, of a datagram that the client did not send. The
/// peer is there again.
#[track_caller]
fn make_refusal_pending(client: &impl Client<Raw>, peer: &Peer) {
    peer.shut();
    client
        .with_socket(|socket| {
            refuse_quietly(socket.as_fd(), b"behind its back");
            Ok(())
        })
        .unwrap();
    peer.connect(client.local_address().unwrap());
}
