//! Whether a word was where every user of a machine can read it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether, while `act` was under way, any process of this machine (nodes' are among them) had `needle` among its arguments or in its environment.
pub fn shown(needle: &'static str, act: impl FnOnce()) -> bool {
    let over = Arc::new(AtomicBool::new(false));
    let ended = over.clone();
    let watch = std::thread::spawn(move || {
        let mut found = false;
        while !ended.load(Ordering::Relaxed) {
            for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                for file in ["cmdline", "environ"] {
                    let words = std::fs::read(entry.path().join(file)).unwrap_or_default();
                    found |= String::from_utf8_lossy(&words).contains(needle);
                }
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        found
    });
    act();
    over.store(true, Ordering::Relaxed);
    watch.join().unwrap()
}

/// That the watch sees what is to be seen.
pub fn control() {
    for script in ["sleep 0.5; : a-word-that-shows", "WORD=a-word-\"\"that-shows sleep 0.5"] {
        let seen = shown("a-word-that-shows", || assert!(std::process::Command::new("sh").args(["-c", script]).status().unwrap().success()));
        assert!(seen, "the watch does not see {script}");
    }
}
