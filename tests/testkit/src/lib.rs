//! Helpers for tests that need real servers: free ports, temporary folders, a real `redis-server`.
//!
//! Nothing here is shipped, and nothing here waits longer than a stated time: a test that cannot get
//! its server fails with the reason.

mod ports;
mod redis_server;

pub use ports::{free_port, local};
pub use redis_server::RedisServer;
