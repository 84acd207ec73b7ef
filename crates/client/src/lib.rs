//! Pushes log records to logtally: each counts once, whatever dies on the way.
//!
//! A [`Producer`] gathers records into numbered messages, keeps one stream to an ingest with several
//! messages under way, and sends what was not acknowledged again: to the same ingest, or to the next
//! one. The store knows the last number of every producer, so a message that comes twice counts once.
//!
//! Two things cannot be healed here, and are errors: somebody else opened a producer of the same name
//! ([`Error::Fenced`]), and a store that came back older than what is still held ([`Error::Lost`]).
//!
//! Must never give a message another number than its first one, and never drop one that was not
//! acknowledged. Every decision about that lies in `window.rs`, without any input and output.
//!
//! ```no_run
//! # async fn example() -> Result<(), logtally_client::Error> {
//! use logtally_client::{Options, Producer};
//!
//! let producer = Producer::open(Options {
//!     endpoints: vec!["http://localhost:9500".to_owned()],
//!     producer: Some("web1/jobs".to_owned()),
//!     ..Options::default()
//! })
//! .await?;
//! producer.push(b"web1,backup").await?;
//! let summary = producer.flush().await?;
//! println!("{} records are counted", summary.counted);
//! # Ok(())
//! # }
//! ```

mod options;

mod producer;

mod blocking;

mod summary;

mod error;

mod window;

mod gather;

mod state;

mod fault;

mod backoff;

mod link;

pub use blocking::BlockingProducer;
pub use error::Error;
pub use options::Options;
pub use producer::Producer;
pub use summary::{Acknowledged, Guarantee, Resumed, Summary};
