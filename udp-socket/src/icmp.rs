//! What an ICMP message said, where the socket was asked to keep it (`IP_RECVERR`, ip(7)).

use std::{error::Error, io, net::IpAddr};

use bytes::Bytes;
use thiserror::Error as ThisError;

/// The details of an error of the network: what is wrong, who said so, and about which datagram.
///
/// With [`ConnectOptions::icmp_details`](crate::ConnectOptions::icmp_details), it is found in a
/// [`SendError`](crate::SendError::icmp) or [`RecvError`](crate::RecvError::icmp), and inside their
/// [`io::Error`]s, of which it keeps the original.
#[derive(Debug, ThisError)]
#[error("{kind}{}", ReportedBy(*reported_by))]
#[non_exhaustive]
pub struct IcmpError {
    /// What is wrong.
    pub kind: IcmpKind,
    /// Who says so: the peer, or a router on the way to it. `None` if it is this host.
    pub reported_by: Option<IpAddr>,
    /// The datagram that this is about, or as much of its start as came back.
    pub datagram: Bytes,
    /// What the system makes of it.
    pub source: io::Error,
}

/// What is wrong on the way to the peer, from the types and codes of ICMP (RFC 792, RFC 1122, RFC
/// 1812) and ICMPv6 (RFC 4443).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum IcmpKind {
    /// The host is there, and nobody listens on the port.
    #[error("port unreachable")]
    PortUnreachable,
    /// The last router cannot reach the host, or does not know it.
    #[error("host unreachable")]
    HostUnreachable,
    /// There is no route to the network.
    #[error("network unreachable")]
    NetworkUnreachable,
    /// The host does not speak UDP.
    #[error("protocol unreachable")]
    ProtocolUnreachable,
    /// A firewall or policy forbids it.
    #[error("prohibited")]
    Prohibited,
    /// The packet does not fit and must not be fragmented.
    #[error("packet too big for a path MTU of {mtu}")]
    PacketTooBig {
        /// The largest packet that fits, in bytes, headers of IP and UDP included.
        mtu: u32,
    },
    /// It was on the way for too long: too many hops, or a fragment is missing.
    #[error("time exceeded")]
    TimeExceeded,
    /// Anything else.
    #[error("ICMP type {icmp_type}, code {code}")]
    #[non_exhaustive]
    Other {
        /// The type.
        icmp_type: u8,
        /// The code.
        code: u8,
    },
}

impl IcmpKind {
    /// By type and code; `info` is the MTU, if the message has one.
    #[cfg_attr(
        all(any(not(target_os = "linux"), datagram_portable), not(test)),
        expect(dead_code, reason = "no other system tells")
    )]
    pub(crate) const fn of_v4(icmp_type: u8, code: u8, info: u32) -> Self {
        match (icmp_type, code) {
            (3, 0 | 6 | 11) => Self::NetworkUnreachable,
            (3, 1 | 7 | 12) => Self::HostUnreachable,
            (3, 2) => Self::ProtocolUnreachable,
            (3, 3) => Self::PortUnreachable,
            (3, 4) => Self::PacketTooBig { mtu: info },
            (3, 9 | 10 | 13) => Self::Prohibited,
            (11, _) => Self::TimeExceeded,
            _ => Self::Other { icmp_type, code },
        }
    }

    /// By type and code; `info` is the MTU, if the message has one.
    #[cfg_attr(
        all(any(not(target_os = "linux"), datagram_portable), not(test)),
        expect(dead_code, reason = "no other system tells")
    )]
    pub(crate) const fn of_v6(icmp_type: u8, code: u8, info: u32) -> Self {
        match (icmp_type, code) {
            (1, 0) => Self::NetworkUnreachable,
            (1, 1 | 5 | 6) => Self::Prohibited,
            (1, 3) => Self::HostUnreachable,
            (1, 4) => Self::PortUnreachable,
            (2, _) => Self::PacketTooBig { mtu: info },
            (3, _) => Self::TimeExceeded,
            _ => Self::Other { icmp_type, code },
        }
    }
}

impl IcmpError {
    /// Finds the details in what the system reported.
    pub(crate) fn within(error: &io::Error) -> Option<&Self> {
        let inner: &(dyn Error + 'static) = error.get_ref()?;
        inner.downcast_ref()
    }
}

struct ReportedBy(Option<IpAddr>);

impl std::fmt::Display for ReportedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0
            .map_or(Ok(()), |address| write!(f, ", reported by {address}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_tells_something_has_a_kind_of_its_own() {
        use IcmpKind::*;

        let v4 = |icmp_type, code| IcmpKind::of_v4(icmp_type, code, 1400);
        let v6 = |icmp_type, code| IcmpKind::of_v6(icmp_type, code, 1280);

        for (kind, expected) in [
            (v4(3, 0), NetworkUnreachable),
            (v4(3, 1), HostUnreachable),
            (v4(3, 2), ProtocolUnreachable),
            (v4(3, 3), PortUnreachable),
            (v4(3, 4), PacketTooBig { mtu: 1400 }),
            (v4(3, 13), Prohibited),
            (v4(11, 0), TimeExceeded),
            (
                v4(12, 1),
                Other {
                    icmp_type: 12,
                    code: 1,
                },
            ),
            (v6(1, 0), NetworkUnreachable),
            (v6(1, 1), Prohibited),
            (v6(1, 3), HostUnreachable),
            (v6(1, 4), PortUnreachable),
            (v6(2, 0), PacketTooBig { mtu: 1280 }),
            (v6(3, 0), TimeExceeded),
            (
                v6(4, 2),
                Other {
                    icmp_type: 4,
                    code: 2,
                },
            ),
        ] {
            assert_eq!(kind, expected);
        }
    }

    #[test]
    fn details_keep_what_the_system_made_of_them() {
        let details = IcmpError {
            kind: IcmpKind::PortUnreachable,
            reported_by: Some([192, 0, 2, 1].into()),
            datagram: Bytes::from_static(b"lost"),
            source: io::ErrorKind::ConnectionRefused.into(),
        };
        let text = details.to_string();

        let error = io::Error::new(details.source.kind(), details);

        assert_eq!(text, "port unreachable, reported by 192.0.2.1");
        assert_eq!(IcmpError::within(&error).unwrap().datagram, "lost");
    }
}
