//! Datagrams that the system drops because the receive buffer is full.
#![cfg(all(target_os = "linux", not(datagram_portable)))]

use std::net::UdpSocket;

use datagram_protocol_core::{DatagramClientState, Raw};
use datagram_udp_socket::{ConnectOptions, ConnectedUdpSocket, Progress};

const FLOOD: u64 = 2_000;

#[test]
fn what_the_system_drops_is_counted_with_and_without_offload() {
    for offload in [true, false] {
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let options = ConnectOptions::new().offload(offload);
        let socket = ConnectedUdpSocket::connect(&[peer.local_addr().unwrap()], &options).unwrap();
        peer.connect(socket.local_address()).unwrap();
        let mut client = DatagramClientState::new(Raw, socket.remote_address());

        for _ in 0..FLOOD {
            peer.send(&[7; 1_000]).unwrap();
        }
        receive_all(&socket, &mut client);
        // The count comes with datagrams that arrive after the drop.
        for _ in 0..16 {
            peer.send(b"afterwards").unwrap();
        }
        receive_all(&socket, &mut client);

        let stats = client.stats();
        assert!(stats.dropped_by_system > 0);
        assert_eq!(stats.datagrams_in + stats.dropped_by_system, FLOOD + 16);
        assert_eq!(stats.dropped, 0);
    }
}

fn receive_all(socket: &ConnectedUdpSocket, client: &mut DatagramClientState<Raw>) {
    while socket
        .fill(client.incoming_mut())
        .expect("nothing is wrong")
        == Progress::Done
    {
        while let Some(packet) = client.poll_packet() {
            packet.expect("any bytes will do");
        }
    }
}
