//! The requests of a probe, in the order in which they can be made.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::call::Call;
use crate::chat::Request;
use crate::probe::context::{self, Search};
use crate::probe::{Answer, Question};
use crate::record::Record;
use crate::run::{Schedule, Step};

/// Which request of which model a call of the run is, by its index: calls of one model are as many indexes apart as there
/// are models.
#[derive(Debug, Clone)]
pub(super) struct Numbering {
    pub(super) models: usize,
    pub(super) questions: Vec<Question>,
}

impl Numbering {
    /// The place of the model among those of the run.
    pub(super) fn model(&self, index: usize) -> usize {
        index % self.models
    }

    /// The question; `None` for a prompt of the search for the context. Every question has two places: one for each time
    /// that it may be asked.
    pub(super) fn question(&self, index: usize) -> Option<Question> {
        let place = index / self.models;
        (place < self.long_prompts()).then(|| self.questions[place % self.questions.len()])
    }

    /// The place of the first prompt of the search.
    fn long_prompts(&self) -> usize {
        2 * self.questions.len()
    }

    fn index(&self, model: usize, place: usize) -> usize {
        place * self.models + model
    }
}

/// Asks the plain question of every model first. A model that answers it is asked the others, and long prompts one after
/// the other. A question that is refused is asked a second time, because some gateways answer 400 where they fail themselves.
#[derive(Debug)]
pub(super) struct ProbeSchedule {
    numbering: Numbering,
    /// A call to each model, whose request is replaced.
    base: Vec<Call>,
    searches: Vec<Option<Search>>,
    /// How many long prompts each model was sent, and how many tokens the last one had.
    long_prompts: Vec<(usize, u64)>,
    ready: VecDeque<Call>,
}

impl ProbeSchedule {
    pub(super) fn new(base: Vec<Call>, questions: Vec<Question>, searches: Vec<Option<Search>>) -> Self {
        let numbering = Numbering { models: base.len(), questions };
        let long_prompts = vec![(0, 0); base.len()];
        let mut schedule = Self { numbering, base, searches, long_prompts, ready: VecDeque::new() };
        for model in 0..schedule.base.len() {
            let call = schedule.question(model, 0);
            schedule.ready.push_back(call);
        }
        schedule
    }

    pub(super) fn numbering(&self) -> Numbering {
        self.numbering.clone()
    }

    /// All calls that may be made, as far as they are known before the run: of the long prompts the longest one.
    pub(super) fn planned(&self) -> Vec<Call> {
        let mut calls = Vec::new();
        for model in 0..self.base.len() {
            calls.extend((0..self.numbering.questions.len()).map(|place| self.question(model, place)));
            if let Some(search) = &self.searches[model] {
                calls.push(self.long_prompt(model, search.largest(), 0));
            }
        }
        calls
    }

    fn question(&self, model: usize, place: usize) -> Call {
        let question = self.numbering.questions[place % self.numbering.questions.len()];
        self.call(model, place, question.as_str().to_owned(), question.request())
    }

    fn long_prompt(&self, model: usize, tokens: u64, count: usize) -> Call {
        let place = self.numbering.long_prompts() + count;
        self.call(model, place, context::label(tokens), context::request(tokens))
    }

    fn call(&self, model: usize, place: usize, label: String, request: Request) -> Call {
        let base = &self.base[model];
        Call {
            caller: Arc::clone(&base.caller),
            role: base.role,
            label: Some(label),
            limits: base.limits.clone(),
            ..Call::new(self.numbering.index(model, place), base.asked.clone(), base.choices.clone(), Arc::new(request))
        }
    }

    /// Makes the next long prompt of a model ready, if its search is not over.
    fn search_on(&mut self, model: usize) {
        if let Some(tokens) = self.searches[model].as_ref().and_then(Search::next) {
            let count = self.long_prompts[model].0;
            self.long_prompts[model] = (count + 1, tokens);
            self.ready.push_back(self.long_prompt(model, tokens, count));
        }
    }
}

impl Schedule for ProbeSchedule {
    fn next(&mut self) -> Option<Step> {
        self.ready.pop_front().map(Step::Call)
    }

    fn ended(&mut self, call: &Call, record: &Record) {
        let model = self.numbering.model(call.index);
        let answer = Answer::of(record, 0, Vec::new());
        match self.numbering.question(call.index) {
            Some(Question::Plain) if answer.is_whole() => {
                let others: Vec<Call> =
                    (1..self.numbering.questions.len()).map(|place| self.question(model, place)).collect();
                self.ready.extend(others);
                self.search_on(model);
            }
            Some(_) => {
                let place = call.index / self.numbering.models;
                let is_first = place < self.numbering.questions.len() && place > 0;
                if is_first && answer.is_refusal() {
                    let again = self.question(model, place + self.numbering.questions.len());
                    self.ready.push_back(again);
                }
            }
            None => {
                let (_, tokens) = self.long_prompts[model];
                if let Some(search) = &mut self.searches[model] {
                    search.take(tokens, &answer);
                }
                self.search_on(model);
            }
        }
    }
}
