//! The lines of the output: a record, what its row was, and what the answer is worth.

use std::io;

use super::judging::Judgement;
use super::plan::{BatchPlan, PlannedWork};
use crate::batch::line::{self, Ended, FellBack, RowPart, Scored, WorthPart};
use crate::batch::{RowHash, RowInfo};
use crate::error::Error;
use crate::record::{Record, Status};
use crate::score::{Answers, Weighted, score};

/// Makes the lines of one job.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineMaker<'a> {
    job: &'a str,
    plan: RowHash,
    scorers: &'a [Weighted],
    work: &'a PlannedWork,
}

impl<'a> LineMaker<'a> {
    pub(super) fn new(plan: &'a BatchPlan, job: &'a str) -> Self {
        Self { job, plan: plan.hash(), scorers: &plan.scorers, work: &plan.work }
    }

    /// What the record of a call says of another model than the one that was asked first. The names of models are the same whether
    /// the call has just ended or the ledger has it.
    pub(super) fn fell_back(&self, record: &Record) -> Option<FellBack> {
        FellBack::of(record, self.work.targets())
    }

    /// The line of a record, and its figures. Of what led to it, `fallbacks` came from other models than were asked first.
    ///
    /// # Errors
    /// The line cannot be written as JSON.
    pub(super) fn line(
        &self,
        info: &RowInfo,
        record: &Record,
        judgement: Option<&Judgement>,
        fallbacks: &[FellBack],
    ) -> Result<(Vec<u8>, Ended), Error> {
        let expected = info.expected.as_deref();
        let is_whole = record.status == Status::Ok;
        let mut scores = self.scores(record, expected);
        scores.extend(judgement.map(|judgement| judgement.score.clone()));
        let worth = WorthPart {
            expected,
            correct: expected.filter(|_| is_whole).map(|expected| line::is_correct(&record.text, expected)),
            scores,
            judge_cost: judgement.and_then(|judgement| judgement.cost),
            fallbacks,
        };
        let row = RowPart {
            row: info.number,
            line: info.line,
            row_id: info.id.as_deref(),
            row_hash: info.hash,
            job: self.job,
            plan: self.plan,
        };
        let written = line::write(&row, record, &worth)
            .map_err(|error| Error::Output { target: "a line".into(), source: io::Error::other(error) })?;
        Ok((written, Ended::new(record, &worth)))
    }

    fn scores(&self, record: &Record, expected: Option<&str>) -> Vec<Scored> {
        if self.scorers.is_empty() || record.status != Status::Ok {
            return Vec::new();
        }
        let parts = score(self.scorers, &Answers { records: &[record], expected }).pop().unwrap_or_default();
        parts.into_iter().map(|part| Scored { by: part.scorer, score: part.score }).collect()
    }
}
