//! `explain --json`: the same steps for a program.

use serde_json::{Map, Value, json};

use crate::translate::{Explanation, FilterPlan, FormView, Incoming, Refusal, Sent, SessionNames};

use super::explain::shown;

pub(super) fn message(explanation: &Explanation, message: &Incoming<'_>) -> Value {
    let captures: Map<String, Value> =
        explanation.captures.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
    let address: Map<String, Value> =
        explanation.address.iter().map(|(part, text)| (part.to_string(), json!(text))).collect();
    json!({
        "direction": explanation.way.label(),
        "from": explanation.from,
        "to": explanation.to,
        "in": {
            "topic": message.topic_name,
            "payload": shown(message.payload),
            "qos": message.qos.level(),
            "retain": message.retain,
        },
        "matched": explanation.form.as_ref().map(form),
        "captures": captures,
        "address": address,
        "as": explanation.target.as_ref().map(form),
        "out": explanation.outcome.as_ref().ok().map(|messages| messages.iter().map(sent).collect::<Vec<_>>()),
        "notes": explanation.notes.iter().map(|note| note.label()).collect::<Vec<_>>(),
        "refused": explanation.outcome.as_ref().err().map(refusal),
    })
}

pub(super) fn filter(
    filter: &str,
    names: &SessionNames,
    outcome: &Result<FilterPlan, Refusal>,
) -> Value {
    json!({
        "direction": "subscribe",
        "in": filter,
        "own": { "device": names.device, "upstream": names.upstream_device },
        "out": outcome.as_ref().ok().map(|plan| &plan.upstream),
        "refused": outcome.as_ref().err().map(refusal),
    })
}

fn sent(sent: &Sent) -> Value {
    json!({
        "topic": sent.topic_name,
        "payload": shown(&sent.payload),
        "untouched": sent.payload_untouched,
        "qos": sent.qos.level(),
        "retain": sent.retain,
    })
}

fn form(form: &FormView) -> Value {
    json!({
        "template": form.template,
        "kind": form.kind.to_string(),
        "shape": form.shape,
        "line": form.line,
    })
}

fn refusal(refusal: &Refusal) -> Value {
    json!({ "reason": refusal.reason.label(), "detail": refusal.detail })
}
