//! The records of one post, by workspace.
use super::*;

/// Collects, then appends.
pub(super) struct Batch<'a> {
    intake: &'a Intake,
    view: &'a View,
    former: Former<'a>,
    now: Millis,
    ids: BTreeMap<WorkspaceId, Arc<Pseudonyms>>,
    records: BTreeMap<WorkspaceId, Vec<(EventId, Payload)>>,
    dead_letters: Vec<DeadLetterReason>,
}

impl<'a> Batch<'a> {
    pub fn new(intake: &'a Intake, view: &'a View, now: Millis) -> Self {
        Self {
            intake,
            view,
            former: Former::new(),
            now,
            ids: BTreeMap::new(),
            records: BTreeMap::new(),
            dead_letters: Vec::new(),
        }
    }

    /// Reads one part of the post.
    pub async fn part(
        &mut self,
        signed: &Signed<'_>,
        part: &Part<'_>,
        admit: &(dyn Fn(ConnectionId) -> bool + Sync),
    ) -> Result<(), IntakeError> {
        match target(self.view, &self.former, signed, part) {
            Target::Connection(connection, workspace) => {
                if !admit(connection.id) {
                    return Err(IntakeError::TooMany);
                }
                match self.ids(workspace.id).await {
                    Ok(ids) => self.read(signed, part, &connection, &workspace, &ids),
                    Err(error) if error.class() == KeyErrorClass::Destroyed => {
                        self.ignore_part(signed, part, IgnoredReason::WorkspaceDeleted)
                    }
                    Err(error) => Err(error.into()),
                }
            }
            Target::Nobody(reason) => self.ignore_part(signed, part, reason),
            // A connection check says nothing that could be misdirected.
            Target::Misdirected(..) if part.elements.is_empty() => Ok(()),
            Target::Misdirected(connection, workspace) => {
                self.keep(signed, Some((&connection, &workspace)), DeadLetterReason::WrongSchema, signed.bytes).await
            }
            Target::System => {
                for element in &part.elements {
                    self.keep(signed, None, DeadLetterReason::WrongSchema, element.bytes).await?;
                }
                Ok(())
            }
        }
    }

    /// Keeps a whole body, in `system` where no connection can be named.
    pub async fn unreadable(&mut self, signed: &Signed<'_>, reason: DeadLetterReason) -> Result<(), IntakeError> {
        let Some(connection) = &signed.connection else {
            return self.keep(signed, None, reason, signed.bytes).await;
        };
        match in_use(self.view, connection) {
            Ok(workspace) => self.keep(signed, Some((connection, &workspace)), reason, signed.bytes).await,
            Err(reason) => self.ignore(signed, WorkspaceId::SYSTEM, reason),
        }
    }

    fn read(
        &mut self,
        signed: &Signed<'_>,
        part: &Part<'_>,
        connection: &Connection,
        workspace: &Workspace,
        ids: &Pseudonyms,
    ) -> Result<(), IntakeError> {
        let account = connection.external_id.as_deref();
        let context = Context { ids, connection: connection.id, account, received_at: self.now };
        for element in &part.elements {
            match signed.connector.read(element, &context) {
                Parsed::Event(event) if is_too_old(&event, workspace, self.now) => {
                    self.ignore(signed, workspace.id, IgnoredReason::TooOld)?;
                }
                Parsed::Event(event) => self.push(workspace.id, event.id, Payload::Event(*event)),
                Parsed::Raw(raw) => {
                    self.dead_letters.push(raw.reason);
                    self.push(workspace.id, raw.id, Payload::Raw(raw));
                }
                Parsed::Ignored(reason) => self.ignore(signed, workspace.id, reason)?,
            }
        }
        Ok(())
    }

    async fn keep(
        &mut self,
        signed: &Signed<'_>,
        whose: Option<(&Connection, &Workspace)>,
        reason: DeadLetterReason,
        bytes: &[u8],
    ) -> Result<(), IntakeError> {
        let workspace = whose.map_or(WorkspaceId::SYSTEM, |(_, workspace)| workspace.id);
        let ids = match self.ids(workspace).await {
            Err(error) if error.class() == KeyErrorClass::Destroyed && workspace != WorkspaceId::SYSTEM => {
                return self.ignore(signed, WorkspaceId::SYSTEM, IgnoredReason::WorkspaceDeleted);
            }
            other => other?,
        };
        let connection = whose.map(|(connection, _)| connection.id);
        let raw = dead_letter(signed.connector, ids.as_ref(), connection, self.now, reason, bytes);
        self.dead_letters.push(reason);
        self.push(workspace, raw.id, Payload::Raw(raw));
        Ok(())
    }

    /// Counts every element of a part in `system`: the workspace's own keys may be gone, or there is none.
    fn ignore_part(&mut self, signed: &Signed<'_>, part: &Part<'_>, reason: IgnoredReason) -> Result<(), IntakeError> {
        for element in &part.elements {
            let is_test = element.place == crate::platforms::Place::Test;
            self.ignore(signed, WorkspaceId::SYSTEM, if is_test { IgnoredReason::TestPost } else { reason })?;
        }
        Ok(())
    }

    fn ignore(
        &mut self,
        signed: &Signed<'_>,
        workspace: WorkspaceId,
        reason: IgnoredReason,
    ) -> Result<(), IntakeError> {
        let payload = Payload::Ignored(Ignored { reason, platform: signed.connector.platform() });
        let id = EventId(random(self.intake.entropy.as_ref())?);
        self.push(workspace, id, payload);
        Ok(())
    }

    fn push(&mut self, workspace: WorkspaceId, id: EventId, payload: Payload) {
        self.records.entry(workspace).or_default().push((id, payload));
    }

    async fn ids(&mut self, workspace: WorkspaceId) -> Result<Arc<Pseudonyms>, KeyError> {
        if let Some(ids) = self.ids.get(&workspace) {
            return Ok(ids.clone());
        }
        let ids = self.intake.keyring.pseudonyms(workspace).await?;
        self.ids.insert(workspace, ids.clone());
        Ok(ids)
    }

    /// Appends everything, one call per workspace; `system` last, as it takes what others no longer can.
    pub async fn append(mut self) -> Result<Accepted, IntakeError> {
        let mut accepted = Accepted::default();
        let mut system = self.records.remove(&WorkspaceId::SYSTEM).unwrap_or_default();
        for (workspace, records) in std::mem::take(&mut self.records) {
            match self.append_to(workspace, &records).await {
                Ok(position) => accepted.positions.push((workspace, position)),
                Err(RecordError::KeyDestroyed) => {
                    for (id, payload) in &records {
                        let platform = platform_of(payload);
                        let reason = IgnoredReason::WorkspaceDeleted;
                        system.push((*id, Payload::Ignored(Ignored { reason, platform })));
                    }
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            accepted.records += records.len();
        }
        if !system.is_empty() {
            let position = self.append_to(WorkspaceId::SYSTEM, &system).await?;
            accepted.positions.push((WorkspaceId::SYSTEM, position));
            accepted.records += system.len();
        }
        accepted.dead_letters = self.dead_letters;
        Ok(accepted)
    }

    async fn append_to(&self, workspace: WorkspaceId, records: &[(EventId, Payload)]) -> Result<Position, RecordError> {
        let slot = self.view.workspaces.get(&workspace).map(|workspace| workspace.slot);
        let slot = slot.ok_or_else(|| RecordError::Unavailable(format!("workspace {workspace} is not loaded")))?;
        self.intake.appender.append(workspace, slot, records).await
    }
}

fn platform_of(payload: &Payload) -> Platform {
    match payload {
        Payload::Event(event) => event.platform,
        Payload::Raw(raw) => raw.platform,
        Payload::Ignored(ignored) => ignored.platform,
    }
}
