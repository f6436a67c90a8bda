//! The file of `--users`: which devices the platform knows, with their credentials.
//!
//! Invariant: a key that no platform has is an error, and so is a device that stands there twice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

/// One `[[device]]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    /// The device's name on the platform: device identifier, UID of the Thing, UUID.
    pub(super) name: String,
    /// OmniCore: files with public keys.
    #[serde(default)]
    pub(super) keys: Vec<PathBuf>,
    /// OmniCore: a gateway.
    #[serde(default)]
    pub(super) gateway: bool,
    /// OmniCore: the gateways that the device is bound to.
    #[serde(default)]
    pub(super) gateways: Vec<String>,
    /// SmartWorks, MQTT2GO.
    #[serde(default)]
    pub(super) user: Option<String>,
    /// SmartWorks, MQTT2GO; Xyte: the access key.
    #[serde(default)]
    pub(super) password: Option<String>,
    /// SmartWorks: the patterns that may be published to.
    #[serde(default)]
    pub(super) publish: Vec<String>,
    /// SmartWorks: the patterns that may be subscribed to.
    #[serde(default)]
    pub(super) subscribe: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    device: Vec<User>,
}

/// The devices by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Users(BTreeMap<String, User>);

impl Users {
    /// Reads the file. Names of key files count from where it is.
    ///
    /// # Errors
    /// A file that can't be read or isn't one, a device without name or twice.
    pub(super) fn load(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::parse(&text, folder).with_context(|| path.display().to_string())
    }

    fn parse(text: &str, folder: &Path) -> anyhow::Result<Self> {
        let file: File = toml::from_str(text)?;
        let mut users = BTreeMap::new();
        for mut user in file.device {
            if user.name.is_empty() {
                bail!("a [[device]] has an empty name");
            }
            for key in &mut user.keys {
                *key = folder.join(&*key);
            }
            let name = user.name.clone();
            if users.insert(name.clone(), user).is_some() {
                bail!("[[device]] {name:?} stands there twice");
            }
        }
        Ok(Self(users))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, name: &str) -> Option<&User> {
        self.0.get(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &User> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_files_stand_beside_the_file() {
        let text = "[[device]]\nname = \"gw1\"\nkeys = [\"gw1.pem\"]\ngateway = true\n";
        let users = Users::parse(text, Path::new("fleet")).unwrap();
        let gateway = users.get("gw1").unwrap();
        assert!(gateway.gateway);
        assert_eq!(gateway.keys, [Path::new("fleet/gw1.pem")]);
        assert!(users.get("gw2").is_none());
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        for text in [
            "[[device]]\nname = \"a\"\nkey = \"a.pem\"\n",
            "[[device]]\nname = \"a\"\n[[device]]\nname = \"a\"\n",
            "[[device]]\nname = \"\"\n",
            "[[device]]\n",
        ] {
            assert!(Users::parse(text, Path::new(".")).is_err(), "{text}");
        }
    }
}
