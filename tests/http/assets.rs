//! The page and its files over HTTP: what a browser may keep, and for how long, encoded as it asks and without a body for HEAD.

use reqwest::Method;

use crate::running::{Answer, on_sqlite};

/// What must be the same for GET and HEAD.
fn described(answer: &Answer) -> Vec<Option<&str>> {
    let names = ["content-length", "content-encoding", "content-type", "etag", "cache-control", "vary"];
    names.into_iter().map(|name| answer.header(name)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_page_is_kept_for_ever_encoded_as_asked_and_the_page_itself_is_not_stored() {
    on_sqlite(&[], async |running| {
        let page = running.request(Method::GET, "/ui", &[], "").await;
        assert_eq!(
            (page.status, page.header("cache-control"), page.header("etag")),
            (200, Some("no-store"), None)
        );
        let path =
            format!("/assets/{}", page.body.split("/assets/").nth(1).unwrap().split('"').next().unwrap());
        let mut tags = Vec::new();
        let mut lengths = Vec::new();
        for (accepted, encoding) in [("identity", None), ("gzip", Some("gzip")), ("br, gzip", Some("br"))] {
            let head = running.request(Method::HEAD, &path, &[("accept-encoding", accepted)], "").await;
            assert_eq!((head.status, head.body.as_str()), (200, ""), "{accepted}");
            assert_eq!(head.header("content-encoding"), encoding, "{accepted}");
            assert_eq!(head.header("cache-control"), Some("public, max-age=31536000, immutable"));
            assert_eq!(head.header("vary"), Some("Accept-Encoding"));
            let tag = head.header("etag").unwrap().to_owned();
            assert!(
                tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'),
                "{tag} is strong and quoted"
            );
            lengths.push(head.header("content-length").unwrap().parse::<usize>().unwrap());
            let known = [("accept-encoding", accepted), ("if-none-match", tag.as_str())];
            let same = running.request(Method::GET, &path, &known, "").await;
            assert_eq!((same.status, same.header("etag")), (304, Some(tag.as_str())), "{accepted}");
            tags.push(tag);
        }
        assert!(lengths.windows(2).all(|pair| pair[0] > pair[1]), "each encoding is smaller: {lengths:?}");
        assert!(
            tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2],
            "each has a tag of its own: {tags:?}"
        );
        let plain = [("accept-encoding", "identity")];
        let whole = running.request(Method::GET, &path, &plain, "").await;
        assert_eq!((whole.status, whole.body.len()), (200, lengths[0]));
        let head = running.request(Method::HEAD, &path, &plain, "").await;
        assert_eq!(described(&head), described(&whole));
    })
    .await;
}
