//! Ends the run when something is waited for in vain, such as a packet that was lost.

use std::{
    process,
    sync::Mutex,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::Duration,
};

/// No single measurement takes more than a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

static BEATS: AtomicU64 = AtomicU64::new(0);
static DOING: Mutex<String> = Mutex::new(String::new());

/// Tells the watchdog what is being done now.
pub(crate) fn now_doing(what: String) {
    BEATS.fetch_add(1, Relaxed);
    *DOING.lock().expect("nobody panics with it") = what;
}

pub(crate) fn start() {
    thread::spawn(|| {
        loop {
            let before = BEATS.load(Relaxed);
            thread::sleep(PATIENCE);
            if BEATS.load(Relaxed) == before {
                let doing = DOING.lock().expect("nobody panics with it");
                eprintln!("\nfailed: stuck in {doing}; was a packet lost?");
                process::exit(2);
            }
        }
    });
}
