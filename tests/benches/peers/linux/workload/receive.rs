//! Receiving. A burst lies in the socket already; timed are the contender's calls until it has the
//! last packet, which goes into a list with room for it.

use super::{BURST, Measure, median};
use crate::linux::{
    Result,
    contender::Contender,
    far::Far,
    packet::{Fresh, Packet, check},
    stopwatch,
};

pub(super) fn sent_plainly<P: Packet>(
    contender: Box<dyn Contender<P>>,
    far: Far<P>,
    bursts: usize,
) -> Measure {
    measure(contender, far, bursts, |far, packets| {
        far.send_plainly(packets)
    })
}

pub(super) fn sent_offloaded<P: Packet>(
    contender: Box<dyn Contender<P>>,
    far: Far<P>,
    bursts: usize,
) -> Measure {
    measure(contender, far, bursts, |far, packets| {
        far.send_offloaded(packets)
    })
}

fn measure<P: Packet>(
    mut contender: Box<dyn Contender<P>>,
    mut far: Far<P>,
    bursts: usize,
    send: impl Fn(&mut Far<P>, &[P]) -> Result + 'static,
) -> Measure {
    let mut fresh = Fresh::new();
    let mut received = Vec::with_capacity(BURST);
    Box::new(move || {
        let mut times = Vec::with_capacity(bursts);
        for _ in 0..bursts {
            let packets = fresh.take(BURST);
            send(&mut far, packets)?;
            received.clear();
            times.push(stopwatch::time(|| {
                contender.recv_burst(BURST, &mut received)
            })?);
            check(&received, packets)?;
        }
        Ok(vec![median(&mut times) / BURST as f64])
    })
}
