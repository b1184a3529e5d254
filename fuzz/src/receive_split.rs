//! A received buffer is its datagrams: nothing is lost, twice, out of order or copied.

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use datagram_protocol_core::{ClientConfig, DatagramClientState, Raw};

use crate::model::pair::Overhead;

#[derive(Debug, Arbitrary)]
struct Case {
    stride: u16,
    limit: u16,
    lent: bool,
    before_split: u8,
}

/// Takes a buffer in with a stride, and checks every datagram that comes out. The contents are what
/// follows the head: stride, limit, whether the buffer is lent, and how many
/// datagrams are taken before the client is split.
pub fn receive_split(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let Ok(case) = Case::arbitrary(&mut data) else {
        return;
    };
    let contents = Bytes::copy_from_slice(data.take_rest());
    let (stride, limit) = (usize::from(case.stride), usize::from(case.limit));
    let peer = "192.0.2.1:7".parse().expect("an address");
    let config = ClientConfig::new().incoming_bytes(limit);
    let mut client = DatagramClientState::with_config(Raw, peer, config);

    if case.lent {
        client
            .incoming_mut()
            .handle_lent(peer, contents.clone(), stride);
    } else {
        client.handle_datagrams(peer, contents.clone(), stride);
    }
    let mut received = Vec::new();
    for _ in 0..case.before_split {
        received.extend(client.poll_packet());
    }
    let (_, mut receiver) = client.split();
    while let Some(packet) = receiver.poll_packet() {
        received.push(packet);
    }
    let received: Vec<Bytes> = received
        .into_iter()
        .map(|packet| packet.expect("bytes are packets"))
        .collect();
    let stats = receiver.stats();

    let expected: Vec<&[u8]> = if stride == 0 || contents.is_empty() {
        vec![&contents]
    } else {
        contents.chunks(stride).collect()
    };
    assert!(received.iter().eq(expected.iter().take(received.len())));
    let dropped = expected.len() - received.len();
    assert_eq!(stats.datagrams_in, expected.len() as u64);
    assert_eq!(stats.bytes_in, contents.len() as u64);
    assert_eq!(stats.dropped, dropped as u64);
    assert_eq!((stats.ignored, stats.parse_errors), (0, 0));

    let bytes: usize = received.iter().map(Bytes::len).sum();
    assert!(bytes <= limit);
    if dropped > 0 {
        let next = expected[received.len()].len();
        let overhead = Overhead::measured().incoming;
        assert!(overhead + bytes + next > limit, "room for {next} more");
    }
    let within = contents.as_ptr_range();
    for datagram in received.iter().filter(|datagram| !datagram.is_empty()) {
        let shared = within.contains(&datagram.as_ptr());
        // What fits only in part is copied out of the buffer, which there is no room for.
        assert_eq!(shared, !case.lent && dropped == 0, "{datagram:02x?}");
    }
}
