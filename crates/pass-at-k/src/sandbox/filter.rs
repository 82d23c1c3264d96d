//! What a program may not ask of the kernel: the seccomp filter, Landlock and the loss of privileges.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, Scope,
};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// No program that is judged by its tests needs these: the network, other processes' memory, new
/// namespaces and mounts, and what the kernel has had most trouble with.
const DENIED: [i64; 29] = [
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_bpf,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
];

/// Signals to others, where no namespace hides these.
const SIGNALS: [i64; 5] = [
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_send_signal,
];

/// System calls of x86-64's second table, which reach the same code.
#[cfg(target_arch = "x86_64")]
const X32: i64 = 0x4000_0000;

/// The filter for the calling process. `signals`: deny signals to other processes too.
pub(super) fn program(signals: bool) -> Result<BpfProgram, String> {
    let always = Vec::new;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        DENIED.into_iter().map(|call| (call, always())).collect();
    if signals {
        rules.extend(SIGNALS.map(|call| (call, always())));
        // Threads signal themselves: the runtimes of Go and Java do so all the time.
        let own = u64::from(std::process::id());
        rules.insert(libc::SYS_tgkill, vec![unless(0, own)?]);
        rules.insert(libc::SYS_prlimit64, vec![unless(0, 0)?]);
    }
    #[cfg(target_arch = "x86_64")]
    {
        let second: Vec<_> = rules.iter().map(|(call, rule)| (call | X32, rule.clone())).collect();
        rules.extend(second);
    }
    let architecture: TargetArch =
        std::env::consts::ARCH.try_into().map_err(|error| format!("seccomp: {error}"))?;
    let deny = SeccompAction::Errno(libc::EPERM as u32);
    SeccompFilter::new(rules, SeccompAction::Allow, deny, architecture)
        .and_then(TryInto::try_into)
        .map_err(|error| format!("seccomp: {error}"))
}

/// Matches where the argument is anything else.
fn unless(argument: u8, value: u64) -> Result<SeccompRule, String> {
    let differs = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value);
    differs
        .and_then(|condition| SeccompRule::new(vec![condition]))
        .map_err(|error| format!("seccomp: {error}"))
}

/// Lets the calling thread and what it starts read `readable` and write `folder`, and reach nothing
/// else, as far as the kernel can; an old one lets more pass.
pub(super) fn landlock(folder: &Path, readable: &[PathBuf]) -> Result<(), String> {
    let all = AccessFs::from_all(ABI::V6);
    let read = AccessFs::from_read(ABI::V6);
    let devices = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
    let restrict = || -> Result<(), Box<dyn std::error::Error>> {
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(all)?
            .scope(Scope::from_all(ABI::V6))?
            .create()?;
        rules = rules.add_rule(PathBeneath::new(PathFd::new(folder)?, all))?;
        for path in devices {
            if let Ok(file) = PathFd::new(path) {
                let access = AccessFs::ReadFile | AccessFs::WriteFile;
                rules = rules.add_rule(PathBeneath::new(file, access))?;
            }
        }
        for path in readable {
            if let Ok(file) = PathFd::new(path) {
                let access = if path.is_dir() { read } else { read & AccessFs::from_file(ABI::V6) };
                rules = rules.add_rule(PathBeneath::new(file, access))?;
            }
        }
        rules.restrict_self()?;
        Ok(())
    };
    restrict().map_err(|error| format!("landlock: {error}"))
}

/// Becomes `owner`, where there is one, and gives every capability up for good, so that not even
/// root's programs get them back.
pub(super) fn drop_privileges(owner: Option<(Uid, Gid)>) -> nix::Result<()> {
    // SAFETY: plain system calls on numbers. Those that a kernel does not know fail and change nothing.
    unsafe {
        for capability in 0..64 {
            libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
        }
        libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    }
    if let Some((user, group)) = owner {
        setgroups(&[])?;
        setresgid(group, group, group)?;
        setresuid(user, user, user)?;
    }
    let header = [0x2008_0522_u32, 0];
    let none = [0_u32; 6];
    // SAFETY: header and data have the sizes that version 3 of the interface asks for.
    let status = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    if status == 0 { Ok(()) } else { Err(nix::Error::last()) }
}

/// Keeps files that are open here from what is started.
pub(super) fn close_files_on_exec() {
    // SAFETY: a plain system call on numbers; a kernel that does not know it changes nothing.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
    }
}
