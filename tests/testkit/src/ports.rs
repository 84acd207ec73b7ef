//! Ports that stay free while a program is down between a kill and its restart.
//!
//! A port from the range for outgoing connections (what binding port 0 gives) could be taken by any
//! connection in that moment. So ports come from below that range, in blocks; a test process holds a
//! block by listening on its first port, which also keeps two test runs at once apart.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

const FIRST: u16 = 12_000;
const BLOCK_PORTS: u16 = 64;
const BLOCKS: u16 = 300;

struct Block {
    guard: TcpListener,
    next: u16,
    end: u16,
}

/// A TCP port on 127.0.0.1 that nobody listens on, and that no other test gets.
///
/// # Panics
/// If the machine has no free port.
pub fn free_port() -> u16 {
    // Used up blocks stay held: their ports are in use.
    static HELD: Mutex<(Option<Block>, Vec<TcpListener>)> = Mutex::new((None, Vec::new()));
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let block = held.0.get_or_insert_with(claim_block);
        while block.next < block.end {
            let port = block.next;
            block.next += 1;
            if listen(port).is_some() {
                return port;
            }
        }
        if let Some(used_up) = held.0.take() {
            held.1.push(used_up.guard);
        }
    }
}

fn claim_block() -> Block {
    // Processes begin their search at different places, so that they rarely meet.
    let start = (std::process::id() % u32::from(BLOCKS)) as u16;
    (0..BLOCKS)
        .map(|i| FIRST + (start + i) % BLOCKS * BLOCK_PORTS)
        .find_map(|first| {
            let guard = listen(first)?;
            Some(Block { guard, next: first + 1, end: first + BLOCK_PORTS })
        })
        .expect("a block of ports that no other test process holds")
}

fn listen(port: u16) -> Option<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
}

/// A port of this machine as an address.
pub fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ports_are_given_once_and_more_than_a_block_of_them() {
        let count = usize::from(BLOCK_PORTS) + 10;
        let ports: BTreeSet<u16> = (0..count).map(|_| free_port()).collect();
        assert_eq!(ports.len(), count);
        assert!(ports.iter().all(|p| listen(*p).is_some()));
    }
}
