//! `publish`: devices that publish at QoS 1, one message after the other, and count what is acknowledged.
//!
//! Each device waits for its PUBACK before it publishes again, so the rate is that of the round trip: it says
//! whether a proxy or broker holds, not how fast it could be.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;

use crate::device::Device;

/// The options of `publish`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Where the devices connect, as HOST:PORT
    #[arg(long, value_name = "ADDRESS")]
    address: String,
    /// How many devices, each with a connection and a thread
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    devices: u32,
    /// How many messages each device publishes
    #[arg(long, value_name = "N", default_value_t = 100)]
    messages: u32,
    /// Topic; {device} stands for the device's number
    #[arg(long, value_name = "TOPIC", default_value = "loadtest/{device}")]
    topic: String,
    /// Client identifier; {device} stands for the device's number
    #[arg(long, value_name = "ID", default_value = "loadtest-{device}")]
    client_id: String,
    /// Payload; {number} counts each device's messages
    #[arg(long, value_name = "TEXT", default_value = "{number}")]
    payload: String,
    /// Seconds that a device waits for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    timeout: u64,
}

/// What one device saw.
#[derive(Debug, Default)]
struct Seen {
    acknowledged: u32,
    slowest: Duration,
}

/// Runs the devices and prints what they saw.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let since = Instant::now();
    let threads: Vec<_> = (0..options.devices)
        .map(|number| {
            let options = options.clone();
            thread::spawn(move || publish(number, &options))
        })
        .collect();
    let (mut acknowledged, mut slowest, mut faults) = (0u64, Duration::ZERO, Vec::new());
    for (number, thread) in threads.into_iter().enumerate() {
        match thread.join() {
            Ok(Ok(seen)) => {
                acknowledged += u64::from(seen.acknowledged);
                slowest = slowest.max(seen.slowest);
            }
            Ok(Err(error)) => faults.push(format!("device {number}: {error:#}")),
            Err(_) => faults.push(format!("device {number}: its thread panicked")),
        }
    }
    let took = since.elapsed();
    let rate = acknowledged as f64 / took.as_secs_f64();
    println!(
        "{acknowledged} of {} messages acknowledged in {:.3} s: {rate:.0} per second, slowest round trip {:.1} ms",
        u64::from(options.devices) * u64::from(options.messages),
        took.as_secs_f64(),
        slowest.as_secs_f64() * 1000.0
    );
    match faults.first() {
        None => Ok(()),
        Some(first) => bail!("{} devices failed; {first}", faults.len()),
    }
}

fn publish(number: u32, options: &Options) -> anyhow::Result<Seen> {
    let fill = |text: &str| text.replace("{device}", &number.to_string());
    let timeout = Duration::from_secs(options.timeout.max(1));
    let mut device = Device::connect(&options.address, &fill(&options.client_id), timeout)
        .with_context(|| format!("connecting to {}", options.address))?;
    let topic = fill(&options.topic);
    let mut seen = Seen::default();
    for count in 0..options.messages {
        let payload = fill(&options.payload).replace("{number}", &count.to_string());
        let sent = Instant::now();
        device.publish(&topic, payload.as_bytes()).with_context(|| format!("message {count}"))?;
        seen.slowest = seen.slowest.max(sent.elapsed());
        seen.acknowledged += 1;
    }
    device.disconnect()?;
    Ok(seen)
}
