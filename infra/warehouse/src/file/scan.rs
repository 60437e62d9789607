//! DataFusion over encrypted files: filters prune row groups and pages, then rows, before columns are decoded.
use super::{FileError, Files, footer::OpenFile, read::BATCH_ROWS};
use crate::catalog::DataFile;
use arrow::record_batch::RecordBatch;
use datafusion::{
    common::{DataFusionError, ScalarValue},
    datasource::{
        listing::PartitionedFile,
        object_store::ObjectStoreUrl,
        physical_plan::{FileGroup, FileScanConfigBuilder, ParquetFileReaderFactory, ParquetSource},
        source::DataSourceExec,
    },
    execution::{
        TaskContext,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        runtime_env::RuntimeEnvBuilder,
    },
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr,
        expressions::{BinaryExpr, Column, Literal, in_list},
    },
    physical_plan::{ExecutionPlan, metrics::ExecutionPlanMetricsSet},
    prelude::SessionConfig,
};
use futures::{Stream, StreamExt};
use object_store::{ObjectStore, path::Path};
use parquet::arrow::{arrow_reader::ArrowReaderMetadata, async_reader::AsyncFileReader};
use schemas::{
    columns::schema_of,
    ids::{ConversationId, DataFileId, WorkspaceId},
    log::Offset,
    partition::Table,
};
use std::{collections::HashMap, fmt, sync::Arc};

/// Which rows of table `events` a scan returns. Every condition given must hold.
#[derive(Clone, Debug, Default)]
pub struct ScanFilter {
    /// Rows of one of these conversations; empty means any.
    pub conversations: Vec<ConversationId>,
    /// Rows from this log offset on.
    pub from: Option<Offset>,
    /// Rows before this log offset.
    pub before: Option<Offset>,
    /// Only amendments.
    pub amendments: bool,
}

const STORE_URL: &str = "chatmai://store";

/// Queries run without a disk manager: DataFusion would spill in clear.
pub(super) fn task_context(store: Arc<dyn ObjectStore>) -> Arc<TaskContext> {
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let runtime = RuntimeEnvBuilder::new().with_disk_manager_builder(disk).build_arc().unwrap_or_default();
    if let Ok(url) = ObjectStoreUrl::parse(STORE_URL) {
        runtime.register_object_store(url.as_ref(), store);
    }
    let context = TaskContext::default().with_runtime(runtime);
    Arc::new(context.with_session_config(SessionConfig::new().with_batch_size(BATCH_ROWS)))
}

/// Hands DataFusion files whose footers are open already, and no others: a path that is not in the map is an error.
struct Readers {
    files: Files,
    open: HashMap<Path, (DataFile, ArrowReaderMetadata)>,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Readers({} files)", self.open.len())
    }
}

impl ParquetFileReaderFactory for Readers {
    fn create_reader(
        &self,
        _partition_index: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::common::Result<Box<dyn AsyncFileReader + Send>> {
        let Some((row, footer)) = self.open.get(&file.object_meta.location) else {
            return Err(DataFusionError::Internal("a plan named a file that the catalog did not give".into()));
        };
        let open: OpenFile = self.files.open_with(row, footer.clone());
        Ok(Box::new(open))
    }
}

impl Files {
    /// The rows of some files of table `events` of one workspace that meet a filter; batches of each file in its order,
    /// files in the order given.
    ///
    /// # Errors
    /// See [`FileError`]; `ForeignFile` before anything is read when a file is another workspace's.
    pub async fn scan(
        &self,
        workspace: WorkspaceId,
        files: &[DataFile],
        filter: &ScanFilter,
        columns: Option<&[&str]>,
    ) -> Result<impl Stream<Item = Result<RecordBatch, FileError>> + Send + use<>, FileError> {
        let mut open = HashMap::with_capacity(files.len());
        let mut group = Vec::with_capacity(files.len());
        for file in files {
            if file.workspace != workspace || file.table != Table::Events {
                return Err(FileError::ForeignFile(file.id));
            }
            let path = super::DataFilePath::of(file).object();
            group.push(PartitionedFile::new(path.to_string(), file.bytes));
            open.insert(path, (file.clone(), self.footer(file).await?));
        }
        let any = files.first().map_or(DataFileId::default(), |f| f.id);
        let fault = move |e: &DataFusionError| from_datafusion(any, e);

        let schema = schema_of(Table::Events);
        let mut source = ParquetSource::new(schema.clone())
            .with_parquet_file_reader_factory(Arc::new(Readers { files: self.clone(), open }))
            .with_pushdown_filters(true)
            .with_enable_page_index(true);
        if let Some(predicate) = predicate(filter).map_err(|e| fault(&e))? {
            source = source.with_predicate(predicate);
        }
        let url = ObjectStoreUrl::parse(STORE_URL).map_err(|e| fault(&e))?;
        let projection = columns.map(|names| names.iter().filter_map(|n| schema.index_of(n).ok()).collect::<Vec<_>>());
        let config = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_file_group(FileGroup::new(group))
            .with_projection_indices(projection)
            .map_err(|e| fault(&e))?
            .build();
        let plan = DataSourceExec::from_data_source(config);
        let stream = plan.execute(0, self.inner.task.clone()).map_err(|e| fault(&e))?;
        Ok(stream.map(move |batch| batch.map_err(|e| fault(&e))).boxed())
    }
}

fn predicate(filter: &ScanFilter) -> Result<Option<Arc<dyn PhysicalExpr>>, DataFusionError> {
    let schema = schema_of(Table::Events);
    let column = |name: &str| -> Result<Arc<dyn PhysicalExpr>, DataFusionError> {
        Ok(Arc::new(Column::new_with_schema(name, &schema)?))
    };
    let literal = |value: ScalarValue| -> Arc<dyn PhysicalExpr> { Arc::new(Literal::new(value)) };
    let binary = |left, op, right| -> Arc<dyn PhysicalExpr> { Arc::new(BinaryExpr::new(left, op, right)) };
    let id = |c: &ConversationId| ScalarValue::FixedSizeBinary(16, Some(c.0.to_vec()));
    let mut all: Vec<Arc<dyn PhysicalExpr>> = Vec::new();
    match filter.conversations.as_slice() {
        [] => {}
        [one] => all.push(binary(column("conversation")?, Operator::Eq, literal(id(one)))),
        many => {
            let list = many.iter().map(|c| literal(id(c))).collect();
            all.push(in_list(column("conversation")?, list, &false, &schema)?);
        }
    }
    let offset = |o: Offset| literal(ScalarValue::Int64(Some(o.as_i64())));
    if let Some(from) = filter.from {
        all.push(binary(column("log_offset")?, Operator::GtEq, offset(from)));
    }
    if let Some(before) = filter.before {
        all.push(binary(column("log_offset")?, Operator::Lt, offset(before)));
    }
    if filter.amendments {
        all.push(Arc::new(datafusion::physical_expr::expressions::IsNotNullExpr::new(column("amends")?)));
    }
    Ok(all.into_iter().reduce(|left, right| binary(left, Operator::And, right)))
}

fn from_datafusion(file: DataFileId, error: &DataFusionError) -> FileError {
    match error.find_root() {
        DataFusionError::ParquetError(inner) => FileError::from_parquet(file, inner),
        DataFusionError::ObjectStore(inner) => FileError::from_store(file, inner),
        DataFusionError::External(inner) => match inner.downcast_ref::<parquet::errors::ParquetError>() {
            Some(inner) => FileError::from_parquet(file, inner),
            None => FileError::Unavailable("the query failed".into()),
        },
        DataFusionError::ArrowError(..) => FileError::Integrity { file, why: "its columns do not decode".into() },
        _ => FileError::Unavailable("the query failed".into()),
    }
}
