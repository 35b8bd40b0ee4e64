//! The connector of both protocols: TCP, with TLS if the URL is https.

use super::target::{Certificates, NamedFile, Target, TargetError};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore,
    client::WantsClientCert,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};
use std::{sync::Arc, time::Duration};

/// The maximum wait for a TCP connection to one address, so that an absent host can be told from one that does not answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) type Connector = HttpsConnector<HttpConnector>;

#[derive(Clone, Copy)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// Makes a connector.
///
/// # Errors
/// A certificate file can't be read or used, or the system has no trusted certificates.
pub(super) fn connector(target: &Target, version: Version) -> Result<Connector, TargetError> {
    let config = if target.url.scheme_str() == Some("https") {
        client_config(&target.certificates)?
    } else {
        builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    };
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(target.timeout.map_or(CONNECT_TIMEOUT, |t| CONNECT_TIMEOUT.min(t / 2))));
    let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
    Ok(match version {
        Version::Http1 => connector.enable_http1().wrap_connector(tcp),
        Version::Http2 => connector.enable_http2().wrap_connector(tcp),
    })
}

fn builder() -> Result<ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TargetError> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| TargetError::tls(e.to_string()))
}

fn client_config(certificates: &Certificates) -> Result<ClientConfig, TargetError> {
    let trusting: ConfigBuilder<ClientConfig, WantsClientCert> = match &certificates.authorities {
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in read_certificates(file)? {
                roots.add(certificate).map_err(|e| TargetError::file(file, e))?;
            }
            builder()?.with_root_certificates(roots)
        }
        None => builder()?.with_native_roots().map_err(|e| {
            TargetError::tls(format!("no trusted certificates ({e}); set OTEL_EXPORTER_OTLP_CERTIFICATE to a PEM file"))
        })?,
    };
    match &certificates.client {
        None => Ok(trusting.with_no_client_auth()),
        Some((certificate, key)) => {
            let chain = read_certificates(certificate)?;
            let private = PrivateKeyDer::from_pem_file(&key.path).map_err(|e| unusable(key, e, "private key"))?;
            trusting.with_client_auth_cert(chain, private).map_err(|e| TargetError::file(certificate, e))
        }
    }
}

fn read_certificates(file: &NamedFile) -> Result<Vec<CertificateDer<'static>>, TargetError> {
    let certificates = CertificateDer::pem_file_iter(&file.path)
        .and_then(|found| found.collect::<Result<Vec<_>, _>>())
        .map_err(|e| unusable(file, e, "certificate"))?;
    if certificates.is_empty() {
        return Err(unusable(file, pem::Error::NoItemsFound, "certificate"));
    }
    Ok(certificates)
}

fn unusable(file: &NamedFile, error: pem::Error, wanted: &str) -> TargetError {
    match error {
        pem::Error::Io(e) => TargetError::file(file, e),
        pem::Error::NoItemsFound => {
            TargetError::file(file, format!("there is no {wanted} in it; a PEM file is wanted"))
        }
        e => TargetError::file(file, format!("not a PEM file with a {wanted}: {e}")),
    }
}
