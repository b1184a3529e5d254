//! An already connected socket; one that is not, or not UDP over IP, is refused and closed.

use std::{
    io,
    net::{IpAddr, TcpListener, TcpStream, UdpSocket},
    time::Duration,
};

use datagram_protocol_core::Raw;
use datagram_tests::{Client, DEADLINE, Driver, Peer, assert_matches, settle};
use datagram_udp_socket::{AdoptError, RecvError};

pub(crate) fn connected_socket_is_adopted<D: Driver>(ip: IpAddr) {
    let peer = Peer::bind(ip);
    let socket = connected_socket(&peer);
    let local_address = socket.local_addr().unwrap();

    let client = D::Client::from_socket(socket, Raw).unwrap();
    client.send_packet(b"question").unwrap();
    let (question, source) = peer.recv_from();
    peer.send_to(b"answer", source);

    assert_eq!(question, b"question");
    assert_eq!(source, local_address);
    assert_eq!(client.recv(), &b"answer"[..]);
    assert_eq!(client.local_address().unwrap(), local_address);
    assert_eq!(client.remote_address().unwrap(), peer.address());
    // It came in blocking mode.
    assert_matches!(
        client.recv_packet_timeout(Duration::ZERO),
        Err(RecvError::TimedOut)
    );
}

pub(crate) fn unconnected_socket_is_refused_and_closed<D: Driver>(ip: IpAddr) {
    let socket = Peer::bind(ip).into_socket();
    let local_address = socket.local_addr().unwrap();

    let error = D::Client::from_socket(socket, Raw).err().unwrap();

    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    assert!(
        error.to_string().contains(&local_address.to_string()),
        "{error}"
    );
    assert!(error.get_ref().unwrap().is::<AdoptError>());
    drop(Peer::rebind(local_address));
}

pub(crate) fn tcp_socket_is_refused_and_closed<D: Driver>(ip: IpAddr) {
    let listener = TcpListener::bind((ip, 0)).unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut other_end, _) = listener.accept().unwrap();

    let error = D::Client::from_socket(socket2::Socket::from(stream).into(), Raw)
        .err()
        .unwrap();

    assert_is_not_udp(&error);
    other_end.set_read_timeout(Some(DEADLINE)).unwrap();
    assert_eq!(io::Read::read(&mut other_end, &mut [0]).unwrap(), 0);
}

#[cfg(unix)]
pub(crate) fn unix_socket_is_refused_and_closed<D: Driver>(_ip: IpAddr) {
    use std::os::{fd::OwnedFd, unix::net::UnixDatagram};

    let (socket, other_end) = UnixDatagram::pair().unwrap();

    let error = D::Client::from_socket(OwnedFd::from(socket).into(), Raw)
        .err()
        .unwrap();

    assert_is_not_udp(&error);
    let closed = other_end.send(b"anybody there?").unwrap_err();
    assert_eq!(closed.kind(), io::ErrorKind::ConnectionRefused);
}

pub(crate) fn datagrams_of_strangers_before_adoption_are_ignored<D: Driver>(ip: IpAddr) {
    let (peer, stranger) = (Peer::bind(ip), Peer::bind(ip));
    let socket = Peer::bind(ip).into_socket();
    let local_address = socket.local_addr().unwrap();
    stranger.send_to(b"strange", local_address);
    peer.send_to(b"first", local_address);
    stranger.send_to(b"strange", local_address);
    peer.send_to(b"second", local_address);
    socket.connect(peer.address()).unwrap();

    let client = D::Client::from_socket(socket, Raw).unwrap();

    assert_eq!(client.recv(), &b"first"[..]);
    assert_eq!(client.recv(), &b"second"[..]);
    let stats = client.stats();
    assert_eq!((stats.datagrams_in, stats.ignored), (4, 2));
}

pub(crate) fn strangers_before_adoption_do_not_hide_the_peer<D: Driver>(ip: IpAddr) {
    let (peer, stranger) = (Peer::bind(ip), Peer::bind(ip));
    let socket = Peer::bind(ip).into_socket();
    let local_address = socket.local_addr().unwrap();
    for _ in 0..50 {
        stranger.send_to(b"strange", local_address);
    }
    peer.send_to(b"kept", local_address);
    socket.connect(peer.address()).unwrap();

    let client = D::Client::from_socket(socket, Raw).unwrap();
    // More than one call only if the system is slow to deliver, and by far not one a stranger.
    let packet = (0..25).find_map(|_| {
        let packet = client.recv_packet_timeout(Duration::ZERO);
        packet.inspect_err(|_| settle()).ok()
    });

    assert_eq!(packet.unwrap(), &b"kept"[..]);
    assert_eq!(client.stats().ignored, 50);
}

#[track_caller]
fn connected_socket(peer: &Peer) -> UdpSocket {
    let socket = Peer::bind(peer.address().ip()).into_socket();
    socket.connect(peer.address()).unwrap();
    socket
}

#[track_caller]
fn assert_is_not_udp(error: &io::Error) {
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    let inner = error.get_ref().unwrap().downcast_ref::<AdoptError>();
    assert_matches!(inner, Some(AdoptError::NotUdp));
}
