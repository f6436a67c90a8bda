//! `dialects`: what is built in.

use std::io::Write;

use anyhow::bail;
use clap::Args;

use crate::dialect::{Dialect, builtin, builtin_names, builtin_text};
use crate::document::{closest, list_words};

/// The options of `dialects`.
#[derive(Debug, Args)]
pub(crate) struct Dialects {
    /// Print this dialect's table
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// As JSON: names, titles, versions, variables and topics
    #[arg(long, conflicts_with = "name")]
    json: bool,
}

impl Dialects {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        match &self.name {
            Some(name) => print_table(name),
            None if self.json => print_json(),
            None => {
                for dialect in all() {
                    let versions: Vec<String> =
                        dialect.versions.iter().map(ToString::to_string).collect();
                    writeln!(
                        std::io::stdout(),
                        "{:<14} {:<52} MQTT {}",
                        dialect.name,
                        dialect.title,
                        versions.join(", ")
                    )?;
                }
                writeln!(
                    std::io::stdout(),
                    "\n`interlingua dialects NAME` prints a table; a copy of it is a start for your own."
                )?;
                Ok(())
            }
        }
    }
}

fn all() -> impl Iterator<Item = Dialect> {
    builtin_names().filter_map(|name| builtin(name)?.ok())
}

fn print_table(name: &str) -> anyhow::Result<()> {
    let Some(text) = builtin_text(name) else {
        let remedy = match closest(name, builtin_names()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("there are {}", list_words(builtin_names())),
        };
        bail!("`{name}` is not built in; {remedy}");
    };
    write!(std::io::stdout(), "{text}")?;
    Ok(())
}

fn print_json() -> anyhow::Result<()> {
    let dialects: Vec<serde_json::Value> = all()
        .map(|dialect| {
            let versions: Vec<String> = dialect.versions.iter().map(ToString::to_string).collect();
            let variables: Vec<&str> =
                dialect.variables.iter().map(|variable| &*variable.name).collect();
            let topics: Vec<serde_json::Value> = dialect
                .forms
                .iter()
                .map(|form| {
                    serde_json::json!({
                        "kind": form.kind.to_string(),
                        "template": form.template.to_string(),
                        "shape": form.shape_word(),
                    })
                })
                .collect();
            serde_json::json!({
                "name": *dialect.name,
                "title": dialect.title,
                "mqtt": versions,
                "variables": variables,
                "options": dialect.options(),
                "topics": topics,
            })
        })
        .collect();
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&dialects)?)?;
    Ok(())
}
