//! From files to what the library wants.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};

use crate::config::{ClientCertificates, EarlyData, ListenerTls, TlsVersion, UpstreamTls};
use crate::transport::quic::ALPN;

use super::Carrier;
use super::files::{TlsFault, authorities, certified_key, system_authorities};
use super::names::ByName;

/// Tickets of early data that are kept; the oldest goes first, and its device shakes hands in full.
const TICKETS_MAX: usize = 16_384;

impl From<rustls::Error> for TlsFault {
    fn from(error: rustls::Error) -> Self {
        Self::Library(error.to_string())
    }
}

fn versions(least: TlsVersion, carrier: Carrier) -> &'static [&'static SupportedProtocolVersion] {
    static FROM_1_2: [&SupportedProtocolVersion; 2] =
        [&rustls::version::TLS13, &rustls::version::TLS12];
    static FROM_1_3: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
    match (least, carrier) {
        (TlsVersion::V1_2, Carrier::Tcp) => &FROM_1_2,
        // QUIC has no older one (RFC 9001 section 4.2).
        (TlsVersion::V1_3, _) | (_, Carrier::Quic(_)) => &FROM_1_3,
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// What handshakes with devices use.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) config: Arc<ServerConfig>,
    /// Who says whether a device's certificate is good: also later, of one that was shown before.
    pub(super) clients: Arc<dyn ClientCertVerifier>,
}

/// Each one has keys of its own for session tickets: whom the new files no longer trust can't come back with a ticket
/// of the old ones. Early data stays off, as it is by default, unless the listener takes it.
pub(super) fn server(
    tls: &ListenerTls,
    carrier: Carrier,
    folder: &Path,
) -> Result<Serving, TlsFault> {
    let provider = provider();
    let keys: Result<Vec<_>, _> = tls
        .certificates
        .iter()
        .map(|files| certified_key(files, folder, &provider).map(Arc::new))
        .collect();
    let clients = client_verifier(&tls.client_certificates, folder, &provider)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions(tls.version_min, carrier))?
        .with_client_cert_verifier(clients.clone())
        .with_cert_resolver(Arc::new(ByName::new(keys?)));
    if let Carrier::Quic(_) = carrier {
        config.alpn_protocols = vec![ALPN.to_vec()];
    }
    match carrier {
        Carrier::Tcp | Carrier::Quic(EarlyData::Off) => {
            config.ticketer = aws_lc_rs::Ticketer::new()?;
        }
        Carrier::Quic(EarlyData::Connect) => {
            // Tickets that are good once: who repeats what a device has sent finds its ticket used.
            config.session_storage = ServerSessionMemoryCache::new(TICKETS_MAX);
            config.max_early_data_size = u32::MAX;
        }
    }
    Ok(Serving { config: Arc::new(config), clients })
}

fn client_verifier(
    asked: &ClientCertificates,
    folder: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsFault> {
    let (path, may_be_absent) = match asked {
        ClientCertificates::Off => return Ok(WebPkiClientVerifier::no_client_auth()),
        ClientCertificates::Optional(path) => (path, true),
        ClientCertificates::Required(path) => (path, false),
    };
    let roots = Arc::new(authorities(path, folder)?);
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
    let builder = if may_be_absent { builder.allow_unauthenticated() } else { builder };
    builder.build().map_err(|error| TlsFault::Library(error.to_string()))
}

/// Sessions are resumed where the broker offers it.
pub(super) fn client(
    tls: &UpstreamTls,
    carrier: Carrier,
    folder: &Path,
) -> Result<ClientConfig, TlsFault> {
    let provider = provider();
    let roots = match &tls.authorities {
        Some(path) => authorities(path, folder)?,
        None => system_authorities()?,
    };
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| TlsFault::Library(error.to_string()))?;
    let own = tls.certificate.as_ref().map(|files| certified_key(files, folder, &provider));
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions(tls.version_min, carrier))?
        .with_webpki_verifier(verifier);
    let mut config = match own.transpose()? {
        Some(own) => {
            let own = Arc::new(rustls::sign::SingleCertAndKey::from(own));
            builder.with_client_cert_resolver(own)
        }
        None => builder.with_no_client_auth(),
    };
    if let Carrier::Quic(_) = carrier {
        config.alpn_protocols = vec![ALPN.to_vec()];
    }
    Ok(config)
}
