//! Streams: one end sends bursts as fast as it can, the other receives on another thread and compares
//! each packet with what was sent. Timed is all of it, from the first send to the last packet checked.
//!
//! So that nothing is lost, the sender is never more than a window ahead: the receiver counts in
//! memory that both share what has arrived.

use std::{
    hint,
    sync::{
        Barrier,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Acquire, Release},
        },
    },
    thread::{self, ScopedJoinHandle},
    time::Instant,
};

use super::{BURST, Measure, median};
use crate::linux::{Failure, Result, contender::Contender, far::Far, packet::Packet, stopwatch};

/// Different packets. They repeat, but losing or doubling one shifts all that follow.
const RING: usize = 64 * BURST;

/// How often to look whether the other thread got on before letting it have this core.
const SPINS: usize = 200;

/// How long a stream shall be, in nanoseconds. Long beside starting a thread, and short beside what
/// the scheduler does to two busy threads where others want their cores.
const LENGTH: f64 = 3e6;

/// Bursts in the first stream. Later ones are as long as it takes.
const FIRST: usize = 16;

pub(super) fn out<P: Packet>(
    mut contender: Box<dyn Contender<P>>,
    mut far: Far<P>,
    room: usize,
    streams: usize,
) -> Measure {
    measure(room, streams, move |flow| {
        let nanoseconds = thread::scope(|scope| {
            let receiver = scope.spawn(|| {
                flow.start();
                flow.receive(|_, received| {
                    received.extend_from_slice(far.recv()?);
                    Ok(())
                })
            });
            let start = flow.start();
            let sent = flow.send(|burst| contender.send_burst(burst));
            join(receiver)?;
            sent?;
            Ok::<_, Failure>(stopwatch::since(start))
        })?;
        far.expect_nothing()?;
        Ok(nanoseconds)
    })
}

pub(super) fn into<P: Packet>(
    mut contender: Box<dyn Contender<P>>,
    mut far: Far<P>,
    room: usize,
    streams: usize,
) -> Measure {
    measure(room, streams, move |flow| {
        thread::scope(|scope| {
            let sender = scope.spawn(|| {
                flow.start();
                flow.send(|burst| far.send_offloaded(burst))
            });
            let start = flow.start();
            flow.receive(|count, received| contender.recv_burst(count, received))?;
            let nanoseconds = stopwatch::since(start);
            join(sender)?;
            Ok(nanoseconds)
        })
    })
}

fn join(thread: ScopedJoinHandle<'_, Result>) -> Result {
    thread.join().map_err(|_| "the other thread panicked")?
}

/// `room` is how many packets may be on their way.
fn measure<P: Packet>(
    room: usize,
    streams: usize,
    mut run: impl FnMut(&Flow<P>) -> Result<f64> + 'static,
) -> Measure {
    let mut flow = Flow {
        ring: (0..RING as u64).map(P::number).collect(),
        window: (room / BURST).max(1) * BURST,
        packets: FIRST * BURST,
        arrived: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
        ready: Barrier::new(2),
    };
    Box::new(move || {
        let mut times = Vec::with_capacity(streams);
        for _ in 0..streams {
            flow.arrived = AtomicUsize::new(0);
            times.push(run(&flow)? / flow.packets as f64);
        }
        let nanoseconds = median(&mut times);
        let bursts = LENGTH / nanoseconds / BURST as f64;
        flow.packets = (bursts.ceil() as usize).max(1) * BURST;
        Ok(vec![nanoseconds])
    })
}

/// What both ends of a stream share.
struct Flow<P> {
    ring: Vec<P>,
    window: usize,
    packets: usize,
    arrived: AtomicUsize,
    is_over: AtomicBool,
    ready: Barrier,
}

impl<P: Packet> Flow<P> {
    fn start(&self) -> Instant {
        self.ready.wait();
        Instant::now()
    }

    fn send(&self, mut send: impl FnMut(&[P]) -> Result) -> Result {
        for first in (0..self.packets).step_by(BURST) {
            let mut spins = 0;
            while first + BURST > self.arrived.load(Acquire) + self.window {
                if self.is_over.load(Acquire) {
                    return Err("the receiver has given up".into());
                }
                spins += 1;
                if spins % SPINS == 0 {
                    thread::yield_now();
                }
                hint::spin_loop();
            }
            send(&self.ring[first % RING..][..BURST])?;
        }
        Ok(())
    }

    fn receive(&self, recv: impl FnMut(usize, &mut Vec<P>) -> Result) -> Result {
        let result = self.receive_all(recv);
        self.is_over.store(result.is_err(), Release);
        result
    }

    fn receive_all(&self, mut recv: impl FnMut(usize, &mut Vec<P>) -> Result) -> Result {
        let mut received = Vec::with_capacity(self.window);
        let mut count = 0;
        while count < self.packets {
            received.clear();
            recv(BURST.min(self.packets - count), &mut received)?;
            for packet in &received {
                if *packet != self.ring[count % RING] {
                    return Err(format!("packet {count} arrived as {packet:?}").into());
                }
                count += 1;
            }
            self.arrived.store(count, Release);
        }
        if count > self.packets {
            return Err("more packets arrived than were sent".into());
        }
        Ok(())
    }
}
