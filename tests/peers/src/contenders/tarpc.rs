//! tarpc, bincode over a Unix socket.

use futures::StreamExt as _;
use tarpc::context;
use tarpc::serde_transport::unix;
use tarpc::server::{BaseChannel, Channel as _};
use tarpc::tokio_serde::formats::Bincode;

use crate::contenders::socket::{Socket, runtime};
use crate::pair::{Caller, Pair};

#[tarpc::service]
trait Echo {
    async fn echo(number: u64) -> u64;
}

#[derive(Clone)]
struct Plain;

impl Echo for Plain {
    async fn echo(self, _: context::Context, number: u64) -> u64 {
        number
    }
}

pub fn serve(pair: &Pair) -> anyhow::Result<()> {
    let socket = Socket::new("tarpc");
    runtime()?.block_on(async {
        let mut listener = unix::listen(socket.path(), Bincode::default).await?;
        let caller = pair.start_caller_with(&[], &[socket.word()])?;
        if let Some(transport) = listener.next().await {
            let channel = BaseChannel::with_defaults(transport?);
            channel.execute(Plain.serve()).for_each(|answer| answer).await;
        }
        caller.finish()
    })
}

pub fn call(caller: &Caller) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let client = runtime.block_on(async {
        let transport = unix::connect(caller.word(0)?, Bincode::default).await?;
        anyhow::Ok(EchoClient::new(tarpc::client::Config::default(), transport).spawn())
    })?;
    let figures = caller.pace.measure(|number| {
        runtime.block_on(client.echo(context::current(), number))?;
        Ok(())
    })?;
    caller.report(&figures)
}
