//! Lines out of a stream, one at a time, none longer than allowed in memory.
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Longest line (`security.md` §9.1 has the same for bodies).
pub(super) const LINE_MAX: usize = 1 << 20;

/// What a line is.
pub(super) enum Line {
    /// Its bytes, without the end of line.
    Whole(Vec<u8>),
    /// Longer than [`LINE_MAX`]; read over.
    TooLong,
}

/// The next line; `None` at the end.
pub(super) async fn next<R: AsyncBufRead + Unpin>(input: &mut R) -> std::io::Result<Option<Line>> {
    let (mut line, mut too_long, mut any) = (Vec::new(), false, false);
    loop {
        let chunk = input.fill_buf().await?;
        if chunk.is_empty() {
            break;
        }
        any = true;
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let part = &chunk[..end.unwrap_or(chunk.len())];
        too_long |= line.len() + part.len() > LINE_MAX;
        if !too_long {
            line.extend_from_slice(part);
        }
        let used = end.map_or(chunk.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            break;
        }
    }
    Ok(any.then_some(if too_long { Line::TooLong } else { Line::Whole(line) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_one_by_one_and_long_ones_are_read_over() {
        let text = format!("a\n\n{}\n{}\nz", "x".repeat(LINE_MAX), "y".repeat(LINE_MAX + 1));
        let mut input = tokio::io::BufReader::with_capacity(1000, text.as_bytes());
        let mut seen = Vec::new();
        while let Some(line) = next(&mut input).await.expect("reads") {
            seen.push(match line {
                Line::Whole(line) => line.len(),
                Line::TooLong => usize::MAX,
            });
        }
        assert_eq!(seen, [1, 0, LINE_MAX, usize::MAX, 1]);
    }
}
