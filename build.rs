//! What is made before the compiler runs: the page's files ready to be sent (`build/web.rs`), and what bounds the C
//! library's allocator (`build/allocator.c`), compiled into every program of this package.

#[path = "build/link.rs"]
mod link;
#[path = "build/minify.rs"]
mod minify;
#[path = "build/module.rs"]
mod module;
#[path = "build/sheet.rs"]
mod sheet;
#[path = "build/web.rs"]
mod web;

use std::path::Path;

#[allow(clippy::disallowed_methods, reason = "cargo tells a build script its target by variables")]
fn main() {
    for path in ["build", "web"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let environment = |name: &str| std::env::var(name).unwrap_or_default();
    web::prepare(Path::new("web"), Path::new(&environment("OUT_DIR")));
    // For the tests of what it makes (src/http/assets/build_tests.rs).
    let own = std::env::current_exe().expect("a build script is a file");
    println!("cargo::rustc-env=BUILD_SCRIPT={}", own.display());
    // Other C libraries have neither this behaviour nor these settings.
    if environment("CARGO_CFG_TARGET_OS") == "linux" && environment("CARGO_CFG_TARGET_ENV") == "gnu" {
        // As an object rather than a library: nothing names it, so a linker would leave it out.
        for object in cc::Build::new().file("build/allocator.c").compile_intermediates() {
            println!("cargo::rustc-link-arg={}", object.display());
        }
    }
}
