//! capnp-rpc, over a Unix socket.

use capnp_rpc::{RpcSystem, rpc_twoparty_capnp, twoparty};
use futures::AsyncReadExt as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::LocalSet;
use tokio_util::compat::TokioAsyncReadCompatExt as _;

use crate::contenders::socket::{Socket, runtime};
use crate::pair::{Caller, Pair};

/// Made of `schema/echo.capnp` by capnpc, so that nobody needs the compiler of schemas.
#[allow(warnings, clippy::all, clippy::pedantic)]
pub mod echo_capnp;

struct Plain;

impl echo_capnp::echo::Server for Plain {
    async fn echo(
        self: capnp::capability::Rc<Self>,
        params: echo_capnp::echo::EchoParams,
        mut results: echo_capnp::echo::EchoResults,
    ) -> Result<(), capnp::Error> {
        results.get().set_number(params.get()?.get_number());
        Ok(())
    }
}

pub fn serve(pair: &Pair) -> anyhow::Result<()> {
    let socket = Socket::new("capnp");
    LocalSet::new().block_on(&runtime()?, async {
        let listener = UnixListener::bind(socket.path())?;
        let caller = pair.start_caller_with(&[], &[socket.word()])?;
        let (stream, _) = listener.accept().await?;
        let (reading, writing) = stream.compat().split();
        let network = twoparty::VatNetwork::new(reading, writing, rpc_twoparty_capnp::Side::Server, Default::default());
        let client: echo_capnp::echo::Client = capnp_rpc::new_client(Plain);
        // It ends when the caller has gone.
        let _ = RpcSystem::new(Box::new(network), Some(client.client)).await;
        caller.finish()
    })
}

pub fn call(caller: &Caller) -> anyhow::Result<()> {
    let (runtime, local) = (runtime()?, LocalSet::new());
    let client: echo_capnp::echo::Client = local.block_on(&runtime, async {
        let stream = UnixStream::connect(caller.word(0)?).await?;
        let (reading, writing) = stream.compat().split();
        let network = twoparty::VatNetwork::new(reading, writing, rpc_twoparty_capnp::Side::Client, Default::default());
        let mut system = RpcSystem::new(Box::new(network), None);
        let client = system.bootstrap(rpc_twoparty_capnp::Side::Server);
        tokio::task::spawn_local(system);
        anyhow::Ok(client)
    })?;
    let figures = caller.pace.measure(|number| {
        local.block_on(&runtime, async {
            let mut request = client.echo_request();
            request.get().set_number(number);
            request.send().promise.await?.get()?.get_number();
            Ok(())
        })
    })?;
    caller.report(&figures)
}
