//! The HTTP side of the service: all routes and all layers.
//!
//! [`routes`] is the whole table: what is not in it is a 404, and what is in it says what it asks of its caller. A
//! handler is reached only through the guard for that access ([`route::PathEndpoint`]). [`layers::Edge`] is what every
//! request and reply passes, from the outside in: request id, redirect to HTTPS, routes; then problem documents for
//! what no route answered, security headers, one line in our log for a failure.

pub mod adapter;
pub mod admin;
pub mod aggregate_input;
pub mod aggregate_json;
pub mod aggregates;
pub mod alert_input;
pub mod alert_rule_input;
pub mod alert_rules;
pub mod alerts;
pub mod assets;
pub mod audit;
pub mod body;
pub mod client_address;
pub mod context;
pub mod cors;
pub mod export;
pub mod export_format;
pub mod guard;
pub mod health;
pub mod ingest;
pub mod issue_detail;
pub mod issue_input;
pub mod issues;
pub mod json;
pub mod layers;
pub mod ledger;
pub mod log_json;
pub mod maintenance;
pub mod openapi;
pub mod origin;
pub mod places;
pub mod problem;
pub mod project_input;
pub mod quarantine;
pub mod request_id;
pub mod route;
pub mod search;
pub mod search_input;
pub mod session;
pub mod standing;
pub mod state;
pub mod stats;
pub mod tail;

use std::collections::BTreeMap;
use std::sync::Arc;

use poem::Route;
use poem::http::Method;

use layers::Edge;
use route::Access::{Admin, Ingest, Metrics, Public, Read};
use route::{PathEndpoint, RouteSpec};
use state::AppState;

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const DELETE: Method = Method::DELETE;

/// Every route of the service.
#[must_use]
pub fn routes() -> Vec<RouteSpec> {
    let (events, administration, operation) = (event_routes(), administration_routes(), operation_routes());
    events.into_iter().chain(administration).chain(operation).collect()
}

fn event_routes() -> Vec<RouteSpec> {
    vec![
        // Ingest
        RouteSpec::new(POST, "/log", Ingest, ingest::post_log),
        RouteSpec::new(POST, "/api/log", Ingest, ingest::post_log),
        // Reading
        RouteSpec::new(GET, "/logs", Read, search::search),
        RouteSpec::new(GET, "/api/log", Read, search::search),
        RouteSpec::new(GET, "/admin/logs/search", Read, search::search),
        RouteSpec::new(GET, "/logs/histogram", Read, aggregates::histogram),
        RouteSpec::new(GET, "/logs/facets", Read, aggregates::facets),
        RouteSpec::new(GET, "/logs/patterns", Read, aggregates::patterns),
        RouteSpec::new(GET, "/logs/tail", Read, tail::tail),
        RouteSpec::new(GET, "/logs/export", Read, export::export),
        RouteSpec::new(GET, "/logs/:id", Read, search::show_event),
        RouteSpec::new(GET, "/logs/:id/context", Read, context::show),
        RouteSpec::new(GET, "/issues", Read, issues::list),
        RouteSpec::new(PUT, "/issues", Admin, issues::change_many),
        RouteSpec::new(GET, "/issues/:id", Read, issue_detail::show),
        RouteSpec::new(DELETE, "/issues/:id", Admin, issues::delete),
        RouteSpec::new(PUT, "/issues/:id/resolve", Admin, issues::resolve),
        RouteSpec::new(PUT, "/issues/:id/reopen", Admin, issues::reopen),
        RouteSpec::new(PUT, "/issues/:id/mute", Admin, issues::mute),
        RouteSpec::new(GET, "/stats", Read, stats::stats),
        RouteSpec::new(GET, "/stats/ledger", Read, ledger::ledger),
    ]
}

fn administration_routes() -> Vec<RouteSpec> {
    vec![
        // Projects and keys
        RouteSpec::new(GET, "/admin/projects", Admin, admin::list_projects),
        RouteSpec::new(POST, "/admin/projects", Admin, admin::create_project),
        RouteSpec::new(GET, "/admin/projects/:id", Admin, admin::show_project),
        RouteSpec::new(PUT, "/admin/projects/:id", Admin, admin::update_project),
        RouteSpec::new(DELETE, "/admin/projects/:id", Admin, admin::delete_project),
        RouteSpec::new(GET, "/admin/projects/:id/keys", Admin, admin::list_keys),
        RouteSpec::new(POST, "/admin/projects/:id/keys", Admin, admin::create_key),
        RouteSpec::new(DELETE, "/admin/projects/:id/keys/:key_id", Admin, admin::revoke_key),
        RouteSpec::new(POST, "/admin/projects/:id/test-event", Admin, admin::send_test_event),
        // Alerts
        RouteSpec::new(GET, "/admin/alerts/channels", Admin, alerts::list_channels),
        RouteSpec::new(POST, "/admin/alerts/channels", Admin, alerts::create_channel),
        RouteSpec::new(PUT, "/admin/alerts/channels/:id", Admin, alerts::update_channel),
        RouteSpec::new(DELETE, "/admin/alerts/channels/:id", Admin, alerts::delete_channel),
        RouteSpec::new(POST, "/admin/alerts/channels/:id/test", Admin, alerts::test_channel),
        RouteSpec::new(GET, "/admin/alerts/rules", Admin, alert_rules::list),
        RouteSpec::new(POST, "/admin/alerts/rules", Admin, alert_rules::create),
        RouteSpec::new(PUT, "/admin/alerts/rules/:id", Admin, alert_rules::update),
        RouteSpec::new(DELETE, "/admin/alerts/rules/:id", Admin, alert_rules::delete),
        RouteSpec::new(GET, "/admin/alerts/history", Admin, alerts::history),
        // Maintenance
        RouteSpec::new(GET, "/admin/maintenance", Admin, maintenance::show),
        RouteSpec::new(POST, "/admin/maintain", Admin, maintenance::maintain),
        RouteSpec::new(POST, "/admin/purge", Admin, maintenance::purge),
        // Quarantine
        RouteSpec::new(GET, "/admin/quarantine", Admin, quarantine::list),
        RouteSpec::new(POST, "/admin/quarantine/retry", Admin, quarantine::retry_many),
        RouteSpec::new(POST, "/admin/quarantine/:id/retry", Admin, quarantine::retry),
        RouteSpec::new(DELETE, "/admin/quarantine/:id", Admin, quarantine::delete),
        RouteSpec::new(GET, "/admin/audit", Admin, audit::list),
    ]
}

fn operation_routes() -> Vec<RouteSpec> {
    vec![
        // Sessions: each handler checks what it is given
        RouteSpec::new(GET, "/session", Public, session::status),
        RouteSpec::new(POST, "/session", Public, session::sign_in),
        RouteSpec::new(DELETE, "/session", Public, session::sign_out),
        // Operation
        RouteSpec::new(GET, "/healthz", Public, health::healthz),
        RouteSpec::new(GET, "/readyz", Public, health::readyz),
        RouteSpec::new(GET, "/config", Public, health::client_config).cross_origin(),
        RouteSpec::new(GET, "/openapi.json", Public, openapi::show),
        RouteSpec::new(GET, "/metrics", Metrics, health::metrics),
        RouteSpec::new(GET, "/", Public, health::root),
        // The page; what it shows is decided by the reads above
        RouteSpec::new(GET, "/ui", Public, assets::show_page),
        RouteSpec::new(GET, "/ui/*path", Public, assets::show_page),
        RouteSpec::new(GET, "/assets/*path", Public, assets::show_asset),
    ]
}

/// The service as one endpoint; it answers every request and never fails.
#[must_use]
pub fn endpoint(state: &Arc<AppState>) -> Edge {
    build(state, routes())
}

fn build(state: &Arc<AppState>, table: Vec<RouteSpec>) -> Edge {
    let mut by_path: BTreeMap<&'static str, Vec<RouteSpec>> = BTreeMap::new();
    for route in table {
        by_path.entry(route.path).or_default().push(route);
    }
    let routes = by_path
        .into_iter()
        .fold(Route::new(), |routes, (path, specs)| routes.at(path, PathEndpoint::new(state.clone(), specs)));
    Edge::new(state.clone(), routes)
}

#[cfg(test)]
mod tests;
