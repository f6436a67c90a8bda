//! `[identity]`: how device names on the two sides belong together.

use crate::dialect::Dialect;
use crate::document::closest;
use crate::translate::{Identity, PrefixRule};

use super::faults::{Faults, Place, Wrong};
use super::outside::Outside;
use super::written::WrittenIdentity;

impl WrittenIdentity {
    fn place(&self) -> &Place {
        match self {
            Self::Prefix(said) | Self::Table(said) => &said.place,
        }
    }
}

/// The rule or table that is meant. One that has faults stands for the same names on both sides, so that
/// the pairs can be checked all the same.
pub(super) fn mean_identity(
    written: Option<&WrittenIdentity>,
    outside: &mut Outside<'_>,
    faults: &Faults<'_>,
) -> Identity {
    match written {
        None => Identity::Same,
        Some(WrittenIdentity::Prefix(prefix)) => {
            if prefix.value.contains(['/', '+', '#', '\0']) {
                let wrong = Wrong::new("has a `/`, `+` or `#`", "write letters and digits");
                faults.at(&prefix.place, wrong);
            }
            Identity::Prefix(PrefixRule::new(&prefix.value))
        }
        Some(WrittenIdentity::Table(path)) => outside
            .identity_table(&path.value, &path.place, faults)
            .map_or(Identity::Same, Identity::Table),
    }
}

/// What only shows beside the dialects: columns that no upstream has a variable for, and names that nobody
/// translates. `upstreams` are the upstream dialects, all of them.
pub(super) fn check_use(
    identity: &Identity,
    written: Option<&WrittenIdentity>,
    upstreams: &[&Dialect],
    faults: &Faults<'_>,
) {
    let Some(place) = written.map(WrittenIdentity::place) else { return };
    if !upstreams.is_empty() && upstreams.iter().all(|dialect| dialect.is_plain()) {
        let message = "`plain` translates no names, so nobody would use this";
        faults.at(place, Wrong::new(message, "remove it, or name dialects that translate"));
        return;
    }
    let Identity::Table(table) = identity else { return };
    let known = || upstreams.iter().flat_map(|dialect| &dialect.variables);
    for column in table.variables() {
        if known().any(|variable| *variable.name == *column) {
            continue;
        }
        let remedy = match closest(column, known().map(|variable| &*variable.name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                "name the column after a variable of the upstream's dialect, or remove it".into()
            }
        };
        let message = format!("its column `{column}` is no variable of an upstream's dialect");
        faults.at(place, Wrong::new(message, remedy));
    }
}
