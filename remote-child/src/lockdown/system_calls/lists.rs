//! The system calls, one by one.

use libc::c_long;
use remote_protocol::sandbox::Sandbox;
use seccompiler::BackendError;

use super::conditions::{Rules, all, any, has_none, is, is_missing, masked};

/// What ends the process: no program has an honest reason for it in there.
pub(super) fn deadly() -> Rules {
    always(&[DEADLY])
}

/// What is answered as if the system were too old to know it. Each has an older way, and who does not find it takes that.
pub(super) fn unknown() -> Rules {
    always(&[UNKNOWN])
}

/// What is let through, and when.
pub(super) fn allowed(sandbox: &Sandbox) -> Result<Rules, BackendError> {
    let can_write = sandbox.writable().next().is_some();
    // The other filters decide about the first two.
    let mut rules = always(&[DEADLY, UNKNOWN, ALLOWED]);
    if sandbox.has_paths() {
        rules.extend(always(&[READING]));
        rules.extend(opening(can_write)?);
    }
    if can_write {
        rules.extend(always(&[WRITING]));
    }
    let own = std::process::id().cast_signed();
    // What is written is not run, what is shared comes from the parent, and all that is mapped counts as memory.
    let (no_code, no_growth) = (has_none(2, libc::PROT_EXEC)?, has_none(3, libc::MAP_GROWSDOWN)?);
    let (not_shared, not_anonymous) = (has_none(3, libc::MAP_SHARED)?, has_none(3, libc::MAP_ANONYMOUS)?);
    let mapped = vec![all([&no_code, &no_growth, &not_shared])?, all([&no_code, &no_growth, &not_anonymous])?];
    let unix = is(0, libc::AF_UNIX)?;
    rules.extend([
        (libc::SYS_mmap, mapped),
        (libc::SYS_mprotect, vec![all([&no_code])?]),
        // Threads, but no processes.
        (libc::SYS_clone, any(0, libc::CLONE_THREAD, &[libc::CLONE_THREAD])?),
        // Sleeping and waking; not moving those who sleep elsewhere, the parent's threads among them, nor lending them priorities.
        (libc::SYS_futex, any(1, libc::FUTEX_CMD_MASK, FUTEXES)?),
        // How much may lie in them, and how long to wait; no programs for the system to run.
        (
            libc::SYS_setsockopt,
            OPTIONS
                .iter()
                .map(|option| all([&is(1, libc::SOL_SOCKET)?, &is(2, *option)?]))
                .collect::<Result<_, _>>()?,
        ),
        // Giving shared memory back, but no files made longer.
        (libc::SYS_fallocate, vec![all([&is(1, libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE)?])?]),
        // Itself, and nobody else.
        (libc::SYS_kill, any(0, !0, &[own])?),
        (libc::SYS_tgkill, any(0, !0, &[own])?),
        (libc::SYS_sched_setaffinity, any(0, !0, &[0, own])?),
        (libc::SYS_prlimit64, vec![all([&is(0, 0)?, &is_missing(2)?])?, all([&is(0, own)?, &is_missing(2)?])?]),
        (libc::SYS_prctl, any(0, !0, PRCTLS)?),
        // Not whom the system signals when a socket can be read: that may be anybody, and any signal.
        (libc::SYS_fcntl, any(1, !0, FCNTLS)?),
        (libc::SYS_ioctl, any(1, !0, &IOCTLS.map(|ioctl| ioctl as i32))?),
        // Datagrams could be sent to sockets of others by name.
        (
            libc::SYS_socketpair,
            vec![
                all([&unix, &masked(1, SOCKET_TYPES, libc::SOCK_STREAM)?])?,
                all([&unix, &masked(1, SOCKET_TYPES, libc::SOCK_SEQPACKET)?])?,
            ],
        ),
        (libc::SYS_sendto, vec![all([&is_missing(4)?])?]),
    ]);
    Ok(rules)
}

/// Opening files. Landlock says which; but not every version of it knows that a file can be made empty without being written to.
fn opening(can_write: bool) -> Result<Rules, BackendError> {
    let writing =
        libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC | (libc::O_TMPFILE & !libc::O_DIRECTORY);
    let mask = if can_write { 0 } else { writing };
    let calls = [
        (libc::SYS_openat, 2),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_open, 1),
    ];
    calls.into_iter().map(|(call, flags)| Ok((call, any(flags, mask, &[0])?))).collect()
}

fn always(lists: &[&[c_long]]) -> Rules {
    lists.iter().copied().flatten().map(|call| (*call, Vec::new())).collect()
}

/// Without the flags that come with it.
const SOCKET_TYPES: i32 = 0xf;

/// Names of threads and of memory.
const PRCTLS: &[i32] = &[libc::PR_SET_NAME, libc::PR_GET_NAME, libc::PR_SET_VMA];

const FUTEXES: &[i32] = &[libc::FUTEX_WAIT, libc::FUTEX_WAKE, libc::FUTEX_WAIT_BITSET, libc::FUTEX_WAKE_BITSET];

const OPTIONS: &[i32] = &[libc::SO_RCVBUF, libc::SO_SNDBUF, libc::SO_RCVTIMEO, libc::SO_SNDTIMEO];

const FCNTLS: &[i32] = &[
    libc::F_DUPFD,
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
    libc::F_GET_SEALS,
];

const IOCTLS: [libc::Ioctl; 4] = [libc::FIONBIO, libc::FIOCLEX, libc::FIONCLEX, libc::FIONREAD];

/// What it keeps, whatever it does with it.
const ALLOWED: &[c_long] = &[
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // Threads.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_getcpu,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    // Signals.
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    // Time and chance.
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    // What it is.
    libc::SYS_getcwd,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getresgid,
    libc::SYS_getresuid,
    libc::SYS_getrusage,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    // The descriptors it has.
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_fdatasync,
    libc::SYS_fstat,
    libc::SYS_fsync,
    libc::SYS_lseek,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_pselect6,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    // The sockets it has.
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_shutdown,
    libc::SYS_socketpair,
    // What other processors know by one name only.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_dup2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_pause,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_pipe,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_select,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_time,
];

/// What paths are for. Landlock says which.
const READING: &[c_long] = &[
    libc::SYS_faccessat,
    libc::SYS_flock,
    libc::SYS_fstatfs,
    libc::SYS_getdents64,
    libc::SYS_newfstatat,
    libc::SYS_readlinkat,
    libc::SYS_statfs,
    libc::SYS_statx,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_getdents,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
];

/// What paths are for that may be changed. Landlock says which.
const WRITING: &[c_long] = &[
    libc::SYS_ftruncate,
    libc::SYS_linkat,
    libc::SYS_mkdirat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_symlinkat,
    libc::SYS_truncate,
    libc::SYS_unlinkat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_creat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_link,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rmdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_symlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
];

const UNKNOWN: &[c_long] =
    &[libc::SYS_clone3, libc::SYS_epoll_pwait2, libc::SYS_faccessat2, libc::SYS_fchmodat2, libc::SYS_openat2];

const DEADLY: &[c_long] = &[
    // Becoming another program.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_personality,
    // Into other processes.
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    // Out of the namespaces and paths.
    libc::SYS_chroot,
    libc::SYS_fsopen,
    libc::SYS_mount,
    libc::SYS_move_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_pivot_root,
    libc::SYS_setns,
    libc::SYS_umount2,
    libc::SYS_unshare,
    // Into the kernel, and to its secrets.
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_perf_event_open,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_userfaultfd,
];
