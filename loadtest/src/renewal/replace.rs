//! Replacing the certificate, by good ones and bad ones, and looking at what new connections are shown.

use std::time::{Duration, Instant};

use anyhow::bail;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::session::{CARRIERS, Devices};
use crate::caller::Carrier;
use crate::stage::{Papers, Stage};

/// What the proxy says of each listener, and looks for no longer than this.
const DEADLINE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(10);
/// The proxy's words for what came of it.
const TAKEN_OVER: &str = "were read again; new connections use them";
const REFUSED: &str = "were not taken over; the old ones stay";

/// What came of all replacements.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    pub(super) good: u32,
    pub(super) bad: u32,
    pub(super) probes: u32,
    pub(super) faults: Vec<String>,
    pub(super) taken_over_max: Duration,
    /// The last good one, as it is shown; `None`: none was replaced yet.
    current: Option<Vec<u8>>,
}

impl Replaced {
    /// One replacement, the proxy's word for it, and a new connection of each carrier.
    pub(super) async fn replace(
        &mut self,
        number: u32,
        stage: &Stage,
        devices: &Devices,
    ) -> anyhow::Result<()> {
        let good = stage.authority().vouch()?;
        let is_good = number.is_multiple_of(2);
        let (papers, word) = match is_good {
            true => (good.clone(), TAKEN_OVER),
            false => (spoilt(good.clone(), number / 2, stage)?, REFUSED),
        };
        let before = count(stage, word);
        let began = Instant::now();
        stage.replace(&papers)?;
        while count(stage, word) < before + CARRIERS.len() {
            if began.elapsed() > DEADLINE || !stage.is_running() {
                bail!("the proxy never said that its certificates {word}");
            }
            tokio::time::sleep(LOOK).await;
        }
        self.taken_over_max = self.taken_over_max.max(began.elapsed());
        match is_good {
            true => {
                self.good += 1;
                self.current =
                    Some(CertificateDer::from_pem_slice(good.certificate.as_bytes())?.to_vec());
            }
            false => self.bad += 1,
        }
        for carrier in CARRIERS {
            self.probe(number, carrier, devices).await;
        }
        Ok(())
    }

    async fn probe(&mut self, number: u32, carrier: Carrier, devices: &Devices) {
        self.probes += 1;
        let fault = match devices.probe(number, carrier).await {
            Ok(shown) if Some(&shown) == self.current.as_ref() => return,
            Ok(_) => "is shown another certificate than the last good one".to_owned(),
            Err(error) => format!("isn't let in: {error:#}"),
        };
        let listener = carrier.name();
        self.faults
            .push(format!("after replacement {number} a new connection over {listener} {fault}"));
    }
}

/// Papers that are no good, each time in another way.
fn spoilt(good: Papers, number: u32, stage: &Stage) -> anyhow::Result<Papers> {
    Ok(match number % 3 {
        // Somebody else's key.
        0 => Papers { key: stage.authority().vouch()?.key, ..good },
        // Half a file, as it is while somebody writes it.
        1 => {
            let half = good.certificate.len() / 2;
            Papers { certificate: good.certificate.chars().take(half).collect(), ..good }
        }
        _ => Papers { key: String::new(), ..good },
    })
}

/// How often the proxy has said so.
fn count(stage: &Stage, word: &str) -> usize {
    stage.log().matches(word).count()
}
