//! Pairs of the built-in dialects with values, and the topics that each side knows.

use std::sync::Arc;

use interlingua::dialect::{
    Dialect, Form, Level, Part, Role, Sender, TextTemplate, Token, builtin, builtin_names,
};
use interlingua::translate::{Identity, PrefixRule, SessionNames, Side, Translator, compile};

/// The secret of the device's side, and of the upstream's.
pub(crate) const SECRETS: [&str; 2] = ["sEcReT-DeViCe", "sEcReT-UpStReAm"];

/// The session's own device, by its name on either side, and another one.
pub(crate) const OWN: [&str; 2] = ["dev7", "ddev7"];
pub(crate) const OTHER: [&str; 2] = ["dev8", "ddev8"];

const VALUES: &[(&str, &str)] = &[
    ("tenant", "acme"),
    ("account", "U000001"),
    ("subscription", "acme-sub"),
    ("space", "acme"),
    ("collection", "plant"),
    ("registry", "plant"),
    ("home", "h1"),
    ("gateway", "gw1"),
    ("group", "all"),
    ("username", "user"),
];

/// Two compiled sides.
pub(crate) struct Pair {
    pub(crate) translator: Translator,
    /// What the device may publish, what it may be sent, what the upstream may be sent, and what it may publish.
    pub(crate) device: Topics,
    pub(crate) upstream: Topics,
    /// The client identifier, user name and password of the device's CONNECT.
    pub(crate) connect: [Option<String>; 3],
}

/// Topics of one side about the session's own device, by who sends on them.
#[derive(Default)]
pub(crate) struct Topics {
    pub(crate) from_device: Vec<String>,
    pub(crate) from_cloud: Vec<String>,
}

pub(crate) fn names() -> SessionNames {
    let [device, upstream] = OWN;
    SessionNames { device: Some(device.into()), upstream_device: Some(upstream.into()) }
}

/// Every pair of the dialects that are compiled.
pub(crate) fn all() -> Vec<Pair> {
    let names: Vec<&str> = builtin_names().filter(|name| *name != "plain").collect();
    let pairs = names.iter().flat_map(|from| names.iter().map(move |to| (*from, *to)));
    pairs.filter_map(|(from, to)| pair(from, to, None)).collect()
}

/// One pair; `option` is of the upstream's dialect.
pub(crate) fn pair(from: &str, to: &str, option: Option<&str>) -> Option<Pair> {
    let device = side(from, 0);
    let upstream = side(to, 1);
    let upstream = option.into_iter().fold(upstream, Side::with_option);
    let identity = Identity::Prefix(PrefixRule::new("d"));
    let translator = compile(device.clone(), upstream.clone(), identity).ok()?;
    let rules = &device.dialect.connect;
    let texts = [&rules.client_identifier, &rules.user_name, &rules.password];
    let connect = texts.map(|text| text.as_ref().map(|text| said(text, &device)));
    Some(Pair {
        translator,
        connect,
        device: topics(&device, OWN[0]),
        upstream: topics(&upstream, OWN[1]),
    })
}

fn side(name: &str, secret: usize) -> Side {
    let dialect = Arc::new(builtin(name).expect("built in").expect("sound"));
    let known = VALUES.iter().filter(|(name, _)| dialect.variable(name).is_some());
    let side = known.fold(Side::new(dialect.clone()), |side, (name, text)| side.with(name, text));
    let secrets = dialect.variables.iter().filter(|variable| variable.role == Role::Secret);
    secrets.fold(side, |side, variable| side.with(&variable.name, SECRETS[secret]))
}

fn said(text: &TextTemplate, side: &Side) -> String {
    let [short, _] = text.variants();
    let tokens = short.iter().map(|token| match token {
        Token::Literal(literal) => literal.to_string(),
        Token::Variable(name) => value(name, None, side, OWN[0]),
    });
    tokens.collect()
}

fn topics(side: &Side, device: &str) -> Topics {
    let of = |sender: Sender| {
        let forms = side.dialect.forms.iter().filter(|form| form.from == sender);
        let spelled = |form: &Form| {
            let variants = form.template.variants();
            variants.iter().map(|levels| filled(levels, form, side, device)).collect::<Vec<_>>()
        };
        forms.flat_map(spelled).collect()
    };
    Topics { from_device: of(Sender::Device), from_cloud: of(Sender::Cloud) }
}

fn filled(levels: &[Level], form: &Form, side: &Side, device: &str) -> String {
    let level = |level: &Level| match level {
        Level::Literal(literal) => literal.to_string(),
        Level::Capture { variable, prefix, suffix } => {
            format!("{prefix}{}{suffix}", value(variable, Some(form), side, device))
        }
        Level::Rest { variable } => format!("{}/b", value(variable, Some(form), side, device)),
    };
    levels.iter().map(level).collect::<Vec<_>>().join("/")
}

fn value(variable: &str, form: Option<&Form>, side: &Side, device: &str) -> String {
    let dialect: &Dialect = &side.dialect;
    let part = match form {
        Some(form) => dialect.part_of(form, variable),
        None => dialect.variable(variable).and_then(|known| match known.role {
            Role::Part(part) => Some(part),
            Role::Setting | Role::Secret => None,
        }),
    };
    match (side.value(variable), part) {
        (Some(value), _) => value.reveal().to_owned(),
        (None, Some(Part::Device)) => device.to_owned(),
        (None, _) => "room1".to_owned(),
    }
}
