//! What a target is, as it is written: `HOST:PORT`, `haproxy`, `interlingua=ARGS`, `command=PROGRAM ARGS`, `direct`.
//!
//! Nothing is started here. Invariant: a command line that came out of [`Spec::command_line`] has no placeholder left.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::command_line;
use crate::engine::plan::resolve;
use crate::programs;
use crate::results::TargetText;

/// What may be written, for faults.
const FORMS: &str =
    "write HOST:PORT, haproxy, interlingua=ARGUMENTS, command=PROGRAM ARGUMENTS, or direct";
/// The preset's configuration: TCP mode, one thread.
const HAPROXY: &str = include_str!("haproxy.cfg");
/// Connections of HAProxy beside the devices': it counts those of the readiness test and of devices that come back.
const SPARE_CONNECTIONS: u32 = 200;

/// A target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spec {
    /// The sink or echo itself.
    Direct,
    /// Debian's HAProxy in TCP mode, on one thread.
    Haproxy,
    /// The proxy, with these arguments of `serve`.
    Interlingua(Vec<String>),
    /// Any program, with `{listen}` and `{upstream}` in its words.
    Command(Vec<String>),
    /// Something that runs already.
    Running { address: SocketAddr, pid: Option<i32> },
}

/// What a command line is filled with.
#[derive(Debug)]
pub(crate) struct Place<'p> {
    /// Where the target listens.
    pub(crate) listen: SocketAddr,
    /// Where the sink or echo listens.
    pub(crate) upstream: SocketAddr,
    /// A folder for its files.
    pub(crate) folder: &'p Path,
    /// How many devices there will be.
    pub(crate) devices: u32,
}

impl Spec {
    /// Reads what was written.
    ///
    /// # Errors
    /// What isn't understood, and what to write instead.
    pub(crate) fn parse(text: &str, pid: Option<i32>) -> anyhow::Result<Self> {
        let (name, arguments) = match text.split_once('=') {
            Some((name, arguments)) => (name, Some(arguments)),
            None => (text, None),
        };
        let words = || {
            shell_words::split(arguments.unwrap_or_default())
                .with_context(|| format!("`{text}`: a quote isn't closed"))
        };
        let spec = match (name, arguments) {
            ("direct", None) => Spec::Direct,
            ("haproxy", None) => Spec::Haproxy,
            ("interlingua", _) => Spec::Interlingua(words()?),
            ("command", Some(_)) => Spec::command(words()?)?,
            _ if text.contains(':') => {
                return Ok(Spec::Running { address: resolve(text)?, pid });
            }
            _ => bail!("`{text}` is no target; {FORMS}"),
        };
        if let Some(pid) = pid {
            bail!("`{text}` is started here, so its process is known; leave pid {pid} out");
        }
        Ok(spec)
    }

    fn command(words: Vec<String>) -> anyhow::Result<Self> {
        let all = words.join(" ");
        if words.is_empty() {
            bail!("`command=` without a command; {FORMS}");
        }
        if !all.contains("{listen}") && !all.contains("{listen_port}") {
            bail!(
                "`command={all}` doesn't say where to listen; write `{{listen}}` where HOST:PORT belongs, or `{{listen_port}}`, and \
                 `{{upstream}}` or `{{upstream_port}}` for the address of the sink behind it"
            );
        }
        Ok(Spec::Command(words))
    }

    /// Program and arguments of what is started; `None` if nothing is.
    pub(crate) fn command_line(&self, place: &Place<'_>) -> anyhow::Result<Option<Vec<String>>> {
        let listen = place.listen.to_string();
        let words = match self {
            Spec::Direct | Spec::Running { .. } => return Ok(None),
            Spec::Haproxy => {
                let path = place.folder.join("haproxy.cfg");
                let connections = (place.devices + SPARE_CONNECTIONS).to_string();
                let text = filled(HAPROXY, place).replace("{connections}", &connections);
                fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
                vec![
                    text_of(programs::find("haproxy")?),
                    "-q".into(),
                    "-db".into(),
                    "-f".into(),
                    text_of(path),
                ]
            }
            Spec::Interlingua(arguments) => {
                let mut words = vec![text_of(programs::interlingua()?), "serve".to_owned()];
                words.extend(["--listen".to_owned(), format!("tcp://{listen}")]);
                words.extend(["--upstream".to_owned(), format!("mqtt://{}", place.upstream)]);
                words.extend_from_slice(&self.interlingua_arguments(arguments));
                words
            }
            Spec::Command(words) => words.iter().map(|word| filled(word, place)).collect(),
        };
        Ok(Some(words))
    }

    /// Without any it forwards and translates nothing.
    fn interlingua_arguments(&self, arguments: &[String]) -> Vec<String> {
        if arguments.is_empty() {
            return ["--from", "plain", "--to", "plain"].map(str::to_owned).to_vec();
        }
        arguments.to_vec()
    }

    /// In words, for reports.
    pub(crate) fn text(&self) -> TargetText {
        let text = |name: &str, about: String| TargetText { name: name.to_owned(), about };
        match self {
            Spec::Direct => text("direct", "the sink itself, with nothing before it".to_owned()),
            Spec::Haproxy => {
                let version = programs::version("haproxy", "-v");
                let version = version.unwrap_or_else(|| "HAProxy of unknown version".to_owned());
                text("haproxy", format!("{version}, mode tcp, nbthread 1"))
            }
            Spec::Interlingua(arguments) => {
                let arguments = command_line::shown(&self.interlingua_arguments(arguments));
                text("interlingua", format!("interlingua serve {arguments}"))
            }
            Spec::Command(words) => {
                let name = words.first().map_or("", String::as_str);
                let name = Path::new(name).file_name().unwrap_or_default().to_string_lossy();
                text(&name, command_line::shown(words))
            }
            Spec::Running { address, pid: Some(pid) } => {
                text(&address.to_string(), format!("process {pid} at {address}"))
            }
            Spec::Running { address, pid: None } => {
                text(&address.to_string(), format!("something at {address}, its process unknown"))
            }
        }
    }
}

fn text_of(path: PathBuf) -> String {
    path.to_string_lossy().into_owned()
}

fn filled(text: &str, place: &Place<'_>) -> String {
    text.replace("{listen}", &place.listen.to_string())
        .replace("{listen_port}", &place.listen.port().to_string())
        .replace("{upstream}", &place.upstream.to_string())
        .replace("{upstream_port}", &place.upstream.port().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        shell_words::split(text).expect("words")
    }

    #[test]
    fn targets_are_read() {
        let at = "127.0.0.1:1883".parse().expect("an address");
        for (text, pid, expected) in [
            ("direct", None, Spec::Direct),
            ("haproxy", None, Spec::Haproxy),
            ("interlingua", None, Spec::Interlingua(vec![])),
            ("interlingua=--from 'a b'", None, Spec::Interlingua(words("--from 'a b'"))),
            ("command=p {listen} x=1", None, Spec::Command(words("p {listen} x=1"))),
            ("mqtt://127.0.0.1:1883", Some(7), Spec::Running { address: at, pid: Some(7) }),
        ] {
            assert_eq!(Spec::parse(text, pid).expect(text), expected);
        }
    }

    #[test]
    fn what_is_no_target_is_refused_with_a_remedy() {
        for (text, pid, expected) in [
            ("haprxy", None, "write HOST:PORT, haproxy"),
            ("haproxy=x", None, "write HOST:PORT, haproxy"),
            ("command=", None, "without a command"),
            ("command=nginx", None, "write `{listen}`"),
            ("command=sh -c '", None, "quote"),
            ("haproxy", Some(1), "leave pid 1 out"),
        ] {
            let fault = format!("{:#}", Spec::parse(text, pid).expect_err(text));
            assert!(fault.contains(expected), "{text}: {fault}");
        }
    }

    #[test]
    fn placeholders_are_filled() {
        let place = Place {
            listen: "127.0.0.1:7001".parse().expect("an address"),
            upstream: "127.0.0.1:7002".parse().expect("an address"),
            folder: Path::new("."),
            devices: 1,
        };
        let spec =
            Spec::parse("command=p -l {listen} -u={upstream} {listen_port}:{upstream_port}", None);
        let filled = spec.and_then(|spec| spec.command_line(&place)).expect("a command");
        assert_eq!(filled, Some(words("p -l 127.0.0.1:7001 -u=127.0.0.1:7002 7001:7002")));
        assert_eq!(Spec::Direct.command_line(&place).expect("nothing"), None);
        assert!(!super::filled(HAPROXY, &place).replace("{connections}", "1").contains('{'));
    }

    #[test]
    fn a_target_in_words_has_no_secrets() {
        let spec = Spec::parse("interlingua=--set token=TOK", None).expect("a target");
        assert_eq!(spec.text().about, "interlingua serve --set token=…");
    }
}
