//! What happens to every request and reply, whatever its route: request id, HTTPS, problem documents for what no route
//! answered, security headers, one line in our log for a failure.

use std::sync::Arc;

use poem::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, Request, Response, Route};

use crate::http::origin;
use crate::http::problem::{self, ProblemCode};
use crate::http::request_id::RequestId;
use crate::http::route::RoutePath;
use crate::http::state::AppState;

/// Paths a platform asks over plain HTTP from inside; they are never redirected.
const PLAIN_HTTP_PATHS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];
const HSTS: &str = "max-age=31536000";
const API_CONTENT_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// The whole HTTP side of the service; never answers with an `Err`.
pub struct Edge {
    state: Arc<AppState>,
    routes: Route,
}

impl Edge {
    /// Puts the layers around the routes.
    #[must_use]
    pub fn new(state: Arc<AppState>, routes: Route) -> Self {
        Self { state, routes }
    }

    async fn answer(&self, request: Request, request_id: &RequestId) -> Response {
        if let Some(redirect) = self.redirect_to_https(&request) {
            return redirect;
        }
        match self.routes.call(request).await {
            Ok(response) => response,
            Err(error) => problem::respond(&problem::from_framework(&error), request_id),
        }
    }

    fn redirect_to_https(&self, request: &Request) -> Option<Response> {
        let read = matches!(*request.method(), Method::GET | Method::HEAD);
        let exempt = PLAIN_HTTP_PATHS.contains(&request.uri().path());
        if !read || exempt || !origin::is_downgraded(request, &self.state.config) {
            return None;
        }
        let public_url = self.state.config.public_url.as_deref()?;
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let location = HeaderValue::try_from(format!("{public_url}{path}")).ok()?;
        Some(
            Response::builder()
                .status(StatusCode::PERMANENT_REDIRECT)
                .header(header::LOCATION, location)
                .finish(),
        )
    }
}

impl Endpoint for Edge {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let request_id = RequestId::of(&request);
        request.set_data(request_id.clone());
        let method = request.method().clone();
        let hsts = origin::is_public_https(&self.state.config)
            && !origin::is_downgraded(&request, &self.state.config);
        let mut response = self.answer(request, &request_id).await;
        secure(&mut response, hsts);
        let id = HeaderValue::try_from(request_id.as_str()).expect("a request id is safe in a header");
        response.headers_mut().insert("x-request-id", id);
        log_failure(&method, &response, &request_id);
        Ok(response)
    }
}

/// Headers every reply has. A handler's own `Cache-Control` or `Content-Security-Policy` stays.
fn secure(response: &mut Response, hsts: bool) {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    let defaults: [(HeaderName, &'static str); 2] =
        [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_SECURITY_POLICY, API_CONTENT_POLICY)];
    for (name, value) in defaults {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if hsts {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
}

/// The path is the route's pattern: ids, queries and tokens stay out of our log.
fn log_failure(method: &Method, response: &Response, request_id: &RequestId) {
    let status = response.status();
    let code = response.data::<ProblemCode>().map_or("", |code| code.0);
    let route = response.data::<RoutePath>().map_or("", |route| route.0);
    let request_id = request_id.as_str();
    // Who is told to come back later is told why; our log has the cause once, from where it was met.
    if status == StatusCode::SERVICE_UNAVAILABLE || status.is_client_error() {
        tracing::debug!(%method, route, status = status.as_u16(), code, request_id, "request refused");
    } else if status.is_server_error() {
        tracing::error!(%method, route, status = status.as_u16(), code, request_id, "request failed");
    }
}
