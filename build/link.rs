//! Joins the modules under `web/` into two scripts: what the log list needs, and the rest. Together they compress a
//! quarter better than one by one, and a first load asks for four files instead of sixteen. What runs is the modules as they
//! are written: each stays a scope of its own, in the order of its imports. No parser is needed, since our imports and
//! exports stand at the beginning of a line, each in one of a few forms; another form is refused.
//!
//! An exported name that can mean nothing else where it isn't bound is a name of its script, so that no module has to import
//! it; what the others export is taken from `$M`, by the module's name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::strip;
use super::tokens::{Kind, Tokens};

/// The script a page begins with, and the modules it is made for.
pub const FIRST: &str = "main.js";
/// The script with all other modules.
pub const REST: &str = "rest.js";
const FIRST_ROOTS: [&str; 2] = ["pages/logs.js", "main.js"];
/// Exported names that no browser has for anything: a module that doesn't import one has it for something of its own.
/// tests/browser/list.test.mjs asks the browser.
const OWN_NAMES: [&str; 18] = [
    "LEVELS",
    "button",
    "change",
    "channels",
    "choice",
    "count",
    "eventView",
    "facts",
    "field",
    "kindTitle",
    "panel",
    "part",
    "read",
    "rowOf",
    "section",
    "shown",
    "table",
    "trend",
];
const LOADER: &str =
    "const $M={};const $load=async(name)=>$M[name]??(await import(\"./rest.js\")).$M[name];\n";

/// The two scripts, of modules by their names.
///
/// # Errors
/// The module, and the line or import that is not understood.
pub fn link(sources: &BTreeMap<String, String>) -> Result<[(String, String); 2], String> {
    let mut modules = BTreeMap::new();
    for (name, source) in sources {
        let module = Module::read(name, source).map_err(|why| format!("{name}, {why}"))?;
        modules.insert(name.as_str(), module);
    }
    let shared = shared_names(&modules);
    let mut linked = Linked {
        taken: modules.values().flat_map(|module| module.taken(&shared)).collect(),
        modules: &modules,
        shared: &shared,
        done: BTreeSet::new(),
        open: BTreeSet::new(),
        named: Vec::new(),
        text: LOADER.to_owned(),
    };
    for root in FIRST_ROOTS {
        linked.add(root)?;
    }
    let rest = modules.iter().filter(|(name, _)| !linked.done.contains(**name));
    let used: BTreeSet<&String> = rest.flat_map(|(_, module)| &module.words).collect();
    let names = linked.named.iter().filter(|name| used.contains(name));
    let names: String = names.map(|name| format!(",{name}")).collect();
    let first = format!("{}export{{$M,$load{names}}};\n", std::mem::take(&mut linked.text));
    linked.text = format!("import{{$M,$load{names}}}from\"./{FIRST}\";\n");
    for name in modules.keys() {
        linked.add(name)?;
    }
    linked.text.push_str("export{$M};\n");
    Ok([(FIRST.to_owned(), first), (REST.to_owned(), linked.text)])
}

/// Exported names that others import and that can be taken for nothing else anywhere, each with its module.
fn shared_names<'a>(modules: &BTreeMap<&'a str, Module>) -> BTreeMap<String, &'a str> {
    let mut shared = BTreeMap::new();
    for (name, module) in modules {
        for export in &module.exports {
            let imports_it = |user: &Module| {
                let imports = user.imports.iter().filter(|import| import.target == *name);
                imports.flat_map(|import| &import.names).any(|(of, own)| of == export && own == export)
            };
            let others = || modules.iter().filter(|(other, _)| *other != name).map(|(_, user)| user);
            let is_clear = others().all(|user| imports_it(user) || !user.words.contains(export));
            let is_bound = OWN_NAMES.contains(&export.as_str()) && !shared.contains_key(export);
            if (is_clear || is_bound) && others().any(imports_it) {
                shared.insert(export.clone(), *name);
            }
        }
    }
    shared
}

struct Linked<'a> {
    modules: &'a BTreeMap<&'a str, Module>,
    shared: &'a BTreeMap<String, &'a str>,
    /// Modules something of is taken from `$M`.
    taken: BTreeSet<String>,
    done: BTreeSet<String>,
    /// Those whose imports are being added.
    open: BTreeSet<String>,
    /// Names of the script.
    named: Vec<String>,
    text: String,
}

impl Linked<'_> {
    /// Adds a module after what it imports.
    fn add(&mut self, name: &str) -> Result<(), String> {
        if self.done.contains(name) {
            return Ok(());
        }
        let module = self.modules.get(name).ok_or_else(|| format!("{name} is imported and not there"))?;
        if !self.open.insert(name.to_owned()) {
            return Err(format!("{name} imports itself over others"));
        }
        for import in &module.imports {
            self.add(&import.target)?;
        }
        let imports: String = module.imports.iter().map(|import| import.text(self.shared)).collect();
        let body = strip::script(&module.body).map_err(|why| format!("{name}, {why}"))?;
        let own = |export: &&String| self.shared.get(*export).is_some_and(|of| *of == name);
        let named: Vec<String> = module.exports.iter().filter(own).cloned().collect();
        let is_taken = self.taken.contains(name);
        let exports = if is_taken { &module.exports } else { &named }.join(",");
        if !named.is_empty() {
            let _ = write!(self.text, "const{{{}}}=", named.join(","));
        }
        if is_taken {
            let _ = write!(self.text, "$M[\"{name}\"]=");
        }
        let _ = writeln!(self.text, "(()=>{{{imports}{body}return{{{exports}}}}})();");
        self.named.extend(named);
        self.done.insert(name.to_owned());
        Ok(())
    }
}

/// A module with its imports and exports apart.
#[derive(Default)]
struct Module {
    imports: Vec<Import>,
    exports: Vec<String>,
    /// Modules it loads when it needs them.
    loads: Vec<String>,
    body: String,
    /// The names in its body, but those of members.
    words: BTreeSet<String>,
}

struct Import {
    target: String,
    /// The export and the name it has here.
    names: Vec<(String, String)>,
    /// The name of all of it together.
    whole: Option<String>,
}

impl Import {
    /// What is still to be taken from `$M`.
    fn rest<'a>(&'a self, shared: &BTreeMap<String, &str>) -> Vec<&'a (String, String)> {
        let is_shared =
            |(of, own): &(String, String)| of == own && shared.get(of) == Some(&self.target.as_str());
        self.names.iter().filter(|name| !is_shared(name)).collect()
    }

    fn text(&self, shared: &BTreeMap<String, &str>) -> String {
        let pair = |(of, own): &(String, String)| if of == own { of.clone() } else { format!("{of}:{own}") };
        let names: Vec<String> = self.rest(shared).into_iter().map(pair).collect();
        match &self.whole {
            Some(whole) => format!("const {whole}=$M[\"{}\"];", self.target),
            None if names.is_empty() => String::new(),
            None => format!("const{{{}}}=$M[\"{}\"];", names.join(","), self.target),
        }
    }
}

impl Module {
    fn read(name: &str, source: &str) -> Result<Self, String> {
        let mut module = Self::default();
        for (number, line) in source.lines().enumerate() {
            let place = |why: String| format!("line {}: {why}", number + 1);
            let line = if line.starts_with("import ") {
                module.import(name, line).map_err(place)?;
                ""
            } else if let Some(declared) = line.strip_prefix("export ") {
                module.exports.push(declared_name(declared).map_err(place)?);
                declared
            } else {
                line
            };
            let line = module.dynamic(name, line).map_err(place)?;
            module.body.push_str(&line);
            module.body.push('\n');
        }
        module.find_words()?;
        Ok(module)
    }

    fn find_words(&mut self) -> Result<(), String> {
        let (mut tokens, mut list) = (Tokens::of(&self.body), Vec::new());
        while let Some(token) = tokens.next()? {
            list.push(token);
        }
        let text = |at: usize| list.get(at).map_or("", |token| token.text);
        for (at, token) in list.iter().enumerate().filter(|(_, token)| token.kind == Kind::Word) {
            // `...name` is no member.
            let behind_dot = at > 1 && text(at - 1) == "." && text(at - 2) != ".";
            let is_key = at > 0 && text(at + 1) == ":" && ["{", ","].contains(&text(at - 1));
            if !behind_dot && !is_key {
                self.words.insert(token.text.to_owned());
            }
        }
        Ok(())
    }

    /// Modules something of is taken by their names.
    fn taken(&self, shared: &BTreeMap<String, &str>) -> Vec<String> {
        let from_table = |import: &&Import| import.whole.is_some() || !import.rest(shared).is_empty();
        let imported = self.imports.iter().filter(from_table).map(|import| import.target.clone());
        imported.chain(self.loads.iter().cloned()).collect()
    }

    /// `import { a, b as c } from "./d.js";` or `import * as a from "./d.js";`
    fn import(&mut self, name: &str, line: &str) -> Result<(), String> {
        let unknown = || "an import is one line, of names or of everything".to_owned();
        let (what, from) = line.split_once(" from \"").ok_or_else(unknown)?;
        let target = resolve(name, from.strip_suffix("\";").ok_or_else(unknown)?)?;
        let list = what.strip_prefix("import { ").and_then(|rest| rest.strip_suffix(" }"));
        let pair = |part: &str| {
            let (of, own) = part.split_once(" as ").unwrap_or((part, part));
            (of.to_owned(), own.to_owned())
        };
        let names = list.map(|list| list.split(", ").map(pair).collect()).unwrap_or_default();
        let whole = what.strip_prefix("import * as ").map(str::to_owned);
        if list.is_none() && whole.is_none() {
            return Err(unknown());
        }
        self.imports.push(Import { target, names, whole });
        Ok(())
    }

    /// A line in which modules are loaded from where they are now, and a module's own address is its own.
    fn dynamic(&mut self, name: &str, line: &str) -> Result<String, String> {
        let mut rewritten = String::with_capacity(line.len());
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("import(\"") {
            let (path, behind) = after.split_once("\")").ok_or("an import( must end on its line")?;
            let target = resolve(name, path)?;
            let _ = write!(rewritten, "{before}$load(\"{target}\")");
            self.loads.push(target);
            rest = behind;
        }
        rewritten.push_str(rest);
        Ok(rewritten.replace("import.meta.url", &format!("new URL(\"{name}\", import.meta.url)")))
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
