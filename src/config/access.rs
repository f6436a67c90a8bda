//! `[listener.access]`: who may come in at a listener, and as whom.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::access::{Bind, Devices, Forwarding, Rules, Source, TokenRules};
use crate::dialect::{Form, Kind, Part, Role};
use crate::document::Table;
use crate::translate::Side;

use super::faults::{Faults, Place, Said, Wrong};
use super::model::Access;
use super::outside::Outside;
use super::side::MeantSide;

const THREADS: RangeInclusive<u64> = 1..=64;
const WAITING: RangeInclusive<u64> = 1..=65_536;
const LEEWAY_MS: RangeInclusive<u64> = 0..=300_000;

const SOURCES: &str = "write `passwords = \"users.txt\"`, or a table [listener.access.tokens] with `keys = \"keys.pem\"`";
const BINDS: &str = "write `username`, `client_identifier`, `claim:NAME` or `nothing`";

/// The table as it is written.
pub(super) struct WrittenAccess {
    place: Place,
    passwords: Option<Said<String>>,
    tokens: Option<WrittenTokens>,
    bind: Option<Said<String>>,
    devices: Option<Said<Devices>>,
    forward: Option<Said<bool>>,
    threads: usize,
    waiting_max: usize,
}

struct WrittenTokens {
    keys: Option<Said<String>>,
    audience: Option<Said<String>>,
    issuer: Option<Said<String>>,
    leeway: Duration,
}

pub(super) fn read_access(mut table: Table<'_>) -> WrittenAccess {
    let place = Place::of_table(&table);
    let passwords = text(&mut table, "passwords");
    let tokens = table.table("tokens").map(read_tokens);
    let bind = table.required_text("bind", BINDS).map(|bind| Said::of(&table, "bind", bind));
    let words = [("own", Devices::Own), ("any", Devices::Any)];
    let devices = table.word("devices", &words).map(|word| Said::of(&table, "devices", word));
    let forward = table.flag("forward_credentials");
    let forward = forward.map(|flag| Said::of(&table, "forward_credentials", flag));
    let number = |table: &mut Table<'_>, key, range, default| {
        let written = table.integer(key, range);
        written.map_or(default, |written| usize::try_from(written.value).unwrap_or(default))
    };
    let threads = number(&mut table, "threads", THREADS, Access::THREADS);
    let waiting_max = number(&mut table, "waiting_max", WAITING, Access::WAITING_MAX);
    table.finish();
    WrittenAccess { place, passwords, tokens, bind, devices, forward, threads, waiting_max }
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
enum Bound {
    UserName,
    ClientIdentifier,
    Claim(String),
    Nothing,
}

impl Bound {
    fn of(word: &str) -> Result<Self, Wrong> {
        match word {
            "username" => Ok(Self::UserName),
            "client_identifier" => Ok(Self::ClientIdentifier),
            "nothing" => Ok(Self::Nothing),
            _ => match word.strip_prefix("claim:").filter(|claim| !claim.is_empty()) {
                Some(claim) => Ok(Self::Claim(claim.to_owned())),
                None => Err(Wrong::new(format!("`{word}` is not known"), BINDS)),
            },
        }
    }

    /// Whether the proven name is held against the device's name.
    fn names_device(&self) -> bool {
        matches!(self, Self::UserName | Self::Claim(_))
    }

    /// The claim that names the holder of a token.
    fn claim(&self) -> Option<String> {
        match self {
            Self::Claim(claim) => Some(claim.clone()),
            Self::UserName | Self::ClientIdentifier => Some("sub".to_owned()),
            Self::Nothing => None,
        }
    }
}

/// The meaning of the table; `None`: there is a fault, which is told.
pub(super) fn mean_access(
    written: &WrittenAccess,
    device: Option<&MeantSide>,
    outside: &mut Outside<'_>,
    faults: &Faults<'_>,
) -> Option<Access> {
    let bind = written.bind.as_ref()?;
    let bound = faults.check(&bind.place, Bound::of(&bind.value));
    let source = mean_source(written, bound.as_ref(), faults);
    let guard = source.as_ref().and_then(|(source, place)| {
        let text = outside.text(source.file(), place, faults)?;
        source.guard(&text).map_err(|told| faults.elsewhere(told)).ok()
    });
    let rules = mean_rules(written, &bound?, bind, device, faults);
    Some(Access {
        rules: Arc::new(rules?),
        source: source?.0,
        guard: Arc::new(guard?),
        threads: written.threads,
        waiting_max: written.waiting_max,
    })
}

fn mean_source<'w>(
    written: &'w WrittenAccess,
    bound: Option<&Bound>,
    faults: &Faults<'_>,
) -> Option<(Source, &'w Place)> {
    let wrong = |message: &str, remedy: &str| {
        faults.at(&written.place, Wrong::new(message, remedy));
        None
    };
    match (&written.passwords, &written.tokens) {
        (None, None) => wrong("doesn't say how devices prove who they are", SOURCES),
        (Some(_), Some(_)) => wrong(
            "has passwords and tokens",
            "keep one of them, and open a second [[listener]] for the other",
        ),
        (Some(file), None) => {
            if let (Some(Bound::Claim(_)), Some(bind)) = (bound, &written.bind) {
                let remedy = "write `username` or `client_identifier`, or use tokens";
                faults.at(
                    &bind.place,
                    Wrong::new("names a claim, which passwords don't have", remedy),
                );
            }
            Some((Source::Passwords { file: file.value.clone() }, &file.place))
        }
        (None, Some(tokens)) => {
            if let (Some(Bound::UserName), Some(bind)) = (bound, &written.bind) {
                let message = "is a user name, which a token doesn't prove";
                faults.at(&bind.place, Wrong::new(message, "write `claim:sub`, or another claim"));
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
    }
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
        check_places(device, bound, devices, &bind.place, faults);
    }
    if !is_plain && let Some(said) = written.forward.as_ref().filter(|said| said.value) {
        faults.at(&said.place, forwards_nothing());
    }
    let bind = match bound {
        Bound::UserName | Bound::Claim(_) => Bind::Device,
        Bound::ClientIdentifier => Bind::ClientIdentifier,
        Bound::Nothing => Bind::Nothing,
    };
    let forwarding = match &written.forward {
        Some(said) if said.value => Forwarding::Forwarded,
        _ => Forwarding::Withheld,
    };
    Some(Rules { bind, devices, forwarding })
}

fn forwards_nothing() -> Wrong {
    Wrong::new(
        "would change nothing: a translated device's credentials never pass",
        "remove it, and give the upstream its own in [upstream.vars]",
    )
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

/// What a device could choose for itself would be no place of its own: the dialect has to know which device it is, and
/// everything else in front of the channel has to have a value.
fn check_places(side: &Side, bound: &Bound, devices: Devices, place: &Place, faults: &Faults<'_>) {
    let dialect = &side.dialect;
    let is_device = |name: &str| {
        dialect.variable(name).is_some_and(|known| known.role == Role::Part(Part::Device))
    };
    let says_device = dialect
        .connect
        .client_identifier
        .as_ref()
        .is_some_and(|template| template.variables().any(is_device));
    if !says_device && (bound.names_device() || devices == Devices::Own) {
        let message =
            format!("needs the device's name, and no client identifier of {} has it", dialect.name);
        let remedy = "write `{device}` into its `client_id`, or `bind = \"nothing\"`";
        faults.at(place, Wrong::new(message, remedy));
    }
    if devices == Devices::Any {
        return;
    }
    let mut open: Vec<&str> = Vec::new();
    for form in dialect.forms.iter().filter(|form| counts(side, form)) {
        for name in form.template.variables().filter(|name| side.value(name).is_none()) {
            let part = dialect.part_of(form, name);
            let is_place = matches!(part, Some(Part::Tenant | Part::Site | Part::Gateway));
            if is_place && !open.contains(&name) {
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
