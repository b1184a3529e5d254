//! What ICMP says, in detail, over the error queue.
#![cfg(all(target_os = "linux", not(datagram_portable)))]

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    os::fd::{AsFd, AsRawFd},
};

use datagram_protocol_core::{DatagramClientState, Raw};
use datagram_udp_socket::{
    ConnectOptions, ConnectedUdpSocket, IcmpKind, Progress, RecvError, SendError,
};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{MsgFlags, send, setsockopt, sockopt::Ipv4RecvErr},
};

const LOOPBACKS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

#[test]
fn refused_send_tells_the_kind_the_reporter_and_the_datagram() {
    for ip in LOOPBACKS {
        let Some((_closed, socket, mut client)) = client_of_nobody(ip, true) else {
            continue;
        };
        client.send_packet(b"is anybody there?").unwrap();

        let error = socket.flush(client.outgoing_mut()).unwrap_err();

        assert_eq!(error.sent, 1);
        let SendError::Unreachable(io_error) = &error.error else {
            panic!("{error:?}");
        };
        assert_eq!(io_error.kind(), std::io::ErrorKind::ConnectionRefused);
        let details = error.error.icmp().unwrap();
        assert_eq!(details.kind, IcmpKind::PortUnreachable);
        assert_eq!(details.reported_by, Some(ip));
        assert_eq!(details.datagram, &b"is anybody there?"[..]);
        assert!(!error.error.is_fatal());
        assert!(!has_error(&socket));
    }
}

#[test]
fn receive_reports_several_refusals_once_and_then_finds_nothing() {
    for ip in LOOPBACKS {
        let Some((_closed, socket, mut client)) = client_of_nobody(ip, true) else {
            continue;
        };
        quietly_send(&socket, b"first");
        // Whatever is pending goes with the error that is met here; the queue keeps both.
        let _refused = send(raw(&socket), b"second", MsgFlags::empty());
        quietly_send(&socket, b"third");

        let error = socket.fill(client.incoming_mut()).unwrap_err();
        let then = socket.fill(client.incoming_mut()).unwrap();

        assert!(matches!(error, RecvError::Unreachable(_)), "{error:?}");
        let details = error.icmp().unwrap();
        assert_eq!(details.kind, IcmpKind::PortUnreachable);
        assert_eq!(details.datagram, &b"third"[..]);
        assert_eq!(then, Progress::WouldBlock);
        assert!(!has_error(&socket));
    }
}

#[test]
fn error_that_others_took_from_the_socket_is_still_reported() {
    let (_closed, socket, mut client) = client_of_nobody(LOOPBACKS[0], true).unwrap();
    quietly_send(&socket, b"lost");
    socket.take_error().unwrap().unwrap();

    let error = socket.fill(client.incoming_mut()).unwrap_err();

    assert_eq!(error.icmp().unwrap().datagram, &b"lost"[..]);
    assert_eq!(
        socket.fill(client.incoming_mut()).unwrap(),
        Progress::WouldBlock
    );
    assert!(!has_error(&socket));
}

#[test]
fn datagram_beyond_the_mtu_tells_the_mtu() {
    // Loopback's own MTU is 65,536 bytes: 29 too few for the longest datagram and its headers.
    let peer = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    let options = ConnectOptions::new().icmp_details(true).dont_fragment(true);
    let socket = ConnectedUdpSocket::connect(&[peer.local_addr().unwrap()], &options).unwrap();
    let mut client = DatagramClientState::new(Raw, socket.remote_address());
    client.send_packet(&[0; 65_527]).unwrap();

    let error = socket.flush(client.outgoing_mut()).unwrap_err();

    assert!(matches!(error.error, SendError::NotSent(_)), "{error:?}");
    let details = error.error.icmp().unwrap();
    assert_eq!(details.kind, IcmpKind::PacketTooBig { mtu: 65_536 });
    assert_eq!(details.reported_by, None);
    assert!(!has_error(&socket));
}

#[test]
fn there_are_no_details_unless_asked_for() {
    let (_closed, socket, mut client) = client_of_nobody(LOOPBACKS[0], false).unwrap();
    // The user may have, for a purpose of their own.
    setsockopt(&socket, Ipv4RecvErr, &true).unwrap();
    client.send_packet(b"is anybody there?").unwrap();

    let error = socket.flush(client.outgoing_mut()).unwrap_err();

    assert!(matches!(error.error, SendError::Unreachable(_)));
    assert!(error.error.icmp().is_none());
    assert!(has_error(&socket));
}

/// Makes a client of a port on this host that nobody listens on, if the host has the address.
fn client_of_nobody(
    ip: IpAddr,
    details: bool,
) -> Option<(UdpSocket, ConnectedUdpSocket, DatagramClientState<Raw>)> {
    let closed = UdpSocket::bind((ip, 0)).ok()?;
    let address = closed.local_addr().expect("it is bound");
    // Takes only what comes from itself, so the port is closed to others, and no other test gets it.
    closed.connect(address).expect("it is on loopback");
    let options = ConnectOptions::new().icmp_details(details);
    let socket =
        ConnectedUdpSocket::connect(&[address], &options).expect("loopback can be reached");
    let client = DatagramClientState::new(Raw, socket.remote_address());
    Some((closed, socket, client))
}

/// Sends behind the back of the client, and waits until the refusal is there.
#[track_caller]
fn quietly_send(socket: &ConnectedUdpSocket, datagram: &[u8]) {
    send(raw(socket), datagram, MsgFlags::empty()).expect("nothing is pending yet");
    assert!(has_error(socket));
}

fn has_error(socket: &ConnectedUdpSocket) -> bool {
    let mut descriptors = [PollFd::new(socket.as_fd(), PollFlags::empty())];
    poll(&mut descriptors, PollTimeout::ZERO).expect("it is open") == 1
}

fn raw(socket: &ConnectedUdpSocket) -> i32 {
    socket.as_fd().as_raw_fd()
}
