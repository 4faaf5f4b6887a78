use std::sync::Arc;
use std::thread;
use std::time::Instant;

use remote_transport::ipc;

use super::{SETTLE, StartError, command, launch, limits};
use crate::hub::{Hub, after};
use crate::options::{ProcessOptions, Stream};
use crate::process;

/// Starts a child in a process of its own, over ipc-channel.
pub(super) fn start(hub: &Arc<Hub>, options: ProcessOptions) -> Result<Arc<process::Shared>, StartError> {
    let deadline = after(hub.deadlines().start);
    let server = ipc::Server::new().map_err(StartError::Transport)?;
    let (mut command, program) = command(&options, server.address())?;
    command.stdin(options.stdin.unwrap_or(Stream::Null));
    let acceptance = server.listen().map_err(StartError::Transport)?;
    let (starting, child) = launch(hub, command, &program, limits(hub, &options))?;
    let (watched, waited) = (Arc::clone(&starting.connection), Arc::clone(&child));
    let unblock = acceptance.clone();
    let watcher = thread::Builder::new().name(format!("remote-watch-{}", child.id())).spawn(move || {
        let status = waited.wait();
        unblock.abort();
        watched.exited(status.ok());
    });
    if let Err(error) = watcher {
        return Err(starting.unwatched(&child, StartError::Thread(error)));
    }
    let link = match acceptance.wait(deadline) {
        Ok(link) => {
            link.set_inbox_bytes(starting.connection.limits().inbox_bytes());
            Arc::new(link)
        }
        Err(_) => {
            // Aborted because the child is gone, or late, or it sent something else than a child of ours does.
            let exited = starting.connection.ending.wait_status(after(SETTLE));
            return Err(match starting.connection.ending.status() {
                Some(status) if exited => StartError::Exited { program, status },
                _ if Instant::now() >= deadline => StartError::Deadline { program, after: hub.deadlines().start },
                _ => StartError::NotOurs { program },
            });
        }
    };
    starting.greet(link, options, true, deadline).map_err(|error| error.of(program))
}
