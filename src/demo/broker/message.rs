//! An application message while the broker has it: the wire's views own nothing, this does.
//!
//! Invariant: its properties are those that a server passes on unchanged (v5 [MQTT-3.3.2-17] and the
//! like); topic aliases, subscription identifiers and the will's delay belong to one connection only.

use crate::mqtt::{Properties, Property, PropertyBuffer, Publish, Qos, Will};

#[derive(Debug)]
pub(super) struct Message {
    pub(super) topic_name: String,
    pub(super) payload: Vec<u8>,
    /// As it was published; a subscription may lower it.
    pub(super) qos: Qos,
    /// As it was published.
    pub(super) retain: bool,
    pub(super) properties: PropertyBuffer,
}

impl Message {
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
        self.topic_name.len()
            + self.payload.len()
            + self.properties.properties().as_bytes().len()
            + size_of::<Self>()
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
