//! What is done of a batch.

use crate::batch::line::has_answer;
use crate::batch::rows::RowHash;
use crate::record::Status;

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

    /// Notes the line of a row and model. Returns `false` where they have one already.
    pub fn add(&mut self, row: u64, hash: RowHash, model: &str, status: Status) -> bool {
        let place = self.place(model);
        let state = if has_answer(status) { State::Answered } else { State::Failed };
        let is_new = self.set(row, place, hash, state);
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

    /// How many lines are of models that are not among the first `asked`, which are those of this run.
    pub fn lines_of_others(&self, asked: usize) -> u64 {
        (asked..self.models.len()).map(|place| self.lines(place)).sum()
    }

    /// How many rows have a line, by place of the model.
    pub fn lines(&self, place: usize) -> u64 {
        let states = self.states.get(place).map(Vec::as_slice).unwrap_or_default();
        states.iter().filter(|state| **state != State::Open).count() as u64
    }
}
