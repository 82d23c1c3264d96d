//! Compiles `src/flat.c`, `src/glr` and `src/locale.c` with the headers of tree-sitter.

fn main() {
    for path in ["src/flat.c", "src/flat.h", "src/glr", "src/locale.c"] {
        println!("cargo:rerun-if-changed={path}");
    }
    // Without the feature there is no `cc` to compile with either.
    #[cfg(feature = "tree-sitter")]
    compile();
}

#[cfg(feature = "tree-sitter")]
fn compile() {
    // Where the crate tree-sitter has its public headers; its other sources lie beside them.
    let include = std::env::var("DEP_TREE_SITTER_INCLUDE").expect("tree-sitter names its headers");
    cc::Build::new()
        .std("c11")
        .include(&include)
        .include(std::path::Path::new(&include).with_file_name("src"))
        .warnings(false)
        .files(["src/flat.c", "src/glr/lib.c", "src/locale.c"])
        .compile("code_syntax_flat");
}
