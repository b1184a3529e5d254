//! A router in between, which says what is wrong on the way (ICMP).
#![cfg_attr(
    datagram_portable,
    allow(dead_code, unused_imports, reason = "details are Linux's")
)]

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::AsFd,
};

use datagram_protocol_core::Raw;
use datagram_tests::{
    Client, DEADLINE, Driver, Namespace, assert_matches, in_background, wait_until_ready,
};
use datagram_udp_socket::{ConnectOptions, IcmpKind, RecvError, SendError};
use nix::{errno::Errno, poll::PollFlags};

use crate::LIMIT;

/// The headers of IP (RFC 791, RFC 8200) and UDP (RFC 768), in bytes.
const fn headers(ip: IpAddr) -> usize {
    if ip.is_ipv4() { 20 + 8 } else { 40 + 8 }
}

/// Between the router and the far end. IPv6 takes no less than 1,280 bytes.
const NARROW: usize = 1300;

pub(crate) fn router_tells_of_a_narrow_path<D: Driver>(family: IpAddr) {
    with_path(family, move |path| {
        let peer = path.bind_peer();
        let options = ConnectOptions::new().icmp_details(true).dont_fragment(true);
        let client = path.connect::<D>(peer.local_addr().unwrap(), &options);
        let fitting = vec![7; NARROW - headers(family)];
        let longer = vec![8; fitting.len() + 1];

        client.send_packet(&fitting).unwrap();
        client.send_packet(&longer).unwrap();
        let error = client.recv_packet().unwrap_err();
        let next = client.send_packet(&longer).unwrap_err();
        client.send_packet(&fitting).unwrap();

        let mtu = NARROW as u32;
        assert!(!error.is_fatal());
        assert_matches!(error, RecvError::Unreachable(_));
        let details = error.icmp().unwrap();
        assert_eq!(details.kind, IcmpKind::PacketTooBig { mtu });
        assert_eq!(details.reported_by, Some(path.router));
        assert!(longer.starts_with(&details.datagram));
        // From now on this host knows by itself.
        assert!(!next.was_sent() && !next.is_fatal());
        assert_matches!(next, SendError::NotSent(_));
        let details = next.icmp().unwrap();
        assert_eq!(details.kind, IcmpKind::PacketTooBig { mtu });
        assert_eq!(details.reported_by, None);
        for _ in 0..2 {
            let mut buffer = [0; 2000];
            let len = peer.recv(&mut buffer).unwrap();
            assert!(buffer[..len] == fitting);
        }
    });
}

/// The error that waits for the next send may look as if that run was refused.
pub(crate) fn notice_of_a_narrow_path_is_not_lost_to_a_run<D: Driver>(family: IpAddr) {
    with_path(family, move |path| {
        let peer = path.bind_peer();
        let address = peer.local_addr().unwrap();
        let client = path.connect::<D>(address, &ConnectOptions::new());
        let longer = vec![8; NARROW - headers(family) + 1];
        client.send_packet(&longer).unwrap();
        client
            .with_socket(|socket| {
                wait_until_ready(socket.as_fd(), PollFlags::POLLERR);
                Ok(())
            })
            .unwrap();

        let error = client.send_packets([&b"short"[..]; 10]).unwrap_err();
        client.send_packets([&b"next"[..]; 10]).unwrap();

        assert_eq!(error.sent, 10);
        let error = assert_matches!(error.error, SendError::Unreachable(error) => error);
        assert_eq!(error.raw_os_error(), Some(Errno::EMSGSIZE as i32));
        for expected in [&b"short"[..]; 10].into_iter().chain([&b"next"[..]; 10]) {
            let mut buffer = [0; 2000];
            let len = peer.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..len], expected);
        }
    });
}

pub(crate) fn router_tells_of_a_missing_network<D: Driver>(family: IpAddr) {
    with_path(family, move |path| {
        let nowhere = if family.is_ipv4() {
            "203.0.113.1:7"
        } else {
            "[2001:db8:3::1]:7"
        };

        path.assert_told::<D>(nowhere.parse().unwrap(), IcmpKind::NetworkUnreachable);
    });
}

pub(crate) fn router_tells_of_a_missing_host<D: Driver>(family: IpAddr) {
    with_path(family, move |path| {
        // So that it is given up soon, in milliseconds.
        path.middle.set(&[
            ("ipv4/neigh/far0/retrans_time_ms", "50"),
            ("ipv6/neigh/far0/retrans_time_ms", "50"),
        ]);
        let nobody = if family.is_ipv4() {
            "198.51.100.77:7"
        } else {
            "[2001:db8:2::77]:7"
        };

        path.assert_told::<D>(nobody.parse().unwrap(), IcmpKind::HostUnreachable);
    });
}

/// Three namespaces in a row.
struct Path {
    near: Namespace,
    middle: Namespace,
    far: Namespace,
    /// The addresses of the router, as the near end sees it, and of the far end.
    router: IpAddr,
    peer: IpAddr,
}

impl Path {
    fn bind_peer(&self) -> UdpSocket {
        let address = self.peer;
        let bind = move || UdpSocket::bind((address, 0)).unwrap();
        let peer = self.far.run(bind).join();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        peer
    }

    fn connect<D: Driver>(&self, address: SocketAddr, options: &ConnectOptions) -> D::Client<Raw> {
        let options = options.clone();
        self.near
            .run(move || D::Client::connect_with(address, Raw, &options).unwrap())
            .join()
    }

    #[track_caller]
    fn assert_told<D: Driver>(&self, address: SocketAddr, kind: IcmpKind) {
        let options = ConnectOptions::new().icmp_details(true);
        let client = self.connect::<D>(address, &options);

        client.send_packet(b"anybody there?").unwrap();
        let error = client.recv_packet().unwrap_err();

        assert!(!error.is_fatal());
        assert_matches!(error, RecvError::Unreachable(_));
        let details = error.icmp().unwrap();
        assert_eq!(details.kind, kind);
        assert_eq!(details.reported_by, Some(self.router));
        assert_eq!(details.datagram, "anybody there?");
        // The client works on, and tells again.
        let told = client.send_packet(b"still nobody?").is_err() || client.recv_packet().is_err();
        assert!(told);
    }
}

fn with_path(family: IpAddr, test: impl FnOnce(&Path) + Send + 'static) {
    if cfg!(datagram_portable) {
        return;
    }
    let (near, middle, far) = (Namespace::new(), Namespace::new(), Namespace::new());
    near.lay_wire("veth0", &middle, "near0");
    middle.lay_wire("far0", &far, "veth0");
    let v4 = family.is_ipv4();
    // The ends, and the router in between.
    let (near_end, near_router, far_router, far_end) = if v4 {
        ("192.0.2.1", "192.0.2.254", "198.51.100.254", "198.51.100.2")
    } else {
        (
            "2001:db8:1::1",
            "2001:db8:1::fe",
            "2001:db8:2::fe",
            "2001:db8:2::2",
        )
    };
    for (namespace, interface, address) in [
        (&near, "veth0", near_end),
        (&middle, "near0", near_router),
        (&middle, "far0", far_router),
        (&far, "veth0", far_end),
    ] {
        let add = ["address", "add", "dev", interface];
        if v4 {
            namespace.ip(&[&add[..], &[&format!("{address}/24")]].concat());
        } else {
            namespace.ip(&[&add[..], &[&format!("{address}/64"), "nodad"]].concat());
        }
        namespace.ip(&["link", "set", interface, "up"]);
    }
    for (namespace, router) in [(&near, near_router), (&far, far_router)] {
        namespace.ip(&["route", "add", "default", "via", router]);
    }
    let narrow = NARROW.to_string();
    middle.ip(&["link", "set", "far0", "mtu", &narrow]);
    far.ip(&["link", "set", "veth0", "mtu", &narrow]);
    middle.set(&[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")]);
    let path = Path {
        near,
        middle,
        far,
        router: near_router.parse().unwrap(),
        peer: far_end.parse().unwrap(),
    };
    in_background(move || test(&path)).join_within(LIMIT);
}
