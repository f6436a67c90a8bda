//! Every property over the seeds of its target, on stable Rust and without libFuzzer.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use interlingua_properties::{ALL, Holds};

/// Seeds are read with every run of the tests and kept for ever: so many of a target, and so many bytes of all.
const SEEDS_MAX: usize = 64;
const BYTES_MAX: usize = 128 * 1024;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder `fuzz`").to_owned()
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("a readable name");
    entries.map(|entry| name(entry.expect("an entry"))).collect()
}

/// The seeds of a target, by path.
fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = fuzz().join("seeds").join(target);
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, bytes)
    };
    names_in(&folder).iter().map(|name| read(folder.join(name))).collect()
}

/// The first seed for which a property doesn't hold.
fn broken(holds: Holds, seeds: &[(PathBuf, Vec<u8>)]) -> Option<&Path> {
    let fails = |(_, bytes): &&(PathBuf, Vec<u8>)| catch_unwind(|| holds(bytes)).is_err();
    seeds.iter().find(fails).map(|(path, _)| &**path)
}

#[test]
fn every_property_holds_for_its_seeds() {
    for (target, holds) in ALL {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{target} has no seeds");
        let found = broken(*holds, &seeds);
        assert_eq!(found, None, "`{target}` doesn't hold for these bytes");
    }
}

/// What replays would else pass for ever.
#[test]
fn a_property_that_does_not_hold_is_found() {
    let never_a_publish: Holds = |bytes| assert_ne!(bytes.first().map(|byte| byte >> 4), Some(3));
    assert!(broken(never_a_publish, &seeds("packet")).is_some());
}

#[test]
fn every_target_is_a_property_with_seeds() {
    let known: BTreeSet<String> = ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names_in(&fuzz().join("seeds")), known);
    let targets = names_in(&fuzz().join("fuzz_targets"));
    let targets: BTreeSet<String> =
        targets.iter().map(|name| name.trim_end_matches(".rs").to_owned()).collect();
    assert_eq!(targets, known);
    for target in known {
        let path = fuzz().join("fuzz_targets").join(format!("{target}.rs"));
        let text = fs::read_to_string(path).expect("a target");
        assert!(text.contains(&format!("interlingua_properties::{target}(bytes)")), "{target}");
    }
}

#[test]
fn seeds_stay_few() {
    let mut all = 0;
    for (target, _) in ALL {
        let seeds = seeds(target);
        assert!(seeds.len() <= SEEDS_MAX, "{target} has {} seeds", seeds.len());
        all += seeds.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    }
    assert!(all <= BYTES_MAX, "{all} bytes");
}
