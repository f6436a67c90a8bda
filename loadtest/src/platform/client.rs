//! One connection as the broker sees it, and the first packet: who it is, and what it is granted.
//!
//! No sockets. Invariant: a client that is refused has left no trace but in the ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use interlingua::mqtt::{
    Connack, Connect, EncodeError, Properties, Property, PropertyBuffer, PropertyIdentifier,
    RawPacket, ReasonCode, Version, WireError,
};

use super::broker::{Broker, PACKET_SIZE_MAX};
use super::finding::{Fault, Note, Outcome, Rule};
use super::hub::{Entered, Keep, Place, Start};
use super::message::Message;
use super::rules::{Admission, Lasting, Member, Moment};
use super::session::Grants;

/// PUBLISH packets of QoS 1 and 2 that wait for their acknowledgement, whatever the client would take.
const UNFINISHED_MAX: u16 = 1024;

/// A client that was let in.
#[derive(Debug)]
pub(super) struct Client {
    /// Its client identifier.
    pub(super) name: String,
    pub(super) grants: Grants,
    pub(super) member: Member,
    pub(super) will: Option<Message>,
    /// Whom its subscriptions reach, by filter.
    pub(super) targets: BTreeMap<String, String>,
}

/// What the socket's owner has to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opened {
    pub(super) version: Version,
    /// After this without a packet the client is gone.
    pub(super) silence_max: Option<(Duration, Rule)>,
}

impl Broker {
    /// Takes the first packet of a connection; the answer is appended to `out`. `None`: refused, close when the
    /// answer is sent.
    pub(super) fn open(
        &mut self,
        place: Place,
        raw: RawPacket<'_>,
        now: Moment,
        out: &mut Vec<u8>,
    ) -> Option<Opened> {
        let connect = match Connect::decode(raw) {
            Ok(connect) => connect,
            Err(fault) => {
                self.refuse_malformed(fault, out);
                return None;
            }
        };
        match self.admit(&connect, now) {
            Ok(admission) => self.let_in(place, &connect, admission, out),
            Err(fault) => {
                let (client, outcome) = (connect.client_identifier, Outcome::Refused);
                self.ledger.violation(fault.rule, outcome, client, None, &fault.detail);
                refuse(fault.code, connect.version, out);
                None
            }
        }
    }

    fn admit(&mut self, connect: &Connect<'_>, now: Moment) -> Result<Admission, Fault> {
        if !self.platform.versions().contains(&connect.version) {
            let versions: Vec<String> =
                self.platform.versions().iter().map(Version::to_string).collect();
            let detail = format!("MQTT {}; {} is spoken", connect.version, versions.join(", "));
            let code = ReasonCode::UnsupportedProtocolVersion;
            return Err(Fault::new(Rule::Version, code, detail));
        }
        if connect.properties.find(PropertyIdentifier::AuthenticationMethod).is_some() {
            let code = ReasonCode::BadAuthenticationMethod;
            return Err(Fault::new(Rule::Password, code, "there is no extended authentication"));
        }
        self.platform.admit(connect, now)
    }

    fn let_in(
        &mut self,
        place: Place,
        connect: &Connect<'_>,
        admission: Admission,
        out: &mut Vec<u8>,
    ) -> Option<Opened> {
        let Admission { member, notes, lasting, idle_max } = admission;
        let name = match connect.client_identifier {
            "" => format!("assigned-{}", place.0),
            given => given.to_owned(),
        };
        self.note_all(&name, None, &notes);
        let start = if connect.clean_start { Start::Clean } else { Start::Resume };
        let (start, keep) = match lasting {
            Lasting::Kept => (start, keep(connect)),
            Lasting::Ignored => (Start::Clean, Keep::No),
        };
        let Entered { is_present, older } = self.hub.enter(&name, place, start, keep);
        if let Some(older) = older {
            self.take_over(older);
        }
        let grants = grants(connect);
        accept(connect, &name, is_present, out).ok()?;
        self.hub.session(place)?.resume(grants, out).ok()?;
        let detail = format!("MQTT {}", connect.version);
        self.ledger.connection("connected", &name, &detail);
        self.ledger.entered();
        let will = connect.will.as_ref().filter(|_| lasting == Lasting::Kept);
        let will = will.map(Message::of_will);
        let targets = BTreeMap::new();
        self.clients.insert(place, Client { name, grants, member, will, targets });
        let silence_max = silence_max(connect.keep_alive_seconds, idle_max);
        Some(Opened { version: connect.version, silence_max })
    }

    /// Tells the ledger what has no consequence.
    pub(super) fn note_all(&mut self, client: &str, topic: Option<&str>, notes: &[Note]) {
        for Note { rule, detail } in notes {
            self.ledger.violation(*rule, Outcome::Noted, client, topic, detail);
        }
    }

    /// What can't be read as CONNECT gets an answer only if it says what it expects.
    fn refuse_malformed(&mut self, fault: WireError, out: &mut Vec<u8>) {
        let detail = format!("CONNECT: {fault}");
        let rule = match fault {
            WireError::UnsupportedProtocolVersion { .. } => Rule::Version,
            WireError::ClientIdentifierInvalid => Rule::ClientIdentifier,
            _ => {
                self.ledger.violation(Rule::Malformed, Outcome::Closed, "", None, &detail);
                return;
            }
        };
        self.ledger.violation(rule, Outcome::Refused, "", None, &detail);
        refuse(fault.reason_code(), Version::V311, out);
    }
}

/// The shorter of one and a half times the keep alive (v5 [MQTT-3.1.2-22]; 0 is none) and the platform's own.
fn silence_max(keep_alive_seconds: u16, idle_max: Option<Duration>) -> Option<(Duration, Rule)> {
    let keep_alive = match keep_alive_seconds {
        0 => None,
        seconds => Some((Duration::from_millis(u64::from(seconds) * 1500), Rule::KeepAlive)),
    };
    let idle = idle_max.map(|idle| (idle, Rule::Idle));
    keep_alive.into_iter().chain(idle).min_by_key(|(silence, _)| *silence)
}

fn keep(connect: &Connect<'_>) -> Keep {
    let expiry = connect.properties.iter().find_map(|property| match property {
        Property::SessionExpiryInterval(seconds) => Some(seconds),
        _ => None,
    });
    match (connect.version, expiry) {
        (Version::V5, Some(u32::MAX)) => Keep::Forever,
        (Version::V5, Some(seconds @ 1..)) => Keep::Seconds(seconds),
        (Version::V5, _) => Keep::No,
        _ if connect.clean_start => Keep::No,
        _ => Keep::Forever,
    }
}

fn grants(connect: &Connect<'_>) -> Grants {
    let mut grants = Grants {
        version: connect.version,
        unfinished_max: UNFINISHED_MAX,
        packet_size_max: usize::MAX,
    };
    for property in connect.properties.iter() {
        match property {
            Property::ReceiveMaximum(count) => grants.unfinished_max = count.min(UNFINISHED_MAX),
            Property::MaximumPacketSize(bytes) => grants.packet_size_max = bytes as usize,
            _ => {}
        }
    }
    grants
}

/// CONNACK with what the client has to know.
fn accept(
    connect: &Connect<'_>,
    name: &str,
    session_present: bool,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let mut properties = PropertyBuffer::new();
    if connect.version == Version::V5 {
        if connect.client_identifier.is_empty() {
            properties.push(Property::AssignedClientIdentifier(name))?;
        }
        properties.push(Property::MaximumPacketSize(PACKET_SIZE_MAX as u32))?;
        properties.push(Property::SharedSubscriptionAvailable(0))?;
    }
    let (reason_code, properties) = (ReasonCode::Success, properties.properties());
    Connack { session_present, reason_code, properties }.encode(connect.version, out)
}

fn refuse(reason_code: ReasonCode, version: Version, out: &mut Vec<u8>) {
    let connack = Connack { session_present: false, reason_code, properties: Properties::EMPTY };
    let written = connack.encode(version, out);
    debug_assert!(written.is_ok(), "a refusal can be written: {written:?}");
}
