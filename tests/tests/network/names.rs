//! A name that moves from one address to another. A process of its own has a hosts file of its own
//! (ip-netns(8)), which it changes.

use std::{
    env, fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::Command,
    thread,
};

use datagram_protocol_core::Raw;
use datagram_tests::{
    Client, Driver, LOCALHOST_V4, LOCALHOST_V6, Namespace, Peer, assert_matches, in_background,
    settle,
};
use datagram_udp_socket::RecvError;

use crate::LIMIT;

const CHILD: &str = "DATAGRAM_TESTS_CHILD";

pub(crate) fn client_follows_its_name_to_another_address<D: Driver>(family: IpAddr) {
    let (old, new) = if family.is_ipv4() {
        (LOCALHOST_V4, IpAddr::from(Ipv4Addr::new(127, 0, 0, 2)))
    } else {
        // To the other family, too.
        (LOCALHOST_V6, LOCALHOST_V4)
    };
    if env::var_os(CHILD).is_some() {
        in_background(move || follow::<D>(old, new)).join_within(LIMIT);
        return;
    }
    let namespace = Namespace::new();
    let folder = format!("/etc/netns/{}", namespace.name());
    fs::create_dir_all(&folder).expect("root may write there");
    fs::write(format!("{folder}/hosts"), hosts(old)).expect("root may write there");
    let this_test = thread::current()
        .name()
        .expect("it has its name")
        .to_owned();

    let output = Command::new("ip")
        .args(["netns", "exec", namespace.name()])
        .arg(env::current_exe().expect("it runs"))
        .args(["--ignored", "--exact", &this_test])
        .env(CHILD, "1")
        .output();

    fs::remove_dir_all(&folder).expect("it was made above");
    let output = output.expect("ip can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

/// Happens in a process of its own.
fn follow<D: Driver>(old: IpAddr, new: IpAddr) {
    let old_peer = Peer::bind(old);
    let port = old_peer.address().port();
    let new_peer = Peer::rebind(SocketAddr::new(new, port));
    let client = D::Client::connect(("peer.test", port), Raw).unwrap();
    let receivers = [(); 2].map(|()| {
        let client = client.clone();
        in_background(move || client.recv_packet())
    });
    settle();
    assert!(!client.re_resolve().unwrap());
    let old_address = client.local_address().unwrap();
    fs::write("/etc/hosts", hosts(new)).unwrap();

    let has_moved = client.re_resolve().unwrap();

    assert!(has_moved);
    assert_eq!(client.remote_address().unwrap(), new_peer.address());
    assert_ne!(client.local_address().unwrap(), old_address);
    client.send_packet(b"hello").unwrap();
    assert_eq!(new_peer.recv(), b"hello");
    for _ in &receivers {
        new_peer.send_to(b"welcome", client.local_address().unwrap());
    }
    for receiver in receivers {
        assert_matches!(receiver.join(), Ok(packet) if packet == "welcome");
    }
    assert!(!client.re_resolve().unwrap());

    // A name that is gone is an error, and the client works on.
    fs::write("/etc/hosts", "").unwrap();
    client.re_resolve().unwrap_err();
    new_peer.send_to(b"still there", client.local_address().unwrap());
    assert_eq!(client.recv(), "still there");
    client.close();
    assert_matches!(client.recv_packet(), Err(RecvError::Closed(_)));
    drop(old_peer);
}

fn hosts(address: IpAddr) -> String {
    format!("{address} peer.test\n")
}
