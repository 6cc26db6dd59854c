//! A server of TLS, as a test has it show itself and answer.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::asked::Asked;
use crate::papers::Papers;
use crate::peer::Peer;

pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

pub type Secret = StreamOwned<ServerConnection, TcpStream>;

/// How a server shows itself.
pub struct Shown {
    pub certificate: &'static str,
    pub alpn: &'static [&'static [u8]],
    pub versions: &'static [&'static rustls::SupportedProtocolVersion],
    pub asks: bool,
}

pub const SHOWN: Shown = Shown {
    certificate: "server",
    alpn: &[],
    versions: rustls::ALL_VERSIONS,
    asks: false,
};

fn certificates(papers: &Papers, name: &str) -> Vec<CertificateDer<'static>> {
    let all = CertificateDer::pem_file_iter(papers.path(&format!("{name}.pem"))).unwrap();
    all.map(Result::unwrap).collect()
}

pub fn config(papers: &Papers, shown: &Shown) -> Arc<ServerConfig> {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(shown.versions)
        .unwrap();
    let builder = if shown.asks {
        let mut roots = RootCertStore::empty();
        roots.add(certificates(papers, "ca").remove(0)).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::from_pem_file(papers.path(&format!("{}.key", shown.certificate)));
    let chain = certificates(papers, shown.certificate);
    let mut config = builder.with_single_cert(chain, key.unwrap()).unwrap();
    config.alpn_protocols = shown.alpn.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

/// A server of TLS; what is served begins after the handshake. A client that breaks off is left to itself.
pub fn server(
    papers: &Papers,
    shown: &Shown,
    serve: impl Fn(&mut Secret) -> std::io::Result<()> + Send + Sync + 'static,
) -> Peer {
    let config = config(papers, shown);
    Peer::new(move |stream, _| {
        let session = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut secret = StreamOwned::new(session, stream);
        let _ = serve(&mut secret);
        drain(&secret.sock);
    })
}

/// Reads to the end, so that nothing that was sent is lost by a reset.
pub fn drain(mut socket: &TcpStream) {
    let _ = socket.shutdown(Shutdown::Write);
    let _ = socket.set_read_timeout(Some(Duration::from_millis(500)));
    while matches!(socket.read(&mut [0; 4096]), Ok(1..)) {}
}

/// The head of a request, and how many bytes of its body came with it.
pub fn head(from: &mut impl Read) -> std::io::Result<(String, usize)> {
    let mut got = Vec::new();
    let mut some = [0; 4096];
    loop {
        let read = from.read(&mut some)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        got.extend_from_slice(&some[..read]);
        if let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&got[..end]).into_owned();
            return Ok((text, got.len() - end - 4));
        }
    }
}

/// Answers each request in the same way.
pub fn always(answer: &'static [u8]) -> impl Fn(&mut Secret) -> std::io::Result<()> {
    move |secret| {
        loop {
            head(secret)?;
            secret.write_all(answer)?;
        }
    }
}

/// A plan for a server of TLS whose authority is believed.
pub fn asked(papers: &Papers, peer: &Peer) -> Asked {
    Asked::of(&format!("https://{}/", peer.address)).with("tls/ca", papers.text("ca.pem"))
}
