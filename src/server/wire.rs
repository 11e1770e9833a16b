//! Both halves of a connection: messages in, and bytes out with a limit on how long a client may stall.

use std::time::Duration;

use tokio::io::{AsyncWriteExt, WriteHalf};

use super::cancel::Stops;
use super::fault::Fault;
use super::framing::{Frame, Frames, Stream};
use super::outbox::Outbox;
use super::turns::Turn;

/// Bytes that are collected before they are written while rows stream; larger pieces gain nothing.
pub(super) const FLUSH_BYTES: usize = 256 << 10;
/// A write that takes longer lets other queries have the turn of this one.
const PATIENCE: Duration = Duration::from_millis(100);

/// A connection after login.
pub(super) struct Wire {
    pub(super) frames: Frames,
    pub(super) outbox: Outbox,
    writer: WriteHalf<Stream>,
    stall_limit: Duration,
}

impl Wire {
    pub(super) fn new(frames: Frames, writer: WriteHalf<Stream>, stall_limit: Duration) -> Self {
        Self { frames, outbox: Outbox::default(), writer, stall_limit }
    }

    /// The next message; what is to be sent goes out first, unless more is here already.
    pub(super) async fn next(&mut self) -> Result<Option<Frame>, Fault> {
        if !self.frames.has_next() || self.outbox.bytes.len() >= FLUSH_BYTES {
            self.flush().await?;
        }
        self.frames.next().await
    }

    /// Sends everything.
    ///
    /// # Errors
    /// FATAL 08006 if the client is gone or reads nothing for too long.
    pub(super) async fn flush(&mut self) -> Result<(), Fault> {
        while !self.outbox.bytes.is_empty() {
            let write = self.writer.write(&self.outbox.bytes);
            match tokio::time::timeout(self.stall_limit, write).await {
                Ok(Ok(count)) if count > 0 => drop(self.outbox.bytes.drain(..count)),
                _ => return Err(lost()),
            }
        }
        if self.writer.flush().await.is_err() {
            return Err(lost());
        }
        Ok(())
    }

    /// Sends what rows there are, until the statement is stopped.
    ///
    /// While a slow client is waited for, the statement gives its turn to another.
    /// What was not sent when it stops stays in the outbox: messages are never cut.
    pub(super) async fn flush_rows(&mut self, stops: &Stops, turn: &mut Turn) -> Result<(), Fault> {
        let mut sent = 0;
        let outcome = loop {
            if sent == self.outbox.bytes.len() {
                break Ok(());
            }
            let write = self.writer.write(&self.outbox.bytes[sent..]);
            let patiently = async {
                let mut write = std::pin::pin!(write);
                match tokio::time::timeout(PATIENCE, &mut write).await {
                    Ok(outcome) => outcome,
                    Err(_) => {
                        turn.give_up();
                        write.await
                    }
                }
            };
            tokio::select! {
                biased;
                outcome = tokio::time::timeout(self.stall_limit, patiently) => match outcome {
                    Ok(Ok(count)) if count > 0 => sent += count,
                    _ => break Err(lost()),
                },
                fault = stops.stopped(&mut self.frames) => break Err(fault),
            }
        };
        self.outbox.bytes.drain(..sent);
        outcome?;
        turn.take_again(stops, &mut self.frames).await
    }
}

fn lost() -> Fault {
    Fault::fatal("08006", "connection to client lost")
}
