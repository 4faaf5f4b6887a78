//! A parent of its own, whose children are this same program. Its arguments say what becomes of it.

use std::env;
use std::error::Error;
use std::io::{Read, Write, stdin, stdout};
use std::process::exit;
use std::sync::mpsc::channel;

use remote_parent::{Parent, ProcessOptions, Transport, this_module};
use tests::modules::answer_to;

fn main() -> Result<(), Box<dyn Error>> {
    remote_child::init();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [transport, what, count] = arguments.as_slice() else {
        panic!("say by which transport, what to do, and how many children to start")
    };
    let options = ProcessOptions::new().transport(match transport.as_str() {
        "ipc" => Transport::Ipc,
        _ => Transport::default(),
    });
    let count: usize = count.parse()?;
    match what.as_str() {
        "measure" => measure(&options, count),
        what => {
            let parent = start(&options, count)?;
            say(&pids(&parent))?;
            // Until the test closes it.
            stdin().read_to_end(&mut Vec::new())?;
            match what {
                "drop" => drop(parent),
                "exit" => exit(0),
                "panic" => panic!("as it was told"),
                other => panic!("`{other}` is nothing to do"),
            }
            say("dropped")
        }
    }
}

/// A parent with children that are busy for ever, have frames and have said something.
fn start(options: &ProcessOptions, count: usize) -> Result<Parent, Box<dyn Error>> {
    let parent = Parent::new()?;
    parent.remote_require("tests::modules::basics", this_module!())?;
    parent.remote_require("tests::modules::ending", this_module!())?;
    let (tell, stuck) = channel();
    parent.processes().port().on("stuck", move |_process, ()| tell.send(()).unwrap_or(()));
    for number in 0..count {
        let process = parent.processes().spawn_with(options.clone())?;
        let (tell, answered) = channel();
        process.port().once(&answer_to("sync"), move |_process, _: Result<(), String>| tell.send(()).unwrap_or(()));
        process.port().emit("sync", &())?;
        answered.recv()?;
        if number == 1 {
            process.port().emit("never come back", &())?;
            stuck.recv()?;
        }
    }
    Ok(parent)
}

fn pids(parent: &Parent) -> String {
    let children = parent.processes().iter().filter(|process| process.is_remote());
    children.map(|child| child.id().to_string()).collect::<Vec<_>>().join(" ")
}

/// Starts and ends children again and again, and sees that nothing is left of them.
#[cfg(target_os = "linux")]
fn measure(options: &ProcessOptions, rounds: usize) -> Result<(), Box<dyn Error>> {
    let parent = Parent::new()?;
    parent.remote_require("tests::modules::basics", this_module!())?;
    let round = |number: usize| -> Result<(), Box<dyn Error>> {
        let process = parent.processes().spawn_with(options.clone())?;
        let (tell, answered) = channel();
        process.port().once(&answer_to("sync"), move |_process, _: Result<(), String>| tell.send(()).unwrap_or(()));
        process.port().emit("sync", &())?;
        answered.recv()?;
        if number.is_multiple_of(2) {
            process.kill()
        } else {
            process.close()
        }
        process.wait(std::time::Duration::from_secs(20)).ok_or("the child does not go")?;
        Ok(())
    };
    // What is made once stays.
    round(0)?;
    round(1)?;
    let before = settled(None)?;
    for number in 0..rounds {
        round(number)?;
    }
    let after = settled(Some(before))?;
    parent.close()?;
    say(&format!("{before:?} {after:?}"))
}

/// Descriptors and threads, when they are what they were before, or for long have not been.
#[cfg(target_os = "linux")]
fn settled(before: Option<(usize, usize)>) -> Result<(usize, usize), Box<dyn Error>> {
    use std::fs::read_dir;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    let count = || Ok::<_, std::io::Error>((read_dir("/proc/self/fd")?.count(), read_dir("/proc/self/task")?.count()));
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut last = count()?;
    let mut same = 0;
    loop {
        let enough = before.map_or(same >= 20, |before| last == before);
        if enough || Instant::now() > deadline {
            return Ok(last);
        }
        sleep(Duration::from_millis(10));
        let now = count()?;
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
}

#[cfg(not(target_os = "linux"))]
fn measure(_options: &ProcessOptions, _rounds: usize) -> Result<(), Box<dyn Error>> {
    say("not here")
}

fn say(text: &str) -> Result<(), Box<dyn Error>> {
    let mut stdout = stdout();
    writeln!(stdout, "{text}")?;
    Ok(stdout.flush()?)
}
