//! The wire is cut, or swallows what is sent; later it works again.

use std::{io::Write, net::IpAddr, time::Duration};

use datagram_protocol_core::Raw;
use datagram_tests::{Client, Driver, Link, Peer, assert_matches, in_background, settle};
use datagram_udp_socket::{ConnectOptions, RecvError};

use crate::LIMIT;

pub(crate) fn client_works_on_once_the_wire_is_mended<D: Driver>(far: IpAddr) {
    with_client::<D>(far, &ConnectOptions::new(), |link, client, peer| {
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
    with_client::<D>(far, &ConnectOptions::new(), |link, client, peer| {
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

/// Whoever waits meanwhile waits on, or is told and may go on.
pub(crate) fn client_works_on_once_its_address_is_back<D: Driver>(far: IpAddr) {
    with_client::<D>(far, &ConnectOptions::new(), |link, client, peer| {
        let receiver = client.clone();
        let receiving = in_background(move || {
            loop {
                match receiver.recv_packet() {
                    Ok(packet) => return packet,
                    Err(error) => assert!(!error.is_fatal(), "{error:?}"),
                }
            }
        });
        settle();
        let address = client.local_address().unwrap().ip();
        link.near.change_address("delete", address);
        for _ in 0..3 {
            let error = client.send_packet(b"from nowhere").unwrap_err();
            assert!(!error.was_sent() && !error.is_fatal(), "{error:?}");
        }

        link.near.change_address("add", address);

        assert_eq!(client.send_packets([&b"question"[..]; 3]).unwrap(), 3);
        for _ in 0..3 {
            assert_eq!(peer.recv(), b"question");
        }
        peer.send("answer");
        assert_eq!(receiving.join(), "answer");
    });
}

pub(crate) fn rebinding_moves_to_the_new_address<D: Driver>(far: IpAddr) {
    with_client::<D>(far, &ConnectOptions::new(), |link, client, peer| {
        let new_address = if far_is_ipv4(&client) {
            "192.0.2.77"
        } else {
            "2001:db8::77"
        };
        let new_address = new_address.parse::<IpAddr>().unwrap();
        let receiver = client.clone();
        let receiving = in_background(move || receiver.recv_packet());
        settle();
        let old_address = client.local_address().unwrap().ip();
        link.near.change_address("delete", old_address);
        link.near.change_address("add", new_address);

        let rebinding = client.clone();
        link.near.run(move || rebinding.rebind()).join().unwrap();

        let moved_to = client.local_address().unwrap();
        assert_eq!(moved_to.ip(), new_address);
        peer.connect(moved_to);
        client.send_packet(b"from the new address").unwrap();
        assert_eq!(peer.recv(), b"from the new address");
        peer.send("welcome");
        assert_matches!(receiving.join(), Ok(packet) if packet == "welcome");
        assert_matches!(
            client.recv_packet_timeout(Duration::ZERO),
            Err(RecvError::TimedOut)
        );
    });
}

fn far_is_ipv4(client: &impl Client<Raw>) -> bool {
    client.remote_address().unwrap().is_ipv4()
}

/// Runs `test` with a client at the near end of a wire and its peer at the far end.
pub(crate) fn with_client<D: Driver>(
    far: IpAddr,
    options: &ConnectOptions,
    test: impl FnOnce(&Link, D::Client<Raw>, Peer) + Send + 'static,
) {
    let link = Link::new();
    let peer = link.far.run(move || Peer::bind(far)).join();
    let address = peer.address();
    let options = options.clone();
    let client = link.near.run(move || {
        let client = D::Client::connect_with(address, Raw, &options).unwrap();
        peer.connect(client.local_address().unwrap());
        talk(&client, &peer);
        (client, peer)
    });
    let (client, peer) = client.join();
    in_background(move || test(&link, client, peer)).join_within(LIMIT);
}

/// Sends packets and gets an answer. Nothing else arrives.
#[track_caller]
pub(crate) fn talk<C: Client<Raw>>(client: &C, peer: &Peer) {
    assert_eq!(client.send_packets([&b"question"[..]; 3]).unwrap(), 3);
    for _ in 0..3 {
        assert_eq!(peer.recv(), b"question");
    }
    peer.send("answer");
    assert_eq!(client.recv(), "answer");
}
