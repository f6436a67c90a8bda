//! Tables, templates and configurations of any text: faults, never a panic.
#![no_main]

use std::sync::Arc;

use interlingua::dialect::{Template, TextTemplate, parse};
use interlingua::translate::{Identity, Side, compile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Template::parse(text);
    if let Ok(template) = TextTemplate::parse(text) {
        let _ = template.match_text(text, &|_| None);
    }
    if let Ok(dialect) = parse("fuzz.toml", text) {
        let side = Side::new(Arc::new(dialect));
        let _ = compile(side.clone(), side, Identity::Same);
    }
});
