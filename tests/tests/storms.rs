//! Many threads at one client, over each driver, under a watchdog. The storm of closes is a case of the
//! how-to suite.
#![allow(clippy::unwrap_used, reason = "the cases are tests, if called by them")]

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use datagram_protocol_core::Raw;
use datagram_tests::{
    Client, CurrentThreadTokioDriver, Driver, LOCALHOST_V4, MioDriver, Peer, Task, TokioDriver,
    in_background, wait_until,
};
use datagram_udp_socket::{RecvError, SendError};

const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn everything_at_once_ends_with_close_mio() {
    in_background(everything_at_once::<MioDriver>).join_within(LIMIT);
}

#[test]
fn everything_at_once_ends_with_close_tokio() {
    in_background(everything_at_once::<TokioDriver>).join_within(LIMIT);
}

#[test]
fn everything_at_once_ends_with_close_tokio_current_thread() {
    in_background(everything_at_once::<CurrentThreadTokioDriver>).join_within(LIMIT);
}

/// Sends, receives, moves and looks, all from several threads; then closes. What the echo sends back
/// comes once at most: sockets that were given up lose some.
fn everything_at_once<D: Driver>() {
    let echo = Peer::bind(LOCALHOST_V4).echo();
    let client = D::Client::connect(echo.address(), Raw).unwrap();
    let received = Arc::new(Mutex::new(BTreeSet::new()));
    let is_over = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::<Task<()>>::new();
    for sender in 0..2_u32 {
        let client = client.clone();
        tasks.push(in_background(move || {
            for number in 0.. {
                let packet = [sender.to_be_bytes(), u32::to_be_bytes(number)].concat();
                let result = match number % 8 {
                    0 => client
                        .send_packets([&packet[..]])
                        .map(|sent| assert_eq!(sent, 1))
                        .map_err(|error| error.error),
                    _ => client.send_packet(&packet),
                };
                match result {
                    Ok(()) => {}
                    Err(SendError::Closed(_)) => return,
                    Err(error) => panic!("{error:?}"),
                }
            }
        }));
    }
    for _ in 0..2 {
        let (client, received) = (client.clone(), Arc::clone(&received));
        tasks.push(in_background(move || {
            loop {
                match client.recv_packet() {
                    Ok(packet) => assert!(received.lock().unwrap().insert(packet), "it came twice"),
                    Err(RecvError::Closed(_)) => return,
                    Err(error) => panic!("{error:?}"),
                }
            }
        }));
    }
    for which in 0..3 {
        let (client, is_over) = (client.clone(), Arc::clone(&is_over));
        tasks.push(in_background(move || {
            while !is_over.load(SeqCst) {
                match which {
                    0 => client.rebind().unwrap(),
                    1 => client.with_socket(|socket| socket.set_ttl_v4(64)).unwrap(),
                    _ => assert!(client.stats().datagrams_out < u64::MAX),
                }
                client.local_address().unwrap();
            }
        }));
    }

    wait_until("packets come back", || {
        received.lock().unwrap().len() > 2_000
    });
    is_over.store(true, SeqCst);
    for task in tasks.drain(4..) {
        task.join();
    }
    client.close();

    for task in tasks {
        task.join();
    }
}
