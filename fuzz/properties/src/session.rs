//! Both sides of a session say anything, in any order: nothing panics, what goes out is whole and legal, and neither side
//! gets what it may not have.

mod heard;
mod outputs;
mod setting;

use std::time::{Duration, Instant};

use allocation_counter::measure;
use interlingua::session::{Scratch, Session, Standing, Tally, Way};

use super::speech;
use heard::Heard;
use outputs::Outputs;
use setting::Setting;

/// Bytes that one step may take: buffers that double while they grow, a payload that is moved, and one step of output.
const STEP_MAX: usize = 2 * 1024 * 1024;

/// Bytes that wait in a session itself: 64 KiB and a packet, on both ways.
const ASIDE_MAX: usize = 2 * (64 * 1024 + 100_000);

/// Three bytes choose the setting. Then come steps, each with a byte that says which.
pub fn session(bytes: &[u8]) {
    let Some((head, mut rest)) = bytes.split_first_chunk::<3>() else { return };
    let setting = Setting::of(*head);
    let mut talk = Talk::new(&setting);
    talk.run_within_bounds();
    while let Some((step, following)) = rest.split_first() {
        rest = talk.step(*step, following);
        talk.run_within_bounds();
    }
    talk.finish();
}

/// A session, and what both sides have said and been told.
struct Talk<'s> {
    setting: &'s Setting,
    session: Session,
    now: Instant,
    scratch: Scratch,
    tally: Tally,
    outputs: Outputs,
    /// What a side has sent and the session hasn't taken yet: the device, and the upstream.
    tails: [Vec<u8>; 2],
    /// All that a side has sent.
    said: [Vec<u8>; 2],
    /// What it said in bytes of the input, which may be anything.
    raw: [Vec<u8>; 2],
    reached: bool,
}

impl<'s> Talk<'s> {
    fn new(setting: &'s Setting) -> Self {
        let now = Instant::now();
        // What a proof costs isn't the session's.
        let _ = setting.verdict();
        let mut talk = Self {
            setting,
            session: setting.session(now),
            now,
            scratch: Scratch::default(),
            tally: Tally::default(),
            outputs: Outputs::default(),
            tails: Default::default(),
            said: Default::default(),
            raw: Default::default(),
            reached: false,
        };
        let [device, upstream] = setting.opening();
        talk.says(0, &device);
        talk.says(1, &upstream);
        talk
    }

    fn says(&mut self, side: usize, bytes: &[u8]) {
        self.tails[side].extend_from_slice(bytes);
        self.said[side].extend_from_slice(bytes);
    }

    /// Takes one step; the bytes behind it.
    fn step<'b>(&mut self, step: u8, rest: &'b [u8]) -> &'b [u8] {
        let (side, choice) = (usize::from(step & 1), step >> 3);
        let version = [self.session.version(), self.session.upstream_version()][side];
        let setting = self.setting;
        let mut packet = Vec::new();
        let rest = match step >> 1 & 3 {
            0 => {
                let (length, rest) = rest.split_first().unwrap_or((&0, rest));
                let (bytes, rest) = rest.split_at(rest.len().min(usize::from(*length)));
                self.raw[side].extend_from_slice(bytes);
                packet.extend_from_slice(bytes);
                rest
            }
            1 => {
                let topics = [&setting.device().from_device, &setting.upstream().from_cloud][side];
                let Some((choices, rest)) = rest.split_first_chunk() else { return &[] };
                speech::publish(version, topics, *choices, &mut packet);
                rest
            }
            2 => {
                let Some((choices, rest)) = rest.split_first_chunk() else { return &[] };
                speech::other(version, &setting.device().from_cloud, choice, *choices, &mut packet);
                rest
            }
            _ if side == 0 => {
                self.now += Duration::from_millis(1 << choice.min(23));
                rest
            }
            _ => {
                self.event(choice);
                rest
            }
        };
        self.says(side, &packet);
        rest
    }

    fn event(&mut self, which: u8) {
        let now = self.now;
        self.wakes(|session, wake| match which % 12 {
            0 => session.on_device_closed(wake),
            1 => session.on_upstream_closed(wake),
            2 => session.on_taken_over(wake),
            3 => session.on_return(wake),
            4 => session.on_drain(wake),
            5 => session.on_upstream_unreachable(wake),
            6 => session.on_device_held(now),
            7 => session.on_device_closing(wake),
            8 => session.on_access_reviewed(2, Standing::Unchanged, wake),
            10 => session.on_upstream_suspended(wake),
            11 => session.on_memory_short(wake),
            _ => session.on_access_reviewed(3, Standing::Over, wake),
        });
    }

    /// What one step holds for a moment, what it keeps, and what it leaves to be sent: all of it has a limit.
    fn run_within_bounds(&mut self) {
        let before = self.outputs.length();
        let taken = measure(|| self.run()).bytes_max;
        let added = self.outputs.length() - before;
        assert!(added < STEP_MAX, "a step became {added} bytes");
        // What waits isn't sent here, and a buffer that grows is there twice for a moment.
        let most = STEP_MAX + 3 * before;
        assert!(taken < most as u64, "a step took {taken} bytes");
        let aside = self.session.bytes_aside();
        assert!(aside <= ASIDE_MAX, "{aside} bytes are put aside");
    }

    /// What the shell does when it is awake.
    fn run(&mut self) {
        if self.session.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.wakes(Session::on_deadline);
        }
        self.takes(Way::Up);
        if self.session.take_asked().is_some() {
            assert_eq!(self.outputs.length(), 0, "nobody is known yet");
            let verdict = self.setting.verdict();
            self.wakes(|session, wake| session.on_access(verdict, wake));
            self.takes(Way::Up);
        }
        if self.session.wants_upstream() && !self.reached {
            self.reached = true;
            self.session.on_upstream_open(self.now);
        }
        self.takes(Way::Down);
        if self.session.is_behind() {
            self.wakes(Session::resume);
        }
    }

    /// Hands in what waits on a way, until no more of it is taken.
    fn takes(&mut self, way: Way) {
        let side = usize::from(way == Way::Down);
        let mut tail = std::mem::take(&mut self.tails[side]);
        loop {
            let before = tail.len();
            self.outputs.move_payload(&mut self.session, way, &mut tail, self.now);
            let mut used = 0;
            self.wakes(|session, wake| {
                used = match way {
                    Way::Up => session.on_device_bytes(&tail, wake),
                    Way::Down => session.on_upstream_bytes(&tail, wake),
                };
            });
            assert!(used <= tail.len(), "took what isn't there");
            tail.drain(..used);
            if tail.len() == before || self.session.payload_left(way) == 0 {
                break;
            }
        }
        self.tails[side] = tail;
    }

    fn wakes(&mut self, call: impl FnOnce(&mut Session, &mut interlingua::session::Wake<'_>)) {
        let mut wake = self.outputs.wake(&self.session, self.now, &mut self.scratch, &self.tally);
        call(&mut self.session, &mut wake);
    }

    fn finish(mut self) {
        self.wakes(Session::on_ended);
        let was_refused = self.session.take_refusal().is_some();
        let session = &self.session;
        for (side, way) in [Way::Down, Way::Up].into_iter().enumerate() {
            // The rest of a payload that hasn't come.
            let left = vec![0; session.payload_left(way)];
            let bytes = [&self.outputs.sent[side][..], &left].concat();
            let version = [session.version(), session.upstream_version()][side];
            let heard = Heard { setting: self.setting, side, version, bytes: &bytes };
            heard.is_legal();
            heard.has_no_secret(&self.raw[1 - side]);
            heard.fits(&self.raw[side]);
            if self.setting.is_bound() && self.raw.iter().all(Vec::is_empty) {
                heard.is_about_its_own();
            }
        }
        let same = session.version() == session.upstream_version();
        // What is refused, the proxy answers itself.
        let passes = self.setting.plan().translator.is_plain() && !was_refused;
        if same && passes && !self.setting.is_tight() {
            heard::came_from(&self.outputs.sent[0], &self.said[1], session.version());
        }
        if self.setting.rules.is_some() && self.setting.proven.is_none() {
            assert!(self.outputs.sent[1].is_empty(), "the upstream heard of it");
        }
    }
}
