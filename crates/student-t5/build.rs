//! Lets tests, examples and binaries of this crate find libtorch at run time: an rpath to
//! `$LIBTORCH/lib`. Where libtorch comes from the system or from Python nothing is emitted and the
//! loader must know the folder.

use std::env;
use std::path::PathBuf;

fn main() {
    for variable in ["LIBTORCH", "LIBTORCH_LIB", "LIBTORCH_USE_PYTORCH"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    if env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        return;
    }
    let Some(root) = env::var_os("LIBTORCH_LIB").or_else(|| env::var_os("LIBTORCH")) else {
        return;
    };
    // A relative folder is one of the workspace, above the package. A link stays a link, so that
    // programs follow it to wherever it leads later.
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let lib = package.ancestors().map(|folder| folder.join(&root).join("lib"));
    if let Some(lib) = lib.into_iter().find(|lib| lib.is_dir()) {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    }
}
