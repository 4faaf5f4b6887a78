use std::error::Error;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crate::detach::DetachReason;
use crate::hub::Hub;
use crate::loader::LoaderState;
use crate::options::{ProcessOptions, Restart};
use crate::process::{self, Process, ProcessError};
use crate::spawn::{self, StartError};

/// Another process is to be started in the place of one that is gone. While there is one of these, the parent is not alone.
pub(crate) struct Restarting {
    hub: Arc<Hub>,
    options: ProcessOptions,
    /// Why it is not started after all.
    refused: Option<String>,
}

impl Restarting {
    /// What the options of a process that is gone say; `None` when it is not to be started again.
    pub(crate) fn after(process: &process::Shared, reason: &DetachReason) -> Option<Self> {
        let Restart::OnCrash { limit, within } = process.options().restart else { return None };
        let hub = process.hub();
        if !reason.is_crash() || hub.is_closed() {
            return None;
        }
        let mut options = process.options().clone();
        let now = Instant::now();
        options.restarts.retain(|restart| now.duration_since(*restart) < within);
        let too_often = options.restarts.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let refused = too_often.then(|| format!("it has been started again {limit} times within {within:?}"));
        options.restarts.push(now);
        hub.begin_restart();
        Some(Self { hub: Arc::clone(hub), options, refused })
    }

    /// Starts it, on a thread of its own, because starting waits. When there is none after all, those who saw the one before are told.
    pub(crate) fn begin(mut self, seen_by: Vec<(Arc<LoaderState>, Process)>) {
        if let Some(reason) = self.refused.take() {
            return report(&self.hub, seen_by, reason);
        }
        let (hub, seen) = (Arc::clone(&self.hub), seen_by.clone());
        let restarted = thread::Builder::new().name("remote-restart".into()).spawn(move || {
            match spawn::start(&self.hub, self.options.clone()) {
                // Nobody wants it any more.
                Ok(_) | Err(StartError::ParentClosed) => {}
                Err(error) => report(&self.hub, seen, text(&error)),
            }
        });
        if let Err(error) = restarted {
            report(&hub, seen_by, text(&error));
        }
    }
}

impl Drop for Restarting {
    fn drop(&mut self) {
        self.hub.end_restart();
    }
}

/// Tells those who saw the process, where all listeners are told: on the executor, if there is one.
fn report(hub: &Hub, seen_by: Vec<(Arc<LoaderState>, Process)>, reason: String) {
    let error = ProcessError::NotRestarted { reason };
    let tell = move || {
        for (loader, process) in &seen_by {
            loader.report(process, &error);
        }
    };
    match hub.pump() {
        None => tell(),
        Some(pump) => pump.execute(tell),
    }
}

/// The text of an error, and of its cause: a report has no place for the error itself.
fn text(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
