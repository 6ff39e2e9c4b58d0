//! Frames, node → controller: `@NONCE TAG LENGTH [FIELDS…]\n` and LENGTH bytes of body.
//!
//! The node is not trusted: sizes are bounded, nothing panics, and a frame counts only with this session's nonce.
//! What a login prints before the first frame is skipped; after it, anything that is not a frame is an error.

use thiserror::Error;

/// The largest body that is accepted, in bytes.
pub const MAX_BODY: usize = 16 << 20;
/// The longest header line.
const MAX_HEADER: usize = 64 << 10;
/// The most that a login may print before the first frame.
const MAX_NOISE: usize = 1 << 20;

/// One answer of the node. All of it is untrusted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What sort of answer it is.
    pub tag: String,
    /// Words of the header.
    pub fields: Vec<String>,
    /// The counted body.
    pub body: Vec<u8>,
}

impl Frame {
    /// The field at `at` as a number.
    pub fn number(&self, at: usize) -> Option<u64> {
        self.fields.get(at)?.parse().ok()
    }

    /// The field at `at`, or nothing.
    pub fn field(&self, at: usize) -> &str {
        self.fields.get(at).map_or("", String::as_str)
    }

    /// The body as text, with what is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether it ends the answer to unit `seq`; with the unit's status.
    pub fn ends(&self, seq: u32) -> Option<i32> {
        if self.tag != "end" || self.number(0) != Some(u64::from(seq)) {
            return None;
        }
        self.fields.get(1)?.parse().ok()
    }
}

/// Why a stream of frames cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FrameError {
    /// More than [`MAX_NOISE`] came before the first frame.
    #[error("the node's login prints too much: {0}")]
    Noise(String),
    /// A header that is none.
    #[error("the node sent something that is not an answer: {0}")]
    Header(String),
    /// A body larger than [`MAX_BODY`].
    #[error("the node announced an answer of {0} bytes")]
    Size(u64),
}

/// Cuts a byte stream into frames.
#[derive(Debug)]
pub struct Decoder {
    mark: Vec<u8>,
    buffer: Vec<u8>,
    begun: bool,
    noise: usize,
    said: Vec<u8>,
}

impl Decoder {
    /// A decoder for the session of `nonce`.
    pub fn new(nonce: &str) -> Self {
        Decoder { mark: format!("@{nonce} ").into_bytes(), buffer: Vec::new(), begun: false, noise: 0, said: Vec::new() }
    }

    /// Whether a frame has been seen: the runtime answers.
    pub fn begun(&self) -> bool {
        self.begun
    }

    /// What came before the first frame (at most 4 KiB of it): a login's noise, or the reason why there is no frame.
    pub fn noise(&self) -> String {
        let mut said = self.said.clone();
        if !self.begun {
            said.extend_from_slice(&self.buffer);
        }
        said.truncate(4096);
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Takes what arrived and returns the frames that are now whole.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, FrameError> {
        self.buffer.extend_from_slice(bytes);
        let mut frames = Vec::new();
        let mut at = 0;
        let result = loop {
            match self.next(&mut at) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break Ok(frames),
                Err(error) => break Err(error),
            }
        };
        self.buffer.drain(..at.min(self.buffer.len()));
        result
    }

    fn next(&mut self, at: &mut usize) -> Result<Option<Frame>, FrameError> {
        if !self.begun {
            self.skip_noise(at)?;
        }
        let rest = self.buffer.get(*at..).unwrap_or_default();
        let known = rest.len().min(self.mark.len());
        if rest[..known] != self.mark[..known] {
            if self.begun {
                return Err(FrameError::Header(shown(rest)));
            }
            return Ok(None);
        }
        if known < self.mark.len() {
            return Ok(None);
        }
        self.begun = true;
        let Some(end) = rest.iter().take(MAX_HEADER).position(|b| *b == b'\n') else {
            return if rest.len() >= MAX_HEADER { Err(FrameError::Header(shown(rest))) } else { Ok(None) };
        };
        let header = String::from_utf8_lossy(&rest[self.mark.len()..end]).into_owned();
        let mut words = header.split(' ');
        let tag = words.next().unwrap_or_default().to_owned();
        let length: u64 = words.next().and_then(|w| w.parse().ok()).ok_or_else(|| FrameError::Header(shown(rest)))?;
        if tag.is_empty() {
            return Err(FrameError::Header(shown(rest)));
        }
        let size = usize::try_from(length).ok().filter(|n| *n <= MAX_BODY).ok_or(FrameError::Size(length))?;
        let Some(body) = rest.get(end + 1..end + 1 + size) else { return Ok(None) };
        let frame = Frame { tag, fields: words.map(str::to_owned).collect(), body: body.to_vec() };
        *at += end + 1 + size;
        Ok(Some(frame))
    }

    /// Moves `at` to the first place where a frame may begin.
    fn skip_noise(&mut self, at: &mut usize) -> Result<(), FrameError> {
        let rest = self.buffer.get(*at..).unwrap_or_default();
        let found = rest.windows(self.mark.len()).position(|w| w == self.mark);
        let skip = found.unwrap_or_else(|| {
            // The end of what is here may be the beginning of a mark.
            (0..rest.len()).find(|i| self.mark.starts_with(&rest[*i..])).unwrap_or(rest.len())
        });
        let room = 4096usize.saturating_sub(self.said.len());
        self.said.extend_from_slice(&rest[..skip.min(room)]);
        self.noise += skip;
        *at += skip;
        if self.noise > MAX_NOISE { Err(FrameError::Noise(shown(&self.said))) } else { Ok(()) }
    }
}

fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    text.lines().next().unwrap_or_default().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn wire(tag: &str, fields: &str, body: &[u8]) -> Vec<u8> {
        let mut out = format!("@abc {tag} {}{fields}\n", body.len()).into_bytes();
        out.extend_from_slice(body);
        out
    }

    #[test]
    fn noise_before_the_first_frame_is_skipped_and_kept() {
        let mut decoder = Decoder::new("abc");
        let mut bytes = b"Welcome to @ab pi\nlast login @abc".to_vec();
        bytes.extend(wire("x", " 1 2", b"@abc y"));
        let frames = decoder.push(&bytes).unwrap();
        assert_eq!(frames, [Frame { tag: "x".into(), fields: vec!["1".into(), "2".into()], body: b"@abc y".to_vec() }]);
        assert_eq!(decoder.noise(), "Welcome to @ab pi\nlast login @abc");
    }

    #[test]
    fn noise_between_frames_is_an_error() {
        let mut decoder = Decoder::new("abc");
        let mut bytes = wire("x", "", b"");
        bytes.extend(b"hello");
        assert_eq!(decoder.push(&bytes), Err(FrameError::Header("hello".into())));
    }

    #[test]
    fn a_giant_body_is_refused_before_it_is_kept() {
        assert_eq!(Decoder::new("abc").push(b"@abc x 999999999999\n"), Err(FrameError::Size(999_999_999_999)));
    }

    proptest! {
        #[test]
        fn any_bytes_do_not_panic(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..20)) {
            let mut decoder = Decoder::new("a");
            for chunk in chunks { let _ = decoder.push(&chunk); }
        }

        #[test]
        fn half_right_bytes_do_not_panic(text in "(@a |@|x|[0-9]{1,3}| |\n|-){0,60}") {
            let _ = Decoder::new("a").push(text.as_bytes());
        }

        #[test]
        fn cuts_do_not_matter(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6),
            noise in "[a-z@ \n]{0,20}", cut in 1usize..9,
        ) {
            let mut bytes = noise.into_bytes();
            for body in &bodies { bytes.extend(wire("t", "", body)); }
            let mut decoder = Decoder::new("abc");
            let mut got = Vec::new();
            for chunk in bytes.chunks(cut) { got.extend(decoder.push(chunk).unwrap().into_iter().map(|f| f.body)); }
            prop_assert_eq!(got, bodies);
        }
    }
}
