//! Topics and payloads through every pair of built-in dialects: what comes out is legal, says no secret, names the same
//! device, and is asked for by the filter that asks for what it becomes.

use std::sync::OnceLock;

use interlingua::mqtt::{Qos, topic};
use interlingua::translate::{Incoming, Memory, Refusal, Scratch, Way};

use super::pairs::{self, OTHER, OWN, Pair, SECRETS, names};

/// Topic names and payloads.
type Told = Vec<(String, Vec<u8>)>;

/// Bytes: the pair, the way, a topic (which one of those that the sender's platform knows, or how long it is), which levels of
/// a filter are wildcards; then the topic, if it is none of those, and the payload.
pub fn translate(bytes: &[u8]) {
    static ALL: OnceLock<Vec<Pair>> = OnceLock::new();
    let all = ALL.get_or_init(pairs::all);
    let Some(([pair, way, which, wild], rest)) = bytes.split_first_chunk::<4>() else { return };
    let pair = &all[usize::from(*pair) % all.len()];
    let way = if way & 1 == 0 { Way::Up } else { Way::Down };
    let known = match way {
        Way::Up => &pair.device.from_device,
        Way::Down => &pair.upstream.from_cloud,
    };
    let length = rest.len().min(usize::from(which >> 1));
    let (topic_name, payload) = match known.get(usize::from(which >> 1)) {
        Some(topic_name) if which & 1 == 0 => (topic_name.as_bytes(), rest),
        _ => rest.split_at(length),
    };
    let Ok(topic_name) = str::from_utf8(topic_name) else { return };
    if !topic::is_valid_name(topic_name) {
        return;
    }
    let told = told(pair, way, topic_name, payload);
    for (topic_name, _) in told.iter().flatten() {
        assert!(topic::is_valid_name(topic_name), "{topic_name}");
    }
    keeps_secrets(pair, way, (topic_name, payload), told.as_deref().unwrap_or_default());
    start_says_the_same(pair, way, (topic_name, payload), &told);
    answer_finds_back(pair, way, topic_name);
    if let (Way::Down, Ok(told)) = (way, &told) {
        let wild = if which & 1 == 0 { *wild } else { 0 };
        told.iter().for_each(|(delivered, _)| is_asked_for(pair, topic_name, delivered, wild));
    }
}

fn told(pair: &Pair, way: Way, topic_name: &str, payload: &[u8]) -> Result<Told, Refusal> {
    let message = Incoming { topic_name, payload, qos: Qos::AtLeastOnce, retain: false };
    let mut memory = Memory::default();
    let mut once = || {
        let mut scratch = Scratch::at(1_567_677_926_000, 17);
        let sent = pair.translator.publish(way, &message, &mut memory, &mut scratch)?;
        let own = |text: &str| text.to_owned();
        Ok(sent.messages().map(|sent| (own(sent.topic_name), sent.payload.to_vec())).collect())
    };
    let first = once();
    assert_eq!(once(), first, "the same when the topic is known already");
    first
}

/// A device may show its secret where it belongs; beyond that, what it says is its own affair.
fn keeps_secrets(
    pair: &Pair,
    way: Way,
    (topic_name, payload): (&str, &[u8]),
    told: &[(String, Vec<u8>)],
) {
    let secret = match way {
        Way::Up => SECRETS[0],
        Way::Down => SECRETS[1],
    };
    let in_place = topic_name.split('/').next() == Some(secret);
    let elsewhere = topic_name.matches(secret).count() > usize::from(in_place);
    if elsewhere || holds(payload, secret) {
        return;
    }
    for (topic_name, payload) in told {
        assert!(!topic_name.contains(secret) && !holds(payload, secret), "{topic_name}");
    }
    assert!(pair.translator.has_secret_in(secret) || !in_place);
}

pub(crate) fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// A message whose payload isn't there yet becomes what it becomes with it.
fn start_says_the_same(
    pair: &Pair,
    way: Way,
    (topic_name, payload): (&str, &[u8]),
    told: &Result<Told, Refusal>,
) {
    let message = Incoming { topic_name, payload: &[], qos: Qos::AtLeastOnce, retain: false };
    let (mut memory, mut scratch) = (Memory::default(), Scratch::at(1_567_677_926_000, 17));
    let length = payload.len();
    let start = pair.translator.publish_start(way, &message, length, &mut memory, &mut scratch);
    match start {
        Ok(None) => {}
        Ok(Some(sent)) => {
            let topics: Vec<_> = sent.messages().map(|sent| sent.topic_name).collect();
            let told = told.as_ref().expect("what starts isn't refused afterwards");
            let whole: Vec<_> = told.iter().map(|(topic_name, _)| &**topic_name).collect();
            assert_eq!(topics, whole);
            assert!(told.iter().all(|(_, sent)| sent == payload), "passes as it is");
        }
        Err(refusal) => assert_eq!(told.as_ref().err(), Some(&refusal)),
    }
}

/// The answer to a response topic comes to that topic, or is refused for what it says.
fn answer_finds_back(pair: &Pair, way: Way, topic_name: &str) {
    let memory = Memory::default();
    let Ok(answer) = pair.translator.response_topic(way, topic_name, &memory) else { return };
    assert!(topic::is_valid_name(&answer), "{answer}");
    let back = match way {
        Way::Up => Way::Down,
        Way::Down => Way::Up,
    };
    if let Ok(told) = told(pair, back, &answer, b"{\"a\":1}")
        && let [(found, _)] = &told[..]
    {
        assert_eq!(found, topic_name, "by {answer}");
    }
}

/// Who asks for a delivery, by its name or with wildcards, has asked the upstream for what it comes from, and not for the
/// same of another device.
fn is_asked_for(pair: &Pair, topic_name: &str, delivered: &str, wild: u8) {
    let levels: Vec<&str> = delivered.split('/').collect();
    let end = usize::from(wild & 7).min(levels.len());
    let mut filter: Vec<&str> = levels
        .iter()
        .enumerate()
        .map(|(at, level)| if wild >> 3 & 1 << (at % 5) == 0 { *level } else { "+" })
        .collect();
    if wild & 1 == 1 && end > 0 {
        filter.truncate(end);
        filter.push("#");
    }
    let filter = filter.join("/");
    if !topic::is_valid_filter(&filter) || !topic::matches(delivered, &filter) {
        return;
    }
    let Ok(plan) = pair.translator.filter(&filter, &names()) else { return };
    for asked in &plan.upstream {
        assert!(topic::is_valid_filter(asked), "{asked}");
        assert!(!asked.contains(SECRETS[0]), "{asked}");
    }
    let asked =
        |topic_name: &str| plan.upstream.iter().any(|asked| topic::matches(topic_name, asked));
    assert!(asked(topic_name), "{filter} asks for {:?}, not for {topic_name}", plan.upstream);
    let has_own = |levels: &str, own: &str| levels.split('/').any(|level| level == own);
    if has_own(delivered, OWN[0]) && has_own(topic_name, OWN[1]) {
        let other = topic_name.replace(OWN[1], OTHER[1]);
        assert!(!asked(&other), "{filter} asks for {:?}, which is {other}", plan.upstream);
    }
}
