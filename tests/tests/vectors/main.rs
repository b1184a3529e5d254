//! The golden vectors: what EasyNetwork sends and accepts, checked case by case against ours.
//!
//! The cases are read from `tests/vectors/` at the root of the repository, or from the folder that
//! the environment variable `DATAGRAM_VECTORS` names. [`value`] knows their notation for packets,
//! and [`protocols`] what their configs mean. What does not apply to Rust is printed by name with
//! its reason; [`verdict`] has the rules.

mod converters;
mod layouts;
mod protocols;
mod value;
mod verdict;

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    thread,
};

use value::Value;
use verdict::Verdict;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors");

#[test]
fn all_vectors_behave_as_recorded() {
    let folder = env::var_os("DATAGRAM_VECTORS").map_or_else(|| FOLDER.into(), PathBuf::from);
    // The packets, not the datagrams, nest so deeply that recursion over them needs a long stack.
    let run = move || run_folder(&folder);

    let failures = thread::Builder::new().stack_size(64 << 20).spawn(run);
    let failures = failures.unwrap().join().unwrap();

    assert!(
        failures.is_empty(),
        "{} cases fail:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Runs every file, prints the summary and returns the failures.
fn run_folder(folder: &Path) -> Vec<String> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no vectors in {}", folder.display());

    let (mut summary, mut exempt, mut failures) = (String::new(), String::new(), Vec::new());
    for path in files {
        let (mut passed, mut not_applicable, mut failed) = (0, 0, 0);
        let file = path.file_stem().unwrap_or_default().to_string_lossy();
        let content = fs::read(&path).expect("a readable file");
        let content: Value = serde_json::from_slice(&content).expect("a file of vectors");
        assert_eq!(
            content.get("format_version"),
            Some(&Value::Int(1)),
            "{file}"
        );
        for section in ["cases", "invalid", "crashes", "unencodable"] {
            for case in content
                .get(section)
                .and_then(Value::as_array)
                .unwrap_or_default()
            {
                let name = case
                    .get("name")
                    .and_then(Value::as_text)
                    .unwrap_or("nameless");
                match verdict::judge(section, case) {
                    Verdict::Passed => passed += 1,
                    Verdict::NotApplicable(reason) => {
                        not_applicable += 1;
                        exempt += &format!("  {file}/{section}/{name}: {reason}\n");
                    }
                    Verdict::Failed(reason) => {
                        failed += 1;
                        failures.push(format!("  {file}/{section}/{name}: {reason}"));
                    }
                }
            }
        }
        summary +=
            &format!("{file}: {passed} passed, {not_applicable} do not apply, {failed} failed\n");
    }
    // Not `print!`, which the test harness would swallow.
    let mut stdout = std::io::stdout().lock();
    write!(stdout, "\ncases that do not apply:\n{exempt}\n{summary}").expect("a standard output");
    failures
}
