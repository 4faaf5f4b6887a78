//! Two words of shared memory: the limit (both ends spin) and the floor of everything that sleeps (a futex, and no spinning).

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::futex;

use crate::memory::Shared;
use crate::pair::{Caller, Pair};

/// Each on a cache line of its own.
const REQUEST: usize = 0;
const RETURN: usize = 64;
/// What the caller says last.
const END: u32 = u32::MAX;

pub fn serve_spinning(pair: &Pair) -> anyhow::Result<()> {
    serve(
        pair,
        |word, old| {
            loop {
                let new = word.load(Ordering::Acquire);
                if new != old {
                    return new;
                }
                spin_loop();
            }
        },
        |_| (),
    )
}

pub fn serve_futex(pair: &Pair) -> anyhow::Result<()> {
    serve(pair, wait, wake)
}

fn serve(pair: &Pair, wait: impl Fn(&AtomicU32, u32) -> u32, wake: impl Fn(&AtomicU32)) -> anyhow::Result<()> {
    let memory = Shared::new(4096)?;
    let caller = pair.start_caller(&[memory.descriptor()])?;
    let (request, answer) = (memory.word(REQUEST), memory.word(RETURN));
    let mut last = 0;
    loop {
        last = wait(request, last);
        if last == END {
            break;
        }
        answer.store(last, Ordering::Release);
        wake(answer);
    }
    caller.finish()
}

pub fn call_spinning(caller: &Caller) -> anyhow::Result<()> {
    call(
        caller,
        |word, old| {
            while word.load(Ordering::Acquire) == old {
                spin_loop();
            }
            old
        },
        |_| (),
    )
}

pub fn call_futex(caller: &Caller) -> anyhow::Result<()> {
    call(caller, wait, wake)
}

fn call(caller: &Caller, wait: impl Fn(&AtomicU32, u32) -> u32, wake: impl Fn(&AtomicU32)) -> anyhow::Result<()> {
    let memory = Shared::open(caller.descriptor(0)?, 4096)?;
    let (request, answer) = (memory.word(REQUEST), memory.word(RETURN));
    let mut last = 0;
    let figures = caller.pace.measure(|_| {
        // Neither 0, where the other end begins, nor the end.
        let next = last % 1_000_000 + 1;
        request.store(next, Ordering::Release);
        wake(request);
        wait(answer, last);
        last = next;
        Ok(())
    })?;
    request.store(END, Ordering::Release);
    wake(request);
    caller.report(&figures)
}

pub fn wait(word: &AtomicU32, old: u32) -> u32 {
    loop {
        let new = word.load(Ordering::Acquire);
        if new != old {
            return new;
        }
        // A change in between, or a signal, is seen the next time round.
        let _ = futex::wait(word, futex::Flags::empty(), old, None);
    }
}

pub fn wake(word: &AtomicU32) {
    let _ = futex::wake(word, futex::Flags::empty(), 1);
}
