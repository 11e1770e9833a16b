//! Files from one store to another, with their checksums.

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::store::Root;
use crate::error::{Error, Result};

/// Bytes that are written at once.
const PART_BYTES: usize = 8 << 20;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    /// Bytes of it.
    pub size: u64,
    /// SHA-256 of them, hexadecimal.
    pub sha256: String,
}

/// Copies the file at `below` of `from` to the same place of `to`.
///
/// The copy is there whole or not at all.
///
/// # Errors
/// [`Error::Store`] if it cannot be read or written.
pub(super) async fn copy(from: &Root, to: &Root, below: &str) -> Result<Content> {
    let (source, target) = (from.exact(below)?, to.exact(below)?);
    let mut pieces = read(from, &source).await?;
    let (mut buffer, mut hash, mut size) = (Vec::new(), Sha256::new(), 0_u64);
    let mut upload: Option<Box<dyn MultipartUpload>> = None;
    while let Some(piece) = pieces.try_next().await? {
        hash.update(&piece);
        size += piece.len() as u64;
        buffer.extend_from_slice(&piece);
        if buffer.len() >= PART_BYTES {
            let parts = match &mut upload {
                Some(parts) => parts,
                None => upload.insert(begin(to, &target).await?),
            };
            put_part(&mut **parts, std::mem::take(&mut buffer), &target).await?;
        }
    }
    match upload {
        None => to.write_small(&target, buffer).await?,
        Some(mut parts) => {
            if !buffer.is_empty() {
                put_part(&mut *parts, buffer, &target).await?;
            }
            parts.complete().await.map_err(|e| failed("write", &target, e))?;
        }
    }
    Ok(Content { size, sha256: hexadecimal(hash.finalize().as_slice()) })
}

/// What the file at `below` holds, read whole.
///
/// # Errors
/// [`Error::Store`] if it cannot be read.
pub(super) async fn content(root: &Root, below: &str) -> Result<Content> {
    let mut pieces = read(root, &root.exact(below)?).await?;
    let (mut hash, mut size) = (Sha256::new(), 0_u64);
    while let Some(piece) = pieces.try_next().await? {
        hash.update(&piece);
        size += piece.len() as u64;
    }
    Ok(Content { size, sha256: hexadecimal(hash.finalize().as_slice()) })
}

async fn read(
    root: &Root,
    path: &Path,
) -> Result<futures::stream::BoxStream<'static, Result<bytes::Bytes>>> {
    let found = root.store.get(path).await.map_err(|e| failed("read", path, e))?;
    let path = path.clone();
    Ok(found.into_stream().map_err(move |e| failed("read", &path, e)).boxed())
}

async fn begin(root: &Root, path: &Path) -> Result<Box<dyn MultipartUpload>> {
    root.store.put_multipart(path).await.map_err(|e| failed("write", path, e))
}

/// Writes one part; what cannot be written is given up, so that nothing of it stays.
async fn put_part(upload: &mut dyn MultipartUpload, bytes: Vec<u8>, path: &Path) -> Result<()> {
    let Err(error) = upload.put_part(bytes.into()).await else { return Ok(()) };
    drop(upload.abort().await);
    Err(failed("write", path, error))
}

fn failed(action: &'static str, path: &Path, source: object_store::Error) -> Error {
    Error::Store { action, path: path.to_string(), source }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
