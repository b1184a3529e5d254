//! Which seeds a test runs with.

use std::{
    env,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use fastrand::Rng;

/// Runs `body` with the seeds from 0 to `count`, and says which one failed.
///
/// The environment variable `DATAGRAM_SEED` chooses others: one, or a range such as `5000..90000`.
#[track_caller]
pub fn for_each_seed(count: u64, body: impl Fn(Rng)) {
    let seeds = env::var("DATAGRAM_SEED").map_or(0..count, |text| {
        parse(&text).unwrap_or_else(|| panic!("DATAGRAM_SEED={text} is no number and no range"))
    });
    for seed in seeds {
        let run = catch_unwind(AssertUnwindSafe(|| body(Rng::with_seed(seed))));
        if let Err(panic) = run {
            eprintln!("this was seed {seed}; DATAGRAM_SEED={seed} repeats it");
            resume_unwind(panic);
        }
    }
}

fn parse(text: &str) -> Option<Range<u64>> {
    let (start, end) = match text.split_once("..") {
        Some((start, end)) => (start.parse().ok()?, end.parse().ok()?),
        None => {
            let seed: u64 = text.parse().ok()?;
            (seed, seed.checked_add(1)?)
        }
    };
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_one_or_a_range() {
        assert_eq!(parse("7"), Some(7..8));
        assert_eq!(parse("7..9"), Some(7..9));
        assert_eq!(parse("seven"), None);
    }
}
