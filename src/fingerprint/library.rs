//! Which frames are not the application's own: a language's, a library's, or made by a compiler.
//!
//! Told by where the file lies, else by the package, namespace or crate. What is not listed counts as own code.

use super::line::{Frame, Language};

/// Parts of a path that no file of an application has, in any language.
const PLACES: [&str; 40] = [
    "node_modules/",
    "node:",
    "bower_components/",
    "/.yarn/",
    "/usr/lib/node",
    "<anonymous>",
    "[native code]",
    "webpack/bootstrap",
    "webpack/runtime",
    "(webpack)/",
    "extension://",
    "site-packages/",
    "dist-packages/",
    "/lib/python",
    "/Lib/asyncio/",
    "/Lib/concurrent/",
    "<frozen",
    "/usr/bin/",
    "/usr/local/bin/",
    "/venv/bin/",
    "/rustc/",
    ".cargo/registry/",
    ".cargo/git/",
    "/library/std/src/",
    "/library/core/src/",
    "/library/alloc/src/",
    "/vendor/",
    "/gems/",
    "/lib/ruby/",
    "<internal:",
    "/rubygems/",
    "/pkg/mod/",
    "/usr/local/go/",
    "/usr/lib/go",
    "/usr/lib/golang/",
    "/hostedtoolcache/",
    "[internal function]",
    "phar://",
    "/usr/share/php/",
    "/.m2/",
];

/// Beginnings of file names of scripts that pages take from others or that bundlers split off.
const SCRIPTS: [&str; 13] = [
    "vendor.",
    "vendor-",
    "vendors.",
    "vendors-",
    "vendors~",
    "polyfill",
    "framework-",
    "jquery",
    "react-dom",
    "react.",
    "vue.",
    "zone.js",
    "webpack-",
];

const JAVA: [&str; 52] = [
    "java.",
    "javax.",
    "jakarta.",
    "jdk.",
    "sun.",
    "com.sun.",
    "kotlin.",
    "kotlinx.",
    "scala.",
    "groovy.",
    "clojure.",
    "org.springframework.",
    "org.apache.",
    "org.hibernate.",
    "org.eclipse.",
    "org.junit.",
    "org.jboss.",
    "org.glassfish.",
    "org.postgresql.",
    "org.slf4j.",
    "org.codehaus.",
    "org.mongodb.",
    "org.gradle.",
    "org.aspectj.",
    "io.netty.",
    "io.vertx.",
    "io.micronaut.",
    "io.quarkus.",
    "io.grpc.",
    "io.reactivex.",
    "io.undertow.",
    "io.ktor.",
    "reactor.",
    "rx.",
    "com.fasterxml.",
    "com.google.common.",
    "com.google.inject.",
    "com.google.android.",
    "com.android.",
    "com.zaxxer.",
    "com.mysql.",
    "com.mongodb.",
    "com.netflix.",
    "android.",
    "androidx.",
    "dalvik.",
    "okhttp3.",
    "okio.",
    "retrofit2.",
    "redis.clients.",
    "akka.",
    "ch.qos.logback.",
];

const DOT_NET: [&str; 17] = [
    "System.",
    "Microsoft.",
    "MS.",
    "Npgsql.",
    "Newtonsoft.",
    "Autofac.",
    "AutoMapper.",
    "Castle.",
    "Dapper.",
    "Grpc.",
    "Hangfire.",
    "MassTransit.",
    "MediatR.",
    "MySql.",
    "MySqlConnector.",
    "Polly.",
    "lambda_method",
];

const RUST: [&str; 48] = [
    "core",
    "std",
    "alloc",
    "proc_macro",
    "test",
    "panic_unwind",
    "backtrace",
    "tokio",
    "tokio_util",
    "hyper",
    "hyper_util",
    "axum",
    "axum_core",
    "tower",
    "tower_http",
    "tower_service",
    "futures",
    "futures_util",
    "futures_core",
    "tracing",
    "tracing_core",
    "tracing_subscriber",
    "actix_web",
    "actix_rt",
    "actix_http",
    "actix_server",
    "rocket",
    "poem",
    "warp",
    "tonic",
    "h2",
    "mio",
    "rustls",
    "sqlx",
    "sqlx_core",
    "diesel",
    "reqwest",
    "serde",
    "serde_json",
    "anyhow",
    "eyre",
    "color_eyre",
    "rayon",
    "rayon_core",
    "crossbeam",
    "async_std",
    "clap",
    "log",
];

/// Symbols of Rust programs that no crate has.
const RUST_SYMBOLS: [&str; 11] = [
    "main",
    "_main",
    "_start",
    "start",
    "__libc_start_main",
    "__libc_start_call_main",
    "clone",
    "clone3",
    "start_thread",
    "rust_begin_unwind",
    "<unknown>",
];

/// First parts of the import paths of Go's own packages.
const GO: [&str; 39] = [
    "archive",
    "bufio",
    "bytes",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "internal",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "reflect",
    "regexp",
    "runtime",
    "slices",
    "sort",
    "strconv",
    "sync",
    "syscall",
    "testing",
];

/// What compilers and old runtimes put between an application's functions.
const MADE: [&str; 17] = [
    "processTicksAndRejections",
    "asyncGeneratorStep",
    "_asyncToGenerator",
    "__awaiter",
    "__generator",
    "tryCatch",
    "Generator.next",
    "Generator.throw",
    "Generator.<anonymous>",
    "new Promise",
    "Promise.all",
    "Promise.then",
    "__webpack_require__",
    "__require",
    "regeneratorRuntime",
    "invokePassiveEffectCreate",
    "runMicrotasks",
];

/// What says that a frame is not the application's own; `None` when nothing does.
pub(super) fn mark(frame: &Frame<'_>) -> Option<&'static str> {
    let file = frame.file.replace('\\', "/");
    let starts_relative =
        |place: &&&str| place.strip_prefix('/').is_some_and(|place| file.starts_with(place));
    if let Some(place) = PLACES.iter().find(|place| file.contains(**place)) {
        return Some(place);
    }
    if let Some(place) = ["/vendor/", "/gems/"].iter().find(starts_relative) {
        return Some(place);
    }
    match frame.language {
        Language::JavaScript => javascript(frame.function, &file),
        Language::Java => java(frame.function),
        Language::DotNet => starts(&DOT_NET, frame.function),
        Language::Rust => rust(frame.function),
        Language::Go => go(frame.function, &file),
        Language::Python | Language::Ruby | Language::Php => None,
    }
}

fn starts(list: &'static [&'static str], name: &str) -> Option<&'static str> {
    list.iter().find(|start| name.starts_with(**start)).copied()
}

fn javascript(function: &str, file: &str) -> Option<&'static str> {
    // Node before 16 printed its own files without a folder.
    const OLD_NODE: [&str; 11] = [
        "events.js",
        "net.js",
        "module.js",
        "timers.js",
        "domain.js",
        "_http_client.js",
        "_http_server.js",
        "fs.js",
        "_stream_readable.js",
        "bootstrap_node.js",
        "vm.js",
    ];
    if let Some(made) = MADE.iter().find(|made| **made == function) {
        return Some(made);
    }
    if file.starts_with("internal/") {
        return Some("internal/");
    }
    let name = file.rsplit('/').next().unwrap_or(file);
    OLD_NODE.iter().find(|old| **old == file).copied().or_else(|| starts(&SCRIPTS, name))
}

fn java(function: &str) -> Option<&'static str> {
    const GENERATED: [&str; 6] =
        ["$$Lambda", "$$FastClassBy", "$Proxy", "GeneratedMethodAccessor", "$$SpringCGLIB", "$$EnhancerBy"];
    let own = super::name::without_module(function);
    starts(&JAVA, own).or_else(|| GENERATED.iter().find(|part| function.contains(**part)).copied())
}

/// By the crate: of `<shop::Cart as core::ops::Add>::add` it is `shop`, of `<F as axum::Handler>::call` it is `axum`.
fn rust(function: &str) -> Option<&'static str> {
    if let Some(symbol) = RUST_SYMBOLS.iter().find(|symbol| **symbol == function) {
        return Some(symbol);
    }
    // `__rustc::rust_begin_unwind` among them.
    if function.starts_with("__rust") || function.starts_with("__pthread") {
        return Some("__rust");
    }
    let of_type = function.trim_start_matches(['<', '&', '*', '(', '_', '[']);
    let of_type = ["mut ", "dyn ", "const ", "impl "]
        .iter()
        .fold(of_type, |rest, word| rest.strip_prefix(word).unwrap_or(rest));
    let first = first_of(of_type);
    let generic =
        function.starts_with('<') && (first.len() <= 2 || !of_type[first.len()..].starts_with("::"));
    let crate_name = match of_type.split_once(" as ") {
        Some((_, of_trait)) if generic => first_of(of_trait),
        _ => first,
    };
    RUST.iter().find(|known| **known == crate_name).copied()
}

fn first_of(path: &str) -> &str {
    path.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').next().unwrap_or(path)
}

/// By the import path; a module's file has its version in the path when it is no own one.
fn go(function: &str, file: &str) -> Option<&'static str> {
    if file.contains("@v") {
        return Some("@v");
    }
    if function == "panic" {
        return Some("panic");
    }
    let first = function.split(['/', '.']).next().unwrap_or(function);
    let external = starts(&["golang.org/x/", "google.golang.org/", "gopkg.in/"], function);
    external.or_else(|| GO.iter().find(|own| **own == first).copied())
}
