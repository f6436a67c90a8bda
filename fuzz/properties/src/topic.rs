//! Topic names, topic filters and templates: what one string means, beside the plainest reading of the specification.

use interlingua::dialect::{Level, Template, TextTemplate, Token, parse};
use interlingua::mqtt::Qos;
use interlingua::mqtt::topic::{is_valid_filter, is_valid_name, level_count, matches, shared};
use std::sync::Arc;

use interlingua::translate::{Identity, Incoming, Memory, Scratch, Side, Translator, Way, compile};

/// Lines: a topic filter or template, then topic names or texts.
pub fn topic(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default();
    let names: Vec<&str> = lines.take(8).collect();
    filter(first, &names);
    text_template(first, &names);
    if let Ok(template) = Template::parse(first) {
        variants(&template);
        template_as_table(first, &names);
    }
}

fn filter(filter: &str, names: &[&str]) {
    assert_eq!(is_valid_filter(filter), is_filter(filter), "{filter:?}");
    if let Some(Ok((group, inner))) = shared(filter) {
        assert_eq!(format!("$share/{group}/{inner}"), filter);
        assert!(is_filter(inner) && !group.is_empty());
    }
    for name in names {
        let valid = (1..=65_535).contains(&name.len()) && !name.contains(['+', '#', '\0']);
        assert_eq!(is_valid_name(name), valid, "{name:?}");
        assert_eq!(level_count(name), name.split('/').count());
        if valid && is_filter(filter) {
            let dollar = name.starts_with('$') && filter.starts_with(['+', '#']);
            let (name, filter): (Vec<_>, Vec<_>) =
                (name.split('/').collect(), filter.split('/').collect());
            let ours = matches(&name.join("/"), &filter.join("/"));
            assert_eq!(ours, !dollar && is_matched(&name, &filter), "{name:?} {filter:?}");
        }
    }
}

/// Section 4.7.1 of MQTT 5.
fn is_filter(filter: &str) -> bool {
    let levels: Vec<&str> = filter.split('/').collect();
    let legal = |(at, level): (usize, &&str)| match *level {
        "+" => true,
        "#" => at + 1 == levels.len(),
        _ => !level.contains(['+', '#', '\0']),
    };
    (1..=65_535).contains(&filter.len()) && levels.iter().enumerate().all(legal)
}

/// Section 4.7.1 of MQTT 5, level by level.
fn is_matched(name: &[&str], filter: &[&str]) -> bool {
    match (name, filter) {
        (_, ["#"]) | ([], []) => true,
        ([_, name @ ..], ["+", filter @ ..]) => is_matched(name, filter),
        ([one, name @ ..], [other, filter @ ..]) => one == other && is_matched(name, filter),
        _ => false,
    }
}

/// What a text's template takes out of a text makes the same text when it is put in.
fn text_template(written: &str, texts: &[&str]) {
    let Ok(template) = TextTemplate::parse(written) else { return };
    assert_eq!(template.text(), written);
    for text in texts {
        let Some(values) = template.match_text(text, &|_| None) else { continue };
        // Values come from the end, and a name may stand twice.
        let rendered = |tokens: &[Token]| -> Option<String> {
            let mut values = values.iter().rev();
            tokens
                .iter()
                .map(|token| match token {
                    Token::Literal(literal) => Some(literal.to_string()),
                    Token::Variable(name) => {
                        let (found, value) = values.next()?;
                        assert_eq!(*found, &**name);
                        assert!(!value.is_empty());
                        Some((*value).to_owned())
                    }
                })
                .collect()
        };
        let count = |tokens: &[Token]| {
            tokens.iter().filter(|token| matches!(token, Token::Variable(_))).count()
        };
        let variants = template.variants();
        let made = variants
            .iter()
            .filter(|tokens| count(tokens) == values.len())
            .filter_map(|tokens| rendered(tokens));
        assert!(made.into_iter().any(|made| made == *text), "{written:?} {text:?} {values:?}");
    }
}

/// The levels are the template's text again.
fn variants(template: &Template) {
    let written = template.to_string().replace("...", "…");
    let (base, optional) = written.split_once('[').unwrap_or((&written, "]"));
    let optional = optional.strip_suffix(']').expect("it ends with its optional part");
    let whole = format!("{base}{optional}");
    let spelled: Vec<String> =
        template.variants().iter().map(|levels| spelled(levels).replace("...", "…")).collect();
    let wanted = [base, &whole];
    let count = if optional.is_empty() { 1 } else { 2 };
    assert_eq!(spelled.iter().map(String::as_str).collect::<Vec<_>>(), wanted[..count]);
    assert!(!whole.contains(['[', ']']), "a bracket that isn't one: {written}");
}

fn spelled(levels: &[Level]) -> String {
    let spelled: Vec<String> = levels
        .iter()
        .map(|level| match level {
            Level::Literal(literal) => literal.to_string(),
            Level::Capture { variable, prefix, suffix } => {
                format!("{prefix}{{{variable}}}{suffix}")
            }
            Level::Rest { variable } => format!("{{{variable}…}}"),
        })
        .collect();
    spelled.join("/")
}

/// A table of this one form on both sides, which changes no topic: what is taken apart is put together again.
fn template_as_table(template: &str, names: &[&str]) {
    if template.contains(['\'', '\r']) {
        return;
    }
    let table = format!(
        "name = 'fuzz'\nmqtt = ['3.1.1']\n[variables]\ndevice = {{ part = 'device' }}\n\
         channel = {{ part = 'channel' }}\n[[topic]]\nkind = 'telemetry'\nfrom = 'device'\n\
         template = '{template}'\nshape = 'opaque'\n"
    );
    let Ok(dialect) = parse("fuzz.toml", &table) else { return };
    let side = Side::new(Arc::new(dialect));
    let Ok(translator) = compile(side.clone(), side, Identity::Same) else { return };
    names.iter().for_each(|name| passes_itself(&translator, Way::Up, name));
}

/// A topic that both sides write alike is refused, or passes as it is.
pub(crate) fn passes_itself(translator: &Translator, way: Way, topic_name: &str) {
    if !is_valid_name(topic_name) {
        return;
    }
    let (mut memory, mut scratch) = (Memory::default(), Scratch::at(0, 0));
    let message =
        Incoming { topic_name, payload: b"{\"a\":1}", qos: Qos::AtMostOnce, retain: false };
    if let Ok(sent) = translator.publish(way, &message, &mut memory, &mut scratch) {
        for sent in sent.messages() {
            assert_eq!(sent.topic_name, topic_name);
        }
    }
}
