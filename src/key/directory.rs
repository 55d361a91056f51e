//! The projects and keys this instance knows of, in memory: what the ingest path asks instead of the database.
//!
//! The owner replaces the whole snapshot every few seconds and after each change by an admin; readers take it without
//! waiting. Before the first snapshot every key is [`KeyStatus::Unknown`], and [`KeyDirectory::is_loaded`] is false.
//! Bounded by the number of projects and keys an admin may make (see [`crate::http::admin`]).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::key::{KeyRecord, VerifiedKey};
use crate::project::{Project, ProjectRef, ProjectSlug};

/// What is known of a key whose tag is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// In use.
    Active(Arc<Project>),
    /// Revoked, or gone with its project.
    Revoked,
    /// Not in the snapshot but perhaps newer than it: made by another instance, or nothing was loaded yet.
    Unknown,
}

#[derive(Debug, Default)]
struct Snapshot {
    projects: HashMap<i64, Arc<Project>>,
    slugs: HashMap<ProjectSlug, i64>,
    keys: HashMap<[u8; 32], KeyEntry>,
    newest_number: HashMap<i64, u32>,
}

#[derive(Debug)]
struct KeyEntry {
    project_id: i64,
    revoked: bool,
}

impl Snapshot {
    fn of(projects: Vec<Project>, keys: &[KeyRecord]) -> Self {
        let mut snapshot = Snapshot::default();
        for project in projects {
            snapshot.slugs.insert(project.slug.clone(), project.id);
            snapshot.projects.insert(project.id, Arc::new(project));
        }
        for key in keys {
            let newest = snapshot.newest_number.entry(key.project_id).or_insert(0);
            *newest = key.number.max(*newest);
            let entry = KeyEntry { project_id: key.project_id, revoked: key.revoked_at.is_some() };
            snapshot.keys.insert(key.sha256, entry);
        }
        snapshot
    }
}

/// A snapshot that is replaced as a whole.
#[derive(Debug, Default)]
pub struct KeyDirectory {
    current: RwLock<Option<Arc<Snapshot>>>,
    taken: AtomicU64,
}

impl KeyDirectory {
    /// A directory that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a new snapshot: all projects and all keys, revoked ones too.
    pub fn replace(&self, projects: Vec<Project>, keys: &[KeyRecord]) {
        let snapshot = Snapshot::of(projects, keys);
        // A poisoned lock only says that some thread panicked while it held a whole Arc.
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(snapshot));
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes a snapshot of an earlier time, unless there is one already.
    pub fn replace_if_empty(&self, projects: Vec<Project>, keys: &[KeyRecord]) {
        let snapshot = Arc::new(Snapshot::of(projects, keys));
        self.current.write().unwrap_or_else(PoisonError::into_inner).get_or_insert(snapshot);
    }

    /// How many snapshots were taken since the start.
    #[must_use]
    pub fn snapshots_taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Whether a snapshot was ever taken.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.snapshot().is_some()
    }

    /// What is known of a key. A key the snapshot would have to know but doesn't counts as revoked.
    #[must_use]
    pub fn lookup(&self, key: &VerifiedKey) -> KeyStatus {
        let Some(snapshot) = self.snapshot() else { return KeyStatus::Unknown };
        let project = snapshot.projects.get(&key.project_id);
        match (snapshot.keys.get(&key.sha256), project) {
            (Some(entry), Some(project)) if !entry.revoked && entry.project_id == key.project_id => {
                KeyStatus::Active(project.clone())
            }
            (Some(_), _) => KeyStatus::Revoked,
            (None, None) => KeyStatus::Unknown,
            (None, Some(_)) => {
                let newest = snapshot.newest_number.get(&key.project_id).copied().unwrap_or(0);
                if key.key_number > newest { KeyStatus::Unknown } else { KeyStatus::Revoked }
            }
        }
    }

    /// The project, if the snapshot has it.
    #[must_use]
    pub fn project(&self, reference: &ProjectRef) -> Option<Arc<Project>> {
        let snapshot = self.snapshot()?;
        let id = match reference {
            ProjectRef::Id(id) => id,
            ProjectRef::Slug(slug) => snapshot.slugs.get(slug)?,
        };
        snapshot.projects.get(id).cloned()
    }

    /// All projects of the snapshot, by id.
    #[must_use]
    pub fn projects(&self) -> Vec<Arc<Project>> {
        let Some(snapshot) = self.snapshot() else { return Vec::new() };
        let mut projects: Vec<_> = snapshot.projects.values().cloned().collect();
        projects.sort_by_key(|project| project.id);
        projects
    }

    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
