//! The tables of docs/evidence follow from the raw scores beside them.

use std::path::Path;

use distill::experiment::{Collected, Tables};
use evaluation_statistics::Plan;

#[test]
fn every_table_follows_from_its_raw_scores() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/evidence");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let folder = entry.unwrap().path();
        let results = folder.join("results.jsonl.gz");
        if !results.exists() {
            continue;
        }
        let Collected { results, costs } = Collected::read(&results).unwrap();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let tables = Tables::new(&name, &results, costs, &Plan::default()).unwrap();
        tables.check(&folder).unwrap_or_else(|error| panic!("{error}; `cargo xtask evidence`"));
        checked += 1;
    }
    assert!(checked > 0, "no evidence found");
}
