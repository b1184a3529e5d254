//! What is measured. A workload and a packet make a [`Group`], in which every contender has its own
//! sockets for the whole run.

pub(crate) mod clients;
mod echo;
pub(crate) mod idle;
mod receive;
mod request;
mod resident;
mod send;
mod stream;

use std::{
    env,
    process::{Command, Stdio},
};

use super::{
    Result,
    arguments::Arguments,
    contender::{self, Contender, Entry},
    far::Far,
    packet::{Large, Packet, Reading, Small},
    place::{self, Pair},
};

/// Packets in a burst.
const BURST: usize = 128;

pub(crate) const SEND_ORDINARY: &str = "burst send, ordinary receiver";
pub(crate) const SEND_GRO: &str = "burst send, GRO receiver";
pub(crate) const SEND_HERE: &str = "send one at a time, this host";
pub(crate) const SEND_ELSEWHERE: &str = "send one at a time, elsewhere";
pub(crate) const RECEIVE_PLAIN: &str = "burst receive, sent plainly";
pub(crate) const RECEIVE_OFFLOADED: &str = "burst receive, sent with offload";
pub(crate) const REQUEST: &str = "receive of request and response";
pub(crate) const ECHO_ONE_CORE: &str = "echo round trip, one core";
pub(crate) const ECHO: &str = "echo round trip, any core";
pub(crate) const STREAM_OUT: &str = "stream out";
pub(crate) const STREAM_IN: &str = "stream in";
pub(crate) const CLIENTS: &str = "10,000 clients, one datagram each way";
pub(crate) const IDLE: &str = "idle client";

/// Does a contender's part of a round. Returns a figure for each of its group's quantities; less is
/// better. An error if a packet did not arrive once and as it was sent.
pub(crate) type Measure = Box<dyn FnMut() -> Result<Vec<f64>>>;

/// Contenders that do the same.
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) quantities: &'static [&'static str],
    pub(crate) members: Vec<(&'static str, Measure)>,
}

/// Returns all groups that are wanted.
pub(crate) fn groups(arguments: &Arguments) -> Result<Vec<Group>> {
    let mut groups = Groups {
        arguments,
        groups: Vec::new(),
    };
    groups.bursts::<Small>()?;
    groups.bursts::<Large>()?;
    groups.bursts::<Reading>()?;
    groups.single::<Small>()?;
    groups.streams::<Small>()?;
    groups.streams::<Large>()?;
    groups.processes();
    if groups.groups.is_empty() {
        return Err("there is no workload of that name".into());
    }
    Ok(groups.groups)
}

/// The name of a group.
pub(crate) fn name<P: Packet>(workload: &str) -> String {
    format!("{workload}, {}", P::NAME)
}

struct Groups<'a> {
    arguments: &'a Arguments,
    groups: Vec<Group>,
}

const PACKET_TIME: &[&str] = &["ns a packet"];

impl Groups<'_> {
    fn bursts<P: Packet>(&mut self) -> Result {
        let bursts = self.arguments.repeats(50);
        self.add::<P>(SEND_ORDINARY, PACKET_TIME, &[], |contender, pair| {
            Ok(send::bursts(contender, Far::new(pair.far)?, bursts))
        })?;
        self.add::<P>(SEND_GRO, PACKET_TIME, &[], |contender, pair| {
            Ok(send::bursts(contender, Far::with_gro(pair.far)?, bursts))
        })?;
        let more = contender::without_offload();
        self.add::<P>(RECEIVE_PLAIN, PACKET_TIME, &more, |contender, pair| {
            Ok(receive::sent_plainly(
                contender,
                Far::new(pair.far)?,
                bursts,
            ))
        })?;
        if P::LEN.is_some() {
            self.add::<P>(RECEIVE_OFFLOADED, PACKET_TIME, &[], |contender, pair| {
                Ok(receive::sent_offloaded(
                    contender,
                    Far::new(pair.far)?,
                    bursts,
                ))
            })?;
        }
        Ok(())
    }

    fn single<P: Packet>(&mut self) -> Result {
        let bursts = self.arguments.repeats(20);
        self.add::<P>(SEND_HERE, PACKET_TIME, &[], |contender, pair| {
            Ok(send::one_at_a_time(contender, Far::new(pair.far)?, bursts))
        })?;
        if self.arguments.wants(&name::<P>(SEND_ELSEWHERE)) {
            if let Err(error) = place::elsewhere() {
                eprintln!("skipped: {SEND_ELSEWHERE}: {error} (it takes root and `ip`)");
            } else {
                self.add_at::<P>(
                    place::elsewhere,
                    SEND_ELSEWHERE,
                    PACKET_TIME,
                    &[],
                    |contender, pair| {
                        Ok(send::one_at_a_time(contender, Far::new(pair.far)?, bursts))
                    },
                )?;
            }
        }
        let trips = self.arguments.repeats(1000);
        self.add::<P>(REQUEST, PACKET_TIME, &[], |contender, pair| {
            Ok(request::measure(contender, Far::new(pair.far)?, trips))
        })?;
        let trips = self.arguments.repeats(500);
        let quantities = &["ns, p50", "ns, p99"];
        self.add::<P>(ECHO_ONE_CORE, quantities, &[], |contender, pair| {
            echo::on_one_core(contender, Far::new(pair.far)?, trips)
        })?;
        self.add::<P>(ECHO, quantities, &[], |contender, pair| {
            echo::on_any_core(contender, Far::new(pair.far)?, trips)
        })
    }

    fn streams<P: Packet>(&mut self) -> Result {
        let streams = self.arguments.repeats(9);
        self.add::<P>(STREAM_OUT, PACKET_TIME, &[], |contender, pair| {
            let far = Far::with_gro(pair.far)?;
            Ok(stream::out(contender, far, pair.room, streams))
        })?;
        self.add::<P>(STREAM_IN, PACKET_TIME, &[], |contender, pair| {
            let far = Far::new(pair.far)?;
            Ok(stream::into(contender, far, pair.room, streams))
        })
    }

    /// Those that watch the memory of a process, each in one of its own.
    fn processes(&mut self) {
        let count = self.arguments.repeats(10_000);
        self.add_children(
            CLIENTS,
            &["ns a client", "bytes a client"],
            clients::NAMES,
            count,
        );
        self.add_children(IDLE, &["bytes a client"], idle::NAMES, count);
    }

    fn add<P: Packet>(
        &mut self,
        workload: &str,
        quantities: &'static [&'static str],
        more: &[Entry<P>],
        measure: impl FnMut(Box<dyn Contender<P>>, Pair) -> Result<Measure>,
    ) -> Result {
        self.add_at(place::here, workload, quantities, more, measure)
    }

    fn add_at<P: Packet>(
        &mut self,
        place: fn() -> Result<Pair>,
        workload: &str,
        quantities: &'static [&'static str],
        more: &[Entry<P>],
        mut measure: impl FnMut(Box<dyn Contender<P>>, Pair) -> Result<Measure>,
    ) -> Result {
        let name = name::<P>(workload);
        if !self.arguments.wants(&name) {
            return Ok(());
        }
        let mut members = Vec::new();
        for entry in contender::all::<P>().iter().chain(more) {
            let pair = place()?;
            let contender = (entry.open)(pair.near.try_clone()?)?;
            members.push((entry.name, measure(contender, pair)?));
        }
        self.groups.push(Group {
            name,
            quantities,
            members,
        });
        Ok(())
    }

    fn add_children(
        &mut self,
        workload: &'static str,
        quantities: &'static [&'static str],
        contenders: &[&'static str],
        count: usize,
    ) {
        if !self.arguments.wants(workload) {
            return;
        }
        let members = contenders
            .iter()
            .map(|&contender| -> (_, Measure) {
                (
                    contender,
                    Box::new(move || in_child(workload, contender, count)),
                )
            })
            .collect();
        self.groups.push(Group {
            name: workload.to_owned(),
            quantities,
            members,
        });
    }
}

fn in_child(workload: &str, contender: &str, count: usize) -> Result<Vec<f64>> {
    let output = Command::new(env::current_exe()?)
        .args(["--child", workload, contender, &count.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("{contender} failed in a process of its own").into());
    }
    let figures = String::from_utf8(output.stdout)?;
    let figures = figures.split_whitespace().map(str::parse::<f64>);
    Ok(figures.collect::<std::result::Result<_, _>>()?)
}

/// Does what [`in_child`] asks for, and prints the figures.
pub(crate) fn run_child(words: &[String]) -> Result {
    let [workload, contender, count] = words else {
        return Err("a child needs a workload, a contender and a count".into());
    };
    let count = count.parse::<usize>()?;
    let figures = match workload.as_str() {
        CLIENTS => clients::measure(contender, count)?,
        IDLE => idle::measure(contender, count)?,
        _ => return Err("no such workload".into()),
    };
    for figure in figures {
        println!("{figure}");
    }
    Ok(())
}

fn median(samples: &mut [f64]) -> f64 {
    percentile(samples, 50)
}

/// Sorts `samples` and returns the one at `percent` of them.
fn percentile(samples: &mut [f64], percent: usize) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    samples[(samples.len() * percent / 100).min(samples.len() - 1)]
}
