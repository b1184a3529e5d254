//! A consumer that stops reading while datagrams go on arriving: memory stays within the documented
//! bound, and what is dropped is counted. A binary of its own for the counting allocator.
#![allow(clippy::unwrap_used, reason = "the cases are tests, if called by them")]

use allocation_counter::measure;
use bytes::Bytes;
use datagram_protocol_core::{ClientConfig, DatagramClientState, Raw};

const ARRIVING: u64 = 1_000_000;

#[test]
fn a_million_datagrams_take_no_more_than_the_queue_may_hold() {
    // Lone ones, and batches of seven.
    for (size, stride) in [(0, 0), (1, 0), (100, 0), (1200, 0), (700, 100)] {
        let peer = ([192, 0, 2, 1], 7).into();
        let config = ClientConfig::new();
        let contents = vec![7; size];
        let mut client = DatagramClientState::with_config(Raw, peer, config);
        let datagrams = size.checked_div(stride).unwrap_or(1) as u64;

        let taken = measure(|| {
            for _ in 0..ARRIVING / datagrams {
                client.handle_datagrams(peer, Bytes::copy_from_slice(&contents), stride);
            }
        });
        let arrived = client.stats().datagrams_in;
        let dropped = client.stats().dropped;
        let mut received = 0;
        while let Some(packet) = client.poll_packet() {
            packet.unwrap();
            received += 1;
        }

        // The list of what is queued grows by doubling, and is there twice while it moves.
        let bound = 3 * ClientConfig::DEFAULT_QUEUE_BYTES as u64;
        assert!(taken.bytes_max <= bound, "{size}: {}", taken.bytes_max);
        assert_eq!(arrived, ARRIVING / datagrams * datagrams);
        assert!(received > 0 && dropped > 0);
        assert_eq!(received + dropped, arrived);
        assert_eq!(client.stats().dropped, dropped);
    }
}
