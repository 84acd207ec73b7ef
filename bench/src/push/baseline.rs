//! The baseline: a service that takes one message per line, counts into a hash map, and commits
//! nowhere. It is what one would write in an hour, with the defaults of every library, and the least
//! that one message per line can cost.

use std::collections::HashMap;
use std::net::SocketAddr;

use anyhow::Result;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::wire::baseline_service_server::{BaselineService, BaselineServiceServer};
use super::wire::{Line, Summary};

/// Flags of the baseline.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
}

/// Serves until it is killed.
pub fn run(args: &Args) -> Result<()> {
    let server = Server::builder().add_service(BaselineServiceServer::new(Baseline));
    tokio::runtime::Runtime::new()?.block_on(server.serve(args.listen))?;
    Ok(())
}

struct Baseline;

#[async_trait]
impl BaselineService for Baseline {
    async fn count(&self, request: Request<Streaming<Line>>) -> Result<Response<Summary>, Status> {
        let mut lines = request.into_inner();
        let mut counts: HashMap<(String, String), u64> = HashMap::new();
        while let Some(Line { host, job_name, .. }) = lines.message().await? {
            *counts.entry((host, job_name)).or_default() += 1;
        }
        let (lines, series) = (counts.values().sum(), counts.len() as u64);
        Ok(Response::new(Summary { lines, series }))
    }
}
