use std::error::Error;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crate::detach::DetachReason;
use crate::hub::Hub;
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
        let reason = format!("it has been started again {limit} times within {within:?}");
        return report(hub, told, reason);
    }
    options.restarts.push(now);
    let (hub, starting) = (Arc::clone(hub), told.clone());
    let parent = process.hub();
    parent.begin_restart();
    let restarted = thread::Builder::new().name("remote-restart".into()).spawn(move || {
        if let Err(error) = spawn::start(&hub, options) {
            report(&hub, starting, text(&error));
        }
        hub.end_restart();
    });
    if let Err(error) = restarted {
        parent.end_restart();
        report(parent, told, text(&error));
    }
}

/// Tells those who were told of the end, where all listeners are told: on the executor, if there is one.
fn report(hub: &Hub, told: Vec<(Arc<LoaderState>, Process)>, reason: String) {
    let error = ProcessError::NotRestarted { reason };
    let tell = move || {
        for (loader, process) in &told {
            loader.report(process, &error);
        }
    };
    match hub.executor() {
        None => tell(),
        Some(executor) => executor.execute(Box::new(tell)),
    }
}

/// The text of an error, and of its cause: a report has no place for the error itself.
fn text(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
