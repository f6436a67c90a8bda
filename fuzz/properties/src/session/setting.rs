//! Which sides talk, in which versions, and under which rules.

use std::num::{NonZeroU16, NonZeroU64};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use interlingua::access::{
    Bind, Credentials, Denied, Devices, Forwarding, Password, Rules, Users, Witness, line_of,
};
use interlingua::mqtt::{
    Connack, Connect, Properties, Property, PropertyBuffer, Qos, ReasonCode, Version, Will,
};
use interlingua::session::{Admitted, OnRefusal, Rate, Session, SessionLimits, SessionPlan};
use interlingua::translate::Translator;

use crate::pairs::{OTHER, OWN, Topics, pair};

/// What a peer takes where it takes little.
pub(super) const LITTLE_BYTES: usize = 100;
pub(super) const LITTLE_ALIASES: u16 = 3;

/// Pairs with what is odd about each: several messages of one, attaching, versions, echoes.
const PAIRS: [(&str, &str, Option<&str>); 11] = [
    ("thingscale", "mqtt2go", None),
    ("mqtt2go", "omnicore", Some("attach")),
    ("thingscale", "omnicore", None),
    ("xyte", "omnicore", None),
    ("omnicore", "xyte", None),
    ("smartworks", "omnicore", None),
    ("thingscale", "smartworks-g1", None),
    ("smartworks-g1", "xyte-legacy", None),
    ("xyte-legacy", "xyte", None),
    ("mqtt2go-1.2", "smartworks", None),
    ("thingscale", "xyte", None),
];

/// `plain`, to an upstream of any version, or of one.
const PLAIN: [&[Version]; 4] = [
    &[Version::V5, Version::V311, Version::V31],
    &[Version::V311],
    &[Version::V5],
    &[Version::V31],
];

/// A pair, compiled, for both answers to a refused message, and for sessions that may have little of everything.
struct Known {
    plans: [Arc<SessionPlan>; 3],
    device: Topics,
    upstream: Topics,
    /// The client identifier, user name and password of the device's CONNECT.
    connect: [Option<String>; 3],
}

pub(super) struct Setting {
    known: &'static Known,
    plan: usize,
    /// The version of the device's CONNECT. `None`: nothing is said that isn't in the input.
    version: Option<Version>,
    is_tight: bool,
    has_will: bool,
    /// The verdict is there before CONNECT.
    is_known_before: bool,
    has_certificate: bool,
    pub(super) rules: Option<Arc<Rules>>,
    /// The name that the credentials prove, if they do.
    pub(super) proven: Option<&'static str>,
}

fn all() -> &'static [Known] {
    static ALL: OnceLock<Vec<Known>> = OnceLock::new();
    ALL.get_or_init(|| {
        let plain = PLAIN.iter().map(|versions| Known {
            plans: plans([(); 3].map(|()| Translator::plain_in(versions))),
            device: strange(),
            upstream: strange(),
            connect: [Some(OWN[0].to_owned()), Some("user".to_owned()), None],
        });
        let pairs = PAIRS.iter().map(|(from, to, option)| {
            let [one, other, third] = [(); 3].map(|()| pair(from, to, *option).expect("a pair"));
            Known {
                plans: plans([one.translator, other.translator, third.translator]),
                device: one.device,
                upstream: one.upstream,
                connect: one.connect,
            }
        });
        plain.chain(pairs).collect()
    })
}

fn plans(translators: [Translator; 3]) -> [Arc<SessionPlan>; 3] {
    let plenty = SessionLimits { packet_size_max: 100_000, ..SessionLimits::default() };
    let [one, other, third] = translators;
    [
        (one, OnRefusal::AckAndDrop, plenty.clone()),
        (other, OnRefusal::Disconnect, plenty),
        (third, OnRefusal::AckAndDrop, narrow()),
    ]
    .map(|(translator, on_refusal, limits)| {
        Arc::new(SessionPlan { translator, limits, on_refusal })
    })
}

fn narrow() -> SessionLimits {
    let second = Duration::from_secs(1);
    let rate = |amount| NonZeroU64::new(amount).map(|amount| Rate::new(amount, second));
    SessionLimits {
        packet_size_max: 10_000,
        exchanges_max: 3,
        subscriptions_max: 3,
        topic_aliases_max: 2,
        attachments_max: 2,
        keep_alive_max: NonZeroU16::new(10),
        message_rate: rate(10),
        byte_rate: rate(2_000),
        topic_levels_max: 6,
        topic_bytes_max: 60,
        properties_max: 3,
        ..SessionLimits::default()
    }
}

fn strange() -> Topics {
    let topics = || ["a/b", "a", "c/d/e", "$SYS/x"].map(str::to_owned).to_vec();
    Topics { from_device: topics(), from_cloud: topics() }
}

impl Setting {
    /// Bytes: the pair; versions and what the sides announce; access.
    pub(super) fn of([pair, opening, access]: [u8; 3]) -> Self {
        let all = all();
        let rules = [Bind::Nothing, Bind::Device, Bind::ClientIdentifier];
        let rules = rules.get(usize::from(access & 3)).map(|bind| {
            let devices = if access >> 2 & 1 == 0 { Devices::Own } else { Devices::Any };
            let forwarding = Forwarding::Withheld;
            Arc::new(Rules { bind: *bind, devices, forwarding })
        });
        Self {
            known: &all[usize::from(pair) % all.len()],
            plan: usize::from(opening >> 3 & 3).min(2),
            version: match opening & 3 {
                0 => None,
                1 => Some(Version::V31),
                2 => Some(Version::V311),
                _ => Some(Version::V5),
            },
            is_tight: opening >> 2 & 1 == 1,
            has_will: opening >> 5 & 1 == 1,
            is_known_before: access >> 5 & 1 == 1,
            has_certificate: access >> 6 & 1 == 1,
            proven: rules.as_ref().and_then(|_| match access >> 3 & 3 {
                0 => None,
                1 => Some(OTHER[0]),
                _ => Some(OWN[0]),
            }),
            rules,
        }
    }

    pub(super) fn plan(&self) -> &Arc<SessionPlan> {
        &self.known.plans[self.plan]
    }

    pub(super) fn device(&self) -> &Topics {
        &self.known.device
    }

    pub(super) fn upstream(&self) -> &Topics {
        &self.known.upstream
    }

    pub(super) fn session(&self, now: Instant) -> Session {
        let session = Session::new(self.plan().clone(), now);
        let session = match &self.rules {
            Some(rules) if self.is_known_before => {
                session.with_verdict(rules.clone(), self.verdict())
            }
            Some(rules) => session.with_access(rules.clone()),
            None => session,
        };
        match self.has_certificate {
            true => session.with_certificate(OWN[0].into()),
            false => session,
        }
    }

    /// Whether the sides announce little of everything, by which they have to be held.
    pub(super) fn is_tight(&self) -> bool {
        self.is_tight && self.version.is_some()
    }

    /// Whether the session is kept to its own device.
    pub(super) fn is_bound(&self) -> bool {
        let own = |rules: &Arc<Rules>| rules.devices == Devices::Own && rules.bind == Bind::Device;
        self.rules.as_ref().is_some_and(own) && !self.plan().translator.is_plain()
    }

    /// CONNECT of the device and CONNACK of the upstream: without them most bytes end the session at once.
    pub(super) fn opening(&self) -> [Vec<u8>; 2] {
        let Some(version) = self.version else { return Default::default() };
        let upstream = self.plan().translator.version_for(version);
        let (mut from_device, mut from_upstream) = (Vec::new(), Vec::new());
        let [device_says, upstream_says] = [version, upstream].map(|side| self.announced(side));
        let [identifier, user_name, password] = &self.known.connect;
        let topic_name = self.device().from_device.first().map_or("a/b", String::as_str);
        let connect = Connect {
            version,
            clean_start: true,
            keep_alive_seconds: 60,
            client_identifier: identifier.as_deref().unwrap_or(OWN[0]),
            properties: device_says.properties(),
            will: self.has_will.then_some(Will {
                topic_name,
                payload: b"7",
                qos: Qos::AtLeastOnce,
                retain: true,
                properties: Properties::EMPTY,
            }),
            user_name: user_name.as_deref(),
            password: password.as_deref().map(str::as_bytes),
        };
        connect.encode(&mut from_device).expect("a CONNECT");
        let connack = Connack {
            session_present: false,
            reason_code: ReasonCode::Success,
            properties: upstream_says.properties(),
        };
        connack.encode(upstream, &mut from_upstream).expect("a CONNACK");
        [from_device, from_upstream]
    }

    /// What a side of version 5 announces.
    fn announced(&self, version: Version) -> PropertyBuffer {
        let mut buffer = PropertyBuffer::new();
        let little = [
            Property::ReceiveMaximum(2),
            Property::TopicAliasMaximum(LITTLE_ALIASES),
            Property::MaximumPacketSize(u32::try_from(LITTLE_BYTES).expect("little")),
        ];
        for property in little.into_iter().filter(|_| version == Version::V5 && self.is_tight) {
            buffer.push(property).expect("a legal property");
        }
        buffer
    }

    /// What becomes of the device's credentials.
    pub(super) fn verdict(&self) -> Result<Admitted, Denied> {
        let name = self.proven.ok_or(Denied::WrongPassword)?;
        Ok(Admitted { name: name.into(), until: None, witness: self.witness(), reading: 1 })
    }

    /// What proves a name. There is one way to get one: to prove it.
    fn witness(&self) -> Witness {
        static WITNESS: OnceLock<Witness> = OnceLock::new();
        let prove = || {
            let password = Password::new(b"password");
            let line = line_of("name", &password, b"saltsaltsalt").expect("a line");
            let users = Users::parse("users.txt", &line).expect("a user");
            let credentials =
                Credentials { user_name: Some("name".into()), password: Some(password) };
            users.check(&credentials).expect("it is right").witness
        };
        WITNESS.get_or_init(prove).clone()
    }
}
