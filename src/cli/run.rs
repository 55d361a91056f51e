//! Runs a command. What is for a person or a script goes to stdout, what went wrong to stderr.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::export::export;
use super::output::{self, NewKey};
use super::{Cli, Command, EXIT_CONFIG, NewProject, ProjectCommand, PurgeArguments, check_config};
use crate::alert::{Channels, Outbox, Rules};
use crate::app::App;
use crate::audit::{self, Change, Origin, Recorded};
use crate::clock::Clock;
use crate::config::{Config, DatabaseConfig, banner};
use crate::fold::{Fold, FoldMailbox};
use crate::http::maintenance::{purged_json, strict_query};
use crate::http::state::AppState;
use crate::ingest::{IncomingBody, Ingest, test_event};
use crate::key::{ApiKey, KeyDirectory, KeyKind, KeyRecord, KeyRing};
use crate::limit::Limiter;
use crate::maintenance::{Erasure, Folding, Purge, Ran, maintainer};
use crate::memory::{BUDGET_WAIT, Budget};
use crate::outcome::Outcomes;
use crate::project::{Project, ProjectRef, ProjectSlug, ScrubSettings};
use crate::registry;
use crate::search::language::Query;
use crate::store::{self, DatabaseStatus, ProjectError, Store, StoreError};
use crate::telemetry;
use crate::write::{BatchKeys, WriteQueue, WriterSlot};

/// The project a first start makes.
const FIRST_PROJECT: &str = "demo";

/// Everything `main` does: the command line, the settings, the command.
#[must_use]
pub fn run() -> ExitCode {
    let command = Cli::parse().into_command();
    if command == Command::CheckConfig {
        let (report, code) = check_config(&Config::check_env());
        print!("{report}");
        return ExitCode::from(code);
    }
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    telemetry::init(&config);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the runtime can't be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async {
        match command {
            Command::Serve => serve(config).await,
            other => finish(Box::pin(on_store(config, other)).await),
        }
    });
    // A thread that hangs in the operating system doesn't keep the process.
    runtime.shutdown_timeout(Duration::from_millis(500));
    code
}

fn finish(result: Result<String, String>) -> ExitCode {
    match result {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config) -> ExitCode {
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let embedded = config.database == DatabaseConfig::Embedded;
    let mut app = match App::build(config, Clock::system()) {
        Ok(app) => app,
        Err(error) => return finish(Err(error)),
    };
    if let Err(error) = app.listen_for_signals() {
        return finish(Err(format!("signals can't be heard: {error}")));
    }
    tracing::info!(address = %app.local_addr(), version = env!("CARGO_PKG_VERSION"), "listening");
    let (address, state, ready) = (app.local_addr(), app.state(), app.first_ready());
    let running = app.run();
    tokio::pin!(running);
    if embedded {
        tokio::select! {
            outcome = &mut running => return outcome.into(),
            _ = ready => {
                let key = first_project(&state).await;
                let key = key.as_ref().map(|(key, secret)| (key.as_str(), secret.as_str()));
                // Nobody may be reading; that is no reason to end.
                let _ = write!(std::io::stdout(), "{}", banner(&state.config, address, key));
            }
        }
    }
    running.await.into()
}

/// On an empty database: a project to try, with its key and signing secret.
async fn first_project(state: &AppState) -> Option<(String, String)> {
    let projects = state.store.list_projects().await.ok()?;
    if !projects.is_empty() {
        return None;
    }
    let slug = ProjectSlug::parse(FIRST_PROJECT)?;
    let new = store::NewProject {
        slug,
        name: FIRST_PROJECT.to_owned(),
        retention_days: state.config.default_retention_days,
        minute_cap: None,
        scrub: ScrubSettings::default(),
    };
    let made = registry::create_project(&state.store, &state.key_ring, new, state.clock.now()).await;
    let (_, (_, key)) = made.inspect_err(|error| tracing::warn!(?error, "no first project")).ok()?;
    if let Err(error) = state.reload_directory().await {
        tracing::warn!(%error, "the first project is known in a few seconds");
    }
    Some((key.expose().to_owned(), signing_secret(&state.key_ring, &key)?))
}

fn signing_secret(ring: &KeyRing, key: &ApiKey) -> Option<String> {
    let verified = ring.check(key.expose())?;
    Some(ring.signing_secret(&verified).expose().to_owned())
}

/// Commands that work on the database themselves, whether or not a service runs on it.
async fn on_store(config: Config, command: Command) -> Result<String, String> {
    let store = Store::new(&config)?;
    store.migrate().await.map_err(|error| error.to_string())?;
    store.set_status(DatabaseStatus::Connected);
    let ring = KeyRing::new(&config.hmac_secret, config.hmac_secret_previous.as_ref());
    check_hmac_secret(&store, &ring).await?;
    match command {
        Command::Migrate => Ok("The database is up to date.\n".to_owned()),
        Command::Project(ProjectCommand::Create { project, json }) => {
            create_project(&store, &ring, &project, &config, json).await
        }
        Command::Project(ProjectCommand::List { json }) => {
            let projects = store.list_projects().await.map_err(|error| error.to_string())?;
            Ok(output::projects(&projects, json))
        }
        Command::Project(ProjectCommand::RotateKey { project, json }) => {
            let project = find(&store, &project).await?;
            let now = Clock::system().now();
            let target = format!("project {}", project.id);
            let recorded = record(&store, "key.create", &target, json!({ "kind": "server" })).await?;
            let added = registry::add_key(&store, &ring, project.id, KeyKind::Server, "", now).await;
            let key_id =
                |added: &Option<(KeyRecord, ApiKey)>| json!({ "key_id": added.as_ref().map(|key| key.0.id) });
            let added = noted(recorded, added.map_err(|error| error.to_string()), key_id).await?;
            let key = added.ok_or_else(|| format!("{} has as many keys as it may", project.slug))?;
            with_secret(&ring, &project, &key, json)
        }
        Command::SendTest { project } => send_test(&store, &find(&store, &project).await?, &config).await,
        Command::Maintain => maintain(store).await,
        Command::Purge(arguments) => {
            let fold = fold_with_rules(&store, &config, &ring).await?;
            Box::pin(purge(store, fold, arguments)).await
        }
        Command::Export(arguments) => export(&store, &arguments).await,
        Command::Serve | Command::CheckConfig => Ok(String::new()),
    }
}

async fn check_hmac_secret(store: &Store, ring: &KeyRing) -> Result<(), String> {
    let ours = data_encoding::HEXLOWER.encode(&ring.fingerprint());
    let stored = store.hmac_fingerprint(&ours).await.map_err(|error| error.to_string())?;
    let previous = ring.previous_fingerprint().map(|one| data_encoding::HEXLOWER.encode(&one));
    if stored == ours || previous == Some(stored) {
        return Ok(());
    }
    Err("HMAC_SECRET is not the one this database was filled under; a key made now would never verify"
        .to_owned())
}

async fn find(store: &Store, which: &ProjectRef) -> Result<Project, String> {
    let found = store.project(which).await.map_err(|error| error.to_string())?;
    found.ok_or_else(|| "there is no such project".to_owned())
}

async fn create_project(
    store: &Store,
    ring: &KeyRing,
    wanted: &NewProject,
    config: &Config,
    json: bool,
) -> Result<String, String> {
    let (name, slug) = wanted.name_and_slug()?;
    let new = store::NewProject {
        slug,
        name,
        retention_days: wanted.retention_days.unwrap_or(config.default_retention_days),
        minute_cap: wanted.minute_cap,
        scrub: ScrubSettings::default(),
    };
    let given = json!({ "slug": new.slug.as_str(), "name": new.name, "retention_days": new.retention_days,
                        "minute_cap": new.minute_cap });
    let recorded = record(store, "project.create", "", given).await?;
    let made = registry::create_project(store, ring, new, Clock::system().now()).await;
    let made = made.map_err(|error| match error {
        ProjectError::SlugTaken => "the slug is taken".to_owned(),
        ProjectError::TooMany => "there are as many projects as there may be".to_owned(),
        ProjectError::Store(error) => error.to_string(),
    });
    let (project, key) =
        noted(recorded, made, |(project, key)| json!({ "project_id": project.id, "key_id": key.0.id }))
            .await?;
    with_secret(ring, &project, &key, json)
}

fn with_secret(
    ring: &KeyRing,
    project: &Project,
    (record, key): &(KeyRecord, ApiKey),
    json: bool,
) -> Result<String, String> {
    let secret = signing_secret(ring, key).ok_or("the key just made doesn't verify")?;
    let shown = NewKey { record, api_key: key.expose(), signing_secret: &secret };
    Ok(output::project_with_key(project, shown, json))
}

async fn maintain(store: Store) -> Result<String, String> {
    let recorded = record(&store, "maintain", "", json!({})).await?;
    let (_, maintainer) = maintainer(store, Clock::system());
    let ran = maintainer.maintain(true, &CancellationToken::new()).await;
    match ended(recorded, ran).await? {
        Ran::Done(report) => Ok(output::document(&report.json())),
        other => Err(refused(&other)),
    }
}

/// Counts what nobody counted, as a service with these settings would; what it finds worth saying is delivered by the
/// service, or by the next one that starts.
async fn fold_with_rules(store: &Store, config: &Config, ring: &KeyRing) -> Result<Fold, String> {
    let directory = KeyDirectory::new();
    directory.replace(store.list_projects().await.map_err(|error| error.to_string())?, &[]);
    let (channels, public_url) = (Channels::new(config, ring), config.public_url.clone());
    let cap = config.limits.rate_limit_per_minute;
    let rules = Rules::new(channels, Outbox::default(), Arc::new(directory), public_url, cap);
    // It knows nothing of what a service still has to count, so it calls nothing over.
    rules.watch().blind();
    Ok(Fold::new(store.clone(), Clock::system(), Arc::default()).alerting(rules))
}

async fn purge(store: Store, fold: Fold, arguments: PurgeArguments) -> Result<String, String> {
    let PurgeArguments { project, older_than, query, dry_run } = arguments;
    let project_id = match project {
        None => None,
        Some(project) => Some(find(&store, &project).await?.id),
    };
    let now = Clock::system().now();
    let query = query.map(|text| strict_query(&text, now)).transpose();
    let query = query.map_err(|why| format!("--query {why}"))?;
    let given = json!({
        "older_than": older_than.map(|time| time.to_string()),
        "q": query.as_ref().map(Query::to_string),
    });
    let target = project_id.map_or_else(|| "all projects".to_owned(), |id| format!("project {id}"));
    let recorded = if dry_run { None } else { record(&store, "purge", &target, given).await? };
    let (_, maintainer) = maintainer(store, Clock::system());
    let maintainer = maintainer.folding(Folding::Own(Box::new(fold)));
    let quit = CancellationToken::new();
    let ran = match query {
        None => maintainer.purge(&Purge { project_id, older_than, dry_run }, &quit).await,
        Some(query) => maintainer.erase(&Erasure { project_id, older_than, query, dry_run }, &quit).await,
    };
    match ended(recorded, ran).await? {
        Ran::Done(report) => Ok(output::document(&purged_json(&report, dry_run))),
        other => Err(refused(&other)),
    }
}

/// Writes into the audit log what the command line is about to do.
async fn record(
    store: &Store,
    action: &'static str,
    target: &str,
    parameters: Value,
) -> Result<Option<Recorded>, String> {
    let change = Change { action, target: target.to_owned(), parameters };
    let recorded = audit::record(store, &Origin::cli(), change, Clock::system().now()).await;
    recorded.map(Some).map_err(|error| error.to_string())
}

/// Notes in the audit log how a change ended, and hands its outcome on.
async fn noted<T>(
    recorded: Option<Recorded>,
    outcome: Result<T, String>,
    result: impl FnOnce(&T) -> Value,
) -> Result<T, String> {
    if let Some(recorded) = recorded {
        match &outcome {
            Ok(done) => recorded.done(result(done)).await,
            Err(_) => recorded.failed("failed").await,
        }
    }
    outcome
}

async fn ended(recorded: Option<Recorded>, ran: Result<Ran, StoreError>) -> Result<Ran, String> {
    if let Some(recorded) = recorded {
        match &ran {
            Ok(ran) => recorded.done(ran.json()).await,
            Err(_) => recorded.failed("storage_unavailable").await,
        }
    }
    ran.map_err(|error| error.to_string())
}

fn refused(ran: &Ran) -> String {
    match ran {
        Ran::HeldBy(holder) => format!(
            "instance {} maintains the database; its lease ends in {} ms at the latest",
            holder.owner, holder.expires_in_ms
        ),
        Ran::Done(_) | Ran::TooSoon | Ran::Waiting => "there is nothing to do now".to_owned(),
    }
}

/// One event through the whole pipeline, with a writer of its own.
async fn send_test(store: &Store, project: &Project, config: &Config) -> Result<String, String> {
    let clock = Clock::system();
    let queue = Arc::new(WriteQueue::default());
    let limiter = Arc::new(Limiter::new(&config.limits));
    let mailbox = Arc::new(FoldMailbox::default());
    let outcomes = Outcomes::new(mailbox.tally().clone());
    let ingest = Ingest::new(config.limits.clone(), clock.clone(), limiter, queue.clone(), outcomes);
    let slot = WriterSlot::new(queue.clone(), store.clone(), clock.clone(), mailbox.clone());
    let name = format!("send-test-{}", clock.now().as_millis());
    let bytes = test_event(&name);
    let room = Budget::of_bodies().reserve(bytes.len(), BUDGET_WAIT).await;
    let room = room.map_err(|_| "out of memory".to_owned())?;
    let keys = BatchKeys::of_our_own(project.id, &name, clock.now());
    let project = Arc::new(project.clone());
    let sent = async {
        let receipt = ingest.accept(&project, keys, IncomingBody { bytes, encoding: None, room }).await;
        queue.close();
        receipt
    };
    let (receipt, ()) = tokio::join!(sent, slot.run());
    // The event itself is counted by the service, which knows what is worth an alert.
    if let Err(error) = Fold::new(store.clone(), clock, mailbox).write_ledger().await {
        tracing::debug!(%error, "the ledger doesn't know who sent it");
    }
    let receipt = receipt.map_err(|error| error.detail().into_owned())?;
    Ok(format!("Stored {} event in {}.\n", receipt.accepted, project.slug))
}
