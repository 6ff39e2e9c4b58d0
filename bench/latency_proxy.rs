//! A TCP proxy that makes a link long: every byte arrives half a round trip later than it was sent, and a connection
//! takes one and a half to be made, as over a real wire. Bandwidth is not limited.
//!
//! Standard library only, so that `rustc -O` builds it: `latency_proxy RTT_MS LISTEN UPSTREAM [LISTEN UPSTREAM]…`. Prints
//! the addresses it listens on, a line each, and then serves until it is ended.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((rtt, pairs)) = args.split_first().filter(|(_, pairs)| !pairs.is_empty() && pairs.len() % 2 == 0) else {
        eprintln!("usage: latency_proxy RTT_MS LISTEN UPSTREAM [LISTEN UPSTREAM]...");
        std::process::exit(64);
    };
    let rtt = Duration::from_millis(rtt.parse().expect("RTT_MS is a number of milliseconds"));
    let mut served = Vec::new();
    for pair in pairs.chunks(2) {
        let (listener, upstream) = (TcpListener::bind(&pair[0]).expect("LISTEN is an address that is free"), pair[1].clone());
        println!("{}", listener.local_addr().expect("a bound socket has an address"));
        served.push(thread::spawn(move || accept(&listener, &upstream, rtt)));
    }
    for one in served {
        let _ = one.join();
    }
}

fn accept(listener: &TcpListener, upstream: &str, rtt: Duration) {
    for client in listener.incoming().flatten() {
        let upstream = upstream.to_owned();
        thread::spawn(move || {
            let _ = serve(client, &upstream, rtt);
        });
    }
}

fn serve(client: TcpStream, upstream: &str, rtt: Duration) -> std::io::Result<()> {
    let half = rtt / 2;
    client.set_nodelay(true)?;
    // SYN and its answer: only now does the client know that it is connected.
    thread::sleep(rtt);
    let early = delayed(client.try_clone()?, half);
    // The third packet: only now does the server know.
    thread::sleep(half);
    let server = TcpStream::connect(upstream)?;
    server.set_nodelay(true)?;
    let late = delayed(server.try_clone()?, half);
    let up = thread::spawn(move || forward(&early, server));
    forward(&late, client);
    let _ = up.join();
    Ok(())
}

type Delayed = mpsc::Receiver<(Instant, Vec<u8>)>;

/// What is read from `from`, with the time at which it is due; an empty piece is its end.
fn delayed(mut from: TcpStream, by: Duration) -> Delayed {
    let (tx, rx) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let n = from.read(&mut buffer).unwrap_or(0);
            if tx.send((Instant::now() + by, buffer[..n].to_vec())).is_err() || n == 0 {
                return;
            }
        }
    });
    rx
}

fn forward(pieces: &Delayed, mut to: TcpStream) {
    for (due, piece) in pieces {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if piece.is_empty() || to.write_all(&piece).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
