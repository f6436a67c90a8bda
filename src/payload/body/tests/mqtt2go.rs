//! MQTT2GO, both ways.
//!
//! Each row: the way, the payload, the topic's channel, and `channel payload` of every piece.

use super::*;

#[test]
fn writes_mqtt2go_as_the_examples_have_it() {
    let state = Way(Opaque, State, Mqtt2goReport, Topic, InTopic);
    let config = Way(Opaque, Config, Mqtt2goCommand, Topic, InTopic);
    let rows: &[Row<'_>] = &[
        (
            REPORT,
            "21.8",
            Some("temperature"),
            Ok(&[
                r#"temperature {"type":"periodic_report","priority_level":3,"timestamp":1567677926,"value":21.8}"#,
            ]),
        ),
        (
            REPORT,
            r#"{"temperature":21.8,"humidity":35.5}"#,
            None,
            Ok(&[
                r#"temperature {"type":"periodic_report","priority_level":3,"timestamp":1567677926,"value":21.8}"#,
                r#"humidity {"type":"periodic_report","priority_level":3,"timestamp":1567677926,"value":35.5}"#,
            ]),
        ),
        (REPORT, "23.5", None, Err("no_channel")),
        (REPORT, "[1]", None, Err("payload_shape")),
        (REPORT, "{}", None, Ok(&[])),
        (
            REPORT,
            r#""smoke""#,
            Some("smoke"),
            Ok(&[
                r#"smoke {"type":"periodic_report","priority_level":1,"timestamp":1567677926,"value":"smoke"}"#,
            ]),
        ),
        (REPORT, "text", Some("img"), Err("payload_not_json")),
        (REPORT, "text", None, Err("payload_not_json")),
        (
            state,
            r#"{"switch":"on","brightness":80}"#,
            None,
            Ok(&[
                r#"switch {"type":"status","priority_level":3,"timestamp":1567677926,"value":"on"}"#,
                r#"brightness {"type":"status","priority_level":3,"timestamp":1567677926,"value":80}"#,
            ]),
        ),
        (
            Way(Opaque, Event, Mqtt2goEvent, No, Nowhere),
            r#"{"event_name":"anomaly","message":"light on at 3 am"}"#,
            Some("log"),
            Ok(&[
                r#"log {"priority_level":2,"timestamp":1567677926,"value":{"event_name":"anomaly","message":"light on at 3 am"}}"#,
            ]),
        ),
        (
            Way(SmartworksEvent, Event, Mqtt2goEvent, No, Nowhere),
            r#"{"highCPU":{"data":61}}"#,
            None,
            Ok(&[
                r#"highCPU {"priority_level":2,"timestamp":1567677926,"value":{"event_name":"highCPU","message":"61"}}"#,
            ]),
        ),
        (
            Way(Opaque, Response, Mqtt2goReport, Topic, InTopic),
            r#""on""#,
            Some("switch"),
            Ok(&[r#"switch {"type":"command_response","timestamp":1567677926,"value":"on"}"#]),
        ),
        (
            COMMAND,
            "on",
            Some("switch"),
            Ok(&[r#"switch {"type":"set","timestamp":1567677926,"value":"on"}"#]),
        ),
        (
            COMMAND,
            "75",
            Some("brightness"),
            Ok(&[r#"brightness {"type":"brightness","timestamp":1567677926,"value":75}"#]),
        ),
        (
            COMMAND,
            r#"{"r":1,"g":2,"b":3}"#,
            Some("color"),
            Ok(&[r#"color {"type":"color","timestamp":1567677926,"value":{"r":1,"g":2,"b":3}}"#]),
        ),
        (
            COMMAND,
            r#"{"type":"query"}"#,
            Some("temperature"),
            Ok(&[r#"temperature {"type":"query","timestamp":1567677926}"#]),
        ),
        (
            Way(Opaque, Query, Mqtt2goCommand, Topic, InTopic),
            "",
            Some("t"),
            Ok(&[r#"t {"type":"query","timestamp":1567677926}"#]),
        ),
        (
            COMMAND,
            r#"{"entity":"switch","value":"off"}"#,
            None,
            Ok(&[r#"switch {"type":"set","timestamp":1567677926,"value":"off"}"#]),
        ),
        (
            COMMAND,
            r#"{"type":"control","value":"stop","ts":1567677000}"#,
            Some("blinds"),
            Ok(&[r#"blinds {"type":"control","timestamp":1567677000,"value":"stop"}"#]),
        ),
        (COMMAND, "reboot", None, Err("no_channel")),
        (COMMAND, "", Some("switch"), Err("payload_shape")),
        (
            config,
            r#"{"switch":"on","brightness":40}"#,
            None,
            Ok(&[
                r#"switch {"type":"set","timestamp":1567677926,"value":"on"}"#,
                r#"brightness {"type":"set","timestamp":1567677926,"value":40}"#,
            ]),
        ),
        (config, "40", None, Err("payload_shape")),
        (config, "off", None, Err("payload_shape")),
        (config, "", None, Ok(&[])),
    ];
    check(rows, &options());
}

#[test]
fn reads_mqtt2go_as_the_examples_have_it() {
    let report = Way(Mqtt2goReport, Telemetry, Opaque, No, InTopic);
    let tagged = Way(Mqtt2goReport, Telemetry, JsonOrNumber, No, InTopic);
    let command = Way(Mqtt2goCommand, Command, Opaque, No, InTopic);
    let rows: &[Row<'_>] = &[
        (
            report,
            r#"{"priority_level":2,"type":"periodic_report","timestamp":1567677956,"report":{"value":21.8,"unit":"C"}}"#,
            Some("t"),
            Ok(&[r#"t {"value":21.8,"unit":"C","ts":1567677956000}"#]),
        ),
        (
            report,
            r#"{"timestamp":"1567677956123","report":{"value:":21.8,"unit":"C"}}"#,
            Some("t"),
            Ok(&[r#"t {"value":21.8,"unit":"C","ts":1567677956123}"#]),
        ),
        (report, r#"{"timestamp":"soon","value":1}"#, Some("t"), Err("ts_invalid")),
        (report, r#"{"timestamp":1}"#, Some("t"), Err("payload_shape")),
        (report, "on", Some("t"), Err("payload_not_json")),
        (
            Way(Mqtt2goReport, State, Opaque, No, Nowhere),
            r#"{"type":"Status","timestamp":1567677956,"value":"repair_needed"}"#,
            Some("state"),
            Ok(&[r#"state {"state":"repair_needed"}"#]),
        ),
        (tagged, r#"{"timestamp":1,"value":{"value":5}}"#, Some("t"), Ok(&["t 5"])),
        (tagged, r#"{"timestamp":1,"value":[5]}"#, Some("t"), Err("payload_shape")),
        (
            Way(Mqtt2goReport, Telemetry, Keyed, Topic, InTopic),
            r#"{"timestamp":1,"value":5}"#,
            Some("t"),
            Ok(&[r#"t {"t":5}"#]),
        ),
        (
            Way(Mqtt2goReport, Telemetry, XyteTelemetry, No, Nowhere),
            r#"{"timestamp":1567677956,"value":5}"#,
            Some("t"),
            Ok(&[
                r#"t {"status":"online","timestamp":"2019-09-05T10:05:56.000Z","telemetries":{"t":5}}"#,
            ]),
        ),
        (
            command,
            r#"{"type":"set","timestamp":1567677926,"value":"on"}"#,
            Some("switch"),
            Ok(&[r#"switch "on""#]),
        ),
        (
            Way(Mqtt2goCommand, Command, Opaque, No, Nowhere),
            r#"{"type":"set","timestamp":1567677926,"value":"on"}"#,
            Some("switch"),
            Ok(&[r#"switch {"entity":"switch","type":"set","value":"on","ts":1567677926000}"#]),
        ),
        (
            Way(Mqtt2goCommand, Query, Opaque, No, Nowhere),
            r#"{"type":"query","timestamp":1567677926}"#,
            Some("t"),
            Ok(&[r#"t {"entity":"t","type":"query","ts":1567677926000}"#]),
        ),
        (
            Way(Mqtt2goCommand, Command, Opaque, No, InTopic),
            r#"{"type":"query","value":"t"}"#,
            Some("t"),
            Ok(&[r#"t {"type":"query","value":"t"}"#]),
        ),
        (
            Way(Mqtt2goCommand, Command, XyteCommand, No, Nowhere),
            r#"{"type":"set","value":7}"#,
            Some("dim"),
            Ok(&[r#"dim {"id":"c-17","status":"pending","name":"dim","parameters":{"value":7}}"#]),
        ),
        (
            Way(Mqtt2goCommand, Query, XyteCommand, No, Nowhere),
            r#"{"type":"query"}"#,
            Some("dim"),
            Err("kind_unsupported"),
        ),
        (
            Way(Mqtt2goEvent, Event, SmartworksEvent, Topic, InTopic),
            r#"{"priority_level":2,"timestamp":1,"value":{"event_name":"x","message":"y"}}"#,
            None,
            Ok(&[r#"x {"x":{"data":{"event_name":"x","message":"y"}}}"#]),
        ),
    ];
    check(rows, &options());
}
