//! An object store that goes wrong at one call that is named beforehand.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};
use parking_lot::Mutex;

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// `put` and `put_opts`.
    Put,
    /// `get`, `get_range`, `head`.
    Get,
    /// `get_ranges`.
    GetRanges,
    /// `list`.
    List,
    /// `list_with_delimiter`.
    ListFolder,
    /// `delete`, an object each.
    Delete,
    /// The beginning of a multipart upload.
    Upload,
    /// One part of it.
    Part,
    /// Its end.
    Complete,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, and that is said.
    Fails,
    /// Nothing is done, and nothing is said.
    Stalls,
    /// Half of the answer is missing.
    Short,
    /// It is done, and an error is said.
    DoneAndFails,
    /// It is done, and nothing is said.
    DoneAndStalls,
    /// It is done, and a second attempt finds it there (409).
    DoneAndThere,
    /// It is done, and a second attempt finds it changed (412).
    DoneAndChanged,
}

impl Call {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Put,
        Self::Get,
        Self::GetRanges,
        Self::List,
        Self::ListFolder,
        Self::Delete,
        Self::Upload,
        Self::Part,
        Self::Complete,
    ];

    /// What may go wrong with it.
    pub fn faults(self) -> &'static [Fault] {
        use Fault as F;
        match self {
            Self::Put => &[
                F::Fails,
                F::Stalls,
                F::DoneAndFails,
                F::DoneAndStalls,
                F::DoneAndThere,
                F::DoneAndChanged,
            ],
            Self::Get | Self::GetRanges => &[F::Fails, F::Stalls, F::Short],
            Self::Delete | Self::Complete => &[F::Fails, F::Stalls, F::DoneAndFails],
            _ => &[F::Fails, F::Stalls],
        }
    }
}

/// The store.
#[derive(Debug, Clone)]
pub struct Faulty {
    inner: Arc<dyn ObjectStore>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    plan: Option<(Call, u64, Fault)>,
    counts: Mutex<BTreeMap<Call, u64>>,
    is_met: AtomicBool,
}

impl State {
    /// Counts one call; what is to go wrong with it.
    fn next(&self, call: Call) -> Option<Fault> {
        let mut counts = self.counts.lock();
        let count = counts.entry(call).or_default();
        *count += 1;
        let (_, _, fault) = self.plan.filter(|plan| (plan.0, plan.1) == (call, *count))?;
        self.is_met.store(true, Ordering::SeqCst);
        Some(fault)
    }

    /// Does `work`, unless and until something goes wrong.
    async fn meet<T>(&self, call: Call, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(fault) = self.next(call) else { return work.await };
        match fault {
            Fault::Fails | Fault::Short => return Err(error(fault)),
            Fault::Stalls => return std::future::pending().await,
            _ => drop(work.await?),
        }
        match fault {
            Fault::DoneAndStalls => std::future::pending().await,
            _ => Err(error(fault)),
        }
    }
}

fn error(fault: Fault) -> Error {
    let (path, source) = ("injected".to_owned(), format!("injected: {fault:?}").into());
    match fault {
        Fault::DoneAndThere => Error::AlreadyExists { path, source },
        Fault::DoneAndChanged => Error::Precondition { path, source },
        _ => Error::Generic { store: "faulty", source },
    }
}

impl Faulty {
    /// `inner`, which goes wrong at the n-th call (from 1) of a kind, if a plan says so.
    pub fn new(inner: Arc<dyn ObjectStore>, plan: Option<(Call, u64, Fault)>) -> Self {
        let (counts, is_met) = (Mutex::default(), AtomicBool::new(false));
        Self { inner, state: Arc::new(State { plan, counts, is_met }) }
    }

    /// Calls of a kind so far.
    pub fn count(&self, call: Call) -> u64 {
        self.state.counts.lock().get(&call).copied().unwrap_or_default()
    }

    /// Whether the call of the plan was made.
    pub fn is_met(&self) -> bool {
        self.state.is_met.load(Ordering::SeqCst)
    }

    fn listing(
        &self,
        listing: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.state.next(Call::List) {
            None => listing,
            Some(Fault::Stalls) => futures::stream::pending().boxed(),
            // After the first of them, which is worse than before it.
            Some(fault) => {
                listing.take(1).chain(futures::stream::iter([Err(error(fault))])).boxed()
            }
        }
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

/// `payload` without its second half.
fn cut(payload: GetResultPayload, bytes: u64) -> GetResultPayload {
    let GetResultPayload::Stream(pieces) = payload else { return payload };
    let half = async move {
        let all: Vec<Bytes> = pieces.try_collect().await?;
        let all: Vec<u8> = all.iter().flat_map(|piece| piece.to_vec()).collect();
        Ok::<Bytes, Error>(Bytes::from(all).slice(..(bytes / 2) as usize))
    };
    GetResultPayload::Stream(half.into_stream().boxed())
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, at: &Path, bytes: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.state.meet(Call::Put, self.inner.put_opts(at, bytes, how)).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.inner.put_multipart_opts(at, how);
        let upload = self.state.meet(Call::Upload, upload).await?;
        Ok(Box::new(FaultyUpload { upload, state: self.state.clone() }))
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        match self.state.next(Call::Get) {
            None => self.inner.get_opts(at, how).await,
            Some(Fault::Short) => {
                let got = self.inner.get_opts(at, how).await?;
                let bytes = got.range.end - got.range.start;
                Ok(GetResult { payload: cut(got.payload, bytes), ..got })
            }
            Some(Fault::Stalls) => {
                // The head comes, the body does not.
                let got = self.inner.get_opts(at, how).await?;
                let never = GetResultPayload::Stream(futures::stream::pending().boxed());
                Ok(GetResult { payload: never, ..got })
            }
            Some(fault) => Err(error(fault)),
        }
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        match self.state.next(Call::GetRanges) {
            None => self.inner.get_ranges(at, ranges).await,
            Some(Fault::Short) => {
                let got = self.inner.get_ranges(at, ranges).await?;
                Ok(got.into_iter().map(|bytes| bytes.slice(..bytes.len() / 2)).collect())
            }
            Some(Fault::Stalls) => std::future::pending().await,
            Some(fault) => Err(error(fault)),
        }
    }

    fn delete_stream(
        &self,
        places: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (inner, state) = (self.inner.clone(), self.state.clone());
        let delete = move |place: Result<Path>| {
            let (inner, state) = (inner.clone(), state.clone());
            async move {
                let one = futures::stream::iter([place]).boxed();
                let mut gone = inner.delete_stream(one);
                let work =
                    async move { gone.next().await.unwrap_or_else(|| Err(error(Fault::Fails))) };
                state.meet(Call::Delete, work).await
            }
        };
        places.then(delete).boxed()
    }

    fn list(&self, below: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(self.inner.list(below))
    }

    fn list_with_offset(
        &self,
        below: Option<&Path>,
        after: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(self.inner.list_with_offset(below, after))
    }

    async fn list_with_delimiter(&self, below: Option<&Path>) -> Result<ListResult> {
        self.state.meet(Call::ListFolder, self.inner.list_with_delimiter(below)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.state.meet(Call::Put, self.inner.copy_opts(from, to, how)).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    upload: Box<dyn MultipartUpload>,
    state: Arc<State>,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (part, state) = (self.upload.put_part(data), self.state.clone());
        Box::pin(async move { state.meet(Call::Part, part).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let state = self.state.clone();
        state.meet(Call::Complete, self.upload.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}
