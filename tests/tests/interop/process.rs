//! Peers as child processes: started on a free port of loopback, waited for, and killed when dropped.

use std::{
    env,
    io::{BufRead, BufReader},
    net::{SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use datagram_tests::{DEADLINE, LOCALHOST_V4};

/// The Python that has EasyNetwork. `tests/interop/run` sets it once everything is installed.
const PYTHON: &str = "DATAGRAM_INTEROP_PYTHON";

/// Tells whether real peers are to be talked to at all.
pub(crate) fn is_wanted() -> bool {
    env::var_os(PYTHON).is_some()
}

/// A running peer. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Starts EasyNetwork's server, which echoes packets of that serializer.
    #[track_caller]
    pub(crate) fn easynetwork(serializer: &str) -> Self {
        let mut child = Command::new(env::var_os(PYTHON).expect("the run was asked for"))
            .arg(peers().join("easynetwork_echo_server.py"))
            .args(["--serializer", serializer, "--until-eof"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let stdout = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it is text");
        let port: u16 = line
            .strip_prefix("PORT ")
            .and_then(|port| port.trim().parse().ok())
            .unwrap_or_else(|| panic!("the echo server said {line:?}"));
        Self {
            child,
            address: (LOCALHOST_V4, port).into(),
        }
    }

    /// Starts one of the scripts, and waits until `probe` is answered.
    #[track_caller]
    pub(crate) fn script(name: &str, probe: &[u8]) -> Self {
        // Nothing keeps the port free until the peer has bound it; another test may be quicker.
        (0..10)
            .find_map(|_| Self::try_script(name, probe))
            .unwrap_or_else(|| panic!("{name} ends at once: is its package installed?"))
    }

    /// Returns where it can be reached.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    fn try_script(name: &str, probe: &[u8]) -> Option<Self> {
        let free = UdpSocket::bind((LOCALHOST_V4, 0)).expect("loopback has a free port");
        let address = free.local_addr().expect("it is bound");
        drop(free);
        let child = Command::new(peers().join(name))
            .arg(address.port().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("a shell starts");
        let mut process = Self { child, address };
        let start = Instant::now();
        while process.is_running() {
            if is_answered(address, probe) {
                return Some(process);
            }
            assert!(start.elapsed() < DEADLINE, "{name} does not answer");
        }
        None
    }

    fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/peers")
}

/// Makes one attempt, with a socket of its own, so that late answers reach nobody.
fn is_answered(address: SocketAddr, probe: &[u8]) -> bool {
    const PATIENCE: Duration = Duration::from_millis(50);
    let socket = UdpSocket::bind((LOCALHOST_V4, 0)).expect("loopback has a free port");
    socket
        .set_read_timeout(Some(PATIENCE))
        .expect("it is not zero");
    socket.connect(address).expect("loopback can be reached");
    let answered = socket.send(probe).is_ok() && socket.recv(&mut [0; 2048]).is_ok();
    if !answered {
        // A refusal comes at once.
        std::thread::sleep(PATIENCE / 5);
    }
    answered
}
