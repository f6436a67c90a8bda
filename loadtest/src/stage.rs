//! The proxy as what a command starts and watches: its papers, its configuration, its process, and what it says.
//!
//! Invariant: what was started here is ended here, however the run ends.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tempfile::TempDir;

use crate::compare::{cores, end};
use crate::programs;

/// Starting takes moments; on a busy machine, seconds.
const DEADLINE: Duration = Duration::from_secs(20);
/// How often a condition is looked at that nobody announces.
const LOOK: Duration = Duration::from_millis(10);
/// What the certificates are for.
pub(crate) const HOST: &str = "localhost";

/// Who vouches for the proxy.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, as PEM.
#[derive(Debug, Clone)]
pub(crate) struct Papers {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// New papers for [`HOST`].
    pub(crate) fn vouch(&self) -> anyhow::Result<Papers> {
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(vec![HOST.to_owned()])?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Papers { certificate, key: key.serialize_pem() })
    }

    /// How a client that trusts it shakes hands: in full each time.
    pub(crate) fn client(&self) -> anyhow::Result<rustls::ClientConfig> {
        client(self.pem.as_bytes())
    }
}

/// A client that trusts whoever is in this PEM, and never comes back with a ticket.
pub(crate) fn client(authority: &[u8]) -> anyhow::Result<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority).context("the authority's certificate")?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// A running proxy in a folder of its own.
pub(crate) struct Stage {
    folder: TempDir,
    authority: Authority,
    child: Guarded,
    pid: Pid,
    addresses: Vec<(String, SocketAddr)>,
}

/// What has to be ended; shared with whoever waits for signals.
type Guarded = Arc<Mutex<Option<Child>>>;

/// Ends what runs when a signal comes for the second time; the first one sets `stop`.
#[derive(Debug, Clone)]
pub(crate) struct Watchman {
    child: Guarded,
    pub(crate) stop: Arc<AtomicBool>,
}

impl Watchman {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let watchman = Self { child: Arc::default(), stop: Arc::default() };
        let (child, stop) = (Arc::clone(&watchman.child), Arc::clone(&watchman.stop));
        let mut signals = Signals::new([SIGINT, SIGTERM]).context("waiting for signals")?;
        thread::spawn(move || {
            for signal in signals.forever() {
                if stop.swap(true, Ordering::Relaxed) {
                    end(child.lock().unwrap_or_else(PoisonError::into_inner).take());
                    std::process::exit(128 + signal);
                }
            }
        });
        Ok(watchman)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Stage {
    /// Starts the proxy on these cores with this configuration, whose relative paths are those of the stage, and waits until
    /// all of its listeners listen.
    ///
    /// # Errors
    /// It doesn't start; what it said is in the error.
    pub(crate) fn start(
        configuration: &str,
        on: &[usize],
        watchman: &Watchman,
    ) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("interlingua-loadtest-").context("a temporary folder")?;
        let authority = Authority::new()?;
        write(folder.path(), &authority.vouch()?)?;
        fs::write(folder.path().join("authority.pem"), &authority.pem)?;
        let file = folder.path().join("proxy.toml");
        fs::write(&file, configuration)?;
        let log = fs::File::create(folder.path().join("proxy.log"))?;
        let mut command = Command::new(programs::interlingua()?);
        command
            .args(["serve", "--config"])
            .arg(&file)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // The terminal's SIGINT isn't meant for it.
            .process_group(0);
        let mut kept = watchman.child.lock().unwrap_or_else(PoisonError::into_inner);
        let child = cores::on(on, || command.spawn().context("starting the proxy"))?;
        let pid = Pid::from_child(&child);
        *kept = Some(child);
        drop(kept);
        let child = Arc::clone(&watchman.child);
        let mut stage = Self { folder, authority, child, pid, addresses: Vec::new() };
        stage.await_listening(configuration.matches("[[listener]]").count())?;
        Ok(stage)
    }

    fn await_listening(&mut self, listeners: usize) -> anyhow::Result<()> {
        let until = Instant::now() + DEADLINE;
        loop {
            let text = self.log();
            self.addresses = text.lines().filter_map(listening).collect();
            if self.addresses.len() >= listeners {
                return Ok(());
            }
            if Instant::now() > until || !self.is_running() {
                bail!("the proxy doesn't start; it said: {}", text.trim());
            }
            thread::sleep(LOOK);
        }
    }

    /// Where a listener listens.
    pub(crate) fn address(&self, listener: &str) -> anyhow::Result<SocketAddr> {
        let found = self.addresses.iter().find(|(name, _)| name == listener);
        found.map(|(_, address)| *address).with_context(|| format!("no listener {listener}"))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_pid()
    }

    /// Who vouches for it, as a file.
    pub(crate) fn authority_file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Replaces its certificate and key, and tells it by SIGHUP.
    pub(crate) fn replace(&self, papers: &Papers) -> anyhow::Result<()> {
        write(self.folder.path(), papers)?;
        kill_process(self.pid, Signal::HUP).context("SIGHUP to the proxy")
    }

    /// All that it has said.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.folder.path().join("proxy.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(crate) fn is_running(&self) -> bool {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        end(self.child.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Writes papers; each file is replaced in one step.
fn write(folder: &Path, papers: &Papers) -> anyhow::Result<()> {
    for (name, text) in [("server.pem", &papers.certificate), ("server.key", &papers.key)] {
        let new = folder.join("new");
        fs::write(&new, text).and_then(|()| fs::rename(&new, folder.join(name)))?;
    }
    Ok(())
}

/// Name and address in a line such as `… INFO listening listener=field address=127.0.0.1:1883 …`.
fn listening(line: &str) -> Option<(String, SocketAddr)> {
    let words = line.split_once(" listening ")?.1;
    let value = |key: &str| words.split(' ').find_map(|word| word.strip_prefix(key));
    Some((value("listener=")?.to_owned(), value("address=")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_listener_is_read() {
        let line =
            "2026-01-01T00:00:00Z  INFO listening listener=field address=127.0.0.1:1883 from=plain";
        let address = "127.0.0.1:1883".parse().expect("an address");
        assert_eq!(listening(line), Some(("field".to_owned(), address)));
        assert_eq!(listening("INFO admin interface address=127.0.0.1:1"), None);
    }
}
