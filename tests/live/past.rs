//! The controller is killed in the middle of an apply; then the run is taken back, or goes on.

use crate::line::Fate;
use crate::rounds::{Rounds, Seen};
use nix::sys::signal::Signal;

/// What an exact or equivalent undo gives back; commands without an undo and what a handler makes are not that.
fn promised(seen: Seen) -> Seen {
    let but = ["etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/subuid", "etc/subgid", "etc/.pwd.lock", "srv/rounds/ran-", "srv/rounds/also-", "srv/rounds/noted"];
    seen.into_iter().filter(|(path, _)| !but.iter().any(|prefix| path.starts_with(prefix))).collect()
}

fn same(what: &str, want: &Seen, is: &Seen) {
    // The login's key is the sandbox's own: another sandbox has another.
    for path in want.keys().chain(is.keys()).filter(|path| !path.starts_with("etc/ssh/authorized_keys.d/")) {
        assert_eq!(is.get(path), want.get(path), "{what}: {path}");
    }
}

/// Kills the controller in the middle of the next round.
fn killed(rounds: &mut Rounds, turn: u64) -> bool {
    rounds.next();
    rounds.apply(Fate::Signal(turn, Signal::SIGKILL));
    rounds.remote.released();
    let history = rounds.run(&["history"], Fate::Nothing);
    assert_eq!(history.code, 0, "{}{}", history.out, history.err);
    history.out.contains("interrupted")
}

#[test]
fn killed_in_the_middle_rollback_gives_back_what_was_before() {
    let mut rounds = Rounds::new();
    let mut met = 0;
    for turn in [14, 20, 23, 26, 29, 32, 35] {
        let before = promised(rounds.seen());
        let doomed = |seen: Seen| seen.into_iter().filter(|(path, _)| !path.starts_with("srv/rounds/doomed")).collect::<Seen>();
        let interrupted = killed(&mut rounds, turn);
        if interrupted {
            met += 1;
            let ended = rounds.run(&["rollback", "--yes"], Fate::Nothing);
            assert_eq!(ended.code, 0, "turn {turn}\n{}{}", ended.out, ended.err);
            assert!(ended.out.contains("taken back: "), "{}", ended.out);
            same(&format!("killed at turn {turn}"), &doomed(before), &doomed(promised(rounds.seen())));
            let again = rounds.run(&["rollback", "--yes"], Fate::Nothing);
            assert!(again.code == 0 && again.out.contains("nothing to take back"), "{}{}", again.out, again.err);
            assert!(rounds.remote.site.inside("pi", "/srv/rounds/doomed/deep/file").exists(), "turn {turn}");
        }
        rounds.finishes(&format!("after turn {turn}"));
    }
    assert!(met >= 4, "only {met} of the turns were in the middle");
}

#[test]
fn killed_in_the_middle_resume_ends_where_an_uninterrupted_apply_does() {
    let (mut rounds, mut other) = (Rounds::new(), Rounds::new());
    let mut met = 0;
    for turn in [15, 22, 31] {
        other.next();
        let whole = other.apply(Fate::Nothing);
        assert_eq!(whole.code, 0, "{}{}", whole.out, whole.err);
        let interrupted = killed(&mut rounds, turn);
        let ended = rounds.run(&["resume", "--yes"], Fate::Nothing);
        assert_eq!(ended.code, 0, "turn {turn}\n{}{}", ended.out, ended.err);
        if !interrupted {
            assert!(ended.out.contains("nothing to resume"), "{}", ended.out);
            rounds.finishes(&format!("after turn {turn}"));
            continue;
        }
        met += 1;
        same(&format!("killed at turn {turn}"), &other.seen(), &rounds.seen());
        let history = rounds.run(&["history"], Fate::Nothing);
        assert!(!history.out.contains("interrupted"), "{}", history.out);
        rounds.finishes(&format!("after turn {turn}"));
    }
    assert!(met >= 2, "only {met} of the turns were in the middle");
}

#[test]
fn a_rollback_that_was_cut_off_is_run_again() {
    let mut rounds = Rounds::new();
    let before = promised(rounds.seen());
    rounds.next();
    let apply = rounds.apply(Fate::Nothing);
    assert_eq!(apply.code, 0, "{}{}", apply.out, apply.err);
    let after = rounds.seen();
    // Cut at each turn of it, until it comes through.
    let mut turn = 8;
    loop {
        let ended = rounds.run(&["rollback", "--yes"], Fate::Signal(turn, Signal::SIGKILL));
        let (_, _, came) = rounds.remote.line.seen();
        rounds.remote.released();
        if !came {
            assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
            break;
        }
        turn += 1;
    }
    let now = promised(rounds.seen());
    let paths = before.keys().chain(now.keys()).filter(|path| !path.starts_with("srv/rounds/doomed"));
    for path in paths {
        assert_eq!(now.get(path), before.get(path), "{path}, which was {:?} in between", after.get(path));
    }
    assert!(turn > 10, "{turn}");
}
