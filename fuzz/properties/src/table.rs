//! Dialect tables of any text: faults, or a table each of whose forms reads the topics that it writes.

use std::sync::Arc;

use interlingua::dialect::{Dialect, Level, Sender, parse};
use interlingua::translate::{Identity, Side, Way, compile};

use super::topic::passes_itself;

/// Text that isn't UTF-8 doesn't get as far as a table.
pub fn table(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match parse("fuzz.toml", text) {
        Err(faults) => {
            assert!(!faults.is_empty(), "refused without a word");
            let lines = text.lines().count() + 1;
            assert!(faults.iter().all(|fault| fault.line <= lines), "{faults:?}");
        }
        Ok(dialect) => {
            assert_eq!(parse("fuzz.toml", text).as_ref(), Ok(&dialect));
            writes_what_it_reads(dialect);
        }
    }
}

/// With the same table on both sides no topic changes.
fn writes_what_it_reads(dialect: Dialect) {
    let dialect = Arc::new(dialect);
    let side = Side::new(dialect.clone());
    let Ok(translator) = compile(side.clone(), side, Identity::Same) else { return };
    for form in dialect.forms.iter().take(32).filter(|form| form.is_read() && form.is_written()) {
        let way = if form.from == Sender::Device { Way::Up } else { Way::Down };
        for levels in form.template.variants() {
            for values in [["7", "abc"], ["a-1", "b.c"]] {
                passes_itself(&translator, way, &filled(&levels, values));
            }
        }
    }
}

fn filled(levels: &[Level], values: [&str; 2]) -> String {
    let mut values = values.iter().cycle();
    let mut value = || values.next().copied().unwrap_or_default();
    let levels: Vec<String> = levels
        .iter()
        .map(|level| match level {
            Level::Literal(literal) => literal.to_string(),
            Level::Capture { prefix, suffix, .. } => format!("{prefix}{}{suffix}", value()),
            Level::Rest { .. } => format!("{}/{}", value(), value()),
        })
        .collect();
    levels.join("/")
}
