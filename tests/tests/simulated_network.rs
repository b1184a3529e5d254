//! State machines over bad networks in virtual time. Every seed is another network, another
//! configuration and another course of events.
#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap, too")]

use std::{borrow::Borrow, fmt::Debug, time::Duration};

use bytes::Bytes;
use datagram_protocol_core::{
    ClientConfig, DatagramProtocol, DatagramProtocolParseError, Raw, SendPacketError,
    TimeoutBudget,
    base64::{Base64, Key},
    json::Json,
};
use datagram_tests::simulation::{Arrived, Conditions, Simulation, for_each_seed};
use fastrand::Rng;
use serde::{Deserialize, Serialize};

const SEEDS: u64 = 2000;

#[test]
fn every_datagram_is_accounted_for() {
    for_each_seed(SEEDS, |mut rng| {
        let limit = |rng: &mut Rng| {
            if rng.bool() {
                rng.usize(..2000)
            } else {
                1 << 20
            }
        };
        let config = ClientConfig::new()
            .max_datagram_size(limit(&mut rng))
            .outgoing_bytes(limit(&mut rng))
            .incoming_bytes(limit(&mut rng));
        let conditions = Conditions::random(&mut rng);
        let mut simulation = Simulation::new(&Raw, config, conditions, rng.fork());

        let sent = converse(&mut simulation, &mut rng, bytes, |_, arrived, packet| {
            assert_eq!(packet.unwrap(), arrived.datagram);
        });

        for (end, sent) in simulation.ends.iter().zip(sent) {
            let stats = end.state.stats();
            assert_eq!(stats.datagrams_out, sent.len() as u64);
            let bytes: usize = sent.iter().map(Vec::len).sum();
            assert_eq!(stats.bytes_out, bytes as u64);
        }
    });
}

#[test]
fn perfect_network_delivers_everything_once_and_in_order() {
    for_each_seed(SEEDS, |mut rng| {
        let conditions = Conditions {
            delay: Duration::from_millis(rng.u64(..3)),
            offload: rng.bool(),
            ..Conditions::default()
        };
        let mut simulation = Simulation::new(&Raw, ClientConfig::new(), conditions, rng.fork());
        let mut received = [Vec::new(), Vec::new()];

        let sent = converse(&mut simulation, &mut rng, bytes, |end, _, packet| {
            received[end].push(packet.unwrap().to_vec());
        });

        let [from_first, from_second] = sent;
        assert_eq!(received, [from_second, from_first]);
    });
}

#[test]
fn intact_packets_pass_and_others_are_one_error_at_most() {
    for_each_seed(SEEDS, |mut rng| {
        let conditions = Conditions::random(&mut rng);
        let json = Json::<Message>::new();
        let mut simulation = Simulation::new(&json, ClientConfig::new(), conditions, rng.fork());
        let mut intact = [0, 0];

        let sent = converse(
            &mut simulation,
            &mut rng,
            message,
            |end, arrived, packet| {
                if arrived.intact {
                    packet.unwrap();
                    intact[end] += 1;
                }
            },
        );

        if conditions.loss + conditions.corruption + conditions.truncation == 0 {
            assert!(intact[0] >= sent[1].len() && intact[1] >= sent[0].len());
        }
    });
}

#[test]
fn signature_refuses_whatever_was_changed_and_nothing_else() {
    for_each_seed(SEEDS / 2, |mut rng| {
        let conditions = Conditions::random(&mut rng);
        let signed = Base64::new(Raw).key(&key());
        let mut simulation = Simulation::new(&signed, ClientConfig::new(), conditions, rng.fork());
        let mut accepted = [Vec::new(), Vec::new()];

        let sent = converse(&mut simulation, &mut rng, short, |end, arrived, packet| {
            assert_eq!(packet.is_ok(), arrived.intact, "{arrived:?}");
            accepted[end].extend(packet);
        });

        for (accepted, sent) in accepted.iter().zip(sent.iter().rev()) {
            let was_sent = |packet: &Bytes| sent.iter().any(|sent| sent[..] == *packet);
            assert!(accepted.iter().all(was_sent));
        }
    });
}

#[test]
fn every_request_is_answered_in_the_end() {
    const REQUESTS: u32 = 5;
    for_each_seed(SEEDS, |mut rng| {
        let conditions = Conditions::random(&mut rng);
        let protocol = Base64::new(Json::<Message>::new()).key(&key());
        let mut simulation = Simulation::new(&protocol, ClientConfig::new(), conditions, rng);

        for id in 0..REQUESTS {
            assert_eq!(ask(&mut simulation, id), square(id));
        }

        simulation.assert_adds_up();
    });
}

#[test]
fn same_seed_gives_the_same_run() {
    for_each_seed(SEEDS / 10, |rng| {
        let [first, second] = [(); 2].map(|()| {
            let mut rng = rng.clone();
            let conditions = Conditions::random(&mut rng);
            let config = ClientConfig::new().incoming_bytes(rng.usize(..3000));
            let mut simulation = Simulation::new(&Raw, config, conditions, rng.fork());
            let mut course = Vec::new();
            let sent = converse(&mut simulation, &mut rng, bytes, |end, arrived, packet| {
                course.push((end, arrived, packet.unwrap()));
            });
            let now = simulation.now();
            let stats = simulation.ends.map(|end| end.state.stats());
            (now, sent, course, stats)
        });

        assert_eq!(first, second);
    });
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Message {
    Request { id: u32 },
    Answer { id: u32, square: u64 },
}

fn square(id: u32) -> u64 {
    u64::from(id) * u64::from(id)
}

fn message(rng: &mut Rng) -> Message {
    let id = rng.u32(..);
    Message::Request { id }
}

/// Signing takes most of the time, so let there be little to sign.
fn short(rng: &mut Rng) -> [u8; 8] {
    rng.u64(..).to_le_bytes()
}

/// Few lengths, so that there are runs.
fn bytes(rng: &mut Rng) -> Vec<u8> {
    let len = match rng.u32(..20) {
        0 => 0,
        1 => rng.usize(..2000),
        2..5 => rng.usize(..40),
        _ => 32,
    };
    (0..len).map(|_| rng.u8(..)).collect()
}

fn key() -> Key {
    Key::new(*b"thirty-two bytes for a test key.")
}

/// Both ends send at random and poll at random, until nothing is under way any more; then the
/// counters must add up. Returns what was sent from each end. `receive` gets what comes out of which
/// end.
#[track_caller]
fn converse<P, T>(
    simulation: &mut Simulation<P>,
    rng: &mut Rng,
    packet: impl Fn(&mut Rng) -> T,
    mut receive: impl FnMut(usize, Arrived, Result<P::Received, DatagramProtocolParseError>),
) -> [Vec<T>; 2]
where
    P: DatagramProtocol + Clone,
    T: Borrow<P::Sent>,
{
    let mut sent = [Vec::new(), Vec::new()];
    for _ in 0..rng.u32(1..20) {
        for (end, sent) in simulation.ends.iter_mut().zip(&mut sent) {
            for _ in 0..rng.u32(..10) {
                let packet = packet(rng);
                match end.state.send_packet(packet.borrow()) {
                    Ok(()) => sent.push(packet),
                    Err(SendPacketError::QueueFull | SendPacketError::TooLarge { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
        simulation.advance(Duration::from_millis(rng.u64(..10)));
        for (index, end) in simulation.ends.iter_mut().enumerate() {
            for _ in 0..rng.u32(..10) {
                if let Some((arrived, result)) = end.poll() {
                    receive(index, arrived, result);
                }
            }
        }
        simulation.assert_adds_up();
    }

    simulation.ends.iter_mut().for_each(|end| end.state.close());
    // Closing concerns sending: what was queued still leaves, and what arrives is still received.
    while !simulation.is_idle() {
        simulation.advance(Duration::from_millis(10));
    }
    for (index, end) in simulation.ends.iter_mut().enumerate() {
        assert!(end.state.is_closed());
        while let Some((arrived, result)) = end.poll() {
            receive(index, arrived, result);
        }
    }
    simulation.assert_adds_up();
    sent
}

/// Asks the other end, which answers whenever it is asked, again and again until an answer comes.
#[track_caller]
fn ask<P>(simulation: &mut Simulation<P>, id: u32) -> u64
where
    P: DatagramProtocol<Sent = Message, Received = Message> + Clone,
{
    for _ in 0..300 {
        let [client, _] = &mut simulation.ends;
        client.state.send_packet(&Message::Request { id }).unwrap();
        let mut budget = TimeoutBudget::new(Duration::from_millis(100));
        while !budget.is_exhausted() {
            budget.spend(simulation.advance(budget.remaining().unwrap()));
            let [client, server] = &mut simulation.ends;
            while let Some(message) = poll_signed(server.poll()) {
                if let Some(Message::Request { id }) = message {
                    let square = square(id);
                    let answer = Message::Answer { id, square };
                    server.state.send_packet(&answer).unwrap();
                }
            }
            while let Some(message) = poll_signed(client.poll()) {
                match message {
                    Some(Message::Answer { id: of, square }) if of == id => return square,
                    // Of an earlier request, or refused.
                    _ => {}
                }
            }
        }
    }
    panic!("no answer to request {id}");
}

/// The message, if it was accepted; that must be so exactly if it arrived as it was sent.
#[track_caller]
fn poll_signed<T: Debug, E>(polled: Option<(Arrived, Result<T, E>)>) -> Option<Option<T>> {
    let (arrived, result) = polled?;
    assert_eq!(result.is_ok(), arrived.intact, "{arrived:?}");
    Some(result.ok())
}
