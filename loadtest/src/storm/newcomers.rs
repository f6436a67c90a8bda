//! Newcomers: honest devices that come anew, one after the other, where the attackers are.
//!
//! Invariant: how long one needs is counted from when it was meant to come, to its CONNACK; whoever isn't let in is counted.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::anyhow;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::moment::Moment;
use crate::caller::{Caller, Carrier, Route};
use crate::results::{Histogram, new_histogram};

/// From one to the next.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long one wants to wait: as long as many devices do.
const PATIENCE: Duration = Duration::from_secs(10);
/// They come from so many addresses in turn, so that limits per address don't mean them.
const ADDRESSES: u32 = 200;
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 100, 1);

/// How long newcomers of the measured time have needed.
pub(super) struct Arrivals {
    pub(super) took: Histogram,
    pub(super) kept_out: u64,
    /// Why the first of those was.
    pub(super) fault: Option<String>,
}

/// A thread from which they come.
pub(super) struct Newcomers {
    moment: watch::Sender<Moment>,
    thread: JoinHandle<anyhow::Result<Arrivals>>,
}

impl Newcomers {
    /// They come from the first moment of load on.
    ///
    /// # Errors
    /// No thread can be had.
    pub(super) fn start(
        target: SocketAddr,
        carrier: Carrier,
        config: rustls::ClientConfig,
    ) -> anyhow::Result<Self> {
        let (moment, moments) = watch::channel(Moment::Before);
        let thread = thread::Builder::new().name("newcomers".to_owned());
        let thread = thread.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            LocalSet::new().block_on(&runtime, async {
                let caller = Caller::new(config, IpAddr::V4(FIRST))?;
                Ok(all(Rc::new(caller), target, carrier, moments).await)
            })
        })?;
        Ok(Self { moment, thread })
    }

    /// Goes along with the run.
    pub(super) fn follow(&self, moment: Moment) {
        self.moment.send_if_modified(|known| std::mem::replace(known, moment) != moment);
    }

    /// What came of all of them, once the last has been let in or has lost its patience.
    ///
    /// # Errors
    /// There was no socket for them.
    pub(super) fn finish(self) -> anyhow::Result<Arrivals> {
        self.follow(Moment::Over);
        self.thread.join().map_err(|_| anyhow!("the newcomers panicked"))?
    }
}

async fn all(
    caller: Rc<Caller>,
    target: SocketAddr,
    carrier: Carrier,
    mut moments: watch::Receiver<Moment>,
) -> Arrivals {
    let (arrivals, mut coming) = (Rc::new(RefCell::new(Arrivals::none())), JoinSet::new());
    // An error means that nobody waits for them any more.
    let _ = moments.wait_for(|moment| *moment != Moment::Before).await;
    let mut interval = interval(INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0_u32.. {
        let intended = tokio::select! {
            _ = moments.wait_for(|moment| *moment == Moment::Over) => break,
            intended = interval.tick() => intended,
        };
        while coming.try_join_next().is_some() {}
        let is_measured = *moments.borrow() == Moment::Measured;
        let (caller, arrivals) = (Rc::clone(&caller), Rc::clone(&arrivals));
        coming.spawn_local(async move {
            let source = IpAddr::V4(Ipv4Addr::from(u32::from(FIRST) + number % ADDRESSES));
            let came = one(&caller, Route { source, target, carrier }, number, intended).await;
            if is_measured {
                arrivals.borrow_mut().count(came);
            }
        });
    }
    while coming.join_next().await.is_some() {}
    arrivals.replace(Arrivals::none())
}

/// One that comes and goes. How long it has needed.
async fn one(
    caller: &Caller,
    route: Route,
    number: u32,
    intended: Instant,
) -> anyhow::Result<Duration> {
    let name = format!("newcomer-{number}");
    let entering = caller.enter(&name, route);
    let entered = timeout(PATIENCE, entering).await;
    let (line, _) = entered.map_err(|_| anyhow!("not let in for {} s", PATIENCE.as_secs()))??;
    let took = intended.elapsed();
    // It was let in, however it goes.
    let _ = line.leave().await;
    Ok(took)
}

impl Arrivals {
    fn none() -> Self {
        Self { took: new_histogram(), kept_out: 0, fault: None }
    }

    fn count(&mut self, came: anyhow::Result<Duration>) {
        match came {
            Ok(took) => {
                let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
                self.took.saturating_record(took);
            }
            Err(error) => {
                self.kept_out += 1;
                self.fault.get_or_insert_with(|| format!("{error:#}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_not_let_in_is_counted_and_the_first_says_why() {
        let mut arrivals = Arrivals::none();
        arrivals.count(Ok(Duration::from_millis(3)));
        arrivals.count(Err(anyhow!("refused").context("shaking hands")));
        arrivals.count(Err(anyhow!("later")));
        assert_eq!((arrivals.took.len(), arrivals.kept_out), (1, 2));
        assert_eq!(arrivals.fault.as_deref(), Some("shaking hands: refused"));
    }

    /// What comes of those that come in one moment to somebody who accepts two of them, and never says anything.
    fn kept_out_in(moment: Moment) -> u64 {
        let deaf = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let target = deaf.local_addr().expect("an address");
        let config = crate::stage::Authority::new().expect("papers").client().expect("a client");
        let newcomers = Newcomers::start(target, Carrier::Tcp, config).expect("a thread");
        newcomers.follow(moment);
        for _ in 0..2 {
            drop(deaf.accept().expect("they come"));
        }
        drop(deaf);
        let arrivals = newcomers.finish().expect("they end");
        assert_eq!(arrivals.took.len(), 0);
        arrivals.kept_out
    }

    #[test]
    fn only_those_of_the_measured_time_are_counted() {
        assert_eq!(kept_out_in(Moment::Growing), 0);
        assert!(kept_out_in(Moment::Measured) >= 2);
    }
}
