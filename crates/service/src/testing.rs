//! What the tests of several modules need.

use std::io;
use std::sync::{Arc, Mutex};

/// A writer for log lines that can be had again and again, and what was written.
pub(crate) fn shared_buffer() -> (impl Fn() -> Shared, impl Fn() -> String) {
    let shared = Shared::default();
    let written = shared.clone();
    (move || shared.clone(), move || written.text())
}

/// Clones write to the same buffer.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        let bytes = self.0.lock().expect("not poisoned").clone();
        String::from_utf8(bytes).expect("UTF-8")
    }
}

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
