//! What an application keeps of a received datagram does not keep the receive buffer. A binary of its
//! own, since it watches the memory of the process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "it is a test, if called by one")]

use std::{fs, net::IpAddr};

use datagram_protocol_core::Raw;
use datagram_tests::{
    Client, Driver, LOCALHOST_V4, LOCALHOST_V6, MioDriver, assert_matches, has_loopback, pair,
    protocol::{INVALID, Picky},
};
use datagram_udp_socket::{ConnectOptions, RecvError};

/// Pinned buffers would be at least a page each, 78 MiB.
const KEPT: usize = 20_000;
const BOUND: usize = 24 << 20;

#[test]
fn kept_packets_and_errors_pin_no_receive_buffer() {
    for ip in [LOCALHOST_V4, LOCALHOST_V6] {
        if has_loopback(ip) {
            keep_packets::<MioDriver>(ip);
            keep_errors::<MioDriver>(ip);
        }
    }
}

fn keep_packets<D: Driver>(ip: IpAddr) {
    for offload in [false, true] {
        let options = ConnectOptions::new().offload(offload);
        let (client, peer) = pair::<D, _>(ip, Raw, &options, &options);
        let mut kept = Vec::with_capacity(KEPT);

        let before = resident_bytes();
        while kept.len() < KEPT {
            peer.send_packets([&b"x"[..]; 100]).unwrap();
            kept.extend((0..100).map(|_| client.recv()));
        }
        let grown = resident_bytes().saturating_sub(before);

        assert!(kept.iter().all(|packet| packet == "x"));
        assert!(grown < BOUND, "{grown} bytes more, offload {offload}");
    }
}

fn keep_errors<D: Driver>(ip: IpAddr) {
    for offload in [false, true] {
        let options = ConnectOptions::new().offload(offload);
        let (client, peer) = pair::<D, _>(ip, Picky, &options, &options);
        let mut kept = Vec::with_capacity(KEPT);

        let before = resident_bytes();
        while kept.len() < KEPT {
            peer.send_packets([INVALID; 100]).unwrap();
            kept.extend((0..100).map(|_| client.recv_packet().unwrap_err()));
        }
        let grown = resident_bytes().saturating_sub(before);

        for error in kept {
            let error = assert_matches!(error, RecvError::Parse(error) => error);
            assert_eq!(error.datagram(), INVALID);
        }
        assert!(grown < BOUND, "{grown} bytes more, offload {offload}");
    }
}

/// The second number of `/proc/self/statm` (proc(5)), in pages. They are at least 4 KiB; where they
/// are larger, so is what a pinned buffer takes.
fn resident_bytes() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages = statm.split(' ').nth(1).unwrap();
    pages.parse::<usize>().unwrap() * 4096
}
