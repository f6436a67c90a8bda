//! What a broker does without being asked by a packet: ends, time that passes, orders from the terminal.
//!
//! Invariant: a connection that ends has left the hub before its will is published.

use interlingua::mqtt::{Disconnect, Properties, ReasonCode, Version};

use super::broker::{Broker, End};
use super::client::Client;
use super::finding::{Fault, Note, Outcome, Rule};
use super::hub::Place;
use super::rules::{Moment, Order};

/// Whom the ledger names where it is the stand-in itself.
const ITSELF: &str = "stand-in";

impl Broker {
    /// The last words: DISCONNECT in 5, if the stand-in ends it, and the will.
    pub(super) fn close(&mut self, place: Place, end: &End, now: Moment, out: &mut Vec<u8>) {
        let Some(client) = self.clients.remove(&place) else { return };
        self.hub.leave(place, now.at);
        self.ledger.left();
        let detail = match end {
            End::Goodbye => "DISCONNECT".to_owned(),
            End::Gone => "gone".to_owned(),
            End::Fault(fault) => format!("by the stand-in: {}", fault.rule.word()),
        };
        self.ledger.connection("closed", &client.name, &detail);
        if let Some(will) = client.will.filter(|_| *end != End::Goodbye) {
            self.hub.publish(will, None);
        }
        if let End::Fault(Fault { code, .. }) = end
            && client.grants.version == Version::V5
        {
            let disconnect = Disconnect { reason_code: *code, properties: Properties::EMPTY };
            // Some codes are for other packets only; then the closed connection says it.
            let _ = disconnect.encode(Version::V5, out);
        }
    }

    /// A newer connection has the client identifier.
    pub(super) fn take_over(&mut self, older: Place) {
        let detail = "a newer connection has its client identifier";
        self.doom(older, Rule::TakenOver, ReasonCode::SessionTakenOver, detail);
    }

    /// What time alone brings: credentials that end, replies that are missing.
    pub(super) fn tick(&mut self, now: Moment) {
        self.hub.expire(now.at);
        for Note { rule, detail } in self.platform.overdue(now) {
            self.ledger.violation(rule, Outcome::Noted, ITSELF, None, &detail);
        }
        let over = |client: &Client| client.member.expires.is_some_and(|until| until <= now.unix);
        let expired = self.clients.iter_mut().filter(|(_, client)| over(client));
        let expired: Vec<Place> = expired
            .map(|(place, client)| {
                client.member.expires = None;
                *place
            })
            .collect();
        for place in expired {
            self.doom(place, Rule::TokenExpired, ReasonCode::NotAuthorized, "while connected");
        }
        for place in self.hub.take_slow() {
            self.doom(place, Rule::TooSlow, ReasonCode::QuotaExceeded, "it doesn't read");
        }
    }

    fn doom(&mut self, place: Place, rule: Rule, code: ReasonCode, detail: &str) {
        let Some(client) = self.clients.get(&place) else { return };
        let name = client.name.clone();
        let end = self.closed(&name, None, Fault::new(rule, code, detail));
        self.doomed.push((place, end));
    }

    /// Sends what somebody at the terminal wants sent.
    pub(super) fn order(&mut self, order: &Order, now: Moment) {
        match self.platform.order(order, now) {
            Ok(Some(message)) => {
                let shown = self.platform.masked(&message.topic_name);
                let payload = message.payload.clone();
                let reached = self.hub.publish(message, None);
                self.ledger.sent(&shown, &payload, reached);
            }
            Ok(None) => self.ledger.connection("waits", ITSELF, &order.target),
            Err(fault) => {
                let outcome = Outcome::Refused;
                let target = Some(&*order.target);
                self.ledger.violation(fault.rule, outcome, ITSELF, target, &fault.detail);
            }
        }
    }

    /// Everybody whom a command would reach.
    pub(super) fn targets(&self) -> Vec<String> {
        let targets = self.clients.values().flat_map(|client| client.targets.values());
        let mut targets: Vec<String> = targets.cloned().collect();
        targets.sort_unstable();
        targets.dedup();
        targets
    }

    /// The connections that have to go, since this was asked last.
    pub(super) fn take_doomed(&mut self) -> Vec<(Place, End)> {
        std::mem::take(&mut self.doomed)
    }
}
