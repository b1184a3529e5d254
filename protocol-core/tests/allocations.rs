//! Memory: nothing is allocated for a packet in the steady state, and what a burst took is given
//! back. Every test counts on its own thread.
#![cfg(not(miri))] // It would take hours, and what is unsafe here passes on only.
#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap, too")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    net::SocketAddr,
};

use bytes::{BufMut, Bytes, BytesMut};
use datagram_protocol_core::{
    ClientConfig, Datagram, DatagramClientState, DatagramProtocol, DeserializeError, PacketError,
    Raw, SendPacketError, SerializeError,
};

#[test]
fn burst_is_sent_without_allocation() {
    let mut client = DatagramClientState::new(Fixed, peer());

    let allocations = allocations_after_warm_up(|| {
        for i in 0..128 {
            client.send_packet(&[i; 4]).unwrap();
        }
        while let Some(transmit) = client.poll_transmit(64) {
            transmit.sent();
        }
    });

    assert_eq!(allocations, 0);
}

#[test]
fn burst_that_leaves_in_parts_is_sent_without_allocation() {
    for (max_segments, sizes) in [(1, [54, 20]), (7, [54, 20]), (1, [50, 54])] {
        let mut client = DatagramClientState::new(Raw, peer());

        let allocations = allocations_after_warm_up(|| {
            for datagrams in sizes {
                for _ in 0..datagrams {
                    client.send_packet(&[7; 1200]).unwrap();
                }
                while let Some(transmit) = client.poll_transmit(max_segments) {
                    transmit.sent();
                }
            }
        });

        assert_eq!(allocations, 0, "{sizes:?} by {max_segments}");
    }
}

#[test]
fn lone_packets_are_sent_without_allocation() {
    let mut client = DatagramClientState::new(Fixed, peer());

    let allocations = allocations_after_warm_up(|| {
        client.send_packet(&[1; 4]).unwrap();
        client.poll_transmit(1).unwrap().sent();
    });

    assert_eq!(allocations, 0);
}

#[test]
fn queue_that_never_drains_is_sent_without_allocation() {
    let mut client = DatagramClientState::new(Fixed, peer());
    for _ in 0..3 {
        client.send_packet(&[0; 4]).unwrap();
    }

    let allocations = allocations_after_warm_up(|| {
        client.send_packet(&[1; 4]).unwrap();
        client.poll_transmit(1).unwrap().sent();
    });

    assert_eq!(allocations, 0);
}

#[test]
fn short_packets_of_changing_length_are_sent_without_allocation() {
    let mut client = DatagramClientState::new(Raw, peer());

    let allocations = allocations_after_warm_up(|| {
        // Some eighty runs.
        for len in [1, 2, 0, 3, 3, 1, 0, 0, 9, 3, 4]
            .into_iter()
            .cycle()
            .take(110)
        {
            client.send_packet(&[7; 9][..len]).unwrap();
        }
        client.poll_transmit(1).unwrap().discard_first();
        client.outgoing_mut().take_back(1);
        while let Some(transmit) = client.poll_transmit(64) {
            transmit.sent();
        }
    });

    assert_eq!(allocations, 0);
}

#[test]
fn packets_are_received_without_allocation() {
    let mut client = DatagramClientState::new(Fixed, peer());
    let datagram = Bytes::from(vec![7; 32]);
    let batch = Bytes::from(vec![7; 32 * 128]);

    let allocations = allocations_after_warm_up(|| {
        for _ in 0..100 {
            client.handle_datagram(peer(), datagram.clone());
        }
        client.handle_datagrams(peer(), batch.clone(), 32);
        client.incoming_mut().handle_lent(peer(), batch.clone(), 32);
        let mut received = 0;
        while let Some(packet) = client.poll_packet() {
            assert_eq!(packet.unwrap()[0], 0x0707_0707_0707_0707);
            received += 1;
        }
        assert_eq!(received, 100 + 128 + 128);
    });

    assert_eq!(allocations, 0);
}

#[test]
fn ignored_and_dropped_datagrams_cost_no_allocation() {
    let config = ClientConfig::new().incoming_bytes(10);
    let mut client = DatagramClientState::with_config(Fixed, peer(), config);
    let stranger = "192.0.2.1:8".parse().unwrap();
    let batch = Bytes::from(vec![7; 32 * 128]);

    let allocations = allocations_after_warm_up(|| {
        client.handle_datagrams(stranger, batch.clone(), 32);
        client.handle_datagrams(peer(), batch.clone(), 32);
    });

    assert_eq!(allocations, 0);
}

#[test]
fn new_client_holds_no_memory() {
    let before = live_bytes();

    let client = DatagramClientState::new(Fixed, peer());

    assert_eq!(live_bytes(), before);
    drop(client);
}

#[test]
fn outgoing_burst_gives_its_memory_back() {
    for size in [0, 1, 100, 1000, 1001, 65_507] {
        for max_segments in [1, 7, usize::MAX] {
            let before = live_bytes();
            let mut client = DatagramClientState::new(Raw, peer());
            let packet = vec![7; size];
            fill(&mut client, &packet);
            assert!(live_bytes() - before > 1 << 19, "{size}");

            while let Some(transmit) = client.poll_transmit(max_segments) {
                transmit.sent();
            }

            let kept = live_bytes() - before - size as isize;
            assert!(kept <= KEPT, "{size}, {max_segments}: {kept}");
        }
    }
}

#[test]
fn outgoing_burst_of_mixed_lengths_gives_its_memory_back() {
    let before = live_bytes();
    let mut client = DatagramClientState::new(Raw, peer());
    while client.send_packet(&[]).is_ok() {
        assert!(live_bytes() - before < ENDLESS);
        client.send_packet(&[7]).ok();
    }

    while let Some(transmit) = client.poll_transmit(64) {
        transmit.sent();
    }

    let kept = live_bytes() - before;
    assert!(kept <= KEPT, "{kept}");
}

#[test]
fn burst_that_is_taken_back_gives_its_memory_back() {
    for leave in [0, 1] {
        let before = live_bytes();
        let mut client = DatagramClientState::new(Raw, peer());
        fill(&mut client, &[7; 1000]);

        let queued = client.outgoing_mut().len();
        client.outgoing_mut().take_back(queued - leave);

        let kept = live_bytes() - before;
        assert!(kept <= KEPT, "{kept}");
    }
}

#[test]
fn over_long_encode_gives_its_memory_back() {
    for queued in [0, 1, 50_000] {
        let before = live_bytes();
        let mut client = DatagramClientState::new(Raw, peer());
        client.send_packet(&vec![7; queued]).unwrap();
        let long = Bytes::from_static(&[7; 8 << 20]);

        let error = client.send_packet(&long).unwrap_err();

        assert!(matches!(error, SendPacketError::TooLarge { .. }));
        let kept = live_bytes() - before;
        assert!(kept <= KEPT + queued as isize, "{queued}: {kept}");
    }
}

#[test]
fn failed_encode_gives_its_memory_back() {
    let before = live_bytes();
    let mut client = DatagramClientState::new(Hoarding, peer());

    client.send_packet(&false).unwrap_err();

    let kept = live_bytes() - before;
    assert!(kept <= KEPT, "{kept}");
}

#[test]
fn encoder_that_reserves_too_much_does_not_make_the_queue_hold_it() {
    let before = live_bytes();
    let mut client = DatagramClientState::new(Hoarding, peer());

    for _ in 0..3 {
        client.send_packet(&true).unwrap();

        let kept = live_bytes() - before;
        assert!(kept <= 5 << 20, "{kept}");
    }
    while let Some(transmit) = client.poll_transmit(1) {
        transmit.sent();
    }

    let kept = live_bytes() - before;
    assert!(kept <= KEPT, "{kept}");
}

#[test]
fn memory_set_aside_for_sending_is_within_four_times_the_bound() {
    let config = ClientConfig::new().outgoing_bytes(1 << 20);
    for size in [0, 1, 10, 1000, 30_000] {
        let before = live_bytes();
        let mut client = DatagramClientState::with_config(Raw, peer(), config);
        let packet = vec![7; size];
        let mut most = 0;
        for round in 0..20_000 {
            fill(&mut client, &packet);
            most = most.max(live_bytes() - before);
            for _ in 0..1 + round % 7 {
                client.poll_transmit(1).unwrap().sent();
            }
        }

        assert!(most <= 4 << 20, "{size}: {most}");
    }
}

#[test]
fn incoming_burst_gives_its_memory_back() {
    for size in [0, 1, 1000] {
        let before = live_bytes();
        let mut client = DatagramClientState::new(Raw, peer());
        while client.stats().dropped == 0 {
            client.handle_datagram(peer(), vec![7; size]);
            assert!(live_bytes() - before < ENDLESS);
        }
        let held = live_bytes() - before;
        // What it takes to keep track of a datagram is counted; spare room is not.
        assert!(held > 1 << 19, "{size}: {held}");
        assert!(held <= 3 << 20, "{size}: {held}");

        while let Some(packet) = client.poll_packet() {
            packet.unwrap();
        }

        let kept = live_bytes() - before;
        assert!(kept <= KEPT, "{size}: {kept}");
    }
}

#[test]
fn kept_errors_of_a_batch_hold_their_own_bytes_alone() {
    let before = live_bytes();
    let mut client = DatagramClientState::new(Fixed, peer());
    client.handle_datagrams(peer(), vec![7; 60_000].into(), 100);

    let errors: Vec<_> = std::iter::from_fn(|| client.poll_packet())
        .take(3)
        .collect();
    drop(client);

    let kept = live_bytes() - before;
    assert_eq!(errors.len(), 3);
    assert!(kept < 2000, "{kept}");
}

/// Bytes that each queue of an idle client may keep: for datagrams, or half of it to keep track of
/// those that were empty.
const KEPT: isize = 2 * (128 << 10);

/// Bytes that no bounded queue needs.
const ENDLESS: isize = 100 << 20;

/// A layout of four words, nothing else.
struct Fixed;

impl DatagramProtocol for Fixed {
    type Sent = [u64; 4];
    type Received = [u64; 4];

    fn make_datagram(&self, packet: &[u64; 4], out: &mut BytesMut) -> Result<(), SerializeError> {
        packet.iter().for_each(|&word| out.put_u64(word));
        Ok(())
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<[u64; 4], PacketError> {
        let bytes = <&[u8; 32]>::try_from(&*datagram).map_err(DeserializeError::new)?;
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_be_bytes(*bytes);
        }
        Ok(words)
    }
}

/// Sets 16 MiB aside for every packet, and then fails, or sends one byte.
struct Hoarding;

impl DatagramProtocol for Hoarding {
    type Sent = bool;
    type Received = ();

    fn make_datagram(&self, packet: &bool, out: &mut BytesMut) -> Result<(), SerializeError> {
        out.reserve(16 << 20);
        out.put_u8(1);
        packet
            .then_some(())
            .ok_or_else(|| SerializeError::new("asked to"))
    }

    fn build_packet_from_datagram(&self, _: Datagram<'_>) -> Result<(), PacketError> {
        Ok(())
    }
}

fn peer() -> SocketAddr {
    "192.0.2.1:7".parse().unwrap()
}

fn allocations_after_warm_up(mut round: impl FnMut()) -> usize {
    for _ in 0..20 {
        round();
    }
    let before = ALLOCATIONS.get();
    for _ in 0..100 {
        round();
    }
    ALLOCATIONS.get() - before
}

/// Sends `packet` until the queue is full.
#[track_caller]
fn fill(client: &mut DatagramClientState<Raw>, packet: &[u8]) {
    let before = live_bytes();
    while client.send_packet(packet).is_ok() {
        assert!(live_bytes() - before < ENDLESS);
    }
}

fn live_bytes() -> isize {
    LIVE_BYTES.get()
}

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, counting for each thread.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

impl Counting {
    fn count(allocations: usize, bytes: isize) {
        // The cells need neither memory nor a destructor, so they are there as long as the thread.
        ALLOCATIONS.set(ALLOCATIONS.get() + allocations);
        LIVE_BYTES.set(LIVE_BYTES.get() + bytes);
    }
}

#[expect(
    unsafe_code,
    reason = "the trait is unsafe; every call is passed on as it is"
)]
// SAFETY: the system's allocator keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(1, layout.size() as isize);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Self::count(0, -(layout.size() as isize));
        // SAFETY: passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count(1, layout.size() as isize);
        // SAFETY: passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count(1, size as isize - layout.size() as isize);
        // SAFETY: passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
