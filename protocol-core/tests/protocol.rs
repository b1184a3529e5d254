//! `DatagramProtocol`: behind pointers, as an object, shared by many clients.
#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap, too")]

use std::{net::SocketAddr, sync::Arc, thread};

use bytes::{Bytes, BytesMut};
use datagram_protocol_core::{
    Datagram, DatagramClientState, DatagramProtocol, DeserializeError, PacketError, Raw,
    SendPacketError, SerializeError,
};

type DynProtocol = dyn DatagramProtocol<Sent = str, Received = String> + Send + Sync;

#[test]
fn reference_is_a_protocol() {
    let protocol = Shout;

    exchange(&protocol);
}

#[test]
fn box_is_a_protocol() {
    exchange(Box::new(Shout));
}

#[test]
fn arc_is_a_protocol() {
    exchange(Arc::new(Shout));
}

#[test]
fn trait_objects_are_protocols() {
    let reference: &DynProtocol = &Shout;
    let boxed: Box<DynProtocol> = Box::new(Shout);
    let shared: Arc<DynProtocol> = Arc::new(Shout);

    exchange(reference);
    exchange(&boxed);
    exchange(boxed);
    exchange(shared);
}

#[test]
fn pointers_pass_errors_on() {
    let mut client = DatagramClientState::new(Arc::new(Box::new(Shout)), peer());
    client.handle_datagram(peer(), &b"\xff"[..]);

    let refused = client.send_packet("").unwrap_err();
    let malformed = client.poll_packet().unwrap().unwrap_err();

    assert!(matches!(refused, SendPacketError::Serialize(_)));
    assert!(matches!(malformed.error(), PacketError::Deserialize(_)));
}

#[test]
fn clients_of_different_protocols_fit_in_one_list() {
    struct Quiet;
    impl DatagramProtocol for Quiet {
        type Sent = str;
        type Received = String;
        fn make_datagram(&self, packet: &str, out: &mut BytesMut) -> Result<(), SerializeError> {
            out.extend_from_slice(packet.to_lowercase().as_bytes());
            Ok(())
        }
        fn build_packet_from_datagram(&self, _: Datagram<'_>) -> Result<String, PacketError> {
            Ok(String::new())
        }
    }
    let protocols: [Box<DynProtocol>; 2] = [Box::new(Shout), Box::new(Quiet)];

    let sent = protocols.map(|protocol| {
        let mut client = DatagramClientState::new(protocol, peer());
        client.send_packet("Ab").unwrap();
        Bytes::copy_from_slice(client.poll_transmit(1).unwrap().contents())
    });

    assert_eq!(sent, ["AB", "ab"]);
}

#[test]
fn one_protocol_serves_many_clients_and_threads() {
    let protocol = Shout;

    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| exchange(&protocol));
        }
    });
}

#[test]
fn client_goes_to_another_thread_with_its_protocol() {
    const fn check<T: Send + Sync>() {}
    const {
        check::<DatagramClientState<Shout>>();
        check::<DatagramClientState<Box<DynProtocol>>>();
    }

    let mut client = DatagramClientState::new(Raw, peer());
    client.handle_datagram(peer(), &b"abc"[..]);

    let received = thread::spawn(move || client.poll_packet()).join().unwrap();

    assert_eq!(received.unwrap().unwrap(), "abc");
}

/// Sends text in capitals, and receives text.
#[derive(Debug, Clone)]
struct Shout;

impl DatagramProtocol for Shout {
    type Sent = str;
    type Received = String;

    fn make_datagram(&self, packet: &str, datagram: &mut BytesMut) -> Result<(), SerializeError> {
        if packet.is_empty() {
            return Err(SerializeError::new("nothing to shout"));
        }
        datagram.extend_from_slice(packet.to_uppercase().as_bytes());
        Ok(())
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<String, PacketError> {
        Ok(String::from_utf8(datagram.to_vec()).map_err(DeserializeError::new)?)
    }
}

fn peer() -> SocketAddr {
    "192.0.2.1:7".parse().unwrap()
}

#[track_caller]
fn exchange<P: DatagramProtocol<Sent = str, Received = String>>(protocol: P) {
    let mut client = DatagramClientState::new(protocol, peer());

    client.send_packet("ab").unwrap();
    client.send_packet("cd").unwrap();
    let transmit = client.poll_transmit(64).unwrap();
    let answer = Bytes::copy_from_slice(transmit.contents());
    transmit.sent();
    client.handle_datagram(peer(), answer);

    assert_eq!(client.poll_packet().unwrap().unwrap(), "ABCD");
    assert!(client.poll_packet().is_none());
}
