//! Networks of their own, with a wire in between that can be narrowed, disturbed and cut. It takes
//! root and iproute2.

use std::{
    fs::{self, File},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    process::{self, Command},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use nix::sched::{CloneFlags, setns};

use crate::{Task, in_background};

/// A network namespace (network_namespaces(7)) with nothing but loopback. Dropping it removes it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one, under a name that no other test has.
    ///
    /// # Panics
    ///
    /// Without root or iproute2.
    #[must_use]
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "making one is no small thing")]
    pub fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let name = format!("datagram-{}-{number}", process::id());
        succeed("ip", &["netns", "add", &name]);
        let namespace = Self { name };
        namespace.ip(&["link", "set", "lo", "up"]);
        namespace
    }

    /// Returns its name, for ip-netns(8).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `work` on a thread of its own, all of whose sockets are in here.
    #[track_caller]
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Task<T> {
        // This is where ip-netns(8) puts it.
        let file = File::open(format!("/var/run/netns/{}", self.name)).expect("it was made");
        in_background(move || {
            setns(file, CloneFlags::CLONE_NEWNET).expect("root may enter");
            work()
        })
    }

    /// Runs ip(8) in here.
    #[track_caller]
    pub fn ip(&self, arguments: &[&str]) {
        succeed("ip", &[&["-netns", &self.name], arguments].concat());
    }

    /// Lays a wire (veth(4)) to `other`. `interface` names its end in here, `other_interface` the one
    /// over there. Both are down and have no address.
    #[track_caller]
    pub fn lay_wire(&self, interface: &str, other: &Self, other_interface: &str) {
        let end = ["link", "add", interface, "type", "veth"];
        let other_end = ["peer", "name", other_interface, "netns", &other.name];
        self.ip(&[&end[..], &other_end].concat());
    }

    /// Sets parameters of the network in here, named by their paths under `/proc/sys/net`.
    #[track_caller]
    pub fn set(&self, parameters: &'static [(&str, &str)]) {
        let task = self.run(move || {
            for (path, value) in parameters {
                fs::write(format!("/proc/sys/net/{path}"), value).expect("root may write it");
            }
        });
        task.join();
    }

    /// Runs tc(8) in here. What it says is an error if the kernel has no such discipline.
    ///
    /// # Errors
    ///
    /// What tc(8) says.
    #[track_caller]
    pub fn tc(&self, arguments: &[&str]) -> Result<(), String> {
        run("tc", &[&["-netns", &self.name], arguments].concat())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Its interfaces go with it, and the other ends of their wires.
        let _unless_it_is_gone = run("ip", &["netns", "delete", &self.name]);
    }
}

/// The name of each end of a link, in its namespace.
const INTERFACE: &str = "veth0";

/// A wire between two namespaces (veth(4)). Dropping it removes them.
///
/// The client under test belongs to the near end, its peer to the far one. Either runs in its
/// namespace: `link.far.run(|| Peer::bind(Link::FAR_V4))`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Link {
    /// Where the near end is.
    pub near: Namespace,
    /// Where the far end is.
    pub far: Namespace,
}

impl Link {
    /// Addresses of the near end.
    pub const NEAR_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    /// Addresses of the near end.
    pub const NEAR_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
    /// Addresses of the far end.
    pub const FAR_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    /// Addresses of the far end.
    pub const FAR_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2));

    /// Lays a wire whose MTU is 1,500 bytes.
    ///
    /// # Panics
    ///
    /// Without root or iproute2.
    #[must_use]
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "making one is no small thing")]
    pub fn new() -> Self {
        let link = Self {
            near: Namespace::new(),
            far: Namespace::new(),
        };
        link.near.lay_wire(INTERFACE, &link.far, INTERFACE);
        link.near.take(Self::NEAR_V4, Self::NEAR_V6);
        link.far.take(Self::FAR_V4, Self::FAR_V6);
        link.set_mtu(1500);
        link.mend();
        link
    }

    /// Sets the bytes of the longest packet that the wire takes, headers of IP included.
    #[track_caller]
    pub fn set_mtu(&self, bytes: usize) {
        for end in [&self.near, &self.far] {
            end.ip(&["link", "set", INTERFACE, "mtu", &bytes.to_string()]);
        }
    }

    /// Puts a discipline (tc(8)) in the place of the near end's: `["netem", "loss", "10%"]`.
    ///
    /// # Errors
    ///
    /// The kernel may not have it. The test should say so loudly.
    #[track_caller]
    pub fn shape(&self, discipline: &[&str]) -> Result<(), String> {
        let root = ["qdisc", "replace", "dev", INTERFACE, "root"];
        self.near.tc(&[&root[..], discipline].concat())
    }

    /// Cuts the wire: the near end goes down.
    #[track_caller]
    pub fn cut(&self) {
        self.near.ip(&["link", "set", INTERFACE, "down"]);
    }

    /// Mends the wire, once it was cut.
    #[track_caller]
    pub fn mend(&self) {
        for end in [&self.near, &self.far] {
            end.ip(&["link", "set", INTERFACE, "up"]);
        }
    }
}

impl Namespace {
    /// Adds an address to its end of a [`Link`], or deletes it: as `what` says, to ip-address(8).
    #[track_caller]
    pub fn change_address(&self, what: &str, address: IpAddr) {
        let change = ["address", what, "dev", INTERFACE];
        match address {
            IpAddr::V4(_) => self.ip(&[&change[..], &[&format!("{address}/24")]].concat()),
            // Without asking first who else has it, so that it can be used at once.
            IpAddr::V6(_) if what == "add" => {
                self.ip(&[&change[..], &[&format!("{address}/64"), "nodad"]].concat());
            }
            IpAddr::V6(_) => self.ip(&[&change[..], &[&format!("{address}/64")]].concat()),
        }
    }

    /// Gives its end of a wire addresses, which it keeps while the wire is cut.
    #[track_caller]
    fn take(&self, v4: IpAddr, v6: IpAddr) {
        self.set(&[("ipv6/conf/all/keep_addr_on_down", "1")]);
        self.change_address("add", v4);
        self.change_address("add", v6);
    }
}

#[track_caller]
fn succeed(program: &str, arguments: &[&str]) {
    if let Err(said) = run(program, arguments) {
        panic!("{program} {}: {said}", arguments.join(" "));
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    }
}
