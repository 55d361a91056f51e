//! What an admin may have deleted, and what retention has deleted.

use crate::project::Project;
use crate::timestamp::Timestamp;

/// A purge as asked for. Everything left out means: by retention, of every project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purge {
    /// Only this project.
    pub project_id: Option<i64>,
    /// Blocks whose last event was received before this, instead of by retention.
    pub older_than: Option<Timestamp>,
    /// Only count.
    pub dry_run: bool,
}

impl Purge {
    /// For each project concerned the time before which blocks go.
    #[must_use]
    pub fn wanted(&self, projects: &[Project], now: Timestamp) -> Vec<(i64, Timestamp)> {
        projects
            .iter()
            .filter(|project| self.project_id.is_none_or(|id| id == project.id))
            .map(|project| (project.id, self.older_than.unwrap_or_else(|| project.kept_since(now))))
            .collect()
    }
}
