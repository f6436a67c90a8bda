//! Live progress: a bar where standard error is a terminal, else a line now and then. It measures nothing.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::engine::Live;
use crate::engine::clock::SECOND;
use crate::engine::control::Phase;
use crate::results::duration;

/// Without a terminal there are about this many lines per run.
const LINES: u64 = 15;

/// How it is shown.
pub(crate) enum Progress {
    /// Not at all.
    Silent,
    /// A bar.
    Bar(ProgressBar),
    /// Lines on standard error.
    Lines(Lines),
}

/// Lines, one each so many seconds.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    phase: Option<Phase>,
    last: u64,
}

impl Progress {
    /// What suits standard error.
    pub(crate) fn new() -> Self {
        if !stderr().is_terminal() {
            return Progress::Lines(Lines::default());
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
        let style = ProgressStyle::with_template("{bar:24} {prefix} {wide_msg}");
        bar.set_style(style.expect("the template is a legal constant"));
        Progress::Bar(bar)
    }

    /// Shows where the run is.
    pub(crate) fn show(&mut self, live: &Live) {
        match self {
            Progress::Silent => {}
            Progress::Bar(bar) => {
                bar.set_length(live.load_ns);
                bar.set_position(if live.phase > Phase::Load {
                    live.load_ns
                } else {
                    live.over_ns
                });
                bar.set_prefix(left(live));
                bar.set_message(text(live));
            }
            Progress::Lines(lines) => lines.show(live),
        }
    }

    /// Makes room for the table.
    pub(crate) fn finish(&self) {
        if let Progress::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

impl Lines {
    fn show(&mut self, live: &Live) {
        let seconds = live.over_ns / SECOND;
        let every = (live.load_ns / SECOND / LINES).max(1);
        let due = live.phase == Phase::Load && seconds >= self.last + every;
        if self.phase == Some(live.phase) && !due {
            return;
        }
        self.phase = Some(live.phase);
        self.last = if live.phase == Phase::Load { seconds } else { 0 };
        eprintln!("{:>6} {}", left(live), text(live));
    }
}

fn left(live: &Live) -> String {
    match live.phase {
        Phase::Load => format!("-{}s", live.load_ns.saturating_sub(live.over_ns).div_ceil(SECOND)),
        _ => format!("-{:?}", Duration::from_nanos(live.load_ns)),
    }
}

fn text(live: &Live) -> String {
    let connections = format!("{} of {} connected", live.connected.min(live.devices), live.devices);
    let Some(second) = live.second.as_ref().filter(|_| live.phase == Phase::Load) else {
        let phase = match live.phase {
            Phase::Connecting => "connecting",
            Phase::Load => "load",
            Phase::Draining => "draining",
            Phase::Closing | Phase::Over => "closing",
        };
        return format!("{phase}, {connections}, {} errors", live.errors);
    };
    let mut text = format!("{}/s sent", second.sent);
    if second.acknowledged > 0 {
        text.push_str(&format!(", {}/s acknowledged", second.acknowledged));
    }
    if let Some(arrived) = second.arrived {
        text.push_str(&format!(", {arrived}/s arrived"));
    }
    if second.received > 0 {
        text.push_str(&format!(", {}/s received", second.received));
    }
    if let (Some(p50), Some(p99)) = (second.p50_us, second.p99_us) {
        text.push_str(&format!(", p50 {}, p99 {}", duration(p50), duration(p99)));
    }
    format!("{text}, {connections}, {} errors", live.errors)
}
