//! New certificates while the proxy runs.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;

use super::{ClientTls, ServerTls, TlsFault, build, files};

/// What the next handshake uses, and of which files it was made.
#[derive(Debug)]
pub(super) struct Current<C> {
    /// With the number of the reading that it is of.
    config: RwLock<(u64, Arc<C>)>,
    /// The number of the latest reading; it changes after the configuration.
    readings: watch::Sender<u64>,
    /// Of the files as they were last seen, good or not: a fault is told once.
    seen: Mutex<u64>,
}

/// Why files are looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// It is time: only what has changed is of interest.
    Clock,
    /// Somebody asked: everything is read, also what the system trusts.
    Request,
}

/// What came of looking.
enum Outcome {
    Same,
    Renewed,
    Refused(TlsFault),
}

impl<C> Current<C> {
    pub(super) fn new(config: C, seen: u64) -> Self {
        let config = RwLock::new((0, Arc::new(config)));
        Self { config, readings: watch::Sender::new(0), seen: Mutex::new(seen) }
    }

    /// The number of the reading, and what came of it.
    pub(super) fn get(&self) -> (u64, Arc<C>) {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn readings(&self) -> watch::Receiver<u64> {
        self.readings.subscribe()
    }

    fn replace(&self, config: C) {
        let mut current = self.config.write().unwrap_or_else(PoisonError::into_inner);
        let reading = current.0 + 1;
        *current = (reading, Arc::new(config));
        drop(current);
        self.readings.send_replace(reading);
    }

    fn renew(
        &self,
        trigger: Trigger,
        found: u64,
        build: impl FnOnce() -> Result<C, TlsFault>,
    ) -> Outcome {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == found && trigger == Trigger::Clock {
            return Outcome::Same;
        }
        *seen = found;
        match build() {
            Ok(config) => {
                self.replace(config);
                Outcome::Renewed
            }
            Err(fault) => Outcome::Refused(fault),
        }
    }
}

/// Everything of a process whose certificates can change.
#[derive(Debug, Default)]
pub struct Renewal {
    servers: Vec<Arc<ServerTls>>,
    clients: Vec<Arc<ClientTls>>,
}

impl Renewal {
    pub(in crate::transport) fn watch_server(&mut self, tls: &Arc<ServerTls>) {
        self.servers.push(tls.clone());
    }

    pub(in crate::transport) fn watch_client(&mut self, tls: &Arc<ClientTls>) {
        self.clients.push(tls.clone());
    }

    /// Whether there is nothing that could change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty() && self.clients.is_empty()
    }

    /// Looks at all files again. Each that is new is used from the next handshake on, or refused with a line in the log.
    pub fn look(&self, trigger: Trigger) {
        for server in &self.servers {
            let (tls, folder): (_, &Path) = (&server.tls, &server.folder);
            let found = files::print(tls.paths(), folder);
            tell(
                "listener",
                &server.listener,
                server.current.renew(trigger, found, || build::server(tls, server.carrier, folder)),
            );
        }
        for client in &self.clients {
            let (tls, folder): (_, &Path) = (&client.tls, &client.folder);
            let found = files::print(tls.paths(), folder);
            tell(
                "upstream",
                &client.upstream,
                client.current.renew(trigger, found, || build::client(tls, client.carrier, folder)),
            );
        }
    }
}

fn tell(what: &str, name: &str, outcome: Outcome) {
    match outcome {
        Outcome::Same => {}
        Outcome::Renewed => tracing::info!(
            "certificates of {what} {name} were read again; new connections use them"
        ),
        Outcome::Refused(fault) => tracing::error!(
            error = %fault,
            "certificates of {what} {name} were not taken over; the old ones stay"
        ),
    }
}
