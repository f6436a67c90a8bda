//! `[[listener.route]]`: which devices of a listener go to another upstream, by the common name of their certificate.

use std::fmt;
use std::sync::Arc;

use crate::document::Table;
use crate::session::SessionPlan;

use super::faults::{Faults, Place, Said, Wrong};
use super::model::Upstream;
use super::proof::{ASK, Vouching};

/// Common names of certificates: one, or all that begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamePattern {
    /// This name.
    Exact(Box<str>),
    /// Every name that begins so; every name at all where it is empty.
    Beginning(Box<str>),
}

/// Where devices go whose certificate has a certain name.
#[derive(Clone)]
pub struct Route {
    /// The common names that it is for.
    pub certificate: NamePattern,
    /// Where their sessions go.
    pub upstream: Upstream,
    /// What their sessions share.
    pub plan: Arc<SessionPlan>,
}

/// Without the translator, which is long and holds the values of both sides.
impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("certificate", &self.certificate)
            .field("upstream", &self.upstream)
            .finish_non_exhaustive()
    }
}

const PATTERN: &str = "write a common name, or the beginning of several with `*` at its end";

impl NamePattern {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let (text, is_beginning) = match text.strip_suffix('*') {
            Some(beginning) => (beginning, true),
            None => (text, false),
        };
        match (text, is_beginning) {
            ("", false) => {
                Err(Wrong::new("is empty, and no certificate has an empty name", PATTERN))
            }
            (text, _) if text.contains('*') => {
                Err(Wrong::new("has a `*` that isn't at its end", PATTERN))
            }
            (text, true) => Ok(Self::Beginning(text.into())),
            (text, false) => Ok(Self::Exact(text.into())),
        }
    }

    /// Whether it is meant.
    #[must_use]
    pub fn fits(&self, common_name: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *common_name,
            Self::Beginning(beginning) => common_name.starts_with(&**beginning),
        }
    }

    /// Whether it fits every name that the other one fits.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(_), Self::Exact(_)) => self == other,
            (Self::Exact(_), Self::Beginning(_)) => false,
            (Self::Beginning(_), Self::Exact(name) | Self::Beginning(name)) => self.fits(name),
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Beginning(beginning) => write!(f, "{beginning}*"),
        }
    }
}

/// A route as it is written.
pub(super) struct WrittenRoute {
    place: Place,
    certificate: Option<Said<String>>,
    pub(super) upstream: Option<Said<String>>,
}

pub(super) fn read_route(mut table: Table<'_>) -> WrittenRoute {
    let mut required = |key, remedy| {
        let located = table.required_text(key, remedy)?;
        Some(Said::of(&table, key, located))
    };
    let certificate = required("certificate", PATTERN);
    let upstream = required("upstream", "write the `name` of an [[upstream]]");
    let route = WrittenRoute { place: Place::of_table(&table), certificate, upstream };
    table.finish();
    route
}

/// What each route fits; `None`: its fault is told. A route that could never be taken is a mistake.
pub(super) fn mean_routes(
    written: &[WrittenRoute],
    vouching: Vouching,
    faults: &Faults<'_>,
) -> Vec<Option<NamePattern>> {
    if let Some(first) = written.first().filter(|_| vouching == Vouching::Off) {
        let message = "goes by certificates, and the listener doesn't ask for them";
        faults.at(&first.place, Wrong::new(message, ASK));
    }
    let mut meant: Vec<Option<NamePattern>> = Vec::new();
    for route in written {
        let said = route.certificate.as_ref();
        let pattern =
            said.and_then(|said| faults.check(&said.place, NamePattern::parse(&said.value)));
        let earlier = meant
            .iter()
            .flatten()
            .find(|earlier| pattern.as_ref().is_some_and(|pattern| earlier.covers(pattern)));
        if let (Some(said), Some(earlier)) = (said, earlier) {
            let message = format!("is never taken: `{earlier}` stands before it and fits the same");
            let remedy = "put the narrower one first, or remove one";
            faults.at(&said.place, Wrong::new(message, remedy));
        }
        meant.push(pattern);
    }
    meant
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> NamePattern {
        NamePattern::parse(text).unwrap_or_else(|wrong| panic!("{text}: {}", wrong.message))
    }

    #[test]
    fn a_pattern_fits_one_name_or_a_beginning() {
        for (text, name, fits) in [
            ("plant-a.1", "plant-a.1", true),
            ("plant-a.1", "plant-a.12", false),
            ("plant-a.1", "plant-A.1", false),
            ("plant-a.*", "plant-a.1", true),
            ("plant-a.*", "plant-a.", true),
            ("plant-a.*", "plant-ab.1", false),
            ("*", "anything", true),
        ] {
            assert_eq!(pattern(text).fits(name), fits, "{text} {name}");
            assert_eq!(pattern(text).to_string(), text);
        }
        for text in ["", "a*b", "**", "*.a"] {
            assert!(NamePattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pattern_covers_what_it_fits_all_of() {
        for (wide, narrow, covers) in [
            ("a*", "a1", true),
            ("a*", "ab*", true),
            ("a*", "a*", true),
            ("*", "a", true),
            ("a", "a", true),
            ("ab*", "a*", false),
            ("a", "a*", false),
            ("a", "b", false),
        ] {
            assert_eq!(pattern(wide).covers(&pattern(narrow)), covers, "{wide} over {narrow}");
        }
    }
}
