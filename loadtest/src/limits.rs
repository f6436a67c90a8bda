//! What the machine allows, looked up before the first connection: open files, source ports, memory, cores.
//!
//! Invariant: when [`check`] has passed, a run doesn't end in an error that could have been told before.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, bail};

use crate::results::End;
use crate::scenario::Scenario;

/// Files beside the connections: epoll, timers, standard streams, libraries.
const OTHER_FILES: u64 = 32;
/// Of the source ports of an address so many are used; the rest is for others, and for those that are still closing.
const PORT_SHARE: f64 = 0.8;
/// What a connection costs the kernel at rest, both ends of a loopback connection counted: measured at about 5 KiB each.
const KERNEL_BYTES: u64 = 12 * 1024;
/// What a device costs here beside its names and its messages in flight.
const DEVICE_BYTES: u64 = 1024;
const FLIGHT_BYTES: u64 = 32;
const TOPIC_BYTES: u64 = 120;

/// Raises the soft limit of open files to the hard one. What it is then.
pub(crate) fn raise_open_files() -> anyhow::Result<u64> {
    rlimit::increase_nofile_limit(u64::MAX).context("raising the limit of open files")
}

/// Looks at everything. Gives the source addresses that are needed; empty: the system's choice is enough.
///
/// # Errors
/// What isn't enough, and what to change.
pub(crate) fn check(
    scenario: &Scenario,
    target: SocketAddr,
    end: End,
) -> anyhow::Result<Vec<IpAddr>> {
    open_files(scenario, end, raise_open_files()?)?;
    memory(scenario, available_memory())?;
    sources(scenario, target, source_ports())
}

fn open_files(scenario: &Scenario, end: End, allowed: u64) -> anyhow::Result<()> {
    let devices = u64::from(scenario.devices.count);
    // The end has as many connections as there are devices, whatever stands between.
    let ends = if end == End::Foreign { 1 } else { 2 };
    let needed = devices * ends + OTHER_FILES;
    if needed <= allowed {
        return Ok(());
    }
    let most = allowed.saturating_sub(OTHER_FILES) / ends;
    let apart = if ends == 2 {
        ", or start the sink in a process of its own (`interlingua-loadtest sink`)"
    } else {
        ""
    };
    bail!(
        "{devices} devices need {needed} open files, and this process may have {allowed}; raise the hard limit (`ulimit -Hn {needed}` \
         as root, or LimitNOFILE=), use at most {most} devices{apart}"
    )
}

fn memory(scenario: &Scenario, available: Option<u64>) -> anyhow::Result<()> {
    let Some(available) = available else { return Ok(()) };
    let needed = memory_estimate(scenario);
    if needed <= available / 10 * 9 {
        return Ok(());
    }
    bail!(
        "{} devices with {} topics each need about {} MiB, and {} MiB are free; use fewer devices or topics, or a smaller \
         load.in_flight",
        scenario.devices.count,
        scenario.message.topics,
        needed >> 20,
        available >> 20
    )
}

/// Bytes that a run will need, roughly and rather too many.
pub(crate) fn memory_estimate(scenario: &Scenario) -> u64 {
    let topics = u64::from(scenario.message.topics);
    let flight = u64::from(scenario.load.in_flight) * FLIGHT_BYTES;
    let device = KERNEL_BYTES + DEVICE_BYTES + flight + topics * TOPIC_BYTES;
    u64::from(scenario.devices.count) * device + (64 << 20)
}

/// The source addresses that are needed, when an address has so many ports.
fn sources(scenario: &Scenario, target: SocketAddr, ports: u64) -> anyhow::Result<Vec<IpAddr>> {
    let devices = u64::from(scenario.devices.count);
    let usable = (ports as f64 * PORT_SHARE) as u64;
    if devices <= usable {
        return Ok(Vec::new());
    }
    let addresses = devices.div_ceil(usable.max(1));
    if !target.ip().is_loopback() || target.is_ipv6() {
        bail!(
            "{devices} connections to {} need more source ports than the {ports} of one address; widen \
             /proc/sys/net/ipv4/ip_local_port_range, use at most {usable} devices, or start the generator on several addresses",
            target
        );
    }
    // 127.0.0.0/8 is all this machine; 127.0.0.1 is left to others.
    (0..addresses)
        .map(|number| {
            let number = u32::try_from(number).ok().filter(|number| *number < 65_000);
            let number = number.context("more source addresses than loopback has")?;
            Ok(IpAddr::V4(Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 0, 2)) + number)))
        })
        .collect()
}

/// Ports of one source address.
pub(crate) fn source_ports() -> u64 {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut numbers = text.split_whitespace().filter_map(|number| number.parse::<u64>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(first), Some(last)) if last >= first => last - first + 1,
        // What Linux has unless it was told otherwise.
        _ => 28_232,
    }
}

fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Keeps the calling thread on this core, if one is given.
pub(crate) fn pin(core: Option<usize>) {
    if let Some(id) = core {
        core_affinity::set_for_current(core_affinity::CoreId { id });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(devices: u32) -> Scenario {
        let mut scenario = Scenario::default();
        scenario.devices.count = devices;
        scenario
    }

    #[test]
    fn files_are_counted_for_both_ends() {
        assert!(open_files(&scenario(9000), End::Sink, 20_000).is_ok());
        assert!(open_files(&scenario(10_000), End::Sink, 20_000).is_err());
        assert!(open_files(&scenario(10_000), End::Foreign, 20_000).is_ok());
        let fault = open_files(&scenario(10_000), End::Sink, 20_000).unwrap_err().to_string();
        assert!(fault.contains("use at most 9984 devices"), "{fault}");
    }

    #[test]
    fn more_connections_than_ports_come_from_several_loopback_addresses() {
        let loopback: SocketAddr = "127.0.0.1:1883".parse().expect("an address");
        let elsewhere: SocketAddr = "192.0.2.1:1883".parse().expect("an address");
        let addresses = |devices, target| sources(&scenario(devices), target, 1000);
        assert!(addresses(800, loopback).expect("enough").is_empty());
        let found: Vec<String> =
            addresses(1601, loopback).expect("enough").iter().map(IpAddr::to_string).collect();
        assert_eq!(found, ["127.0.0.2", "127.0.0.3", "127.0.0.4"]);
        let fault = addresses(801, elsewhere).unwrap_err().to_string();
        assert!(fault.contains("ip_local_port_range, use at most 800 devices"), "{fault}");
    }

    #[test]
    fn memory_is_estimated_before_it_is_used() {
        let mut large = scenario(9000);
        assert!(memory(&large, Some(1 << 30)).is_ok());
        large.message.topics = 65_536;
        let fault = memory(&large, Some(1 << 34)).unwrap_err().to_string();
        assert!(fault.contains("use fewer devices or topics"), "{fault}");
    }
}
