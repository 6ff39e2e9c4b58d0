//! Logging in with a key: which are offered, in which order, and what to say when none is taken.

use super::agent::Agent;
use super::connect::Context;
use super::hostkey::{refused, unreachable};
use super::keys::{KeyFile, Unusable, at_home, defaults, unusable};
use super::Target;
use super::verifier::{Line, Verifier};
use crate::lang::Diagnostic;
use russh::client::{AuthResult, Handle};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKey};
use russh::{MethodKind, MethodSet};
use std::path::PathBuf;

/// Keys offered before giving up: OpenSSH's servers hang up at the sixth refusal.
const OFFERS: usize = 6;

/// A key that can be offered.
enum Candidate {
    /// The agent signs. The path is the file that named it, where one did.
    Agent(PublicKey, Option<PathBuf>),
    /// The file signs.
    File(PathBuf, KeyFile),
}

/// What came of one offer.
enum Answer {
    In,
    Refused(MethodSet),
    /// Not offered at all, or not to the end.
    Skipped(String),
    /// The server may well take it, but it cannot be opened; and what to do about that.
    Locked(String, String),
    /// The connection is gone.
    Gone,
}

/// Logs in on `handle`.
pub(super) async fn login(handle: &mut Handle<Verifier>, target: &Target, context: &Context, line: &Line) -> Result<(), Diagnostic> {
    let mut agent = match (&context.agent, target.agent || !target.keys.is_empty()) {
        (Some(socket), true) => Agent::at(socket).await,
        _ => None,
    };
    if let (Some((agent, _)), Some(binding)) = (&mut agent, handle.agent_session_binding()) {
        agent.bind(binding).await;
    }
    let held = agent.as_ref().map(|(_, keys)| keys.as_slice()).unwrap_or_default();
    let (candidates, mut tried) = candidates(target, context, held)?;
    let mut agent = agent.map(|(agent, _)| agent);
    let mut accepts: Option<MethodSet> = None;
    let mut advice: Option<String> = None;
    let mut offers = 0;
    for candidate in candidates {
        if offers == OFFERS {
            tried.push(format!("more keys than {OFFERS}: the rest was not offered"));
            break;
        }
        let name = describe(&candidate);
        match offer(handle, target, context, candidate, agent.as_mut()).await {
            Answer::In => {
                // The service request rides in front of the first offer.
                context.cost.turns(1 + offers as u64 + 2);
                return Ok(());
            }
            Answer::Refused(methods) => {
                offers += 1;
                tried.push(format!("{name}: refused"));
                let keys_help = methods.contains(&MethodKind::PublicKey);
                accepts = Some(methods);
                if !keys_help {
                    break;
                }
            }
            Answer::Skipped(why) => tried.push(format!("{name}: {why}")),
            Answer::Locked(why, hint) => {
                tried.push(format!("{name}: {why}"));
                advice.get_or_insert(hint);
            }
            Answer::Gone => {
                tried.push(format!("{name}: the server hung up"));
                return Err(turned_down(target, None, &tried, advice, line));
            }
        }
    }
    if accepts.is_none() {
        // Asking with no method at all is how a server is made to say what it takes; some are content with it.
        match handle.authenticate_none(&target.user).await {
            Ok(AuthResult::Success) => {
                context.cost.turns(2);
                return Ok(());
            }
            Ok(AuthResult::Failure { remaining_methods, .. }) => accepts = Some(remaining_methods),
            Err(_) if handle.is_closed() => return Err(unreachable(target, format!("the connection was lost during login{}", line.because()))),
            Err(_) => {}
        }
        offers += 1;
    }
    context.cost.turns(1 + offers as u64);
    Err(turned_down(target, accepts, &tried, advice, line))
}

/// The keys to offer, in `ssh`'s order, each once; and what was left out and why.
fn candidates(target: &Target, context: &Context, held: &[PublicKey]) -> Result<(Vec<Candidate>, Vec<String>), Diagnostic> {
    let named = !target.keys.is_empty();
    let paths = match named {
        true => target.keys.iter().map(|path| at_home(path, context.home.as_deref())).collect(),
        false => defaults(context.home.as_deref()),
    };
    let (mut by_agent, mut by_file, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen: Vec<PublicKey> = Vec::new();
    for path in paths {
        let file = match context.ring.load(&path) {
            Ok(file) => file,
            Err(Unusable::Missing) if !named => continue,
            Err(why) if named => return Err(unusable(target, &path, &why)),
            Err(Unusable::Because { why, .. }) => {
                left_out.push(format!("{}: {why}", path.display()));
                continue;
            }
            Err(Unusable::Missing) => continue,
        };
        if let Some(public) = file.public() {
            if seen.iter().any(|key| key.key_data() == public.key_data()) {
                continue;
            }
            seen.push(public.clone());
        }
        // An open file signs for itself: the agent is asked only for what it alone can do.
        let by_hand = matches!(file, KeyFile::Open(_));
        match held.iter().find(|key| file.public().is_some_and(|public| public.key_data() == key.key_data())) {
            Some(key) if !by_hand => by_agent.push(Candidate::Agent(key.clone(), Some(path))),
            _ if matches!(file, KeyFile::PublicOnly(_)) => {
                left_out.push(format!("{}: a public key, whose other half the agent does not hold", path.display()));
            }
            _ => by_file.push(Candidate::File(path, file)),
        }
    }
    if !named && target.agent {
        let others = held.iter().filter(|key| !seen.iter().any(|known| known.key_data() == key.key_data()));
        by_agent.extend(others.cloned().map(|key| Candidate::Agent(key, None)));
    }
    by_agent.extend(by_file);
    Ok((by_agent, left_out))
}

fn describe(candidate: &Candidate) -> String {
    match candidate {
        Candidate::Agent(key, Some(path)) => format!("{} by the agent ({})", path.display(), key.algorithm()),
        Candidate::Agent(key, None) => {
            let comment = key.comment().as_str_lossy().to_owned();
            format!("{} of the agent ({})", if comment.is_empty() { "a key" } else { &comment }, key.algorithm())
        }
        Candidate::File(path, file) => match file.public() {
            Some(key) => format!("{} ({})", path.display(), key.algorithm()),
            None => path.display().to_string(),
        },
    }
}

/// Offers one key.
async fn offer(handle: &mut Handle<Verifier>, target: &Target, context: &Context, candidate: Candidate, agent: Option<&mut Agent>) -> Answer {
    let rsa = match &candidate {
        Candidate::Agent(key, _) => key.algorithm().is_rsa(),
        Candidate::File(_, file) => file.public().is_none_or(|key| key.algorithm().is_rsa()),
    };
    let hash = match rsa {
        false => None,
        true => match handle.best_supported_rsa_hash().await {
            Ok(Some(Some(hash))) => Some(hash),
            // It did not say (dropbear): SHA-256 is what every server of the last ten years takes.
            Ok(None) => Some(HashAlg::Sha256),
            Ok(Some(None)) => return Answer::Skipped("the server takes RSA keys with SHA-1 only, which is not safe".into()),
            Err(_) => return Answer::Gone,
        },
    };
    let user = target.user.as_str();
    let result = match candidate {
        Candidate::Agent(key, _) => match agent {
            Some(agent) => match handle.authenticate_publickey_with(user, key, hash, agent).await {
                Ok(result) => result,
                Err(error) => return Answer::Skipped(format!("the agent did not sign: {error}")),
            },
            None => return Answer::Skipped("the agent is gone".into()),
        },
        Candidate::File(path, file) => {
            if let KeyFile::Locked(Some(public)) = &file
                && !context.ring.is_unlocked(&path)
            {
                // Nobody is asked for the passphrase of a key that the server would not take.
                match handle.authenticate_publickey_with(user, public.clone(), hash, &mut Probe).await {
                    Err(Wanted) => {}
                    Ok(AuthResult::Failure { remaining_methods, .. }) if !remaining_methods.is_empty() => return Answer::Refused(remaining_methods),
                    Ok(_) => return Answer::Gone,
                }
                if handle.is_closed() {
                    return Answer::Gone;
                }
            }
            let key = match file {
                KeyFile::Open(key) => key,
                _ => match context.ring.unlock(&path).await {
                    Ok(key) => key,
                    Err(Unusable::Because { why, hint }) => return Answer::Locked(why, hint),
                    Err(Unusable::Missing) => return Answer::Skipped("it has gone".into()),
                },
            };
            match handle.authenticate_publickey(user, PrivateKeyWithHashAlg::new(key, hash)).await {
                Ok(result) => result,
                Err(_) => return Answer::Gone,
            }
        }
    };
    match result {
        AuthResult::Success => Answer::In,
        AuthResult::Failure { remaining_methods, .. } if remaining_methods.is_empty() => Answer::Gone,
        AuthResult::Failure { remaining_methods, partial_success: true } => {
            Answer::Skipped(format!("taken, but the server wants more: {}", list(&remaining_methods)))
        }
        AuthResult::Failure { remaining_methods, .. } => Answer::Refused(remaining_methods),
    }
}

/// Signs nothing: its error says that the server would take the key.
struct Probe;

/// The server would take the key.
struct Wanted;

impl From<russh::SendError> for Wanted {
    fn from(_: russh::SendError) -> Self {
        Wanted
    }
}

impl russh::Signer for Probe {
    type Error = Wanted;

    async fn auth_sign(&mut self, _: &russh::keys::agent::AgentIdentity, _: Option<HashAlg>, _: Vec<u8>) -> Result<Vec<u8>, Wanted> {
        Err(Wanted)
    }
}

fn list(methods: &MethodSet) -> String {
    methods.iter().map(String::from).collect::<Vec<_>>().join(", ")
}

fn turned_down(target: &Target, accepts: Option<MethodSet>, tried: &[String], advice: Option<String>, line: &Line) -> Diagnostic {
    let mut diagnostic = refused(target, format!("login as {} was refused", target.user));
    for what in tried {
        diagnostic = diagnostic.note(format!("tried {what}"), None);
    }
    if tried.is_empty() {
        diagnostic = diagnostic.note("no key to offer: none in the agent, none in ~/.ssh", None);
    }
    let keys = accepts.as_ref().is_none_or(|methods| methods.contains(&MethodKind::PublicKey));
    if let Some(methods) = accepts.filter(|methods| !methods.is_empty()) {
        diagnostic = diagnostic.note(format!("the server accepts: {}", list(&methods)), None);
    }
    for said in line.banner() {
        diagnostic = diagnostic.note(format!("the server says: {said}"), None);
    }
    diagnostic.hint(match keys {
        true if advice.is_some() => advice.unwrap_or_default(),
        true if tried.is_empty() => "name a private key with `key:`, or load one into the agent (`ssh-add`); `ssh-keygen -t ed25519` makes one".to_owned(),
        true => format!("put a public key into ~{}/.ssh/authorized_keys there (`ssh-copy-id`), or set `user:` or `key:` of the host", target.user),
        false => "let its sshd accept public keys (`PubkeyAuthentication yes`)".to_owned(),
    })
}
