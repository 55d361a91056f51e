//! Compiles what bounds the C library's allocator (`build/allocator.c`) into every program of this package.

#[allow(clippy::disallowed_methods, reason = "cargo tells a build script its target by variables")]
fn main() {
    println!("cargo::rerun-if-changed=build/allocator.c");
    let environment = |name: &str| std::env::var(name).unwrap_or_default();
    // Other C libraries have neither this behaviour nor these settings.
    if environment("CARGO_CFG_TARGET_OS") == "linux" && environment("CARGO_CFG_TARGET_ENV") == "gnu" {
        // As an object rather than a library: nothing names it, so a linker would leave it out.
        for object in cc::Build::new().file("build/allocator.c").compile_intermediates() {
            println!("cargo::rustc-link-arg={}", object.display());
        }
    }
}
