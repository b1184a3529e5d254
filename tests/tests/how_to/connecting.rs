//! Connect to a host and port by name or address; local address; family.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs},
};

use datagram_protocol_core::Raw;
use datagram_tests::{Client, Driver, LOCALHOST_V4, LOCALHOST_V6, Peer, assert_matches};
use datagram_udp_socket::{AddressFamily, ConnectOptions, RemoteAddress, SendError};

pub(crate) fn connects_by_every_kind_of_address<D: Driver>(ip: IpAddr) {
    let peer = Peer::bind(ip);
    let address = peer.address();
    let port = address.port();
    let kinds = [
        RemoteAddress::from(address),
        (ip, port).into(),
        (ip.to_string(), port).into(),
        (&*ip.to_string(), port).into(),
        address.to_string().into(),
        (&*address.to_string()).into(),
        vec![address].into(),
    ];

    for (index, kind) in kinds.into_iter().enumerate() {
        let client = D::Client::connect(kind, Raw).unwrap();
        client.send_packet(&[index as u8]).unwrap();

        assert_eq!(peer.recv(), [index as u8]);
        assert_eq!(client.remote_address().unwrap(), address);
    }
}

pub(crate) fn connects_by_name<D: Driver>(ip: IpAddr) {
    let peer = Peer::bind(ip);
    let port = peer.address().port();
    // Not every machine knows `localhost` in both families.
    let knows_name = ("localhost", port)
        .to_socket_addrs()
        .is_ok_and(|mut addresses| addresses.any(|address| address.ip() == ip));
    let name = if knows_name {
        "localhost".to_owned()
    } else {
        ip.to_string()
    };
    let options = ConnectOptions::new().family(family_of(ip));

    let client = D::Client::connect_with((name, port), Raw, &options).unwrap();
    client.send_packet(b"hello").unwrap();

    assert_eq!(peer.recv(), b"hello");
    assert_eq!(client.remote_address().unwrap(), peer.address());
}

pub(crate) fn unresolvable_host_is_named<D: Driver>(_ip: IpAddr) {
    // A label has at most 63 bytes (RFC 1035), so that no name server is asked.
    let host = format!("{}.invalid", "x".repeat(64));

    let error = D::Client::connect((&*host, 5000), Raw).err().unwrap();
    let without_port = D::Client::connect("no-port", Raw).err().unwrap();

    assert!(error.to_string().contains(&host), "{error}");
    assert!(
        without_port.to_string().contains("no-port"),
        "{without_port}"
    );
}

pub(crate) fn every_failed_address_is_named_with_its_cause<D: Driver>(ip: IpAddr) {
    let of_other_family = SocketAddr::new(other_family(ip), 5000);
    let port_zero = SocketAddr::new(ip, 0);
    let options = ConnectOptions::new().family(family_of(ip));

    let error = D::Client::connect_with(vec![of_other_family, port_zero], Raw, &options)
        .err()
        .unwrap();
    let nowhere = D::Client::connect(Vec::new(), Raw).err().unwrap();

    let message = error.to_string();
    for part in [
        &*of_other_family.to_string(),
        &*port_zero.to_string(),
        if ip.is_ipv4() { "IPv4" } else { "IPv6" },
        "port 0",
    ] {
        assert!(message.contains(part), "{part:?} is missing: {message}");
    }
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(nowhere.kind(), io::ErrorKind::InvalidInput);
}

pub(crate) fn unusable_first_address_is_passed_over<D: Driver>(ip: IpAddr) {
    let peer = Peer::bind(ip);
    // The system does not connect to the broadcast address unless asked to.
    let broadcast = SocketAddr::from((Ipv4Addr::BROADCAST, 5000));

    let client = D::Client::connect(vec![broadcast, peer.address()], Raw).unwrap();
    client.send_packet(b"hello").unwrap();

    assert_eq!(client.remote_address().unwrap(), peer.address());
    assert_eq!(peer.recv(), b"hello");
}

pub(crate) fn remote_address_decides_the_family<D: Driver>(ip: IpAddr) {
    let peer = Peer::bind(ip);
    let elsewhere = SocketAddr::new(other_family(ip), peer.address().port());
    let both = vec![elsewhere, peer.address()];

    let first = D::Client::connect(both.clone(), Raw);
    let options = ConnectOptions::new().family(family_of(ip));
    let chosen = D::Client::connect_with(both.clone(), Raw, &options).unwrap();
    let options = ConnectOptions::new().local_address(SocketAddr::new(ip, 0));
    let bound = D::Client::connect_with(both, Raw, &options).unwrap();

    // Where there is no such family, the first address is passed over.
    if let Ok(first) = first
        && first.remote_address().unwrap() == elsewhere
    {
        assert_eq!(
            first.local_address().unwrap().is_ipv4(),
            elsewhere.is_ipv4()
        );
    }
    assert_eq!(chosen.remote_address().unwrap(), peer.address());
    assert_eq!(bound.remote_address().unwrap(), peer.address());
}

pub(crate) fn ipv4_mapped_address_is_ipv4<D: Driver>(ip: IpAddr) {
    let IpAddr::V4(ip_v4) = ip else {
        return;
    };
    let peer = Peer::bind(ip);
    let mapped = SocketAddr::from((ip_v4.to_ipv6_mapped(), peer.address().port()));
    let Ok(client) = D::Client::connect(mapped, Raw) else {
        eprintln!("SKIPPED: this machine has no IPv6");
        return;
    };

    client.send_packet(&[7; 65_507]).unwrap();
    let error = client.send_packet(&[7; 65_508]).unwrap_err();
    let (datagram, source) = peer.recv_from();
    peer.send_to(b"answer", source);

    assert_eq!(datagram.len(), 65_507);
    assert_matches!(error, SendError::TooLarge { max: 65_507, .. });
    assert_eq!(client.recv(), &b"answer"[..]);
}

#[cfg(target_os = "linux")]
pub(crate) fn unspecified_address_is_this_host<D: Driver>(ip: IpAddr) {
    let peer = Peer::bind(ip);

    let client = D::Client::connect((unspecified(ip), peer.address().port()), Raw).unwrap();
    peer.send_to(b"hello", client.local_address().unwrap());

    assert_eq!(client.recv(), &b"hello"[..]);
    assert_eq!(client.remote_address().unwrap(), peer.address());
}

#[cfg(target_os = "linux")]
pub(crate) fn unspecified(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => IpAddr::from([0; 4]),
        IpAddr::V6(_) => IpAddr::from([0; 16]),
    }
}

pub(crate) fn local_address_and_port_are_used<D: Driver>(ip: IpAddr) {
    let peer = Peer::bind(ip);
    let host = local_host(ip);
    let options = |port| ConnectOptions::new().local_address(SocketAddr::new(host, port));

    let client = D::Client::connect_with(peer.address(), Raw, &options(0)).unwrap();
    let local_address = client.local_address().unwrap();
    client.send_packet(b"a").unwrap();
    drop(client);
    drop(Peer::rebind(local_address));
    let again = D::Client::connect_with(peer.address(), Raw, &options(local_address.port()));

    assert_eq!(local_address.ip(), host);
    assert_eq!(peer.recv_from(), (b"a".to_vec(), local_address));
    match again {
        Ok(again) => {
            again.send_packet(b"b").unwrap();
            assert_eq!(peer.recv_from(), (b"b".to_vec(), local_address));
        }
        // Another process was given the port in between.
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::AddrInUse),
    }
}

pub(crate) fn local_port_in_use_is_an_error<D: Driver>(ip: IpAddr) {
    let peer = Peer::bind(ip);
    let other = Peer::bind(ip);
    let options = ConnectOptions::new().local_address(other.address());

    let error = D::Client::connect_with(peer.address(), Raw, &options)
        .err()
        .unwrap();

    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    let message = error.to_string();
    assert!(message.contains(&peer.address().to_string()), "{message}");
}

pub(crate) fn addresses_are_those_of_the_socket<D: Driver>(ip: IpAddr) {
    let peer = Peer::bind(ip);

    let client = D::Client::connect(peer.address(), Raw).unwrap();
    client.send_packet(b"hello").unwrap();

    let (_, source) = peer.recv_from();
    assert_eq!(client.local_address().unwrap(), source);
    assert_eq!(client.remote_address().unwrap(), peer.address());
}

const fn family_of(ip: IpAddr) -> AddressFamily {
    match ip {
        IpAddr::V4(_) => AddressFamily::V4,
        IpAddr::V6(_) => AddressFamily::V6,
    }
}

const fn other_family(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => LOCALHOST_V6,
        IpAddr::V6(_) => LOCALHOST_V4,
    }
}

/// An address of this host that the system would not choose by itself, where there is one.
const fn local_host(ip: IpAddr) -> IpAddr {
    if cfg!(target_os = "linux") && ip.is_ipv4() {
        return IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    }
    ip
}
