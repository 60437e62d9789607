//! The Arrow schemas of the tables, and the way between rows and record batches. `infra/docs/data-files.md` describes
//! the same columns to outsiders.
mod conversations;
mod dead_letters;
mod events;
mod read;
mod writers;

pub use conversations::{ConversationColumns, conversations_schema, read_conversations};
pub use dead_letters::{
    DeadLetterColumns, DeadLetterHead, DeadLetterRow, dead_letters_schema, read_dead_letter_heads, read_dead_letters,
};
pub use events::{EventColumns, EventRow, events_schema, read_events, read_events_to_fold};
pub use writers::{WRITER_COLUMNS, Writer, read_writers};

use crate::partition::Table;
use arrow::datatypes::{DataType, Field, SchemaRef, TimeUnit};

/// A batch that does not have the columns or values its table asks for. A damaged file or one of a newer version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {0} does not read")]
pub struct ColumnError(pub &'static str);

/// The schema of a table.
pub fn schema_of(table: Table) -> SchemaRef {
    match table {
        Table::Events => events_schema(),
        Table::DeadLetters => dead_letters_schema(),
        Table::Conversations => conversations_schema(),
    }
}

fn id(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::FixedSizeBinary(16), nullable)
}

fn instant(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), nullable)
}

fn text(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

fn number(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Int64, nullable)
}
