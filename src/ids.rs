//! The ids of calls, jobs, reservations and the like. It uses nothing else of this package.

use std::sync::Mutex;
use std::time::SystemTime;

use uuid::{ContextV7, Timestamp, Uuid};

/// What orders ids of the same time, and those that are made after the clock was set back.
static ORDER: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// An id that no other has, and that comes behind those which this process has made before. A clock that is set to a time before
/// 1970 while the process runs, which `Uuid::now_v7` panics at, changes nothing about that.
pub(crate) fn new_id() -> Uuid {
    id_at(SystemTime::now())
}

fn id_at(now: SystemTime) -> Uuid {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(&ORDER, since.as_secs(), since.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ids_are_in_order_whatever_the_clock_says() {
        let now = SystemTime::now();
        let before_1970 = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        let ids = [now, before_1970, now - Duration::from_secs(9), before_1970, now, SystemTime::now()].map(id_at);
        assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }
}
