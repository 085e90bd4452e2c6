//! Splits the requests of one model into parts that a gateway takes.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};

use super::PartLimits;

/// The requests of a part.
#[derive(Debug)]
pub struct Gathered {
    /// The entries in the order of their rows, in a file without a name: they may be hundreds of megabytes for each model.
    pub entries: File,
    /// The length of the file.
    pub bytes: u64,
    /// How many entries there are.
    pub count: u64,
    /// The first and the last row.
    pub rows: (u64, u64),
}

/// Gathers requests until they are a part.
#[derive(Debug)]
pub struct Gathering {
    limits: PartLimits,
    separator: u8,
    open: Option<Open>,
}

/// A part that is not whole.
#[derive(Debug)]
struct Open {
    entries: BufWriter<File>,
    bytes: u64,
    count: u64,
    rows: (u64, u64),
}

impl Gathering {
    /// Nothing is gathered yet. A part holds as much as `limits` say; a request that is larger alone is a part alone.
    /// `separator` stands between two entries.
    pub fn new(limits: PartLimits, separator: u8) -> Self {
        Self { limits, separator, open: None }
    }

    /// Adds the request of a row. Returns the part that it does not fit into any more, if there is one.
    ///
    /// # Errors
    /// The temporary file cannot be made or written.
    pub fn add(&mut self, row: u64, entry: &[u8]) -> io::Result<Option<Gathered>> {
        // With the separator.
        let length = entry.len() as u64 + 1;
        let is_full = self.open.as_ref().is_some_and(|open| {
            open.count >= self.limits.requests as u64 || open.bytes + length > self.limits.bytes as u64
        });
        let whole = if is_full { self.take()? } else { None };
        let open = match &mut self.open {
            Some(open) => {
                open.entries.write_all(&[self.separator])?;
                open
            }
            none => {
                let entries = BufWriter::new(tempfile::tempfile()?);
                none.insert(Open { entries, bytes: 0, count: 0, rows: (row, row) })
            }
        };
        open.entries.write_all(entry)?;
        open.bytes += length;
        open.count += 1;
        open.rows.1 = row;
        Ok(whole)
    }

    /// Takes what is gathered; `None` where that is nothing.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub fn take(&mut self) -> io::Result<Option<Gathered>> {
        let Some(Open { entries, bytes, count, rows }) = self.open.take() else { return Ok(None) };
        let entries = entries.into_inner().map_err(io::IntoInnerError::into_error)?;
        // No separator stands behind the last one.
        Ok(Some(Gathered { entries, bytes: bytes - 1, count, rows }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use super::*;
    use crate::adapter::Api;
    use crate::batch::api::of;

    fn content(part: &mut Gathered) -> String {
        let mut text = String::new();
        part.entries.rewind().expect("a file");
        part.entries.read_to_string(&mut text).expect("text");
        text
    }

    #[test]
    fn a_separator_stands_between_entries_alone() {
        let mut gathering = Gathering::new(PartLimits { requests: 2, bytes: usize::MAX }, b',');
        assert!(gathering.add(1, b"{1}").expect("a temporary file").is_none());
        assert!(gathering.add(2, b"{2}").expect("a temporary file").is_none());
        let mut first = gathering.add(5, b"{5}").expect("a temporary file").expect("a part");
        assert_eq!((content(&mut first).as_str(), first.count, first.rows), ("{1},{2}", 2, (1, 2)));
        let mut last = gathering.take().expect("a temporary file").expect("a part");
        assert_eq!((content(&mut last).as_str(), last.count, last.rows), ("{5}", 1, (5, 5)));
    }

    /// The rows of each part and its size, of requests that are so long.
    fn parts(limits: PartLimits, lengths: impl IntoIterator<Item = usize>) -> Vec<((u64, u64), u64)> {
        let mut gathering = Gathering::new(limits, b',');
        let mut parts = Vec::new();
        for (row, length) in (1..).zip(lengths) {
            parts.extend(gathering.add(row, &vec![b'x'; length]).expect("a temporary file"));
        }
        parts.extend(gathering.take().expect("a temporary file"));
        assert!(gathering.take().expect("a temporary file").is_none());
        for part in &mut parts {
            assert_eq!(content(part).len() as u64, part.bytes);
        }
        parts.iter().map(|part| (part.rows, part.count)).collect()
    }

    #[test]
    fn a_part_has_no_more_requests_than_the_gateway_takes() {
        let limits = PartLimits { requests: 3, bytes: usize::MAX };
        assert_eq!(parts(limits, [1; 3]), [((1, 3), 3)]);
        assert_eq!(parts(limits, [1; 7]), [((1, 3), 3), ((4, 6), 3), ((7, 7), 1)]);
        assert_eq!(parts(limits, []), []);
        for api in [Api::OpenaiChat, Api::OpenaiResponses, Api::Anthropic, Api::Gemini] {
            let found = parts(of(api).limits(), std::iter::repeat_n(10, 120_000));
            assert_eq!(found, [((1, 50_000), 50_000), ((50_001, 100_000), 50_000), ((100_001, 120_000), 20_000)]);
        }
    }

    #[test]
    fn a_part_is_no_larger_than_the_gateway_takes() {
        // Each takes a byte more, for what stands between them.
        let limits = PartLimits { requests: 100, bytes: 30 };
        assert_eq!(parts(limits, [9, 9, 9]), [((1, 3), 3)]);
        assert_eq!(parts(limits, [9, 9, 10]), [((1, 2), 2), ((3, 3), 1)]);
        assert_eq!(parts(limits, [5, 99, 5, 5]), [((1, 1), 1), ((2, 2), 1), ((3, 4), 2)]);
    }
}
