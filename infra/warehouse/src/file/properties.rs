//! How columns are encoded and compressed.
use arrow::{
    array::{Array, AsArray},
    record_batch::RecordBatch,
};
use parquet::{
    basic::{Compression, Encoding, ZstdLevel},
    encryption::encrypt::FileEncryptionProperties,
    file::properties::{EnabledStatistics, WriterProperties},
    schema::types::ColumnPath,
};
use schemas::partition::Table;
use std::sync::Arc;

/// Rows of a row group: bounds the memory of a reader, far below the limit of 32,767 groups a file.
const ROW_GROUP_ROWS: usize = 131_072;
/// Least rows of a page, but for a file that has fewer: what one conversation's look-up decrypts at least, of each column.
const PAGE_ROWS: usize = 1024;

/// Bytes of text from which on a column is worth a zstd context. To make one asks the processor what it can, which is
/// a trap out of a virtual machine: it takes as long as to compress some tens of kilobytes, for writer and reader alike.
const ZSTD_BYTES: usize = 32 << 10;

/// Dictionaries where values repeat, deltas where numbers ascend, statistics where readers prune; zstd for much text, LZ4
/// for little of it and for ids that repeat, nothing for what is small already or random. Bloom filters stay off: the
/// parquet crate writes them in clear (`security.md` §2).
pub(super) fn properties(
    table: Table,
    batches: &[RecordBatch],
    encryption: Arc<FileEncryptionProperties>,
) -> WriterProperties {
    let column = |name: &str| ColumnPath::from(name);
    let page_rows = page_rows(batches.iter().map(RecordBatch::num_rows).sum());
    let mut properties = WriterProperties::builder()
        .with_file_encryption_properties(encryption)
        .set_compression(Compression::UNCOMPRESSED)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(page_rows)
        .set_write_batch_size(page_rows)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_bloom_filter_enabled(false);
    let shape = Shape::of(table);
    for name in shape.texts.iter().chain(shape.unique).chain(shape.runs) {
        properties = properties.set_column_dictionary_enabled(column(name), false);
    }
    for name in shape.texts {
        let much =
            batches.iter().filter_map(|b| b.column_by_name(name)).map(|c| text_bytes(c)).sum::<usize>() >= ZSTD_BYTES;
        let codec = if much { Compression::ZSTD(ZstdLevel::default()) } else { Compression::LZ4_RAW };
        properties = properties.set_column_compression(column(name), codec);
    }
    for name in shape.repeating.iter().chain(shape.runs) {
        properties = properties.set_column_compression(column(name), Compression::LZ4_RAW);
    }
    for name in shape.ascending {
        properties = properties
            .set_column_dictionary_enabled(column(name), false)
            .set_column_encoding(column(name), Encoding::DELTA_BINARY_PACKED);
    }
    for name in shape.pruned {
        properties = properties.set_column_statistics_enabled(column(name), EnabledStatistics::Page);
    }
    for (at, field) in schemas::columns::schema_of(table).fields().iter().enumerate() {
        // Nothing but nulls: a dictionary would be an empty page, and there is nothing to compress.
        if batches.iter().all(|b| b.columns().get(at).is_some_and(|c| c.null_count() == c.len())) {
            properties = properties
                .set_column_dictionary_enabled(column(field.name()), false)
                .set_column_compression(column(field.name()), Compression::UNCOMPRESSED);
        }
    }
    properties.build()
}

/// Pages of like size: a small last one would cost as much as the others, a header and two seals in each column.
fn page_rows(rows: usize) -> usize {
    rows.div_ceil((rows / PAGE_ROWS).max(1)).max(1)
}

/// What the columns of a table are like; those that are not named hold few words or numbers.
struct Shape {
    /// Long and different in each row.
    texts: &'static [&'static str],
    /// Short and different in each row.
    unique: &'static [&'static str],
    /// What is a conversation's own: as rows are sorted by it, equal values lie next to each other. A look-up would
    /// decrypt a dictionary of all of them for one row.
    runs: &'static [&'static str],
    /// Ids that come again and again.
    repeating: &'static [&'static str],
    /// Numbers that mostly ascend.
    ascending: &'static [&'static str],
    /// What readers prune by.
    pruned: &'static [&'static str],
}

impl Shape {
    const fn of(table: Table) -> Self {
        match table {
            Table::Events => Self {
                texts: &["text", "platform_message_id", "details", "attachments"],
                unique: &["event_id"],
                runs: &[
                    "conversation",
                    "contact",
                    "contact_name",
                    "author_contact",
                    "author_name",
                    "reply_to",
                    "edited_by",
                    "amends",
                ],
                repeating: &["connection"],
                ascending: &["event_at", "received_at", "log_offset"],
                pruned: &["conversation", "event_at", "log_offset"],
            },
            Table::DeadLetters => Self {
                texts: &["raw"],
                unique: &["event_id"],
                runs: &[],
                repeating: &["connection"],
                ascending: &["received_at", "log_offset"],
                pruned: &["log_offset"],
            },
            Table::Conversations => Self {
                texts: &["state"],
                unique: &["conversation"],
                runs: &[],
                repeating: &["connection"],
                ascending: &["version"],
                pruned: &["conversation", "version"],
            },
        }
    }
}

/// Bytes of all values of a column of texts.
fn text_bytes(column: &dyn Array) -> usize {
    let of = |offsets: &[i32]| match offsets {
        [first, .., last] => usize::try_from(last - first).unwrap_or(0),
        _ => 0,
    };
    let texts = column.as_string_opt::<i32>().map(|c| of(c.value_offsets()));
    texts.or_else(|| column.as_binary_opt::<i32>().map(|c| of(c.value_offsets()))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, StringArray, new_null_array};
    use schemas::columns::events_schema;

    /// One row of nulls, but for texts of these lengths.
    fn batch(text: usize, details: usize) -> RecordBatch {
        let schema = events_schema();
        let columns = schema.fields().iter().map(|field| -> ArrayRef {
            match field.name().as_str() {
                "text" => Arc::new(StringArray::from(vec!["x".repeat(text)])),
                "details" => Arc::new(StringArray::from(vec!["x".repeat(details)])),
                _ => new_null_array(field.data_type(), 1),
            }
        });
        let nullable: Vec<_> = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
        let schema = Arc::new(arrow::datatypes::Schema::new(nullable));
        RecordBatch::try_new(schema, columns.collect()).expect("a batch")
    }

    fn chosen(batches: &[RecordBatch], column: &str) -> (Compression, bool) {
        let encryption = FileEncryptionProperties::builder(vec![1; 32]).build().expect("properties");
        let (properties, path) = (properties(Table::Events, batches, encryption), ColumnPath::from(column));
        assert!(properties.bloom_filter_properties(&path).is_none(), "they would be in clear");
        (properties.compression(&path), properties.dictionary_enabled(&path))
    }

    #[test]
    fn pages_are_of_like_size() {
        for (rows, of_page) in [(0, 1), (1, 1), (1024, 1024), (1142, 1142), (2047, 2047), (2048, 1024), (10_000, 1112)]
        {
            assert_eq!(page_rows(rows), of_page, "{rows}");
        }
    }

    #[test]
    fn much_text_gets_zstd_little_lz4_and_nulls_nothing() {
        let zstd = Compression::ZSTD(ZstdLevel::default());
        let batches = [batch(ZSTD_BYTES / 2, 2), batch(ZSTD_BYTES / 2, 2)];
        assert_eq!(chosen(&batches, "text"), (zstd, false));
        assert_eq!(chosen(&batches[..1], "text"), (Compression::LZ4_RAW, false));
        assert_eq!(chosen(&batches, "details"), (Compression::LZ4_RAW, false));
        for column in ["attachments", "conversation", "contact_name", "event_at"] {
            assert_eq!(chosen(&batches, column), (Compression::UNCOMPRESSED, false), "{column}");
        }
    }
}
