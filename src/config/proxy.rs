//! The tables `[proxy]` and `[limits]`: numbers and words that refer to nothing else.

use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::document::{Located, Scalar, Table, Written};
use crate::session::SessionLimits;

use super::model::{LogFormat, LogLevel, MemoryMax, Proxy, Shards};

/// The largest packet that MQTT can write: 5 bytes of fixed header and 268,435,455.
const PACKET_SIZE: RangeInclusive<u64> = 1024..=268_435_460;
const CONNECT_SIZE: RangeInclusive<u64> = 256..=268_435_460;
const TIMEOUT_MS: RangeInclusive<u64> = 1..=3_600_000;
/// There are as many packet identifiers.
const EXCHANGES: RangeInclusive<u64> = 1..=65_535;
const SUBSCRIPTIONS: RangeInclusive<u64> = 1..=1_000_000;
const WILL_DELAY_MS: RangeInclusive<u64> = 0..=86_400_000;
const ALIASES: RangeInclusive<u64> = 0..=65_535;
const KEEP_ALIVE_S: RangeInclusive<u64> = 1..=65_535;
const ATTACHMENTS: RangeInclusive<u64> = 1..=1_000_000;
/// MQTT's topics have up to 65,535 bytes, thus one level more.
const TOPIC_LEVELS: RangeInclusive<u64> = 1..=65_536;
const TOPIC_BYTES: RangeInclusive<u64> = 1..=65_535;
const PROPERTIES: RangeInclusive<u64> = 1..=1_000_000;
const BUFFERED_BYTES: RangeInclusive<u64> = 4096..=1_073_741_824;
const SESSIONS: RangeInclusive<u64> = 1..=10_000_000;
const OPENINGS: RangeInclusive<u64> = 1..=1_000_000;
const HANDSHAKES: RangeInclusive<u64> = 1..=1_000_000;
const SHARDS: RangeInclusive<i64> = 1..=256;
/// Less than the proxy itself takes makes no sense.
const MEMORY: RangeInclusive<u64> = 16 * 1024 * 1024..=1 << 50;
const PERCENT: RangeInclusive<u64> = 10..=99;

/// `[proxy]`.
pub(super) fn read_proxy(mut table: Table<'_>, proxy: &mut Proxy) {
    if let Some(shards) = read_shards(&mut table) {
        proxy.shards = shards;
    }
    if let Some(pin) = table.flag("pin") {
        proxy.pin = pin.value;
    }
    set_time(&mut table, "drain_timeout_ms", 0..=3_600_000, &mut proxy.drain_timeout);
    let check = &mut proxy.certificate_check;
    set_time(&mut table, "certificate_check_ms", 10..=86_400_000, check);
    read_memory(&mut table, proxy);
    read_watchdog(&mut table, proxy);
    if let Some(log) = table.word("log", &LogFormat::WORDS) {
        proxy.log = log.value;
    }
    if let Some(level) = table.word("log_level", &LogLevel::WORDS) {
        proxy.log_level = level.value;
    }
    table.finish();
}

fn read_shards(table: &mut Table<'_>) -> Option<Shards> {
    let remedy = "write \"auto\" or a number from 1 to 256";
    match table.table_or_scalar("shards")? {
        Written::Scalar(Located { value: Scalar::Integer(number), .. })
            if SHARDS.contains(&number) =>
        {
            usize::try_from(number).ok().map(Shards::Exactly)
        }
        Written::Scalar(Located { value: Scalar::Integer(number), line }) => {
            table.fault(line, "shards", format!("{number} is out of range"), remedy);
            None
        }
        Written::Scalar(Located { value: Scalar::Text(word), .. }) if word == "auto" => {
            Some(Shards::Auto)
        }
        Written::Scalar(Located { line, .. }) => {
            table.fault(line, "shards", "is neither a number nor \"auto\"", remedy);
            None
        }
        Written::Table(inner) => {
            table.fault(inner.line(), "shards", "is a table", remedy);
            None
        }
    }
}

/// How much memory the process may have, and what happens at which part of it.
fn read_memory(table: &mut Table<'_>, proxy: &mut Proxy) {
    if let Some(max) = read_memory_max(table) {
        proxy.memory_max = max;
    }
    let mut set = |key, target: &mut u8| {
        let written = table.integer(key, PERCENT)?;
        *target = u8::try_from(written.value).unwrap_or(u8::MAX);
        Some(written.line)
    };
    let lines = [
        set("memory_refuse_percent", &mut proxy.memory_refuse_percent),
        set("memory_end_percent", &mut proxy.memory_end_percent),
    ];
    if proxy.memory_refuse_percent >= proxy.memory_end_percent
        && let Some(line) = lines.into_iter().flatten().max()
    {
        let (refuse, end) = (proxy.memory_refuse_percent, proxy.memory_end_percent);
        let message = format!("is {end}, and `memory_refuse_percent` is {refuse}");
        let remedy = "new sessions are refused before others are ended: write a smaller number there or a larger one here";
        table.fault(line, "memory_end_percent", message, remedy);
    }
}

/// Shards show four times a second that they are there.
fn read_watchdog(table: &mut Table<'_>, proxy: &mut Proxy) {
    let Some(written) = table.integer("watchdog_ms", 0..=3_600_000) else { return };
    proxy.watchdog = Some(Duration::from_millis(written.value)).filter(|limit| !limit.is_zero());
    if (1..1000).contains(&written.value) {
        let message = format!("{} is less than a second", written.value);
        let remedy = "write 1000 or more, or 0 to turn it off";
        table.fault(written.line, "watchdog_ms", message, remedy);
    }
}

fn read_memory_max(table: &mut Table<'_>) -> Option<MemoryMax> {
    const KEY: &str = "memory_max_bytes";
    let remedy = "write \"auto\", \"off\" or a number of bytes from 16777216 on";
    let (line, message) = match table.table_or_scalar(KEY)? {
        Written::Scalar(Located { value: Scalar::Integer(number), line }) => {
            match u64::try_from(number).ok().filter(|bytes| MEMORY.contains(bytes)) {
                Some(bytes) => return Some(MemoryMax::Exactly(bytes)),
                None => (line, format!("{number} is out of range")),
            }
        }
        Written::Scalar(Located { value: Scalar::Text(word), line }) => match word.as_str() {
            "auto" => return Some(MemoryMax::Auto),
            "off" => return Some(MemoryMax::Off),
            _ => (line, "is another word".to_owned()),
        },
        Written::Scalar(Located { line, .. }) => (line, "is no number of bytes".to_owned()),
        Written::Table(inner) => (inner.line(), "is a table".to_owned()),
    };
    table.fault(line, KEY, message, remedy);
    None
}

/// `[limits]`, of each session and of the process.
pub(super) fn read_limits(mut table: Table<'_>, limits: &mut SessionLimits, proxy: &mut Proxy) {
    set_size(&mut table, "packet_size_max", PACKET_SIZE, &mut limits.packet_size_max);
    let connect_line =
        set_size(&mut table, "connect_size_max", CONNECT_SIZE, &mut limits.connect_size_max);
    set_time(&mut table, "connect_timeout_ms", TIMEOUT_MS, &mut limits.connect_timeout);
    set_time(&mut table, "upstream_timeout_ms", TIMEOUT_MS, &mut limits.upstream_timeout);
    set_size(&mut table, "exchanges_max", EXCHANGES, &mut limits.exchanges_max);
    set_size(&mut table, "subscriptions_max", SUBSCRIPTIONS, &mut limits.subscriptions_max);
    set_time(&mut table, "will_delay_max_ms", WILL_DELAY_MS, &mut limits.will_delay_max);
    if let Some(written) = table.integer("topic_aliases_max", ALIASES) {
        limits.topic_aliases_max = u16::try_from(written.value).unwrap_or(u16::MAX);
    }
    if let Some(written) = table.integer("keep_alive_max_s", KEEP_ALIVE_S) {
        limits.keep_alive_max = u16::try_from(written.value).ok().and_then(NonZeroU16::new);
    }
    set_size(&mut table, "attachments_max", ATTACHMENTS, &mut limits.attachments_max);
    set_size(&mut table, "topic_levels_max", TOPIC_LEVELS, &mut limits.topic_levels_max);
    set_size(&mut table, "topic_bytes_max", TOPIC_BYTES, &mut limits.topic_bytes_max);
    set_size(&mut table, "properties_max", PROPERTIES, &mut limits.properties_max);
    set_size(&mut table, "buffered_bytes_max", BUFFERED_BYTES, &mut proxy.buffered_bytes_max);
    set_size(&mut table, "sessions_max", SESSIONS, &mut proxy.sessions_max);
    set_size(&mut table, "openings_max", OPENINGS, &mut proxy.openings_max);
    set_size(&mut table, "handshakes_max", HANDSHAKES, &mut proxy.handshakes_max);
    if limits.connect_size_max > limits.packet_size_max {
        match connect_line {
            Some(line) => table.fault(
                line,
                "connect_size_max",
                format!("is more than `packet_size_max`, which is {}", limits.packet_size_max),
                "a CONNECT is a packet: write a smaller number here or a larger one there",
            ),
            None => limits.connect_size_max = limits.packet_size_max,
        }
    }
    table.finish();
}

/// Sets a number where one is written; gives its line.
fn set_size(
    table: &mut Table<'_>,
    key: &'static str,
    range: RangeInclusive<u64>,
    target: &mut usize,
) -> Option<usize> {
    let written = table.integer(key, range)?;
    *target = usize::try_from(written.value).unwrap_or(usize::MAX);
    Some(written.line)
}

pub(super) fn set_time(
    table: &mut Table<'_>,
    key: &'static str,
    range: RangeInclusive<u64>,
    target: &mut Duration,
) {
    if let Some(written) = table.integer(key, range) {
        *target = Duration::from_millis(written.value);
    }
}
