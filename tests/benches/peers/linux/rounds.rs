//! Rounds and medians. In each round every contender of every group is measured once; contenders of a
//! group come right after each other, each round in another order. The first round only warms up.
//!
//! A figure is the median of all rounds, and a ratio the ratio of two such medians.

use std::io::{self, IsTerminal, Write};

use super::{
    Result, watchdog,
    workload::{Group, Measure},
};

/// The figures of a group.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) name: String,
    pub(crate) quantities: &'static [&'static str],
    pub(crate) rows: Vec<Row>,
}

/// The figures of a contender.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) contender: &'static str,
    /// For each quantity, a sample for each round.
    pub(crate) samples: Vec<Vec<f64>>,
}

impl Results {
    /// Returns the median of a contender.
    pub(crate) fn median(&self, contender: &str, quantity: usize) -> Option<f64> {
        let row = self.rows.iter().find(|row| row.contender == contender)?;
        Some(row.median(quantity))
    }
}

impl Row {
    pub(crate) fn median(&self, quantity: usize) -> f64 {
        self.quantile(quantity, 0.5)
    }

    /// Returns half the distance between the quartiles, relative to the median.
    pub(crate) fn spread(&self, quantity: usize) -> f64 {
        let [low, middle, high] = [0.25, 0.5, 0.75].map(|share| self.quantile(quantity, share));
        (high - low) / 2.0 / middle
    }

    /// Returns the sample below which `share` of them are, interpolated.
    pub(crate) fn quantile(&self, quantity: usize, share: f64) -> f64 {
        let mut samples = self.samples[quantity].clone();
        samples.sort_unstable_by(f64::total_cmp);
        let position = share * (samples.len() - 1) as f64;
        let (below, above) = (position.floor() as usize, position.ceil() as usize);
        samples[below] + (samples[above] - samples[below]) * position.fract()
    }
}

pub(crate) fn run(mut groups: Vec<Group>, rounds: usize) -> Result<Vec<Results>> {
    let mut results: Vec<_> = groups.iter().map(empty).collect();
    for round in 0..=rounds {
        if io::stderr().is_terminal() {
            eprint!("\rround {round} of {rounds} ");
            io::stderr().flush()?;
        }
        for (group, results) in groups.iter_mut().zip(&mut results) {
            let members = group.members.len();
            for turn in 0..members {
                let index = (round + turn) % members;
                let (contender, measure) = &mut group.members[index];
                let figures = measure_once(&group.name, contender, measure)?;
                if round > 0 {
                    for (samples, figure) in results.rows[index].samples.iter_mut().zip(figures) {
                        samples.push(figure);
                    }
                }
            }
        }
    }
    if io::stderr().is_terminal() {
        eprintln!();
    }
    Ok(results)
}

fn measure_once(group: &str, contender: &str, measure: &mut Measure) -> Result<Vec<f64>> {
    let what = format!("{group}, {contender}");
    watchdog::now_doing(what.clone());
    measure().map_err(|error| format!("{what}: {error}").into())
}

fn empty(group: &Group) -> Results {
    Results {
        name: group.name.clone(),
        quantities: group.quantities,
        rows: group
            .members
            .iter()
            .map(|(contender, _)| Row {
                contender,
                samples: vec![Vec::new(); group.quantities.len()],
            })
            .collect(),
    }
}
