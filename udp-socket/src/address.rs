//! Where a client connects to.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
};

use thiserror::Error;

/// Which of the resolved addresses may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressFamily {
    /// Any of them.
    #[default]
    Any,
    /// Only IPv4 addresses.
    V4,
    /// Only IPv6 addresses.
    V6,
}

impl AddressFamily {
    pub(crate) const fn admits(self, address: SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// The address of a peer, by name or number, owned, so that it can be resolved later or again.
///
/// Made by `From` from a [`SocketAddr`], `(IpAddr, u16)`, `(&str, u16)`, `(String, u16)`, `&str`
/// and `String` (both `"host:port"`), or `Vec<SocketAddr>`.
///
/// # Examples
///
/// ```
/// use datagram_udp_socket::RemoteAddress;
///
/// let by_name = RemoteAddress::from("localhost:5000");
/// let by_number = RemoteAddress::from(("::1", 5000));
///
/// assert_eq!(by_number.resolve()?, ["[::1]:5000".parse()?]);
/// assert_eq!(by_name.to_string(), "localhost:5000");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteAddress(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Resolved(Vec<SocketAddr>),
    HostAndPort(String, u16),
    Text(String),
}

impl RemoteAddress {
    /// Resolves the address now, through the system's resolver, which may block for seconds.
    ///
    /// # Errors
    ///
    /// An [`io::Error`] around a [`ResolveError`] if there is no such name, it has no address, or
    /// the text is no `host:port`.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.0 {
            Form::Resolved(addresses) => Ok(addresses.clone()),
            Form::HostAndPort(host, port) => {
                self.resolved_to((host.as_str(), *port).to_socket_addrs())
            }
            Form::Text(text) => self.resolved_to(text.to_socket_addrs()),
        }
    }

    /// Returns the addresses if no resolver is needed to tell them.
    #[must_use]
    pub fn as_resolved(&self) -> Option<&[SocketAddr]> {
        match &self.0 {
            Form::Resolved(addresses) => Some(addresses),
            Form::HostAndPort(..) | Form::Text(_) => None,
        }
    }

    /// Takes what another resolver has found for this address, for a driver that has its own.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve), around the resolver's error.
    pub fn resolved_to(
        &self,
        addresses: io::Result<impl Iterator<Item = SocketAddr>>,
    ) -> io::Result<Vec<SocketAddr>> {
        let found = match addresses {
            Ok(addresses) => addresses.collect::<Vec<_>>(),
            Err(error) => {
                return Err(io::Error::new(
                    error.kind(),
                    ResolveError {
                        address: self.clone(),
                        source: Some(error),
                    },
                ));
            }
        };
        if found.is_empty() {
            let error = ResolveError {
                address: self.clone(),
                source: None,
            };
            return Err(io::Error::new(io::ErrorKind::NotFound, error));
        }
        Ok(found)
    }
}

impl fmt::Display for RemoteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Resolved(addresses) => {
                for (index, address) in addresses.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{address}")?;
                }
                Ok(())
            }
            Form::HostAndPort(host, port) => write!(f, "{host}:{port}"),
            Form::Text(text) => f.write_str(text),
        }
    }
}

impl From<SocketAddr> for RemoteAddress {
    fn from(address: SocketAddr) -> Self {
        Self(Form::Resolved(vec![address]))
    }
}

impl From<Vec<SocketAddr>> for RemoteAddress {
    fn from(addresses: Vec<SocketAddr>) -> Self {
        Self(Form::Resolved(addresses))
    }
}

impl From<(IpAddr, u16)> for RemoteAddress {
    fn from(address: (IpAddr, u16)) -> Self {
        SocketAddr::from(address).into()
    }
}

impl From<(String, u16)> for RemoteAddress {
    fn from((host, port): (String, u16)) -> Self {
        let literal = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        match literal.unwrap_or(&host).parse::<IpAddr>() {
            Ok(ip) => (ip, port).into(),
            Err(_) => Self(Form::HostAndPort(host, port)),
        }
    }
}

impl From<(&str, u16)> for RemoteAddress {
    fn from((host, port): (&str, u16)) -> Self {
        (host.to_owned(), port).into()
    }
}

impl From<String> for RemoteAddress {
    fn from(text: String) -> Self {
        match text.parse::<SocketAddr>() {
            Ok(address) => address.into(),
            Err(_) => Self(Form::Text(text)),
        }
    }
}

impl From<&str> for RemoteAddress {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// A name has no address, found inside the [`io::Error`] of connecting.
#[derive(Debug, Error)]
#[error("cannot resolve {address}")]
pub struct ResolveError {
    address: RemoteAddress,
    source: Option<io::Error>,
}

impl ResolveError {
    /// Returns what could not be resolved.
    #[must_use]
    pub const fn address(&self) -> &RemoteAddress {
        &self.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_need_no_resolver() {
        for address in [
            RemoteAddress::from("127.0.0.1:7"),
            RemoteAddress::from(("127.0.0.1", 7)),
            RemoteAddress::from(("127.0.0.1".to_owned(), 7)),
            RemoteAddress::from(SocketAddr::from(([127, 0, 0, 1], 7))),
        ] {
            assert_eq!(
                address.as_resolved(),
                Some(&[SocketAddr::from(([127, 0, 0, 1], 7))][..])
            );
        }
        let bracketed = RemoteAddress::from(("[::1]", 7));
        assert_eq!(bracketed, RemoteAddress::from("[::1]:7"));
    }

    #[test]
    fn unresolvable_text_is_named_in_the_error() {
        let error = RemoteAddress::from("no port here").resolve().unwrap_err();

        assert!(error.to_string().contains("no port here"), "{error}");
        assert!(error.get_ref().unwrap().is::<ResolveError>());
    }
}
