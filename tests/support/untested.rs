//! A test that this machine cannot run: said where a person reads it, and a failure under CI, where green must mean checked.

/// Says that a test did not check anything, and `why`.
///
/// # Panics
/// Under `CI`.
#[allow(clippy::print_stderr, reason = "a test's own words")]
pub fn untested(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "under CI this must run: {why}");
    eprintln!("NOT TESTED: {why}");
}
