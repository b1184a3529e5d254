//! Real peers: EasyNetwork's UDP server, memcached, dnsmasq (DNS) and coturn (STUN), each talked to
//! over each driver.
//!
//! `tests/interop/run` installs the peers and runs this. Without it the tests are left out, and say so.
//! A case takes its driver as a type; another driver is one more line at the end of this file.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "the cases are tests, if called by them")]

use std::{io::Write, time::Duration};

use datagram_tests::{MioDriver, TokioDriver, in_background};

mod dns;
mod easynetwork;
mod memcached;
mod process;
mod stun;

/// How long one case may take, the start of its peer included.
const LIMIT: Duration = Duration::from_secs(60);

fn run(name: &str, case: fn()) {
    if process::is_wanted() {
        in_background(case).join_within(LIMIT);
    } else {
        // Not `eprintln!`, which the test harness would swallow.
        let mut stderr = std::io::stderr().lock();
        writeln!(stderr, "SKIPPED {name}: tests/interop/run runs it").expect("a standard error");
    }
}

macro_rules! interop_suite {
    ($name:ident, $driver:ty) => {
        mod $name {
            use super::*;

            interop_suite! { $driver,
                easynetwork: [
                    json, cbor, msgpack,
                    line, line_utf8, line_crlf_utf8, line_keep_end,
                    structs, structs_le, namedtuple,
                    base64_json, base64_std_json, base64_json_sha256, base64_json_hmac,
                    base64_cbor_hmac, base64_zlib_json_hmac,
                    zlib_json, zlib_msgpack, bz2_json, bz2_cbor,
                    structs_are_maps, keys_must_agree, strangers_are_ignored, replies_take_their_time,
                ]
                memcached: [
                    stores_and_retrieves, long_answers_come_in_numbered_datagrams,
                    bare_header_is_a_packet,
                ]
                dns: [
                    looks_up_records_of_many_types, tells_failures_apart,
                    truncates_without_edns, empty_message_is_answered,
                ]
                stun: [
                    learns_its_own_address, fingerprints_are_answered,
                    unknown_attribute_is_an_error_response,
                ]
            }
        }
    };
    ($driver:ty, $($module:ident: [$($case:ident),+ $(,)?])+) => {
        $(mod $module {
            $(
                #[test]
                fn $case() {
                    let name = concat!(module_path!(), "::", stringify!($case));
                    crate::run(name, crate::$module::$case::<$driver>);
                }
            )+
            use super::*;
        })+
    };
}

interop_suite!(mio, MioDriver);
interop_suite!(tokio, TokioDriver);
