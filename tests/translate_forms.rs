//! A table with many forms of the same length: each topic finds the first form that it has.

mod script;

use std::fmt::Write as _;
use std::sync::Arc;

use interlingua::dialect::parse;
use interlingua::mqtt::Qos;
use interlingua::translate::{
    Identity, Incoming, Memory, PrefixRule, Reason, Scratch, Side, Translator, Way, compile,
};
use script::pairs;

/// `line{n}/{device}/state` for each n, some with a word of their own behind it that comes first, and one for the rest.
fn many_forms(count: usize) -> String {
    let mut text = String::from(
        "name = 'factory'\ntitle = 'Factory'\nmqtt = ['3.1.1']\n\
         [variables]\ndevice = { part = 'device' }\nline = { part = 'channel' }\n\
         [connect]\nclient_id = '{device}'\n",
    );
    let mut form = |template: &str, kind: &str| {
        let from = if kind == "command" { "cloud" } else { "device" };
        let _ = write!(
            text,
            "[[topic]]\nkind = '{kind}'\nfrom = '{from}'\ntemplate = '{template}'\nshape = 'opaque'\n"
        );
    };
    for number in 0..count {
        form(&format!("line{number}/{{device}}/alarm"), "event");
        form(&format!("line{number}/{{device}}/value"), "telemetry");
    }
    form("{line}/{device}/value", "telemetry");
    form("commands/{device}", "command");
    text
}

fn translator(count: usize) -> Translator {
    let factory = Side::new(Arc::new(parse("factory.toml", &many_forms(count)).expect("a table")));
    let there = pairs::side("omnicore", &[("subscription", "sub"), ("registry", "plant")]);
    compile(factory, there, Identity::Prefix(PrefixRule::new("d"))).expect("a pair")
}

fn topic_of(translator: &Translator, topic_name: &str) -> Result<String, Reason> {
    let (mut memory, mut scratch) = (Memory::default(), Scratch::default());
    let message = Incoming { topic_name, payload: b"5", qos: Qos::AtMostOnce, retain: false };
    let sent = translator.publish(Way::Up, &message, &mut memory, &mut scratch);
    let sent = sent.map_err(|refusal| refusal.reason)?;
    Ok(sent.messages().next().expect("one message").topic_name.to_owned())
}

#[test]
fn each_topic_finds_its_form_among_many() {
    for count in [1, 4, 5, 40] {
        let translator = translator(count);
        for number in 0..count {
            for (word, there) in
                [("alarm", "/plant/d77/events/log"), ("value", "/plant/d77/events")]
            {
                let topic = topic_of(&translator, &format!("line{number}/77/{word}"));
                assert_eq!(topic.as_deref(), Ok(there), "{count}, {number}, {word}");
            }
        }
        // The form for the rest, whose line is a channel.
        let rest = topic_of(&translator, "hall/77/value");
        assert_eq!(rest.as_deref(), Ok("/plant/d77/events/hall"), "{count}");
        assert_eq!(topic_of(&translator, "hall/77/alarm"), Err(Reason::BadTopic));
        assert_eq!(topic_of(&translator, "line0/77/other"), Err(Reason::BadTopic));
    }
}
