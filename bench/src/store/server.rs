//! A fresh Redis, and what it says about itself.

use anyhow::{Context as _, Result};
use logtally_testkit::RedisServer;
use redis::{Connection, Value};

use crate::process;

/// Commands that are kept, and how long they have taken at least (microseconds).
const SLOWEST: usize = 100_000;
const SLOW_MICROS: u32 = 200;

/// A server without persistence.
pub struct Server {
    redis: RedisServer,
    /// A connection of our own.
    pub connection: Connection,
}

impl Server {
    /// Starts one.
    pub fn start() -> Result<Self> {
        let redis = RedisServer::start(&[]);
        let connection = redis::Client::open(redis.url())?.get_connection()?;
        Ok(Self { redis, connection })
    }

    /// Its address.
    pub fn url(&self) -> String {
        self.redis.url()
    }

    /// Its processor time so far (seconds): what `INFO cpu` calls `used_cpu_user` and `used_cpu_sys`,
    /// read from outside.
    pub fn cpu(&self) -> Result<f64> {
        process::cpu_seconds(self.redis.pid().context("Redis is down")?)
    }

    /// Its memory in use (bytes).
    pub fn memory(&mut self) -> Result<u64> {
        let info: String = redis::cmd("INFO").arg("memory").query(&mut self.connection)?;
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        Ok(line.context("no used_memory")?.trim().parse()?)
    }

    /// Begins to note slow commands.
    pub fn watch(&mut self) -> Result<()> {
        for (name, value) in
            [("slowlog-log-slower-than", SLOW_MICROS as usize), ("slowlog-max-len", SLOWEST)]
        {
            redis::cmd("CONFIG")
                .arg("SET")
                .arg(name)
                .arg(value)
                .query::<()>(&mut self.connection)?;
        }
        Ok(redis::cmd("SLOWLOG").arg("RESET").query(&mut self.connection)?)
    }

    /// How long the longest command has taken since then (milliseconds); 0 if none was slow.
    pub fn longest_ms(&mut self) -> Result<f64> {
        type Slow = (u64, u64, u64, Value, Value, Value);
        let slow: Vec<Slow> =
            redis::cmd("SLOWLOG").arg("GET").arg(SLOWEST).query(&mut self.connection)?;
        Ok(slow.iter().map(|slow| slow.2).max().unwrap_or(0) as f64 / 1e3)
    }
}
