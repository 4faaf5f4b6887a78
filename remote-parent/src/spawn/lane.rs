use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ChildStdin;
use std::sync::Arc;
use std::thread;

use remote_transport::lane;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{StartError, command, launch, limits};
use crate::hub::{Hub, after};
use crate::options::{ProcessOptions, Stream};
use crate::process;

/// Starts a child in a process of its own, over shared memory.
pub(super) fn start(hub: &Arc<Hub>, options: ProcessOptions) -> Result<Arc<process::Shared>, StartError> {
    let deadline = after(hub.deadlines().start);
    let limits = limits(hub, &options);
    let server = lane::Server::new(limits.max_buffer_bytes()).map_err(StartError::Transport)?;
    let (mut command, program) = command(&options, lane::ADDRESS)?;
    let (stdin, written) = stdin(options.stdin.unwrap_or(Stream::Null)).map_err(StartError::Transport)?;
    command.stdin(server.invite(stdin.as_fd()).map_err(StartError::Transport)?);
    drop(stdin);
    let (starting, child) = launch(hub, command, &program, limits)?;
    starting.connection.set_stdin(written);
    let (link, watch) = server.listen();
    link.set_inbox_bytes(starting.connection.limits().inbox_bytes());
    let process = match pidfd(child.id()) {
        Ok(process) => process,
        Err(error) => return Err(starting.unwatched(&child, StartError::Transport(error))),
    };
    let (watched, waited) = (Arc::clone(&starting.connection), Arc::clone(&child));
    let watcher = thread::Builder::new().name(format!("remote-watch-{}", child.id())).spawn(move || {
        watch.run(process.as_ref().map(AsFd::as_fd));
        drop(process);
        watched.exited(waited.wait().ok());
    });
    if let Err(error) = watcher {
        return Err(starting.unwatched(&child, StartError::Thread(error)));
    }
    starting.greet(Arc::new(link), options, true, deadline).map_err(|error| error.of(program))
}

/// What the child's standard input is to be, and our end if it is a pipe.
fn stdin(stream: Stream) -> io::Result<(OwnedFd, Option<ChildStdin>)> {
    Ok(match stream {
        Stream::Inherit => (io::stdin().as_fd().try_clone_to_owned()?, None),
        Stream::Null => (File::open("/dev/null")?.into(), None),
        Stream::Piped => {
            let (read, write) = io::pipe()?;
            (read.into(), Some(OwnedFd::from(write).into()))
        }
    })
}

/// What says when a child has ended, though others may have its socket. It is not reaped before we wait for it, so this is the child
/// and no other process. `None` where the system has no such thing, or keeps it from us: then the socket has to do.
fn pidfd(id: u32) -> io::Result<Option<OwnedFd>> {
    let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) else { return Ok(None) };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => Ok(Some(process)),
        Err(error @ (Errno::NOSYS | Errno::PERM)) => {
            tracing::warn!(%error, "no descriptor of a child: its end may be seen late");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
