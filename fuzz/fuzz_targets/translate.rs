//! Any topic and payload through every pair of built-in dialects: what comes out is a legal topic name, JSON where
//! the other platform has nothing else, and the same when the topic is known already.
#![no_main]

use std::sync::{Arc, OnceLock};

use interlingua::dialect::{builtin, builtin_names};
use interlingua::mqtt::{Qos, topic};
use interlingua::translate::{
    Identity, Incoming, Memory, PrefixRule, Scratch, Side, Translator, Way, compile,
};
use libfuzzer_sys::fuzz_target;

const VALUES: &[(&str, &str)] = &[
    ("token", "TOK"),
    ("account", "U000001"),
    ("subscription", "acme-sub"),
    ("space", "acme"),
    ("collection", "plant"),
    ("registry", "plant"),
    ("home", "h1"),
    ("gateway", "gw1"),
    ("group", "all"),
];

fn side(name: &str) -> Side {
    let dialect = Arc::new(builtin(name).expect("built in").expect("sound"));
    let known = VALUES.iter().filter(|(name, _)| dialect.variable(name).is_some());
    known.fold(Side::new(dialect.clone()), |side, (name, text)| side.with(name, text))
}

fn translators() -> &'static [Translator] {
    static ALL: OnceLock<Vec<Translator>> = OnceLock::new();
    ALL.get_or_init(|| {
        let names: Vec<&str> = builtin_names().filter(|name| *name != "plain").collect();
        let pairs = names.iter().flat_map(|from| names.iter().map(move |to| (from, to)));
        let pair = |(from, to): (&&str, &&str)| {
            let identity = Identity::Prefix(PrefixRule::new("d"));
            compile(side(from), side(to), identity).ok()
        };
        pairs.filter_map(pair).collect()
    })
}

fuzz_target!(|bytes: &[u8]| {
    let Some((head, rest)) = bytes.split_first_chunk::<2>() else { return };
    let [choice, length] = head;
    let (name, payload) = rest.split_at(rest.len().min(usize::from(*length)));
    let Some(topic_name) = str::from_utf8(name).ok().filter(|name| topic::is_valid_name(name))
    else {
        return;
    };
    let all = translators();
    let translator = &all[usize::from(*choice) % all.len()];
    for way in [Way::Up, Way::Down] {
        let message = Incoming { topic_name, payload, qos: Qos::AtLeastOnce, retain: false };
        let mut memory = Memory::default();
        let mut told = || {
            let mut scratch = Scratch::at(1_567_677_926_000, 17);
            let sent = translator.publish(way, &message, &mut memory, &mut scratch);
            sent.map(|sent| {
                let messages =
                    sent.messages().map(|out| (out.topic_name.to_owned(), out.payload.to_vec()));
                messages.collect::<Vec<_>>()
            })
        };
        let first = told();
        for (topic_name, _) in first.iter().flatten() {
            assert!(topic::is_valid_name(topic_name), "{topic_name}");
        }
        // Echoes of the session's own messages are one-sided; everything else is the same again.
        assert_eq!(told(), first);
        let _ = translator.response_topic(way, topic_name, &memory);
    }
});
