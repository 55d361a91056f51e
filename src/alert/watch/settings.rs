//! What the watch goes by: a project's rules, read for what is open and what is silent.

use std::sync::Arc;

use super::super::rules::{ERROR_RATE_N, GRACE_SEC, RuleKind, RuleSet, SPIKE_N, Setting};
use super::{HeartbeatWhen, OVERFLOW_QUIET_SEC};

/// What the watch goes by, for one project.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchSettings {
    /// When silence is worth an alert.
    pub heartbeat: HeartbeatWhen,
    /// Seconds of silence, asleep ones not counted, before it is; at least 60.
    pub heartbeat_grace_sec: i64,
    /// The rule that says it; `None` for one of which nothing is set.
    pub heartbeat_rule: Option<Arc<Setting>>,
    /// Whether the end of an overflow is said.
    pub overflow_ended: bool,
    /// Seconds without events that end an overflow, and before which none starts; 60 to 3,600.
    pub overflow_quiet_sec: i64,
    /// Events of an issue in a window below which its spike is over in any case; `None` where its counts don't tell, and
    /// only what the rules note does.
    pub spike_n: Option<u64>,
    /// The same of errors of the project.
    pub error_rate_n: Option<u64>,
    /// Whether the end of everything else is said.
    pub resolved: bool,
}

impl WatchSettings {
    /// What holds for a project that has no settings of its own.
    pub const DEFAULT: Self = Self {
        heartbeat: HeartbeatWhen::Steady,
        heartbeat_grace_sec: GRACE_SEC as i64,
        heartbeat_rule: None,
        overflow_ended: true,
        overflow_quiet_sec: OVERFLOW_QUIET_SEC,
        spike_n: Some(SPIKE_N as u64),
        error_rate_n: Some(ERROR_RATE_N as u64),
        resolved: true,
    };
}

impl WatchSettings {
    /// What a project's rules say.
    #[must_use]
    pub fn of_rules(rules: &RuleSet, project_id: i64) -> Self {
        let of = |kind| rules.of(project_id, kind);
        let (silence, overflow) = (of(RuleKind::Heartbeat), of(RuleKind::OverflowEnded));
        let (spike, errors) = (of(RuleKind::Spike), of(RuleKind::ErrorRate));
        let heartbeat = match (silence.enabled, silence.project_id) {
            (false, _) => HeartbeatWhen::Off,
            (true, None) => HeartbeatWhen::Steady,
            // Who makes one for this project knows that it is never silent.
            (true, Some(_)) => HeartbeatWhen::Always,
        };
        // The counts of all errors say nothing of a rule that looks at some of them, or at their share.
        let counts_tell = errors.levels.is_none() && errors.share.is_none() && !errors.counts_events();
        Self {
            heartbeat,
            heartbeat_grace_sec: i64::from(silence.grace_sec),
            heartbeat_rule: Some(silence),
            overflow_ended: overflow.enabled,
            overflow_quiet_sec: i64::from(overflow.grace_sec),
            spike_n: spike.environments.is_all().then(|| u64::from(spike.n)),
            error_rate_n: counts_tell.then(|| u64::from(errors.n)),
            resolved: true,
        }
    }
}

/// Gives a project's settings.
pub type SettingsOf = Arc<dyn Fn(i64) -> WatchSettings + Send + Sync>;
