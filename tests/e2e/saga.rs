//! The shipped transaction, process → transform → commit: failing at each step in turn, exactly what ran is compensated, last first.

use crate::site::{Ended, Site};
use std::path::PathBuf;

const STEPS: [&str; 3] = ["process", "transform", "commit"];

/// A copy of what is shipped.
struct Shipped(Site);

impl Shipped {
    fn new() -> Shipped {
        let site = Site::bare();
        for name in ["inventories/saga.yaml", "playbooks/saga.yaml"] {
            site.write(name, &std::fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap());
        }
        Shipped(site)
    }

    fn apply(&self, code: i32, more: &[&str]) -> Ended {
        self.0.expect(code, &[&["apply", "inventories/saga.yaml", "--yes"], more].concat())
    }

    fn inside(&self, path: &str) -> PathBuf {
        self.0.path("inventories/.sandbox/worker/root").join(path)
    }

    /// The trail without its times.
    fn trail(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.inside("var/log/saga.log")).unwrap();
        text.lines().map(|line| line.split_once(' ').map(|(at, what)| { assert!(humantime::parse_rfc3339(at).is_ok(), "{line}"); what.to_owned() }).unwrap()).collect()
    }
}

#[test]
fn at_each_step_what_ran_is_compensated_backwards_and_somebody_is_told() {
    let shipped = Shipped::new();
    for (at, failing) in STEPS.iter().enumerate() {
        let _ = std::fs::remove_file(shipped.inside("var/log/saga.log"));
        let ended = shipped.apply(3, &["--json", &format!("--simulate-fail={failing}")]);
        let mut wish: Vec<String> = STEPS[..=at].iter().rev().map(|step| format!("taken back {step}")).collect();
        wish.push(format!("failed {failing} on worker, taken back"));
        assert_eq!(shipped.trail(), wish);
        assert!(!shipped.inside("srv/saga").exists(), "something of it is left");
        // Each step's data is under its own name, with its time.
        let document: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
        let steps = document["runs"][0]["steps"].as_array().unwrap();
        for (number, name) in STEPS.iter().enumerate() {
            let step = steps.iter().find(|step| step["label"] == *name).unwrap();
            if number > at {
                assert_eq!((&step["end"], &step["data"], &step["began"]), (&"not_begun".into(), &serde_json::Value::Null, &serde_json::Value::Null));
                continue;
            }
            let said: serde_json::Value = serde_json::from_str(step["data"]["stdout"].as_str().unwrap()).unwrap();
            assert_eq!(said["step"], *name, "{document}");
            assert_eq!(step["undone"], true, "{document}");
            assert!(humantime::parse_rfc3339(step["began"].as_str().unwrap()).is_ok());
        }
        assert_eq!(document["runs"][0]["on_failure"][0]["end"], "done");
    }
}

#[test]
fn at_a_random_step_nothing_is_left() {
    let shipped = Shipped::new();
    for _ in 0..4 {
        shipped.apply(3, &["--simulate-fail"]);
        assert!(!shipped.inside("srv/saga").exists());
        assert!(shipped.trail().last().unwrap().starts_with("failed "));
    }
}

#[test]
fn when_nothing_fails_each_step_has_written_its_own_and_nobody_is_told() {
    let shipped = Shipped::new();
    shipped.apply(0, &[]);
    for step in STEPS {
        let data: serde_json::Value = serde_json::from_slice(&std::fs::read(shipped.inside(&format!("srv/saga/{step}.json"))).unwrap()).unwrap();
        assert_eq!(data["step"], step);
        assert!(humantime::parse_rfc3339(data["at"].as_str().unwrap()).is_ok(), "{data}");
    }
    assert!(!shipped.inside("var/log/saga.log").exists());
    let again = shipped.apply(0, &["--simulate-fail"]);
    assert!(again.err.contains("nothing that could be made to fail"), "{}", again.err);
}
