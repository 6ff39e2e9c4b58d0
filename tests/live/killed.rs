//! The controller dies, or its line does, at every boundary of an apply. Nothing is left half done or locked, and the next
//! apply finishes the work.

use crate::line::Fate;
use crate::rounds::{Rounds, nothing_between};
use nix::sys::signal::Signal;

/// One round in which `fate` comes, and its aftermath. Answers whether it came before the end.
fn survived(rounds: &mut Rounds, fate: Fate) -> (bool, i32) {
    let when = format!("{fate:?} in round {}", rounds.round + 1);
    rounds.next();
    let before = rounds.seen();
    let ended = rounds.apply(fate);
    let (_, _, came) = rounds.remote.line.seen();
    rounds.remote.released();
    let now = rounds.seen();
    rounds.finishes(&when);
    nothing_between(&before, &now, &rounds.seen(), &when);
    if !came {
        assert_eq!(ended.code, 0, "{when}\n{}{}", ended.out, ended.err);
    }
    (came, ended.code)
}

#[test]
fn killed_at_every_turn_the_next_apply_finishes() {
    let mut rounds = Rounds::new();
    let mut turn = 1;
    while survived(&mut rounds, Fate::Signal(turn, Signal::SIGKILL)).0 {
        turn += 1;
    }
    eprintln!("killed at each of {} turns", turn - 1);
    assert!(turn > 24, "{turn} turns are too few to have met every boundary");
}

#[test]
fn terminated_at_every_third_turn_it_stops_at_a_boundary() {
    let mut rounds = Rounds::new();
    let mut turn = 2;
    loop {
        let (came, code) = survived(&mut rounds, Fate::Signal(turn, Signal::SIGTERM));
        if !came {
            break;
        }
        // While it only looks, a signal ends it at once; in the last steps there is nothing left to stop.
        assert!([-1, 0, 1, 143].contains(&code), "exit {code} at turn {turn}");
        turn += 3;
    }
    assert!(turn > 24, "{turn}");
}

#[test]
fn cut_at_forty_places_the_next_apply_finishes() {
    let mut rounds = Rounds::new();
    rounds.next();
    rounds.apply(Fate::Nothing);
    let (_, bytes, _) = rounds.remote.line.seen();
    for place in 0..40 {
        // Odd steps, so that the places are not all at the beginnings of packets.
        let at = bytes * place / 40 + place * 7 % 61;
        let (came, code) = survived(&mut rounds, Fate::Cut(at));
        assert!(!came || code == 4 || code == 1 || code == 0, "cut after {at} bytes: exit {code}");
        assert!(came || place > 35, "{at} of {bytes} bytes were never reached");
    }
}
