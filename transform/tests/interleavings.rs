//! Random sequences of everything that can happen, against a model: no gap, no double, and the state that derivation
//! from scratch gives.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]
mod support;

use proptest::prelude::*;
use schemas::{
    amendment::{Amendments, of_author},
    columns::EventRow,
    conversation::ConversationState,
    event::Event,
    ids::{ConversationId, EventId},
    kind::{AuthorKind, Kind, Source},
    partition::{RetentionClass, cut, day_is_expired},
    time::Millis,
};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};
use support::{CONNECTION, House, at, day_of, edit, event, message, unsend};
use transform::TransformHandle;
use warehouse::{catalog::Outcome, registry::Workspace};

/// Short, so that expiry happens within a sequence.
const RETENTION_DAYS: u16 = 3;

#[derive(Clone, Debug)]
enum Step {
    Message {
        conversation: u8,
        back: u32,
        author: AuthorKind,
        member: bool,
    },
    Action {
        conversation: u8,
        back: u32,
        kind: Kind,
    },
    Again(prop::sample::Index),
    /// A copy by another clock that names the member who wrote it.
    Named {
        of: prop::sample::Index,
        shift: i32,
        import: bool,
    },
    Edit(prop::sample::Index, i64),
    Unsend(prop::sample::Index),
    UnsendBefore {
        conversation: u8,
    },
    Land,
    Derive,
    Compact(bool),
    Expire,
    Purge,
    Advance(u32),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let author = prop_oneof![3 => Just(AuthorKind::Customer), 2 => Just(AuthorKind::Agent), 2 => Just(AuthorKind::AgentExternal), 1 => Just(AuthorKind::Bot)];
    let kind = prop_oneof![Just(Kind::Close), Just(Kind::Reopen), Just(Kind::Snooze), Just(Kind::Follow)];
    prop_oneof![
        8 => (0..4u8, 0..90_000u32, author, prop::bool::weighted(0.2)).prop_map(|(conversation, back, author, member)| Step::Message { conversation, back, author, member }),
        2 => (0..4u8, 0..90_000u32, kind).prop_map(|(conversation, back, kind)| Step::Action { conversation, back, kind }),
        3 => any::<prop::sample::Index>().prop_map(Step::Again),
        3 => (any::<prop::sample::Index>(), -3600..=3600i32, any::<bool>()).prop_map(|(of, shift, import)| Step::Named { of, shift, import }),
        1 => (any::<prop::sample::Index>(), 0..5i64).prop_map(|(i, order)| Step::Edit(i, order)),
        1 => any::<prop::sample::Index>().prop_map(Step::Unsend),
        1 => (0..4u8).prop_map(|conversation| Step::UnsendBefore { conversation }),
        4 => Just(Step::Land),
        3 => Just(Step::Derive),
        2 => any::<bool>().prop_map(Step::Compact),
        1 => Just(Step::Expire),
        1 => Just(Step::Purge),
        2 => (60..100_000u32).prop_map(Step::Advance),
        1 => Just(Step::Restart),
    ]
}

/// What should be there: every event that was appended for the first time, in order.
#[derive(Default)]
struct Model {
    sent: Vec<Event>,
    retained: BTreeMap<EventId, Event>,
    appended: u64,
    next: u32,
    /// Messages whose unsend went ahead of them.
    later: Vec<Event>,
}

impl Model {
    fn id(&mut self) -> u32 {
        self.next += 1;
        self.next
    }
}

fn name(event: &mut Event, member: &str) {
    if let Some(author) = &mut event.author {
        (author.kind, author.member) = (AuthorKind::Agent, Some(member.into()));
    }
}

async fn append(house: &House, workspace: &Workspace, model: &mut Model, event: Event) {
    house.append(workspace, std::slice::from_ref(&event)).await;
    model.appended += 1;
    // A copy that comes when the first is expired is dropped as too old, or, within the reader's grace, a copy still.
    if let Some(first) = model.retained.get(&event.id) {
        let unnamed = first.is_human_reply() && first.author.as_ref().is_some_and(|a| a.member.is_none());
        if let Some(amendment) = of_author(&event, first.event_at, first.conversation).filter(|_| unnamed) {
            model.retained.entry(amendment.id).or_insert(amendment);
        }
    } else {
        model.retained.insert(event.id, event.clone());
    }
    model.sent.push(event);
}

async fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let house = House::new(at("2026-03-02T12:00:00Z")).await;
    let workspace = house.workspace("ann", Some(RETENTION_DAYS)).await;
    let mut transform = house.start();
    let mut model = Model::default();
    for step in steps {
        transform = apply(&house, &workspace, transform, &mut model, step).await;
    }
    transform.flush().await.expect("landed");
    transform.jobs().derive().await.expect("derived");
    check(&house, &workspace, &model).await?;
    transform.shutdown().await.expect("stopped");
    Ok(())
}

async fn apply(
    house: &House,
    workspace: &Workspace,
    transform: TransformHandle,
    model: &mut Model,
    step: Step,
) -> TransformHandle {
    let now = house.now();
    let pick =
        |model: &Model, index: &prop::sample::Index| (!model.sent.is_empty()).then(|| index.get(&model.sent).clone());
    match step {
        Step::Message { conversation, back, author, member } => {
            let when = now - Duration::from_secs(u64::from(back));
            let mut new = event(model.id(), conversation, when, Kind::Message, author);
            new.received_at = now;
            if member && author == AuthorKind::Agent {
                name(&mut new, "ann");
            }
            append(house, workspace, model, new).await;
        }
        Step::Action { conversation, back, kind } => {
            let when = now - Duration::from_secs(u64::from(back));
            let mut new = event(model.id(), conversation, when, kind, AuthorKind::Agent);
            new.received_at = now;
            append(house, workspace, model, new).await;
        }
        Step::Again(index) => {
            if let Some(copy) = pick(model, &index) {
                append(house, workspace, model, copy).await;
            }
        }
        Step::Named { of, shift, import } => {
            if let Some(mut copy) = pick(model, &of).filter(|e| e.kind == Kind::Message) {
                // Of what was received first, which is what a window is around; and of its day, as another day expires
                // at another time, which is another test's matter.
                let first = model.retained[&copy.id].event_at;
                let shifted = Millis(first.0 + i64::from(shift) * 1000);
                // A customer's message has one clock, the platform's; only another inbox has its own.
                let two_clocks = import || copy.author.as_ref().is_some_and(|a| a.kind != AuthorKind::Customer);
                copy.event_at =
                    if two_clocks && day_of(shifted) == day_of(first) && shifted <= now { shifted } else { first };
                copy.received_at = now;
                copy.message.as_mut().expect("a message").text = Some("told again".into());
                copy.source = if import { Source::Import } else { Source::Webhooks };
                if copy.author.as_ref().is_some_and(|a| a.kind != AuthorKind::Customer) {
                    name(&mut copy, if shift % 2 == 0 { "ann" } else { "bob" });
                }
                append(house, workspace, model, copy).await;
            }
        }
        Step::Edit(index, order) => {
            if let Some(target) = pick(model, &index).filter(|e| e.kind == Kind::Message) {
                let id = model.id();
                append(house, workspace, model, edit(id, &target, now, &format!("edited {id}"), order)).await;
            }
        }
        Step::Unsend(index) => {
            if let Some(target) = pick(model, &index).filter(|e| e.kind == Kind::Message) {
                let id = model.id();
                append(house, workspace, model, unsend(id, &target, now)).await;
            }
        }
        Step::UnsendBefore { conversation } => {
            if let Some(late) = model.later.pop() {
                append(house, workspace, model, late).await;
            } else {
                let original = message(model.id(), conversation, now);
                let id = model.id();
                append(house, workspace, model, unsend(id, &original, now)).await;
                model.later.push(original);
            }
        }
        Step::Land => {
            transform.flush().await.expect("landed");
        }
        Step::Derive => {
            transform.jobs().derive().await.expect("derived");
        }
        Step::Compact(all) => {
            transform.jobs().compact(all).await.expect("compacted");
        }
        Step::Expire => {
            // What waits in the log would be too old afterwards; that is another test's matter.
            transform.flush().await.expect("landed");
            transform.jobs().expire().await.expect("expired");
        }
        Step::Purge => {
            transform.jobs().purge().await.expect("purged");
        }
        Step::Advance(seconds) => {
            transform.flush().await.expect("landed");
            let later = now + Duration::from_secs(u64::from(seconds));
            let ends = |event: &Event| {
                let past = |at| day_is_expired(event.partition_day(), at, event.retention_class(), RETENTION_DAYS);
                !past(now) && past(later)
            };
            // Derive is behind by seconds, not by a whole retention: what nothing was derived of until its day ended leaves
            // no trace in a state.
            if model.retained.values().any(ends) {
                transform.jobs().derive().await.expect("derived");
            }
            house.clock.advance(Duration::from_secs(u64::from(seconds)));
        }
        Step::Restart => {
            drop(transform);
            return house.start();
        }
    }
    transform
}

async fn check(house: &House, workspace: &Workspace, model: &Model) -> Result<(), TestCaseError> {
    let now = house.now();
    let cut = cut(now, RetentionClass::STANDARD, RETENTION_DAYS);
    let shown: Vec<_> = house.rows(workspace.id).await.into_iter().filter(|r| r.event.event_at >= cut).collect();
    let mut ids: Vec<EventId> = shown.iter().map(|r| r.event.id).collect();
    ids.sort();
    let expected: Vec<EventId> = model.retained.values().filter(|e| e.event_at >= cut).map(|e| e.id).collect();
    prop_assert_eq!(ids, expected);
    let mut amended = Amendments::default();
    model.retained.values().for_each(|e| {
        amended.add(e);
    });
    for row in shown.iter().filter(|r| r.event.kind == Kind::Message) {
        let mut whole = EventRow::new(row.offset, model.retained[&row.event.id].clone());
        amended.apply(&mut whole);
        prop_assert_eq!(&row.event.author, &whole.event.author, "message {}", row.event.id);
    }

    let mut totals: HashMap<Outcome, u64> = HashMap::new();
    for (_, outcome, n) in house.catalog.totals().await.expect("totals") {
        *totals.entry(outcome).or_default() += n;
    }
    prop_assert_eq!(totals.values().sum::<u64>(), model.appended);
    // What is a row and no amendment of an author was counted as committed, whether it is retained still or not.
    let committed = totals.get(&Outcome::Committed).copied().unwrap_or_default();
    let rows = house.raw_rows(workspace.id).await;
    prop_assert!(rows.iter().filter(|r| r.event.kind != Kind::AuthorAmendment).count() as u64 <= committed);

    // Derived states against folding everything in order. Amendments of what is retained.
    let mut amendments = Amendments::default();
    model.retained.values().for_each(|e| {
        amendments.add(e);
    });
    let mut scratch: HashMap<ConversationId, ConversationState> = HashMap::new();
    let mut ordered: Vec<&Event> = model.retained.values().collect();
    ordered.sort_by_key(|e| e.order_key());
    for event in ordered {
        let conversation = event.conversation.expect("a conversation");
        scratch
            .entry(conversation)
            .or_insert_with(|| ConversationState::new(conversation, CONNECTION, event.platform))
            .fold(event);
    }
    // A reader knows the amendments that are still open in the files, no others.
    let mut open = Amendments::default();
    house.raw_rows(workspace.id).await.iter().filter(|r| !r.folded).for_each(|r| {
        open.add(&r.event);
    });
    let derived = house.states(workspace.id).await;
    for (conversation, mut whole) in scratch {
        whole.amend(&amendments);
        let alive = whole.expire(cut);
        let newest_gone =
            whole.home_day().is_none_or(|d| day_is_expired(d, now, RetentionClass::STANDARD, RETENTION_DAYS));
        match derived.get(&conversation).cloned() {
            Some(mut state) => {
                state.amend(&open);
                state.expire(cut);
                prop_assert_eq!(view(&state), view(&whole), "conversation {}", conversation);
            }
            None => prop_assert!(!alive || newest_gone, "conversation {} is missing", conversation),
        }
    }
    Ok(())
}

/// What an answer shows of a state.
fn view(state: &ConversationState) -> impl PartialEq + std::fmt::Debug + use<> {
    let last = state.last_message.as_ref();
    (
        state.lifecycle.status,
        last.map(|m| (m.key, m.author.clone(), m.message.text.clone(), m.unsent_at)),
        state.last_activity_at,
        state.unread(Millis(i64::MIN)),
        state.days.iter().map(|d| (d.day, d.messages)).collect::<Vec<_>>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn any_sequence_leaves_what_the_model_says(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(run(steps))?;
    }
}
