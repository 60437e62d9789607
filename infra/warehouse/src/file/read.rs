//! Whole files or columns of them, for jobs and for loading indexes.
use super::{FileError, Files};
use crate::catalog::DataFile;
use arrow::record_batch::RecordBatch;
use futures::{Stream, StreamExt, TryStreamExt};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};

/// Rows of a batch.
pub(super) const BATCH_ROWS: usize = 8192;

impl Files {
    /// The batches of a file in their order; only the named columns, or all.
    ///
    /// # Errors
    /// See [`FileError`].
    pub async fn stream(
        &self,
        file: &DataFile,
        columns: Option<&[&str]>,
    ) -> Result<impl Stream<Item = Result<RecordBatch, FileError>> + Send + use<>, FileError> {
        let open = self.open(file).await?;
        let id = file.id;
        let metadata = open.arrow_metadata();
        let mask = match columns {
            Some(columns) => ProjectionMask::columns(metadata.parquet_schema(), columns.iter().copied()),
            None => ProjectionMask::all(),
        };
        let stream = ParquetRecordBatchStreamBuilder::new_with_metadata(open, metadata)
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|e| FileError::from_parquet(id, &e))?;
        Ok(stream.map_err(move |e| FileError::from_parquet(id, &e)).boxed())
    }

    /// All batches of a file at once.
    ///
    /// # Errors
    /// See [`FileError`].
    pub async fn read(&self, file: &DataFile, columns: Option<&[&str]>) -> Result<Vec<RecordBatch>, FileError> {
        self.stream(file, columns).await?.try_collect().await
    }
}
