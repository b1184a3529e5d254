//! Any calls on a client and its halves, against the model of the core's tests.
#![cfg_attr(fuzzing, no_main)]

datagram_fuzz::fuzz_target!(client_state);
