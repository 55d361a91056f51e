//! The service as a whole: built from its settings, run until told to stop, stopped in order.
//!
//! Building binds the port and touches no database; running answers `/healthz` at once, whatever the database does.

use std::net::SocketAddr;
use std::sync::Arc;

use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tokio::sync::oneshot;

use crate::alert::watch::Watch;
use crate::alert::{Delivery, Outbox, Rules};
use crate::clock::Clock;
use crate::config::Config;
use crate::database::DatabaseWatch;
use crate::fold::{Fold, FoldMailbox};
use crate::http::health::Health;
use crate::http::places::Places;
use crate::http::state::{AppState, Parts};
use crate::http::{self, adapter};
use crate::ingest::Ingest;
use crate::keep_awake::KeepAwake;
use crate::key::KeyDirectory;
use crate::lifecycle::{ExitOutcome, Lifecycle, ShutdownTrigger, Stage, StopBounds};
use crate::limit::Limiter;
use crate::maintenance::{Folding, Maintainer, maintainer};
use crate::memory::Budget;
use crate::metrics::Gauges;
use crate::outbound::Outbound;
use crate::outcome::Outcomes;
use crate::quarantine::Quarantine;
use crate::removal::{Remover, remover};
use crate::search::tail::{TailPoller, tails};
use crate::server::{self, Listener, ServerLimits, bind};
use crate::spool::{Drain, Spool};
use crate::store::{Store, WRITER_CONNECTIONS};
use crate::write::{WriteQueue, WriterSlot};

/// A service that has its port and does nothing yet.
pub struct App {
    listener: Listener,
    state: Arc<AppState>,
    lifecycle: Lifecycle,
    queue: Arc<WriteQueue>,
    mailbox: Arc<FoldMailbox>,
    remover: Remover,
    maintainer: Maintainer,
    tail_poller: TailPoller,
    first_ready: Option<oneshot::Sender<()>>,
}

impl App {
    /// Binds the port and puts everything together. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// A sentence when the port or the data directory can't be had.
    pub fn build(config: Config, clock: Clock) -> Result<Self, String> {
        let listener = bind(config.port).map_err(|error| format!("PORT {}: {error}", config.port))?;
        let store = Store::new(&config)?;
        let spool = Spool::new(&config);
        let outbound = Outbound::new(&config.outbound)?;
        let outbox = Outbox::default();
        let queue = Arc::new(WriteQueue::default());
        let mailbox = Arc::new(FoldMailbox::default());
        let quarantine = Quarantine::new(store.clone(), clock.clone(), mailbox.clone());
        let limiter = Arc::new(Limiter::new(&config.limits));
        let outcomes = Outcomes::new(mailbox.tally().clone());
        let bodies = Budget::of_bodies();
        let limits = config.limits.clone();
        let ingest = Ingest::new(limits, clock.clone(), limiter.clone(), queue.clone(), outcomes.clone());
        let (maintenance, maintainer) = maintainer(store.clone(), clock.clone());
        let maintainer = maintainer.folding(Folding::Task(mailbox.clone()));
        let (tail_places, export_places) = (Places::of_tails(), Places::of_exports());
        let gauges = Gauges {
            maintenance: maintenance.progress().clone(),
            store: store.clone(),
            queue: queue.clone(),
            connections: listener.gauges(),
            bodies: bodies.clone(),
            queued: ingest.queue_budget(),
            limiter: limiter.clone(),
            spool: spool.clone(),
            quarantine: quarantine.clone(),
            tails: tail_places.clone(),
            exports: export_places.clone(),
            clock: clock.clone(),
        };
        let (removals, remover) = remover(store.clone(), clock.clone());
        let lifecycle = Lifecycle::new(StopBounds::default());
        let stopping = lifecycle.trigger().stopping();
        let (tails, tail_poller) = tails(store.clone(), spool.clone(), clock.clone(), stopping);
        let state = Arc::new(AppState::new(Parts {
            config: Arc::new(config),
            health: Arc::new(Health::new(clock.now(), store.clone())),
            clock,
            store,
            spool,
            quarantine,
            directory: Arc::new(KeyDirectory::new()),
            metrics: Arc::new(registry(gauges, &outcomes, &outbox)),
            limiter,
            bodies,
            ingest: Arc::new(ingest),
            removals,
            maintenance,
            tails,
            tail_places,
            export_places,
            outbound,
            outbox,
        }));
        Ok(Self {
            listener,
            state,
            lifecycle,
            queue,
            mailbox,
            remover,
            maintainer,
            tail_poller,
            first_ready: None,
        })
    }

    /// The address it listens on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// What its handlers reach.
    #[must_use]
    pub fn state(&self) -> Arc<AppState> {
        self.state.clone()
    }

    /// What stops it.
    #[must_use]
    pub fn trigger(&self) -> ShutdownTrigger {
        self.lifecycle.trigger()
    }

    /// Resolves when the database has been reached for the first time.
    pub fn first_ready(&mut self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.first_ready = Some(sender);
        receiver
    }

    /// From now on SIGTERM and SIGINT stop it.
    ///
    /// # Errors
    /// When the system refuses to install a handler.
    pub fn listen_for_signals(&self) -> std::io::Result<()> {
        self.lifecycle.listen_for_signals()
    }

    /// Serves until stopped, then stops accepting, answers what was accepted, commits what was queued, counts it.
    pub async fn run(self) -> ExitOutcome {
        let Self {
            listener,
            state,
            lifecycle,
            queue,
            mailbox,
            remover,
            maintainer,
            tail_poller,
            first_ready,
        } = self;
        let (store, clock) = (state.store.clone(), state.clock.clone());
        let limits = ServerLimits::new(state.config.limits.max_connections, &state.config.client_address);
        let handler = adapter::handler(http::endpoint(&state));
        let stop = |stage| lifecycle.stop_token(stage);
        lifecycle.spawn(Stage::Serve, "server", server::serve(listener, handler, limits, stop(Stage::Serve)));
        for _ in 0..WRITER_CONNECTIONS {
            let slot = WriterSlot::new(queue.clone(), store.clone(), clock.clone(), mailbox.clone());
            let slot = slot.nudging(state.maintenance.nudge(), state.tails.nudge());
            let slot = slot.spooling(state.spool.clone()).quarantining(state.quarantine.clone());
            lifecycle.spawn(Stage::Write, "writer", slot.run());
        }
        let stop_writing = stop(Stage::Write);
        lifecycle.spawn(Stage::Write, "queue", async move {
            stop_writing.cancelled().await;
            queue.close();
        });
        if let Some(spool) = state.spool.clone() {
            let (directory, quarantine) = (state.directory.clone(), state.quarantine.clone());
            let drain =
                Drain::new(spool, store.clone(), mailbox.clone(), directory, clock.clone(), quarantine);
            let hurry = lifecycle.trigger().stopping();
            lifecycle.spawn(Stage::Drain, "drain", drain.run(stop(Stage::Drain), hurry));
        }
        let public_url = state.config.public_url.clone();
        let (channels, outbox) = (state.channels.clone(), state.outbox.clone());
        let cap = state.config.limits.rate_limit_per_minute;
        let watch = Watch::new(channels.clone(), state.directory.clone(), public_url.clone());
        let rules = Rules::new(channels, outbox, state.directory.clone(), public_url, cap);
        let rules = rules.watching(watch.beside(state.spool.clone()));
        let fold = Fold::new(store.clone(), clock, mailbox).alerting(rules);
        lifecycle.spawn(Stage::Fold, "fold", fold.run(stop(Stage::Fold)));
        lifecycle.spawn(Stage::Background, "removal", remover.run(stop(Stage::Background)));
        let maintain = maintainer.run(stop(Stage::Background));
        lifecycle.spawn(Stage::Background, "maintenance", maintain);
        lifecycle.spawn(Stage::Background, "tails", tail_poller.run(stop(Stage::Background)));
        Self::spawn_outgoing(&lifecycle, &state);
        let watch = DatabaseWatch::new(state, first_ready);
        lifecycle.spawn(Stage::Background, "database", watch.run(stop(Stage::Background)));
        let outcome = lifecycle.run().await;
        store.close();
        outcome
    }

    /// The tasks that send something out.
    fn spawn_outgoing(lifecycle: &Lifecycle, state: &AppState) {
        let stop = || lifecycle.stop_token(Stage::Background);
        let (clock, outbound) = (state.clock.clone(), state.outbound.clone());
        if let (Some(spool), Some(url)) = (state.spool.clone(), &state.config.public_url)
            && let Some(keep_awake) = KeepAwake::new(spool, clock.clone(), outbound.clone(), url)
        {
            lifecycle.spawn(Stage::Background, "keep-awake", keep_awake.run(stop()));
        }
        let (channels, outbox) = (state.channels.clone(), state.outbox.clone());
        let delivery = Delivery::new(state.store.clone(), clock, outbound, channels, outbox);
        lifecycle.spawn(Stage::Background, "delivery", delivery.run(stop()));
    }
}

/// All that `/metrics` shows: the counters of each part, and what is read off the parts when it is asked.
fn registry(gauges: Gauges, outcomes: &Outcomes, outbox: &Outbox) -> Registry {
    let mut registry = Registry::default();
    outcomes.register(&mut registry);
    register_version(&mut registry);
    outbox.register(&mut registry);
    gauges.quarantine.register(&mut registry);
    if let Some(spool) = &gauges.spool {
        spool.counters().register(&mut registry);
    }
    registry.register_collector(Box::new(gauges));
    registry
}

fn register_version(registry: &mut Registry) {
    let labels = [("version".into(), env!("CARGO_PKG_VERSION").into())];
    let labelled = registry.sub_registry_with_labels(labels.into_iter());
    labelled.register("tekno_build", "This version", ConstGauge::new(1_i64));
}
