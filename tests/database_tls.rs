//! How the connection to a database is protected: `DATABASE_TLS`, `DATABASE_TLS_CA` and `caching_sha2_password`.

#![allow(clippy::unwrap_used, reason = "a test stops at what fails")]

#[path = "support/private_server.rs"]
mod private_server;
#[path = "support/skip.rs"]
mod skip;
mod support;

use std::path::Path;
use std::process::Command;

use private_server::{PrivateServer, give_to_server, program};
use support::TestDatabase;
use tekno_logger::store::{DatabaseStatus, STATEMENT_TIMEOUT, Store, StoreError};

/// The cipher of a migrated store's connections; empty without TLS.
async fn cipher(store: &Store) -> Result<String, StoreError> {
    store.migrate().await?;
    store.set_status(DatabaseStatus::Connected);
    let mut session = store.read().await?;
    let rows = session.select("SHOW SESSION STATUS LIKE 'Ssl_cipher'".to_owned(), STATEMENT_TIMEOUT).await?;
    rows[0].text(1)
}

fn store(database: &TestDatabase, changes: &[(&str, &str)]) -> Store {
    Store::new(&database.config(changes)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_takes_a_password_with_and_without_tls_and_its_own_certificate_only_unchecked() {
    let Some(database) = TestDatabase::on_server("mysql", "TEST_MYSQL_URL").await else { return };
    let url = database.variables(&[])["DATABASE_URL"].clone();
    let schema = url.rsplit('/').next().unwrap().to_owned();
    let address = url.rsplit('@').next().unwrap().to_owned();
    for tls in ["disabled", "encrypt", "verify"] {
        // A user the server has not seen yet, so that the whole exchange takes place and no cache answers.
        let user = format!("{}{}", &tls[..1], &schema[schema.len() - 12..]);
        let create =
            format!("CREATE USER '{user}'@'%' IDENTIFIED WITH caching_sha2_password BY 'pw/of {user}'");
        database.run_sql(&create).await;
        database.run_sql(&format!("GRANT ALL ON {schema}.* TO '{user}'@'%'")).await;
        let own_url = format!("mysql://{user}:pw%2Fof%20{user}@{address}");
        let changes = [("DATABASE_URL", &*own_url), ("DATABASE_TLS", tls)];
        let found = cipher(&store(&database, &changes)).await;
        match (tls, found) {
            ("disabled", Ok(cipher)) => assert_eq!(cipher, ""),
            ("encrypt", Ok(cipher)) => assert!(cipher.starts_with("TLS_"), "{cipher}"),
            ("verify", Err(error)) => assert!(error.to_string().contains("certificate"), "{error}"),
            (_, other) => panic!("{tls}: {other:?}"),
        }
        let wrong = format!("mysql://{user}:wrong@{address}");
        let refused =
            cipher(&store(&database, &[("DATABASE_URL", &wrong), ("DATABASE_TLS", "encrypt")])).await;
        assert!(refused.unwrap_err().to_string().contains("1045"), "{tls}: a wrong password");
        database.run_sql(&format!("DROP USER '{user}'@'%'")).await;
    }
    database.remove().await;
}

fn openssl(directory: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.current_dir(directory).args(arguments.split_whitespace());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, and a certificate it gave the server for `localhost`, in PEM files.
fn certificates(directory: &Path) {
    let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).unwrap();
    write("ca.cnf", "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n");
    write("server.cnf", "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n");
    for name in ["ca", "server"] {
        openssl(
            directory,
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out NAME.key"
                .replace("NAME", name)
                .as_str(),
        );
        openssl(
            directory,
            "req -new -key NAME.key -subj /CN=NAME -out NAME.csr".replace("NAME", name).as_str(),
        );
    }
    openssl(directory, "x509 -req -in ca.csr -signkey ca.key -days 3650 -extfile ca.cnf -out ca.pem");
    let signed = "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile server.cnf -out server.pem";
    openssl(directory, signed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_taken_from_the_named_authority_for_its_own_name_only() {
    if program("openssl").is_none() {
        return skip::skip("certificates of a database", "openssl is not installed");
    }
    let Some(mut server) = PrivateServer::prepare() else { return };
    let files = tempfile::tempdir().unwrap();
    certificates(files.path());
    give_to_server(files.path());
    let option = |name: &str, file: &str| format!("--ssl-{name}={}", files.path().join(file).display());
    server.launch(&[option("ca", "ca.pem"), option("cert", "server.pem"), option("key", "server.key")]);
    server.wait_for("SELECT 'up'", "up").await;
    server
        .run_sql("CREATE DATABASE tls; CREATE USER tls@'%' IDENTIFIED BY 'x'; GRANT ALL ON tls.* TO tls@'%'")
        .await;
    let database = TestDatabase::sqlite();
    let url = |host: &str| format!("mysql://tls:x@{host}:{}/tls", server.port);
    let ca = files.path().join("ca.pem").display().to_string();
    for (host, tls, ca, works) in [
        ("localhost", "verify", Some(ca.as_str()), true),
        ("localhost", "verify", None, false),
        ("127.0.0.1", "verify", Some(ca.as_str()), false),
        ("127.0.0.1", "encrypt", None, true),
    ] {
        let url = url(host);
        let mut changes = vec![("DATABASE_URL", url.as_str()), ("DATABASE_TLS", tls)];
        changes.extend(ca.map(|ca| ("DATABASE_TLS_CA", ca)));
        match cipher(&store(&database, &changes)).await {
            Ok(cipher) => assert!(works && cipher.starts_with("TLS_"), "{changes:?}: {cipher}"),
            Err(error) => {
                assert!(!works && error.to_string().contains("certificate"), "{changes:?}: {error}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_not_spoken_to_in_the_clear_when_tls_was_asked_for() {
    let Some(mut server) = PrivateServer::prepare() else { return };
    server.launch(&[]);
    server.wait_for("SELECT 'up'", "up").await;
    server.run_sql("CREATE DATABASE tls").await;
    let database = TestDatabase::sqlite();
    let url = format!("mysql://root@127.0.0.1:{}/tls", server.port);
    for tls in ["verify", "encrypt"] {
        let refused = cipher(&store(&database, &[("DATABASE_URL", &url), ("DATABASE_TLS", tls)])).await;
        assert!(refused.unwrap_err().to_string().contains("TLS"), "{tls}");
    }
    let clear = cipher(&store(&database, &[("DATABASE_URL", &url), ("DATABASE_TLS", "disabled")])).await;
    assert_eq!(clear.unwrap(), "");
}

#[test]
fn another_machine_is_never_spoken_to_in_the_clear_by_default() {
    use tekno_logger::config::{DatabaseConfig, DatabaseTls};
    let database = TestDatabase::sqlite();
    for (host, expected) in [
        ("db.example.org", DatabaseTls::Verify),
        ("10.0.0.7", DatabaseTls::Verify),
        ("127.0.0.1", DatabaseTls::Disabled),
    ] {
        let url = format!("mysql://app:x@{host}/logs");
        let DatabaseConfig::Server { tls, .. } = database.config(&[("DATABASE_URL", &url)]).database else {
            panic!("a server was named")
        };
        assert_eq!(tls, expected, "{host}");
    }
}
