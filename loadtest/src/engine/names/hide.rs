//! What of a scenario may be shown: results are kept, sent around and put into documents.

use std::collections::BTreeMap;

use interlingua::dialect::Role;

use super::find;
use crate::scenario::Scenario;

/// What stands for a secret where a scenario is shown.
const HIDDEN: &str = "[secret]";

/// The scenario as a result may show it: without passwords, and without the values of variables that their dialect calls
/// secrets.
pub(crate) fn without_secrets(scenario: &Scenario) -> Scenario {
    let mut shown = scenario.clone();
    let devices = scenario.devices.dialect.as_str();
    let controller = scenario.commands.dialect.as_deref().unwrap_or(devices);
    shown.devices.password = scenario.devices.password.as_ref().map(|_| HIDDEN.to_owned());
    hide(&mut shown.devices.vars, devices);
    hide(&mut shown.commands.vars, controller);
    shown
}

fn hide(vars: &mut BTreeMap<String, String>, dialect: &str) {
    let dialect = find(dialect).ok();
    let role = |name: &str| Some(dialect.as_ref()?.variable(name)?.role);
    for (name, value) in vars {
        if role(name).is_none_or(|role| role == Role::Secret) {
            HIDDEN.clone_into(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_the_rest_is_not() {
        let mut scenario = Scenario::default();
        scenario.devices.dialect = "thingscale".to_owned();
        scenario.devices.password = Some("pw-4711".to_owned());
        for (name, value) in [("token", "TOK-4711"), ("account", "U123456")] {
            scenario.devices.vars.insert(name.to_owned(), value.to_owned());
        }
        scenario.commands.dialect = Some("omnicore".to_owned());
        scenario.commands.vars.insert("registry".to_owned(), "plant".to_owned());
        let shown = crate::scenario::text(&without_secrets(&scenario));
        assert!(!shown.contains("4711"), "{shown}");
        assert!(shown.contains("U123456") && shown.contains("plant"), "{shown}");
    }
}
