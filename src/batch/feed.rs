//! Turns the rows of a data set into what is asked, on a thread of its own, a little ahead of the calls.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{io, thread};

use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::backlog::Backlog;
use super::output::{Done, State};
use super::rows::{LINE_FIELD, Position, RawRow, RowHash, Rows};
use crate::attachment;
use crate::chat::Part;
use crate::config::{INPUT, nearest};
use crate::error::Error;
use crate::failpoint;
use crate::template::Template;

/// The field that holds the prompt where there is no template.
pub const PROMPT_FIELD: &str = "prompt";

/// How many rows are read ahead.
const AHEAD: usize = 128;

/// How many are read ahead where each has files, which may be large.
const AHEAD_WITH_FILES: usize = 4;

/// How a row becomes a prompt.
#[derive(Debug, Clone, Default)]
pub struct Recipe {
    /// The template; `None` takes the field `prompt`, or the line itself.
    pub template: Option<String>,
    /// The template of the system prompt, where it has fields of the row.
    pub system: Option<String>,
    /// What names of the templates mean that are no fields of the row.
    pub vars: BTreeMap<String, String>,
    /// The field whose value names the row, and that no other row may have.
    pub id: Option<String>,
    /// The field with the reference answer.
    pub expect: Option<String>,
    /// The field with the path of a file, or with a list of paths. They count from the directory of the data set.
    pub files: Option<String>,
    /// Where paths of files count from.
    pub directory: PathBuf,
    /// Whether the prompts were handed over earlier. Then files are not read, because they may be others by now; their names stand in
    /// for them.
    pub is_handed_over: bool,
    /// Files of `llm` itself that may hold keys, so that rows do not get them.
    pub private: Vec<PathBuf>,
}

/// Where systems show what processes hold, such as their environment.
const OF_SYSTEM: [&str; 3] = ["/proc", "/sys", "/dev"];

impl Recipe {
    /// Whether a file that a row names may hold keys, wherever the path leads. Rows may come from others.
    fn is_private(&self, path: &Path) -> bool {
        let Ok(path) = path.canonicalize() else { return false };
        let own = self.private.iter().filter_map(|own| own.canonicalize().ok());
        own.chain(OF_SYSTEM.map(PathBuf::from)).any(|own| path.starts_with(own))
    }
}

/// Which rows are asked.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// This part of so many: `(i, n)` has the rows i, i + n, i + 2n …, counted from 1.
    pub shard: Option<(u64, u64)>,
    /// The numbers of the rows of a sample, in ascending order.
    pub sample: Option<Arc<[u64]>>,
    /// The most rows.
    pub limit: Option<u64>,
}

impl Selection {
    /// Whether the row is in the shard and in the sample.
    pub fn has(&self, row: u64) -> bool {
        let in_shard = self.shard.is_none_or(|(i, n)| (row - 1) % n == i - 1);
        in_shard && self.sample.as_ref().is_none_or(|sample| sample.binary_search(&row).is_ok())
    }

    /// The numbers of a sample of rows, drawn from those that the shard has. The same seed draws the same rows of the same
    /// data set.
    ///
    /// # Errors
    /// The data set cannot be read.
    pub fn draw(&mut self, mut rows: Rows, size: u64, seed: u64) -> io::Result<()> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut drawn: Vec<u64> = Vec::new();
        let mut seen = 0u64;
        while let Some(row) = rows.read()? {
            if !self.has(row.number) {
                continue;
            }
            seen += 1;
            // Every row has the same chance to be in the sample (reservoir sampling, algorithm R).
            if drawn.len() as u64 >= size {
                let at = random.u64(0..seen);
                if let Some(slot) = usize::try_from(at).ok().and_then(|at| drawn.get_mut(at)) {
                    *slot = row.number;
                }
            } else {
                drawn.push(row.number);
            }
        }
        drawn.sort_unstable();
        self.sample = Some(drawn.into());
        Ok(())
    }
}

/// What is known of a row besides its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowInfo {
    /// From 1.
    pub number: u64,
    /// The line on which it begins, from 1.
    pub line: u64,
    pub hash: RowHash,
    /// The value of the id field.
    pub id: Option<String>,
    /// The reference answer.
    pub expected: Option<String>,
}

/// A row that is to be asked.
#[derive(Debug)]
pub struct Fed {
    pub info: RowInfo,
    /// What is asked, or why the row cannot be used.
    pub asked: Result<Asked, String>,
    /// The places of the models that have not answered it.
    pub models: Vec<usize>,
}

/// What is asked of a row.
#[derive(Debug, Clone)]
pub struct Asked {
    pub system: Option<String>,
    pub prompt: String,
    /// Images, documents and recordings; texts of files are in the prompt.
    pub parts: Vec<Part>,
}

impl Asked {
    /// In bytes, of texts alone: how many rows with files are read ahead is limited.
    fn size(&self) -> usize {
        self.prompt.len() + self.system.as_ref().map_or(0, String::len)
    }
}

/// Makes prompts of rows.
pub struct Cook<'r> {
    recipe: &'r Recipe,
    template: Option<Template<'r>>,
    system: Option<Template<'r>>,
    ids: HashSet<u64>,
}

impl std::fmt::Debug for Cook<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cook").field("recipe", &self.recipe).finish_non_exhaustive()
    }
}

impl<'r> Cook<'r> {
    /// Compiles the template.
    ///
    /// # Errors
    /// The template is invalid.
    pub fn new(recipe: &'r Recipe) -> Result<Self, Error> {
        let compiled = |what: &str, text: &'r Option<String>| {
            let compiled = text.as_deref().map(Template::new).transpose();
            compiled.map_err(|error| Error::usage(format!("{what}: {error}")))
        };
        let template = compiled("the template", &recipe.template)?;
        let system = compiled("the template of the system prompt", &recipe.system)?;
        Ok(Self { recipe, template, system, ids: HashSet::new() })
    }

    /// Checks a row for fields that the recipe needs, before anything is sent. Only for data sets in which every row has the
    /// same fields.
    ///
    /// # Errors
    /// A field is missing.
    pub fn check(&self, row: &RawRow) -> Result<(), Error> {
        let Ok(fields) = row.fields() else { return Ok(()) };
        let known = || fields.keys().map(String::as_str);
        let missing = |what: &str, name: &str| {
            let message = format!("{what} `{name}`, which the rows do not have");
            match nearest(name, known()) {
                Some(near) => Error::usage_hint(message, format!("did you mean `{near}`?")),
                None => Error::usage_hint(message, format!("their fields: {}", known().collect::<Vec<_>>().join(", "))),
            }
        };
        let used: BTreeSet<String> = self.template.iter().chain(&self.system).flat_map(Template::fields).collect();
        let values = self.values(&fields);
        if let Some(name) = used.iter().find(|name| !values.contains_key(*name)) {
            return Err(missing("the template uses", name));
        }
        let is_given = fields.contains_key(PROMPT_FIELD) || fields.contains_key(LINE_FIELD);
        if self.template.is_none() && !is_given {
            let hint =
                format!("--template \"… {{{{ {} }}}}\" makes a prompt of each row", known().next().unwrap_or("text"));
            return Err(Error::usage_hint(format!("there is no template, and no field `{PROMPT_FIELD}`"), hint));
        }
        let recipe = self.recipe;
        for (flag, field) in [("--id-field", &recipe.id), ("--expect", &recipe.expect), ("--file-field", &recipe.files)]
        {
            if let Some(name) = field.as_ref().filter(|name| !fields.contains_key(*name)) {
                return Err(missing(&format!("{flag} names"), name));
            }
        }
        Ok(())
    }

    /// What a row asks. An error of it is a text without the number of its line.
    pub fn cook(&mut self, row: &RawRow) -> (RowInfo, Result<Asked, String>) {
        let mut info = RowInfo { number: row.number, line: row.line, hash: row.hash(), id: None, expected: None };
        let asked = row.fields().and_then(|fields| {
            let recipe = self.recipe;
            let of = |name: &Option<String>| name.as_deref().map(|name| text_field(&fields, name)).transpose();
            info.id = of(&recipe.id)?;
            info.expected = of(&recipe.expect)?;
            if let Some(id) = &info.id
                && !self.ids.insert(RowHash::of([id.as_bytes()]).0)
            {
                return Err(format!("its id `{id}` is that of an earlier row"));
            }
            self.asked(&fields)
        });
        (info, asked)
    }

    /// What the names of the templates mean for this row: its fields, else the values for all rows. `input` is the row's
    /// prompt or line, unless it has such a field.
    fn values<'f>(&self, fields: &'f Map<String, Value>) -> Cow<'f, Map<String, Value>> {
        let input = fields.get(PROMPT_FIELD).or_else(|| fields.get(LINE_FIELD)).filter(|_| !fields.contains_key(INPUT));
        if self.recipe.vars.is_empty() && input.is_none() {
            return Cow::Borrowed(fields);
        }
        let vars = self.recipe.vars.iter().map(|(name, text)| (name.clone(), Value::String(text.clone())));
        let mut values: Map<String, Value> = vars.collect();
        values.extend(input.map(|input| (INPUT.to_owned(), input.clone())));
        values.extend(fields.clone());
        Cow::Owned(values)
    }

    fn asked(&self, fields: &Map<String, Value>) -> Result<Asked, String> {
        let values = self.values(fields);
        let render = |template: &Template<'_>| {
            template.render(&values).map_err(|error| format!("its prompt cannot be made: {error}"))
        };
        let system = self.system.as_ref().map(render).transpose()?;
        let prompt = match &self.template {
            Some(template) => render(template)?,
            None if fields.contains_key(PROMPT_FIELD) => text_field(fields, PROMPT_FIELD)?,
            None => text_field(fields, LINE_FIELD).map_err(|_| format!("it has no field `{PROMPT_FIELD}`"))?,
        };
        if prompt.trim().is_empty() {
            return Err("its prompt is empty".to_owned());
        }
        let mut asked = Asked { system, prompt, parts: Vec::new() };
        let (mut attached, mut bytes) = (Vec::new(), 0);
        for path in self.recipe.files.as_deref().map(|name| paths(fields, name)).transpose()?.unwrap_or_default() {
            if self.recipe.is_handed_over {
                let name = path.replace('"', "'");
                asked.prompt = format!("<file name=\"{name}\">\n(as it was handed over)\n</file>\n\n{}", asked.prompt);
                continue;
            }
            let path = if attachment::is_url(&path) {
                path
            } else {
                let path = self.recipe.directory.join(path);
                if self.recipe.is_private(&path) {
                    return Err(format!("{} may hold keys, so that no row may attach it", path.display()));
                }
                path.to_string_lossy().into_owned()
            };
            let told = |error: Error| {
                let cause = error.cause().map(|cause| format!(": {cause}")).unwrap_or_default();
                format!("{error}{cause}")
            };
            let part = attachment::file_or_image(&path).map_err(told)?;
            bytes += attachment::size(&part);
            attachment::check_sum(bytes).map_err(told)?;
            attached.push(part);
        }
        for part in attached {
            match part {
                Part::Text(text) => asked.prompt = format!("{text}\n\n{}", asked.prompt),
                part => asked.parts.push(part),
            }
        }
        Ok(asked)
    }
}

/// The value of a field as a text. A number or another value that is no text is as in JSON.
fn text_field(fields: &Map<String, Value>, name: &str) -> Result<String, String> {
    match fields.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Null) | None => Err(format!("it has no field `{name}`")),
        Some(other) => Ok(other.to_string()),
    }
}

/// The paths in a field: one, several in a list, or none where it is empty.
fn paths(fields: &Map<String, Value>, name: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("its field `{name}` is neither a path nor a list of paths");
    match fields.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(path)) if path.is_empty() => Ok(Vec::new()),
        Some(Value::String(path)) => Ok(vec![path.clone()]),
        Some(Value::Array(paths)) => {
            paths.iter().map(|path| path.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

/// The rows that are to be asked, as they come.
#[derive(Debug)]
pub struct Feed {
    rows: mpsc::Receiver<io::Result<Fed>>,
    backlog: Arc<Backlog>,
    /// A row that was waited for and not yet taken.
    waited: Option<io::Result<Fed>>,
    is_over: bool,
    /// How far the data set has been read.
    pub position: Position,
}

/// What there is in a [`Feed`] now.
#[derive(Debug)]
pub enum Next {
    Row(Box<Fed>),
    /// The next row is still being read.
    Later,
    /// There are no more rows.
    Over,
    /// The data set cannot be read any further.
    Broken(io::Error),
}

impl Feed {
    /// Reads the rows on a thread. Rows that are done for all of the first `models` models are left out.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(
        mut rows: Rows,
        recipe: Recipe,
        selection: Selection,
        done: Arc<Done>,
        models: usize,
    ) -> io::Result<Self> {
        let position = rows.position();
        let ahead = if recipe.files.is_some() { AHEAD_WITH_FILES } else { AHEAD };
        let (sender, receiver) = mpsc::channel(ahead);
        let backlog = Arc::new(Backlog::default());
        let waiting = Arc::clone(&backlog);
        let mut read = move |sender: &mpsc::Sender<_>| {
            // The template was checked when the command began.
            let Ok(mut cook) = Cook::new(&recipe) else { return };
            let mut left = selection.limit.unwrap_or(u64::MAX);
            while left > 0 {
                let row = match rows.read() {
                    Ok(Some(row)) => row,
                    Ok(None) => return,
                    Err(error) => {
                        let _ = sender.blocking_send(Err(error));
                        return;
                    }
                };
                if !selection.has(row.number) {
                    continue;
                }
                failpoint::reach("row");
                left -= 1;
                let open: Vec<usize> =
                    (0..models).filter(|place| done.state(row.number, *place) == State::Open).collect();
                if open.is_empty() && recipe.id.is_none() {
                    continue;
                }
                let (info, asked) = cook.cook(&row);
                if open.is_empty() {
                    continue;
                }
                // A data set from a pipe can only be compared with the earlier run as it comes.
                let changed =
                    done.is_answered(info.number) && done.hash(info.number).is_some_and(|hash| hash != info.hash);
                if changed {
                    let message =
                        format!("row {} (line {}) is not the row that was asked before", info.number, info.line);
                    let _ = sender.blocking_send(Err(io::Error::new(io::ErrorKind::InvalidData, message)));
                    return;
                }
                waiting.add(asked.as_ref().map_or(0, Asked::size), || sender.is_closed());
                if sender.blocking_send(Ok(Fed { info, asked, models: open })).is_err() {
                    return;
                }
            }
        };
        let feed = move || {
            if catch_unwind(AssertUnwindSafe(|| read(&sender))).is_err() {
                // A bug has told of itself. The rows after it were not asked.
                let _ = sender.blocking_send(Err(io::Error::other("the rows after it could not be read")));
            }
        };
        thread::Builder::new().name("rows".into()).spawn(feed)?;
        Ok(Self { rows: receiver, backlog, waited: None, is_over: false, position })
    }

    /// The next row, without waiting for it.
    pub fn take(&mut self) -> Next {
        let received = match self.waited.take() {
            Some(row) => Ok(row),
            None => self.rows.try_recv(),
        };
        match received {
            Ok(Ok(row)) => {
                self.backlog.remove(row.asked.as_ref().map_or(0, Asked::size));
                Next::Row(Box::new(row))
            }
            Ok(Err(error)) => {
                self.is_over = true;
                Next::Broken(error)
            }
            Err(mpsc::error::TryRecvError::Empty) => Next::Later,
            Err(mpsc::error::TryRecvError::Disconnected) => {
                self.is_over = true;
                Next::Over
            }
        }
    }

    /// Waits until [`Feed::take`] has something to say. Never ready once it is over.
    pub async fn changed(&mut self) {
        if self.is_over {
            return std::future::pending().await;
        }
        if self.waited.is_none() {
            self.waited = self.rows.recv().await;
        }
    }
}
