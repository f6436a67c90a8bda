//! `soak`: devices publish and listen through the proxy while connections are cut and the proxy is killed. Then what
//! was acknowledged is held against what arrived.
//!
//! ```text
//! devices ──▶ proxy ──▶ forwarder ──▶ Mosquitto ──▶ recorder        the way up
//! devices ◀── proxy ◀── forwarder ◀── Mosquitto ◀── publisher       the way down
//!    ✂       kill -9        ✂
//! ```
//!
//! Invariant: chance comes from the seed only. What threads and sockets make of it is up to the machine.

mod forwarder;
mod line;
mod listener;
mod message;
mod processes;
mod publisher;
mod run;
mod state;
mod verdict;

use anyhow::bail;
use clap::Args;
use fastrand::Rng;
use interlingua::mqtt::Version;

use message::Course;
use verdict::Verdict;

/// How many violations are printed.
const SHOWN: usize = 20;

/// The options of `soak`. The proxy is INTERLINGUA_BIN, or `interlingua` beside this program.
#[derive(Debug, Args)]
#[command(
    after_help = "The proxy is the program that INTERLINGUA_BIN names, or `interlingua` beside this one. \
    Mosquitto has to be installed."
)]
pub(crate) struct Options {
    /// Where chance begins; the same seed plans the same messages and cuts [default: a random one]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// How many messages the devices publish in all; a fifth as many go down to them
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    messages: u32,
    /// How many devices publish; a tenth as many listen. Each takes up to three open files
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1000))]
    devices: u32,
    /// How often the proxy is killed and started again
    #[arg(long, value_name = "N", default_value_t = 10)]
    kills: u32,
    /// The longest that it may take; what isn't acknowledged by then is a violation
    #[arg(long, value_name = "MINUTES", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    minutes: u64,
    /// ThingScale to OmniCore instead of plain to plain: QoS 2 becomes 1, and without sessions nothing goes down
    #[arg(long)]
    translated: bool,
    /// The version of MQTT that the devices speak
    #[arg(long, value_name = "VERSION", default_value = "3.1.1", value_parser = version)]
    version: Version,
    /// The version that the proxy speaks to the broker [default: the devices']
    #[arg(long, value_name = "VERSION", value_parser = version, conflicts_with_all = ["translated", "direct"])]
    upstream_version: Option<Version>,
    /// Without the proxy, for comparison: a violation here isn't the proxy's
    #[arg(long, conflicts_with = "translated")]
    direct: bool,
}

impl Options {
    fn course(&self) -> Course {
        match (self.direct, self.translated) {
            (true, _) => Course::Direct,
            (false, true) => Course::Translated,
            (false, false) => Course::Plain,
        }
    }
}

fn version(word: &str) -> Result<Version, String> {
    match word {
        "3.1.1" => Ok(Version::V311),
        "5" => Ok(Version::V5),
        _ => Err("write 3.1.1 or 5".to_owned()),
    }
}

/// Runs a soak and prints its counts.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    if options.messages / options.devices > run::RECORDED {
        bail!("more than {} messages per device: take more devices", run::RECORDED);
    }
    let seed = options.seed.unwrap_or_else(|| Rng::new().get_seed());
    println!("seed {seed}");
    let outcome = run::run(options, seed)?;
    outcome.print();
    match outcome.violations().count() {
        0 => Ok(()),
        many => bail!("{many} violations; --seed {seed} plans the same messages and cuts"),
    }
}

/// What a run came to.
#[derive(Debug)]
struct Outcome {
    up: Verdict,
    down: Verdict,
    /// What was seen on the way rather than in the lists.
    seen: Vec<String>,
    events: String,
}

impl Outcome {
    fn violations(&self) -> impl Iterator<Item = &String> {
        self.seen.iter().chain(&self.up.violations).chain(&self.down.violations)
    }

    fn print(&self) {
        for (way, verdict) in [("up", &self.up), ("down", &self.down)] {
            for (level, sent) in verdict.sent.iter().enumerate() {
                println!(
                    "{way:<4} QoS {level}: {sent} sent, {} acknowledged, {} received, {} duplicates",
                    verdict.acknowledged[level], verdict.received[level], verdict.duplicates[level]
                );
            }
        }
        println!("{}", self.events);
        for violation in self.violations().take(SHOWN) {
            println!("violation: {violation}");
        }
        println!("{} violations", self.violations().count());
    }
}
