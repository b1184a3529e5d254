//! The committed corpora, without a fuzzer: what was found once is not lost again.

use std::{collections::BTreeSet, fs, path::Path};

use datagram_fuzz::TARGETS;

#[test]
fn every_seed_passes() {
    for (name, target) in TARGETS {
        let seeds = fs::read_dir(corpus().join(name)).unwrap();
        let mut count = 0;
        for seed in seeds {
            let path = seed.unwrap().path();
            let data = fs::read(&path).unwrap();
            // The test harness prints this if the target panics.
            println!("{}", path.display());
            target(&data);
            count += 1;
        }
        assert!(count > 0, "no seeds for {name}");
    }
}

#[test]
fn every_target_has_a_corpus_and_a_program() {
    let names = |folder: &Path| -> BTreeSet<String> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                path.file_stem().unwrap().to_string_lossy().into_owned()
            })
            .collect()
    };
    let targets: BTreeSet<_> = TARGETS.map(|(name, _)| name.to_owned()).into();

    assert_eq!(names(corpus()), targets);
    assert_eq!(names(&root().join("fuzz_targets")), targets);
}

fn corpus() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
