//! ipc-channel: two channels that stay open, or one more for each answer.

use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender};

use crate::pair::{Caller, Pair};

pub mod others;

/// What the caller sends first: where requests come from, and where answers go.
type Open = (IpcReceiver<u64>, IpcSender<u64>);

pub fn serve_open(pair: &Pair) -> anyhow::Result<()> {
    let (server, name) = IpcOneShotServer::<Open>::new()?;
    let caller = pair.start_caller_with(&[], &[name])?;
    let (_server, (requests, answers)) = server.accept()?;
    while let Ok(number) = requests.recv() {
        answers.send(number)?;
    }
    caller.finish()
}

pub fn call_open(caller: &Caller) -> anyhow::Result<()> {
    let server = IpcSender::<Open>::connect(caller.word(0)?.to_owned())?;
    let (requests, from_us) = ipc::channel()?;
    let (to_us, answers) = ipc::channel()?;
    server.send((from_us, to_us))?;
    let figures = caller.pace.measure(|number| {
        requests.send(number)?;
        answers.recv()?;
        Ok(())
    })?;
    caller.report(&figures)
}

type Request = (u64, IpcSender<u64>);

pub fn serve_each(pair: &Pair) -> anyhow::Result<()> {
    let (server, name) = IpcOneShotServer::<IpcReceiver<Request>>::new()?;
    let caller = pair.start_caller_with(&[], &[name])?;
    let (_server, requests) = server.accept()?;
    while let Ok((number, answer)) = requests.recv() {
        answer.send(number)?;
    }
    caller.finish()
}

pub fn call_each(caller: &Caller) -> anyhow::Result<()> {
    let server = IpcSender::<IpcReceiver<Request>>::connect(caller.word(0)?.to_owned())?;
    let (requests, from_us) = ipc::channel()?;
    server.send(from_us)?;
    let figures = caller.pace.measure(|number| {
        let (to_us, answer) = ipc::channel()?;
        requests.send((number, to_us))?;
        answer.recv()?;
        Ok(())
    })?;
    caller.report(&figures)
}
