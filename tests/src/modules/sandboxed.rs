//! Tries to get out of a sandbox.

use std::env;
use std::fs::{self, File};
use std::io::{self, IoSliceMut, stdout};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::Command;

use memmap2::MmapMut;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::ptrace;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::{Pid as NixPid, Uid, setpgid, setuid};
use remote_child::Child;
use rustix::fs::{AtFlags, MemfdFlags, Mode, OFlags, memfd_create, openat, unlinkat};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, getppid, getrlimit, kill_current_process_group, kill_process,
    pidfd_open, setrlimit,
};
use rustix::termios::tcgetwinsize;

use crate::modules::answer;
use crate::prepared;

/// What is refused: the process lives on. The second is where it goes to.
pub const REFUSED: &[&str] = &[
    "open",
    "create",
    "list",
    "look at",
    "connect",
    "connect to a path",
    "connect to a name",
    "listen",
    "listen at a path",
    "datagram",
    "datagrams by name",
    "start",
    "signal the parent",
    "signal the group",
    "open the parent",
    "open the parent's memory",
    "run what is written",
    "io_uring",
    "ioctl",
    "create through a directory",
    "open through a directory",
    "remove through a directory",
    "file in memory",
    "change a limit",
    "another group",
    "another user",
    "another directory",
];

/// What ends the process.
pub const DEADLY: &[&str] =
    &["become", "trace the parent", "read the parent", "leave", "mount", "change the root", "watch the processor"];

remote_child::register_module!(main);
fn main(child: &Child) {
    answer(child, "try", |_child, (how, target): (String, Targets)| attempt(&how, &target).map(|()| "done".to_owned()));
    answer(child, "read file", |_child, path: String| fs::read_to_string(path));
    answer(child, "write file", |_child, (path, text): (String, String)| fs::write(path, text));
    answer(child, "panic", |_child, ()| -> Result<(), String> { panic!("as asked") });
    answer(child, "start threads", |_child, ()| Ok::<_, String>(start_threads()));
    child.process().port().on("take memory", |_process, ()| {
        let mut taken = Vec::new();
        loop {
            taken.push(vec![7_u8; 1 << 20]);
        }
    });
    child.process().port().on("trespass", |_process, (how, target): (String, Targets)| {
        let _ = attempt(&how, &target);
    });
}

/// What there is outside: the address of a listener, its path, its name, and a directory.
pub type Targets = (String, String, String, String);

fn attempt(how: &str, (address, path, name, directory): &Targets) -> io::Result<()> {
    let parent = getppid().ok_or(io::ErrorKind::NotFound)?;
    match how {
        "open" => File::open("/etc/passwd").map(drop),
        "create" => File::create(format!("{directory}/created")).map(drop),
        "list" => fs::read_dir("/").map(drop),
        "look at" => fs::metadata("/etc/passwd").map(drop),
        "connect" => TcpStream::connect(address).map(drop),
        "connect to a path" => UnixStream::connect(path).map(drop),
        "connect to a name" => UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?).map(drop),
        "listen" => TcpListener::bind("127.0.0.1:0").map(drop),
        "listen at a path" => UnixListener::bind(format!("{directory}/listener")).map(drop),
        "datagram" => UdpSocket::bind("127.0.0.1:0")?.send_to(b"x", address).map(drop),
        "datagrams by name" => UnixDatagram::pair().map(drop),
        "start" => Command::new("/bin/true").status().map(drop),
        "become" => Err(Command::new("/bin/true").exec()),
        "signal the parent" => Ok(kill_process(parent, Signal::CONT)?),
        "signal the group" => Ok(kill_current_process_group(Signal::CONT)?),
        "open the parent" => Ok(pidfd_open(parent, PidfdFlags::empty()).map(drop)?),
        "open the parent's memory" => File::open(format!("/proc/{parent}/mem")).map(drop),
        "trace the parent" => Ok(ptrace::seize(nix_pid(parent), ptrace::Options::empty())?),
        "read the parent" => {
            let mut bytes = [0; 8];
            // This program's own address is as good as any.
            let base = (&raw const bytes).addr();
            let remote = [RemoteIoVec { base, len: bytes.len() }];
            Ok(process_vm_readv(nix_pid(parent), &mut [IoSliceMut::new(&mut bytes)], &remote).map(drop)?)
        }
        "run what is written" => MmapMut::map_anon(4096)?.make_exec().map(drop),
        "io_uring" => io_uring::IoUring::new(2).map(drop),
        "ioctl" => Ok(tcgetwinsize(stdout()).map(drop)?),
        "create through a directory" => through(|opened| {
            let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
            openat(opened, "through", flags, Mode::RUSR).map(drop)
        }),
        "open through a directory" => {
            through(|opened| openat(opened, "there", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map(drop))
        }
        "remove through a directory" => through(|opened| unlinkat(opened, "there", AtFlags::empty())),
        "file in memory" => Ok(memfd_create("x", MemfdFlags::CLOEXEC).map(drop)?),
        "change a limit" => {
            let limit = getrlimit(Resource::Nofile);
            Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.current.map(|count| count - 1), ..limit })?)
        }
        "another group" => Ok(setpgid(NixPid::from_raw(0), NixPid::from_raw(0))?),
        "another user" => Ok(setuid(Uid::current())?),
        "another directory" => env::set_current_dir("/"),
        "leave" => Ok(unshare(CloneFlags::CLONE_NEWUTS)?),
        "mount" => Ok(mount(None::<&str>, "/tmp", Some("tmpfs"), MsFlags::empty(), None::<&str>)?),
        "change the root" => Ok(rustix::process::chroot("/tmp")?),
        "watch the processor" => perf_event::Builder::new().build().map(drop),
        other => Err(io::Error::other(format!("no way to {other}"))),
    }
}

fn through(act: impl FnOnce(&File) -> rustix::io::Result<()>) -> io::Result<()> {
    Ok(act(prepared::directory().ok_or(io::ErrorKind::NotFound)?)?)
}

fn nix_pid(pid: Pid) -> NixPid {
    NixPid::from_raw(pid.as_raw_nonzero().get())
}

/// As many as the system gives, up to far more than it should; gives how many.
fn start_threads() -> usize {
    let threads: Vec<_> = (0..10_000)
        .map_while(|_| std::thread::Builder::new().stack_size(64 << 10).spawn(std::thread::park).ok())
        .collect();
    threads.iter().for_each(|thread| thread.thread().unpark());
    let count = threads.len();
    for thread in threads {
        thread.join().expect("it only waits");
    }
    count
}
