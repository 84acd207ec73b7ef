//! One connection to the server, made when it is needed and made again when it broke.
//!
//! Every call is bounded in time, and a call that fails is not repeated here: only the caller knows
//! whether it still wants it. (The crate's own connection manager is not used because it keeps a
//! failed handshake for ever if the failure was an answer, such as "max number of clients reached".)

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::io::tcp::TcpSettings;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo, Pipeline,
    RedisError, RedisResult, ScriptInvocation, ServerErrorKind, Value,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::value::{list, unreadable, word};
use crate::error::StoreError;

/// A connection that heals.
pub(super) struct Link {
    client: Client,
    config: AsyncConnectionConfig,
    connect_timeout: Duration,
    current: Mutex<Current>,
}

/// The connection in use, and how many there were before it.
#[derive(Default)]
struct Current {
    generation: u64,
    connection: Option<MultiplexedConnection>,
}

/// What a script replied.
pub(super) struct Reply {
    /// The status word.
    pub status: String,
    /// What follows it.
    pub values: Vec<Value>,
}

impl Link {
    /// A link to `url`. Connects to nothing yet.
    pub(super) fn new(
        url: &str,
        connect_timeout: Duration,
        response_timeout: Duration,
    ) -> Result<Self, StoreError> {
        let invalid = |e: RedisError| StoreError::Mismatch(format!("the address of Redis: {e}"));
        let info = url.into_connection_info().map_err(invalid)?;
        // Without it, a commit waits for the acknowledgement of the segment before.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        Ok(Self {
            client: Client::open(info).map_err(invalid)?,
            config: AsyncConnectionConfig::new()
                .set_connection_timeout(Some(connect_timeout))
                .set_response_timeout(Some(response_timeout)),
            connect_timeout,
            current: Mutex::default(),
        })
    }

    /// Runs one command.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let (generation, mut connection) = self.connection().await?;
        let result = command.query_async(&mut connection).await;
        self.settle(generation, result).await
    }

    /// Runs several commands in one round trip, one after the other.
    pub(super) async fn queries(&self, pipeline: &Pipeline) -> Result<Vec<Value>, StoreError> {
        let (generation, mut connection) = self.connection().await?;
        let result = pipeline.query_async(&mut connection).await;
        self.settle(generation, result).await
    }

    /// Runs a script.
    pub(super) async fn call(&self, script: &ScriptInvocation<'_>) -> Result<Reply, StoreError> {
        let (generation, mut connection) = self.connection().await?;
        let result = script.invoke_async(&mut connection).await;
        Reply::parse(self.settle(generation, result).await?)
    }

    /// The connection in use, or a new one. Whoever waits for somebody else's attempt waits no longer
    /// than for an attempt of its own.
    async fn connection(&self) -> Result<(u64, MultiplexedConnection), StoreError> {
        let connect = async {
            let mut current = self.current.lock().await;
            if current.connection.is_none() {
                let fresh = self.client.get_multiplexed_async_connection_with_config(&self.config);
                current.connection = Some(fresh.await.map_err(|e| to_store_error(&e))?);
                current.generation += 1;
            }
            let connection = current.connection.clone();
            Ok(connection.map(|connection| (current.generation, connection)))
        };
        let away = || StoreError::Unavailable("Redis does not accept a connection in time".into());
        timeout(self.connect_timeout, connect).await.map_err(|_| away())??.ok_or_else(away)
    }

    /// Translates an error, and gives up a connection on which nothing good can be expected any more.
    async fn settle<T>(&self, generation: u64, result: RedisResult<T>) -> Result<T, StoreError> {
        let e = match result {
            Ok(value) => return Ok(value),
            Err(e) => e,
        };
        if is_lost(&e) {
            let mut current = self.current.lock().await;
            if current.generation == generation {
                current.connection = None;
            }
        }
        Err(to_store_error(&e))
    }
}

impl Reply {
    fn parse(value: Value) -> Result<Self, StoreError> {
        let mut values = list(value, "a script's reply")?.into_iter();
        let status = word(values.next().unwrap_or_default(), "a script's reply")?;
        Ok(Self { status, values: values.collect() })
    }

    /// The values, if there are exactly `N`.
    pub(super) fn fixed<const N: usize>(self) -> Result<[Value; N], StoreError> {
        self.values.try_into().map_err(|_| unreadable("a script's reply"))
    }

    /// What the reply means if it is none of those that the caller expects.
    pub(super) fn refusal(self) -> StoreError {
        let mut details = self.values.into_iter();
        let detail = details.next().and_then(|v| word(v, "").ok()).unwrap_or_default();
        match self.status.as_str() {
            // Why it is gone, or whose it is, is looked up where the metadata can be read.
            "absent" | "other" => StoreError::Missing,
            "moved" => StoreError::Moved("another fold or a rollback came between".to_owned()),
            "damaged" => StoreError::Damaged(detail),
            other => StoreError::Damaged(format!("a script replied {other}")),
        }
    }
}

/// Whether the connection is to be given up: it broke, an answer is overdue (what comes next on it
/// would be late as well), or the server at its other end is no primary any more.
fn is_lost(e: &RedisError) -> bool {
    let demoted = e.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly);
    e.is_io_error() || e.is_unrecoverable_error() || demoted
}

/// What an error of the client or the server means for the caller.
fn to_store_error(e: &RedisError) -> StoreError {
    // A transaction hides the error of its command inside.
    let inner = e.clone().into_server_errors();
    let first = inner.as_ref().and_then(|errors| errors.first());
    match first.map(|(_, error)| error.code()) {
        Some("OOM" | "MISCONF" | "NOREPLICAS") => StoreError::Refused(e.to_string()),
        Some("WRONGTYPE") => StoreError::Damaged(format!("a key has another type: {e}")),
        _ => StoreError::Unavailable(e.to_string()),
    }
}
