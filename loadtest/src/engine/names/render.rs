//! Fills a table's templates with a device's values.

use anyhow::{Context, anyhow};
use interlingua::dialect::{Binding, Form, Level, Part, Role, TextTemplate, Token};

use super::Names;

impl Names {
    /// A form's topic: its longer variant if `with_channel`, else the shorter one.
    pub(super) fn render(
        &self,
        form: &Form,
        device: &str,
        channel: &str,
        with_channel: bool,
    ) -> anyhow::Result<String> {
        let mut variants = form.template.variants().into_iter();
        let short = variants.next().context("a template has levels")?;
        let levels = if with_channel { variants.next().unwrap_or(short) } else { short };
        let rendered: Result<Vec<String>, _> =
            levels.iter().map(|level| self.level(form, level, device, channel)).collect();
        Ok(rendered?.join("/"))
    }

    pub(super) fn level(
        &self,
        form: &Form,
        level: &Level,
        device: &str,
        channel: &str,
    ) -> anyhow::Result<String> {
        let value = |name: &str| {
            let bound = form.address.iter().find(|(_, binding)| {
                matches!(binding, Binding::Variable(variable) if **variable == *name)
            });
            let part = bound.map(|(part, _)| *part).or(self.part(name));
            match part {
                Some(Part::Device) => Ok(device.to_owned()),
                Some(Part::Channel) if !self.vars.contains_key(name) => Ok(channel.to_owned()),
                _ => self.value(name, device).ok_or_else(|| self.missing(name)),
            }
        };
        Ok(match level {
            Level::Literal(text) => text.to_string(),
            Level::Capture { variable, prefix, suffix } => {
                format!("{prefix}{}{suffix}", value(variable)?)
            }
            Level::Rest { variable } => value(variable)?,
        })
    }

    pub(super) fn text(&self, template: &TextTemplate, device: &str) -> anyhow::Result<String> {
        let [short, _] = template.variants();
        let mut out = String::new();
        for token in &short {
            match token {
                Token::Literal(text) => out.push_str(text),
                Token::Variable(name) => {
                    out.push_str(&self.value(name, device).ok_or_else(|| self.missing(name))?);
                }
            }
        }
        Ok(out)
    }

    fn part(&self, name: &str) -> Option<Part> {
        match self.dialect.variable(name)?.role {
            Role::Part(part) => Some(part),
            Role::Setting | Role::Secret => None,
        }
    }

    /// The variable that is the device has its name; every other one the value that was given.
    pub(super) fn value(&self, name: &str, device: &str) -> Option<String> {
        if name == "device" || self.part(name) == Some(Part::Device) {
            return Some(device.to_owned());
        }
        self.vars.get(name).cloned()
    }

    pub(super) fn missing(&self, name: &str) -> anyhow::Error {
        let about = self.dialect.variable(name).map_or("", |variable| &variable.about);
        anyhow!("dialect {} needs `{name}` ({about}); write --set {name}=…", self.dialect.name)
    }
}
