//! The README's table of properties is the one of the code.

use interlingua::translate::version::TABLE;

#[test]
fn the_readme_shows_the_table_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let rows: Vec<String> = TABLE
        .iter()
        .map(|(_, name, fate, how)| {
            let how = if how.is_empty() { String::new() } else { format!(": {how}") };
            format!("| {name} | {}{how} |", fate.word())
        })
        .collect();
    let table = format!("| Property | Towards 3.1 and 3.1.1 |\n|---|---|\n{}\n", rows.join("\n"));
    assert!(readme.contains(&table), "the README needs this table:\n\n{table}");
}
