//! Codecs of tokio-util as protocols.
#![cfg_attr(fuzzing, no_main)]

datagram_fuzz::fuzz_target!(codec_adapter);
