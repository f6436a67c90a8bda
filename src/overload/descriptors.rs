//! Descriptors: as many as the system lets the process have, and no more sessions than there are descriptors for. A session that
//! is accepted can then reach its broker, too, and files can still be read again.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::config::{Config, Listener, Scheme, Transport};

/// Kept for what isn't counted: files that are read, the log, look-ups, requests of metrics.
const SPARE: u64 = 32;

/// What a shard needs for itself.
const PER_SHARD: u64 = 4;

/// Raises the process's limit as far as it may, and gives the sessions that there is room for, which are `sessions_max` at most.
/// Where it is less, the log says so.
#[must_use]
pub fn sessions_max(config: &Config, shards: usize) -> usize {
    let wanted = config.proxy.sessions_max;
    // A system that doesn't say is taken at the configuration's word.
    let Some(limit) = raise() else { return wanted };
    let room = room(config, shards, limit);
    if room < wanted {
        tracing::warn!(
            sessions_max = wanted,
            open_files = limit,
            room,
            "the limit of open files is too low for `sessions_max`: further connections wait; raise it (`ulimit -n`, `LimitNOFILE=`), or write less"
        );
    }
    wanted.min(room)
}

/// The limit, once it is as high as the process may set it.
fn raise() -> Option<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        return Some(hard);
    }
    Some(soft)
}

/// The sessions that there are descriptors for; one at least.
fn room(config: &Config, shards: usize, limit: u64) -> usize {
    let sockets = |listener: &Listener| {
        // Over QUIC all connections of a shard share one socket.
        u64::from(listener.transport != Transport::Quic)
            + u64::from(listener.upstreams().any(|upstream| upstream.url.scheme != Scheme::Quic))
    };
    let each = config.listeners.iter().map(sockets).max().unwrap_or(2);
    let own = config.listeners.len() as u64 + PER_SHARD;
    let left = limit.saturating_sub(SPARE).saturating_sub(own.saturating_mul(shards as u64));
    match each {
        0 => usize::MAX,
        each => usize::try_from(left / each).unwrap_or(usize::MAX).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands behind these lines is looked at when listeners are made.
    const PEM: &str = "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n";

    fn config(listener: &str, upstream: &str) -> Config {
        let text = format!(
            "[[listener]]\nname = 'a'\nbind = '127.0.0.1:0'\ndialect = 'plain'\nupstream = 'b'\n{listener}\n\
             [[upstream]]\nname = 'b'\nurl = '{upstream}://h'\ndialect = 'plain'\n"
        );
        crate::config::load("t.toml", &text, &mut |_| Ok(PEM.to_owned()))
            .unwrap_or_else(|faults| panic!("{faults:?}"))
    }

    #[test]
    fn a_session_takes_a_descriptor_for_each_side_that_has_a_socket() {
        let quic = "transport = 'quic'\n[listener.tls]\ncertificate = 'c.pem'\nkey = 'c.key'";
        for (listener, upstream, expected) in
            [("", "mqtt", 479), ("", "quic", 958), (quic, "mqtts", 958), (quic, "quic", usize::MAX)]
        {
            assert_eq!(
                room(&config(listener, upstream), 2, 1000),
                expected,
                "{listener} {upstream}"
            );
        }
        assert_eq!(
            room(&config("", "mqtt"), 64, 100),
            1,
            "none would be a proxy that does nothing"
        );
    }

    #[test]
    fn the_limit_is_raised_as_far_as_it_may() {
        let raised = raise().expect("this system says");
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("this system says");
        assert_eq!([soft, hard], [raised; 2]);
    }
}
