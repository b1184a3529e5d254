//! How a client connects.

use std::net::SocketAddr;

use datagram_protocol_core::ClientConfig;

use crate::AddressFamily;

/// How a client connects, built by value:
/// `ConnectOptions::new().local_address(address).offload(false)`.
///
/// For an adopted socket, only [`offload`](Self::offload), [`dont_fragment`](Self::dont_fragment),
/// [`icmp_details`](Self::icmp_details), the buffer sizes and [`client_config`](Self::client_config) apply.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectOptions {
    pub(crate) local_address: Option<SocketAddr>,
    pub(crate) family: AddressFamily,
    pub(crate) reuse_port: bool,
    /// Whether the local address may be shared while connecting.
    pub(crate) reuse_address: bool,
    pub(crate) recv_buffer_size: Option<usize>,
    pub(crate) send_buffer_size: Option<usize>,
    pub(crate) dont_fragment: bool,
    pub(crate) icmp_details: bool,
    pub(crate) offload: bool,
    pub(crate) client_config: ClientConfig,
}

impl ConnectOptions {
    /// The defaults: any address family, a local address of the system's choice, its buffer sizes
    /// and fragmentation, and segmentation offload where it is available.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            local_address: None,
            family: AddressFamily::Any,
            reuse_port: false,
            reuse_address: false,
            recv_buffer_size: None,
            send_buffer_size: None,
            dont_fragment: false,
            icmp_details: false,
            offload: true,
            client_config: ClientConfig::new(),
        }
    }

    /// Binds to `address` before connecting. Its family must be that of the remote address that is
    /// tried, otherwise that address fails. Port 0 is a port of the system's choice.
    #[must_use]
    pub const fn local_address(mut self, address: SocketAddr) -> Self {
        self.local_address = Some(address);
        self
    }

    /// Uses only remote addresses of this family.
    #[must_use]
    pub const fn family(mut self, family: AddressFamily) -> Self {
        self.family = family;
        self
    }

    /// Lets other sockets bind to the same local address (`SO_REUSEPORT`, socket(7)). An error
    /// where the system has no such thing.
    #[must_use]
    pub const fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse_port = reuse;
        self
    }

    /// Asks for a receive buffer of at least this many bytes (`SO_RCVBUF`, socket(7)). A larger one
    /// is left alone. The system has its own upper limit; what it granted can be read through
    /// [`SocketProxy::recv_buffer_size`](crate::SocketProxy::recv_buffer_size).
    #[must_use]
    pub const fn recv_buffer_size(mut self, bytes: usize) -> Self {
        self.recv_buffer_size = Some(bytes);
        self
    }

    /// Asks for a send buffer of at least this many bytes (`SO_SNDBUF`, socket(7)), as
    /// [`recv_buffer_size`](Self::recv_buffer_size) does.
    #[must_use]
    pub const fn send_buffer_size(mut self, bytes: usize) -> Self {
        self.send_buffer_size = Some(bytes);
        self
    }

    /// Forbids fragmentation (`IP_MTU_DISCOVER`, ip(7)): a datagram beyond the path MTU is refused.
    /// Without it, fragmentation stays as the system has it. An error where the system has no such
    /// option.
    #[must_use]
    pub const fn dont_fragment(mut self, forbid: bool) -> Self {
        self.dont_fragment = forbid;
        self
    }

    /// Asks the system to keep what ICMP says (`IP_RECVERR`, ip(7)), so that an error tells what is
    /// wrong and who says so: see [`IcmpError`](crate::IcmpError). An error where the system has no
    /// such option.
    ///
    /// More errors are reported then, also those that may pass by themselves, say a route that is
    /// lost for a moment.
    #[must_use]
    pub const fn icmp_details(mut self, keep: bool) -> Self {
        self.icmp_details = keep;
        self
    }

    /// Sets whether segmentation offload is used (`UDP_SEGMENT` and `UDP_GRO`, udp(7)), which is
    /// the default. What is sent and received is the same either way.
    #[must_use]
    pub const fn offload(mut self, offload: bool) -> Self {
        self.offload = offload;
        self
    }

    /// Sets the limits of the client's queues and datagrams.
    #[must_use]
    pub const fn client_config(mut self, config: ClientConfig) -> Self {
        self.client_config = config;
        self
    }

    /// Returns the limits that [`client_config`](Self::client_config) has set, for a driver.
    #[must_use]
    pub const fn to_client_config(&self) -> ClientConfig {
        self.client_config
    }
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self::new()
    }
}
