//! The first bytes of a connection: encryption, or the refusal to go on without it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use pgwire::api::auth::sasl::scram::ScramServerAuth;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig};

use super::fault::Fault;
use super::framing::{Body, Stream, invalid, read_startup};
use super::roles::check_private;
use crate::config::Config;
use crate::error::{Error, Result};

const SSL_REQUEST: i32 = 80_877_103;
const GSS_REQUEST: i32 = 80_877_104;
const CANCEL_REQUEST: i32 = 80_877_102;
/// First byte of a TLS handshake, which no start-up message begins with: it would be 369 MB long.
const TLS_HANDSHAKE: u8 = 0x16;
const ALPN: &[u8] = b"postgresql";

/// How connections are encrypted.
#[derive(Clone)]
pub(super) struct Encryption {
    acceptor: Option<TlsAcceptor>,
    /// The exchange bound to the certificate, where its signature allows that.
    bound: Option<ScramServerAuth>,
    is_required: bool,
}

impl std::fmt::Debug for Encryption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encryption").field("is_required", &self.is_required).finish_non_exhaustive()
    }
}

impl Encryption {
    /// Reads the certificate and key that `config` names, for a server at `address`.
    ///
    /// # Errors
    /// [`Error::Setting`] without a certificate where encryption is required;
    /// [`Error::Credential`] for a key that others may read, or files that are not what they should.
    pub(super) fn load(config: &Config, address: SocketAddr) -> Result<Self> {
        let is_required = config.tls_required || !address.ip().is_loopback();
        let acceptor = match (&config.tls_certificate, &config.tls_key) {
            (Some(certificate), Some(key)) => {
                Some((acceptor(certificate, key)?, bound(certificate)?))
            }
            _ if is_required => {
                return Err(Error::Setting {
                    key: "tls_certificate".into(),
                    origin: "configuration".into(),
                    reason: "is needed, with tls_key: encryption is required, as it is for every \
                             address that is not loopback"
                        .into(),
                });
            }
            _ => None,
        };
        let (acceptor, bound) = acceptor.unzip();
        Ok(Self { acceptor, bound: bound.flatten(), is_required })
    }

    /// The exchange that proves a password and, where the connection `is_encrypted`, that nobody
    /// stands in between; it says itself whether it can.
    pub(super) fn exchange(&self, is_encrypted: bool) -> ScramServerAuth {
        let bound = self.bound.as_ref().filter(|_| is_encrypted);
        bound.cloned().unwrap_or_default()
    }
}

/// A login exchange bound to the certificate; `None` for signatures of which no hash is agreed.
fn bound(certificate: &Path) -> Result<Option<ScramServerAuth>> {
    let pem = fs::read(certificate).map_err(|e| Error::file("read", certificate, e))?;
    let mut exchange = ScramServerAuth::new();
    match exchange.configure_certificate(&pem) {
        Ok(()) => Ok(Some(exchange)),
        Err(error) => {
            tracing::warn!(%error, "logins cannot be bound to this certificate");
            Ok(None)
        }
    }
}

fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor> {
    let refuse = |path: &Path, reason: String| Error::Credential { path: path.to_owned(), reason };
    let metadata = fs::metadata(key).map_err(|e| Error::file("read", key, e))?;
    check_private(key, &metadata)?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|e| refuse(certificate, format!("is not a PEM certificate chain: {e}")))?;
    let key_der = PrivateKeyDer::from_pem_file(key)
        .map_err(|e| refuse(key, format!("is not a PEM private key: {e}")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_no_client_auth())
        .and_then(|builder| builder.with_single_cert(chain, key_der))
        .map_err(|e| refuse(certificate, format!("does not go with its key: {e}")))?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What a new connection wants.
pub(super) enum Opening {
    /// A session: its start-up message, after the version number, and whether it is encrypted.
    Session(Stream, i32, Bytes, bool),
    /// Another connection's statement stopped: process number and secret.
    Cancel(i32, Bytes),
    /// Nothing more.
    Gone,
    /// Something it does not get.
    Refused(Stream, Fault),
}

/// Reads a connection's first messages, encrypting it if it asks.
pub(super) async fn open(mut socket: TcpStream, encryption: &Encryption) -> Opening {
    let mut first = [0];
    if !matches!(socket.peek(&mut first).await, Ok(1)) {
        return Opening::Gone;
    }
    if first[0] == TLS_HANDSHAKE {
        return direct(socket, encryption).await;
    }
    let mut has_asked_gss = false;
    loop {
        let mut body = match read_startup(&mut socket).await {
            Ok(Some(body)) => Body(body),
            Ok(None) => return Opening::Gone,
            Err(fault) => return Opening::Refused(Box::new(socket), fault),
        };
        match body.i32() {
            Ok(GSS_REQUEST) if body.0.is_empty() && !has_asked_gss => {
                has_asked_gss = true;
                if socket.write_all(b"N").await.is_err() {
                    return Opening::Gone;
                }
            }
            Ok(SSL_REQUEST) if body.0.is_empty() => return encrypted(socket, encryption).await,
            Ok(CANCEL_REQUEST) => return cancel(body),
            Ok(_) if encryption.is_required => {
                let fault = Fault::fatal("28000", "this server takes encrypted connections only")
                    .with_hint("Connect with sslmode=require or stricter.");
                return Opening::Refused(Box::new(socket), fault);
            }
            Ok(version) => return Opening::Session(Box::new(socket), version, body.0, false),
            Err(fault) => return Opening::Refused(Box::new(socket), fault),
        }
    }
}

fn cancel(mut body: Body) -> Opening {
    match body.i32() {
        Ok(process) => Opening::Cancel(process, body.0),
        Err(_) => Opening::Gone,
    }
}

/// Answers SSLRequest and goes on encrypted, or as before where it is not offered.
async fn encrypted(mut socket: TcpStream, encryption: &Encryption) -> Opening {
    let Some(acceptor) = &encryption.acceptor else {
        if socket.write_all(b"N").await.is_err() {
            return Opening::Gone;
        }
        return session(Box::new(socket), false).await;
    };
    // A client waits for the answer; what came before it was put there by somebody else.
    let mut early = [0];
    if matches!(socket.peek(&mut early).now_or_never(), Some(Ok(1))) {
        let fault = invalid("received unencrypted data after SSL request");
        return Opening::Refused(Box::new(socket), fault);
    }
    if socket.write_all(b"S").await.is_err() {
        return Opening::Gone;
    }
    match acceptor.accept(socket).await {
        Ok(stream) => session(Box::new(stream), true).await,
        Err(error) => {
            tracing::debug!(%error, "encryption failed");
            Opening::Gone
        }
    }
}

/// TLS from the first byte on, which Postgres takes only from clients that name its protocol.
async fn direct(socket: TcpStream, encryption: &Encryption) -> Opening {
    let Some(acceptor) = &encryption.acceptor else { return Opening::Gone };
    match acceptor.accept(socket).await {
        Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(ALPN) => {
            session(Box::new(stream), true).await
        }
        Ok(stream) => {
            let fault = invalid("received direct SSL connection request without ALPN");
            Opening::Refused(Box::new(stream), fault)
        }
        Err(error) => {
            tracing::debug!(%error, "encryption failed");
            Opening::Gone
        }
    }
}

/// The start-up message after the question of encryption is settled.
async fn session(mut stream: Stream, is_encrypted: bool) -> Opening {
    let mut body = match read_startup(&mut stream).await {
        Ok(Some(body)) => Body(body),
        Ok(None) => return Opening::Gone,
        Err(fault) => return Opening::Refused(stream, fault),
    };
    match body.i32() {
        Ok(CANCEL_REQUEST) => cancel(body),
        Ok(SSL_REQUEST | GSS_REQUEST) => {
            Opening::Refused(stream, invalid("encryption was asked for twice"))
        }
        Ok(version) => Opening::Session(stream, version, body.0, is_encrypted),
        Err(fault) => Opening::Refused(stream, fault),
    }
}
