//! How many files this process may have open. Each line to a node is one, and 1024 is what most logins begin with.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Enough for any inventory; more would only be in the way of programs that close all they might have inherited.
const ENOUGH: u64 = 65_536;

/// Lets this process, and what it starts, have more files open, as far as the system allows without asking anyone.
pub fn raise_open_files() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard.min(ENOUGH)
    {
        // Where it is refused, a connection that finds no room says so.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard.min(ENOUGH), hard);
    }
}
