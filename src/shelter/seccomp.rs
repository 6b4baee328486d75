//! Which system calls can be made: a seccomp filter that knows the calls of a
//! scan, and refuses all others with EPERM.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter, apply_filter_all_threads,
};

use crate::shelter::Reach;

/// Calls that are allowed whatever their arguments: reading and writing what is
/// open, opening what Landlock lets through, memory, threads that exist,
/// signals to oneself, clocks, randomness.
const PLAIN: &[c_long] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_openat,
    libc::SYS_readlinkat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_unlinkat,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ppoll,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_brk,
    libc::SYS_membarrier,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_set_tid_address,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_getrlimit,
    libc::SYS_getrusage,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    // These only ever take rights away.
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
];

/// The same calls by the names that only the oldest architecture has.
#[cfg(target_arch = "x86_64")]
const OLD: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_unlink,
    libc::SYS_rmdir,
    libc::SYS_getdents,
    libc::SYS_poll,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[c_long] = &[];

/// Whether output is a terminal, how wide it is, and closing at exec; not, for
/// one, TIOCSTI, which types into the terminal.
const IOCTLS: [u64; 4] = [TCGETS, TCGETS2, TIOCGWINSZ, FIOCLEX];
const TCGETS: u64 = 0x5401;
const TCGETS2: u64 = 0x802c_542a;
const TIOCGWINSZ: u64 = 0x5413;
const FIOCLEX: u64 = 0x5451;

const PROT_EXEC: u64 = 4;
const PR_SET_NAME: u64 = 15;
const PR_SET_NO_NEW_PRIVS: u64 = 38;
const CLONE_THREAD: u64 = 0x0001_0000;
/// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
const CLONE_NEW: u64 = 0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000;

/// Puts all threads of the process or this one, and all that they start, under
/// the filter.
pub(super) fn restrict(reach: Reach) -> Result<(), Error> {
    // clone3 has its flags in memory, where no filter can look. Told that there
    // is no such call, the C library makes threads by clone. The second filter
    // comes second because it allows no third.
    let hidden = [(libc::SYS_clone3, Vec::new())].into();
    let absent = filter(hidden, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS.unsigned_abs()))?;
    let known = filter(calls()?, SeccompAction::Errno(libc::EPERM.unsigned_abs()), SeccompAction::Allow)?;
    let apply = |filter: &BpfProgram| match reach {
        Reach::Process => apply_filter_all_threads(filter),
        Reach::Thread => apply_filter(filter),
    };
    apply(&absent)?;
    apply(&known)
}

fn filter(
    calls: BTreeMap<c_long, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    action: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(calls, otherwise, action, arch)?.try_into()
}

/// The calls of a scan, and for some of them with which arguments.
fn calls() -> Result<BTreeMap<c_long, Vec<SeccompRule>>, BackendError> {
    use SeccompCmpArgLen::{Dword, Qword};
    use SeccompCmpOp::{Eq, MaskedEq};
    let own = u64::from(std::process::id());
    // Code is loaded before; from now on no memory becomes code.
    let no_code = |at: u8| rule(at, Qword, MaskedEq(PROT_EXEC), 0);
    let mut calls: BTreeMap<c_long, Vec<SeccompRule>> =
        PLAIN.iter().chain(OLD).chain([&libc::SYS_clone3]).map(|call| (*call, Vec::new())).collect();
    calls.insert(libc::SYS_mmap, vec![no_code(2)?]);
    calls.insert(libc::SYS_mprotect, vec![no_code(2)?]);
    calls.insert(libc::SYS_clone, vec![rule(0, Qword, MaskedEq(CLONE_THREAD | CLONE_NEW), CLONE_THREAD)?]);
    calls.insert(libc::SYS_tgkill, vec![rule(0, Dword, Eq, own)?]);
    calls.insert(libc::SYS_prctl, vec![rule(0, Dword, Eq, PR_SET_NAME)?, rule(0, Dword, Eq, PR_SET_NO_NEW_PRIVS)?]);
    calls.insert(libc::SYS_prlimit64, vec![rule(2, Qword, Eq, 0)?]);
    let requests = IOCTLS.into_iter().map(|request| rule(1, Dword, Eq, request));
    calls.insert(libc::SYS_ioctl, requests.collect::<Result<_, _>>()?);
    Ok(calls)
}

fn rule(argument: u8, length: SeccompCmpArgLen, is: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, length, is, value)?])
}
