//! Changes to the config file by commands. Comments and the order of everything else stay as they are, and what would make
//! the file invalid is never written.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Key, Table, TableLike, Value};

use super::Env;
use super::settings::Settings;
use super::source::{LARGEST_CONFIG, Source};
use crate::error::Error;
use crate::input::behind_links;
use crate::private;

/// How the names of files begin and end that are about to become the config file. The directory may hold files of others.
const NEW: (&str, &str) = (".llm-config-", ".new");

/// A config file that is being changed. It may hold secret headers, so its text is not in `Debug`.
pub struct ConfigEdit {
    /// Where the file is, or will be.
    path: PathBuf,
    /// The text in the file; empty where there is none.
    before: String,
    document: DocumentMut,
    /// Held by a command that changes the file, from before it is read until it is written.
    _lock: Option<File>,
}

impl std::fmt::Debug for ConfigEdit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigEdit").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The parts of a key such as `gateway.corp.base_url` or `price."my-model".input`.
///
/// # Errors
/// It is no TOML key.
pub fn parse_key(key: &str) -> Result<Vec<String>, Error> {
    let parts = Key::parse(key).map_err(|_| {
        let hint = "parts are separated by dots; a part with other signs than letters, digits, - and _ is quoted: \
                    'price.\"a/b\".input'";
        Error::usage_hint(format!("`{key}` is no key of a config file"), hint)
    })?;
    // At the top of a file, `gateway = "x"` means the default gateway.
    let mut parts: Vec<String> = parts.iter().map(|part| part.get().to_owned()).collect();
    if parts == ["gateway"] {
        parts = vec!["default_gateway".to_owned()];
    }
    Ok(parts)
}

impl ConfigEdit {
    /// Reads the config file that the environment points to. One that is not there is empty.
    ///
    /// # Errors
    /// There is no place for a config file, or it cannot be read, or it is not TOML.
    pub fn open(env: &Env) -> Result<Self, Error> {
        Self::read(env, Settings::config_path(env).ok_or_else(no_place)?, None)
    }

    /// The same for a change: other commands that change the file wait until this value is dropped, so that of several
    /// changes at once none is lost.
    ///
    /// # Errors
    /// As for [`ConfigEdit::open`], or the directory of the file cannot be made or locked.
    pub fn begin(env: &Env) -> Result<Self, Error> {
        let path = Settings::config_path(env).ok_or_else(no_place)?;
        let lock = lock(&path).map_err(|source| Error::Output { target: path.display().to_string(), source })?;
        Self::read(env, path, lock)
    }

    fn read(env: &Env, path: PathBuf, lock: Option<File>) -> Result<Self, Error> {
        let source = Source::read(&path, false)?.unwrap_or_else(|| Source::new(&path, ""));
        let before = source.text().to_owned();
        let document = before.parse().map_err(|_| match Settings::from_text(env.clone(), &path, &before) {
            Err(error) => error,
            Ok(_) => Error::config(format!("{} cannot be changed by this command", path.display())),
        })?;
        Ok(Self { path, before, document, _lock: lock })
    }

    /// Where the file is, or will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The values that stand in the file.
    ///
    /// # Errors
    /// It is not TOML.
    pub fn values(&self) -> Result<toml::Table, Error> {
        toml::from_str(&self.before)
            .map_err(|error| Error::config(format!("{}: {}", self.path.display(), error.message())))
    }

    /// The settings that the changed file gives.
    ///
    /// # Errors
    /// They make no sense. The message names the line of the changed file.
    pub fn settings(&self, env: &Env) -> Result<Settings, Error> {
        Settings::from_text(env.clone(), &self.path, &self.text())
    }

    /// The settings that the file gave before.
    ///
    /// # Errors
    /// They make no sense.
    pub fn settings_before(&self, env: &Env) -> Result<Settings, Error> {
        Settings::from_text(env.clone(), &self.path, &self.before)
    }

    /// Sets a value. A comment behind the old value stays.
    ///
    /// # Errors
    /// A part of the key before its last one is no table.
    pub fn set(&mut self, key: &[String], value: Value) -> Result<(), Error> {
        match key {
            [name] if !self.document.contains_key(name) && self.insert_at_top(name, &value) => Ok(()),
            [first, _, ..] if !self.document.contains_key(first) => self.append(key, Item::Value(value)),
            _ => {
                let (last, table) = parent(self.document.as_table_mut(), key)?;
                match table.get_mut(last).and_then(Item::as_value_mut) {
                    Some(old) => {
                        let decor = old.decor().clone();
                        *old = value;
                        *old.decor_mut() = decor;
                    }
                    None => _ = table.insert(last, Item::Value(value)),
                }
                Ok(())
            }
        }
    }

    /// Puts a table in the place of another, or behind the others.
    ///
    /// # Errors
    /// A part of the key before its last one is no table.
    pub fn set_table(&mut self, key: &[String], mut table: Table) -> Result<(), Error> {
        if key.first().is_some_and(|first| !self.document.contains_key(first)) {
            place(&mut table, None);
            return self.append(key, Item::Table(table));
        }
        let (last, parent) = parent(self.document.as_table_mut(), key)?;
        let old = parent.get(last).and_then(Item::as_table);
        place(&mut table, old.and_then(Table::position));
        parent.insert(last, Item::Table(table));
        Ok(())
    }

    /// The table of this key, with its comments, as a file of its own; `None` where there is none.
    pub fn table(&self, key: &[String]) -> Option<String> {
        let mut item = self.document.as_item();
        for part in key {
            item = item.get(part)?;
        }
        let mut table = item.clone().into_table().ok()?;
        place(&mut table, None);
        let text = alone(key, Item::Table(table)).ok()?;
        Some(text.trim_start().to_owned())
    }

    /// Removes a value or a table, and tables around it that have nothing else. A comment directly above it goes too; those
    /// further up stay. Returns whether it was there.
    pub fn remove(&mut self, key: &[String]) -> bool {
        let Some(removed) = remove(self.document.as_table_mut(), key) else { return false };
        let kept = kept_of(&removed.comments);
        if !kept.is_empty() {
            self.keep_comments(&kept, removed.position);
        }
        true
    }

    /// Puts comments in front of the first table that is behind this place, or at the end of the file.
    fn keep_comments(&mut self, comments: &str, behind: Option<isize>) {
        let next = next_table(self.document.as_table(), behind);
        match next.and_then(|position| table_at(self.document.as_table_mut(), position)) {
            Some(table) => {
                let prefix = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or("\n").to_owned();
                table.decor_mut().set_prefix(format!("{comments}{prefix}"));
            }
            None => {
                let trailing = self.document.trailing().as_str().unwrap_or_default().to_owned();
                let gap = if self.document.is_empty() { "" } else { "\n" };
                self.document.set_trailing(format!("{gap}{comments}{trailing}"));
            }
        }
    }

    /// Writes the file whole, with the mode that it had; a new one is for this user alone. A link stays a link.
    ///
    /// # Errors
    /// It cannot be written, or another program has changed it since it was read.
    pub fn save(&self) -> Result<(), Error> {
        let fails = |source| Error::Output { target: self.path.display().to_string(), source };
        let now = Source::read(&self.path, false)?;
        if now.as_ref().map_or("", Source::text) != self.before {
            let message = format!("{} was changed by another program meanwhile", self.path.display());
            return Err(Error::config_hint(message, "nothing was written; run the command again"));
        }
        let text = self.text();
        if text.len() as u64 > LARGEST_CONFIG {
            let message = format!("{} would be larger than {} MiB", self.path.display(), LARGEST_CONFIG >> 20);
            return Err(Error::config_hint(message, "nothing was written"));
        }
        put(&self.path, &text, true).map_err(fails)
    }

    /// The file as it will be, with the line ends that it had.
    fn text(&self) -> String {
        let text = self.document.to_string();
        if self.before.contains("\r\n") { text.replace("\r\n", "\n").replace('\n', "\r\n") } else { text }
    }

    /// Puts a key that is not there below the comment that shows it, such as `# model = "…"`, or at the end of a file that has
    /// nothing but comments. Returns whether there was such a place.
    fn insert_at_top(&mut self, name: &str, value: &Value) -> bool {
        let text = self.document.to_string();
        let is_header = |line: &str| line.trim_start_matches(['#', ' ', '\t']).starts_with('[');
        let mut end = 0;
        let mut place = None;
        for line in text.split_inclusive('\n').take_while(|line| !is_header(line)) {
            end += line.len();
            let shown = line.trim_start().strip_prefix('#').and_then(|rest| rest.trim_start().strip_prefix(name));
            if shown.is_some_and(|rest| rest.trim_start().starts_with('=')) {
                place = Some(end);
            }
        }
        let only_comments = || self.document.is_empty().then_some(text.len());
        let Some(at) = place.or_else(only_comments) else { return false };
        let (before, after) = text.split_at(at);
        let newline = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
        let line = Key::new(name).display_repr().into_owned() + " = " + value.to_string().trim();
        match format!("{before}{newline}{line}\n{after}").parse() {
            Ok(document) => {
                self.document = document;
                true
            }
            Err(_) => false,
        }
    }

    /// Puts a table that is not there at the end of the file, behind its last comment.
    fn append(&mut self, key: &[String], item: Item) -> Result<(), Error> {
        let before = self.document.to_string();
        let blank = if before.trim().is_empty() { "" } else { "\n\n" };
        let text = format!("{}{blank}{}", before.trim_end(), alone(key, item)?.trim_start());
        self.document =
            text.parse().map_err(|error: toml_edit::TomlError| Error::config(error.message().to_owned()))?;
        Ok(())
    }
}

/// Writes a config file whole or not at all, as [`ConfigEdit::save`] does. Only with `replace` may there be one already.
///
/// # Errors
/// It cannot be written, or there is one.
pub fn write_config(path: &Path, text: &str, replace: bool) -> Result<(), Error> {
    let written = lock(path).and_then(|_lock| put(path, text, replace));
    written.map_err(|source| Error::Output { target: path.display().to_string(), source })
}

/// Puts the file in its place once all of it is on the disk.
fn put(path: &Path, text: &str, replace: bool) -> io::Result<()> {
    let target = behind_links(path);
    let old = fs::metadata(&target).ok();
    // Nothing else gives way to a file, such as a device.
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        return Err(io::Error::other("it is not a file"));
    }
    let mut file = tempfile::Builder::new().prefix(NEW.0).suffix(NEW.1).tempfile_in(directory(&target)?)?;
    file.write_all(text.as_bytes())?;
    if let Some(old) = old {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.as_file().sync_all()?;
    let put = if replace { file.persist(&target) } else { file.persist_noclobber(&target) };
    put.map(drop).map_err(|error| error.error)
}

/// The directory of a file, which is made where it is not there.
fn directory(file: &Path) -> io::Result<&Path> {
    let directory = file.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    private::create_dir(directory)?;
    Ok(directory)
}

/// Waits for the right to change the file. Returns `None` where the file system has no locks.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let target = behind_links(path);
    let directory = directory(&target)?;
    // The file itself cannot be locked, because each change puts another one in its place.
    #[cfg(unix)]
    let lock = File::open(directory)?;
    // Directories have no locks there.
    #[cfg(not(unix))]
    let lock = File::create(directory.join("config.lock"))?;
    match lock.lock() {
        Ok(()) => {
            private::remove_left_over(directory, NEW);
            Ok(Some(lock))
        }
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
        Err(error) => Err(error),
    }
}

/// The text of a file that has nothing but this.
fn alone(key: &[String], item: Item) -> Result<String, Error> {
    let mut document = DocumentMut::new();
    let (last, table) = parent(document.as_table_mut(), key)?;
    table.insert(last, item);
    Ok(document.to_string())
}

/// The last part of the key, and the table for it, which is made where it is not there.
fn parent<'k, 't>(root: &'t mut Table, key: &'k [String]) -> Result<(&'k str, &'t mut dyn TableLike), Error> {
    let (last, parents) = key.split_last().ok_or_else(|| Error::usage("the key is empty"))?;
    let mut table: &mut dyn TableLike = root;
    for part in parents {
        let item = table.entry(part).or_insert_with(|| {
            let mut new = Table::new();
            new.set_implicit(true);
            Item::Table(new)
        });
        table = item.as_table_like_mut().ok_or_else(|| {
            let message = format!("`{part}` is no table, so it has no `{last}`");
            Error::config_hint(message, "`llm config edit` opens the file")
        })?;
    }
    Ok((last, table))
}

/// Gives the table and those in it this place in the file; without one they stand behind what is before them.
fn place(table: &mut Table, position: Option<isize>) {
    table.set_position(position);
    for (_, item) in table.iter_mut() {
        if let Some(inner) = item.as_table_mut() {
            place(inner, position);
        }
    }
}

/// What was removed from a file.
struct Removed {
    /// The comments above it.
    comments: String,
    /// The place of the table that it was, or that it was in; `None` above all tables.
    position: Option<isize>,
}

fn remove(table: &mut Table, key: &[String]) -> Option<Removed> {
    let (first, rest) = key.split_first()?;
    if rest.is_empty() {
        let position = table.position();
        let next = next_value(table, first);
        let (name, item) = table.remove_entry(first)?;
        let (decor, position) = match &item {
            Item::Table(inner) => (inner.decor(), inner.position()),
            _ => (name.leaf_decor(), position),
        };
        let mut comments = decor.prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().to_owned();
        if let Some(mut next) = next.filter(|_| item.is_value()).and_then(|next| table.key_mut(&next)) {
            let decor = next.leaf_decor_mut();
            let prefix = decor.prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
            let kept = kept_of(&comments);
            let before = if comments.starts_with('\n') && !kept.is_empty() { "\n" } else { "" };
            let gap = if kept.is_empty() || prefix.starts_with('\n') { "" } else { "\n" };
            decor.set_prefix(format!("{before}{kept}{gap}{prefix}"));
            comments.clear();
        }
        return Some(Removed { comments, position });
    }
    let (removed, is_empty) = match table.get_mut(first)? {
        Item::Table(inner) => (remove(inner, rest)?, inner.is_empty()),
        Item::Value(Value::InlineTable(inner)) => {
            let [last] = rest else { return None };
            inner.remove(last)?;
            (Removed { comments: String::new(), position: None }, inner.is_empty())
        }
        _ => return None,
    };
    if !is_empty {
        return Some(removed);
    }
    // The comments of the table that is removed with its last value are the ones that may speak of others.
    let outer = remove(table, &key[..1])?;
    Some(if outer.comments.is_empty() { removed } else { outer })
}

/// What stays of the comments above something that is removed, with a line end: those before an empty line.
fn kept_of(comments: &str) -> String {
    let kept = comments.rsplit_once("\n\n").map_or("", |(kept, _)| kept).trim_start_matches('\n');
    if kept.is_empty() { String::new() } else { format!("{kept}\n") }
}

/// The name of the value behind this one, unless a table comes before it.
fn next_value(table: &Table, name: &str) -> Option<String> {
    let (next, item) = table.iter().skip_while(|(other, _)| *other != name).nth(1)?;
    item.is_value().then(|| next.to_owned())
}

/// The smallest place of a table behind this one.
fn next_table(table: &Table, behind: Option<isize>) -> Option<isize> {
    let inner = table.iter().filter_map(|(_, item)| item.as_table());
    let places = inner.flat_map(|inner| {
        let own = inner.position().filter(|place| !inner.is_implicit() && behind.is_none_or(|behind| *place > behind));
        own.into_iter().chain(next_table(inner, behind))
    });
    places.min()
}

fn table_at(table: &mut Table, position: isize) -> Option<&mut Table> {
    table.iter_mut().filter_map(|(_, item)| item.as_table_mut()).find_map(|inner| {
        if inner.position() == Some(position) && !inner.is_implicit() { Some(inner) } else { table_at(inner, position) }
    })
}

fn no_place() -> Error {
    Error::no_home("a config file", "LLM_CONFIG")
}

#[cfg(test)]
mod tests;
