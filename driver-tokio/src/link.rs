//! The part of a client that is free of its protocol: making the connection, and waiting.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsFd;
use std::{
    future::{Future, poll_fn},
    io, net,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Poll,
};

use datagram_udp_socket::{
    Closed, ConnectOptions, ConnectedUdpSocket, RemoteAddress, closed_error,
};
use parking_lot::Mutex;
use tokio::{
    io::Interest,
    net::{UdpSocket, lookup_host},
    runtime::Handle,
    sync::{Notify, OnceCell},
    task::{coop::consume_budget, yield_now},
};

pub(crate) type Socket = ConnectedUdpSocket<UdpSocket>;

/// What a receiver waits for: a datagram, or an error. `READABLE` alone does not wake it for an ICMP
/// error, which the system reports without saying that there is something to read (`EPOLLERR`).
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) const READING: Interest = Interest::READABLE.add(Interest::ERROR);

/// What a receiver waits for. An error makes the socket readable.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) const READING: Interest = Interest::READABLE;

/// What an attempt has to wait for before it is made again.
#[derive(Debug)]
pub(crate) enum Obstacle {
    /// The connection is not made yet.
    NotConnected,
    /// The socket would block. A receiver that has found nothing tells how often packets had been
    /// [left](Link::left) behind by then.
    NotReady(Arc<Socket>, Interest, Option<usize>),
    /// Others should have their turn.
    Busy,
}

/// Where the connection comes from, and whether the client is closed.
#[derive(Debug)]
pub(crate) struct Link {
    origin: Origin,
    pub(crate) options: ConnectOptions,
    pub(crate) closed: Closed,
    /// Tells those who wait that the client was closed, its socket replaced, or packets left behind.
    changed: Notify,
    /// How often packets were left behind.
    left: AtomicUsize,
    /// Set once the connection is made, which only one task does at a time.
    made: OnceCell<()>,
    /// The connection, until the client takes it.
    pub(crate) socket: Mutex<Option<Socket>>,
}

#[derive(Debug)]
enum Origin {
    Address(RemoteAddress),
    /// A socket to adopt, until that is done.
    Socket(Mutex<Option<net::UdpSocket>>),
}

impl Link {
    pub(crate) fn to_address(address: RemoteAddress, options: ConnectOptions) -> Self {
        Self::new(Origin::Address(address), options)
    }

    /// Starts with a socket that was found fit to be adopted.
    pub(crate) fn around_socket(socket: net::UdpSocket, options: ConnectOptions) -> Self {
        Self::new(Origin::Socket(Mutex::new(Some(socket))), options)
    }

    fn new(origin: Origin, options: ConnectOptions) -> Self {
        Self {
            origin,
            options,
            closed: Closed::new(),
            changed: Notify::new(),
            left: AtomicUsize::new(0),
            made: OnceCell::new(),
            socket: Mutex::new(None),
        }
    }

    /// Closes and ends every wait; tells whether the link was open before.
    pub(crate) fn close(&self) -> bool {
        let was_open = self.closed.close();
        self.wake();
        self.socket.lock().take();
        if let Origin::Socket(socket) = &self.origin {
            socket.lock().take();
        }
        was_open
    }

    /// Makes everybody who waits try again. To be called after the socket was replaced.
    pub(crate) fn wake(&self) {
        self.changed.notify_waiters();
    }

    /// Returns the addresses that the client's address has now; its peer, if it was given a socket.
    pub(crate) async fn resolve(&self, peer: net::SocketAddr) -> io::Result<Vec<net::SocketAddr>> {
        match &self.origin {
            Origin::Address(address) => resolve(address).await,
            Origin::Socket(_) => Ok(vec![peer]),
        }
    }

    /// Connects anew, in place of `old`.
    pub(crate) fn reconnect(
        &self,
        old: &Socket,
        addresses: &[net::SocketAddr],
    ) -> io::Result<Socket> {
        register(old.reconnect(addresses, &self.options)?)
    }

    /// Makes the connection, unless it is made.
    ///
    /// If the task that makes it is cancelled, the next in line does it.
    pub(crate) async fn connect(&self) -> io::Result<()> {
        let made = self.made.get_or_try_init(async || {
            let socket = match &self.origin {
                Origin::Address(address) => {
                    let addresses = resolve(address).await?;
                    register(ConnectedUdpSocket::connect(&addresses, &self.options)?)?
                }
                Origin::Socket(origin) => {
                    let mut origin = origin.lock();
                    let original = origin.as_ref().ok_or_else(closed_error)?;
                    // A duplicate, so that a failure leaves something for the next attempt.
                    let socket = original.try_clone()?;
                    let socket = register(ConnectedUdpSocket::adopt(socket, &self.options)?)?;
                    origin.take();
                    socket
                }
            };
            // Whoever closes sets the flag before it looks here.
            let mut slot = self.socket.lock();
            if self.closed.is_closed() {
                return Err(closed_error());
            }
            *slot = Some(socket);
            Ok(())
        });
        self.until_changed(async { made.await.map(|&()| ()) }, || false)
            .await
    }

    /// Wakes those who wait, for packets that came out of the socket with another's. To be called in
    /// the seat.
    #[cold]
    pub(crate) fn leave_behind(&self) {
        self.left.fetch_add(1, Relaxed);
        self.wake();
    }

    /// Returns how often packets were left behind. To be asked in the seat.
    pub(crate) fn left(&self) -> usize {
        self.left.load(Relaxed)
    }

    /// Waits until it makes sense to try again; returns early once the client is closed, its socket
    /// replaced, or a packet left behind.
    pub(crate) async fn overcome(&self, obstacle: Obstacle) -> io::Result<()> {
        match obstacle {
            Obstacle::NotConnected => self.connect().await,
            Obstacle::NotReady(socket, interest, left) => {
                // Each wait has an entry of its own, and readiness wakes all of them. It is taken
                // back only by an attempt that finds nothing. Who leaves packets behind before there
                // is any readiness says so.
                // Where a socket is found ready in vain, the rest has its turn nevertheless.
                consume_budget().await;
                let is_stale =
                    || socket.is_replaced() || left.is_some_and(|left| left != self.left());
                self.until_changed(ready(&socket, interest), is_stale).await
            }
            Obstacle::Busy => {
                yield_now().await;
                Ok(())
            }
        }
    }

    /// Awaits `wait`, or a change of what `is_stale` tells, or an error once the client is closed.
    async fn until_changed(
        &self,
        wait: impl Future<Output = io::Result<()>>,
        is_stale: impl Fn() -> bool,
    ) -> io::Result<()> {
        let mut changed = pin!(self.changed.notified());
        // From here on `changed` hears of it; before, these tell.
        if self.closed.is_closed() {
            return Err(closed_error());
        }
        if is_stale() {
            return Ok(());
        }
        let mut wait = pin!(wait);
        poll_fn(|context| {
            if changed.as_mut().poll(context).is_pending() {
                return wait.as_mut().poll(context);
            }
            Poll::Ready(match self.closed.is_closed() {
                true => Err(closed_error()),
                false => Ok(()),
            })
        })
        .await
    }
}

/// Waits until the socket is ready.
#[cfg(any(target_os = "linux", target_os = "android"))]
async fn ready(socket: &Socket, interest: Interest) -> io::Result<()> {
    let ready = socket.io().ready(interest).await?;
    if interest == Interest::WRITABLE && ready.is_write_closed() {
        // After an ICMP error tokio holds a socket for closed to writing, hence ready, for ever. One that
        // is registered anew tells how it is.
        let duplicate = socket.as_fd().try_clone_to_owned()?;
        tokio_socket(duplicate.into())?.writable().await?;
    }
    Ok(())
}

/// Waits until the socket is ready.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
async fn ready(socket: &Socket, interest: Interest) -> io::Result<()> {
    socket.io().ready(interest).await.map(drop)
}

/// Resolves through tokio, off the runtime's threads.
async fn resolve(address: &RemoteAddress) -> io::Result<Vec<net::SocketAddr>> {
    if let Some(addresses) = address.as_resolved() {
        return Ok(addresses.to_vec());
    }
    check_runtime()?;
    address.resolved_to(lookup_host(address.to_string()).await)
}

/// Puts the socket under tokio's care.
fn register(socket: ConnectedUdpSocket) -> io::Result<Socket> {
    socket.try_map_io(tokio_socket)
}

fn tokio_socket(socket: net::UdpSocket) -> io::Result<UdpSocket> {
    check_runtime()?;
    // tokio panics if the runtime has no I/O, and has no way to ask.
    catch_unwind(AssertUnwindSafe(|| UdpSocket::from_std(socket))).unwrap_or_else(|_| {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the tokio runtime has I/O disabled (see `Builder::enable_io`)",
        ))
    })
}

fn check_runtime() -> io::Result<()> {
    match Handle::try_current() {
        Ok(_) => Ok(()),
        Err(error) => Err(io::Error::new(io::ErrorKind::Unsupported, error)),
    }
}

#[cfg(test)]
mod tests {
    use datagram_protocol_core::ClientConfig;
    use futures_util::FutureExt;

    use super::*;
    use crate::halves::Halves;

    async fn connected() -> (Link, Arc<Socket>, net::UdpSocket) {
        let peer = net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = peer.local_addr().unwrap();
        let link = Link::to_address(address.into(), ConnectOptions::new());
        link.connect().await.unwrap();
        let socket = link.socket.lock().take().unwrap();
        (link, Arc::new(socket), peer)
    }

    /// Between the attempt that finds nothing and the wait, another receiver may leave packets behind.
    #[tokio::test]
    async fn packets_left_behind_since_the_attempt_end_the_wait_at_once() {
        let (link, socket, _peer) = connected().await;
        let ends_at_once = |left| {
            let obstacle = Obstacle::NotReady(Arc::clone(&socket), READING, Some(left));
            link.overcome(obstacle).now_or_never().is_some()
        };

        let before = link.left();
        assert!(!ends_at_once(before));
        link.leave_behind();

        assert!(ends_at_once(before));
        assert!(!ends_at_once(link.left()));
    }

    /// Between the attempt that finds nothing and the wait, the socket may be replaced.
    #[tokio::test]
    async fn socket_replaced_since_the_attempt_ends_the_wait_at_once() {
        let (link, socket, peer) = connected().await;
        let halves = Halves::new(&ClientConfig::new(), Arc::clone(&socket));
        let ends_at_once = || {
            let obstacle = Obstacle::NotReady(Arc::clone(&socket), READING, None);
            link.overcome(obstacle).now_or_never().is_some()
        };

        assert!(!ends_at_once());
        let addresses = [peer.local_addr().unwrap()];
        halves
            .replace(&link.closed, |old| link.reconnect(old, &addresses))
            .unwrap();

        assert!(ends_at_once());
    }
}
