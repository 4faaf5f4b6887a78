use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crate::detach::DetachReason;
use crate::hub::Hub;
use crate::options::Restart;
use crate::process;
use crate::spawn;

/// A process is gone: starts another one, if its options say so. On a thread of its own, because starting waits.
pub(crate) fn after(hub: &Arc<Hub>, process: &process::Shared, reason: &DetachReason) {
    let Restart::OnCrash { limit, within } = process.options().restart else { return };
    if !reason.is_crash() || hub.is_closed() {
        return;
    }
    let mut options = process.options().clone();
    let now = Instant::now();
    options.restarts.retain(|restart| now.duration_since(*restart) < within);
    if options.restarts.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
        tracing::error!(process = %process.id(), %reason, limit, ?within, "crashed too often, not started again");
        return;
    }
    options.restarts.push(now);
    let hub = Arc::clone(hub);
    let restarted = thread::Builder::new().name("remote-restart".into()).spawn(move || {
        if let Err(error) = spawn::start(&hub, options) {
            tracing::error!(error = &error as &dyn std::error::Error, "not started again");
        }
    });
    if let Err(error) = restarted {
        tracing::error!(%error, "no thread to start a process again");
    }
}
