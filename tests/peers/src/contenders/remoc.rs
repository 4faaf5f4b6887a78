//! remoc, over a Unix socket.

use std::sync::Arc;

use remoc::prelude::*;
use remoc::rtc;
use tokio::net::{UnixListener, UnixStream};

use crate::contenders::socket::{Socket, runtime};
use crate::pair::{Caller, Pair};

#[rtc::remote]
pub trait Echo {
    async fn echo(&self, number: u64) -> Result<u64, rtc::CallError>;
}

struct Plain;

impl Echo for Plain {
    async fn echo(&self, number: u64) -> Result<u64, rtc::CallError> {
        Ok(number)
    }
}

pub fn serve(pair: &Pair) -> anyhow::Result<()> {
    let socket = Socket::new("remoc");
    runtime()?.block_on(async {
        let listener = UnixListener::bind(socket.path())?;
        let caller = pair.start_caller_with(&[], &[socket.word()])?;
        let (stream, _) = listener.accept().await?;
        let (reading, writing) = stream.into_split();
        let (server, client) = EchoServerShared::<_, remoc::codec::Default>::new(Arc::new(Plain));
        remoc::Connect::io(remoc::Cfg::default(), reading, writing).provide(client).await?;
        server.serve().await.map_err(|error| anyhow::anyhow!("{error}"))?;
        caller.finish()
    })
}

pub fn call(caller: &Caller) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let client: EchoClient = runtime.block_on(async {
        let (reading, writing) = UnixStream::connect(caller.word(0)?).await?.into_split();
        anyhow::Ok(remoc::Connect::io(remoc::Cfg::default(), reading, writing).consume().await?)
    })?;
    let figures = caller.pace.measure(|number| {
        runtime.block_on(client.echo(number))?;
        Ok(())
    })?;
    caller.report(&figures)
}
