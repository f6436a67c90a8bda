//! The second stage: names are found, addresses taken apart, dialects and values resolved, pairs compiled.

use std::path::PathBuf;
use std::sync::Arc;

use crate::document::{closest, list_words};
use crate::session::{SessionLimits, SessionPlan};
use crate::translate::Identity;

use super::access::mean_access;
use super::address::{Address, DEFAULT_PATH, parse_bind, parse_path, parse_url};
use super::faults::{Faults, Place, Said, Wrong};
use super::identity::{check_use, mean_identity};
use super::model::{Access, Admin, Config, Listener, Mode, Upstream};
use super::outside::Outside;
use super::pair::compile_pair;
use super::proof::Vouching;
use super::quic::{ListenerQuic, mean_quic};
use super::route::{NamePattern, Route, mean_routes};
use super::side::{MeantSide, mean_side};
use super::tls::{ListenerTls, mean_listener_tls, mean_upstream_tls, refuse_unused};
use super::transport::{ProxyHeader, Scheme, Transport};
use super::unique::{check_addresses, check_names};
use super::words::{MODES, TRANSPORTS, choose};
use super::written::{Written, WrittenListener, WrittenUpstream};

/// A listener before it is joined with its upstream.
struct Door<'w> {
    written: &'w WrittenListener,
    bind: Option<Address>,
    transport: Option<Transport>,
    tls: Option<ListenerTls>,
    quic: Option<ListenerQuic>,
    path: Option<String>,
    side: Option<MeantSide>,
    /// `Some(None)`: wanted, and its faults are told.
    access: Option<Option<Access>>,
    /// What each route fits; `None`: its fault is told.
    routes: Vec<Option<NamePattern>>,
}

/// An upstream before listeners are joined with it.
struct Goal<'w> {
    written: &'w WrittenUpstream,
    upstream: Option<Upstream>,
    side: Option<MeantSide>,
}

/// Finds the meaning; `None` or any fault told: there is none.
pub(super) fn mean(
    written: &Written,
    outside: &mut Outside<'_>,
    faults: &Faults<'_>,
) -> Option<Config> {
    let doors: Vec<Door<'_>> =
        written.listeners.iter().map(|listener| mean_listener(listener, outside, faults)).collect();
    let goals: Vec<Goal<'_>> =
        written.upstreams.iter().map(|upstream| mean_upstream(upstream, outside, faults)).collect();
    check_all_names(written, faults);
    let admin = written
        .admin
        .as_ref()
        .and_then(|bind| Some((faults.check(&bind.place, parse_bind(&bind.value))?, &bind.place)));
    let (of_udp, of_tcp): (Vec<&Door<'_>>, Vec<_>) =
        doors.iter().partition(|door| door.transport == Some(Transport::Quic));
    let admin_place = admin.as_ref().map(|(bind, place)| (bind, *place));
    check_addresses(places(&of_tcp).chain(admin_place), faults);
    check_addresses(places(&of_udp), faults);
    let identity = mean_identity(written.identity.as_ref(), outside, faults);
    if let Some(sides) = goals.iter().map(|goal| goal.side.as_ref()).collect::<Option<Vec<_>>>() {
        let dialects: Vec<_> = sides.iter().map(|side| &*side.side.dialect).collect();
        check_use(&identity, written.identity.as_ref(), &dialects, faults);
    }
    check_use_of_upstreams(&doors, &goals, faults);
    let listeners: Vec<Option<Listener>> =
        doors.iter().map(|door| join(door, &goals, &identity, &written.limits, faults)).collect();
    Some(Config {
        proxy: written.proxy.clone(),
        admin: admin.map(|(bind, _)| Admin { bind }),
        listeners: listeners.into_iter().collect::<Option<Vec<Listener>>>()?,
        folder: PathBuf::new(),
    })
}

/// Where doors are bound, and where that is written.
fn places<'d>(doors: &'d [&Door<'_>]) -> impl Iterator<Item = (&'d Address, &'d Place)> {
    doors.iter().filter_map(|door| Some((door.bind.as_ref()?, &door.written.bind.as_ref()?.place)))
}

fn check_all_names(written: &Written, faults: &Faults<'_>) {
    check_names("listener", written.listeners.iter().filter_map(|door| door.name.as_ref()), faults);
    check_names("upstream", written.upstreams.iter().filter_map(|goal| goal.name.as_ref()), faults);
}

fn mean_listener<'w>(
    written: &'w WrittenListener,
    outside: &mut Outside<'_>,
    faults: &Faults<'_>,
) -> Door<'w> {
    let parse = |bind: &Said<String>| faults.check(&bind.place, parse_bind(&bind.value));
    let transport = match &written.transport {
        None => Some(Transport::Tcp),
        Some(word) => faults.check(&word.place, choose(&word.value, &TRANSPORTS)),
    };
    let tls = match (transport, &written.transport) {
        (Some(transport), Some(word)) if transport.has_tls() => {
            let origin = written.side.origin;
            mean_listener_tls(written.tls.as_ref(), &word.place, origin, outside, faults)
        }
        (Some(_), _) => {
            refuse_unused(written.tls.as_ref(), written.side.origin, faults);
            None
        }
        (None, _) => None,
    };
    let quic = transport.and_then(|of| mean_quic(written.quic.as_ref(), of, tls.as_ref(), faults));
    if let Some(header) = written.proxy_protocol.as_ref().filter(|_| quic.is_some()) {
        refuse_header(header, faults);
    }
    let side = mean_side(&written.side, outside, faults);
    let access = written.access.as_ref();
    let vouching = Vouching::of(transport, tls.as_ref());
    let access = access.map(|access| mean_access(access, side.as_ref(), vouching, outside, faults));
    Door {
        written,
        bind: written.bind.as_ref().and_then(parse),
        transport,
        tls,
        quic,
        path: transport.and_then(|transport| mean_path(transport, written.path.as_ref(), faults)),
        side,
        access,
        routes: mean_routes(&written.routes, vouching, faults),
    }
}

/// Where WebSocket is asked for. Other transports have no path.
fn mean_path(
    transport: Transport,
    written: Option<&Said<String>>,
    faults: &Faults<'_>,
) -> Option<String> {
    let Some(path) = written else {
        return transport.has_path().then(|| DEFAULT_PATH.to_owned());
    };
    if !transport.has_path() {
        let remedy = "write `transport = \"ws\"` or `\"wss\"`, or remove it";
        faults.at(&path.place, Wrong::new("is there, but only WebSocket has a path", remedy));
        return None;
    }
    faults.check(&path.place, parse_path(&path.value))
}

fn written_header(written: &WrittenListener) -> ProxyHeader {
    written.proxy_protocol.as_ref().map(|said| said.value).unwrap_or_default()
}

/// A header of the PROXY protocol begins a byte stream; a QUIC connection is none.
fn refuse_header<T>(header: &Said<T>, faults: &Faults<'_>) {
    let message = "can't be spoken over QUIC, which begins with no header";
    let remedy = "remove it; a balancer keeps a QUIC client's address by passing its packets on";
    faults.at(&header.place, Wrong::new(message, remedy));
}

fn mean_upstream<'w>(
    written: &'w WrittenUpstream,
    outside: &mut Outside<'_>,
    faults: &Faults<'_>,
) -> Goal<'w> {
    let url = written.url.as_ref().and_then(|url| faults.check(&url.place, parse_url(&url.value)));
    let mode = match &written.mode {
        None => Some(Mode::Session),
        Some(word) => faults.check(&word.place, choose(&word.value, &MODES)),
    };
    let tls = match &url {
        Some(url) if url.scheme.has_tls() => {
            mean_upstream_tls(written.tls.as_ref(), outside, faults)
        }
        Some(_) => {
            refuse_unused(written.tls.as_ref(), written.side.origin, faults);
            None
        }
        None => None,
    };
    let is_quic = url.as_ref().is_some_and(|url| url.scheme == Scheme::Quic);
    if let Some(header) = written.proxy_protocol.as_ref().filter(|_| is_quic) {
        refuse_header(header, faults);
    }
    let side = mean_side(&written.side, outside, faults);
    let upstream = match (&written.name, url, mode, &side) {
        (Some(name), Some(url), Some(mode), Some(side)) => Some(Upstream {
            name: name.value.clone(),
            url,
            proxy_protocol: written.proxy_protocol.as_ref().and_then(|said| said.value),
            tls,
            dialect: side.side.dialect.name.clone(),
            mode,
            breaker: written.breaker,
        }),
        _ => None,
    };
    Goal { written, upstream, side }
}

/// Every listener and every route names an upstream that is there, every upstream is named by one of them.
fn check_use_of_upstreams(doors: &[Door<'_>], goals: &[Goal<'_>], faults: &Faults<'_>) {
    let known = || goals.iter().filter_map(|goal| goal.written.name.as_ref());
    let words = || known().map(|name| name.value.as_str());
    let mut used: Vec<&str> = Vec::new();
    let mut all_named = !doors.is_empty();
    let named = doors.iter().flat_map(|door| door.written.upstreams());
    for name in named {
        let Some(name) = name else {
            all_named = false;
            continue;
        };
        if words().any(|word| word == name.value) {
            used.push(&name.value);
        } else if known().next().is_some() {
            let near = closest(&name.value, words());
            used.extend(near);
            let remedy = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write {}", list_words(words())),
            };
            faults.at(
                &name.place,
                Wrong::new(format!("no [[upstream]] has the name `{}`", name.value), remedy),
            );
        }
    }
    for name in known().filter(|name| all_named && !used.contains(&name.value.as_str())) {
        let message = format!("no listener uses the upstream `{}`", name.value);
        faults.at(&name.place, Wrong::new(message, "name it in a [[listener]], or remove it"));
    }
}

fn join(
    door: &Door<'_>,
    goals: &[Goal<'_>],
    identity: &Identity,
    limits: &SessionLimits,
    faults: &Faults<'_>,
) -> Option<Listener> {
    let side = door.side.as_ref()?;
    let lead = |wanted: &Option<Said<String>>| {
        let wanted = &wanted.as_ref()?.value;
        let named =
            |goal: &&Goal<'_>| goal.written.name.as_ref().is_some_and(|name| name.value == *wanted);
        let goal = goals.iter().find(named)?;
        let translator = compile_pair(side, goal.side.as_ref()?, identity, faults)?;
        let on_refusal = door.written.on_refusal;
        let plan =
            SessionPlan { translator, limits: door.written.limits.of_sessions(limits), on_refusal };
        Some((goal.upstream.clone()?, Arc::new(plan)))
    };
    let own = lead(&door.written.upstream);
    // Each is looked at, whatever is wrong with another: every fault is told.
    let routes: Vec<_> = door
        .written
        .routes
        .iter()
        .zip(&door.routes)
        .map(|(written, certificate)| {
            let (upstream, plan) = lead(&written.upstream)?;
            Some(Route { certificate: certificate.clone()?, upstream, plan })
        })
        .collect();
    let (upstream, plan) = own?;
    Some(Listener {
        name: door.written.name.as_ref()?.value.clone(),
        bind: door.bind.clone()?,
        transport: door.transport?,
        proxy_protocol: written_header(door.written),
        tls: door.tls.clone(),
        quic: door.quic.clone(),
        path: door.path.clone(),
        dialect: side.side.dialect.name.clone(),
        upstream,
        routes: routes.into_iter().collect::<Option<_>>()?,
        access: match &door.access {
            None => None,
            Some(access) => Some(access.clone()?),
        },
        connections: door.written.limits.connections,
        plan,
    })
}
