//! `sink` and `echo`: an end of one's own process, until a signal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use super::{Expected, Manner, Received, Receiver, Sink, listen};
use crate::engine::clock::Clock;
use crate::engine::control::{Control, Phase};
use crate::engine::plan::resolve;
use crate::limits;

/// The options of both.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:1883")]
    listen: String,
    /// The core to run on
    #[arg(long, value_name = "N")]
    core: Option<usize>,
    /// Print JSON at the end
    #[arg(long)]
    json: bool,
}

/// What an end prints when it stops.
#[derive(Debug, Serialize)]
struct Summary {
    connects: u64,
    subscribes: u64,
    publish_arrived: u64,
    publish_echoed: u64,
    payload_bytes: u64,
    rewritten: u64,
    missing: u64,
    duplicates: u64,
    out_of_order: u64,
    corrupted: u64,
    errors: std::collections::BTreeMap<&'static str, u64>,
}

/// `sink`
pub(crate) fn run_sink(options: &Options) -> anyhow::Result<()> {
    run(options, Manner::Sink)
}

/// `echo`
pub(crate) fn run_echo(options: &Options) -> anyhow::Result<()> {
    run(options, Manner::Echo)
}

fn run(options: &Options, manner: Manner) -> anyhow::Result<()> {
    limits::raise_open_files()?;
    let address = resolve(&options.listen)?;
    let listener = listen(address).with_context(|| format!("listening on {address}"))?;
    eprintln!("listening on {}", listener.local_addr()?);
    let sink = Sink::new(listener, manner, Clock::start(), Receiver::new(Expected::Anybody))?;
    let control = Arc::new(Control::new(0, 0, 0));
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let (inner, core) = (Arc::clone(&control), options.core);
    let thread = thread::Builder::new().name("end".to_owned()).spawn(move || {
        limits::pin(core);
        sink.run(&inner)
    })?;
    while !stop.load(Ordering::Relaxed) && !thread.is_finished() {
        thread::sleep(Duration::from_millis(50));
    }
    control.enter(Phase::Over);
    let received = thread.join().map_err(|_| anyhow::anyhow!("the thread panicked"))??;
    report(&received, options)
}

fn report(received: &Received, options: &Options) -> anyhow::Result<()> {
    let wrong = &received.seen.wrong;
    let summary = Summary {
        connects: received.connects,
        subscribes: received.subscribes,
        publish_arrived: received.arrived,
        publish_echoed: received.echoed,
        payload_bytes: received.payload_bytes,
        rewritten: received.rewritten,
        missing: received.seen.open_gaps(),
        duplicates: wrong.duplicates,
        out_of_order: wrong.out_of_order,
        corrupted: wrong.corrupted,
        errors: received.errors.clone(),
    };
    if options.json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
        return Ok(());
    }
    println!("CONNECT {}, SUBSCRIBE {}", summary.connects, summary.subscribes);
    println!(
        "PUBLISH {} arrived, {} sent back, {} payload bytes",
        summary.publish_arrived, summary.publish_echoed, summary.payload_bytes
    );
    println!(
        "of the last run: {} missing between others, {} duplicates, {} out of order, {} corrupted, {} rewritten around the stamp",
        summary.missing,
        summary.duplicates,
        summary.out_of_order,
        summary.corrupted,
        summary.rewritten
    );
    for (kind, count) in &summary.errors {
        println!("{kind} {count}");
    }
    for text in &wrong.first {
        println!("{text}");
    }
    Ok(())
}
