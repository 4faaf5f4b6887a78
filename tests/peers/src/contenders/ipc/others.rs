//! Messages that are not answered one by one, and bytes.

use anyhow::bail;
use ipc_channel::ipc::{self, IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcReceiver, IpcSender};
use serde::{Deserialize, Serialize};

use crate::measure::read_all;
use crate::pair::{Caller, Pair};
use crate::work::Work;

/// What the caller sends first: where requests come from, and where answers and bytes go.
type Open = (IpcReceiver<Request>, IpcSender<u64>, IpcBytesSender);

#[derive(Serialize, Deserialize)]
enum Request {
    /// 64 bytes, which are only counted.
    Load(u64, [u64; 7]),
    /// To be answered.
    Count,
    Bytes,
}

pub fn serve(pair: &Pair) -> anyhow::Result<()> {
    let (server, name) = IpcOneShotServer::<Open>::new()?;
    let caller = pair.start_caller_with(&[], &[name])?;
    let (_server, (requests, answers, bytes)) = server.accept()?;
    let source = vec![7; if pair.work == Work::Buffer { pair.size } else { 0 }];
    let mut count = 0;
    while let Ok(request) = requests.recv() {
        match request {
            Request::Load(..) => count += 1,
            Request::Count => answers.send(count)?,
            Request::Bytes => bytes.send(&source)?,
        }
    }
    caller.finish()
}

pub fn call(caller: &Caller) -> anyhow::Result<()> {
    let server = IpcSender::<Open>::connect(caller.word(0)?.to_owned())?;
    let (requests, from_us) = ipc::channel()?;
    let (to_us, answers) = ipc::channel::<u64>()?;
    let (bytes_to_us, bytes): (IpcBytesSender, IpcBytesReceiver) = ipc::bytes_channel()?;
    server.send((from_us, to_us, bytes_to_us))?;
    let figures = match caller.pair.work {
        Work::OneWay => caller.pace.measure_bulk(|count| {
            for number in 0..count {
                requests.send(Request::Load(number, [7; 7]))?;
            }
            requests.send(Request::Count)?;
            answers.recv()?;
            Ok(())
        }),
        Work::Buffer => caller.pace.measure_each(|_| {
            requests.send(Request::Bytes)?;
            read_all(&bytes.recv()?);
            Ok(())
        }),
        other => bail!("{other} is not done by callers"),
    }?;
    caller.report(&figures)
}
