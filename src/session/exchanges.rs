//! QoS 2 exchanges that the proxy finishes itself, on one side of the session.
//!
//! ```text
//!  sender                proxy                 receiver
//!    │── PUBLISH, QoS 2 ──▶│── PUBLISH, QoS 1 ──▶│      Forwarded
//!    │◀────── PUBREC ──────│◀────── PUBACK ──────│      Released: waits for PUBREL
//!    │─────── PUBREL ─────▶│
//!    │◀────── PUBCOMP ─────│                            forgotten
//! ```
//!
//! A message that is refused at QoS 2 starts at `Released`. What passes untouched from end to end isn't here.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::mqtt::PacketIdentifier;

/// How far an exchange is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exchange {
    /// The message went on with QoS 1; the receiver's PUBACK is awaited.
    Forwarded,
    /// The sender was told PUBREC; its PUBREL is awaited.
    Released,
}

type Open = HashMap<PacketIdentifier, Exchange, RandomState>;

/// The exchanges with one sender.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    /// `None` mostly.
    open: Option<Box<Open>>,
}

/// There are as many as the limit allows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Exchanges {
    /// How far the exchange is, if there is one.
    pub(super) fn at(&self, identifier: PacketIdentifier) -> Option<Exchange> {
        self.open.as_deref()?.get(&identifier).copied()
    }

    /// Starts an exchange, or moves it on.
    pub(super) fn set(
        &mut self,
        identifier: PacketIdentifier,
        exchange: Exchange,
        most: usize,
    ) -> Result<(), Full> {
        let open = self.open.get_or_insert_default();
        if open.len() >= most && !open.contains_key(&identifier) {
            return Err(Full);
        }
        open.insert(identifier, exchange);
        Ok(())
    }

    /// Forgets an exchange.
    pub(super) fn finish(&mut self, identifier: PacketIdentifier) {
        let Some(open) = &mut self.open else { return };
        open.remove(&identifier);
        if open.is_empty() {
            self.open = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_exchanges_than_the_limit() {
        let mut exchanges = Exchanges::default();
        let id = |value| PacketIdentifier::new(value).unwrap();
        assert_eq!(exchanges.set(id(1), Exchange::Forwarded, 2), Ok(()));
        assert_eq!(exchanges.set(id(2), Exchange::Released, 2), Ok(()));
        assert_eq!(exchanges.set(id(3), Exchange::Released, 2), Err(Full));
        assert_eq!(
            exchanges.set(id(1), Exchange::Released, 2),
            Ok(()),
            "one that is open moves on"
        );
        assert_eq!((exchanges.at(id(1)), exchanges.at(id(3))), (Some(Exchange::Released), None));
        exchanges.finish(id(2));
        assert_eq!(exchanges.set(id(3), Exchange::Forwarded, 2), Ok(()));
    }
}
