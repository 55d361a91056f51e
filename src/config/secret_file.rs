//! `DATA_DIR/secrets`: the two secrets of the embedded default, made once and read again at every start.
//!
//! The file is written whole or not at all, and two first starts at once agree on one. A file that is not
//! exactly what was written is a problem, never made anew: other secrets would orphan every project key.
//! Only the owner may read it; wider permissions are tightened and mentioned.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use data_encoding::HEXLOWER;

use super::problem::Problem;
use super::secret::{Secret, SecretOrigin};
use super::setting::DATA_DIR;

/// Name of the file in `DATA_DIR`.
pub const FILE_NAME: &str = "secrets";

/// Held while the file is made, and empty; it stays, as removing it would let two makers hold two locks.
const LOCK_NAME: &str = "secrets.lock";

/// Written first, then renamed.
const NEW_NAME: &str = "secrets.new";

/// Random bytes in each secret.
const SECRET_BYTES: usize = 32;

/// Most that is read of the file, in bytes; what we write has about 350.
const MAX_FILE_BYTES: u64 = 4096;

const HEADER: &str = "# Made at the first start. Keep this file with the database: project keys made so far are\n\
                      # worthless without this HMAC_SECRET, and ADMIN_TOKEN opens the pages.\n";

/// What the file holds.
#[derive(Clone, Debug)]
pub struct KeptSecrets {
    /// `HMAC_SECRET`.
    pub hmac_secret: Secret,
    /// `ADMIN_TOKEN`.
    pub admin_token: Secret,
    /// Whether they are really in the file.
    pub origin: SecretOrigin,
    /// What the operator should know, one sentence each.
    pub notes: Vec<String>,
}

impl KeptSecrets {
    /// Empty ones, for where a problem keeps them from being used.
    pub(super) fn none() -> Self {
        let empty = || Secret::new("");
        Self {
            hmac_secret: empty(),
            admin_token: empty(),
            origin: SecretOrigin::NotYetMade,
            notes: Vec::new(),
        }
    }

    /// Two fresh random secrets, kept nowhere yet.
    fn random() -> Self {
        Self { hmac_secret: random_secret(), admin_token: random_secret(), ..Self::none() }
    }
}

/// Reads the file, or makes it (and the directory) when there is none.
///
/// # Errors
/// A problem of `DATA_DIR` when the file is damaged, or can't be read or made.
pub fn read_or_make(data_dir: &Path) -> Result<KeptSecrets, Problem> {
    if let Some(kept) = read(data_dir)? {
        return Ok(tightened(data_dir, kept));
    }
    make(data_dir).map_err(|error| io_problem(data_dir, "can't be written", &error))?;
    // Read back, so that this start and one that lost the race hold the same.
    read(data_dir)?.ok_or_else(|| damaged(data_dir, "vanished as soon as it was written"))
}

/// Reads the file without touching anything; secrets that would be made are random and kept nowhere.
///
/// # Errors
/// A problem of `DATA_DIR` when the file is damaged or can't be read.
pub fn peek(data_dir: &Path) -> Result<KeptSecrets, Problem> {
    Ok(read(data_dir)?.unwrap_or_else(KeptSecrets::random))
}

fn read(data_dir: &Path) -> Result<Option<KeptSecrets>, Problem> {
    let mut text = String::new();
    let result = File::open(data_dir.join(FILE_NAME))
        .and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text));
    match result {
        Ok(_) => parse(&text).map(Some).map_err(|shape| damaged(data_dir, shape)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(damaged(data_dir, "is not text")),
        Err(error) => Err(io_problem(data_dir, "can't be read", &error)),
    }
}

/// Accepts exactly what [`make`] writes: comments, each name once, its full length, a newline at the end.
fn parse(text: &str) -> Result<KeptSecrets, &'static str> {
    if text.is_empty() {
        return Err("is empty");
    }
    if !text.ends_with('\n') {
        return Err("ends in the middle of a line");
    }
    let (mut hmac_secret, mut admin_token) = (None, None);
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, value) = line.split_once('=').ok_or("has a line without =")?;
        let place = match name {
            "HMAC_SECRET" => &mut hmac_secret,
            "ADMIN_TOKEN" => &mut admin_token,
            _ => return Err("has a line with another name than HMAC_SECRET or ADMIN_TOKEN"),
        };
        let whole = HEXLOWER.decode(value.as_bytes()).is_ok_and(|bytes| bytes.len() == SECRET_BYTES);
        if !whole || place.replace(Secret::new(value)).is_some() {
            return Err("has a secret that is cut, changed or there twice");
        }
    }
    Ok(KeptSecrets {
        hmac_secret: hmac_secret.ok_or("has no HMAC_SECRET")?,
        admin_token: admin_token.ok_or("has no ADMIN_TOKEN")?,
        origin: SecretOrigin::DataDir,
        notes: Vec::new(),
    })
}

/// Writes the file unless another start has done so by the time the lock is ours. The lock is held for one small
/// write and freed by the system when its holder dies.
fn make(data_dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
    let lock = owner_only().create(true).truncate(false).open(data_dir.join(LOCK_NAME))?;
    lock.lock()?;
    let path = data_dir.join(FILE_NAME);
    if path.try_exists()? {
        return Ok(());
    }
    let fresh = KeptSecrets::random();
    let text = format!(
        "{HEADER}HMAC_SECRET={}\nADMIN_TOKEN={}\n",
        fresh.hmac_secret.expose(),
        fresh.admin_token.expose()
    );
    let new_path = data_dir.join(NEW_NAME);
    // A start that was killed may have left one; only the holder of the lock writes it.
    match fs::remove_file(&new_path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = owner_only().create_new(true).open(&new_path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new_path, &path)?;
    File::open(data_dir)?.sync_all()
}

fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

fn random_secret() -> Secret {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    Secret::new(HEXLOWER.encode(&bytes))
}

/// Takes the file away from group and others; what was done, or could not be done, becomes a note.
fn tightened(data_dir: &Path, mut kept: KeptSecrets) -> KeptSecrets {
    let path = data_dir.join(FILE_NAME);
    let mode = fs::metadata(&path).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    if mode & 0o077 != 0 {
        kept.notes.push(match fs::set_permissions(&path, fs::Permissions::from_mode(0o600)) {
            Ok(()) => format!("{} was open to others (mode {mode:03o}); now 600", path.display()),
            Err(error) => {
                format!("{} is open to others (mode {mode:03o}) and stays so: {error}", path.display())
            }
        });
    }
    kept
}

fn damaged(data_dir: &Path, shape: &str) -> Problem {
    Problem {
        variable: DATA_DIR.name,
        shape: format!("holds {}, which {shape}", data_dir.join(FILE_NAME).display()),
        remedy: "restore that file from a copy, or set HMAC_SECRET and ADMIN_TOKEN; removing it makes new ones, and \
                 then no project key made so far works"
            .to_owned(),
    }
}

fn io_problem(data_dir: &Path, what: &str, error: &io::Error) -> Problem {
    Problem {
        variable: DATA_DIR.name,
        shape: format!("is {}, where {FILE_NAME} {what}: {error}", data_dir.display()),
        remedy: "set it to a directory this process may write, or set HMAC_SECRET and ADMIN_TOKEN".to_owned(),
    }
}
