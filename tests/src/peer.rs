//! The other end of the wire.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use socket2::SockRef;

use crate::{DEADLINE, Task, in_background, wait_until};

/// `127.0.0.1`.
pub const LOCALHOST_V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// `::1`.
pub const LOCALHOST_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Bytes that a peer asks for as its receive buffer. What is granted may be less, down to some
/// 416 KiB, which is room for 256 short datagrams that are not yet read.
const RECV_BUFFER: usize = 4 << 20;

/// Tells whether this system has that loopback address at all.
#[must_use]
pub fn has_loopback(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

/// A UDP socket on loopback that does what the test says. Dropping it closes the port.
#[derive(Debug)]
pub struct Peer {
    socket: UdpSocket,
}

impl Peer {
    /// Binds to a free port.
    #[must_use]
    #[track_caller]
    pub fn bind(ip: IpAddr) -> Self {
        Self::around(UdpSocket::bind((ip, 0)).expect("loopback has a free port"))
    }

    /// Binds to a port that was in use, and waits until it no longer is. (Another test may have got
    /// it for a moment.)
    #[must_use]
    #[track_caller]
    pub fn rebind(address: SocketAddr) -> Self {
        let mut socket = None;
        wait_until("the port is free", || {
            socket = UdpSocket::bind(address).ok();
            socket.is_some()
        });
        Self::around(socket.expect("it was just made"))
    }

    fn around(socket: UdpSocket) -> Self {
        socket
            .set_read_timeout(Some(DEADLINE))
            .expect("it is not zero");
        SockRef::from(&socket)
            .set_recv_buffer_size(RECV_BUFFER)
            .expect("any size will do");
        Self { socket }
    }

    /// Returns where it can be reached.
    #[must_use]
    #[track_caller]
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("it is bound")
    }

    /// Closes the port and keeps the number: from now on, whoever sends to it is refused. The socket
    /// takes only what comes from itself, and no other test gets the port meanwhile.
    /// [`connect`](Self::connect) opens it again.
    #[track_caller]
    pub fn shut(&self) {
        self.connect(self.address());
    }

    /// Connects it to a client.
    #[track_caller]
    pub fn connect(&self, client: SocketAddr) {
        self.socket.connect(client).expect("it is on loopback");
    }

    /// Sends a datagram to the client that it is connected to.
    #[track_caller]
    pub fn send(&self, datagram: impl AsRef<[u8]>) {
        self.socket
            .send(datagram.as_ref())
            .expect("the client is there");
    }

    /// Sends a datagram anywhere.
    #[track_caller]
    pub fn send_to(&self, datagram: impl AsRef<[u8]>, to: SocketAddr) {
        self.socket
            .send_to(datagram.as_ref(), to)
            .expect("it is on loopback");
    }

    /// Receives a datagram that is known to come.
    #[must_use]
    #[track_caller]
    pub fn recv(&self) -> Vec<u8> {
        self.recv_from().0
    }

    /// Receives a datagram that is known to come, and tells where from.
    #[must_use]
    #[track_caller]
    pub fn recv_from(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = vec![0; 1 << 16];
        let (len, source) = self
            .socket
            .recv_from(&mut buffer)
            .expect("a datagram is on its way");
        buffer.truncate(len);
        (buffer, source)
    }

    /// Receives a datagram of less than 2 KiB that is known to come, and asserts what it is. Cheaper
    /// than [`recv`](Self::recv).
    #[track_caller]
    pub fn expect(&self, datagram: &[u8]) {
        let mut buffer = [0; 2048];
        let received = self.socket.recv(&mut buffer);
        let len = received.expect("a datagram is on its way");
        assert_eq!(&buffer[..len], datagram);
    }

    /// Asserts that nothing has arrived.
    #[track_caller]
    pub fn assert_nothing_arrived(&self) {
        let nonblocking = |on| self.socket.set_nonblocking(on).expect("it can");
        nonblocking(true);
        let arrived = self.socket.recv_from(&mut [0; 100]);
        nonblocking(false);
        assert!(arrived.is_err(), "{arrived:?} arrived");
    }

    /// Sends everything back to where it came from, on a thread, until the result is dropped.
    #[must_use = "it stops when dropped"]
    #[track_caller]
    pub fn echo(self) -> Echo {
        let address = self.address();
        let stop = Arc::new(AtomicBool::new(false));
        let is_stopped = Arc::clone(&stop);
        let thread = in_background(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok((len, source)) = self.socket.recv_from(&mut buffer) {
                if is_stopped.load(SeqCst) {
                    break;
                }
                // The client may be gone by now.
                let _refused = self.socket.send_to(&buffer[..len], source);
            }
        });
        Echo {
            address,
            stop,
            thread: Some(thread),
        }
    }

    /// Gives the socket away, blocking and without a timeout, as it comes from std.
    #[must_use]
    #[track_caller]
    pub fn into_socket(self) -> UdpSocket {
        self.socket.set_read_timeout(None).expect("it can");
        self.socket
    }
}

/// A peer that sends everything back. Dropping it closes the port.
#[derive(Debug)]
pub struct Echo {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<Task<()>>,
}

impl Echo {
    /// Returns where it can be reached.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        Peer::bind(self.address.ip()).send_to([], self.address);
        if let Some(thread) = self.thread.take() {
            thread.join();
        }
    }
}
