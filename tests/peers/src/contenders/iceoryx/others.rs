//! Messages that are not answered one by one, and bytes, which are put where the other process reads them.

use std::hint::spin_loop;

use anyhow::bail;
use iceoryx2::prelude::*;

use super::{END, name};
use crate::measure::read_all;
use crate::pair::{Caller, Pair};
use crate::work::Work;

/// How many messages may lie there unread; whoever sends more waits.
const UNREAD: usize = 1024;

/// 64 bytes.
type Load = [u64; 8];

pub fn serve(pair: &Pair) -> anyhow::Result<()> {
    set_log_level(LogLevel::Error);
    let id = std::process::id().to_string();
    let node = NodeBuilder::new().create::<ipc::Service>()?;
    let loads = node.service_builder(&name(&id, "loads")?).publish_subscribe::<Load>();
    let loads = loads.enable_safe_overflow(false).subscriber_max_buffer_size(UNREAD).open_or_create()?;
    let loads = loads.subscriber_builder().create()?;
    let bytes = node.service_builder(&name(&id, "bytes")?).publish_subscribe::<[u8]>().open_or_create()?;
    let bytes = bytes.publisher_builder().initial_max_slice_len(pair.size.max(1)).create()?;
    let calls = node.service_builder(&name(&id, "calls")?).request_response::<u64, u64>().open_or_create()?;
    let calls = calls.server_builder().create()?;
    let source = vec![7; if pair.work == Work::Buffer { pair.size } else { 0 }];
    let caller = pair.start_caller_with(&[], &[id])?;
    let mut count = 0;
    loop {
        while loads.receive()?.is_some() {
            count += 1;
        }
        let Some(request) = calls.receive()? else {
            spin_loop();
            continue;
        };
        if pair.work == Work::Buffer && *request != END {
            bytes.loan_slice_uninit(source.len())?.write_from_slice(&source).send()?;
        }
        // What it was sent before has arrived.
        while loads.receive()?.is_some() {
            count += 1;
        }
        request.send_copy(count)?;
        if *request == END {
            return caller.finish();
        }
    }
}

pub fn call(caller: &Caller) -> anyhow::Result<()> {
    set_log_level(LogLevel::Error);
    let id = caller.word(0)?;
    let node = NodeBuilder::new().create::<ipc::Service>()?;
    let loads = node.service_builder(&name(id, "loads")?).publish_subscribe::<Load>();
    let loads = loads.enable_safe_overflow(false).subscriber_max_buffer_size(UNREAD).open_or_create()?;
    let loads = loads.publisher_builder().backpressure_strategy(BackpressureStrategy::RetryUntilDelivered).create()?;
    let bytes = node.service_builder(&name(id, "bytes")?).publish_subscribe::<[u8]>().open_or_create()?;
    let bytes = bytes.subscriber_builder().create()?;
    let calls = node.service_builder(&name(id, "calls")?).request_response::<u64, u64>().open_or_create()?;
    let calls = calls.client_builder().create()?;
    let ask = |number: u64| -> anyhow::Result<()> {
        let pending = calls.send_copy(number)?;
        while pending.receive()?.is_none() {
            spin_loop();
        }
        Ok(())
    };
    let figures = match caller.pair.work {
        Work::OneWay => caller.pace.measure_bulk(|count| {
            for number in 0..count {
                loads.send_copy([number; 8])?;
            }
            ask(count)
        }),
        Work::Buffer => caller.pace.measure_each(|number| {
            ask(number)?;
            let Some(sample) = bytes.receive()? else { bail!("no bytes came") };
            read_all(&sample);
            Ok(())
        }),
        other => bail!("{other} is not done by callers"),
    }?;
    ask(END)?;
    caller.report(&figures)
}
