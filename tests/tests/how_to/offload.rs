//! Segmentation offload is an optimisation: with and without it, at either end, the same datagrams
//! arrive.

use std::net::IpAddr;

use datagram_protocol_core::Raw;
use datagram_tests::{Client, Driver, pair};
use datagram_udp_socket::ConnectOptions;

pub(crate) fn same_datagrams_arrive_with_and_without_offload<D: Driver>(ip: IpAddr) {
    // A run that ends shorter, one that ends with an empty datagram, sizes that grow, that
    // alternate, and one of each.
    let sizes = [
        &[100, 100, 100, 40][..],
        &[100, 100, 0, 100, 100],
        &[0, 0, 0],
        &[1, 2, 3, 4, 5, 6, 7],
        &[9, 1, 9, 1, 9, 1, 1, 1],
        &[1400; 40],
        &[1, 1400, 1, 1400, 1400, 1],
        &[9000, 9000, 9000, 8999],
        &[77],
    ];

    for_each_offload::<D>(ip, |from, to, case| {
        // More than once: receiving changes its ways with what it has seen.
        for round in 0..5 {
            for sizes in sizes {
                transfer(from, to, sizes, &format!("{case}, round {round}"));
            }
        }
    });
}

pub(crate) fn runs_longer_than_any_limit_arrive<D: Driver>(ip: IpAddr) {
    for_each_offload::<D>(ip, |from, to, case| {
        for datagrams in [63, 64, 65, 127, 128, 129, 250] {
            let mut sizes = vec![32; datagrams];
            transfer(from, to, &sizes, case);
            sizes.push(7);
            transfer(from, to, &sizes, case);
        }
    });
}

pub(crate) fn small_packets_and_large_ones_take_turns<D: Driver>(ip: IpAddr) {
    let longest = if ip.is_ipv4() { 65_507 } else { 65_527 };
    for_each_offload::<D>(ip, |from, to, case| {
        for sizes in [
            &[1, longest, 0, 1][..],
            &[longest, 1, 1, longest],
            &[32_000, 32_000, 1],
            &[40_000, 40_000],
            &[20_000, 20_000, 20_000, 20_000, 20_000],
        ] {
            transfer(from, to, sizes, case);
        }
    });
}

/// Calls `transfers` with two clients for each way to switch offload on and off.
fn for_each_offload<D: Driver>(
    ip: IpAddr,
    transfers: impl Fn(&D::Client<Raw>, &D::Client<Raw>, &str),
) {
    for (from_offload, to_offload) in [(false, false), (false, true), (true, false), (true, true)] {
        // All that a transfer sends has to fit.
        let options = ConnectOptions::new().recv_buffer_size(400_000);
        let (from, to) = pair::<D, _>(
            ip,
            Raw,
            &options.clone().offload(from_offload),
            &options.offload(to_offload),
        );
        let case = format!("offload from {from_offload} to {to_offload}");
        transfers(&from, &to, &case);
        assert_eq!(from.stats().dropped, 0, "{case}");
        assert_eq!(
            from.stats().datagrams_out,
            to.stats().datagrams_in,
            "{case}"
        );
        assert_eq!(from.stats().bytes_out, to.stats().bytes_in, "{case}");
    }
}

#[track_caller]
fn transfer<C: Client<Raw>>(from: &C, to: &C, sizes: &[usize], case: &str) {
    let packets = sizes
        .iter()
        .enumerate()
        .map(|(number, &size)| (0..size).map(|byte| (byte + number) as u8).collect())
        .collect::<Vec<Vec<u8>>>();

    let sent = from.send_packets(packets.iter().map(|packet| &packet[..]));

    assert_eq!(sent.unwrap(), packets.len(), "{case}: {sizes:?}");
    for (number, packet) in packets.iter().enumerate() {
        let arrived = to.recv();
        assert!(
            arrived == packet,
            "{case}: number {number} of {sizes:?} arrived with {} bytes",
            arrived.len()
        );
    }
}
