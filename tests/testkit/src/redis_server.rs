//! A real `redis-server` in a temporary folder, for tests that kill, stop, pause and roll it back.
//!
//! It never touches a server that it did not start, and it leaves nothing behind: dropping it kills
//! the process and removes the folder.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::free_port;

/// How long a server may take to start or to stop. Loading a test's data takes milliseconds; the
/// rest is for a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a start is repeated because another process took the port.
const PORTS_TRIED: usize = 5;

/// Lines of `INFO server` in which the process id is looked for; it has less than 30.
const INFO_LINES: usize = 40;

/// A running (or, after [`RedisServer::kill`] and [`RedisServer::stop`], stopped) server.
#[derive(Debug)]
pub struct RedisServer {
    child: Option<Child>,
    port: u16,
    dir: TempDir,
    options: Vec<String>,
}

impl RedisServer {
    /// Starts a server on a free loopback port. `options` are arguments of `redis-server`, e.g.
    /// `["--appendonly", "yes", "--appendfsync", "always"]`; without any, nothing is kept on disk.
    ///
    /// # Panics
    /// If `redis-server` is not installed, or does not answer in time.
    pub fn start(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let options = options.iter().map(|o| (*o).to_owned()).collect();
        let mut server = Self { child: None, port: 0, dir, options };
        for _ in 0..PORTS_TRIED {
            server.port = free_port();
            if server.try_spawn() {
                return server;
            }
        }
        panic!("redis-server does not start:\n{}", server.log());
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address, as clients want it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The folder with its data and its log.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its process id, e.g. to read its processor time; `None` while it is stopped.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Kills it with SIGKILL: what is not on disk is lost.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops it in an orderly way.
    ///
    /// # Panics
    /// If it does not stop in time.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // The answer to SHUTDOWN is the end of the connection.
        let _ = ask(self.port, "SHUTDOWN");
        if wait_until(|| child.try_wait().ok().flatten()).is_none() {
            let _ = child.kill();
            let _ = child.wait();
            panic!("redis-server does not stop:\n{}", self.log());
        }
    }

    /// Starts it again, on the same port, with the same folder and options. Kills it first if it is
    /// still running.
    ///
    /// # Panics
    /// If it does not answer in time.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.try_spawn(), "redis-server does not start again:\n{}", self.log());
    }

    /// Holds it with SIGSTOP: connections stay open, and nothing is answered.
    ///
    /// # Panics
    /// If it is not running.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on after [`RedisServer::pause`].
    ///
    /// # Panics
    /// If it is not running.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Copies its data to `path`, replacing what is there.
    ///
    /// # Panics
    /// If it is running (a copy would be torn), or if a file cannot be copied.
    pub fn copy_data_to(&self, path: &Path) {
        assert!(self.child.is_none(), "stop the server before its data is copied");
        replace_tree(self.dir.path(), path).expect("copying the server's data");
    }

    /// Replaces its data by the copy in `path`: a rollback.
    ///
    /// # Panics
    /// If it is running, or if a file cannot be copied.
    pub fn restore_data_from(&self, path: &Path) {
        assert!(self.child.is_none(), "stop the server before its data is replaced");
        replace_tree(path, self.dir.path()).expect("restoring the server's data");
    }

    /// Spawns the process; `false` if it ended before it answered, e.g. because the port was taken.
    fn try_spawn(&mut self) -> bool {
        let mut child = self.command().spawn().unwrap_or_else(|e| match e.kind() {
            io::ErrorKind::NotFound => panic!(
                "redis-server is not installed, and this test needs it: apt-get install redis-server"
            ),
            _ => panic!("redis-server cannot be run: {e}"),
        });
        let port = self.port;
        let up = wait_until(|| match child.try_wait() {
            Ok(None) => answers_as(port, child.id()).then_some(true),
            _ => Some(false),
        });
        if up == Some(true) {
            self.child = Some(child);
            return true;
        }
        let _ = child.kill();
        let _ = child.wait();
        assert!(up.is_some(), "redis-server does not answer:\n{}", self.log());
        false
    }

    fn command(&self) -> Command {
        let mut command = Command::new("redis-server");
        command
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .arg("--dir")
            .arg(self.dir.path())
            .arg("--logfile")
            .arg(self.log_path())
            .args(["--save", "", "--daemonize", "no"])
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("redis.log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn signal(&self, signal: &str) {
        let pid = self.pid().expect("the server is running").to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {signal} {pid}");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends an inline command on a connection of its own and returns the lines of the answer.
fn lines(port: u16, command: &str) -> io::Result<impl Iterator<Item = io::Result<String>>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    Ok(BufReader::new(stream).lines())
}

/// The first line of the answer to an inline command.
fn ask(port: u16, command: &str) -> io::Result<String> {
    lines(port, command)?.next().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))
}

/// Whether the process `pid` answers on `port`: it may as well be a server that another test has
/// started there in the meantime.
fn answers_as(port: u16, pid: u32) -> bool {
    let process_id = format!("process_id:{pid}");
    let up = ask(port, "PING").is_ok_and(|line| line == "+PONG");
    up && lines(port, "INFO server").is_ok_and(|mut lines| {
        lines.by_ref().map_while(Result::ok).take(INFO_LINES).any(|line| line == process_id)
    })
}

/// Calls `probe` until it has an answer; `None` if it has none within [`PATIENCE`].
fn wait_until<T>(mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let known = probe();
        if known.is_some() {
            return known;
        }
        thread::sleep(Duration::from_millis(5));
    }
    None
}

fn replace_tree(from: &Path, to: &Path) -> io::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    copy_tree(from, to)
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

    #[test]
    fn data_survives_a_kill_and_can_be_rolled_back() {
        let mut server = RedisServer::start(&DURABLE);
        let copy = tempfile::tempdir().expect("a temporary folder");
        let ask = |port, command: &str| ask(port, command).expect("an answer");
        assert_eq!(ask(server.port(), "SET word old"), "+OK");
        server.stop();
        server.copy_data_to(copy.path());
        server.restart();
        assert_eq!(ask(server.port(), "SET word newer"), "+OK");
        server.kill();
        server.restart();
        assert_eq!(ask(server.port(), "STRLEN word"), ":5");
        server.kill();
        server.restore_data_from(copy.path());
        server.restart();
        assert_eq!(ask(server.port(), "STRLEN word"), ":3");
    }

    #[test]
    fn a_paused_server_keeps_silent_until_it_is_resumed() {
        let server = RedisServer::start(&[]);
        server.pause();
        assert!(ask(server.port(), "PING").is_err());
        server.resume();
        assert!(wait_until(|| ask(server.port(), "PING").ok()).is_some());
    }
}
