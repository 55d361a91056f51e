//! Joins the modules under `web/` into two scripts: what the log list needs, and the rest. Together they compress better
//! than one by one, and a first load asks for three files and the API instead of sixteen. What runs is the modules as they
//! are written, each once and after what it imports: the log list before the rest of the first script, and all of the
//! second one when the first of its modules is loaded. So a module that does more than declare may do it earlier than
//! it would by itself. What a module calls `name` is called `name$7` in its script, by the module's number. What the scripts
//! have of each other they export: for an `import()` an object with all exports of its module, and for imports each name by
//! itself, called there as the second script calls it once it is minified. A form that is not understood is refused
//! (`build/module.rs`), as is what is imported and not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use oxc_allocator::Allocator;

use super::minify::minify;
use super::module::{Import, Module};

/// The script a page begins with, and the one with all other modules.
const SCRIPTS: [&str; 2] = ["main.js", "rest.js"];
/// The modules the first script is made for.
const FIRST_ROOTS: [&str; 2] = ["pages/logs.js", "main.js"];
/// The second script begins with these and what they import, in this order; the others follow by name. Gzip looks back 32 KiB, a
/// third of the script, so modules that say similar things stand near each other. Found by trying.
const SECOND_ROOTS: [&str; 14] = [
    "pages/alerts.js",
    "parts/quarantine.js",
    "pages/system.js",
    "lib/markdown.js",
    "pages/login.js",
    "pages/project.js",
    "pages/overflow.js",
    "parts/event.js",
    "parts/context.js",
    "parts/side.js",
    "parts/help.js",
    "parts/issue.js",
    "pages/log.js",
    "parts/live.js",
];

/// The two scripts as they are sent, by their names, made of modules by theirs.
///
/// # Errors
/// The module, and the line or import that is not understood.
pub fn link(sources: &BTreeMap<String, String>) -> Result<[(String, String); 2], String> {
    let allocator = Allocator::default();
    let mut modules = BTreeMap::new();
    for (name, source) in sources {
        let module = Module::read(&allocator, name, source).map_err(|why| format!("{name}, {why}"))?;
        modules.insert(name.as_str(), module);
    }
    let mut order = Order { modules: &modules, done: Vec::new(), open: BTreeSet::new() };
    for root in FIRST_ROOTS {
        order.add(root)?;
    }
    let firsts = order.done.len();
    for name in SECOND_ROOTS.iter().filter(|name| modules.contains_key(**name)).chain(modules.keys()) {
        order.add(name)?;
    }
    let order: Vec<String> = order.done.into_iter().map(str::to_owned).collect();
    let mut names = Names::of(&order, firsts, &modules);
    let mut texts = [String::new(), String::new()];
    for name in &order {
        let module = modules.remove(name.as_str()).expect("the order is one of modules");
        let text = names.print(module).map_err(|why| format!("{name}, {why}"))?;
        texts[names.scripts[name]].push_str(&text);
    }
    names.finish(texts)
}

/// The order in which modules run.
struct Order<'a, 'm> {
    modules: &'a BTreeMap<&'m str, Module<'m>>,
    done: Vec<&'a str>,
    /// Those whose imports are being added.
    open: BTreeSet<&'a str>,
}

impl<'a> Order<'a, '_> {
    /// Adds a module after what it imports.
    fn add(&mut self, name: &'a str) -> Result<(), String> {
        if self.done.contains(&name) {
            return Ok(());
        }
        let module = self.modules.get(name).ok_or_else(|| format!("{name} is not there"))?;
        if !self.open.insert(name) {
            return Err(format!("{name} imports itself over others"));
        }
        for import in &module.imports {
            self.check(import).map_err(|why| format!("{name}, line {}: {why}", import.line))?;
            self.add(&import.target)?;
        }
        self.done.push(name);
        Ok(())
    }

    fn check(&self, Import { target, names, .. }: &Import) -> Result<(), String> {
        let module = self.modules.get(target.as_str()).ok_or_else(|| format!("{target} is not there"))?;
        match names.iter().find(|(of, _)| !module.exports.contains_key(of)) {
            Some((of, _)) => Err(format!("{target} has no {of}")),
            None => Ok(()),
        }
    }
}

/// What everything is called in the scripts.
struct Names {
    /// Numbers of modules.
    numbers: BTreeMap<String, usize>,
    /// By modules, which of the two scripts they are in.
    scripts: BTreeMap<String, usize>,
    /// By modules, what each export is called in its script.
    exports: BTreeMap<String, BTreeMap<String, String>>,
    /// Modules that can't be loaded, with an export that changes: an object would keep what it was.
    changing: BTreeMap<String, String>,
    /// What the second script imports of the first one, by its name there.
    imported: BTreeSet<String>,
    /// The modules that are loaded.
    loaded: BTreeSet<String>,
}

impl Names {
    fn of(order: &[String], firsts: usize, modules: &BTreeMap<&str, Module>) -> Self {
        let numbers: BTreeMap<_, _> = order.iter().enumerate().map(|(at, name)| (name.clone(), at)).collect();
        let exports = modules.values().map(|module| {
            let number = numbers[module.name];
            let names = module.exports.iter().map(|(export, own)| (export.clone(), unique(own, number)));
            (module.name.to_owned(), names.collect())
        });
        let changing = modules.values().filter_map(|module| {
            let export = module.changing.first()?;
            Some((module.name.to_owned(), export.clone()))
        });
        Self {
            scripts: numbers.iter().map(|(name, at)| (name.clone(), usize::from(*at >= firsts))).collect(),
            exports: exports.collect(),
            changing: changing.collect(),
            imported: BTreeSet::new(),
            loaded: BTreeSet::new(),
            numbers,
        }
    }

    /// A module's code as it stands in its script.
    fn print(&mut self, module: Module) -> Result<String, String> {
        let (number, script) = (self.numbers[module.name], self.scripts[module.name]);
        let mut imported = BTreeMap::new();
        for Import { target, names, .. } in &module.imports {
            for (of, own) in names {
                let name = self.exports[target][of].clone();
                if self.scripts[target] != script {
                    self.imported.insert(name.clone());
                }
                imported.insert(own.clone(), name);
            }
        }
        let name_of = |own: &str| imported.get(own).cloned().unwrap_or_else(|| unique(own, number));
        module.print(name_of, &mut |target| self.load(target))
    }

    /// The expression that loads a module.
    fn load(&mut self, target: &str) -> Result<String, String> {
        let script = *self.scripts.get(target).ok_or_else(|| format!("{target} is not there"))?;
        if let Some(export) = self.changing.get(target) {
            return Err(format!("{target} can't be loaded, since its {export} changes"));
        }
        self.loaded.insert(target.to_owned());
        Ok(format!("import(\"./{}\").then((script) => script.{})", SCRIPTS[script], self.object_of(target)))
    }

    /// The object of a module that is loaded. Minified names have no three characters.
    fn object_of(&self, module: &str) -> String {
        format!("$${}", self.numbers[module])
    }

    /// The scripts, minified, with what they have of each other at their ends.
    fn finish(self, [mut first, mut rest]: [String; 2]) -> Result<[(String, String); 2], String> {
        let mut objects = [Vec::new(), Vec::new()];
        for name in &self.loaded {
            let exports: Vec<_> = self.exports[name].iter().map(|(of, own)| format!("{of}: {own}")).collect();
            let (object, script) = (self.object_of(name), self.scripts[name]);
            let text = if script == 0 { &mut first } else { &mut rest };
            let _ = writeln!(text, "const {object} = {{ {} }};", exports.join(", "));
            objects[script].push(object);
        }
        let [mut exported, of_rest] = objects;
        let imports = self.imported.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let rest = format!(
            "import {{ {imports} }} from \"./{}\";\n{rest}\nexport {{ {} }};",
            SCRIPTS[0],
            of_rest.join(", ")
        );
        let rest = minified(SCRIPTS[1], &rest)?;
        let (rest, names) = as_called_there(&rest);
        exported.extend(names.iter().map(|(name, short)| format!("{name} as {short}")));
        let first = minified(SCRIPTS[0], &format!("{first}\nexport {{ {} }};", exported.join(", ")))?;
        Ok([(SCRIPTS[0].to_owned(), first), (SCRIPTS[1].to_owned(), rest)])
    }
}

fn minified(name: &str, script: &str) -> Result<String, String> {
    minify(script).map_err(|why| format!("the joined {name} is no script: {why}"))
}

/// A minified script whose first statement imports names, each under the one it has for it, and these pairs of names.
fn as_called_there(script: &str) -> (String, Vec<(&str, &str)>) {
    let list = script.strip_prefix("import{").and_then(|rest| rest.split_once('}'));
    let Some((list, rest)) = list.filter(|(list, _)| !list.is_empty()) else {
        return (script.to_owned(), Vec::new());
    };
    let names: Vec<_> = list.split(',').map(|one| one.split_once(" as ").unwrap_or((one, one))).collect();
    let owns: Vec<_> = names.iter().map(|(_, own)| *own).collect();
    (format!("import{{{}}}{rest}", owns.join(",")), names)
}

/// What a script calls a module's own name. No module has a `$` in one.
fn unique(name: &str, number: usize) -> String {
    format!("{name}${number}")
}
