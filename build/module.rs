//! One module under `web/`: what it imports and exports, and its code with the names it has in a script of several modules.
//!
//! Understood are named imports and exports, imports for their effect alone, `import("./x.js")` and `import.meta.url`. Every
//! other form is refused with its line, as is an `await` outside functions: a script would wait for itself.

use std::collections::{BTreeMap, BTreeSet};

use oxc_allocator::{Allocator, ArenaVec, TakeIn};
use oxc_ast::ast::{
    ArrowFunctionExpression, AwaitExpression, Expression, ForOfStatement, Function, Ident, ImportDeclaration,
    ImportDeclarationSpecifier, Program, Statement,
};
use oxc_ast_visit::{VisitMut, walk_mut};
use oxc_codegen::{Codegen, CodegenOptions, CommentOptions};
use oxc_parser::Parser;
use oxc_semantic::{ScopeFlags, Scoping, SemanticBuilder};
use oxc_span::{GetSpan, LabeledSpan, SourceType, Span};

const OWN_EXPORTS: &str = "an export is something of this module, by its name";

pub struct Module<'a> {
    allocator: &'a Allocator,
    pub name: &'a str,
    source: &'a str,
    program: Program<'a>,
    pub imports: Vec<Import>,
    /// The names it exports, and what they are called in it.
    pub exports: BTreeMap<String, String>,
    /// Exported names that are assigned to later.
    pub changing: BTreeSet<String>,
}

pub struct Import {
    /// The module's name, which need not be there.
    pub target: String,
    /// The export and the name it has here.
    pub names: Vec<(String, String)>,
    /// Where it stands, from 1.
    pub line: usize,
}

impl<'a> Module<'a> {
    /// Reads a module. `name` is its path below `web/`.
    ///
    /// # Errors
    /// The line, and what is not understood there.
    pub fn read(allocator: &'a Allocator, name: &'a str, source: &'a str) -> Result<Self, String> {
        let parsed = Parser::new(allocator, source, SourceType::mjs()).parse();
        if let Some(wrong) = parsed.diagnostics.first() {
            let start = wrong.labels.first().map_or(0, LabeledSpan::offset);
            return Err(place(source, start, &wrong.message));
        }
        let mut module = Self {
            allocator,
            name,
            source,
            program: parsed.program,
            imports: Vec::new(),
            exports: BTreeMap::new(),
            changing: BTreeSet::new(),
        };
        for entry in &parsed.module_record.local_export_entries {
            let (Some(of), Some(own)) = (entry.export_name.span(), entry.local_name.name()) else {
                continue;
            };
            module.exports.insert(of.source_text(source).to_owned(), own.to_string());
        }
        module.read_statements()?;
        if let Some(entry) = parsed.module_record.indirect_export_entries.first() {
            return Err(module.place(entry.span, OWN_EXPORTS));
        }
        module.read_names()?;
        Ok(module)
    }

    fn read_statements(&mut self) -> Result<(), String> {
        let mut imports = Vec::new();
        for statement in &self.program.body {
            match statement {
                Statement::ImportDeclaration(import) => imports.push(self.read_import(import)?),
                Statement::ExportAllDeclaration(_)
                | Statement::ExportFromDeclaration(_)
                | Statement::ExportDefaultDeclaration(_) => {
                    return Err(self.place(statement.span(), OWN_EXPORTS));
                }
                _ => {}
            }
        }
        self.imports = imports;
        Ok(())
    }

    fn read_import(&self, import: &ImportDeclaration) -> Result<Import, String> {
        let refused = |why: &str| self.place(import.span, why);
        let mut names = Vec::new();
        for specifier in import.specifiers.iter().flatten() {
            let ImportDeclarationSpecifier::ImportSpecifier(one) = specifier else {
                return Err(refused("an import is of names"));
            };
            names.push((one.imported.name().to_string(), one.local.name.to_string()));
        }
        if import.with_clause.is_some() || import.phase.is_some() {
            return Err(refused("an import has no attributes"));
        }
        let target = resolve(self.name, &import.source.value).map_err(|why| refused(&why))?;
        Ok(Import { target, names, line: line(self.source, import.span.start) })
    }

    fn read_names(&mut self) -> Result<(), String> {
        let scoping = self.scoping()?;
        let globals = scoping.root_unresolved_references().keys().map(Ident::as_str);
        // A name and the module's number with a `$` between them is what a script calls it.
        if let Some(name) = scoping.symbol_names().chain(globals).find(|name| name.contains('$')) {
            return Err(format!("{name}: names have no $"));
        }
        for (export, own) in &self.exports {
            let symbol =
                scoping.get_root_binding(own.as_str().into()).ok_or_else(|| format!("there is no {own}"))?;
            if scoping.symbol_is_mutated(symbol) {
                self.changing.insert(export.clone());
            }
        }
        Ok(())
    }

    fn scoping(&self) -> Result<Scoping, String> {
        let built =
            SemanticBuilder::new().with_build_nodes(true).with_check_syntax_error(true).build(&self.program);
        if let Some(wrong) = built.diagnostics.first() {
            let start = wrong.labels.first().map_or(0, LabeledSpan::offset);
            return Err(place(self.source, start, &wrong.message));
        }
        Ok(built.semantic.into_scoping())
    }

    /// The module's code without its imports and exports. `name_of` gives the name that one of the module's own scope has in
    /// the script, `load` the expression for an `import()` of a module.
    ///
    /// # Errors
    /// The line, and what is not understood there.
    pub fn print(
        mut self,
        name_of: impl Fn(&str) -> String,
        load: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Result<String, String> {
        let mut rewrite =
            Rewrite { allocator: self.allocator, name: self.name, load, depth: 0, refused: None };
        rewrite.visit_program(&mut self.program);
        if let Some((span, why)) = rewrite.refused {
            return Err(self.place(span, &why));
        }
        let mut scoping = self.scoping()?;
        let root = scoping.iter_bindings_in(scoping.root_scope_id()).collect::<Vec<_>>();
        for symbol in root {
            let name = name_of(scoping.symbol_name(symbol));
            scoping.set_symbol_name(symbol, name.as_str().into());
        }
        let body = self.program.body.take_in(&self.allocator);
        let kept = body.into_iter().filter_map(|statement| match statement {
            Statement::ImportDeclaration(_) | Statement::ExportNamedDeclaration(_) => None,
            Statement::ExportDeclaration(export) => Some(Statement::from(export.unbox().declaration)),
            other => Some(other),
        });
        self.program.body = ArenaVec::from_iter_in(kept, &self.allocator);
        let options = CodegenOptions { comments: CommentOptions::disabled(), ..CodegenOptions::default() };
        Ok(Codegen::new().with_options(options).with_scoping(Some(scoping)).build(&self.program).code)
    }

    fn place(&self, span: Span, why: &str) -> String {
        place(self.source, span.start, why)
    }
}

/// Puts something else for what names a place by the module's own.
struct Rewrite<'a, 'l> {
    allocator: &'a Allocator,
    name: &'a str,
    load: &'l mut dyn FnMut(&str) -> Result<String, String>,
    /// Functions around.
    depth: usize,
    refused: Option<(Span, String)>,
}

impl Rewrite<'_, '_> {
    /// What stands for an expression, where something else does.
    fn instead(&mut self, expression: &Expression) -> Result<Option<String>, String> {
        match expression {
            Expression::ImportExpression(import) => match &import.source {
                Expression::StringLiteral(path) if import.options.is_none() && import.phase.is_none() => {
                    (self.load)(&resolve(self.name, &path.value)?).map(Some)
                }
                _ => Err("an import() names its module".to_owned()),
            },
            Expression::StaticMemberExpression(member) => match &member.object {
                Expression::ImportMeta(_) if member.property.name == "url" => {
                    Ok(Some(format!("new URL(\"{}\",import.meta.url).href", self.name)))
                }
                _ => Ok(None),
            },
            Expression::ImportMeta(_) => Err("import.meta has an url".to_owned()),
            _ => Ok(None),
        }
    }

    fn refuse(&mut self, span: Span, why: &str) {
        self.refused.get_or_insert((span, why.to_owned()));
    }
}

impl<'a> VisitMut<'a> for Rewrite<'a, '_> {
    fn visit_expression(&mut self, expression: &mut Expression<'a>) {
        match self.instead(expression) {
            Ok(None) => walk_mut::walk_expression(self, expression),
            Ok(Some(text)) => {
                let text = self.allocator.alloc_str(&text);
                *expression = Parser::new(self.allocator, text, SourceType::mjs())
                    .parse_expression()
                    .expect("it is made of names and addresses");
            }
            Err(why) => self.refuse(expression.span(), &why),
        }
    }

    fn visit_function(&mut self, function: &mut Function<'a>, flags: ScopeFlags) {
        self.depth += 1;
        walk_mut::walk_function(self, function, flags);
        self.depth -= 1;
    }

    fn visit_arrow_function_expression(&mut self, function: &mut ArrowFunctionExpression<'a>) {
        self.depth += 1;
        walk_mut::walk_arrow_function_expression(self, function);
        self.depth -= 1;
    }

    fn visit_await_expression(&mut self, expression: &mut AwaitExpression<'a>) {
        if self.depth == 0 {
            self.refuse(expression.span, "a module doesn't wait");
        }
        walk_mut::walk_await_expression(self, expression);
    }

    fn visit_for_of_statement(&mut self, statement: &mut ForOfStatement<'a>) {
        if self.depth == 0 && statement.r#await {
            self.refuse(statement.span, "a module doesn't wait");
        }
        walk_mut::walk_for_of_statement(self, statement);
    }
}

/// The name of what a module names by a relative address.
fn resolve(name: &str, path: &str) -> Result<String, String> {
    let mut segments: Vec<&str> = name.split('/').collect();
    segments.pop();
    if !path.starts_with("./") && !path.starts_with("../") {
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

fn place(source: &str, start: u32, why: &str) -> String {
    format!("line {}: {why}", line(source, start))
}

fn line(source: &str, start: u32) -> usize {
    let before = source.bytes().take(start as usize);
    before.filter(|byte| *byte == b'\n').count() + 1
}
