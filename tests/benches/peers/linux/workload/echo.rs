//! Round trips to an echo on another thread: from right before the send until the packet is there.

use std::{thread, time::Instant};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use super::{Measure, percentile};
use crate::linux::{
    Result,
    contender::{Contender, Talk},
    far::Far,
    packet::{Fresh, Packet, check},
    stopwatch,
};

/// The calling thread, to the scheduler.
const SELF: Pid = Pid::from_raw(0);

pub(super) fn on_any_core<P: Packet>(
    contender: Box<dyn Contender<P>>,
    far: Far<P>,
    trips: usize,
) -> Result<Measure> {
    let everywhere = sched_getaffinity(SELF)?;
    Ok(measure(contender, far, trips, everywhere, everywhere))
}

/// Both threads share a core, so that a trip is two switches between them and no wake-up of a core.
pub(super) fn on_one_core<P: Packet>(
    contender: Box<dyn Contender<P>>,
    far: Far<P>,
    trips: usize,
) -> Result<Measure> {
    let everywhere = sched_getaffinity(SELF)?;
    let mut one = CpuSet::new();
    let core = (0..CpuSet::count()).find(|&core| everywhere.is_set(core).unwrap_or(false));
    one.set(core.ok_or("there is no core")?)?;
    Ok(measure(contender, far, trips, one, everywhere))
}

fn measure<P: Packet>(
    mut contender: Box<dyn Contender<P>>,
    far: Far<P>,
    trips: usize,
    cores: CpuSet,
    afterwards: CpuSet,
) -> Measure {
    // It ends with the process.
    thread::spawn(move || {
        sched_setaffinity(SELF, &cores)
            .map_err(Into::into)
            .and_then(|()| far.echo_on())
    });
    let mut fresh = Fresh::new();
    let mut talk = Timing {
        start: Instant::now(),
        times: Vec::with_capacity(trips),
        received: Vec::with_capacity(trips),
    };
    Box::new(move || {
        talk.times.clear();
        talk.received.clear();
        let requests = fresh.take(trips);
        sched_setaffinity(SELF, &cores)?;
        let result = contender.converse(requests, &mut talk);
        sched_setaffinity(SELF, &afterwards)?;
        result?;
        check(&talk.received, requests)?;
        Ok([50, 99]
            .map(|percent| percentile(&mut talk.times, percent))
            .to_vec())
    })
}

struct Timing<P> {
    start: Instant,
    times: Vec<f64>,
    received: Vec<P>,
}

impl<P: Packet> Talk<P> for Timing<P> {
    fn sending(&mut self) {
        self.start = Instant::now();
    }

    fn received(&mut self, packet: P) -> Result {
        self.times.push(stopwatch::since(self.start));
        self.received.push(packet);
        Ok(())
    }
}
