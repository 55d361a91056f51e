//! `export`: what a search finds, to a file or to stdout, straight from the database.
//!
//! It is what `GET /logs/export` gives, without the spool of a running service. What it could not finish it says on
//! stderr, with the cursor to go on from, and in its exit code.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::project_ref;
use crate::clock::Clock;
use crate::error::ApiError;
use crate::event::EventId;
use crate::http::export_format::{ExportText, Format};
use crate::http::log_json::log_json;
use crate::http::search::{names, scopes};
use crate::http::search_input;
use crate::project::{Project, ProjectRef};
use crate::search::cursor::{Cursor, Order, Position};
use crate::search::export::Export;
use crate::search::find::find_event;
use crate::store::{Store, StoreError};

/// How long a page is tried for while the database is away or busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two tries.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// zstd's own default.
const ZSTD_LEVEL: i32 = 3;

/// What to export, and where to.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct ExportArguments {
    /// Id or slug [default: all projects]
    #[arg(long, value_parser = project_ref)]
    pub project: Option<ProjectRef>,
    /// ndjson, csv or json
    #[arg(long, default_value = "ndjson", value_parser = format)]
    pub format: Format,
    /// Events at or after this: RFC 3339, epoch, or relative as -24h
    #[arg(long, allow_hyphen_values = true)]
    pub from: Option<String>,
    /// Events before this
    #[arg(long, allow_hyphen_values = true)]
    pub to: Option<String>,
    /// Levels, separated by commas
    #[arg(long)]
    pub level: Option<String>,
    /// Sources, separated by commas
    #[arg(long)]
    pub source: Option<String>,
    /// Environments, separated by commas
    #[arg(long)]
    pub env: Option<String>,
    /// This user
    #[arg(long)]
    pub user_id: Option<String>,
    /// This request
    #[arg(long)]
    pub request_id: Option<String>,
    /// This issue
    #[arg(long)]
    pub fingerprint: Option<String>,
    /// A query, as in GET /logs
    #[arg(long, short, allow_hyphen_values = true)]
    pub q: Option<String>,
    /// desc (newest first) or asc
    #[arg(long, default_value = "desc")]
    pub order: String,
    /// Go on after this: a cursor as it was printed, or the id of the last event there is
    #[arg(long)]
    pub cursor: Option<String>,
    /// Write to this new file [default: stdout]
    #[arg(long, short)]
    pub output: Option<PathBuf>,
    /// Add to the file, which may exist; not with json
    #[arg(long, requires = "output")]
    pub append: bool,
    /// Compress
    #[arg(long, value_enum)]
    pub compress: Option<Packing>,
}

/// How an export is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Packing {
    /// As gzip does.
    Gzip,
    /// As zstd does.
    Zstd,
}

fn format(name: &str) -> Result<Format, &'static str> {
    Format::parse(name).ok_or("ndjson, csv or json")
}

impl ExportArguments {
    /// Whether the file it adds to has something in it.
    fn goes_on_in_a_file(&self) -> bool {
        let length =
            self.output.as_ref().and_then(|path| std::fs::metadata(path).ok()).map(|file| file.len());
        self.append && length.is_some_and(|length| length > 0)
    }

    /// The query string that asks for the same over HTTP.
    fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let given = [
            ("from", &self.from),
            ("to", &self.to),
            ("level", &self.level),
            ("source", &self.source),
            ("env", &self.env),
            ("user_id", &self.user_id),
            ("request_id", &self.request_id),
            ("fingerprint", &self.fingerprint),
            ("q", &self.q),
        ];
        for (name, value) in given.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            query.append_pair(name, value);
        }
        query.append_pair("order", &self.order).finish()
    }
}

/// Runs it; answers how many events it wrote, for a person.
///
/// # Errors
/// A sentence; where something was written, with the cursor to go on from.
pub async fn export(store: &Store, arguments: &ExportArguments) -> Result<String, String> {
    if arguments.append && arguments.format == Format::Json {
        return Err("--append makes no valid JSON array: take ndjson or csv".to_owned());
    }
    let now = Clock::system().now();
    let sentence = |error: ApiError| error.detail().into_owned();
    let input = search_input::parse(&arguments.query(), now).map_err(sentence)?;
    let projects = projects(store, arguments.project.as_ref()).await?;
    let scopes = scopes(&projects, now);
    let after = match &arguments.cursor {
        None => None,
        Some(text) => match EventId::parse(text) {
            None => Some(search_input::position(text, input.order).map_err(sentence)?),
            Some(id) => {
                let found = find_event(std::slice::from_ref(store), &scopes, id).await;
                let found = found.map_err(|error| error.to_string())?;
                let place = found.and_then(|hit| hit.position());
                Some(place.ok_or("--cursor names an event that is no longer kept")?)
            }
        },
    };
    for warning in &input.warnings {
        eprintln!("{warning}");
    }
    let mut criteria = input.criteria;
    criteria.projects = names(&projects);
    let mut export = Export::new(scopes, criteria, input.order, after, now);
    let goes_on = arguments.cursor.is_some() || arguments.goes_on_in_a_file();
    let mut text = ExportText::new(arguments.format, goes_on);
    let mut sink = Sink::open(arguments)?;
    let mut done = after;
    let written = write(store, &projects, &mut export, &mut text, &mut sink, &mut done).await;
    let whole = written.and_then(|()| sink.write(text.end()));
    // Also after a failure: what was compressed so far can then be read, and added to.
    let finished = sink.finish();
    let rows = text.rows();
    whole.and(finished).map_err(|why| incomplete(&why, rows, input.order, done))?;
    if export.unreadable() > 0 {
        return Err(format!(
            "{rows} events; {} damaged blocks or events could not be read",
            export.unreadable()
        ));
    }
    eprintln!("{rows} events");
    Ok(String::new())
}

async fn projects(store: &Store, which: Option<&ProjectRef>) -> Result<Vec<Arc<Project>>, String> {
    let found = match which {
        None => store.list_projects().await.map_err(|error| error.to_string())?,
        Some(which) => {
            let found = store.project(which).await.map_err(|error| error.to_string())?;
            vec![found.ok_or("there is no such project")?]
        }
    };
    Ok(found.into_iter().map(Arc::new).collect())
}

fn incomplete(why: &str, rows: u64, order: Order, done: Option<Position>) -> String {
    let cursor = done.map(|position| Cursor { order, position }.encode());
    let go_on = cursor.map_or_else(String::new, |cursor| format!("; go on with --cursor {cursor}"));
    format!("incomplete after {rows} events: {why}{go_on}")
}

/// Writes page after page; `done` is the last event that certainly left for the file.
async fn write(
    store: &Store,
    projects: &[Arc<Project>],
    export: &mut Export,
    text: &mut ExportText,
    sink: &mut Sink,
    done: &mut Option<Position>,
) -> Result<(), String> {
    sink.write(&text.begin())?;
    let mut trying_since = Instant::now();
    loop {
        match export.next_page(std::slice::from_ref(store)).await {
            Ok(None) => return Ok(()),
            Ok(Some(hits)) => {
                let mut page = String::new();
                for hit in &hits {
                    if let Some(log) = log_json(hit, projects) {
                        text.push(&log, &mut page);
                    }
                }
                sink.write(&page)?;
                *done = export.position();
                trying_since = Instant::now();
            }
            Err(error)
                if trying_since.elapsed() < PATIENCE
                    && (error.is_away()
                        || matches!(error, StoreError::Busy(_) | StoreError::Conflict(_))) =>
            {
                tokio::time::sleep(RETRY_EVERY).await;
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Where the text goes.
enum Sink {
    Plain(Box<dyn Write + Send>),
    Gzip(GzEncoder<Box<dyn Write + Send>>),
    Zstd(zstd::stream::write::Encoder<'static, Box<dyn Write + Send>>),
}

impl Sink {
    fn open(arguments: &ExportArguments) -> Result<Self, String> {
        let out: Box<dyn Write + Send> = match &arguments.output {
            None => Box::new(BufWriter::new(io::stdout())),
            Some(path) => Box::new(BufWriter::new(open(path, arguments.append)?)),
        };
        Ok(match arguments.compress {
            None => Self::Plain(out),
            Some(Packing::Gzip) => Self::Gzip(GzEncoder::new(out, Compression::default())),
            Some(Packing::Zstd) => {
                let encoder = zstd::stream::write::Encoder::new(out, ZSTD_LEVEL);
                Self::Zstd(encoder.map_err(|error| error.to_string())?)
            }
        })
    }

    fn write(&mut self, text: &str) -> Result<(), String> {
        let out: &mut dyn Write = match self {
            Self::Plain(out) => out,
            Self::Gzip(out) => out,
            Self::Zstd(out) => out,
        };
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| error.to_string())
    }

    fn finish(self) -> Result<(), String> {
        let out = match self {
            Self::Plain(out) => Ok(out),
            Self::Gzip(out) => out.finish(),
            Self::Zstd(out) => out.finish(),
        };
        out.and_then(|mut out| out.flush()).map_err(|error| error.to_string())
    }
}

fn open(path: &Path, append: bool) -> Result<File, String> {
    let mut options = File::options();
    let opened = if append {
        options.append(true).create(true).open(path)
    } else {
        options.write(true).create_new(true).open(path)
    };
    opened.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{} is there already: take another name, or --append", path.display())
        }
        _ => format!("{}: {error}", path.display()),
    })
}
