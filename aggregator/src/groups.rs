//! Groups of pushed metrics: which there are, and forgetting one. Any aggregator answers for all.
//!
//! A group is nothing of its own: it is the series of families that say which of their labels name a
//! group. So what is asked is read from the store each time. Nothing here decides what is shown, and
//! nothing here touches a series of a family without groups.

mod group_index;

use std::sync::Arc;
use std::time::Duration;

use logtally_core::journal::Nonce;
use logtally_core::partition::{Partition, partition_of};
use logtally_core::push::{Group, Scope};
use logtally_core::series::{Family, SeriesKey};
use logtally_proto::v1;
use logtally_proto::v1::group_service_server::GroupService;
use logtally_store::{SharedStore, Snapshot, StoreError, by_id, forget_pieces};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tonic::{Request, Response, Status};

use self::group_index::{GroupIndex, distinct_series};
use crate::folder::Backlog;
use crate::metrics::Metrics;

/// How long one answer may take, the wait for those before it included. A partition of two million
/// series is loaded in a few seconds.
const DEADLINE: Duration = Duration::from_mins(1);

/// How often a partition is loaded again when a fold came between.
const ATTEMPTS: u32 = 3;

/// The gRPC service.
#[derive(Clone)]
pub struct Groups {
    store: SharedStore,
    /// By partition.
    backlogs: Arc<[Backlog]>,
    metrics: Metrics,
    /// A whole partition is in memory for each answer under way: so there is one.
    turn: Arc<Semaphore>,
}

impl Groups {
    /// A service over a store, which tells the folders of all partitions what it appends.
    pub fn new(store: SharedStore, backlogs: Vec<Backlog>, metrics: Metrics) -> Self {
        let turn = Arc::new(Semaphore::new(1));
        Self { store, backlogs: backlogs.into(), metrics, turn }
    }

    /// Answers in time, and one after the other.
    async fn in_turn<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, Status> {
        let answer = async {
            let _turn = self.turn.acquire().await;
            answer.await
        };
        let late = || Status::deadline_exceeded("the store did not answer in time; try again");
        timeout(DEADLINE, answer).await.map_err(|_| late())?.map_err(|error| {
            self.metrics.store_errors.inc();
            Status::unavailable(error.to_string())
        })
    }

    async fn list(&self) -> Result<Vec<v1::PushedGroup>, StoreError> {
        let mut index = GroupIndex::default();
        // Before anything is loaded: a group that is pushed to meanwhile must not look older than it is.
        for at in self.partitions() {
            index.see_time(self.store.clock(at).await?.time_ms);
        }
        for at in self.partitions() {
            if self.store.families(at).await?.iter().any(has_groups) {
                index.take(&self.load(at).await?);
            }
        }
        Ok(index.groups())
    }

    /// Forgets the series of a group. How many there were.
    async fn delete(&self, group: &Group) -> Result<u64, StoreError> {
        let at =
            partition_of(&Scope::Group(group.clone()).anonymous(0), self.backlogs.len() as u16);
        if !self.store.families(at).await?.iter().any(has_groups) {
            return Ok(0);
        }
        let (keys, series) = of_group(&self.load(at).await?, group);
        let backlog = &self.backlogs[usize::from(at.0)];
        for piece in forget_pieces(&keys) {
            backlog.has_room().await;
            self.store.forget(at, piece, Nonce(rand::random::<u64>() | 1)).await?;
            let bytes = piece.iter().map(|key| key.as_bytes().len()).sum();
            backlog.committed(bytes);
        }
        if series > 0 {
            self.metrics.groups_deleted.inc();
            tracing::info!(partition = %at, group = ?group.labels(), series, "group deleted");
        }
        Ok(series)
    }

    fn partitions(&self) -> impl Iterator<Item = Partition> + use<> {
        (0..self.backlogs.len() as u16).map(Partition)
    }

    async fn load(&self, at: Partition) -> Result<Snapshot, StoreError> {
        for _ in 1..ATTEMPTS {
            match self.store.load(at).await {
                Err(StoreError::Moved(_)) => {}
                result => return result,
            }
        }
        self.store.load(at).await
    }
}

fn has_groups(family: &Family) -> bool {
    !family.group.is_empty()
}

/// The rows of a group in a partition, and how many series they are.
fn of_group(snapshot: &Snapshot, group: &Group) -> (Vec<SeriesKey>, u64) {
    let mut families = by_id(&snapshot.families);
    families.retain(|_, family| has_groups(family));
    let of_group = |key: &[u8]| {
        let key = SeriesKey::parse(key).ok()?;
        let of = group_index::group_of(families.get(&key.family())?, &key);
        (of.as_ref() == Some(group)).then_some(key)
    };
    let mut keys: Vec<SeriesKey> = snapshot.counts.keys().filter_map(of_group).collect();
    keys.sort_unstable();
    let series =
        distinct_series(keys.iter().filter_map(|key| Some((families.get(&key.family())?, key))));
    (keys, series)
}

fn group(labels: Vec<v1::Label>) -> Result<Group, Status> {
    let labels = labels.into_iter().map(|label| (label.name, label.value)).collect();
    let wrong = "labels: a group has at least one label, and each name once";
    Group::new(labels).ok_or_else(|| Status::invalid_argument(wrong))
}

#[tonic::async_trait]
impl GroupService for Groups {
    async fn list_groups(
        &self,
        _: Request<v1::ListGroupsRequest>,
    ) -> Result<Response<v1::ListGroupsResponse>, Status> {
        let groups = self.in_turn(self.list()).await?;
        Ok(Response::new(v1::ListGroupsResponse { groups }))
    }

    async fn delete_group(
        &self,
        request: Request<v1::DeleteGroupRequest>,
    ) -> Result<Response<v1::DeleteGroupResponse>, Status> {
        let group = group(request.into_inner().labels)?;
        let series = self.in_turn(self.delete(&group)).await?;
        Ok(Response::new(v1::DeleteGroupResponse { series }))
    }
}
