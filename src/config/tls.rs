//! `[listener.tls]` and `[upstream.tls]`: which files, and what is asked of the other end.
//!
//! Here the files are looked at from outside only: they are there, and they are PEM. Whether a key belongs to its
//! certificate is for the shell to say, which has the cryptography, and reads the files again when they change.

use crate::document::Table;

use super::address::parse_host;
use super::faults::{Faults, Place, Said, Wrong};
use super::outside::Outside;
use super::written::Origin;

/// TLS of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerTls {
    /// One for each name under which devices know the listener; the first is for all others. Never empty.
    pub certificates: Vec<CertificateFiles>,
    /// Whether devices show certificates of their own.
    pub client_certificates: ClientCertificates,
    /// The oldest version of TLS that is spoken.
    pub version_min: TlsVersion,
}

impl ListenerTls {
    /// Every file that it is made of.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let authorities = match &self.client_certificates {
            ClientCertificates::Off => None,
            ClientCertificates::Optional(path) | ClientCertificates::Required(path) => Some(path),
        };
        let own = self.certificates.iter().flat_map(CertificateFiles::paths);
        own.chain(authorities.map(String::as_str))
    }
}

/// TLS towards an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpstreamTls {
    /// A PEM file of the authorities that vouch for the broker; `None`: those that the system trusts.
    pub authorities: Option<String>,
    /// The proxy's own certificate, if the broker asks for one.
    pub certificate: Option<CertificateFiles>,
    /// The name in the broker's certificate; `None`: the URL's host.
    pub server_name: Option<String>,
    /// The oldest version of TLS that is spoken.
    pub version_min: TlsVersion,
}

/// A certificate with the certificates that lead to its authority, and its key. Paths as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// A PEM file.
    pub certificate: String,
    /// A PEM file, not encrypted.
    pub key: String,
}

impl UpstreamTls {
    /// Every file that it is made of.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let own = self.certificate.iter().flat_map(CertificateFiles::paths);
        own.chain(self.authorities.as_deref())
    }
}

impl CertificateFiles {
    fn paths(&self) -> [&str; 2] {
        [&self.certificate, &self.key]
    }
}

/// Whether devices show certificates, and a PEM file of the authorities that vouch for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCertificates {
    /// None is asked for.
    Off,
    /// A device may have none; one that it shows has to be good.
    Optional(String),
    /// A device without one doesn't get in.
    Required(String),
}

/// A version of TLS. Older ones are not spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    V1_2,
    /// TLS 1.3.
    V1_3,
}

impl TlsVersion {
    const WORDS: [(&'static str, Self); 2] = [("1.2", Self::V1_2), ("1.3", Self::V1_3)];
}

/// What `client_certificates` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Off,
    Optional,
    Required,
}

/// `[listener.tls]` or `[upstream.tls]` as it is written, or what the command line says instead.
pub(super) struct WrittenTls {
    pub(super) place: Place,
    pub(super) own: Vec<WrittenPair>,
    pub(super) ca: Option<Said<String>>,
    asked: Option<Said<Asked>>,
    server_name: Option<Said<String>>,
    version_min: TlsVersion,
}

/// A certificate and its key.
pub(super) struct WrittenPair {
    pub(super) certificate: Option<Said<String>>,
    pub(super) key: Option<Said<String>>,
}

impl WrittenTls {
    /// What the command line can say; the rest has its defaults.
    pub(super) fn of_flags(place: Place, own: Vec<WrittenPair>, ca: Option<Said<String>>) -> Self {
        let version_min = TlsVersion::default();
        Self { place, own, ca, asked: None, server_name: None, version_min }
    }
}

const FILE: &str = "write the path of a PEM file";

/// `[listener.tls]`.
pub(super) fn read_listener_tls(mut table: Table<'_>) -> WrittenTls {
    let words = [("off", Asked::Off), ("optional", Asked::Optional), ("required", Asked::Required)];
    let asked = table.word("client_certificates", &words);
    let mut own = vec![read_pair(&mut table)];
    for mut more in table.tables("more") {
        own.push(read_pair(&mut more));
        more.finish();
    }
    let written = WrittenTls {
        place: Place::of_table(&table),
        own,
        ca: said(&mut table, "client_ca"),
        asked: asked.map(|asked| Said::of(&table, "client_certificates", asked)),
        server_name: None,
        version_min: read_version(&mut table),
    };
    table.finish();
    written
}

/// `[upstream.tls]`.
pub(super) fn read_upstream_tls(mut table: Table<'_>) -> WrittenTls {
    let own = match table.has("certificate") || table.has("key") {
        true => vec![read_pair(&mut table)],
        false => {
            // Known keys all the same.
            let _ = (table.text("certificate"), table.text("key"));
            Vec::new()
        }
    };
    let written = WrittenTls {
        place: Place::of_table(&table),
        own,
        ca: said(&mut table, "ca"),
        asked: None,
        server_name: said(&mut table, "server_name"),
        version_min: read_version(&mut table),
    };
    table.finish();
    written
}

fn read_pair(table: &mut Table<'_>) -> WrittenPair {
    let certificate = table.required_text("certificate", FILE);
    let key = table.required_text("key", FILE);
    WrittenPair {
        certificate: certificate.map(|text| Said::of(table, "certificate", text)),
        key: key.map(|text| Said::of(table, "key", text)),
    }
}

fn read_version(table: &mut Table<'_>) -> TlsVersion {
    table.word("version_min", &TlsVersion::WORDS).map(|word| word.value).unwrap_or_default()
}

fn said(table: &mut Table<'_>, key: &'static str) -> Option<Said<String>> {
    let located = table.text(key)?;
    Some(Said::of(table, key, located))
}

/// A listener's TLS. `carried`: its transport is one with TLS.
pub(super) fn mean_listener_tls(
    written: Option<&WrittenTls>,
    transport: &Place,
    origin: Origin,
    outside: &mut Outside<'_>,
    faults: &Faults<'_>,
) -> Option<ListenerTls> {
    let Some(written) = written else {
        let remedy = match origin {
            Origin::File(_) => "write [listener.tls] with `certificate` and `key`",
            Origin::CommandLine(_) => "add `--listen-certificate FILE` and `--listen-key FILE`",
        };
        faults.at(transport, Wrong::new("needs a certificate", remedy));
        return None;
    };
    // Each is looked at, whatever is wrong with another: every fault is told.
    let certificates: Vec<_> =
        written.own.iter().map(|pair| mean_pair(pair, outside, faults)).collect();
    let client_certificates = mean_clients(written, outside, faults);
    Some(ListenerTls {
        certificates: certificates.into_iter().collect::<Option<_>>()?,
        client_certificates: client_certificates?,
        version_min: written.version_min,
    })
}

/// TLS towards an upstream whose URL says so.
pub(super) fn mean_upstream_tls(
    written: Option<&WrittenTls>,
    outside: &mut Outside<'_>,
    faults: &Faults<'_>,
) -> Option<UpstreamTls> {
    let Some(written) = written else { return Some(UpstreamTls::default()) };
    let own = written.own.first().map(|pair| mean_pair(pair, outside, faults));
    let authorities = written.ca.as_ref().map(|path| outside.pem(path, CERTIFICATE, faults));
    let parse = |name: &Said<String>| faults.check(&name.place, parse_host(&name.value));
    let server_name = written.server_name.as_ref().map(parse);
    // What is written and no good is told; what isn't written is `None`.
    let (certificate, authorities) = (sound(own)?, sound(authorities)?);
    Some(UpstreamTls {
        authorities,
        certificate,
        server_name: sound(server_name)?,
        version_min: written.version_min,
    })
}

/// A table that would have no effect is a mistake: somebody believes that there is TLS.
pub(super) fn refuse_unused(written: Option<&WrittenTls>, origin: Origin, faults: &Faults<'_>) {
    let Some(written) = written else { return };
    let remedy = match origin {
        Origin::File("listener") => {
            "write `transport = \"tls\"`, `\"wss\"` or `\"quic\"`, or remove the table"
        }
        Origin::File(_) => {
            "write a URL with `mqtts://`, `wss://` or `quic://`, or remove the table"
        }
        Origin::CommandLine("--from-set") => "write `--listen tls://…`, or leave this out",
        Origin::CommandLine(_) => "write `--upstream mqtts://…`, or leave this out",
    };
    faults.at(&written.place, Wrong::new("is there, but the transport has no TLS", remedy));
}

fn mean_clients(
    written: &WrittenTls,
    outside: &mut Outside<'_>,
    faults: &Faults<'_>,
) -> Option<ClientCertificates> {
    let asked = written.asked.as_ref().map(|asked| asked.value);
    let Some(path) = &written.ca else {
        if let Some(asked) = written.asked.as_ref().filter(|asked| asked.value != Asked::Off) {
            let remedy = "write `client_ca`, a PEM file of who vouches for devices";
            faults.at(&asked.place, Wrong::new("asks for what nobody vouches for", remedy));
            return None;
        }
        return Some(ClientCertificates::Off);
    };
    let pem = outside.pem(path, CERTIFICATE, faults)?;
    match asked {
        Some(Asked::Off) => {
            let message = "is there, but `client_certificates` is `off`";
            faults.at(&path.place, Wrong::new(message, "remove one of the two"));
            None
        }
        Some(Asked::Optional) => Some(ClientCertificates::Optional(pem)),
        Some(Asked::Required) | None => Some(ClientCertificates::Required(pem)),
    }
}

/// What isn't written is sound.
fn sound<T>(meant: Option<Option<T>>) -> Option<Option<T>> {
    match meant {
        None => Some(None),
        Some(meant) => meant.map(Some),
    }
}

const CERTIFICATE: &str = "CERTIFICATE";
const KEY: &str = "PRIVATE KEY";

fn mean_pair(
    written: &WrittenPair,
    outside: &mut Outside<'_>,
    faults: &Faults<'_>,
) -> Option<CertificateFiles> {
    let certificate =
        written.certificate.as_ref().map(|path| outside.pem(path, CERTIFICATE, faults));
    let key = written.key.as_ref().map(|path| outside.pem(path, KEY, faults));
    Some(CertificateFiles { certificate: certificate??, key: key?? })
}
