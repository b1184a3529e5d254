//! Instructions that the state machine takes beyond the codec, a packet: counted by valgrind, hence
//! the same in every run. `cargo bench -p datagram-tests --bench instructions`; it takes valgrind, and
//! fails where the state machine has become slower than [`CASES`] allows.
//!
//! The program runs itself under callgrind, twice for each case with different numbers of bursts: the
//! difference is the work, without what starting takes.

use std::{
    env,
    error::Error,
    hint::black_box,
    net::SocketAddr,
    process::{Command, ExitCode},
};

use bytes::{Bytes, BytesMut};
use datagram_protocol_core::{DatagramClientState, DatagramProtocol, layout::Layout};
use zerocopy::{FromBytes, Immutable, IntoBytes};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// A comparison of the state machine with the codec alone.
#[derive(Debug)]
struct Case {
    what: &'static str,
    codec: Work,
    state: Work,
    /// Packets in a burst.
    burst: usize,
    /// Instructions a packet beyond the codec's, as counted when this was last set. Where a change,
    /// or a new compiler, moves it for a good reason, it is set anew.
    overhead: f64,
}

/// What the overhead may grow by: compilers differ that much.
const TOLERANCE: f64 = 1.05;

type Work = fn(bursts: usize, burst: usize);

const CASES: &[Case] = &[
    Case {
        what: "send, 32 B, bursts of 128",
        codec: encode::<[u8; 32]>,
        state: send::<[u8; 32]>,
        burst: 128,
        overhead: 73.6,
    },
    Case {
        what: "send, 32 B, one at a time",
        codec: encode::<[u8; 32]>,
        state: send::<[u8; 32]>,
        burst: 1,
        overhead: 117.0,
    },
    Case {
        what: "send, 1,200 B, bursts of 54",
        codec: encode::<[u8; 1200]>,
        state: send::<[u8; 1200]>,
        burst: 54,
        overhead: 77.8,
    },
    Case {
        what: "receive, 32 B, bursts of 128",
        codec: decode::<[u8; 32]>,
        state: receive::<[u8; 32]>,
        burst: 128,
        overhead: 33.1,
    },
    Case {
        what: "receive, 32 B, one at a time",
        codec: decode::<[u8; 32]>,
        state: receive::<[u8; 32]>,
        burst: 1,
        overhead: 172.0,
    },
    Case {
        what: "receive, 1,200 B, bursts of 54",
        codec: decode::<[u8; 1200]>,
        state: receive::<[u8; 1200]>,
        burst: 54,
        overhead: 323.6,
    },
];

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let words = env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect::<Vec<_>>();
    let result = match &words[..] {
        [] => compare(),
        [case, side, bursts] => work(case, side, bursts).map(|()| true),
        _ => Err("it takes no options".into()),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the table; tells whether every case is within its limit.
fn compare() -> Result<bool> {
    println!(
        "{:<32} {:>8} {:>8} {:>9} {:>8}",
        "instructions a packet", "codec", "state", "overhead", "limit"
    );
    let mut all_kept = true;
    for (index, case) in CASES.iter().enumerate() {
        let [codec, state] = [
            instructions_a_packet(index, "codec", case.burst)?,
            instructions_a_packet(index, "state", case.burst)?,
        ];
        let (overhead, limit) = (state - codec, case.overhead * TOLERANCE);
        let is_kept = overhead <= limit;
        let verdict = match overhead {
            _ if !is_kept => "  exceeded",
            _ if overhead * TOLERANCE < case.overhead => "  better: lower it",
            _ => "",
        };
        println!(
            "{:<32} {codec:>8.1} {state:>8.1} {overhead:>9.1} {limit:>8.1}{verdict}",
            case.what
        );
        all_kept &= is_kept;
    }
    Ok(all_kept)
}

fn instructions_a_packet(case: usize, side: &str, burst: usize) -> Result<f64> {
    const FEW: usize = 200;
    const MANY: usize = 1200;
    let work = count(case, side, MANY)? - count(case, side, FEW)?;
    Ok(work as f64 / ((MANY - FEW) * burst) as f64)
}

/// Counts the instructions of a run of this program.
fn count(case: usize, side: &str, bursts: usize) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args([&case.to_string(), side, &bursts.to_string()])
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("valgrind: {report}").into());
    }
    let collected = report
        .lines()
        .find_map(|line| line.split_once("Collected :"))
        .ok_or("valgrind has not counted")?;
    Ok(collected.1.trim().parse::<u64>()?)
}

/// Does the work that is counted.
fn work(case: &str, side: &str, bursts: &str) -> Result {
    let case = CASES.get(case.parse::<usize>()?).ok_or("no such case")?;
    let work = if side == "codec" {
        case.codec
    } else {
        case.state
    };
    work(bursts.parse()?, case.burst);
    Ok(())
}

trait Packet: IntoBytes + FromBytes + Immutable {}

impl<const LEN: usize> Packet for [u8; LEN] {}

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7000);

/// What sending takes at least: the bytes of all packets, end to end.
fn encode<P: Packet>(bursts: usize, burst: usize) {
    let (protocol, packet) = (Layout::<P>::new(), P::new_zeroed());
    let mut datagrams = BytesMut::new();
    for _ in 0..bursts {
        for _ in 0..burst {
            protocol
                .make_datagram(black_box(&packet), &mut datagrams)
                .expect("a layout can always be encoded");
        }
        black_box(&datagrams[..]);
        datagrams.clear();
    }
}

/// Encode, queue, transmit.
fn send<P: Packet>(bursts: usize, burst: usize) {
    let packet = P::new_zeroed();
    let mut state = DatagramClientState::new(Layout::<P>::new(), PEER);
    for _ in 0..bursts {
        for _ in 0..burst {
            state
                .send_packet(black_box(&packet))
                .expect("there is room for a burst");
        }
        while let Some(transmit) = state.poll_transmit(128) {
            black_box(transmit.contents());
            transmit.sent();
        }
    }
}

/// What receiving takes at least: each datagram of the bytes, parsed.
fn decode<P: Packet>(bursts: usize, burst: usize) {
    let (protocol, contents) = (Layout::<P>::new(), contents::<P>(burst));
    for _ in 0..bursts {
        for datagram in black_box(&contents).chunks(size_of::<P>()) {
            let packet = protocol.build_packet_from_datagram(datagram.into());
            assert!(black_box(&packet).is_ok());
        }
    }
}

/// Accept, parse.
fn receive<P: Packet>(bursts: usize, burst: usize) {
    let contents = contents::<P>(burst);
    let mut state = DatagramClientState::new(Layout::<P>::new(), PEER);
    for _ in 0..bursts {
        state.handle_datagrams(PEER, black_box(&contents).clone(), size_of::<P>());
        while let Some(packet) = state.poll_packet() {
            assert!(black_box(&packet).is_ok());
        }
    }
}

fn contents<P: Packet>(burst: usize) -> Bytes {
    Bytes::from(vec![0; burst * size_of::<P>()])
}
