//! `receive`: the next packet, off the queue or out of the socket, in one attempt that never waits.

use std::net::UdpSocket;

use bytes::{Bytes, BytesMut};
use datagram_protocol_core::{
    ClientConfig, Datagram, DatagramClientState, DatagramProtocol, DeserializeError, Incoming,
    PacketError, Raw, SerializeError,
};
use datagram_udp_socket::{Attempt, ConnectOptions, ConnectedUdpSocket, RecvError};

/// Bytes as they are, but for those that are bad.
struct Picky;

impl DatagramProtocol for Picky {
    type Sent = [u8];
    type Received = Bytes;

    fn make_datagram(&self, packet: &[u8], datagram: &mut BytesMut) -> Result<(), SerializeError> {
        Raw.make_datagram(packet, datagram)
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Bytes, PacketError> {
        match &*datagram {
            b"bad" => Err(DeserializeError::new("as told").into()),
            _ => Ok(datagram.to_bytes()),
        }
    }
}

#[test]
fn queued_packet_needs_no_socket() {
    let (socket, peer, mut client) = connected();
    client.handle_datagram(socket.remote_address(), &b"queued"[..]);
    peer.send(b"in the socket").unwrap();

    let queued = socket.receive(&mut client).unwrap();

    assert_eq!(queued, Attempt::Ready(Bytes::from_static(b"queued")));
    assert_eq!(client.stats().datagrams_in, 1);
    assert_eq!(receive(&socket, &mut client), &b"in the socket"[..]);
}

#[test]
fn socket_that_is_empty_would_block() {
    let (socket, peer, mut client) = connected();

    let nothing = socket.receive(&mut client).unwrap();
    peer.send(b"").unwrap();
    let empty = receive(&socket, &mut client);

    assert_eq!(nothing, Attempt::WouldBlock);
    assert_eq!(empty, Bytes::new());
}

#[test]
fn bad_datagram_is_one_error_with_its_bytes() {
    let (socket, peer, mut client) = connected();
    peer.send(b"bad").unwrap();
    peer.send(b"good").unwrap();

    let error = loop {
        match socket.receive(&mut client) {
            Ok(Attempt::WouldBlock) => {}
            Ok(attempt) => panic!("{attempt:?}"),
            Err(error) => break error,
        }
    };

    assert!(matches!(error, RecvError::Parse(error) if error.datagram() == "bad"));
    assert_eq!(receive(&socket, &mut client), &b"good"[..]);
    assert_eq!(client.stats().parse_errors, 1);
}

/// Others have their turn then; the caller comes back.
#[test]
fn datagram_without_room_is_dropped_and_tried_again_after() {
    let (socket, peer, _) = connected();
    let mut incoming = Incoming::new(
        socket.remote_address(),
        &ClientConfig::new().incoming_bytes(100),
    );
    peer.send(&[7; 200]).unwrap();
    peer.send(b"fits").unwrap();

    let mut attempts = Vec::new();
    while attempts.len() < 2 {
        match socket.receive(&mut (&Picky, &mut incoming)).unwrap() {
            Attempt::WouldBlock => {}
            attempt => attempts.push(attempt),
        }
    }

    assert_eq!(
        attempts,
        [Attempt::Again, Attempt::Ready(Bytes::from_static(b"fits"))]
    );
    assert_eq!(incoming.stats().dropped, 1);
}

/// What waits in the socket from before the connect is no reason to try again.
#[test]
fn strangers_hide_no_packet() {
    let [stranger, peer, given] =
        [(); 3].map(|()| UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port"));
    let address = peer.local_addr().expect("it is bound");
    let local_address = given.local_addr().expect("it is bound");
    for _ in 0..20 {
        stranger
            .send_to(b"strange", local_address)
            .expect("it is on loopback");
    }
    peer.send_to(b"familiar", local_address)
        .expect("it is on loopback");
    given.connect(address).expect("it is on loopback");
    let socket = ConnectedUdpSocket::adopt(given, &ConnectOptions::new()).expect("it is connected");
    let mut client = DatagramClientState::new(Picky, address);

    let attempt = socket.receive(&mut client).expect("nothing is wrong");

    assert_eq!(attempt, Attempt::Ready(Bytes::from_static(b"familiar")));
    assert_eq!(client.stats().ignored, 20);
}

/// A buffer has 64 KiB; whatever shares it keeps all of it.
#[test]
fn kept_packet_shares_the_buffer_only_if_it_fills_a_quarter_of_it() {
    let (socket, peer, mut client) = connected();
    for (len, is_copied) in [(1, true), (16_383, true), (16_384, false), (60_000, false)] {
        peer.send(&vec![7; len]).expect("it is on loopback");
        let received = receive(&socket, &mut client);
        peer.send(&vec![7; len]).expect("it is on loopback");
        while client.incoming_mut().is_empty() {
            let _progress = socket
                .fill(client.incoming_mut())
                .expect("nothing is wrong");
        }
        let filled = receive(&socket, &mut client);

        assert_eq!(received.is_unique(), is_copied, "{len}, received");
        assert_eq!(filled.is_unique(), is_copied, "{len}, filled");
    }
}

fn connected() -> (ConnectedUdpSocket, UdpSocket, DatagramClientState<Picky>) {
    let peer = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = peer.local_addr().expect("it is bound");
    let socket = ConnectedUdpSocket::connect(&[address], &ConnectOptions::new())
        .expect("loopback can be reached");
    peer.connect(socket.local_address())
        .expect("it is on loopback");
    let client = DatagramClientState::new(Picky, address);
    (socket, peer, client)
}

/// Receives a packet that is known to come.
#[track_caller]
fn receive(socket: &ConnectedUdpSocket, client: &mut DatagramClientState<Picky>) -> Bytes {
    loop {
        match socket.receive(client).expect("nothing is wrong") {
            Attempt::Ready(packet) => return packet,
            Attempt::WouldBlock | Attempt::Again => {}
        }
    }
}
