//! A web server, on 127.0.0.1 where a node shares that with this machine: files from memory, in parts if asked, and it may break off.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
pub struct Web {
    pub port: u16,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    /// The head of each request.
    asked: Arc<Mutex<Vec<String>>>,
    /// How many answers break off in the middle.
    breaks: Arc<Mutex<usize>>,
}

impl Web {
    pub fn serve() -> Web {
        Web::serve_at("127.0.0.1")
    }

    pub fn serve_at(address: &str) -> Web {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let web = Web { port: listener.local_addr().unwrap().port(), ..Web::default() };
        let served = web.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let web = served.clone();
                std::thread::spawn(move || web.answer(stream));
            }
        });
        web
    }

    pub fn has(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.files.lock().unwrap().insert(path.to_owned(), bytes.into());
    }

    pub fn breaks_off(&self, times: usize) {
        *self.breaks.lock().unwrap() = times;
    }

    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut head = String::new();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        while lines.read_line(&mut head).is_ok_and(|read| read > 2) {}
        self.asked.lock().unwrap().push(head.clone());
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let Some(bytes) = self.files.lock().unwrap().get(&path).cloned() else {
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return;
        };
        let from = head.lines().find_map(|line| line.to_lowercase().strip_prefix("range: bytes=")?.split('-').next()?.parse::<usize>().ok());
        let (status, range) = match from {
            Some(from) => ("206 Partial Content", format!("Content-Range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len())),
            None => ("200 OK", String::new()),
        };
        let body = &bytes[from.unwrap_or(0).min(bytes.len())..];
        let _ = stream.write_all(format!("HTTP/1.1 {status}\r\n{range}Content-Length: {}\r\nAccept-Ranges: bytes\r\nConnection: close\r\n\r\n", body.len()).as_bytes());
        let mut breaks = self.breaks.lock().unwrap();
        let end = if *breaks > 0 && !head.starts_with("HEAD") { *breaks -= 1; body.len() / 2 } else { body.len() };
        drop(breaks);
        if !head.starts_with("HEAD") {
            let _ = stream.write_all(&body[..end]);
        }
    }
}
