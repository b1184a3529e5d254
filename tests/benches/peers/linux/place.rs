//! Where the other end is: on this host, or elsewhere as far as the system can tell.

use std::{
    fs::File,
    net::{IpAddr, Ipv4Addr, UdpSocket},
    process::{self, Command},
    sync::LazyLock,
    thread,
};

use nix::{
    sched::{CloneFlags, setns, unshare},
    sys::socket::{getsockopt, setsockopt, sockopt},
    unistd::gettid,
};

use super::Result;

/// Bytes asked for as the receive buffer of every socket: room for several bursts.
const RECV_BUFFER: usize = 4 << 20;

/// What a datagram of 1,200 bytes takes of it, the system's overhead included.
const TRUE_SIZE: usize = 2304;

/// What a burst of 128 of them takes.
const NEEDED: usize = 128 * TRUE_SIZE;

/// A pair of connected sockets: the contender's, and the other end.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) near: UdpSocket,
    pub(crate) far: UdpSocket,
    /// Packets that may be on their way without one being lost, with a reserve.
    pub(crate) room: usize,
}

/// Both ends on loopback.
pub(crate) fn here() -> Result<Pair> {
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
    connect(bind(localhost)?, bind(localhost)?)
}

/// The other end in a network namespace, behind a pair of virtual cards; they go when this process
/// ends. An error where that is not allowed, or `ip` is not there.
pub(crate) fn elsewhere() -> Result<Pair> {
    let namespace = NAMESPACE.as_ref().map_err(String::as_str)?;
    connect(bind(NEAR.into())?, inside(namespace, || bind(FAR.into()))?)
}

/// From the range for benchmarks (RFC 2544).
const NEAR: Ipv4Addr = Ipv4Addr::new(198, 18, 77, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(198, 18, 77, 2);

static NAMESPACE: LazyLock<std::result::Result<File, String>> =
    LazyLock::new(|| make_namespace().map_err(|error| error.to_string()));

fn make_namespace() -> Result<File> {
    let host = current_namespace()?;
    // The namespace of a thread is that of the sockets and processes it makes.
    on_a_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET)?;
        let far = gettid().to_string();
        let card = format!("peers{}", process::id());
        inside(&host, || {
            ip(&[
                "link", "add", &card, "type", "veth", "peer", "far", "netns", &far,
            ])?;
            ip(&["addr", "add", &format!("{NEAR}/30"), "dev", &card])?;
            ip(&["link", "set", &card, "up"])
        })?;
        ip(&["addr", "add", &format!("{FAR}/30"), "dev", "far"])?;
        ip(&["link", "set", "far", "up"])?;
        current_namespace()
    })
}

fn current_namespace() -> Result<File> {
    Ok(File::open("/proc/thread-self/ns/net")?)
}

fn inside<R: Send>(namespace: &File, work: impl FnOnce() -> Result<R> + Send) -> Result<R> {
    on_a_thread(|| {
        setns(namespace, CloneFlags::CLONE_NEWNET)?;
        work()
    })
}

fn on_a_thread<R: Send>(work: impl FnOnce() -> Result<R> + Send) -> Result<R> {
    thread::scope(|scope| scope.spawn(work).join().map_err(|_| "a thread panicked")?)
}

fn ip(arguments: &[&str]) -> Result {
    let output = Command::new("ip").args(arguments).output()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        return Err(format!("ip {}: {}", arguments.join(" "), error.trim()).into());
    }
    Ok(())
}

fn bind(ip: IpAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind((ip, 0))?;
    // The first is for the privileged and knows no limit.
    if setsockopt(&socket, sockopt::RcvBufForce, &RECV_BUFFER).is_err() {
        setsockopt(&socket, sockopt::RcvBuf, &RECV_BUFFER)?;
    }
    let granted = getsockopt(&socket, sockopt::RcvBuf)?;
    if granted < NEEDED {
        let error = format!(
            "a receive buffer of {granted} bytes is too small for a burst; try \
             `sysctl net.core.rmem_max={RECV_BUFFER}`, or run it as root"
        );
        return Err(error.into());
    }
    Ok(socket)
}

fn connect(near: UdpSocket, far: UdpSocket) -> Result<Pair> {
    near.connect(far.local_addr()?)?;
    far.connect(near.local_addr()?)?;
    let granted = getsockopt(&near, sockopt::RcvBuf)?.min(getsockopt(&far, sockopt::RcvBuf)?);
    Ok(Pair {
        near,
        far,
        room: granted / TRUE_SIZE / 2,
    })
}
