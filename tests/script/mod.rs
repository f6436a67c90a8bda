//! Scripted conversations with a session: what each peer sends, what each has to receive, byte for byte.
//!
//! A script is played several ways that have to come out the same: each chunk whole, byte by byte, and cut
//! in two at every position. All that the session writes is decoded strictly, and nothing may be written
//! that the script doesn't name.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test binary compiles this room for itself and uses a part of it"
)]

pub mod packets;
pub mod pairs;
pub mod run;

use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use interlingua::mqtt::{Property, Qos, Version};
use interlingua::session::{End, OnRefusal, Session, SessionLimits, SessionPlan, Tally};
use interlingua::translate::Translator;

use run::{Peer, Run, read_all};

const PEERS: [Peer; 2] = [Peer::Device, Peer::Upstream];

type Look = Box<dyn Fn(&Session, &Tally)>;

enum Step {
    Sends(Peer, Vec<u8>),
    Receives(Peer, Vec<u8>),
    Closes(Peer),
    UpstreamOpens,
    UpstreamUnreachable,
    Drain,
    ShortOfMemory,
    Suspended,
    TakenOver,
    Returns,
    After(Duration),
    Ends(Box<dyn Fn(End) -> bool>, &'static str),
    Goes,
    Look(Look),
}

/// How the chunks arrive.
#[derive(Debug, Clone, Copy)]
enum Cut {
    Whole,
    Bytes,
    At(usize),
}

/// The first packets of a pair of platforms.
#[derive(Debug, Clone)]
pub struct Opening {
    pub device_connect: Vec<u8>,
    pub upstream_connect: Vec<u8>,
    pub upstream_connack: Vec<u8>,
    pub device_connack: Vec<u8>,
}

/// A conversation, to be played.
#[must_use = "a script does nothing until it is played"]
pub struct Script {
    version: Version,
    upstream_version: Version,
    translator: Translator,
    limits: SessionLimits,
    on_refusal: OnRefusal,
    opening: Opening,
    /// What may not appear at the device, and at the upstream.
    secrets: [Vec<String>; 2],
    steps: Vec<(Step, &'static Location<'static>)>,
}

impl Script {
    pub fn new(version: Version, translator: Translator, opening: Opening) -> Self {
        Self {
            version,
            upstream_version: version,
            translator,
            // What the proxy announces of its own in 5 is the subject of scripts that say so; the others are about the rest.
            limits: SessionLimits {
                exchanges_max: usize::from(u16::MAX),
                topic_aliases_max: 0,
                ..SessionLimits::default()
            },
            on_refusal: OnRefusal::AckAndDrop,
            opening,
            secrets: [Vec::new(), Vec::new()],
            steps: Vec::new(),
        }
    }

    pub fn version(&self) -> Version {
        self.version
    }

    pub fn opening(&self) -> Opening {
        self.opening.clone()
    }

    pub fn opening_with(mut self, opening: Opening) -> Self {
        self.opening = opening;
        self
    }

    /// The upstream is spoken to in another version than the device speaks; only for what failures show.
    pub fn upstream_in(mut self, version: Version) -> Self {
        self.upstream_version = version;
        self
    }

    /// The device speaks another version than the pair's.
    pub fn answering_in(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    pub fn secret_of_device(mut self, secret: &str) -> Self {
        self.secrets[Peer::Upstream as usize].push(secret.to_owned());
        self
    }

    pub fn secret_of_upstream(mut self, secret: &str) -> Self {
        self.secrets[Peer::Device as usize].push(secret.to_owned());
        self
    }

    pub fn limits(mut self, change: impl FnOnce(&mut SessionLimits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// Both sides of version 5 are told properties of the proxy's own, behind its Maximum Packet Size.
    pub fn announcing(mut self, own: &[Property<'_>]) -> Self {
        let Opening { upstream_connect, device_connack, .. } = &mut self.opening;
        *upstream_connect = packets::with_more(upstream_connect, self.upstream_version, 1, own);
        *device_connack = packets::with_more(device_connack, self.version, 1, own);
        self
    }

    /// The proxy remembers so many exchanges, and both sides of version 5 are told.
    pub fn remembering(self, exchanges: u16) -> Self {
        self.limits(|limits| limits.exchanges_max = usize::from(exchanges))
            .announcing(&[Property::ReceiveMaximum(exchanges)])
    }

    /// Both sides of `plain` take so many topic aliases of each other.
    pub fn taking_aliases(mut self, most: u16) -> Self {
        let own = [Property::TopicAliasMaximum(most)];
        let Opening { device_connect, upstream_connect, upstream_connack, device_connack } =
            &mut self.opening;
        for packet in [device_connect, upstream_connect, upstream_connack, device_connack] {
            *packet = packets::with_more(packet, Version::V5, 0, &own);
        }
        self
    }

    pub fn disconnecting(mut self) -> Self {
        self.on_refusal = OnRefusal::Disconnect;
        self
    }

    #[track_caller]
    fn step(mut self, step: Step) -> Self {
        self.steps.push((step, Location::caller()));
        self
    }

    #[track_caller]
    pub fn device_sends(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Sends(Peer::Device, bytes.into()))
    }

    #[track_caller]
    pub fn upstream_sends(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Sends(Peer::Upstream, bytes.into()))
    }

    #[track_caller]
    pub fn device_receives(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Receives(Peer::Device, bytes.into()))
    }

    #[track_caller]
    pub fn upstream_receives(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Receives(Peer::Upstream, bytes.into()))
    }

    #[track_caller]
    pub fn device_closes(self) -> Self {
        self.step(Step::Closes(Peer::Device))
    }

    #[track_caller]
    pub fn upstream_closes(self) -> Self {
        self.step(Step::Closes(Peer::Upstream))
    }

    #[track_caller]
    pub fn upstream_opens(self) -> Self {
        self.step(Step::UpstreamOpens)
    }

    #[track_caller]
    pub fn upstream_unreachable(self) -> Self {
        self.step(Step::UpstreamUnreachable)
    }

    #[track_caller]
    pub fn drain(self) -> Self {
        self.step(Step::Drain)
    }

    /// The proxy is short of memory, and it is this session's turn.
    #[track_caller]
    pub fn short_of_memory(self) -> Self {
        self.step(Step::ShortOfMemory)
    }

    /// The upstream is left alone at the moment.
    #[track_caller]
    pub fn upstream_suspended(self) -> Self {
        self.step(Step::Suspended)
    }

    /// The upstream has closed, and another session has the client identifier.
    #[track_caller]
    pub fn taken_over(self) -> Self {
        self.step(Step::TakenOver)
    }

    /// The device, which has gone, comes back with another session.
    #[track_caller]
    pub fn device_returns(self) -> Self {
        self.step(Step::Returns)
    }

    #[track_caller]
    pub fn after(self, seconds: f64) -> Self {
        self.step(Step::After(Duration::from_secs_f64(seconds)))
    }

    #[track_caller]
    pub fn ends(self, end: End) -> Self {
        self.step(Step::Ends(Box::new(move |found| found == end), end.label()))
    }

    /// The session has ended for this label, whatever its detail.
    #[track_caller]
    pub fn ends_as(self, label: &'static str) -> Self {
        self.step(Step::Ends(Box::new(move |found| found.label() == label), label))
    }

    /// The session hasn't ended.
    #[track_caller]
    pub fn goes_on(self) -> Self {
        self.step(Step::Goes)
    }

    #[track_caller]
    pub fn look(self, look: impl Fn(&Session, &Tally) + 'static) -> Self {
        self.step(Step::Look(Box::new(look)))
    }

    /// CONNECT and the opened upstream, up to what the upstream receives.
    #[track_caller]
    pub fn connecting(self) -> Self {
        let Opening { device_connect, upstream_connect, .. } = self.opening.clone();
        self.device_sends(device_connect).upstream_opens().upstream_receives(upstream_connect)
    }

    /// The whole opening.
    #[track_caller]
    pub fn connected(self) -> Self {
        let Opening { upstream_connack, device_connack, .. } = self.opening.clone();
        self.connecting().upstream_sends(upstream_connack).device_receives(device_connack)
    }

    /// What may not appear at the device, and at the upstream.
    pub fn secrets(&self) -> [Vec<String>; 2] {
        self.secrets.clone()
    }

    pub fn is_without_qos_2(&self) -> bool {
        self.translator.upstream_limits().qos_max < Qos::ExactlyOnce
    }

    /// The translator and the limits, for whoever plays by other rules.
    pub fn parts(self) -> (Translator, SessionLimits) {
        (self.translator, self.limits)
    }

    /// Plays the script in every way.
    pub fn play(mut self) {
        let plan = Arc::new(SessionPlan {
            translator: std::mem::replace(&mut self.translator, Translator::plain()),
            limits: self.limits.clone(),
            on_refusal: self.on_refusal,
        });
        let longest = self.steps.iter().map(|(step, _)| step.len()).max().unwrap_or(0);
        let start = Instant::now();
        self.play_once(&plan, Cut::Whole, start);
        if longest > 20_000 {
            return self.play_once(&plan, Cut::At(longest / 2), start);
        }
        self.play_once(&plan, Cut::Bytes, start);
        for at in (1..longest).filter(|at| *at < 300 || at % 97 == 0) {
            self.play_once(&plan, Cut::At(at), start);
        }
    }

    fn play_once(&self, plan: &Arc<SessionPlan>, cut: Cut, start: Instant) {
        let mut run = Run::new(plan.clone(), self.version, start);
        let mut expected: [Vec<u8>; 2] = [Vec::new(), Vec::new()];
        let mut conversation = String::new();
        let version = self.version;
        for (at, (step, place)) in self.steps.iter().enumerate() {
            conversation.push_str(&format!("{:>5}  {}\n", place.line(), step.text(version)));
            let fail = |why: String| -> ! {
                panic!("{place}, {cut:?}: {why}\nthe conversation so far:\n{conversation}")
            };
            if let Err(why) = self.act(step, cut, &mut run) {
                fail(why);
            }
            if let Step::Receives(peer, bytes) = step {
                expected[*peer as usize].extend_from_slice(bytes);
            }
            // Everything that was written has to be named before the next thing happens.
            if matches!(self.steps.get(at + 1), Some((Step::Receives(..), _))) {
                continue;
            }
            // Before its connection is open, nothing reaches the upstream.
            let reached = if run.session.wants_upstream() { &PEERS[..1] } else { &PEERS[..] };
            for peer in reached.iter().copied() {
                let (found, named) = (run.take(peer), std::mem::take(&mut expected[peer as usize]));
                let version = if peer == Peer::Upstream { self.upstream_version } else { version };
                if found != named {
                    fail(format!(
                        "{peer:?} received\n  {:02X?}\n  {}\ninstead of\n  {named:02X?}\n  {}\nend: {:?}",
                        found,
                        show(&found, version),
                        show(&named, version),
                        run.session.end(),
                    ));
                }
                for secret in &self.secrets[peer as usize] {
                    let leaked = found.windows(secret.len()).any(|part| part == secret.as_bytes());
                    if leaked {
                        fail(format!("{peer:?} received the secret {secret:?}: {found:02X?}"));
                    }
                }
            }
        }
    }

    fn act(&self, step: &Step, cut: Cut, run: &mut Run) -> Result<(), String> {
        match step {
            Step::Sends(peer, bytes) => {
                let pieces: Vec<&[u8]> = match cut {
                    Cut::Whole => vec![bytes],
                    Cut::Bytes => bytes.chunks(1).collect(),
                    Cut::At(at) if at < bytes.len() => {
                        let (first, second) = bytes.split_at(at);
                        vec![first, second]
                    }
                    Cut::At(_) => vec![bytes],
                };
                pieces.into_iter().try_for_each(|piece| run.feed(*peer, piece))
            }
            Step::Receives(..) => Ok(()),
            Step::Closes(Peer::Device) => run.wake(|session, wake| session.on_device_closed(wake)),
            Step::Closes(Peer::Upstream) => {
                run.wake(|session, wake| session.on_upstream_closed(wake))
            }
            Step::UpstreamOpens => run.wake(|session, wake| session.on_upstream_open(wake.now)),
            Step::UpstreamUnreachable => {
                run.wake(|session, wake| session.on_upstream_unreachable(wake))
            }
            Step::Drain => run.wake(|session, wake| session.on_drain(wake)),
            Step::ShortOfMemory => run.wake(|session, wake| session.on_memory_short(wake)),
            Step::Suspended => run.wake(|session, wake| session.on_upstream_suspended(wake)),
            Step::TakenOver => run.wake(|session, wake| session.on_taken_over(wake)),
            Step::Returns => run.wake(|session, wake| session.on_return(wake)),
            Step::After(time) => run.pass(*time),
            Step::Ends(is, _) => match run.session.end() {
                Some(end) if is(end) => Ok(()),
                end => Err(format!("the end is {end:?}")),
            },
            Step::Goes => match run.session.end() {
                None => Ok(()),
                end => Err(format!("the end is {end:?}")),
            },
            Step::Look(look) => {
                look(&run.session, &run.tally);
                Ok(())
            }
        }
    }
}

impl Step {
    fn len(&self) -> usize {
        match self {
            Step::Sends(_, bytes) => bytes.len(),
            _ => 0,
        }
    }

    fn text(&self, version: Version) -> String {
        match self {
            Step::Sends(peer, bytes) => format!("{peer:?} sends {}", show(bytes, version)),
            Step::Receives(peer, bytes) => format!("{peer:?} receives {}", show(bytes, version)),
            Step::Closes(peer) => format!("{peer:?} closes"),
            Step::UpstreamOpens => "the upstream's connection opens".to_owned(),
            Step::UpstreamUnreachable => "the upstream can't be reached".to_owned(),
            Step::Drain => "the proxy stops".to_owned(),
            Step::ShortOfMemory => "memory is short".to_owned(),
            Step::Suspended => "the upstream is left alone".to_owned(),
            Step::TakenOver => "another session has the client identifier".to_owned(),
            Step::Returns => "the device comes back".to_owned(),
            Step::After(time) => format!("after {time:?}"),
            Step::Ends(_, label) => format!("ends: {label}"),
            Step::Goes => "goes on".to_owned(),
            Step::Look(_) => "look".to_owned(),
        }
    }
}

/// Bytes as packets, or as bytes where they are none. Long ones are shortened.
fn show(bytes: &[u8], version: Version) -> String {
    let text = read_all(bytes, version).unwrap_or_else(|_| format!("{bytes:02X?}"));
    if text.len() > 2000 {
        format!("{}…", &text.chars().take(2000).collect::<String>())
    } else {
        text
    }
}
