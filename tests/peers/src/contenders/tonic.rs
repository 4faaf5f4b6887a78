//! tonic over a Unix socket. The service is what its generator would write, without a compiler for protocol buffers.

use std::convert::Infallible;
use std::task::{Context, Poll};

use prost::Message;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::body::Body;
use tonic::client::Grpc as Client;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::contenders::socket::{Socket, runtime};
use crate::pair::{Caller, Pair};

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct Number {
    #[prost(uint64, tag = "1")]
    number: u64,
}

#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "peers.Echo";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        // It has one method.
        Box::pin(async move { Ok(Grpc::new(ProstCodec::default()).unary(Plain, request).await) })
    }
}

struct Plain;

impl UnaryService<Number> for Plain {
    type Response = Number;
    type Future = BoxFuture<Response<Number>, Status>;

    fn call(&mut self, request: Request<Number>) -> Self::Future {
        Box::pin(async move { Ok(Response::new(request.into_inner())) })
    }
}

pub fn serve(pair: &Pair) -> anyhow::Result<()> {
    let socket = Socket::new("tonic");
    runtime()?.block_on(async {
        let incoming = UnixListenerStream::new(UnixListener::bind(socket.path())?);
        let caller = pair.start_caller_with(&[], &[socket.word()])?;
        let ended = tokio::task::spawn_blocking(|| caller.finish());
        let mut result = Ok(());
        let ending = async { result = ended.await.unwrap_or_else(|error| Err(error.into())) };
        Server::builder().add_service(Echo).serve_with_incoming_shutdown(incoming, ending).await?;
        result
    })
}

pub fn call(caller: &Caller) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let endpoint = Endpoint::from_shared(format!("unix:{}", caller.word(0)?))?;
    let mut client = Client::new(runtime.block_on(endpoint.connect())?);
    let figures = caller.pace.measure(|number| {
        let path = http::uri::PathAndQuery::from_static("/peers.Echo/Echo");
        runtime.block_on(async {
            client.ready().await?;
            let request = Request::new(Number { number });
            let _: Response<Number> = client.unary(request, path, ProstCodec::default()).await?;
            anyhow::Ok(())
        })
    })?;
    caller.report(&figures)
}
