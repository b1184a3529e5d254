//! Base64 around raw bytes: both alphabets, plain, with a checksum, and signed.
#![cfg_attr(fuzzing, no_main)]

datagram_fuzz::fuzz_target!(base64);
