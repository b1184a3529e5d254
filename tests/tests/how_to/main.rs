//! The how-to of the design document, line by line, and what every driver must survive, over each
//! driver and each address family. One case is one function here and one test per line of
//! `how_to_suite!` below.
//!
//! A case takes its driver as a type and the loopback address as a value. It runs on a thread of its
//! own, so that one which hangs is a failure and not a silent machine.
#![allow(clippy::unwrap_used, reason = "the cases are tests, if called by them")]

use std::{net::IpAddr, time::Duration};

use datagram_tests::{
    CurrentThreadTokioDriver, LOCALHOST_V4, LOCALHOST_V6, MioDriver, TokioDriver, has_loopback,
    in_background,
};

mod adopting;
mod closing;
mod connecting;
#[cfg(unix)]
mod dead_socket;
mod iterating;
mod locking;
mod offload;
mod rebinding;
mod receiving;
mod sending;
mod socket_options;
#[cfg(target_os = "linux")]
mod unreachable;

/// How long one case may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs a case, unless the machine has no such address.
fn run(ip: IpAddr, case: fn(IpAddr)) {
    if has_loopback(ip) {
        in_background(move || case(ip)).join_within(LIMIT);
    } else {
        eprintln!("SKIPPED: this machine has no {ip}");
    }
}

macro_rules! cases {
    ($driver:ty, $ip:expr, $($module:ident: [$($(#[$attribute:meta])* $case:ident),+ $(,)?])+) => {
        $(mod $module {
            $(
                $(#[$attribute])*
                #[test]
                fn $case() {
                    crate::run($ip, crate::$module::$case::<$driver>);
                }
            )+
            use super::*;
        })+
    };
}
macro_rules! how_to_suite {
    ($name:ident, $driver:ty, $ip:expr) => {
        mod $name {
            use super::*;

            cases! { $driver, $ip,
                connecting: [
                    connects_by_every_kind_of_address,
                    connects_by_name,
                    every_failed_address_is_named_with_its_cause,
                    local_address_and_port_are_used,
                    local_port_in_use_is_an_error,
                    remote_address_decides_the_family,
                    ipv4_mapped_address_is_ipv4,
                    unresolvable_host_is_named,
                    #[cfg(target_os = "linux")] unspecified_address_is_this_host,
                    unusable_first_address_is_passed_over,
                    addresses_are_those_of_the_socket,
                ]
                adopting: [
                    connected_socket_is_adopted,
                    unconnected_socket_is_refused_and_closed,
                    tcp_socket_is_refused_and_closed,
                    #[cfg(unix)] unix_socket_is_refused_and_closed,
                    datagrams_of_strangers_before_adoption_are_ignored,
                    strangers_before_adoption_do_not_hide_the_peer,
                ]
                sending: [
                    packet_is_sent_and_answer_received,
                    every_packet_of_many_is_sent_in_order,
                    burst_arrives_once_and_in_order,
                    sending_no_packets_sends_nothing,
                    empty_packets_are_sent,
                    longest_datagram_is_sent,
                    overlong_packet_is_too_large,
                    configured_limit_is_kept,
                    unserializable_packet_harms_no_other,
                    unserializable_packet_among_many_stops_there,
                    overlong_packet_among_many_stops_there,
                    panicking_serializer_harms_no_other_packet,
                    #[cfg(target_os = "linux")] lack_of_buffers_is_an_error_after_three_tries,
                    #[cfg(target_os = "linux")] lack_of_buffers_is_tried_three_times_for_each_packet,
                ]
                receiving: [
                    receive_times_out_and_succeeds_later,
                    timeout_of_zero_takes_what_is_there,
                    longest_timeout_is_no_overflow,
                    empty_datagram_is_a_packet,
                    longest_datagram_is_received,
                    invalid_datagram_is_an_error_with_its_bytes,
                    panicking_parser_harms_no_other_packet,
                    other_senders_are_ignored,
                    several_receivers_get_each_packet_once,
                    receiver_that_leaves_packets_wakes_the_next,
                    receiver_that_never_waits_wakes_who_does,
                    valid_packets_get_through_a_flood_of_garbage,
                    #[cfg(all(target_os = "linux", not(datagram_portable)))]
                    what_the_system_drops_is_counted,
                ]
                iterating: [
                    zero_timeout_yields_what_is_there,
                    timeout_is_for_the_whole_iteration,
                    time_between_calls_is_not_counted,
                    iteration_without_timeout_goes_on_until_close,
                    iteration_goes_on_after_a_parse_error,
                    iteration_does_not_take_empty_datagrams_for_the_end,
                    iteration_that_has_ended_stays_so,
                ]
                closing: [
                    close_is_idempotent,
                    closed_client_refuses_every_operation,
                    closing_a_clone_closes_the_client,
                    dropping_the_last_clone_closes_the_socket,
                    close_ends_a_receive_at_once,
                    close_ends_every_receive,
                    close_storm_leaves_nobody_asleep,
                    closing_at_once_from_many_threads_closes,
                    descriptor_goes_whatever_else_is_called_meanwhile,
                    what_was_sent_before_close_arrives,
                ]
                locking: [
                    stopped_parser_blocks_no_send_and_no_options,
                    stopped_parser_does_not_block_close,
                    stopped_serializer_blocks_no_receive,
                    socket_options_wait_for_a_write,
                    slow_iterator_blocks_no_other_sender,
                    senders_and_receivers_do_not_mix_packets_up,
                ]
                socket_options: [
                    options_are_set_and_read_back,
                    buffer_sizes_are_at_least_what_was_asked_for,
                    port_can_be_shared,
                    addresses_are_those_of_the_client,
                    #[cfg(unix)] descriptor_is_lent,
                    every_option_of_a_closed_client_is_an_error,
                ]
                rebinding: [
                    waiting_receivers_go_on_at_the_new_socket,
                    what_arrived_before_rebinding_is_received,
                    local_port_that_was_asked_for_is_kept,
                    address_that_still_has_the_peer_is_left_alone,
                    #[cfg(target_os = "linux")] unspecified_address_that_is_the_peers_is_left_alone,
                    closed_client_is_not_moved,
                    storm_of_rebinding_leaves_a_working_client,
                    closing_while_rebinding_frees_every_port,
                ]
                offload: [
                    same_datagrams_arrive_with_and_without_offload,
                    runs_longer_than_any_limit_arrive,
                    small_packets_and_large_ones_take_turns,
                ]
            }
            #[cfg(target_os = "linux")]
            cases! { $driver, $ip,
                unreachable: [
                    first_send_to_a_closed_port_is_refused,
                    later_send_to_a_closed_port_is_refused,
                    refusal_is_counted_as_sent,
                    no_packet_is_lost_untold_while_the_peer_comes_and_goes,
                    client_works_on_once_the_peer_is_back,
                    refusal_is_reported_by_one_of_sender_and_receiver,
                    pending_refusal_costs_no_innocent_datagram,
                    pending_refusal_is_one_failed_receive,
                    pending_refusal_does_not_end_an_iteration,
                ]
            }
            #[cfg(unix)]
            cases! { $driver, $ip,
                dead_socket: [
                    operations_on_a_dead_descriptor_are_fatal,
                    fatal_error_is_the_last_item,
                    send_after_shutdown_is_fatal,
                    rebinding_revives_a_dead_client,
                ]
            }
        }
    };
}

how_to_suite!(mio_v4, MioDriver, LOCALHOST_V4);
how_to_suite!(mio_v6, MioDriver, LOCALHOST_V6);
how_to_suite!(tokio_v4, TokioDriver, LOCALHOST_V4);
how_to_suite!(tokio_v6, TokioDriver, LOCALHOST_V6);
how_to_suite!(tokio_current_thread, CurrentThreadTokioDriver, LOCALHOST_V4);
