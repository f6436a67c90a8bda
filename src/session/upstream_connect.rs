//! The CONNECT that the upstream gets where packets are written anew: under its names, in its version, with the will that
//! its platform takes.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use crate::dialect::{SessionRule, WillRule};
use crate::mqtt::{
    Connect, EncodeError, Properties, Property, PropertyBuffer, PropertyIdentifier, Publish, Qos,
    ReasonCode, Version, Will,
};
use crate::translate::{
    ConnectPlan, ConnectRefusal, Incoming, Outgoing, Reason, Refusal, Shown, Way,
};

use super::aliases::alias_maximum;
use super::connect::{NOT_ENCODED, Refused};
use super::conversation::Session;
use super::properties;
use super::subscriptions::{Options, Subscriptions};
use super::wake::{Scratch, Wake};
use super::will::EmulatedWill;

const SPLIT_WILL: Refusal =
    Refusal::new(Reason::PayloadShape, "a will has to become one message, and this one doesn't");
const ENHANCED: Refusal =
    Refusal::new(Reason::KindUnsupported, "enhanced authentication doesn't pass a translation");

/// The texts of the upstream's CONNECT.
struct Texts<'t> {
    client_identifier: &'t str,
    user_name: Option<&'t str>,
    password: Option<&'t [u8]>,
}

impl<'t> Texts<'t> {
    fn of(connect: &Connect<'t>, plan: Option<&'t ConnectPlan>) -> Self {
        let Some(plan) = plan else {
            let Connect { client_identifier, user_name, password, .. } = *connect;
            return Self { client_identifier, user_name, password };
        };
        Self {
            client_identifier: &plan.client_identifier,
            user_name: plan.user_name.as_deref(),
            password: plan.password.as_ref().map(|password| password.reveal().as_bytes()),
        }
    }
}

impl Session {
    /// Writes the upstream's CONNECT for the device's.
    pub(super) fn rewrite_connect(
        &mut self,
        connect: &Connect<'_>,
        wake: &mut Wake<'_>,
    ) -> Result<(), Refused> {
        let plan = self.plan.clone();
        let translator = &plan.translator;
        if connect.properties.find(PropertyIdentifier::AuthenticationMethod).is_some() {
            return Err(Refused::new(ENHANCED, ReasonCode::BadAuthenticationMethod));
        }
        let certificate = self.take_certificate();
        let shown = Shown {
            client_identifier: connect.client_identifier,
            user_name: connect.user_name,
            password: connect.password,
            certificate: certificate.as_deref(),
        };
        let names = translator.connect(&shown).map_err(refused_text)?;
        if let Some(plan) = &names {
            self.bind_names(plan, certificate.as_deref())?;
        }
        let mut texts = Texts::of(connect, names.as_ref());
        let assigned = self.assigned_identifier(&texts, &wake.scratch.names);
        if let Some(assigned) = &assigned {
            texts.client_identifier = assigned;
        }
        // Before 5 a session would stay for ever under a name that nobody comes back with.
        let nobodys =
            assigned.is_some() && self.session_expiry == 0 && self.upstream_version != Version::V5;
        let clean = nobodys || translator.upstream_limits().session == SessionRule::Clean;
        let properties = self.upstream_properties(connect, clean, &mut wake.scratch.properties)?;
        if self.upstream_version != Version::V5 && texts.password.is_some() {
            // Before 5 there is no password without a user name [MQTT-3.1.2-22].
            texts.user_name = texts.user_name.or(Some(""));
        }
        let given = Connect { clean_start: clean || connect.clean_start, ..*connect };
        self.write_connect(&given, &texts, &properties, wake)?;
        self.upstream_identifier = texts.client_identifier.into();
        self.is_assigned = assigned.is_some() && self.version == Version::V5;
        if let Some(names) = names {
            if self.upstream_version == Version::V5 {
                self.message_properties = names.message_properties.into();
            }
            self.names = names.names;
        }
        self.agree(connect, clean);
        Ok(())
    }

    /// What follows from a CONNECT for the rest of the session.
    fn agree(&mut self, connect: &Connect<'_>, clean: bool) {
        let given = connect.properties;
        if self.version == Version::V5 {
            if self.upstream_version != Version::V5 || self.joins.is_some() {
                self.bounds.bound(Way::Down, given);
            }
            self.allow_aliases(Way::Up, self.plan.limits.topic_aliases_max);
            self.offer_aliases(Way::Down, alias_maximum(given));
        }
        if self.upstream_version == Version::V5 {
            self.allow_aliases(Way::Down, self.plan.limits.topic_aliases_max);
        }
        let subscriptions = match clean || connect.clean_start {
            true => Subscriptions::of_new_session(),
            false => Subscriptions::default(),
        };
        // Where topics pass as they are, so does whatever the broker sends unasked.
        let open = self.plan.translator.is_plain();
        let options = match self.version == Version::V5 && self.upstream_version != Version::V5 {
            true => Options::Proxy,
            false => Options::Upstream,
        };
        let subscriptions = subscriptions.with_unknown(open).with_options(options);
        self.subscriptions = Some(Box::new(subscriptions));
        self.told_expiry = self.kept_for(connect, clean).filter(|_| self.version == Version::V5);
        self.session_expiry = self.told_expiry.unwrap_or(self.session_expiry);
    }

    /// How long the device's session is kept, if that isn't as long as it asked for. Before 5 a session that begins clean
    /// ends with its connection, and any other one never ends.
    fn kept_for(&self, connect: &Connect<'_>, clean: bool) -> Option<u32> {
        let asked = self.session_expiry;
        let kept = match self.upstream_version {
            _ if clean => 0,
            Version::V5 => asked,
            Version::V31 | Version::V311 if connect.clean_start => 0,
            Version::V31 | Version::V311 => u32::MAX,
        };
        (kept != asked).then_some(kept)
    }

    /// A client identifier for who has none, where the upstream wouldn't say which one it took
    /// [MQTT-3.1.3-6] [MQTT-3.2.2-16], or takes none that is empty (3.1). Letters and digits, not to be guessed.
    fn assigned_identifier(
        &self,
        texts: &Texts<'_>,
        names: &crate::translate::Scratch,
    ) -> Option<Box<str>> {
        let needed = self.version == Version::V5 || self.upstream_version == Version::V31;
        (needed && texts.client_identifier.is_empty()).then(|| {
            // The keys are random, drawn from the system.
            let number = RandomState::new().hash_one(names.serial);
            format!("interlingua{:012x}", number >> 16).into()
        })
    }

    /// The upstream's properties. Aliases are between it and the proxy; a platform without sessions is not asked to
    /// keep one.
    fn upstream_properties(
        &self,
        connect: &Connect<'_>,
        clean: bool,
        buffer: &mut PropertyBuffer,
    ) -> Result<PropertyBuffer, Refused> {
        if self.version != Version::V5 || self.upstream_version != Version::V5 {
            return self.own_properties(connect, clean);
        }
        let given = connect.properties;
        let own_limits = self.own_limits(given);
        let mut dropped = vec![PropertyIdentifier::TopicAliasMaximum];
        dropped.extend(own_limits.iter().map(|property| property.identifier()));
        if clean {
            dropped.push(PropertyIdentifier::SessionExpiryInterval);
        }
        let refused = |refusal| Refused::new(refusal, ReasonCode::PacketTooLarge);
        let kept = properties::without(given, &dropped, &own_limits, buffer).map_err(refused)?;
        let mut own = PropertyBuffer::new();
        for property in kept.iter() {
            let secret = matches!(property, Property::UserProperty(name, _) if self.plan.translator.is_secret(Way::Up, name));
            if !secret {
                own.push(property).map_err(|_| refused(NOT_ENCODED))?;
            }
        }
        Ok(own)
    }

    /// What an upstream of version 5 is told about a device of 3.x: the proxy's limits, and that a session which
    /// isn't clean is kept (3.1.1 section 3.1.2.4).
    fn own_properties(
        &self,
        connect: &Connect<'_>,
        clean: bool,
    ) -> Result<PropertyBuffer, Refused> {
        let mut own = PropertyBuffer::new();
        if self.upstream_version != Version::V5 {
            return Ok(own);
        }
        let kept = !clean && !connect.clean_start;
        let expiry = kept.then_some(Property::SessionExpiryInterval(u32::MAX));
        for property in expiry.into_iter().chain(self.own_limits(Properties::EMPTY)) {
            let refused = |_| Refused::new(NOT_ENCODED, ReasonCode::PacketTooLarge);
            own.push(property).map_err(refused)?;
        }
        Ok(own)
    }

    /// What the proxy itself has to say in a CONNECT or CONNACK that it writes anew: its packet size and its exchanges,
    /// where they are less than what was announced, and its aliases.
    pub(super) fn own_limits(&self, announced: Properties<'_>) -> Vec<Property<'static>> {
        let limits = &self.plan.limits;
        let mut own: Vec<_> = self.lowered_limit(announced, Version::V5).into_iter().collect();
        let most = properties::receive_maximum(announced);
        if let Some(exchanges) = u16::try_from(limits.exchanges_max).ok().filter(|own| *own < most)
        {
            own.push(Property::ReceiveMaximum(exchanges.max(1)));
        }
        if limits.topic_aliases_max > 0 {
            own.push(Property::TopicAliasMaximum(limits.topic_aliases_max));
        }
        own
    }

    fn write_connect(
        &mut self,
        connect: &Connect<'_>,
        texts: &Texts<'_>,
        properties: &PropertyBuffer,
        wake: &mut Wake<'_>,
    ) -> Result<(), Refused> {
        let plan = self.plan.clone();
        let limits = plan.translator.upstream_limits();
        let Scratch { names, properties: buffer, .. } = &mut *wake.scratch;
        let mut will = None;
        if let Some(given) = &connect.will {
            let Will { topic_name, payload, qos, retain, .. } = *given;
            let message = Incoming { topic_name, payload, qos, retain };
            let refused = |refusal| Refused::new(refusal, super::answer::reason_code(refusal));
            let mut memory = self.memory.of_will();
            let translated =
                plan.translator.publish(Way::Up, &message, &mut memory, names).map_err(refused)?;
            let mut messages = translated.messages();
            let (Some(sent), None) = (messages.next(), messages.next()) else {
                return Err(refused(SPLIT_WILL));
            };
            self.delay_will(given, limits.will);
            let carried = self.carried_will(given, &sent, buffer).map_err(refused)?;
            match limits.will {
                WillRule::Emulate => self.keep_will(given, &carried).map_err(refused)?,
                WillRule::Carry => will = Some(carried),
            }
            wake.tally.message(Way::Up, translated.notes());
        }
        let upstream = Connect {
            version: self.upstream_version,
            clean_start: connect.clean_start,
            keep_alive_seconds: connect.keep_alive_seconds,
            client_identifier: texts.client_identifier,
            properties: properties.properties(),
            will,
            user_name: texts.user_name,
            password: texts.password,
        };
        let encoded = upstream.encode(wake.to_upstream);
        encoded.map_err(|_: EncodeError| {
            Refused::new(NOT_ENCODED, ReasonCode::ClientIdentifierNotValid)
        })
    }

    /// A will that the upstream keeps.
    fn carried_will<'w>(
        &self,
        given: &Will<'w>,
        sent: &Outgoing<'w>,
        buffer: &'w mut PropertyBuffer,
    ) -> Result<Will<'w>, Refusal> {
        let properties = match self.version == Version::V5 && self.upstream_version == Version::V5 {
            true => properties::translate(
                given.properties,
                Way::Up,
                &self.plan.translator,
                &self.memory,
                buffer,
            )?,
            false => Properties::EMPTY,
        };
        let Outgoing { topic_name, payload, qos, retain, .. } = *sent;
        Ok(Will { topic_name, payload, qos, retain, properties })
    }

    /// A will that the proxy keeps. What couldn't be published later is refused now.
    fn keep_will(&mut self, given: &Will<'_>, carried: &Will<'_>) -> Result<(), Refusal> {
        let kept = without_delay(carried.properties)?;
        let Will { topic_name, payload, retain, .. } = *carried;
        let probe = Publish {
            dup: false,
            qos: Qos::AtMostOnce,
            retain,
            topic_name,
            packet_identifier: None,
            properties: kept.properties(),
            payload,
        };
        probe.encode(self.upstream_version, &mut Vec::new()).map_err(|_| NOT_ENCODED)?;
        self.will = Some(Box::new(EmulatedWill::of(given, kept)));
        // Its packet identifier has to be none of the device's.
        self.joins.get_or_insert_default();
        Ok(())
    }

    /// Whoever the proxy keeps the will's delay for: an upstream of 3.x knows none, and a platform without wills has the
    /// will published by the proxy. The session's end ends it, too (v5 section 3.1.3.2.2).
    fn delay_will(&mut self, given: &Will<'_>, rule: WillRule) {
        let kept_here = rule == WillRule::Emulate || self.upstream_version != Version::V5;
        let Some(Property::WillDelayInterval(delay)) =
            given.properties.find(PropertyIdentifier::WillDelayInterval).filter(|_| kept_here)
        else {
            return;
        };
        let delay = Duration::from_secs(u64::from(delay));
        self.will_delay = delay.min(self.plan.limits.will_delay_max);
    }
}

/// The properties of a will that the proxy publishes itself.
fn without_delay(properties: Properties<'_>) -> Result<PropertyBuffer, Refusal> {
    let mut own = PropertyBuffer::new();
    let delay = PropertyIdentifier::WillDelayInterval;
    for property in properties.iter().filter(|property| property.identifier() != delay) {
        own.push(property).map_err(|_| NOT_ENCODED)?;
    }
    Ok(own)
}

fn refused_text(refusal: ConnectRefusal) -> Refused {
    match refusal {
        ConnectRefusal::ClientIdentifier(refusal) => {
            Refused::new(refusal, ReasonCode::ClientIdentifierNotValid)
        }
        ConnectRefusal::Credentials(refusal) => {
            Refused::new(refusal, ReasonCode::BadUserNameOrPassword)
        }
        ConnectRefusal::Certificate(refusal) => Refused::new(refusal, ReasonCode::NotAuthorized),
    }
}
