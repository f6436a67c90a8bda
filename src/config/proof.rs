//! How devices prove who they are: the one source that `[listener.access]` names, and what it needs.

use std::sync::Arc;

use crate::access::{Source, TokenRules};

use super::access::{Bound, WrittenAccess};
use super::faults::{Faults, Place, Wrong};
use super::model::{Checks, Proof};
use super::outside::Outside;
use super::tls::{ClientCertificates, ListenerTls};
use super::transport::Transport;

const SOURCES: &str = "write `passwords = \"users.txt\"`, a table [listener.access.tokens] with `keys = \"keys.pem\"`, or `certificate = \"common_name\"`";

/// Whether each device of a listener has a certificate that somebody vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vouching {
    /// Each has one.
    Required,
    /// Those have one that want to.
    Optional,
    /// None has.
    Off,
    /// The listener's TLS has faults, which are told.
    Unclear,
}

impl Vouching {
    /// Of a listener with this transport, whose TLS is `None` where it has none, or faults.
    pub(super) fn of(transport: Option<Transport>, tls: Option<&ListenerTls>) -> Self {
        match (transport, tls.map(|tls| &tls.client_certificates)) {
            (Some(transport), _) if !transport.has_tls() => Self::Off,
            (_, None) => Self::Unclear,
            (_, Some(ClientCertificates::Required(_))) => Self::Required,
            (_, Some(ClientCertificates::Optional(_))) => Self::Optional,
            (_, Some(ClientCertificates::Off)) => Self::Off,
        }
    }
}

/// What to write where certificates are needed and not asked for.
pub(super) const ASK: &str =
    "write `transport = \"tls\"`, `\"wss\"` or `\"quic\"`, and `client_ca` under [listener.tls]";

/// The source of proof; `None`: there is a fault, which is told.
pub(super) fn mean_proof(
    written: &WrittenAccess,
    bound: Option<&Bound>,
    vouching: Vouching,
    outside: &mut Outside<'_>,
    faults: &Faults<'_>,
) -> Option<Proof> {
    let named = [
        ("passwords", written.passwords.is_some()),
        ("tokens", written.tokens.is_some()),
        ("certificates", written.certificate.is_some()),
    ];
    let named: Vec<&str> =
        named.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect();
    let wrong = |message: String, remedy: &str| {
        faults.at(&written.place, Wrong::new(message, remedy));
        None
    };
    match named.as_slice() {
        [] => wrong("doesn't say how devices prove who they are".to_owned(), SOURCES),
        [_] if written.certificate.is_some() => {
            let is_good = check_certificates(written, bound, vouching, faults);
            is_good.then_some(Proof::Certificate)
        }
        [_] => mean_checks(written, bound, outside, faults).map(Proof::Credentials),
        several => {
            let remedy = "keep one of them, and open a second [[listener]] for the other";
            wrong(format!("has {}", several.join(" and ")), remedy)
        }
    }
}

/// What a certificate proves needs a certificate, and nobody who checks anything.
fn check_certificates(
    written: &WrittenAccess,
    bound: Option<&Bound>,
    vouching: Vouching,
    faults: &Faults<'_>,
) -> bool {
    let Some(said) = &written.certificate else { return false };
    let fault = |place: &Place, message: &str, remedy: &str| {
        faults.at(place, Wrong::new(message, remedy));
    };
    match vouching {
        Vouching::Required | Vouching::Unclear => {}
        Vouching::Off => fault(&said.place, "is asked for, and the listener doesn't ask", ASK),
        Vouching::Optional => fault(
            &said.place,
            "is asked for, and `client_certificates` lets devices in without one",
            "write `client_certificates = \"required\"` under [listener.tls]",
        ),
    }
    if let (Some(Bound::UserName | Bound::Claim(_)), Some(bind)) = (bound, &written.bind) {
        let remedy = "write `common_name`, `client_identifier` or `nothing`";
        fault(&bind.place, "is nothing that a certificate proves", remedy);
    }
    for said in [&written.threads, &written.waiting_max].into_iter().flatten() {
        let message = "would change nothing: TLS checks certificates, and nobody waits";
        fault(&said.place, message, "remove it");
    }
    vouching == Vouching::Required
}

fn mean_checks(
    written: &WrittenAccess,
    bound: Option<&Bound>,
    outside: &mut Outside<'_>,
    faults: &Faults<'_>,
) -> Option<Checks> {
    let (source, place) = mean_source(written, bound, faults)?;
    let text = outside.text(source.file(), place, faults)?;
    let guard = source.guard(&text).map_err(|told| faults.elsewhere(told)).ok()?;
    Some(Checks {
        source,
        guard: Arc::new(guard),
        threads: written.threads.as_ref().map_or(Checks::THREADS, |said| said.value),
        waiting_max: written.waiting_max.as_ref().map_or(Checks::WAITING_MAX, |said| said.value),
    })
}

fn mean_source<'w>(
    written: &'w WrittenAccess,
    bound: Option<&Bound>,
    faults: &Faults<'_>,
) -> Option<(Source, &'w Place)> {
    let misfit = |message: &str, remedy: &str| {
        if let Some(bind) = &written.bind {
            faults.at(&bind.place, Wrong::new(message, remedy));
        }
    };
    if matches!(bound, Some(Bound::CommonName)) {
        let remedy = "write `certificate = \"common_name\"` as well, or bind something else";
        misfit("is the name in a certificate, which isn't asked for here", remedy);
    }
    if let Some(file) = &written.passwords {
        if matches!(bound, Some(Bound::Claim(_))) {
            let remedy = "write `username` or `client_identifier`, or use tokens";
            misfit("names a claim, which passwords don't have", remedy);
        }
        return Some((Source::Passwords { file: file.value.clone() }, &file.place));
    }
    let tokens = written.tokens.as_ref()?;
    if matches!(bound, Some(Bound::UserName)) {
        let remedy = "write `claim:sub`, or another claim";
        misfit("is a user name, which a token doesn't prove", remedy);
    }
    let file = tokens.keys.as_ref()?;
    let rules = TokenRules {
        audience: tokens.audience.as_ref().map(|said| said.value.clone()),
        issuer: tokens.issuer.as_ref().map(|said| said.value.clone()),
        claim: bound?.claim(),
        leeway: tokens.leeway,
    };
    Some((Source::Tokens { file: file.value.clone(), rules }, &file.place))
}
