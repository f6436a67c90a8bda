//! What stands behind a listener in one shard: how its sessions are made, who is let in, and who is turned away.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use crate::config::NamePattern;
use crate::session::{Session, SessionPlan};
use crate::transport::{Arrival, Coming, DeviceCertificate, ListenSocket, Reception, Stream};
use crate::upstream::Reach;

use super::connection::Connection;
use super::crowd::{Crowd, Guest, TurnedAway};
use super::entering;
use super::handshake::Handshake;
use super::state::{Place, ShardState};
use super::{Branch, Doorkeeper, Post};

/// What every session of a post gets.
pub(super) struct Door {
    pub(super) name: Arc<str>,
    pub(super) plan: Arc<SessionPlan>,
    pub(super) reception: Arc<Reception>,
    pub(super) upstream: Arc<Reach>,
    pub(super) doorkeeper: Doorkeeper,
    pub(super) crowd: Arc<Crowd>,
    /// The reading of the file that the doorkeeper goes by, as far as the shard knows. Branches share it.
    pub(super) reading: Rc<Cell<u64>>,
    /// Doors behind this one, for devices whose certificate has a certain name.
    branches: Box<[(NamePattern, Rc<Door>)]>,
}

impl Door {
    pub(super) fn of(post: Post) -> (Rc<Self>, ListenSocket) {
        let Post { name, socket, plan, reception, upstream, branches, doorkeeper, crowd } = post;
        let door = Self {
            name,
            plan,
            reception,
            upstream,
            doorkeeper,
            crowd,
            reading: Rc::default(),
            branches: Box::default(),
        };
        let branches =
            branches.into_iter().map(|branch| (branch.certificate.clone(), door.behind(branch)));
        let branches = branches.collect();
        (Rc::new(Self { branches, ..door }), socket)
    }

    fn behind(&self, branch: Branch) -> Rc<Self> {
        let Branch { plan, upstream, .. } = branch;
        Rc::new(Self {
            name: self.name.clone(),
            plan,
            reception: self.reception.clone(),
            upstream,
            doorkeeper: self.doorkeeper.clone(),
            crowd: self.crowd.clone(),
            reading: self.reading.clone(),
            branches: Box::default(),
        })
    }

    /// What the device's certificate says, where somebody asks.
    fn certificate(&self, arrival: &Arrival) -> Option<DeviceCertificate> {
        let is_asked = !self.branches.is_empty()
            || self.plan.translator.reads_certificate()
            || matches!(self.doorkeeper, Doorkeeper::Certificate(_));
        if is_asked { arrival.stream.certificate() } else { None }
    }

    /// The door for this certificate. Who shows none, or one without exactly one common name, stays at this one.
    fn toward(self: &Rc<Self>, certificate: Option<&DeviceCertificate>) -> &Rc<Self> {
        let name = certificate.and_then(|shown| shown.common_name.as_deref());
        let fits =
            |(pattern, _): &&(NamePattern, Rc<Self>)| name.is_some_and(|name| pattern.fits(name));
        self.branches.iter().find(fits).map_or(self, |(_, door)| door)
    }

    /// The readings of the file that the doorkeeper goes by, if it does.
    pub(super) fn readings(&self) -> Option<watch::Receiver<u64>> {
        match &self.doorkeeper {
            Doorkeeper::Absent => None,
            Doorkeeper::Gate(gate) => Some(gate.readings()),
            Doorkeeper::Certificate(_) => self.reception.readings(),
        }
    }

    /// Begins the session of a connection, for which there is room, or the handshake before it.
    pub(super) fn admit(
        self: &Rc<Self>,
        coming: Coming,
        peer: SocketAddr,
        guest: Option<Guest>,
        state: &Rc<ShardState>,
    ) {
        state.tally.opened.add(1);
        let (accepted, place) = (Instant::now(), state.enter());
        state.seat(&place, guest);
        match coming {
            Coming::Tcp(stream) if self.reception.is_immediate() => {
                let arrival = Arrival { stream: Stream::from(stream), peer, reading: 0 };
                self.let_in(arrival, accepted, place, state);
            }
            coming => {
                let handshake = Handshake::new(self.clone(), state.clone(), place, peer, accepted);
                tokio::task::spawn_local(handshake.run(coming));
            }
        }
    }

    /// Lets a connection in that can speak MQTT. The time for its CONNECT runs since it was accepted.
    pub(super) fn let_in(
        self: &Rc<Self>,
        arrival: Arrival,
        accepted: Instant,
        place: Place,
        state: &Rc<ShardState>,
    ) {
        let shown = self.certificate(&arrival);
        let door = self.toward(shown.as_ref());
        let mut session = Session::new(door.plan.clone(), accepted);
        if door.plan.translator.reads_certificate()
            && let Some(shown) = &shown
        {
            session = session.with_certificate(shown.common_name.clone().unwrap_or_default());
        }
        let session = match &door.doorkeeper {
            Doorkeeper::Absent => session,
            Doorkeeper::Gate(gate) => session.with_access(gate.rules().clone()),
            Doorkeeper::Certificate(rules) => session.with_verdict(
                rules.clone(),
                entering::by_certificate(shown, arrival.reading, state),
            ),
        };
        let connection = Connection::new(session, arrival, door.clone(), place, state);
        tokio::task::spawn_local(connection);
    }

    /// Counts a connection where its address matters. `Err`: it is turned away, which is said here.
    pub(super) fn count(
        &self,
        peer: SocketAddr,
        state: &ShardState,
    ) -> Result<Option<Guest>, TurnedAway> {
        let Some(crowd) = self.counting() else { return Ok(None) };
        crowd.arrive(peer.ip(), Instant::now()).map(Some).inspect_err(|turned_away| {
            let TurnedAway { excess, told } = *turned_away;
            state.tally.turn_away(excess);
            let (listener, reason) = (&self.name, excess.label());
            tracing::debug!(%listener, %peer, reason, "connection turned away");
            if let Some(connections) = told {
                tracing::warn!(
                    %listener, latest = %peer, reason, connections,
                    "addresses with too many connections are turned away; raise the limits under [listener.limits] if they are a fleet"
                );
            }
        })
    }

    /// Who counts connections by their addresses, where that is wanted.
    pub(super) fn counting(&self) -> Option<&Arc<Crowd>> {
        Some(&self.crowd).filter(|crowd| crowd.counts_addresses())
    }

    pub(super) fn has_lost(&self, peer: SocketAddr, error: &io::Error) {
        tracing::debug!(listener = %self.name, %peer, %error, "connection lost while it was accepted");
    }
}
