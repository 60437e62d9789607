//! Where a bucket is, as an operator writes it.
use object_store::path::Path;
use std::{fmt, str::FromStr};

/// Whose interface a bucket has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Provider {
    /// Amazon S3, and every service that speaks like it.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage; its containers are buckets here.
    Azure,
}

/// A bucket and a folder in it: `s3://bucket/folder`, `gs://bucket/folder`, `az://container/folder`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Location {
    /// Whose interface.
    pub provider: Provider,
    /// The bucket's name.
    pub bucket: String,
    /// The folder under which all objects lie; empty for the whole bucket.
    pub prefix: Path,
}

/// A text that is no location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a store is written like s3://bucket/folder, gs://bucket/folder or az://container/folder")]
pub struct InvalidLocation;

const SCHEMES: [(&str, Provider); 3] = [("s3", Provider::S3), ("gs", Provider::Gcs), ("az", Provider::Azure)];

impl FromStr for Location {
    type Err = InvalidLocation;
    fn from_str(text: &str) -> Result<Self, InvalidLocation> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidLocation)?;
        let (_, provider) = SCHEMES.into_iter().find(|(name, _)| *name == scheme).ok_or(InvalidLocation)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if bucket.is_empty() || !bucket.chars().all(plain) {
            return Err(InvalidLocation);
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !prefix.chars().all(|c| plain(c) || c == '/') || prefix.starts_with('/') {
            return Err(InvalidLocation);
        }
        let prefix = Path::parse(prefix).map_err(|_| InvalidLocation)?;
        Ok(Self { provider, bucket: bucket.to_owned(), prefix })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = SCHEMES.iter().find(|(_, p)| *p == self.provider).map_or("s3", |(name, _)| name);
        write!(f, "{scheme}://{}", self.bucket)?;
        if self.prefix.as_ref().is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_round_trip() {
        for text in ["s3://b", "s3://my.bucket-1/a/b_c", "gs://b/x", "az://container"] {
            assert_eq!(text.parse::<Location>().unwrap().to_string(), text);
        }
        assert_eq!("s3://b/".parse::<Location>().unwrap().to_string(), "s3://b");
        assert_eq!("s3://b/x/".parse::<Location>().unwrap().to_string(), "s3://b/x");
    }

    #[test]
    fn what_is_no_location_is_refused() {
        for bad in [
            "",
            "b",
            "s3:",
            "s3://",
            "s3:///x",
            "ftp://b/x",
            "https://b.s3.amazonaws.com",
            "s3://b/../x",
            "s3://b//x",
            "s3://key:secret@b/x",
            "s3://b/x?y=z",
            "s3://b/a b",
            "S3://b",
        ] {
            assert_eq!(bad.parse::<Location>(), Err(InvalidLocation), "{bad}");
        }
    }
}
