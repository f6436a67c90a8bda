//! A session that sends, a message after the other, each at QoS 1.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use interlingua::mqtt::PacketIdentifier;
use tokio::sync::Semaphore;

use crate::caller::{Caller, Carrier, Route};
use crate::results::Histogram;

/// What sessions are carried by; each has a listener of its name.
pub(super) const CARRIERS: [Carrier; 2] = [Carrier::Tls, Carrier::Quic];

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What all sessions share.
pub(super) struct Devices {
    /// Of the listeners, in the order of `CARRIERS`.
    addresses: [SocketAddr; 2],
    caller: Caller,
    pause: Duration,
    /// Whether sessions say good-bye.
    pub(super) over: Cell<bool>,
    pub(super) connected: Cell<u32>,
    pub(super) sent: Cell<u64>,
    pub(super) acknowledged: Cell<u64>,
    pub(super) latency: RefCell<Histogram>,
}

impl Devices {
    /// Has to be called where a runtime is.
    pub(super) fn new(
        addresses: [SocketAddr; 2],
        config: rustls::ClientConfig,
        pause: Duration,
    ) -> anyhow::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            addresses,
            caller: Caller::new(config, SOURCE)?,
            pause,
            over: Cell::default(),
            connected: Cell::default(),
            sent: Cell::default(),
            acknowledged: Cell::default(),
            latency: RefCell::new(crate::results::new_histogram()),
        }))
    }

    fn route(&self, carrier: Carrier) -> Route {
        let [tls, quic] = self.addresses;
        let target = if carrier == Carrier::Quic { quic } else { tls };
        Route { source: SOURCE, target, carrier }
    }

    /// One session, until it is over.
    pub(super) async fn session(
        &self,
        number: u32,
        carrier: Carrier,
        turns: &Semaphore,
    ) -> anyhow::Result<()> {
        let turn = turns.acquire().await?;
        let (mut line, _) =
            self.caller.enter(&format!("device-{number}"), self.route(carrier)).await?;
        drop(turn);
        self.connected.set(self.connected.get() + 1);
        let topic = format!("renewal/{number}");
        for count in 1_u64.. {
            if self.over.get() {
                break;
            }
            let began = Instant::now();
            let low = (count % u64::from(u16::MAX)) as u16 + 1;
            let identifier = PacketIdentifier::new(low).context("0")?;
            self.sent.set(self.sent.get() + 1);
            line.publish(&topic, identifier).await?;
            self.acknowledged.set(self.acknowledged.get() + 1);
            let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.latency.borrow_mut().saturating_record(took);
            tokio::time::sleep(self.pause.saturating_sub(began.elapsed())).await;
        }
        line.leave().await
    }

    /// A new connection that is let in, and goes. The certificate that it was shown.
    pub(super) async fn probe(&self, number: u32, carrier: Carrier) -> anyhow::Result<Vec<u8>> {
        let (line, shown) =
            self.caller.enter(&format!("probe-{number}"), self.route(carrier)).await?;
        line.leave().await?;
        shown.context("no certificate")
    }
}
