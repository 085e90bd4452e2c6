//! Reads the lines of an output file again.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope};

use super::{LONGEST_LINE, OutputError, OutputFile, too_long};
use crate::batch::line::{Ended, Line};
use crate::batch::rows::RowHash;
use crate::call::Target;

/// Lines are parsed by blocks of so many bytes.
const BLOCK: usize = 1 << 20;

/// Files from so many bytes on are parsed on several threads.
const LARGE: u64 = 8 << 20;

/// The most threads that parse.
const MOST_THREADS: usize = 4;

/// So many blocks may wait for a thread, or have been parsed by it and wait to be noted.
const AHEAD: usize = 2;

/// What is noted of a line when a batch goes on or is summed up.
#[derive(Debug)]
pub struct Noted {
    pub row: u64,
    pub hash: RowHash,
    /// The id of the run, which lines share; empty where it is not told.
    pub run: Arc<str>,
    /// The name of the model, which lines share.
    pub model: Arc<str>,
    /// The models whose tries may have cost something that nobody told, once for each try.
    pub unknown_tries: Vec<Target>,
    pub ended: Ended,
}

/// What one block of lines says.
struct Block {
    noted: Vec<Noted>,
    /// The place of the first line in the block that no batch has written, and what is wrong with it.
    foreign: Option<(u64, String)>,
}

impl OutputFile {
    /// The first line; `None` where there is no whole one, as in a device.
    ///
    /// # Errors
    /// As for [`OutputFile::scan`].
    pub fn first<T>(&mut self, of: impl FnOnce(&Line<'_>) -> T) -> Result<Option<T>, OutputError> {
        let io = |source| OutputError::Io { path: self.path.clone(), source };
        let block = self.blocks().and_then(|mut blocks| blocks.next()).map_err(io)?.unwrap_or_default();
        let line = lines(&block).next().unwrap_or_default();
        match Line::parse(line) {
            Ok(line) => Ok(Some(of(&line))),
            Err(_) if line.last() != Some(&b'\n') => Ok(None),
            Err(error) => Err(self.foreign(1, error.to_string())),
        }
    }

    /// Calls `each` with what is noted of every line, in order. A large file is parsed on several threads.
    ///
    /// # Errors
    /// A line was not written by a batch, or the file cannot be read.
    pub fn scan(&mut self, each: impl FnMut(Noted)) -> Result<(), OutputError> {
        let length = self.file.metadata().map_or(0, |metadata| metadata.len());
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = if length < LARGE || cores < 2 { 0 } else { cores.min(MOST_THREADS) };
        self.scan_on(threads, each)
    }

    /// The same on so many threads besides this one.
    pub(super) fn scan_on(&mut self, threads: usize, mut each: impl FnMut(Noted)) -> Result<(), OutputError> {
        let io = |source| OutputError::Io { path: self.path.clone(), source };
        let mut blocks = self.blocks().map_err(io)?;
        let mut number = 0;
        let mut note = |block: Block| {
            let before = number;
            number += block.noted.len() as u64;
            block.noted.into_iter().for_each(&mut each);
            block.foreign.map_or(Ok(()), |(place, why)| Err(self.foreign(before + place, why)))
        };
        if threads == 0 {
            let mut texts = Shared::default();
            while let Some(block) = blocks.next().map_err(io)? {
                note(parsed(&block, &mut texts))?;
            }
            return Ok(());
        }
        thread::scope(|scope| {
            let mut parsers =
                (0..threads).map(|_| Parser::start(scope)).collect::<io::Result<VecDeque<_>>>().map_err(io)?;
            let (mut is_over, mut open) = (false, 0);
            // The parsers get blocks in turn, so their results come in the order of the file.
            loop {
                while !is_over && open < threads * AHEAD {
                    match blocks.next().map_err(io)? {
                        Some(block) => parsers[open % threads].give(block),
                        None => is_over = true,
                    }
                    open += usize::from(!is_over);
                }
                if open == 0 {
                    return Ok(());
                }
                note(parsers[0].take().map_err(io)?)?;
                parsers.rotate_left(1);
                open -= 1;
            }
        })
    }

    /// Calls `each` with every line and its bytes, in order. Returns whether the last line is cut off and was left out.
    ///
    /// # Errors
    /// As for [`OutputFile::scan`].
    pub fn scan_lines(&mut self, mut each: impl FnMut(&Line<'_>, &[u8])) -> Result<bool, OutputError> {
        let io = |source| OutputError::Io { path: self.path.clone(), source };
        let mut blocks = self.blocks().map_err(io)?;
        let (mut number, mut is_cut) = (0, false);
        while let Some(block) = blocks.next().map_err(io)? {
            for line in lines(&block) {
                number += 1;
                match Line::parse(line) {
                    Ok(parsed) if line.last() == Some(&b'\n') => each(&parsed, line),
                    Ok(parsed) => each(&parsed, &[line, b"\n"].concat()),
                    Err(_) if line.last() != Some(&b'\n') => is_cut = true,
                    Err(error) => return Err(self.foreign(number, error.to_string())),
                }
            }
        }
        Ok(is_cut)
    }

    /// The whole content. A device keeps nothing, and may never end.
    fn blocks(&self) -> io::Result<Blocks<'_>> {
        (&self.file).seek(SeekFrom::Start(0))?;
        let is_file = self.file.metadata()?.is_file();
        Ok(Blocks { file: &self.file, rest: Vec::new(), is_over: !is_file })
    }

    pub(super) fn foreign(&self, line: u64, why: String) -> OutputError {
        OutputError::Foreign { path: self.path.clone(), line, why }
    }
}

/// The lines of a block with their ends.
fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = block.get(start..).filter(|rest| !rest.is_empty())?;
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        start += end;
        Some(&rest[..end])
    })
}

/// Reads a file by blocks of whole lines. The last one may be without its end.
struct Blocks<'f> {
    file: &'f File,
    /// The beginning of the line that the last block did not have the end of.
    rest: Vec<u8>,
    is_over: bool,
}

impl Blocks<'_> {
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut block = Vec::with_capacity(self.rest.len() + BLOCK);
        block.append(&mut self.rest);
        while !self.is_over {
            if block.len() as u64 > LONGEST_LINE {
                return Err(too_long());
            }
            let read = self.file.take(BLOCK as u64).read_to_end(&mut block)?;
            self.is_over = read == 0;
            if let Some(end) = memchr::memrchr(b'\n', &block[block.len() - read..]) {
                let end = block.len() - read + end + 1;
                self.rest.extend_from_slice(&block[end..]);
                block.truncate(end);
                return Ok(Some(block));
            }
        }
        Ok((!block.is_empty()).then_some(block))
    }
}

/// The names of models and the ids of runs, so that lines of the same one share it.
#[derive(Default)]
struct Shared {
    models: Vec<Arc<str>>,
    runs: Vec<Arc<str>>,
}

/// The text in the list that is this one, which is added if it is missing.
fn shared(known: &mut Vec<Arc<str>>, text: &str) -> Arc<str> {
    // Lines of one run stand together.
    if let Some(known) = known.iter().rev().find(|known| ***known == *text) {
        return Arc::clone(known);
    }
    let text: Arc<str> = text.into();
    known.push(Arc::clone(&text));
    text
}

/// What the lines of a block say. A part of a line at its end is being written, or its writer was killed; the next run mends
/// it.
fn parsed(block: &[u8], texts: &mut Shared) -> Block {
    let mut noted = Vec::new();
    for line in lines(block) {
        match Line::parse(line) {
            Ok(line) => {
                let (model, run) = (shared(&mut texts.models, &line.model), shared(&mut texts.runs, &line.run));
                let (unknown_tries, ended) = (line.unknown_tries(), line.ended());
                noted.push(Noted { row: line.row, hash: line.row_hash, run, model, unknown_tries, ended });
            }
            Err(_) if line.last() != Some(&b'\n') => {}
            Err(error) => {
                let place = noted.len() as u64 + 1;
                return Block { noted, foreign: Some((place, error.to_string())) };
            }
        }
    }
    Block { noted, foreign: None }
}

/// A thread that parses blocks.
struct Parser {
    blocks: SyncSender<Vec<u8>>,
    parsed: Receiver<Block>,
}

impl Parser {
    fn start<'s>(scope: &'s Scope<'s, '_>) -> io::Result<Self> {
        let (blocks, received) = sync_channel::<Vec<u8>>(AHEAD);
        let (sender, results) = sync_channel(AHEAD);
        let parse = move || {
            let mut texts = Shared::default();
            // The thread ends when nobody waits for it any more.
            while let Ok(block) = received.recv() {
                if sender.send(parsed(&block, &mut texts)).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("lines".into()).spawn_scoped(scope, parse)?;
        Ok(Self { blocks, parsed: results })
    }

    fn give(&self, block: Vec<u8>) {
        // A thread that has ended has panicked, which `take` says.
        let _ = self.blocks.send(block);
    }

    fn take(&self) -> io::Result<Block> {
        self.parsed.recv().map_err(|_| io::Error::other("a thread that reads lines has ended"))
    }
}
