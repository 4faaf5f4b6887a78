//! iceoryx2: requests and responses in shared memory; its ends look for them all the time, or wait for events.

use iceoryx2::prelude::*;

use crate::pair::{Caller, Pair};

pub mod others;

/// What the caller asks last.
const END: u64 = u64::MAX;

fn name(pair: &str, what: &str) -> anyhow::Result<ServiceName> {
    Ok(format!("peers/{pair}/{what}").as_str().try_into()?)
}

pub fn serve_polling(pair: &Pair) -> anyhow::Result<()> {
    serve(pair, false)
}

pub fn serve_events(pair: &Pair) -> anyhow::Result<()> {
    serve(pair, true)
}

fn serve(pair: &Pair, events: bool) -> anyhow::Result<()> {
    set_log_level(LogLevel::Error);
    let id = std::process::id().to_string();
    let node = NodeBuilder::new().create::<ipc::Service>()?;
    let calls = node.service_builder(&name(&id, "calls")?).request_response::<u64, u64>().open_or_create()?;
    let server = calls.server_builder().create()?;
    let to_server = node.service_builder(&name(&id, "to-server")?).event().open_or_create()?;
    let to_client = node.service_builder(&name(&id, "to-client")?).event().open_or_create()?;
    let requests = to_server.listener_builder().create()?;
    let answers = to_client.notifier_builder().create()?;
    let caller = pair.start_caller_with(&[], &[id])?;
    loop {
        let Some(request) = server.receive()? else {
            if events {
                requests.blocking_wait(|_| {})?;
            } else {
                std::hint::spin_loop();
            }
            continue;
        };
        let number = *request;
        request.send_copy(number)?;
        if events {
            answers.notify()?;
        }
        if number == END {
            break;
        }
    }
    caller.finish()
}

pub fn call_polling(caller: &Caller) -> anyhow::Result<()> {
    call(caller, false)
}

pub fn call_events(caller: &Caller) -> anyhow::Result<()> {
    call(caller, true)
}

fn call(caller: &Caller, events: bool) -> anyhow::Result<()> {
    set_log_level(LogLevel::Error);
    let id = caller.word(0)?;
    let node = NodeBuilder::new().create::<ipc::Service>()?;
    let calls = node.service_builder(&name(id, "calls")?).request_response::<u64, u64>().open_or_create()?;
    let client = calls.client_builder().create()?;
    let to_server = node.service_builder(&name(id, "to-server")?).event().open_or_create()?;
    let to_client = node.service_builder(&name(id, "to-client")?).event().open_or_create()?;
    let requests = to_server.notifier_builder().create()?;
    let answers = to_client.listener_builder().create()?;
    let mut ask = |number: u64| -> anyhow::Result<()> {
        let pending = client.send_copy(number)?;
        if events {
            requests.notify()?;
        }
        loop {
            if pending.receive()?.is_some() {
                return Ok(());
            }
            if events {
                answers.blocking_wait(|_| {})?;
            } else {
                std::hint::spin_loop();
            }
        }
    };
    let figures = caller.pace.measure(&mut ask)?;
    ask(END)?;
    caller.report(&figures)
}
