//! Xyte, both ways.
//!
//! Each row: the way, the payload, the topic's channel, and `channel payload` of every piece.

use super::*;

#[test]
fn writes_and_reads_xyte_as_the_examples_have_it() {
    let up = Way(XyteTelemetry, Telemetry, Members, No, Nowhere);
    let update = Way(JsonOrNumber, Response, XyteUpdate, No, Nowhere);
    let config = Way(XyteConfig, Config, Opaque, No, Nowhere);
    let rows: &[Row<'_>] = &[
        (
            XYTE,
            r#"{"temp":20,"humidity":50}"#,
            None,
            Ok(&[r#" {"status":"online","telemetries":{"temp":20,"humidity":50}}"#]),
        ),
        (
            XYTE,
            "23.5",
            Some("temp"),
            Ok(&[r#"temp {"status":"online","telemetries":{"temp":23.5}}"#]),
        ),
        (
            XYTE,
            r#"{"pos":{"lat":1.5,"lon":2}}"#,
            None,
            Ok(&[r#" {"status":"online","telemetries":{"pos.lat":1.5,"pos.lon":2}}"#]),
        ),
        (
            XYTE,
            r#"{"lat":1.5}"#,
            Some("pos"),
            Ok(&[r#"pos {"status":"online","telemetries":{"pos.lat":1.5}}"#]),
        ),
        (XYTE, r#"{"a":{"b":1},"a.b":2}"#, None, Err("payload_shape")),
        (XYTE, r#"{"a":1,"\u0061":2}"#, None, Err("payload_shape")),
        (XYTE, r#"{"a":[1]}"#, None, Err("payload_shape")),
        (XYTE, "[1,2,3]", None, Err("payload_shape")),
        (XYTE, "1", None, Err("no_channel")),
        (
            Way(Opaque, Error, XyteTelemetry, No, Nowhere),
            r#""hot""#,
            None,
            Ok(&[r#" {"status":"error","message":"hot"}"#]),
        ),
        (
            update,
            r#"{"id":"6f1c","status":"done","message":"ok"}"#,
            None,
            Ok(&[r#" {"id":"6f1c","status":"done","message":"ok"}"#]),
        ),
        (update, r#"{"id":"6f1c"}"#, None, Err("payload_shape")),
        (update, "7", None, Err("payload_shape")),
        (
            Way(XyteCommand, Command, Opaque, No, Nowhere),
            r#"{"id":"6f1c","status":"pending","name":"reboot","parameters":{}}"#,
            None,
            Ok(&[r#"reboot {"id":"6f1c","name":"reboot","parameters":{}}"#]),
        ),
        (
            Way(XyteCommand, Command, Opaque, No, Nowhere),
            r#"{"id":"6f1c","status":"done","name":"reboot"}"#,
            None,
            Err("kind_unsupported"),
        ),
        (
            Way(XyteCommand, Command, Mqtt2goCommand, Topic, InTopic),
            r#"{"id":"6f1c","name":"dim","parameters":{"value":7}}"#,
            None,
            Ok(&[r#"dim {"type":"set","timestamp":1567677926,"value":7}"#]),
        ),
        (
            Way(Opaque, Command, XyteCommand, No, Nowhere),
            r#"{"name":"reboot"}"#,
            None,
            Ok(&[r#"reboot {"id":"c-17","status":"pending","name":"reboot","parameters":{}}"#]),
        ),
        (
            Way(Opaque, Command, XyteCommand, No, Nowhere),
            "fast",
            Some("spin"),
            Ok(&[
                r#"spin {"id":"c-17","status":"pending","name":"spin","parameters":{"value":"fast"}}"#,
            ]),
        ),
        (
            config,
            r#"{"name":"std","version":11,"last_updated":"2019-09-05T10:05:26Z","config":{"interval":60}}"#,
            None,
            Ok(&[r#" {"config":{"interval":60},"version":11}"#]),
        ),
        (
            Way(XyteConfig, Config, Keyed, Topic, InTopic),
            r#"{"version":11,"last_updated":"x","interval":60}"#,
            None,
            Ok(&[r#"interval {"interval":60}"#]),
        ),
        (
            Way(Opaque, Config, XyteConfig, No, Nowhere),
            r#"{"interval":60}"#,
            None,
            Ok(&[r#" {"version":17,"config":{"interval":60}}"#]),
        ),
        (
            Way(Opaque, Config, XyteConfig, No, Nowhere),
            r#"{"config":{"interval":60},"version":3}"#,
            None,
            Ok(&[r#" {"version":3,"config":{"interval":60}}"#]),
        ),
        (Way(Opaque, Config, XyteConfig, No, Nowhere), "text", None, Err("payload_shape")),
        (
            up,
            r#"{"status":"online","telemetries":{"a":1}}"#,
            None,
            Ok(&[r#" {"a":1,"status":"online"}"#]),
        ),
        (up, r#"{"status":"offline"}"#, None, Ok(&[r#" {"status":"offline"}"#])),
        (
            Way(XyteTelemetry, Telemetry, Keyed, Topic, InTopic),
            r#"{"status":"online","telemetries":{"a":1}}"#,
            None,
            Ok(&[r#"a {"a":1}"#, r#"status {"status":"online"}"#]),
        ),
        (
            Way(XyteTelemetry, Telemetry, JsonOrNumber, No, Nowhere),
            r#"{"status":"online","telemetries":{}}"#,
            None,
            Ok(&[r#" {"status":"online"}"#]),
        ),
    ];
    check(rows, &options());
}
