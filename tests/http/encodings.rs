//! Compressed and oddly framed bodies: what is signed is what was sent, and no bomb goes off.

use std::fmt::Write as _;
use std::io::Write as _;

use reqwest::Method;
use serde_json::{Value, json};

use crate::running::{Post, everywhere, on_sqlite, sign};

type Encode = fn(&[u8]) -> Vec<u8>;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

fn raw_deflate(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

/// A stored meta-block (RFC 7932, 9.2) and an empty last one: an encoder is not among the dependencies.
fn brotli_stored(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len() - 1).unwrap();
    assert!(length < 1 << 16);
    let mut body = ((length << 4) | (1 << 20)).to_le_bytes()[..3].to_vec();
    body.extend_from_slice(text);
    body.push(0b11);
    body
}

fn zstd_of(text: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(text, 3).unwrap()
}

#[tokio::test]
async fn every_content_encoding_is_undone_after_the_signature_over_the_bytes_as_sent() {
    everywhere(async |running| {
        let key = running.project("web").await;
        let encoders: [(&str, Encode); 7] = [
            ("gzip", gzip),
            ("x-gzip", gzip),
            ("deflate", zlib),
            ("deflate", raw_deflate),
            ("br", brotli_stored),
            ("zstd", zstd_of),
            ("identity", <[u8]>::to_vec),
        ];
        for (number, (name, encode)) in encoders.into_iter().enumerate() {
            let text = json!([{ "message": format!("by {name} {number}") }]).to_string();
            let post = Post::bare(&key, encode(text.as_bytes())).with("content-encoding", name);
            assert_eq!(running.send(post).await.counts(), (1, 1, false), "{name}");
            if name != "identity" {
                // The signature of the text is not the signature of what was sent.
                let mut wrong = Post::bare(&key, text).with("content-encoding", name);
                wrong.body = encode(&wrong.body);
                assert_eq!(running.send(wrong).await.refusal(), (401, "unauthorized".to_owned()), "{name}");
            }
        }
        assert_eq!(running.logs("q=by").await.len(), 7);
    })
    .await;
}

#[tokio::test]
async fn a_bomb_is_refused_whatever_it_is_made_of() {
    on_sqlite(&[], async |running| {
        let key = running.project("web").await;
        let zeros = vec![b' '; 64 << 20];
        for (name, body) in [("gzip", gzip(&zeros)), ("deflate", zlib(&zeros)), ("zstd", zstd_of(&zeros))] {
            assert!(body.len() < 512 << 10, "{name}");
            let answer = running.send(Post::bare(&key, body).with("content-encoding", name)).await;
            assert_eq!(answer.refusal(), (413, "payload_too_large".to_owned()), "{name}");
        }
        let twice = gzip(&gzip(&zeros));
        let answer = running.send(Post::bare(&key, twice).with("content-encoding", "gzip, gzip")).await;
        assert_eq!(answer.refusal(), (413, "payload_too_large".to_owned()));
        // Inside the bound, a body that inflates a lot is taken.
        let padded = format!("{}{}", " ".repeat(7 << 20), r#"{"message":"wide"}"#);
        let post = Post::bare(&key, gzip(padded.as_bytes())).with("content-encoding", "gzip");
        assert_eq!(running.send(post).await.counts(), (1, 1, false));
        assert_eq!(running.state.bodies.used(), 0, "all room is given back");
    })
    .await;
}

#[tokio::test]
async fn an_unknown_or_broken_encoding_is_refused_with_its_own_code() {
    on_sqlite(&[], async |running| {
        let key = running.project("web").await;
        for name in ["compress", "snappy", "gzip;q=1", "gzip, gzip, gzip"] {
            let answer =
                running.send(Post::bare(&key, r#"{"message":"m"}"#).with("content-encoding", name)).await;
            assert_eq!(answer.refusal(), (415, "unsupported_encoding".to_owned()), "{name}");
        }
        for name in ["gzip", "deflate", "br", "zstd"] {
            let answer =
                running.send(Post::bare(&key, r#"{"message":"m"}"#).with("content-encoding", name)).await;
            assert_eq!(answer.refusal(), (400, "invalid_encoding".to_owned()), "{name}");
        }
        // Who is not known hears nothing about encodings.
        let mut unsigned = Post::bare(&key, "x").with("content-encoding", "snappy").without("x-signature");
        unsigned.body = b"y".to_vec();
        assert_eq!(running.send(unsigned).await.refusal(), (401, "unauthorized".to_owned()));
    })
    .await;
}

fn chunked(body: &[u8], chunk: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for part in body.chunks(chunk) {
        out.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

#[tokio::test]
async fn a_chunked_body_is_taken_up_to_the_cap_and_refused_beyond_it() {
    on_sqlite(&[("MAX_PAYLOAD_BYTES", "65536")], async |running| {
        let key = running.project("web").await;
        for (size, status) in [(100, "200"), (65_536, "200"), (65_537, "413"), (1 << 20, "413")] {
            let mut body = json!({ "message": format!("sized {size}") }).to_string();
            body.push_str(&" ".repeat(size - body.len()));
            let mut head = format!(
                "POST /log HTTP/1.1\r\nHost: test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nX-Project-Key: {}\r\n",
                key.text
            );
            let _ = write!(head, "X-Signature: {}\r\n\r\n", sign(&key.signing_secret, &[body.as_bytes()]));
            let answer = running.raw(&[head.as_bytes(), &chunked(body.as_bytes(), 7_000)].concat()).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{size}: {answer}");
            assert_eq!(status == "413", answer.contains("\"payload_too_large\""), "{answer}");
        }
        assert_eq!(running.logs("q=sized").await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_request_without_a_length_has_an_empty_body() {
    on_sqlite(&[], async |running| {
        let key = running.project("web").await;
        let head = "POST /log HTTP/1.1\r\nHost: test\r\nConnection: close\r\n";
        let unsigned = running.raw(format!("{head}\r\n").as_bytes()).await;
        assert!(unsigned.starts_with("HTTP/1.1 401"), "{unsigned}");
        let signature = sign(&key.signing_secret, &[]);
        let signed = format!("{head}X-Project-Key: {}\r\nX-Signature: {signature}\r\n\r\n", key.text);
        let answer = running.raw(signed.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("\"invalid_json\""), "{answer}");
        let both = format!("{head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
        let answer = running.raw(both.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        let broken_off = running.raw(format!("{head}Content-Length: x\r\n\r\n").as_bytes()).await;
        assert!(broken_off.starts_with("HTTP/1.1 400"), "{broken_off}");
    })
    .await;
}

#[tokio::test]
async fn other_methods_on_the_ingest_paths_say_what_is_allowed() {
    on_sqlite(&[], async |running| {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::PATCH] {
            let answer = running.request(method.clone(), "/log", &[], "").await;
            assert_eq!(answer.status, 405, "{method}");
            assert_eq!(answer.header("allow"), Some("POST, OPTIONS"), "{method}");
            assert!(answer.header("x-request-id").is_some());
            if method == Method::HEAD {
                assert_eq!(answer.body, "");
            } else {
                assert_eq!(answer.code(), "method_not_allowed");
            }
        }
        // The other path reads too, and reading asks for credentials.
        assert_eq!(running.request(Method::GET, "/api/log", &[], "").await.status, 401);
        assert_eq!(running.request(Method::HEAD, "/api/log", &[], "").await.status, 401);
        assert_eq!(running.admin(Method::HEAD, "/api/log", &Value::Null).await.status, 200);
        assert_eq!(running.admin(Method::PUT, "/api/log", &Value::Null).await.status, 405);
    })
    .await;
}

#[tokio::test]
async fn the_content_type_of_a_batch_means_nothing() {
    on_sqlite(&[], async |running| {
        let key = running.project("web").await;
        for name in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "",
            "\u{fc}/x",
            "application/json; charset=utf-16",
        ] {
            let body = json!({ "message": format!("typed {name}") }).to_string();
            let answer = running.send(Post::bare(&key, body).with("content-type", name)).await;
            assert_eq!(answer.counts(), (1, 1, false), "{name}");
        }
    })
    .await;
}
