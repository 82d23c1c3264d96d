//! Namespaces: a file system, processes and a network of one's own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, chdir, getegid, geteuid, pivot_root};

use super::Limits;

/// What every interpreter may want of the system; of `/etc` nothing that tells about users.
const SYSTEM: [&str; 14] = [
    "/bin",
    "/lib",
    "/lib32",
    "/lib64",
    "/sbin",
    "/usr",
    "/nix/store",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/php",
    "/etc/ssl/openssl.cnf",
];

/// The folder in which a job works, as it sees it.
pub(super) const WORK: &str = "/job";

/// The paths of [`SYSTEM`], the settings of Java's versions and `more`, where they exist.
pub(super) fn readable(more: &[PathBuf]) -> Vec<PathBuf> {
    let settings = fs::read_dir("/etc").into_iter().flatten().flatten();
    let java = settings
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("java-"))
        .map(|entry| entry.path());
    let all = SYSTEM.iter().map(PathBuf::from).chain(java).chain(more.iter().cloned());
    all.filter(|path| path.exists()).collect()
}

/// The user that programs run as where this process is root's: one that nobody else is. The kernel
/// limits the number of root's processes never, of such a user's always.
pub(super) fn owner() -> Option<(Uid, Gid)> {
    let id = 0x6000_0000 + std::process::id();
    geteuid().is_root().then(|| (Uid::from_raw(id), Gid::from_raw(id)))
}

/// Leaves the caller's namespaces, as far as that takes no second process: the next process that is
/// started is the first of the new ones.
pub(super) fn leave() -> Result<(), String> {
    let rooms = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    let (user, group) = (geteuid(), getegid());
    if user.is_root() {
        return unshare(rooms).map_err(|error| format!("unshare: {error}"));
    }
    unshare(rooms | CloneFlags::CLONE_NEWUSER).map_err(|error| format!("unshare: {error}"))?;
    let write = |file: &str, text: String| {
        fs::write(Path::new("/proc/self").join(file), text)
            .map_err(|error| format!("{file}: {error}"))
    };
    write("setgroups", "deny".into())?;
    write("uid_map", format!("0 {user} 1"))?;
    write("gid_map", format!("0 {group} 1"))
}

/// Makes `root` the root of a file system that holds `readable`, not to be written, and a folder
/// [`WORK`] of limited size.
pub(super) fn furnish(
    root: &Path,
    readable: &[PathBuf],
    limits: &Limits,
    owner: Option<(Uid, Gid)>,
) -> Result<(), String> {
    let hard = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let none: Option<&str> = None;
    let mounted = |what: &str, result: nix::Result<()>| {
        result.map_err(|error| format!("mount {what}: {error}"))
    };
    mounted("/", mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none))?;
    let small = Some("size=1m,mode=755");
    mounted("the root", mount(Some("tmpfs"), root, Some("tmpfs"), hard, small))?;
    let inside = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
    let made = |result: std::io::Result<()>, path: &Path| {
        result.map_err(|error| format!("make {}: {error}", path.display()))
    };

    let mut bound: Vec<&Path> = Vec::new();
    for path in readable {
        if bound.iter().any(|other| path.starts_with(other)) {
            continue;
        }
        let place = inside(path);
        if let Some(parent) = place.parent() {
            made(fs::create_dir_all(parent), parent)?;
        }
        let kind = fs::symlink_metadata(path).map_err(|e| format!("{}: {e}", path.display()))?;
        if kind.is_symlink() {
            // Such as /lib, which leads into /usr; what leads elsewhere has to be named itself.
            let target = fs::read_link(path).map_err(|e| format!("{}: {e}", path.display()))?;
            made(symlink(target, &place), &place)?;
            continue;
        }
        match kind.is_dir() {
            true => made(fs::create_dir_all(&place), &place)?,
            false => made(fs::write(&place, ""), &place)?,
        }
        bind(path, &place, true)?;
        bound.push(path);
    }

    let devices = inside(Path::new("/dev"));
    made(fs::create_dir_all(&devices), &devices)?;
    for name in ["null", "zero", "full", "random", "urandom"] {
        let (device, place) = (Path::new("/dev").join(name), devices.join(name));
        if device.exists() {
            made(fs::write(&place, ""), &place)?;
            bind(&device, &place, false)?;
        }
    }
    let proc = inside(Path::new("/proc"));
    made(fs::create_dir_all(&proc), &proc)?;
    let flags = hard | MsFlags::MS_NOEXEC;
    mounted("/proc", mount(Some("proc"), &proc, Some("proc"), flags, none))?;

    let work = inside(Path::new(WORK));
    made(fs::create_dir_all(&work), &work)?;
    let (user, group) = owner.map_or((0, 0), |(user, group)| (user.as_raw(), group.as_raw()));
    let options = format!("size={},nr_inodes=8192,mode=700,uid={user},gid={group}", limits.disk);
    mounted(WORK, mount(Some("tmpfs"), &work, Some("tmpfs"), hard, Some(options.as_str())))?;
    for place in ["/tmp", "/dev/shm"] {
        let place = inside(Path::new(place));
        // Not where something in it is to be read.
        if !place.exists() {
            made(symlink(WORK, &place), &place)?;
        }
    }

    let entered = || -> nix::Result<()> {
        chdir(root)?;
        pivot_root(".", ".")?;
        umount2(".", MntFlags::MNT_DETACH)?;
        chdir("/")?;
        let again = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | hard;
        mount(none, "/", none, again, none)?;
        chdir(WORK)
    };
    entered().map_err(|error| format!("enter the new root: {error}"))
}

/// Shows `path` at `place` as well.
fn bind(path: &Path, place: &Path, read_only: bool) -> Result<(), String> {
    let none: Option<&str> = None;
    let say = |error: &dyn std::fmt::Display| format!("bind {}: {error}", path.display());
    mount(Some(path), place, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)
        .map_err(|error| say(&error))?;
    if !read_only {
        return Ok(());
    }
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let name = std::ffi::CString::new(place.as_os_str().as_encoded_bytes())
        .map_err(|error| say(&error))?;
    // SAFETY: the name ends with 0, and the size is that of the attributes.
    let status = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            name.as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    match status {
        0 => Ok(()),
        _ => Err(say(&std::io::Error::last_os_error())),
    }
}
