//! A connection to the store, and the schema there.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{io, thread};

use postgres::config::SslMode;
use postgres::error::SqlState;
use postgres::types::ToSql;
use postgres::{Client, Config, Error, Row, Statement};
use secrecy::ExposeSecret as _;

use super::tls::{self, Parameters, Rules, Tls};
use crate::config::SharedStore;
use crate::ledger::StoreError;
use crate::resources;

/// The changes that lead from an empty database to the current schema, in order. Those that were released never change.
const MIGRATIONS: &[Migration] = &[
    Migration { sql: include_str!("schema-1.sql"), is_addition: false },
    Migration { sql: include_str!("schema-2.sql"), is_addition: true },
];

struct Migration {
    sql: &'static str,
    /// Whether an llm that does not know it can work with the database all the same.
    is_addition: bool,
}

/// The one number by which servers that start at the same time take turns with migrations.
const LOCK: i64 = 0x6c6c_6d00;

/// How long a connection may take, and how long the server of the database may say nothing, where the address does not say it.
const CONNECT: Duration = Duration::from_secs(3);
const SILENCE: Duration = Duration::from_secs(10);

/// After a connection has failed, others fail at once for this long.
const PAUSE: Duration = Duration::from_millis(500);

const IS_IT_THERE: &str = "does the database run, and is the url of [store] right?";

const POOLER: &str = "is there a pooler before it? It works in session mode alone (PgBouncer: pool_mode = session)";

/// Where the database is.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    tls: Tls,
    /// What is shown of it: neither user nor password.
    pub(super) shown: Arc<str>,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address").field("shown", &self.shown).finish_non_exhaustive()
    }
}

impl Address {
    /// Reads the address. What is wrong with it is not said in the words of the address, which may hold a password.
    ///
    /// # Errors
    /// It is none, what it says about TLS does not fit together, or certificates cannot be read.
    pub(super) fn read(settings: &SharedStore) -> Result<Self, crate::error::Error> {
        let read = Self::parse(settings).and_then(|(address, rules)| Ok(Self { tls: rules.tls()?, ..address }));
        read.map_err(|error| said_by(settings, error))
    }

    /// Finds what is wrong with it without reading certificates.
    ///
    /// # Errors
    /// As for [`Address::read`], but for the certificates.
    pub(super) fn check(settings: &SharedStore) -> Result<(), crate::error::Error> {
        Self::parse(settings).map(drop).map_err(|error| said_by(settings, error))
    }

    /// The address without its certificates, and what it says about them.
    fn parse(settings: &SharedStore) -> Result<(Self, Rules), crate::error::Error> {
        let unread = || {
            crate::error::Error::config_hint(
                "the url of [store] cannot be read",
                "as in postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=require; characters such as @ and / in the \
                 password are written as %40 and %2F",
            )
        };
        let (parameters, url) = Parameters::take(settings.url.expose_secret())?;
        let mut config: Config = url.parse().map_err(|_| unread())?;
        let hosts: Vec<String> = config
            .get_hosts()
            .iter()
            .map(|host| match host {
                postgres::config::Host::Tcp(name) => name.clone(),
                #[cfg(unix)]
                postgres::config::Host::Unix(path) => path.display().to_string(),
            })
            .collect();
        // After an @ in a password, the rest of it would pass for the host, and be shown.
        if hosts.is_empty()
            || hosts.iter().map(String::as_str).chain(config.get_dbname()).any(|name| name.contains('@'))
        {
            return Err(unread());
        }
        #[cfg(unix)]
        let is_of_this_machine = config.get_hosts().iter().all(|host| matches!(host, postgres::config::Host::Unix(_)));
        #[cfg(not(unix))]
        let is_of_this_machine = false;
        let shown = match config.get_dbname() {
            Some(name) => format!("postgres://{}/{name}", hosts.join(",")),
            None => format!("postgres://{}", hosts.join(",")),
        };
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        if config.get_application_name().is_none() {
            config.application_name("llm");
        }
        let rules = parameters.apply(settings.ca_file.as_deref())?;
        // A socket of this machine needs no encryption, and has no name that a certificate could hold.
        config.ssl_mode(if is_of_this_machine { SslMode::Disable } else { rules.mode });
        Ok((Self { config, tls: Tls::default(), shown: shown.into() }, rules))
    }

    pub(super) fn error(&self, cause: &Error) -> StoreError {
        if let Some(error) = cause.as_db_error() {
            let cause = match is_of_a_pooler(error.code()) {
                true => format!("{}; {POOLER}", error.message()),
                false => error.message().to_owned(),
            };
            return match is_about_the_data(error.code()) {
                true => StoreError::Refused { server: Arc::clone(&self.shown), cause },
                false => self.failed(cause),
            };
        }
        let mut words = cause.to_string();
        let mut source = std::error::Error::source(cause);
        while let Some(deeper) = source {
            words.push_str(&format!(": {deeper}"));
            source = deeper.source();
        }
        self.unreachable(words, tls::advice(cause).unwrap_or(IS_IT_THERE))
    }

    fn unreachable(&self, cause: String, hint: &'static str) -> StoreError {
        StoreError::Unreachable { server: Arc::clone(&self.shown), cause, hint }
    }

    /// How long it may take until there is a connection that can be used. The driver limits each socket's connection alone.
    fn patience(&self) -> Duration {
        let hosts = u32::try_from(self.config.get_hosts().len().max(1)).unwrap_or(u32::MAX);
        let each = self.config.get_connect_timeout().copied().unwrap_or(CONNECT);
        each.saturating_mul(hosts).saturating_add(self.config.get_tcp_user_timeout().copied().unwrap_or(SILENCE))
    }

    fn lacks(&self, error: io::Error) -> StoreError {
        StoreError::Shortage { server: Arc::clone(&self.shown), source: Arc::new(error) }
    }

    pub(super) fn failed(&self, cause: String) -> StoreError {
        StoreError::Shared { server: Arc::clone(&self.shown), cause }
    }
}

/// The error with file and line of the address, or its variable, in front of it.
fn said_by(settings: &SharedStore, error: crate::error::Error) -> crate::error::Error {
    match error {
        crate::error::Error::Config { message, cause, hint } => {
            crate::error::Error::Config { message: format!("{}: {message}", settings.said), cause, hint }
        }
        other => other,
    }
}

/// Whether the database would refuse the same data again: it is no value of its type (22), breaks a rule (23), or is larger than
/// the database allows (54). See <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn is_about_the_data(code: &SqlState) -> bool {
    ["22", "23", "54"].iter().any(|class| code.code().starts_with(class))
}

/// Whether the connection does not know what was prepared on it, or knows it twice, as where a pooler gives each transaction
/// another connection.
fn is_of_a_pooler(code: &SqlState) -> bool {
    [SqlState::DUPLICATE_PSTATEMENT, SqlState::INVALID_SQL_STATEMENT_NAME].contains(code)
}

/// A connection that is made when it is needed, and made again after a failure.
pub(super) struct Link {
    pub(super) address: Address,
    session: Option<Session>,
    failed: Option<(Instant, StoreError)>,
    /// What a thread will say that connects, for longer than somebody waited.
    attempt: Option<Receiver<Result<Client, Error>>>,
}

impl Link {
    pub(super) fn new(address: Address) -> Self {
        Self { address, session: None, failed: None, attempt: None }
    }

    /// The connection.
    ///
    /// # Errors
    /// The database cannot be reached, or its schema is not ours.
    pub(super) fn session(&mut self) -> Result<&mut Session, StoreError> {
        if self.session.as_ref().is_some_and(|session| session.client.is_closed()) {
            self.session = None;
        }
        if self.session.is_none() {
            if let Some((at, error)) = &self.failed
                && at.elapsed() < PAUSE
            {
                return Err(error.clone());
            }
            match self.connect().and_then(|client| Session::open(client, &self.address)) {
                Ok(session) => (self.session, self.failed) = (Some(session), None),
                Err(error) => {
                    self.failed = Some((Instant::now(), error.clone()));
                    return Err(error);
                }
            }
        }
        self.session.as_mut().ok_or_else(|| self.address.failed("there is no connection".to_owned()))
    }

    /// Connects. A database that takes the connection and then says nothing is waited for on a thread, at most one at a time.
    fn connect(&mut self) -> Result<Client, StoreError> {
        let patience = self.address.patience();
        let attempt = self.attempt.take().map_or_else(|| self.attempt(), Ok)?;
        match attempt.recv_timeout(patience) {
            Ok(connected) => connected.map_err(|error| self.address.error(&error)),
            Err(RecvTimeoutError::Timeout) => {
                self.attempt = Some(attempt);
                let cause = format!("it does not answer within {} s", patience.as_secs());
                Err(self.address.unreachable(cause, IS_IT_THERE))
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.address.failed("connecting failed".to_owned())),
        }
    }

    fn attempt(&self) -> Result<Receiver<Result<Client, Error>>, StoreError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let (config, tls) = (self.address.config.clone(), self.address.tls.clone());
        let connect = move || _ = sender.send(config.connect(tls));
        let thread = || thread::Builder::new().name("store".into()).spawn(connect);
        // One thread is ours, and one the driver's, which would panic without it.
        let started = resources::check_event_loop().and_then(|()| resources::check_threads(2)).and_then(|()| thread());
        started.map(|_| receiver).map_err(|error| self.address.lacks(error))
    }

    /// Does all of the work or, where it fails, none. The connection is given up after a failure.
    ///
    /// # Errors
    /// The work fails, or the database cannot be reached.
    pub(super) fn transact<T>(&mut self, work: impl FnOnce(&mut Session) -> Result<T, Error>) -> Result<T, StoreError> {
        let session = self.session()?;
        let done = session.begin().and_then(|()| work(session)).and_then(|done| session.commit().map(|()| done));
        done.map_err(|error| self.lost(&error))
    }

    /// Reads, for as long as that takes.
    ///
    /// # Errors
    /// The work fails, or the database cannot be reached.
    pub(super) fn read<T>(&mut self, work: impl FnOnce(&mut Session) -> Result<T, Error>) -> Result<T, StoreError> {
        let session = self.session()?;
        let done = session.client.batch_execute("SET statement_timeout = 0").and_then(|()| work(session));
        done.map_err(|error| self.lost(&error))
    }

    /// Gives the connection up, after this error.
    fn lost(&mut self, error: &Error) -> StoreError {
        self.close();
        self.address.error(error)
    }

    /// Gives the connection up.
    pub(super) fn close(&mut self) {
        self.session = None;
    }
}

/// Of a schema.
struct Version {
    /// The last change that everybody must know who uses it; 0 is none yet.
    needed: usize,
    /// The last change that was made.
    applied: usize,
    /// How the database keeps texts.
    encoding: String,
}

type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// An open connection to a database of our schema.
pub(super) struct Session {
    pub(super) client: Client,
    statements: HashMap<&'static str, Statement>,
}

impl Session {
    fn open(client: Client, address: &Address) -> Result<Self, StoreError> {
        let failed = |error| address.error(&error);
        let mut session = Self { client, statements: HashMap::new() };
        let limit = SILENCE.as_millis();
        session
            .client
            .batch_execute(&format!("SET statement_timeout = {limit}; SET search_path = llm"))
            .map_err(failed)?;
        let known = MIGRATIONS.len();
        let mut found = session.version().map_err(failed)?;
        if found.encoding != "UTF8" {
            let cause = format!(
                "its encoding is {}, which lacks characters that prompts have; `CREATE DATABASE llm ENCODING 'UTF8' TEMPLATE \
                 template0` makes a database of all characters",
                found.encoding
            );
            return Err(address.failed(cause));
        }
        if found.applied < known && found.needed <= known {
            found = session.migrate().map_err(failed)?;
        }
        if found.needed > known {
            let needed = found.needed;
            let cause = format!("its schema is of version {needed}, and this llm knows none above {known}");
            return Err(address.failed(cause));
        }
        Ok(session)
    }

    /// The version of the schema.
    fn version(&mut self) -> Result<Version, Error> {
        let sql =
            "SELECT to_regclass('llm.schema_version') IS NOT NULL, to_regclass('llm.schema_additions') IS NOT NULL,
                 current_setting('server_encoding')";
        let exists = self.client.query_one(sql, &[])?;
        let encoding = exists.get(2);
        let sql = match (exists.get(0), exists.get(1)) {
            (false, _) => return Ok(Version { needed: 0, applied: 0, encoding }),
            (true, false) => "SELECT max(version), 0 FROM llm.schema_version",
            (true, true) => {
                "SELECT (SELECT max(version) FROM llm.schema_version), (SELECT max(version) FROM llm.schema_additions)"
            }
        };
        let found = self.client.query_one(sql, &[])?;
        let number = |at: usize| found.get::<_, Option<i32>>(at).and_then(|number| usize::try_from(number).ok());
        let needed = number(0).unwrap_or(0);
        Ok(Version { needed, applied: number(1).unwrap_or(0).max(needed), encoding })
    }

    fn migrate(&mut self) -> Result<Version, Error> {
        // A transaction that began before the lock was taken would not see what others have made meanwhile.
        self.client.query("SELECT pg_advisory_lock($1)", &[&LOCK])?;
        self.begin()?;
        let found = self.version()?;
        if found.applied == 0 {
            let begin = "CREATE SCHEMA IF NOT EXISTS llm; CREATE TABLE llm.schema_version (version int4 PRIMARY KEY)";
            self.client.batch_execute(begin)?;
        }
        for (place, migration) in MIGRATIONS.iter().enumerate().skip(found.applied) {
            self.client.batch_execute(migration.sql)?;
            let version = i32::try_from(place + 1).unwrap_or(i32::MAX);
            let table = if migration.is_addition { "schema_additions" } else { "schema_version" };
            self.client.execute(&format!("INSERT INTO llm.{table} VALUES ($1)"), &[&version])?;
        }
        let found = self.version()?;
        self.commit()?;
        self.client.query("SELECT pg_advisory_unlock($1)", &[&LOCK])?;
        Ok(found)
    }

    pub(super) fn begin(&mut self) -> Result<(), Error> {
        self.client.batch_execute("BEGIN")
    }

    /// As [`Session::begin`], but what is changed may be lost with the power of the machine.
    pub(super) fn begin_soon(&mut self) -> Result<(), Error> {
        self.client.batch_execute("BEGIN; SET LOCAL synchronous_commit = off")
    }

    pub(super) fn commit(&mut self) -> Result<(), Error> {
        self.client.batch_execute("COMMIT")
    }

    fn statement(&mut self, sql: &'static str) -> Result<Statement, Error> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let statement = self.client.prepare(sql)?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    pub(super) fn query(&mut self, sql: &'static str, values: Values<'_>) -> Result<Vec<Row>, Error> {
        let statement = self.statement(sql)?;
        self.client.query(&statement, values)
    }

    pub(super) fn execute(&mut self, sql: &'static str, values: Values<'_>) -> Result<u64, Error> {
        let statement = self.statement(sql)?;
        self.client.execute(&statement, values)
    }
}
