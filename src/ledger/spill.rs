//! Calls that could not be recorded, kept in a file until they can be.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::files::{check_dir, private_file, with_suffix};
use super::row::Row;
use crate::private;

/// The name of the spill file in the data directory: one JSON object a line.
pub const FILE_NAME: &str = "ledger-spill.jsonl";

/// Adds rows to the spill file: all of them or, where it fails, none.
pub(super) fn append(dir: &Path, rows: &[Row]) -> io::Result<()> {
    append_to(dir, FILE_NAME, rows)
}

/// Adds rows to a file of this name, as lines of JSON: all of them or, where it fails, none.
pub(super) fn append_to(dir: &Path, name: &str, rows: &[Row]) -> io::Result<()> {
    private::create_dir(dir)?;
    check_dir(dir).map_err(io::Error::other)?;
    let mut file = private_file(&dir.join(name))?;
    file.lock()?;
    let end = file.seek(SeekFrom::End(0))?;
    // The rows are not put together in memory first: a lack of memory may be why the ledger could not be written.
    let written = lines(&file, rows).and_then(|()| file.sync_data());
    if written.is_err() {
        // On a full disk at least what was there before stays whole.
        file.set_len(end)?;
    }
    written
}

fn lines(file: &File, rows: &[Row]) -> io::Result<()> {
    let mut buffer = BufWriter::new(file);
    for row in rows {
        serde_json::to_writer(&mut buffer, row)?;
        buffer.write_all(b"\n")?;
    }
    buffer.flush()
}

/// What waits in the file, locked until this is dropped.
#[derive(Debug)]
pub(super) struct Spilled {
    lines: BufReader<File>,
    path: PathBuf,
    /// How far it has been read.
    read: u64,
    /// Where lines are that cannot be read as rows.
    unreadable: Vec<Range<u64>>,
}

/// Rows are read until their lines have so many bytes together.
const MOST_AT_ONCE: u64 = 16 << 20;

/// The longest line that is read, in bytes. No call is that long.
const LONGEST_LINE: u64 = 256 << 20;

/// Returns what the file holds; `None` where it holds nothing, or another process has it locked.
pub(super) fn take(dir: &Path) -> io::Result<Option<Spilled>> {
    let path = dir.join(FILE_NAME);
    match fs::metadata(&path) {
        Ok(metadata) if metadata.len() > 0 => {}
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => return Ok(None),
    }
    let mut file = private_file(&path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Ok(None),
        Err(fs::TryLockError::Error(error)) => return Err(error),
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(Some(Spilled { lines: BufReader::new(file), path, read: 0, unreadable: Vec::new() }))
}

impl Spilled {
    /// The next rows; none at the end. The file may be larger than memory.
    pub(super) fn rows(&mut self) -> io::Result<Vec<Row>> {
        let (mut rows, mut line) = (Vec::new(), Vec::new());
        let mut held = 0;
        while held < MOST_AT_ONCE {
            let length = next_line(&mut self.lines, &mut line)?;
            if length == 0 {
                break;
            }
            let place = self.read..self.read + length;
            self.read = place.end;
            match serde_json::from_str(&String::from_utf8_lossy(&line)) {
                Ok(row) => {
                    rows.push(row);
                    held += length;
                }
                Err(_) if length == line.len() as u64 && line.trim_ascii().is_empty() => {}
                Err(_) => self.unreadable.push(place),
            }
        }
        Ok(rows)
    }

    /// Empties the file, once all of its rows are in the ledger. Lines that could not be read are appended to a file beside it,
    /// never deleted; returns the path of that file where there are any.
    pub(super) fn done(self) -> io::Result<Option<PathBuf>> {
        let mut file = self.lines.into_inner();
        let mut aside = None;
        if !self.unreadable.is_empty() {
            let path = with_suffix(&self.path, ".corrupt");
            let mut corrupt = private_file(&path)?;
            corrupt.seek(SeekFrom::End(0))?;
            for Range { start, end } in self.unreadable {
                file.seek(SeekFrom::Start(start))?;
                io::copy(&mut (&file).take(end - start), &mut corrupt)?;
            }
            // The last line may have had no end.
            corrupt.write_all(b"\n")?;
            aside = Some(path);
        }
        file.set_len(0)?;
        Ok(aside)
    }
}

/// Reads the next line with its end. A line that is no object, or too long, is passed by and left empty. Returns the length of the
/// line, which is 0 at the end.
fn next_line(lines: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<u64> {
    line.clear();
    if lines.fill_buf()?.first().is_none_or(|first| *first != b'{' && !first.is_ascii_whitespace()) {
        return Ok(lines.skip_until(b'\n')? as u64);
    }
    let length = lines.take(LONGEST_LINE).read_until(b'\n', line)? as u64;
    if length < LONGEST_LINE || line.ends_with(b"\n") {
        return Ok(length);
    }
    *line = Vec::new();
    Ok(length + lines.skip_until(b'\n')? as u64)
}
