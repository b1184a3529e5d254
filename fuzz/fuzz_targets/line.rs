//! Lines of text, with all their options.
#![cfg_attr(fuzzing, no_main)]

datagram_fuzz::fuzz_target!(line);
