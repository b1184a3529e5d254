//! What the fuzz targets do: a function for each, from bytes to nothing, that panics where a promise
//! of the core is broken.
//!
//! They are functions, so that the tests run the committed corpora through them without a fuzzer.
//! Read next: `README.md`, with the commands, and [`round_trip`], what all protocols have in common.

mod client_state;
mod codec_adapter;
mod packet;
mod protocols;
mod receive_split;
mod round_trip;

/// The model of the core's own tests. It is one, since two would have to be kept alike.
#[path = "../../protocol-core/tests/model"]
#[allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::exhaustive_enums,
    clippy::unwrap_used,
    dead_code,
    reason = "it is the code of tests"
)]
mod model {
    pub mod calls;
    pub mod client;
    pub mod pair;
    pub mod scripted;
}

pub use client_state::client_state;
pub use codec_adapter::codec_adapter;
pub use packet::Packet;
pub use protocols::{
    base64, bzip2, cbor, converted, json, layout, line, msgpack, postcard, raw, zlib,
};
pub use receive_split::receive_split;
pub use round_trip::{exact_round_trip, from_packet, round_trip};

/// What a fuzz target does with its input.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const TARGETS: [(&str, Target); 14] = [
    ("base64", base64),
    ("bzip2", bzip2),
    ("cbor", cbor),
    ("client_state", client_state),
    ("codec_adapter", codec_adapter),
    ("converted", converted),
    ("json", json),
    ("layout", layout),
    ("line", line),
    ("msgpack", msgpack),
    ("postcard", postcard),
    ("raw", raw),
    ("receive_split", receive_split),
    ("zlib", zlib),
];

/// Makes a program of the function with that name; without a fuzzer, an empty one.
#[macro_export]
macro_rules! fuzz_target {
    ($name:ident) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::$name(data));

        #[cfg(not(fuzzing))]
        fn main() {}
    };
}
