//! From files to what the library wants.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};

use crate::config::{ClientCertificates, ListenerTls, TlsVersion, UpstreamTls};

use super::files::{TlsFault, authorities, certified_key, system_authorities};
use super::names::ByName;

impl From<rustls::Error> for TlsFault {
    fn from(error: rustls::Error) -> Self {
        Self::Library(error.to_string())
    }
}

fn versions(least: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static FROM_1_2: [&SupportedProtocolVersion; 2] =
        [&rustls::version::TLS13, &rustls::version::TLS12];
    static FROM_1_3: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
    match least {
        TlsVersion::V1_2 => &FROM_1_2,
        TlsVersion::V1_3 => &FROM_1_3,
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Each one has keys of its own for session tickets: whom the new files no longer trust can't come back with a ticket
/// of the old ones. Early data stays off, as it is by default.
pub(super) fn server(tls: &ListenerTls, folder: &Path) -> Result<ServerConfig, TlsFault> {
    let provider = provider();
    let keys: Result<Vec<_>, _> = tls
        .certificates
        .iter()
        .map(|files| certified_key(files, folder, &provider).map(Arc::new))
        .collect();
    let clients = client_verifier(&tls.client_certificates, folder, &provider)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions(tls.version_min))?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(ByName::new(keys?)));
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(config)
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
pub(super) fn client(tls: &UpstreamTls, folder: &Path) -> Result<ClientConfig, TlsFault> {
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
        .with_protocol_versions(versions(tls.version_min))?
        .with_webpki_verifier(verifier);
    Ok(match own.transpose()? {
        Some(own) => {
            let own = Arc::new(rustls::sign::SingleCertAndKey::from(own));
            builder.with_client_cert_resolver(own)
        }
        None => builder.with_no_client_auth(),
    })
}
