//! The owner's side of TLS: whom to believe, and what to show.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use super::belief::{Anyone, Vouched};
use crate::plan::{Http, Tls};
use crate::{Error, Result};

/// What all connections of a run share.
///
/// # Errors
/// A file that cannot be read or holds nothing of what it should; no authority to believe.
pub fn config(tls: &Tls, http: Http) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::run(format!("TLS cannot be used: {error}")))?;
    let builder = builder.dangerous();
    let builder = if tls.verify {
        let named = match &tls.ca {
            Some(path) => certificates("tls.ca", path)?,
            None => Vec::new(),
        };
        let roots = Arc::new(roots(tls.ca.as_deref(), &named)?);
        let web = WebPkiServerVerifier::builder_with_provider(roots, provider)
            .build()
            .map_err(|error| Error::input(format!("tls.ca: {error}")))?;
        builder.with_custom_certificate_verifier(Arc::new(Vouched { web, named }))
    } else {
        builder.with_custom_certificate_verifier(Arc::new(Anyone(provider)))
    };
    let mut config = match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates("tls.certificate", certificate)?;
            let secret = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| unread("tls.key", key, &error))?;
            builder
                .with_client_auth_cert(chain, secret)
                .map_err(|error| mismatched(certificate, key, &error))?
        }
        _ => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![match http {
        Http::One => b"http/1.1".to_vec(),
        Http::Two => b"h2".to_vec(),
    }];
    Ok(Arc::new(config))
}

/// The name that a server has to prove; addresses are names too.
///
/// # Errors
/// It can be no server's name.
pub fn server_name(host: &str) -> Result<ServerName<'static>> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare.to_owned()).map_err(|_| {
        Error::input(format!(
            "{host} can be no server's name in TLS: write a host name or an address"
        ))
    })
}

/// The authorities of the owner's file, or of the system where there is none.
fn roots(ca: Option<&str>, named: &[CertificateDer<'static>]) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca {
        for certificate in named {
            roots
                .add(certificate.clone())
                .map_err(|error| Error::input(format!("tls.ca: {path}: {error}")))?;
        }
        return Ok(roots);
    }
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(Error::input(
            "this system has no certificate authorities (ca-certificates): install them, name a file of them, or \
             switch verification off",
        ));
    }
    Ok(roots)
}

fn certificates(field: &str, path: &str) -> Result<Vec<CertificateDer<'static>>> {
    let all: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unread(field, path, &error))?;
    if all.is_empty() {
        return Err(Error::input(format!(
            "{field}: {path} holds no certificate: give a PEM file"
        )));
    }
    Ok(all)
}

fn unread(field: &str, path: &str, error: &pem::Error) -> Error {
    Error::input(match error {
        pem::Error::Io(error) => format!("{field}: {path} cannot be read: {error}"),
        pem::Error::NoItemsFound => {
            format!("{field}: {path} holds no private key: give a PEM file")
        }
        error => format!("{field}: {path} cannot be read as PEM: {error}"),
    })
}

fn mismatched(certificate: &str, key: &str, error: &rustls::Error) -> Error {
    Error::input(match error {
        rustls::Error::InconsistentKeys(_) => {
            format!(
                "tls.key: {key} is not the key of {certificate}: give the one that belongs to it"
            )
        }
        error => format!("tls.key: {key} cannot be used: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_names() {
        for host in ["shop.test", "127.0.0.1", "[::1]", "xn--bcher-kva.test"] {
            assert!(server_name(host).is_ok(), "{host}");
        }
        for host in ["", "a b", "-", "a..b"] {
            let why = server_name(host).unwrap_err().to_string();
            assert!(why.contains("can be no server's name"), "{why}");
        }
    }

    #[test]
    fn what_is_spoken_is_offered_alone() {
        let plan = Tls {
            verify: false,
            ca: None,
            certificate: None,
            key: None,
        };
        let offered = |http| config(&plan, http).unwrap().alpn_protocols.clone();
        assert_eq!(offered(Http::One), [b"http/1.1".to_vec()]);
        assert_eq!(offered(Http::Two), [b"h2".to_vec()]);
    }
}
