//! The checks that a dialect passes before anyone may use it: each topic has one reading, each form can be
//! reached, and each one names its device.

use crate::document::Document;

use super::form::{Binding, Form, When};
use super::neutral::{Kind, Part, Sender};
use super::table::Dialect;
use super::template::Level;
use super::variable::Role;

/// Reports every fault of a dialect that its table's text alone doesn't show.
pub(super) fn verify(dialect: &Dialect, document: &Document<'_>) {
    check_name(dialect, document);
    for form in &dialect.forms {
        check_bindings(dialect, form, document);
        check_parts(dialect, form, document);
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

/// Whether payload conditions keep two forms apart: the earlier one looks for what the later doesn't.
fn told_apart(earlier: Option<&When>, later: Option<&When>) -> bool {
    match (earlier, later) {
        (Some(earlier), Some(later)) => {
            earlier.member == later.member
                && !earlier.values.iter().any(|value| later.values.contains(value))
        }
        (Some(_), None) => true,
        (None, _) => false,
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

/// Whether some topic matches both.
fn overlap(dialect: &Dialect, one: &[Level], other: &[Level]) -> bool {
    let mut pairs = one.iter().zip(other);
    for (first, second) in pairs.by_ref() {
        if matches!(first, Level::Rest { .. }) || matches!(second, Level::Rest { .. }) {
            return true;
        }
        if !levels_meet(dialect, first, second) {
            return false;
        }
    }
    one.len() == other.len()
}

fn levels_meet(dialect: &Dialect, one: &Level, other: &Level) -> bool {
    match (one, other) {
        (Level::Literal(first), Level::Literal(second)) => first == second,
        (Level::Literal(literal), capture) | (capture, Level::Literal(literal)) => {
            takes(dialect, capture, literal)
        }
        (
            Level::Capture { prefix: first, suffix: first_end, .. },
            Level::Capture { prefix: second, suffix: second_end, .. },
        ) => {
            (first.starts_with(&**second) || second.starts_with(&**first))
                && (first_end.ends_with(&**second_end) || second_end.ends_with(&**first_end))
        }
        (Level::Rest { .. }, _) | (_, Level::Rest { .. }) => true,
    }
}

/// Whether a capture takes a literal level.
fn takes(dialect: &Dialect, capture: &Level, literal: &str) -> bool {
    let Level::Capture { variable, prefix, suffix } = capture else { return true };
    let inside = literal.strip_prefix(&**prefix).and_then(|rest| rest.strip_suffix(&**suffix));
    let reserved = dialect
        .variable(variable)
        .is_some_and(|variable| variable.rule.is_reserved(inside.unwrap_or("")));
    inside.is_some_and(|inside| !inside.is_empty()) && !reserved
}

/// Whether each topic of `narrow` matches `wide`.
fn covers(dialect: &Dialect, wide: &[Level], narrow: &[Level]) -> bool {
    for (at, level) in wide.iter().enumerate() {
        if matches!(level, Level::Rest { .. }) {
            return narrow.len() > at;
        }
        let Some(inner) = narrow.get(at) else { return false };
        let covered = match (level, inner) {
            (Level::Literal(first), Level::Literal(second)) => first == second,
            (Level::Literal(_), _) | (_, Level::Rest { .. }) => false,
            (capture, Level::Literal(literal)) => takes(dialect, capture, literal),
            (
                Level::Capture { prefix, suffix, variable },
                Level::Capture { prefix: p, suffix: s, variable: v },
            ) => {
                let reserved =
                    dialect.variable(variable).map_or(&[][..], |variable| &variable.rule.reserved);
                let inner_reserved =
                    dialect.variable(v).map_or(&[][..], |variable| &variable.rule.reserved);
                p.starts_with(&**prefix)
                    && s.ends_with(&**suffix)
                    && reserved.iter().all(|word| inner_reserved.contains(word))
            }
            (Level::Rest { .. }, _) => true,
        };
        if !covered {
            return false;
        }
    }
    wide.len() == narrow.len()
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
