//! After the round: how to join, and what passes until Ctrl-C.
//!
//! Invariant: the lines that it prints to be pasted work while the demo runs.

use std::net::SocketAddr;
use std::rc::Rc;

use tokio::signal::unix::Signal;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::client::{Client, Received};
use super::picture::{Picture, Sight};
use super::round::Cast;
use super::script::PAIRS;

/// Sights that may wait to be printed.
const WAITING_MAX: usize = 64;

/// Says how to join, with the real ports.
pub(super) fn invite(
    broker: SocketAddr,
    listening: &[SocketAddr],
    picture: &Picture,
) -> anyhow::Result<()> {
    picture.line("")?;
    picture.line("Join in from another terminal (Ctrl-C ends the demo). At the broker:")?;
    let broker = at(broker);
    picture.command(&format!("mosquitto_sub {broker} -v -t '#'"))?;
    if let (Some(pair), Some(listener)) = (PAIRS.first(), listening.first()) {
        picture.line(&format!("As a {} device, number 42, which hears and speaks:", pair.from))?;
        let listener = at(*listener);
        picture.command(&format!("mosquitto_sub {listener} -v -t TOK/42/subscribe"))?;
        picture.command(&format!("mosquitto_pub {listener} -t TOK/json/42/lab -m 19.5"))?;
        picture.line("And a command for it, from the broker's side:")?;
        picture.command(&format!("mosquitto_pub {broker} -t /plant/d42/commands -m open"))?;
        picture.line("The same, step by step and without any network:")?;
        let program = std::env::args().next().unwrap_or_else(|| "interlingua".to_owned());
        let [device, rest] = pair.options();
        picture.command(&format!("{program} explain {device} \\"))?;
        picture.command(&format!("  {rest} \\"))?;
        picture.command("  --topic TOK/json/42/lab --payload 19.5")?;
    }
    picture.line("")?;
    picture.line("The other listeners:")?;
    for (pair, listener) in PAIRS.iter().zip(listening).skip(1) {
        let version = pair.device.version;
        let line = format!("{:12} {listener}   to {}, MQTT {version}", pair.from, pair.to);
        picture.line(&format!("  {line}"))?;
    }
    picture.line("")?;
    Ok(picture.line("What passes from now on:")?)
}

/// The options of mosquitto's clients for an address.
fn at(address: SocketAddr) -> String {
    format!("-h {} -p {}", address.ip(), address.port())
}

/// Prints what the application and the devices see, until Ctrl-C, which `interrupt` tells.
pub(super) async fn watch(
    cast: Cast,
    picture: &Picture,
    mut interrupt: Signal,
) -> anyhow::Result<()> {
    let (sights, mut seen) = mpsc::channel(WAITING_MAX);
    let tasks = LocalSet::new();
    tasks.spawn_local(report("broker".into(), cast.application, sights.clone()));
    for (pair, device) in PAIRS.iter().zip(cast.devices) {
        let who = format!("{} device", pair.from);
        tasks.spawn_local(report(who.into(), device, sights.clone()));
    }
    drop(sights);
    let print = async {
        while let Some((who, outcome)) = seen.recv().await {
            match outcome {
                Ok(received) => {
                    picture.sight(&who, &Sight::new(&received.topic_name, &received.payload))?;
                }
                // Somebody who joined as this device has taken its place.
                Err(error) => picture.line(&format!("the {who} is gone: {error:#}"))?,
            }
        }
        anyhow::Ok(())
    };
    tasks
        .run_until(async {
            tokio::select! {
                outcome = print => outcome,
                _ = interrupt.recv() => Ok(()),
            }
        })
        .await
}

type Seen = (Rc<str>, anyhow::Result<Received>);

/// Reads for one client until it is gone.
async fn report(who: Rc<str>, mut client: Client, sights: mpsc::Sender<Seen>) {
    loop {
        let outcome = client.receive().await;
        let is_last = outcome.is_err();
        if sights.send((who.clone(), outcome)).await.is_err() || is_last {
            return;
        }
    }
}
