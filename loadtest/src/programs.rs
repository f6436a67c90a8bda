//! Other programs that are started: where they are, and which version.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::bail;

/// Where Debian puts servers, which isn't in everybody's PATH.
const SYSTEM: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// A program of the system.
///
/// # Errors
/// It isn't installed.
pub(crate) fn find(name: &str) -> anyhow::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .chain(SYSTEM.map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file());
    match found {
        Some(program) => Ok(program),
        None => bail!("{name} is not installed; on Debian: apt-get install {name}"),
    }
}

/// The proxy: `INTERLINGUA_BIN`, or what was built beside this program.
///
/// # Errors
/// There is none.
pub(crate) fn interlingua() -> anyhow::Result<PathBuf> {
    let program = match env::var_os("INTERLINGUA_BIN") {
        Some(program) => PathBuf::from(program),
        None => env::current_exe()?.with_file_name("interlingua"),
    };
    if !program.is_file() {
        bail!(
            "starting {}: it is not there; build it (`cargo build --release`), or name it in INTERLINGUA_BIN",
            program.display()
        );
    }
    Ok(program)
}

/// The first line that a program says about its version, without the address at its end.
pub(crate) fn version(name: &str, flag: &str) -> Option<String> {
    let output = Command::new(find(name).ok()?).arg(flag).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().next()?.trim();
    let words: Vec<&str> =
        line.split_whitespace().take_while(|word| !word.contains("://") && *word != "-").collect();
    (!words.is_empty()).then(|| words.join(" "))
}
