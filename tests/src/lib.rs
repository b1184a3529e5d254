//! What the tests that cross crates share: [`Driver`], which puts one suite over every driver;
//! [`Peer`], the other end of the wire; `Link`, a wire of one's own;
//! [`Task`], a thread that is never waited for in vain;
//! [protocols](protocol) that misbehave; and a [network](simulation) that does.
//!
//! Helpers panic where something of their own fails, since that is the end of a test anyway. Read
//! next: `tests/how_to/main.rs`, the suite.
#![allow(
    clippy::missing_errors_doc,
    reason = "the traits mirror the drivers, whose methods say it"
)]

#[cfg(doctest)]
mod docs;
mod driver;
#[cfg(unix)]
mod fault;
mod mio;
#[cfg(target_os = "linux")]
mod namespace;
mod peer;
pub mod protocol;
pub mod simulation;
mod task;
mod tokio;

pub use crate::{
    mio::MioDriver,
    tokio::{BlockingClient, CurrentThreadTokioDriver, HasRuntime, TokioDriver},
};
pub use driver::{Client, Driver, Protocol, connected, pair, wait_until_readable};
#[cfg(unix)]
pub use fault::{refuse_quietly, replace_descriptor, wait_until_ready};
#[cfg(target_os = "linux")]
pub use namespace::{Link, Namespace};
pub use peer::{Echo, LOCALHOST_V4, LOCALHOST_V6, Peer, has_loopback};
pub use task::{DEADLINE, Task, in_background, settle, wait_until};

/// Asserts that a value matches a pattern, and returns what the pattern binds if told so:
/// `let (size, max) = assert_matches!(result, Err(TooLarge { size, max }) => (size, max))`.
#[macro_export]
macro_rules! assert_matches {
    ($value:expr, $pattern:pat $(if $guard:expr)?) => {
        $crate::assert_matches!($value, $pattern $(if $guard)? => ())
    };
    ($value:expr, $pattern:pat $(if $guard:expr)? => $bound:expr) => {
        match $value {
            $pattern $(if $guard)? => $bound,
            other => panic!("{other:?} is no {}", stringify!($pattern $(if $guard)?)),
        }
    };
}
