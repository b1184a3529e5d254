//! Any order of calls, on a whole client and on its halves, against queues of plain vectors.
#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap, too")]
#![allow(unreachable_pub, reason = "a fuzz target takes the model in, too")]

mod calls;
mod client;
mod pair;
mod scripted;

use calls::{Call, Contents, Limits, Outcome, Script, Source};
use pair::Pair;
use proptest::{collection::vec, prelude::*};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 800 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_order_of_calls_agrees_with_the_model(
        limits in limits(),
        calls in vec(call(), 0..60),
    ) {
        let mut pair = Pair::new(limits);

        for call in calls {
            pair.call(&call);
            pair.check();
        }
        pair.drain();
    }

    #[test]
    fn same_calls_give_the_same_results(limits in limits(), calls in vec(call(), 0..30)) {
        let [first, second] = [(); 2].map(|()| {
            let mut pair = Pair::new(limits);
            calls.iter().for_each(|call| pair.call(call));
            pair.drain();
            (pair.journal, pair.client.stats())
        });

        prop_assert_eq!(first, second);
    }
}

fn limits() -> impl Strategy<Value = Limits> {
    let bytes = || prop_oneof![0..200_usize, 200..2000_usize, Just(1 << 20)];
    let datagram = prop_oneof![0..60_usize, Just(usize::MAX)];
    (datagram, bytes(), bytes()).prop_map(|(datagram, outgoing, incoming)| Limits {
        datagram,
        outgoing,
        incoming,
    })
}

fn contents() -> impl Strategy<Value = Contents> {
    // Few lengths, so that there are runs, and few values, so that bytes meet their like.
    let len = prop_oneof![
        4 => 0..4_u16,
        4 => Just(8_u16),
        2 => 0..80_u16,
        1 => 200..400_u16
    ];
    let first = prop_oneof![Just(0_u8), Just(255), any::<u8>()];
    (first, len, any::<bool>()).prop_map(|(first, len, counting)| Contents {
        first,
        len,
        counting,
    })
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        2 => Just(Source::Peer),
        2 => Just(Source::Mapped),
        2 => Just(Source::MappedWithScope),
        1 => prop_oneof![Just(Source::OtherPort), Just(Source::OtherHost)],
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let script = prop_oneof![
        20 => contents().prop_map(Script::Append),
        1 => contents().prop_map(Script::Fail),
        1 => contents().prop_map(Script::Panic),
        1 => (1..100_u8, contents()).prop_map(|(by, contents)| Script::Shorten(by, contents)),
        1 => contents().prop_map(Script::Replace),
        1 => (1..100_u8).prop_map(Script::ShortenAndPanic),
    ];
    let outcome = prop_oneof![
        4 => Just(Outcome::Sent),
        2 => (0..6_u8).prop_map(Outcome::SentFirst),
        1 => Just(Outcome::DiscardFirst),
        1 => Just(Outcome::Dropped),
    ];
    let max_segments = prop_oneof![0..5_usize, Just(64), Just(usize::MAX)];
    let stride = prop_oneof![0..10_usize, 10..100_usize, Just(usize::MAX)];
    prop_oneof![
        40 => script.prop_map(Call::Send),
        15 => (max_segments, outcome)
            .prop_map(|(max_segments, outcome)| Call::Transmit { max_segments, outcome }),
        3 => (0..4_u16).prop_map(Call::TakeBack),
        15 => (source(), contents()).prop_map(|(source, contents)| Call::Handle { source, contents }),
        15 => (source(), contents(), stride, any::<bool>()).prop_map(
            |(source, contents, stride, lent)| Call::HandleMany { source, contents, stride, lent }
        ),
        1 => (0..100_u16).prop_map(Call::Truncated),
        20 => (1..6_u8).prop_map(Call::Poll),
        1 => Just(Call::Close),
        1 => Just(Call::Split),
    ]
}
