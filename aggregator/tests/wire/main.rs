//! The aggregator through its wire, over stores inside the process.

mod bench;

mod exchange;

mod groups;

mod cardinality;
