//! The output file of a batch. A line in it is an answer that counts as done; the file alone says what is left to do.
//!
//! A line is written by one system call as soon as its call has ended, so the end of this process loses none that was written.
//! A process that is killed in the middle of a write leaves a part of a line at the end, which is removed. The file is locked
//! while a batch writes to it; the system releases the lock when the process ends, however it ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::line::{Ended, Line};
use super::rows::RowHash;

#[cfg(test)]
mod tests;

const BUFFER: usize = 256 << 10;

/// The most bytes of a line. No answer is that long; a file without line ends is no output, and is not read as a whole.
const LONGEST_LINE: u64 = 256 << 20;

/// Reads the next line with its end into the buffer, which is empty at the end of the file.
fn next_line(reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<u64> {
    buffer.clear();
    let length = reader.take(LONGEST_LINE + 1).read_until(b'\n', buffer)? as u64;
    if length > LONGEST_LINE { Err(too_long()) } else { Ok(length) }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a line is longer than {} MiB", LONGEST_LINE >> 20))
}

/// The file, locked and open for appending.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    file: File,
    /// The length up to the end of the last whole line.
    length: u64,
    /// Whether every line so far belongs to a later row than the one before it.
    is_in_order: bool,
    last: (u64, usize),
}

/// Why a file cannot be the output.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Another batch writes to it.
    #[error("another batch is writing to {}", .0.display())]
    Locked(PathBuf),
    /// It has lines, and the batch is not one that goes on.
    #[error("{} already has content", .0.display())]
    NotEmpty(PathBuf),
    /// A line of it was not written by a batch.
    #[error("line {line} of {} is not a line of a batch: {why}", path.display())]
    Foreign { path: PathBuf, line: u64, why: String },
    /// The system refuses to read or write it.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// What had to be done to the end of a file whose writer was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repaired {
    /// The last line is whole, or there is none.
    Nothing,
    /// The last line was whole, but its line end was missing.
    LineEnd,
    /// A part of a line was removed, of so many bytes.
    Removed(u64),
}

impl OutputFile {
    /// Opens the file and locks it. It is created where it is missing.
    ///
    /// # Errors
    /// Another batch has locked it, or it has content although the batch is new (`resume` is false), or the system refuses.
    pub fn open(path: &Path, resume: bool) -> Result<Self, OutputError> {
        let io = |source| OutputError::Io { path: path.to_owned(), source };
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if metadata.is_dir() {
            return Err(io(io::ErrorKind::IsADirectory.into()));
        }
        lock(&file, path)?;
        if metadata.is_file() && metadata.len() > 0 && !resume {
            return Err(OutputError::NotEmpty(path.to_owned()));
        }
        Ok(Self { path: path.to_owned(), file, length: metadata.len(), is_in_order: true, last: (0, 0) })
    }

    /// Opens a file to read its lines, whether a batch writes to it or not. `None` where there is none.
    ///
    /// # Errors
    /// The system refuses.
    pub fn open_to_read(path: &Path) -> Result<Option<Self>, OutputError> {
        match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(OutputError::Io { path: path.to_owned(), source }),
            Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_dir()) => {
                Err(OutputError::Io { path: path.to_owned(), source: io::ErrorKind::IsADirectory.into() })
            }
            // A device may never end.
            Ok(file) if !file.metadata().is_ok_and(|metadata| metadata.is_file()) => {
                Err(OutputError::Io { path: path.to_owned(), source: io::Error::other("it is not a file") })
            }
            Ok(file) => Ok(Some(Self { path: path.to_owned(), file, length: 0, is_in_order: true, last: (0, 0) })),
        }
    }

    /// The path as the user gave it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same file, to be synced by another thread.
    ///
    /// # Errors
    /// The system has no further descriptor.
    pub fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Mends the end of the file. What is missing of a line that was being written when its process was killed cannot be
    /// known, so that part is removed; a whole line is kept.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn repair(&mut self) -> Result<Repaired, OutputError> {
        self.try_repair().map_err(|source| OutputError::Io { path: self.path.clone(), source })
    }

    fn try_repair(&mut self) -> io::Result<Repaired> {
        let length = self.file.metadata()?.len();
        let start = last_line_start(&mut self.file, length)?;
        self.length = length;
        if start == length {
            return Ok(Repaired::Nothing);
        }
        let mut tail = Vec::new();
        self.file.seek(SeekFrom::Start(start))?;
        (&self.file).take(length - start).read_to_end(&mut tail)?;
        if Line::parse(&tail).is_ok() {
            self.file.write_all(b"\n")?;
            self.length = length + 1;
            return Ok(Repaired::LineEnd);
        }
        self.file.set_len(start)?;
        self.length = start;
        Ok(Repaired::Removed(length - start))
    }

    /// Calls `each` with every line, in order.
    ///
    /// # Errors
    /// A line was not written by a batch, or the file cannot be read.
    pub fn scan(&mut self, mut each: impl FnMut(&Line<'_>)) -> Result<(), OutputError> {
        self.scan_lines(|line, _| each(line))
    }

    /// The same, with the bytes of each line.
    ///
    /// # Errors
    /// As for [`OutputFile::scan`].
    pub fn scan_lines(&mut self, mut each: impl FnMut(&Line<'_>, &[u8])) -> Result<(), OutputError> {
        let io = |source| OutputError::Io { path: self.path.clone(), source };
        if !self.file.metadata().map_err(io)?.is_file() {
            // A device keeps nothing, and may never end.
            return Ok(());
        }
        self.file.seek(SeekFrom::Start(0)).map_err(io)?;
        let mut reader = BufReader::with_capacity(BUFFER, &self.file);
        let mut buffer = Vec::new();
        let mut number = 0;
        loop {
            if next_line(&mut reader, &mut buffer).map_err(io)? == 0 {
                return Ok(());
            }
            // A part of a line is being written, or its writer was killed; the next run mends it.
            if buffer.last() != Some(&b'\n') && Line::parse(&buffer).is_err() {
                return Ok(());
            }
            number += 1;
            let foreign = |error: serde_json::Error| OutputError::Foreign {
                path: self.path.clone(),
                line: number,
                why: error.to_string(),
            };
            let line = Line::parse(&buffer).map_err(foreign)?;
            if buffer.last() == Some(&b'\n') {
                each(&line, &buffer);
            } else {
                let whole = [&buffer[..], b"\n"].concat();
                each(&line, &whole);
            }
        }
    }

    /// Appends a line, which counts as written when this returns. `place` is the row and the place of its model.
    ///
    /// # Errors
    /// The line cannot be written, or the file is no longer at its path. The file then ends with the last whole line.
    pub fn append(&mut self, line: &[u8], place: (u64, usize)) -> io::Result<()> {
        if !self.is_in_place() {
            return Err(io::Error::other("the file was deleted, renamed or replaced"));
        }
        let mut rest = line;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return self.undo(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.undo(error),
            }
        }
        self.length += line.len() as u64;
        self.note_place(place);
        Ok(())
    }

    /// Notes a line that is in the file, to know whether the lines are in order.
    pub fn note_place(&mut self, place: (u64, usize)) {
        self.is_in_order &= place > self.last;
        self.last = place;
    }

    /// Removes the part of a line that could be written. Where that fails too, the next run does it.
    fn undo(&self, error: io::Error) -> io::Result<()> {
        let _ = self.file.set_len(self.length);
        Err(error)
    }

    /// Whether the file at the path is the one that is open.
    fn is_in_place(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
            match (fs::metadata(&self.path), self.file.metadata()) {
                (Ok(there), Ok(open)) => identity(there) == identity(open),
                _ => false,
            }
        }
        // Elsewhere a file that is open is neither deleted nor replaced.
        #[cfg(not(unix))]
        {
            self.path.exists()
        }
    }

    /// Writes the file anew with the lines that `keep` wants, in the order of rows and models if `sort`. The new file takes the
    /// place of the old one as a whole. `place_of` is the place of a model.
    ///
    /// # Errors
    /// The new file cannot be written; the old one is as it was.
    pub fn rewrite(
        &mut self,
        sort: bool,
        mut keep: impl FnMut(&Line<'_>) -> bool,
        place_of: impl Fn(&str) -> usize,
    ) -> Result<(), OutputError> {
        let mut index: Vec<(u64, u32, u64)> = Vec::new();
        let mut offset = 0;
        self.offsets(|line, length| {
            let parsed = Line::parse(line).map_err(io::Error::other)?;
            if keep(&parsed) {
                index.push((parsed.row, u32::try_from(place_of(&parsed.model)).unwrap_or(u32::MAX), offset));
            }
            offset += length;
            Ok(())
        })?;
        if sort {
            // Lines of one place keep their order.
            index.sort_unstable();
        }
        let path = self.path.clone();
        let file = self.copy(&index).map_err(|source| OutputError::Io { path, source })?;
        self.is_in_order = sort;
        self.length = file.metadata().map_or(self.length, |metadata| metadata.len());
        self.last = index.last().map_or((0, 0), |(row, place, _)| (*row, *place as usize));
        self.file = file;
        Ok(())
    }

    fn offsets(&mut self, mut each: impl FnMut(&[u8], u64) -> io::Result<()>) -> Result<(), OutputError> {
        let io = |source| OutputError::Io { path: self.path.clone(), source };
        self.file.seek(SeekFrom::Start(0)).map_err(io)?;
        let mut reader = BufReader::with_capacity(BUFFER, &self.file);
        let mut buffer = Vec::new();
        loop {
            let length = next_line(&mut reader, &mut buffer).map_err(io)?;
            if length == 0 {
                return Ok(());
            }
            each(&buffer, length).map_err(io)?;
        }
    }

    /// Copies the lines at these offsets to a new file, which takes the place of this one.
    fn copy(&self, index: &[(u64, u32, u64)]) -> io::Result<File> {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        let permissions = self.file.metadata()?.permissions();
        let temporary = builder.prefix(".llm-").permissions(permissions).append(true).tempfile_in(directory)?;
        let mut reader = BufReader::with_capacity(BUFFER, &self.file);
        let mut writer = BufWriter::with_capacity(BUFFER, temporary.as_file());
        let mut at = reader.seek(SeekFrom::Start(0))?;
        let mut buffer = Vec::new();
        for (_, _, offset) in index {
            let by = i64::try_from(*offset).unwrap_or(0) - i64::try_from(at).unwrap_or(0);
            reader.seek_relative(by)?;
            at = offset + next_line(&mut reader, &mut buffer)?;
            writer.write_all(&buffer)?;
        }
        writer.flush()?;
        drop(writer);
        temporary.as_file().sync_all()?;
        // The new file is locked before it can be seen, so that no other batch takes it.
        let _ = temporary.as_file().try_lock();
        temporary.persist(fs::canonicalize(&self.path)?).map_err(|error| error.error)
    }

    /// Whether the lines are in the order of rows and models.
    pub fn is_in_order(&self) -> bool {
        self.is_in_order
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// The disk has failed to keep it.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Locks the file for this batch. File systems without locks have none.
fn lock(file: &File, path: &Path) -> Result<(), OutputError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(OutputError::Locked(path.to_owned())),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Whether a batch is writing to the file at this path.
pub fn is_locked(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Where the last line begins; the length of the file where that line has its end.
fn last_line_start(file: &mut File, length: u64) -> io::Result<u64> {
    const STEP: u64 = 64 << 10;
    let mut end = length;
    let mut buffer = Vec::new();
    while end > 0 {
        if length - end > LONGEST_LINE {
            return Err(too_long());
        }
        let start = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(start))?;
        buffer.clear();
        (&*file).take(end - start).read_to_end(&mut buffer)?;
        if let Some(at) = memchr::memrchr(b'\n', &buffer) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// What is done of a batch, by row and model.
#[derive(Debug, Default)]
pub struct Done {
    /// The models by their place: first those of this run, then others that the file has answers of.
    models: Vec<String>,
    /// By place of the model and number of the row.
    states: Vec<Vec<State>>,
    /// By number of the row.
    hashes: Vec<RowHash>,
    /// How many lines came a second time for the same row and model. They do not count.
    pub repeated: u64,
}

/// What is known of a row and model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// There is no line.
    #[default]
    Open,
    /// There is an answer.
    Answered,
    /// The call failed.
    Failed,
}

impl Done {
    /// Nothing is done for these models.
    pub fn new(models: &[String]) -> Self {
        let states = models.iter().map(|_| Vec::new()).collect();
        Self { models: models.to_vec(), states, ..Self::default() }
    }

    /// The place of a model; a model that is not known gets the next one.
    pub fn place(&mut self, model: &str) -> usize {
        self.models.iter().position(|known| known == model).unwrap_or_else(|| {
            self.models.push(model.to_owned());
            self.states.push(Vec::new());
            self.models.len() - 1
        })
    }

    /// The names of all models, by place.
    pub fn models(&self) -> &[String] {
        &self.models
    }

    /// Notes a line. Returns `false` where the row and model have one already.
    pub fn add(&mut self, line: &Line<'_>) -> bool {
        let place = self.place(&line.model);
        let state = if line.has_answer() { State::Answered } else { State::Failed };
        let is_new = self.set(line.row, place, line.row_hash, state);
        self.repeated += u64::from(!is_new);
        is_new
    }

    /// Notes what is known of a row and model. Returns `false` where something is known already.
    pub fn set(&mut self, row: u64, place: usize, hash: RowHash, state: State) -> bool {
        let at = usize::try_from(row.saturating_sub(1)).unwrap_or(usize::MAX - 1);
        let states = &mut self.states[place];
        if states.len() <= at {
            states.resize(at + 1, State::Open);
        }
        if states[at] != State::Open {
            return false;
        }
        states[at] = state;
        if self.hashes.len() <= at {
            self.hashes.resize(at + 1, RowHash(0));
        }
        self.hashes[at] = hash;
        true
    }

    /// What is known of a row and model.
    pub fn state(&self, row: u64, place: usize) -> State {
        let at = usize::try_from(row - 1).unwrap_or(usize::MAX);
        self.states.get(place).and_then(|states| states.get(at)).copied().unwrap_or_default()
    }

    /// The hash that the row had when it was asked; `None` where no line is of it.
    pub fn hash(&self, row: u64) -> Option<RowHash> {
        let at = usize::try_from(row - 1).ok()?;
        let is_known = self.states.iter().any(|states| states.get(at).is_some_and(|state| *state != State::Open));
        self.hashes.get(at).copied().filter(|_| is_known)
    }

    /// Whether any model has an answer to the row.
    pub fn is_answered(&self, row: u64) -> bool {
        (0..self.models.len()).any(|place| self.state(row, place) == State::Answered)
    }

    /// The number of the last row of which there is a line; 0 where there is none.
    pub fn last_row(&self) -> u64 {
        self.hashes.len() as u64
    }

    /// How many rows have a line, by place of the model.
    pub fn lines(&self, place: usize) -> u64 {
        let states = self.states.get(place).map(Vec::as_slice).unwrap_or_default();
        states.iter().filter(|state| **state != State::Open).count() as u64
    }
}

/// Figures of a line with the model that they are of.
pub type Figures = (String, Ended);
