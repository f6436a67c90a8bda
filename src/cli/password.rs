//! `password`: the line of a user for the file of `[listener.access] passwords`.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::Context;
use argon2::password_hash::phc::Salt;
use clap::Args;

use crate::access::{Password, line_of};

/// Bytes of a password that MQTT can carry.
const PASSWORD_BYTES_MAX: u64 = 65_535;

/// The options of `password`.
#[derive(Debug, Args)]
pub(crate) struct PasswordLine {
    /// The user name
    #[arg(value_name = "NAME")]
    name: String,
}

impl PasswordLine {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let password = read()?;
        let line = line_of(&self.name, &password, &Salt::generate())
            .map_err(|message| anyhow::anyhow!("{message}"))?;
        writeln!(io::stdout(), "{line}")?;
        Ok(())
    }
}

/// From the terminal, unseen and twice; otherwise the first line of standard input.
fn read() -> anyhow::Result<Password> {
    let password = if io::stdin().is_terminal() {
        let first = rpassword::prompt_password("Password: ")?;
        let again = rpassword::prompt_password("Again: ")?;
        anyhow::ensure!(first == again, "the two are different; try again");
        first.into_bytes()
    } else {
        first_line(&mut io::stdin().lock())?
    };
    anyhow::ensure!(!password.is_empty(), "the password is empty; write it to standard input");
    Ok(Password::new(&password))
}

/// Bytes up to the first newline; it may be any bytes, as in MQTT.
fn first_line(input: &mut dyn BufRead) -> anyhow::Result<Vec<u8>> {
    let mut line = Vec::new();
    // A newline may follow the longest password.
    let mut bounded = io::Read::take(input, PASSWORD_BYTES_MAX + 2);
    bounded.read_until(b'\n', &mut line).context("standard input can't be read")?;
    if line.ends_with(b"\n") {
        line.pop();
        if line.ends_with(b"\r") {
            line.pop();
        }
    }
    let long = line.len() as u64 > PASSWORD_BYTES_MAX;
    anyhow::ensure!(
        !long,
        "the password is longer than {PASSWORD_BYTES_MAX} bytes, which MQTT can't carry"
    );
    Ok(line)
}
