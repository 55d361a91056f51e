//! A poem endpoint as a [`Handler`] of our own server: poem answers, hyper and [`crate::server`] do the rest.

use std::sync::Arc;

use hyper::body::Incoming;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, EndpointExt, IntoEndpoint};

use crate::server::{Handler, PeerInfo};

/// Wraps an endpoint. The scheme of a request is always `http`: TLS ends before us, and what the outside calls
/// us is `PUBLIC_URL`. Its remote address is the peer's; ask [`super::client_address`] for the client's.
pub fn handler<E>(endpoint: E) -> impl Handler
where
    E: IntoEndpoint,
    E::Endpoint: 'static,
{
    let endpoint = Arc::new(endpoint.into_endpoint().map_to_response());
    move |request: hyper::Request<Incoming>, peer: PeerInfo| {
        let endpoint = endpoint.clone();
        async move {
            let local = LocalAddr(Addr::SocketAddr(peer.local));
            let remote = RemoteAddr(Addr::SocketAddr(peer.remote));
            let request = poem::Request::from((request, local, remote, Scheme::HTTP));
            let response: hyper::Response<_> = endpoint.get_response(request).await.into();
            response
        }
    }
}
