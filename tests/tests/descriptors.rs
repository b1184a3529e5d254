//! A process that has no descriptor left. A binary of its own, since the limit is the process's.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "it is a test, if called by one")]

use datagram_protocol_core::Raw;
use datagram_tests::{Client, Driver, LOCALHOST_V4, MioDriver, Peer, TokioDriver, assert_matches};
use datagram_udp_socket::RecvError;
use nix::{
    errno::Errno,
    sys::resource::{Resource, getrlimit, setrlimit},
};

#[test]
fn client_that_gets_no_descriptor_says_so_and_works_once_there_are_some() {
    // The runtime of the suite needs some of its own; now they are made.
    let peer = Peer::bind(LOCALHOST_V4);
    connect_and_talk::<TokioDriver>(&peer);
    connect_and_talk::<MioDriver>(&peer);

    exhaust::<MioDriver>(&peer);
    exhaust::<TokioDriver>(&peer);
    no_descriptor_to_wait_with(&peer);
}

fn exhaust<D: Driver>(peer: &Peer) {
    let clients = without_descriptors(40, || {
        let mut clients = Vec::new();
        let error = loop {
            match D::Client::connect(peer.address(), Raw) {
                Ok(client) => clients.push(client),
                Err(error) => break error,
            }
            assert!(clients.len() < 100, "there is a limit");
        };
        assert!(!clients.is_empty());
        let error = format!("{error} {:?}", error.get_ref());
        assert!(error.contains(&peer.address().to_string()), "{error}");
        assert!(
            error.contains(&format!("code: {}", Errno::EMFILE as i32)),
            "{error}"
        );
        // Those that are connected need no more of them to send.
        clients[0].send_packet(b"from among many").unwrap();
        assert_eq!(peer.recv(), b"from among many");
        let error = clients[0].rebind().unwrap_err();
        assert!(!error.to_string().is_empty());
        clients[0].send_packet(b"still there").unwrap();
        assert_eq!(peer.recv(), b"still there");

        clients.pop();
        connect_and_talk::<D>(peer);
        clients
    });
    drop(clients);
}

/// The blocking client makes what it takes to wait when it first has to.
fn no_descriptor_to_wait_with(peer: &Peer) {
    let client = <MioDriver as Driver>::Client::connect(peer.address(), Raw).unwrap();
    let address = client.local_address().unwrap();
    without_descriptors(0, || {
        let error = client.recv_packet().unwrap_err();
        assert!(!error.is_fatal());
        let error = assert_matches!(error, RecvError::Io(error) => error);
        assert_eq!(error.raw_os_error(), Some(Errno::EMFILE as i32));
        // What is there needs no waiting.
        peer.send_to(b"there", address);
        assert_eq!(client.recv(), &b"there"[..]);
    });

    peer.send_to(b"later", address);
    assert_eq!(client.recv(), &b"later"[..]);
    client.close();
}

/// Runs `work` while the process may open only so many more descriptors.
fn without_descriptors<T>(more: u64, work: impl FnOnce() -> T) -> T {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1;
    setrlimit(Resource::RLIMIT_NOFILE, open + more, hard).unwrap();
    let result = work();
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    result
}

fn connect_and_talk<D: Driver>(peer: &Peer) {
    let client = D::Client::connect(peer.address(), Raw).unwrap();
    client.send_packet(b"question").unwrap();
    assert_eq!(peer.recv(), b"question");
    peer.send_to(b"answer", client.local_address().unwrap());
    // Only the tokio driver can wait without another descriptor.
    datagram_tests::wait_until_readable(&client);
    assert_eq!(client.recv(), &b"answer"[..]);
}
