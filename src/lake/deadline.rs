//! A store that answers in time or fails: no call waits for ever, no answer is shorter than it says.
//!
//! The clients of object stores try again by themselves and have limits of their own for each
//! attempt; this is the end of all attempts, whatever the store.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result, UploadPart,
};

#[derive(Debug)]
pub(super) struct Deadline {
    inner: Arc<dyn ObjectStore>,
    limit: Duration,
}

impl Deadline {
    /// `inner`, with `limit` for each call and each piece of an answer.
    pub(super) fn new(inner: Arc<dyn ObjectStore>, limit: Duration) -> Self {
        Self { inner, limit }
    }
}

fn failed(reason: String) -> Error {
    Error::Generic { store: "lake", source: reason.into() }
}

fn late(limit: Duration) -> Error {
    let limit_ms = limit.as_millis();
    failed(format!("no answer within {limit_ms} ms; is the store reachable? see store_timeout_ms"))
}

async fn in_time<T>(limit: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(late(limit)))
}

/// `pieces`, each of which comes in time; one that does not is the last.
fn each_in_time<T: Send + 'static>(
    limit: Duration,
    pieces: BoxStream<'static, Result<T>>,
) -> BoxStream<'static, Result<T>> {
    let next = move |pieces: Option<BoxStream<'static, Result<T>>>| async move {
        let mut pieces = pieces?;
        match tokio::time::timeout(limit, pieces.next()).await {
            Ok(piece) => Some((piece?, Some(pieces))),
            Err(_) => Some((Err(late(limit)), None)),
        }
    };
    futures::stream::unfold(Some(pieces), next).fuse().boxed()
}

/// `pieces`, which have to be `wanted` bytes together.
fn whole(
    location: Path,
    wanted: u64,
    pieces: BoxStream<'static, Result<Bytes>>,
) -> BoxStream<'static, Result<Bytes>> {
    let next = move |(pieces, seen): (Option<BoxStream<'static, Result<Bytes>>>, u64)| {
        let location = location.clone();
        async move {
            let mut pieces = pieces?;
            match pieces.next().await {
                Some(Ok(piece)) => {
                    let seen = seen + piece.len() as u64;
                    Some((Ok(piece), (Some(pieces), seen)))
                }
                Some(Err(error)) => Some((Err(error), (None, seen))),
                None if seen == wanted => None,
                None => Some((Err(short(&location, wanted, seen)), (None, seen))),
            }
        }
    };
    futures::stream::unfold((Some(pieces), 0), next).fuse().boxed()
}

fn short(location: &Path, wanted: u64, seen: u64) -> Error {
    failed(format!("{location}: the answer ended after {seen} of {wanted} bytes"))
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} within {} ms", self.inner, self.limit.as_millis())
    }
}

#[async_trait]
impl ObjectStore for Deadline {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        in_time(self.limit, self.inner.put_opts(location, payload, opts)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let limit = self.limit;
        let upload = in_time(limit, self.inner.put_multipart_opts(location, opts)).await?;
        Ok(Box::new(DeadlineUpload { upload, limit }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let is_head = options.head;
        let got = in_time(self.limit, self.inner.get_opts(location, options)).await?;
        let payload = match got.payload {
            GetResultPayload::Stream(pieces) if !is_head => {
                let pieces = each_in_time(self.limit, pieces);
                let wanted = got.range.end - got.range.start;
                GetResultPayload::Stream(whole(location.clone(), wanted, pieces))
            }
            other => other,
        };
        Ok(GetResult { payload, ..got })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let got = in_time(self.limit, self.inner.get_ranges(location, ranges)).await?;
        for (range, bytes) in ranges.iter().zip(&got) {
            let (wanted, seen) = (range.end - range.start, bytes.len() as u64);
            if wanted != seen {
                return Err(short(location, wanted, seen));
            }
        }
        Ok(got)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        each_in_time(self.limit, self.inner.delete_stream(locations))
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        each_in_time(self.limit, self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        each_in_time(self.limit, self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        in_time(self.limit, self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        in_time(self.limit, self.inner.copy_opts(from, to, options)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        in_time(self.limit, self.inner.rename_opts(from, to, options)).await
    }
}

#[derive(Debug)]
struct DeadlineUpload {
    upload: Box<dyn MultipartUpload>,
    limit: Duration,
}

#[async_trait]
impl MultipartUpload for DeadlineUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        Box::pin(in_time(self.limit, self.upload.put_part(data)))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        in_time(self.limit, self.upload.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        in_time(self.limit, self.upload.abort()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_that_is_over_may_be_asked_again() {
        let pieces = || futures::stream::iter([Ok(Bytes::from_static(b"abc"))]).boxed();
        let timed = each_in_time(Duration::from_secs(1), pieces());
        let mut whole = whole(Path::from("a"), 3, timed);
        assert!(whole.next().await.is_some());
        assert!(whole.next().await.is_none());
        assert!(whole.next().await.is_none(), "the engine of Delta does");
    }

    #[tokio::test]
    async fn an_answer_that_stalls_or_is_short_is_an_error() {
        let limit = Duration::from_millis(50);
        let mut never = each_in_time::<Bytes>(limit, futures::stream::pending().boxed());
        let error = never.next().await.expect("an answer").expect_err("late");
        assert!(error.to_string().contains("no answer within 50 ms"), "{error}");
        assert!(never.next().await.is_none());
        let pieces = futures::stream::iter([Ok(Bytes::from_static(b"abc"))]).boxed();
        let mut short = whole(Path::from("a"), 4, pieces);
        assert!(short.next().await.expect("three bytes").is_ok());
        let error = short.next().await.expect("an answer").expect_err("short");
        assert!(error.to_string().contains("after 3 of 4 bytes"), "{error}");
    }
}
