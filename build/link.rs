//! Joins the modules under `web/` into two scripts: what the log list needs, and the rest. Together they compress a
//! quarter better than one by one, and a first load asks for three files and the API instead of sixteen. What runs is the
//! modules as they are written, in the order of their imports. One that declares a name another has for something else is
//! a scope of its own. No parser is needed, since our imports and exports stand at the beginning of a line, each in one of a
//! few forms; another form is refused, as is what is imported and not there.
//!
//! An exported name that can mean nothing else where it isn't bound is a name of its script, so that no module has to import
//! it; what the others export is taken from `$M`, by the module's name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::strip;
use super::tokens::{Kind, Tokens, declared_names, declares_more};

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
    for (name, module) in &modules {
        module.find_taken(&modules).map_err(|why| format!("{name}, {why}"))?;
    }
    let shared = shared_names(&modules);
    let mut taken: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (target, export) in modules.values().flat_map(|module| module.taken(&shared)) {
        let all = modules[target].exports.iter().map(String::as_str);
        taken
            .entry(target)
            .or_default()
            .extend(all.filter(|name| export.is_none_or(|export| export == *name)));
    }
    let mut first = BTreeSet::new();
    for root in FIRST_ROOTS {
        reach(&modules, root, &mut first);
    }
    let mut linked = Linked {
        first,
        taken,
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
    let names: Vec<&str> = names.flat_map(|name| [",", name]).collect();
    let names = names.concat();
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

/// Notes a module and what it imports.
fn reach<'a>(modules: &'a BTreeMap<&str, Module>, name: &'a str, reached: &mut BTreeSet<&'a str>) {
    if reached.insert(name) {
        let imports = modules.get(name).into_iter().flat_map(|module| &module.imports);
        for import in imports {
            reach(modules, &import.target, reached);
        }
    }
}

struct Linked<'a> {
    /// The modules of the first script.
    first: BTreeSet<&'a str>,
    modules: &'a BTreeMap<&'a str, Module>,
    shared: &'a BTreeMap<String, &'a str>,
    /// What is taken from `$M`, by modules.
    taken: BTreeMap<&'a str, BTreeSet<&'a str>>,
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
        let body =
            strip::script(&format!("{imports}{}", module.body)).map_err(|why| format!("{name}, {why}"))?;
        let own = |export: &&String| self.shared.get(*export).is_some_and(|of| *of == name);
        let named: Vec<String> = module.exports.iter().filter(own).cloned().collect();
        let taken = self.taken.get(name);
        let is_asked = |export: &&str| {
            taken.is_some_and(|taken| taken.contains(export)) || named.iter().any(|name| name == export)
        };
        let exports: Vec<&str> = module.exports.iter().map(String::as_str).filter(is_asked).collect();
        let exports = exports.join(",");
        self.named.extend(named.iter().cloned());
        self.done.insert(name.to_owned());
        if self.is_clear(name, module) {
            self.text.push_str(&body);
            if taken.is_some() {
                let _ = writeln!(self.text, "$M[\"{name}\"]={{{exports}}};");
            }
            return Ok(());
        }
        if !named.is_empty() {
            let _ = write!(self.text, "let{{{}}}=", named.join(","));
        }
        if taken.is_some() {
            let _ = write!(self.text, "$M[\"{name}\"]=");
        }
        let _ = writeln!(self.text, "(()=>{{{body}return{{{exports}}}}})();");
        Ok(())
    }

    /// Whether all a module declares can stand in the script as it is: no other module of the script has one of its names for
    /// anything but what it takes of this one.
    fn is_clear(&self, name: &str, module: &Module) -> bool {
        let is_own = |word: &String| self.shared.get(word).is_some_and(|of| *of == name);
        let is_first = self.first.contains(name);
        let beside = |other: &str| other != name && self.first.contains(other) == is_first;
        let others = || self.modules.iter().filter(|(other, _)| beside(other));
        let is_free = |word: &String| {
            is_own(word)
                || !self.shared.contains_key(word) && others().all(|(_, other)| !other.words.contains(word))
        };
        let names = |import: &Import| {
            let named = import.rest(self.shared).into_iter().map(|(_, own)| own);
            named.chain(&import.whole).cloned().collect::<Vec<_>>()
        };
        let imported = || module.imports.iter().flat_map(names);
        module.declared.as_ref().is_some_and(|declared| declared.iter().all(is_free))
            && imported().all(|own| is_free(&own))
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
    /// The names its statements declare; none where they are declared in a way that is not understood.
    declared: Option<Vec<String>>,
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
        let mut text = String::with_capacity(source.len());
        // Where an exported `const` begins.
        let mut constants = Vec::new();
        for (number, line) in source.lines().enumerate() {
            let place = |why: String| format!("line {}: {why}", number + 1);
            let line = if line.starts_with("import ") {
                module.import(name, line).map_err(place)?;
                ""
            } else if let Some(declared) = line.strip_prefix("export ") {
                module.exports.push(declared_name(declared).map_err(place)?);
                if declared.starts_with("const ") {
                    constants.push(text.len());
                }
                declared
            } else {
                line
            };
            text.push_str(line);
            text.push('\n');
        }
        module.read_body(name, &text, &constants)?;
        Ok(module)
    }

    /// Notes the names in a module's text. Modules are loaded from where they are now, and its own address stays its own.
    fn read_body(&mut self, name: &str, text: &str, constants: &[usize]) -> Result<(), String> {
        let list = Tokens::list(text)?;
        self.declared = declared_names(&list);
        let word = |at: usize| list.get(at).map_or("", |token| token.text);
        let mut copied = 0;
        for (at, token) in list.iter().enumerate().filter(|(_, token)| token.kind == Kind::Word) {
            let place = |why| format!("line {}: {why}", text[..token.start].matches('\n').count() + 1);
            if constants.contains(&token.start) && declares_more(&list[at..]) {
                return Err(place("an export declares one name".to_owned()));
            }
            // `...name` is no member.
            let behind_dot = at > 1 && word(at - 1) == "." && word(at - 2) != ".";
            let is_key = at > 0 && word(at + 1) == ":" && ["{", ","].contains(&word(at - 1));
            if behind_dot || is_key {
                continue;
            }
            self.words.insert(token.text.to_owned());
            if token.text != "import" {
                continue;
            }
            let (stands, end) = match [1, 2, 3, 4].map(|ahead| word(at + ahead)) {
                [".", "meta", ".", "url"] => (format!("new URL(\"{name}\",import.meta.url)"), at + 4),
                ["(", path, ")", _] if path.starts_with('"') => {
                    let target = resolve(name, path.trim_matches('"')).map_err(place)?;
                    self.loads.push(target.clone());
                    (format!("$load(\"{target}\")"), at + 3)
                }
                _ => {
                    return Err(place("an import() names its module, and import.meta has an url".to_owned()));
                }
            };
            self.body.push_str(&text[copied..token.start]);
            self.body.push_str(&stands);
            copied = list[end].start + list[end].text.len();
        }
        self.body.push_str(&text[copied..]);
        Ok(())
    }

    /// Refuses what is imported and not there.
    fn find_taken(&self, modules: &BTreeMap<&str, Self>) -> Result<(), String> {
        for target in self.imports.iter().map(|import| &import.target).chain(&self.loads) {
            if !modules.contains_key(target.as_str()) {
                return Err(format!("{target} is imported and not there"));
            }
        }
        for import in &self.imports {
            let exports = &modules[import.target.as_str()].exports;
            if let Some((of, _)) = import.names.iter().find(|(of, _)| !exports.contains(of)) {
                return Err(format!("{} has no {of}", import.target));
            }
        }
        Ok(())
    }

    /// What is taken of other modules by their names: of one that is loaded, everything.
    fn taken<'a>(
        &'a self,
        shared: &'a BTreeMap<String, &str>,
    ) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let whole = self.imports.iter().filter(|import| import.whole.is_some());
        let all = whole.map(|import| &import.target).chain(&self.loads).map(|target| (target.as_str(), None));
        let named = self.imports.iter().flat_map(|import| {
            import.rest(shared).into_iter().map(|(of, _)| (import.target.as_str(), Some(of.as_str())))
        });
        all.chain(named)
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
