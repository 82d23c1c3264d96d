//! Interpreters and compilers: where they are, and how they are told their limits.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use code_syntax::Language;
use tempfile::TempDir;

use crate::COMPILING;
use crate::program::GO_PACKAGES;
use crate::sandbox::Step;

/// What runs programs of a language.
#[derive(Debug, Clone)]
pub(crate) struct Toolchain {
    language: Language,
    /// The interpreter, or the compiler and the machine.
    programs: Vec<PathBuf>,
    /// Folders that they live in.
    pub(crate) readable: Vec<PathBuf>,
    /// Go's packages, compiled once.
    cache: Option<Arc<TempDir>>,
}

/// Address space that a runtime takes besides what its program uses.
const RUNTIME: u64 = 1 << 30;

impl Toolchain {
    /// Looks the language's programs up.
    pub(crate) fn find(language: Language) -> Result<Toolchain, String> {
        // A program found may be a script that chooses among versions: it is asked which. What it says
        // first is the program itself, the rest are folders.
        let (mut programs, mut readable) = (Vec::new(), Vec::new());
        let mut cache = None;
        match language {
            Language::Python => {
                let code =
                    "import sys; print(sys.executable); print(sys.base_prefix); print(sys.prefix)";
                readable = ask(&["python3", "python"], &["-c", code])?;
                programs.push(readable.remove(0));
            }
            Language::JavaScript => {
                programs = ask(&["node", "nodejs"], &["-p", "process.execPath"])?
            }
            Language::Php => programs = ask(&["php"], &["-r", "echo PHP_BINARY;"])?,
            Language::Ruby => {
                let code = "puts RbConfig.ruby; puts RbConfig::CONFIG['prefix']";
                readable = ask(&["ruby"], &["-e", code])?;
                programs.push(readable.remove(0));
            }
            Language::Java => {
                let java = look_up("java").ok_or("java is not installed")?;
                programs.push(look_up("javac").ok_or("javac is not installed")?);
                readable.extend(java.parent().and_then(Path::parent).map(Path::to_owned));
                programs.push(java);
            }
            Language::Go => {
                programs.push(look_up("go").ok_or("go is not installed")?);
                readable = ask(&["go"], &["env", "GOROOT"])?;
                cache = compile_go_packages(&programs[0]).ok().map(Arc::new);
                readable.extend(cache.iter().map(|cache| cache.path().to_owned()));
            }
            other => return Err(format!("programs in {other} cannot be run")),
        }
        // What lies in /usr is shown anyway; the whole of the root is shown to nobody.
        let shown = |folder: &PathBuf| !folder.starts_with("/usr") && folder.parent().is_some();
        let mut readable: Vec<PathBuf> =
            readable.into_iter().chain(programs.clone()).filter(shown).collect();
        readable.sort();
        readable.dedup();
        Ok(Toolchain { language, programs, readable, cache })
    }

    /// The commands that compile and run the program of [`program`](crate::program).
    pub(crate) fn steps(&self, seconds: f64, memory: u64) -> Vec<Step> {
        let mib = memory >> 20;
        let space = Some(memory + RUNTIME);
        let interpreted = |arguments: &[&str], address_space, environment: &[(&str, &str)]| {
            vec![step(&self.programs[0], arguments, environment, seconds, address_space)]
        };
        match self.language {
            Language::Python => interpreted(
                &["-B", "-s", "driver.py"],
                Some(memory),
                &[("PYTHONHASHSEED", "0"), ("OPENBLAS_NUM_THREADS", "1"), ("OMP_NUM_THREADS", "1")],
            ),
            Language::JavaScript => {
                let heap = format!("--max-old-space-size={mib}");
                let modules = "/usr/share/nodejs:/usr/lib/node_modules:/usr/local/lib/node_modules";
                // It reserves address space by the gigabyte: its heap is limited instead.
                interpreted(&[&heap, "candidate.js"], None, &[("NODE_PATH", modules)])
            }
            Language::Php => {
                let heap = format!("memory_limit={mib}M");
                interpreted(&["-d", &heap, "candidate.php"], space, &[])
            }
            Language::Ruby => interpreted(&["-W0", "candidate.rb"], space, &[]),
            Language::Java => {
                let heap = format!("-Xmx{}m", mib / 2);
                let compiler: Vec<String> = JVM
                    .iter()
                    .chain(&[heap.as_str()])
                    .map(|option| format!("-J{option}"))
                    .collect();
                let mut compile: Vec<&str> = compiler.iter().map(String::as_str).collect();
                compile.extend([
                    "-nowarn",
                    "-proc:none",
                    "-encoding",
                    "UTF-8",
                    "Main.java",
                    "TestsDone.java",
                ]);
                let run = [&JVM[..], &[&heap, "-Xss16m", "-cp", ".", "TestsDone"]].concat();
                let [javac, java] = [&self.programs[0], &self.programs[self.programs.len() - 1]];
                vec![
                    step(javac, &compile, &[], COMPILING.as_secs_f64(), None),
                    step(java, &run, &[], seconds, None),
                ]
            }
            Language::Go => {
                let cache = self.cache.as_ref().map(|cache| cache.path().to_string_lossy());
                let cache = cache.iter().map(|cache| ("GOCACHE", cache.as_ref()));
                let environment: Vec<(&str, &str)> = GO.into_iter().chain(cache).collect();
                let compile =
                    ["test", "-c", "-o", "candidate", "candidate_test.go", "verdict_test.go"];
                let limit = format!("{mib}MiB");
                let test = step(
                    Path::new("./candidate"),
                    &["-test.paniconexit0"],
                    &[("GOMEMLIMIT", &limit), ("GOMAXPROCS", "2")],
                    seconds,
                    space,
                );
                vec![
                    step(&self.programs[0], &compile, &environment, COMPILING.as_secs_f64(), None),
                    test,
                ]
            }
            _ => Vec::new(),
        }
    }
}

/// Go without modules and network; packages that are not the language's own come from Debian's folder.
const GO: [(&str, &str); 5] = [
    ("GO111MODULE", "off"),
    ("GOPATH", "/usr/share/gocode"),
    ("GOFLAGS", "-buildvcs=false"),
    ("GOTOOLCHAIN", "local"),
    ("GOMAXPROCS", "2"),
];

/// Compiles the packages that programs may import into a cache, which programs can then read and
/// not write: compiling them anew takes ten seconds a program.
fn compile_go_packages(go: &Path) -> std::io::Result<TempDir> {
    let (cache, work) = (tempfile::tempdir()?, tempfile::tempdir()?);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Programs run as another user.
        std::fs::set_permissions(cache.path(), std::fs::Permissions::from_mode(0o755))?;
    }
    let imports: String = GO_PACKAGES.iter().map(|name| format!("import _ {name:?}\n")).collect();
    std::fs::write(work.path().join("all_test.go"), format!("package main\n\n{imports}"))?;
    // What is not installed fails later, and only for programs that import it.
    Command::new(go)
        .args(["test", "-c", "-o", "all", "all_test.go"])
        .envs(GO)
        .env("GOCACHE", cache.path())
        .current_dir(work.path())
        .output()?;
    Ok(cache)
}

/// Quick to start, one thread for the garbage: programs that run for a moment.
const JVM: [&str; 4] =
    ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:MaxMetaspaceSize=256m", "-Xshare:auto"];

fn step(
    program: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
    seconds: f64,
    address_space: Option<u64>,
) -> Step {
    let program = program.to_string_lossy().into_owned();
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Step {
        command: [program].into_iter().chain(arguments.iter().map(|&a| a.to_owned())).collect(),
        environment: environment.iter().map(owned).collect(),
        seconds,
        address_space,
    }
}

/// What the first of these programs that is installed says: paths, a line each, at least one.
fn ask(names: &[&str], arguments: &[&str]) -> Result<Vec<PathBuf>, String> {
    let name = names.iter().find(|name| look_up(name).is_some());
    let name = name.ok_or_else(|| format!("{} is not installed", names[0]))?;
    let output = Command::new(name).args(arguments).output();
    let output = output.map_err(|error| format!("cannot start {name}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let resolve = |path: &str| Path::new(path).canonicalize().unwrap_or_else(|_| path.into());
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with('/'));
    let paths: Vec<PathBuf> = lines.map(resolve).collect();
    if paths.is_empty() { Err(format!("{name} does not say where it is")) } else { Ok(paths) }
}

/// The program that the shell would start, behind all links.
fn look_up(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name));
    found.filter(|path| path.is_file()).find_map(|path| path.canonicalize().ok())
}
