//! A receive buffer with a stride, taken apart into datagrams.
#![cfg_attr(fuzzing, no_main)]

datagram_fuzz::fuzz_target!(receive_split);
