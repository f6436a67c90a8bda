//! The closed set of payload shapes that dialect tables name (the declared one by its layout), and the question
//! whether bytes of one shape may stand where another is expected without being touched.

/// How the payload of a topic form is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Any bytes; nobody on the way looks at them.
    Opaque,
    /// One JSON value.
    Json,
    /// A JSON object, a bare number or a string (ThingScale's `json` topics).
    JsonOrNumber,
    /// MessagePack where it decodes strictly, else raw bytes (ThingScale's `binary` topics).
    Binary,
    /// No payload, or one that carries only credentials (attach, detach).
    Empty,
    /// `{"{channel}": value}`: an object with the channel as its only member (SmartWorks properties).
    Keyed,
    /// An object with any number of channels as members (SmartWorks properties, second generation).
    Members,
    /// `{"{action}": {"input": …, "href": …, "status": …}}` (SmartWorks).
    SmartworksAction,
    /// `{"{event}": {"data": …}}` (SmartWorks).
    SmartworksEvent,
    /// `{"data": {…}, "status": {…}}` (SmartWorks raw records).
    SmartworksData,
    /// `{"type": …, "timestamp": …, "value": …}` towards an entity (MQTT2GO).
    Mqtt2goCommand,
    /// `{"type": …, "priority_level": …, "timestamp": …, "value" | "report": …}` from an entity (MQTT2GO).
    Mqtt2goReport,
    /// `{"priority_level": …, "timestamp": …, "value": {"event_name": …, "message": …}}` (MQTT2GO).
    Mqtt2goEvent,
    /// `{"status": …, "timestamp": …, "telemetries": {…}}` (Xyte).
    XyteTelemetry,
    /// `{"id": …, "status": …, "name": …, "parameters": {…}}` (Xyte).
    XyteCommand,
    /// `{"id": …, "status": …, "message": …}` (Xyte).
    XyteUpdate,
    /// `{"version": …, "last_updated": …, "config": {…}}` (Xyte).
    XyteConfig,
    /// A frame that the table itself declares; its [`Layout`](super::Layout) says where everything stands.
    Declared,
}

/// What stands between the bytes of a source shape and a target shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// The bytes pass as they are.
    Untouched,
    /// The bytes have to be rewritten.
    Rewrite,
}

impl Shape {
    /// Every built-in shape with the word that tables write. A declared one has the name of its layout.
    pub const WORDS: [(&'static str, Shape); 17] = [
        ("opaque", Shape::Opaque),
        ("json", Shape::Json),
        ("json-or-number", Shape::JsonOrNumber),
        ("binary", Shape::Binary),
        ("empty", Shape::Empty),
        ("keyed", Shape::Keyed),
        ("members", Shape::Members),
        ("smartworks-action", Shape::SmartworksAction),
        ("smartworks-event", Shape::SmartworksEvent),
        ("smartworks-data", Shape::SmartworksData),
        ("mqtt2go-command", Shape::Mqtt2goCommand),
        ("mqtt2go-report", Shape::Mqtt2goReport),
        ("mqtt2go-event", Shape::Mqtt2goEvent),
        ("xyte-telemetry", Shape::XyteTelemetry),
        ("xyte-command", Shape::XyteCommand),
        ("xyte-update", Shape::XyteUpdate),
        ("xyte-config", Shape::XyteConfig),
    ];

    /// The word that tables write; empty for a declared shape.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, shape)| *shape == self).map_or("", |(word, _)| word)
    }

    /// Whether the payload itself says what the channel is, so that a topic without one loses nothing. Of a
    /// declared shape the layout says it, and likewise in [`Self::names_channel`].
    #[must_use]
    pub fn carries_channel(self) -> bool {
        matches!(
            self,
            Shape::Keyed
                | Shape::Members
                | Shape::SmartworksAction
                | Shape::SmartworksEvent
                | Shape::SmartworksData
                | Shape::XyteTelemetry
                | Shape::XyteCommand
        )
    }

    /// Whether the platform says that the payload is always JSON, so that anything else is refused. What
    /// ThingScale's `json` topics carry is left to its reader.
    #[must_use]
    pub fn is_json(self) -> bool {
        !matches!(self, Shape::Opaque | Shape::JsonOrNumber | Shape::Binary | Shape::Empty)
    }

    /// Whether the frame names the one channel.
    #[must_use]
    pub fn names_channel(self) -> bool {
        matches!(
            self,
            Shape::Keyed | Shape::SmartworksAction | Shape::SmartworksEvent | Shape::XyteCommand
        )
    }

    /// Whether a command of this shape has an identifier, one of the proxy's own where its source gives none.
    /// Of a declared shape the layout says it.
    #[must_use]
    pub fn identifies_commands(self) -> bool {
        matches!(self, Shape::SmartworksAction | Shape::XyteCommand)
    }

    /// Whether the body stands inside an outer frame that a platform without that frame must not see.
    fn frames_its_body(self) -> bool {
        matches!(
            self,
            Shape::SmartworksAction
                | Shape::SmartworksEvent
                | Shape::SmartworksData
                | Shape::XyteCommand
                | Shape::Empty
                | Shape::Declared
        )
    }

    /// Whether bytes of this shape may go out where `target` is expected.
    ///
    /// A target that takes any bytes gets exactly the bytes that came in, unless they are a frame around
    /// the body that only the source's platform reads. Of two declared shapes the layouts have to be the same.
    #[must_use]
    pub fn passage(self, target: Shape) -> Passage {
        if self == target || (target == Shape::Opaque && !self.frames_its_body()) {
            Passage::Untouched
        } else {
            Passage::Rewrite
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_has_one_word() {
        for (word, shape) in Shape::WORDS {
            assert_eq!(shape.word(), word);
            assert_eq!(
                Shape::WORDS.iter().filter(|(_, other)| *other == shape).count(),
                1,
                "{word}"
            );
        }
    }

    #[test]
    fn bytes_pass_untouched_only_where_the_target_reads_them_as_they_are() {
        for (source, target, passage) in [
            (Shape::JsonOrNumber, Shape::Opaque, Passage::Untouched),
            (Shape::Binary, Shape::Opaque, Passage::Untouched),
            (Shape::Mqtt2goReport, Shape::Opaque, Passage::Untouched),
            (Shape::XyteTelemetry, Shape::XyteTelemetry, Passage::Untouched),
            (Shape::SmartworksEvent, Shape::Opaque, Passage::Rewrite),
            (Shape::SmartworksData, Shape::Opaque, Passage::Rewrite),
            (Shape::Declared, Shape::Opaque, Passage::Rewrite),
            (Shape::Json, Shape::Declared, Passage::Rewrite),
            (Shape::Opaque, Shape::Mqtt2goCommand, Passage::Rewrite),
            (Shape::JsonOrNumber, Shape::Members, Passage::Rewrite),
        ] {
            assert_eq!(source.passage(target), passage, "{} to {}", source.word(), target.word());
        }
    }
}
