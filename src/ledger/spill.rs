//! Calls that could not be recorded, kept in a file until they can be.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
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

/// The rows of the file, locked until this is dropped.
#[derive(Debug)]
pub(super) struct Spilled {
    file: File,
    path: PathBuf,
    pub(super) rows: Vec<Row>,
    /// Lines that cannot be read as rows.
    unreadable: Vec<String>,
}

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
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
    for line in String::from_utf8_lossy(&bytes).lines().filter(|line| !line.trim().is_empty()) {
        match serde_json::from_str(line) {
            Ok(row) => rows.push(row),
            Err(_) => unreadable.push(line.to_owned()),
        }
    }
    Ok(Some(Spilled { file, path, rows, unreadable }))
}

impl Spilled {
    /// Empties the file, once all of its rows are in the ledger. Lines that could not be read are appended to a file beside it,
    /// never deleted; returns the path of that file where there are any.
    pub(super) fn done(self) -> io::Result<Option<PathBuf>> {
        let mut aside = None;
        if !self.unreadable.is_empty() {
            let path = with_suffix(&self.path, ".corrupt");
            let mut file = private_file(&path)?;
            file.seek(SeekFrom::End(0))?;
            for line in &self.unreadable {
                writeln!(file, "{line}")?;
            }
            aside = Some(path);
        }
        self.file.set_len(0)?;
        Ok(aside)
    }
}
