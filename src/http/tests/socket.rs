//! The routes behind the real server: what only a connection shows.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::harness::{ADMIN_TOKEN, App};
use crate::config::ClientAddressSource;
use crate::http::{adapter, endpoint};
use crate::server::{self, ServerLimits};

/// Sends the requests over one connection and reads until the server closes it.
async fn talk(app: &App, requests: &str) -> String {
    let listener = server::bind(0).expect("a free port");
    let port = listener.local_addr().port();
    let limits = ServerLimits::new(100, &ClientAddressSource::Peer);
    let serving =
        server::serve(listener, adapter::handler(endpoint(&app.state)), limits, CancellationToken::new());
    let talking = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
        stream.write_all(requests.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        answer
    };
    tokio::select! {
        () = serving => panic!("the server ended by itself"),
        answer = talking => answer,
    }
}

fn statuses(answers: &str) -> Vec<&str> {
    let heads = answers.split("HTTP/1.1 ").skip(1);
    heads.filter_map(|head| head.get(..3)).collect()
}

#[tokio::test]
async fn head_has_the_length_of_the_answer_and_no_body() {
    let app = App::new();
    let head = "HEAD /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    let answer = talk(&app, head).await;
    assert_eq!(statuses(&answer), ["200"]);
    let body = app.get("/healthz", &[]).await.body;
    assert!(answer.contains(&format!("content-length: {}\r\n", body.len())), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_refused_body_is_read_away_and_the_connection_goes_on() {
    let app = App::new();
    let body = "x".repeat(200_000);
    let post = |headers: &str| {
        let length = body.len();
        format!(
            "POST /admin/projects HTTP/1.1\r\nHost: test\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        )
    };
    let requests = [
        post(""),
        post("X-Admin-Token: wrong\r\n"),
        post(&format!("X-Admin-Token: {ADMIN_TOKEN}\r\n")),
        "PATCH /healthz HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc".to_owned(),
        "POST /nothing HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".to_owned(),
    ];
    let answers = talk(&app, &requests.concat()).await;
    assert_eq!(statuses(&answers), ["401", "401", "413", "405", "404", "200"], "{answers}");
}

#[tokio::test]
async fn an_absolute_address_in_a_request_is_its_path() {
    let app = App::new();
    let request = "GET http://evil.example/admin/projects HTTP/1.1\r\nHost: evil.example\r\n\
                   Connection: close\r\n\r\n";
    assert_eq!(statuses(&talk(&app, request).await), ["401"]);
}
