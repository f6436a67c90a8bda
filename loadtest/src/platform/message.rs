//! An application message while a stand-in has it, and what is owed to one subscriber of it. The wire's views own
//! nothing, this does.
//!
//! Invariant: its properties are those that a server passes on unchanged (v5 [MQTT-3.3.2-17] and the like).

use std::rc::Rc;

use interlingua::mqtt::{Properties, Property, PropertyBuffer, Publish, Qos, Will};

/// A message, whoever has published it.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) topic_name: String,
    pub(super) payload: Vec<u8>,
    /// As it was published; a subscription may lower it.
    pub(super) qos: Qos,
    pub(super) retain: bool,
    pub(super) properties: PropertyBuffer,
}

/// A message on its way to one client.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub(super) message: Rc<Message>,
    /// The lower one of message and subscription.
    pub(super) qos: Qos,
    pub(super) retain: bool,
    /// The identifiers of the subscriptions that wanted it.
    pub(super) subscription_identifiers: Vec<u32>,
}

impl Message {
    /// A message of the platform itself.
    pub(super) fn new(topic_name: String, payload: impl Into<Vec<u8>>, qos: Qos) -> Self {
        let properties = PropertyBuffer::new();
        Self { topic_name, payload: payload.into(), qos, retain: false, properties }
    }

    pub(super) fn of_publish(publish: &Publish<'_>) -> Self {
        Self {
            topic_name: publish.topic_name.to_owned(),
            payload: publish.payload.to_vec(),
            qos: publish.qos,
            retain: publish.retain,
            properties: passed_on(publish.properties),
        }
    }

    pub(super) fn of_will(will: &Will<'_>) -> Self {
        Self {
            topic_name: will.topic_name.to_owned(),
            payload: will.payload.to_vec(),
            qos: will.qos,
            retain: will.retain,
            properties: passed_on(will.properties),
        }
    }

    /// Bytes that it takes, roughly: what the bounds count.
    pub(super) fn size(&self) -> usize {
        let properties = self.properties.properties().as_bytes().len();
        self.topic_name.len() + self.payload.len() + properties + size_of::<Self>()
    }
}

fn passed_on(properties: Properties<'_>) -> PropertyBuffer {
    let mut kept = PropertyBuffer::new();
    for property in properties.iter() {
        if let Property::TopicAlias(_)
        | Property::SubscriptionIdentifier(_)
        | Property::WillDelayInterval(_) = property
        {
            continue;
        }
        let pushed = kept.push(property);
        debug_assert!(pushed.is_ok(), "what was decoded can be written: {pushed:?}");
    }
    kept
}
