//! The session itself: its phases, and which packet goes where. Each family of packets has a file of its own.

use std::sync::Arc;
use std::time::Instant;

use crate::mqtt::{PINGREQ, PropertyBuffer, ReasonCode, Version};
use crate::translate::{self, Memory, Refusal, SessionNames, Way};

use super::attachments::Attachments;
use super::bounds::Bounds;
use super::end::End;
use super::exchanges::Exchanges;
use super::feed::Behind;
use super::joins::BothJoins;
use super::keep_alive::KeepAlive;
use super::plan::SessionPlan;
use super::subscriptions::Subscriptions;
use super::tally::Tally;
use super::will::EmulatedWill;

/// Buffers that all sessions of a shard share while one of them is awake.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) names: translate::Scratch,
    pub(super) properties: PropertyBuffer,
    /// For what is guarded first and changed then.
    pub(super) guarded: PropertyBuffer,
}

impl Scratch {
    /// Buffers whose generated identifiers start at `serial`; each shard starts somewhere else.
    #[must_use]
    pub fn starting_at(serial: u64) -> Self {
        let mut scratch = Self::default();
        scratch.names.serial = serial;
        scratch
    }

    /// Says what time it is, in milliseconds since 1970, for payloads that carry one.
    pub fn set_time(&mut self, unix_ms: u64) {
        self.names.received_ms = unix_ms;
    }
}

/// What a session gets with each call: the time, where to write, what to count with.
#[derive(Debug)]
pub struct Wake<'a> {
    /// Now. Read once by the shell.
    pub now: Instant,
    /// What the device is to be sent; the session only appends.
    pub to_device: &'a mut Vec<u8>,
    /// What the upstream is to be sent; the session only appends.
    pub to_upstream: &'a mut Vec<u8>,
    /// The shard's buffers.
    pub scratch: &'a mut Scratch,
    /// The shard's counters.
    pub tally: &'a Tally,
}

/// Where a session is. See the picture in the room's own documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    AwaitConnect,
    AwaitUpstream,
    AwaitConnack,
    Running,
    /// The device is gone for this cause; its emulated will is on the way.
    Leaving(End),
    Ended(End),
}

/// One device's conversation.
#[derive(Debug)]
pub struct Session {
    pub(super) plan: Arc<SessionPlan>,
    pub(super) phase: Phase,
    /// The version that the device speaks.
    pub(super) version: Version,
    /// The version that the upstream is spoken to in; another one only in a translated session.
    pub(super) upstream_version: Version,
    pub(super) keep_alive: KeepAlive,
    /// When the current phase has taken too long.
    pub(super) phase_deadline: Option<Instant>,
    /// QoS 2 exchanges with the device that end here.
    pub(super) up: Exchanges,
    /// QoS 2 exchanges with the upstream that end here.
    pub(super) down: Exchanges,
    pub(super) names: SessionNames,
    pub(super) subscriptions: Option<Box<Subscriptions>>,
    pub(super) will: Option<Box<EmulatedWill>>,
    /// The largest packet that each side takes: the smaller of its own and the proxy's limit. In 5 the other
    /// side was told.
    pub(super) device_takes: usize,
    pub(super) upstream_takes: usize,
    /// Only where a message may become several.
    pub(super) joins: Option<Box<BothJoins>>,
    pub(super) memory: Memory,
    /// What one side grants and the other side's version has no word for.
    pub(super) bounds: Bounds,
    /// Only where the upstream wants devices attached.
    pub(super) attachments: Option<Box<Attachments>>,
    pub(super) client_identifier: Box<str>,
    /// The device asked for a session that outlives the connection, and the upstream's platform has none.
    pub(super) loses_session: bool,
    /// By the side that packets come from, whether some were left.
    pub(super) behind: Behind,
    refusal: Option<(Way, Refusal)>,
}

impl Session {
    /// A session whose device has just connected.
    #[must_use]
    pub fn new(plan: Arc<SessionPlan>, now: Instant) -> Self {
        let limits = &plan.limits;
        Self {
            phase: Phase::AwaitConnect,
            version: Version::V5,
            upstream_version: Version::V5,
            bounds: Bounds::default(),
            keep_alive: KeepAlive::new(0, now),
            phase_deadline: Some(now + limits.connect_timeout),
            up: Exchanges::default(),
            down: Exchanges::default(),
            names: SessionNames::default(),
            subscriptions: None,
            will: None,
            memory: Memory::default(),
            device_takes: limits.packet_size_max,
            upstream_takes: limits.packet_size_max,
            joins: (plan.translator.attaches()
                || [Way::Up, Way::Down].iter().any(|way| plan.translator.may_split(*way)))
            .then(Box::default),
            attachments: plan.translator.attaches().then(Box::default),
            client_identifier: "".into(),
            loses_session: false,
            behind: Behind::default(),
            refusal: None,
            plan,
        }
    }

    /// The device's connection is closed or broken.
    pub fn on_device_closed(&mut self, wake: &mut Wake<'_>) {
        if self.hears_device() || self.phase == Phase::AwaitUpstream {
            self.end_for_device(End::DeviceClosed, wake);
        }
    }

    /// The upstream's connection is closed or broken.
    pub fn on_upstream_closed(&mut self, wake: &mut Wake<'_>) {
        match self.phase {
            Phase::AwaitConnack => {
                self.refuse_connect(End::UpstreamClosed, ReasonCode::ServerUnavailable, wake)
            }
            Phase::Leaving(end) => self.phase = Phase::Ended(end),
            _ => self.end_for_upstream(End::UpstreamClosed, wake),
        }
    }

    /// The upstream's connection is open, and CONNECT goes out now. The deadline stays: it is for opening and
    /// CONNACK together.
    pub fn on_upstream_open(&mut self, now: Instant) {
        if self.phase == Phase::AwaitUpstream {
            self.phase = Phase::AwaitConnack;
            self.keep_alive.upstream_told(now);
        }
    }

    /// The upstream can't be reached: the device is told before it was ever accepted.
    pub fn on_upstream_unreachable(&mut self, wake: &mut Wake<'_>) {
        if self.phase == Phase::AwaitUpstream {
            self.refuse_connect(End::UpstreamUnreachable, ReasonCode::ServerUnavailable, wake);
        }
    }

    /// The proxy stops: the device is told, the upstream sees a connection that breaks.
    pub fn on_drain(&mut self, wake: &mut Wake<'_>) {
        match self.phase {
            Phase::Running => self.end_for_device(End::Drained, wake),
            Phase::AwaitUpstream | Phase::AwaitConnack => {
                // CONNACK has no "server shutting down" (v5 section 3.2.2.2).
                self.refuse_connect(End::Drained, ReasonCode::ServerUnavailable, wake);
            }
            Phase::AwaitConnect => self.phase = Phase::Ended(End::Drained),
            Phase::Leaving(_) | Phase::Ended(_) => {}
        }
    }

    /// Something is due: call it when [`Session::deadline`] has passed.
    pub fn on_deadline(&mut self, wake: &mut Wake<'_>) {
        let now = wake.now;
        let due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if due(self.phase_deadline) {
            self.phase_deadline = None;
            match self.phase {
                Phase::AwaitConnect => self.phase = Phase::Ended(End::ConnectTimeout),
                Phase::AwaitUpstream | Phase::AwaitConnack => {
                    self.refuse_connect(End::UpstreamTimeout, ReasonCode::ServerUnavailable, wake);
                }
                Phase::Leaving(end) => self.phase = Phase::Ended(end),
                Phase::Running | Phase::Ended(_) => {}
            }
        }
        if self.phase != Phase::Running {
            return;
        }
        if let Some(attachments) = &mut self.attachments
            && due(attachments.deadline())
        {
            attachments.give_up();
        }
        if due(self.keep_alive.device_deadline()) {
            self.end_for_device(End::KeepAliveTimeout, wake);
        } else if due(self.keep_alive.upstream_deadline()) {
            wake.to_upstream.extend_from_slice(&PINGREQ);
            self.keep_alive.proxy_pinged(wake.now);
        }
    }

    /// When [`Session::on_deadline`] has to be called next.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let running = self.phase == Phase::Running;
        let attachment = self.attachments.as_deref().and_then(Attachments::deadline);
        let due =
            [self.keep_alive.device_deadline(), self.keep_alive.upstream_deadline(), attachment];
        due.into_iter().flatten().filter(|_| running).chain(self.phase_deadline).min()
    }

    /// The device isn't read at the moment, so its silence means nothing.
    pub fn on_device_held(&mut self, now: Instant) {
        self.keep_alive.device_spoke(now);
    }

    /// Bytes of a packet at most, as the plan has it.
    #[must_use]
    pub fn packet_size_max(&self) -> usize {
        self.plan.limits.packet_size_max
    }

    /// Whether the shell should open the upstream's connection now.
    #[must_use]
    pub fn wants_upstream(&self) -> bool {
        self.phase == Phase::AwaitUpstream
    }

    /// Whether packets of the device are taken as they come. While its upstream is being connected, or a device
    /// attached, they wait, and also while what the ones before have become is sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let attaches = self.attachments.as_deref().is_some_and(Attachments::is_pending);
        let behind = self.behind.device;
        !attaches && !behind && !matches!(self.phase, Phase::AwaitUpstream | Phase::AwaitConnack)
    }

    /// The device's client identifier, for the log; without what the configuration calls a secret.
    #[must_use]
    pub fn client_identifier(&self) -> &str {
        &self.client_identifier
    }

    /// How the session ended. The shell sends what is left in both buffers, then closes both connections.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        match self.phase {
            Phase::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// Whether nothing more is said to the device or heard from it, though the session goes on: its will is
    /// on the way. The shell sends what is left and closes the device's connection.
    #[must_use]
    pub fn device_is_done(&self) -> bool {
        matches!(self.phase, Phase::Leaving(_))
    }

    /// The version of MQTT that the device speaks, once its CONNECT was read.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The version of MQTT that the upstream is spoken to in.
    #[must_use]
    pub fn upstream_version(&self) -> Version {
        self.upstream_version
    }

    /// The version of the side that a message on this way comes from.
    pub(super) fn version_of(&self, way: Way) -> Version {
        match way {
            Way::Up => self.version,
            Way::Down => self.upstream_version,
        }
    }

    /// The version of the side that a packet on this way goes to.
    pub(super) fn version_toward(&self, way: Way) -> Version {
        match way {
            Way::Up => self.upstream_version,
            Way::Down => self.version,
        }
    }

    /// The latest refusal since the last call, for the log.
    pub fn take_refusal(&mut self) -> Option<(Way, Refusal)> {
        self.refusal.take()
    }

    pub(super) fn note_refusal(&mut self, way: Way, refusal: Refusal, tally: &Tally) {
        tally.refuse(way, refusal.reason);
        self.refusal = Some((way, refusal));
    }

    pub(super) fn hears_device(&self) -> bool {
        matches!(self.phase, Phase::AwaitConnect | Phase::AwaitConnack | Phase::Running)
    }

    pub(super) fn hears_upstream(&self) -> bool {
        matches!(self.phase, Phase::AwaitConnack | Phase::Running | Phase::Leaving(_))
    }
}
