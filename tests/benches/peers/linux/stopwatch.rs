//! Timing, less what reading the clock takes.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

/// What an empty measurement shows. It is a fiftieth of the fastest burst.
static OVERHEAD: LazyLock<Duration> = LazyLock::new(|| {
    let mut times: Vec<_> = (0..1001).map(|_| Instant::now().elapsed()).collect();
    times.sort_unstable();
    times[times.len() / 2]
});

/// Returns how long `work` takes, in nanoseconds.
pub(crate) fn time<E>(work: impl FnOnce() -> Result<(), E>) -> Result<f64, E> {
    let start = Instant::now();
    work()?;
    Ok(since(start))
}

/// Returns how long ago `start` was, in nanoseconds.
pub(crate) fn since(start: Instant) -> f64 {
    let elapsed = start.elapsed();
    elapsed.saturating_sub(*OVERHEAD).as_nanos() as f64
}
