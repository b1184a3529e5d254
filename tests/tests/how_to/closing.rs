//! Closing, and dropping, with others still at it.

use std::{
    io,
    net::{IpAddr, UdpSocket},
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use datagram_protocol_core::{ClientClosedError, Raw};
use datagram_tests::{
    Client, DEADLINE, Driver, Peer, assert_matches, connected, in_background, settle,
};
use datagram_udp_socket::{RecvError, SendError};

pub(crate) fn close_is_idempotent<D: Driver>(ip: IpAddr) {
    let (client, _peer) = connected::<D, _>(ip, Raw);
    let local_address = client.local_address().unwrap();

    let before = client.is_closed();
    client.close();
    client.close();

    assert!(!before);
    assert!(client.is_closed());
    drop(Peer::rebind(local_address));
    client.close();
}

pub(crate) fn closed_client_refuses_every_operation<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    peer.send(b"too late");
    client.close();

    let send = client.send_packet(b"a").unwrap_err();
    assert!(send.is_fatal() && !send.was_sent());
    assert_matches!(send, SendError::Closed(_));
    let send_many = client.send_packets([&b"a"[..], b"b"]).unwrap_err();
    assert_eq!(send_many.sent, 0);
    assert_matches!(send_many.error, SendError::Closed(_));
    for result in [
        client.recv_packet(),
        client.recv_packet_timeout(Duration::ZERO),
        client.recv_packet_timeout(DEADLINE),
    ] {
        assert!(result.as_ref().is_err_and(RecvError::is_fatal));
        assert_matches!(result, Err(RecvError::Closed(_)));
    }
    assert_matches!(client.iter_received_packets(None).next(), None);
    assert_matches!(client.iter_received_packets(DEADLINE).next(), None);
    for error in [
        client.local_address().unwrap_err(),
        client.remote_address().unwrap_err(),
        client.with_socket(|_| Ok(())).unwrap_err(),
    ] {
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
        assert!(error.get_ref().unwrap().is::<ClientClosedError>());
    }
}

pub(crate) fn closing_a_clone_closes_the_client<D: Driver>(ip: IpAddr) {
    let (client, _peer) = connected::<D, _>(ip, Raw);

    client.clone().close();

    assert!(client.is_closed());
    assert_matches!(client.recv_packet(), Err(RecvError::Closed(_)));
}

pub(crate) fn dropping_the_last_clone_closes_the_socket<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    let local_address = client.local_address().unwrap();

    drop(client.clone());
    client.send_packet(b"still there").unwrap();
    let in_use = UdpSocket::bind(local_address).unwrap_err();
    drop(client);

    assert_eq!(peer.recv(), b"still there");
    assert_eq!(in_use.kind(), io::ErrorKind::AddrInUse);
    drop(Peer::rebind(local_address));
}

pub(crate) fn close_ends_a_receive_at_once<D: Driver>(ip: IpAddr) {
    let mut shortest = Duration::MAX;
    for _ in 0..20 {
        let (client, _peer) = connected::<D, _>(ip, Raw);
        let receiver = client.clone();
        let receiving = in_background(move || (receiver.recv_packet(), Instant::now()));
        settle();

        let start = Instant::now();
        client.close();
        let (result, end) = receiving.join();

        assert_matches!(result, Err(RecvError::Closed(_)));
        shortest = shortest.min(end.saturating_duration_since(start));
    }
    // On a busy machine each may be late, but not all of them.
    assert!(shortest < Duration::from_millis(50), "{shortest:?}");
}

pub(crate) fn close_ends_every_receive<D: Driver>(ip: IpAddr) {
    let (client, _peer) = connected::<D, _>(ip, Raw);
    let receive = |how: fn(&D::Client<Raw>) -> Result<bytes::Bytes, RecvError>| {
        let client = client.clone();
        in_background(move || how(&client))
    };
    let receiving = [
        receive(|client| client.recv_packet()),
        receive(|client| client.recv_packet()),
        receive(|client| client.recv_packet_timeout(2 * DEADLINE)),
        receive(|client| client.recv_packet_timeout(Duration::MAX)),
    ];
    let iterate = |timeout: Option<Duration>| {
        let client = client.clone();
        in_background(move || client.iter_received_packets(timeout).count())
    };
    let iterating = [iterate(None), iterate(Some(2 * DEADLINE))];
    settle();

    client.close();

    for receiving in receiving {
        assert_matches!(receiving.join(), Err(RecvError::Closed(_)));
    }
    for iterating in iterating {
        assert_eq!(iterating.join(), 0);
    }
}

/// Closes a thousand clients while receivers are anywhere between their call and their sleep.
pub(crate) fn close_storm_leaves_nobody_asleep<D: Driver>(ip: IpAddr) {
    let mut ports_in_use = 0;
    for round in 0..1000 {
        let (client, _peer) = connected::<D, _>(ip, Raw);
        let local_address = client.local_address().unwrap();
        let start = Arc::new(Barrier::new(5));
        let receiving = [(); 4].map(|()| {
            let (client, start) = (client.clone(), Arc::clone(&start));
            in_background(move || {
                start.wait();
                client.recv_packet()
            })
        });

        start.wait();
        if round % 16 == 0 {
            settle();
        }
        client.close();

        for receiving in receiving {
            assert_matches!(receiving.join(), Err(RecvError::Closed(_)));
        }
        ports_in_use += usize::from(UdpSocket::bind(local_address).is_err());
    }
    // Another test may have been given the port just then, but not often.
    assert!(ports_in_use < 5, "{ports_in_use} ports were still in use");
}

pub(crate) fn closing_at_once_from_many_threads_closes<D: Driver>(ip: IpAddr) {
    for _ in 0..50 {
        let (client, _peer) = connected::<D, _>(ip, Raw);
        let local_address = client.local_address().unwrap();
        let receiver = client.clone();
        let receiving = in_background(move || receiver.recv_packet());
        let start = Arc::new(Barrier::new(4));
        let closing = [(); 4].map(|()| {
            let (client, start) = (client.clone(), Arc::clone(&start));
            in_background(move || {
                start.wait();
                client.close();
                client.is_closed()
            })
        });

        for closing in closing {
            assert!(closing.join());
        }
        assert_matches!(receiving.join(), Err(RecvError::Closed(_)));
        drop(Peer::rebind(local_address));
    }
}

/// Whoever holds a lock for a moment, say to read the counters, must not keep the descriptor open.
pub(crate) fn descriptor_goes_whatever_else_is_called_meanwhile<D: Driver>(ip: IpAddr) {
    let mut ports_in_use = 0;
    for _ in 0..200 {
        let (client, _peer) = connected::<D, _>(ip, Raw);
        let local_address = client.local_address().unwrap();
        let start = Arc::new(Barrier::new(3));
        let is_over = Arc::new(AtomicBool::new(false));
        let calling = [(); 2].map(|()| {
            let (client, start) = (client.clone(), Arc::clone(&start));
            let is_over = Arc::clone(&is_over);
            in_background(move || {
                start.wait();
                while !is_over.load(SeqCst) {
                    let _stats = client.stats();
                    let _closed = client.with_socket(|socket| socket.recv_buffer_size());
                }
            })
        });

        start.wait();
        client.close();
        is_over.store(true, SeqCst);
        for calling in calling {
            calling.join();
        }

        ports_in_use += usize::from(UdpSocket::bind(local_address).is_err());
    }
    assert!(ports_in_use < 3, "{ports_in_use} ports were still in use");
}

pub(crate) fn what_was_sent_before_close_arrives<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);

    client.send_packets([&b"packet"[..]; 100]).unwrap();
    client.close();

    for _ in 0..100 {
        assert_eq!(peer.recv(), b"packet");
    }
    assert_eq!(client.stats().datagrams_out, 100);
}
