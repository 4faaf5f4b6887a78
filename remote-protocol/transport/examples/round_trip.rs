//! How long a record and its answer take between two processes, beside two threads that do nothing but spin. Run it with `--release`.
//!
//! Both ends are free to run anywhere, each has a processor of its own, or both have the same one. Ratios within one run say more than
//! the times, which are the medians of a round. It runs on Linux.
#![cfg_attr(not(target_os = "linux"), expect(unused, reason = "nothing to show"))]
#![expect(clippy::print_stdout, reason = "examples print")]

use std::time::{Duration, Instant};

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("shared memory is for Linux");
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::env;

    let mut arguments = env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("echo"), Some(address)) => linux::echo(&address),
        (calls, _) => {
            let calls = calls.map_or(Ok(50_000), str::parse)?;
            println!("{:10} {:>10} {:>10} {:>10}", "", "threads", "lane", "ipc");
            for placement in linux::Placement::ALL {
                for _ in 0..3 {
                    let (spinning, lane) = (linux::spinning(placement, calls), linux::lane(placement, calls)?);
                    let ipc = linux::ipc(placement, calls / 10)?;
                    println!("{:10} {spinning:>10} {:>10} {:>10}", placement.name(), nanos(lane), nanos(ipc));
                }
            }
            Ok(())
        }
    }
}

fn nanos(time: Duration) -> String {
    format!("{} ns", time.as_nanos())
}

/// The median time of a call.
fn median(calls: usize, mut call: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..calls)
        .map(|_| {
            let start = Instant::now();
            call();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::env;
    use std::error::Error;
    use std::fs::File;
    use std::hint;
    use std::os::fd::AsFd;
    use std::process::{Child, Command, Stdio};
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use remote_protocol::id::LaneId;
    use remote_protocol::link::{Link, Received};
    use remote_transport::{ipc, lane};
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    use crate::{median, nanos};

    #[derive(Clone, Copy, PartialEq)]
    pub(crate) enum Placement {
        Free,
        Apart,
        Together,
    }

    impl Placement {
        pub(crate) const ALL: [Self; 3] = [Self::Free, Self::Apart, Self::Together];

        pub(crate) const fn name(self) -> &'static str {
            match self {
                Self::Free => "free",
                Self::Apart => "apart",
                Self::Together => "together",
            }
        }

        /// Runs `work` on the `end`th of two processors, if it is to run on one of them; so does what it starts.
        fn at<T>(self, end: usize, work: impl FnOnce() -> T) -> T {
            let before = sched_getaffinity(None).expect("a thread may ask for its own");
            let end = if self == Self::Apart { end } else { 0 };
            if let (true, Some(cpu)) =
                (self != Self::Free, (0..CpuSet::MAX_CPU).filter(|cpu| before.is_set(*cpu)).nth(end))
            {
                let mut one = CpuSet::new();
                one.set(cpu);
                sched_setaffinity(None, &one).expect("a thread may choose among its own");
            }
            let result = work();
            sched_setaffinity(None, &before).expect("it had them before");
            result
        }
    }

    /// What a child does: it sends back whatever it gets.
    pub(crate) fn echo(address: &str) -> Result<(), Box<dyn Error>> {
        let link: Box<dyn Link> =
            if address == lane::ADDRESS { Box::new(lane::connect()?) } else { Box::new(ipc::connect(address)?) };
        let mut main = link.open(LaneId::MAIN)?;
        let mut record = Vec::new();
        while let Received::Record = main.rx.recv(&mut record, None) {
            main.tx.send(&record)?;
        }
        Ok(())
    }

    /// Two threads that hand a number to and fro, both awake. Not for one processor.
    pub(crate) fn spinning(placement: Placement, calls: usize) -> String {
        if placement == Placement::Together {
            return "-".to_owned();
        }
        let words = [Line(AtomicU64::new(0)), Line(AtomicU64::new(0))];
        let [there, back] = &words;
        let time = thread::scope(|scope| {
            scope.spawn(|| {
                placement.at(1, || {
                    for number in 1..=calls as u64 {
                        there.wait_for(number);
                        back.0.store(number, Ordering::Release);
                    }
                });
            });
            let mut number = 0;
            placement.at(0, || {
                median(calls, || {
                    number += 1;
                    there.0.store(number, Ordering::Release);
                    back.wait_for(number);
                })
            })
        });
        nanos(time)
    }

    /// A word in cache lines of its own.
    #[repr(align(128))]
    struct Line(AtomicU64);

    impl Line {
        fn wait_for(&self, number: u64) {
            while self.0.load(Ordering::Acquire) != number {
                hint::spin_loop();
            }
        }
    }

    pub(crate) fn lane(placement: Placement, calls: usize) -> Result<Duration, Box<dyn Error>> {
        let server = lane::Server::new(0)?;
        let child = start(placement, lane::ADDRESS, server.invite(File::open("/dev/null")?.as_fd())?)?;
        let (link, watch) = server.listen();
        thread::spawn(move || watch.run(None));
        measure(placement, &link, child, calls)
    }

    pub(crate) fn ipc(placement: Placement, calls: usize) -> Result<Duration, Box<dyn Error>> {
        let server = ipc::Server::new()?;
        let child = start(placement, server.address(), Stdio::null())?;
        let link = placement
            .at(0, || server.listen()?.wait(Instant::now() + Duration::from_secs(5)).map_err(Box::<dyn Error>::from))?;
        measure(placement, &link, child, calls)
    }

    fn start(placement: Placement, address: &str, stdin: Stdio) -> Result<Child, Box<dyn Error>> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["echo", address]).stdin(stdin);
        Ok(placement.at(1, || command.spawn())?)
    }

    fn measure(
        placement: Placement,
        link: &dyn Link,
        mut child: Child,
        calls: usize,
    ) -> Result<Duration, Box<dyn Error>> {
        let mut main = link.open(LaneId::MAIN)?;
        let mut answer = Vec::new();
        let mut call = || {
            main.tx.send(&7_u64.to_le_bytes()).expect("the child is there");
            assert_eq!(main.rx.recv(&mut answer, None), Received::Record, "the child answers");
        };
        let time = placement.at(0, || {
            (0..1000).for_each(|_| call());
            median(calls, call)
        });
        link.close();
        child.wait()?;
        Ok(time)
    }
}
