//! libtorch for this checkout: found or fetched, kept once for all checkouts, linked as `.libtorch`.
//!
//! In this order: `$LIBTORCH` set by the user; the PyTorch of `python3` where
//! `$LIBTORCH_USE_PYTORCH` is set; the PyPI wheel, unpacked into the user's cache folder. Several
//! checkouts may do this at once: a file lock in the cache lets one fetch and the others wait. What
//! lies in the cache is checked against a list of its files and sizes every time, so a download or
//! an unpacking that was cut short is made again.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

use anyhow::{Context, Result, bail, ensure};

/// The version that the pinned `tch` is made for.
const VERSION: &str = "2.11.0";
/// Written last; lists every file with its size.
const MANIFEST: &str = "manifest.txt";
/// The link in a checkout.
const LINK: &str = ".libtorch";

/// Whether a value of `$LIBTORCH` is only what `.cargo/config.toml` sets: the link of `workspace`.
pub fn is_own_link(value: &OsStr, workspace: &Path) -> bool {
    Path::new(value) == Path::new(LINK) || Path::new(value) == workspace.join(LINK)
}

/// Makes sure that `workspace/.libtorch` leads to a usable libtorch and returns where that is.
pub fn provide(workspace: &Path) -> Result<PathBuf> {
    if let Some(folder) = env::var_os("LIBTORCH").filter(|v| !is_own_link(v, workspace)) {
        let folder = PathBuf::from(folder);
        check_version(&folder).context("$LIBTORCH does not lead to a usable libtorch")?;
        link(workspace, &folder)?;
        return Ok(folder);
    }
    if env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        let folder = installed_pytorch()?;
        check_version(&folder).context("the installed PyTorch cannot be used")?;
        link(workspace, &folder)?;
        return Ok(folder);
    }
    let folder = cached(&cache_folder()?)?;
    link(workspace, &folder)?;
    Ok(folder)
}

/// The user's cache folder for this project.
fn cache_folder() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => {
            let home = env::var_os("HOME").context("neither $XDG_CACHE_HOME nor $HOME is set")?;
            let below = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
            Path::new(&home).join(below)
        }
    };
    Ok(base.join("symmetry-distill"))
}

/// libtorch in `cache`, fetched where it is missing or damaged.
fn cached(cache: &Path) -> Result<PathBuf> {
    let platform = wheel_platform()?;
    let folder = cache.join(format!("libtorch-{VERSION}-cpu-{platform}"));
    if damage(&folder).is_none() {
        return Ok(folder);
    }
    fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let lock = File::create(cache.join("lock"))
        .with_context(|| format!("cannot write to {}", cache.display()))?;
    if lock.try_lock().is_err() {
        eprintln!("waiting for another checkout that is providing libtorch");
        lock.lock().context("cannot lock the cache folder")?;
    }
    // Another checkout may have done it meanwhile.
    if let Some(damage) = damage(&folder) {
        if folder.exists() {
            eprintln!("libtorch in {} is damaged ({damage}): fetching it again", folder.display());
        }
        fetch(cache, &folder, platform)?;
    }
    Ok(folder)
}

/// Downloads the wheels, unpacks them beside `folder` and puts the result in its place.
fn fetch(cache: &Path, folder: &Path, platform: &str) -> Result<()> {
    let wheels = cache.join("wheels");
    let fresh = cache.join("unpacking");
    for old in [&wheels, &fresh] {
        remove(old)?;
        fs::create_dir_all(old).with_context(|| format!("cannot make {}", old.display()))?;
    }
    eprintln!("fetching PyTorch {VERSION} for {platform} from PyPI (about 500 MB on disk)");
    let torch = download(&wheels.join("torch"), &format!("torch=={VERSION}"), platform)?;
    unpack(&fresh, &[torch])?;

    // The Linux wheel is built for CUDA; its CPU library still names two small CUDA libraries.
    let library = fresh.join("lib/libtorch_cpu.so");
    if library.exists() {
        let bytes = fs::read(&library).context("cannot read libtorch_cpu.so")?;
        let mut small = Vec::new();
        for (name, package) in [
            ("libcudart.so.13", "nvidia-cuda-runtime==13.0.*"),
            ("libcupti.so.13", "nvidia-cuda-cupti==13.0.*"),
        ] {
            if bytes.windows(name.len()).any(|window| window == name.as_bytes()) {
                small.push(download(&wheels.join(name), package, platform)?);
            }
        }
        unpack(&fresh, &small)?;
        // The wheel's own libtorch.so pulls in CUDA; all that a program needs of it is the CPU part.
        let facade = fresh.join("lib/libtorch.so");
        remove(&facade)?;
        symlink(Path::new("libtorch_cpu.so"), &facade).context("cannot link libtorch.so")?;
    }
    check_version(&fresh)?;
    fs::write(fresh.join(MANIFEST), manifest(&fresh)?).context("cannot write the file list")?;
    remove(folder)?;
    fs::rename(&fresh, folder).with_context(|| format!("cannot make {}", folder.display()))?;
    remove(&wheels)
}

/// Unpacks what is needed of `wheels` into `folder`.
fn unpack(folder: &Path, wheels: &[PathBuf]) -> Result<()> {
    let mut script = python();
    script.arg("-c").arg(include_str!("unpack.py")).arg(folder).args(wheels);
    run(&mut script, "unpacking the wheels")
}

/// Downloads one wheel with pip, which checks it against the index's hash.
fn download(into: &Path, package: &str, platform: &str) -> Result<PathBuf> {
    let mut pip = python();
    pip.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"])
        .args(["--disable-pip-version-check", "--python-version", "3.11"])
        .args(["--platform", platform]);
    if let Some(older) = platform.strip_prefix("manylinux_2_28_") {
        // The CUDA runtime wheels carry older tags.
        for tag in ["manylinux_2_25", "manylinux_2_17", "manylinux2014"] {
            pip.args(["--platform", &format!("{tag}_{older}")]);
        }
    }
    pip.arg("--dest").arg(into).arg(package);
    run(&mut pip, &format!("downloading {package}"))?;
    let wheel = fs::read_dir(into)
        .with_context(|| format!("pip left nothing in {}", into.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension() == Some(OsStr::new("whl")));
    wheel.with_context(|| format!("pip left no wheel in {}", into.display()))
}

/// The platform tag of PyTorch's wheel for this machine.
fn wheel_platform() -> Result<&'static str> {
    match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => Ok("manylinux_2_28_x86_64"),
        ("linux", "aarch64") => Ok("manylinux_2_28_aarch64"),
        ("macos", "aarch64") => Ok("macosx_11_0_arm64"),
        (os, arch) => bail!(
            "PyPI has no PyTorch {VERSION} wheel for {os} on {arch}: install libtorch {VERSION} \
             and set LIBTORCH to its folder"
        ),
    }
}

/// The folder of the PyTorch that `python3` imports.
fn installed_pytorch() -> Result<PathBuf> {
    let output = python()
        .args(["-c", "import os, torch; print(os.path.dirname(torch.__file__))"])
        .output()
        .context("cannot start python3")?;
    ensure!(
        output.status.success(),
        "LIBTORCH_USE_PYTORCH is set, but python3 cannot import torch: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// Fails unless `folder` holds the headers and libraries of the wanted version.
fn check_version(folder: &Path) -> Result<()> {
    // Where the version stands today, and where it stood in older releases.
    let header = ["include/torch/headeronly", "include/torch/csrc/api/include/torch"]
        .map(|below| folder.join(below).join("version.h"))
        .into_iter()
        .find(|header| fs::read_to_string(header).is_ok_and(|text| text.contains("_MAJOR")));
    let header = header.with_context(|| format!("no libtorch headers in {}", folder.display()))?;
    let text =
        fs::read_to_string(&header).with_context(|| format!("cannot read {}", header.display()))?;
    let part = |name: &str| {
        text.lines()
            .filter_map(|line| line.strip_prefix("#define ")?.strip_prefix(name))
            .find_map(|value| value.trim().parse::<u32>().ok())
    };
    let found = ["TORCH_VERSION_MAJOR ", "TORCH_VERSION_MINOR ", "TORCH_VERSION_PATCH "]
        .map(|name| part(name).map_or("?".to_owned(), |number| number.to_string()))
        .join(".");
    ensure!(found == VERSION, "{} holds libtorch {found}, not {VERSION}", folder.display());
    let library = format!("libtorch_cpu{}", env::consts::DLL_SUFFIX);
    ensure!(
        folder.join("lib").join(&library).exists(),
        "{} holds no lib/{library}",
        folder.display()
    );
    Ok(())
}

/// What is wrong with an unpacked libtorch, or nothing.
fn damage(folder: &Path) -> Option<String> {
    let Ok(expected) = fs::read_to_string(folder.join(MANIFEST)) else {
        return Some("it was never finished".into());
    };
    for line in expected.lines() {
        let (size, name) = line.split_once(' ')?;
        match fs::metadata(folder.join(name)) {
            Err(error) => return Some(format!("{name}: {error}")),
            Ok(meta) if meta.len().to_string() != size => {
                return Some(format!("{name} has {} bytes, not {size}", meta.len()));
            }
            Ok(_) => {}
        }
    }
    None
}

/// Every file below `folder` as `SIZE NAME`, a line each, sorted.
fn manifest(folder: &Path) -> Result<String> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("cannot read {next:?}"))? {
            let path = entry?.path();
            let meta = fs::metadata(&path)?;
            if meta.is_dir() {
                open.push(path);
            } else {
                files.push((path.strip_prefix(folder)?.to_owned(), meta.len()));
            }
        }
    }
    files.sort();
    let mut text = String::new();
    for (name, size) in files {
        writeln!(text, "{size} {}", name.display())?;
    }
    Ok(text)
}

/// Makes `workspace/.libtorch` lead to `folder`, in one step.
fn link(workspace: &Path, folder: &Path) -> Result<()> {
    let link = workspace.join(LINK);
    let folder = fs::canonicalize(folder).with_context(|| format!("no {}", folder.display()))?;
    if fs::read_link(&link).is_ok_and(|target| target == folder) {
        return Ok(());
    }
    let fresh = workspace.join(format!("{LINK}.{}.tmp", std::process::id()));
    symlink(&folder, &fresh)
        .and_then(|()| fs::rename(&fresh, &link))
        .with_context(|| format!("cannot make the link {}", link.display()))
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::Error::other("links are made on Unix only; set LIBTORCH instead"))
}

fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}

fn python() -> Command {
    Command::new(env::var_os("PYTHON").unwrap_or_else(|| "python3".into()))
}

fn run(command: &mut Command, what: &str) -> Result<()> {
    // Standard output carries the folder for scripts; a child's belongs to the log.
    let status = command
        .stdout(io::stderr())
        .status()
        .with_context(|| format!("{what}: cannot start python3 (it is needed, with pip)"))?;
    ensure!(status.success(), "{what} failed ({status})");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_or_missing_file_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("lib")).unwrap();
        fs::write(folder.path().join("lib/a.so"), "12345").unwrap();
        assert!(damage(folder.path()).is_some(), "no list of files yet");
        let list = manifest(folder.path()).unwrap();
        assert_eq!(list, "5 lib/a.so\n");
        fs::write(folder.path().join(MANIFEST), list).unwrap();
        assert_eq!(damage(folder.path()), None);
        fs::write(folder.path().join("lib/a.so"), "123").unwrap();
        assert_eq!(damage(folder.path()).unwrap(), "lib/a.so has 3 bytes, not 5");
        fs::remove_file(folder.path().join("lib/a.so")).unwrap();
        assert!(damage(folder.path()).unwrap().starts_with("lib/a.so: "));
    }

    #[test]
    fn another_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let include = folder.path().join("include/torch/csrc/api/include/torch");
        fs::create_dir_all(&include).unwrap();
        let header = "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 9\n#define TORCH_VERSION_PATCH 1\n";
        fs::write(include.join("version.h"), header).unwrap();
        let error = check_version(folder.path()).unwrap_err().to_string();
        assert!(error.contains("holds libtorch 2.9.1, not 2.11.0"), "{error}");
    }

    #[test]
    fn the_link_of_this_checkout_is_not_a_user_setting() {
        let workspace = Path::new("/some/checkout");
        assert!(is_own_link(OsStr::new("/some/checkout/.libtorch"), workspace));
        assert!(!is_own_link(OsStr::new("/opt/libtorch"), workspace));
    }
}
