//! Joins the modules under `web/` into two scripts: what the log list needs, and the rest. Together they compress better
//! than one by one, and a first load asks for three files and the API instead of sixteen. What runs is the modules as they
//! are written, each once and after what it imports: the log list before the rest of the first script, and all of the
//! second one when the first of its modules is loaded. So a module that does more than declare may do it earlier than
//! it would by itself. What a module calls `name` is called `name$7` in its script, by the module's number. What the scripts
//! have of each other they export under short names: single names for imports, and for an `import()` an object with all
//! exports of its module. A form that is not understood is refused (`build/module.rs`), as is what is imported and not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use oxc_allocator::Allocator;

use super::module::{Import, Module};

/// The script a page begins with, and the one with all other modules.
const SCRIPTS: [&str; 2] = ["main.js", "rest.js"];
/// The modules the first script is made for.
const FIRST_ROOTS: [&str; 2] = ["pages/logs.js", "main.js"];

/// The two scripts by their names, made of modules by theirs.
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
    for name in modules.keys() {
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
    Ok(names.finish(texts))
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
    /// What is taken of each script from outside: its name there, and the short one.
    taken: [BTreeMap<String, String>; 2],
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
            taken: [BTreeMap::new(), BTreeMap::new()],
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
                    self.take(self.scripts[target], &name);
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
        let short = self.take(script, &unique("", self.numbers[target]));
        Ok(format!("import(\"./{}\").then((script) => script.{short})", SCRIPTS[script]))
    }

    /// The short name under which something of a script is exported.
    fn take(&mut self, script: usize, name: &str) -> String {
        let taken = &mut self.taken[script];
        let number = taken.len();
        taken.entry(name.to_owned()).or_insert_with(|| short(number)).clone()
    }

    /// The scripts with what they have of each other at their ends.
    fn finish(self, mut texts: [String; 2]) -> [(String, String); 2] {
        for name in &self.loaded {
            let exports: Vec<_> = self.exports[name].iter().map(|(of, own)| format!("{of}: {own}")).collect();
            let object = unique("", self.numbers[name]);
            let _ = writeln!(texts[self.scripts[name]], "const {object} = {{ {} }};", exports.join(", "));
        }
        for (text, taken) in texts.iter_mut().zip(&self.taken) {
            let names: Vec<_> = taken.iter().map(|(name, short)| format!("{name} as {short}")).collect();
            let _ = writeln!(text, "export {{ {} }};", names.join(", "));
        }
        let names: Vec<_> = self.taken[0].iter().map(|(name, short)| format!("{short} as {name}")).collect();
        let [first, rest] = texts;
        let rest = format!("import {{ {} }} from \"./{}\";\n{rest}", names.join(", "), SCRIPTS[0]);
        [(SCRIPTS[0].to_owned(), first), (SCRIPTS[1].to_owned(), rest)]
    }
}

/// What a script calls a module's own name. No module has a `$` in one.
fn unique(name: &str, number: usize) -> String {
    format!("{name}${number}")
}

/// `a`, `b`, … `z`, `aa`, `ab`, …
fn short(number: usize) -> String {
    let letter = |digit: usize| char::from(b"abcdefghijklmnopqrstuvwxyz"[digit % 26]);
    let first = number.checked_sub(26).map(|rest| letter(rest / 26));
    first.into_iter().chain([letter(number)]).collect()
}
