//! What loopback cannot show, over each driver and each address family, on a wire between network
//! namespaces.
//!
//! It takes root and iproute2, so the tests are ignored. `.ci/run` runs them; by hand:
//! `cargo test -p datagram-tests --test network -- --ignored`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "the cases are tests, if called by them")]

use std::time::Duration;

use datagram_tests::{Link, MioDriver, TokioDriver};

mod blocked;
mod fragments;
mod losses;
mod names;
mod routed;

/// How long one case may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Whether runs leave in one piece, if they may.
const HAS_OFFLOAD: bool = cfg!(not(datagram_portable));

macro_rules! network_suite {
    ($($module:ident: [$($case:ident),+ $(,)?])+) => {
        network_suite! { @over mio_v4, MioDriver, Link::FAR_V4, $($module: [$($case),+])+ }
        network_suite! { @over mio_v6, MioDriver, Link::FAR_V6, $($module: [$($case),+])+ }
        network_suite! { @over tokio_v4, TokioDriver, Link::FAR_V4, $($module: [$($case),+])+ }
        network_suite! { @over tokio_v6, TokioDriver, Link::FAR_V6, $($module: [$($case),+])+ }
    };
    (@over $name:ident, $driver:ty, $far:expr, $($module:ident: [$($case:ident),+])+) => {
        mod $name {
            use super::*;

            $(mod $module {
                $(
                    #[test]
                    #[ignore = "needs root and iproute2"]
                    fn $case() {
                        crate::$module::$case::<$driver>($far);
                    }
                )+
                use super::*;
            })+
        }
    };
}

network_suite! {
    fragments: [
        datagrams_longer_than_the_mtu_arrive_in_fragments,
        longest_unfragmented_datagrams_leave_together,
        narrower_wire_is_noticed,
        forbidden_fragments_are_an_error_for_each_datagram,
    ]
    losses: [
        client_works_on_once_the_wire_is_mended,
        client_works_on_after_losses,
        client_works_on_once_its_address_is_back,
        rebinding_moves_to_the_new_address,
    ]
    blocked: [
        packets_that_had_to_wait_arrive_once_and_in_order,
        runs_that_had_to_wait_arrive_once_and_in_order,
        timed_out_packets_never_arrive,
        close_ends_every_blocked_send,
        rebinding_ends_the_wait_for_the_old_socket,
        refusals_do_not_disturb_blocked_senders,
        blocked_sender_sleeps_also_after_a_refusal,
        full_queue_is_told_to_who_asked_for_details,
    ]
    names: [
        client_follows_its_name_to_another_address,
    ]
    routed: [
        router_tells_of_a_narrow_path,
        notice_of_a_narrow_path_is_not_lost_to_a_run,
        router_tells_of_a_missing_network,
        router_tells_of_a_missing_host,
    ]
}
