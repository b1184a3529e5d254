//! The memory of a type.
#![cfg_attr(fuzzing, no_main)]

datagram_fuzz::fuzz_target!(layout);
