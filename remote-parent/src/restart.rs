use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crate::detach::DetachReason;
use crate::loader::LoaderState;
use crate::options::Restart;
use crate::process::{self, Process, ProcessError};
use crate::spawn;

/// A process is gone: starts another one, if its options say so. On a thread of its own, because starting waits. When there will be
/// none, those who were told of the end are told that.
pub(crate) fn after(process: &process::Shared, told: Vec<(Arc<LoaderState>, Process)>, reason: &DetachReason) {
    let Restart::OnCrash { limit, within } = process.options().restart else { return };
    let hub = process.hub();
    if !reason.is_crash() || hub.is_closed() {
        return;
    }
    let mut options = process.options().clone();
    let now = Instant::now();
    options.restarts.retain(|restart| now.duration_since(*restart) < within);
    if options.restarts.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
        return report(&told, &format!("it has been started again {limit} times within {within:?}"));
    }
    options.restarts.push(now);
    let (hub, starting) = (Arc::clone(hub), told.clone());
    let parent = process.hub();
    parent.begin_restart();
    let restarted = thread::Builder::new().name("remote-restart".into()).spawn(move || {
        if let Err(error) = spawn::start(&hub, options) {
            report(&starting, &error.to_string());
        }
        hub.end_restart();
    });
    if let Err(error) = restarted {
        parent.end_restart();
        report(&told, &error.to_string());
    }
}

fn report(told: &[(Arc<LoaderState>, Process)], reason: &str) {
    for (loader, process) in told {
        loader.report(process, &ProcessError::NotRestarted { reason: reason.to_owned() });
    }
}
