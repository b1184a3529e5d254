//! Two state machines with a bad network between them, without a socket, a thread or a clock.
//!
//! All chance comes from a seed and all time is virtual, so that thousands of runs take seconds and a
//! failing one can be repeated: [`for_each_seed`] prints its seed. Read next: [`Link`], what a
//! network does to datagrams, then [`Simulation`].

mod end;
mod link;
mod seed;
mod world;

pub use end::{Arrived, End};
pub use link::{Conditions, Link, Tally};
pub use seed::for_each_seed;
pub use world::Simulation;
