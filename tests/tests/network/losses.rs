//! The wire is cut, or swallows what is sent; later it works again.

use std::{io::Write, net::IpAddr};

use datagram_protocol_core::Raw;
use datagram_tests::{Client, Driver, Link, Peer, in_background};

use crate::LIMIT;

pub(crate) fn client_works_on_once_the_wire_is_mended<D: Driver>(far: IpAddr) {
    with_client::<D>(far, |link, client, peer| {
        link.cut();
        let error = client.send_packet(b"lost").unwrap_err();
        assert!(!error.was_sent() && !error.is_fatal(), "{error:?}");
        let error = client.send_packets([&b"lost"[..]; 3]).unwrap_err();
        assert_eq!(error.sent, 0);
        link.mend();

        talk(&client, &peer);
    });
}

pub(crate) fn client_works_on_after_losses<D: Driver>(far: IpAddr) {
    with_client::<D>(far, |link, client, peer| {
        // A bucket of tokens that is too small for any packet (tc-tbf(8)).
        let bucket = ["tbf", "rate", "1kbit", "burst", "10", "limit", "10000"];
        if let Err(said) = link.shape(&bucket) {
            let mut stderr = std::io::stderr().lock();
            writeln!(stderr, "SKIPPED: no tbf in this kernel: {said}").unwrap();
            return;
        }
        client.send_packet(b"lost").unwrap();
        assert_eq!(client.send_packets([&b"lost"[..]; 3]).unwrap(), 3);
        link.shape(&["pfifo"]).unwrap();

        talk(&client, &peer);
    });
}

/// Runs `test` with a client at the near end of a wire and its peer at the far end.
fn with_client<D: Driver>(
    far: IpAddr,
    test: impl FnOnce(&Link, D::Client<Raw>, Peer) + Send + 'static,
) {
    let link = Link::new();
    let peer = link.far.run(move || Peer::bind(far)).join();
    let address = peer.address();
    let client = link.near.run(move || {
        let client = D::Client::connect(address, Raw).unwrap();
        peer.connect(client.local_address().unwrap());
        talk(&client, &peer);
        (client, peer)
    });
    let (client, peer) = client.join();
    in_background(move || test(&link, client, peer)).join_within(LIMIT);
}

/// Sends packets and gets an answer. Nothing else arrives.
#[track_caller]
fn talk<C: Client<Raw>>(client: &C, peer: &Peer) {
    assert_eq!(client.send_packets([&b"question"[..]; 3]).unwrap(), 3);
    for _ in 0..3 {
        assert_eq!(peer.recv(), b"question");
    }
    peer.send("answer");
    assert_eq!(client.recv(), "answer");
}
