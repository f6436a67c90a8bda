//! `[listener.quic]`: how QUIC is spoken with devices.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::document::Table;

use super::faults::{Faults, Place, Wrong};
use super::tls::{ClientCertificates, ListenerTls};
use super::transport::Transport;

const STREAMS: RangeInclusive<u64> = 0..=1024;
const KEEP_ALIVE_MS: RangeInclusive<u64> = 0..=3_600_000;
const IDLE_MS: RangeInclusive<u64> = 1_000..=3_600_000;

/// QUIC at a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerQuic {
    /// Streams that a device may have open beside the one of its CONNECT, and as many in its direction only; 0: it has one
    /// stream. Each may hold 64 KiB that are not read yet.
    pub streams_max: u16,
    /// Whether a device that comes back may send its CONNECT before the handshake's end.
    pub early_data: EarlyData,
    /// When a device has to show that it is where its packets come from.
    pub address_validation: AddressValidation,
    /// How often a silent device is asked for a sign of life, which keeps its address known on the way; `None`: never.
    pub keep_alive: Option<Duration>,
    /// How long a device may give no sign of life. It may ask for less.
    pub idle_timeout: Duration,
}

impl Default for ListenerQuic {
    fn default() -> Self {
        Self {
            streams_max: 8,
            early_data: EarlyData::Off,
            address_validation: AddressValidation::Always,
            keep_alive: Some(Duration::from_secs(20)),
            idle_timeout: Duration::from_secs(60),
        }
    }
}

/// What is taken before a handshake is over. Early data can be sent again by whoever has seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlyData {
    /// Nothing.
    Off,
    /// A CONNECT. Whatever stands behind it waits until the handshake is over.
    Connect,
}

impl EarlyData {
    const WORDS: [(&'static str, Self); 2] = [("off", Self::Off), ("connect", Self::Connect)];
}

/// When a device has to show that it is where its packets come from (RFC 9000 section 8.1). It costs a round trip, as TCP's
/// handshake does; until then an answer is shorter than what it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressValidation {
    /// Each time.
    Always,
    /// While half of the handshakes that may go on at once do. Else whoever lies about its address has three times as much sent
    /// there as it sends, and what the last datagram has beyond that.
    UnderLoad,
}

impl AddressValidation {
    const WORDS: [(&'static str, Self); 2] =
        [("always", Self::Always), ("under_load", Self::UnderLoad)];
}

/// The table as it is written.
pub(super) struct WrittenQuic {
    place: Place,
    quic: ListenerQuic,
}

pub(super) fn read_quic(mut table: Table<'_>) -> WrittenQuic {
    let mut quic = ListenerQuic::default();
    if let Some(written) = table.integer("streams_max", STREAMS) {
        quic.streams_max = u16::try_from(written.value).unwrap_or(u16::MAX);
    }
    if let Some(word) = table.word("early_data", &EarlyData::WORDS) {
        quic.early_data = word.value;
    }
    if let Some(word) = table.word("address_validation", &AddressValidation::WORDS) {
        quic.address_validation = word.value;
    }
    let keep_alive = table.integer("keep_alive_ms", KEEP_ALIVE_MS);
    if let Some(written) = &keep_alive {
        quic.keep_alive = Some(Duration::from_millis(written.value)).filter(|time| !time.is_zero());
    }
    if let Some(written) = table.integer("idle_timeout_ms", IDLE_MS) {
        quic.idle_timeout = Duration::from_millis(written.value);
    }
    if let (Some(asked), Some(written)) = (quic.keep_alive, keep_alive)
        && asked >= quic.idle_timeout
    {
        let idle = quic.idle_timeout.as_millis();
        table.fault(
            written.line,
            "keep_alive_ms",
            format!("isn't less than `idle_timeout_ms`, which is {idle}: it would come too late"),
            "write half of it, or 0 for never",
        );
    }
    let place = Place::of_table(&table);
    table.finish();
    WrittenQuic { place, quic }
}

/// The table's meaning at a listener of this transport, with this TLS.
pub(super) fn mean_quic(
    written: Option<&WrittenQuic>,
    transport: Transport,
    tls: Option<&ListenerTls>,
    faults: &Faults<'_>,
) -> Option<ListenerQuic> {
    if transport == Transport::Quic {
        let asks = tls.is_some_and(|tls| tls.client_certificates != ClientCertificates::Off);
        let early = |written: &&WrittenQuic| written.quic.early_data == EarlyData::Connect;
        if let Some(written) = written.filter(early).filter(|_| asks) {
            let message = "takes a CONNECT before its device has shown a certificate";
            let remedy = "write `early_data = \"off\"`, or ask for no certificates";
            faults.at(&written.place, Wrong::new(message, remedy));
        }
        return Some(written.map_or_else(ListenerQuic::default, |written| written.quic.clone()));
    }
    if let Some(written) = written {
        let remedy = "write `transport = \"quic\"`, or remove the table";
        faults.at(&written.place, Wrong::new("is there, but the transport isn't QUIC", remedy));
    }
    None
}
