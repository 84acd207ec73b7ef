//! logfmt, one byte after the other.

use logtally_core::rule::Reject;

use crate::record::Values;

#[derive(Clone, Copy, PartialEq)]
enum State {
    Between,
    Key,
    ValueBegins,
    Value,
    Quoted,
    Escaped,
    Closed,
}

/// A key and its value; `None` while the key is alone.
type Pair = (Vec<u8>, Option<Vec<u8>>);

pub(crate) fn values(line: &[u8], wanted: &[String]) -> Result<Values, Reject> {
    let pairs = pairs(line).ok_or(Reject::Malformed)?;
    let value = |name: &String| {
        let (_, value) = pairs.iter().rfind(|(key, _)| key == name.as_bytes())?;
        Some(value.clone().unwrap_or_else(|| b"true".to_vec()))
    };
    Ok(wanted.iter().map(value).collect())
}

fn pairs(line: &[u8]) -> Option<Vec<Pair>> {
    let mut pairs = Vec::new();
    let mut state = State::Between;
    for &byte in line {
        state = step(state, byte, &mut pairs)?;
    }
    match state {
        State::Quoted | State::Escaped => None,
        _ => Some(pairs),
    }
}

fn step(state: State, byte: u8, pairs: &mut Vec<Pair>) -> Option<State> {
    let blank = byte == b' ' || byte == b'\t';
    let next = match (state, byte) {
        (State::Quoted, b'"') => State::Closed,
        (State::Quoted, b'\\') => State::Escaped,
        (State::Quoted, _) => push(pairs, &[byte], State::Quoted),
        (State::Escaped, _) => push(pairs, escaped(byte).as_slice(), State::Quoted),
        _ if blank => State::Between,
        (State::ValueBegins, b'"') => State::Quoted,
        (State::Closed, _) | (_, b'"') | (State::Between, b'=') => return None,
        (State::ValueBegins | State::Value, _) => push(pairs, &[byte], State::Value),
        (State::Key, b'=') => {
            pairs.last_mut()?.1 = Some(Vec::new());
            State::ValueBegins
        }
        (State::Between, _) => {
            pairs.push((vec![byte], None));
            State::Key
        }
        (State::Key, _) => {
            pairs.last_mut()?.0.push(byte);
            State::Key
        }
    };
    Some(next)
}

fn push(pairs: &mut [Pair], bytes: &[u8], next: State) -> State {
    if let Some((_, Some(value))) = pairs.last_mut() {
        value.extend_from_slice(bytes);
    }
    next
}

fn escaped(byte: u8) -> Vec<u8> {
    match byte {
        b'n' => vec![b'\n'],
        b'r' => vec![b'\r'],
        b't' => vec![b'\t'],
        b'"' | b'\\' => vec![byte],
        _ => vec![b'\\', byte],
    }
}
