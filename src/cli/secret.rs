//! `homelab secret`: age-encrypted values and files.

use super::{Exit, Printer};
use crate::lang::secret;
use crate::lang::{Diagnostic, Diagnostics, Kind};
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

/// Arguments of `secret`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done with secrets.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Encrypt a text from standard input, or a file in place. Prints the value to paste into YAML.
    Encrypt(Encrypt),
    /// Decrypt a text from standard input, or a file, to standard output.
    Decrypt(Decrypt),
    /// Edit an encrypted file in $EDITOR; the clear text is never on a disk that lasts where /dev/shm exists.
    Edit(Edit),
    /// Make an identity, if there is none yet, and print its recipient.
    Keygen(Keygen),
}

/// Arguments of `secret encrypt`.
#[derive(Debug, clap::Args)]
pub struct Encrypt {
    /// The file; standard input without it.
    pub file: Option<PathBuf>,
    /// For whom (`age1…`); else for the identity's owner.
    #[arg(short, long, value_name = "RECIPIENT")]
    pub recipient: Vec<String>,
    /// The identity whose recipient is meant.
    #[arg(short, long, env = "HOMELAB_IDENTITY", value_name = "FILE")]
    pub identity: Option<PathBuf>,
}

/// Arguments of `secret decrypt`.
#[derive(Debug, clap::Args)]
pub struct Decrypt {
    /// The file; standard input without it.
    pub file: Option<PathBuf>,
    /// The identity.
    #[arg(short, long, env = "HOMELAB_IDENTITY", value_name = "FILE")]
    pub identity: Option<PathBuf>,
}

/// Arguments of `secret edit`.
#[derive(Debug, clap::Args)]
pub struct Edit {
    /// The file; made if it is not there.
    pub file: PathBuf,
    /// The identity.
    #[arg(short, long, env = "HOMELAB_IDENTITY", value_name = "FILE")]
    pub identity: Option<PathBuf>,
}

/// Arguments of `secret keygen`.
#[derive(Debug, clap::Args)]
pub struct Keygen {
    /// Where the identity is, or is to be.
    #[arg(short, long, env = "HOMELAB_IDENTITY", value_name = "FILE")]
    pub identity: Option<PathBuf>,
}

/// Does it.
pub fn run(args: &Args, printer: &Printer) -> Exit {
    let result = match &args.command {
        Command::Encrypt(args) => encrypt(args, printer),
        Command::Decrypt(args) => decrypt(args, printer),
        Command::Edit(args) => edit(args),
        Command::Keygen(args) => keygen(args, printer),
    };
    match result {
        Ok(()) => Exit::Ok,
        Err(problems) => {
            printer.problems(&problems);
            Exit::of(&problems)
        }
    }
}

/// Where the identity is when nobody says: `homelab/identity.txt` in the configuration directory.
pub fn default_identity() -> Option<PathBuf> {
    let dir = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    dir("XDG_CONFIG_HOME").or_else(|| dir("HOME").map(|home| home.join(".config"))).map(|base| base.join("homelab/identity.txt"))
}

fn identity_path(given: &Option<PathBuf>) -> Result<PathBuf, Diagnostics> {
    given.clone().or_else(default_identity).ok_or_else(|| {
        Diagnostic::new(Kind::Usage, "there is no place to look for an identity").hint("name it: `--identity FILE`").into()
    })
}

/// The identity file's text and name.
fn identity(given: &Option<PathBuf>) -> Result<(String, String), Diagnostics> {
    let path = identity_path(given)?;
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Diagnostics::from(
            Diagnostic::config(format!("cannot read the identity {}: {error}", path.display()))
                .hint("`homelab secret keygen` makes one; `--identity FILE` names another"),
        )
    })?;
    Ok((text, path.display().to_string()))
}

fn identities(given: &Option<PathBuf>) -> Result<secret::Identities, Diagnostics> {
    let (text, name) = identity(given)?;
    Ok(secret::Identities::parse(&text, &name)?)
}

/// Those that are named, or else the identity's own.
fn recipients(named: &[String], given: &Option<PathBuf>) -> Result<secret::Recipients, Diagnostics> {
    let own: Vec<String> = match named {
        [] => {
            let (text, name) = identity(given)?;
            secret::Identities::recipients_of(&text, &name)?
        }
        named => named.to_vec(),
    };
    secret::Recipients::parse(own.iter().map(String::as_str))
}

/// An encryption failure, said to the user.
fn broken(error: &secret::SecretError) -> Diagnostics {
    Diagnostic::config(error.to_string()).hint(error.hint()).into()
}

fn input(file: &Option<PathBuf>) -> Result<String, Diagnostics> {
    match file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Diagnostic::config(format!("cannot read {}: {error}", path.display())).hint("is the name right?").into()),
        None => {
            let mut text = String::new();
            let read = if std::io::stdin().is_terminal() {
                rpassword::prompt_password("Secret: ").map(|typed| text = typed)
            } else {
                std::io::stdin().lock().read_to_string(&mut text).map(|_| {
                    // `echo secret | homelab secret encrypt` means the secret, not the line.
                    if text.ends_with('\n') && text.matches('\n').count() == 1 {
                        text.pop();
                    }
                })
            };
            read.map_err(|error| Diagnostics::from(Diagnostic::config(format!("cannot read standard input: {error}")).hint("give a UTF-8 text")))?;
            Ok(text)
        }
    }
}

fn encrypt(args: &Encrypt, printer: &Printer) -> Result<(), Diagnostics> {
    let recipients = recipients(&args.recipient, &args.identity)?;
    let clear = input(&args.file)?;
    if secret::is_encrypted(&clear) {
        return Err(Diagnostic::config("this is encrypted already").hint("`homelab secret decrypt` shows what is in it").into());
    }
    let sealed = secret::encrypt(&clear, &recipients).map_err(|e| broken(&e))?;
    match &args.file {
        Some(path) => replace(path, &sealed),
        None => {
            printer.out("|\n");
            for line in sealed.lines() {
                printer.out(&format!("  {line}\n"));
            }
            Ok(())
        }
    }
}

fn decrypt(args: &Decrypt, printer: &Printer) -> Result<(), Diagnostics> {
    let sealed: String = input(&args.file)?.lines().map(|line| format!("{}\n", line.trim())).filter(|line| line != "|\n").collect();
    let clear = secret::decrypt(&sealed, &identities(&args.identity)?).map_err(|e| broken(&e))?;
    // The one place where a secret is shown: it was asked for by name.
    printer.out(&clear);
    if std::io::stdout().is_terminal() && !clear.ends_with('\n') {
        printer.out("\n");
    }
    Ok(())
}

fn edit(args: &Edit) -> Result<(), Diagnostics> {
    let ids = identities(&args.identity)?;
    let before = match std::fs::read_to_string(&args.file) {
        Ok(text) if secret::is_encrypted(&text) => secret::decrypt(&text, &ids).map_err(|e| broken(&e))?.to_string(),
        Ok(_) => {
            return Err(Diagnostic::config(format!("{} is not encrypted", args.file.display())).hint("`homelab secret encrypt FILE` encrypts it in place").into());
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Diagnostic::config(format!("cannot read {}: {error}", args.file.display())).hint("is the name right?").into()),
    };
    let trouble = |what: &str, error: std::io::Error| Diagnostics::from(Diagnostic::config(format!("{what}: {error}")).hint("nothing was changed"));
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.map_err(|e| trouble("cannot make a private directory", e))?;
    let name = args.file.file_name().map_or_else(|| "secret".into(), |name| name.to_string_lossy().into_owned());
    let scratch = dir.path().join(name);
    private(&scratch, &before).map_err(|e| trouble("cannot write a private file", e))?;
    let editor = std::env::var("VISUAL").or_else(|_| std::env::var("EDITOR")).unwrap_or_else(|_| "vi".into());
    let status = std::process::Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(&scratch).status();
    match status {
        Ok(status) if status.success() => {}
        Ok(_) => return Err(Diagnostic::config(format!("the editor `{editor}` did not end well")).hint("nothing was changed").into()),
        Err(error) => return Err(trouble(&format!("cannot start the editor `{editor}`"), error)),
    }
    let after = std::fs::read_to_string(&scratch).map_err(|e| trouble("cannot read what was edited", e))?;
    if after == before {
        return Ok(());
    }
    replace(&args.file, &secret::encrypt(&after, &recipients(&[], &args.identity)?).map_err(|e| broken(&e))?)
}

fn keygen(args: &Keygen, printer: &Printer) -> Result<(), Diagnostics> {
    let path = identity_path(&args.identity)?;
    if path.exists() {
        let (text, name) = identity(&Some(path.clone()))?;
        for recipient in secret::Identities::recipients_of(&text, &name)? {
            printer.out(&format!("{recipient}\n"));
        }
        return Ok(());
    }
    let (text, recipient) = secret::Identities::generate();
    let write = || -> std::io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        if let Some(dir) = path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        }
        private(&path, &text)
    };
    write().map_err(|error| {
        Diagnostics::from(Diagnostic::config(format!("cannot write {}: {error}", path.display())).hint("`--identity FILE` names another place"))
    })?;
    printer.note(&format!("wrote {}; keep a copy where you keep such things", path.display()));
    printer.out(&format!("{recipient}\n"));
    Ok(())
}

fn private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

/// Replaces a file whole or not at all.
fn replace(path: &Path, text: &str) -> Result<(), Diagnostics> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|error| Diagnostic::config(format!("cannot write {}: {error}", path.display())).hint("nothing was changed").into())
}
