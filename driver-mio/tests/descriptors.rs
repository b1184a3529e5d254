//! How many descriptors a client holds. A binary of its own with one test, since it counts those of the
//! process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{fs, net::UdpSocket, thread, time::Duration};

use datagram_driver_mio::{RecvError, UdpNetworkClient};
use datagram_protocol_core::Raw;

#[test]
fn descriptors_come_and_go_with_the_waits() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = peer.local_addr().unwrap();
    let before = open_descriptors();

    let client = UdpNetworkClient::connect(address, Raw).unwrap();
    client.send_packet(b"hello").unwrap();
    let nothing = client.recv_packet_timeout(Duration::ZERO);
    assert!(matches!(nothing, Err(RecvError::TimedOut)));
    let _sizes = client.socket().unwrap().recv_buffer_size().unwrap();
    assert_eq!(open_descriptors(), before + 1, "never waited");

    let nothing = client.recv_packet_timeout(Duration::from_millis(1));
    assert!(matches!(nothing, Err(RecvError::TimedOut)));
    let waited = open_descriptors();
    assert!(
        waited <= before + 4,
        "{} for one direction",
        waited - before
    );
    for _ in 0..10 {
        let _nothing = client.recv_packet_timeout(Duration::from_millis(1));
    }
    assert_eq!(open_descriptors(), waited, "they are made once");

    client.close();
    assert!(open_descriptors() <= before + 1, "closed");
    drop(client);
    assert_eq!(open_descriptors(), before, "dropped");

    // Whatever state it is dropped or closed in, and whoever else is in it.
    for round in 0..200 {
        let client = UdpNetworkClient::connect(address, Raw).unwrap();
        thread::scope(|scope| {
            for _ in 0..round % 4 {
                scope.spawn(|| client.recv_packet_timeout(Duration::from_millis(round % 3)));
            }
            if round % 5 == 0 {
                client.close();
            }
        });
    }
    let refused = UdpSocket::bind("127.0.0.1:0").unwrap();
    UdpNetworkClient::from_socket(refused, Raw).unwrap_err();
    assert_eq!(open_descriptors(), before, "after all");
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}
