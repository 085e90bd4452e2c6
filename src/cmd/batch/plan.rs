//! What a batch is to do, from its arguments: models, template, rows, and the hashes by which a change is noticed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::batch::rows::{self, RawRow};
use crate::batch::{Cook, Done, Recipe, RowFormat, RowHash, Rows, Selection};
use crate::call::Target;
use crate::cli::{BatchRunArgs, InputFormat};
use crate::cmd::Context;
use crate::cmd::request::{self, key_value, prepare_base};
use crate::error::Error;
use crate::input::{self, Accept};
use crate::pipeline::{self, ResolvedStep};
use crate::resolve::{CallTemplate, PromptTemplate};
use crate::route::NamedRoute;
use crate::score::{Environment, Weighted};
use crate::secret::KeyFile;

/// The rows of a data set of no more bytes than this are counted before the batch begins. How far a larger one has been read
/// tells how far the batch is.
const COUNTED_UP_TO: u64 = 16 << 20;

/// The size limit of a file with a template, in bytes.
const LARGEST_TEMPLATE: u64 = 16 << 20;

/// What a batch is to do.
pub(super) struct BatchPlan {
    /// The names by which the output knows its models: as they were asked for, or the name of the pipeline.
    pub(super) names: Vec<String>,
    pub(super) work: PlannedWork,
    /// Everything of the requests but prompt and model.
    pub(super) base: CallTemplate,
    pub(super) recipe: Recipe,
    pub(super) selection: Selection,
    pub(super) scorers: Vec<Weighted>,
    /// The hashes of what shapes the requests, by what it is.
    pub(super) parts: BTreeMap<String, String>,
    pub(super) source: Source,
}

/// Who answers a row.
#[derive(Debug)]
pub(super) enum PlannedWork {
    Models(Vec<NamedRoute>),
    /// The steps of a pipeline, and the model of each.
    Pipeline(Vec<ResolvedStep>, Vec<NamedRoute>),
}

impl PlannedWork {
    /// How many calls a row takes for one name.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::Models(_) => 1,
            Self::Pipeline(steps, _) => steps.len(),
        }
    }

    /// Every model that may answer.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Target> {
        let (Self::Models(routes) | Self::Pipeline(_, routes)) = self;
        routes.iter().flat_map(|named| named.route.targets())
    }
}

/// Where the rows come from.
#[derive(Debug)]
pub(super) struct Source {
    /// As the user gave it.
    pub(super) path: PathBuf,
    format: Option<RowFormat>,
    /// What stdin held, where it has to be read more than once.
    spool: Option<File>,
}

impl Source {
    /// The rows from the first on. Stdin can be read once, unless it was [kept](Source::keep).
    pub(super) fn rows(&self) -> Result<Rows, Error> {
        let rows = match &self.spool {
            None => Rows::open(&self.path, self.format),
            Some(spool) => spool.try_clone().and_then(|mut file| {
                io::Seek::rewind(&mut file)?;
                let size = file.metadata()?.len();
                Rows::new(Box::new(file), Some(size), self.format)
            }),
        };
        rows.map_err(|source| self.unreadable(source))
    }

    pub(super) fn unreadable(&self, source: io::Error) -> Error {
        let path = if self.is_stdin() { PathBuf::from("standard input") } else { self.path.clone() };
        Error::Input { path, source }
    }

    fn is_stdin(&self) -> bool {
        self.path == Path::new("-")
    }

    /// Whether the rows come from a pipe, which no other command can read again.
    pub(super) fn is_pipe(&self) -> bool {
        self.is_stdin() || std::fs::metadata(&self.path).is_ok_and(|metadata| !metadata.is_file())
    }

    /// Whether the rows can be read only once.
    pub(super) fn is_stream(&self) -> bool {
        self.spool.is_none() && self.is_pipe()
    }

    /// The file that holds the rows; `None` where they come from a pipe.
    pub(super) fn file(&self) -> Option<PathBuf> {
        (self.spool.is_none() && !self.is_stream()).then(|| self.path.clone())
    }

    /// Keeps what a pipe holds in a file without a name, so that it can be read more than once.
    ///
    /// # Errors
    /// The pipe cannot be read, or the file not be written.
    pub(super) fn keep(&mut self) -> Result<(), Error> {
        if !self.is_stream() {
            return Ok(());
        }
        let copied = tempfile::tempfile().and_then(|mut file| {
            if self.is_stdin() {
                io::copy(&mut rows::stdin()?.lock(), &mut file)?;
            } else {
                io::copy(&mut rows::open(&self.path)?.0, &mut file)?;
            }
            Ok(file)
        });
        // The name still says the form of the rows.
        self.format = self.format.or_else(|| RowFormat::of_name(&self.path));
        self.spool = Some(copied.map_err(|source| self.unreadable(source))?);
        Ok(())
    }

    /// The first row, of a file whose rows all have the same fields: CSV and plain lines.
    fn first_of_a_table(&self) -> Result<Option<RawRow>, Error> {
        let is_table = match self.format.or_else(|| RowFormat::of_name(&self.path)) {
            Some(format) => format != RowFormat::Jsonl,
            None => false,
        };
        if self.is_stream() || !is_table {
            return Ok(None);
        }
        self.rows()?.read().map_err(|source| self.unreadable(source))
    }
}

impl BatchPlan {
    /// Reads everything that the arguments name, except the rows. Sends nothing.
    ///
    /// # Errors
    /// An argument is invalid, or a file cannot be read.
    pub(super) fn new(context: &Context, args: &BatchRunArgs) -> Result<Self, Error> {
        let Some(path) = &args.file else { return Err(Error::usage("which data set?")) };
        let (text, named) = template(context, args)?;
        let base = prepare_base(context, &args.prompt, named.as_ref())?;
        let (names, work) = work(context, args, named.as_ref())?;
        let source = Source { path: path.clone(), format: args.input_format.map(format), spool: None };
        let recipe = recipe(context, args, text, named.as_ref(), path)?;
        let cook = Cook::new(&recipe)?;
        if let Some(first) = source.first_of_a_table()? {
            cook.check(&first)?;
        }
        let mut parts = hashes(&recipe, &base)?;
        if let PlannedWork::Pipeline(steps, _) = &work {
            parts.insert("pipeline".into(), hash(&steps_text(steps)));
        }
        let selection = Selection { shard: args.shard, sample: None, limit: args.limit };
        let patience = request::timeout(args.prompt.timeout.as_deref())?;
        let key_variables = context.settings.key_variables();
        let environment = Environment { key_variables, patience, ..Environment::default() };
        let scorers = args.score.iter().map(|spec| scorer(spec, &environment)).collect::<Result<_, _>>()?;
        Ok(Self { names, work, base, recipe, selection, scorers, parts, source })
    }

    /// The place of a model among those that are asked.
    pub(super) fn place(&self, model: &str) -> Option<usize> {
        self.names.iter().position(|name| name == model)
    }

    /// Draws the sample, where one is wanted.
    ///
    /// # Errors
    /// The rows cannot be read.
    pub(super) fn draw(&mut self, args: &BatchRunArgs) -> Result<(), Error> {
        let Some(size) = args.sample else { return Ok(()) };
        self.source.keep()?;
        let drawn = self.selection.draw(self.source.rows()?, size, args.sample_seed);
        drawn.map_err(|source| self.source.unreadable(source))
    }

    /// How many rows are asked, by reading them all.
    ///
    /// # Errors
    /// The rows cannot be read.
    pub(super) fn count_all(&self) -> Result<u64, Error> {
        let limit = self.selection.limit.unwrap_or(u64::MAX);
        let mut rows = self.source.rows()?;
        let mut count = 0;
        while count < limit
            && let Some(row) = rows.read().map_err(|source| self.source.unreadable(source))?
        {
            count += u64::from(self.selection.has(row.number));
        }
        Ok(count)
    }

    /// How many lines the output has of so many rows. Those of models that are not asked any more stay in it.
    pub(super) fn lines(&self, rows: u64, done: &Done) -> u64 {
        rows * self.names.len() as u64 + done.lines_of_others(self.names.len())
    }

    /// How many rows are asked, where that can be found out at once.
    pub(super) fn count(&self) -> Option<u64> {
        let limit = self.selection.limit.unwrap_or(u64::MAX);
        if let Some(sample) = &self.selection.sample {
            return Some(limit.min(sample.len() as u64));
        }
        if self.source.is_stream() {
            return None;
        }
        self.source.rows().ok()?.position().size.filter(|size| *size <= COUNTED_UP_TO)?;
        // What cannot be read is told when it is read again.
        self.count_all().ok()
    }

    /// The hash of everything that shapes the requests besides the row and the model.
    pub(super) fn hash(&self) -> RowHash {
        RowHash::of(self.parts.iter().flat_map(|(name, hash)| [name.as_bytes(), hash.as_bytes()]))
    }
}

/// A scorer that looks at one answer alone, which is all that a batch has when it writes the line.
fn scorer(spec: &str, environment: &Environment) -> Result<Weighted, Error> {
    let name = spec.split([':', '*']).next().unwrap_or(spec);
    if ["agreement", "shortest", "fastest", "cheapest"].contains(&name) {
        let hint = "exact, contains, regex, schema and confidence judge each answer by itself; `llm compare` compares";
        return Err(Error::usage_hint(format!("score `{name}` compares answers with each other"), hint));
    }
    let weighted = Weighted::parse(spec, environment)?;
    if weighted.scorer.is_slow() {
        let hint = "the output has a JSON line for each answer, which the program can read afterwards";
        return Err(Error::usage_hint(
            format!("score `{name}` runs a program for each answer, which a batch does not"),
            hint,
        ));
    }
    Ok(weighted)
}

fn format(format: InputFormat) -> RowFormat {
    match format {
        InputFormat::Jsonl => RowFormat::Jsonl,
        InputFormat::Csv => RowFormat::Csv,
        InputFormat::Tsv => RowFormat::Tsv,
        InputFormat::Lines => RowFormat::Lines,
    }
}

/// The text of the template, or the template of the config, that the arguments name.
fn template(context: &Context, args: &BatchRunArgs) -> Result<(Option<String>, Option<PromptTemplate>), Error> {
    let Some(given) = args.prompt.prompt.as_deref().or(args.template.as_deref()) else { return Ok((None, None)) };
    if let Some(path) = given.strip_prefix('@') {
        let patience = request::timeout(args.prompt.timeout.as_deref())?;
        let text = input::read_text(Path::new(path), LARGEST_TEMPLATE, Accept::FilesAndPipes(patience))
            .map_err(|source| Error::unreadable(Path::new(path), source))?;
        return Ok((Some(text), None));
    }
    let is_text = args.prompt.prompt.is_some() || given.contains("{{") || given.contains("{%");
    if is_text && !context.settings.templates.contains_key(given) {
        return Ok((Some(given.to_owned()), None));
    }
    let named = PromptTemplate::load(&context.settings, given)?;
    Ok((named.settings.prompt.clone(), Some(named)))
}

fn recipe(
    context: &Context,
    args: &BatchRunArgs,
    template: Option<String>,
    named: Option<&PromptTemplate>,
    path: &Path,
) -> Result<Recipe, Error> {
    let mut vars = named.map(|named| named.settings.vars.clone()).unwrap_or_default();
    for var in &args.var {
        let (name, value) = key_value(var, "--var", "NAME=VALUE")?;
        vars.insert(name, value);
    }
    // A system prompt of the flags wins over that of the template.
    let system = named.filter(|_| args.prompt.system.is_none()).and_then(|named| named.settings.system.clone());
    let keys = context.settings.dirs.data.iter().map(|dir| KeyFile::in_dir(dir).path());
    Ok(Recipe {
        template,
        system,
        vars,
        id: args.id_field.clone(),
        expect: args.expect.clone(),
        files: args.file_field.clone(),
        directory: path.parent().map(Path::to_owned).unwrap_or_default(),
        is_handed_over: false,
        private: keys.chain(context.settings.config_path.clone()).collect(),
    })
}

/// The models that are asked, each once.
fn work(
    context: &Context,
    args: &BatchRunArgs,
    named: Option<&PromptTemplate>,
) -> Result<(Vec<String>, PlannedWork), Error> {
    let resolver = context.resolver(args.prompt.to.gateway.as_deref());
    if let Some(name) = &args.pipeline {
        let steps = pipeline::load(&context.settings, name)?;
        let model = |resolved: &ResolvedStep| match (resolved.model(), resolved.task()) {
            (Some(model), _) => resolver.model(model),
            (None, Some(task)) => resolver.task(task),
            (None, None) => resolver.default_model(),
        };
        let models = steps.iter().map(model).collect::<Result<_, _>>()?;
        return Ok((vec![name.clone()], PlannedWork::Pipeline(steps, models)));
    }
    let mut models = args.model.iter().map(|name| resolver.model(name)).collect::<Result<Vec<_>, _>>()?;
    for task in &args.task {
        models.push(resolver.task(task)?);
    }
    if let Some(set) = &args.set {
        models.extend(resolver.set(set)?);
    }
    if models.is_empty() {
        let settings = named.map(|named| &named.settings);
        models.push(match settings.map(|settings| (&settings.model, &settings.task)) {
            Some((Some(model), _)) => resolver.model(model)?,
            Some((None, Some(task))) => resolver.task(task)?,
            _ => resolver.default_model()?,
        });
    }
    let names: Vec<String> = models.iter().map(|model| model.name.clone()).collect();
    if let Some((_, twice)) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        return Err(Error::usage(format!("`{twice}` is named twice; a batch asks each model once for a row")));
    }
    Ok((names, PlannedWork::Models(models)))
}

/// The first 16 digits of a hash.
/// All that shapes the requests of these steps.
fn steps_text(steps: &[ResolvedStep]) -> String {
    steps.iter().map(|resolved| format!("{:?} {:?}\n", resolved.step, resolved.settings())).collect()
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The hashes of what shapes every request.
fn hashes(recipe: &Recipe, base: &CallTemplate) -> Result<BTreeMap<String, String>, Error> {
    let request = serde_json::to_string(&*base.request).map_err(|error| Error::usage(error.to_string()))?;
    let mut parts = BTreeMap::from([("parameters".to_owned(), hash(&request))]);
    parts.insert("template".into(), hash(&format!("{:?} {:?}", recipe.template, recipe.vars)));
    if let Some(system) = &recipe.system {
        parts.insert("system prompt".into(), hash(system));
    }
    if let Some(files) = &recipe.files {
        parts.insert("--file-field".into(), hash(files));
    }
    Ok(parts)
}
