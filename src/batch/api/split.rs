//! Splits the requests of one model into parts that a gateway takes.

use super::PartLimits;

/// The requests of a part.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// In the order of their rows.
    pub entries: Vec<Vec<u8>>,
    /// The first and the last row.
    pub rows: (u64, u64),
    /// What the entries take in a body, with what stands between them.
    bytes: usize,
}

/// Gathers requests until they are a part.
#[derive(Debug)]
pub struct Gathering {
    limits: PartLimits,
    open: Gathered,
}

impl Gathering {
    /// Nothing is gathered yet. A part holds as much as `limits` say; a request that is larger alone is a part alone.
    pub fn new(limits: PartLimits) -> Self {
        Self { limits, open: Gathered::default() }
    }

    /// Adds the request of a row. Returns the part that it does not fit into any more, if there is one.
    pub fn add(&mut self, row: u64, entry: Vec<u8>) -> Option<Gathered> {
        let length = entry.len() + 1;
        let is_full = self.open.entries.len() >= self.limits.requests || self.open.bytes + length > self.limits.bytes;
        let whole = if is_full { self.take() } else { None };
        let open = &mut self.open;
        if open.entries.is_empty() {
            open.rows.0 = row;
        }
        open.rows.1 = row;
        open.bytes += length;
        open.entries.push(entry);
        whole
    }

    /// Takes what is gathered; `None` where that is nothing.
    pub fn take(&mut self) -> Option<Gathered> {
        let open = std::mem::take(&mut self.open);
        Some(open).filter(|open| !open.entries.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::Api;
    use crate::batch::api::of;

    /// The rows of each part and its size, of requests that are so long.
    fn parts(limits: PartLimits, lengths: impl IntoIterator<Item = usize>) -> Vec<((u64, u64), usize)> {
        let mut gathering = Gathering::new(limits);
        let mut parts = Vec::new();
        for (row, length) in (1..).zip(lengths) {
            parts.extend(gathering.add(row, vec![b'x'; length]));
        }
        parts.extend(gathering.take());
        assert_eq!(gathering.take(), None);
        parts.iter().map(|part| (part.rows, part.entries.len())).collect()
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
