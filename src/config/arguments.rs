//! The command line without a file: the same meaning, and the faults in the words of the command line.

use std::sync::Arc;

use crate::dialect::Dialect;
use crate::document::{Document, Fault};
use crate::session::{OnRefusal, SessionLimits};
use crate::translate::{PayloadOptions, Translator};

use super::address::parse_listen;
use super::breaker::Breaker;
use super::connection_limits::WrittenLimits;
use super::faults::{Faults, Place, Said, Wrong, outcome};
use super::identity::{check_use, mean_identity};
use super::meaning::mean;
use super::model::{Config, Proxy};
use super::outside::{Lookup, Outside};
use super::pair::compile_pair;
use super::payload::payload_of_flags;
use super::side::{mean_side, near_or_list};
use super::tls::{WrittenPair, WrittenTls};
use super::written::{
    Origin, Source, Written, WrittenIdentity, WrittenListener, WrittenSide, WrittenUpstream,
    WrittenValue,
};

/// What a command line says. Not `Debug`: values may be secrets.
#[derive(Clone, Default)]
pub struct Arguments {
    /// `--listen tcp://127.0.0.1:1883`.
    pub listen: String,
    /// `--from`: the devices' dialect.
    pub from: String,
    /// `--upstream mqtt://127.0.0.1:1884`.
    pub upstream: String,
    /// `--to`: the upstream's dialect.
    pub to: String,
    /// `--set name=value`, for the side whose dialect has the variable.
    pub set: Vec<String>,
    /// `--from-set name=value`.
    pub from_set: Vec<String>,
    /// `--to-set name=value`.
    pub to_set: Vec<String>,
    /// `--identity-prefix`.
    pub identity_prefix: Option<String>,
    /// `--identity-table`: a CSV file.
    pub identity_table: Option<String>,
    /// `--option`, for the side whose dialect has it.
    pub options: Vec<String>,
    /// `--from-option`.
    pub from_options: Vec<String>,
    /// `--to-option`.
    pub to_options: Vec<String>,
    /// `--payload-option name=value`, the keys of `[listener.payload]`.
    pub payload: Vec<String>,
    /// `--upstream-mqtt`: the versions of MQTT that the upstream speaks.
    pub upstream_mqtt: Vec<String>,
    /// `--listen-certificate`: a PEM file, for TLS.
    pub listen_certificate: Option<String>,
    /// `--listen-key`: a PEM file.
    pub listen_key: Option<String>,
    /// `--upstream-ca`: a PEM file.
    pub upstream_ca: Option<String>,
    /// `--admin 127.0.0.1:9090`.
    pub admin: Option<String>,
}

/// The file name that faults of a command line carry.
const COMMAND_LINE: &str = "command line";
/// The name of the only listener and the only upstream.
const NAME: &str = "default";

/// The configuration that a command line means: one listener, one upstream, both named `default`.
///
/// # Errors
/// Every fault, with line 0 and the flag as its key.
pub fn from_arguments(
    arguments: &Arguments,
    read: &mut dyn FnMut(Lookup<'_>) -> Result<String, String>,
) -> Result<Config, Vec<Fault>> {
    let document = Document::new(COMMAND_LINE, "");
    let faults = Faults::new(&document);
    let mut outside = Outside::new(read);
    let (device, upstream) = write_sides(arguments, &mut outside, &faults);
    // The listener's address is written with its transport, which a file has in a key of its own.
    let listen = Place::flag("--listen");
    let listened = faults.check(&listen, parse_listen(&arguments.listen));
    let written = Written {
        proxy: Proxy::default(),
        limits: SessionLimits::default(),
        admin: arguments.admin.clone().map(|bind| Said::flag("--admin", bind)),
        listeners: vec![WrittenListener {
            name: Some(Said::flag("--listen", NAME.to_owned())),
            bind: listened
                .as_ref()
                .map(|listened| Said { value: listened.bind.to_string(), place: listen.clone() }),
            transport: listened
                .as_ref()
                .map(|listened| Said::flag("--listen", listened.transport.word().to_owned())),
            path: listened
                .and_then(|listened| listened.path)
                .map(|path| Said { value: path, place: listen }),
            proxy_protocol: None,
            tls: write_listener_tls(arguments, &faults),
            quic: None,
            upstream: Some(Said::flag("--upstream", NAME.to_owned())),
            routes: Vec::new(),
            on_refusal: OnRefusal::AckAndDrop,
            access: None,
            limits: WrittenLimits::default(),
            side: device,
        }],
        upstreams: vec![WrittenUpstream {
            name: Some(Said::flag("--upstream", NAME.to_owned())),
            url: Some(Said::flag("--upstream", arguments.upstream.clone())),
            mode: None,
            proxy_protocol: None,
            tls: arguments.upstream_ca.as_ref().map(|ca| {
                let ca = Said::flag("--upstream-ca", ca.clone());
                WrittenTls::of_flags(ca.place.clone(), Vec::new(), Some(ca))
            }),
            breaker: Breaker::default(),
            side: upstream,
        }],
        identity: write_identity(arguments, &faults),
    };
    let config = mean(&written, &mut outside, &faults);
    let elsewhere = faults.into_elsewhere();
    outcome(config, document, elsewhere)
}

/// The pair alone, for `explain`: `listen`, `upstream` and `admin` aren't looked at.
///
/// # Errors
/// Every fault, with line 0 and the flag as its key.
pub fn pair_from_arguments(
    arguments: &Arguments,
    read: &mut dyn FnMut(Lookup<'_>) -> Result<String, String>,
) -> Result<Translator, Vec<Fault>> {
    let document = Document::new(COMMAND_LINE, "");
    let faults = Faults::new(&document);
    let mut outside = Outside::new(read);
    let (device, upstream) = write_sides(arguments, &mut outside, &faults);
    let written = write_identity(arguments, &faults);
    let device = mean_side(&device, &mut outside, &faults);
    let upstream = mean_side(&upstream, &mut outside, &faults);
    let identity = mean_identity(written.as_ref(), &mut outside, &faults);
    let translator = device.zip(upstream).and_then(|(device, upstream)| {
        check_use(&identity, written.as_ref(), &[&upstream.side.dialect], &faults);
        compile_pair(&device, &upstream, &identity, &faults)
    });
    let elsewhere = faults.into_elsewhere();
    outcome(translator, document, elsewhere)
}

/// The listener's certificate; both flags or none.
fn write_listener_tls(arguments: &Arguments, faults: &Faults<'_>) -> Option<WrittenTls> {
    let of = |flag: &str, path: &Option<String>| path.clone().map(|path| Said::flag(flag, path));
    let certificate = of("--listen-certificate", &arguments.listen_certificate);
    let key = of("--listen-key", &arguments.listen_key);
    match (&certificate, &key) {
        (None, None) => return None,
        (Some(_), None) => {
            let wrong = Wrong::new("is given without its key", "add `--listen-key FILE`");
            faults.at(&Place::flag("--listen-certificate"), wrong);
        }
        (None, Some(_)) => {
            let remedy = "add `--listen-certificate FILE`";
            faults.at(
                &Place::flag("--listen-key"),
                Wrong::new("is given without its certificate", remedy),
            );
        }
        (Some(_), Some(_)) => {}
    }
    let place = Place::flag("--listen-certificate");
    Some(WrittenTls::of_flags(place, vec![WrittenPair { certificate, key }], None))
}

/// Both sides with their values and options, each `--set` on the side that it means.
fn write_sides(
    arguments: &Arguments,
    outside: &mut Outside<'_>,
    faults: &Faults<'_>,
) -> (WrittenSide, WrittenSide) {
    let mut from = write_side("--from", "--from-set", &arguments.from);
    let mut to = write_side("--to", "--to-set", &arguments.to);
    let mut dialect = |side: &WrittenSide| outside.dialect(side.dialect.as_ref()?, faults);
    let dialects = (dialect(&from), dialect(&to));
    give_values(&arguments.set, &dialects, &mut from, &mut to, faults);
    give_options(&arguments.options, &dialects, &mut from, &mut to, faults);
    write_own(&mut from, &arguments.from_set, ("--from-option", &arguments.from_options), faults);
    write_own(&mut to, &arguments.to_set, ("--to-option", &arguments.to_options), faults);
    to.versions = arguments
        .upstream_mqtt
        .iter()
        .map(|version| Said::flag("--upstream-mqtt", version.clone()))
        .collect();
    from.payload = payload_of_flags(&arguments.payload, faults);
    (from, to)
}

/// Each `--set` to the side whose dialect has the variable.
fn give_values(
    set: &[String],
    dialects: &Dialects,
    from: &mut WrittenSide,
    to: &mut WrittenSide,
    faults: &Faults<'_>,
) {
    for (number, text) in set.iter().enumerate() {
        let Some(value) = write_value("--set", number, text, faults) else { continue };
        let name = &value.name;
        let has = |dialect: &Dialect| dialect.variable(&name.value).is_some();
        match owner(dialects, has) {
            Owner::From => from.values.push(value),
            Owner::To => to.values.push(value),
            Owner::Both => {
                faults.at(&name.place, both("variable", "--from-set", "--to-set", &name.value))
            }
            Owner::Nobody => {
                let known = known(dialects, |dialect| {
                    dialect.variables.iter().map(|variable| &*variable.name).collect()
                });
                faults.at(&name.place, nobody("variable", &name.value, known));
            }
            Owner::Unclear => {}
        }
    }
}

/// Each `--option` to the side whose dialect has it.
fn give_options(
    options: &[String],
    dialects: &Dialects,
    from: &mut WrittenSide,
    to: &mut WrittenSide,
    faults: &Faults<'_>,
) {
    for option in options {
        let said = Said::flag(&format!("--option {option}"), option.clone());
        match owner(dialects, |dialect| dialect.options().contains(&option.as_str())) {
            Owner::From => from.options.push(said),
            Owner::To => to.options.push(said),
            Owner::Both => {
                faults.at(&said.place, both("option", "--from-option", "--to-option", option))
            }
            Owner::Nobody => {
                let known = known(dialects, Dialect::options);
                faults.at(&said.place, nobody("option", option, known));
            }
            Owner::Unclear => {}
        }
    }
}

fn write_side(flag: &'static str, set: &'static str, dialect: &str) -> WrittenSide {
    WrittenSide {
        place: Place::flag(flag),
        origin: Origin::CommandLine(set),
        dialect: Some(Said::flag(flag, dialect.to_owned())),
        values: Vec::new(),
        options: Vec::new(),
        versions: Vec::new(),
        payload: PayloadOptions::default(),
    }
}

/// What is said for one side by name.
fn write_own(
    side: &mut WrittenSide,
    set: &[String],
    (flag, options): (&str, &[String]),
    faults: &Faults<'_>,
) {
    if let Origin::CommandLine(set_flag) = side.origin {
        for (number, text) in set.iter().enumerate() {
            side.values.extend(write_value(set_flag, number, text, faults));
        }
    }
    for option in options {
        side.options.push(Said::flag(&format!("{flag} {option}"), option.clone()));
    }
}

/// `name=value`. A text without `=` isn't repeated: it may be a secret.
fn write_value(flag: &str, number: usize, text: &str, faults: &Faults<'_>) -> Option<WrittenValue> {
    let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        let place = Place::flag(format!("{flag} (number {})", number + 1));
        faults.at(&place, Wrong::new("isn't `name=value`", format!("write `{flag} name=value`")));
        return None;
    };
    Some(WrittenValue {
        name: Said::flag(&format!("{flag} {name}"), name.to_owned()),
        source: Some(Source::Text(value.to_owned())),
    })
}

/// Which side's dialect has a variable or an option.
enum Owner {
    From,
    To,
    Both,
    Nobody,
    /// One of the dialects isn't there, which is told.
    Unclear,
}

type Dialects = (Option<Arc<Dialect>>, Option<Arc<Dialect>>);

fn owner(dialects: &Dialects, has: impl Fn(&Dialect) -> bool) -> Owner {
    match (dialects.0.as_deref().map(&has), dialects.1.as_deref().map(&has)) {
        (Some(true), Some(true)) => Owner::Both,
        (Some(true), _) => Owner::From,
        (_, Some(true)) => Owner::To,
        (Some(false), Some(false)) => Owner::Nobody,
        _ => Owner::Unclear,
    }
}

fn known<'d>(dialects: &'d Dialects, words: impl Fn(&'d Dialect) -> Vec<&'d str>) -> Vec<&'d str> {
    let sides = [dialects.0.as_deref(), dialects.1.as_deref()];
    let mut known: Vec<&str> = sides.into_iter().flatten().flat_map(words).collect();
    known.sort_unstable();
    known.dedup();
    known
}

fn both(what: &str, from: &str, to: &str, name: &str) -> Wrong {
    Wrong::new(
        format!("both dialects have the {what} `{name}`"),
        format!("say which side is meant: `{from}` or `{to}`"),
    )
}

fn nobody(what: &str, name: &str, known: Vec<&str>) -> Wrong {
    Wrong::new(format!("neither dialect has the {what} `{name}`"), near_or_list(name, known))
}

fn write_identity(arguments: &Arguments, faults: &Faults<'_>) -> Option<WrittenIdentity> {
    match (&arguments.identity_prefix, &arguments.identity_table) {
        (None, None) => None,
        (Some(prefix), None) => {
            Some(WrittenIdentity::Prefix(Said::flag("--identity-prefix", prefix.clone())))
        }
        (prefix, Some(path)) => {
            if prefix.is_some() {
                let wrong = Wrong::new("stands beside `--identity-table`", "keep one of them");
                faults.at(&Place::flag("--identity-prefix"), wrong);
            }
            Some(WrittenIdentity::Table(Said::flag("--identity-table", path.clone())))
        }
    }
}
