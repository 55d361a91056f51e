//! Joins the modules under `web/` into two scripts: what the log list needs, and the rest. Together they compress a
//! quarter better than one by one, and a first load asks for four files instead of sixteen. What runs is the modules as they
//! are written: each stays a scope of its own, in the order of its imports. No parser is needed, since our imports and
//! exports stand at the beginning of a line, each in one of a few forms; another form is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::strip;

/// The script a page begins with, and the modules it is made for.
pub const FIRST: &str = "main.js";
/// The script with all other modules.
pub const REST: &str = "rest.js";
const FIRST_ROOTS: [&str; 2] = ["pages/logs.js", "main.js"];
const LOADER: &str =
    "const $M={};const $load=async(name)=>$M[name]??(await import(\"./rest.js\")).$M[name];\n";

/// The two scripts, of modules by their names.
///
/// # Errors
/// The module, and the line or import that is not understood.
pub fn link(modules: &BTreeMap<String, String>) -> Result<[(String, String); 2], String> {
    let mut linked =
        Linked { modules, done: BTreeSet::new(), open: BTreeSet::new(), text: LOADER.to_owned() };
    for root in FIRST_ROOTS {
        linked.add(root)?;
    }
    linked.text.push_str("export{$M,$load};\n");
    let first = std::mem::take(&mut linked.text);
    linked.text = format!("import{{$M,$load}}from\"./{FIRST}\";\n");
    for name in modules.keys() {
        linked.add(name)?;
    }
    linked.text.push_str("export{$M};\n");
    Ok([(FIRST.to_owned(), first), (REST.to_owned(), linked.text)])
}

struct Linked<'a> {
    modules: &'a BTreeMap<String, String>,
    done: BTreeSet<String>,
    /// Those whose imports are being added.
    open: BTreeSet<String>,
    text: String,
}

impl Linked<'_> {
    /// Adds a module after what it imports.
    fn add(&mut self, name: &str) -> Result<(), String> {
        if self.done.contains(name) {
            return Ok(());
        }
        let source = self.modules.get(name).ok_or_else(|| format!("{name} is imported and not there"))?;
        if !self.open.insert(name.to_owned()) {
            return Err(format!("{name} imports itself over others"));
        }
        let module = Module::read(name, source).map_err(|why| format!("{name}, {why}"))?;
        for import in &module.imports {
            self.add(import)?;
        }
        let body = strip::script(&module.body).map_err(|why| format!("{name}, {why}"))?;
        let exports = module.exports.join(",");
        let _ = writeln!(self.text, "$M[\"{name}\"]=(()=>{{{body}return{{{exports}}}}})();");
        self.done.insert(name.to_owned());
        Ok(())
    }
}

/// A module with its imports and exports rewritten.
struct Module {
    imports: Vec<String>,
    exports: Vec<String>,
    body: String,
}

impl Module {
    fn read(name: &str, source: &str) -> Result<Self, String> {
        let mut module = Self { imports: Vec::new(), exports: Vec::new(), body: String::new() };
        for (number, line) in source.lines().enumerate() {
            let place = |why: String| format!("line {}: {why}", number + 1);
            let line = if line.starts_with("import ") {
                module.import(name, line).map_err(place)?
            } else if let Some(declared) = line.strip_prefix("export ") {
                module.exports.push(declared_name(declared).map_err(place)?);
                declared.to_owned()
            } else {
                line.to_owned()
            };
            module.body.push_str(&dynamic(name, &line).map_err(place)?);
            module.body.push('\n');
        }
        Ok(module)
    }

    /// `import { a, b as c } from "./d.js";` or `import * as a from "./d.js";`
    fn import(&mut self, name: &str, line: &str) -> Result<String, String> {
        let unknown = || "an import is one line, of names or of everything".to_owned();
        let (what, from) = line.split_once(" from \"").ok_or_else(unknown)?;
        let target = resolve(name, from.strip_suffix("\";").ok_or_else(unknown)?)?;
        let taken =
            if let Some(names) = what.strip_prefix("import { ").and_then(|rest| rest.strip_suffix(" }")) {
                format!("{{ {} }}", names.replace(" as ", ": "))
            } else {
                what.strip_prefix("import * as ").ok_or_else(unknown)?.to_owned()
            };
        let rewritten = format!("const {taken} = $M[\"{target}\"];");
        self.imports.push(target);
        Ok(rewritten)
    }
}

/// The name in `function name(`, `async function name(`, `class Name {` and `const name =`.
fn declared_name(declared: &str) -> Result<String, String> {
    let kinds = ["async function ", "function ", "class ", "const "];
    let rest = kinds.iter().find_map(|kind| declared.strip_prefix(kind));
    let name: String =
        rest.unwrap_or("").chars().take_while(|char| char.is_ascii_alphanumeric() || *char == '_').collect();
    if name.is_empty() { Err("an export is a function, a class or a const".to_owned()) } else { Ok(name) }
}

/// Modules loaded when they are needed, and a module's own address.
fn dynamic(name: &str, line: &str) -> Result<String, String> {
    let mut rewritten = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("import(\"") {
        let (path, behind) = after.split_once("\")").ok_or("an import( must end on its line")?;
        let target = resolve(name, path)?;
        let _ = write!(rewritten, "{before}$load(\"{target}\")");
        rest = behind;
    }
    rewritten.push_str(rest);
    Ok(rewritten.replace("import.meta.url", &format!("new URL(\"{name}\", import.meta.url)")))
}

/// The name of what a module names by a relative address.
fn resolve(name: &str, path: &str) -> Result<String, String> {
    let mut segments: Vec<&str> = name.split('/').collect();
    segments.pop();
    if !path.starts_with('.') {
        return Err(format!("{path} is not relative"));
    }
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(segments.pop().ok_or_else(|| format!("{path} leaves web/"))?),
            part => segments.push(part),
        }
    }
    Ok(segments.join("/"))
}
