//! Reads the rows of a data set one by one: JSONL, CSV, TSV or plain lines, from a file or stdin, compressed with gzip or not.

use std::collections::HashSet;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Read, Stdin};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use memchr::memchr;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::chat::check_values;
#[cfg(unix)]
use crate::input;

#[cfg(test)]
mod tests;

/// The largest row, in bytes. A larger one is a bad row; it is not kept in memory.
pub const LARGEST_ROW: usize = 8 << 20;

/// A CSV record is given up when it is this many bytes long: most likely a quote is never closed, and the rest of the file
/// would be one field.
const LARGEST_RECORD: u64 = 2 * LARGEST_ROW as u64;

/// The first record of CSV, which has the names of the columns, is given up when it is this many bytes long. Each column takes memory.
const LARGEST_HEADER: u64 = 1 << 20;

/// A line is given up when it is this many bytes long, and the data set with it: it is one in no form that is known, or it never
/// ends.
const LARGEST_LINE: u64 = 32 * LARGEST_ROW as u64;

/// The name of the field that holds a line of plain text.
pub const LINE_FIELD: &str = "line";

/// The size of the buffer between a file and the parser, in bytes.
const BUFFER: usize = 256 << 10;

/// The form of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    /// A JSON object on each line.
    Jsonl,
    /// Comma-separated values below a line of names.
    Csv,
    /// The same with tabs.
    Tsv,
    /// A text on each line.
    Lines,
}

impl RowFormat {
    /// The format that the name of a file says; `None` where it says nothing. A `.gz` at its end does not count.
    pub fn of_name(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        match name.strip_suffix(".gz").unwrap_or(&name).rsplit_once('.')?.1 {
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "txt" | "lines" => Some(Self::Lines),
            _ => None,
        }
    }
}

/// Tells whether a row is the same as in an earlier run: the first 64 bits of the SHA-256 of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowHash(pub u64);

impl RowHash {
    /// The hash of these parts. Their boundaries count.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize()[..8]);
        Self(u64::from_be_bytes(first))
    }
}

impl fmt::Display for RowHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for RowHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RowHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Hex;
        impl de::Visitor<'_> for Hex {
            type Value = RowHash;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a hash of 16 hexadecimal digits")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<RowHash, E> {
                u64::from_str_radix(text, 16).map(RowHash).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Hex)
    }
}

/// One row as it was read. Its fields are parsed when they are needed.
#[derive(Debug)]
pub struct RawRow {
    /// Counted from 1. Blank lines do not count.
    pub number: u64,
    /// The line of the file on which it begins, counted from 1.
    pub line: u64,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Json(Vec<u8>),
    Line(Vec<u8>),
    Record(Arc<Header>, csv::ByteRecord),
    /// It cannot be used, for this reason. Its hash is that of its content, as far as that is known.
    Bad(RowHash, String),
}

/// The columns of a data set.
#[derive(Debug)]
struct Header {
    names: Vec<String>,
    /// The hash of the names, which is part of the hash of each row.
    hash: RowHash,
}

impl Header {
    fn hash(&self, record: &csv::ByteRecord) -> RowHash {
        let names = self.hash.0.to_be_bytes();
        RowHash::of(std::iter::once(&names[..]).chain(record.iter()))
    }
}

impl RawRow {
    /// The hash of its content.
    pub fn hash(&self) -> RowHash {
        match &self.content {
            Content::Json(line) | Content::Line(line) => RowHash::of([line.as_slice()]),
            Content::Record(header, record) => header.hash(record),
            Content::Bad(hash, _) => *hash,
        }
    }

    /// The fields by name.
    ///
    /// # Errors
    /// The row is not valid. The text says why, without its line.
    pub fn fields(&self) -> Result<Map<String, Value>, String> {
        let utf8 = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(format!("it is not UTF-8: there is a bad byte at offset {} in it", error.valid_up_to())),
        };
        match &self.content {
            Content::Bad(_, why) => Err(why.clone()),
            Content::Line(bytes) => Ok(Map::from_iter([(LINE_FIELD.to_owned(), Value::String(utf8(bytes)?))])),
            Content::Json(bytes) => {
                std::str::from_utf8(bytes).or_else(|_| utf8(bytes).map(|_| ""))?;
                check_values(bytes)?;
                match serde_json::from_slice(bytes) {
                    Ok(Value::Object(fields)) => Ok(fields),
                    Ok(_) => Err("it is not a JSON object".to_owned()),
                    Err(error) => Err(format!("it is not valid JSON: {}", without_line(&error))),
                }
            }
            Content::Record(header, record) if header.names.len() != record.len() => {
                Err(format!("it has {} fields, but the header has {}", record.len(), header.names.len()))
            }
            Content::Record(header, record) => header
                .names
                .iter()
                .zip(record)
                .map(|(name, value)| Ok((name.clone(), Value::String(utf8(value)?))))
                .collect(),
        }
    }
}

/// What a JSON error says, with the column alone: the line is always the first.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    format!("{what} at column {}", error.column())
}

/// How much of a file has been read.
#[derive(Debug, Clone, Default)]
pub struct Position {
    read: Arc<AtomicU64>,
    /// The size of the file in bytes; `None` where it is not known, as of a pipe.
    pub size: Option<u64>,
}

impl Position {
    /// The part of the file that has been read, from 0 to 1. It runs ahead of the rows by one buffer.
    pub fn fraction(&self) -> Option<f64> {
        let size = self.size.filter(|size| *size > 0)?;
        Some((self.read.load(Ordering::Relaxed) as f64 / size as f64).min(1.0))
    }
}

struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Fails when more is read than one CSV record may have.
struct Capped<R> {
    inner: R,
    left: Arc<AtomicU64>,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let left = self.left.load(Ordering::Relaxed);
        if count as u64 > left {
            let message = format!("a record is larger than {} MiB; is a quote never closed?", LARGEST_RECORD >> 20);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        self.left.store(left - count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

type Input = Box<dyn BufRead + Send>;

/// The rows of one data set, in order.
pub struct Rows {
    reader: Reader,
    number: u64,
    line: u64,
    position: Position,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("number", &self.number).finish_non_exhaustive()
    }
}

enum Reader {
    Lines { input: Input, is_json: bool },
    Csv { reader: Box<csv::Reader<Capped<Input>>>, header: Arc<Header>, left: Arc<AtomicU64> },
}

impl Rows {
    /// Opens a file, or stdin where the path is `-`. Without a `format`, the name decides, and else the first character: `{`
    /// begins JSONL, and everything else is plain lines.
    ///
    /// # Errors
    /// The file cannot be read, or has no usable header.
    pub fn open(path: &Path, format: Option<RowFormat>) -> io::Result<Self> {
        let (raw, size): (Box<dyn Read + Send>, _) = if path == Path::new("-") {
            (Box::new(stdin()?), None)
        } else {
            let (file, metadata) = open(path)?;
            let is_gzip = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"));
            if is_gzip && metadata.is_file() && metadata.len() == 0 {
                return Err(io::Error::other("it is empty, which no file of gzip is"));
            }
            (Box::new(file), metadata.is_file().then_some(metadata.len()))
        };
        Self::new(raw, size, format.or_else(|| RowFormat::of_name(path)))
    }

    /// Reads from anything. `size` is the number of bytes that it has, as far as it is known.
    ///
    /// # Errors
    /// As for [`Rows::open`].
    pub fn new(raw: Box<dyn Read + Send>, size: Option<u64>, format: Option<RowFormat>) -> io::Result<Self> {
        let position = Position { size, ..Position::default() };
        let counted = Counted { inner: raw, read: Arc::clone(&position.read) };
        let mut input: Input = Box::new(BufReader::with_capacity(BUFFER, counted));
        if input.fill_buf()?.starts_with(b"\x1f\x8b") {
            input = Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(input)));
        }
        let first = input.fill_buf()?;
        let bom = if first.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let looks_like_json = first[bom..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        input.consume(bom);
        let format = format.unwrap_or(if looks_like_json { RowFormat::Jsonl } else { RowFormat::Lines });
        let reader = match format {
            RowFormat::Jsonl => Reader::Lines { input, is_json: true },
            RowFormat::Lines => Reader::Lines { input, is_json: false },
            RowFormat::Csv => csv_reader(input, b',')?,
            RowFormat::Tsv => csv_reader(input, b'\t')?,
        };
        Ok(Self { reader, number: 0, line: 0, position })
    }

    /// How far the file has been read.
    pub fn position(&self) -> Position {
        self.position.clone()
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read any further. A row that cannot be used is no error: its [fields](RawRow::fields) are.
    pub fn read(&mut self) -> io::Result<Option<RawRow>> {
        match &mut self.reader {
            Reader::Lines { input, is_json } => loop {
                let Some(read) = read_line(input)? else { return Ok(None) };
                self.line += 1;
                let content = match read {
                    Ok(line) if line.trim_ascii().is_empty() => continue,
                    Ok(line) if *is_json => Content::Json(line),
                    Ok(line) => Content::Line(line),
                    Err(length) => too_large(RowHash(0), length),
                };
                self.number += 1;
                return Ok(Some(RawRow { number: self.number, line: self.line, content }));
            },
            Reader::Csv { reader, header, left } => {
                left.store(LARGEST_RECORD, Ordering::Relaxed);
                let mut record = csv::ByteRecord::new();
                if !reader.read_byte_record(&mut record).map_err(io_error)? {
                    return Ok(None);
                }
                self.number += 1;
                let line = record.position().map_or(0, csv::Position::line);
                let length = record.as_slice().len();
                let content = match length > LARGEST_ROW {
                    true => too_large(header.hash(&record), length as u64),
                    false => Content::Record(Arc::clone(header), record),
                };
                Ok(Some(RawRow { number: self.number, line, content }))
            }
        }
    }
}

/// Opens a file or a pipe that holds rows.
///
/// # Errors
/// The system refuses, or it is a directory or a device that does not end.
pub fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    #[cfg(unix)]
    check_device(&file, &metadata)?;
    Ok((file, metadata))
}

/// Standard input, as a source of rows.
///
/// # Errors
/// It is a device that does not end.
pub fn stdin() -> io::Result<Stdin> {
    let stdin = io::stdin();
    #[cfg(unix)]
    if let Ok(input) = std::os::fd::AsFd::as_fd(&stdin).try_clone_to_owned().map(File::from) {
        check_device(&input, &input.metadata()?)?;
    }
    Ok(stdin)
}

/// Refuses a device that has something to read and is no terminal. One such as `/dev/zero` never ends.
#[cfg(unix)]
fn check_device(mut file: &File, metadata: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    let is_device = (kind.is_char_device() || kind.is_block_device()) && !io::IsTerminal::is_terminal(file);
    if is_device && file.read(&mut [0])? > 0 {
        return Err(io::Error::other(input::DEVICE));
    }
    Ok(())
}

fn too_large(hash: RowHash, length: u64) -> Content {
    Content::Bad(hash, format!("it is {} MiB long, and a row may have {} MiB", length >> 20, LARGEST_ROW >> 20))
}

/// The next line without its end; its length alone where it is too long. `None` at the end of the input.
fn read_line(input: &mut Input) -> io::Result<Option<Result<Vec<u8>, u64>>> {
    let mut line = Vec::new();
    let mut length = 0u64;
    loop {
        let buffer = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            filled => filled?,
        };
        if buffer.is_empty() {
            break;
        }
        let end = memchr(b'\n', buffer);
        let part = end.unwrap_or(buffer.len());
        length += part as u64;
        if length > LARGEST_LINE {
            let message = format!("a line is longer than {} MiB; is there a row on each line?", LARGEST_LINE >> 20);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        if length <= LARGEST_ROW as u64 {
            line.extend_from_slice(&buffer[..part]);
        } else {
            line = Vec::new();
        }
        input.consume(end.map_or(part, |end| end + 1));
        if end.is_some() {
            return Ok(Some(finished(line, length)));
        }
    }
    Ok((length > 0).then(|| finished(line, length)))
}

fn finished(mut line: Vec<u8>, length: u64) -> Result<Vec<u8>, u64> {
    if length > LARGEST_ROW as u64 {
        return Err(length);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line)
}

fn csv_reader(input: Input, delimiter: u8) -> io::Result<Reader> {
    let left = Arc::new(AtomicU64::new(LARGEST_HEADER));
    let capped = Capped { inner: input, left: Arc::clone(&left) };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(capped);
    let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
    let header = reader.headers().map_err(|error| match io_error(error) {
        error if error.kind() == io::ErrorKind::FileTooLarge => invalid(format!(
            "its first line, which has the names of the columns, is longer than {} MiB",
            LARGEST_HEADER >> 20
        )),
        error => error,
    })?;
    let names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    let mut seen = HashSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
        return Err(invalid(format!("two columns are called `{twice}`")));
    }
    let hash = RowHash::of(names.iter().map(String::as_bytes));
    Ok(Reader::Csv { reader: Box::new(reader), header: Arc::new(Header { names, hash }), left })
}

fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        csv::ErrorKind::Utf8 { .. } => io::Error::new(io::ErrorKind::InvalidData, "the header is not UTF-8"),
        other => io::Error::new(io::ErrorKind::InvalidData, format!("it is not valid CSV: {other:?}")),
    }
}
