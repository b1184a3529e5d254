//! What is wanted, as ratios within one run.

use std::fmt;

use super::{
    contender::{
        FLOOR, FRAMED, MIO, MIO_WITHOUT_OFFLOAD, PUMP, QUINN, STD, TOKIO, TOKIO_WITHOUT_OFFLOAD,
    },
    packet::{Large, Reading, Small},
    rounds::Results,
    workload::{
        ECHO_ONE_CORE, IDLE, RECEIVE_OFFLOADED, RECEIVE_PLAIN, REQUEST, SEND_ELSEWHERE, SEND_GRO,
        SEND_HERE, SEND_ORDINARY, STREAM_IN, STREAM_OUT, name,
    },
};

/// A ratio that misses by less than this factor may do so by chance.
const NOISE: f64 = 1.05;

#[derive(Debug)]
pub(crate) struct Target {
    /// The name of the group. Its first quantity counts.
    pub(crate) what: String,
    pub(crate) of: &'static str,
    pub(crate) limit: Limit,
    /// A limit that would be even better.
    pub(crate) stretch: Option<Limit>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    /// At most so many times what the other takes.
    Time(f64, &'static str),
    /// At least so many times the packets that the other gets through in the same time.
    Rate(f64, &'static str),
    /// At most so many bytes.
    Bytes(f64),
}

impl Limit {
    /// Returns what is compared with the limit, from the figures of all.
    fn figure(self, of: &str, results: &Results) -> Option<f64> {
        let ours = results.median(of, 0)?;
        Some(match self {
            Self::Time(_, against) => ours / results.median(against, 0)?,
            Self::Rate(_, against) => results.median(against, 0)? / ours,
            Self::Bytes(_) => ours,
        })
    }

    fn is_met(self, figure: f64) -> bool {
        match self {
            Self::Time(most, _) | Self::Bytes(most) => figure <= most,
            Self::Rate(least, _) => figure >= least,
        }
    }

    /// Memory is not subject to noise.
    fn is_met_within_noise(self, figure: f64) -> bool {
        match self {
            Self::Time(most, _) => figure <= most * NOISE,
            Self::Rate(least, _) => figure >= least / NOISE,
            Self::Bytes(_) => self.is_met(figure),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(most, against) => write!(f, "at most {most}x {against}"),
            Self::Rate(least, against) => write!(f, "at least {least}x the rate of {against}"),
            Self::Bytes(most) => write!(f, "at most {most} bytes"),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) target: Target,
    pub(crate) figure: f64,
}

impl Verdict {
    pub(crate) fn word(&self) -> &'static str {
        let Target { limit, stretch, .. } = &self.target;
        if stretch.is_some_and(|stretch| stretch.is_met(self.figure)) {
            "met, stretch too"
        } else if limit.is_met(self.figure) {
            "met"
        } else if limit.is_met_within_noise(self.figure) {
            "missed (within noise)"
        } else {
            "missed"
        }
    }
}

/// Compares the results with all targets that they have figures for.
pub(crate) fn judge(results: &[Results]) -> Vec<Verdict> {
    targets()
        .into_iter()
        .filter_map(|target| {
            let results = results.iter().find(|results| results.name == target.what)?;
            let figure = target.limit.figure(target.of, results)?;
            Some(Verdict { target, figure })
        })
        .collect()
}

pub(crate) fn print(verdicts: &[Verdict]) {
    if verdicts.is_empty() {
        return;
    }
    println!("\nTargets");
    let mut what = "";
    for verdict in verdicts {
        let target = &verdict.target;
        if what != target.what {
            what = &target.what;
            println!("\n{what}");
        }
        println!(
            "  {:<30}{:<36}{:>9.2}  {}",
            target.of,
            target.limit.to_string(),
            verdict.figure,
            verdict.word()
        );
    }
    let met = verdicts
        .iter()
        .filter(|verdict| verdict.word().starts_with("met"))
        .count();
    println!("\n{met} of {} targets met", verdicts.len());
}

fn targets() -> Vec<Target> {
    let mut targets = Vec::new();
    let mut add = |what: String, ofs: &[&'static str], limit, stretch| {
        targets.extend(ofs.iter().map(|of| Target {
            what: what.clone(),
            of,
            limit,
            stretch,
        }));
    };
    let floor = |most| Limit::Time(most, FLOOR);
    let std = |most| Limit::Time(most, STD);
    let both = &[MIO, TOKIO];

    let what = name::<Small>(SEND_GRO);
    add(what.clone(), &[PUMP], floor(1.4), Some(floor(1.2)));
    add(what, both, floor(1.5), Some(floor(1.2)));
    add(name::<Large>(SEND_GRO), both, floor(1.1), Some(floor(1.05)));
    let what = name::<Small>(SEND_ORDINARY);
    add(what.clone(), both, floor(1.1), None);
    add(what, both, Limit::Time(0.2, FRAMED), None);

    let what = name::<Small>(RECEIVE_OFFLOADED);
    add(what.clone(), &[PUMP], floor(2.0), Some(floor(1.5)));
    add(what, both, floor(3.5), Some(floor(1.5)));
    add(
        name::<Large>(RECEIVE_OFFLOADED),
        both,
        floor(1.1),
        Some(floor(1.05)),
    );
    let what = name::<Small>(RECEIVE_PLAIN);
    add(what.clone(), &[MIO], std(1.35), Some(std(1.3)));
    add(what.clone(), &[TOKIO], std(1.45), Some(std(1.3)));
    add(what.clone(), &[MIO_WITHOUT_OFFLOAD], std(1.1), None);
    add(what, &[TOKIO_WITHOUT_OFFLOAD], std(1.2), None);
    let what = name::<Small>(REQUEST);
    add(what.clone(), &[MIO], std(1.1), None);
    add(what, &[TOKIO], std(1.2), None);

    add(name::<Reading>(SEND_ORDINARY), both, std(1.0), None);
    add(name::<Reading>(RECEIVE_PLAIN), both, std(1.25), None);

    add(name::<Small>(SEND_HERE), both, std(1.3), None);
    add(name::<Small>(SEND_ELSEWHERE), both, std(1.1), None);
    add(
        name::<Small>(ECHO_ONE_CORE),
        both,
        std(1.18),
        Some(std(1.1)),
    );

    for stream in [STREAM_OUT, STREAM_IN] {
        let what = name::<Small>(stream);
        let rate = |least| Limit::Rate(least, FLOOR);
        add(what.clone(), both, rate(0.7), Some(rate(0.9)));
        add(what, both, Limit::Rate(1.0, QUINN), None);
    }

    add(IDLE.to_owned(), &[MIO], Limit::Bytes(512.0), None);
    add(IDLE.to_owned(), &[TOKIO], Limit::Bytes(3.5 * 1024.0), None);
    targets
}
