//! A converter in front of lines and of JSON.
#![cfg_attr(fuzzing, no_main)]

datagram_fuzz::fuzz_target!(converted);
