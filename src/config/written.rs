//! The first stage: which keys a configuration has, and what stands where. Nothing is looked up here.

use crate::dialect::VERSIONS_REMEDY;
use crate::document::{Located, Scalar, Table, Written as Entry};
use crate::session::{OnRefusal, SessionLimits};
use crate::translate::PayloadOptions;

use super::access::{WrittenAccess, read_access};
use super::breaker::{Breaker, read_breaker};
use super::connection_limits::{WrittenLimits, read_listener_limits};
use super::faults::{Place, Said};
use super::model::Proxy;
use super::payload::read_payload;
use super::proxy::{read_limits, read_proxy};
use super::quic::{WrittenQuic, read_quic};
use super::route::{WrittenRoute, read_route};
use super::tls::{WrittenTls, read_listener_tls, read_upstream_tls};
use super::transport::{ProxyHeader, ProxyProtocol};

/// A configuration as it is written. What is `None` is absent or its fault is told.
pub(super) struct Written {
    pub(super) proxy: Proxy,
    pub(super) limits: SessionLimits,
    pub(super) admin: Option<Said<String>>,
    pub(super) listeners: Vec<WrittenListener>,
    pub(super) upstreams: Vec<WrittenUpstream>,
    pub(super) identity: Option<WrittenIdentity>,
}

/// `[[listener]]`.
pub(super) struct WrittenListener {
    pub(super) name: Option<Said<String>>,
    pub(super) bind: Option<Said<String>>,
    pub(super) transport: Option<Said<String>>,
    pub(super) tls: Option<WrittenTls>,
    pub(super) quic: Option<WrittenQuic>,
    pub(super) path: Option<Said<String>>,
    pub(super) proxy_protocol: Option<Said<ProxyHeader>>,
    pub(super) upstream: Option<Said<String>>,
    pub(super) routes: Vec<WrittenRoute>,
    pub(super) on_refusal: OnRefusal,
    pub(super) access: Option<WrittenAccess>,
    pub(super) limits: WrittenLimits,
    pub(super) side: WrittenSide,
}

impl WrittenListener {
    /// The upstream that it names, and those of its routes.
    pub(super) fn upstreams(&self) -> impl Iterator<Item = &Option<Said<String>>> {
        [&self.upstream].into_iter().chain(self.routes.iter().map(|route| &route.upstream))
    }
}

/// `[[upstream]]`.
pub(super) struct WrittenUpstream {
    pub(super) name: Option<Said<String>>,
    pub(super) url: Option<Said<String>>,
    pub(super) mode: Option<Said<String>>,
    pub(super) proxy_protocol: Option<Said<Option<ProxyProtocol>>>,
    pub(super) tls: Option<WrittenTls>,
    pub(super) breaker: Breaker,
    pub(super) side: WrittenSide,
}

/// What both have: a dialect with its values and options.
pub(super) struct WrittenSide {
    /// The listener or upstream itself.
    pub(super) place: Place,
    pub(super) origin: Origin,
    pub(super) dialect: Option<Said<String>>,
    pub(super) values: Vec<WrittenValue>,
    pub(super) options: Vec<Said<String>>,
    /// The versions of MQTT that an upstream speaks, where that is not what its dialect says.
    pub(super) versions: Vec<Said<String>>,
    /// How payloads are rewritten; a listener's only.
    pub(super) payload: PayloadOptions,
}

/// By which words values are given to a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A table of a file: `[listener.vars]`.
    File(&'static str),
    /// The flag of the command line that gives values to this side only.
    CommandLine(&'static str),
}

/// A variable's name, where it stands, and where its value comes from.
pub(super) struct WrittenValue {
    pub(super) name: Said<String>,
    /// `None`: its fault is told.
    pub(super) source: Option<Source>,
}

/// Where a value comes from. Not `Debug`: a text may be a secret.
pub(super) enum Source {
    /// The value itself.
    Text(String),
    /// `{ env = "NAME" }`.
    Environment(String),
    /// `{ file = "path" }`.
    File(String),
}

/// `[identity]`.
pub(super) enum WrittenIdentity {
    /// `rule = { prefix = "d" }`.
    Prefix(Said<String>),
    /// `table = "devices.csv"`.
    Table(Said<String>),
}

/// Reads a configuration's text.
pub(super) fn read(mut root: Table<'_>) -> Written {
    let mut proxy = Proxy::default();
    let mut limits = SessionLimits::default();
    if let Some(table) = root.table("proxy") {
        read_proxy(table, &mut proxy);
    }
    if let Some(table) = root.table("limits") {
        read_limits(table, &mut limits, &mut proxy);
    }
    let admin = root.table("admin").and_then(|mut table| {
        let bind = required(&mut table, "bind", "write `bind = \"127.0.0.1:9090\"`");
        table.finish();
        bind
    });
    for key in ["listener", "upstream"] {
        if !root.has(key) {
            root.fault(0, key, "is missing", format!("write at least one [[{key}]]"));
        }
    }
    let listeners = root.tables("listener").into_iter().map(read_listener).collect();
    let upstreams = root.tables("upstream").into_iter().map(read_upstream).collect();
    let identity = root.table("identity").and_then(read_identity);
    root.finish();
    Written { proxy, limits, admin, listeners, upstreams, identity }
}

fn read_listener(mut table: Table<'_>) -> WrittenListener {
    let on_refusal = table.word(
        "on_refusal",
        &[("ack_and_drop", OnRefusal::AckAndDrop), ("disconnect", OnRefusal::Disconnect)],
    );
    let payload = table.table("payload").map(read_payload).unwrap_or_default();
    let access = table.table("access").map(read_access);
    let proxy_protocol = table.word("proxy_protocol", &ProxyHeader::WORDS);
    let proxy_protocol = proxy_protocol.map(|word| Said::of(&table, "proxy_protocol", word));
    let limits = table.table("limits").map(read_listener_limits).unwrap_or_default();
    let listener = WrittenListener {
        name: required(&mut table, "name", "name it, as in `name = \"field\"`"),
        bind: required(&mut table, "bind", "write where to listen: `bind = \"0.0.0.0:1883\"`"),
        transport: text(&mut table, "transport"),
        tls: table.table("tls").map(read_listener_tls),
        quic: table.table("quic").map(read_quic),
        path: text(&mut table, "path"),
        proxy_protocol,
        upstream: required(&mut table, "upstream", "write the `name` of an [[upstream]]"),
        routes: table.tables("route").into_iter().map(read_route).collect(),
        access,
        limits,
        on_refusal: on_refusal.map_or(OnRefusal::AckAndDrop, |word| word.value),
        side: WrittenSide { payload, ..read_side(&mut table, "listener") },
    };
    table.finish();
    listener
}

fn read_upstream(mut table: Table<'_>) -> WrittenUpstream {
    let proxy_protocol = table.word("proxy_protocol", &ProxyProtocol::WORDS);
    let proxy_protocol = proxy_protocol.map(|word| Said::of(&table, "proxy_protocol", word));
    let upstream = WrittenUpstream {
        name: required(&mut table, "name", "name it, as in `name = \"cloud\"`"),
        url: required(&mut table, "url", "write where it is: `url = \"mqtt://host:1883\"`"),
        mode: text(&mut table, "mode"),
        proxy_protocol,
        tls: table.table("tls").map(read_upstream_tls),
        breaker: table.table("breaker").map(read_breaker).unwrap_or_default(),
        side: WrittenSide {
            versions: read_versions(&mut table),
            ..read_side(&mut table, "upstream")
        },
    };
    table.finish();
    upstream
}

fn read_side(table: &mut Table<'_>, origin: &'static str) -> WrittenSide {
    let remedy = "name one of `interlingua dialects`, or a file as in `dialect = \"./acme.toml\"`";
    let options = table.texts("options");
    WrittenSide {
        place: Place::of_table(table),
        origin: Origin::File(origin),
        dialect: required(table, "dialect", remedy),
        options: options.into_iter().map(|option| Said::of(table, "options", option)).collect(),
        values: table.table("vars").map(read_values).unwrap_or_default(),
        versions: Vec::new(),
        payload: PayloadOptions::default(),
    }
}

/// `mqtt = ["3.1.1"]`: an empty list says nothing, which can't be meant.
fn read_versions(table: &mut Table<'_>) -> Vec<Said<String>> {
    let is_written = table.has("mqtt");
    let words = table.texts("mqtt");
    if is_written && words.is_empty() {
        table.fault(table.line(), "mqtt", "names no version", VERSIONS_REMEDY);
    }
    words.into_iter().map(|word| Said::of(table, "mqtt", word)).collect()
}

fn read_values(mut table: Table<'_>) -> Vec<WrittenValue> {
    let mut values = Vec::new();
    for (name, entry) in table.every() {
        let key = name.value.clone();
        let name = Said::of(&table, &key, name);
        let source = match entry {
            Entry::Table(inner) => read_source(inner),
            Entry::Scalar(Located { value: Scalar::Text(text), .. }) => Some(Source::Text(text)),
            Entry::Scalar(Located { value: Scalar::Integer(number), .. }) => {
                Some(Source::Text(number.to_string()))
            }
            Entry::Scalar(Located { value: Scalar::Flag(_), line }) => {
                table.fault(line, &key, "is `true` or `false`, not a text", "write it in quotes");
                None
            }
        };
        values.push(WrittenValue { name, source });
    }
    values
}

fn read_source(mut table: Table<'_>) -> Option<Source> {
    let has = (table.has("env"), table.has("file"));
    let environment = table.text("env");
    let file = table.text("file");
    let source = match (environment, file) {
        (Some(name), None) if !name.value.is_empty() => Some(Source::Environment(name.value)),
        (None, Some(path)) if !path.value.is_empty() => Some(Source::File(path.value)),
        (None, None) if has.0 || has.1 => None,
        _ => {
            let message = "doesn't say where its value comes from";
            let remedy = "write a text, `{ env = \"NAME\" }` or `{ file = \"path\" }`";
            table.fault(table.line(), "", message, remedy);
            None
        }
    };
    table.finish();
    source
}

fn read_identity(mut table: Table<'_>) -> Option<WrittenIdentity> {
    const REMEDY: &str = "write `rule = { prefix = \"d\" }` or `table = \"devices.csv\"`";
    let both = table.has("rule") && table.has("table");
    let neither = !table.has("rule") && !table.has("table");
    let prefix = table.table("rule").and_then(|mut rule| {
        let prefix = required(&mut rule, "prefix", "write `rule = { prefix = \"d\" }`");
        rule.finish();
        prefix
    });
    let path = text(&mut table, "table");
    if both {
        table.fault(table.line(), "", "has a rule and a table", "keep one of them");
    }
    if neither {
        table.fault(table.line(), "", "has neither a rule nor a table", REMEDY);
    }
    table.finish();
    prefix.map(WrittenIdentity::Prefix).or(path.map(WrittenIdentity::Table))
}

fn text(table: &mut Table<'_>, key: &'static str) -> Option<Said<String>> {
    let located = table.text(key)?;
    Some(Said::of(table, key, located))
}

fn required(table: &mut Table<'_>, key: &'static str, remedy: &str) -> Option<Said<String>> {
    let located = table.required_text(key, remedy)?;
    Some(Said::of(table, key, located))
}
