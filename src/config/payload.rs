//! How a listener's payloads are rewritten: `[listener.payload]`, or `--payload-option` on the command line.

use std::sync::Arc;

use crate::document::{Document, Located, Scalar, Table, Written};
use crate::payload::body::{CommandTemplate, RawBytes, ReportKey};
use crate::payload::msgpack::{
    BinEncoding, Duplicates, ExtensionRule, IntegerKeys, InvalidUtf8, LargeIntegers, NonFinite,
    Scalars, Stream,
};
use crate::translate::{BinaryRule, CommandRule, KeyedRule, PayloadOptions, ReportRule, StateRule};

use super::faults::{Faults, Place, Wrong};

/// Reads the table. What is wrong is told; the default stands for it.
pub(super) fn read_payload(mut table: Table<'_>) -> PayloadOptions {
    let mut options = PayloadOptions::default();
    read_binary(&mut table, &mut options);
    read_msgpack(&mut table, &mut options);
    read_manners(&mut table, &mut options);
    let limits = &mut options.msgpack.limits;
    set_size(&mut table, "depth_max", 1..=127, &mut limits.depth_max);
    set_size(&mut table, "elements_max", 1..=16_777_216, &mut limits.elements_max);
    set_size(&mut table, "output_max", 64..=268_435_455, &mut limits.output_max);
    set_size(&mut table, "messages_max", 1..=65_535, &mut options.messages_max.0);
    options.body.default_channel = table.text("default_channel").map(|text| text.value.into());
    options.body.default_action = table.text("default_action").map(|text| text.value.into());
    let raw = table.word("raw", &[("refuse", RawBytes::Refuse), ("hex", RawBytes::Hex)]);
    options.body.raw_as_hex = raw.map_or(RawBytes::Refuse, |word| word.value);
    table.finish();
    options
}

fn read_binary(table: &mut Table<'_>, options: &mut PayloadOptions) {
    let words = [
        ("raw", BinaryRule::Raw),
        ("decode", BinaryRule::Decode),
        ("decode-strict", BinaryRule::DecodeStrict),
    ];
    if let Some(word) = table.word("binary", &words) {
        options.binary = word.value;
    }
}

/// What documents become where any bytes may stand.
fn read_manners(table: &mut Table<'_>, options: &mut PayloadOptions) {
    let words = [("document", KeyedRule::Document), ("value", KeyedRule::Value)];
    choose(table, "keyed", &words, &mut options.keyed);
    let words = [("state", StateRule::State), ("telemetry", StateRule::Telemetry)];
    choose(table, "state", &words, &mut options.state);
    let words = [("document", ReportRule::Document), ("normalize", ReportRule::Normalize)];
    choose(table, "mqtt2go_up", &words, &mut options.mqtt2go_up);
    let words = [
        ("document", CommandRule::Document),
        ("value", CommandRule::Value),
        ("text", CommandRule::Text),
    ];
    choose(table, "command", &words, &mut options.command);
    read_template(table, options);
    options.envelope = table.flag("envelope").is_some_and(|flag| flag.value);
    options.time_key = table.text("ts_key").map(|text| text.value.into());
    let words = [("value", ReportKey::Value), ("report", ReportKey::Report)];
    choose(table, "mqtt2go_value", &words, &mut options.body.report_key);
    if let Some(units) = table.table("units") {
        read_units(units, options);
    }
}

fn read_template(table: &mut Table<'_>, options: &mut PayloadOptions) {
    const KEY: &str = "command_template";
    const NAMES: &str =
        "write a text with `{action}`, `{value}` or `{input.…}`, and `{{` for a brace";
    let Some(Located { value, line }) = table.text(KEY) else { return };
    match CommandTemplate::parse(&value) {
        Ok(template) => options.command_template = Some(Arc::new(template)),
        Err(error) => table.fault(line, KEY, error.to_string(), NAMES),
    }
    if options.command != CommandRule::Document {
        let remedy = "leave one of them out";
        table.fault(line, KEY, "and `command` both say what becomes of commands", remedy);
    }
}

/// The units of entities, by their names.
fn read_units(mut table: Table<'_>, options: &mut PayloadOptions) {
    for (name, written) in table.every() {
        match written {
            Written::Scalar(Located { value: Scalar::Text(unit), .. }) => {
                options.body.units.push((name.value.into(), unit.into()));
            }
            _ => table.fault(name.line, &name.value, "is not a text", "write it as in `= \"C\"`"),
        }
    }
    if options.body.report_key != ReportKey::Report {
        let remedy = "write `mqtt2go_value = \"report\"`, or leave the units out";
        table.fault(table.line(), "", "has no place in a report's `value`", remedy);
    }
}

fn read_msgpack(table: &mut Table<'_>, options: &mut PayloadOptions) {
    let msgpack = &mut options.msgpack;
    choose(
        table,
        "bin_encoding",
        &[("base64", BinEncoding::Base64), ("hex", BinEncoding::Hex)],
        &mut msgpack.binary,
    );
    let words = [("refuse", ExtensionRule::Refuse), ("object", ExtensionRule::Object)];
    choose(table, "extension", &words, &mut msgpack.extension);
    let words = [("refuse", IntegerKeys::Refuse), ("stringify", IntegerKeys::Stringify)];
    choose(table, "int_keys", &words, &mut msgpack.integer_keys);
    choose(
        table,
        "nonfinite",
        &[("refuse", NonFinite::Refuse), ("null", NonFinite::Null)],
        &mut msgpack.non_finite,
    );
    let words = [
        ("digits", LargeIntegers::Digits),
        ("string_above_2p53", LargeIntegers::StringAbove2Pow53),
    ];
    choose(table, "large_integers", &words, &mut msgpack.large_integers);
    let words = [("refuse", InvalidUtf8::Refuse), ("binary", InvalidUtf8::AsBinary)];
    choose(table, "invalid_utf8", &words, &mut msgpack.invalid_utf8);
    let words = [("refuse", Duplicates::Refuse), ("last_wins", Duplicates::LastWins)];
    choose(table, "duplicates", &words, &mut msgpack.duplicates);
    choose(
        table,
        "stream",
        &[("refuse", Stream::Refuse), ("array", Stream::Array)],
        &mut msgpack.stream,
    );
    choose(
        table,
        "scalars",
        &[("refuse", Scalars::Refuse), ("accept", Scalars::Accept)],
        &mut msgpack.scalars,
    );
}

fn choose<T: Copy>(table: &mut Table<'_>, key: &'static str, words: &[(&str, T)], option: &mut T) {
    if let Some(word) = table.word(key, words) {
        *option = word.value;
    }
}

fn set_size(
    table: &mut Table<'_>,
    key: &'static str,
    range: std::ops::RangeInclusive<u64>,
    option: &mut usize,
) {
    if let Some(size) = table.integer(key, range) {
        *option = usize::try_from(size.value).unwrap_or(usize::MAX);
    }
}

/// Whether a value of the command line is a number or a flag rather than a text.
fn is_bare(name: &str, value: &str) -> bool {
    value.parse::<u64>().is_ok() || (name == "envelope" && value.parse::<bool>().is_ok())
}

/// The same keys as `NAME=VALUE` texts of the command line.
pub(super) fn payload_of_flags(given: &[String], faults: &Faults<'_>) -> PayloadOptions {
    let mut text = String::new();
    for pair in given {
        let place = Place::flag("--payload-option");
        match pair.split_once('=') {
            Some((name, value)) if is_bare(name, value) => {
                text.push_str(&format!("{name} = {value}\n"))
            }
            Some((name, value)) => text.push_str(&format!("{name} = {value:?}\n")),
            None => faults.at(
                &place,
                Wrong::new("has no `=`", "write it as in `--payload-option binary=decode`"),
            ),
        }
    }
    let document = Document::new("--payload-option", &text);
    let tree = document.parse();
    let options = read_payload(document.root(&tree));
    for fault in document.into_faults() {
        let place = Place::flag("--payload-option");
        faults.at(&place, Wrong::new(format!("`{}` {}", fault.key, fault.message), fault.remedy));
    }
    options
}
