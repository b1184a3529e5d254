//! Who waits, sleeps: neither spinning nor looking again at intervals. A binary of its own, since it
//! watches the processor time of the process.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "it is a test, if called by one")]

use std::{net::IpAddr, thread, time::Duration};

use datagram_protocol_core::Raw;
use datagram_tests::{
    Client, DEADLINE, Driver, LOCALHOST_V4, LOCALHOST_V6, MioDriver, TokioDriver, assert_matches,
    connected, has_loopback, in_background, settle,
};
use datagram_udp_socket::RecvError;
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};

#[test]
fn blocked_clients_use_no_processor_time() {
    for ip in [LOCALHOST_V4, LOCALHOST_V6] {
        if has_loopback(ip) {
            block::<MioDriver>(ip);
            block::<TokioDriver>(ip);
        }
    }
}

fn block<D: Driver>(ip: IpAddr) {
    let blocked = (0..4)
        .flat_map(|_| {
            let (client, peer) = connected::<D, _>(ip, Raw);
            let for_ever = client.clone();
            let for_long = client.clone();
            let iterating = client.clone();
            let receiving = [
                in_background(move || for_ever.recv_packet()),
                in_background(move || for_long.recv_packet_timeout(2 * DEADLINE)),
                in_background(move || {
                    let _items = iterating.iter_received_packets(None).count();
                    iterating.recv_packet()
                }),
            ];
            // Each has seen what there is to see: a packet, and a refusal.
            settle();
            peer.send(b"packet");
            peer.shut();
            let _refused = client.send_packet(b"anybody there?");
            receiving.map(|receiving| (client.clone(), receiving))
        })
        .collect::<Vec<_>>();

    // They may take their time to fall asleep.
    let quietest = (0..10)
        .map(|_| usage_during(Duration::from_millis(300)))
        .find(|&(time, switches)| time < Duration::from_millis(10) && switches < 15);

    assert!(quietest.is_some(), "never quiet");
    for (client, receiving) in blocked {
        client.close();
        assert_matches!(
            receiving.join(),
            Ok(_) | Err(RecvError::Closed(_) | RecvError::Unreachable(_))
        );
    }
}

/// Processor time of the process, and how often one of its threads has gone to sleep.
fn usage_during(interval: Duration) -> (Duration, i64) {
    let usage = || getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let before = usage();
    thread::sleep(interval);
    let after = usage();
    let time = |usage: &nix::sys::resource::Usage| {
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds()
    };
    let time = u64::try_from(time(&after) - time(&before)).unwrap();
    (
        Duration::from_micros(time),
        after.voluntary_context_switches() - before.voluntary_context_switches(),
    )
}
