//! A later copy that names the member who wrote a message becomes an author amendment (`DESIGN.md` §2).
//!
//! The rule. The copy is compared with the first of the records that make it a copy and are messages of a person of the
//! business. Where that one names nobody, and no author amendment of the message is retained, the copy leaves one, at
//! the time and in the conversation of that first one. All of this is a function of the log's order and of what is
//! retained, not of what lies in which file: whoever asks at whatever snapshot finds the same, as a row that `compact`
//! has given its member names it, and one that it has not is found beside its amendment.
use super::{Candidate, Copies, DuplicateError, Duplicates, Says, Seen, search};
use crate::{catalog::DataFile, file::FileError};
use futures::TryStreamExt;
use schemas::{
    amendment,
    columns::{WRITER_COLUMNS, Writer, read_writers},
    event::Event,
    ids::{ConversationId, EventId},
    partition::Table,
    time::Millis,
};
use std::{collections::HashMap, sync::Arc};

/// The messages of people of the business in one file, sorted by id.
pub(super) type FileAuthors = Arc<Vec<Writer>>;

/// What named copies are copies of, as far as it lies in files; by [`Candidate::key`].
#[derive(Clone, Debug, Default)]
pub struct Origins(HashMap<(EventId, Millis), Origin>);

#[derive(Clone, Copy, Debug)]
struct Origin {
    at: Millis,
    conversation: Option<ConversationId>,
    /// It is known who wrote it.
    settled: bool,
}

/// What a record is, seen from those before it.
#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "lives for one step only")]
pub enum Verdict {
    /// Nothing like it came before.
    First,
    /// A copy.
    Copy,
    /// A copy that leaves this author amendment in its place.
    Author(Event),
}

/// True when nothing like it came before. All that [`judge`] asks of nearly every event.
pub fn is_first(candidate: &Candidate, copies: &Copies, seen: &[&Seen]) -> bool {
    !copies.contains(&candidate.key()) && !seen.iter().any(|seen| seen.has(candidate))
}

/// What an event is: of files speak `copies` and `origins`, which were asked for it, of what came after them `seen`, in
/// the log's order.
pub fn judge(event: &Event, copies: &Copies, origins: &Origins, seen: &[&Seen]) -> Verdict {
    let candidate = Candidate::of(event);
    if is_first(&candidate, copies, seen) {
        return Verdict::First;
    }
    if candidate.says != Says::Member {
        return Verdict::Copy;
    }
    let in_files = origins.0.get(&candidate.key()).copied();
    let origin = in_files.or_else(|| seen.iter().find_map(|seen| seen.origin(&candidate)));
    let amendment = origin
        .filter(|origin| !origin.settled)
        .and_then(|origin| amendment::of_author(event, origin.at, origin.conversation))
        .filter(|amendment| !seen.iter().any(|seen| seen.has(&Candidate::of(amendment))));
    amendment.map_or(Verdict::Copy, Verdict::Author)
}

impl Seen {
    fn origin(&self, candidate: &Candidate) -> Option<Origin> {
        let mut records = self.at.get(&(candidate.table, candidate.id))?.iter();
        let first = records.find(|record| record.says != Says::Nothing && record.is_met_by(candidate))?;
        let (at, conversation) = (first.at, first.conversation);
        Some(Origin { at, conversation, settled: first.says == Says::Member })
    }
}

impl Candidate {
    /// What is asked about the author amendment of a message.
    fn of_amendment(message: EventId, origin: &Origin) -> Self {
        Self {
            id: message.of_author_amendment(),
            at: origin.at,
            table: Table::Events,
            any_time: false,
            window: super::WINDOW,
            conversation: origin.conversation,
            says: Says::Nothing,
        }
    }
}

impl Duplicates {
    /// Of those candidates that have a copy in the files (`copies`) and name a member: what they are copies of.
    /// `claimed`: the workspace has claimed ids.
    ///
    /// # Errors
    /// See [`DuplicateError`].
    pub async fn origins(
        &self,
        files: &[DataFile],
        candidates: &[Candidate],
        copies: &Copies,
        claimed: bool,
    ) -> Result<Origins, DuplicateError> {
        let named: Vec<&Candidate> =
            candidates.iter().filter(|c| c.says == Says::Member && copies.contains(&c.key())).collect();
        if named.is_empty() {
            return Ok(Origins::default());
        }
        let mut first: HashMap<(EventId, Millis), Writer> = HashMap::new();
        self.find_first(files, &named, false, &mut first).await?;
        if claimed {
            let rest: Vec<&Candidate> = named.iter().filter(|c| !first.contains_key(&c.key())).copied().collect();
            self.find_first(files, &rest, true, &mut first).await?;
        }
        let mut origins: HashMap<(EventId, Millis), Origin> = first
            .into_iter()
            .map(|(key, w)| (key, Origin { at: w.at, conversation: w.conversation, settled: w.named }))
            .collect();
        let asked: Vec<Candidate> =
            origins.iter().filter(|(_, o)| !o.settled).map(|((id, _), o)| Candidate::of_amendment(*id, o)).collect();
        let held = self.copies(files, &asked).await?;
        for ((id, _), origin) in &mut origins {
            origin.settled |= held.contains(&Candidate::of_amendment(*id, origin).key());
        }
        Ok(Origins(origins))
    }

    /// The first in the log's order of what makes each candidate a copy; `claimed`: anywhere, but only those whose
    /// claimed time was not believed.
    async fn find_first(
        &self,
        files: &[DataFile],
        candidates: &[&Candidate],
        claimed: bool,
        first: &mut HashMap<(EventId, Millis), Writer>,
    ) -> Result<(), DuplicateError> {
        for file in files.iter().filter(|file| file.table == Table::Events) {
            let concerned: Vec<_> = candidates.iter().filter(|c| claimed || c.concerns(file)).collect();
            if concerned.is_empty() {
                continue;
            }
            let writers = self.writers_of(file).await?;
            for candidate in concerned {
                let from = search::place_of(&writers, candidate.id, |writer| writer.id);
                let same = writers[from..].iter().take_while(|writer| writer.id == candidate.id);
                for writer in same.filter(|w| w.claimed || (!claimed && candidate.meets(w.at))) {
                    let held = first.entry(candidate.key()).or_insert(*writer);
                    if writer.offset < held.offset {
                        *held = *writer;
                    }
                }
            }
        }
        Ok(())
    }

    async fn writers_of(&self, file: &DataFile) -> Result<FileAuthors, FileError> {
        if let Some(writers) = self.authors.get(&file.id).await {
            return Ok(writers);
        }
        let mut writers = Vec::new();
        let mut stream = self.files.stream(file, Some(WRITER_COLUMNS)).await?;
        while let Some(batch) = stream.try_next().await? {
            let read = read_writers(&batch);
            writers.extend(read.map_err(|e| FileError::Integrity { file: file.id, why: e.to_string() })?);
        }
        writers.sort_unstable_by_key(|writer| writer.id);
        let writers = Arc::new(writers);
        self.authors.insert(file.id, writers.clone()).await;
        Ok(writers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::{
        event::{Author, Change, Message},
        ids::ConnectionId,
        kind::{AuthorKind, Kind, MessageType, Platform, Source},
    };

    fn message(at: i64, kind: AuthorKind, member: Option<&str>) -> Event {
        Event {
            id: EventId([1; 16]),
            kind: Kind::Message,
            source: Source::Webhooks,
            connection: ConnectionId([7; 16]),
            platform: Platform::Facebook,
            conversation: Some(ConversationId([2; 16])),
            contact: None,
            author: Some(Author { kind, member: member.map(Into::into), contact: None, name: None }),
            event_at: Millis(at),
            claimed_at: None,
            received_at: Millis(at + 500),
            seq: 0,
            message: Some(Message {
                platform_id: "m_1".into(),
                kind: MessageType::Text,
                text: Some("hello".into()),
                attachments: Vec::new(),
                reply_to: None,
            }),
            amends: None,
            details: "{}".into(),
        }
    }

    fn judged(event: &Event, seen: &mut Seen) -> Verdict {
        let verdict = judge(event, &Copies::new(), &Origins::default(), &[seen]);
        match &verdict {
            Verdict::First => seen.add(&Candidate::of(event), event.claimed_at.is_some()),
            Verdict::Author(amendment) => seen.add(&Candidate::of(amendment), false),
            Verdict::Copy => {}
        }
        verdict
    }

    #[test]
    fn a_named_copy_of_an_unnamed_message_leaves_one_amendment() {
        let mut seen = Seen::default();
        let echo = message(10_000, AuthorKind::AgentExternal, None);
        let mut named = message(1_800_000, AuthorKind::Agent, Some("ann"));
        named.conversation = Some(ConversationId([3; 16]));
        assert_eq!(judged(&echo, &mut seen), Verdict::First);
        let Verdict::Author(amendment) = judged(&named, &mut seen) else { panic!("no amendment") };
        assert_eq!((amendment.kind, amendment.event_at), (Kind::AuthorAmendment, Millis(10_000)));
        assert_eq!((amendment.conversation, amendment.received_at), (echo.conversation, named.received_at));
        assert_eq!((amendment.message.is_none(), amendment.id == echo.id), (true, false));
        let amends = amendment.amends.expect("amends");
        assert_eq!((amends.message, amends.change), (echo.id, Change::Author { member: "ann".into() }));
        // Again, later still, and by another member: it is known already.
        for again in [named.clone(), message(1_900_000, AuthorKind::Agent, Some("bob"))] {
            assert_eq!(judged(&again, &mut seen), Verdict::Copy);
        }
    }

    #[test]
    fn nothing_is_left_where_the_first_names_a_member_or_is_no_persons_message() {
        for first in [
            message(0, AuthorKind::Agent, Some("ann")),
            message(0, AuthorKind::Bot, None),
            message(0, AuthorKind::Customer, None),
        ] {
            let mut seen = Seen::default();
            assert_eq!(judged(&first, &mut seen), Verdict::First);
            assert_eq!(judged(&message(5, AuthorKind::Agent, Some("bob")), &mut seen), Verdict::Copy);
        }
        let mut seen = Seen::default();
        judged(&message(0, AuthorKind::Agent, None), &mut seen);
        assert_eq!(judged(&message(0, AuthorKind::AgentExternal, None), &mut seen), Verdict::Copy);
        assert_eq!(judged(&message(0, AuthorKind::Bot, Some("ann")), &mut seen), Verdict::Copy);
    }

    #[test]
    fn an_import_meets_its_message_at_any_distance() {
        let mut seen = Seen::default();
        judged(&message(0, AuthorKind::AgentExternal, None), &mut seen);
        let mut import = message(90_000_000, AuthorKind::Agent, Some("ann"));
        import.source = Source::Import;
        let Verdict::Author(amendment) = judged(&import, &mut seen) else { panic!("no amendment") };
        assert_eq!(amendment.event_at, Millis(0));
        import.event_at = Millis(-90_000_000);
        assert_eq!(judged(&import, &mut seen), Verdict::Copy);
    }
}
