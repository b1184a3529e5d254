//! One run: rounds in which every contender does every workload once, then medians and targets.
//!
//! Read next: `contender.rs`, what is compared; `workload.rs`, what is measured; `targets.rs`, what is
//! wanted.

mod arguments;
mod contender;
mod far;
mod offload;
mod packet;
mod place;
mod report;
mod rounds;
mod stopwatch;
mod targets;
mod watchdog;
mod workload;

use std::{error::Error, process::ExitCode};

use arguments::{Arguments, Task};
use rustix::process::setpriority_process;

/// What `nice` calls -20 (setpriority(2)).
const HIGHEST_PRIORITY: i32 = -20;

/// Whatever goes wrong ends the run; nobody handles it.
type Failure = Box<dyn Error + Send + Sync>;
type Result<T = ()> = std::result::Result<T, Failure>;

pub(crate) fn main() -> ExitCode {
    match Arguments::from_command_line().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nfailed: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprintln!("  because {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result {
    if !matches!(&task, Task::Compare(arguments) if arguments.quick) {
        // So that what else runs disturbs less. Only the privileged may, and the others do without.
        let _refused = setpriority_process(None, HIGHEST_PRIORITY);
    }
    watchdog::start();
    let arguments = match task {
        Task::Help => {
            println!("{}", arguments::HELP);
            return Ok(());
        }
        Task::Child(child) => return workload::run_child(&child),
        Task::Compare(arguments) => arguments,
    };
    let groups = workload::groups(&arguments)?;
    let results = rounds::run(groups, arguments.rounds)?;
    report::print(&results);
    let verdicts = targets::judge(&results);
    targets::print(&verdicts);
    if let Some(path) = &arguments.json {
        report::write_json(path, &arguments, &results, &verdicts)?;
    }
    Ok(())
}
