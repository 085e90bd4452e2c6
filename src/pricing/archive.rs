//! How much text an office file may hold: it is an archive (ZIP) whose texts are compressed.

use std::cell::Cell;
use std::io::{self, Read};

use flate2::read::DeflateDecoder;
use memchr::memmem;

/// How the entry of a file begins, where its content follows.
const ENTRY: &[u8] = b"PK\x03\x04";

/// How the entry of a file begins in the list at the end.
const LISTED: &[u8] = b"PK\x01\x02";

/// The bytes of an entry before its name.
const HEAD: usize = 30;

/// As much is decompressed of the archives of one request, in bytes. No model takes the tokens of so much text, so that none is billed
/// for more.
pub(super) const MOST_INFLATED: u64 = 16 << 20;

/// Bytes of a document in one token, at the least: its text stands between tags.
const BYTES_PER_TOKEN: u64 = 2;

/// The most tokens of the texts in an archive; `None` where this is none. As much as `left` says may be decompressed, in bytes.
pub(super) fn most_tokens(file: &[u8], left: &Cell<u64>) -> Option<u64> {
    let listed = memmem::find_iter(file, LISTED).count() as u64;
    let (mut entries, mut bytes) = (0_u64, file.len() as u64);
    for at in memmem::find_iter(file, ENTRY) {
        entries += 1;
        bytes = bytes.saturating_add(length(&file[at..], left));
    }
    if entries == 0 || listed == 0 {
        return None;
    }
    // Several names in the list may have the same content.
    let times = listed.div_ceil(entries);
    Some(bytes.saturating_mul(times).div_ceil(BYTES_PER_TOKEN))
}

/// How long the content of the entry at the beginning is, in bytes, whatever is said of how it is compressed.
fn length(entry: &[u8], left: &Cell<u64>) -> u64 {
    let number =
        |at: usize| entry.get(at..at + 2).map_or(0, |bytes| usize::from(bytes[0]) | usize::from(bytes[1]) << 8);
    let Some(content) = entry.get(HEAD + number(26) + number(28)..) else { return 0 };
    let mut unpacked = DeflateDecoder::new(content).take(left.get());
    // What is no such stream ends soon.
    let _ = io::copy(&mut unpacked, &mut io::sink());
    let length = left.get() - unpacked.limit();
    left.set(unpacked.limit());
    length
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    use super::*;

    /// An archive with one file of this text, which its list has so many times.
    fn archive(text: &[u8], times: usize) -> Vec<u8> {
        let mut packed = DeflateEncoder::new(Vec::new(), Compression::best());
        packed.write_all(text).expect("memory");
        let mut entry = ENTRY.to_vec();
        entry.resize(HEAD, 0);
        (entry[26], entry[28]) = (3, 2);
        entry.extend_from_slice(b"a.t\0\0");
        entry.extend_from_slice(&packed.finish().expect("memory"));
        (0..times).for_each(|_| entry.extend_from_slice(LISTED));
        entry
    }

    fn tokens(file: &[u8]) -> Option<u64> {
        most_tokens(file, &Cell::new(MOST_INFLATED))
    }

    #[test]
    fn a_text_counts_by_its_length_and_not_by_what_it_is_compressed_to() {
        let text = b"word ".repeat(400_000);
        let file = archive(&text, 1);
        assert!(file.len() < 10_000, "{}", file.len());
        let one = tokens(&file).expect("an archive");
        assert!((1_000_000..1_010_000).contains(&one), "{one}");
        let all = tokens(&archive(&text, 3)).expect("an archive");
        assert!(all >= 3 * one, "{all}");
        assert_eq!(
            tokens(&[b"MZ".to_vec(), file].concat()).map(|tokens| tokens - one),
            Some(1),
            "what is before it is not read"
        );
    }

    #[test]
    fn no_more_is_decompressed_than_a_model_takes() {
        let file = archive(&vec![b'a'; 100_000], 1);
        let left = Cell::new(1_000);
        let most = most_tokens(&file, &left).expect("an archive");
        assert_eq!((left.get(), most), (0, (1_000 + file.len() as u64).div_ceil(BYTES_PER_TOKEN)));
    }

    #[test]
    fn other_files_are_none() {
        for file in [&b"PK is a text"[..], b"PK\x03\x04", b"", b"PK\x01\x02"] {
            assert_eq!(tokens(file), None, "{file:?}");
        }
    }
}
