//! What the project commands print: lines for a person, or one JSON document for a machine.

use serde_json::{Value, json};

use crate::key::KeyRecord;
use crate::project::Project;

/// A key as it is shown, once, to who made it.
#[derive(Clone, Copy)]
pub struct NewKey<'a> {
    /// What is kept of it.
    pub record: &'a KeyRecord,
    /// `tkl_…`.
    pub api_key: &'a str,
    /// The key of the MAC.
    pub signing_secret: &'a str,
}

/// Output of `project create` and `project rotate-key`, ended by a newline; the JSON is what the HTTP API answers.
#[must_use]
pub fn project_with_key(project: &Project, key: NewKey<'_>, as_json: bool) -> String {
    let NewKey { record, api_key, signing_secret } = key;
    if as_json {
        let key = json!({
            "id": record.id,
            "api_key": api_key,
            "signing_secret": signing_secret,
            "kind": record.kind.name(),
            "note": record.note,
            "created_at": record.created_at.to_string(),
        });
        return document(&json!({ "project": project.json(), "key": key }));
    }
    format!(
        "Project {} ({}), id {}; key {}\nAPI key:        {api_key}\nSigning secret: {signing_secret}\n\
         Both are shown this once.\n",
        project.slug, project.name, project.id, record.id
    )
}

/// Output of `project list`, ended by a newline.
#[must_use]
pub fn projects(projects: &[Project], as_json: bool) -> String {
    if as_json {
        let projects: Vec<Value> = projects.iter().map(Project::json).collect();
        return document(&json!({ "projects": projects }));
    }
    if projects.is_empty() {
        return "No projects. Make one: tekno-logger project create --slug NAME\n".to_owned();
    }
    let lines = projects.iter().map(|project| {
        let cap = project.minute_cap.map_or_else(|| "default".to_owned(), |cap| cap.to_string());
        format!(
            "{}\t{}\t{}\t{}\t{cap}\t{}\n",
            project.id, project.slug, project.name, project.retention_days, project.created_at
        )
    });
    "ID\tSLUG\tNAME\tDAYS\tMINUTE_CAP\tCREATED\n".to_owned() + &lines.collect::<String>()
}

pub(super) fn document(value: &Value) -> String {
    format!("{value:#}\n")
}
