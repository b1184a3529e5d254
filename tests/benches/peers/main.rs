//! The clients of this project beside their peers, in one run: `cargo bench -p datagram-tests --bench
//! peers`. `-- --help` lists the options; `docs/benchmarks.md` explains what is timed.
//!
//! It measures segmentation offload, which only Linux has. Read next: `linux.rs`.

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("skipped: only Linux has the segmentation offload that this measures");
}
