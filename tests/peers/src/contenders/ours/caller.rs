//! What runs in the children.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use remote_child::Child;
use remote_object::ChildExt;

use super::{Echo, FIGURES, FLOOD, Load, ONE_WAY, ORDER, Order, SIDE};
use crate::measure::{Figures, Pace, read_all};
use crate::work::Work;

mod references;

remote_child::register_module!(main);
fn main(child: &Child) -> anyhow::Result<()> {
    let process = child.process();
    if !process.is_remote() {
        return Ok(());
    }
    let own = child.clone();
    process.port().on(ORDER, move |process, order: Order| {
        if order.work == Work::Releases {
            // The loop has to sleep meanwhile, so that it is told later.
            return references::releases(&own, order.size);
        }
        let figures = work(&own, &order).map_err(|error| format!("{error:#}"));
        process.port().emit(FIGURES, &figures).expect("the parent waits");
    });
    process.port().on(ONE_WAY, |process, load: Load| process.port().emit(ONE_WAY, &load).expect("the parent waits"));
    let own = child.clone();
    process.port().on(FLOOD, move |_process, ()| {
        let Ok(echo) = own.remote().require::<dyn Echo>("echo") else { return };
        // Until it is killed.
        for number in 0.. {
            if echo.echo(number).is_err() {
                return;
            }
        }
    });
    process.port().emit("ready", &())?;
    Ok(())
}

fn work(child: &Child, order: &Order) -> anyhow::Result<Figures> {
    order.placement.pin_all(SIDE)?;
    let echo = child.remote().require::<dyn Echo>("echo")?;
    let pace = Pace { within: Duration::from_millis(order.millis), idle: order.placement.pause() };
    match order.work {
        Work::Call | Work::Witness => pace.measure(|number| {
            black_box(echo.echo(number)?);
            Ok(())
        }),
        Work::Dynamic => {
            let echo = child.remote().require_dynamic("echo")?;
            pace.measure(|number| {
                black_box(echo.call::<u64>("echo", (number,))?);
                Ok(())
            })
        }
        Work::Buffer | Work::BufferAgain => pace.measure_each(|_| {
            // In place, where the transport can; else it is a copy.
            read_all(&echo.buffer()?.view()?);
            Ok(())
        }),
        Work::OneWay => {
            let port = child.process().port();
            pace.measure_bulk(|count| {
                for number in 0..count {
                    port.emit(ONE_WAY, &(number, [7; 7]))?;
                }
                // Everything before it has been handled.
                echo.echo(count)?;
                Ok(())
            })
        }
        Work::FirstByte => pace.measure_each(|_| {
            black_box(echo.buffer()?.read(..1)?);
            Ok(())
        }),
        Work::References => references::live(&*echo, order.size),
        Work::Proxy => references::proxy(&*echo, &pace),
        Work::Threads | Work::WorkingThreads => {
            let call = if order.work == Work::Threads { <dyn Echo>::echo } else { <dyn Echo>::work };
            let end = Instant::now() + pace.within;
            let calling: Vec<_> = (0..order.size)
                .map(|_| {
                    let echo = echo.clone();
                    thread::spawn(move || {
                        let mut calls = 0_u64;
                        while Instant::now() < end {
                            calls += u64::from(call(&*echo, calls).is_ok());
                        }
                        calls
                    })
                })
                .collect();
            let calls: u64 = calling.into_iter().filter_map(|thread| thread.join().ok()).sum();
            let nanos = pace.within.as_nanos() as f64 / calls.max(1) as f64;
            Ok(Figures::of(vec![nanos], calls))
        }
        other => anyhow::bail!("{other} is not done by a child"),
    }
}
