//! The proxy for socket options, and the options of connecting.

use std::{io, net::IpAddr};

use datagram_protocol_core::{ClientClosedError, Raw};
use datagram_tests::{Client, Driver, Peer, connected};
use datagram_udp_socket::{ConnectOptions, SocketProxy};

pub(crate) fn options_are_set_and_read_back<D: Driver>(ip: IpAddr) {
    let (client, _peer) = connected::<D, _>(ip, Raw);

    client
        .with_socket(|socket| {
            set_hops(&socket, ip, 33)?;
            assert_eq!(hops(&socket, ip)?, 33);
            socket.set_broadcast(true)?;
            assert!(socket.broadcast()?);
            let size = socket.recv_buffer_size()?;
            socket.set_recv_buffer_size(size / 4)?;
            assert!(socket.recv_buffer_size()? < size);
            let size = socket.send_buffer_size()?;
            socket.set_send_buffer_size(size / 4)?;
            assert!(socket.send_buffer_size()? < size);
            Ok(())
        })
        .unwrap();
    let clone = client.clone();

    // They are the socket's, not the proxy's.
    let hops = clone.with_socket(|socket| hops(&socket, ip)).unwrap();
    assert_eq!(hops, 33);
}

pub(crate) fn buffer_sizes_are_at_least_what_was_asked_for<D: Driver>(ip: IpAddr) {
    let peer = Peer::bind(ip);
    let sizes = |options: &ConnectOptions| {
        D::Client::connect_with(peer.address(), Raw, options)
            .unwrap()
            .with_socket(|socket| Ok((socket.recv_buffer_size()?, socket.send_buffer_size()?)))
            .unwrap()
    };
    let default = sizes(&ConnectOptions::new());
    // Within what systems allow by default.
    let (recv, send) = (default.0 + 1000, default.1 + 1000);

    let raised = sizes(
        &ConnectOptions::new()
            .recv_buffer_size(recv)
            .send_buffer_size(send),
    );
    let not_lowered = sizes(
        &ConnectOptions::new()
            .recv_buffer_size(1)
            .send_buffer_size(1),
    );

    assert!(raised.0 >= recv, "{} < {recv}", raised.0);
    assert!(raised.1 >= send, "{} < {send}", raised.1);
    assert_eq!(not_lowered, default);
}

pub(crate) fn port_can_be_shared<D: Driver>(ip: IpAddr) {
    let peers = [Peer::bind(ip), Peer::bind(ip)];
    let shared = ConnectOptions::new().reuse_port(true);
    let first = D::Client::connect_with(peers[0].address(), Raw, &shared);
    if cfg!(windows) {
        assert_eq!(first.err().unwrap().kind(), io::ErrorKind::Unsupported);
        return;
    }
    let first = first.unwrap();
    let local_address = first.local_address().unwrap();
    let bound = shared.local_address(local_address);
    let without = ConnectOptions::new().local_address(local_address);

    let second = D::Client::connect_with(peers[1].address(), Raw, &bound).unwrap();
    let refused = D::Client::connect_with(peers[1].address(), Raw, &without);

    assert_eq!(refused.err().unwrap().kind(), io::ErrorKind::AddrInUse);
    assert_eq!(second.local_address().unwrap(), local_address);
    peers[0].send_to(b"for the first", local_address);
    peers[1].send_to(b"for the second", local_address);
    assert_eq!(first.recv(), &b"for the first"[..]);
    assert_eq!(second.recv(), &b"for the second"[..]);
}

pub(crate) fn addresses_are_those_of_the_client<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);

    let (local, remote) = client
        .with_socket(|socket| Ok((socket.local_addr()?, socket.peer_addr()?)))
        .unwrap();

    assert_eq!(local, client.local_address().unwrap());
    assert_eq!(remote, peer.address());
}

#[cfg(unix)]
pub(crate) fn descriptor_is_lent<D: Driver>(ip: IpAddr) {
    use socket2::{SockRef, Type};

    let (client, _peer) = connected::<D, _>(ip, Raw);
    let local_address = client.local_address().unwrap();
    let closer = client.clone();

    client
        .with_socket(|socket| {
            assert_eq!(SockRef::from(&socket).r#type()?, Type::DGRAM);
            closer.close();
            assert!(socket.recv_buffer_size().is_err());
            // Open for as long as it is lent, even so.
            let still = SockRef::from(&socket).local_addr()?;
            assert_eq!(still.as_socket(), Some(local_address));
            Ok(())
        })
        .unwrap();
    drop(Peer::rebind(local_address));
}

pub(crate) fn every_option_of_a_closed_client_is_an_error<D: Driver>(ip: IpAddr) {
    let (client, _peer) = connected::<D, _>(ip, Raw);
    let closer = client.clone();

    let errors = client
        .with_socket(|socket| {
            closer.close();
            Ok([
                socket.recv_buffer_size().unwrap_err(),
                socket.set_broadcast(true).unwrap_err(),
                set_hops(&socket, ip, 1).unwrap_err(),
                socket.local_addr().unwrap_err(),
                socket.peer_addr().unwrap_err(),
            ])
        })
        .unwrap();

    for error in errors {
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
        assert!(error.get_ref().unwrap().is::<ClientClosedError>());
    }
}

fn hops(socket: &SocketProxy<'_>, ip: IpAddr) -> io::Result<u32> {
    match ip {
        IpAddr::V4(_) => socket.ttl_v4(),
        IpAddr::V6(_) => socket.unicast_hops_v6(),
    }
}

fn set_hops(socket: &SocketProxy<'_>, ip: IpAddr, hops: u32) -> io::Result<()> {
    match ip {
        IpAddr::V4(_) => socket.set_ttl_v4(hops),
        IpAddr::V6(_) => socket.set_unicast_hops_v6(hops),
    }
}
