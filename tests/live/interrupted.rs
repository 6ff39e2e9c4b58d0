//! Ctrl-C.

use crate::line::Fate;
use crate::rounds::Rounds;
use nix::sys::signal::Signal;

#[test]
fn ctrl_c_stops_at_a_step_boundary_and_says_how_to_go_on() {
    let mut rounds = Rounds::new();
    rounds.next();
    rounds.apply(Fate::Nothing);
    let (turns, _, _) = rounds.remote.line.seen();
    rounds.next();
    let ended = rounds.apply(Fate::Signal(turns / 2, Signal::SIGINT));
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    let said = format!("{}{}", ended.out, ended.err);
    assert!(said.contains("Stopping at the next step boundary") && said.contains("apply again to go on"), "{said}");
    assert!(!rounds.remote.site.inside("pi", "/var/lib/homelab/lock").exists(), "the lock is held");
    assert!(rounds.remote.site.text("/srv/rounds/page").contains(&format!("round {}", rounds.round)), "what came first was done");
    assert!(!rounds.remote.site.text("/etc/motd").contains(&format!("round {}", rounds.round)), "what came last was not");
    rounds.finishes("after Ctrl-C");
}
