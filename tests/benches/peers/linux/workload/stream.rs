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

use super::{BURST, Measure};
use crate::linux::{Failure, Result, contender::Contender, far::Far, packet::Packet, stopwatch};

/// Different packets. They repeat, but losing or doubling one shifts all that follow.
const RING: usize = 64 * BURST;

/// How often to look whether the other thread got on before letting it have this core.
const SPINS: usize = 200;

/// Bursts in the first stream. Later ones are as long as it takes.
const FIRST: usize = 64;

/// How far ahead the sender may be, in packets, and how long a stream shall be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    pub(super) window: usize,
    pub(super) nanoseconds: f64,
}

pub(super) fn out<P: Packet>(
    mut contender: Box<dyn Contender<P>>,
    mut far: Far<P>,
    length: Length,
) -> Measure {
    measure(length, move |flow| {
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
    length: Length,
) -> Measure {
    measure(length, move |flow| {
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

fn measure<P: Packet>(
    length: Length,
    mut run: impl FnMut(&Flow<P>) -> Result<f64> + 'static,
) -> Measure {
    let mut flow = Flow {
        ring: (0..RING as u64).map(P::number).collect(),
        window: length.window,
        packets: FIRST * BURST,
        arrived: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
        ready: Barrier::new(2),
    };
    Box::new(move || {
        flow.arrived = AtomicUsize::new(0);
        let nanoseconds_a_packet = run(&flow)? / flow.packets as f64;
        let bursts = length.nanoseconds / nanoseconds_a_packet / BURST as f64;
        flow.packets = (bursts.ceil() as usize).max(1) * BURST;
        Ok(vec![nanoseconds_a_packet])
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
