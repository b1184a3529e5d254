//! zlib around raw bytes.
#![cfg_attr(fuzzing, no_main)]

datagram_fuzz::fuzz_target!(zlib);
