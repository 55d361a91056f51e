//! One route: method, path, the access it declares, and the handler that runs behind the guard for it.
//!
//! [`PathEndpoint`] is what poem routes to: it picks the method, answers preflights, charges the client, asks the
//! guard, runs the handler and turns its error or panic into a problem document. There is no other way to a handler.

use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use poem::http::{HeaderValue, Method, header};
use poem::{Addr, Endpoint, Request, Response};

use crate::error::{ApiError, RateLimit};
use crate::http::body::{self, BodyTimes};
use crate::http::client_address::client_address;
use crate::http::guard::{self, Caller};
use crate::http::request_id::RequestId;
use crate::http::state::AppState;
use crate::http::{cors, problem};
use crate::limit::ClientGate;
use crate::project::ProjectRef;

/// What a route asks of its caller. There is no default: each route says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// Anyone; the handler checks the signature of what is sent.
    Ingest,
    /// Admin token, session, or a project's read key (then that project only).
    Read,
    /// Admin token or session.
    Admin,
    /// Admin token, session or `METRICS_TOKEN`.
    Metrics,
}

/// What a handler gives back.
pub type Reply = Result<Response, ApiError>;

type Handler = Box<dyn Fn(Call) -> BoxFuture<'static, Reply> + Send + Sync>;

/// A request on its way to its handler, past the guard.
pub struct Call {
    /// Everything the handler can reach.
    pub state: Arc<AppState>,
    /// The request; its body isn't read yet.
    pub request: Request,
    /// Who calls.
    pub caller: Caller,
    /// The id on the reply.
    pub request_id: RequestId,
}

impl Call {
    /// The caller's address, by the settings about proxies.
    #[must_use]
    pub fn client(&self) -> IpAddr {
        client_of(&self.state, &self.request)
    }

    /// A path parameter, percent-decoded; empty when the path has none of this name.
    #[must_use]
    pub fn param(&self, name: &str) -> &str {
        self.request.raw_path_param(name).unwrap_or("")
    }

    /// The project a path names by its `:id`.
    ///
    /// # Errors
    /// `NotFound` for what is neither an id nor a slug.
    pub fn project_ref(&self) -> Result<ProjectRef, ApiError> {
        ProjectRef::parse(self.param("id")).ok_or(ApiError::NotFound)
    }
}

/// The address a request is charged to.
#[must_use]
pub fn client_of(state: &AppState, request: &Request) -> IpAddr {
    let peer = match &**request.remote_addr() {
        Addr::SocketAddr(address) => address.ip(),
        // A Unix socket: all of its clients are one.
        _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    client_address(request.headers(), peer, &state.config.client_address)
}

/// One line of the table in [`crate::http::routes`].
pub struct RouteSpec {
    /// The method; GET answers HEAD too.
    pub method: Method,
    /// The path in poem's syntax.
    pub path: &'static str,
    /// What it asks of the caller.
    pub access: Access,
    /// Whether a page of any site may call it (never with credentials).
    pub cross_origin: bool,
    handler: Handler,
}

impl RouteSpec {
    /// A route; ingest routes are cross-origin.
    pub fn new<F, Fut>(method: Method, path: &'static str, access: Access, handler: F) -> Self
    where
        F: Fn(Call) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Reply> + Send + 'static,
    {
        let handler: Handler = Box::new(move |call| Box::pin(handler(call)));
        Self { method, path, access, cross_origin: access == Access::Ingest, handler }
    }

    /// Lets pages of any site call it.
    #[must_use]
    pub fn cross_origin(mut self) -> Self {
        self.cross_origin = true;
        self
    }
}

/// All routes of one path.
pub struct PathEndpoint {
    state: Arc<AppState>,
    routes: Vec<RouteSpec>,
}

impl PathEndpoint {
    /// The routes must have the same path and differ in method.
    #[must_use]
    pub fn new(state: Arc<AppState>, routes: Vec<RouteSpec>) -> Self {
        Self { state, routes }
    }

    fn route_for(&self, method: &Method) -> Option<&RouteSpec> {
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        self.routes.iter().find(|route| route.method == *method)
    }

    async fn run(&self, route: &RouteSpec, request: Request, request_id: &RequestId) -> Response {
        let admitted = match self.charge(route.access, &request) {
            Ok(()) => guard::admit(&self.state, route.access, &request).await,
            Err(limit) => Err(ApiError::RateLimitedClient(limit)),
        };
        let caller = match admitted {
            Ok(caller) => caller,
            Err(error) => {
                if route.access == Access::Ingest {
                    let arrival = self.state.ingest.outcomes().arrival(None, self.state.clock.now());
                    arrival.refused(&error);
                }
                return refuse(problem::respond(&error, request_id), request).await;
            }
        };
        let call = Call { state: self.state.clone(), request, caller, request_id: request_id.clone() };
        (route.handler)(call).await.unwrap_or_else(|error| problem::respond(&error, request_id))
    }

    /// What a client is allowed a minute, by what it asks for; public routes cost nothing to answer.
    fn charge(&self, access: Access, request: &Request) -> Result<(), RateLimit> {
        let gate = match access {
            Access::Public => return Ok(()),
            Access::Ingest => ClientGate::Ingest,
            Access::Read | Access::Admin | Access::Metrics => ClientGate::Read,
        };
        self.state.note_use();
        self.state.limiter.check_client(client_of(&self.state, request).into(), gate)
    }

    /// Methods of the path, or only those a foreign page may use.
    fn methods(&self, cross_origin: bool) -> HeaderValue {
        let open = |route: &&RouteSpec| route.cross_origin || !cross_origin;
        let mut names: Vec<&'static str> =
            self.routes.iter().filter(open).flat_map(|route| method_names(&route.method)).copied().collect();
        if self.routes.iter().any(|route| route.cross_origin) {
            names.push("OPTIONS");
        }
        HeaderValue::try_from(names.join(", ")).expect("method names are a header value")
    }

    fn method_refusal(&self, request_id: &RequestId) -> Response {
        let mut response = problem::respond(&ApiError::MethodNotAllowed, request_id);
        response.headers_mut().insert(header::ALLOW, self.methods(false));
        response
    }
}

/// Answers before the body was read: most clients look for an answer only when they have sent everything.
async fn refuse(mut response: Response, mut request: Request) -> Response {
    let body = request.take_body();
    if !body::drain(request.headers(), body, BodyTimes::default()).await {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

impl Endpoint for PathEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let request_id = request.data::<RequestId>().cloned().unwrap_or_default();
        let cross_origin = self.routes.iter().any(|route| route.cross_origin);
        if *request.method() == Method::OPTIONS && cross_origin {
            return Ok(cors::preflight(self.methods(true)));
        }
        let Some(route) = self.route_for(request.method()) else {
            return Ok(refuse(self.method_refusal(&request_id), request).await);
        };
        // A panic has been reported by the panic hook; the connection and the process live on.
        let running = AssertUnwindSafe(self.run(route, request, &request_id)).catch_unwind();
        let mut response = match running.await {
            Ok(response) => response,
            Err(_panic) => problem::respond(&ApiError::Internal, &request_id),
        };
        response.set_data(RoutePath(route.path));
        if route.cross_origin {
            cors::open(&mut response);
        }
        Ok(response)
    }
}

/// The path pattern a response came from, for our own log: it has no ids and no query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoutePath(pub &'static str);

fn method_names(method: &Method) -> &'static [&'static str] {
    match *method {
        Method::GET => &["GET", "HEAD"],
        Method::POST => &["POST"],
        Method::PUT => &["PUT"],
        Method::DELETE => &["DELETE"],
        _ => &[],
    }
}
