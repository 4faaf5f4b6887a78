//! zbus, from peer to peer over a Unix socket.

use std::os::unix::net::{UnixListener, UnixStream};

use zbus::{Guid, connection, interface, proxy};

use crate::contenders::socket::{Socket, runtime};
use crate::pair::{Caller, Pair};

struct Plain;

#[interface(name = "org.example.Echo")]
impl Plain {
    fn echo(&self, number: u64) -> u64 {
        number
    }
}

#[proxy(interface = "org.example.Echo", default_path = "/echo")]
trait Echo {
    fn echo(&self, number: u64) -> zbus::Result<u64>;
}

pub fn serve(pair: &Pair) -> anyhow::Result<()> {
    let socket = Socket::new("zbus");
    runtime()?.block_on(async {
        let listener = UnixListener::bind(socket.path())?;
        let caller = pair.start_caller_with(&[], &[socket.word()])?;
        let (stream, _) = listener.accept()?;
        let connection = connection::Builder::unix_stream(stream)
            .server(Guid::generate())
            .p2p()
            .serve_at("/echo", Plain)
            .build()
            .await?;
        tokio::task::spawn_blocking(move || caller.finish()).await??;
        drop(connection);
        Ok(())
    })
}

pub fn call(caller: &Caller) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let echo = runtime.block_on(async {
        let stream = UnixStream::connect(caller.word(0)?)?;
        let connection = connection::Builder::unix_stream(stream).p2p().build().await?;
        anyhow::Ok(EchoProxy::new(&connection, "org.example.Echo").await?)
    })?;
    let figures = caller.pace.measure(|number| {
        runtime.block_on(echo.echo(number))?;
        Ok(())
    })?;
    caller.report(&figures)
}
