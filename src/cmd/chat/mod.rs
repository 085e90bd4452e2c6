//! `llm chat`: a conversation, turn by turn. Every turn is a run of its own, and recorded like one of `ask -c`.

mod command;
mod input;
mod list;
mod turn;
mod words;

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use self::command::Command;
use self::input::{Input, Line, NOT_TEXT};
use self::words::Words;
use super::conversation::{self, Conversation};
use super::request::Chosen;
use super::run::Session;
use super::{Context, attach, editor, models, request};
use crate::attachment;
use crate::catalog;
use crate::chat::{Message, Part, Role};
use crate::cli::ChatArgs;
use crate::config::LogLevel;
use crate::error::Error;
use crate::record::{Record, TotalCost};
use crate::report::chat as report;
use crate::report::destination::Destination;
use crate::report::error;
use crate::report::log;
use crate::report::term::{print, say};
use crate::resolve::{CallTemplate, Resolver};
use crate::route::NamedRoute;
use crate::run::Notices;

/// The name of the file with the history of prompts, in the data directory.
pub(super) const HISTORY: &str = "chat_history";

pub(super) fn run_chat(context: &Context, mut args: ChatArgs) -> Result<u8, Error> {
    if let Some(text) = &args.list {
        return list::run(context, text);
    }
    args.one.model = models::chosen(context, &args.prompt.to, args.one.model.take())?;
    let args = &args;
    refuse_senseless(args)?;
    // Nothing is asked whose answer would be lost.
    context.destination(None, None)?;
    let conversation = past(context, args)?;
    let resolver = context.resolver(args.prompt.to.gateway.as_deref());
    let chosen = Chosen::of(context, &args.one.template)?;
    let asked = model(&resolver, args, chosen.as_ref(), &conversation)?;
    let calls = request::prepare_base(context, &args.prompt, chosen.as_ref().map(Chosen::template))?;
    let mut input = Input::open(context, history(context, args))?;
    let mut chat = Chat::new(context, args, conversation, asked, calls);
    chat.chosen = chosen;
    chat.is_typed = input.is_terminal();
    chat.greet();
    let ended = chat.talk(&mut input);
    let code = chat.code;
    chat.session.end();
    ended.map(|()| code)
}

/// Refuses the flags of a prompt that mean nothing in a chat.
fn refuse_senseless(args: &ChatArgs) -> Result<(), Error> {
    let prompt = &args.prompt;
    let flags = [(prompt.out.path.is_some(), "--out"), (prompt.dry_run, "--dry-run"), (prompt.no_stdin, "--no-stdin")];
    match flags.iter().find(|(given, _)| *given) {
        Some((_, flag)) => Err(Error::usage_hint(
            format!("{flag} has no meaning in a chat"),
            "/save FILE writes the conversation; `llm ask` sends one prompt",
        )),
        None => Ok(()),
    }
}

/// The conversation to continue; an empty one where the flags ask for none.
fn past(context: &Context, args: &ChatArgs) -> Result<Conversation, Error> {
    let Some(id) = &args.one.continue_ else { return Ok(Conversation::default()) };
    let store = conversation::store(context)?;
    let row = match id.as_str() {
        "" => conversation::last(&store, &["chat", "ask"])?,
        id => conversation::named(&store, id, true)?.ok_or_else(|| Error::usage("there is no such conversation"))?,
    };
    Conversation::up_to(&store, row)
}

fn model(
    resolver: &Resolver<'_>,
    args: &ChatArgs,
    chosen: Option<&Chosen>,
    past: &Conversation,
) -> Result<NamedRoute, Error> {
    if let Some(model) = request::named_model(resolver, &args.one, chosen)? {
        return Ok(model);
    }
    past.model().map_or_else(|| resolver.default_model(), |model| resolver.model(&model))
}

/// Where prompts are kept for the next chat; nowhere if texts are not recorded.
fn history(context: &Context, args: &ChatArgs) -> Option<std::path::PathBuf> {
    let keeps = super::run::log_level(context, args.prompt.log.level) == LogLevel::Full;
    context.settings.dirs.data.as_ref().filter(|_| keeps).map(|dir| dir.join(HISTORY))
}

/// A chat in progress.
struct Chat<'a> {
    context: &'a Context,
    args: &'a ChatArgs,
    session: Session<'a>,
    conversation: Conversation,
    /// The model that is asked.
    asked: NamedRoute,
    /// Everything of a request besides its messages.
    template: CallTemplate,
    /// The template that the first prompt is put into, until it has been sent.
    chosen: Option<Chosen>,
    /// The system prompt, until it has been sent.
    system: Option<String>,
    /// What goes with the next prompt.
    attached: Vec<Part>,
    /// The models that the next prompt goes to instead.
    several: Vec<NamedRoute>,
    /// The last prompt, with what went with it.
    last: Option<Message>,
    /// The calls of this chat, with those that were taken back.
    records: Vec<Record>,
    /// The exit code of the last turn that failed.
    code: u8,
    /// Whether a person types.
    is_typed: bool,
}

impl<'a> Chat<'a> {
    fn new(
        context: &'a Context,
        args: &'a ChatArgs,
        conversation: Conversation,
        asked: NamedRoute,
        mut template: CallTemplate,
    ) -> Self {
        // The flags give the system prompt and attachments of the first turn.
        let messages = std::mem::take(&mut Arc::make_mut(&mut template.request).messages);
        let mut chat = Self {
            context,
            args,
            session: Session::new(context),
            conversation,
            asked,
            template,
            chosen: None,
            system: None,
            attached: Vec::new(),
            several: Vec::new(),
            last: None,
            records: Vec::new(),
            code: 0,
            is_typed: false,
        };
        for message in messages {
            let texts = message.parts.iter().filter_map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                _ => None,
            });
            match message.role {
                Role::System => chat.system = Some(texts.collect()),
                _ => chat.attached = message.parts.into_iter().filter(|part| !is_empty(part)).collect(),
            }
        }
        chat
    }

    /// Says how a chat works, and what is continued.
    fn greet(&self) {
        if !self.is_typed {
            return;
        }
        if !self.conversation.rows().is_empty() {
            let last = &self.conversation.rows()[self.conversation.rows().len().saturating_sub(1)..];
            _ = print(log::conversation(last, &self.context.terminal.now().stdout));
        }
        self.context.notice("/help lists commands; Ctrl-D ends the chat");
    }

    /// Takes prompts and commands until there are no more.
    fn talk(&mut self, input: &mut Input) -> Result<(), Error> {
        if let Some(prompt) = self.args.prompt.prompt.as_deref().filter(|prompt| *prompt != "-") {
            self.take(prompt, input)?;
        }
        loop {
            input.offer(self.words());
            let prompt = report::prompt(&self.status(), &self.context.terminal.now().stdout);
            match input.next(&prompt)? {
                Line::End => return Ok(()),
                Line::Interrupted => self.context.notice("Ctrl-D or /exit ends the chat"),
                Line::NotText => self.context.urgent(NOT_TEXT),
                Line::Text(text) if text.trim().is_empty() => {}
                Line::Text(text) => {
                    if self.take(&text, input)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Does what a line says. Returns whether the chat is over. An error of a command does not end it.
    fn take(&mut self, line: &str, input: &mut Input) -> Result<bool, Error> {
        let done = match Command::parse(line) {
            Ok(Some(Command::Exit)) => return Ok(true),
            Ok(Some(command)) => self.obey(command, input),
            Ok(None) => self.turn(command::unescaped(line), input),
            Err(error) => Err(error),
        };
        match done {
            Err(error @ (Error::Signalled(_) | Error::System { .. })) => Err(error),
            Err(error) if error.is_of_stdout() => Err(error),
            Err(error) => {
                say(error::error(&error, &self.context.terminal.now().stderr));
                self.code = error.exit_code();
                Ok(false)
            }
            Ok(()) => Ok(false),
        }
    }

    fn obey(&mut self, command: Command, input: &mut Input) -> Result<(), Error> {
        let resolver = self.context.resolver(self.args.prompt.to.gateway.as_deref());
        let stdout = self.context.terminal.now().stdout;
        match command {
            Command::Help => print(command::help(&stdout)),
            Command::Exit => Ok(()),
            Command::Model(None) => print(report::line(&format!("model: {}", self.asked.name))),
            Command::Model(Some(name)) => {
                self.asked = resolver.model(&name)?;
                self.context.notice(&format!("{} answers from now on", self.asked.name));
                Ok(())
            }
            Command::System(None) => {
                print(report::line(&format!("system: {}", self.system_prompt().unwrap_or("none"))))
            }
            Command::System(Some(text)) => {
                self.system = Some(request::text_or_file("/system", &text, self.template.timeout)?);
                self.context.notice("the system prompt goes with the next turn");
                Ok(())
            }
            Command::File(path) => {
                let named = attach::named(self.context, &path, false, self.template.timeout)?;
                attachment::check_sum(self.attached.iter().chain(&named).map(attachment::size).sum())?;
                self.attached.extend(named);
                self.context.notice(&format!("{path} goes with the next turn"));
                Ok(())
            }
            Command::Compare(names) => {
                self.several = names.iter().map(|name| resolver.model(name)).collect::<Result<_, _>>()?;
                self.context.notice(&format!("the next turn goes to {}", names.join(", ")));
                Ok(())
            }
            Command::Retry(name) => {
                let asked = name.map(|name| resolver.model(&name)).transpose()?;
                self.retry(asked, input)
            }
            Command::Edit(text) => {
                let text = editor::edited(&self.context.settings.env, &text, ".md")?;
                if text.trim().is_empty() {
                    self.context.notice("nothing was written, so nothing is sent");
                    return Ok(());
                }
                input.remember(text.trim_end());
                self.turn(text.trim_end(), input)
            }
            Command::Save { path, replaces } => self.save(&path, replaces),
            Command::Cost => print(report::costs(&self.records, &stdout)),
            Command::Undo => {
                match self.conversation.pop() {
                    Some(_) => self.context.notice("the last turn is taken back; the ledger keeps it"),
                    None => self.context.notice("there is no turn to take back"),
                }
                Ok(())
            }
        }
    }

    /// Writes the conversation to a file. A file that is there is replaced only if the command says so.
    fn save(&self, path: &str, replaces: bool) -> Result<(), Error> {
        let file = Path::new(path);
        if !replaces && file.is_file() {
            return Err(Error::usage_hint(format!("{path} exists already"), format!("/save! {path} replaces it")));
        }
        self.context.check_output(file)?;
        let destination = Destination::new(Some(file), self.context.terminal.now().stdout)?;
        let page = log::conversation(self.conversation.rows(), &destination.output());
        destination.write(page)?;
        self.context.notice(&format!("the conversation is in {path}"));
        Ok(())
    }

    /// The system prompt: the one that will be sent, else the last that was.
    fn system_prompt(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// Asks the last prompt again. Its earlier answer is no part of the conversation any more.
    fn retry(&mut self, asked: Option<NamedRoute>, input: &mut Input) -> Result<(), Error> {
        let Some(message) = self.last.clone().or_else(|| turn::last_prompt(&self.conversation)) else {
            return Err(Error::usage("there is no prompt to ask again"));
        };
        if turn::last_prompt(&self.conversation).as_ref() == Some(&message) {
            // A system prompt that went with the turn goes with it again.
            let taken_back = self.conversation.pop();
            self.system = self.system.take().or(taken_back.and_then(|row| turn::system_of(&row)));
        }
        if let Some(asked) = asked {
            self.asked = asked;
        }
        self.send(message, input)
    }

    fn turn(&mut self, prompt: &str, input: &mut Input) -> Result<(), Error> {
        let filled = self.chosen.as_ref().map(|chosen| chosen.fill(prompt)).transpose()?;
        let prompt = filled.as_ref().map_or(prompt, |filled| &filled.prompt);
        self.chosen = None;
        self.system = self.system.take().or_else(|| filled.as_ref().and_then(|filled| filled.system.clone()));
        let parts = request::parts(std::mem::take(&mut self.attached), prompt);
        self.send(Message { role: Role::User, parts }, input)
    }

    /// What is said in the line of the prompt: the model, the cost so far, the context that is used.
    fn status(&self) -> report::Status {
        let last = self.conversation.last();
        let used = last.and_then(|row| Some(row.tokens.input? + row.tokens.output?));
        let cost = self.records.iter().collect::<TotalCost>();
        report::Status {
            model: self.asked.name.clone(),
            cost: (!self.records.is_empty()).then_some(cost),
            used,
            window: used.and_then(|_| self.window()),
        }
    }

    /// How many tokens the model takes, as far as the list of its gateway is at hand.
    fn window(&self) -> Option<u64> {
        let row = self.conversation.last()?;
        let gateway = self.context.settings.gateway(&row.gateway).ok()?;
        let list = catalog::cached(&gateway, self.context.settings.dirs.cache.as_deref()?, SystemTime::now())?;
        list.find(&row.attempts.last()?.model)?.context
    }

    /// What can be completed: the names of models, as far as they are known without a request.
    fn words(&self) -> Words {
        let settings = &self.context.settings;
        let mut models: Vec<String> = settings.aliases.keys().cloned().collect();
        let resolver = self.context.resolver(self.args.prompt.to.gateway.as_deref());
        let gateway = resolver.default_gateway().and_then(|name| settings.gateway(&name)).ok();
        let list = gateway.zip(settings.dirs.cache.as_deref());
        let list = list.and_then(|(gateway, dir)| catalog::cached(&gateway, dir, SystemTime::now()));
        models.extend(list.into_iter().flat_map(|list| list.models).map(|model| model.id));
        models.push(self.asked.name.clone());
        models.sort_unstable();
        models.dedup();
        Words { models, ..Words::default() }
    }
}

fn is_empty(part: &Part) -> bool {
    matches!(part, Part::Text(text) if text.trim().is_empty())
}
