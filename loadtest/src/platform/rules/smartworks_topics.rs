//! SmartWorks' topics: which form one is, which patterns a Thing's credential has, and what the platform says back.
//!
//! Sources as in `smartworks`. The first generation is told what it wrote: `status/…` is published when a property's
//! value has changed, an action is requested or an event raised (topic-thing). For the second one that isn't said.

use interlingua::mqtt::Qos;
use serde_json::{Value, json};

use super::payload::{object, offset_time, uuid};
use super::smartworks::{Generation, action_object};
use super::{Acl, Moment};
use crate::platform::message::Message;

/// What a PUBLISH of a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    Properties,
    Actions,
    Events,
    Data,
    Other,
}

impl Spoken {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Properties => "properties",
            Self::Actions => "actions",
            Self::Events => "events",
            Self::Data => "data",
            Self::Other => "other",
        }
    }

    fn of_level(level: &str) -> Self {
        match level {
            "properties" => Self::Properties,
            "actions" => Self::Actions,
            "events" => Self::Events,
            "data" => Self::Data,
            _ => Self::Other,
        }
    }
}

/// The form of a topic name.
pub(super) fn form_of(generation: Generation, topic: &str) -> Spoken {
    let levels: Vec<&str> = topic.split('/').collect();
    match (generation, &*levels) {
        (Generation::Second, ["spaces", _, "things", _, kind, ..])
        | (
            Generation::First,
            ["set", _, "collections", _, "things", _, kind, ..]
            | ["set", _, "things", _, kind, ..]
            | [_, "collections", _, "things", _, kind],
        ) => Spoken::of_level(kind),
        (Generation::First, [_, "data", _]) => Spoken::Data,
        _ => Spoken::Other,
    }
}

/// The patterns that a Thing's credential is made with. `thing` may be `+`.
pub(super) fn default_acl(generation: Generation, space: &str, thing: &str) -> Acl {
    let texts = |texts: &[String]| texts.to_vec();
    match generation {
        Generation::Second => {
            let place = format!("spaces/{space}/things/{thing}");
            Acl {
                publish: texts(&[
                    format!("{place}/properties"),
                    format!("{place}/properties/+"),
                    format!("{place}/actions/+"),
                    format!("{place}/events"),
                    format!("{place}/data"),
                ]),
                subscribe: texts(&[
                    format!("{place}/properties/#"),
                    format!("{place}/actions/#"),
                    format!("{place}/events/#"),
                    format!("{place}/data"),
                ]),
            }
        }
        Generation::First => {
            let data = format!("{space}/data/{thing}");
            let mut acl = Acl { publish: vec![data.clone()], subscribe: vec![data] };
            for place in
                [format!("{space}/collections/+/things/{thing}"), format!("{space}/things/{thing}")]
            {
                for kind in ["properties", "actions", "events"] {
                    acl.publish.push(format!("set/{place}/{kind}/#"));
                    acl.subscribe.push(format!("status/{place}/{kind}/#"));
                }
                // Seen in deployed devices, and printed in the credential document (openapi).
                acl.publish.extend([format!("set/{place}/data"), format!("{place}/data")]);
            }
            acl
        }
    }
}

/// Whether a pattern has all that a filter (or a topic name) has.
pub(super) fn covers(pattern: &str, filter: &str) -> bool {
    let (mut patterns, mut filters) = (pattern.split('/'), filter.split('/'));
    loop {
        match (patterns.next(), filters.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(own), Some(level)) if own == level => {}
            _ => return false,
        }
    }
}

/// Whether a level names one thing.
pub(super) fn is_legal(level: &str) -> bool {
    !level.is_empty() && !matches!(level, "+" | "#")
}

/// What the platform publishes because of a message.
pub(super) fn echo(
    generation: Generation,
    topic: &str,
    spoken: Spoken,
    payload: &[u8],
    now: Moment,
) -> Option<Message> {
    let rest = topic.strip_prefix("set/").filter(|_| generation == Generation::First)?;
    let levels: Vec<&str> = rest.split('/').collect();
    let [.., thing, _, name] = &*levels else { return None };
    let mut members = object(payload).ok()?;
    for (member, body) in &mut members {
        match spoken {
            Spoken::Properties => {}
            Spoken::Actions if body.get("status").is_none() => {
                let input = body.get("input").map_or_else(String::new, Value::to_string);
                *body = action_object(thing, member, &input, now);
            }
            Spoken::Actions => {}
            Spoken::Events => {
                let time = offset_time(now.unix);
                let href = format!("/things/{thing}/events/{name}/{}", uuid());
                body["timestamp"] = json!(time);
                body["href"] = json!(href);
            }
            Spoken::Data | Spoken::Other => return None,
        }
    }
    let payload = Value::Object(members).to_string();
    Some(Message::new(format!("status/{rest}"), payload, Qos::AtLeastOnce))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_narrower_filters_only() {
        for (pattern, filter) in [
            ("a/#", "a/b/c"),
            ("a/#", "a/#"),
            ("a/#", "a"),
            ("a/+/c", "a/+/c"),
            ("a/+/c", "a/b/c"),
            ("a/+/#", "a/+/c"),
        ] {
            assert!(covers(pattern, filter), "{pattern} {filter}");
        }
        for (pattern, filter) in
            [("a/+", "a/#"), ("a/b", "a/+"), ("a/+", "a"), ("a/b", "a/b/c"), ("a/+/c", "#")]
        {
            assert!(!covers(pattern, filter), "{pattern} {filter}");
        }
    }
}
