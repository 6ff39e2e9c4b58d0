//! A line to a sandbox node that can be cut, or on which the controller meets its end, at a moment that is counted.
//!
//! Every change of direction on the wire is a *turn*. All that a node journals, it journals between two of them, so going
//! through all turns goes through all boundaries of a run.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// When something happens on the line, and what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    Nothing,
    /// At the n-th turn the controller gets this signal; what makes the turn is lost if it is SIGKILL.
    Signal(u64, Signal),
    /// After n bytes, both ways together, the controller is killed.
    Killed(u64),
    /// After n bytes, both ways together, nothing more comes through.
    Cut(u64),
}

#[derive(Debug)]
struct State {
    fate: Fate,
    controller: Option<u32>,
    /// Whether the last bytes came from the controller.
    upward: Option<bool>,
    turns: u64,
    bytes: u64,
    over: bool,
}

/// A proxy before a node.
#[derive(Clone)]
pub struct Line {
    state: Arc<(Mutex<State>, Condvar)>,
    pub port: u16,
}

impl Line {
    /// A line to the SSH server at `node`.
    pub fn to(node: SocketAddr) -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State { fate: Fate::Nothing, controller: None, upward: None, turns: 0, bytes: 0, over: false };
        let line = Line { state: Arc::new((Mutex::new(state), Condvar::new())), port };
        let mine = line.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().map(Result::unwrap) {
                // A node that is starting anew does not answer.
                let Ok(far) = TcpStream::connect(node) else { continue };
                for stream in [&near, &far] {
                    stream.set_nodelay(true).unwrap();
                }
                let (near2, far2) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let (up, down) = (mine.clone(), mine.clone());
                std::thread::spawn(move || up.pump(near, far, true));
                std::thread::spawn(move || down.pump(far2, near2, false));
            }
        });
        line
    }

    /// What happens to the next controller.
    pub fn expect(&self, fate: Fate) {
        let mut state = self.state.0.lock().unwrap();
        *state = State { fate, controller: None, upward: None, turns: 0, bytes: 0, over: false };
    }

    /// Who the controller is; nothing goes through before this is known.
    pub fn controller(&self, pid: u32) {
        self.state.0.lock().unwrap().controller = Some(pid);
        self.state.1.notify_all();
    }

    /// From now on nothing comes through.
    pub fn cut(&self) {
        self.state.0.lock().unwrap().fate = Fate::Cut(0);
    }

    /// How many turns and bytes there have been, and whether the fate has come.
    pub fn seen(&self) -> (u64, u64, bool) {
        let state = self.state.0.lock().unwrap();
        (state.turns, state.bytes, state.over)
    }

    fn pump(&self, mut from: TcpStream, mut to: TcpStream, upward: bool) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let through = self.passes(count, upward);
            if to.write_all(&buffer[..through]).is_err() || through < count {
                break;
            }
        }
        for stream in [&from, &to] {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// How many of `count` bytes pass.
    fn passes(&self, count: usize, upward: bool) -> usize {
        let mut state = self.state.1.wait_while(self.state.0.lock().unwrap(), |state| state.controller.is_none()).unwrap();
        if state.upward.replace(upward) != Some(upward) {
            state.turns += 1;
        }
        state.bytes += count as u64;
        let pid = Pid::from_raw(state.controller.unwrap() as i32);
        match state.fate {
            Fate::Signal(turn, signal) if state.turns == turn && !state.over => {
                state.over = true;
                kill(pid, signal).unwrap();
            }
            Fate::Killed(bytes) if state.bytes > bytes && !state.over => {
                state.over = true;
                kill(pid, Signal::SIGKILL).unwrap();
                return 0;
            }
            Fate::Cut(bytes) if state.bytes > bytes => {
                state.over = true;
                return count.saturating_sub((state.bytes - bytes) as usize);
            }
            _ => {}
        }
        match state.fate {
            Fate::Signal(_, Signal::SIGKILL) | Fate::Killed(_) if state.over => 0,
            _ => count,
        }
    }
}
