//! Requests and responses, one at a time. The other end answers on the same thread before the
//! contender receives, so that nobody waits; timed is the receive alone.

use std::time::Instant;

use super::{Measure, median};
use crate::linux::{
    Result,
    contender::{Contender, Talk},
    far::Far,
    packet::{Fresh, Packet, check},
    stopwatch,
};

pub(super) fn measure<P: Packet>(
    mut contender: Box<dyn Contender<P>>,
    far: Far<P>,
    trips: usize,
) -> Measure {
    let mut fresh = Fresh::new();
    let mut talk = Answering {
        far,
        asked: Instant::now(),
        times: Vec::with_capacity(trips),
        received: Vec::with_capacity(trips),
    };
    Box::new(move || {
        talk.times.clear();
        talk.received.clear();
        let requests = fresh.take(trips);
        contender.converse(requests, &mut talk)?;
        check(&talk.received, requests)?;
        Ok(vec![median(&mut talk.times)])
    })
}

struct Answering<P> {
    far: Far<P>,
    asked: Instant,
    times: Vec<f64>,
    received: Vec<P>,
}

impl<P: Packet> Talk<P> for Answering<P> {
    fn sent(&mut self) -> Result {
        self.far.echo()?;
        self.asked = Instant::now();
        Ok(())
    }

    fn received(&mut self, packet: P) -> Result {
        self.times.push(stopwatch::since(self.asked));
        self.received.push(packet);
        Ok(())
    }
}
