//! `llm serve`: runs the server, and keeps the keys of its clients.

mod keys;
mod signals;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use secrecy::ExposeSecret as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::timeout;

use self::signals::{Wish, Wishes};
use super::shared::{self, Shared};
use super::{Context, process};
use crate::cli::{ServeArgs, ServeCommand, ServeRunArgs};
use crate::config::{Env, LogLevel, Settings, SharedStore, parse_duration};
use crate::error::Error;
use crate::ledger::{Journal, LedgerWriter, Sink, Tell};
use crate::policy::budget::BudgetStore;
use crate::report;
use crate::report::term::{Terminal, WriteLimit, finish_writing, print, say, write_in_background_at_most};
use crate::resources;
use crate::run::{Notices, Recording, ShownWait};
use crate::secret::{Stores, Timeout};
use crate::serve::{Bounds, FirstToken, Hosts, LoadedConfig, Server, ServerStores};

/// How often is looked whether the config file has changed.
const LOOK: Duration = Duration::from_secs(1);

/// How often keys are read again at most while a gateway refuses its key.
const KEYS_AGAIN: Duration = Duration::from_secs(10);

/// The queue of connections that have not been accepted.
const BACKLOG: u32 = 1024;

/// The end of the server waits no longer than this until all calls are in the ledger.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);
/// And no longer than this until the store has what was spent.
const SETTLE_LIMIT: Duration = Duration::from_secs(3);
/// After a second signal, it waits for both no longer than this.
const LIMIT_AFTER_SIGNAL: Duration = Duration::from_millis(50);

/// The most that is kept of messages which nobody reads, in bytes: a stopped reader of stderr holds up no client.
const MOST_UNREAD: usize = 256 << 10;

/// The end of the server waits no longer than this for a reader of its messages.
const UNREAD_LIMIT: Duration = Duration::from_millis(200);

pub(super) fn run(context: Context, args: &ServeArgs) -> Result<u8, Error> {
    match &args.command {
        Some(ServeCommand::Key { command }) => keys::run(&context, command),
        None => serve(context, &args.run),
    }
}

fn serve(context: Context, args: &ServeRunArgs) -> Result<u8, Error> {
    write_in_background_at_most(MOST_UNREAD);
    let ended = serve_until_ended(context, args);
    let written = finish_writing(Some(WriteLimit::Whole(UNREAD_LIMIT)));
    ended.and_then(|()| written.map(|_| 0))
}

fn serve_until_ended(context: Context, args: &ServeRunArgs) -> Result<(), Error> {
    let bounds = bounds(args)?;
    let drain = span("--drain", &args.drain)?;
    let (terminal, quiet) = (context.terminal, context.quiet);
    let tell: Tell = Arc::new(move |text: &str| {
        if !quiet {
            say(report::error::notice(text, &terminal.stderr));
        }
    });
    let shared = Shared::new(&context.settings, |dir| LedgerWriter::new(dir).telling(Arc::clone(&tell)))?;
    let level = super::run::log_level(&context, args.log.level);
    let journal = journal(&context.settings, level, shared.journal, (shared.sinks)(), tell)?;
    let maker = Maker {
        at_start: AtStart::of(&context.settings),
        gateway: args.gateway.clone(),
        budgets: Arc::clone(&shared.budgets),
        first_token: Arc::clone(&shared.first_token),
        terminal,
        quiet,
        verbose: context.verbose,
    };
    journal.iter().for_each(Journal::check);
    let recording = journal.clone().map(|journal| Recording {
        ledger: Arc::new(journal),
        command: "serve",
        texts: level == LogLevel::Full,
        keys: std::collections::BTreeMap::new(),
        turn: None,
    });
    let watched = Watched::new(&context.settings);
    let loaded = maker.load(context.settings, None)?;
    let runtime = process::server_runtime()?;
    let ended = runtime.block_on(async {
        let listener = listen(args.listen)?;
        let address = listener.local_addr().map_err(|error| Error::system("the address is not known", &error))?;
        let (keys, rates) = (Arc::clone(&shared.keys), Arc::clone(&shared.rates));
        let stores = ServerStores { keys, rates, recording };
        let server = Server::new(loaded, stores, bounds, Hosts::new(address, args.hosts.clone()));
        let known = server.read_keys().await.map_err(|error| keys::failed(&error))?;
        let first = if known == 0 { Some(keys::first(&*shared.keys).await?) } else { None };
        server.read_keys().await.map_err(|error| keys::failed(&error))?;
        server.trace()?;
        tell_of_missing_classes(&server, &maker);
        // Whoever reads the address may send a signal at once.
        let mut wishes = Wishes::new()?;
        let shown = print(report::scoped_keys::started(address, first.as_ref()));
        shown.inspect_err(|_| first.iter().for_each(|made| keys::tell_unseen(&maker, &made.name)))?;
        let is_urgent = run_until_ended(&server, listener, &maker, (watched, &mut wishes), drain).await;
        hand_over(&*shared.budgets, journal.clone(), is_urgent, &mut wishes).await;
        Ok(())
    });
    // Names that do not resolve, and the like, must not hold up the end.
    runtime.shutdown_background();
    for text in shared.writer.map(|writer| writer.close().notices).unwrap_or_default() {
        maker.notice(&text);
    }
    ended.and_then(|()| check_losses(journal.map_or(0, |journal| journal.losses())))
}

/// # Errors
/// Calls have reached neither the store nor a file.
fn check_losses(count: u64) -> Result<(), Error> {
    if count == 0 {
        return Ok(());
    }
    let calls = report::format::count(count, "call is lost", "calls are lost");
    Err(Error::Storage {
        message: format!("{calls}, because no record could be written"),
        cause: None,
        hint: Some("`llm doctor` says whether the data directory can be written to".into()),
    })
}

/// Waits until the store has what belongs there, but not for long, and not after a second signal. What it does not get is not
/// lost where the data directory can be written to: calls are in a file, and reservations go on to count.
async fn hand_over(budgets: &dyn BudgetStore, journal: Option<Journal>, is_urgent: bool, wishes: &mut Wishes) {
    let limit = |usual: Duration| if is_urgent { LIMIT_AFTER_SIGNAL } else { usual };
    let (for_calls, for_budgets) = (limit(CLOSE_LIMIT), limit(SETTLE_LIMIT));
    let close = move || journal.iter().for_each(|journal| journal.close(for_calls));
    let on_thread = resources::on_thread(thread::Builder::new().name("end".into()), close.clone());
    let closed = async {
        match on_thread {
            Ok(closed) => closed.await.unwrap_or_default(),
            Err(_) => close(),
        }
    };
    let mut both = std::pin::pin!(async { tokio::join!(closed, timeout(for_budgets, budgets.flush())) });
    loop {
        tokio::select! {
            _ = &mut both => return,
            wish = wishes.next() => if wish == Wish::End { return },
        }
    }
}

/// What keeps the calls until they are recorded; `None` where they are not to be recorded.
fn journal(
    settings: &Settings,
    level: LogLevel,
    prefix: &'static str,
    sink: Box<dyn Sink>,
    tell: Tell,
) -> Result<Option<Journal>, Error> {
    if level == LogLevel::Off {
        return Ok(None);
    }
    let missing = || Error::no_home("calls", "LLM_DATA_DIR");
    let dir = settings.dirs.data.as_deref().ok_or_else(missing)?;
    let started = Journal::start(dir, prefix, sink, tell);
    started.map(Some).map_err(|error| Error::system("the system has no thread for the ledger", &error))
}

/// Serves until a signal ends it, with the config that the file has meanwhile. Returns whether a second signal has come.
async fn run_until_ended(
    server: &Arc<Server>,
    listener: TcpListener,
    maker: &Maker,
    (mut watched, wishes): (Watched, &mut Wishes),
    drain: Duration,
) -> bool {
    let mut looks = tokio::time::interval(LOOK);
    let (mut refused_keys, mut read_again) = (server.refused_keys(), None::<Instant>);
    let mut serving = std::pin::pin!(server.serve(listener));
    loop {
        let wish = tokio::select! {
            () = &mut serving => return false,
            wish = wishes.next() => wish,
            // Tokens end, and keys are replaced.
            Ok(()) = refused_keys.changed() => {
                if read_again.is_some_and(|at| at.elapsed() < KEYS_AGAIN) {
                    continue;
                }
                read_again = Some(Instant::now());
                let gateway = refused_keys.borrow_and_update().clone();
                maker.urgent(&format!("{gateway} refuses its key: keys are read again"));
                Wish::Reload
            }
            _ = looks.tick() => if watched.has_changed() { Wish::Reload } else { continue },
        };
        match wish {
            Wish::Reload => reload(server, maker, &watched.env).await,
            Wish::End => break,
        }
    }
    maker.notice("no new connections are taken; a second signal ends the server at once");
    let mut drained = std::pin::pin!(async { tokio::join!(&mut serving, server.drain(drain)).1 });
    loop {
        tokio::select! {
            stopped = &mut drained => {
                if stopped > 0 {
                    maker.urgent(&format!("{stopped} requests were stopped, because they took longer than --drain allows"));
                }
                return false;
            }
            wish = wishes.next() => if wish == Wish::End { return true },
        }
    }
}

fn tell_of_missing_classes(server: &Server, maker: &Maker) {
    for (key, missing) in server.keys_without_class() {
        maker.urgent(&keys::without_class(&key, &missing));
    }
}

/// Takes over the config as it is now. A bad one changes nothing.
async fn reload(server: &Arc<Server>, maker: &Maker, env: &Env) {
    let (for_thread, env, before) = (maker.clone(), env.clone(), server.loaded());
    // Keys are read, which may block.
    let load = move || Settings::load(env).and_then(|settings| for_thread.load(settings, Some(&before)));
    let loading = resources::on_thread(thread::Builder::new().name("config".into()), load);
    let loaded = match loading {
        Ok(loading) => loading.await.map_err(io::Error::other),
        Err(error) => Err(error),
    };
    match loaded.unwrap_or_else(|error| Err(Error::system("the config could not be read again", &error))) {
        Ok(loaded) => {
            server.renew(loaded).await;
            if let Err(failure) = server.trace() {
                say(report::error::error(&failure.into(), &maker.terminal.stderr));
            }
            maker.notice("the config was read again");
            tell_of_missing_classes(server, maker);
        }
        Err(error) => {
            say(report::error::error(&error, &maker.terminal.stderr));
            maker.urgent("the server goes on with the config that it had");
        }
    }
}

/// The settings that a server reads at its start alone.
#[derive(Clone)]
struct AtStart {
    store: Option<SharedStore>,
    log: LogLevel,
}

impl AtStart {
    fn of(settings: &Settings) -> Self {
        Self { store: settings.store.clone(), log: settings.log }
    }

    /// Those that are others now.
    fn changed(&self, settings: &Settings) -> Vec<&'static str> {
        let store = |store: &Option<SharedStore>| {
            store.as_ref().map(|store| (store.url.expose_secret().to_owned(), store.ca_file.clone()))
        };
        let all = [("[store]", store(&self.store) != store(&settings.store)), ("log", self.log != settings.log)];
        all.into_iter().filter_map(|(name, has_changed)| has_changed.then_some(name)).collect()
    }
}

/// Makes what a server holds, from settings.
#[derive(Clone)]
struct Maker {
    at_start: AtStart,
    gateway: Option<String>,
    budgets: Arc<dyn BudgetStore>,
    first_token: FirstToken,
    terminal: Terminal,
    quiet: bool,
    verbose: bool,
}

impl Maker {
    fn load(&self, settings: Settings, before: Option<&LoadedConfig>) -> Result<LoadedConfig, Error> {
        let timeout = Timeout::new(self.terminal.stderr.tty, settings.keyring_timeout);
        // A server has read it at its start. One that is another now must not keep the next from starting.
        shared::check(&settings)?;
        let stores = Stores::system(&settings.dirs, timeout);
        let shared = (Arc::clone(&self.budgets), Arc::clone(&self.first_token));
        let changed = self.at_start.changed(&settings);
        let loaded = LoadedConfig::new(settings, self.gateway.as_deref(), stores, self, shared, before)?;
        for name in changed {
            self.urgent(&format!("`{name}` has changed, which counts when the server is started again"));
        }
        self.detail(&format!("gateways: {}", loaded.gateways().collect::<Vec<_>>().join(", ")));
        Ok(loaded)
    }
}

impl Notices for Maker {
    fn notice(&self, text: &str) {
        if !self.quiet {
            self.urgent(text);
        }
    }

    fn urgent(&self, text: &str) {
        say(report::error::notice(text, &self.terminal.stderr));
    }

    fn detail(&self, text: &str) {
        if self.verbose {
            self.notice(text);
        }
    }

    /// A server has no line that could be drawn again, so this is a message.
    fn waiting(&self, text: &str) -> ShownWait {
        self.urgent(text);
        None
    }
}

/// The config file, by what tells that it was written.
struct Watched {
    env: Env,
    seen: Option<(SystemTime, u64)>,
}

impl Watched {
    fn new(settings: &Settings) -> Self {
        let mut watched = Self { env: settings.env.clone(), seen: None };
        watched.has_changed();
        watched
    }

    fn has_changed(&mut self) -> bool {
        let path = Settings::config_path(&self.env);
        let metadata = path.and_then(|path| std::fs::metadata(path).ok());
        let now = metadata.and_then(|metadata| Some((metadata.modified().ok()?, metadata.len())));
        std::mem::replace(&mut self.seen, now) != now
    }
}

/// Listens on this address, beside other servers that do: a new server takes over before the old one ends.
fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        #[cfg(unix)]
        if address.port() != 0 {
            socket.set_reuseport(true)?;
        }
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error| Error::system(format!("cannot listen on {address}"), &error))
}

fn span(flag: &str, text: &str) -> Result<Duration, Error> {
    parse_duration(text).map_err(|error| Error::usage(format!("{flag}: {error}")))
}

fn bounds(args: &ServeRunArgs) -> Result<Bounds, Error> {
    let idle = span("--idle", &args.idle)?;
    Ok(Bounds {
        max_in_flight: args.max_in_flight,
        max_waiting: args.max_waiting,
        max_wait: idle,
        max_body: args.max_body.saturating_mul(1 << 20),
        max_connections: args.max_connections.min(process::connections()),
        idle,
    })
}
