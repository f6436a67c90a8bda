//! `check`: is this configuration sound?

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::server;

use super::{all_errors, files};

/// The options of `check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The configuration file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Check {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let config = files::load(&self.file)?;
        server::check(&config).map_err(|errors| all_errors(&errors))?;
        writeln!(std::io::stdout(), "{} is sound", self.file.display())?;
        for listener in &config.listeners {
            let upstream = &listener.upstream;
            writeln!(
                std::io::stdout(),
                "  {} on {}: {} to {} at {} ({})",
                listener.name,
                listener.bind,
                listener.dialect,
                upstream.dialect,
                upstream.url,
                upstream.name
            )?;
            for route in &listener.routes {
                let upstream = &route.upstream;
                writeln!(
                    std::io::stdout(),
                    "    certificate {}: to {} at {} ({})",
                    route.certificate,
                    upstream.dialect,
                    upstream.url,
                    upstream.name
                )?;
            }
        }
        Ok(())
    }
}
