//! Moving to another socket, with others at it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use datagram_protocol_core::{ClientClosedError, Raw};
use datagram_tests::{
    Client, Driver, Peer, assert_matches, connected, in_background, settle, wait_until,
};
use datagram_udp_socket::{ConnectOptions, RecvError};

#[cfg(target_os = "linux")]
use crate::connecting::unspecified;

pub(crate) fn waiting_receivers_go_on_at_the_new_socket<D: Driver>(ip: IpAddr) {
    let peer = Peer::bind(ip);
    let client = D::Client::connect(peer.address(), Raw).unwrap();
    let old_address = client.local_address().unwrap();
    let receivers = [(); 2].map(|()| {
        let client = client.clone();
        in_background(move || client.recv_packet())
    });
    settle();

    client.rebind().unwrap();

    let new_address = client.local_address().unwrap();
    assert_ne!(new_address, old_address);
    for _ in &receivers {
        peer.send_to(b"to the new socket", new_address);
    }
    for receiver in receivers {
        assert_eq!(receiver.join().unwrap(), &b"to the new socket"[..]);
    }
    drop(Peer::rebind(old_address));
}

pub(crate) fn what_arrived_before_rebinding_is_received<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    let kept = [&b"one"[..], b"", b"three"];
    for datagram in kept {
        peer.send(datagram);
    }

    client.rebind().unwrap();
    let other = Peer::bind(ip);
    other.send_to(b"a stranger's", client.local_address().unwrap());
    peer.connect(client.local_address().unwrap());
    peer.send(b"later");

    for datagram in kept {
        assert_eq!(client.recv(), datagram);
    }
    assert_eq!(client.recv(), &b"later"[..]);
    client.send_packet(b"from the new socket").unwrap();
    assert_eq!(peer.recv(), b"from the new socket");
}

pub(crate) fn local_port_that_was_asked_for_is_kept<D: Driver>(ip: IpAddr) {
    let peer = Peer::bind(ip);
    let local_address = Peer::bind(ip).address();
    let options = ConnectOptions::new().local_address(local_address);
    let client = D::Client::connect_with(peer.address(), Raw, &options).unwrap();

    client.rebind().unwrap();
    client.rebind().unwrap();

    assert_eq!(client.local_address().unwrap(), local_address);
    peer.send_to(b"same port", local_address);
    assert_eq!(client.recv(), &b"same port"[..]);
    client
        .with_socket(|socket| {
            assert!(!socket.reuse_address()?);
            Ok(())
        })
        .unwrap();
}

pub(crate) fn address_that_still_has_the_peer_is_left_alone<D: Driver>(ip: IpAddr) {
    let peer = Peer::bind(ip);
    let others = Peer::bind(ip);
    let addresses = vec![peer.address(), others.address()];
    let client = D::Client::connect(addresses, Raw).unwrap();
    let local_address = client.local_address().unwrap();

    let has_changed = client.re_resolve().unwrap();

    assert!(!has_changed);
    assert_eq!(client.local_address().unwrap(), local_address);
    assert_eq!(client.remote_address().unwrap(), peer.address());
}

#[cfg(target_os = "linux")]
pub(crate) fn unspecified_address_that_is_the_peers_is_left_alone<D: Driver>(ip: IpAddr) {
    let peer = Peer::bind(ip);
    let address = (unspecified(ip), peer.address().port());
    let client = D::Client::connect(address, Raw).unwrap();
    let local_address = client.local_address().unwrap();

    let has_changed = client.re_resolve().unwrap();

    assert!(!has_changed);
    assert_eq!(client.local_address().unwrap(), local_address);
}

pub(crate) fn closed_client_is_not_moved<D: Driver>(ip: IpAddr) {
    let (client, _peer) = connected::<D, _>(ip, Raw);
    client.close();

    for error in [
        client.rebind().unwrap_err(),
        client.re_resolve().unwrap_err(),
    ] {
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
        assert!(error.get_ref().unwrap().is::<ClientClosedError>());
    }
}

/// Each packet that is sent comes back, or is lost with the socket that it was sent from.
pub(crate) fn storm_of_rebinding_leaves_a_working_client<D: Driver>(ip: IpAddr) {
    let echo = Peer::bind(ip).echo();
    let client = D::Client::connect(echo.address(), Raw).unwrap();
    let movers = [(); 2].map(|()| {
        let client = client.clone();
        in_background(move || {
            for _ in 0..50 {
                client.rebind().unwrap();
            }
        })
    });
    let sender = {
        let client = client.clone();
        in_background(move || {
            for number in 0..500_u32 {
                client.send_packet(&number.to_be_bytes()).unwrap();
            }
        })
    };
    let has_ended = Arc::new(AtomicBool::new(false));
    let receiver = {
        let client = client.clone();
        let has_ended = Arc::clone(&has_ended);
        in_background(move || {
            let mut received = Vec::new();
            loop {
                match client.recv_packet() {
                    Ok(packet) if packet.is_empty() => {
                        has_ended.store(true, SeqCst);
                        return received;
                    }
                    Ok(packet) => received.push(packet),
                    Err(error) => panic!("{error:?}"),
                }
            }
        })
    };

    for mover in movers {
        mover.join();
    }
    sender.join();
    wait_until("the new socket answers", || {
        client.send_packet(b"").unwrap();
        has_ended.load(SeqCst)
    });

    let received = receiver.join();
    let mut unique = received.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), received.len(), "a packet came twice");
    client.close();
    assert_matches!(client.recv_packet(), Err(RecvError::Closed(_)));
}

pub(crate) fn closing_while_rebinding_frees_every_port<D: Driver>(ip: IpAddr) {
    let peer = Peer::bind(ip);
    for _ in 0..20 {
        let client = D::Client::connect(peer.address(), Raw).unwrap();
        let mover = {
            let client = client.clone();
            in_background(move || {
                let mut addresses = Vec::<SocketAddr>::new();
                while let Ok(address) = client.local_address() {
                    addresses.push(address);
                    if client.rebind().is_err() {
                        break;
                    }
                }
                addresses
            })
        };
        settle();

        client.close();

        for address in mover.join() {
            drop(Peer::rebind(address));
        }
    }
}
