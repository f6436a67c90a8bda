//! The checks that a dialect passes before anyone may use it: each topic has one reading, each form can be
//! reached, and each one names its device.

use crate::document::Document;
use crate::payload::Shape;

use super::compare::{covers, overlap, told_apart};
use super::form::{Binding, Form};
use super::neutral::{Kind, Part, Sender};
use super::table::Dialect;
use super::text_template::{TextTemplate, Token};
use super::variable::Role;

/// Reports every fault of a dialect that its table's text alone doesn't show.
pub(super) fn verify(dialect: &Dialect, document: &Document<'_>) {
    check_name(dialect, document);
    check_splits(dialect, "connect.client_id", &dialect.connect.client_identifier, document);
    check_splits(dialect, "connect.certificate", &dialect.connect.certificate, document);
    check_certificate(dialect, document);
    for form in &dialect.forms {
        check_bindings(dialect, form, document);
        check_parts(dialect, form, document);
        check_gathering(form, document);
        check_sources(form, document);
    }
    for sender in [Sender::Device, Sender::Cloud] {
        check_readings(dialect, sender, document);
    }
}

fn check_name(dialect: &Dialect, document: &Document<'_>) {
    let legal = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'_')
    };
    if dialect.name.is_empty() || !dialect.name.bytes().all(legal) {
        let message = "has characters that a name can't have";
        document.fault(1, "name", message, "use lower-case letters, digits, `-`, `.` and `_`");
    }
}

/// Two devices may never have the same text: `a_b` and `c` would take the session of `a` and `b_c`.
fn check_splits(
    dialect: &Dialect,
    key: &'static str,
    template: &Option<TextTemplate>,
    document: &Document<'_>,
) {
    let Some(template) = template else { return };
    let [_, tokens] = template.variants();
    for three in tokens.windows(3) {
        let [Token::Variable(first), Token::Literal(between), Token::Variable(second)] = three
        else {
            continue;
        };
        let part = |name: &str| {
            let known = dialect.variable(name)?;
            matches!(known.role, Role::Part(_)).then_some(&known.rule)
        };
        // A setting is the same for all devices, or is not rendered.
        let (Some(before), Some(behind)) = (part(first), part(second)) else { continue };
        if between.chars().any(|letter| !before.may_hold(letter) || !behind.may_hold(letter)) {
            continue;
        }
        let message =
            format!("nobody could say where `{{{first}}}` ends: it may hold `{between}` itself");
        let remedy = format!(
            "put a `/` between the two, or say which punctuation the names have: `{first} = {{ punctuation = \"-.\" }}`"
        );
        document.fault(dialect.connect.line, key, message, remedy);
    }
}

/// A certificate is shown to everybody, and its name stands in logs.
fn check_certificate(dialect: &Dialect, document: &Document<'_>) {
    let Some(template) = &dialect.connect.certificate else { return };
    let is_secret =
        |name: &&str| dialect.variable(name).is_some_and(|variable| variable.role == Role::Secret);
    if let Some(name) = template.variables().find(is_secret) {
        let message = format!("`{{{name}}}` is a secret, and a certificate keeps none");
        let remedy = "take it out of the template, or out of `secrets`";
        document.fault(dialect.connect.line, "connect.certificate", message, remedy);
    }
}

fn check_bindings(dialect: &Dialect, form: &Form, document: &Document<'_>) {
    for (part, binding) in &form.address {
        let Binding::Variable(name) = binding else { continue };
        if !form.template.variables().any(|variable| *variable == **name) {
            let message = format!("`{{{name}}}` isn't in the template");
            let remedy = format!("use a variable of `{}`, or a text without braces", form.template);
            document.fault(form.line, &format!("topic.address.{part}"), message, remedy);
        }
        if dialect.variable(name).is_some_and(|variable| variable.role == Role::Secret) {
            let message = format!("`{{{name}}}` is a secret and would reach the other side");
            document.fault(
                form.line,
                &format!("topic.address.{part}"),
                message,
                "bind a variable that isn't a secret",
            );
        }
    }
    for name in form.filter.iter().flat_map(|filter| filter.variables()) {
        if name != "any" && dialect.variable(name).is_none() {
            let message = format!("`{{{name}}}` is not known");
            document.fault(form.line, "topic.filter", message, "use the variables of the template");
        }
    }
}

fn check_parts(dialect: &Dialect, form: &Form, document: &Document<'_>) {
    let mut seen: Vec<Part> = Vec::new();
    for name in form.template.variables() {
        if let Some(part) = dialect.part_of(form, name) {
            if seen.contains(&part) {
                let message = format!("two variables of `{}` stand for the {part}", form.template);
                document.fault(
                    form.line,
                    "topic.template",
                    message,
                    "bind one of them to another part under `address`",
                );
            }
            seen.push(part);
        }
    }
    let personal = !matches!(form.kind, Kind::Admin | Kind::Provision);
    let bound = form.address.iter().any(|(part, _)| *part == Part::Device);
    if personal && !bound && !seen.contains(&Part::Device) {
        let message = format!("`{}` doesn't say which device it is about", form.template);
        let remedy =
            "put a variable of the part `device` into the template, or bind one under `address`";
        document.fault(form.line, "topic.template", message, remedy);
    }
}

/// What is gathered is written as an object with one member.
fn check_gathering(form: &Form, document: &Document<'_>) {
    if form.gathers && form.shape != Shape::Keyed {
        let remedy = "write `shape = \"keyed\"`, or take `gather` out";
        document.fault(form.line, "topic.gather", "is only for values under their name", remedy);
    }
}

/// Else a message of the platform's own would go to the same platform by another topic, or not at all.
fn check_sources(form: &Form, document: &Document<'_>) {
    let is_both = form.is_read() && form.is_written();
    if is_both && !form.of.is_empty() && !form.of.contains(&form.shape) {
        let own = match form.shape.word() {
            "" => "the layout".to_owned(),
            word => format!("`{word}`"),
        };
        let message = format!("leaves out {own}, which the form itself reads");
        let remedy = "name it, too, or make two forms of this one: `use = \"read\"`, and `use = \"write\"` with `of`";
        document.fault(form.line, "topic.of", message, remedy);
    }
}

fn check_readings(dialect: &Dialect, sender: Sender, document: &Document<'_>) {
    let read: Vec<&Form> =
        dialect.forms.iter().filter(|form| form.from == sender && form.is_read()).collect();
    for (at, later) in read.iter().enumerate() {
        for earlier in read.iter().take(at) {
            if told_apart(earlier.when.as_ref(), later.when.as_ref()) {
                continue;
            }
            if let Some(fault) = compare(dialect, earlier, later) {
                report(fault, earlier, later, document);
            }
        }
    }
}

enum Clash {
    /// The earlier form matches all that the later one does.
    Unreachable,
    /// Some topics match both, and neither is the special case of the other.
    Ambiguous,
}

fn compare(dialect: &Dialect, earlier: &Form, later: &Form) -> Option<Clash> {
    let mut reached = false;
    let mut ambiguous = false;
    for second in later.template.variants() {
        let mut covered = false;
        for first in earlier.template.variants() {
            if !overlap(dialect, &first, &second) {
                continue;
            }
            if covers(dialect, &first, &second) {
                covered = true;
            } else if !covers(dialect, &second, &first) {
                ambiguous = true;
            }
        }
        reached |= !covered;
    }
    match (reached, ambiguous) {
        (false, _) => Some(Clash::Unreachable),
        (true, true) => Some(Clash::Ambiguous),
        (true, false) => None,
    }
}

fn report(clash: Clash, earlier: &Form, later: &Form, document: &Document<'_>) {
    let (one, other) = (&earlier.template, &later.template);
    let line = earlier.line;
    let (message, remedy) = match clash {
        Clash::Unreachable => (
            format!("`{other}` is never read: `{one}` on line {line} matches all of its topics"),
            "put the form with more literals first, or remove one".to_owned(),
        ),
        Clash::Ambiguous => (
            format!("some topics match both `{other}` and `{one}` on line {line}"),
            "reserve the literal of one for the variable of the other: `[variables] name = { reserved = […] }`".to_owned(),
        ),
    };
    document.fault(later.line, "topic.template", message, remedy);
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    fn faults(topics: &str) -> Vec<String> {
        let text = format!("name = \"t\"\nmqtt = [\"5\"]\n{topics}");
        match parse("t.toml", &text) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.iter().map(ToString::to_string).collect(),
        }
    }

    fn form(from: &str, template: &str, more: &str) -> String {
        format!(
            "[[topic]]\nkind = \"telemetry\"\nfrom = \"{from}\"\ntemplate = \"{template}\"\n{more}\n"
        )
    }

    #[test]
    fn a_sound_table_has_no_faults() {
        let text = form("device", "{site}/json/{device}[/{channel}]", "")
            + &form("device", "{site}/{device}/json", "address = { channel = \"json\" }")
            + &form("cloud", "{site}/{device}/{channel}", "");
        assert_eq!(
            faults(&text).len(),
            1,
            "a/json/json matches both of the first two: {:?}",
            faults(&text)
        );
        let reserved = "[variables]\ndevice = { reserved = [\"json\"] }\n";
        assert_eq!(faults(&(reserved.to_owned() + &text)), Vec::<String>::new());
    }

    #[test]
    fn a_form_behind_a_wider_one_is_never_read() {
        let text = form("device", "{site}/{device}/{channel}", "")
            + &form("device", "{site}/{device}/about", "");
        let found = faults(&text);
        assert!(found[0].contains("is never read"), "{found:?}");
        assert!(found[0].contains("t.toml:8"), "{found:?}");
        assert!(found[0].contains("on line 3"), "{found:?}");
        let turned = form("device", "{site}/{device}/about", "")
            + &form("device", "{site}/{device}/{channel}", "");
        assert_eq!(faults(&turned), Vec::<String>::new());
        let written = form("device", "{site}/{device}/{channel}", "")
            + &form("device", "{site}/{device}/about", "use = \"write\"");
        assert_eq!(
            faults(&written),
            Vec::<String>::new(),
            "a form that is only written is read as another one"
        );
    }

    #[test]
    fn rest_of_the_topic_covers_what_is_longer() {
        let text = form("device", "{device}/{channel…}", "") + &form("device", "{device}/a/b", "");
        assert!(faults(&text)[0].contains("is never read"));
        let text =
            form("device", "x/{device}/{channel…}", "") + &form("device", "{device}/y/z", "");
        assert!(faults(&text)[0].contains("match both"));
    }

    #[test]
    fn payload_conditions_tell_forms_apart() {
        let when = |word: &str| format!("when = {{ member = \"type\", is = [\"{word}\"] }}");
        let text = form("device", "{device}/out", &when("a"))
            + &form("device", "{device}/out", &when("b"))
            + &form("device", "{device}/out", "");
        assert_eq!(faults(&text), Vec::<String>::new());
        let same = form("device", "{device}/out", &when("a"))
            + &form("device", "{device}/out", &when("a"));
        assert!(faults(&same)[0].contains("is never read"));
    }

    #[test]
    fn unknown_names_are_reported_with_what_was_meant() {
        let found = faults(&form("device", "{site}/{devcie}/up", ""));
        assert!(found.iter().any(|fault| fault.contains("did you mean `{device}`?")), "{found:?}");
        let found = faults(&form("device", "{home}/{device}/up", ""));
        assert!(found[0].contains("declare it under [variables]"), "{found:?}");
        let found = faults(
            "[[topic]]\nkind = \"telemtry\"\nfrom = \"device\"\ntemplate = \"{device}\"\nshape = \"jsn\"\n",
        );
        assert!(found.iter().any(|fault| fault.contains("did you mean `telemetry`?")), "{found:?}");
        assert!(found.iter().any(|fault| fault.contains("did you mean `json`?")), "{found:?}");
    }

    #[test]
    fn a_client_identifier_says_where_each_name_ends() {
        let table = |variables: &str, template: &str| {
            let form = form("device", "{site}/{device}/up", "");
            faults(&format!("{variables}{form}[connect]\nclient_id = \"{template}\"\n"))
        };
        let found = table("", "{gateway}_{device}");
        assert!(found[0].contains("where `{gateway}` ends"), "{found:?}");
        assert!(found[0].contains("t.toml:8"), "{found:?}");
        assert_eq!(table("", "{gateway}/{device}"), Vec::<String>::new(), "no name has a `/`");
        let plain = "[variables]\ngateway = { punctuation = \"-\" }\n";
        assert_eq!(table(plain, "{gateway}_{device}"), Vec::<String>::new());
        let nonce = "[variables]\nnonce = { about = \"anything\" }\n";
        assert_eq!(
            table(nonce, "{device}[_{nonce}]"),
            Vec::<String>::new(),
            "ends at the last `_`"
        );
    }

    #[test]
    fn a_certificate_says_where_each_name_ends_and_keeps_no_secret() {
        let table = |more: &str, template: &str| {
            let form = form("device", "{site}/{device}/up", "");
            faults(&format!("{more}{form}[connect]\ncertificate = \"{template}\"\n"))
        };
        assert!(table("", "{site}.{device}")[0].contains("where `{site}` ends"));
        let plain = "[variables]\nsite = { punctuation = \"-\" }\n";
        assert_eq!(table(plain, "{site}.{device}"), Vec::<String>::new());
        let found = table("secrets = [\"token\"]\n", "{token}/{device}");
        assert!(found[0].contains("a certificate keeps none"), "{found:?}");
        assert!(table("", "{sit}.{device}")[0].contains("did you mean `{site}`?"));
    }

    #[test]
    fn only_values_under_their_name_are_gathered() {
        let table = |shape: &str| {
            faults(&form("device", "{device}/up", &format!("gather = true\nshape = \"{shape}\"")))
        };
        assert_eq!(table("keyed"), Vec::<String>::new());
        assert!(table("json")[0].contains("write `shape = \"keyed\"`"), "{:?}", table("json"));
    }

    #[test]
    fn a_form_is_written_for_what_it_reads_itself() {
        let table = |more: &str| faults(&form("device", "{device}/up", more));
        let found = table("of = [\"json\"]");
        assert!(found[0].contains("leaves out `opaque`"), "{found:?}");
        assert!(found[0].contains("`use = \"write\"`"), "{found:?}");
        assert_eq!(table("of = [\"json\", \"opaque\"]"), Vec::<String>::new());
        assert_eq!(table("of = [\"json\"]\nshape = \"json\""), Vec::<String>::new());
        let two = form("device", "{device}/up", "use = \"read\"")
            + &form("device", "{device}/up", "use = \"write\"\nof = [\"json\"]");
        assert_eq!(faults(&two), Vec::<String>::new());
    }

    #[test]
    fn a_reserved_word_is_no_gap_where_it_can_not_stand() {
        let reserved = "[variables]\ndevice = { reserved = [\"json\"] }\nchannel = {}\n";
        let text = form("device", "{site}/{device}", "")
            + &form("device", "{site}/x-{channel}", "address = { device = \"x\" }");
        let found = faults(&(reserved.to_owned() + &text));
        assert!(found[0].contains("is never read"), "{found:?}");
    }

    #[test]
    fn every_form_says_which_device_it_is_about() {
        assert!(faults(&form("device", "{site}/up", ""))[0].contains("which device"));
        assert_eq!(
            faults(&form("device", "{gateway}/up", "address = { device = \"{gateway}\" }")),
            Vec::<String>::new()
        );
        let found = faults(&form("device", "{device}/up", "address = { device = \"{gateway}\" }"));
        assert!(found[0].contains("isn't in the template"), "{found:?}");
        let secret = "secrets = [\"token\"]\n".to_owned()
            + &form("device", "{token}/up", "address = { device = \"{token}\" }");
        assert!(faults(&secret)[0].contains("is a secret"), "{:?}", faults(&secret));
    }
}
