//! Lines of import (`contract.md`, "A line of import"): [`line`] reads one, [`fields`] knows what each kind has, the
//! [`Importer`] takes many.
mod fields;
mod importer;
mod line;
mod reader;

pub use importer::{ImportError, ImportSummary, Importer, LagGate};
pub use line::{ConnectionRef, ImportLine};

/// Why a line is not taken; the text names the field, never its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Longer than 1 MiB.
    #[error("the line is longer than {0} bytes")]
    TooLong(usize),
    /// Not one JSON object of at most 32 levels.
    #[error("not a JSON object in UTF-8 with at most 32 levels")]
    NotJson,
    /// A field that has to be there.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A field of another type or form.
    #[error("`{0}` must be {1}")]
    Wrong(&'static str, &'static str),
    /// A field that this kind does not have.
    #[error("`{field}` is no field of kind {kind}")]
    UnknownField {
        /// As written, cut to 64 characters.
        field: String,
        /// The line's kind.
        kind: String,
    },
    /// A kind that no line may have.
    #[error("`kind` is none that can be imported")]
    Kind,
    /// The connection is not one of this workspace.
    #[error("no such connection in this workspace")]
    UnknownConnection,
    /// The connection's name is refused.
    #[error("the connection cannot be made: {0}")]
    Connection(String),
}
