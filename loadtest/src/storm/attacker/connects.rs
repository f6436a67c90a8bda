//! A flood of CONNECTs: in, out, and in again, as fast as the target answers.

use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Assault;
use super::open::open;
use crate::caller::connect_packet;

/// How long an attacker waits for its CONNACK.
const PATIENCE: Duration = Duration::from_secs(10);
/// A CONNACK of MQTT 3.1.1.
const CONNACK_BYTES: usize = 4;

/// So many at once, for ever.
pub(super) async fn all(assault: &Rc<Assault>) {
    for attacker in 0..assault.options.connections {
        let assault = Rc::clone(assault);
        tokio::task::spawn_local(async move {
            for number in 0_u64.. {
                assault.count(|counts| counts.open += 1);
                // A name that nobody had: else it would be the same device that comes back.
                one(&assault, &format!("storm-{attacker}-{number}")).await;
                assault.count(|counts| counts.open -= 1);
            }
        });
    }
    std::future::pending().await
}

async fn one(assault: &Rc<Assault>, name: &str) {
    let Some(mut socket) = open(assault).await else { return };
    let Ok(bytes) = connect_packet(name) else { return };
    if socket.write_all(&bytes).await.is_err() {
        return assault.count(|counts| counts.ended_by_target += 1);
    }
    assault.count(|counts| counts.bytes += bytes.len() as u64);
    let mut connack = [0; CONNACK_BYTES];
    match tokio::time::timeout(PATIENCE, socket.read_exact(&mut connack)).await {
        Ok(Ok(_)) => assault.count(|counts| counts.answered += 1),
        _ => assault.count(|counts| counts.ended_by_target += 1),
    }
}
