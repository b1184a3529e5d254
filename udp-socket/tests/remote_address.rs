//! [`RemoteAddress`]: what it is made from, what it resolves to, and what it says when it does not.

use std::{
    error::Error,
    io,
    net::{IpAddr, SocketAddr},
};

use datagram_udp_socket::{RemoteAddress, ResolveError};

const V4: ([u8; 4], u16) = ([127, 0, 0, 1], 5000);

#[test]
fn every_form_of_one_address_is_the_same() {
    let address = SocketAddr::from(V4);
    let ip = address.ip();

    for form in [
        RemoteAddress::from((ip, 5000)),
        ("127.0.0.1", 5000).into(),
        ("127.0.0.1".to_owned(), 5000).into(),
        "127.0.0.1:5000".into(),
        "127.0.0.1:5000".to_owned().into(),
        vec![address].into(),
    ] {
        assert_eq!(form, RemoteAddress::from(address));
        assert_eq!(form.as_resolved(), Some(&[address][..]));
        assert_eq!(form.resolve().unwrap(), [address]);
        assert_eq!(form.to_string(), "127.0.0.1:5000");
    }
}

#[test]
fn ipv6_is_taken_with_and_without_brackets() {
    let address = SocketAddr::from((IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1_u16]), 5000));

    for form in [
        RemoteAddress::from(("::1", 5000)),
        ("[::1]", 5000).into(),
        "[::1]:5000".into(),
    ] {
        assert_eq!(form.resolve().unwrap(), [address]);
    }
}

#[test]
fn several_addresses_keep_their_order() {
    let addresses = vec![SocketAddr::from(V4), "[::1]:1".parse().unwrap()];

    let address = RemoteAddress::from(addresses.clone());

    assert_eq!(address.resolve().unwrap(), addresses);
    assert_eq!(address.to_string(), "127.0.0.1:5000, [::1]:1");
}

#[test]
fn name_is_resolved_when_asked_and_again() {
    let address = RemoteAddress::from(("localhost", 5000));

    assert_eq!(address.as_resolved(), None);
    let first = address.resolve().unwrap();
    assert!(first.iter().all(|address| address.ip().is_loopback()));
    assert!(first.iter().all(|address| address.port() == 5000));
    assert_eq!(address.resolve().unwrap(), first);
    assert_eq!(address.to_string(), "localhost:5000");
}

#[test]
fn unresolvable_name_is_kept_in_the_error() {
    // A label has at most 63 bytes (RFC 1035), so that no name server is asked.
    let host = "x".repeat(64);
    for address in [
        RemoteAddress::from((&*host, 5000)),
        format!("{host}:5000").into(),
    ] {
        let error = address.resolve().unwrap_err();

        assert_eq!(error.to_string(), format!("cannot resolve {host}:5000"));
        let error = error.downcast::<ResolveError>().unwrap();
        assert_eq!(error.address(), &address);
        assert!(error.source().is_some());
    }
}

#[test]
fn text_that_is_no_host_and_port_is_invalid_input() {
    for text in ["", "localhost", "localhost:", "localhost:65536"] {
        let error = RemoteAddress::from(text).resolve().unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{text:?}");
        assert!(error.to_string().contains(text), "{error}");
    }
}
