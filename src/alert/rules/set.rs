//! The rules of all projects at one moment, and the one copy of them that is replaced when somebody changes one.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::kind::RuleKind;
use super::setting::{RuleId, Setting};
use crate::store::{Connection, StoreError, StoredRule};

/// All rules. A project's own beats one for every project, which beats the default.
#[derive(Clone, Debug)]
pub struct RuleSet {
    version: i64,
    defaults: BTreeMap<RuleKind, Arc<Setting>>,
    /// By kind and project, 0 being every project; queries are not among them.
    stored: BTreeMap<(RuleKind, i64), Arc<Setting>>,
    queries: Vec<Arc<Setting>>,
}

impl Default for RuleSet {
    fn default() -> Self {
        Self::new(0, &[])
    }
}

impl RuleSet {
    /// The rules of a version: what is stored, and the defaults for the rest.
    #[must_use]
    pub fn new(version: i64, stored: &[StoredRule]) -> Self {
        let kinds = RuleKind::ALL.into_iter().filter(|kind| kind.has_default());
        let defaults = kinds.map(|kind| (kind, Arc::new(Setting::default_of(kind)))).collect();
        let mut set = Self { version, defaults, stored: BTreeMap::new(), queries: Vec::new() };
        for setting in stored.iter().filter_map(Setting::of_stored).map(Arc::new) {
            if setting.kind == RuleKind::Query {
                set.queries.push(setting);
            } else {
                set.stored.insert((setting.kind, setting.project_id.unwrap_or(0)), setting);
            }
        }
        set
    }

    /// Which change made it.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// What a rule of a kind is set to for a project, whether it is on or off. A query has no such single rule: what it
    /// gives is its defaults, turned off.
    #[must_use]
    pub fn of(&self, project_id: i64, kind: RuleKind) -> Arc<Setting> {
        let stored = self.stored.get(&(kind, project_id)).or_else(|| self.stored.get(&(kind, 0)));
        let found = stored.or_else(|| self.defaults.get(&kind)).cloned();
        found.unwrap_or_else(|| Arc::new(Setting { enabled: false, ..Setting::default_of(kind) }))
    }

    /// Whether this rule is on and what looks at a project, exactly as it is here.
    #[must_use]
    pub fn has(&self, rule: &Setting, project_id: i64) -> bool {
        let is_it = |now: &Setting| now.enabled && now == rule;
        match rule.kind {
            RuleKind::Query => self.queries(project_id).any(|now| is_it(now)),
            kind => is_it(&self.of(project_id, kind)),
        }
    }

    /// The queries that look at a project.
    pub fn queries(&self, project_id: i64) -> impl Iterator<Item = &Arc<Setting>> {
        self.queries.iter().filter(move |rule| rule.project_id.is_none_or(|own| own == project_id))
    }

    /// Every rule that applies to a project, in the order of kinds.
    #[must_use]
    pub fn of_project(&self, project_id: i64) -> Vec<Arc<Setting>> {
        let single = self.defaults.keys().map(|kind| self.of(project_id, *kind));
        single.chain(self.queries(project_id).cloned()).collect()
    }

    /// Every rule there is: what is stored, and the defaults that nothing for every project replaces.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Setting>> {
        let mut all = Vec::new();
        for (kind, default) in &self.defaults {
            if !self.stored.contains_key(&(*kind, 0)) {
                all.push(default.clone());
            }
            all.extend(self.stored.range((*kind, 0)..=(*kind, i64::MAX)).map(|(_, rule)| rule.clone()));
        }
        all.extend(self.queries.iter().cloned());
        all
    }

    /// The rules that are on and count a project's events themselves.
    #[must_use]
    pub fn counting(&self, project_id: i64) -> Vec<Arc<Setting>> {
        let single = self.defaults.keys().map(|kind| self.of(project_id, *kind));
        let all = single.chain(self.queries(project_id).cloned());
        all.filter(|rule| rule.enabled && rule.counts_events()).collect()
    }

    /// One of those, by its number.
    #[must_use]
    pub fn counting_by_id(&self, project_id: i64, id: i64) -> Option<Arc<Setting>> {
        self.counting(project_id).into_iter().find(|rule| rule.id == RuleId::Stored(id))
    }
}

/// The rules as this instance last read them. Who needs them within a transaction looks at their version there, which
/// costs nothing beside what it asks anyway, and reads them anew when it is another.
#[derive(Debug, Default)]
pub struct RuleBook(RwLock<Option<Arc<RuleSet>>>);

impl RuleBook {
    /// The rules; the defaults while nothing was read.
    #[must_use]
    pub fn current(&self) -> Arc<RuleSet> {
        self.read().unwrap_or_default()
    }

    /// Whether what was last read is of this version.
    #[must_use]
    pub fn is_of(&self, version: i64) -> bool {
        self.read().is_some_and(|set| set.version == version)
    }

    /// Reads the rules anew; only what was committed is seen.
    ///
    /// # Errors
    /// What the database said; the rules stay as they were.
    pub async fn reload(&self, connection: &mut Connection) -> Result<Arc<RuleSet>, StoreError> {
        let (version, stored) = connection.alert_rules().await?;
        let set = Arc::new(RuleSet::new(version, &stored));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(set.clone());
        Ok(set)
    }

    /// The rules as they are now, in one round trip when nobody changed any since the last time.
    ///
    /// # Errors
    /// What the database said.
    pub async fn fresh(&self, connection: &mut Connection) -> Result<Arc<RuleSet>, StoreError> {
        let version = connection.alert_rule_version().await?;
        match self.read().filter(|set| set.version == version) {
            Some(set) => Ok(set),
            None => self.reload(connection).await,
        }
    }

    fn read(&self) -> Option<Arc<RuleSet>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
