//! `[listener.access]`: who may come in at a listener, and as whom.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::access::{Bind, Devices, Forwarding, Rules};
use crate::dialect::{Form, Kind, Part, Role, TextTemplate};
use crate::document::{Located, Table};
use crate::translate::Side;

use super::faults::{Faults, Place, Said, Wrong};
use super::model::{Access, Checks};
use super::outside::Outside;
use super::proof::{Vouching, mean_proof};
use super::side::MeantSide;

const THREADS: RangeInclusive<u64> = 1..=64;
const WAITING: RangeInclusive<u64> = 1..=65_536;
const LEEWAY_MS: RangeInclusive<u64> = 0..=300_000;

const BINDS: &str =
    "write `username`, `client_identifier`, `claim:NAME`, `common_name` or `nothing`";

/// The table as it is written.
pub(super) struct WrittenAccess {
    pub(super) place: Place,
    pub(super) passwords: Option<Said<String>>,
    pub(super) tokens: Option<WrittenTokens>,
    pub(super) certificate: Option<Said<CertificateName>>,
    pub(super) bind: Option<Said<String>>,
    devices: Option<Said<Devices>>,
    forward: Option<Said<bool>>,
    pub(super) threads: Option<Said<usize>>,
    pub(super) waiting_max: Option<Said<usize>>,
}

/// `[listener.access.tokens]` as it is written.
pub(super) struct WrittenTokens {
    pub(super) keys: Option<Said<String>>,
    pub(super) audience: Option<Said<String>>,
    pub(super) issuer: Option<Said<String>>,
    pub(super) leeway: Duration,
}

/// Which name of a certificate is the proven one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CertificateName {
    /// The only common name of its subject.
    Common,
}

pub(super) fn read_access(mut table: Table<'_>) -> WrittenAccess {
    let place = Place::of_table(&table);
    let passwords = text(&mut table, "passwords");
    let tokens = table.table("tokens").map(read_tokens);
    let certificate = table.word("certificate", &[("common_name", CertificateName::Common)]);
    let certificate = certificate.map(|word| Said::of(&table, "certificate", word));
    let bind = table.required_text("bind", BINDS).map(|bind| Said::of(&table, "bind", bind));
    let words = [("own", Devices::Own), ("any", Devices::Any)];
    let devices = table.word("devices", &words).map(|word| Said::of(&table, "devices", word));
    let forward = table.flag("forward_credentials");
    let forward = forward.map(|flag| Said::of(&table, "forward_credentials", flag));
    let threads = number(&mut table, "threads", THREADS, Checks::THREADS);
    let waiting_max = number(&mut table, "waiting_max", WAITING, Checks::WAITING_MAX);
    table.finish();
    WrittenAccess {
        place,
        passwords,
        tokens,
        certificate,
        bind,
        devices,
        forward,
        threads,
        waiting_max,
    }
}

fn number(
    table: &mut Table<'_>,
    key: &'static str,
    range: RangeInclusive<u64>,
    default: usize,
) -> Option<Said<usize>> {
    let located = table.integer(key, range)?;
    let value = usize::try_from(located.value).unwrap_or(default);
    Some(Said::of(table, key, Located { value, line: located.line }))
}

fn read_tokens(mut table: Table<'_>) -> WrittenTokens {
    let keys = table.required_text("keys", "write the file of public keys: `keys = \"keys.pem\"`");
    let keys = keys.map(|keys| Said::of(&table, "keys", keys));
    let (audience, issuer) = (text(&mut table, "audience"), text(&mut table, "issuer"));
    let leeway = table.integer("leeway_ms", LEEWAY_MS);
    let leeway = leeway.map_or(60_000, |written| written.value);
    table.finish();
    WrittenTokens { keys, audience, issuer, leeway: Duration::from_millis(leeway) }
}

fn text(table: &mut Table<'_>, key: &'static str) -> Option<Said<String>> {
    let located = table.text(key)?;
    Some(Said::of(table, key, located))
}

/// What `bind` says.
pub(super) enum Bound {
    UserName,
    ClientIdentifier,
    Claim(String),
    CommonName,
    Nothing,
}

impl Bound {
    fn of(word: &str) -> Result<Self, Wrong> {
        match word {
            "username" => Ok(Self::UserName),
            "client_identifier" => Ok(Self::ClientIdentifier),
            "common_name" => Ok(Self::CommonName),
            "nothing" => Ok(Self::Nothing),
            _ => match word.strip_prefix("claim:").filter(|claim| !claim.is_empty()) {
                Some(claim) => Ok(Self::Claim(claim.to_owned())),
                None => Err(Wrong::new(format!("`{word}` is not known"), BINDS)),
            },
        }
    }

    /// Whether the proven name is held against the device's name.
    fn names_device(&self) -> bool {
        matches!(self, Self::UserName | Self::Claim(_) | Self::CommonName)
    }

    /// The claim that names the holder of a token.
    pub(super) fn claim(&self) -> Option<String> {
        match self {
            Self::Claim(claim) => Some(claim.clone()),
            Self::UserName | Self::ClientIdentifier | Self::CommonName => Some("sub".to_owned()),
            Self::Nothing => None,
        }
    }
}

/// The meaning of the table; `None`: there is a fault, which is told.
pub(super) fn mean_access(
    written: &WrittenAccess,
    device: Option<&MeantSide>,
    vouching: Vouching,
    outside: &mut Outside<'_>,
    faults: &Faults<'_>,
) -> Option<Access> {
    let bind = written.bind.as_ref()?;
    let bound = faults.check(&bind.place, Bound::of(&bind.value));
    let proof = mean_proof(written, bound.as_ref(), vouching, outside, faults);
    let rules = mean_rules(written, &bound?, bind, device, faults);
    let (rules, proof) = (rules?, proof?);
    Some(Access { rules: Arc::new(rules), proof })
}

fn mean_rules(
    written: &WrittenAccess,
    bound: &Bound,
    bind: &Said<String>,
    device: Option<&MeantSide>,
    faults: &Faults<'_>,
) -> Option<Rules> {
    let device = &device?.side;
    let is_plain = device.dialect.is_plain();
    if is_plain && bound.names_device() {
        let message = "is held against the device's name, and `plain` knows none";
        let remedy = "write `client_identifier`, or `nothing`";
        faults.at(&bind.place, Wrong::new(message, remedy));
    }
    let asked = written.devices.as_ref().map(|said| said.value);
    let devices = match asked {
        None if is_plain || matches!(bound, Bound::Nothing) => Devices::Any,
        None => Devices::Own,
        Some(devices) => devices,
    };
    if let Some(said) = written.devices.as_ref().filter(|_| devices == Devices::Own) {
        check_own(said, bound, device, faults);
    }
    if !is_plain {
        let certificate = written.certificate.as_ref();
        let certificate = certificate.and_then(|_| device.dialect.connect.certificate.as_ref());
        let told = Told { bound, devices, certificate };
        check_places(device, &told, &bind.place, faults);
    }
    let bind = match bound {
        Bound::CommonName if device.dialect.connect.certificate.is_some() => Bind::Certificate,
        Bound::UserName | Bound::Claim(_) | Bound::CommonName => Bind::Device,
        Bound::ClientIdentifier => Bind::ClientIdentifier,
        Bound::Nothing => Bind::Nothing,
    };
    Some(Rules { bind, devices, forwarding: mean_forwarding(written, is_plain, faults) })
}

fn mean_forwarding(written: &WrittenAccess, is_plain: bool, faults: &Faults<'_>) -> Forwarding {
    let said = written.forward.as_ref();
    if let (Some(_), Some(said)) = (&written.certificate, said) {
        let message = "would change nothing: user name and password aren't asked for here";
        let remedy = "remove it; they go on as they would without [listener.access]";
        faults.at(&said.place, Wrong::new(message, remedy));
    }
    let said = said.filter(|said| said.value);
    match said {
        _ if written.certificate.is_some() => return Forwarding::NotAsked,
        None => return Forwarding::Withheld,
        Some(said) if !is_plain => {
            let message = "would change nothing: a translated device's credentials never pass";
            let remedy = "remove it, and give the upstream its own in [upstream.vars]";
            faults.at(&said.place, Wrong::new(message, remedy));
        }
        Some(_) => {}
    }
    Forwarding::Forwarded
}

fn check_own(said: &Said<Devices>, bound: &Bound, side: &Side, faults: &Faults<'_>) {
    if side.dialect.is_plain() {
        let message = "can't be: `plain` doesn't know which topics are a device's";
        faults.at(&said.place, Wrong::new(message, "write `devices = \"any\"`"));
    } else if matches!(bound, Bound::Nothing) {
        let message = "says little while `bind` lets a device choose who it is";
        faults.at(&said.place, Wrong::new(message, "bind it to something, or write `\"any\"`"));
    }
}

/// What is known of a listener's sessions.
struct Told<'t> {
    bound: &'t Bound,
    devices: Devices,
    /// How each device's certificate names it, where certificates are the proof and the dialect reads them.
    certificate: Option<&'t TextTemplate>,
}

/// What a device could choose for itself would be no place of its own: the dialect has to know which device it is, and
/// everything else in front of the channel has to have a value, or stand in the certificate.
fn check_places(side: &Side, told: &Told<'_>, place: &Place, faults: &Faults<'_>) {
    let dialect = &side.dialect;
    let is_device = |name: &str| {
        dialect.variable(name).is_some_and(|known| known.role == Role::Part(Part::Device))
    };
    let says_device = |template: &TextTemplate| template.variables().any(is_device);
    let by_name = matches!(told.bound, Bound::CommonName);
    if by_name && told.certificate.is_some_and(|template| !says_device(template)) {
        let message =
            format!("needs the device's name, and no certificate of {} has it", dialect.name);
        let remedy = "write `{device}` into its `certificate`, or bind the client identifier";
        faults.at(place, Wrong::new(message, remedy));
    }
    let client_identifier = dialect.connect.client_identifier.as_ref();
    let is_said = client_identifier.into_iter().chain(told.certificate).any(says_device);
    if !is_said && (told.bound.names_device() || told.devices == Devices::Own) {
        let message =
            format!("needs the device's name, and no client identifier of {} has it", dialect.name);
        let remedy = "write `{device}` into its `client_id`, or `bind = \"nothing\"`";
        faults.at(place, Wrong::new(message, remedy));
    }
    if told.devices == Devices::Any {
        return;
    }
    let certified = |part: Part| {
        let mut names = told.certificate.into_iter().flat_map(TextTemplate::variables);
        names.any(|name| dialect.variable(name).is_some_and(|known| known.role == Role::Part(part)))
    };
    let mut open: Vec<&str> = Vec::new();
    for form in dialect.forms.iter().filter(|form| counts(side, form)) {
        for name in form.template.variables().filter(|name| side.value(name).is_none()) {
            let part = dialect.part_of(form, name);
            let Some(Part::Tenant | Part::Site | Part::Gateway) = part else { continue };
            if !part.is_some_and(certified) && !open.contains(&name) {
                open.push(name);
            }
        }
    }
    for name in open {
        let message = format!("keeps devices to their own topics, and they could choose `{name}`");
        let remedy =
            format!("give `{name}` its value under [listener.vars], or write `devices = \"any\"`");
        faults.at(place, Wrong::new(message, remedy));
    }
}

/// Forms whose messages can pass.
fn counts(side: &Side, form: &Form) -> bool {
    let passes = !matches!(form.kind, Kind::Provision | Kind::Admin);
    passes && form.option.as_ref().is_none_or(|option| side.options.contains(option))
}
