//! The tables that are built in: `config/dialects/*.toml`, as text.

use super::{Dialect, parse};
use crate::document::Fault;

/// The name of the dialect that changes nothing.
pub const PLAIN: &str = "plain";

const TABLES: [(&str, &str); 9] = [
    ("plain", include_str!("../../config/dialects/plain.toml")),
    ("thingscale", include_str!("../../config/dialects/thingscale.toml")),
    ("smartworks", include_str!("../../config/dialects/smartworks.toml")),
    ("smartworks-g1", include_str!("../../config/dialects/smartworks-g1.toml")),
    ("omnicore", include_str!("../../config/dialects/omnicore.toml")),
    ("mqtt2go", include_str!("../../config/dialects/mqtt2go.toml")),
    ("mqtt2go-1.2", include_str!("../../config/dialects/mqtt2go-1.2.toml")),
    ("xyte", include_str!("../../config/dialects/xyte.toml")),
    ("xyte-legacy", include_str!("../../config/dialects/xyte-legacy.toml")),
];

/// The names of the built-in dialects.
pub fn builtin_names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(name, _)| *name)
}

/// The text of a built-in table.
#[must_use]
pub fn builtin_text(name: &str) -> Option<&'static str> {
    TABLES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// A built-in dialect. `None`: there is none of that name.
///
/// # Errors
/// Never for the tables of this crate; a test holds that.
#[must_use]
pub fn builtin(name: &str) -> Option<Result<Dialect, Vec<Fault>>> {
    builtin_text(name).map(|text| parse(&format!("{name}.toml"), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_table_is_sound_and_has_its_own_name() {
        for (name, _) in TABLES {
            match builtin(name).expect("a table") {
                Ok(dialect) => assert_eq!(*dialect.name, *name),
                Err(faults) => panic!(
                    "{}",
                    faults.iter().map(|fault| format!("{fault}\n")).collect::<String>()
                ),
            }
        }
    }
}
