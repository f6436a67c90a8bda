//! The round: each device connects through its listener, speaks, and hears.
//!
//! Invariant: a translation is shown only after both sides have seen it on their sockets; one that
//! doesn't show up in time is an error.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use tokio::time::timeout;

use super::client::{Client, PATIENCE, Received};
use super::picture::{Picture, Sight};
use super::script::{APPLICATION, PAIRS, Pair, Step, Turn};

/// All who are connected after the round.
pub(super) struct Cast {
    pub(super) application: Client,
    /// In the order of the script.
    pub(super) devices: Vec<Client>,
}

/// Plays the whole script. `listening` are the listeners in its order.
pub(super) async fn play(
    broker: SocketAddr,
    listening: &[SocketAddr],
    picture: &mut Picture,
) -> anyhow::Result<Cast> {
    let mut application =
        Client::connect(broker, APPLICATION).await.context("the application at the broker")?;
    application.subscribe("#").await.context("the application at the broker")?;
    let mut devices = Vec::new();
    for (pair, address) in PAIRS.iter().zip(listening) {
        picture.heading(pair)?;
        let device = play_pair(pair, *address, &mut application, picture)
            .await
            .with_context(|| format!("the {} device at {address}", pair.from))?;
        devices.push(device);
    }
    Ok(Cast { application, devices })
}

async fn play_pair(
    pair: &Pair,
    listener: SocketAddr,
    application: &mut Client,
    picture: &Picture,
) -> anyhow::Result<Client> {
    let mut device = Client::connect(listener, pair.device).await?;
    device.subscribe(pair.topic_filter).await?;
    let mut response_topic: Option<String> = None;
    for step in pair.steps {
        let payload = step.payload.as_bytes();
        let (device_sight, broker_sight) = match step.turn {
            Turn::Up | Turn::Answer => {
                let topic_name = match (step.turn, &response_topic) {
                    (Turn::Answer, Some(wanted)) => wanted,
                    (Turn::Answer, None) => bail!("it was given no response topic"),
                    _ => step.device_topic,
                };
                device.publish(topic_name, payload, None).await?;
                let sent = Sight::new(topic_name, payload);
                (sent, sight(&expect(application, step, step.broker_topic).await?))
            }
            Turn::Down { response_topic: wanted } => {
                application.publish(step.broker_topic, payload, wanted).await?;
                let seen = sight(&expect(application, step, step.broker_topic).await?);
                let received = expect(&mut device, step, step.device_topic).await?;
                let heard = sight(&received);
                response_topic = received.response_topic;
                (heard, seen)
            }
        };
        picture.translation(step.turn, &device_sight, &broker_sight)?;
    }
    Ok(device)
}

fn sight(received: &Received) -> Sight {
    Sight::new(&received.topic_name, &received.payload)
}

/// Waits for the message of a step. Others may come in between: somebody may have joined already.
async fn expect(client: &mut Client, step: &Step, topic_name: &str) -> anyhow::Result<Received> {
    let mut others = Vec::new();
    let expected = async {
        loop {
            let received = client.receive().await?;
            if received.topic_name == topic_name && received.payload == step.payload.as_bytes() {
                return anyhow::Ok(received);
            }
            others.push(received.topic_name);
        }
    };
    if let Ok(outcome) = timeout(PATIENCE, expected).await {
        return outcome;
    }
    let (payload, seconds) = (step.payload, PATIENCE.as_secs());
    match others.as_slice() {
        [] => bail!("`{payload}` didn't come on `{topic_name}` within {seconds} s; nothing did"),
        others => bail!(
            "`{payload}` didn't come on `{topic_name}` within {seconds} s; this did: {}",
            others.join(", ")
        ),
    }
}
