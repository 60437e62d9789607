//! How fresh an answer is, and how fresh it is asked to be.
use super::{
    Inner,
    guard::Caller,
    problem::{ApiError, Code},
    query::RawQuery,
    stream::mark::Mark,
};
use crate::engine::types::{CompleteThrough, QueryError};
use records::Position;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// How fresh the answer has to be.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Fresh {
    /// A `position` that the answer has to have reached. Waited for up to 2 s, then 503 `not_yet`; one of another log
    /// is 410 `position_unknown`.
    #[param(value_type = Option<String>)]
    min_position: Option<Position>,
}

/// How fresh an answer is.
#[derive(Serialize, ToSchema)]
pub(super) struct AsOf {
    /// The answer holds everything before it. Opaque; `min_position` takes it.
    position: String,
    /// Per source (`webhooks`, `import`, `members`) the time up to which everything has been read.
    #[schema(value_type = BTreeMap<String, String>)]
    complete_through: CompleteThrough,
}

impl Fresh {
    pub(super) fn read(query: &mut RawQuery) -> Result<Self, ApiError> {
        let min_position = query.take("min_position", "a position of an earlier answer", |text| {
            text.parse().ok().map(|mark: Mark| mark.position)
        })?;
        Ok(Self { min_position })
    }

    /// Waits for what was asked, and says how fresh what is read from now on is at least. Taken before the reading: a
    /// position that is read afterwards could promise what the items do not hold.
    pub(super) async fn reach(&self, api: &Inner, caller: &Caller) -> Result<AsOf, ApiError> {
        self.wait(api, caller).await?;
        let position = api.answers.position(caller.workspace).await?;
        let complete_through = api.answers.complete_through(caller.workspace).await?;
        Ok(AsOf { position: position.to_string(), complete_through })
    }

    pub(super) async fn wait(&self, api: &Inner, caller: &Caller) -> Result<(), ApiError> {
        let Some(position) = self.min_position else { return Ok(()) };
        known(api, caller, position)?;
        match api.answers.reach(caller.workspace, position, api.settings.reach).await {
            Err(QueryError::Unavailable(_)) => Err(Code::NotYet.into()),
            other => Ok(other?),
        }
    }
}

/// Refuses positions of another log or slot.
pub(super) fn known(api: &Inner, caller: &Caller, position: Position) -> Result<(), ApiError> {
    if position.epoch == api.appender.epoch() && position.slot == caller.slot {
        Ok(())
    } else {
        Err(Code::PositionUnknown.into())
    }
}

/// Refuses positions of another log or slot, and those that the log does not reach even after a wait: they are of a
/// future that was lost, as when an older copy of the log was put back. To read on from there would pass over
/// everything that comes until the log is that long again.
pub(super) async fn reached(api: &Inner, caller: &Caller, position: Position) -> Result<(), ApiError> {
    known(api, caller, position)?;
    match api.answers.reach(caller.workspace, position, api.settings.reach).await {
        Err(QueryError::Unavailable(_)) => Err(Code::PositionUnknown.into()),
        other => Ok(other?),
    }
}
