//! Whether the caller of an answer that lasts may still have it: the guard is asked again while it goes on.

use std::sync::Arc;

use crate::error::ApiError;
use crate::http::guard;
use crate::http::route::{Access, Call};
use crate::http::search::readable_projects;
use crate::project::Project;
use crate::timestamp::Timestamp;

/// Time between two such questions, in milliseconds.
pub const CHECK_EVERY_MS: i64 = 15_000;

/// A request whose answer lasts.
pub struct Standing {
    call: Call,
    projects: Vec<Arc<Project>>,
    checked: Timestamp,
}

impl Standing {
    /// Just admitted, for these projects.
    #[must_use]
    pub fn new(call: Call, projects: Vec<Arc<Project>>) -> Self {
        let checked = call.state.clock.now();
        Self { call, projects, checked }
    }

    /// The request.
    #[must_use]
    pub const fn call(&self) -> &Call {
        &self.call
    }

    /// What it may read.
    #[must_use]
    pub fn projects(&self) -> &[Arc<Project>] {
        &self.projects
    }

    /// Asks again when it is time to; true when the projects are others than before.
    ///
    /// # Errors
    /// What the guard says now, and `NotFound` when there is no project left to read.
    pub async fn check(&mut self) -> Result<bool, ApiError> {
        let now = self.call.state.clock.now();
        if now.as_millis().saturating_sub(self.checked.as_millis()) < CHECK_EVERY_MS {
            return Ok(false);
        }
        self.call.caller = guard::admit(&self.call.state, Access::Read, &self.call.request).await?;
        let projects = readable_projects(&self.call)?;
        if projects.is_empty() && !self.projects.is_empty() {
            return Err(ApiError::NotFound);
        }
        self.checked = now;
        let changed = projects != self.projects;
        self.projects = projects;
        Ok(changed)
    }
}
