//! The session itself: what it knows, and what happens to it but for packets. Each family of packets has a file of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::Rules;
use crate::dialect::Secret;
use crate::mqtt::{PacketIdentifier, ReasonCode, Version};
use crate::translate::{Memory, Refusal, SessionNames, Way};

use super::access::{Admission, Entrance};
use super::aliases::Aliases;
use super::attachments::Attachments;
use super::bounds::Bounds;
use super::end::End;
use super::exchanges::Exchanges;
use super::feed::Behind;
use super::held::Held;
use super::joins::BothJoins;
use super::keep_alive::KeepAlive;
use super::order::Order;
use super::phase::Phase;
use super::plan::SessionPlan;
use super::subscriptions::Subscriptions;
use super::tally::Tally;
use super::throttle::Throttle;
use super::through::Through;
use super::wake::Wake;
use super::will::EmulatedWill;

/// How packets get from one side to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    /// As the same bytes, once they were checked.
    Verbatim,
    /// Written anew: names, payloads or the version differ.
    Rewritten,
}

/// One device's conversation.
#[derive(Debug)]
pub struct Session {
    pub(super) plan: Arc<SessionPlan>,
    pub(super) phase: Phase,
    /// The version that the device speaks.
    pub(super) version: Version,
    /// The version that the upstream is spoken to in; another one where packets are written anew.
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
    /// The device's CONNECT asked for a session that ends with its connection.
    pub(super) ends_with_connection: bool,
    /// Under which an emulated will was published.
    pub(super) will_identifier: Option<PacketIdentifier>,
    /// How long the proxy itself keeps the will back, and the seconds that the device's session outlives its connection.
    pub(super) will_delay: Duration,
    pub(super) session_expiry: u32,
    /// Between the device's end and its will.
    pub(super) lingers: bool,
    /// Whether packets go on as they came.
    pub(super) passage: Passage,
    /// The largest packet that each side takes: the smaller of its own and the proxy's limit.
    pub(super) device_takes: usize,
    pub(super) upstream_takes: usize,
    /// The largest packet that is taken from each side: what the other side takes, if this side was told.
    pub(super) read_from_device: usize,
    pub(super) read_from_upstream: usize,
    /// Only between sides of which one speaks version 5.
    pub(super) aliases: Option<Box<Aliases>>,
    /// How the device comes in, where that takes more than a CONNECT.
    pub(super) entrance: Option<Box<Entrance>>,
    /// The device was given the upstream's client identifier instead of an empty one, and has to be told.
    pub(super) is_assigned: bool,
    /// Packets that wait for something while others go on.
    pub(super) held: Held,
    /// The device's connection is closed, and not all that it said has gone on yet.
    pub(super) device_has_closed: bool,
    /// Only where a message may become several.
    pub(super) joins: Option<Box<BothJoins>>,
    pub(super) memory: Memory,
    /// User properties that the upstream's platform wants in each message.
    pub(super) message_properties: Box<[(Box<str>, Secret)]>,
    /// What the upstream is owed, where packets are written anew.
    pub(super) order: Option<Box<Order>>,
    /// What one side grants and the other side's version has no word for.
    pub(super) bounds: Bounds,
    /// Only where the upstream wants devices attached.
    pub(super) attachments: Option<Box<Attachments>>,
    pub(super) client_identifier: Box<str>,
    /// The upstream's, until its CONNACK.
    pub(super) upstream_identifier: Box<str>,
    /// The upstream has no session of an older connection, and the device has begun nothing new in this one.
    pub(super) upstream_begins: bool,
    /// The seconds that the device's session outlives its connection, where that isn't what it asked for: 0 where the
    /// upstream's platform keeps none.
    pub(super) told_expiry: Option<u32>,
    /// Payloads that the shell moves.
    pub(super) through: Through,
    /// By the side that packets come from, whether some were left.
    pub(super) behind: Behind,
    refusal: Option<Box<(Way, Refusal)>>,
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
            ends_with_connection: false,
            will_identifier: None,
            will_delay: Duration::ZERO,
            session_expiry: 0,
            lingers: false,
            memory: Memory::default(),
            message_properties: Box::default(),
            order: None,
            passage: Passage::Verbatim,
            device_takes: limits.packet_size_max,
            upstream_takes: limits.packet_size_max,
            read_from_device: limits.packet_size_max,
            read_from_upstream: limits.packet_size_max,
            aliases: None,
            entrance: Throttle::of(limits, now).map(|throttle| {
                Box::new(Entrance { throttle: Some(throttle), ..Entrance::default() })
            }),
            is_assigned: false,
            held: Held::default(),
            device_has_closed: false,
            joins: (plan.translator.attaches()
                || [Way::Up, Way::Down].iter().any(|way| plan.translator.may_split(*way)))
            .then(Box::default),
            attachments: plan.translator.attaches().then(Box::default),
            client_identifier: "".into(),
            upstream_identifier: "".into(),
            upstream_begins: false,
            told_expiry: None,
            through: Through::default(),
            behind: Behind::default(),
            refusal: None,
            plan,
        }
    }

    /// The session of a listener that lets only those in whose credentials are proven, under these rules.
    #[must_use]
    pub fn with_access(mut self, rules: Arc<Rules>) -> Self {
        self.entrance.get_or_insert_default().admission = Some(Admission::new(rules));
        self
    }

    /// The device's connection is closed or broken.
    pub fn on_device_closed(&mut self, wake: &mut Wake<'_>) {
        if self.phase == Phase::Running && !self.held.is_empty(Way::Up) {
            if !self.device_has_closed {
                self.device_has_closed = true;
                self.phase_deadline = Some(wake.now + self.plan.limits.upstream_timeout);
            }
            return;
        }
        if self.hears_device() || matches!(self.phase, Phase::AwaitAccess | Phase::AwaitUpstream) {
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

    /// The upstream's connection is closed, since another session has the client identifier now.
    pub fn on_taken_over(&mut self, wake: &mut Wake<'_>) {
        match self.phase {
            Phase::Running => self.end_for_upstream(End::TakenOver, wake),
            _ => self.on_upstream_closed(wake),
        }
    }

    /// The device, which had gone without a good-bye, is about to come back: its will is not published.
    pub fn on_return(&mut self, wake: &mut Wake<'_>) {
        if let Phase::Leaving(end) = self.phase
            && std::mem::take(&mut self.lingers)
        {
            self.say_good_bye(end, wake);
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

    /// The upstream has failed too often and isn't asked now: the device hears the same as if it had been.
    pub fn on_upstream_suspended(&mut self, wake: &mut Wake<'_>) {
        if self.phase == Phase::AwaitUpstream {
            self.refuse_connect(End::UpstreamSuspended, ReasonCode::ServerUnavailable, wake);
        }
    }

    /// The proxy stops: the device is told, the upstream sees a connection that breaks.
    pub fn on_drain(&mut self, wake: &mut Wake<'_>) {
        match self.phase {
            Phase::Running => {
                // There is no time for a will to wait.
                self.will_delay = Duration::ZERO;
                self.end_for_device(End::Drained, wake);
            }
            Phase::AwaitAccess | Phase::AwaitUpstream | Phase::AwaitConnack => {
                // CONNACK has no "server shutting down" (v5 section 3.2.2.2).
                self.refuse_connect(End::Drained, ReasonCode::ServerUnavailable, wake);
            }
            Phase::AwaitConnect => self.phase = Phase::Ended(End::Drained),
            Phase::Leaving(end) if self.lingers => self.leave_at_last(end, wake),
            Phase::Leaving(_) | Phase::Ended(_) => {}
        }
    }

    /// The device's connection is closed, and what it said before is not all taken yet: it is given so much time.
    pub fn on_device_closing(&mut self, wake: &mut Wake<'_>) {
        self.end_throttle();
        if self.phase == Phase::Running && self.phase_deadline.is_none() {
            self.phase_deadline = Some(wake.now + self.plan.limits.upstream_timeout);
        }
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

    /// The device's client identifier, for the log; without what the configuration calls a secret.
    #[must_use]
    pub fn client_identifier(&self) -> &str {
        &self.client_identifier
    }

    /// The client identifier under which the upstream is about to be connected; empty where it is the upstream's to choose,
    /// and after CONNACK.
    #[must_use]
    pub fn upstream_identifier(&self) -> &str {
        &self.upstream_identifier
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
        self.refusal.take().map(|refusal| *refusal)
    }

    pub(super) fn note_refusal(&mut self, way: Way, refusal: Refusal, tally: &Tally) {
        tally.refuse(way, refusal.reason);
        self.refusal = Some(Box::new((way, refusal)));
    }

    /// Whether packets go on as they came.
    pub(super) fn is_verbatim(&self) -> bool {
        self.passage == Passage::Verbatim
    }
}
