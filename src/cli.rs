//! The command line: what can be asked of the binary, and `check-config`, which needs nothing but the settings.
//!
//! Commands on the store are defined here and run by the binary, which has the store; their output is
//! [`output`]'s. A usage error exits with 2 (clap's), settings that can't be used with [`EXIT_CONFIG`].

pub mod export;
pub mod output;
pub mod run;
#[cfg(test)]
mod tests;

use clap::{ArgGroup, Args, Parser, Subcommand, value_parser};

use crate::clock::Clock;
use crate::config::{Config, ConfigError, effective};
use crate::project::{ProjectRef, ProjectSlug, RETENTION_DAYS};
use crate::timestamp::Timestamp;

pub use export::{ExportArguments, Packing};

/// Exit code for settings that can't be used: `EX_CONFIG` of sysexits.
pub const EXIT_CONFIG: u8 = 78;

/// Longest project name, in characters.
const MAX_NAME_CHARS: usize = 128;

/// Overflow log sink: takes signed batches, keeps them searchable for a few days.
///
/// Without a command it serves. Settings come from the environment; see `check-config`.
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(name = "tekno-logger", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

impl Cli {
    /// What to do; serving is the default.
    #[must_use]
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve)
    }
}

/// What the binary can do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Take, keep and search events until told to stop
    Serve,
    /// Bring the database's tables up to this version and exit
    Migrate,
    /// Make and list projects, rotate their keys
    #[command(subcommand)]
    Project(ProjectCommand),
    /// Print every setting in effect, secrets masked; exit 78 and list all problems if there are any
    CheckConfig,
    /// Delete what has expired and make the rest small, now
    Maintain,
    /// Delete events: what has expired, what was received before a time, or what matches a query
    Purge(PurgeArguments),
    /// Write all events a search finds to a file or to stdout
    Export(Box<ExportArguments>),
    /// Store one test event in a project
    SendTest {
        /// Id or slug
        #[arg(value_parser = project_ref)]
        project: ProjectRef,
    },
}

/// What can be done with projects.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ProjectCommand {
    /// Make a project and its first key; key and signing secret are shown this once
    Create {
        /// The project.
        #[command(flatten)]
        project: NewProject,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List all projects
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make another key beside the present ones, which work until they are revoked
    RotateKey {
        /// Id or slug
        #[arg(value_parser = project_ref)]
        project: ProjectRef,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What to delete.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct PurgeArguments {
    /// Id or slug [default: all projects]
    #[arg(long, value_parser = project_ref)]
    pub project: Option<ProjectRef>,
    /// RFC 3339, or relative as -24h [default: each project's retention]
    #[arg(long, value_parser = time, allow_hyphen_values = true)]
    pub older_than: Option<Timestamp>,
    /// Only events that match this query, as on the page
    #[arg(long, allow_hyphen_values = true)]
    pub query: Option<String>,
    /// Only say what would be deleted
    #[arg(long)]
    pub dry_run: bool,
}

/// A project to be made: a name, a slug or both.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(group = ArgGroup::new("names").required(true).multiple(true).args(["name", "slug"]))]
pub struct NewProject {
    /// Name for people, at most 128 characters [default: the slug]
    #[arg(long, value_parser = project_name)]
    pub name: Option<String>,
    /// Name in addresses: a-z, 0-9 and -, at most 64, not a number [default: made from the name]
    #[arg(long, value_parser = project_slug)]
    pub slug: Option<ProjectSlug>,
    /// Days its events are kept, 1 to 90 [default: the service's]
    #[arg(long, value_parser = value_parser!(u16).range(i64::from(*RETENTION_DAYS.start())..=i64::from(*RETENTION_DAYS.end())))]
    pub retention_days: Option<u16>,
    /// Events it may send a minute [default: the service's limit]
    #[arg(long, value_parser = value_parser!(u32).range(1..))]
    pub minute_cap: Option<u32>,
}

impl NewProject {
    /// Name and slug, each made from the other where it is missing.
    ///
    /// # Errors
    /// A sentence when no slug can be made from the name.
    pub fn name_and_slug(&self) -> Result<(String, ProjectSlug), String> {
        match (&self.name, &self.slug) {
            (Some(name), Some(slug)) => Ok((name.clone(), slug.clone())),
            (None, Some(slug)) => Ok((slug.to_string(), slug.clone())),
            (Some(name), None) => match ProjectSlug::from_name(name) {
                Some(slug) => Ok((name.clone(), slug)),
                None => Err(format!("no slug can be made from {name:?}: give one with --slug")),
            },
            (None, None) => Err("give --name or --slug".to_owned()),
        }
    }
}

/// The report of `check-config` and the code to exit with: settings and warnings, or all problems.
#[must_use]
pub fn check_config(config: &Result<Config, ConfigError>) -> (String, u8) {
    match config {
        Ok(config) => {
            let warnings = config.warnings();
            let lines = warnings.iter().map(|warning| ["warning: ", warning, "\n"].concat());
            (effective(config) + &lines.collect::<String>(), 0)
        }
        Err(error) => (format!("{error}\n"), EXIT_CONFIG),
    }
}

fn time(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::parse_query(text, Clock::system().now()).ok_or("neither RFC 3339 nor relative as -24h")
}

fn project_ref(text: &str) -> Result<ProjectRef, &'static str> {
    ProjectRef::parse(text).ok_or("neither a project's id nor a slug")
}

fn project_slug(text: &str) -> Result<ProjectSlug, &'static str> {
    ProjectSlug::parse(text).ok_or("a slug has 1 to 64 of a-z, 0-9 and -, and is not a number")
}

fn project_name(text: &str) -> Result<String, &'static str> {
    let name = text.trim();
    let fits = (1..=MAX_NAME_CHARS).contains(&name.chars().count()) && !name.contains(char::is_control);
    fits.then(|| name.to_owned()).ok_or("a name has 1 to 128 characters, none of them a control character")
}
