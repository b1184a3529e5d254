//! The memory of this process.

use std::fs;

use crate::linux::Result;

/// Bytes that are resident (proc(5)), exactly: `statm` may lag behind.
pub(super) fn bytes() -> Result<f64> {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup")?;
    let kibibytes = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Rss:")?.strip_suffix("kB"))
        .ok_or("the system does not say what is resident")?;
    Ok(kibibytes.trim().parse::<f64>()? * 1024.0)
}

/// Asks for `count` descriptors, and some more.
pub(super) fn raise_descriptor_limit(count: usize) -> Result {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    let needed = count as u64 + 100;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < needed {
        // Raising the hard limit is for the privileged.
        setrlimit(Resource::RLIMIT_NOFILE, needed.min(hard), hard)
            .and_then(|()| match hard < needed {
                true => setrlimit(Resource::RLIMIT_NOFILE, needed, needed),
                false => Ok(()),
            })
            .map_err(|error| format!("{needed} open files are needed: {error}"))?;
    }
    Ok(())
}
