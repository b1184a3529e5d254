//! [`ConnectedUdpSocket::connect`] and [`ConnectedUdpSocket::adopt`], with their options and errors.

use std::{
    error::Error,
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
};

use datagram_udp_socket::{
    AddressFamily, AdoptError, ConnectError, ConnectOptions, ConnectedUdpSocket,
};
use socket2::SockRef;

const LOOPBACK: [&str; 2] = ["127.0.0.1:0", "[::1]:0"];

#[test]
fn socket_is_connected_and_never_blocks() {
    for peer in peers() {
        let address = peer.local_addr().unwrap();

        let socket = ConnectedUdpSocket::connect(&[address], &ConnectOptions::new()).unwrap();

        assert_eq!(socket.remote_address(), address);
        assert_eq!(socket.io().peer_addr().unwrap(), address);
        assert_eq!(socket.io().local_addr().unwrap(), socket.local_address());
        let nothing = socket.io().recv(&mut [0]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        assert!(socket.take_error().unwrap().is_none());
    }
}

#[test]
fn adopted_socket_no_longer_blocks() {
    for peer in peers() {
        let given = UdpSocket::bind((peer.local_addr().unwrap().ip(), 0)).unwrap();
        given.connect(peer.local_addr().unwrap()).unwrap();

        let socket = ConnectedUdpSocket::adopt(given, &ConnectOptions::new()).unwrap();

        assert_eq!(socket.remote_address(), peer.local_addr().unwrap());
        let nothing = socket.io().recv(&mut [0]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    }
}

#[test]
fn every_failure_is_listed_in_order() {
    let v4 = SocketAddr::from(([127, 0, 0, 1], 5000));
    let v6 = "[::1]:5000".parse::<SocketAddr>().unwrap();
    let portless = SocketAddr::from(([127, 0, 0, 1], 0));
    let options = ConnectOptions::new()
        .family(AddressFamily::V4)
        .local_address("[::1]:0".parse().unwrap());

    let error = ConnectedUdpSocket::connect(&[v6, portless, v4], &options).unwrap_err();

    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    let message = error.to_string();
    let error = error.downcast::<ConnectError>().unwrap();
    let failures = [
        (v6, "not an IPv4 address"),
        (portless, "port 0 is nobody's"),
        (v4, "the local address is of another family"),
    ];
    assert!(
        error
            .failures()
            .iter()
            .map(|failure| (failure.address, failure.error.to_string()))
            .eq(failures.map(|(address, cause)| (address, cause.to_owned()))),
        "{error:?}"
    );
    let list = failures.map(|(address, cause)| format!("{address} ({cause})"));
    assert_eq!(message, format!("cannot connect to {}", list.join(", ")));
}

#[test]
fn address_of_the_family_not_wanted_is_told_which_is() {
    for (family, address, cause) in [
        (AddressFamily::V4, "[::1]:5000", "not an IPv4 address"),
        (AddressFamily::V6, "127.0.0.1:5000", "not an IPv6 address"),
    ] {
        let options = ConnectOptions::new().family(family);

        let error = ConnectedUdpSocket::connect(&[address.parse().unwrap()], &options).unwrap_err();

        let message = format!("cannot connect to {address} ({cause})");
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn system_error_of_an_address_is_kept() {
    let broadcast = SocketAddr::from((Ipv4Addr::BROADCAST, 5000));

    let error = ConnectedUdpSocket::connect(&[broadcast], &ConnectOptions::new()).unwrap_err();

    let kind = error.kind();
    let error = error.downcast::<ConnectError>().unwrap();
    assert_eq!(error.failures()[0].error.kind(), kind);
    assert!(error.failures()[0].error.raw_os_error().is_some());
}

#[test]
fn no_address_is_an_error_that_says_so() {
    let error = ConnectedUdpSocket::connect(&[], &ConnectOptions::new()).unwrap_err();

    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), "no address to connect to");
}

#[test]
fn unconnected_socket_is_named_with_the_cause() {
    let socket = UdpSocket::bind(LOOPBACK[0]).unwrap();
    let bound_to = socket.local_addr().unwrap();

    let error = ConnectedUdpSocket::adopt(socket, &ConnectOptions::new()).unwrap_err();

    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    let error = error.downcast::<AdoptError>().unwrap();
    assert!(error.source().is_some());
    match error {
        AdoptError::NotConnected {
            local_address,
            source,
            ..
        } => {
            assert_eq!(local_address, bound_to);
            assert_eq!(source.kind(), io::ErrorKind::NotConnected);
        }
        other => panic!("{other:?}"),
    }
}

#[cfg(target_os = "linux")]
#[test]
fn other_datagram_sockets_over_ip_are_refused() {
    use socket2::{Domain, Protocol, Socket, Type};

    let peer = UdpSocket::bind(LOOPBACK[0]).unwrap();
    // UDP-Lite (RFC 3828) looks the same but for the protocol. Not every kernel has it.
    let Ok(socket) = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::from(136))) else {
        return;
    };
    socket.connect(&peer.local_addr().unwrap().into()).unwrap();

    let error = ConnectedUdpSocket::adopt(socket.into(), &ConnectOptions::new()).unwrap_err();

    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn buffers_are_raised_and_never_lowered() {
    for peer in peers() {
        let address = peer.local_addr().unwrap();
        let sizes = |options: &ConnectOptions| {
            let socket = ConnectedUdpSocket::connect(&[address], options).unwrap();
            let socket = SockRef::from(&socket);
            (
                socket.recv_buffer_size().unwrap(),
                socket.send_buffer_size().unwrap(),
            )
        };
        let asked = |bytes| {
            ConnectOptions::new()
                .recv_buffer_size(bytes)
                .send_buffer_size(bytes)
        };

        let (recv, send) = sizes(&ConnectOptions::new());

        assert_eq!(sizes(&asked(1)), (recv, send));
        assert_eq!(sizes(&asked(0)), (recv, send));
        let bytes = recv.max(send) + 4096;
        let raised = sizes(&asked(bytes));
        assert!(raised.0 >= bytes && raised.1 >= bytes, "{raised:?}");
        // Beyond what any system grants: no error, and no less than before.
        let granted = sizes(&asked(1 << 30));
        assert!(
            granted.0 >= raised.0 && granted.1 >= raised.1,
            "{granted:?}"
        );
    }
}

/// As root, beyond `net.core.rmem_max` and `wmem_max`.
#[cfg(target_os = "linux")]
#[test]
fn buffers_of_who_may_are_as_large_as_was_asked_for() {
    use nix::sys::socket::{setsockopt, sockopt::RcvBufForce};

    const BYTES: usize = 64 << 20;
    let peer = UdpSocket::bind(LOOPBACK[0]).unwrap();
    if setsockopt(&peer, RcvBufForce, &BYTES).is_err() {
        eprintln!("SKIPPED: not permitted");
        return;
    }
    let options = ConnectOptions::new()
        .recv_buffer_size(BYTES)
        .send_buffer_size(BYTES);

    let socket = ConnectedUdpSocket::connect(&[peer.local_addr().unwrap()], &options).unwrap();

    let socket = SockRef::from(&socket);
    assert!(socket.recv_buffer_size().unwrap() >= BYTES);
    assert!(socket.send_buffer_size().unwrap() >= BYTES);
}

#[test]
fn buffers_of_an_adopted_socket_are_raised_too() {
    let peer = UdpSocket::bind(LOOPBACK[0]).unwrap();
    let given = UdpSocket::bind(LOOPBACK[0]).unwrap();
    given.connect(peer.local_addr().unwrap()).unwrap();
    let before = SockRef::from(&given).recv_buffer_size().unwrap();

    let options = ConnectOptions::new().recv_buffer_size(before + 1);
    let socket = ConnectedUdpSocket::adopt(given, &options).unwrap();

    assert!(SockRef::from(&socket).recv_buffer_size().unwrap() > before);
}

#[cfg(unix)]
#[test]
fn port_is_shared_only_on_request() {
    for peer in peers() {
        let address = peer.local_addr().unwrap();
        let reuse = ConnectOptions::new().reuse_port(true);
        let first = ConnectedUdpSocket::connect(
            &[address],
            &reuse
                .clone()
                .local_address(SocketAddr::new(address.ip(), 0)),
        )
        .unwrap();
        let taken = first.local_address();

        let second = ConnectedUdpSocket::connect(&[address], &reuse.local_address(taken)).unwrap();
        let refused =
            ConnectedUdpSocket::connect(&[address], &ConnectOptions::new().local_address(taken))
                .unwrap_err();

        assert_eq!(second.local_address(), taken);
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn fragments_are_forbidden_only_on_request() {
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, ip_mtu_discover, ipv6_mtu_discover,
    };

    for peer in peers() {
        let address = peer.local_addr().unwrap();
        let fresh = UdpSocket::bind((address.ip(), 0)).unwrap();

        let default = ConnectedUdpSocket::connect(&[address], &ConnectOptions::new()).unwrap();
        let options = ConnectOptions::new().dont_fragment(true);
        let forbidden = ConnectedUdpSocket::connect(&[address], &options).unwrap();

        if address.is_ipv4() {
            assert_eq!(ip_mtu_discover(&default), ip_mtu_discover(&fresh));
            assert_eq!(ip_mtu_discover(&forbidden), Ok(Ipv4PathMtuDiscovery::DO));
        } else {
            assert_eq!(ipv6_mtu_discover(&default), ipv6_mtu_discover(&fresh));
            assert_eq!(ipv6_mtu_discover(&forbidden), Ok(Ipv6PathMtuDiscovery::DO));
        }
        forbidden.io().send(b"short enough").unwrap();
    }
}

/// A socket on each loopback address that this machine has.
fn peers() -> impl Iterator<Item = UdpSocket> {
    LOOPBACK
        .iter()
        .filter_map(|address| UdpSocket::bind(address).ok())
}
