//! Scenarios: what they say (`model`), how they are written (`keys`, `values`, `written`), whether it fits (`fits`), and
//! those that are built in (`presets`).
//!
//! Nothing here connects or measures. Invariant: what [`load`] gives is whole and fits.

mod fits;
mod keys;
mod model;
mod presets;
mod text;
mod values;
mod written;

use std::path::Path;

use anyhow::{Context, bail};
use interlingua::document::{Fault, closest, list_words};

pub(crate) use keys::{Flags, KEYS};
pub(crate) use model::{
    Burst, Encoding, Load, Pacing, Payload, Rate, Retain, Scenario, Stamping, Step, Subscribing,
};
pub(crate) use presets::{PRESETS, Preset};
pub(crate) use text::text;
pub(crate) use values::{time, time_above_zero};

use written::Layers;

/// What faults of flags carry for a file name.
const COMMAND_LINE: &str = "command line";

/// A preset or file with the flags over it; without either the defaults.
///
/// # Errors
/// Every fault, one per line.
pub(crate) fn load(source: Option<&str>, flags: &Flags) -> anyhow::Result<Scenario> {
    let mut layers = Layers::default();
    let mut faults = Vec::new();
    if let Some(source) = source {
        let (name, text) = find(source)?;
        faults.extend(layers.read(&name, &text));
    }
    faults.extend(layers.read(COMMAND_LINE, &flags.toml));
    if faults.is_empty() {
        faults = fits::faults(&layers);
    }
    if faults.is_empty() {
        return Ok(layers.scenario);
    }
    let lines: Vec<String> = faults.iter().map(|fault| as_flag(fault).to_string()).collect();
    bail!("{}", lines.join("\n"))
}

/// A fault of the command line names the flag, and no line.
fn as_flag(fault: &Fault) -> Fault {
    let mut fault = fault.clone();
    if fault.file == COMMAND_LINE {
        fault.line = 0;
        if let Some(key) = KEYS.iter().find(|key| key.path == fault.key) {
            fault.key = format!("--{}", key.flag);
        }
    }
    fault
}

/// The preset of this name.
pub(crate) fn preset(name: &str) -> anyhow::Result<&'static Preset> {
    let names = || PRESETS.iter().map(|preset| preset.name);
    if let Some(preset) = PRESETS.iter().find(|preset| preset.name == name) {
        return Ok(preset);
    }
    match closest(name, names()) {
        Some(meant) => bail!("there is no scenario `{name}`; did you mean `{meant}`?"),
        None => bail!(
            "there is no scenario `{name}`; there are {}, or write a file's path",
            list_words(names())
        ),
    }
}

/// A file's or preset's name and text. What looks like a path is one.
fn find(source: &str) -> anyhow::Result<(String, String)> {
    if source.contains(['/', '\\']) || source.ends_with(".toml") || Path::new(source).is_file() {
        let text = std::fs::read_to_string(source).with_context(|| format!("reading {source}"))?;
        return Ok((source.to_owned(), text));
    }
    let preset = preset(source)?;
    Ok((format!("{}.toml", preset.name), preset.text.to_owned()))
}

/// `scenarios`: those that are built in, or the text of one.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Print this one
    name: Option<String>,
}

/// Lists the presets or prints one.
pub(crate) fn show(options: &Options) -> anyhow::Result<()> {
    if let Some(name) = &options.name {
        print!("{}", preset(name)?.text);
        return Ok(());
    }
    for preset in PRESETS {
        let about = load(Some(preset.name), &Flags::default())?.about;
        println!("{:16} {about}", preset.name);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
