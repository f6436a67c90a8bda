//! The values of `--set`: a closed list of names per platform, each with a default or required.
//!
//! Invariant: a name that the platform doesn't have is an error that lists those it has.

use std::collections::BTreeMap;

use anyhow::{Context, bail};

/// A setting that a platform has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) name: &'static str,
    /// What it is without `--set`; `None`: nothing.
    pub(super) default: Option<&'static str>,
}

/// A setting with this default.
pub(super) const fn known(name: &'static str, default: Option<&'static str>) -> Known {
    Known { name, default }
}

/// The values of one stand-in.
#[derive(Debug)]
pub(super) struct Settings(BTreeMap<&'static str, String>);

impl Settings {
    /// Reads `name=value` texts.
    ///
    /// # Errors
    /// A text that isn't one, or an unknown name.
    pub(super) fn read(given: &[String], known: &[Known]) -> anyhow::Result<Self> {
        let mut values: BTreeMap<_, _> = known
            .iter()
            .filter_map(|known| Some((known.name, known.default?.to_owned())))
            .collect();
        for text in given {
            let (name, value) = text
                .split_once('=')
                .with_context(|| format!("--set {text:?} has no `=`; write --set name=value"))?;
            let Some(known) = known.iter().find(|known| known.name == name) else {
                let names: Vec<&str> = known.iter().map(|known| known.name).collect();
                bail!(
                    "--set {name}: this platform has no such setting; it has {}",
                    names.join(", ")
                );
            };
            values.insert(known.name, value.to_owned());
        }
        Ok(Self(values))
    }

    /// A value, if there is one.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A value that has to be there.
    pub(super) fn required(&self, name: &str) -> anyhow::Result<String> {
        match self.text(name) {
            Some(value) if !value.is_empty() => Ok(value.to_owned()),
            _ => bail!("--set {name}=… is needed"),
        }
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> anyhow::Result<u64> {
        let text = self.required(name)?;
        text.parse().with_context(|| format!("--set {name}={text:?} isn't a whole number"))
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> anyhow::Result<T> {
        let text = self.required(name)?;
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(*value),
            None => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                bail!("--set {name}={text:?} has to be {}", words.join(" or "))
            }
        }
    }

    /// A list, separated by commas.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let parts = self.text(name).unwrap_or_default().split(',');
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [Known; 2] = [known("home", None), known("reply-seconds", Some("10"))];

    fn read(given: &[&str]) -> anyhow::Result<Settings> {
        let given: Vec<String> = given.iter().map(|text| (*text).to_owned()).collect();
        Settings::read(&given, &KNOWN)
    }

    #[test]
    fn values_replace_defaults() {
        let settings = read(&["home=h1"]).unwrap();
        assert_eq!(settings.required("home").unwrap(), "h1");
        assert_eq!(settings.number("reply-seconds").unwrap(), 10);
        assert_eq!(read(&["reply-seconds=2"]).unwrap().number("reply-seconds").unwrap(), 2);
        assert!(read(&["reply-seconds=x"]).unwrap().number("reply-seconds").is_err());
        assert!(read(&[]).unwrap().required("home").is_err());
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
        let error = read(&["hoem=h1"]).unwrap_err().to_string();
        assert!(error.contains("home, reply-seconds"), "{error}");
        assert!(read(&["home"]).is_err());
    }
}
