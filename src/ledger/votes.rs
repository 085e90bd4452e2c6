//! Which answers people and judges liked best.

use std::collections::BTreeMap;

use rusqlite::{Connection, Result, params, params_from_iter};

use super::read::{Condition, Filter};
use super::{LedgerWriter, Store, StoreError};

/// The scorer that stands for all judges together.
const JUDGES: &str = "judge";

/// Scores that differ by less are equal.
const EQUAL: f64 = 1e-9;

/// What a person chose among the answers of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// The id of the run.
    pub run: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The task by which the answers were routed, where it was the same for all.
    pub task: Option<String>,
    /// The ids of the calls in the order in which their answers were shown, each with whether it was chosen. Several that
    /// were chosen are equal.
    pub ballots: Vec<(String, bool)>,
}

/// One choice among answers, by a person or by judges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preference {
    /// The id of the run.
    pub run: String,
    /// The task of the run.
    pub task: Option<String>,
    /// The models that answered, each with whether its answer was chosen.
    pub models: Vec<(String, bool)>,
}

/// All choices that fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preferences {
    /// Those of people, in order.
    pub votes: Vec<Preference>,
    /// Those of judges: the answers with their best score. A run in which a model answered several times is left out.
    pub verdicts: Vec<Preference>,
}

impl LedgerWriter {
    /// Keeps a vote. Whether it could be kept is told by [`LedgerWriter::close`].
    pub fn record_vote(&self, vote: Vote) {
        self.submit(move |transaction| {
            let mut insert = transaction.prepare_cached("INSERT INTO votes (run, at_ms, task) VALUES (?1, ?2, ?3)")?;
            insert.execute(params![vote.run, vote.at_ms, vote.task])?;
            let id = transaction.last_insert_rowid();
            let mut insert = transaction
                .prepare_cached("INSERT INTO ballots (vote, place, call, chosen) VALUES (?1, ?2, ?3, ?4)")?;
            for (place, (call, chosen)) in vote.ballots.iter().enumerate() {
                insert.execute(params![id, place as i64, call, chosen])?;
            }
            Ok(())
        });
    }
}

/// The choices among answers of which at least one fits.
///
/// # Errors
///
/// Fails where the ledger cannot be read.
pub fn preferences(store: &Store, filter: &Filter) -> std::result::Result<Preferences, StoreError> {
    store.read(|connection| {
        let Condition { sql, values } = filter.condition(connection)?;
        Ok(Preferences { votes: votes(connection, &sql, &values)?, verdicts: verdicts(connection, &sql, &values)? })
    })
}

fn votes(connection: &Connection, condition: &str, values: &[rusqlite::types::Value]) -> Result<Vec<Preference>> {
    let sql = format!(
        "SELECT v.id, v.run, v.task, (SELECT name FROM names WHERE id = m.model), b.chosen
         FROM votes v JOIN ballots b ON b.vote = v.id JOIN calls m ON m.uuid = b.call
         WHERE v.id IN (SELECT vote FROM ballots JOIN calls c ON c.uuid = ballots.call{condition})
         ORDER BY v.id, b.place"
    );
    let mut select = connection.prepare(&sql)?;
    let mut rows = select.query(params_from_iter(values))?;
    let mut votes: BTreeMap<i64, Preference> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let vote =
            votes.entry(row.get(0)?).or_insert(Preference { run: row.get(1)?, task: row.get(2)?, models: Vec::new() });
        vote.models.push((row.get(3)?, row.get(4)?));
    }
    Ok(votes.into_values().collect())
}

fn verdicts(connection: &Connection, condition: &str, values: &[rusqlite::types::Value]) -> Result<Vec<Preference>> {
    let sql = format!(
        "SELECT r.uuid, (SELECT name FROM names WHERE id = m.task), (SELECT name FROM names WHERE id = m.model), s.score
         FROM scores s JOIN calls m ON m.uuid = s.call JOIN runs r ON r.id = m.run
         WHERE s.scorer = '{JUDGES}' AND s.score IS NOT NULL AND m.run IN (SELECT c.run FROM calls c{condition})
         ORDER BY m.run, m.place"
    );
    let mut select = connection.prepare(&sql)?;
    let mut rows = select.query(params_from_iter(values))?;
    let mut runs: Vec<JudgedRun> = Vec::new();
    while let Some(row) = rows.next()? {
        let (run, answer) = (row.get::<_, String>(0)?, (row.get(2)?, row.get(3)?));
        match runs.last_mut().filter(|last| last.run == run) {
            Some(last) => last.answers.push(answer),
            None => runs.push(JudgedRun { run, task: row.get(1)?, answers: vec![answer] }),
        }
    }
    Ok(runs.into_iter().filter(JudgedRun::is_fair).map(JudgedRun::preference).collect())
}

/// A run whose answers have scores by judges.
struct JudgedRun {
    run: String,
    task: Option<String>,
    /// The model and the score of each.
    answers: Vec<(String, f64)>,
}

impl JudgedRun {
    /// Whether there are several answers, each of another model.
    fn is_fair(&self) -> bool {
        let is_new = |place: usize| {
            let (before, model) = (&self.answers[..place], &self.answers[place].0);
            before.iter().all(|(other, _)| other != model)
        };
        self.answers.len() > 1 && (0..self.answers.len()).all(is_new)
    }

    fn preference(self) -> Preference {
        let best = self.answers.iter().map(|(_, score)| *score).fold(f64::NEG_INFINITY, f64::max);
        let models = self.answers.into_iter().map(|(model, score)| (model, best - score <= EQUAL)).collect();
        Preference { run: self.run, task: self.task, models }
    }
}
