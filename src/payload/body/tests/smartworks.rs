//! SmartWorks, both ways.
//!
//! Each row: the way, the payload, the topic's channel, and `channel payload` of every piece.

use super::*;

#[test]
fn writes_smartworks_as_the_examples_have_it() {
    let config = Way(Opaque, Config, Keyed, Topic, InTopic);
    let many = Way(Opaque, Config, Members, Topic, InTopic);
    let rows: &[Row<'_>] = &[
        (
            PROPERTY,
            r#"{"temp":20,"humidity":50}"#,
            None,
            Ok(&[r#"temp {"temp":20}"#, r#"humidity {"humidity":50}"#]),
        ),
        (PROPERTY, "23.5", Some("temp"), Ok(&[r#"temp {"temp":23.5}"#])),
        (PROPERTY, "23.5", None, Err("no_channel")),
        (PROPERTY, r#""Hello!""#, None, Err("no_channel")),
        (PROPERTY, "[1,2]", None, Err("payload_shape")),
        (PROPERTY, "Hello!", None, Err("payload_not_json")),
        (MEMBERS, r#"{"temp":20,"humidity":50}"#, None, Ok(&[r#" {"temp":20,"humidity":50}"#])),
        (MEMBERS, "23.5", Some("temp"), Ok(&[r#"temp {"temp":23.5}"#])),
        (MEMBERS, "23.5", None, Err("no_channel")),
        (MEMBERS, "[1,2]", None, Err("payload_shape")),
        (
            Way(JsonOrNumber, Telemetry, SmartworksData, No, Nowhere),
            r#"{"temp":20}"#,
            None,
            Ok(&[r#" {"data":{"temp":20}}"#]),
        ),
        (
            Way(JsonOrNumber, Event, SmartworksEvent, Topic, InTopic),
            r#"{"zone":3}"#,
            Some("leak"),
            Ok(&[r#"leak {"leak":{"data":{"zone":3}}}"#]),
        ),
        (
            ACTION,
            r#"{"level":70,"duration":2500}"#,
            Some("Volumechange"),
            Ok(&[
                r#"Volumechange {"Volumechange":{"input":{"level":70,"duration":2500},"href":"/things/01FDSA7KS76MNR32J8W0RAWEFX/actions/Volumechange/c-17","timeRequested":"2019-09-05T10:05:26+00:00","status":"pending"}}"#,
            ]),
        ),
        (
            ACTION,
            r#"{"reboot":{}}"#,
            None,
            Ok(&[
                r#"reboot {"reboot":{"href":"/things/01FDSA7KS76MNR32J8W0RAWEFX/actions/reboot/c-17","timeRequested":"2019-09-05T10:05:26+00:00","status":"pending"}}"#,
            ]),
        ),
        (
            ACTION,
            r#"{"action":"a","input":1,"id":"x"}"#,
            None,
            Ok(&[
                r#"a {"a":{"input":1,"href":"/things/01FDSA7KS76MNR32J8W0RAWEFX/actions/a/x","timeRequested":"2019-09-05T10:05:26+00:00","status":"pending"}}"#,
            ]),
        ),
        (ACTION, "door=open", None, Err("no_channel")),
        (
            ACTION,
            r#"{"value":1}"#,
            Some("dim"),
            Ok(&[
                r#"dim {"dim":{"input":{"value":1},"href":"/things/01FDSA7KS76MNR32J8W0RAWEFX/actions/dim/c-17","timeRequested":"2019-09-05T10:05:26+00:00","status":"pending"}}"#,
            ]),
        ),
        (
            ACTION,
            r#"{"name":"kitchen"}"#,
            Some("rename"),
            Ok(&[
                r#"rename {"rename":{"input":{"name":"kitchen"},"href":"/things/01FDSA7KS76MNR32J8W0RAWEFX/actions/rename/c-17","timeRequested":"2019-09-05T10:05:26+00:00","status":"pending"}}"#,
            ]),
        ),
        (
            Way(XyteCommand, Command, SmartworksAction, Topic, InTopic),
            r#"{"id":"u","name":"dim","parameters":{"value":7}}"#,
            None,
            Ok(&[
                r#"dim {"dim":{"input":7,"href":"/things/01FDSA7KS76MNR32J8W0RAWEFX/actions/dim/u","timeRequested":"2019-09-05T10:05:26+00:00","status":"pending"}}"#,
            ]),
        ),
        (
            config,
            r#"{"RGBD-mode":"blue","Fan-status":true}"#,
            None,
            Ok(&[r#"RGBD-mode {"RGBD-mode":"blue"}"#, r#"Fan-status {"Fan-status":true}"#]),
        ),
        (many, r#"{"a":1,"b":2}"#, None, Ok(&[r#"a {"a":1}"#, r#"b {"b":2}"#])),
        (config, "", None, Ok(&[])),
        (config, "[1]", None, Err("payload_shape")),
    ];
    check(rows, &options());
}

#[test]
fn reads_smartworks_as_the_examples_have_it() {
    let action =
        r#"{"OpenDoor":{"input":{"speed":2},"href":"\/spaces/acme\/01EDNHS7","status":"pending"}}"#;
    let over = r#"{"OpenDoor":{"href":"/a/01E","status":"completed"}}"#;
    let rows: &[Row<'_>] = &[
        (
            Way(Keyed, State, Opaque, No, InTopic),
            r#"{"temp":21.7}"#,
            Some("temp"),
            Ok(&["temp 21.7"]),
        ),
        (
            Way(Keyed, State, Opaque, No, Nowhere),
            r#"{"temp":21.7}"#,
            None,
            Ok(&[r#"temp {"temp":21.7}"#]),
        ),
        (
            Way(Keyed, State, Mqtt2goReport, Topic, InTopic),
            r#"{"a":1,"b":2}"#,
            Some("a"),
            Ok(&[
                r#"a {"type":"status","priority_level":3,"timestamp":1567677926,"value":1}"#,
                r#"b {"type":"status","priority_level":3,"timestamp":1567677926,"value":2}"#,
            ]),
        ),
        (
            Way(Members, State, XyteTelemetry, No, Nowhere),
            r#"{"a":1,"b":2}"#,
            None,
            Ok(&[r#" {"status":"online","telemetries":{"a":1,"b":2}}"#]),
        ),
        (
            Way(SmartworksData, Telemetry, Opaque, No, InTopic),
            r#"{"data":{"temperature":50},"status":{"connected":"True"}}"#,
            Some("data"),
            Ok(&[r#"data {"temperature":50}"#]),
        ),
        (
            Way(SmartworksData, Telemetry, Opaque, No, InTopic),
            r#"{"status":{"connected":"True"}}"#,
            Some("data"),
            Ok(&[]),
        ),
        (
            Way(SmartworksData, Telemetry, Keyed, Topic, InTopic),
            r#"{"data":{"t":5}}"#,
            Some("data"),
            Ok(&[r#"t {"t":5}"#]),
        ),
        (
            Way(SmartworksEvent, Event, Opaque, No, InTopic),
            r#"{"highCPU":{"data":61}}"#,
            None,
            Ok(&[r#"highCPU {"data":61}"#]),
        ),
        (
            Way(SmartworksEvent, Event, JsonOrNumber, No, InTopic),
            r#"{"highCPU":{"data":61}}"#,
            None,
            Ok(&["highCPU 61"]),
        ),
        (
            Way(SmartworksEvent, Event, Opaque, No, InTopic),
            r#"{"a":{},"b":{}}"#,
            None,
            Err("payload_shape"),
        ),
        (
            Way(SmartworksAction, Command, Opaque, No, Nowhere),
            action,
            None,
            Ok(&[r#"OpenDoor {"action":"OpenDoor","input":{"speed":2},"id":"01EDNHS7"}"#]),
        ),
        (
            Way(SmartworksAction, Command, Opaque, No, InTopic),
            action,
            None,
            Ok(&[r#"OpenDoor {"speed":2}"#]),
        ),
        (
            Way(SmartworksAction, Command, XyteCommand, No, Nowhere),
            action,
            None,
            Ok(&[
                r#"OpenDoor {"id":"01EDNHS7","status":"pending","name":"OpenDoor","parameters":{"speed":2}}"#,
            ]),
        ),
        (Way(SmartworksAction, Command, Opaque, No, Nowhere), over, None, Err("kind_unsupported")),
        (
            Way(SmartworksAction, Response, Opaque, No, InTopic),
            over,
            None,
            Ok(&[r#"OpenDoor {"status":"completed","id":"01E"}"#]),
        ),
        (
            Way(SmartworksAction, Response, XyteUpdate, No, Nowhere),
            over,
            None,
            Ok(&[r#"OpenDoor {"id":"01E","status":"done"}"#]),
        ),
        (
            Way(SmartworksAction, Response, Mqtt2goReport, Topic, InTopic),
            over,
            None,
            Ok(&[
                r#"OpenDoor {"type":"command_response","timestamp":1567677926,"value":"completed"}"#,
            ]),
        ),
        (Way(Keyed, State, Opaque, No, InTopic), r#"{"temp":NaN}"#, None, Err("payload_not_json")),
    ];
    check(rows, &options());
}
