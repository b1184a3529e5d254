//! Sending. Timed are the contender's calls for a burst, until the last has returned; the other end
//! reads and checks the burst afterwards.

use super::{BURST, Measure, median};
use crate::linux::{
    Result,
    contender::Contender,
    far::Far,
    packet::{Fresh, Packet},
    stopwatch,
};

pub(super) fn bursts<P: Packet>(
    contender: Box<dyn Contender<P>>,
    far: Far<P>,
    bursts: usize,
) -> Measure {
    measure(contender, far, bursts, |contender, packets| {
        contender.send_burst(packets)
    })
}

pub(super) fn one_at_a_time<P: Packet>(
    contender: Box<dyn Contender<P>>,
    far: Far<P>,
    bursts: usize,
) -> Measure {
    measure(contender, far, bursts, |contender, packets| {
        contender.send_each(packets)
    })
}

fn measure<P: Packet>(
    mut contender: Box<dyn Contender<P>>,
    mut far: Far<P>,
    bursts: usize,
    send: impl Fn(&mut dyn Contender<P>, &[P]) -> Result + 'static,
) -> Measure {
    let mut fresh = Fresh::new();
    Box::new(move || {
        let mut times = Vec::with_capacity(bursts);
        for _ in 0..bursts {
            let packets = fresh.take(BURST);
            times.push(stopwatch::time(|| send(&mut *contender, packets))?);
            far.expect(packets)?;
        }
        far.expect_nothing()?;
        Ok(vec![median(&mut times) / BURST as f64])
    })
}
