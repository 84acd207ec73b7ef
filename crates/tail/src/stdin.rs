//! Standard input as a source. What was read from it cannot be read again, so its bytes are kept until
//! they are counted; when enough wait, no more is read, and the writer of the pipe waits.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Bytes that may wait to be counted: enough for several reads, and for one record at its limit.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// Bytes read at once.
const READ_BYTES: usize = 256 << 10;

/// Standard input, or anything that is read like it.
pub struct Stdin {
    state: Mutex<State>,
    room: Condvar,
}

#[derive(Default)]
struct State {
    /// Offset of the first byte that is kept.
    begin: u64,
    bytes: VecDeque<u8>,
    closed: bool,
    error: Option<String>,
}

impl Stdin {
    /// Starts to read on a thread of its own; `notify` is called when there is something new.
    pub fn start(
        mut input: impl Read + Send + 'static,
        notify: impl Fn() + Send + 'static,
    ) -> Arc<Self> {
        let stdin = Arc::new(Self { state: Mutex::default(), room: Condvar::new() });
        let reading = Arc::clone(&stdin);
        std::thread::spawn(move || {
            let mut buffer = vec![0; READ_BYTES];
            loop {
                let read = match input.read(&mut buffer) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    read => read,
                };
                let goes_on = reading.take_in(read.map(|n| &buffer[..n]));
                notify();
                if !goes_on {
                    return;
                }
            }
        });
        stdin
    }

    /// Whether everything was read from it.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        let state = self.lock();
        state.begin + state.bytes.len() as u64
    }

    /// Whether nothing was read yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets what stands before `offset`: it is counted.
    pub fn forget_before(&self, offset: u64) {
        let mut state = self.lock();
        let n = offset.saturating_sub(state.begin).min(state.bytes.len() as u64);
        state.bytes.drain(..n as usize);
        state.begin += n;
        drop(state);
        self.room.notify_all();
    }

    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.lock();
        let Some(from) = offset.checked_sub(state.begin) else {
            let text = "standard input was counted up to here, and then the store went back";
            return Err(io::Error::other(text));
        };
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        if from >= state.bytes.len() {
            return match &state.error {
                Some(error) => Err(io::Error::other(error.clone())),
                None => Ok(0),
            };
        }
        let n = buffer.len().min(state.bytes.len() - from);
        let (front, back) = state.bytes.as_slices();
        let in_front = front.len().saturating_sub(from).min(n);
        if in_front > 0 {
            buffer[..in_front].copy_from_slice(&front[from..from + in_front]);
        }
        let back_from = from.saturating_sub(front.len());
        buffer[in_front..n].copy_from_slice(&back[back_from..back_from + n - in_front]);
        Ok(n)
    }

    /// Takes in what was read, and waits for room. Whether there may be more.
    fn take_in(&self, read: io::Result<&[u8]>) -> bool {
        let mut state = self.lock();
        match read {
            Ok([]) => state.closed = true,
            Ok(bytes) => state.bytes.extend(bytes),
            Err(error) => {
                state.error = Some(error.to_string());
                state.closed = true;
            }
        }
        while state.bytes.len() >= WAITING_BYTES_MAX {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        !state.closed
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kept_until_they_are_counted_and_the_writer_waits() {
        let total = WAITING_BYTES_MAX as u64 * 2;
        let input = io::repeat(b'x').take(total);
        let stdin = Stdin::start(input, || {});
        let (mut at, mut buffer) = (0, vec![0; 100_000]);
        while !(stdin.is_closed() && at == stdin.len()) {
            assert!(stdin.len() - at <= (WAITING_BYTES_MAX + READ_BYTES) as u64);
            let n = stdin.read_at(&mut buffer, at).expect("kept");
            assert!(buffer[..n].iter().all(|b| *b == b'x'));
            at += n as u64;
            stdin.forget_before(at);
        }
        assert_eq!(at, total);
        assert!(stdin.read_at(&mut buffer, 0).is_err(), "counted bytes are gone");
    }
}
