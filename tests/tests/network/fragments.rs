//! Datagrams that are longer than the link's MTU: offload cannot cut them, IP can.

use std::net::{IpAddr, UdpSocket};

use datagram_protocol_core::Raw;
use datagram_tests::{Client, DEADLINE, Driver, Link, assert_matches, in_background};
use datagram_udp_socket::{ConnectOptions, SendError};
use nix::{
    errno::Errno,
    sys::socket::{setsockopt, sockopt::UdpGroSegment},
};
use socket2::SockRef;

use crate::{HAS_OFFLOAD, LIMIT};

pub(crate) fn datagrams_longer_than_the_mtu_arrive_in_fragments<D: Driver>(far: IpAddr) {
    for offload in [false, true] {
        let options = ConnectOptions::new().offload(offload);
        with_client::<D>(far, &options, move |_, client, peer| {
            // The longest run of them, one that ends shorter, lone ones, short ones in between.
            for sizes in [
                &[2000; 60][..],
                &[2000, 2000, 2000, 10],
                &[2000],
                &[20_000; 7],
                &[10, 2000, 10, 2000],
                &[1472, 1473, 1472, 1452, 1453],
                &[65_507, 1],
            ] {
                transfer(&client, &peer, sizes);
            }
            // Those that fit still leave together, if they may.
            let is_glued = transfer_glued(&client, &peer, 1000);
            assert_eq!(is_glued, offload && HAS_OFFLOAD);
        });
    }
}

pub(crate) fn longest_unfragmented_datagrams_leave_together<D: Driver>(far: IpAddr) {
    // Headers of IP (RFC 791, RFC 8200) and UDP (RFC 768).
    let longest = 1500 - if far.is_ipv4() { 20 + 8 } else { 40 + 8 };
    with_client::<D>(far, &ConnectOptions::new(), move |_, client, peer| {
        for _ in 0..2 {
            assert_eq!(transfer_glued(&client, &peer, longest), HAS_OFFLOAD);
            assert!(!transfer_glued(&client, &peer, longest + 1));
        }
    });
}

pub(crate) fn narrower_wire_is_noticed<D: Driver>(far: IpAddr) {
    with_client::<D>(far, &ConnectOptions::new(), |link, client, peer| {
        assert_eq!(transfer_glued(&client, &peer, 1400), HAS_OFFLOAD);

        link.set_mtu(1300);

        transfer(&client, &peer, &[1400; 40]);
        assert!(!transfer_glued(&client, &peer, 1400));
        assert_eq!(transfer_glued(&client, &peer, 1200), HAS_OFFLOAD);
    });
}

pub(crate) fn forbidden_fragments_are_an_error_for_each_datagram<D: Driver>(far: IpAddr) {
    let options = ConnectOptions::new().dont_fragment(true);
    with_client::<D>(far, &options, |_, client, peer| {
        let long = [7; 2000];

        let error = client.send_packets([&long[..]; 3]).unwrap_err();

        assert_eq!(error.sent, 0);
        let cause = assert_matches!(error.error, SendError::NotSent(cause) => cause);
        assert_eq!(cause.raw_os_error(), Some(Errno::EMSGSIZE as i32));
        assert_eq!(client.stats().dropped, 1);
        assert_eq!(transfer_glued(&client, &peer, 1000), HAS_OFFLOAD);
    });
}

/// Runs `test` at the near end of a wire, with a client and its peer at the far end.
fn with_client<D: Driver>(
    far: IpAddr,
    options: &ConnectOptions,
    test: impl FnOnce(&Link, D::Client<Raw>, UdpSocket) + Send + 'static,
) {
    let link = Link::new();
    let peer = link
        .far
        .run(move || UdpSocket::bind((far, 0)).unwrap())
        .join();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    SockRef::from(&peer).set_recv_buffer_size(4 << 20).unwrap();
    let address = peer.local_addr().unwrap();
    let options = options.clone();
    let client = link
        .near
        .run(move || D::Client::connect_with(address, Raw, &options).unwrap())
        .join();
    // Until the neighbour is found, the system keeps only the last of what is sent.
    transfer(&client, &peer, &[1]);
    in_background(move || test(&link, client, peer)).join_within(LIMIT);
}

/// Sends datagrams of these sizes at once, and checks that they arrive.
#[track_caller]
fn transfer<C: Client<Raw>>(client: &C, peer: &UdpSocket, sizes: &[usize]) {
    let packets = sizes
        .iter()
        .enumerate()
        .map(|(number, &size)| (0..size).map(|byte| (byte + number) as u8).collect())
        .collect::<Vec<Vec<u8>>>();

    let sent = client.send_packets(packets.iter().map(|packet| &packet[..]));

    assert_eq!(sent.unwrap(), packets.len());
    let mut buffer = [0; 1 << 16];
    for (number, packet) in packets.iter().enumerate() {
        let len = peer.recv(&mut buffer).expect("a datagram is on its way");
        assert!(
            buffer[..len] == packet[..],
            "number {number} of {sizes:?} arrived with {len} bytes"
        );
    }
}

/// Sends ten datagrams of this size at once to a receiver that takes them as they come. Tells whether
/// they came in one piece, which they can only if they were sent so.
#[track_caller]
fn transfer_glued<C: Client<Raw>>(client: &C, peer: &UdpSocket, size: usize) -> bool {
    let packet = vec![7; size];
    setsockopt(peer, UdpGroSegment, &true).unwrap();

    assert_eq!(client.send_packets([&packet[..]; 10]).unwrap(), 10);

    let mut buffer = [0; 1 << 16];
    let (mut arrived, mut pieces) = (0, 0);
    while arrived < 10 * size {
        arrived += peer.recv(&mut buffer).expect("more is on its way");
        pieces += 1;
    }
    setsockopt(peer, UdpGroSegment, &false).unwrap();
    assert_eq!(arrived, 10 * size);
    pieces == 1
}
