//! Messages from the client: one at a time, measured before they are kept, decoded in isolation.
//!
//! A length is checked before its bytes are waited for, and bytes are kept as they come, so that an
//! announced length alone costs nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::{Buf, Bytes, BytesMut};
use pgwire::messages::{DecodeContext, PgWireFrontendMessage, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadHalf};

use super::fault::Fault;

/// Longest start-up message, as in Postgres.
pub(super) const STARTUP_BYTES_MAX: usize = 10_000;
/// Longest message before login.
pub(super) const LOGIN_BYTES_MAX: usize = 16 << 10;
/// Read at once, and read ahead at most while a statement runs.
const READ_BYTES: usize = 64 << 10;

/// A connection, encrypted or not.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection of either kind.
pub(super) type Stream = Box<dyn Duplex>;

/// One message: its type and its body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) body: Bytes,
}

/// The reading half of a connection.
pub(super) struct Frames {
    reader: ReadHalf<Stream>,
    buffer: BytesMut,
    bytes_max: usize,
    is_closed: bool,
}

impl std::fmt::Debug for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frames").field("buffered", &self.buffer.len()).finish_non_exhaustive()
    }
}

impl Frames {
    /// Messages up to [`LOGIN_BYTES_MAX`], until [`Frames::raise_limit`].
    pub(super) fn new(reader: ReadHalf<Stream>) -> Self {
        Self { reader, buffer: BytesMut::new(), bytes_max: LOGIN_BYTES_MAX, is_closed: false }
    }

    /// Takes messages of up to `bytes_max` from now on.
    pub(super) fn raise_limit(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    /// The next message, or `None` when the client is gone.
    ///
    /// Dropping the future loses nothing: what was read stays in the buffer.
    ///
    /// # Errors
    /// FATAL 08P01 for a length that cannot be.
    pub(super) async fn next(&mut self) -> Result<Option<Frame>, Fault> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(Some(frame));
            }
            if self.is_closed || !self.fill(usize::MAX).await {
                return Ok(None);
            }
        }
    }

    /// Whether the next message is here already, so that an answer may wait for it.
    pub(super) fn has_next(&self) -> bool {
        self.buffer.len() >= 5 && self.length().is_some_and(|length| self.buffer.len() > length)
    }

    /// Returns when the client is gone; until then reads ahead, within limits.
    pub(super) async fn closed(&mut self) {
        while !self.is_closed {
            if self.buffer.len() >= READ_BYTES {
                // A client that sends on without reading is not gone; its system holds the rest.
                return std::future::pending().await;
            }
            self.fill(READ_BYTES).await;
        }
    }

    /// Reads once; false at the end.
    async fn fill(&mut self, bytes_max: usize) -> bool {
        let room = READ_BYTES.min(self.bytes_max).min(bytes_max.saturating_sub(self.buffer.len()));
        self.buffer.reserve(room.min(8 << 10));
        let count = self.reader.read_buf(&mut self.buffer).await.unwrap_or(0);
        self.is_closed = count == 0;
        count > 0
    }

    /// Length of the next message without its type byte.
    fn length(&self) -> Option<usize> {
        let mut bytes = self.buffer.get(1..5)?;
        usize::try_from(bytes.get_i32()).ok()
    }

    fn take(&mut self) -> Result<Option<Frame>, Fault> {
        if self.buffer.len() < 5 {
            return Ok(None);
        }
        let length = match self.length() {
            Some(length) if length >= 4 && length <= self.bytes_max => length,
            _ => return Err(invalid("invalid message length")),
        };
        if self.buffer.len() < 1 + length {
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(1 + length);
        let kind = frame.get_u8();
        frame.advance(4);
        Ok(Some(Frame { kind, body: frame.freeze() }))
    }
}

/// A FATAL protocol violation.
pub(super) fn invalid(message: &str) -> Fault {
    Fault::fatal("08P01", message)
}

/// Reads a start-up message: a length and a body, no type.
///
/// Exactly its bytes are read, so that nothing sent behind it is ever taken for part of what
/// follows: data that came before encryption cannot reach the encrypted session.
///
/// # Errors
/// FATAL 08P01 for a length that cannot be; the inner `None` is a client that is gone.
pub(super) async fn read_startup(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<Bytes>, Fault> {
    let Ok(length) = stream.read_i32().await else { return Ok(None) };
    let length = match usize::try_from(length) {
        Ok(length) if (8..=STARTUP_BYTES_MAX).contains(&length) => length,
        _ => return Err(invalid("invalid length of startup packet")),
    };
    let mut body = vec![0; length - 4];
    Ok(stream.read_exact(&mut body).await.ok().map(|_| body.into()))
}

/// Takes values from a body, and nothing beyond its end.
#[derive(Debug)]
pub(super) struct Body(pub(super) Bytes);

impl Body {
    pub(super) fn i32(&mut self) -> Result<i32, Fault> {
        if self.0.len() < 4 {
            return Err(invalid("insufficient data left in message"));
        }
        Ok(self.0.get_i32())
    }

    /// Text up to a zero byte.
    pub(super) fn text(&mut self) -> Result<String, Fault> {
        String::from_utf8(self.piece()?.to_vec())
            .map_err(|_| Fault::fatal("22021", "invalid byte sequence for encoding \"UTF8\""))
    }

    /// Passes over text up to a zero byte.
    fn checked_text(&mut self) -> Result<(), Fault> {
        match std::str::from_utf8(&self.piece()?) {
            Ok(_) => Ok(()),
            Err(_) => Err(Fault::error("22021", "invalid byte sequence for encoding \"UTF8\"")),
        }
    }

    /// Bytes up to a zero byte, which is passed over.
    fn piece(&mut self) -> Result<Bytes, Fault> {
        let Some(end) = self.0.iter().position(|byte| *byte == 0) else {
            return Err(invalid("invalid string in message"));
        };
        let piece = self.0.split_to(end);
        self.0.advance(1);
        Ok(piece)
    }

    fn count(&mut self) -> Result<u16, Fault> {
        Ok(self.bytes(2)?.get_u16())
    }

    /// Passes over a count and so many values of `width` bytes.
    fn skip_each(&mut self, width: usize) -> Result<(), Fault> {
        let count = usize::from(self.count()?);
        self.bytes(count * width).map(drop)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<Bytes, Fault> {
        if self.0.len() < count {
            return Err(invalid("insufficient data left in message"));
        }
        Ok(self.0.split_to(count))
    }
}

/// Decodes one whole message.
///
/// The decoder slices by counts that the client sent and panics on false ones, so they are checked
/// first; should one remain, its panic is an error of that message.
///
/// # Errors
/// FATAL 08P01 for a message that is not one; 22021 for text that is not UTF-8.
pub(super) fn decode(frame: &Frame) -> Result<PgWireFrontendMessage, Fault> {
    check(frame)?;
    let mut bytes = BytesMut::with_capacity(frame.body.len() + 5);
    bytes.extend_from_slice(&[frame.kind]);
    bytes.extend_from_slice(&(frame.body.len() as i32 + 4).to_be_bytes());
    bytes.extend_from_slice(&frame.body);
    let mut context = DecodeContext::new(ProtocolVersion::PROTOCOL3_0);
    context.awaiting_frontend_ssl = false;
    context.awaiting_frontend_startup = false;
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        let message = PgWireFrontendMessage::decode(&mut bytes, &context);
        (message, bytes.is_empty())
    }));
    match decoded {
        Ok((Ok(Some(message)), true)) => Ok(message),
        Ok((Err(pgwire::error::PgWireError::InvalidMessageType(kind)), _)) => {
            Err(invalid(&format!("invalid frontend message type {kind}")))
        }
        _ => Err(invalid("invalid message format")),
    }
}

/// Refuses a body that is not made as its type says, which would panic the decoder, and text that is
/// not UTF-8, which it would replace in silence.
fn check(frame: &Frame) -> Result<(), Fault> {
    let mut body = Body(frame.body.clone());
    match frame.kind {
        b'Q' => body.checked_text()?,
        b'P' => {
            body.checked_text()?;
            body.checked_text()?;
            body.skip_each(4)?;
        }
        b'B' => {
            body.checked_text()?;
            body.checked_text()?;
            body.skip_each(2)?;
            for _ in 0..body.count()? {
                match body.i32()? {
                    -1 => {}
                    length => drop(body.bytes(usize::try_from(length).unwrap_or(usize::MAX))?),
                }
            }
            body.skip_each(2)?;
        }
        b'C' | b'D' => {
            body.bytes(1)?;
            body.checked_text()?;
        }
        b'E' => {
            body.checked_text()?;
            body.i32()?;
        }
        _ => return Ok(()),
    }
    if body.0.is_empty() { Ok(()) } else { Err(invalid("invalid message format")) }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn frames(bytes: &[u8]) -> Frames {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let bytes = bytes.to_vec();
        tokio::spawn(async move { theirs.write_all(&bytes).await });
        let stream: Stream = Box::new(ours);
        Frames::new(tokio::io::split(stream).0)
    }

    #[tokio::test]
    async fn messages_come_whole_and_in_order() {
        let mut frames = frames(b"Q\0\0\0\x0cselect\0\0S\0\0\0\x04");
        let first = frames.next().await.expect("sound").expect("a message");
        assert_eq!((first.kind, &first.body[..]), (b'Q', &b"select\0\0"[..]));
        assert!(frames.has_next());
        assert_eq!(frames.next().await.expect("sound").expect("a message").kind, b'S');
        assert_eq!(frames.next().await.expect("sound"), None);
    }

    #[tokio::test]
    async fn lengths_that_cannot_be_are_refused_before_their_bytes_are_kept() {
        for length in [-1_i32, 0, 3, (LOGIN_BYTES_MAX + 1) as i32, i32::MAX] {
            let mut bytes = vec![b'p'];
            bytes.extend_from_slice(&length.to_be_bytes());
            let fault = frames(&bytes).next().await.expect_err("refused");
            assert_eq!((fault.severity.as_str(), fault.sqlstate.as_str()), ("FATAL", "08P01"));
        }
        for length in [0_i32, 7, (STARTUP_BYTES_MAX + 1) as i32] {
            let bytes = length.to_be_bytes();
            assert!(read_startup(&mut &bytes[..]).await.is_err());
        }
    }

    #[test]
    fn malformed_bodies_are_errors_and_not_panics() {
        let body = |bytes: &'static [u8]| Bytes::from_static(bytes);
        for (kind, bytes) in [
            (b'Q', &b"no end"[..]),
            (b'P', b"\0\0"),
            (b'P', b"\0select\0\0\x05"),
            (b'P', b"\0\0\0QQ"),
            (b'P', b"\0\0\xff\xff"),
            (b'C', b"S"),
            (b'B', b"\0\0\0\x01"),
            (b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff"),
            (b'E', b"\0"),
            (b'D', b""),
            (b'Y', b""),
            (b'S', b"more"),
        ] {
            let fault = decode(&Frame { kind, body: body(bytes) }).expect_err("malformed");
            assert_eq!(fault.sqlstate, "08P01", "{} {bytes:?}", char::from(kind));
        }
        let fault = decode(&Frame { kind: b'Q', body: body(b"select '\xe9'\0") });
        assert_eq!(fault.expect_err("not UTF-8").sqlstate, "22021");
    }
}
