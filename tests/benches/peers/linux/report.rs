//! The table, and the same for machines.

use std::{fs, path::Path};

use serde_json::json;

use super::{
    Result,
    arguments::Arguments,
    contender::{FLOOR, STD},
    rounds::Results,
    targets::Verdict,
};

pub(crate) fn print(results: &[Results]) {
    for group in results {
        for (quantity, unit) in group.quantities.iter().enumerate() {
            println!(
                "\n{:<42}{unit:>14}{:>10}{:>10}{:>10}",
                group.name, "+-", "/ floor", "/ std"
            );
            for row in &group.rows {
                let median = row.median(quantity);
                let ratio = |base| {
                    group
                        .median(base, quantity)
                        .map_or_else(|| "-".to_owned(), |base| format!("{:.2}", median / base))
                };
                println!(
                    "  {:<40}{median:>14.1}{:>9.1}%{:>10}{:>10}",
                    row.contender,
                    100.0 * row.spread(quantity),
                    ratio(FLOOR),
                    ratio(STD)
                );
            }
        }
    }
}

pub(crate) fn write_json(
    path: &Path,
    arguments: &Arguments,
    results: &[Results],
    verdicts: &[Verdict],
) -> Result {
    let results: Vec<_> = results
        .iter()
        .flat_map(|group| {
            group
                .quantities
                .iter()
                .enumerate()
                .flat_map(move |(quantity, unit)| {
                    group.rows.iter().map(move |row| {
                    json!({
                        "workload": group.name,
                        "unit": unit,
                        "contender": row.contender,
                        "median": row.median(quantity),
                        "quartiles": [row.quantile(quantity, 0.25), row.quantile(quantity, 0.75)],
                        "samples": row.samples[quantity],
                    })
                })
                })
        })
        .collect();
    let verdicts: Vec<_> = verdicts
        .iter()
        .map(|verdict| {
            json!({
                "target": verdict.target.what,
                "of": verdict.target.of,
                "wanted": verdict.target.limit.to_string(),
                "stretch": verdict.target.stretch.map(|stretch| stretch.to_string()),
                "reached": verdict.figure,
                "verdict": verdict.word(),
            })
        })
        .collect();
    let document = json!({
        "rounds": arguments.rounds,
        "quick": arguments.quick,
        "system": fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
        "results": results,
        "targets": verdicts,
    });
    fs::write(path, serde_json::to_string_pretty(&document)?)?;
    Ok(())
}
