//! The units of the guard: arming, saying that something is under way, disarming by a new login, and hearing what the
//! node did by itself.

use super::Unit;
use super::control::{name, unit};
use crate::node::frame::{Decoder, Frame};
use crate::node::quote::quote;

/// Ends the guard's text on its way; no line of it is this.
pub const SCRIPT_END: &str = "H_GUARD_END";
/// What the guard's own frames begin with.
const NONCE: &str = "guard";

/// A guard that watches a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Armed {
    /// The run that it will take back.
    pub run: String,
    /// How long it waits each time, in seconds.
    pub seconds: u64,
    /// Armed for the whole run, which waits for `keep`.
    pub trial: bool,
    /// Seconds until it takes the run back; 0: it does so now.
    pub left: u64,
}

/// What has become of a run's guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is disarmed by now.
    Disarmed,
    /// It is armed.
    Armed,
    /// It is taking the run back.
    Firing,
    /// It has taken the run back, or tried to: the frames of unwinding.
    Fired(Vec<Frame>),
    /// There is none, and none has done anything.
    Unguarded,
}

/// Writes the guard and starts it, for the open run `run`: answered by `armed HOOK`, where the hook is what starts it
/// again after a reboot (`none`: nothing does), or by `failed arm`.
pub fn arm(seq: u32, run: &str, seconds: u64, trial: bool) -> Unit {
    let script = crate::node::runtime::guard_script();
    let kind = if trial { "trial" } else { "guard" };
    let run = quote(&name(run));
    unit(seq, format!("if h_script <<'{SCRIPT_END}'; then h_arm {run} {seconds} {kind}; else h_f failed arm \"$e\"; fi\n{script}{SCRIPT_END}\n"))
}

/// From here on something is under way: the guard waits.
pub fn busy(seq: u32) -> Unit {
    unit(seq, "h_busy".into())
}

/// It is over: the guard's time begins anew.
pub fn idle(seq: u32) -> Unit {
    unit(seq, "h_idle".into())
}

/// Disarms the guard of `run`, if it has not begun to act. To be sent over a new login. See [`read_verdict`].
pub fn disarm(seq: u32, run: &str) -> Unit {
    unit(seq, format!("h_disarm {}", quote(&name(run))))
}

/// Asks what has become of the guard of `run`. See [`read_verdict`].
pub fn verdict(seq: u32, run: &str) -> Unit {
    unit(seq, format!("h_verdict {}", quote(&name(run))))
}

/// Lets the session that has `run` open, and whose line is gone, end: when its op is done, at the latest after `seconds`.
pub fn room(seq: u32, run: &str, seconds: u64) -> Unit {
    unit(seq, format!("h_room {} {seconds}", quote(&name(run))))
}

/// In this session the guard is armed with this time.
pub fn guarded(seq: u32, seconds: u64) -> Unit {
    unit(seq, format!("h_secs={seconds}; rm -f \"$G/expected\"; h_idle"))
}

/// Asks for the journal of `run`: answered by `journal`.
pub fn journal(seq: u32, run: &str) -> Unit {
    unit(seq, format!("h_f journal '' \"$(cat \"$S/runs/{}/journal\" 2>/dev/null)\"", name(run)))
}

/// Asks which boot this is: answered by `boot`.
pub fn boot(seq: u32) -> Unit {
    unit(seq, "h_f boot '' \"$boot\"".into())
}

/// The reboot that is op `number` has happened: answered like an act.
pub fn booted(seq: u32, number: u32) -> Unit {
    unit(seq, format!("h_booted {number}"))
}

/// What `disarm` and `verdict` are answered by.
pub fn read_verdict(frames: &[Frame]) -> Verdict {
    for frame in frames {
        match frame.tag.as_str() {
            "disarmed" => return Verdict::Disarmed,
            "armed" => return Verdict::Armed,
            "firing" => return Verdict::Firing,
            "fired" => {
                // The shell has taken the last line feed away, which may have been a header's or a body's.
                let mut decoder = Decoder::new(NONCE);
                let mut frames = decoder.push(&frame.body).unwrap_or_default();
                frames.extend(decoder.push(b"\n").unwrap_or_default());
                return Verdict::Fired(frames);
            }
            _ => {}
        }
    }
    Verdict::Unguarded
}

/// Reads the frames `guard` of a look and `guarded` of a run that cannot begin: what the guard was armed for, its deadline, and the time since boot.
pub fn read_armed(text: &str) -> Option<Armed> {
    let mut lines = text.lines();
    let mut words = lines.next()?.split(' ');
    let (run, seconds, kind) = (words.next()?, words.next()?, words.next()?);
    let due: u64 = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|due| due.parse().ok()).unwrap_or(0);
    let up: u64 = lines.next().and_then(|line| line.split('.').next()).and_then(|up| up.parse().ok()).unwrap_or(0);
    Some(Armed { run: run.to_owned(), seconds: seconds.parse().ok()?, trial: kind == "trial", left: due.saturating_sub(up).min(seconds.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_a_node_says_of_its_guard_is_read() {
        let armed = read_armed("1-a 600 trial b00t\nb00t 700\n650.11 1.2\n").unwrap();
        assert_eq!(armed, Armed { run: "1-a".into(), seconds: 600, trial: true, left: 50 });
        assert_eq!(read_armed("1-a 60 guard b\n\n\n").unwrap().left, 0);
        assert_eq!(read_armed("1-a 60 guard b\nb 99999999\n1.0\n").unwrap().left, 60);
        for odd in ["", "1-a", "1-a x guard", "\n\n"] {
            assert_eq!(read_armed(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn what_the_guard_did_is_read_from_its_own_frames() {
        let body = b"@guard undone 0 2\n@guard unwound 0 1-a".to_vec();
        let frame = |tag: &str, body: Vec<u8>| Frame { tag: tag.into(), fields: Vec::new(), body };
        let Verdict::Fired(frames) = read_verdict(&[frame("fired", body)]) else { panic!() };
        assert_eq!(frames.iter().map(|frame| frame.tag.as_str()).collect::<Vec<_>>(), ["undone", "unwound"]);
        let Verdict::Fired(frames) = read_verdict(&[frame("fired", b"@guard undone 0 2\n@guard stuck 3 1\nwhy".to_vec())]) else { panic!() };
        assert_eq!(frames.last().map(Frame::text).as_deref(), Some("why"));
        assert_eq!(read_verdict(&[frame("fired", b"nonsense".to_vec())]), Verdict::Fired(Vec::new()));
        assert_eq!(read_verdict(&[frame("disarmed", Vec::new())]), Verdict::Disarmed);
        assert_eq!(read_verdict(&[]), Verdict::Unguarded);
    }
}
