//! The command line.

use std::{env, path::PathBuf};

use super::Result;

pub(crate) const HELP: &str = "\
cargo bench -p datagram-tests --bench peers -- [OPTIONS]

  --rounds N        rounds, each of every workload and contender [15]
  --only SUBSTRING  only workloads whose name, packet included, contains it; may be repeated
  --quick           3 short rounds: shows that everything works, and no more
  --json FILE       writes all samples, medians and targets to FILE";

/// What to do.
#[derive(Debug)]
pub(crate) enum Task {
    Help,
    Compare(Arguments),
    /// A measurement that needs a process of its own.
    Child(Vec<String>),
}

/// How to compare.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) rounds: usize,
    pub(crate) only: Vec<String>,
    pub(crate) quick: bool,
    pub(crate) json: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn from_command_line() -> Result<Task> {
        let mut arguments = Self {
            rounds: 0,
            only: Vec::new(),
            quick: false,
            json: None,
        };
        let mut words = env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} what?"));
            match word.as_str() {
                // Cargo adds it.
                "--bench" => {}
                "--rounds" => arguments.rounds = value()?.parse::<usize>()?.max(1),
                "--only" => arguments.only.push(value()?),
                "--quick" => arguments.quick = true,
                "--json" => arguments.json = Some(value()?.into()),
                "--child" => return Ok(Task::Child(words.collect())),
                "--help" | "-h" => return Ok(Task::Help),
                _ => return Err(format!("unknown option {word}\n\n{HELP}").into()),
            }
        }
        if arguments.rounds == 0 {
            arguments.rounds = if arguments.quick { 3 } else { 15 };
        }
        Ok(Task::Compare(arguments))
    }

    /// Tells whether a workload of this name is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part))
    }

    /// Bursts, or whatever a workload repeats, in a round.
    pub(crate) fn repeats(&self, repeats: usize) -> usize {
        if self.quick {
            repeats.div_ceil(10)
        } else {
            repeats
        }
    }
}
