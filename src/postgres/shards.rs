//! Batches that several machines do in shards, in the database. Moments are those of its clock.

use postgres::{Error, Row};

use super::calls::{json, text};
use super::session::{Link, Session};
use crate::ids::new_id;
use crate::ledger::StoreError;
use crate::ledger::jobs::{JobProgress, JobState, SILENT_MS};
use crate::ledger::shards::{Joined, Place, Shard, ShardStart, ShardStore, SharedJob};

/// Whoever begins a shard takes turns, so that two that begin together find the same job.
const LOCK: &str = "LOCK TABLE batch_jobs IN SHARE ROW EXCLUSIVE MODE";

pub(super) struct Shards(pub(super) Link);

impl ShardStore for Shards {
    fn join(&mut self, start: &ShardStart, state: JobState, progress: &JobProgress) -> Result<Joined, StoreError> {
        self.0.transact(|session| join(session, start, state, progress))
    }

    fn note(&mut self, id: &str, state: JobState, progress: &JobProgress) -> Result<bool, StoreError> {
        self.0.transact(|session| note(session, id, state, progress))
    }

    fn jobs(&mut self) -> Result<Vec<SharedJob>, StoreError> {
        self.0.transact(|session| jobs(session, None))
    }
}

/// The shards of all jobs, or of the last job of a fingerprint.
const SHARDS: &str =
    "SELECT j.id, j.began_ms, j.of, j.input, s.id, s.shard, s.began_ms, s.seen_ms, s.state, s.is_replaced, s.via,
         s.models, s.total, s.ok, s.failed, s.truncated, s.picos,
         (extract(epoch FROM clock_timestamp()) * 1000)::int8 - s.seen_ms
     FROM batch_jobs AS j JOIN batch_shards AS s ON s.job = j.id
     WHERE $1::text IS NULL
         OR j.id = (SELECT id FROM batch_jobs WHERE fingerprint = $1 ORDER BY began_ms DESC, id DESC LIMIT 1)
     ORDER BY j.began_ms DESC, j.id DESC, s.shard, NOT s.is_replaced, s.began_ms";

fn jobs(session: &mut Session, fingerprint: Option<&str>) -> Result<Vec<SharedJob>, Error> {
    Ok(jobs_of(&session.query(SHARDS, &[&fingerprint])?))
}

/// The jobs of rows in which those of a job follow each other.
fn jobs_of(rows: &[Row]) -> Vec<SharedJob> {
    let mut jobs: Vec<SharedJob> = Vec::new();
    for row in rows {
        let id: String = row.get(0);
        if jobs.last().is_none_or(|job| job.id != id) {
            let (began_ms, of, input) = (row.get(1), row.get::<_, i64>(2).cast_unsigned(), row.get(3));
            jobs.push(SharedJob { id, began_ms, of, input, shards: Vec::new() });
        }
        if let Some(job) = jobs.last_mut() {
            job.shards.push(shard_of(row));
        }
    }
    jobs
}

fn shard_of(row: &Row) -> Shard {
    let count = |at: usize| row.get::<_, i64>(at).cast_unsigned();
    let state = JobState::parse(row.get(8));
    Shard {
        id: row.get(4),
        shard: count(5),
        began_ms: row.get(6),
        seen_ms: row.get(7),
        state,
        is_silent: state == JobState::Running && row.get::<_, i64>(17) >= SILENT_MS,
        is_replaced: row.get(9),
        via_api: row.get::<_, &str>(10) == "api",
        models: serde_json::from_str(row.get(11)).unwrap_or_default(),
        progress: JobProgress {
            total: row.get::<_, Option<i64>>(12).map(i64::cast_unsigned),
            ok: count(13),
            failed: count(14),
            truncated: count(15),
            picos: row.get(16),
            concurrency: 0,
        },
    }
}

fn join(session: &mut Session, start: &ShardStart, state: JobState, progress: &JobProgress) -> Result<Joined, Error> {
    session.client.batch_execute(LOCK)?;
    if note(session, &start.id, state, progress)? {
        let found = session.query("SELECT job FROM batch_shards WHERE id = $1", &[&start.id])?;
        let job = found.first().map_or_else(String::new, |row| row.get(0));
        let models = json(&start.models);
        session.execute("UPDATE batch_shards SET models = $2 WHERE id = $1", &[&start.id, &models])?;
        return Ok(Joined { job, resting_since_ms: None });
    }
    let last = jobs(session, Some(&start.fingerprint))?.pop();
    let fitting = last.as_ref().map(|job| (job, job.place(start.shard))).filter(|(_, place)| *place != Place::Anew);
    let joined = match fitting {
        Some((job, place)) => {
            if place == Place::Replaces {
                let sql = "UPDATE batch_shards SET is_replaced = true WHERE job = $1 AND shard = $2";
                session.execute(sql, &[&job.id, &start.shard.cast_signed()])?;
            }
            Joined { job: job.id.clone(), resting_since_ms: (!job.is_open()).then_some(job.began_ms) }
        }
        None => {
            let id = new_id().to_string();
            let sql = "INSERT INTO batch_jobs (id, fingerprint, began_ms, of, input)
                 VALUES ($1, $2, (extract(epoch FROM clock_timestamp()) * 1000)::int8, $3, $4)";
            session.execute(sql, &[&id, &start.fingerprint, &start.of.cast_signed(), &text(&start.input)])?;
            Joined { job: id, resting_since_ms: None }
        }
    };
    let via = if start.via_api { "api" } else { "calls" };
    // How it stands is noted next.
    let sql = "INSERT INTO batch_shards (id, job, shard, began_ms, seen_ms, state, is_replaced, via, models, ok, failed, truncated)
         VALUES ($1, $2, $3, (extract(epoch FROM clock_timestamp()) * 1000)::int8, 0, '', false, $4, $5, 0, 0, 0)";
    let models = json(&start.models);
    session.execute(sql, &[&start.id, &joined.job, &start.shard.cast_signed(), &via, &models])?;
    note(session, &start.id, state, progress)?;
    Ok(joined)
}

fn note(session: &mut Session, id: &str, state: JobState, progress: &JobProgress) -> Result<bool, Error> {
    let sql = "UPDATE batch_shards SET seen_ms = (extract(epoch FROM clock_timestamp()) * 1000)::int8, state = $2, total = $3,
             ok = $4, failed = $5, truncated = $6, picos = $7
         WHERE id = $1";
    let known = session.execute(
        sql,
        &[
            &id,
            &state.as_str(),
            &progress.total.map(u64::cast_signed),
            &progress.ok.cast_signed(),
            &progress.failed.cast_signed(),
            &progress.truncated.cast_signed(),
            &progress.picos,
        ],
    )?;
    Ok(known > 0)
}

/// Deletes the jobs whose shards have told nothing since this moment, or all.
pub(super) fn purge(session: &mut Session, before_ms: Option<i64>) -> Result<(), Error> {
    let sql = "DELETE FROM batch_jobs WHERE id IN (SELECT job FROM batch_shards GROUP BY job HAVING max(seen_ms) < $1)";
    session.execute(sql, &[&before_ms.unwrap_or(i64::MAX)]).map(drop)
}
