//! `chatmai demo`: a whole instance, realistic traffic as signed webhooks over HTTPS against it, and a verdict from
//! outside: what was sent is compared with what can be read, as multisets.
mod check;
mod client;
mod freshness;
mod payload;
mod place;
mod play;
mod readback;
mod report;
mod stage;
mod timeline;
mod traffic;

use crate::{
    cli,
    config::Config,
    control::CommandError,
    node::{DataDir, Node, Roles, asked},
    output, process,
};
use check::Verdict;
use client::Server;
use freshness::Freshness;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;
use place::DemoDir;
use play::Played;
use report::{Percentiles, Report};
use schemas::clock::{Clock, SystemClock};
use serde_json::Value;
use stage::Stage;
use std::{
    io::IsTerminal,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};
use timeline::Timeline;
use traffic::{Cast, Times, Traffic};

/// How long messages may take to appear that were acknowledged last.
const PATIENCE: Duration = Duration::from_secs(10);
/// Events a second in one workspace at most: an account has one of a kind in a millisecond.
const RATE: u64 = 5000;

/// Plays the demo. `has_directory`: one was asked for, and stays.
///
/// # Errors
/// When something fails that is not the verdict.
pub async fn run(
    config: Config,
    options: cli::Demo,
    has_directory: bool,
    json: bool,
) -> Result<ExitCode, CommandError> {
    let began = Instant::now();
    if options.rate.is_some_and(|rate| u64::from(rate) > RATE * options.workspaces) {
        return Err(CommandError::usage(format!("--rate is {RATE} for each of the --workspaces at most")));
    }
    let cast = Cast::new(options.seed, usize::try_from(options.workspaces).unwrap_or(usize::MAX));
    let directory = DemoDir::new(has_directory.then_some(config.data_dir.as_path()))?;
    let config = directory.config(config, &cast, options.kafka)?;
    let mut signal = std::pin::pin!(asked());
    let mut node = Node::start(&config, DataDir::lock(directory.path())?, Roles::ALL).await?;
    let played = tokio::select! {
        played = act(&node, &cast, &options, began) => played,
        _ = &mut signal => Err(CommandError::failed("interrupted")),
    };
    let result = match played {
        Ok(act) => {
            show(&act, &cast, &node, &options, json)?;
            if options.keep {
                describe(&node, &act, &directory);
                tokio::select! {
                    heard = signal => drop(heard?),
                    why = node.failed() => return Err(CommandError::failed(why)),
                }
            }
            Ok(if act.report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Err(error) => Err(error),
    };
    node.stop().await.map_err(CommandError::failed)?;
    result
}

/// What came of it.
struct Act {
    report: Report,
    stage: Stage,
    /// The number of a shop, and the first page of its inbox.
    inbox: (usize, Vec<Value>),
}

async fn act(node: &Node, cast: &Cast, options: &cli::Demo, began: Instant) -> Result<Act, CommandError> {
    let (desk, endpoints) = (node.desk(), node.endpoints());
    let known = readback::system_letters(desk).await.map_err(CommandError::failed)?;
    let before = node.totals().await.map_err(CommandError::failed)?;
    let stage = Stage::set(desk, cast).await?;
    let ingest = Server::new(endpoints.ingest(), &endpoints.ca_certificate).map_err(CommandError::failed)?;
    let api = Server::new(endpoints.api(), &endpoints.ca_certificate).map_err(CommandError::failed)?;
    play::handshake(&ingest, &cast.verify_token).await.map_err(CommandError::failed)?;
    let freshness = Freshness::default();
    let streams = freshness.watch(&api, &stage).await.map_err(CommandError::failed)?;

    let progress = progress(options.events);
    let events = usize::try_from(options.events).unwrap_or(usize::MAX);
    let now = SystemClock.now();
    let times = options.rate.map_or(Times::before(now), |rate| Times::Live { from: now.0, rate });
    let traffic = Traffic::new(options.seed, cast.clone(), times, events);
    let played = Arc::new(Mutex::new(Played::default()));
    let takes = Duration::from_secs(options.rate.map_or(0, |rate| options.events / u64::from(rate.max(1))));
    let mut timeline = Timeline::new(played.clone(), freshness.clone(), takes);
    let started = Instant::now();
    tokio::select! {
        all = play::play(traffic, &ingest, &stage, &freshness, &progress, options.rate, played.clone()) => {
            all.map_err(CommandError::failed)?;
        }
        () = timeline.watch(node) => {}
    }
    let play_s = started.elapsed().as_secs_f64();
    let mut played = std::mem::take(&mut *played.lock());
    progress.set_message("waiting for the last messages to appear");
    let mut fresh = freshness.finish(PATIENCE).await;
    drop(streams);
    progress.set_message("committing");
    node.commit().await.map_err(CommandError::failed)?;
    progress.set_message("reading everything back");
    let read = readback::read(&api, &stage).await.map_err(CommandError::failed)?;
    let dead = readback::dead_letters(desk, &stage, &known).await.map_err(CommandError::failed)?;
    // Of the first shop that has one: few events leave some without.
    let mut inbox = (0, Vec::new());
    for (shop, place) in stage.places.iter().enumerate().take(if read.conversations > 0 { usize::MAX } else { 1 }) {
        inbox = (shop, readback::first_page(&api, place).await.map_err(CommandError::failed)?);
        if !inbox.1.is_empty() {
            break;
        }
    }
    progress.finish_and_clear();

    let wanted = &played.expectation;
    // Missing in any of the ways to read is lost, twice in any of them is doubled.
    let verdict = Verdict::of(wanted.events(), &read.events)
        .and(Verdict::of(wanted.messages(), &read.messages))
        .and(Verdict::of(wanted.dead_letters(), &dead));
    let (files, bytes) = node.data_files().await.map_err(CommandError::failed)?;
    let mut responses = read.first_responses;
    let report = Report {
        sent: wanted.sent(),
        refused: played.refused,
        totals: node.totals().await.map_err(CommandError::failed)?.since(before),
        verdict,
        conversations: read.conversations,
        webhook: Percentiles::of(&mut played.answers),
        freshness: Percentiles::of(&mut fresh),
        // Live conversations are played in a hurry.
        first_response_ms: Percentiles::of(&mut responses).filter(|_| options.rate.is_none()).map(|of| of.p50),
        files,
        bytes,
        peak_rss: process::peak_rss_bytes(),
        play_s,
        timeline: if options.rate.is_some() { timeline.steps } else { Vec::new() },
        elapsed_s: began.elapsed().as_secs_f64(),
    };
    Ok(Act { report, stage, inbox })
}

fn progress(events: u64) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(events), target);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} events, {per_sec} {msg}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

/// Prints result and inbox; with `--json` they are words, and the object comes last.
fn show(act: &Act, cast: &Cast, node: &Node, options: &cli::Demo, json: bool) -> Result<(), CommandError> {
    let mut text = act.report.table();
    let (number, inbox) = &act.inbox;
    if let Some(shop) = cast.shops.get(*number) {
        text += &format!("\n\nInbox of {}\n{}", shop.name, report::inbox(inbox, shop.time_zone));
    }
    if !json {
        return Ok(output::line(&text)?);
    }
    eprintln!("{text}");
    let mut object = act.report.json();
    if options.keep {
        let endpoints = node.endpoints();
        object["ingest"] = endpoints.ingest().into();
        object["api"] = endpoints.api().into();
        object["operations"] = endpoints.operations.clone().into();
        object["ca_certificate"] = endpoints.ca_certificate.to_string_lossy().into();
        object["key"] = act.stage.places.first().map(|place| place.key.clone()).into();
    }
    Ok(output::json(&object)?)
}

/// Says what can be looked at while it stays up.
fn describe(node: &Node, act: &Act, directory: &DemoDir) {
    let endpoints = node.endpoints();
    let (ca, key) =
        (endpoints.ca_certificate.display(), act.stage.places.first().map_or("", |place| place.key.as_str()));
    let fate = if directory.is_temporary() { ", removed at the end" } else { "" };
    eprintln!("\nStaying up; end it with Ctrl-C.");
    eprintln!("  webhooks    {}", endpoints.ingest());
    eprintln!("  API         {}", endpoints.api());
    eprintln!("  operations  {}", endpoints.operations);
    eprintln!("  CA          {ca}");
    eprintln!("  API key     {key}");
    eprintln!("  data        {}{fate}", directory.path().display());
    eprintln!("\n  curl --cacert {ca} -H 'Authorization: Bearer {key}' '{}/v1/conversations?limit=5'", endpoints.api());
}
