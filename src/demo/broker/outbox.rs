//! What waits to be sent to one client: filled by the hub, emptied by the client's connection.
//!
//! It knows no packets. Invariant: at most [`DELIVERIES_MAX`] deliveries and [`BYTES_MAX`] bytes wait; a
//! client that lets more come together is told to go.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::Notify;

use super::message::Message;
use crate::mqtt::{Qos, ReasonCode};

/// Deliveries that may wait for one client.
const DELIVERIES_MAX: usize = 10_000;
/// Bytes of messages that may wait for one client.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// A message on its way to one client.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) message: Rc<Message>,
    /// The lower one of message and subscription.
    pub(super) qos: Qos,
    pub(super) retain: bool,
    /// The identifiers of the subscriptions that wanted it.
    pub(super) subscription_identifiers: Vec<u32>,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: RefCell<VecDeque<Delivery>>,
    bytes: Cell<usize>,
    end: Cell<Option<ReasonCode>>,
    changed: Notify,
}

impl Outbox {
    pub(super) fn push(&self, delivery: Delivery) {
        let bytes = self.bytes.get() + delivery.message.size();
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() == DELIVERIES_MAX || bytes > BYTES_MAX {
            return self.end(ReasonCode::QuotaExceeded);
        }
        self.bytes.set(bytes);
        waiting.push_back(delivery);
        self.changed.notify_one();
    }

    pub(super) fn pop(&self) -> Option<Delivery> {
        let delivery = self.waiting.borrow_mut().pop_front()?;
        self.bytes.set(self.bytes.get() - delivery.message.size());
        Some(delivery)
    }

    /// Asks the connection to end. The first reason stays.
    pub(super) fn end(&self, reason: ReasonCode) {
        if self.end.get().is_none() {
            self.end.set(Some(reason));
        }
        self.changed.notify_one();
    }

    /// Why the connection shall end, if it shall.
    pub(super) fn ended(&self) -> Option<ReasonCode> {
        self.end.get()
    }

    /// Waits for something new. Nothing is missed between two calls.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}
