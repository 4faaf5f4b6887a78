//! The floors of the other work: what the machine takes when there is nothing around it.

use std::hint::{black_box, spin_loop};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::ensure;

use crate::contenders::shared::{wait, wake};
use crate::memory::Shared;
use crate::pair::{Caller, Pair, print};
use crate::work::Work;

pub fn serve(pair: &Pair) -> anyhow::Result<()> {
    match pair.work {
        Work::OneWay => serve_ring(pair),
        Work::Buffer | Work::BufferAgain => memcpy(pair),
        Work::Broadcast => broadcast(pair),
        Work::Spawn => spawn(pair),
        other => anyhow::bail!("{other} has no floor"),
    }
}

pub fn call(caller: &Caller) -> anyhow::Result<()> {
    match caller.pair.work {
        Work::OneWay => call_ring(caller),
        Work::Broadcast => answer(caller),
        other => anyhow::bail!("{other} is not done by callers"),
    }
}

/// Places in the ring, of 64 bytes each.
const SLOTS: u32 = 16 << 10;
const RING: usize = 4096;
/// How many were written and read, ever; each on a cache line of its own.
const WRITTEN: usize = 0;
const READ: usize = 64;
const ENDED: usize = 128;

fn slot(memory: &Shared, number: u32, word: usize) -> &AtomicU32 {
    memory.word(RING + (number % SLOTS) as usize * 64 + word * 4)
}

fn ring_bytes() -> usize {
    RING + SLOTS as usize * 64
}

/// Reads what is written, and looks for it all the time.
fn serve_ring(pair: &Pair) -> anyhow::Result<()> {
    let memory = Shared::new(ring_bytes())?;
    let caller = pair.start_caller(&[memory.descriptor()])?;
    let (written, read) = (memory.word(WRITTEN), memory.word(READ));
    let mut next = 0_u32;
    while memory.word(ENDED).load(Ordering::Relaxed) == 0 {
        let end = written.load(Ordering::Acquire);
        while next != end {
            (0..16).for_each(|word| _ = black_box(slot(&memory, next, word).load(Ordering::Relaxed)));
            next = next.wrapping_add(1);
        }
        read.store(next, Ordering::Release);
        spin_loop();
    }
    caller.finish()
}

fn call_ring(caller: &Caller) -> anyhow::Result<()> {
    let memory = Shared::open(caller.descriptor(0)?, ring_bytes())?;
    let (written, read) = (memory.word(WRITTEN), memory.word(READ));
    let mut next = 0_u32;
    let figures = caller.pace.measure_bulk(|count| {
        for _ in 0..count {
            while next.wrapping_sub(read.load(Ordering::Acquire)) >= SLOTS {
                spin_loop();
            }
            (0..16).for_each(|word| slot(&memory, next, word).store(next, Ordering::Relaxed));
            next = next.wrapping_add(1);
            written.store(next, Ordering::Release);
        }
        while read.load(Ordering::Acquire) != next {
            spin_loop();
        }
        Ok(())
    })?;
    memory.word(ENDED).store(1, Ordering::Release);
    caller.report(&figures)
}

/// Copies once, in this process.
fn memcpy(pair: &Pair) -> anyhow::Result<()> {
    let (from, mut to) = (vec![7_u8; pair.size], vec![0_u8; pair.size]);
    let figures = pair.pace().measure_each(|_| {
        to.copy_from_slice(black_box(&from));
        black_box(&to);
        Ok(())
    })?;
    print(&figures)
}

/// Each child's words lie in a page of their own.
const PAGE: usize = 4096;

fn broadcast(pair: &Pair) -> anyhow::Result<()> {
    let memory = Shared::new(PAGE * pair.size)?;
    let children: Vec<_> = (0..pair.size)
        .map(|index| pair.start_caller_with(&[memory.descriptor()], &[index.to_string()]))
        .collect::<Result<_, _>>()?;
    let request = |index: usize| memory.word(index * PAGE);
    let answer = |index: usize| memory.word(index * PAGE + 64);
    let all = |number: u32| {
        for index in 0..pair.size {
            request(index).store(number, Ordering::Release);
            wake(request(index));
        }
        for index in 0..pair.size {
            while answer(index).load(Ordering::Acquire) != number {
                wait(answer(index), number.wrapping_sub(1));
            }
        }
    };
    let mut number = 0;
    let figures = pair.pace().measure_each(|_| {
        number += 1;
        all(number);
        Ok(())
    })?;
    for index in 0..pair.size {
        request(index).store(u32::MAX, Ordering::Release);
        wake(request(index));
    }
    children.into_iter().try_for_each(crate::pair::Running::finish)?;
    print(&figures)
}

fn answer(caller: &Caller) -> anyhow::Result<()> {
    let index: usize = caller.word(0)?.parse()?;
    let memory = Shared::open(caller.descriptor(0)?, PAGE * caller.pair.size)?;
    let (request, answer) = (memory.word(index * PAGE), memory.word(index * PAGE + 64));
    let mut last = 0;
    loop {
        last = wait(request, last);
        if last == u32::MAX {
            return Ok(());
        }
        answer.store(last, Ordering::Release);
        wake(answer);
    }
}

/// Runs this program, which does nothing, and waits for its end.
fn spawn(pair: &Pair) -> anyhow::Result<()> {
    let figures = pair.pace().measure_each(|_| {
        let status = Command::new("/proc/self/exe").arg(crate::NOTHING).status()?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    })?;
    print(&figures)
}
