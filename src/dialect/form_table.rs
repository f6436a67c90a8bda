//! Reading one `[[topic]]` of a dialect's table.

use crate::document::{Located, Scalar, Table, Written, list_words};
use crate::payload::Shape;

use super::form::{Binding, Form, RetainRule, Unserved, Usage, When};
use super::layout_table::Layouts;
use super::neutral::{Kind, Part, Sender};
use super::table::{read_qos, to_usize};
use super::template::{Template, TemplateError};

/// Reads one `[[topic]]`. `None` when a fault keeps it from being one; the fault is in the document.
pub(super) fn read_form(mut table: Table<'_>, layouts: &mut Layouts) -> Option<Form> {
    let line = table.line();
    let kind = required_word(&mut table, "kind", &Kind::WORDS);
    let from = required_word(&mut table, "from", &Sender::WORDS);
    let template = table
        .required_text("template", "write the topic, as in `template = \"{site}/{device}/events\"`")
        .and_then(|text| read_template(&table, "template", &text));
    let (shape, layout) = layouts.read_shape(&mut table);
    let filter = table
        .text("filter")
        .and_then(|text| read_template(&table, "filter", &filter_as_template(text)));
    let of = read_shapes(&mut table);
    let usage = table.word("use", &Usage::WORDS).map_or(Usage::Both, |usage| usage.value);
    let address = table.table("address").map(read_address).unwrap_or_default();
    let option = table.text("option").map(|text| text.value.into());
    let when = table.table("when").and_then(read_when);
    let qos_max = read_qos(&mut table);
    let retain = table.word("retain", &RetainRule::WORDS).map(|rule| rule.value);
    let payload_bytes_max =
        table.integer("payload_bytes_max", 1..=268_435_455).map(|max| to_usize(max.value));
    let gathers = table.flag("gather").is_some_and(|flag| flag.value);
    let unserved =
        table.word("unserved", &Unserved::WORDS).map_or(Unserved::Refuse, |word| word.value);
    table.finish();
    Some(Form {
        kind: kind?,
        from: from?,
        template: template?,
        shape,
        layout,
        usage,
        address,
        filter,
        option,
        of,
        when,
        qos_max,
        retain,
        payload_bytes_max,
        gathers,
        unserved,
        line,
    })
}

fn required_word<T: Copy>(
    table: &mut Table<'_>,
    key: &'static str,
    words: &[(&str, T)],
) -> Option<T> {
    if !table.has(key) {
        let choices = list_words(words.iter().map(|(word, _)| *word));
        table.required_text(key, &format!("write {choices}"));
        return None;
    }
    table.word(key, words).map(|word| word.value)
}

fn read_template(table: &Table<'_>, key: &'static str, text: &Located<String>) -> Option<Template> {
    match Template::parse(&text.value) {
        Ok(template) => Some(template),
        Err(error) => {
            table.fault(text.line, key, error.to_string(), remedy_of(&error));
            None
        }
    }
}

fn remedy_of(error: &TemplateError) -> &'static str {
    match error {
        TemplateError::Forbidden => "write `{name}` for one level and `{name…}` for the rest",
        _ => "correct the template",
    }
}

/// A filter is written with its `#`; inside it is a template whose rest is left open.
fn filter_as_template(text: Located<String>) -> Located<String> {
    let value = match text.value.strip_suffix("/#") {
        Some(base) => format!("{base}[/{{any…}}]"),
        None => text.value,
    };
    Located { value, line: text.line }
}

fn read_shapes(table: &mut Table<'_>) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for Located { value, line } in table.texts("of") {
        match Shape::WORDS.iter().find(|(word, _)| *word == value) {
            Some((_, shape)) => shapes.push(*shape),
            None => table.fault(
                line,
                "of",
                format!("`{value}` is no shape"),
                "see `shape` for the words",
            ),
        }
    }
    shapes
}

fn read_address(mut table: Table<'_>) -> Vec<(Part, Binding)> {
    let mut address = Vec::new();
    for (name, entry) in table.every() {
        let Some(part) = Part::from_word(&name.value) else {
            let words = list_words(Part::WORDS.iter().map(|(word, _)| *word));
            table.fault(
                name.line,
                &name.value,
                "is no part of an address",
                format!("write {words}"),
            );
            continue;
        };
        match entry {
            Written::Scalar(Located { value: Scalar::Text(text), .. }) => {
                let variable = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
                let binding = match variable {
                    Some(name) => Binding::Variable(name.into()),
                    None => Binding::Constant(text.into()),
                };
                address.push((part, binding));
            }
            _ => table.fault(
                name.line,
                &name.value,
                "is not a text",
                "write a text or a variable as \"{name}\"",
            ),
        }
    }
    address
}

fn read_when(mut table: Table<'_>) -> Option<When> {
    let member =
        table.required_text("member", "name the JSON member to look at, as in `member = \"type\"`");
    let values = table.texts("is");
    if values.is_empty() {
        table.fault(
            table.line(),
            "is",
            "lists nothing",
            "list the member's texts, as in `is = [\"set\"]`",
        );
    }
    table.finish();
    Some(When {
        member: member?.value.into(),
        values: values.into_iter().map(|text| text.value.into()).collect(),
    })
}
