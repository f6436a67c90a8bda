//! The session itself: its phases, and which packet goes where. Each family of packets has a file of its own.

use std::sync::Arc;
use std::time::Instant;

use crate::mqtt::{
    AcknowledgementKind, Auth, Disconnect, PINGREQ, PINGRESP, PacketType, Properties,
    PropertyBuffer, PropertyIdentifier, RawPacket, ReasonCode, Version, WireError, next_packet,
};
use crate::translate::{self, Refusal, SessionNames, Way};

use super::end::End;
use super::exchanges::Exchanges;
use super::keep_alive::{Asker, KeepAlive};
use super::plan::SessionPlan;
use super::properties;
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
    pub(super) version: Version,
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
    pub(super) client_identifier: Box<str>,
    /// The device asked for a session that outlives the connection, and the upstream's platform has none.
    pub(super) loses_session: bool,
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
            keep_alive: KeepAlive::new(0, now),
            phase_deadline: Some(now + limits.connect_timeout),
            up: Exchanges::default(),
            down: Exchanges::default(),
            names: SessionNames::default(),
            subscriptions: None,
            will: None,
            device_takes: limits.packet_size_max,
            upstream_takes: limits.packet_size_max,
            client_identifier: "".into(),
            loses_session: false,
            refusal: None,
            plan,
        }
    }

    /// Takes bytes from the device: whole packets from their start on. Returns how many were used; the rest
    /// is handed in again with what follows.
    pub fn on_device_bytes(&mut self, bytes: &[u8], wake: &mut Wake<'_>) -> usize {
        let mut used = 0;
        while let Some(rest) =
            bytes.get(used..).filter(|rest| !rest.is_empty() && self.hears_device())
        {
            match self.next_device_packet(rest) {
                Ok(Some(raw)) if self.has_to_wait(raw) => break,
                Ok(Some(raw)) => {
                    used += raw.bytes.len();
                    wake.tally.packet(Way::Up, raw.bytes.len());
                    self.keep_alive.device_spoke(wake.now);
                    let before = wake.to_upstream.len();
                    if let Err(end) = self.device_packet(raw, wake) {
                        self.end_for_device(end, wake);
                    }
                    if wake.to_upstream.len() > before {
                        self.keep_alive.upstream_told(wake.now);
                    }
                }
                Ok(None) => break,
                Err(end) => self.end_for_device(end, wake),
            }
        }
        used
    }

    /// Takes bytes from the upstream, as [`Session::on_device_bytes`] does from the device.
    pub fn on_upstream_bytes(&mut self, bytes: &[u8], wake: &mut Wake<'_>) -> usize {
        let mut used = 0;
        while let Some(rest) =
            bytes.get(used..).filter(|rest| !rest.is_empty() && self.hears_upstream())
        {
            match next_packet(rest, self.version, self.device_takes) {
                Ok(Some(raw)) => {
                    used += raw.bytes.len();
                    wake.tally.packet(Way::Down, raw.bytes.len());
                    if let Err(end) = self.upstream_packet(raw, wake) {
                        self.end_for_upstream(end, wake);
                    }
                }
                Ok(None) => break,
                Err(error) => self.end_for_upstream(End::UpstreamMalformed(error), wake),
            }
        }
        used
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
        let keep_alive = [self.keep_alive.device_deadline(), self.keep_alive.upstream_deadline()];
        let keep_alive = keep_alive.into_iter().flatten().filter(|_| running);
        keep_alive.chain(self.phase_deadline).min()
    }

    /// Whether the shell should open the upstream's connection now.
    #[must_use]
    pub fn wants_upstream(&self) -> bool {
        self.phase == Phase::AwaitUpstream
    }

    /// Whether packets of the device are taken as they come. While its upstream is being connected they wait.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::AwaitUpstream | Phase::AwaitConnack)
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

    /// The version of MQTT that both sides speak, once a CONNECT was read.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The latest refusal since the last call, for the log.
    pub fn take_refusal(&mut self) -> Option<(Way, Refusal)> {
        self.refusal.take()
    }

    pub(super) fn note_refusal(&mut self, way: Way, refusal: Refusal, tally: &Tally) {
        tally.refuse(way, refusal.reason);
        self.refusal = Some((way, refusal));
    }

    fn hears_device(&self) -> bool {
        matches!(self.phase, Phase::AwaitConnect | Phase::AwaitConnack | Phase::Running)
    }

    fn hears_upstream(&self) -> bool {
        matches!(self.phase, Phase::AwaitConnack | Phase::Running | Phase::Leaving(_))
    }

    fn next_device_packet<'b>(&self, bytes: &'b [u8]) -> Result<Option<RawPacket<'b>>, End> {
        let awaits_connect = self.phase == Phase::AwaitConnect;
        if awaits_connect
            && bytes.first().is_some_and(|first| first >> 4 != PacketType::Connect as u8)
        {
            return Err(End::DeviceProtocol("the first packet isn't a CONNECT"));
        }
        let connect_size_max = self.plan.limits.connect_size_max;
        let most = if awaits_connect { connect_size_max } else { self.upstream_takes };
        next_packet(bytes, self.version, most).map_err(End::DeviceMalformed)
    }

    /// Before CONNACK only the packets of an authentication go on; the others wait in the shell's buffer.
    fn has_to_wait(&self, raw: RawPacket<'_>) -> bool {
        self.phase == Phase::AwaitConnack && raw.packet_type != PacketType::Auth
    }

    fn device_packet(&mut self, raw: RawPacket<'_>, wake: &mut Wake<'_>) -> Result<(), End> {
        let malformed = End::DeviceMalformed;
        match raw.packet_type {
            PacketType::Connect if self.phase == Phase::AwaitConnect => self.on_connect(raw, wake),
            PacketType::Connect => Err(End::DeviceProtocol("a second CONNECT")),
            PacketType::Publish => self.publish_up(raw, wake),
            PacketType::Puback => self.acknowledge_down(AcknowledgementKind::Puback, raw, wake),
            PacketType::Pubrec => self.acknowledge_down(AcknowledgementKind::Pubrec, raw, wake),
            PacketType::Pubcomp => self.acknowledge_down(AcknowledgementKind::Pubcomp, raw, wake),
            PacketType::Pubrel => self.release_up(raw, wake),
            PacketType::Subscribe => self.on_subscribe(raw, wake),
            PacketType::Unsubscribe => self.on_unsubscribe(raw, wake),
            PacketType::Pingreq => {
                expect_empty(raw).map_err(malformed)?;
                self.keep_alive.device_pinged();
                wake.to_upstream.extend_from_slice(raw.bytes);
                Ok(())
            }
            PacketType::Disconnect => {
                let disconnect = Disconnect::decode(raw, self.version).map_err(malformed)?;
                self.on_device_disconnect(disconnect, raw, wake);
                Ok(())
            }
            PacketType::Auth => {
                Auth::decode(raw, self.version).map_err(malformed)?;
                if !self.plan.translator.is_plain() {
                    return Err(End::DeviceProtocol(
                        "enhanced authentication doesn't pass a translation",
                    ));
                }
                wake.to_upstream.extend_from_slice(raw.bytes);
                Ok(())
            }
            PacketType::Connack
            | PacketType::Suback
            | PacketType::Unsuback
            | PacketType::Pingresp => Err(End::DeviceProtocol("a packet that only servers send")),
        }
    }

    fn upstream_packet(&mut self, raw: RawPacket<'_>, wake: &mut Wake<'_>) -> Result<(), End> {
        let malformed = End::UpstreamMalformed;
        if self.phase == Phase::AwaitConnack
            && !matches!(raw.packet_type, PacketType::Connack | PacketType::Auth)
        {
            return Err(End::UpstreamProtocol("a packet before CONNACK"));
        }
        if let Phase::Leaving(end) = self.phase {
            return self.upstream_packet_to_nobody(end, raw, wake);
        }
        match raw.packet_type {
            PacketType::Connack if self.phase == Phase::AwaitConnack => self.on_connack(raw, wake),
            PacketType::Connack => Err(End::UpstreamProtocol("a second CONNACK")),
            PacketType::Publish => self.publish_down(raw, wake),
            PacketType::Puback => self.acknowledge_up(AcknowledgementKind::Puback, raw, wake),
            PacketType::Pubrec => self.acknowledge_up(AcknowledgementKind::Pubrec, raw, wake),
            PacketType::Pubcomp => self.acknowledge_up(AcknowledgementKind::Pubcomp, raw, wake),
            PacketType::Pubrel => self.release_down(raw, wake),
            PacketType::Suback => self.on_suback(raw, wake),
            PacketType::Unsuback => self.on_unsuback(raw, wake),
            PacketType::Pingresp => {
                expect_empty(raw).map_err(malformed)?;
                match self.keep_alive.answered() {
                    Asker::Device => wake.to_device.extend_from_slice(&PINGRESP),
                    Asker::Proxy => {}
                    Asker::Nobody => {
                        return Err(End::UpstreamProtocol("a PINGRESP that nobody asked for"));
                    }
                }
                Ok(())
            }
            PacketType::Disconnect if self.version == Version::V5 => {
                let disconnect = Disconnect::decode(raw, self.version).map_err(malformed)?;
                self.pass_disconnect(Way::Down, disconnect, raw, wake);
                self.phase = Phase::Ended(End::UpstreamDisconnected(disconnect.reason_code));
                Ok(())
            }
            PacketType::Auth => {
                Auth::decode(raw, self.version).map_err(malformed)?;
                if !self.plan.translator.is_plain() {
                    return Err(End::UpstreamProtocol("an authentication that nobody began"));
                }
                wake.to_device.extend_from_slice(raw.bytes);
                Ok(())
            }
            PacketType::Connect
            | PacketType::Subscribe
            | PacketType::Unsubscribe
            | PacketType::Pingreq
            | PacketType::Disconnect => {
                Err(End::UpstreamProtocol("a packet that only clients send"))
            }
        }
    }

    /// Ends the session for a cause on the device's side: it is told the reason code where its version has
    /// one, and the upstream sees the connection break, so that the will is published.
    pub(super) fn end_for_device(&mut self, end: End, wake: &mut Wake<'_>) {
        match self.phase {
            Phase::AwaitConnect | Phase::AwaitUpstream => {
                wake.to_upstream.clear();
                self.phase = Phase::Ended(end);
            }
            Phase::Ended(_) | Phase::Leaving(_) => {}
            Phase::AwaitConnack => self.phase = Phase::Ended(end),
            Phase::Running => {
                self.tell_device(end.reason_code(), wake);
                self.leave(end, wake);
            }
        }
    }

    /// Ends the session for a cause on the upstream's side. A will can't be published any more.
    pub(super) fn end_for_upstream(&mut self, end: End, wake: &mut Wake<'_>) {
        match self.phase {
            Phase::Ended(_) => {}
            Phase::Leaving(end) => self.phase = Phase::Ended(end),
            Phase::AwaitConnect | Phase::AwaitUpstream | Phase::AwaitConnack => {
                self.refuse_connect(end, ReasonCode::ServerUnavailable, wake);
            }
            Phase::Running => {
                // With `plain` the device sees what the broker did, which was to say nothing.
                if end != End::UpstreamClosed || !self.plan.translator.is_plain() {
                    // Whatever it was, the device is not to blame.
                    let told = end.reason_code().map(|_| ReasonCode::UnspecifiedError);
                    self.tell_device(told, wake);
                }
                self.tell_upstream(end, wake);
                self.phase = Phase::Ended(end);
            }
        }
    }

    /// DISCONNECT to the device: only version 5 has it from a server.
    fn tell_device(&self, reason_code: Option<ReasonCode>, wake: &mut Wake<'_>) {
        if let Some(reason_code) = reason_code.filter(|_| self.version == Version::V5) {
            let disconnect = Disconnect { reason_code, properties: Properties::EMPTY };
            // Without properties a DISCONNECT always fits.
            let _ = disconnect.encode(self.version, wake.to_device);
        }
    }

    /// Tells a version 5 upstream what it did wrong.
    fn tell_upstream(&self, end: End, wake: &mut Wake<'_>) {
        let reason_code = match end {
            End::UpstreamMalformed(error) => error.reason_code(),
            End::UpstreamProtocol(_) => ReasonCode::ProtocolError,
            End::ExchangesExceeded => ReasonCode::ReceiveMaximumExceeded,
            _ => return,
        };
        if self.version == Version::V5 {
            let disconnect = Disconnect { reason_code, properties: Properties::EMPTY };
            // As above.
            let _ = disconnect.encode(self.version, wake.to_upstream);
        }
    }

    /// Passes a DISCONNECT on: the same bytes, but for properties that have to stay behind.
    fn pass_disconnect(
        &self,
        way: Way,
        given: Disconnect<'_>,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) {
        let Scratch { properties: buffer, guarded, .. } = &mut *wake.scratch;
        let mut kept = properties::guard(given.properties, way, &self.plan.translator, guarded);
        if self.loses_session && way == Way::Up {
            // What CONNECT didn't ask for can't be prolonged (v5 section 3.14.2.2.2).
            let dropped = [PropertyIdentifier::SessionExpiryInterval];
            kept = properties::without(kept, &dropped, &[], buffer).unwrap_or(Properties::EMPTY);
        }
        let out = match way {
            Way::Up => &mut *wake.to_upstream,
            Way::Down => &mut *wake.to_device,
        };
        if kept == given.properties {
            out.extend_from_slice(raw.bytes);
        } else {
            // It is shorter than what was decoded.
            let _ = Disconnect { properties: kept, ..given }.encode(self.version, out);
        }
    }

    fn on_device_disconnect(
        &mut self,
        disconnect: Disconnect<'_>,
        raw: RawPacket<'_>,
        wake: &mut Wake<'_>,
    ) {
        // Only the normal good-bye deletes the will (v5 [MQTT-3.1.2-10]).
        if disconnect.reason_code != ReasonCode::Success && self.will.is_some() {
            self.leave(End::DeviceDisconnected, wake);
            return;
        }
        self.will = None;
        self.pass_disconnect(Way::Up, disconnect, raw, wake);
        self.phase = Phase::Ended(End::DeviceDisconnected);
    }
}

/// PINGREQ and PINGRESP have no body.
fn expect_empty(raw: RawPacket<'_>) -> Result<(), WireError> {
    if raw.body.is_empty() { Ok(()) } else { Err(WireError::TrailingBytes) }
}
