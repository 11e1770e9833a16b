//! A client of the protocol that can also misbehave: bytes out, messages in.

use std::net::SocketAddr;
use std::time::Duration;

use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{PASSWORD, ROLE};

/// One message of the server: its type and its body.
#[derive(Debug, Clone)]
pub struct Message {
    pub kind: u8,
    pub body: Vec<u8>,
}

impl Message {
    /// Severity and SQLSTATE of an error.
    pub fn fault(&self) -> (String, String) {
        let field = |wanted: u8| {
            let mut fields = self.body.split(|byte| *byte == 0);
            let found = fields.find(|field| field.first() == Some(&wanted));
            String::from_utf8_lossy(found.map_or(&[][..], |field| &field[1..])).into_owned()
        };
        (field(b'V'), field(b'C'))
    }
}

/// A connection without manners.
pub struct Raw<S = TcpStream>(pub S);

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.expect("connects"))
    }

    /// A connection that has logged in.
    pub async fn logged_in(address: SocketAddr) -> Self {
        let mut raw = Self::connect(address).await;
        raw.send(&startup(ROLE, "runrate")).await;
        raw.scram(PASSWORD).await;
        let messages = raw.until(b'Z').await;
        assert_eq!(messages.last().map(|m| m.kind), Some(b'Z'), "ready");
        raw
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// Sends what the server may have stopped listening to.
    pub async fn send(&mut self, bytes: &[u8]) {
        drop(self.0.write_all(bytes).await);
        drop(self.0.flush().await);
    }

    /// The next message; `None` when the server closed.
    pub async fn next(&mut self) -> Option<Message> {
        let read = async {
            let kind = self.0.read_u8().await.ok()?;
            let length = self.0.read_i32().await.ok()?;
            let mut body = vec![0; usize::try_from(length).expect("a length") - 4];
            self.0.read_exact(&mut body).await.ok()?;
            Some(Message { kind, body })
        };
        tokio::time::timeout(Duration::from_secs(30), read).await.expect("an answer in time")
    }

    /// Messages up to one of `kind`, or to the end.
    pub async fn until(&mut self, kind: u8) -> Vec<Message> {
        let mut messages = vec![];
        while let Some(message) = self.next().await {
            let is_last = message.kind == kind;
            messages.push(message);
            if is_last {
                break;
            }
        }
        messages
    }

    /// Everything up to the end.
    pub async fn rest(&mut self) -> Vec<Message> {
        self.until(0).await
    }

    /// Runs SCRAM with `password` up to the server's verdict.
    pub async fn scram(&mut self, password: &str) {
        self.scram_as(password, SCRAM_SHA_256, ChannelBinding::unsupported()).await;
    }

    /// Runs `mechanism` with `password` and `binding` up to the server's verdict.
    pub async fn scram_as(&mut self, password: &str, mechanism: &str, binding: ChannelBinding) {
        let offer = self.next().await.expect("an offer");
        assert_eq!(offer.kind, b'R');
        assert!(offer.body[4..].starts_with(SCRAM_SHA_256.as_bytes()), "SCRAM only");
        let offered = String::from_utf8_lossy(&offer.body[4..]).into_owned();
        assert!(offered.split('\0').any(|known| known == mechanism), "{offered:?}");
        let mut scram = ScramSha256::new(password.as_bytes(), binding);
        let mut first = mechanism.as_bytes().to_vec();
        first.push(0);
        first.extend_from_slice(&(scram.message().len() as i32).to_be_bytes());
        first.extend_from_slice(scram.message());
        self.send(&message(b'p', &first)).await;
        let challenge = self.next().await.expect("a challenge");
        assert_eq!((challenge.kind, challenge.body[3]), (b'R', 11));
        scram.update(&challenge.body[4..]).expect("a challenge");
        self.send(&message(b'p', scram.message())).await;
    }
}

/// A message of `kind`.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&(body.len() as i32 + 4).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// A simple query.
pub fn query(sql: &str) -> Vec<u8> {
    message(b'Q', format!("{sql}\0").as_bytes())
}

/// A start-up message of protocol 3.0.
pub fn startup(user: &str, database: &str) -> Vec<u8> {
    let mut body = 196_608_i32.to_be_bytes().to_vec();
    body.extend_from_slice(format!("user\0{user}\0database\0{database}\0\0").as_bytes());
    untyped(&body)
}

/// A message without a type, as those before login are.
pub fn untyped(body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as i32 + 4).to_be_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes
}

/// SSLRequest.
pub fn ssl_request() -> Vec<u8> {
    untyped(&80_877_103_i32.to_be_bytes())
}

/// Severity, SQLSTATE and position of the errors among `messages`.
pub fn faults(messages: &[Message]) -> Vec<(String, String)> {
    messages.iter().filter(|m| m.kind == b'E').map(Message::fault).collect()
}

/// Whether any of `messages` is an answer to a statement.
pub fn has_answer(messages: &[Message]) -> bool {
    messages.iter().any(|message| b"TDCZI".contains(&message.kind))
}
