//! Reading the command line, and what is printed.

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::output::{NewKey, project_with_key, projects};
use super::*;
use crate::config::Problem;
use crate::key::{KeyKind, KeyRecord};
use crate::project::{Project, ScrubSettings};
use crate::timestamp::Timestamp;

fn command(arguments: &str) -> Result<Command, clap::Error> {
    let arguments = std::iter::once("tekno-logger").chain(arguments.split_whitespace());
    Cli::try_parse_from(arguments).map(Cli::into_command)
}

fn slug(text: &str) -> ProjectSlug {
    ProjectSlug::parse(text).unwrap()
}

fn project() -> Project {
    Project {
        id: 7,
        slug: slug("web-shop"),
        name: "Web shop".to_owned(),
        retention_days: 3,
        minute_cap: None,
        scrub: ScrubSettings::default(),
        created_at: Timestamp::from_millis(0),
    }
}

#[test]
fn the_definitions_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn without_a_command_it_serves() {
    assert_eq!(command("").unwrap(), Command::Serve);
    assert_eq!(command("serve").unwrap(), Command::Serve);
    assert_eq!(command("migrate").unwrap(), Command::Migrate);
    assert_eq!(command("check-config").unwrap(), Command::CheckConfig);
}

#[test]
fn the_version_is_printed() {
    let error = command("--version").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DisplayVersion);
    assert_eq!(error.to_string(), format!("tekno-logger {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_project_is_named_by_id_or_slug() {
    assert_eq!(command("send-test 7").unwrap(), Command::SendTest { project: ProjectRef::Id(7) });
    let rotate = ProjectCommand::RotateKey { project: ProjectRef::Slug(slug("web-shop")), json: true };
    assert_eq!(command("project rotate-key web-shop --json").unwrap(), Command::Project(rotate));
    for bad in ["send-test", "send-test 0", "send-test Web_Shop", "project rotate-key 007"] {
        assert!(command(bad).is_err(), "{bad}");
    }
}

#[test]
fn create_takes_every_field_within_its_bounds() {
    let create =
        command("project create --name Shop --slug shop --retention-days 90 --minute-cap 1").unwrap();
    let project = NewProject {
        name: Some("Shop".to_owned()),
        slug: Some(slug("shop")),
        retention_days: Some(90),
        minute_cap: Some(1),
    };
    assert_eq!(create, Command::Project(ProjectCommand::Create { project, json: false }));
    for bad in [
        "project create",
        "project create --slug 12",
        "project create --slug Shop",
        "project create --slug shop --retention-days 0",
        "project create --slug shop --retention-days 91",
        "project create --slug shop --minute-cap 0",
        "project create --slug shop --minute-cap lots",
    ] {
        assert!(command(bad).is_err(), "{bad}");
    }
}

#[test]
fn name_and_slug_are_made_from_each_other() {
    let named = |name: Option<&str>, slug: Option<ProjectSlug>| {
        let name = name.map(str::to_owned);
        NewProject { name, slug, retention_days: None, minute_cap: None }.name_and_slug()
    };
    assert_eq!(named(None, Some(slug("shop"))), Ok(("shop".to_owned(), slug("shop"))));
    assert_eq!(named(Some("Web Shop (EU)"), None), Ok(("Web Shop (EU)".to_owned(), slug("web-shop-eu"))));
    assert_eq!(named(Some("A"), Some(slug("b"))), Ok(("A".to_owned(), slug("b"))));
    let long = "word ".repeat(20);
    assert_eq!(named(Some(&long), None).unwrap().1.as_str().len(), 64);
    for bad in ["2024", "日本", "--"] {
        assert!(named(Some(bad), None).unwrap_err().contains("--slug"), "{bad}");
    }
}

#[test]
fn check_config_exits_78_with_all_problems_and_0_with_the_settings() {
    let problem = |variable| Problem { variable, shape: "is wrong".into(), remedy: "mend it".into() };
    let error = ConfigError { problems: vec![problem("PORT"), problem("ADMIN_TOKEN")] };
    let (text, code) = check_config(&Err(error));
    assert_eq!(code, 78);
    assert_eq!(
        text,
        "The settings have 2 problems:\n  PORT is wrong\n    mend it\n  ADMIN_TOKEN is wrong\n    mend it\n"
    );

    let nowhere = tempfile::tempdir().unwrap().path().join("data").display().to_string();
    let variables = [("APP_ENV", "production"), ("DATA_DIR", &nowhere)];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let (text, code) = check_config(&Config::parse(&variables, &crate::config::peek));
    assert_eq!(code, 0);
    assert!(text.contains("\nPORT=3000\n"), "{text}");
    assert!(text.contains("ADMIN_TOKEN=(made at the first start, in DATA_DIR/secrets)\n"), "{text}");
    assert!(text.contains("\nwarning: PUBLIC_URL is not set"), "{text}");
}

#[test]
fn a_new_key_is_printed_for_people_and_for_machines() {
    let record = KeyRecord {
        id: 3,
        project_id: 7,
        number: 3,
        kind: KeyKind::Server,
        sha256: [0; 32],
        note: String::new(),
        hint: "tkl_abc".to_owned(),
        created_at: Timestamp::from_millis(0),
        revoked_at: None,
    };
    let key = NewKey { record: &record, api_key: "tkl_abc", signing_secret: "def" };
    let text = project_with_key(&project(), key, false);
    assert!(text.contains("tkl_abc") && text.contains("def") && text.contains("shown this once"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&project_with_key(&project(), key, true)).unwrap();
    assert_eq!(json["key"]["api_key"], "tkl_abc");
    assert_eq!(json["key"]["signing_secret"], "def");
    assert_eq!((&json["key"]["id"], &json["key"]["kind"]), (&3.into(), &"server".into()), "to revoke it by");
    assert_eq!(json["project"]["id"], 7);
    assert_eq!(json["project"]["created_at"], "1970-01-01T00:00:00.000Z");
}

#[test]
fn projects_are_listed_for_people_and_for_machines() {
    assert!(projects(&[], false).contains("project create"));
    let text = projects(&[project()], false);
    assert_eq!(text.lines().nth(1), Some("7\tweb-shop\tWeb shop\t3\tdefault\t1970-01-01T00:00:00.000Z"));
    let json: serde_json::Value = serde_json::from_str(&projects(&[project()], true)).unwrap();
    assert_eq!(json["projects"][0]["slug"], "web-shop");
    assert_eq!(json["projects"][0]["minute_cap"], serde_json::Value::Null);
}
