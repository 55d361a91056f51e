//! Every statement of the store and every migration against the list in `docs/decisions/0007-portable-sql.md`.

use std::path::{Path, PathBuf};

/// What no statement may hold, each with a statement that would. A space stands for any white space.
const FORBIDDEN: &[(&str, &str)] = &[
    ("AUTO_INCREMENT", "CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY)"),
    ("LAST_INSERT_ID", "SELECT last_insert_id()"),
    ("FOREIGN KEY", "ALTER TABLE t ADD FOREIGN  KEY (a)"),
    ("REFERENCES", "a BIGINT REFERENCES b (id)"),
    ("GET_LOCK", "SELECT GET_LOCK('x', 1)"),
    ("RELEASE_LOCK", "SELECT RELEASE_LOCK('x')"),
    ("LOCK TABLES", "LOCK TABLES t WRITE"),
    ("FOR SHARE", "SELECT 1 FROM t FOR SHARE"),
    ("LOCK IN SHARE MODE", "SELECT 1 FROM t LOCK IN SHARE MODE"),
    ("SKIP LOCKED", "SELECT 1 FROM t FOR UPDATE SKIP LOCKED"),
    ("NOWAIT", "SELECT 1 FROM t FOR UPDATE NOWAIT"),
    ("||", "SELECT a || b FROM t"),
    ("AS NEW", "INSERT INTO t VALUES (1) AS new ON DUPLICATE KEY UPDATE a = new.a"),
    ("RETURNING", "DELETE FROM t RETURNING a"),
    ("REPLACE INTO", "REPLACE INTO t VALUES (1)"),
    ("FULLTEXT", "CREATE FULLTEXT INDEX i ON t (a)"),
    ("MATCH (", "SELECT 1 FROM t WHERE MATCH (a) AGAINST ('x')"),
    ("SPATIAL", "CREATE SPATIAL INDEX i ON t (a)"),
    ("UTF8MB4_0900_AI_CI", "a TEXT COLLATE utf8mb4_0900_ai_ci"),
    ("UTF8MB4_0900_BIN", "a TEXT COLLATE utf8mb4_0900_bin"),
    ("PARTITION BY", "CREATE TABLE t (a INT) PARTITION BY HASH (a)"),
    ("DROP PARTITION", "ALTER TABLE t DROP PARTITION p"),
    ("CREATE EVENT", "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t"),
    ("CREATE TRIGGER", "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET @a = 1"),
    ("CREATE PROCEDURE", "CREATE PROCEDURE p() SELECT 1"),
    ("CREATE FUNCTION", "CREATE FUNCTION f() RETURNS INT RETURN 1"),
    ("CREATE TEMPORARY TABLE", "CREATE TEMPORARY TABLE t (a INT)"),
    ("LOAD DATA", "LOAD DATA INFILE 'x' INTO TABLE t"),
    ("XA START", "XA START 'x'"),
    ("SAVEPOINT", "SAVEPOINT a"),
    ("SET GLOBAL", "SET GLOBAL a = 1"),
    ("ENGINE =", "CREATE TABLE t (a INT) ENGINE = InnoDB"),
    ("ENGINE=", "CREATE TABLE t (a INT) ENGINE=InnoDB"),
];

/// Left out where a server can't have it.
const EXCEPTED: &str = "src/store/view.rs";

/// Words in capitals, one space between them, signs as words of their own.
fn normal(sql: &str) -> String {
    let spaced: String = sql
        .chars()
        .flat_map(|c| if c == '(' { vec![' ', '('] } else { vec![c.to_ascii_uppercase()] })
        .collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// The forbidden things in a statement, as whole words.
fn found_in(sql: &str) -> Vec<&'static str> {
    let sql = normal(sql);
    let is_whole = |at: usize, what: &str| {
        let starts_word = is_word(what.chars().next()) && is_word(sql[..at].chars().next_back());
        let ends_word = is_word(what.chars().next_back()) && is_word(sql[at + what.len()..].chars().next());
        !starts_word && !ends_word
    };
    let holds = |what: &&str| sql.match_indices(*what).any(|(at, _)| is_whole(at, what));
    let mut found: Vec<&str> = FORBIDDEN.iter().map(|(what, _)| *what).filter(holds).collect();
    // One that can't find a row only asks whether writing is allowed.
    if sql.starts_with("INSERT") && sql.contains(" SELECT ") && !sql.ends_with("WHERE 1 = 0") {
        found.push("INSERT … SELECT");
    }
    if sql.starts_with("CREATE TABLE") && !sql.contains("PRIMARY KEY") {
        found.push("no primary key");
    }
    found
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(root.join(folder)).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// The string literals of a Rust file up to its tests, joined where a line ends in a backslash.
fn literals(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or("");
    let mut literals = Vec::new();
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => while chars.next().is_some_and(|c| c != '\n') {},
            '\'' if chars.peek() == Some(&'"') => drop(chars.next()),
            '"' => {
                let mut literal = String::new();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    match c {
                        '\\' => match chars.next() {
                            Some('\n') => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                            Some(escaped) => literal.push(escaped),
                            None => {}
                        },
                        c => literal.push(c),
                    }
                }
                literals.push(literal);
            }
            _ => {}
        }
    }
    literals
}

#[test]
fn no_statement_needs_what_a_kin_of_mysql_lacks() {
    let mut statements = 0;
    for path in files("src/store", "rs") {
        if path.ends_with(EXCEPTED) {
            continue;
        }
        for literal in literals(&std::fs::read_to_string(&path).expect("it can be read")) {
            assert_eq!(found_in(&literal), Vec::<&str>::new(), "{}: {literal}", path.display());
            let verb = literal.split(' ').next().unwrap_or("");
            statements += usize::from(["SELECT", "INSERT", "UPDATE", "DELETE"].contains(&verb));
        }
    }
    assert!(statements > 40, "only {statements} statements were found: are they written in another way?");
}

#[test]
fn no_migration_needs_what_a_kin_of_mysql_lacks_and_every_table_says_its_collation() {
    let migrations = files("migrations/mysql", "sql");
    assert!(migrations.len() > 8);
    for path in migrations {
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        let sql = code.join("\n");
        assert_eq!(found_in(&sql), Vec::<&str>::new(), "{}", path.display());
        if normal(&sql).starts_with("CREATE TABLE") {
            assert!(sql.contains("CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"), "{}", path.display());
        }
    }
}

#[test]
fn each_rule_fires_on_what_it_forbids_and_on_nothing_like_it() {
    for (what, example) in FORBIDDEN {
        assert!(found_in(example).contains(what), "{what}");
    }
    assert_eq!(found_in("INSERT INTO t (a) SELECT a FROM u"), ["INSERT … SELECT"]);
    assert_eq!(found_in("create table t (a int)"), ["no primary key"]);
    for fine in ["SELECT renewed FROM t", "SELECT a AS newer FROM t", "UPDATE t SET preferences_x = 1"] {
        assert_eq!(found_in(fine), Vec::<&str>::new(), "{fine}");
    }
    assert_eq!(
        literals("let a = \"x \\\n   y\"; // \"no\"\nlet b = '\"'; let c = \"z\\\"\";"),
        ["x y", "z\""]
    );
}

#[test]
fn the_decision_lists_what_is_checked() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/decisions/0007-portable-sql.md");
    let text = std::fs::read_to_string(path).expect("the decision is there").to_uppercase();
    for word in
        ["AUTO_INCREMENT", "GET_LOCK", "FOREIGN KEY", "SKIP LOCKED", "FULLTEXT", "PARTITION BY", "SAVEPOINT"]
    {
        assert!(text.contains(word), "{word}");
    }
}
