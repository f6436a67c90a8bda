//! What a configuration refers to outside its text: files next to it, and the environment.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use anyhow::Context;

use crate::config::{self, Config, Lookup};

use super::all_faults;

/// Reads a configuration file with everything that it refers to.
///
/// # Errors
/// When the file can't be read, or with every fault in it.
pub(crate) fn load(path: &Path) -> anyhow::Result<Config> {
    let text =
        fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let name = path.display().to_string();
    let config = config::load(&name, &text, &mut |lookup| look_up(&folder, lookup))
        .map_err(|faults| all_faults(&faults))?;
    Ok(Config { folder, ..config })
}

/// What a configuration or a command line refers to. Relative paths start at `folder`.
///
/// # Errors
/// Why it can't be had, for a person.
pub(crate) fn look_up(folder: &Path, lookup: Lookup<'_>) -> Result<String, String> {
    match lookup {
        Lookup::Environment(name) => match env::var(name) {
            Ok(value) => Ok(value),
            Err(env::VarError::NotPresent) => Err("it is not set".to_owned()),
            Err(env::VarError::NotUnicode(_)) => Err("it is not UTF-8".to_owned()),
        },
        Lookup::File(path) => {
            let path: PathBuf = folder.join(path);
            fs::read_to_string(&path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => format!("there is no file {}", path.display()),
                _ => format!("{} can't be read: {error}", path.display()),
            })
        }
    }
}
