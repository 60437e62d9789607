//! Many rows with few statements. A statement's text depends only on how many rows it has, and only a handful of
//! numbers are used, so that each is prepared once per connection.
use super::database::statement;
use crate::catalog::CatalogError;
use sqlx::{Any, AnyConnection, any::AnyArguments, query::Query};

/// A query that is being given its values.
pub(crate) type Bound<'q> = Query<'q, Any, AnyArguments>;

/// What is inserted, and where to.
pub(crate) struct Insert {
    /// `INSERT INTO t (a, b)`.
    pub(crate) head: &'static str,
    /// How many values a row has.
    pub(crate) columns: usize,
    /// What follows the rows, e.g. `ON CONFLICT …`.
    pub(crate) tail: &'static str,
}

impl Insert {
    /// Inserts `rows`; `bind` gives a row's values in the order of the columns.
    pub(crate) async fn run<T>(
        &self,
        connection: &mut AnyConnection,
        parameters: usize,
        rows: &[T],
        bind: impl for<'q> Fn(Bound<'q>, &T) -> Bound<'q>,
    ) -> Result<(), CatalogError> {
        for chunk in chunks(rows, (parameters / self.columns).max(1)) {
            let text = format!("{} VALUES {} {}", self.head, tuples(chunk.len(), self.columns), self.tail);
            let query = chunk.iter().fold(sqlx::query(statement(text)), &bind);
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }
}

/// Slices of `most` items, and the rest in halves of it: most, most/2, most/4, … 1.
fn chunks<T>(mut items: &[T], most: usize) -> Vec<&[T]> {
    let (mut chunks, mut size) = (Vec::new(), most.max(1));
    while !items.is_empty() {
        while size > items.len() {
            size /= 2;
        }
        let (chunk, rest) = items.split_at(size.max(1));
        chunks.push(chunk);
        items = rest;
    }
    chunks
}

/// `($1, $2), ($3, $4)`.
fn tuples(rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 7);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        placeholders(&mut text, row * columns + 1, columns);
        text.push(')');
    }
    text
}

/// `$4, $5, $6`.
fn placeholders(text: &mut String, first: usize, count: usize) {
    for n in first..first + count {
        if n > first {
            text.push_str(", ");
        }
        text.push('$');
        text.push_str(&n.to_string());
    }
}

/// `statement IN ($n, …)` over many items: pieces of at most 64, each made as long as one of a few lengths by asking
/// for its last item again.
pub(crate) fn lists<'a, T: Copy>(items: &'a [T], first: usize) -> impl Iterator<Item = (String, Vec<T>)> + 'a {
    items.chunks(64).map(move |piece| {
        let mut piece = piece.to_vec();
        if let Some(last) = piece.last().copied() {
            piece.resize(piece.len().next_power_of_two(), last);
        }
        let mut text = String::from("(");
        placeholders(&mut text, first, piece.len());
        text.push(')');
        (text, piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_count_through_the_rows() {
        assert_eq!(tuples(2, 3), "($1, $2, $3), ($4, $5, $6)");
    }

    #[test]
    fn chunks_keep_all_items_in_order_and_use_few_sizes() {
        let items: Vec<usize> = (0..157).collect();
        let chunks = chunks(&items, 30);
        assert_eq!(chunks.concat(), items);
        let sizes: Vec<usize> = chunks.iter().map(|c| c.len()).collect();
        assert_eq!(sizes, [30, 30, 30, 30, 30, 7]);
    }

    #[test]
    fn lists_ask_for_the_last_item_again() {
        let lists: Vec<_> = lists(&[7, 8, 9], 2).collect();
        assert_eq!(lists, [("($2, $3, $4, $5)".to_owned(), vec![7, 8, 9, 9])]);
    }
}
