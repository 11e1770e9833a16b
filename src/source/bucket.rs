//! Files in a bucket: listed, copied to disk range by range, and read from there.
//!
//! A copy is of one version of the object: every range is asked for by the entity tag that the
//! listing gave, so that an object which changes meanwhile is an error and never half of each.
//! A URL that ends in an object is that object; any other is a folder, and what lies directly in it
//! is taken, as from a directory on disk.

use std::io::Write;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use datafusion::execution::SpillFile;
use datafusion::execution::disk_manager::DiskManager;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};
use url::Url;

use super::{Input, fault, is_known};
use crate::error::{Error, Result};

/// Bytes asked for at once.
pub const RANGE_BYTES: u64 = 8 << 20;

/// URL schemes of buckets.
const SCHEMES: &[&str] = &["s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss"];

/// What lies at a URL.
#[derive(Debug, Default)]
pub struct Fetched {
    /// Copies, in the order of their names.
    pub inputs: Vec<Input>,
    /// True if the URL is that of one object.
    pub is_object: bool,
    /// URLs of objects whose format is not known.
    pub unread: Vec<String>,
}

/// The URL that `path` is, if it is one.
///
/// # Errors
/// [`Error::Refused`] for a URL that is not one of a bucket.
pub fn url_of(path: &FilePath) -> Result<Option<Url>> {
    let Some(text) = path.to_str().filter(|text| text.contains("://")) else { return Ok(None) };
    let refuse = |reason: String| Error::Refused { subject: text.to_owned(), reason };
    let url = Url::parse(text).map_err(|e| refuse(format!("is not a URL: {e}")))?;
    if !SCHEMES.contains(&url.scheme()) {
        return Err(refuse("is not read; give a path, or a URL of s3://, gs:// or az://".into()));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(refuse("must hold no credential; they are taken from the environment".into()));
    }
    Ok(Some(url))
}

/// Copies what lies at `url` to disk; `settings` are those of the bucket's client.
///
/// # Errors
/// [`Error::Store`] if the bucket cannot be read, [`Error::Source`] for an object that is larger
/// than `bytes_max` or changes, [`Error::Refused`] if there is nothing.
pub async fn fetch(
    url: &Url,
    settings: Vec<(String, String)>,
    disk: &Arc<DiskManager>,
    bytes_max: u64,
) -> Result<Fetched> {
    let failed = |source| Error::Store { action: "open", path: url.to_string(), source };
    let (store, path) = object_store::parse_url_opts(url, settings).map_err(failed)?;
    let bucket = Bucket { url, store, disk, bytes_max };
    let (objects, is_object) = bucket.objects(&path).await?;
    let mut fetched = Fetched { is_object, ..Fetched::default() };
    for object in objects {
        let name = bucket.name(&object.location);
        if !is_object && !is_known(&name) {
            fetched.unread.push(name.display().to_string());
            continue;
        }
        let copy = bucket.copy(&object, &name).await?;
        tracing::debug!(object = %name.display(), bytes = object.size, "fetched");
        fetched.inputs.push(Input::spooled(name, copy));
    }
    Ok(fetched)
}

struct Bucket<'a> {
    url: &'a Url,
    store: Box<dyn ObjectStore>,
    disk: &'a Arc<DiskManager>,
    bytes_max: u64,
}

impl Bucket<'_> {
    /// URL of the object at `location`.
    fn name(&self, location: &Path) -> PathBuf {
        let host = self.url.host_str().unwrap_or_default();
        PathBuf::from(format!("{}://{host}/{location}", self.url.scheme()))
    }

    fn failed(&self, action: &'static str, at: &FilePath, source: object_store::Error) -> Error {
        match source {
            object_store::Error::Precondition { .. } | object_store::Error::NotModified { .. } => {
                fault(at, 0, "the object changed while it was read; run the command again")
            }
            source => Error::Store { action, path: at.display().to_string(), source },
        }
    }

    /// The object at `path`, or those directly below it, sorted.
    async fn objects(&self, path: &Path) -> Result<(Vec<ObjectMeta>, bool)> {
        let here = PathBuf::from(self.url.as_str());
        if !self.url.path().ends_with('/') && !path.as_ref().is_empty() {
            match self.store.head(path).await {
                Ok(object) => return Ok((vec![object], true)),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed("look at", &here, error)),
            }
        }
        let listing = self.store.list_with_delimiter(Some(path)).await;
        let mut objects = listing.map_err(|e| self.failed("list", &here, e))?.objects;
        objects.retain(|object| object.location != *path);
        objects.sort_by(|a, b| a.location.cmp(&b.location));
        if objects.is_empty() {
            let reason = "there is no object of that name, and none below it".to_owned();
            return Err(Error::Refused { subject: self.url.to_string(), reason });
        }
        Ok((objects, false))
    }

    /// A copy of `object` on disk, whole and of one version.
    async fn copy(&self, object: &ObjectMeta, name: &FilePath) -> Result<Arc<dyn SpillFile>> {
        if object.size > self.bytes_max {
            let most = self.bytes_max;
            let reason = format!("{} bytes; source_file_bytes_max is {most}", object.size);
            return Err(fault(name, 0, reason));
        }
        let file = self.disk.create_tmp_file("copying an object")?;
        let mut writer = file.open_writer()?;
        let mut at = 0;
        while at < object.size {
            let end = object.size.min(at + RANGE_BYTES);
            let options = GetOptions {
                range: Some(GetRange::Bounded(at..end)),
                if_match: object.e_tag.clone(),
                ..GetOptions::default()
            };
            let got = self.store.get_opts(&object.location, options).await;
            let got = got.map_err(|e| self.failed("read", name, e))?;
            if got.meta.size != object.size || got.meta.e_tag != object.e_tag {
                return Err(fault(name, 0, "the object changed while it was read"));
            }
            let bytes = got.bytes().await.map_err(|e| self.failed("read", name, e))?;
            if bytes.len() as u64 != end - at {
                let reason = format!(
                    "{} bytes came from {at} on where {} were asked for",
                    bytes.len(),
                    end - at
                );
                return Err(fault(name, 0, reason));
            }
            writer.write_all(&bytes).map_err(|e| Error::file("copy", name, e))?;
            at = end;
        }
        writer.finish()?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_buckets_are_taken_and_others_named() {
        let url =
            |text: &str| url_of(FilePath::new(text)).map(|url| url.map(|url| url.to_string()));
        assert_eq!(url("exports/a.csv").expect("a path"), None);
        let found = url("s3://bucket/exports/a b.csv").expect("a bucket");
        assert_eq!(found.as_deref(), Some("s3://bucket/exports/a%20b.csv"));
        for text in
            ["https://example.com/a.csv", "file:///etc/passwd", "s3://k:s@bucket/a", "s3://b/a?x=1"]
        {
            assert!(url(text).is_err(), "{text}");
        }
    }
}
